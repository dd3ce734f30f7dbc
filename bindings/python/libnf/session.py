"""Sessions: scratch memory for scoring with options of one's own. `Model` has the same methods on a pool of sessions."""
from __future__ import annotations

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
    """

    def __init__(self, model: Model, **options: Any) -> None:
        self._model = model
        self.info = model.info
        self._code = model._code
        self._gate = model._gate
        slot = _new_slot(model, options)
        self._h = slot.h
        self._free = [slot]  # empty while a call is under way
        self._token = 0

    def _enter(self) -> Slot:
        if self._h is None:
            self._handle()
        try:
            slot = self._free.pop()
        except IndexError:
            raise state("this Session is in a call on another thread: use a session per thread, or the methods of Model") from None
        try:
            self._token = self._gate.enter()
        except BaseException:
            self._free.append(slot)
            raise
        return slot

    def _leave(self, slot: Slot) -> None:
        self._gate.leave(self._token)
        if self._h is not None:
            self._free.append(slot)

    def close(self) -> None:
        """Frees the scratch memory, after the call that another thread may be in. Calling it again is a no-op."""
        self._h = None
        self._free.clear()

    @property
    def nbytes(self) -> int:
        """Bytes of scratch memory."""
        return int(lib.nf_session_bytes(self._handle()))

    def _posterior_layers(self) -> int:
        return self._model._posterior_layers()

    def __repr__(self) -> str:
        return f"<libnf.Session of {self._model!r}{', closed' if self.closed else ''}>"


def _new_slot(model: Model, options: dict[str, Any]) -> Slot:
    token = model._gate.enter()
    try:
        return Slot(_call.create("nf_session", lib.nf_session_free, lib.nf_session_create, model._handle(),
                                 _options.handle(_options.from_keywords(["session"], options))))
    finally:
        model._gate.leave(token)
