"""Who may use the parameters of a model now: many threads that read them, or one that changes them.

The library leaves that to its host. Readers cost two list operations, because a row is scored in a microsecond.
"""
from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any

from libnf.errors import state

_all: weakref.WeakSet[Gate] = weakref.WeakSet()


class Gate:
    """A lock for many readers or one writer."""

    __slots__ = ("readers", "writer", "what", "long", "lock", "__weakref__")

    def __init__(self) -> None:
        self.reset()
        _all.add(self)

    def reset(self) -> None:
        self.readers: list[int] = []  # a thread id per call that is under way
        self.writer = 0
        self.what = ""
        self.long = False
        self.lock = threading.Lock()

    def enter(self) -> int:
        """Begins a call that reads. Waits for a short change, and refuses to wait for a long one."""
        me = threading.get_ident()
        while True:
            self.readers.append(me)
            if not self.writer or self.writer == me:  # a callback of the writer may read
                return me
            self.readers.remove(me)
            if self.long:
                raise state(f"another thread is in {self.what} on this model: wait for it, or score a clone()")
            time.sleep(1e-4)

    def leave(self, me: int) -> None:
        """Ends a call that reads."""
        try:
            self.readers.remove(me)
        except ValueError:  # this is the child of a fork in a callback
            pass

    def write(self, what: str, long: bool = False) -> Writing:
        """Returns a `with` block for a change."""
        return Writing(self, what, long)


class Writing:
    """A change of the parameters, which is under way inside of the `with` block."""

    __slots__ = ("gate", "what", "long")

    def __init__(self, gate: Gate, what: str, long: bool) -> None:
        self.gate, self.what, self.long = gate, what, long

    def __enter__(self) -> None:
        gate, me = self.gate, threading.get_ident()
        if gate.writer == me:
            raise state(f"{self.what} was called by a callback of {gate.what} on the same model: return first")
        if me in gate.readers:
            raise state(f"{self.what} was called by a callback of a call that reads the model: return first")
        while not gate.lock.acquire(blocking=not gate.long):
            if gate.long:
                raise state(f"another thread is in {gate.what} on this model: wait for it, or use a clone()")
        gate.what, gate.long = self.what, self.long
        gate.writer = me
        try:
            while gate.readers:
                time.sleep(1e-4)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: Any) -> None:
        gate = self.gate
        gate.writer, gate.long = 0, False
        gate.lock.release()


me = threading.get_ident


def _after_fork() -> None:
    for gate in list(_all):  # threads that were in a call are not in the child
        gate.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
