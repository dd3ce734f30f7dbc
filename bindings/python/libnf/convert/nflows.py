"""nflows (Durkan et al. 2020). Its forward maps data to noise, as libnf's does; its parts are named after it."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from libnf.arrays import Array
from libnf.convert import nets
from libnf.convert.chain import Conversion, ConversionError, Layer, between, finish, inverted, permutation
from libnf.convert.nets import dense, name_of, numbers, under


def convert(flow: Any, dtype: str | None, rows: int, tolerance: float | None) -> Conversion:
    """See libnf.convert.from_nflows."""
    if name_of(getattr(flow, "_embedding_net", None)) not in ("Identity", "NoneType"):
        raise ConversionError("embedding_net: libnf cannot take it over; convert a flow of the embedded context")
    walk = Walk(PARTS)
    layers = walk.transform(flow._transform, "transform")
    columns = walk.columns or int(np.prod(flow._distribution._shape))
    base, tensors = base_of(flow._distribution)
    parameters = list(flow.parameters())
    kind = dtype or ("float64" if parameters and parameters[0].dtype.itemsize == 8 else "float32")
    spec = {"event": columns, "context": walk.context, "base": base}
    return finish(spec, layers, tensors, kind, walk.names, flow, log_prob, rows, tolerance)


def log_prob(flow: Any, x: Array, context: Array | None) -> Array:
    """Scores rows with the flow as in evaluation."""
    import torch  # type: ignore[import-not-found, unused-ignore]
    like = next(iter(flow.parameters()), torch.zeros(()))
    training = flow.training
    flow.eval()
    try:
        with torch.no_grad():
            c = None if context is None else torch.as_tensor(context, dtype=like.dtype)
            found: Array = flow.log_prob(torch.as_tensor(x, dtype=like.dtype), context=c).double().numpy()
            return found
    finally:
        flow.train(training)


def base_of(distribution: Any) -> tuple[str, dict[str, Array]]:
    """The base and its tensors."""
    kind = name_of(distribution)
    if kind == "StandardNormal":
        return "normal", {}
    if kind == "DiagonalNormal":
        return "diagonal_normal", {"loc": numbers(distribution.mean_).ravel(), "log_scale": numbers(distribution.log_std_).ravel()}
    raise ConversionError(f"distribution: libnf cannot take over {kind}; it can StandardNormal and DiagonalNormal")


Parts = dict[str, Callable[["Walk", Any, str], list[Layer]]]


class Walk:
    """Converts transforms, and notes what it meets."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.names: list[str] = []
        self.columns = 0  # of images, channels
        self.image: tuple[int, int, int] | None = None  # [channels, height, width] where the walk is
        self.context = 0
        self.nets = 0

    def transform(self, t: Any, where: str) -> list[Layer]:
        """Returns the layers of a transform."""
        kind = name_of(t)
        if kind == "CompositeTransform":
            return [layer for i, inner in enumerate(t._transforms) for layer in self.transform(inner, f"{where}[{i}]")]
        if kind == "InverseTransform":
            return inverted(self.transform(t._transform, f"{where} (inverse)"))
        if kind in ("IdentityTransform",):
            return []
        found = self.parts.get(kind)
        if found is None:
            raise ConversionError(f"{where}: libnf cannot take over {kind}; it can {', '.join(sorted(self.parts))}")
        self.names.append(f"{where}: {kind}")
        return found(self, t, where)

    def sized(self, columns: int, where: str) -> int:
        if self.columns and columns != self.columns:
            raise ConversionError(f"{where}: it acts on {columns} columns, the layers before on {self.columns}")
        self.columns = columns
        return columns

    def conditioned(self, context: int | None, where: str) -> None:
        """Notes how many columns of context a net takes; all nets of a flow take the same."""
        size = int(context or 0)
        if self.nets and self.context != size:
            raise ConversionError(f"{where}: its net takes {size} columns of context, nets before it {self.context}")
        self.nets += 1
        self.context = size


def no_batch_norm(block: Any, where: str) -> None:
    if getattr(block, "use_batch_norm", False) or getattr(block, "batch_norm", None) is not None:
        raise ConversionError(f"{where}: libnf's nets have no batch normalization inside of blocks")


def plain_net(walk: Walk, net: Any, where: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """The net of a coupling."""
    kind = name_of(net)
    if kind == "ResidualNet":
        walk.conditioned(net.context_features, where)
        tensors = {**under("net.input", dense(net.initial_layer)), **under("net.output", dense(net.final_layer))}
        act, dropout = "relu", 0.0
        for k, block in enumerate(net.blocks):
            no_batch_norm(block, f"{where}.blocks[{k}]")
            act, dropout = nets.activation(block.activation, where), block.dropout.p
            for j in (0, 1):
                tensors.update(under(f"net.blocks.{k}.{j}", dense(block.linear_layers[j])))
            if net.context_features is not None:
                tensors.update(under(f"net.blocks.{k}.gate", dense(block.context_layer)))
        return {"type": "residual", "hidden": [net.hidden_features], "blocks": len(net.blocks), "activation": act,
                "dropout": dropout}, tensors
    raise ConversionError(f"{where}: libnf cannot take over the net {kind}; it can ResidualNet")


def coupling(walk: Walk, t: Any, where: str, spec: dict[str, Any], extra: dict[str, Array] | None = None) -> list[Layer]:
    """A coupling: their masks are any sets of columns, so the columns that pass go first."""
    passing, moving = (numbers(f).astype(int) for f in (t.identity_features, t.transform_features))
    walk.sized(t.features, where)
    net, tensors = plain_net(walk, t.transform_net, where + ".transform_net")
    layer = Layer({**spec, "mask": "halves", "mask_count": len(moving), "net": net}, {**tensors, **(extra or {})})
    return between(np.concatenate([passing, moving]), layer)


def affine_coupling(walk: Walk, t: Any, where: str) -> list[Layer]:
    if t.unconditional_transform is not None:
        raise ConversionError(f"{where}: libnf's affine couplings have no unconditional transform")
    if getattr(t, "scale_activation", None) is not None:
        return coupling(walk, t, where, {"type": "affine_coupling", "scale": scale_of(t.scale_activation, where)})
    return coupling(walk, t, where, {"type": "affine_coupling", "scale": "sigmoid"})


def scale_of(function: Any, where: str) -> str:
    """Finds out which map a function is, from values of it."""
    import torch
    at = torch.linspace(-3, 3, 7, dtype=torch.float64)
    value = function(at)
    for name, known in (("sigmoid", torch.sigmoid(at + 2) + 1e-3),
                        ("softplus", (torch.nn.functional.softplus(at) + 1e-3).clamp(0, 3))):
        if torch.allclose(value, known, rtol=1e-12, atol=0):
            return name
    raise ConversionError(f"{where}: libnf has no such scale_activation")


def additive_coupling(walk: Walk, t: Any, where: str) -> list[Layer]:
    return coupling(walk, t, where, {"type": "additive_coupling"})


def spline_fields(t: Any, where: str) -> dict[str, Any]:
    """The fields of a rational-quadratic spline."""
    fields = {"spline": "rational_quadratic", "bins": int(t.num_bins), "convention": "nflows",
              "min_bin_width": float(t.min_bin_width), "min_bin_height": float(t.min_bin_height),
              "min_derivative": float(t.min_derivative)}
    if getattr(t, "enable_identity_init", False):
        raise ConversionError(f"{where}: enable_identity_init changes the slopes in a way that libnf does not have")
    if t.tails == "linear":
        return {**fields, "tails": "linear", "bound": float(t.tail_bound)}
    if t.tails is None:
        return {**fields, "tails": "none", "interval": [0.0, 1.0]}
    raise ConversionError(f"{where}: libnf cannot take over tails {t.tails!r}")


def spline_coupling(walk: Walk, t: Any, where: str) -> list[Layer]:
    scaled = hasattr(t.transform_net, "hidden_features") or hasattr(t.transform_net, "hidden_channels")
    spec = {"type": "spline_coupling", **spline_fields(t, where), "scale_by_width": scaled}
    extra: dict[str, Array] = {}
    free = t.unconditional_transform
    if free is not None:
        if name_of(free) != "PiecewiseRationalQuadraticCDF":
            raise ConversionError(f"{where}: libnf cannot take over the unconditional transform {name_of(free)}")
        spec["unconditional"] = True
        extra["unconditional"] = np.concatenate([numbers(p) for p in (
            free.unnormalized_widths, free.unnormalized_heights, free.unnormalized_derivatives)], axis=-1)
    return coupling(walk, t, where, spec, extra)


def made(walk: Walk, net: Any, where: str, per: list[int], places: Array | None = None) -> tuple[dict[str, Any], dict[str, Array]]:
    """A MADE. `per` says which number of a column each of libnf's is; `places` is the autoregressive order, if it is not the
    natural one: then the columns of the result are in that order."""
    columns = walk.sized(net.initial_layer.in_features, where)
    order = np.arange(columns) if places is None else np.argsort(places)
    outputs = nets.feature_major(columns, per)[(order[:, None] * len(per) + np.arange(len(per))).ravel()]
    has_context = hasattr(net, "context_layer")
    context = net.context_layer.in_features if has_context else 0
    walk.conditioned(context, where)
    for k, block in enumerate(net.blocks):
        no_batch_norm(block, f"{where}.blocks[{k}]")
    act, dropout = "relu", 0.0
    if len(net.blocks):
        act, dropout = nets.activation(net.blocks[0].activation, where), net.blocks[0].dropout.p

    def weight(m: Any) -> Array:
        return numbers(m.weight) * numbers(m.mask)
    first = numbers(net.initial_layer.degrees).astype(int)
    if any(name_of(block) != "MaskedResidualBlock" for block in net.blocks) or not getattr(net, "use_residual_blocks", True):
        if has_context or not hasattr(net, "use_residual_blocks"):
            raise ConversionError(f"{where}: use_residual_blocks=False has no equal in libnf, here or with a context")
        linears = [net.initial_layer, *(b.linear for b in net.blocks), net.final_layer]
        degrees = [numbers(m.degrees).astype(int) for m in linears[:-1]]
        act = nets.activation(net.activation, where)
        return nets.masked_mlp([weight(m) for m in linears], [numbers(m.bias) for m in linears], degrees, columns, 0, act,
                               dropout, outputs)
    ours = nets.Masked(columns, context, nets.most(first))
    to, width, last = ours.place(first), ours.width, np.arange(len(outputs))

    def moved(m: Any) -> dict[str, Array]:
        return {"weight": nets.placed(weight(m), to, width, to, width), "bias": nets.put(numbers(m.bias), to, width)}

    def of_context(m: Any) -> dict[str, Array]:
        return {"weight": nets.placed(numbers(m.weight), to, width, np.arange(context), context),
                "bias": nets.put(numbers(m.bias), to, width)}
    tensors = {"net.input.weight": nets.placed(weight(net.initial_layer)[:, order], to, width, np.arange(columns), columns),
               "net.input.bias": nets.put(numbers(net.initial_layer.bias), to, width),
               "net.output.weight": nets.placed(weight(net.final_layer)[outputs], last, len(last), to, width),
               "net.output.bias": numbers(net.final_layer.bias)[outputs]}
    if context:
        tensors.update(under("net.context", of_context(net.context_layer)))
    for k, block in enumerate(net.blocks):
        for j in (0, 1):
            tensors.update(under(f"net.blocks.{k}.{j}", moved(block.linear_layers[j])))
        if context:
            tensors.update(under(f"net.blocks.{k}.context", of_context(block.context_layer)))
    return {"type": "residual", "hidden": [width], "blocks": len(net.blocks), "activation": act, "dropout": dropout}, tensors


def masked_affine(walk: Walk, t: Any, where: str) -> list[Layer]:
    spec, tensors = made(walk, t.autoregressive_net, where, [1, 0])  # theirs: scale, shift
    return [Layer({"type": "masked_autoregressive", "scale": "softplus", "net": spec}, tensors)]


def masked_spline(walk: Walk, t: Any, where: str, places: Array | None = None) -> list[Layer]:
    net = t.autoregressive_net
    per = net.final_layer.out_features // net.initial_layer.in_features
    spec, tensors = made(walk, net, where, list(range(per)), places)
    scaled = hasattr(net, "hidden_features")
    layer = Layer({"type": "spline_autoregressive", **spline_fields(t, where), "scale_by_width": scaled, "net": spec}, tensors)
    return [layer] if places is None else between(np.argsort(places), layer)


def triangular(entries: Any, n: int, upper: bool) -> Array:
    m = np.zeros((n, n))
    m[np.triu_indices(n, 1) if upper else np.tril_indices(n, -1)] = numbers(entries)
    return m


def lu(walk: Walk, t: Any, where: str) -> list[Layer]:
    n = walk.sized(t.features, where)
    return [Layer({"type": "lu_linear", "eps": float(t.eps)}, {
        "lower": triangular(t.lower_entries, n, False), "upper": triangular(t.upper_entries, n, True),
        "diagonal": numbers(t.unconstrained_upper_diag), "bias": numbers(t.bias)})]


def naive(walk: Walk, t: Any, where: str) -> list[Layer]:
    walk.sized(t.features, where)
    return [Layer({"type": "linear"}, {"weight": numbers(t._weight), "bias": numbers(t.bias)})]


def permuted(walk: Walk, t: Any, where: str) -> list[Layer]:
    if t._dim != 1:
        raise ConversionError(f"{where}: it permutes dimension {t._dim}, libnf permutes columns")
    order = numbers(t._permutation).astype(int)
    walk.sized(len(order), where)
    return permutation(order)


def batch_norm(walk: Walk, t: Any, where: str) -> list[Layer]:
    walk.sized(len(t.bias), where)
    return [Layer({"type": "batch_norm", "eps": float(t.eps), "momentum": float(t.momentum)}, {
        "unconstrained_weight": numbers(t.unconstrained_weight), "bias": numbers(t.bias),
        "running_mean": numbers(t.running_mean), "running_mean_low": 0 * numbers(t.running_mean),
        "running_var": numbers(t.running_var), "initialized": [1]})]


def act_norm(walk: Walk, t: Any, where: str) -> list[Layer]:
    n = walk.sized(len(t.shift), where)
    return [Layer({"type": "actnorm"}, {"log_scale": numbers(t.log_scale), "shift": numbers(t.shift), "center": np.zeros(n),
                                        "initialized": [1]})]


def pointwise(walk: Walk, t: Any, where: str) -> list[Layer]:
    size = max(t._scale.numel(), t._shift.numel(), walk.columns)
    if size < 2 and not walk.columns:
        raise ConversionError(f"{where}: the number of columns is not known yet; put it behind another layer")
    return [Layer({"type": "elementwise_affine"}, {"log_scale": np.broadcast_to(np.log(numbers(t._scale)), size),
                                                   "shift": np.broadcast_to(numbers(t._shift), size)})]


PARTS: Parts = {
    "AffineCouplingTransform": affine_coupling, "AdditiveCouplingTransform": additive_coupling,
    "PiecewiseRationalQuadraticCouplingTransform": spline_coupling,
    "MaskedAffineAutoregressiveTransform": masked_affine,
    "MaskedPiecewiseRationalQuadraticAutoregressiveTransform": masked_spline,
    "LULinear": lu, "NaiveLinear": naive, "Permutation": permuted, "RandomPermutation": permuted,
    "ReversePermutation": permuted, "BatchNorm": batch_norm, "ActNorm": act_norm,
    "PointwiseAffineTransform": pointwise, "AffineTransform": pointwise,
}
