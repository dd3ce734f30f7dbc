"""A chain of layers with their tensors, the model that is made of it, and the comparison with where it came from."""
from __future__ import annotations

import copy
import dataclasses
from typing import Any, Callable

import numpy as np

from libnf.arrays import Array
from libnf.model import Model


class ConversionError(ValueError):
    """A part of the flow has no equal in libnf, or the converted model does not agree. The message names the part."""


@dataclasses.dataclass
class Layer:
    """A layer of the spec, and its tensors by the end of their names."""

    spec: dict[str, Any]
    tensors: dict[str, Any] = dataclasses.field(default_factory=dict)

    def inverted(self) -> Layer:
        return Layer({**self.spec, "invert": not self.spec.get("invert", False)}, self.tensors)


def inverted(layers: list[Layer]) -> list[Layer]:
    """The inverse of a chain."""
    return [layer.inverted() for layer in reversed(layers)]


def permutation(order: Any) -> list[Layer]:
    """z[j] = x[order[j]], or nothing if that is the identity."""
    order = [int(i) for i in order]
    return [] if order == sorted(order) else [Layer({"type": "permutation", "order": order})]


def between(order: Any, inner: Layer) -> list[Layer]:
    """Applies a layer to columns in another order, and puts the columns back."""
    return [*permutation(order), inner, *permutation(np.argsort(order))]


@dataclasses.dataclass(frozen=True)
class Conversion:
    """The result of an import.

    Attributes
    ----------
    model : the `libnf.Model`
    rows : how many random rows were compared
    max_log_prob : largest |difference of log_prob| on them, in the dtype of the model, relative to 1 + |log_prob|
    max_log_prob_float64 : the same with both sides in float64, which shows whether the formulas agree; None if the flow could
        not be copied to float64
    max_inverse : largest |x - inverse(forward(x))| of the model in float64, relative to 1 + |x|
    layers : what was converted, in order from data to noise
    """

    model: Model
    rows: int
    max_log_prob: float
    max_log_prob_float64: float | None
    max_inverse: float
    layers: list[str]

    def __str__(self) -> str:
        both = "" if self.max_log_prob_float64 is None else f" ({self.max_log_prob_float64:.1e} with both in float64)"
        return (f"{self.model!r}\n{self.rows} random rows: log_prob differs by at most {self.max_log_prob:.1e}{both}, "
                f"inverse(forward(x)) by {self.max_inverse:.1e} from x\n" + "\n".join(f"  {name}" for name in self.layers))


def nested(layers: list[Layer]) -> list[dict[str, Any]]:
    """The specs of a chain. All that follows a split is inside of it; names of tensors count layers without nesting."""
    specs: list[dict[str, Any]] = []
    for layer in reversed(layers):
        specs = [{**layer.spec, "layers": specs}] if layer.spec["type"] == "split" else [layer.spec, *specs]
    return specs


def _model(spec: dict[str, Any], layers: list[Layer], dtype: str) -> Model:
    model = Model({**spec, "dtype": dtype, "layers": nested(layers)}, 0)
    for i, layer in enumerate(layers):
        for name, value in layer.tensors.items():
            full = f"layers.{i}.{name}"
            if full not in model.tensors:
                raise ConversionError(f"{full} is not a tensor of {layer.spec['type']}: please report this")
            value = np.asarray(value, np.float64)
            shape = model.tensors.info(full).shape
            value = value.reshape(shape) if value.ndim else np.full(shape, value)
            if model.tensors.info(full).masked and np.any(value[model.tensors.mask(full) == 0]):
                raise ConversionError(f"{full}: the masked net has connections that libnf's does not have")
            model.tensors[full] = value
    return model


def finish(spec: dict[str, Any], layers: list[Layer], base: dict[str, Any], dtype: str, names: list[str], flow: Any,
           log_prob: Callable[[Any, Array, Array | None], Array], rows: int, tolerance: float | None) -> Conversion:
    """Builds the model, and compares it with log_prob(flow, x, context)."""
    def built(kind: str) -> Model:
        model = _model(spec, layers, kind)
        for name, value in base.items():
            model.tensors["base." + name] = np.asarray(value, np.float64)
        return model

    model, exact = built(dtype), built("float64")
    x, context = _rows(exact, rows)
    ours = model.log_prob(x, context).astype(np.float64)
    theirs = np.asarray(log_prob(flow, x, context), np.float64)
    differs = _difference(ours, theirs)
    try:
        twin = copy.deepcopy(flow).double()
        both = _difference(exact.log_prob(x, context), np.asarray(log_prob(twin, x, context), np.float64))
    except Exception:  # a flow may hold what cannot be copied
        both = None
    z, _ = exact.forward(x, context)
    back, _ = exact.inverse(z, context)
    back = np.asarray(back).reshape(x.shape)
    done = Conversion(model, rows, differs, both, float(np.max(np.abs(back - x) / (1 + np.abs(x)), initial=0)), names)
    # In float32 a flow may be ill-conditioned by itself; in float64 only other formulas differ by so much.
    limit = tolerance if tolerance is not None else 1e-3 if both is None and dtype == "float32" else 1e-6
    worst = differs if both is None else both
    if not worst <= limit:
        raise ConversionError(f"the converted model does not agree: log_prob differs by {worst:.1e}, more than {limit:.1e}\n{done}")
    return done


def _difference(a: Array, b: Array) -> float:
    if a.shape != b.shape or np.any(np.isnan(a) != np.isnan(b)):
        return float("inf")
    same = (a == b) | np.isnan(a)
    with np.errstate(invalid="ignore"):
        return float(np.max(np.where(same, 0, np.abs(a - b) / (1 + np.abs(b))), initial=0))


def _rows(model: Model, rows: int) -> tuple[Array, Array | None]:
    """Half of the rows are samples of the model, half are normal and wider, so that tails are compared, too."""
    rng = np.random.default_rng(0)
    size = model.info.context_size
    context = rng.normal(size=(rows, size)) if size else None
    x = model.sample(rows, 1, context).reshape(rows, -1)
    if any(layer["type"] == "logit" for layer in model.spec["layers"]):  # outside of [0, 1] there is no density
        return np.clip(x, 1e-3, 1 - 1e-3).astype(np.float32).astype(np.float64), context
    wide = np.arange(rows) % 2 == 1
    scale = np.minimum(np.std(x, axis=0) + 1e-3, 100)
    x[wide] = np.mean(x, axis=0) + 2 * scale * rng.normal(size=(int(wide.sum()), x.shape[1]))
    return x.astype(np.float32).astype(np.float64), context
