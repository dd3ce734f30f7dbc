"""normflows (Stimper et al.). Its forward maps noise to data, so its flows are converted from the last to the first, each
with its `inverse`; the parts taken from nsf are those of nflows."""
from __future__ import annotations

from typing import Any

import numpy as np

from libnf.arrays import Array
from libnf.convert import images, nets, nflows
from libnf.convert.chain import Conversion, ConversionError, Layer, between, finish, permutation
from libnf.convert.nets import name_of, numbers
from libnf.convert.nflows import Walk


def convert(flow: Any, dtype: str | None, rows: int, tolerance: float | None) -> Conversion:
    """See libnf.convert.from_normflows."""
    walk = Walk({**PARTS, **images.PARTS})
    first = flow.q0[0] if hasattr(flow, "merges") else flow.q0
    event: Any
    base: Any
    if len(first.shape) == 3:
        channels, height, width = images.event_of(*images.levels_of(flow)[:2])
        event = [height, width, channels]
        walk.context, base, tensors = images.base_of(images.levels_of(flow)[0])
        layers = images.layers_of(walk, flow)
    elif len(first.shape) == 1 and not hasattr(flow, "merges"):
        base, tensors = base_of(flow.q0)
        event = walk.columns = int(flow.q0.shape[0])
        layers = [layer for i in reversed(range(len(flow.flows))) for layer in walk.transform(flow.flows[i], f"flows[{i}]")]
    else:
        raise ConversionError(f"q0: rows of shape {tuple(first.shape)} are not taken over, only columns and images")
    parameters = list(flow.parameters())
    kind = dtype or ("float64" if parameters and parameters[0].dtype.itemsize == 8 else "float32")
    spec = {"event": event, "context": walk.context, "base": base}
    return finish(spec, layers, tensors, kind, walk.names, flow, log_prob, rows, tolerance)


def log_prob(flow: Any, x: Array, context: Array | None) -> Array:
    """Scores rows with the flow as in evaluation."""
    import torch  # type: ignore[import-not-found, unused-ignore]
    like = next(iter(flow.parameters()))
    training = flow.training
    flow.eval()
    try:
        with torch.no_grad():
            rows = torch.tensor(x, dtype=like.dtype)
            more = () if context is None else (torch.as_tensor(context, dtype=like.dtype),)
            if hasattr(flow, "merges") or len(flow.q0.shape) == 3:
                channels, height, width = images.event_of(*images.levels_of(flow)[:2])
                rows = rows.reshape(-1, height, width, channels).permute(0, 3, 1, 2).contiguous()
            if hasattr(flow, "merges") and not more:
                more = (None,)
            found: Array = flow.log_prob(rows, *more).double().numpy()
            return found
    finally:
        flow.train(training)


def base_of(base: Any) -> tuple[str, dict[str, Array]]:
    """The base and its tensors."""
    if name_of(base) != "DiagGaussian":
        raise ConversionError(f"q0: libnf cannot take over {name_of(base)}; it can DiagGaussian")
    return "diagonal_normal", {"loc": numbers(base.loc).ravel(), "log_scale": numbers(base.log_scale).ravel()}


def perceptron(net: Any, where: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """A net of shifts and scales: normflows.nets.MLP, a sequence of PyTorch, or ConvNet2d."""
    if name_of(net) == "ConvNet2d":
        return images.conv_net(net, where)
    return nets.sequential(getattr(net, "net", net), where)


def coupling(walk: Walk, block: Any, where: str) -> list[Layer]:
    split, inner = block.flows[0], block.flows[1]
    if not walk.image:
        walk.conditioned(0, where)
    half = (walk.columns + 1) // 2
    first, second = np.arange(half), np.arange(half, walk.columns)
    if split.mode not in ("channel", "channel_inv"):
        raise ConversionError(f"{where}: split_mode {split.mode!r} makes an image of half the width, which no mask of libnf does")
    passing, moving = (first, second) if split.mode == "channel" else (second, first)
    net, tensors = perceptron(inner.param_map, f"{where}.param_map")
    m = len(moving)
    if not inner.scale:
        spec = {"type": "additive_coupling", "invert": True}
    else:  # theirs: shift and scale of each column; libnf: all shifts, then all scales
        to = np.concatenate([np.arange(m) * 2, np.arange(m) * 2 + 1])
        for part in ("weight", "bias"):
            tensors[f"net.output.{part}"] = tensors[f"net.output.{part}"][to]
        if inner.scale_map == "exp":
            spec = {"type": "affine_coupling", "scale": "exp", "invert": True}
        elif inner.scale_map == "sigmoid_inv":
            raise ConversionError(f"{where}: scale_map 'sigmoid_inv' has no equal in libnf")
        else:
            spec = {"type": "affine_coupling", "scale": "plain_sigmoid", "shift_first": True}
            for part in ("weight", "bias"):  # their inverse subtracts the shift
                tensors[f"net.output.{part}"] = np.concatenate(
                    [-tensors[f"net.output.{part}"][:m], tensors[f"net.output.{part}"][m:]])
    mask = "channel" if walk.image else "halves"
    layer = Layer({**spec, "mask": mask, "mask_count": m, "net": net}, images.in_our_order(walk, tensors))
    return between(np.concatenate([passing, moving]), layer)


def masked_affine_flow(walk: Walk, t: Any, where: str) -> list[Layer]:
    """Two nets of all columns, most of them 0, become one net of the columns that pass."""
    walk.conditioned(0, where)
    b = numbers(t.b).ravel()
    if set(np.unique(b)) - {0.0, 1.0}:
        raise ConversionError(f"{where}: its mask has numbers other than 0 and 1")
    passing, moving = np.flatnonzero(b == 1), np.flatnonzero(b == 0)
    parts = [perceptron(n, f"{where}.{name}") if hasattr(n, "parameters") else None for name, n in (("t", t.t), ("s", t.s))]
    there = [p for p in parts if p is not None]
    if not there:
        return []
    if any(p[0]["activation"] != there[0][0]["activation"] or len(p[0]["hidden"]) != len(there[0][0]["hidden"]) for p in there):
        raise ConversionError(f"{where}: the nets s and t differ in depth or activation; libnf has one net for both")
    depth = len(there[0][0]["hidden"])
    tensors: dict[str, Array] = {}
    for k in range(depth + 1):
        name = "net.output" if k == depth else f"net.hidden.{k}"
        weights = [p[1][f"{name}.weight"] for p in there]
        biases = [p[1][f"{name}.bias"] for p in there]
        if k == 0:
            weights = [w[:, passing] for w in weights]
        if k == depth:
            weights, biases = [w[moving] for w in weights], [v[moving] for v in biases]
        w = np.concatenate(weights) if k == 0 else diagonal(weights)
        v = np.concatenate(biases)
        if k == depth and len(there) == 1:  # the net that is missing gives 0
            zero = np.zeros((len(moving), w.shape[1]))
            w, v = ((np.concatenate([w, zero]), np.concatenate([v, zero[:, 0]])) if parts[1] is None else
                    (np.concatenate([zero, w]), np.concatenate([zero[:, 0], v])))
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = w, v
    hidden = [int(tensors[f"net.hidden.{k}.bias"].shape[0]) for k in range(depth)]
    net = {"type": "mlp", "hidden": hidden, "activation": there[0][0]["activation"]}
    layer = Layer({"type": "affine_coupling", "scale": "exp", "invert": True, "mask": "halves", "mask_count": len(moving),
                   "net": net}, tensors)
    return between(np.concatenate([passing, moving]), layer)


def diagonal(blocks: list[Array]) -> Array:
    """A matrix of blocks along the diagonal."""
    found = np.zeros((sum(b.shape[0] for b in blocks), sum(b.shape[1] for b in blocks)))
    row = column = 0
    for b in blocks:
        found[row:row + b.shape[0], column:column + b.shape[1]] = b
        row, column = row + b.shape[0], column + b.shape[1]
    return found


def places_of(net: Any) -> Array | None:
    """The autoregressive order of a MADE; None if it is the natural one."""
    columns = net.initial_layer.in_features
    degrees = numbers(net.final_layer.degrees).astype(int)[::net.final_layer.out_features // columns]
    return None if np.array_equal(degrees, np.sort(degrees)) else degrees


def no_context(net: Any, where: str) -> None:
    if hasattr(net, "context_layer"):
        raise ConversionError(f"{where}: its masked net adds a context without an activation, which libnf does not have")
    if name_of(getattr(net, "preprocessing", None)) not in ("Identity", "NoneType"):
        raise ConversionError(f"{where}: periodic features are not taken over")


def spline_coupling(walk: Walk, t: Any, where: str) -> list[Layer]:
    if getattr(t.prqct.transform_net, "preprocessing", None) is not None or not isinstance(t.prqct.tails, (str, type(None))):
        raise ConversionError(f"{where}: circular columns are not taken over")
    return nflows.spline_coupling(walk, t.prqct, where)


def masked_spline(walk: Walk, t: Any, where: str) -> list[Layer]:
    inner = t.mprqat
    no_context(inner.autoregressive_net, where)
    return nflows.masked_spline(walk, inner, where, places_of(inner.autoregressive_net))


def masked_affine(walk: Walk, t: Any, where: str) -> list[Layer]:
    """Their forward, noise to data, is a pass of the net: an inverse autoregressive flow."""
    no_context(t.autoregressive_net, where)
    spec, tensors = nflows.made(walk, t.autoregressive_net, where, [1, 0])
    return [Layer({"type": "masked_autoregressive", "scale": "sigmoid", "invert": True, "net": spec}, tensors)]


def lu_permute(walk: Walk, t: Any, where: str) -> list[Layer]:
    return [*nflows.permuted(walk, t.permutation, where), *nflows.lu(walk, t.linear, where)]


def permute(walk: Walk, t: Any, where: str) -> list[Layer]:
    if t.mode == "shuffle":
        return permutation(numbers(t.inv_perm).astype(int))
    half = (t.num_channels + 1) // 2
    return permutation([*range(half, t.num_channels), *range(half)])


def constant(walk: Walk, t: Any, where: str) -> list[Layer]:
    if name_of(t) == "ActNorm" and not float(t.data_dep_init_done) > 0:
        raise ConversionError(f"{where}: it has seen no data yet")
    pixels = {"per_pixel": True} if walk.image else {}
    return [Layer({"type": "elementwise_affine", "invert": True, **pixels}, {"log_scale": numbers(t.s).ravel(), "shift": numbers(t.t).ravel()})]


PARTS: nflows.Parts = {
    "AffineCouplingBlock": coupling, "MaskedAffineFlow": masked_affine_flow, "MaskedAffineAutoregressive": masked_affine,
    "CoupledRationalQuadraticSpline": spline_coupling, "AutoregressiveRationalQuadraticSpline": masked_spline,
    "LULinearPermute": lu_permute, "Permute": permute, "ActNorm": constant, "AffineConstFlow": constant,
}
