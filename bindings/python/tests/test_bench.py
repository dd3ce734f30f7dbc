"""What a call costs beyond C: a one-row log_prob of a tiny model takes at most 2 microseconds longer."""
import os
import subprocess
import sys

import pytest

from test_abi import BINDING, SOURCE


def test_overhead_of_a_call():
    library = os.path.join(os.environ.get("LIBNF_BUILD", ""), "src")
    if not os.path.exists(os.path.join(library, "libnf.so")):
        pytest.skip("LIBNF_BUILD does not name a build folder with libnf.so")
    command = [sys.executable, os.path.join(BINDING, "bench", "overhead.py"), os.path.join(SOURCE, "include"), library,
               "--limit", "2000"]
    for _ in range(3):  # other programs can disturb a run, but not make Python faster
        done = subprocess.run(command, capture_output=True, text=True)
        if not done.returncode:
            print(done.stdout)
            return
    pytest.fail(done.stdout + done.stderr)


def test_threads_bench_runs():
    command = [sys.executable, os.path.join(BINDING, "bench", "threads.py"), "--rows", "256", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "256 rows a call, 2 threads" in done.stdout, done.stderr
