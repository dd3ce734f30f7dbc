"""Normalizing flows for any program: train, score, sample and invert them, with exact densities.

    import libnf
    flow = libnf.Flow("auto").fit(x)          # x [n, columns]
    flow.log_prob(x), flow.sample(100)
    flow.save("flow.safetensors")

`Flow` is for nine users in ten. `Model`, `Session`, `Trainer`, `Batches`, `Table`, `Target` and `Runtime` are all of the C
library. `libnf.sklearn`, `libnf.torch`, `libnf.jax` and `libnf.convert` are imported by name.
"""
from libnf._nf import ffi as _ffi
from libnf._nf import lib as _lib
from libnf.batches import Batches
from libnf.errors import (ArgumentError, CallbackError, CancelledError, ChecksumError, Error, FileError, FormatError,
                          InternalError, NotInvertedError, NumericError, OutOfMemoryError, ShapeError, SpecError, StateError,
                          UnsupportedError, VersionError)
from libnf.flow import Flow
from libnf.infos import (CoverageInfo, Encoding, FitInfo, Importance, ImportanceInfo, LayerInfo, LogProbGrad, MetropolisInfo,
                         ModelInfo, Pullback, Pushforward, ScoreInfo, StepInfo, TargetInfo, TensorInfo)
from libnf.model import Model, parts
from libnf.options import Options, describe_options
from libnf.runtime import Runtime
from libnf.session import Session
from libnf.table import Table, save_table
from libnf.target import Target, targets
from libnf.trainer import Trainer
from libnf.weights import importance_coverage, importance_mean, importance_smooth, metropolis, score_mean

__version__ = "0.2.0"


def version() -> int:
    """Returns the version of the loaded library: major * 10000 + minor * 100 + patch."""
    return int(_lib.nf_version())


def version_string() -> str:
    """Returns the version, SIMD target and engine of the loaded library, for bug reports."""
    return str(_ffi.string(_lib.nf_version_string()).decode())


__all__ = [
    "ArgumentError", "Batches", "CallbackError", "CancelledError", "ChecksumError", "CoverageInfo", "Encoding", "Error",
    "FileError", "FitInfo", "Flow", "FormatError", "Importance", "ImportanceInfo", "InternalError", "LayerInfo", "LogProbGrad",
    "MetropolisInfo", "Model", "ModelInfo", "NotInvertedError", "NumericError", "Options", "OutOfMemoryError", "Pullback",
    "Pushforward", "Runtime", "ScoreInfo", "Session", "ShapeError", "SpecError", "StateError", "StepInfo", "Table", "Target",
    "TargetInfo", "TensorInfo", "Trainer", "UnsupportedError", "VersionError", "describe_options", "importance_coverage",
    "importance_mean", "importance_smooth", "metropolis", "parts", "save_table", "score_mean", "targets", "version",
    "version_string",
]
