"""Nets of PyTorch as nets of libnf: multilayer perceptrons and residual nets, plain and masked."""
from __future__ import annotations

from typing import Any

import numpy as np

from libnf.arrays import Array
from libnf.convert.chain import ConversionError

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "elu": "elu", "leaky_relu": "leaky_relu", "leakyrelu": "leaky_relu",
               "silu": "silu", "gelu": "gelu", "softplus": "softplus", "selu": "selu", "celu": "celu", "mish": "mish",
               "softsign": "softsign", "hardtanh": "hardtanh", "sigmoid": "sigmoid", "swish": "silu"}
# What libnf has as constants of activations.
DEFAULTS = {"negative_slope": 0.01, "alpha": 1.0, "beta": 1.0, "threshold": 20.0, "min_val": -1.0, "max_val": 1.0}


def numbers(t: Any) -> Array:
    """The numbers of a tensor, in float64."""
    a: Array = t.detach().cpu().double().numpy()
    return a


def activation(function: Any, where: str) -> str:
    """Names an activation: a function of torch.nn.functional or a module."""
    name = getattr(function, "__name__", type(function).__name__).lower().lstrip("_")
    if name == "leakyrelu" and function.negative_slope == 0:
        return "relu"
    for attribute, value in DEFAULTS.items():
        if hasattr(function, attribute) and float(getattr(function, attribute)) != value:
            raise ConversionError(f"{where}: {attribute} of {name} is {getattr(function, attribute)}, libnf has {value}")
    if getattr(function, "approximate", "none") != "none":
        raise ConversionError(f"{where}: libnf has no approximate gelu")
    if name not in ACTIVATIONS:
        raise ConversionError(f"{where}: libnf has no activation {name}; it has {', '.join(sorted(set(ACTIVATIONS.values())))}")
    return ACTIVATIONS[name]


def name_of(module: Any) -> str:
    return type(module).__name__


def dense(module: Any) -> dict[str, Array]:
    """Weight and bias of a linear layer; a missing bias is 0."""
    w = numbers(module.weight)
    return {"weight": w, "bias": numbers(module.bias) if module.bias is not None else np.zeros(len(w))}


def under(prefix: str, tensors: dict[str, Array]) -> dict[str, Array]:
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def mlp(linears: list[Any], act: str, dropout: float = 0.0) -> tuple[dict[str, Any], dict[str, Array]]:
    """A perceptron of these linear layers, the same activation between them."""
    tensors: dict[str, Array] = {}
    for k, linear in enumerate(linears[:-1]):
        tensors.update(under(f"net.hidden.{k}", dense(linear)))
    tensors.update(under("net.output", dense(linears[-1])))
    hidden = [int(linear.weight.shape[0]) for linear in linears[:-1]]
    return {"type": "mlp", "hidden": hidden, "activation": act, "dropout": float(dropout)}, tensors


def sequential(modules: Any, where: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """A perceptron as a sequence of linear layers, activations and dropout."""
    linears: list[Any] = []
    acts: list[str] = []
    dropout = 0.0
    for i, m in enumerate(modules):
        if hasattr(m, "weight") and hasattr(m, "in_features"):
            if linears and len(acts) < len(linears):
                raise ConversionError(f"{where}: two linear layers with no activation between them")
            linears.append(m)
        elif name_of(m) == "Dropout":
            dropout = m.p
        elif name_of(m) == "Identity":
            continue
        else:
            acts.append(activation(m, f"{where}[{i}]"))
    if not linears or len(acts) != len(linears) - 1:
        raise ConversionError(f"{where}: expected linear layers with an activation between them, and none at the end")
    if len(set(acts)) > 1:
        raise ConversionError(f"{where}: the activations {', '.join(acts)} differ; libnf has one per net")
    return mlp(linears, acts[0] if acts else "relu", dropout)


class Masked:
    """Places hidden units of a masked net among those of libnf, which are sorted by degree and as many of each."""

    def __init__(self, columns: int, context: int, most: int) -> None:
        self.low = 0 if context else min(1, columns - 1)
        self.kinds = max(1, columns - self.low)
        self.width = self.kinds * most
        self.degrees = np.sort(self.low + np.arange(self.width) % self.kinds)

    def place(self, degrees: Array) -> Array:
        """Returns which of libnf's units each of theirs becomes."""
        found = np.empty(len(degrees), int)
        for degree in np.unique(degrees):
            theirs = np.flatnonzero(degrees == degree)
            found[theirs] = np.flatnonzero(self.degrees == degree)[:len(theirs)]
        return found


def most(degrees: Array) -> int:
    """How many units have the most frequent degree."""
    return int(np.bincount(degrees).max())


def placed(weight: Array, to: Array, rows: int, frm: Array, columns: int) -> Array:
    """Moves rows and columns of a weight to their places; units that are left over get 0."""
    w = np.zeros((rows, columns))
    w[np.ix_(to, frm)] = weight
    return w


def put(values: Array, to: Array, rows: int) -> Array:
    b = np.zeros(rows)
    b[to] = values
    return b


def masked_mlp(weights: list[Array], biases: list[Array], degrees: list[Array], columns: int, context: int, act: str,
               dropout: float, outputs: Array) -> tuple[dict[str, Any], dict[str, Array]]:
    """A masked perceptron. Inputs of the first weight are the context, then the columns; weights are masked already.
    `outputs` says which of their outputs each output of libnf is."""
    tensors: dict[str, Array] = {}
    frm, size, hidden = np.arange(weights[0].shape[1]), weights[0].shape[1], []
    for k, of_layer in enumerate(degrees):
        ours = Masked(columns, context, most(of_layer))
        to = ours.place(of_layer)
        tensors[f"net.hidden.{k}.weight"] = placed(weights[k], to, ours.width, frm, size)
        tensors[f"net.hidden.{k}.bias"] = put(biases[k], to, ours.width)
        frm, size = to, ours.width
        hidden.append(ours.width)
    last = np.arange(len(outputs))
    tensors["net.output.weight"] = placed(weights[-1][outputs], last, len(last), frm, size)
    tensors["net.output.bias"] = biases[-1][outputs]
    return {"type": "mlp", "hidden": hidden, "activation": act, "dropout": float(dropout)}, tensors


def feature_major(columns: int, order: list[int]) -> Array:
    """The numbers of each column, reordered: output j of column i is theirs[i][order[j]]."""
    found: Array = (np.arange(columns)[:, None] * len(order) + np.asarray(order)).ravel()
    return found
