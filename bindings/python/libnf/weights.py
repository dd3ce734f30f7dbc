"""Importance weights, means of scores, and Markov chains: functions of arrays."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from libnf import _call, runtime
from libnf import options as _options
from libnf._nf import ffi, lib
from libnf.arrays import F64, Array, ArrayLike, read, write
from libnf.errors import raise_from
from libnf.infos import CoverageInfo, MetropolisInfo, ScoreInfo

if TYPE_CHECKING:
    from libnf.latent import Latents
    from libnf.target import Target


def importance_mean(log_weight: ArrayLike, values: ArrayLike) -> tuple[Array, Array]:
    """Estimates means [k] of values [n, k] under the target, with standard errors, from weights of `Model.importance`."""
    wv, _w = read(log_weight, "log_weight")
    vv, va = read(np.asarray(values).reshape(-1, 1) if np.ndim(values) == 1 else values, "values")
    k = va.shape[1] if va is not None and va.ndim == 2 else 0
    mv, ma = write(None, "mean", (k,), F64)
    ev, ea = write(None, "error", (k,), F64)
    _call.call(lib.nf_importance_mean, wv, vv, mv, ev)
    return ma, ea


def importance_smooth(log_weight: ArrayLike) -> tuple[Array, float]:
    """Pareto smoothed importance sampling: returns smoothed log weights [n] and Pareto k."""
    wv, wa = read(log_weight, "log_weight")
    sv, sa = write(None, "smoothed", wa.shape if wa is not None else (0,), F64)
    k = ffi.new("double *")
    _call.call(lib.nf_importance_smooth, wv, sv, k)
    return sa, k[0]


def importance_coverage(log_weight: ArrayLike, target_log_weight: ArrayLike) -> CoverageInfo:
    """Compares weights of samples with weights log p - log q at rows of the target: which part do the samples miss?"""
    wv, _w = read(log_weight, "log_weight")
    tv, _t = read(target_log_weight, "target_log_weight")
    info = _call.struct("nf_coverage_info")
    _call.call(lib.nf_importance_coverage, wv, tv, info)
    return _call.filled("nf_coverage_info", CoverageInfo, info)


def score_mean(log_prob: ArrayLike, weight: ArrayLike = None) -> ScoreInfo:
    """Returns the weighted mean of log_prob [n] and its standard error; rows of density 0 are counted apart."""
    lv, _l = read(log_prob, "log_prob")
    wv, _w = read(weight, "weight")
    info = _call.struct("nf_score_info")
    _call.call(lib.nf_score_mean, lv, wv, info)
    return _call.filled("nf_score_info", ScoreInfo, info)


def metropolis(target: Target, draws: int, chains: int = 1, *, proposal: Latents | None = None, start: ArrayLike = None,
               context: ArrayLike = None, runtime: runtime.Runtime | None = None,
               **options: Any) -> tuple[Array, MetropolisInfo]:
    """Runs Markov chains on a target. Returns states [draws, chains, event_size] in float64, and what happened.

    proposal : a Model or Session that proposes states; None: random walks with steps of size `step_size`
    start : [chains, event_size]; None: standard normal rows, or samples of the proposal
    options : step_size, burn_in, thin, seed
    """
    o = _options.from_keywords(["metropolis"], options)
    sv, _s = read(start, "start")
    cv, _c = read(context, "context")
    ov, oa = write(None, "out", (draws, chains, target.info.event_size), F64)
    info = _call.struct("nf_metropolis_info")
    slot = None if proposal is None else proposal._enter()
    err = _call.new_error()
    try:
        status = lib.nf_metropolis(_of(runtime), target._handle(), _call.NULL if slot is None else slot.h, _options.handle(o),
                                   sv, cv, ov, info, err)
    finally:
        if proposal is not None and slot is not None:
            proposal._leave(slot)
    target._box.reraise()
    if status:
        raise_from(err)
    return oa, _call.filled("nf_metropolis_info", MetropolisInfo, info)


def _of(given: runtime.Runtime | None) -> Any:
    return runtime.of(given)
