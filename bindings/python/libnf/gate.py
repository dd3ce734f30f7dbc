"""Who may use the parameters of a model now: many threads that read them, or one that changes them.

The library leaves that to its host. A row is scored in a microsecond, so readers take a session from a pool, which is one
operation on a list, and bring it back. Who wants to change the parameters empties the pools first.
"""
from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from typing import Any

from libnf.errors import state

PATIENCE = 1.0  # seconds until a reader is looked for that is not coming back
_all: weakref.WeakSet[Gate] = weakref.WeakSet()


class Pool(list):  # type: ignore[type-arg]
    """Sessions that no call is using. A call that reads takes one out: `pop` and `append` are atomic."""

    __slots__ = ("created", "lock", "__weakref__")

    def __init__(self) -> None:
        super().__init__()
        self.created = 0  # how many there are, with those in use
        self.lock = threading.Lock()  # of `created`

    def grow(self, n: int) -> None:
        with self.lock:
            self.created += n


class Gate:
    """A lock for many readers or one writer."""

    def __init__(self) -> None:
        self.pools: list[weakref.ref[Pool]] = []
        self.tokens = self.pool()  # of calls that read without a session
        self.reset()
        _all.add(self)

    def reset(self) -> None:
        self.writer = 0  # the thread that changes the parameters
        self.what = ""
        self.long = False
        self.lock = threading.Lock()
        for pool in self._pools():
            pool.created = len(pool)
            pool.lock = threading.Lock()

    def pool(self) -> Pool:
        """Returns a new pool of readers."""
        pool = Pool()
        self.pools = [r for r in self.pools if r() is not None] + [weakref.ref(pool)]
        return pool

    def _pools(self) -> list[Pool]:
        return [pool for pool in (r() for r in self.pools) if pool is not None]

    def wait(self) -> None:
        """Called by a reader that finds its pool empty: waits for a short change, and refuses to wait for a long one."""
        while self.writer and self.writer != threading.get_ident():  # a callback of the writer may read
            if self.long:
                raise state(f"another thread is in {self.what} on this model: wait for it, or score a clone()")
            time.sleep(1e-4)

    def grow(self, pool: Pool) -> None:
        """Makes room for one more reader, when no change is under way."""
        while True:
            self.wait()
            pool.grow(1)  # first: a change that begins now waits for it
            if self.writer in (0, threading.get_ident()):
                return
            pool.grow(-1)

    def enter(self) -> Any:
        """Begins to read without a session; returns what `leave` takes."""
        try:
            return self.tokens.pop()
        except IndexError:
            self.grow(self.tokens)
            return object()

    def leave(self, token: Any) -> None:
        self.tokens.append(token)

    def write(self, what: str, long: bool = False) -> Writing:
        """Returns a `with` block for a change."""
        return Writing(self, what, long)


class Writing:
    """A change of the parameters, which is under way inside of the `with` block."""

    __slots__ = ("gate", "what", "long", "taken")

    def __init__(self, gate: Gate, what: str, long: bool) -> None:
        self.gate, self.what, self.long = gate, what, long
        self.taken: list[tuple[Pool, list[Any]]] = []

    def __enter__(self) -> None:
        gate, me = self.gate, threading.get_ident()
        if gate.writer == me:
            raise state(f"{self.what} was called by a callback of {gate.what} on the same model: return first")
        while not gate.lock.acquire(timeout=0.01):
            if gate.long:
                raise state(f"another thread is in {gate.what} on this model: wait for it, or use a clone()")
        gate.what, gate.long, gate.writer = self.what, self.long, me
        try:
            for pool in gate._pools():
                self._empty(pool, me)
        except BaseException:
            self.__exit__()
            raise

    def _empty(self, pool: Pool, me: int) -> None:
        """Takes all sessions out of a pool, waiting for those in use."""
        slots: list[Any] = []
        self.taken.append((pool, slots))
        patience = time.monotonic() + PATIENCE
        while len(slots) < pool.created:
            try:
                slots.append(pool.pop())
                continue
            except IndexError:
                pass
            time.sleep(1e-4)
            if time.monotonic() > patience:
                if _inside(me, "libnf.callbacks"):
                    raise state(f"{self.what} was called by a callback of a call that reads the model: return first")
                if not any(_inside(t, "libnf.") for t in sys._current_frames() if t != me):
                    pool.created = len(slots) + len(pool)  # Ctrl-C between two statements has lost one
                patience += PATIENCE

    def __exit__(self, *_: Any) -> None:
        gate = self.gate
        for pool, slots in self.taken:
            pool.extend(slots)
        gate.writer, gate.long = 0, False
        gate.lock.release()


def _inside(thread: int, module: str) -> bool:
    """Whether a thread is in code of this package."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(module):
            return True
        frame = frame.f_back
    return False


def _after_fork() -> None:
    for gate in list(_all):  # threads that were in a call are not in the child
        gate.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
