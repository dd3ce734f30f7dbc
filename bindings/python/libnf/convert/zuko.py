"""zuko (Rozet et al.). Its transforms map data to noise, as libnf's forward does; its parts are named after it."""
from __future__ import annotations

import functools
from typing import Any

import numpy as np

from libnf.arrays import Array
from libnf.convert import nets
from libnf.convert.chain import Conversion, ConversionError, Layer, between, finish, inverted, permutation
from libnf.convert.nets import name_of, numbers


def convert(flow: Any, dtype: str | None, rows: int, tolerance: float | None) -> Conversion:
    """See libnf.convert.from_zuko."""
    walk = Walk()
    layers = walk.transform(flow.transform, "transform")
    if not walk.columns:
        raise ConversionError("transform: it has no layer with a net, so the number of columns is not known")
    base, tensors = base_of(flow.base)
    parameters = list(flow.parameters())
    kind = dtype or ("float64" if parameters and parameters[0].dtype.itemsize == 8 else "float32")
    spec = {"event": walk.columns, "context": walk.context, "base": base}
    return finish(spec, layers, tensors, kind, walk.names, flow, log_prob, rows, tolerance)


def log_prob(flow: Any, x: Array, context: Array | None) -> Array:
    """Scores rows with the flow as in evaluation."""
    import torch  # type: ignore[import-not-found, unused-ignore]
    like = next(iter(flow.parameters()))
    training = flow.training
    flow.eval()
    try:
        with torch.no_grad():
            c = None if context is None else torch.as_tensor(context, dtype=like.dtype)
            found: Array = flow(c).log_prob(torch.as_tensor(x, dtype=like.dtype)).double().numpy()
            return found
    finally:
        flow.train(training)


def base_of(base: Any) -> tuple[str, dict[str, Array]]:
    """The base and its tensors."""
    made = base()
    kind = name_of(made)
    if kind == "DiagNormal":
        loc, scale = numbers(made.base_dist.loc).ravel(), numbers(made.base_dist.scale).ravel()
        if not loc.any() and (scale == 1).all():
            return "normal", {}
        return "diagonal_normal", {"loc": loc, "log_scale": np.log(scale)}
    raise ConversionError(f"base: libnf cannot take over {kind}; it can DiagNormal")


class Walk:
    """Converts transforms, and notes what it meets."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.columns = 0
        self.context = 0
        self.nets = 0

    def transform(self, t: Any, where: str) -> list[Layer]:
        """Returns the layers of a transform."""
        kind = name_of(t)
        if kind == "LazyComposedTransform":
            return [layer for i, inner in enumerate(t.transforms) for layer in self.transform(inner, f"{where}[{i}]")]
        if kind == "LazyInverse":
            return inverted(self.transform(t.transform, f"{where} (inverse)"))
        self.names.append(f"{where}: {kind}")
        if kind == "MaskedAutoregressiveTransform":
            return self.autoregressive(t, where)
        if kind == "GeneralCouplingTransform":
            return self.coupling(t, where)
        if kind == "UnconditionalTransform":
            inner = t()
            if name_of(inner) == "PermutationTransform":
                return permutation(numbers(inner.order).astype(int))
            kind = name_of(inner)
        raise ConversionError(f"{where}: libnf cannot take over {kind}; it can MaskedAutoregressiveTransform, "
                              "GeneralCouplingTransform and PermutationTransform")

    def sized(self, columns: int, context: int, where: str) -> None:
        if self.nets and (columns, context) != (self.columns, self.context):
            raise ConversionError(f"{where}: it has {columns} columns and {context} of context, layers before have "
                                  f"{self.columns} and {self.context}")
        self.columns, self.context, self.nets = columns, context, self.nets + 1

    def autoregressive(self, t: Any, where: str) -> list[Layer]:
        if t.order is None:
            raise ConversionError(f"{where}: libnf has no adjacency matrices")
        places = numbers(t.order).astype(int)
        columns = len(places)
        if len(set(places.tolist())) != columns:
            raise ConversionError(f"{where}: passes={t.passes} has no equal in libnf; it can passes={columns}, fully autoregressive")
        linears = [m for m in t.hyper if hasattr(m, "mask")]
        context = linears[0].in_features - columns
        self.sized(columns, context, where)
        if any(name_of(m) == "Residual" for m in t.hyper):
            raise ConversionError(f"{where}: residual=True has no equal in libnf")
        acts = [nets.activation(m, f"{where}.hyper") for m in t.hyper if not hasattr(m, "mask")]
        if len(set(acts)) > 1:
            raise ConversionError(f"{where}.hyper: the activations {', '.join(acts)} differ; libnf has one per net")
        masks = [numbers(m.mask) for m in linears]
        weights = [numbers(m.weight) * k for m, k in zip(linears, masks)]
        # Columns in autoregressive order: inputs are the context, then the columns; outputs the numbers of each column.
        order = np.argsort(places)
        inputs = np.concatenate([columns + np.arange(context), order]).astype(int)
        weights[0], first = weights[0][:, inputs], masks[0][:, order]
        degrees = [first.sum(1).astype(int)]
        for mask in masks[1:-1]:
            degrees.append((mask * degrees[-1]).max(1).astype(int))
        outputs = (order[:, None] * t.total + np.arange(t.total)).ravel()
        biases = [numbers(m.bias) if m.bias is not None else np.zeros(m.out_features) for m in linears]
        net, tensors = nets.masked_mlp(weights, biases, degrees, columns, context, acts[0] if acts else "relu", 0.0, outputs)
        kind, fields = univariate(t, where)
        name = "masked_autoregressive" if kind == "affine" else "spline_autoregressive"
        return between(order, Layer({"type": name, **fields, "net": net}, tensors))

    def coupling(self, t: Any, where: str) -> list[Layer]:
        mask = numbers(t.mask).astype(bool)
        passing, moving = np.flatnonzero(mask), np.flatnonzero(~mask)
        net, tensors = nets.sequential(t.hyper, f"{where}.hyper")
        self.sized(len(mask), t.hyper.in_features - len(passing), where)
        kind, fields = univariate(t, where)
        if kind == "affine":  # theirs: shift and scale of each column; libnf: all shifts, then all scales
            to = np.concatenate([np.arange(len(moving)) * 2, np.arange(len(moving)) * 2 + 1])
            for part in ("weight", "bias"):
                tensors[f"net.output.{part}"] = tensors[f"net.output.{part}"][to]
        name = "affine_coupling" if kind == "affine" else "spline_coupling"
        layer = Layer({"type": name, **fields, "mask": "halves", "mask_count": len(moving), "net": net}, tensors)
        return between(np.concatenate([passing, moving]), layer)


def univariate(t: Any, where: str) -> tuple[str, dict[str, Any]]:
    """The map of one column, and its fields in libnf."""
    function = t.univariate
    options: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        options = {**function.keywords, **options}
        function = function.func
    name = getattr(function, "__name__", str(function))
    if options.get("slope", 1e-3) != 1e-3:
        raise ConversionError(f"{where}: slope is {options['slope']}, libnf has 0.001")
    if name == "MonotonicAffineTransform":
        return "affine", {"scale": "soft_exp"}
    if name == "MonotonicRQSTransform":
        return "spline", {"bins": int(t.shapes[0][0]), "bound": float(options.get("bound", 5.0)), "tails": "linear",
                          "convention": "zuko"}
    raise ConversionError(f"{where}: libnf cannot take over the map {name}; it can MonotonicAffineTransform and "
                          "MonotonicRQSTransform")
