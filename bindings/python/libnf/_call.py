"""Calls of the C library: errors, handles, texts and structs."""
from __future__ import annotations

import json
from typing import Any, Callable, TypeVar

from libnf import callbacks
from libnf._nf import ffi, lib
from libnf.errors import raise_from, state

NULL = ffi.NULL
ERROR_SIZE = ffi.sizeof("nf_error")
T = TypeVar("T")


def new_error() -> Any:
    """Returns an nf_error for one call at a time."""
    err = ffi.new("nf_error *")
    err.struct_size = ERROR_SIZE
    err.layer = err.row = -1
    return err


def call(function: Any, *arguments: Any) -> None:
    """Calls a function whose last parameter is an nf_error, and raises what it reports."""
    err = new_error()
    if function(*arguments, err):
        raise_from(err)


def guarded(box: callbacks.Box, function: Any, *arguments: Any) -> None:
    """The same for a call that may run callbacks: what a callback raised comes first."""
    err = new_error()
    status = function(*arguments, err)
    box.reraise()
    if status:
        raise_from(err)


def create(kind: str, free: Any, function: Any, *arguments: Any) -> Any:
    """Calls an X_create function. The handle is freed when the last reference to it is gone, so a call that is under way
    on another thread keeps it alive."""
    out = ffi.new(kind + " **")
    call(function, *arguments, out)
    return ffi.gc(out[0], free)


def struct(kind: str, **fields: Any) -> Any:
    """Returns a struct of nf.h with its size set and all other fields 0."""
    s = ffi.new(kind + " *")
    s.struct_size = ffi.sizeof(kind)
    for name, value in fields.items():
        setattr(s, name, value)
    return s


def text(pointer: Any) -> str | None:
    """Decodes a text of the library; None for NULL."""
    return None if pointer == NULL else ffi.string(pointer).decode("utf-8")


def described(pointer: Any) -> Any:
    """Parses a static JSON text of the library."""
    found = text(pointer)
    if found is None:
        raise MemoryError("libnf is out of memory")
    return json.loads(found)


def written(function: Any, *arguments: Any) -> bytes:
    """Calls a function that writes a text or a file in pieces, and returns all of it."""
    pieces: list[bytes] = []
    box = callbacks.Box(pieces.append)
    guarded(box, function, *arguments, lib.libnf_on_write, box.handle)
    return b"".join(pieces)


def filled(kind: str, make: Callable[..., T], s: Any) -> T:
    """Makes a named tuple of the fields of a struct that it names."""
    fields: tuple[str, ...] = make._fields  # type: ignore[attr-defined]
    return make(*(getattr(s, name) for name in fields))


class Handle:
    """An object of the library. `close()` lets go of it; so does leaving a `with` block."""

    _h: Any = None

    def _handle(self) -> Any:
        h = self._h
        if h is None:
            raise state(f"this {type(self).__name__} is closed: create or load another one")
        return h

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._h is None

    def close(self) -> None:
        """Lets go of the object; calls on it raise StateError from then on. Calling it again is a no-op."""
        self._h = None

    def __enter__(self: T) -> T:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
