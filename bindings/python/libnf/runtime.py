"""Runtimes: threads and memory limits. Most programs never make one."""
from __future__ import annotations

import os
import threading
from typing import Any, Callable

from libnf import _call, callbacks
from libnf import options as _options
from libnf._nf import lib

_lock = threading.Lock()
_default: Runtime | None = None
_immortal: list[Any] = []  # log functions: the library may call them as long as anything of their runtime lives


class Runtime(_call.Handle):
    """Threads, a limit of memory, and a function for notes of the library.

    Parameters
    ----------
    threads : threads that work, the calling one included; 0 is one per core. Results never depend on it.
    max_bytes : limit on the memory in use by all that is made with this runtime; 0 is three quarters of the machine's.
    log : called as log(level, message), level 0 for notes and 1 for warnings, from any thread; or None.

    After `fork()` calls in the child run on one thread with a runtime of the parent, because its threads stay there. The
    default runtime is made anew in the child.
    """

    def __init__(self, *, log: Callable[[int, str], Any] | None = None, **options: Any) -> None:
        box = callbacks.Box(log) if log is not None else None
        if box is not None:
            _immortal.append(box)
        self._h = _call.create(
            "nf_runtime", lib.nf_runtime_free, lib.nf_runtime_create_v, lib.NF_VERSION,
            _options.handle(_options.from_keywords(["runtime"], options)), _call.NULL, _call.NULL,
            lib.libnf_on_log if box is not None else _call.NULL, box.handle if box is not None else _call.NULL)

    def __repr__(self) -> str:
        return f"<libnf.Runtime{' closed' if self.closed else ''}>"


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
