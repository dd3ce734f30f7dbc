"""Imports trained flows of nflows, zuko and normflows: `from_nflows(flow).model` is a `libnf.Model` with the same density.

Each function walks the layers, refuses with ConversionError what has no equal in libnf, and compares log_prob and the inverse
on random rows. `libnf.convert` imports none of those packages; it looks at the objects that it is given.
"""
from __future__ import annotations

from typing import Any

from libnf.convert.chain import Conversion, ConversionError


def from_nflows(flow: Any, *, dtype: str | None = None, rows: int = 1000, tolerance: float | None = None) -> Conversion:
    """Converts an `nflows.flows.Flow`: RealNVP, NICE, MAF, IAF, neural splines, with residual nets and MADEs.

    dtype : "float32" or "float64" of the model; None is that of the flow's parameters
    rows : random rows that log_prob is compared on
    tolerance : largest difference of log_prob that is accepted, relative to 1 + |log_prob|, with both sides in float64; None is
        1e-6, or 1e-3 where the flow can only be evaluated in float32
    """
    from libnf.convert import nflows
    return nflows.convert(flow, dtype, rows, tolerance)


def from_zuko(flow: Any, *, dtype: str | None = None, rows: int = 1000, tolerance: float | None = None) -> Conversion:
    """Converts a `zuko.flows.Flow`: MAF and NSF. Parameters as of `from_nflows`."""
    from libnf.convert import zuko
    return zuko.convert(flow, dtype, rows, tolerance)


def from_normflows(flow: Any, *, dtype: str | None = None, rows: int = 1000, tolerance: float | None = None) -> Conversion:
    """Converts a `normflows.NormalizingFlow` (RealNVP, MAF, neural splines, linear layers) or `MultiscaleFlow` (Glow, whose images
    [channels, height, width] become [height, width, channels], and whose classes a one-hot context). Parameters as of
    `from_nflows`."""
    from libnf.convert import normflows
    return normflows.convert(flow, dtype, rows, tolerance)


__all__ = ["Conversion", "ConversionError", "from_nflows", "from_normflows", "from_zuko"]
