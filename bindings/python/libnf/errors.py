"""The exceptions of libnf: one class per status of nf.h, each also a class of Python that fits."""
from __future__ import annotations

from typing import Any, NoReturn

from libnf._nf import ffi, lib


class Error(Exception):
    """What every failed call raises.

    Attributes
    ----------
    status : name of the status, such as "NF_ERR_SHAPE"
    row : the first row at fault of the batch that the call was given, or None
    layer : the layer at fault, an index for `Model.layers`, or None
    os_errno : errno of the operating system for `FileError`, otherwise 0
    """

    status: str = "NF_ERR_UNKNOWN"
    row: int | None = None
    layer: int | None = None
    os_errno: int = 0


class ArgumentError(Error, ValueError):
    """A bad flag, index or name."""


class StateError(Error, RuntimeError):
    """A valid call at the wrong time, such as on a closed object or one that another thread is using."""


class ShapeError(Error, ValueError):
    """An array has the wrong dtype, rank or extents."""


class SpecError(Error, ValueError):
    """The model spec or an option is invalid."""


class OutOfMemoryError(Error, MemoryError):
    """There is no memory left, or the limit of the runtime was reached."""


class FileError(Error, OSError):
    """The operating system refused to read or write; `os_errno` says why."""


class FormatError(Error, ValueError):
    """The file is not in the expected format."""


class ChecksumError(Error, ValueError):
    """The file is well formed, but its content changed."""


class VersionError(Error, ImportError):
    """The file is newer than this library."""


class NumericError(Error, ArithmeticError):
    """NaN or infinity in a loss, a gradient, a parameter or a row."""


class NotInvertedError(Error, ArithmeticError):
    """A numerical inverse missed its tolerance."""


class CancelledError(Error):
    """A callback asked to stop."""


class CallbackError(Error, RuntimeError):
    """A callback failed."""


class UnsupportedError(Error, NotImplementedError):
    """The call is not possible for this model or configuration."""


class InternalError(Error, RuntimeError):
    """A bug in libnf; please report it."""


CLASSES: dict[int, type[Error]] = {
    lib.NF_ERR_ARGUMENT: ArgumentError, lib.NF_ERR_STATE: StateError, lib.NF_ERR_SHAPE: ShapeError,
    lib.NF_ERR_SPEC: SpecError, lib.NF_ERR_NOMEM: OutOfMemoryError, lib.NF_ERR_IO: FileError,
    lib.NF_ERR_FORMAT: FormatError, lib.NF_ERR_CHECKSUM: ChecksumError, lib.NF_ERR_VERSION: VersionError,
    lib.NF_ERR_NUMERIC: NumericError, lib.NF_ERR_NOT_INVERTED: NotInvertedError,
    lib.NF_ERR_CANCELLED: CancelledError, lib.NF_ERR_CALLBACK: CallbackError,
    lib.NF_ERR_UNSUPPORTED: UnsupportedError, lib.NF_ERR_INTERNAL: InternalError,
}


def make(code: int, message: str, row: int = -1, layer: int = -1, os_errno: int = 0) -> Error:
    """Returns the exception of a status."""
    cls = CLASSES.get(code, InternalError)
    error = cls(os_errno, message) if cls is FileError and os_errno else cls(message)
    error.status = ffi.string(lib.nf_status_name(code)).decode()
    error.row = None if row < 0 else row
    error.layer = None if layer < 0 else layer
    error.os_errno = os_errno
    return error


def state(message: str) -> Error:
    """Returns a StateError of this package's own."""
    return make(lib.NF_ERR_STATE, message)


def raise_from(err: Any) -> NoReturn:
    """Raises the exception that an nf_error describes."""
    message = ffi.string(err.message).decode("utf-8", "replace")
    raise make(err.code, message, err.row, err.layer, err.os_errno)
