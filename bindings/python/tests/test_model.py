"""Models: files, copies, facts, tensors, notes, sessions and every method on rows."""
import copy
import pickle

import numpy as np
import pytest

import libnf
from conftest import CONDITIONAL, SPEC, perturbed


def test_files_keep_the_bits(model, rows, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    expected = model.log_prob(rows)
    again = (libnf.Model.load(path), libnf.Model.load(str(path)), libnf.Model.from_bytes(path.read_bytes()),
             libnf.Model.from_bytes(bytearray(model.to_bytes())), pickle.loads(pickle.dumps(model)), model.clone(),
             copy.deepcopy(model), copy.copy(model))
    for m in again:
        assert np.array_equal(m.log_prob(rows), expected) and m.hash() == model.hash()
    assert path.read_bytes() == model.to_bytes()


def test_self_test_is_verified(model, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    with pytest.raises(libnf.ChecksumError):
        libnf.Model.load(path, verify=True)
    model.set_self_test(10)
    model.save(path)
    assert libnf.Model.load(path, verify=True).hash() == model.hash()
    with pytest.raises(libnf.ArgumentError):
        model.set_self_test(100000)


def test_file_errors(tmp_path):
    with pytest.raises(libnf.FileError) as e:
        libnf.Model.load(tmp_path / "absent")
    assert e.value.errno == 2 and e.value.os_errno == 2 and e.value.status == "NF_ERR_IO" and isinstance(e.value, OSError)
    (tmp_path / "bad").write_bytes(b"not a model")
    with pytest.raises(libnf.FormatError):
        libnf.Model.load(tmp_path / "bad")
    with pytest.raises(libnf.FileError):
        libnf.Model.load(tmp_path / "bad", max_file_bytes=3)


def test_facts(model):
    i = model.info
    assert (i.event_size, i.latent_size, i.context_size, i.event, i.latent) == (2, 2, 0, (2,), (2,))
    assert i.exact and i.has_layers and i.dtype == np.float32 and i.layer_count == len(model.layers) == 5
    assert [layer.type for layer in model.layers] == ["standardize", "affine_coupling", "reverse", "affine_coupling", "reverse"]
    assert model.layers[3].repetition == 1 and model.layers[3].name == "layers.3"
    assert model.spec["event"] == [2] and model.describe()["kind"] == "flow"
    assert "event 2" in repr(model) and "parameters" in repr(model)
    assert libnf.Model(SPEC, 1).hash() == libnf.Model(SPEC, 1).hash() != libnf.Model(SPEC, 2).hash()
    assert any(p["name"] == "affine_coupling" for p in libnf.parts()["layers"])


def test_spec_errors():
    with pytest.raises(libnf.SpecError, match="spec.layers"):
        libnf.Model({"event": 2})
    with pytest.raises(libnf.SpecError, match="affine_coupling"):
        libnf.Model({"event": 2, "layers": [{"type": "affine_couplin"}]})
    with pytest.raises(TypeError):
        libnf.Model({"event": 2, "layers": [object()]})


def test_tensors(model, rows):
    name = "layers.1.net.output.weight"
    assert name in model.tensors and len(model.tensors) == model.info.tensor_count
    before, generation = model.log_prob(rows), model.generation
    w = model.tensors[name]
    assert w.shape == model.tensors.info(name).shape and model.tensors.info(name).trainable
    model.tensors[name] = w + 1
    assert model.generation != generation
    assert np.array_equal(model.tensors[name], w + 1) and not np.array_equal(model.log_prob(rows), before)
    model.tensors[name] = np.asfortranarray(w.astype(np.float64))
    assert np.array_equal(model.log_prob(rows), before)
    with pytest.raises(libnf.ShapeError):
        model.tensors[name] = w[:1]
    with pytest.raises(libnf.NumericError):
        model.tensors[name] = w * np.nan
    with pytest.raises(KeyError):
        model.tensors["absent"]
    maf = libnf.Model(CONDITIONAL, 0)
    mask = maf.tensors.mask("layers.0.net.output.weight")
    assert set(np.unique(mask)) == {0.0, 1.0}


def test_copy_from(model, trained, rows):
    other = libnf.Model(SPEC, 9)
    other.copy_from(trained)
    assert other.hash() == trained.hash()
    with pytest.raises(libnf.SpecError):
        other.copy_from(libnf.Model({"event": 2, "layers": []}))
    other.copy_from(other)


def test_notes(model):
    model.notes["unit"] = "nats"
    model.notes["äö"] = "ü"
    assert model.notes["unit"] == "nats" and set(model.notes) >= {"unit", "äö"}
    assert libnf.Model.from_bytes(model.to_bytes()).notes["äö"] == "ü"
    del model.notes["unit"]
    assert "unit" not in model.notes
    with pytest.raises(KeyError):
        model.notes["unit"]
    with pytest.raises(KeyError):
        del model.notes["unit"]
    with pytest.raises(TypeError):
        model.notes["unit"] = 3


def test_maps_are_inverse(model, rows):
    z, log_det = model.forward(rows)
    x, back = model.inverse(z)
    assert np.allclose(x, rows, atol=1e-4) and np.allclose(log_det, -back, atol=1e-4)
    assert np.allclose(model.log_prob(rows), model.base_log_prob(z) + log_det, atol=1e-5)
    states, parts = model.trace(rows)
    assert states.shape == (6, 600, 2) and np.array_equal(states[-1], z) and np.allclose(parts.sum(0), log_det, atol=1e-5)
    assert np.array_equal(model.trace(z, direction="inverse")[0][-1], x)
    with pytest.raises(ValueError, match="direction"):
        model.trace(z, direction="up")


def test_samples_do_not_depend_on_the_split(model):
    x = model.sample(10, 3)
    assert np.array_equal(np.concatenate([model.sample(4, 3), model.sample(6, 3, first=4)]), x)
    assert np.array_equal(model.draw(10, 3), x)
    assert np.array_equal(model.inverse(model.base_sample(10, 3))[0], x)
    assert np.array_equal(model.sample(10, 2**64 - 1), model.sample(10, 2**64 - 1))
    lp = np.empty(10)
    model.sample(10, 3, log_prob=lp)
    assert np.allclose(lp, model.log_prob(x), atol=1e-3)
    assert np.ptp(model.forward(model.sample(100, 1, temperature=0.1))[0]) < np.ptp(model.forward(model.sample(100, 1))[0])
    cold = model.sample(5, 1, temperature=0)
    assert np.allclose(cold, cold[0])
    with pytest.raises(ValueError):
        model.sample(3, -1)
    with pytest.raises(libnf.ShapeError):
        model.sample(-1)


def test_quantiles_of_the_base(model):
    u = np.array([[0.5, 0.975]])
    assert np.allclose(model.base_quantile(u), [[0, 1.959964]], atol=1e-5)
    with pytest.raises(libnf.ArgumentError) as e:
        model.base_quantile(np.array([[0.5, 0.5], [1.0, 0.5]]))
    assert e.value.row == 1


def test_gradients_agree_with_differences(conditional):
    rng = np.random.default_rng(0)
    x, c, h = rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), 1e-6
    value, dx, dc = conditional.log_prob_grad(x, c)
    assert np.allclose(value, conditional.log_prob(x, c)) and np.array_equal(conditional.grad(x, c), dx)

    def difference(f, at, j):
        step = np.zeros_like(at)
        step[:, j] = h
        return (f(at + step) - f(at - step)) / (2 * h)
    for j in range(3):
        assert np.allclose(dx[:, j], difference(lambda x: conditional.log_prob(x, c), x, j), atol=1e-7)
    for j in range(2):
        assert np.allclose(dc[:, j], difference(lambda c: conditional.log_prob(x, c), c, j), atol=1e-7)
    cot, cot_log_det, tan, tan_c = rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    for direction in ("forward", "inverse"):
        back = conditional.vjp(x, cot, cot_log_det, c, direction=direction)
        push = conditional.jvp(x, tan, tan_c, c, direction=direction)
        left = (push.tan_to * cot).sum(1) + push.tan_log_det * cot_log_det
        right = (back.d_from * tan).sum(1) + (back.d_ctx * tan_c).sum(1)
        assert np.allclose(left, right) and np.array_equal(back.to, push.to)
    assert conditional.jvp(x, tan, None, c).tan_to.shape == (5, 3)


def test_session_is_the_same_as_the_model(model, rows):
    with libnf.Session(model, threads=1, nonfinite="error") as s:
        assert np.array_equal(s.log_prob(rows), model.log_prob(rows)) and s.nbytes > 0
        assert np.array_equal(s.sample(5, 2), model.sample(5, 2))
        assert s.log_prob_row([0.5, 1]) == model.log_prob(np.array([[0.5, 1]]))[0]
        bad = rows.copy()
        bad[7, 1] = np.nan
        with pytest.raises(libnf.NumericError) as e:
            s.log_prob(bad)
        assert e.value.row == 7
        assert "Session" in repr(s)
    assert s.closed
    assert np.isnan(model.log_prob(bad)[7])


def test_scores(model, rows):
    lp = model.log_prob(rows)
    with pytest.raises(libnf.StateError):
        model.score_quantile(0.1)
    model.set_scores(lp)
    assert np.isclose(model.score_quantile(0.5), np.median(lp), atol=0.05)
    rank = model.score_rank(lp)
    assert rank.shape == lp.shape and abs(rank.mean() - 0.5) < 0.01
    assert np.array_equal(model.score(rows), lp)
    info = libnf.score_mean(lp)
    assert np.isclose(info.mean, lp.mean(dtype=np.float64)) and info.rows == 600 and info.first_outside == -1


def test_autoencoder():
    planar = {"type": "planar", "parameters": "context", "net": {"type": "mlp", "hidden": []}}
    model = libnf.Model({"kind": "vae", "event": 6, "latent": 2, "likelihood": "gaussian",
                         "encoder": {"type": "mlp", "hidden": [8]}, "decoder": {"type": "mlp", "hidden": [8]},
                         "posterior": {"features": 8, "layers": [planar, planar]}}, 1)
    x = np.random.default_rng(0).normal(size=(4, 6))
    assert not model.info.exact and model.info.latent_size == 2
    e = model.encode(x)
    assert e.mean.shape == e.log_var.shape == e.z.shape == (4, 2) and e.log_q.shape == (4,)
    states, log_det = model.posterior_trace(x)
    assert states.shape == (3, 4, 2) and log_det.shape == (2, 4) and np.array_equal(states[-1], e.z)
    assert model.decode(e.z).shape == (4, 6)
    weights = model.posterior_importance(x[:1], 200, seed=1)
    assert weights.x.shape == (200, 2) and weights.info.samples == 200 and weights.info.log_z_error > 0
    with libnf.Session(model, score_samples=50) as s:
        assert s.log_prob(x).mean() > model.log_prob(x).mean() - 1
    with pytest.raises(libnf.UnsupportedError):
        model.forward(x)


def test_init_from_data(rows):
    model = libnf.Model(SPEC, 1)
    model.init_from_data(rows)
    assert np.allclose(model.tensors["layers.0.mean"], rows.mean(0), atol=1e-5)
    before = model.hash()
    model.init_from_data(rows * 2)
    assert model.hash() == before
    with pytest.raises(libnf.ArgumentError):
        libnf.Model(SPEC, 1).init_from_data(rows[:1])


def test_perturbed_models_differ():
    assert perturbed(SPEC).hash() != libnf.Model(SPEC, 1).hash()
