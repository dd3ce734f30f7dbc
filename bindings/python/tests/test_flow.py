"""Flow: presets and specs, contexts, files; and the types of the whole package."""
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import libnf
from conftest import SPEC, banana

SHORT = {"steps": 40}


@pytest.mark.parametrize("preset", ["auto", "realnvp", "maf", "nsf", "anomaly"])
@pytest.mark.parametrize("columns", [1, 3])
def test_presets(preset, columns):
    x = 100 + 5 * np.random.default_rng(0).normal(size=(300, columns))
    flow = libnf.Flow(preset, seed=1, **SHORT).fit(x)
    assert flow.log_prob(x).shape == (300,) and np.isfinite(flow.score(x))
    assert flow.sample(5, 1).shape == (5, columns) and abs(np.median(flow.sample(500)) - 100) < 20
    assert flow.model.layers[0].type == "standardize" and flow.info.step == 40


def test_a_fit_is_better_than_a_normal():
    x, test = banana(2000, 1), banana(1000, 2)
    flow = libnf.Flow("nsf", steps=400).fit(x)
    normal = -0.5 * np.linalg.slogdet(2 * np.pi * np.cov(x.T))[1] - 1
    assert flow.score(test) > normal + 0.3
    outlier = np.array([[0.0, -6.0]])
    assert flow.rank(outlier)[0] < 0.01 and 0.4 < flow.rank(test).mean() < 0.6
    assert flow.grad(test).shape == test.shape


def test_files(tmp_path):
    x = banana(100)
    flow = libnf.Flow("realnvp", steps=5).fit(x)
    flow.save(tmp_path / "flow.safetensors")
    again = libnf.Flow.load(tmp_path / "flow.safetensors")
    assert np.array_equal(again.log_prob(x), flow.log_prob(x)) and np.array_equal(again.rank(x), flow.rank(x))
    assert "not fitted" in repr(libnf.Flow()) and "event 2" in repr(again)


def test_contexts_and_specs():
    x = np.concatenate([banana(200), banana(200) + 5])
    c = np.repeat([[0.0], [1.0]], 200, axis=0)
    for spec in ("realnvp", {"layers": SPEC["layers"]}):
        flow = libnf.Flow(spec, seed=2, steps=300, lr=5e-3).fit(x, c)
        assert flow.log_prob(x[:200], c[:200]).mean() > flow.log_prob(x[:200], c[200:]).mean()
        assert abs(flow.sample(200, 0, c[-1:]).mean() - flow.sample(200, 0, c[:1]).mean()) > 2


def test_few_rows_weights_and_columns():
    x = banana(8)
    flow = libnf.Flow("realnvp", steps=3).fit(x, weight=np.arange(8.0))
    assert flow.info.valid_rows == 0
    assert libnf.Flow("realnvp", steps=3).fit(banana(100), valid=banana(30)).info.valid_rows == 30

    class Frame:
        columns = ["a", "b"]

        def __array__(self, dtype=None, copy=None):
            return banana(50)
    assert libnf.Flow("realnvp", steps=3).fit(Frame()).model.notes["columns"] == '["a", "b"]'


def test_same_seed_same_bits():
    x = banana(300)
    a, b, c = (libnf.Flow("maf", seed=s, steps=20).fit(x).model.hash() for s in (1, 1, 2))
    assert a == b != c


def test_errors(tmp_path):
    x = banana(50)
    with pytest.raises(ValueError, match="realnvp"):
        libnf.Flow("realnpv").fit(x)
    with pytest.raises(libnf.StateError, match="fit"):
        libnf.Flow().log_prob(x)
    with pytest.raises(libnf.ShapeError, match="rows"):
        libnf.Flow().fit(x.ravel())
    with pytest.raises(libnf.SpecError, match="epochs"):
        libnf.Flow("maf", epoch=3).fit(x)
    with pytest.raises(libnf.ShapeError, match="presets"):
        libnf.Flow().fit(np.zeros((5, 4, 4, 1)))


def test_presets_are_those_of_the_command(tmp_path):
    """The specs are written in C++ and in Python; they must not part."""
    nf = os.path.join(os.environ.get("LIBNF_BUILD", ""), "src", "cli", "nf")
    if not os.path.exists(nf):
        pytest.skip("the nf command is not built")
    x = banana(300)
    np.save(tmp_path / "x.npy", x)
    for name in ("realnvp", "maf", "nsf"):
        out = tmp_path / f"{name}.safetensors"
        subprocess.run([nf, "train", name, "--data", str(tmp_path / "x.npy"), "--steps", "2", "-o", str(out), "--standardize"],
                       check=True, capture_output=True)
        ours = libnf.Flow(name, steps=2).fit(x).model.spec
        theirs = libnf.Model.load(out).spec
        assert ours["layers"] == theirs["layers"], name


def test_types(tmp_path):
    pytest.importorskip("mypy")
    package = pathlib.Path(libnf.__file__).parent
    assert (package / "py.typed").exists()
    own = [str(p) for p in package.rglob("*.py") if p.stem not in ("torch", "jax", "sklearn")]
    cache = os.path.join(os.environ.get("LIBNF_BUILD") or str(tmp_path), "mypy-cache")
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, *own], capture_output=True, text=True,
                          cwd=package.parent)
    assert done.returncode == 0, done.stdout + done.stderr
