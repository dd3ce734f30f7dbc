#!/usr/bin/env python3
"""libnf beside nflows, zuko, normflows (PyTorch), flowjax and distrax (JAX), and autoencoders beside plain PyTorch: the same
cases on one machine in one run.

    python3 tests/bench/peers/compare.py [--lib build/src/libnf.so] [--env build-peers] [--seconds 2] [--only TEXT]

libnf runs through its Python package, which is compiled against --lib. Makes virtual environments in --env and installs the
package's needs and the peers there with pip (PyTorch comes with some gigabytes).
Every library runs with 1 and 2 threads and its better time counts. libnf runs before and after every peer, and a
peer's ratio is taken to the mean of these two neighbours, so that a machine whose speed drifts treats both alike.
A peer that cannot be installed, or fails at a case, is reported and the rest goes on. Not part of the tests.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

import cases

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PEERS = {"torch": ["pytorch", "nflows", "zuko", "normflows"], "jax": ["flowjax", "distrax"]}
PACKAGES = {"ours": ["numpy", "cffi", "setuptools"], "torch": ["torch", "nflows", "zuko", "normflows"], "jax": ["jax", "flowjax", "distrax", "optax"]}


def environment(where, kind):
    """The python of a virtual environment with the peers of this kind; None when pip cannot."""
    python = where / kind / "bin" / "python"
    done = where / kind / "installed"
    if done.exists():
        return python
    print(f"- Installing {', '.join(PACKAGES[kind])} into {where / kind}", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", where / kind], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES[kind]], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"- {kind}: {error}", file=sys.stderr)
        return None
    done.touch()
    return python


def package(where, lib):
    """A folder with the package and its extension, compiled against the library; None when that fails."""
    python, site, binding = environment(where, "ours"), where / "site", ROOT / "bindings/python"
    if python is None:
        return None, None
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(binding / "libnf", site / "libnf")
    subprocess.run([python, binding / "generate.py", "build", ROOT / "include", lib.parent, site / "libnf"], check=True,
                   stdout=subprocess.DEVNULL)
    return python, site


def run(command, args, site=None):
    """{case: (best milliseconds over the thread counts, threads)} and the errors, of one library."""
    best, errors = {}, {}
    for threads in (1, 2):
        process = subprocess.run([*map(str, command), str(threads), "--seconds", str(args.seconds), "--only", args.only],
                                 cwd=HERE, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 env=dict(os.environ, PYTHONPATH=str(site)) if site else None)
        for line in process.stdout.splitlines():
            if not line.startswith("{"):
                continue
            result = json.loads(line)
            name = result["case"]
            if "error" in result:
                errors[name] = result["error"]
            elif name not in best or result["ms"] < best[name][0]:
                best[name] = (result["ms"], threads)
    return best, errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", type=pathlib.Path, default=ROOT / "build/src/libnf.so")
    parser.add_argument("--env", type=pathlib.Path, default=ROOT / "build-peers")
    parser.add_argument("--seconds", type=float, default=2, help="per case, library and thread count")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    args = parser.parse_args()
    lib = args.lib.resolve()
    if not lib.exists():
        parser.error(f"{lib} is not there: build first (./dev test), or name it with --lib")

    own_python, site = package(args.env.resolve(), lib)
    if own_python is None:
        sys.exit("libnf's Python package needs cffi and numpy from pip")

    def ours():
        print("- libnf", file=sys.stderr)
        best, errors = run([own_python, HERE / "ours.py", "libnf"], args, site)
        for name, error in errors.items():
            print(f"- libnf, {name}: {error}", file=sys.stderr)
        return best

    rows = []
    before = ours()
    for kind, libraries in PEERS.items():
        python = environment(args.env.resolve(), kind)
        for library in libraries if python else []:
            print(f"- {library}", file=sys.stderr)
            best, errors = run([python, HERE / f"{kind}_peers.py", library], args)
            after = ours()
            for name in cases.CASES:
                if name in best and name in before and name in after:
                    us = (before[name][0] + after[name][0]) / 2
                    rows.append((name, library, best[name][0], best[name][1], us, best[name][0] / us))
                elif name in errors:
                    print(f"- {library}, {name}: {errors[name]}", file=sys.stderr)
            before = after
    rows.sort(key=lambda r: (list(cases.CASES).index(r[0]), r[2]))
    print("| case | peer | peer, ms (threads) | libnf, ms | times faster |\n|---|---|---|---|---|")
    for name, library, theirs, threads, us, ratio in rows:
        print(f"| {name} | {library} | {theirs:.3g} ({threads}) | {us:.3g} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
