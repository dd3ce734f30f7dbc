"""Misuse gives an exception of Python, never a crash. Each case runs in a process of its own, so that a crash is seen."""
import subprocess
import sys

import pytest

START = """
import numpy as np, libnf, gc, pickle
m = libnf.Model({"event": 2, "layers": [{"type": "affine_coupling"}, {"type": "reverse"}]}, 1)
x = np.zeros((3, 2))
s = libnf.Session(m)
t = libnf.Trainer(m)
def refused(what, *kinds):
    try:
        what()
    except kinds as e:
        assert str(e), e
        return
    raise SystemExit(f"not refused: {what}")
E = libnf.Error
"""

CASES = {
    "closed objects": """
for o, calls in ((s, ["log_prob", "forward", "inverse", "trace", "grad", "encode", "decode", "base_log_prob"]),):
    o.close(); o.close()
    for name in calls:
        refused(lambda: getattr(o, name)(x), libnf.StateError)
refused(lambda: s.sample(3), libnf.StateError)
refused(lambda: s.nbytes, libnf.StateError)
t.close(); t.close()
for call in (lambda: t.step(x), lambda: t.step_count, lambda: t.options, lambda: t.to_bytes(), lambda: t.run(iter([x])),
             lambda: t.restore(b""), lambda: pickle.dumps(t)):
    refused(call, libnf.StateError)
repr(t), repr(s), repr(m)
m.close(); m.close()
for call in (lambda: m.log_prob(x), lambda: m.sample(2), lambda: m.spec, lambda: m.tensors, lambda: m.save("x"),
             lambda: m.clone(), lambda: m.fit(x), lambda: m.notes["a"], lambda: m.generation, lambda: libnf.Session(m),
             lambda: libnf.Trainer(m), lambda: m.score(x), lambda: m.draw(3), lambda: m.init_from_data(x), lambda: m.hash()):
    refused(call, libnf.StateError)
g = libnf.Target("banana", 2); g.close()
refused(lambda: g.info, libnf.StateError)
refused(lambda: libnf.Model({"event": 2, "layers": []}).importance(g, 3), libnf.StateError)
""",
    "objects that outlive what they came from": """
m.close(); gc.collect()
assert s.log_prob(x).shape == (3,)
info = t.step(np.random.default_rng(0).normal(size=(8, 2)))
b = libnf.Batches(np.zeros((5, 2)), batch=2); gc.collect()
source = b._source()
assert b[0]["x"].shape == (2, 2)
a = np.asarray(libnf.Table(b"1,2\\n3,4\\n")); gc.collect()
assert a.sum() == 10 and (a[0] + 1).sum() == 5
t = libnf.Trainer(libnf.Model({"event": 2, "layers": [{"type": "affine"}]}), objective="reverse_kl",
                  target=libnf.Target(lambda x: (-(x**2).sum(1), -2 * x), 2)); gc.collect()
t.step()
""",
    "what is no array": """
for bad in ("rows", b"rows", object(), {}, [[1, 2], [3]], [[None, 1]], np.zeros((2, 2), "M8[s]"), np.zeros((2, 2), "U3"),
            np.zeros((1,) * 9), np.zeros((2, 2), complex)):
    for call in (m.log_prob, m.forward, m.inverse, m.grad, m.vjp, m.trace, lambda v: m.log_prob(x, v), t.step,
                 lambda v: m.log_prob(x, out=v), lambda v: libnf.Batches(v), lambda v: m.fit(v)):
        refused(lambda: call(bad), E, TypeError, ValueError)
""",
    "numbers out of range": """
for n in (-1, 2**62, 2**70):
    refused(lambda: m.sample(n), E, ValueError, MemoryError, OverflowError)
for seed in (-1, 2**64, 1.5, "a", None):
    refused(lambda: m.sample(3, seed), E, ValueError, TypeError)
refused(lambda: m.sample(3, repeat=-1), E)
refused(lambda: m.sample(3, temperature=-1), E)
refused(lambda: m.sample(3, temperature=float("nan")), E)
refused(lambda: libnf.Model({"event": 2, "layers": []}, -1), OverflowError, E)
refused(lambda: libnf.Target("banana", -3), E)
refused(lambda: libnf.Target(lambda x: x, 0), E)
refused(lambda: m.importance(libnf.Target("banana", 3), 5), E)
refused(lambda: m.log_prob_row([1.0]), E)
refused(lambda: m.log_prob_row([1.0, 2.0], [1.0]), E)
refused(lambda: m.base_quantile(np.full((1, 2), 2.0)), E)
refused(lambda: libnf.metropolis(libnf.Target("banana", 2), -1), E, ValueError)
""",
    "broken files": """
data = m.to_bytes()
for cut in range(0, len(data), max(1, len(data) // 50)):
    refused(lambda: libnf.Model.from_bytes(data[:cut]), E)
refused(lambda: t.restore(data), E)
refused(lambda: t.restore(b""), E)
refused(lambda: libnf.Model.load("."), E)
refused(lambda: libnf.Model.load("a\\0b"), ValueError, E)
refused(lambda: libnf.Table(b""), E)
refused(lambda: libnf.Table("absent.csv"), libnf.FileError)
refused(lambda: libnf.Model("absent.json"), OSError)
""",
    "callbacks that raise": """
class Mine(BaseException): pass
def bad(*_): raise Mine("mine")
model = libnf.Model({"event": 2, "layers": [{"type": "affine"}]})
rows = np.random.default_rng(0).normal(size=(50, 2))
refused(lambda: model.fit(rows, callback=bad), Mine)
refused(lambda: t.run(lambda step: rows, 5, on_step=bad), Mine)
refused(lambda: t.run(bad, 5), Mine)
refused(lambda: m.importance(libnf.Target(bad, 2), 5), Mine)
refused(lambda: libnf.metropolis(libnf.Target(bad, 2), 5), Mine)
refused(lambda: model.fit(rows, callback=lambda: None), TypeError)
rt = libnf.Runtime(log=bad)
libnf.Model({"event": 2, "layers": []}, runtime=rt)
""",
    "the end of the program": """
import threading
threading.Thread(target=lambda: [m.log_prob(np.zeros((1000, 2))) for _ in range(10**6)], daemon=True).start()
""",
    "arrays that die during the call": """
def rows():
    return np.random.default_rng(0).normal(size=(5, 2))
t.run((rows() for _ in range(20)))
t.run(lambda step: {"x": rows(), "weight": np.ones(5)}, 40)
assert m.log_prob(rows()[::2]).shape == (3,)
b = libnf.Batches(rows(), weight=np.ones(5), batch=2)
gc.collect(); junk = [np.ones(1000) for _ in range(100)]
assert all((e["weight"] == 1).all() for e in b)
""",
}


@pytest.mark.parametrize("name", CASES)
def test_misuse(name):
    code = START + CASES[name]
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{name} ended with {done.returncode}\n{done.stdout}{done.stderr}"
