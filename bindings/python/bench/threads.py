"""Scores rows from 1, 2, ... threads of Python with one model, and prints how the throughput grows: the GIL is not held.

usage: threads.py [--threads 1,2] [--rows 1,256,4096] [--rounds 9]
The model is a RealNVP of 6 columns with nets of 128 x 128. Each thread scores with one thread of its own. Counts of threads take
turns in each round; the median of the rounds' ratios is printed, because other programs disturb single ones.
"""
import argparse
import statistics
import threading
import time

import numpy as np

import libnf

SPEC = {"event": 6, "layers": [{"repeat": 8, "layers": [
    {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [128, 128]}}, {"type": "reverse"}]}]}
SECONDS = 0.5


def rows_per_second(model, x, threads):
    """Returns how many rows all threads score in a second of wall time."""
    scored, start = [0] * threads, threading.Barrier(threads + 1)
    end = [0.0]

    def work(i):
        model.log_prob(x)
        start.wait()
        while time.perf_counter() < end[0]:
            model.log_prob(x)
            scored[i] += len(x)
    workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    for w in workers:
        w.start()
    end[0] = time.perf_counter() + 3600
    start.wait()
    begun = time.perf_counter()
    end[0] = begun + SECONDS
    for w in workers:
        w.join()
    return sum(scored) / (time.perf_counter() - begun)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rows", default="1,256,4096")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    counts = [int(n) for n in arguments.threads.split(",")]
    model = libnf.Model(SPEC, 1, runtime=libnf.Runtime(threads=1))
    for rows in map(int, arguments.rows.split(",")):
        x = np.random.default_rng(0).normal(size=(rows, 6)).astype(np.float32)
        rounds = [[rows_per_second(model, x, n) for n in counts] for _ in range(arguments.rounds)]
        for k, n in enumerate(counts):
            print(f"{rows:5} rows a call, {n} threads: {statistics.median(r[k] for r in rounds):10,.0f} rows/s, "
                  f"{statistics.median(r[k] / r[0] for r in rounds):.2f} of {counts[0]}", flush=True)


main()
