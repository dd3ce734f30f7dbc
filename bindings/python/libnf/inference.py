"""Scoring, mapping, sampling and gradients: what models and sessions have in common."""
from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np

from libnf import _call, gate
from libnf._nf import ffi, lib
from libnf.arrays import F32, F64, Array, ArrayLike, apart, read, write, wrong
from libnf.errors import raise_from
from libnf.infos import LogProbGrad, ModelInfo, Pullback, Pushforward

Direction = Literal["forward", "inverse"]
NULL = ffi.NULL
_from_buffer, _empty, _ndarray = ffi.from_buffer, np.empty, np.ndarray
_fast_log_prob = lib.libnf_log_prob


class Slot:
    """A session of the library and the error struct of its calls."""

    __slots__ = ("h", "err", "number")

    def __init__(self, h: Any) -> None:
        self.h = h
        self.err = _call.new_error()
        self.number = ffi.new("double *")


def direction_code(direction: str) -> int:
    """Returns the number of a direction."""
    if direction not in ("forward", "inverse"):
        raise ValueError(f'direction is {direction!r}: expected "forward" or "inverse"')
    return int(lib.NF_FORWARD if direction == "forward" else lib.NF_INVERSE)


class Inference(_call.Handle):
    """Methods on rows. `x` is [n, event_size], or [n, height, width, channels] for images; `context` is [n, context_size], or
    [1, context_size] for all rows, or None for a model without context. Rows are float32, float64 or uint8 with any strides.
    Results have the dtype of the model unless `out` is given. A row's result never depends on other rows or on threads."""

    info: ModelInfo
    _gate: gate.Gate
    _code: int  # the dtype of the model, as a number
    _dtype: Any

    def _enter(self) -> Slot:
        raise NotImplementedError

    def _leave(self, slot: Slot) -> None:
        raise NotImplementedError

    def _run(self, function: Any, *arguments: Any) -> None:
        slot = self._enter()
        try:
            if function(slot.h, *arguments, slot.err):
                raise_from(slot.err)
        finally:
            self._leave(slot)

    def log_prob(self, x: ArrayLike, context: ArrayLike = None, *, out: Any = None) -> Array:
        """Computes the log-density [n] of every row, in nats. -inf outside of the support, nan only for rows with nan."""
        if type(x) is _ndarray and context is None and out is None:
            kind = x.dtype
            code = 1 if kind is F32 else 2 if kind is F64 else 0
            if code:
                try:
                    n, columns = x.shape
                    memory = _from_buffer(x)
                except (ValueError, BufferError):  # it is strided, or has another rank
                    pass
                else:
                    slot = self._enter()
                    try:
                        result: Array = _empty(n, self._dtype)
                        if _fast_log_prob(slot.h, code, memory, n, columns, self._code, _from_buffer(result), slot.err):
                            raise_from(slot.err)
                    finally:
                        self._leave(slot)
                    return result
        xv, xa = read(x, "x")
        cv, ca = read(context, "context")
        ov, oa = write(out, "out", (_rows(xa, "x"),), self.info.dtype)
        apart(oa, "out", xa, ca)
        self._run(lib.nf_log_prob, xv, cv, ov)
        return oa

    def log_prob_row(self, x: Any, context: Any = None) -> float:
        """Computes log_prob of one row, given as a sequence of numbers."""
        row, size = _numbers(x)
        if size != self.info.event_size:
            raise wrong(f"x has {size} numbers: expected {self.info.event_size}")
        ctx, size = (NULL, 0) if context is None else _numbers(context)
        if size != self.info.context_size:
            raise wrong(f"context has {size} numbers: expected {self.info.context_size}")
        slot = self._enter()
        try:
            if lib.nf_log_prob_row(slot.h, row, ctx, slot.number, slot.err):
                raise_from(slot.err)
            return slot.number[0]  # type: ignore[no-any-return]
        finally:
            self._leave(slot)

    def _map(self, function: Any, rows: ArrayLike, context: ArrayLike, out: Any, log_det: Any, event: tuple[int, ...],
             name: str) -> tuple[Array, Array]:
        xv, xa = read(rows, name)
        cv, ca = read(context, "context")
        n = _rows(xa, name)
        shape = (n, int(np.prod(event))) if xa is not None and xa.ndim == 2 else (n, *event)
        ov, oa = write(out, "out", shape, self.info.dtype)
        lv, la = write(log_det, "log_det", (n,), self.info.dtype)
        apart(oa, "out", xa, ca, la)
        apart(la, "log_det", xa, ca)
        self._run(function, xv, cv, ov, lv)
        return oa, la

    def forward(self, x: ArrayLike, context: ArrayLike = None, *, out: Any = None, log_det: Any = None) -> tuple[Array, Array]:
        """Maps data x to latents z. Returns z and log_det [n] = log |det dz/dx|, in nats."""
        return self._map(lib.nf_forward, x, context, out, log_det, self.info.latent, "x")

    def inverse(self, z: ArrayLike, context: ArrayLike = None, *, out: Any = None, log_det: Any = None) -> tuple[Array, Array]:
        """Maps latents z to data x. Returns x and log_det [n] = log |det dx/dz|, in nats."""
        return self._map(lib.nf_inverse, z, context, out, log_det, self.info.event, "z")

    def trace(self, rows: ArrayLike, context: ArrayLike = None, *, direction: Direction = "forward") -> tuple[Array, Array]:
        """Returns the rows before, between and after all layers, [layer_count + 1, n, columns], and what each layer adds to
        log_det, [layer_count, n]."""
        xv, xa = read(rows, "rows")
        cv, _ = read(context, "context")
        n, layers = _rows(xa, "rows"), self.info.layer_count
        assert xa is not None
        flat = xa.ndim <= 2
        shape = (layers + 1, n, self.info.event_size) if flat else (layers + 1, n, *self.info.event)
        ov, oa = write(None, "out", shape, self.info.dtype)
        lv, la = write(None, "log_det", (layers, n), self.info.dtype)
        self._run(lib.nf_trace, direction_code(direction), xv, cv, ov, lv)
        return oa, la

    def sample(self, n: int, seed: int = 0, context: ArrayLike = None, *, first: int = 0, repeat: int = 1,
               temperature: float = 1.0, out: Any = None, log_prob: Any = None) -> Array:
        """Draws samples first .. first + n - 1 of the stream `seed`: [n, event_size], or images.

        With repeat = m, each row of the context has m samples. `temperature` multiplies the base's deviation from its mean.
        `log_prob` [n], if given, receives the log-density of the samples.
        """
        cv, ca = read(context, "context")
        ov, oa = write(out, "out", (_count(n), *self.info.event), self.info.dtype)
        if oa.ndim and oa.shape[0] != n:
            raise wrong(f"out has {oa.shape[0]} rows: expected {n}")
        lv, la = (NULL, None) if log_prob is None else write(log_prob, "log_prob", (n,), F64)
        apart(oa, "out", ca, la)
        self._run(lib.nf_sample, sampling(seed, first, repeat, temperature), cv, ov, lv)
        return oa

    # ---- gradients with respect to rows --------------------------------------------------------------------------------

    def log_prob_grad(self, x: ArrayLike, context: ArrayLike = None) -> LogProbGrad:
        """Computes log_prob [n] and its gradients with respect to x and to each row's context."""
        xv, xa = read(x, "x")
        cv, ca = read(context, "context")
        n = _rows(xa, "x")
        assert xa is not None
        lv, la = write(None, "log_prob", (n,), self.info.dtype)
        dv, da = write(None, "dx", xa.shape, self.info.dtype)
        gv, ga = self._context_out(n, ca)
        self._run(lib.nf_log_prob_grad, xv, cv, lv, dv, gv)
        return LogProbGrad(la, da, ga)

    def grad(self, x: ArrayLike, context: ArrayLike = None) -> Array:
        """Computes the gradient of log_prob with respect to x, the score function: as x."""
        return self.log_prob_grad(x, context).dx

    def vjp(self, rows: ArrayLike, cotangent: ArrayLike = None, cotangent_log_det: ArrayLike = None,
            context: ArrayLike = None, *, direction: Direction = "forward") -> Pullback:
        """Pulls cotangents of the results of `forward` or `inverse` back to its inputs; None stands for zeros."""
        d = direction_code(direction)
        xv, xa = read(rows, "rows")
        cv, ca = read(context, "context")
        tv, _t = read(cotangent, "cotangent")
        lv, _l = read(cotangent_log_det, "cotangent_log_det")
        n = _rows(xa, "rows")
        assert xa is not None
        ov, oa = write(None, "to", self._shape_to(d, n, xa), self.info.dtype)
        ldv, lda = write(None, "log_det", (n,), self.info.dtype)
        fv, fa = write(None, "d_from", xa.shape, self.info.dtype)
        gv, ga = self._context_out(n, ca)
        self._run(lib.nf_vjp, d, xv, cv, tv, lv, ov, ldv, fv, gv)
        return Pullback(oa, lda, fa, ga)

    def jvp(self, rows: ArrayLike, tangent: ArrayLike = None, tangent_context: ArrayLike = None, context: ArrayLike = None,
            *, direction: Direction = "forward") -> Pushforward:
        """Pushes tangents of the inputs of `forward` or `inverse` to its results; None stands for zeros."""
        d = direction_code(direction)
        xv, xa = read(rows, "rows")
        cv, _c = read(context, "context")
        tv, _t = read(tangent, "tangent")
        tcv, _tc = read(tangent_context, "tangent_context")
        n = _rows(xa, "rows")
        assert xa is not None
        shape = self._shape_to(d, n, xa)
        ov, oa = write(None, "to", shape, self.info.dtype)
        lv, la = write(None, "log_det", (n,), self.info.dtype)
        tov, toa = write(None, "tan_to", shape, self.info.dtype)
        tlv, tla = write(None, "tan_log_det", (n,), self.info.dtype)
        self._run(lib.nf_jvp, d, xv, cv, tv, tcv, ov, lv, tov, tlv)
        return Pushforward(oa, la, toa, tla)

    def _shape_to(self, direction: int, n: int, rows: Array) -> tuple[int, ...]:
        event = self.info.latent if direction == lib.NF_FORWARD else self.info.event
        return (n, int(np.prod(event))) if rows.ndim == 2 else (n, *event)

    def _context_out(self, n: int, context: Array | None) -> tuple[Any, Array | None]:
        return (NULL, None) if context is None else write(None, "dctx", (n, self.info.context_size), self.info.dtype)


def _rows(a: Array | None, name: str) -> int:
    if a is None or not a.ndim:
        raise wrong(f"{name} is {'missing' if a is None else 'a single number'}: expected rows")
    return int(a.shape[0])


def _count(n: int) -> int:
    if n < 0:
        raise wrong(f"n is {n}: expected 0 or more")
    return n


def _numbers(row: Any) -> tuple[Any, int]:
    """Returns numbers as what C takes, and how many."""
    if type(row) is list or type(row) is tuple:
        return row, len(row)
    a = np.ascontiguousarray(row, F64)
    return ffi.from_buffer("double[]", a), a.size


def sampling(seed: int, first: int = 0, repeat: int = 1, temperature: float = 1.0) -> Any:
    """Returns an nf_sampling."""
    if not 0 <= seed < 2**64 or not 0 <= first < 2**64:
        raise ValueError(f"seed {seed} and first {first} must be in 0 .. 2**64 - 1")
    if temperature == 0:
        temperature = 5e-324  # 0 stands for 1 in the library
    return _call.struct("nf_sampling", seed=seed, first_index=first, repeat=repeat, temperature=temperature)


def parsed(data: bytes) -> Any:
    return json.loads(data.decode("utf-8"))
