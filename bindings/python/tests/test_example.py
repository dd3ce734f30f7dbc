"""The example runs: on a set of $NF_DATA_DIR if it is there, otherwise on one that is made here."""
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from test_abi import BINDING, SOURCE


def test_example(tmp_path):
    data = os.environ.get("NF_DATA_DIR") or os.path.join(SOURCE, "..", "shared", "data")
    folder = os.path.join(data, "adbench")
    if not os.path.isdir(folder):
        folder = tmp_path
        rng = np.random.default_rng(0)
        x = np.concatenate([rng.normal(size=(200, 4)), 4 + rng.normal(size=(5, 4))])
        np.savez(tmp_path / "made.npz", X=x, y=np.arange(205) >= 200)
    done = subprocess.run([sys.executable, os.path.join(BINDING, "examples", "anomaly.py"), str(folder), str(tmp_path), "--quick"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "area under the ROC curve" in done.stdout and "rarer than" in done.stdout
    assert any(f.endswith(".safetensors") for f in os.listdir(tmp_path))


def test_readme_code_runs(tmp_path):
    """The first block of Python in README.md is a program."""
    with open(os.path.join(BINDING, "README.md"), encoding="utf-8") as f:
        code = f.read().split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package, arguments", [("nessai", ["--live", "300"]), ("pocomc", ["--dim", "4", "--total", "512"])])
def test_samplers_find_the_evidence(package, arguments):
    """The flow of another package's sampler, replaced: log evidence within 5 of its errors of the truth."""
    pytest.importorskip(package)
    command = [sys.executable, os.path.join(BINDING, "examples", package + "_flow.py"), "libnf", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    truth = float(re.search(r"true log evidence (\S+)", done.stdout)[1])
    found, error = map(float, re.search(r"libnf +log evidence (\S+) \+- ([\d.]+)", done.stdout).groups())
    assert abs(found - truth) < 5 * error and error < 0.2, done.stdout
