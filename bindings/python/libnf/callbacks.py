"""Functions of Python that C calls. An exception in one of them stops the call, and is raised again by the call."""
from __future__ import annotations

import _thread
import threading
from typing import Any

import numpy as np

from libnf._nf import ffi, lib

FAILED = -1
STRAY: dict[int, BaseException] = {}  # by thread
DTYPES: dict[int, Any] = {lib.NF_F32: np.dtype(np.float32), lib.NF_F64: np.dtype(np.float64), lib.NF_U8: np.dtype(np.uint8)}


class Box:
    """A function of Python, or a pair of them, and what it raised."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.raised: dict[int, BaseException] = {}  # by thread: threads may share a target
        self.keep: Any = None  # what C borrows until the next call
        self.handle = ffi.new_handle(self)

    def run(self, *arguments: Any) -> Any:
        """Calls the function; FAILED if it raises."""
        try:
            return self.function(*arguments)
        except BaseException as e:  # KeyboardInterrupt, too: nothing may unwind through C
            self.raised[threading.get_ident()] = e
            return FAILED

    def reraise(self) -> None:
        """Raises what the function raised during this thread's call."""
        raised = self.raised.pop(threading.get_ident(), None) if self.raised else None
        if raised is None and STRAY:
            raised = STRAY.pop(threading.get_ident(), None)
        if raised is not None:
            raise raised


def array_of(view: Any) -> Any:
    """Returns an array over the memory of an nf_view or nf_out, valid during the callback; None for NULL."""
    if view == ffi.NULL:
        return None
    dtype = DTYPES[view.dtype]
    shape = tuple(view.shape[0:view.ndim])
    count = 1
    for extent in shape:
        count *= extent
    if not count:
        return np.empty(shape, dtype)
    if view.flags & lib.NF_STRIDED:
        strides = tuple(s * dtype.itemsize for s in view.strides[0:view.ndim])
        reach = sum((n - 1) * s for n, s in zip(shape, strides) if s > 0)
        below = sum((n - 1) * s for n, s in zip(shape, strides) if s < 0)
        start = ffi.cast("char *", view.data) + below
        memory = ffi.buffer(start, reach - below + dtype.itemsize)
        return np.ndarray(shape, dtype, memory, -below, strides)
    return np.frombuffer(ffi.buffer(view.data, count * dtype.itemsize), dtype).reshape(shape)


def failed(_kind: Any, value: BaseException, _trace: Any) -> int:
    """Keeps an exception that was raised before or after the function of a box, as Ctrl-C can be."""
    STRAY[threading.get_ident()] = value
    return FAILED


@ffi.def_extern(onerror=failed)  # type: ignore[untyped-decorator]
def libnf_on_write(user: Any, data: Any, n: int) -> int:
    box: Box = ffi.from_handle(user)
    return FAILED if box.run(bytes(ffi.buffer(data, n)) if n else b"") == FAILED else 0


@ffi.def_extern(onerror=failed)  # type: ignore[untyped-decorator]
def libnf_on_target(user: Any, x: Any, ctx: Any, log_density: Any, gradient: Any) -> int:
    box: Box = ffi.from_handle(user)
    return int(box.run(array_of(x), array_of(ctx), array_of(log_density), array_of(gradient)) or 0)


@ffi.def_extern(onerror=failed)  # type: ignore[untyped-decorator]
def libnf_on_next(user: Any, step: int, batch: Any) -> int:
    box: Box = ffi.from_handle(user)
    return int(box.run(step, batch))


@ffi.def_extern(onerror=failed)  # type: ignore[untyped-decorator]
def libnf_on_step(user: Any, info: Any) -> int:
    box: Box = ffi.from_handle(user)
    return int(bool(box.run(info)))


@ffi.def_extern(onerror=failed)  # type: ignore[untyped-decorator]
def libnf_on_fit(user: Any, info: Any) -> int:
    box: Box = ffi.from_handle(user)
    return int(bool(box.run(info)))


@ffi.def_extern(onerror=failed)  # type: ignore[untyped-decorator]
def libnf_on_allreduce(user: Any, buffer: Any, n: int, dtype: int) -> int:
    box: Box = ffi.from_handle(user)
    kind = DTYPES[dtype]
    return int(box.run(np.frombuffer(ffi.buffer(buffer, n * kind.itemsize), kind)) or 0)


@ffi.def_extern(onerror=lambda *_: None)  # type: ignore[untyped-decorator]
def libnf_on_log(user: Any, level: int, message: Any) -> None:
    box: Box = ffi.from_handle(user)
    box.run(level, ffi.string(message).decode("utf-8", "replace"))


@ffi.def_extern(onerror=lambda *_: None)  # type: ignore[untyped-decorator]
def libnf_on_parallel_for(user: Any, n: int, body: Any, context: Any) -> None:
    """Runs every body, whatever becomes of the pool: the calling thread takes those that no thread has begun."""
    box: Box = ffi.from_handle(user)
    begun: list[tuple[int, Any]] = []
    left = [0]
    for i in range(1, n):
        try:
            begun.append((i, box.function(body, context, i)))
        except Exception:  # a pool that is shut down
            left.append(i)
    for i in left:
        body(context, i)
    interrupted = False
    for i, future in begun:
        ended = future.cancel()
        while not ended:
            try:
                ended = future.exception() is not None  # a pool that could not run it, such as one of processes
                break
            except BaseException:  # Ctrl-C; the body still uses memory of the call
                interrupted = True
        if ended:
            body(context, i)
    if interrupted:
        _thread.interrupt_main()


@ffi.def_extern(onerror=lambda *_: ffi.NULL)  # type: ignore[untyped-decorator]
def libnf_on_alloc(user: Any, size: int, align: int) -> Any:
    box: Box = ffi.from_handle(user)
    return ffi.cast("void *", box.function[0](size, align) or 0)


@ffi.def_extern(onerror=lambda *_: None)  # type: ignore[untyped-decorator]
def libnf_on_free(user: Any, p: Any, size: int, align: int) -> None:
    box: Box = ffi.from_handle(user)
    box.function[1](int(ffi.cast("uintptr_t", p)), size, align)
