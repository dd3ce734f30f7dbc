"""Runtimes: threads and memory limits. Most programs never make one."""
from __future__ import annotations

import os
import threading
from concurrent.futures import Executor
from typing import Any, Callable

from libnf import _call, callbacks
from libnf import options as _options
from libnf._nf import lib

_lock = threading.Lock()
_default: Runtime | None = None
_immortal: list[Any] = []  # functions that the library may call as long as anything of their runtime lives


class Runtime(_call.Handle):
    """Threads, a limit of memory, and a function for notes of the library.

    Parameters
    ----------
    threads : threads that work, the calling one included; 0 is one per core. Results never depend on it.
    max_bytes : limit on the memory in use by all that is made with this runtime; 0 is three quarters of the machine's.
    log : called as log(level, message), level 0 for notes and 1 for warnings, from any thread; or None.
    executor : a pool of threads, such as `concurrent.futures.ThreadPoolExecutor`, that works instead of threads of the library.
        The calling thread works, too, and does what the pool has not begun, so calls from within the pool do not wait for
        each other.
    concurrency : how many threads work at most with an executor, the calling one included; None is one per core.
    allocator : two functions, alloc(size, align) -> address, 0 if there is none left, and free(address, size, align), for
        parameters, scratch memory and rows. They are called from any thread, and must not use what they allocate for.

    After `fork()` calls in the child run on one thread with a runtime of the parent, because its threads stay there. The
    default runtime is made anew in the child.
    """

    def __init__(self, *, log: Callable[[int, str], Any] | None = None, executor: Executor | None = None,
                 concurrency: int | None = None,
                 allocator: tuple[Callable[[int, int], int], Callable[[int, int, int], Any]] | None = None, **options: Any) -> None:
        if concurrency is not None and executor is None:
            raise ValueError("concurrency is that of an executor: without one, use threads")
        on_log, log_user = _box(log, "libnf_on_log")
        memory = pool = _call.NULL
        if allocator is not None:
            alloc, free = allocator
            on_alloc, user = _box((alloc, free), "libnf_on_alloc")
            memory = _call.struct("nf_allocator", user=user, alloc=on_alloc, free=lib.libnf_on_free)
        if executor is not None:
            on_run, user = _box(executor.submit, "libnf_on_parallel_for")
            pool = _call.struct("nf_executor", concurrency=(os.cpu_count() or 1) if concurrency is None else concurrency, user=user,
                                parallel_for=on_run)
        self._h = _call.create(
            "nf_runtime", lib.nf_runtime_free, lib.nf_runtime_create_v, lib.NF_VERSION,
            _options.handle(_options.from_keywords(["runtime"], options)), memory, pool, on_log, log_user)

    def __repr__(self) -> str:
        return f"<libnf.Runtime{' closed' if self.closed else ''}>"


def _box(function: Any, extern: str) -> tuple[Any, Any]:
    """Returns the C function that calls `function`, and its user pointer; NULL for None."""
    if function is None:
        return _call.NULL, _call.NULL
    box = callbacks.Box(function)
    _immortal.append(box)
    return getattr(lib, extern), box.handle


def default() -> Runtime:
    """Returns the runtime of objects that are created without one, with one thread per core."""
    global _default
    runtime = _default
    if runtime is None or runtime.closed:
        with _lock:
            if _default is None or _default.closed:
                _default = Runtime()
            runtime = _default
    return runtime


def of(runtime: Runtime | None) -> Any:
    """Returns the handle of a runtime, of the default one for None."""
    return (default() if runtime is None else runtime)._handle()


def _after_fork() -> None:
    global _default, _lock
    _default = None
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
