"""Flow: a density that is fitted, scored, sampled, saved and loaded."""
from __future__ import annotations

import os
from typing import Any, Callable

import numpy as np

from libnf import presets
from libnf.arrays import Array, ArrayLike, as_array, wrong
from libnf.infos import FitInfo
from libnf.model import Model, Path, Spec

FEW_ROWS = 20  # too few to hold some of them out


class Flow:
    """Learns the density of rows: `Flow("nsf").fit(x).log_prob(x)`.

    Parameters
    ----------
    spec : "auto", "realnvp", "maf", "nsf" or "anomaly", a spec as a dict or JSON text, or a .json file. A preset adapts to the
        size of the data and standardizes its columns; a spec may leave "event" and "context" out.
    seed : of the initial parameters, the order of the data and the rows that are held out
    dtype : "float32" or "float64", of a preset
    options : what `Model.fit` takes, such as steps=2000, epochs=20, lr=1e-3, batch=256, patience=10, holdout=0.1

    Attributes
    ----------
    model : the `libnf.Model`, None before `fit`
    info : the `FitInfo` of the last fit
    """

    def __init__(self, spec: Spec = "auto", *, seed: int = 0, dtype: str = "float32", **options: Any) -> None:
        self.spec, self.seed, self.dtype, self.options = spec, seed, dtype, options
        self.model: Model | None = None
        self.info: FitInfo | None = None

    def fit(self, x: ArrayLike, context: ArrayLike = None, *, weight: ArrayLike = None, valid: Any = None,
            callback: Callable[[FitInfo], Any] | None = None, progress: bool = False) -> Flow:
        """Trains on rows x [n, columns] or images [n, height, width, channels], and keeps the weights of the best validation.

        context is [n, columns], weight [n] >= 0, valid rows to validate with instead of a tenth of x. Called again, it starts
        anew. `callback(info)` may return True to stop. Returns the flow.
        """
        rows = _rows(x)
        ctx = None if context is None else as_array(context, "context")
        spec, options = self._plan(rows, ctx)
        options = {**options, **self.options}
        options.setdefault("seed", self.seed)
        options.setdefault("split_seed", self.seed)
        if valid is None and len(rows) < FEW_ROWS:
            options.setdefault("holdout", 0.0)
        if valid is not None:
            options.pop("holdout", None)
        model = Model(spec, self.seed)
        self.info = model.fit(rows, ctx, weight=weight, valid=valid, callback=callback, progress=progress, **options)
        names = getattr(x, "columns", None)
        if names is not None and not callable(names):
            model.notes["columns"] = _json([str(n) for n in names])
        model.set_scores(model.log_prob(rows, ctx))
        self.model = model
        return self

    def _plan(self, rows: Array, context: Array | None) -> tuple[dict[str, Any] | Spec, dict[str, Any]]:
        """Returns the spec with its event and context, and the options of a preset."""
        event = list(rows.shape[1:])
        options: dict[str, Any] = {}
        if isinstance(self.spec, str) and self.spec in presets.PRESETS:
            if len(event) != 1:
                raise wrong(f"x has rows of shape {event}: the presets are for columns; give the spec of a model of images")
            spec, options = presets.recipe(self.spec, len(rows), event[0])
            spec["layers"] = [{"type": "standardize"}, *spec["layers"]]
            spec["dtype"] = self.dtype
            if context is not None:
                spec["prepare_context"] = {}
        else:
            spec = _loaded(self.spec)
        spec.setdefault("event", event)
        if context is not None:
            spec.setdefault("context", int(context.shape[-1]))
        return spec, options

    def _fitted(self) -> Model:
        if self.model is None:
            from libnf.errors import state
            raise state("this Flow is not fitted: call fit first")
        return self.model

    def log_prob(self, x: ArrayLike, context: ArrayLike = None) -> Array:
        """Computes the log-density [n] of every row, in nats. Any number of threads may call it."""
        return self._fitted().log_prob(x if type(x) is np.ndarray else _rows(x), context)

    def score(self, x: ArrayLike, context: ArrayLike = None) -> float:
        """Returns the mean log_prob in nats."""
        return float(np.mean(self.log_prob(x, context), dtype=np.float64))

    def rank(self, x: ArrayLike, context: ArrayLike = None) -> Array:
        """Returns for each row the fraction of training rows with a lower log_prob: below 0.01 is rarer than 99 % of them."""
        return self._fitted().score_rank(self.log_prob(x, context))

    def sample(self, n: int, seed: int = 0, context: ArrayLike = None) -> Array:
        """Draws n rows, the same ones for the same seed."""
        return self._fitted().sample(n, seed, context)

    def grad(self, x: ArrayLike, context: ArrayLike = None) -> Array:
        """Computes the gradient of log_prob with respect to x."""
        return self._fitted().grad(x if type(x) is np.ndarray else _rows(x), context)

    def save(self, path: Path) -> None:
        """Writes the model, which every version of libnf from this one on loads, also without Python."""
        self._fitted().save(path)

    @classmethod
    def load(cls, path: Path) -> Flow:
        """Reads a model that `save`, the `nf` command or another language wrote."""
        model = Model.load(path)
        flow = cls(model.spec)
        flow.model = model
        return flow

    def __repr__(self) -> str:
        return f"<libnf.Flow {'not fitted' if self.model is None else repr(self.model)}>"


def _rows(x: ArrayLike) -> Array:
    rows = as_array(x, "x")
    if rows.ndim not in (2, 4):
        raise wrong(f"x has shape {list(rows.shape)}: expected rows [n, columns] or images [n, height, width, channels]")
    return rows


def _json(value: Any) -> str:
    import json
    return json.dumps(value)


def _loaded(spec: Spec) -> dict[str, Any]:
    """Reads a spec from where it is."""
    import json
    from collections.abc import Mapping
    if isinstance(spec, Mapping):
        return dict(spec)
    if isinstance(spec, str) and spec.lstrip().startswith("{"):
        found: dict[str, Any] = json.loads(spec)
        return found
    if isinstance(spec, str) and not os.path.exists(spec):
        presets.recipe(spec, 1, 1)  # says which names there are
    with open(os.fspath(spec), encoding="utf-8") as f:
        found = json.load(f)
    return found
