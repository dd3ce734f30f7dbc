"""Targets: densities known up to a factor, to fit a flow to, to weight samples by, and to run Markov chains on."""
from __future__ import annotations

import json
from typing import Any, Callable, Mapping

import numpy as np

from libnf import _call, callbacks, runtime
from libnf._nf import lib
from libnf.arrays import Array, ArrayLike, read, write
from libnf.infos import TargetInfo

# Given x [n, columns], or x and context, returns log densities [n], or (log densities, gradients as x).
Density = Callable[..., Any]


class Target(_call.Handle):
    """A density: `Target("banana", 2)`, `Target({"type": "u1", "radius": 4}, 2)`, or a function, `Target(f, 2)`.

    Parameters
    ----------
    density : the name or spec of a built-in target, which `libnf.targets()` lists, or a function. The function gets
        x [n, event_size] and, with `context=True`, the context rows or None. It returns the log-density [n], up to a constant,
        or a tuple of it and its gradient, as x, which training with "reverse_kl" and other objectives needs.
    event_size : number of columns of x
    double : give the function float64 whatever the dtype of the model

    What the function raises is raised by the call that runs it. It must not keep x.
    """

    def __init__(self, density: str | Mapping[str, Any] | Density, event_size: int, *, double: bool = True,
                 context: bool = False, runtime: runtime.Runtime | None = None) -> None:
        if callable(density):
            self._box = callbacks.Box(_adapter(density, context))
            self._h = _call.create(
                "nf_target", lib.nf_target_free,
                lib.nf_target_create_callback_f64 if double else lib.nf_target_create_callback, _of(runtime), event_size,
                lib.libnf_on_target, self._box.handle)
        else:
            self._box = callbacks.Box(_nothing)
            text = (density if isinstance(density, str) else json.dumps(density)).encode()
            self._h = _call.create("nf_target", lib.nf_target_free, lib.nf_target_create, _of(runtime), text, len(text),
                                   event_size)

    @property
    def info(self) -> TargetInfo:
        """Whether it is built in, its columns, and log Z if that is known."""
        s = _call.struct("nf_target_info")
        _call.call(lib.nf_target_get_info, self._handle(), s)
        return _call.filled("nf_target_info", TargetInfo, s)

    def log_density(self, x: ArrayLike, context: ArrayLike = None, *, gradient: bool = False) -> Any:
        """Returns log densities [n] in float64, with `gradient` a tuple of them and their gradients [n, event_size]."""
        xv, xa = read(x, "x")
        cv, _c = read(context, "context")
        n = xa.shape[0] if xa is not None and xa.ndim else 0
        ov, oa = write(None, "log_density", (n,), np.float64)
        gv, ga = write(None, "gradient", xa.shape if xa is not None else (0,), np.float64) if gradient else (_call.NULL, None)
        _call.guarded(self._box, lib.nf_target_log_density, self._handle(), xv, cv, ov, gv)
        return (oa, ga) if gradient else oa

    def __repr__(self) -> str:
        if self.closed:
            return "<libnf.Target closed>"
        i = self.info
        return f"<libnf.Target {'built in' if i.builtin else 'of a function'}, {i.event_size} columns>"


def _nothing(*_: Any) -> int:
    return 0


def _adapter(density: Density, with_context: bool) -> Callable[..., int]:
    """Returns what C calls: it runs the function and copies its results to memory of the library."""
    def run(x: Array, context: Array | None, log_density: Array, gradient: Array | None) -> int:
        x.flags.writeable = False
        result = density(x, context) if with_context else density(x)
        values, slopes = result if isinstance(result, tuple) else (result, None)
        values = np.asarray(values)
        if values.shape not in ((len(x),), (len(x), 1)):
            raise ValueError(f"the target returned log densities of shape {values.shape}: expected ({len(x)},)")
        log_density[:] = values.reshape(len(x))
        if gradient is not None:
            if slopes is None:
                raise ValueError("the target returned no gradient: return (log_density, gradient) for this objective")
            slopes = np.asarray(slopes)
            if slopes.shape != gradient.shape:
                raise ValueError(f"the target returned a gradient of shape {slopes.shape}: expected {gradient.shape}")
            gradient[:] = slopes
        return 0
    return run


def targets() -> list[dict[str, Any]]:
    """Lists the built-in targets: name, formula, source, fields, and how many columns they can have."""
    found: list[dict[str, Any]] = _call.described(lib.nf_targets_describe())
    return found


def _of(given: runtime.Runtime | None) -> Any:
    return runtime.of(given)
