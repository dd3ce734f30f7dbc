"""Arrays at the boundary: what the library reads and writes is the memory of the caller, without copies.

Rows go in as float32, float64 or uint8 with any strides: NumPy arrays, PyTorch and JAX arrays on the CPU, and whatever has
`__array__`, `__dlpack__` or the buffer protocol. Lists and integers are converted. Results are new NumPy arrays, which
`torch.from_numpy` and `jax.numpy.asarray` take without a copy, or go to the memory given as `out`.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence, Union

import numpy as np

from libnf._nf import ffi, lib
from libnf.errors import make

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
else:
    Array = np.ndarray
# Anything that becomes an array.
ArrayLike = Any
Shape = Union[int, Sequence[int]]

F32, F64, U8 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.uint8)
CODES = {"f": lib.NF_F32, "d": lib.NF_F64, "B": lib.NF_U8}
OF_CODE: dict[int, Any] = {lib.NF_F32: F32, lib.NF_F64: F64, lib.NF_U8: U8}
VIEW_SIZE = ffi.sizeof("nf_view")


def wrong(message: str) -> Exception:
    return make(lib.NF_ERR_SHAPE, message)


def as_array(value: ArrayLike, name: str) -> Array:
    """Returns an array of a dtype that the library reads, over the same memory where there is one."""
    if type(value) is not np.ndarray:
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            value = np.from_dlpack(value)
        else:
            value = np.asarray(value)
    a: Array = value
    char = a.dtype.char
    if char in CODES and a.dtype.isnative:
        return a
    if a.dtype.kind in "iuf":  # other numbers are converted, float16 without loss
        return a.astype(F32 if char == "e" else F64)
    raise wrong(f"{name} has dtype {a.dtype}: expected float32, float64 or uint8, or integers to convert")


def describe(a: Array, kind: str) -> Any:
    """Returns an nf_view or nf_out of an array; the caller keeps the array alive."""
    v = ffi.new(kind)
    ndim = a.ndim
    if ndim > lib.NF_MAX_RANK:
        raise wrong(f"an array has {ndim} dimensions, at most {lib.NF_MAX_RANK} are possible")
    v.struct_size = VIEW_SIZE
    v.dtype = CODES[a.dtype.char]
    v.ndim = ndim
    v.data = ffi.cast("void *", a.__array_interface__["data"][0])
    v.shape = a.shape
    if not a.flags.c_contiguous:
        size = a.itemsize
        v.flags = lib.NF_STRIDED
        v.strides = [s // size for s in a.strides]
    return v


def read(value: ArrayLike, name: str) -> tuple[Any, Array | None]:
    """Returns an nf_view and the array that it describes, (NULL, None) for None."""
    if value is None:
        return ffi.NULL, None
    a = as_array(value, name)
    if any(s % a.itemsize for s in a.strides):  # a field of a structured array
        a = a.copy()
    return describe(a, "nf_view *"), a


def writable(value: Any, name: str) -> Array:
    """Returns an array over the memory of `out`, which the library can write to."""
    if type(value) is np.ndarray:
        a: Array = value
    elif hasattr(value, "__array__") or hasattr(value, "__dlpack__") or isinstance(value, (memoryview, bytearray)):
        a = np.asarray(value) if hasattr(value, "__array__") else np.asarray(memoryview(value)) if not hasattr(
            value, "__dlpack__") else np.from_dlpack(value)
        if a.base is None:
            raise wrong(f"{name} is a {type(value).__name__} whose memory cannot be shared: expected a NumPy array")
    else:
        raise TypeError(f"{name} is a {type(value).__name__}: expected an array to write to")
    if a.dtype.char not in "fd" or not a.dtype.isnative:
        raise wrong(f"{name} has dtype {a.dtype}: expected float32 or float64 to write to")
    if not a.flags.writeable:
        raise wrong(f"{name} is read-only: expected an array that can be written to")
    if any(s % a.itemsize for s in a.strides) or (a.size and 0 in a.strides and any(
            s == 0 and n > 1 for s, n in zip(a.strides, a.shape))):
        raise wrong(f"{name} has elements that overlap or are not aligned to its dtype: expected an array of its own")
    return a


def write(value: Any, name: str, shape: Sequence[int], dtype: Any) -> tuple[Any, Array]:
    """Returns an nf_out and its array: the one given, or a new one of that shape and dtype."""
    if value is None:
        a: Array = np.empty(shape, dtype)
    else:
        a = writable(value, name)
    return describe(a, "nf_out *"), a


def apart(out: Array, name: str, *inputs: Array | None) -> None:
    """Refuses an output that shares memory with an input: the library would read what it has just written."""
    for a in inputs:
        if a is None or not np.may_share_memory(out, a):
            continue
        try:
            shared = np.shares_memory(out, a, max_work=1000)  # type: ignore[arg-type]
        except Exception:  # too hard to find out; the class of the exception moved between versions of NumPy
            shared = True
        if shared:
            raise wrong(f"{name} overlaps an input or another output: expected memory of its own")
