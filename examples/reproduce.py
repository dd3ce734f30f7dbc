#!/usr/bin/env python3
"""Reproduces the real-data results of tests/bench/README.md with the nf command, over several seeds.

    python3 examples/reproduce.py                     # lists the runs
    python3 examples/reproduce.py power_maf --seeds 3

Reads data from $NF_DATA_DIR (default ../shared/data) and writes models to build/reproduce. The reference numbers are
test log-likelihoods in nats +- 2 standard errors of other libraries with the same data, split, steps and sizes.
"""
import argparse
import ast
import json
import math
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
NF = ROOT / "build/src/cli/nf"
OUT = ROOT / "build/reproduce"
DATA = pathlib.Path(os.environ.get("NF_DATA_DIR", ROOT.parent / "shared/data"))


def read_npy(path):
    """Returns (shape, raw bytes) of a two-dimensional float32 file in C order."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[8:10], "little")
    header = ast.literal_eval(raw[10:10 + size].decode("latin1"))
    if header["descr"] != "<f4" or header["fortran_order"]:
        sys.exit(f"{path}: expected float32 in C order, got {header}")
    return header["shape"], raw[10 + size:]


def write_npy(path, columns, body):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(body) // (4 * columns)}, {columns}), }}"
    header = header.ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + body)


def power():
    folder = DATA / "power_2007h1"
    return folder / "train.npy", folder / "valid.npy", folder / "test.npy"


def miniboone():
    """Trains on the public training rows plus 2,956 validation rows; the other validation rows validate."""
    folder = DATA / "miniboone"
    (_, columns), train = read_npy(folder / "train_partial_1523.npy")
    _, valid = read_npy(folder / "valid.npy")
    cut = 2956 * columns * 4
    files = OUT / "miniboone_train.npy", OUT / "miniboone_valid.npy"
    write_npy(files[0], columns, train + valid[:cut])
    write_npy(files[1], columns, valid[cut:])
    return *files, folder / "test.npy"


# name: (data, spec, options of nf train, result of another library)
RUNS = {
    "power_realnvp": (power, "realnvp_power", "--batch 512 --order replacement --lr 5e-4 --schedule cosine --clip-norm 5 "
                      "--steps 4000", "no reference; nflows' MAF(5) 0.437 +- 0.045"),
    # Nine couplings, then two splits that factor out two columns each, at as many parameters. The layout is the one of
    # eleven with the best validation log-likelihood (tests/bench/README.md).
    "power_realnvp_split": (power, "realnvp_split", "--batch 512 --order replacement --lr 5e-4 --schedule cosine "
                            "--clip-norm 5 --steps 4000", "power_realnvp at as many parameters 0.582, 0.593, 0.605 +- 0.043"),
    "power_maf": (power, "maf_power", "--batch 512 --order replacement --lr 5e-4 --schedule cosine --clip-norm 5 "
                  "--steps 4000", "nflows 0.437 +- 0.045"),
    "power_maf_tuned": (power, "maf_power_tuned", "--batch 512 --order replacement --lr 1e-3 --schedule cosine "
                        "--clip-norm 5 --steps 4000", "nflows 0.437 +- 0.045"),
    "miniboone_maf": (miniboone, "maf_miniboone", "--batch 128 --order replacement --lr 1e-4 --weight-decay 1e-6 "
                      "--clip-norm 5 --steps 3000 --valid-every 250", "nflows -16.27 +- 0.52"),
    "power_nsf": (power, "nsf_power", "--batch 512 --order replacement --lr 5e-4 --schedule cosine --clip-norm 5 "
                  "--steps 4000", "nflows 1.104 +- 0.040"),
    "miniboone_nsf": (miniboone, "nsf_miniboone", "--batch 128 --order replacement --lr 3e-4 --schedule cosine "
                      "--clip-norm 5 --steps 3000 --valid-every 250", "nflows -17.85 +- 0.61"),
    # The best specs found within 20 minutes on two cores.
    "power_best": (power, "nsf_ar_power", "--batch 512 --order replacement --lr 1.5e-3 --schedule cosine --clip-norm 5 "
                   "--ema-decay 0.999 --steps 16000 --valid-every 500", "nflows' NSF (C) 1.104 +- 0.040"),
    "miniboone_best": (miniboone, "nsf_ar_miniboone", "--batch 128 --order replacement --lr 3e-4 --schedule cosine "
                       "--clip-norm 5 --ema-decay 0.998 --steps 5000 --valid-every 100", "nflows' MAF -16.27 +- 0.52"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", choices=RUNS)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    if not args.run:
        for name, (_, spec, options, reference) in RUNS.items():
            print(f"{name}: nf train examples/specs/{spec}.json {options}\n    {reference}")
        return
    if not NF.exists():
        sys.exit(f"{NF} does not exist: build it with ./dev demo")
    OUT.mkdir(parents=True, exist_ok=True)
    data, spec, options, reference = RUNS[args.run]
    train, valid, test = data()
    results = []
    for seed in range(1, args.seeds + 1):
        model = OUT / f"{args.run}_{seed}.safetensors"
        subprocess.run([NF, "train", ROOT / f"examples/specs/{spec}.json", "--data", train, "--valid", valid, *options.split(),
                        "--seed", str(seed), "-o", model], check=True)
        score = json.loads(subprocess.run([NF, "score", model, "--data", test, "--json"], check=True,
                                          capture_output=True).stdout)
        results.append((score["mean"], score["two_standard_errors"]))
    mean = sum(r[0] for r in results) / len(results)
    spread = math.sqrt(sum((r[0] - mean) ** 2 for r in results) / max(len(results) - 1, 1))
    print(f"{args.run}: " + ", ".join(f"{v:.3f} +- {e:.3f}" for v, e in results))
    print(f"mean over {len(results)} seeds {mean:.3f}, between seeds {spread:.3f}; {reference}")


if __name__ == "__main__":
    main()
