"""Threads and processes: the bits of one thread, and an error instead of a crash."""
import ctypes
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import libnf
from conftest import SPEC, banana


def together(n, job):
    """Runs job(i) on n threads and raises what any of them raised."""
    errors = []

    def guarded(i):
        try:
            job(i)
        except BaseException as e:
            errors.append(e)
    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("threads", [1, 3])
def test_eight_threads_give_the_bits_of_one(trained, rows, threads):
    model = trained.clone(libnf.Runtime(threads=threads))
    expected = (model.log_prob(rows), model.sample(100, 3), model.grad(rows[:50]))

    def job(i):
        for k in range(20):
            assert np.array_equal(model.log_prob(rows), expected[0])
            assert model.log_prob(rows[k:k + 1])[0] == expected[0][k]
            assert np.array_equal(model.sample(100, 3), expected[1])
            assert np.array_equal(model.grad(rows[:50]), expected[2])
    together(8, job)
    assert len(model._pool) <= 8


def test_a_session_of_two_threads_is_refused(model):
    session = libnf.Session(model)
    inside, go = threading.Event(), threading.Event()

    def slow(x):
        inside.set()
        assert go.wait(30)
        return -(x**2).sum(1)
    t = threading.Thread(target=session.importance, args=(libnf.Target(slow, 2), 10))
    t.start()
    assert inside.wait(30)
    with pytest.raises(libnf.StateError, match="thread"):
        session.log_prob(np.zeros((1, 2)))
    session.close()  # the call under way ends well
    go.set()
    t.join()
    with pytest.raises(libnf.StateError, match="closed"):
        session.log_prob(np.zeros((1, 2)))


def test_training_and_scoring_at_once(rows):
    model = libnf.Model(SPEC, 1)
    model.init_from_data(rows)
    trainer, stop = libnf.Trainer(model, lr=1e-3), threading.Event()

    def job(i):
        if i == 0:
            for _ in range(100):
                trainer.step(rows[:64])
            stop.set()
        else:
            while not stop.is_set():
                assert np.isfinite(model.log_prob(rows[:16])).all()
    together(4, job)


def test_scoring_during_fit_is_refused_on_other_threads(rows):
    model, seen = libnf.Model(SPEC, 1), []

    def callback(info):
        if info.step == 2 and not seen:
            t = threading.Thread(target=lambda: seen.append(pytest.raises(libnf.StateError, model.log_prob, rows)))
            t.start()
            t.join()
    model.fit(rows, steps=4, callback=callback)
    assert "fit" in str(seen[0].value) and "clone" in str(seen[0].value)
    assert np.isfinite(model.log_prob(rows)).all()


def test_changing_a_model_in_its_own_callback_is_refused(model, rows):
    def changes(x):
        model.tensors["layers.1.net.output.bias"] = model.tensors["layers.1.net.output.bias"]
        return x.sum(1)
    with pytest.raises(libnf.StateError, match="callback"):
        model.importance(libnf.Target(changes, 2), 10)
    model.log_prob(rows)


def test_closing_while_others_score(model, rows):
    big = np.repeat(rows, 20, axis=0)

    def job(i):
        try:
            while True:
                model.log_prob(big)
        except libnf.StateError as e:
            assert "closed" in str(e)
    threading.Timer(0.3, model.close).start()
    together(4, job)


def test_a_hot_swap(model, rows):
    other = libnf.Model(SPEC, 2)
    values = {model.log_prob(rows[:1])[0], other.log_prob(rows[:1])[0]}
    stop, first = threading.Event(), model.clone()

    def job(i):
        if i:
            while not stop.is_set():
                assert model.log_prob(rows[:1])[0] in values
        else:
            for k in range(50):
                model.copy_from(other if k % 2 else first)
            stop.set()
    together(4, job)


def test_threads_overlap(rows):
    """While one thread is in a long call, another one runs: the library works without the GIL."""
    spec = {"event": 2, "layers": [{"repeat": 6, "layers": [
        {"type": "masked_autoregressive", "net": {"type": "mlp", "hidden": [256, 256]}}, {"type": "reverse"}]}]}
    model = libnf.Model(spec, 1, runtime=libnf.Runtime(threads=1))
    x = np.repeat(rows, 20, axis=0)
    done = threading.Event()

    def work():
        model.log_prob(x)
        done.set()
    t = threading.Thread(target=work)
    t.start()
    turns = 0
    while not done.is_set():
        turns += 1
        time.sleep(1e-4)
    t.join()
    assert turns > 3


def _child(model, x, expected, queue):
    try:
        fresh = libnf.Model(SPEC, 1)
        fresh.fit(banana(100), steps=3)
        ok = np.array_equal(model.log_prob(x), expected) and np.isfinite(fresh.log_prob(x)).all()
        model.fit(banana(100), steps=3)
        queue.put(bool(ok))
    except BaseException as e:
        queue.put(repr(e))


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_processes(model, rows, method):
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("no fork")
    context = multiprocessing.get_context(method)
    expected, queue = model.log_prob(rows), context.Queue()
    process = context.Process(target=_child, args=(model, rows, expected, queue))
    process.start()
    assert queue.get(timeout=60) is True
    process.join(60)
    assert process.exitcode == 0
    assert np.array_equal(model.log_prob(rows), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_fork_while_a_thread_is_in_a_call(model, rows):
    """The child does not wait for a thread that it does not have."""
    inside, go = threading.Event(), threading.Event()

    def slow(x):
        inside.set()
        assert go.wait(60)
        return -(x**2).sum(1)
    t = threading.Thread(target=model.importance, args=(libnf.Target(slow, 2), 10))
    t.start()
    assert inside.wait(30)
    pid = os.fork()
    if not pid:
        try:
            model.tensors["layers.1.net.output.bias"] = model.tensors["layers.1.net.output.bias"]
            os._exit(0 if np.isfinite(model.log_prob(rows)).all() else 1)
        except BaseException:
            os._exit(2)
    go.set()
    t.join()
    assert os.waitpid(pid, 0)[1] == 0


def test_a_reader_that_was_interrupted_does_not_block_a_change(model):
    model.sample(1)
    model._pool.pop()  # as Ctrl-C between two statements leaves it
    name = "layers.1.net.output.bias"
    model.tensors[name] = model.tensors[name]


def test_reading_makes_no_session(trained):
    model = trained.clone()
    model.tensors["layers.1.net.output.bias"]
    model.to_bytes()
    model.hash()
    assert model._pool.created == 0


def test_executor_of_the_host(trained, rows):
    submitted = []

    class Pool(ThreadPoolExecutor):
        def submit(self, *arguments):
            submitted.append(arguments)
            return super().submit(*arguments)
    expected = trained.log_prob(rows)
    with Pool(2) as pool:
        model = trained.clone(libnf.Runtime(executor=pool, concurrency=3))
        assert np.array_equal(model.log_prob(rows), expected)
        assert len(submitted) > 0 and len(submitted) % 2 == 0, "two bodies beside the calling thread's"
        # All threads of the pool call the library, so none is free for its bodies.
        inner = [ThreadPoolExecutor.submit(pool, model.log_prob, rows) for _ in range(6)]
        assert all(np.array_equal(f.result(60), expected) for f in inner)
    assert np.array_equal(model.log_prob(rows), expected), "the pool is shut down"
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        assert np.array_equal(trained.clone(libnf.Runtime(executor=processes, concurrency=2)).log_prob(rows), expected)
    with pytest.raises(ValueError, match="threads"):
        libnf.Runtime(concurrency=2)
    with pytest.raises(libnf.Error, match="concurrency"):
        libnf.Runtime(executor=pool, concurrency=0)


def test_allocator_of_the_host(rows):
    c = ctypes.CDLL(None)
    c.aligned_alloc.restype, c.aligned_alloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t] * 2
    c.free.argtypes = [ctypes.c_void_p]
    live, most, wrong = {}, [1 << 40], []

    def alloc(size, align):
        if sum(size for size, _ in live.values()) + size > most[0]:
            return 0
        address = c.aligned_alloc(align, (size + align - 1) // align * align)
        live[address] = (size, align)
        return address

    def free(address, size, align):
        if live.pop(address, None) != (size, align):
            wrong.append((address, size, align))
        c.free(address)
    runtime = libnf.Runtime(allocator=(alloc, free), threads=2)
    model = libnf.Model(SPEC, 1, runtime=runtime)
    assert model.fit(rows, steps=20).step == 20
    expected = libnf.Model(SPEC, 1)
    expected.fit(rows, steps=20)
    assert np.array_equal(model.log_prob(rows), expected.log_prob(rows)) and len(live) > 0
    most[0] = 0
    with pytest.raises(MemoryError):
        libnf.Model(SPEC, 1, runtime=runtime)
    most[0] = 1 << 40
    model.close()
    runtime.close()
    del model, runtime
    gc.collect()
    assert not live and not wrong


def test_a_process_ends_with_its_functions_in_use():
    code = ("import ctypes, libnf, numpy as np\n"
            "from concurrent.futures import ThreadPoolExecutor\n"
            "c = ctypes.CDLL(None); c.aligned_alloc.restype = ctypes.c_void_p; c.free.argtypes = [ctypes.c_void_p]\n"
            "alloc = lambda size, align: c.aligned_alloc(ctypes.c_size_t(align), ctypes.c_size_t((size + align - 1) // align * align))\n"
            "runtime = libnf.Runtime(allocator=(alloc, lambda p, size, align: c.free(p)), executor=ThreadPoolExecutor(2), log=print)\n"
            "model = libnf.Model({'event': 2, 'layers': [{'type': 'affine_coupling'}]}, 1, runtime=runtime)\n"
            "model.log_prob(np.zeros((5000, 2)))\n"
            "print('end')\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.endswith("end\n") and not done.stderr, done.stderr
