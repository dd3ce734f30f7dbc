"""Sessions: scratch memory for scoring with options of one's own. `Model` has the same methods on a pool of sessions."""
from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from libnf import _call
from libnf import options as _options
from libnf._nf import lib
from libnf.errors import state
from libnf.inference import Slot
from libnf.latent import Latents

if TYPE_CHECKING:
    from libnf.model import Model


class Session(Latents):
    """Scores, maps and samples with a model. For one thread at a time: a call while another thread is in one raises
    StateError. The methods of `Model` are the same, and any number of threads may call them.

    Parameters
    ----------
    model : the model; the session sees its changes
    threads : threads of the runtime that one call may use; 0 is all of them
    nonfinite : "propagate" leaves nan and -inf in results, "error" raises NumericError for a row with nan
    score_samples, score_seed : draws per row, and their seed, where log_prob is a bound
    gradients : reserve memory for gradients at once
    block_rows : rows that a thread processes at once, at most; a few take less memory and time to create, with the same bits
    """

    def __init__(self, model: Model, **options: Any) -> None:
        self._model = model
        self.info = model.info
        self._code = model._code
        self._dtype = model._dtype
        self._gate = model._gate
        self._gate.wait()
        self._pool = self._gate.pool()  # of one session, which is out while a call is under way
        slot = new_slot(model, options)
        self._h = slot.h
        self._pool.created = 1
        self._pool.append(slot)

    def _enter(self) -> Slot:
        try:
            slot: Slot = self._pool.pop()
            return slot
        except IndexError:
            pass
        self._handle()
        while True:
            self._gate.wait()
            try:
                return self._pool.pop()  # type: ignore[no-any-return]
            except IndexError:
                if not self._gate.writer:
                    raise state("this Session is in a call on another thread: use a session per thread, or the methods of "
                                "Model") from None
                if self._gate.writer == threading.get_ident():
                    raise state(f"this Session cannot be used by a callback of {self._gate.what} on its model") from None

    def _leave(self, slot: Slot) -> None:
        if self._h is not None:
            self._pool.append(slot)

    def close(self) -> None:
        """Frees the scratch memory, after the call that another thread may be in. Calling it again is a no-op."""
        self._h = None
        self._pool.created = 0
        self._pool.clear()

    @property
    def nbytes(self) -> int:
        """Bytes of scratch memory."""
        return int(lib.nf_session_bytes(self._handle()))

    def _posterior_layers(self) -> int:
        return self._model._posterior_layers()

    def __repr__(self) -> str:
        return f"<libnf.Session of {self._model!r}{', closed' if self.closed else ''}>"


def new_slot(model: Model, options: dict[str, Any]) -> Slot:
    """Creates a session of the library."""
    return Slot(_call.create("nf_session", lib.nf_session_free, lib.nf_session_create, model._handle(),
                             _options.handle(_options.from_keywords(["session"], options))))
