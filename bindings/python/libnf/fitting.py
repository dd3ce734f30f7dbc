"""nf_fit, and what trainers share with it: batches of streams, progress bars, callbacks."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping

from libnf import _call, callbacks
from libnf import options as _options
from libnf._nf import lib
from libnf.arrays import ArrayLike, read
from libnf.infos import FitInfo

if TYPE_CHECKING:
    from libnf.model import Model

Streams = dict[str, Any]


def streams(x: ArrayLike = None, context: ArrayLike = None, weight: ArrayLike = None, scores: ArrayLike = None,
            part: ArrayLike = None) -> Streams:
    """Names the streams of a batch as nf_batch does."""
    return {"x": x, "ctx": context, "weight": weight, "scores": scores, "part": part}


def batch_of(given: Streams) -> tuple[Any, list[Any]]:
    """Returns an nf_batch and what must be kept alive with it."""
    batch = _call.struct("nf_batch")
    keep: list[Any] = []
    fill(batch, given, keep)
    return batch, keep


def fill(batch: Any, given: Streams, keep: list[Any]) -> None:
    """Sets the streams of an nf_batch."""
    for name, value in given.items():
        if value is None:
            continue
        view, array = read(value, "context" if name == "ctx" else name)
        if name in ("weight", "part", "scores") and array is not None and array.dtype.char == "B":
            view, array = read(array.astype("f4"), name)
        keep += [view, array]
        setattr(batch, name, view)


def named(value: Any) -> Streams:
    """Accepts rows, or (x, context), or a dict with the names of the parameters of `fit`, as the streams of a batch."""
    if isinstance(value, Mapping):
        unknown = set(value) - {"x", "context", "weight", "scores", "part"}
        if unknown:
            raise TypeError(f"unknown stream {sorted(unknown)[0]!r}: expected x, context, weight, scores or part")
        return streams(**value)
    if isinstance(value, tuple):
        return streams(*value)
    return streams(value)


class Bar:
    """A bar of tqdm, or nothing."""

    def __init__(self, wanted: bool, unit: str = "step") -> None:
        self.bar: Any = None
        if wanted:
            try:
                from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]
            except ImportError:
                raise ImportError("progress=True needs tqdm: pip install tqdm") from None
            self.bar = tqdm(unit=unit, dynamic_ncols=True)
            self.step = 0

    def show(self, step: int, total: int, **numbers: float) -> None:
        if self.bar is None:
            return
        if total and self.bar.total != total:
            self.bar.total = total
        if not self.step:
            self.bar.initial = self.bar.n = step - 1 if step > 1 else 0
            self.step = int(self.bar.n)
        if step > self.step:
            self.bar.update(step - self.step)
            self.step = step
            self.bar.set_postfix({k: f"{v:.4g}" for k, v in numbers.items()}, refresh=False)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def fit(model: Model, data: Streams, valid: Any, callback: Callable[[FitInfo], Any] | None, progress: bool,
        options: dict[str, Any]) -> FitInfo:
    """See Model.fit."""
    o = _options.from_keywords(["fit", "trainer", "batches", "session"], options)
    batch, _keep = batch_of(data)
    valid_batch, _keep_valid = batch_of(named(valid)) if valid is not None else (_call.NULL, [])
    bar = Bar(progress)

    def on_fit(info: Any) -> bool:
        # Also without a callback: running Python is how Ctrl-C is noticed.
        if progress:
            bar.show(info.step, info.planned, loss=info.loss, valid=info.valid)
        return bool(callback(_call.filled("nf_fit_info", FitInfo, info))) if callback is not None else False

    box = callbacks.Box(on_fit)
    result = _call.struct("nf_fit_info")
    try:
        with model._gate.write("fit", long=True):
            _call.guarded(box, lib.nf_fit, model._handle(), batch, valid_batch, _options.handle(o), lib.libnf_on_fit,
                          box.handle, result)
    finally:
        bar.close()
    return _call.filled("nf_fit_info", FitInfo, result)
