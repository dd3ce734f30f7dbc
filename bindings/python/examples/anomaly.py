"""Finds anomalies in a table of measurements with libnf, and draws what flows learn.

Trains a density on all rows without looking at the labels, saves it, loads it again, scores from several threads, and asks
the gradient which measurement makes the strangest rows strange. Then four toy densities are drawn.
usage: anomaly.py [FOLDER_OF_NPZ] [OUT_DIR] [--quick]    a folder with sets such as glass.npz: X [n, columns], y = 1 for anomalies
"""
import argparse
import os
import threading

import numpy as np

import libnf


def load(folder, name):
    with np.load(os.path.join(folder, name + ".npz"), allow_pickle=False) as f:
        return f["X"].astype(np.float64), f["y"].astype(bool).ravel()


def area_under_roc(score, is_anomaly):
    """Probability that an anomaly has a higher score than another row; ties count one half."""
    order = np.argsort(np.concatenate([score[~is_anomaly], score[is_anomaly]]), kind="stable")
    rank = np.empty(len(order))
    rank[order] = np.arange(1, len(order) + 1)
    n, m = int((~is_anomaly).sum()), int(is_anomaly.sum())
    return (rank[n:].sum() - m * (m + 1) / 2) / (n * m)


def in_threads(flow, x, threads=4):
    """Scores parts of x on several threads, which share the model."""
    parts = np.array_split(x, threads)
    found = [None] * threads

    def score(i):
        found[i] = flow.log_prob(parts[i])
    workers = [threading.Thread(target=score, args=(i,)) for i in range(threads)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    return np.concatenate(found)


def anomalies(folder, name, out, steps):
    x, is_anomaly = load(folder, name)
    path = os.path.join(out, name + ".safetensors")
    libnf.Flow("anomaly", seed=1, **steps).fit(x).save(path)
    flow = libnf.Flow.load(path)
    log_prob = in_threads(flow, x)
    assert np.array_equal(log_prob, flow.log_prob(x)), "threads give the bits of one"
    print(f"{name}: {len(x)} rows, {x.shape[1]} columns, {is_anomaly.mean():.1%} anomalies: "
          f"area under the ROC curve {area_under_roc(-log_prob, is_anomaly):.3f}")
    strange = np.argsort(log_prob)[:3]
    # A step of one standard deviation along each column changes log_prob by about so much.
    slope = np.abs(flow.grad(x[strange])) * x.std(axis=0)
    for row, column in zip(strange, slope.argmax(axis=1)):
        print(f"  row {row}: rarer than {1 - flow.rank(x[row:row + 1])[0]:.1%} of the rows, most of all by column {column}"
              f"{', an anomaly' if is_anomaly[row] else ''}")


def toys(n, rng):
    t = rng.uniform(0, 2 * np.pi, n)
    ring = np.stack([np.cos(t), np.sin(t)], 1) * rng.choice([1, 2.5], (n, 1)) + 0.1 * rng.normal(size=(n, 2))
    half = rng.uniform(0, np.pi, n)
    upper = rng.random(n) < 0.5
    moons = np.where(upper[:, None], np.stack([np.cos(half), np.sin(half)], 1),
                     np.stack([1 - np.cos(half), 0.5 - np.sin(half)], 1)) + 0.08 * rng.normal(size=(n, 2))
    s = 3 * np.pi * np.sqrt(rng.random(n))
    spiral = np.stack([-np.cos(s) * s, np.sin(s) * s], 1) * rng.choice([-1, 1], (n, 1)) / 3 + 0.1 * rng.normal(size=(n, 2))
    board = rng.uniform(-2, 2, n)
    checker = np.stack([board, rng.random(n) - rng.integers(0, 2, n) * 2 + np.floor(board) % 2], 1)
    return {"rings": ring, "moons": moons, "spirals": spiral, "checkerboard": checker}


def draw(out, steps, rows=10000, pixels=150):
    """Draws rows and learned densities, if matplotlib is there."""
    try:
        import matplotlib
    except ImportError:
        print("matplotlib is not installed: no picture")
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(2, 4, figsize=(12, 6), layout="constrained")
    for column, (name, x) in enumerate(toys(rows, np.random.default_rng(0)).items()):
        flow = libnf.Flow("nsf", seed=1, lr=2e-3, **steps).fit(x)
        low, high = x.min(axis=0) - 0.3, x.max(axis=0) + 0.3
        a, b = (np.linspace(low[i], high[i], pixels) for i in (0, 1))
        grid = np.stack(np.meshgrid(a, b), axis=-1)
        density = np.exp(flow.log_prob(grid.reshape(-1, 2))).reshape(pixels, pixels)
        axes[0, column].scatter(*x[:3000].T, s=1, alpha=0.5)
        axes[0, column].set_title(name)
        axes[1, column].imshow(density, origin="lower", extent=(low[0], high[0], low[1], high[1]), aspect="auto")
        axes[0, column].set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    for axis in axes.ravel():
        axis.set(xticks=[], yticks=[])
    path = os.path.join(out, "toys.png")
    figure.savefig(path, dpi=100)
    print(f"drew {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="sets as .npz files with X and y; without it only toys are drawn")
    parser.add_argument("out", nargs="?", default=".")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    steps = {"steps": 30} if options.quick else {}
    if options.folder:
        size = {f[:-4]: os.path.getsize(os.path.join(options.folder, f)) for f in os.listdir(options.folder) if f.endswith(".npz")}
        names = sorted(size, key=size.__getitem__)
        if not names:
            raise SystemExit(f"{options.folder} has no .npz files")
        for name in names[:1] if options.quick else names[:4]:  # the smallest
            anomalies(options.folder, name, options.out, steps)
    if options.quick:
        draw(options.out, steps, rows=500, pixels=30)
    else:
        draw(options.out, {"steps": 2000})


main()
