"""Times one-row log_prob of a tiny RealNVP from Python and from C, in one run, on one session.

usage: overhead.py INCLUDE_DIR LIBRARY_DIR [--limit NANOSECONDS]    exits with 1 if Python takes that much longer than C
The smallest mean of several rounds is reported, C and Python in turn, because other programs disturb single ones.
"""
import argparse
import ctypes
import os
import subprocess
import tempfile
import time

import numpy as np

import libnf
from libnf._nf import ffi

CALLS, ROUNDS = 200, 400
SPEC = {"event": 2, "layers": [{"repeat": 2, "layers": [
    {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [16]}}, {"type": "reverse"}]}]}


def compiled(include, library, folder):
    """Returns the loop in C."""
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(folder, "overhead.so")
    subprocess.run(["cc", "-O2", "-std=gnu99", "-shared", "-fPIC", "-I" + include, os.path.join(here, "overhead.c"), "-L" + library, "-lnf",
                    "-Wl,-rpath," + os.path.abspath(library), "-o", path], check=True)
    loop = ctypes.CDLL(path).one_row
    loop.restype = ctypes.c_double
    loop.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int, ctypes.c_int]
    return loop


def from_python(call):
    begun = time.perf_counter_ns()
    for _ in range(CALLS):
        call()
    return (time.perf_counter_ns() - begun) / CALLS


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("include")
    parser.add_argument("library")
    parser.add_argument("--limit", type=float)
    arguments = parser.parse_args()
    model = libnf.Model(SPEC, 1, runtime=libnf.Runtime(threads=1))
    session = libnf.Session(model)
    x, row = np.zeros((1, 2), np.float32), [0.0, 0.0]
    ways = {"Model.log_prob": lambda: model.log_prob(x), "Session.log_prob": lambda: session.log_prob(x),
            "Model.log_prob_row": lambda: model.log_prob_row(row)}
    best = dict.fromkeys(["C", *ways], 1e30)
    with tempfile.TemporaryDirectory() as folder:
        loop = compiled(arguments.include, arguments.library, folder)
        h, data = int(ffi.cast("uintptr_t", session._h)), x.ctypes.data
        for _ in range(ROUNDS):
            best["C"] = min(best["C"], loop(h, data, 2, CALLS, 1))
            for name, call in ways.items():
                best[name] = min(best[name], from_python(call))
    for name, ns in best.items():
        print(f"{name:20} {ns:8.0f} ns" + ("" if name == "C" else f", {ns - best['C']:+.0f} ns"))
    if arguments.limit is not None and best["Model.log_prob"] - best["C"] > arguments.limit:
        raise SystemExit(f"Model.log_prob takes more than {arguments.limit:.0f} ns longer than C")


main()
