"""Tables and targets, importance weights and Markov chains."""
import gzip

import numpy as np
import pytest

import libnf


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("name,a,b\nx,1,2\ny,3.5,4\nz,-1,0\n")
    return path


def test_table(csv):
    with libnf.Table(csv, columns=["a", "b"], id="name") as t:
        a = np.asarray(t)
        assert a.tolist() == [[1, 2], [3.5, 4], [-1, 0]] and t.shape == (3, 2) and len(t) == 3
        assert t.columns == ["a", "b"] and t.row_id(1) == "y" and t.row(2) == 2 and t.line(0) == 2 and not t.mapped
        assert t.row(9) == -1 and t.row_id(9) is None
        assert not a.flags.writeable and np.asarray(t, np.float64).dtype == np.float64
        assert np.shares_memory(np.asarray(t), a)
    assert a.tolist()[1] == [3.5, 4], "the array keeps the memory of a closed table"
    with pytest.raises(libnf.StateError):
        t.shape
    d = libnf.Table.describe(csv)
    assert d["format"] == "csv" and d["names"] == ["name", "a", "b"]
    assert np.asarray(libnf.Table(csv, columns="a,b", where="a > 0")).tolist() == [[1, 2], [3.5, 4]]


def test_table_of_bytes():
    assert np.asarray(libnf.Table(b"1,2\n3,4\n")).tolist() == [[1, 2], [3, 4]]
    assert np.asarray(libnf.Table(gzip.compress(b"1;2\n3;4\n"))).tolist() == [[1, 2], [3, 4]]
    assert libnf.Table.describe(b"1,2\n3,4\n")["columns"] == 2
    with pytest.raises(libnf.FormatError, match="mine"):
        libnf.Table(b"1,2\n3,x\n", name="mine")


def test_table_arrays(tmp_path):
    x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1)
    np.save(tmp_path / "x.npy", x)
    t = libnf.Table(tmp_path / "x.npy", dtype="uint8", map="on")
    assert t.shape == (2, 3, 4, 1) and t.mapped and np.array_equal(np.asarray(t).reshape(x.shape), x)


def test_save_table(tmp_path):
    x = np.array([[1.5, 2], [3, 4]])
    libnf.save_table(x, tmp_path / "a.npy")
    assert np.array_equal(np.load(tmp_path / "a.npy"), x)
    libnf.save_table(x.T, tmp_path / "a.csv", ["one", "two, 2"])
    assert libnf.Table(tmp_path / "a.csv").columns == ["one", "two, 2"]
    with pytest.raises(ValueError, match="names"):
        libnf.save_table(x, tmp_path / "b.csv", ["one"])
    with pytest.raises(libnf.Error):
        libnf.save_table(x, tmp_path / "b.txt")


def normal(x):
    return -0.5 * (x**2).sum(1), -x


def test_targets():
    assert any(t["name"] == "banana" for t in libnf.targets())
    t = libnf.Target({"type": "u1", "radius": 4}, 2)
    assert t.info.builtin and t.info.event_size == 2 and "built in" in repr(t)
    assert libnf.Target("banana", 3).info.event_size == 3
    with pytest.raises(libnf.SpecError, match="banana"):
        libnf.Target("banan", 2)
    own = libnf.Target(normal, 2)
    x = np.array([[1.0, 2.0], [0, 0]])
    value, slope = own.log_density(x, gradient=True)
    assert value.tolist() == [-2.5, 0] and np.array_equal(slope, -x)
    assert np.isnan(own.info.log_z) and not own.info.builtin


def test_targets_that_fail(model):
    def raises(x):
        raise LookupError("mine")
    for bad, error in ((raises, LookupError), (lambda x: x, ValueError), (lambda x: "no", ValueError),
                       (lambda x: (x.sum(1), x[:, :1]), ValueError), (lambda x: None, ValueError)):
        t = libnf.Target(bad, 2)
        with pytest.raises(error):
            model.importance(t, 10)
            t.log_density(np.zeros((1, 2)), gradient=True)
    with pytest.raises(libnf.NumericError):
        model.importance(libnf.Target(lambda x: np.full(len(x), np.nan), 2), 10)
    with pytest.raises(ValueError, match="gradient"):
        libnf.Target(lambda x: x.sum(1), 2).log_density(np.zeros((1, 2)), gradient=True)
    with pytest.raises(ValueError, match="read-only"):
        def writes(x):
            x[:] = 0
        libnf.Target(writes, 2).log_density(np.zeros((1, 2)))


def test_context_reaches_the_function():
    t = libnf.Target(lambda x, c: x.sum(1) + c.sum(), 2, context=True)
    assert t.log_density(np.ones((2, 2)), np.ones((1, 3))).tolist() == [5, 5]


def test_fit_to_a_target():
    model = libnf.Model({"event": 2, "layers": [{"type": "affine"}]}, 1)
    mean = np.array([1.0, -2.0])
    t = libnf.Trainer(model, target=libnf.Target(lambda x: (-2 * ((x - mean)**2).sum(1), -4 * (x - mean)), 2), objective="reverse_kl",
                      samples=128, lr=3e-2)
    for _ in range(300):
        info = t.step()
    assert info.loss_error > 0
    result = model.importance(libnf.Target(lambda x: -2 * ((x - mean)**2).sum(1), 2), 2000, seed=1)
    assert abs(result.info.log_z - np.log(np.pi / 2)) < 0.05 and result.x.shape == (2000, 2)
    assert np.array_equal(result.x, model.sample(2000, 1))
    estimate, error = libnf.importance_mean(result.log_weight, result.x)
    assert np.allclose(estimate, mean, atol=0.1) and (error > 0).all()
    assert np.allclose(libnf.importance_mean(result.log_weight, result.x[:, 0])[0], mean[0], atol=0.1)
    smoothed, k = libnf.importance_smooth(result.log_weight)
    assert smoothed.shape == (2000,) and k == result.info.pareto_k
    rows = mean + 0.5 * np.random.default_rng(0).normal(size=(500, 2))
    at_rows = -2 * ((rows - mean)**2).sum(1) - model.log_prob(rows)
    assert libnf.importance_coverage(result.log_weight, at_rows).target_samples == 500

    def bad(x):
        raise OSError("mine")
    t.set_target(libnf.Target(bad, 2))
    with pytest.raises(OSError, match="mine"):
        t.step()
    with pytest.raises(OSError, match="mine"):
        t.run(None, 10**6)


def test_markov_chains(model):
    t = libnf.Target(normal, 2)
    x, info = libnf.metropolis(t, 200, 50, step_size=1.0, burn_in=100, seed=3)
    assert x.shape == (200, 50, 2) and 0.2 < info.acceptance < 0.9 and abs(x.std() - 1) < 0.1
    assert np.array_equal(x, libnf.metropolis(t, 200, 50, step_size=1.0, burn_in=100, seed=3)[0])
    y, _ = libnf.metropolis(t, 3, 4, start=np.ones((4, 2)), burn_in=0)
    assert y.shape == (3, 4, 2)
    for proposal in (model, libnf.Session(model)):
        assert libnf.metropolis(t, 3, 4, proposal=proposal)[0].shape == (3, 4, 2)

    def stops(x):
        raise StopIteration
    with pytest.raises(StopIteration):
        libnf.metropolis(libnf.Target(stops, 2), 3)
    with pytest.raises(libnf.SpecError, match="burn_in"):
        libnf.metropolis(t, 3, burnin=3)
