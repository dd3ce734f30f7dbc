"""Flows of normflows on images: Glow and its relatives, with one scale or several (`normflows.MultiscaleFlow`).

Theirs are [channels, height, width], ours [height, width, channels]. Where a merge of theirs joins latents, ours is a split
with everything behind it inside; its latents follow those of the inner scales. Classes are a one-hot context of the base.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from libnf.arrays import Array
from libnf.convert import nets, nflows
from libnf.convert.chain import ConversionError, Layer, permutation
from libnf.convert.nets import name_of, numbers
from libnf.convert.nflows import Walk

BASES = ("DiagGaussian", "GlowBase", "ClassCondDiagGaussian")


def levels_of(flow: Any) -> tuple[list[Any], list[list[Any]], list[Any]]:
    """The bases, the flows of each level from noise to data, and the merges between them."""
    if hasattr(flow, "merges"):
        return list(flow.q0), [list(level) for level in flow.flows], list(flow.merges)
    return [flow.q0], [list(flow.flows)], []


def event_of(bases: list[Any], flows: list[list[Any]]) -> tuple[int, int, int]:
    """The shape [channels, height, width] of the data, found from the noise on."""
    shape = (0, 0, 0)
    for base, level in zip(bases, flows):
        c, h, w = (int(n) for n in base.shape)
        if shape[1:] not in ((0, 0), (h, w)):
            raise ConversionError(f"q0: images of {h} x {w} are merged with images of {shape[1]} x {shape[2]}")
        shape = (shape[0] + c, h, w)
        for t in level:
            if name_of(t) == "Squeeze":
                shape = (shape[0] // 4, shape[1] * 2, shape[2] * 2)
    return shape


def layers_of(walk: Walk, flow: Any) -> list[Layer]:
    """The layers from data to noise; a split stands before all that is inside of it."""
    bases, flows, merges = levels_of(flow)
    walk.image = event_of(bases, flows)
    walk.columns = walk.image[0]
    many = len(bases) > 1
    layers = preprocessing(getattr(flow, "transform", None))
    for k in reversed(range(len(flows))):
        for i in reversed(range(len(flows[k]))):
            layers += walk.transform(flows[k][i], f"flows[{k}][{i}]" if many else f"flows[{i}]")
        if k:
            layers += split(walk, merges[k - 1], int(bases[k].shape[0]), f"merges[{k - 1}]")
    return layers


def preprocessing(t: Any) -> list[Layer]:
    if t is None:
        return []
    if name_of(t) == "Logit":
        if not 0 <= t.alpha <= 0.1:
            raise ConversionError(f"transform: alpha is {t.alpha}, libnf has 0 to 0.1")
        return [Layer({"type": "logit", "alpha": float(t.alpha)})]
    if name_of(t) == "Shift":
        return [Layer({"type": "elementwise_affine", "per_pixel": True}, {"shift": float(t.shift), "log_scale": 0.0})]
    raise ConversionError(f"transform: libnf cannot take over {name_of(t)}; it can Logit and Shift")


def split(walk: Walk, merge: Any, leaving: int, where: str) -> list[Layer]:
    channels, height, width = walk.image or (0, 0, 0)
    staying = channels - leaving
    if name_of(merge) != "Merge" or merge.mode not in ("channel", "channel_inv"):
        raise ConversionError(f"{where}: libnf splits channels, not {getattr(merge, 'mode', name_of(merge))!r}")
    walk.names.append(f"{where}: Merge")
    walk.image, walk.columns = (staying, height, width), staying
    first = [*range(leaving, channels), *range(leaving)] if merge.mode == "channel_inv" else range(channels)
    return [*permutation(first), Layer({"type": "split", "prior": "fixed", "keep": staying})]


def glow_block(walk: Walk, block: Any, where: str) -> list[Layer]:
    return [layer for i in reversed(range(len(block.flows))) for layer in walk.transform(block.flows[i], f"{where}.flows[{i}]")]


def squeeze(walk: Walk, t: Any, where: str) -> list[Layer]:
    channels, height, width = walk.image or (0, 1, 1)
    if height % 2 or width % 2:
        raise ConversionError(f"{where}: it squeezes images, not {height} x {width}")
    walk.image, walk.columns = (4 * channels, height // 2, width // 2), 4 * channels
    return [Layer({"type": "squeeze", "factor": [2, 2]})]


def mixing(walk: Walk, t: Any, where: str) -> list[Layer]:
    """An invertible 1 x 1 convolution, also `InvertibleAffine` of columns; theirs from data to noise is z = W x."""
    walk.sized(t.num_channels, where)
    if not t.use_lu:
        return [Layer({"type": "linear", "bias": False}, {"weight": numbers(t.W)})]
    return [Layer({"type": "plu_linear", "bias": False},
                  {"lower": np.tril(numbers(t.L), -1), "upper": np.triu(numbers(t.U), 1), "log_s": numbers(t.log_S),
                   "sign": numbers(t.sign_S), "permutation": np.argmax(numbers(t.P), axis=1)})]


def conv_net(net: Any, where: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """A `ConvNet2d`. Weights stay [outputs, inputs, height, width]; `in_our_order` turns them."""
    convs: list[tuple[Array, Array]] = []
    sizes, acts = [], []
    for i, m in enumerate(net.net):
        if hasattr(m, "kernel_size"):
            k = m.kernel_size[0]
            if set(m.kernel_size) != {k} or k % 2 == 0 or set(m.padding) != {k // 2} or set(m.stride) != {1} or m.padding_mode != "zeros":
                raise ConversionError(f"{where}.net[{i}]: libnf has square kernels of odd size that keep the image's size")
            sizes.append(k)
            w = numbers(m.weight)
            convs.append((w, numbers(m.bias) if m.bias is not None else np.zeros(len(w))))
        elif name_of(m) == "ActNorm":  # scales and shifts what the convolution gives
            if not float(m.actNorm.data_dep_init_done) > 0:
                raise ConversionError(f"{where}.net[{i}]: it has seen no data yet")
            s, (w, b) = np.exp(numbers(m.actNorm.s).ravel()), convs[-1]
            convs[-1] = (w * s[:, None, None, None], b * s + numbers(m.actNorm.t).ravel())
        else:
            acts.append(nets.activation(m, f"{where}.net[{i}]"))
    if len(set(acts)) > 1 or len(convs) != len(acts) + 1:
        raise ConversionError(f"{where}: expected convolutions with the same activation between them")
    inner = set(sizes[1:-1]) or {1}
    if sizes[0] != sizes[-1] or len(inner) > 1:
        raise ConversionError(f"{where}: kernels of sizes {sizes}; libnf has one size for the first and the last, and one between")
    tensors: dict[str, Array] = {"net.output.log_scale": np.zeros(len(convs[-1][1]))}
    for k, (w, b) in enumerate(convs):
        name = "net.output" if k == len(convs) - 1 else f"net.hidden.{k}"
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = w, b
    return {"type": "conv", "hidden": [len(b) for _, b in convs[:-1]], "activation": acts[0] if acts else "relu",
            "kernel": sizes[0], "inner_kernel": inner.pop()}, tensors


def in_our_order(walk: Walk, tensors: dict[str, Array]) -> dict[str, Array]:
    """Weights of convolutions as [height, width, inputs, outputs]; the context, which only the base reads, has weights of 0."""
    found = {name: t.transpose(2, 3, 1, 0) if t.ndim == 4 else t for name, t in tensors.items()}
    if walk.image and walk.context:
        first = "net.hidden.0" if "net.hidden.0.bias" in tensors else "net.output"
        found[f"{first}.context"] = np.zeros((walk.context, len(tensors[f"{first}.bias"])))
    return found


def base_of(bases: list[Any]) -> tuple[int, Any, dict[str, Array]]:
    """How many classes the context has, the base of all latents, from the innermost scale on, and its tensors."""
    kinds = [classes_of(b) for b in bases]
    known = {k for k in kinds if k}
    if len(known) > 1:
        raise ConversionError(f"q0: bases of {' and '.join(map(str, sorted(known)))} classes")
    classes = known.pop() if known else 0
    loc, log_scale, loc_of, log_scale_of = ([] for _ in range(4))  # type: ignore[var-annotated]
    for k, base in enumerate(bases):
        if name_of(base) not in BASES:
            raise ConversionError(f"q0[{k}]: libnf cannot take over {name_of(base)}; it can {', '.join(BASES)}")
        shape = tuple(int(n) for n in base.shape)
        for values, of_class, name in ((loc, loc_of, "loc"), (log_scale, log_scale_of, "log_scale")):
            a, size = numbers(getattr(base, name)), int(np.prod(shape))
            if name_of(base) == "ClassCondDiagGaussian":
                values.append(np.zeros(size))
                of_class.append(a.transpose(1, 2, 0, 3).reshape(size, classes))
                continue
            if name_of(base) == "GlowBase":
                logs = getattr(base, "loc_logs" if name == "loc" else "log_scale_logs")
                a = a * np.exp(numbers(logs) * base.logscale_factor)
            values.append(np.broadcast_to(a.reshape(a.shape[1:]), shape).transpose(1, 2, 0).ravel())
            add = np.zeros((*shape, classes))
            if kinds[k]:
                add += numbers(getattr(base, name + "_cc")).T[:, None, None, :]
            of_class.append(add.transpose(1, 2, 0, 3).reshape(size, classes))
    tensors = {"loc": np.concatenate(loc), "log_scale": np.concatenate(log_scale)}
    if not classes:
        return 0, "diagonal_normal", tensors
    weight = np.concatenate([np.concatenate(loc_of), np.concatenate(log_scale_of)])
    return classes, {"type": "diagonal_normal", "parameters": "context", "net": {"type": "mlp", "hidden": []}}, {
        **tensors, "net.output.weight": weight, "net.output.bias": np.zeros(len(weight))}


def classes_of(base: Any) -> int:
    return int(getattr(base, "num_classes", None) or 0)


PARTS: nflows.Parts = {"GlowBlock": glow_block, "Squeeze": squeeze, "Invertible1x1Conv": mixing, "InvertibleAffine": mixing}
