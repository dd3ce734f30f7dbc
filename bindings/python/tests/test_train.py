"""Trainers, fit, batches: the same bits after a save, callbacks, Ctrl-C, options."""
import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest

import libnf
from conftest import SPEC, banana


def fresh(rows):
    model = libnf.Model(SPEC, 1)
    model.init_from_data(rows)
    return model


def test_steps_lower_the_loss(rows):
    t = libnf.Trainer(fresh(rows), lr=1e-2)
    losses = [t.step(rows).loss for _ in range(30)]
    assert losses[-1] < losses[0] and t.step_count == 30 and t.nbytes > 0
    loss, error = t.evaluate(rows)
    assert abs(loss - losses[-1]) < 0.2 and error > 0
    assert np.isclose(loss, -t.model.log_prob(rows).mean(), atol=1e-5)
    assert t.options["trainer.lr"] == 0.01 and "step 30" in repr(t)


@pytest.mark.parametrize("how", ["bytes", "file", "pickle"])
def test_training_continues_with_the_same_bits(rows, tmp_path, how):
    t = libnf.Trainer(fresh(rows), lr=1e-2, optimizer="adam", schedule="cosine", max_steps=20, clip_norm=5)
    t.run(libnf.Batches(rows, batch=64, seed=2), 5)
    if how == "pickle":
        other = pickle.loads(pickle.dumps(t))
    else:
        other = libnf.Trainer(fresh(rows * 3), lr=1e-2, optimizer="adam", schedule="cosine", max_steps=20, clip_norm=5)
        if how == "bytes":
            other.restore(t.to_bytes())
        else:
            t.save(tmp_path / "state")
            other.restore(tmp_path / "state")
    assert other.step_count == 5
    for trainer in (t, other):
        trainer.run(libnf.Batches(rows, batch=64, seed=2), 12)
    assert t.model.hash() == other.model.hash()


def test_sources(rows):
    hashes = set()
    batches = libnf.Batches(rows, batch=100, seed=1)
    assert len(batches) == batches.per_epoch == 6

    def endless(step):
        return batches[step]

    for source in (batches, endless, iter(batches), (b["x"] for b in batches), ((b["x"], None) for b in batches)):
        t = libnf.Trainer(fresh(rows), lr=1e-2)
        assert t.run(source, 6) == 6
        hashes.add(t.model.hash())
    assert len(hashes) == 1
    t = libnf.Trainer(fresh(rows))
    assert t.run(iter([rows, rows])) == 2
    assert t.run(lambda step: rows if step < 5 else None) == 5
    with pytest.raises(TypeError, match="stream"):
        t.run(iter([{"y": rows}]))
    with pytest.raises(ZeroDivisionError):
        t.run(lambda step: 1 / 0)
    with pytest.raises(libnf.ShapeError):
        t.run(iter([rows[:, :1]]))
    with pytest.raises(ValueError, match="never end"):
        t.run()


def test_batches(rows):
    w = np.arange(600.0)
    b = libnf.Batches(rows, weight=w, batch=256, order="sequential")
    assert np.array_equal(b[0]["x"], rows[:256].astype(b[0]["x"].dtype)) and np.array_equal(b[0]["weight"], w[:256])
    assert b.rows(3) == [256, 257, 258] if np.array_equal(b[1]["weight"][:1], w[256:257]) else False
    assert sum(len(batch["x"]) for batch in b) == 600
    shuffled = libnf.Batches(rows, batch=600, seed=1)
    assert sorted(shuffled[0]["x"][:, 0].tolist()) == sorted(rows[:, 0].astype(shuffled[0]["x"].dtype).tolist())
    with pytest.raises(IndexError):
        b[-1]
    with pytest.raises(libnf.SpecError, match="batch"):
        libnf.Batches(rows, bach=3)
    b.close()
    with pytest.raises(libnf.StateError, match="closed"):
        b[0]


def test_on_step_stops_and_raises(rows):
    t = libnf.Trainer(fresh(rows))
    seen = []
    assert t.run(lambda step: rows, 100, on_step=lambda i: seen.append(i.step) or i.step == 4) == 4
    assert seen == [1, 2, 3, 4]

    def bad(info):
        raise KeyError("mine")
    with pytest.raises(KeyError, match="mine"):
        t.run(lambda step: rows, 100, on_step=bad)
    assert t.step_count == 5


def test_losses_of_the_host(rows):
    t, u = libnf.Trainer(fresh(rows), lr=1e-2), libnf.Trainer(fresh(rows), lr=1e-2)
    t.step(rows)
    u.accumulate(rows[:300], log_prob=np.full(300, -1 / 600))
    u.accumulate(rows[300:], log_prob=np.full(300, -1 / 600))
    assert u.apply(1.5).loss == 1.5
    for name in t.model.tensors:
        assert np.allclose(t.model.tensors[name], u.model.tensors[name], atol=1e-5)
    z, _ = u.model.forward(rows)
    u.accumulate(rows, out=z / 600, log_det=np.full(600, -1 / 600))
    with pytest.raises(libnf.StateError):
        u.step(rows)
    u.discard()
    with pytest.raises(libnf.StateError):
        u.apply()


def test_trainer_states(rows):
    model = fresh(rows)
    t = libnf.Trainer(model, lr=1e-2, ema_decay=0.9)
    with pytest.raises(libnf.StateError):
        libnf.Trainer(model)
    t.step(rows)
    last = model.hash()
    t.use_average()
    assert model.hash() != last
    t.use_average(False)
    assert model.hash() == last
    t.set_lr(1e-3)
    assert t.step(rows).lr == 1e-3
    t.observe(1.0)
    t.restart(keep_moments=True)
    assert t.step_count == 0
    with pytest.raises(libnf.ArgumentError):
        t.set_lr(-1)
    with pytest.raises(libnf.ArgumentError, match="group"):
        t.set_lr(1e-3, "none")
    t.close()
    libnf.Trainer(model).close()


def test_collective_of_one(rows):
    summed = []
    t = libnf.Trainer(fresh(rows), collective=(0, 1, lambda a: summed.append(a.dtype.kind)))
    t.step(rows)

    def bad(a):
        raise OSError("the network is gone")
    u = libnf.Trainer(fresh(rows), collective=(0, 2, bad))
    with pytest.raises(OSError, match="network"):
        u.step(rows)
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(u)


def test_bad_steps_change_nothing(rows):
    t = libnf.Trainer(fresh(rows))
    before = t.model.hash()
    bad = rows.copy()
    bad[3] = np.nan
    with pytest.raises(libnf.NumericError) as e:
        t.step(bad)
    assert e.value.row == 3 and t.model.hash() == before and t.step_count == 0
    with pytest.raises(libnf.ShapeError):
        t.step(rows, weight=np.ones(3))
    with pytest.raises(libnf.Error):
        t.step()


def test_fit_and_its_options(rows):
    model, seen = libnf.Model(SPEC, 1), []
    info = model.fit(rows, epochs=3, batch=100, lr=1e-2, callback=seen.append, seed=1)
    assert info.stop == 1 and info.step == info.planned == 18 and info.valid_rows == 60
    assert [i.step for i in seen if not i.validated] == list(range(1, 19))
    stopped = libnf.Model(SPEC, 1).fit(rows, epochs=3, batch=100, callback=lambda i: i.step == 5)
    assert stopped.stop == 3 and stopped.step == 5
    weights = np.ones(600, np.uint8)
    part = np.arange(600) % 4 == 0
    info = libnf.Model(SPEC, 1).fit(rows, weight=weights, part=part.astype(np.uint8), steps=3)
    assert info.valid_rows == 150
    info = libnf.Model(SPEC, 1).fit(rows, valid={"x": rows[:50]}, steps=3)
    assert info.valid_rows == 50 and info.train_rows == 600
    assert libnf.Model(SPEC, 1).fit(rows, valid=rows[:40], steps=3).valid_rows == 40


def test_options_name_the_nearest(rows):
    for word, near in (("epochz", "fit.epochs"), ("learning_rate", "trainer.lr"), ("batch_size", "batches.batch"),
                       ("optimiser", "trainer.optimizer")):
        with pytest.raises(libnf.SpecError, match=near.replace(".", r"\.")):
            libnf.Model(SPEC, 1).fit(rows, **{word: 3})
    with pytest.raises(libnf.SpecError, match="adam"):
        libnf.Model(SPEC, 1).fit(rows, optimizer="adm")
    with pytest.raises(libnf.SpecError):
        libnf.Model(SPEC, 1).fit(rows, lr="fast")
    with pytest.raises(TypeError, match="option"):
        libnf.Model(SPEC, 1).fit(rows, lr=object())
    o = libnf.Options({"trainer.lr": np.float32(0.5), "fit.resume": False}, **{"trainer.seed": np.int64(3)})
    assert o.to_dict() == {"trainer.lr": 0.5, "trainer.seed": 3, "fit.resume": False}
    assert "trainer.lr" in repr(o) and any(d["name"] == "trainer.lr" for d in libnf.describe_options("trainer"))
    t = libnf.Trainer(libnf.Model(SPEC, 1), groups=[{"match": "layers.1.*", "lr": 0.1}], trainer_lr=0.5)
    assert t.options["trainer.lr"] == 0.5


def test_resume_from_a_checkpoint(rows, tmp_path):
    whole = libnf.Model(SPEC, 1)
    whole.fit(rows, steps=20, seed=1, split_seed=1, lr=1e-2)
    part = libnf.Model(SPEC, 1)
    path = tmp_path / "run"
    part.fit(rows, steps=20, seed=1, split_seed=1, lr=1e-2, checkpoint=path, callback=lambda i: i.step == 9)
    again = libnf.Model(SPEC, 1)
    again.fit(rows, steps=20, seed=1, split_seed=1, lr=1e-2, checkpoint=path, resume=True)
    assert again.hash() == whole.hash()


def test_progress_bar(rows, capsys):
    pytest.importorskip("tqdm")
    libnf.Model(SPEC, 1).fit(rows, steps=5, progress=True)
    libnf.Trainer(fresh(rows)).run(lambda step: rows, 5, progress=True)
    assert "5/5" in capsys.readouterr().err


@pytest.mark.parametrize("run", ["fit", "run"])
def test_interrupt_stops_cleanly(rows, run):
    model = fresh(rows)
    was = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        if run == "fit":
            model.fit(rows, steps=10**9)
        else:
            libnf.Trainer(model).run(lambda step: rows, 10**9)
    signal.signal(signal.SIGINT, was)
    assert time.monotonic() - begun < 20
    assert np.isfinite(model.log_prob(rows)).all()


def test_fit_callback_may_score_and_save(rows, tmp_path):
    model = libnf.Model(SPEC, 1)

    def callback(info):
        if info.point:
            model.log_prob(rows[:5])
            model.save(tmp_path / "best")
            model.notes["step"] = str(info.step)
    model.fit(rows, steps=5, valid_every=2, callback=callback)
    assert libnf.Model.load(tmp_path / "best").info.event_size == 2 and model.notes["step"]

    def nested(info):
        model.fit(rows, steps=1)
    with pytest.raises(libnf.StateError, match="callback"):
        model.fit(rows, steps=3, callback=nested)


def test_runtime(rows):
    lines = []
    rt = libnf.Runtime(threads=2, log=lambda level, text: lines.append((level, text)))
    model = libnf.Model(SPEC, 1, runtime=rt)
    rt.close()
    with pytest.raises(libnf.StateError):
        libnf.Model(SPEC, 1, runtime=rt)
    model.fit(banana(50), steps=2, batch=4096)
    assert lines and all(level in (0, 1) and isinstance(text, str) for level, text in lines)
    with pytest.raises(libnf.OutOfMemoryError):
        libnf.Model(SPEC, 1, runtime=libnf.Runtime(max_bytes=1000))
    with pytest.raises(libnf.SpecError, match="threads"):
        libnf.Runtime(thread=2)
