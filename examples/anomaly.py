#!/usr/bin/env python3
"""Ranks outliers by the log-density of `nf train auto`, on the sets of ADBench, next to four other detectors.

    python3 examples/anomaly.py                          # all sets in $NF_DATA_DIR/adbench (default ../shared/data)
    python3 examples/anomaly.py --sets glass,wine --seeds 3

A set is an .npz with rows X and labels y (1: outlier); https://github.com/Minqi824/ADBench has them. At most --rows rows
are used, drawn by seed. Detectors see all rows and no labels. Prints the area under the ROC curve and the average
precision per set and their means, and the seconds and CPU seconds of the flow. Needs numpy; the peers need
`pip install scikit-learn pyod` and are left out without.
"""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
NF = ROOT / "build/src/cli/nf"
DATA = pathlib.Path(os.environ.get("NF_DATA_DIR", ROOT.parent / "shared/data")) / "adbench"


def load(path, rows, seed):
    with np.load(path) as file:
        x, y = np.asarray(file["X"], np.float64), np.asarray(file["y"]).ravel().astype(bool)
    if len(x) > rows:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(x))[:rows])
        x, y = x[chosen], y[chosen]
    return x, y


def seconds():
    """Returns the time now and the CPU time of finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([time.perf_counter(), used.ru_utime + used.ru_stime])


def flow(x, seed, threads):
    """Returns -log p of the rows under a flow fitted to them."""
    with tempfile.TemporaryDirectory() as folder:
        data, model, scores = (os.path.join(folder, name) for name in ("x.npy", "m.safetensors", "scores.npy"))
        np.save(data, x)
        both = ["--data", data, "--threads", str(threads)]
        subprocess.run([NF, "train", "auto", *both, "--seed", str(seed), "--quiet", "-o", model], check=True)
        subprocess.run([NF, "score", model, *both, "-o", scores, "--json"], check=True, stdout=subprocess.DEVNULL)
        return -np.load(scores).ravel().astype(np.float64)


def peers(seed):
    """Returns {name: function of the rows} of the installed peers; larger is more of an outlier."""
    found = {}
    try:
        from sklearn.ensemble import IsolationForest
        found["iforest"] = lambda x: -IsolationForest(random_state=seed).fit(x).score_samples(x)
    except ImportError:
        print("isolation forest is left out: pip install scikit-learn", file=sys.stderr)
    try:
        from pyod.models.copod import COPOD
        from pyod.models.ecod import ECOD
        from pyod.models.knn import KNN
        for name, kind in (("ecod", ECOD), ("copod", COPOD), ("knn", KNN)):
            found[name] = lambda x, kind=kind: kind().fit(x).decision_scores_
    except ImportError:
        print("ECOD, COPOD and kNN are left out: pip install pyod", file=sys.stderr)
    return found


def measures(y, score):
    """Returns the area under the ROC curve and the average precision; rows of equal score count together."""
    score = np.nan_to_num(np.asarray(score, np.float64), nan=np.inf, posinf=np.finfo(np.float64).max)
    values, place = np.unique(-score, return_inverse=True)
    positive = np.bincount(place, weights=y, minlength=len(values))
    total = np.bincount(place, minlength=len(values))
    hits, seen = np.cumsum(positive), np.cumsum(total)
    negative = total - positive
    auc = np.sum(negative * (hits - positive / 2)) / (hits[-1] * negative.sum())
    return auc, np.sum(positive * hits / seen) / hits[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000, help="most rows of a set")
    parser.add_argument("--seeds", type=int, default=1, help="runs per set, each with its own seed; results are averaged")
    parser.add_argument("--sets", default="", help="comma-separated parts of the names of sets")
    parser.add_argument("--threads", type=int, default=0, help="of the flow; 0: one per core")
    parser.add_argument("--no-peers", action="store_true", help="the flow alone")
    parser.add_argument("--json", help="write all numbers to this file")
    args = parser.parse_args()
    if not NF.exists():
        sys.exit(f"{NF} does not exist: build it with ./dev demo")
    words = [w for w in args.sets.split(",") if w]
    files = sorted((f for f in DATA.glob("*.npz") if not words or any(w in f.stem for w in words)),
                   key=lambda f: (int(f.stem.split("_")[0]) if f.stem.split("_")[0].isdigit() else 0, f.stem))
    if not files:
        sys.exit(f"no sets in {DATA}: set NF_DATA_DIR to a folder whose adbench/ has them")
    results = {}  # name of a set -> name of a detector -> list of (auc, ap, seconds, CPU seconds)
    names = None
    for file in files:
        runs = {}
        for seed in range(args.seeds):
            detectors = {"nf auto": lambda x, seed=seed: flow(x, seed, args.threads)}
            detectors.update({} if args.no_peers else peers(seed))
            if names is None:
                names = list(detectors)
                print(f"{'AUROC, AP':24s}" + "".join(f"{n:>14s}" for n in names) + "  seconds  CPU s")
            x, y = load(file, args.rows, seed)
            if not 0 < y.sum() < len(y):
                print(f"{file.stem}: all rows drawn with seed {seed} have the same label", file=sys.stderr)
                continue
            for name, detector in detectors.items():
                start = seconds()
                score = detector(x)
                runs.setdefault(name, []).append((*measures(y, score), *(seconds() - start)))
        if not runs:
            continue
        results[file.stem] = runs
        mean = {n: np.mean(r, axis=0) for n, r in runs.items()}
        print(f"{file.stem:24s}" + "".join(f"  {mean[n][0]:.4f} {mean[n][1]:.3f}"[:14].rjust(14) for n in names) +
              f"  {mean['nf auto'][2]:7.1f}  {mean['nf auto'][3]:5.1f}", flush=True)
    means = {n: np.mean([np.mean(r[n], axis=0) for r in results.values()], axis=0) for n in names}
    longest = np.max([np.max(r["nf auto"], axis=0) for r in results.values()], axis=0)
    print(f"{f'mean of {len(results)} sets':24s}" + "".join(f"  {means[n][0]:.4f} {means[n][1]:.3f}".rjust(14) for n in names) +
          f"  {longest[2]:7.1f}  {longest[3]:5.1f} at most")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
