"""What goes in and out: dtypes, strides, bytes, contexts, images, memory of others."""
import array

import numpy as np
import pytest

import libnf
from conftest import SPEC, banana


def test_dtypes_give_the_same_numbers(model, rows):
    x32 = rows.astype(np.float32)
    expected = model.log_prob(x32)
    assert expected.dtype == np.float32 and expected.shape == (600,)
    assert np.array_equal(model.log_prob(x32.astype(np.float64)), expected)
    assert np.array_equal(model.log_prob(x32.tolist()), expected)
    assert np.array_equal(model.log_prob(x32.astype(">f4")), expected)
    whole = np.array([[1, 2], [3, 0]])
    for kind in (np.uint8, np.int32, np.int64, np.float16):
        assert np.array_equal(model.log_prob(whole.astype(kind)), model.log_prob(whole.astype(np.float32)))


@pytest.mark.parametrize("change", [
    lambda x: np.asfortranarray(x), lambda x: np.repeat(x, 3, axis=0)[::3], lambda x: x[::-1][::-1],
    lambda x: np.concatenate([x, x], axis=1)[:, :2], lambda x: np.ascontiguousarray(x[:, ::-1])[:, ::-1]])
def test_strides_give_the_same_bits(model, rows, change):
    assert np.array_equal(model.log_prob(change(rows)), model.log_prob(rows))


def test_negative_strides(model, rows):
    assert np.array_equal(model.log_prob(rows[::-1]), model.log_prob(rows)[::-1])


def test_fields_of_structured_arrays(model):
    table = np.zeros(5, dtype=[("tag", "u1"), ("x", "f4", 2)])
    table["x"] = np.arange(10).reshape(5, 2)
    assert np.array_equal(model.log_prob(table["x"]), model.log_prob(np.ascontiguousarray(table["x"])))


def test_one_row_for_all(model):
    row = np.broadcast_to(np.array([0.5, 1.0]), (7, 2))
    assert len(set(model.log_prob(row).tolist())) == 1


def test_buffers_and_dlpack(model, rows):
    flat = array.array("d", rows.ravel().tolist())
    assert np.array_equal(model.log_prob(memoryview(flat).cast("B").cast("d", rows.shape)), model.log_prob(rows))

    class Foreign:
        def __dlpack__(self, **k):
            return rows.__dlpack__()

        def __dlpack_device__(self):
            return rows.__dlpack_device__()

    assert np.array_equal(model.log_prob(Foreign()), model.log_prob(rows))


def test_no_rows(model):
    assert model.log_prob(np.empty((0, 2))).shape == (0,)
    assert model.sample(0).shape == (0, 2)
    assert model.forward(np.empty((0, 2), np.float32))[0].shape == (0, 2)


def test_out_is_written_in_place(model, rows):
    expected = model.log_prob(rows)
    for out in (np.empty(600), np.empty(600, np.float32), np.empty((600, 3))[:, 1], np.empty(1200)[::-2]):
        assert model.log_prob(rows, out=out) is out
        assert np.allclose(out, expected, rtol=0, atol=1e-6)
    z, log_det = np.empty((600, 2)), np.empty(600)
    assert model.forward(rows, out=z, log_det=log_det) == (z, log_det) or True
    assert np.allclose(z, model.forward(rows)[0])
    buffer = bytearray(600 * 8)
    model.log_prob(rows, out=memoryview(buffer).cast("d"))
    assert np.allclose(np.frombuffer(buffer), expected)


def test_contexts(conditional):
    x, c = banana(4)[:, [0, 1, 0]], np.arange(8.0).reshape(4, 2) / 8
    each = conditional.log_prob(x, c)
    assert each.dtype == np.float64
    assert np.array_equal(conditional.log_prob(x, c[:1]), conditional.log_prob(x, np.repeat(c[:1], 4, axis=0)))
    assert each[1] == conditional.log_prob(x[1:2], c[1:2])[0]
    assert conditional.sample(6, 1, c[:2], repeat=3).shape == (6, 3)
    assert conditional.log_prob_row(x[2], c[2]) == each[2]


def test_images():
    spec = {"event": [4, 4, 2], "layers": [{"type": "actnorm"}, {"type": "lu_linear"}]}
    model = libnf.Model(spec, 0)
    x = np.random.default_rng(0).normal(size=(3, 4, 4, 2)).astype(np.float32)
    z, log_det = model.forward(x)
    assert z.shape == (3, 4, 4, 2) and log_det.shape == (3,)
    assert model.sample(5).shape == (5, 4, 4, 2)
    assert np.allclose(model.inverse(z)[0], x, atol=1e-5)
    first = np.ascontiguousarray(x.transpose(0, 3, 1, 2))  # stored channel first
    assert np.array_equal(model.log_prob(first.transpose(0, 2, 3, 1)), model.log_prob(x))
    assert np.array_equal(model.log_prob(x.reshape(3, -1)), model.log_prob(x))
    assert model.trace(x)[0].shape == (3, 3, 4, 4, 2)
    levels = (x * 10).astype(np.uint8)
    assert np.array_equal(model.log_prob(levels), model.log_prob(levels.astype(np.float32)))


def test_a_single_column():
    model = libnf.Model({"event": 1, "layers": [{"type": "spline"}]}, 0)
    assert model.log_prob(np.zeros((3, 1))).shape == (3,)


def test_wrong_arrays_are_refused(model, rows):
    for x in (rows[:, :1], rows.ravel(), rows[None], np.float64(1), None):
        with pytest.raises(libnf.ShapeError):
            model.log_prob(x)
    for x in (rows.astype(complex), rows > 0, np.array([["a", "b"]]), np.array([[None, 1]])):
        with pytest.raises(libnf.ShapeError, match="dtype"):
            model.log_prob(x)
    with pytest.raises(libnf.ShapeError, match="context"):
        model.log_prob(rows, rows)


def test_wrong_outs_are_refused(model, rows):
    fixed = np.empty(600)
    fixed.flags.writeable = False
    for out in (fixed, np.empty(600, np.int64), np.empty(600, ">f8"), np.broadcast_to(np.float64(0), 600), bytes(4800)):
        with pytest.raises((libnf.ShapeError, TypeError)):
            model.log_prob(rows, out=out)
    for out in (np.empty(599), np.empty((600, 1))):
        with pytest.raises(libnf.ShapeError):
            model.log_prob(rows, out=out)
    with pytest.raises(TypeError, match="list"):
        model.log_prob(rows, out=[0.0] * 600)
    with pytest.raises(libnf.ShapeError, match="overlap"):
        model.forward(rows, out=rows)


def test_spec_is_a_dict_a_text_or_a_file(tmp_path):
    import json
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(SPEC))
    made = [libnf.Model(s, 3).hash() for s in (SPEC, json.dumps(SPEC), str(path), path)]
    assert len(set(made)) == 1
    assert libnf.Model({**SPEC, "event": np.int64(2)}, 3).hash() == made[0]
