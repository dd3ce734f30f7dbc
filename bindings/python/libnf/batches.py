"""Mini-batches of rows in memory or of a mapped table."""
from __future__ import annotations

from typing import Any, Iterator

from libnf import _call, runtime
from libnf import options as _options
from libnf._nf import lib
from libnf.arrays import Array, ArrayLike
from libnf.callbacks import array_of
from libnf.fitting import batch_of, streams


class Batches(_call.Handle):
    """Mini-batches of rows, a pure function of the options and the step: `Batches(x, batch=512, seed=1)`.

    Options are batch, seed, order ("shuffle", "replacement", "sequential" or "blocks"), block, part_begin, part_end,
    part_seed. The arrays are not copied and must not change.
    """

    def __init__(self, x: ArrayLike = None, context: ArrayLike = None, *, weight: ArrayLike = None, scores: ArrayLike = None,
                 runtime: runtime.Runtime | None = None, **options: Any) -> None:
        batch, self._keep = batch_of(streams(x, context, weight, scores))
        o = _options.from_keywords(["batches"], options)
        self._h = _call.create("nf_batches", lib.nf_batches_free, lib.nf_batches_create, _of(runtime), batch,
                               _options.handle(o))

    @property
    def per_epoch(self) -> int:
        """Batches that cover all rows once."""
        return int(lib.nf_batches_per_epoch(self._handle()))

    def __len__(self) -> int:
        return self.per_epoch

    def __getitem__(self, step: int) -> dict[str, Array]:
        """Returns a copy of batch number `step`: a dict of the streams x, context, weight and scores that were given."""
        if step < 0:
            raise IndexError(f"step is {step}: expected 0 or more")
        batch = _call.struct("nf_batch")
        _call.call(lib.nf_batches_get, self._handle(), step, batch)
        found = {"context" if name == "ctx" else name: array_of(getattr(batch, name))
                 for name in ("x", "ctx", "weight", "scores")}
        return {name: a.copy() for name, a in found.items() if a is not None}

    def rows(self, count: int) -> list[int]:
        """Returns which rows of the data the first `count` rows of the last batch are."""
        return [lib.nf_batches_row(self._handle(), i) for i in range(count)]

    def __iter__(self) -> Iterator[dict[str, Array]]:
        """Goes through one epoch."""
        return (self[step] for step in range(len(self)))

    def _source(self) -> Any:
        source = _call.struct("nf_source")
        _call.call(lib.nf_batches_source, self._handle(), source)
        return source

    def __repr__(self) -> str:
        return f"<libnf.Batches {'closed' if self.closed else f'{self.per_epoch} per epoch'}>"


def _of(given: runtime.Runtime | None) -> Any:
    return runtime.of(given)
