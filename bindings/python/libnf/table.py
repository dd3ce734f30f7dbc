"""Tables: rows of numbers from .npy, .npz, IDX and CSV files, also compressed with gzip."""
from __future__ import annotations

import os
from typing import Any, Sequence

import numpy as np

from libnf import _call, runtime
from libnf import options as _options
from libnf._nf import ffi, lib
from libnf.arrays import OF_CODE, Array, ArrayLike, read
from libnf.inference import parsed
from libnf.model import Path

Bytes = (bytes, bytearray, memoryview)


class Table(_call.Handle):
    """A whole table: `Table("rows.csv", columns=["a", "b"])`. `numpy.asarray(table)` is its memory, read-only.

    Parameters
    ----------
    source : a path, or bytes with the content of a file
    name : what messages call bytes
    options : separator, decimal, header, columns, where, id, missing, dtype, map, array, max_file_bytes
    """

    def __init__(self, source: Path | bytes, *, name: str | None = None, runtime: runtime.Runtime | None = None,
                 **options: Any) -> None:
        o = _options.handle(_options.from_keywords(["table"], options))
        if isinstance(source, Bytes):
            buffer = ffi.from_buffer(source)
            self._h = _call.create("nf_table", lib.nf_table_free, lib.nf_table_parse, _of(runtime), buffer, len(buffer),
                                   _call.NULL if name is None else name.encode(), o)
        else:
            self._h = _call.create("nf_table", lib.nf_table_free, lib.nf_table_open, _of(runtime), os.fsencode(source), o)

    @staticmethod
    def describe(source: Path | bytes, *, name: str | None = None, **options: Any) -> dict[str, Any]:
        """Says what a file holds without reading its numbers: format, columns, names, separator, dtype."""
        o = _options.from_keywords(["table"], options)
        data, size = _call.NULL, 0
        path = _call.NULL if name is None else name.encode()
        if isinstance(source, Bytes):
            data = ffi.from_buffer(source)
            size = len(data)
        else:
            path = os.fsencode(source)
        text = _call.written(lib.nf_table_describe, _of(None), path, data, size, _options.handle(o))
        found: dict[str, Any] = parsed(text)
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents of the array in the file: [n, height, width, channels], or [rows, columns]."""
        extents = ffi.new("int64_t[8]")
        count = lib.nf_table_shape(self._handle(), extents)
        return tuple(extents[0:count])

    def _array(self) -> Array:
        h = self._handle()
        v = _call.struct("nf_view")
        _call.call(lib.nf_table_view, h, v)
        return np.asarray(_Memory(h, v))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        a = self._array()
        if dtype is not None and a.dtype != dtype:
            return np.asarray(a, dtype)
        return np.array(a) if copy else a

    @property
    def columns(self) -> list[str] | None:
        """Names of the columns; None if the file has no header."""
        names: list[str] = []
        while (name := _call.text(lib.nf_table_column(self._handle(), len(names)))) is not None:
            names.append(name)
        return names if any(names) else None

    def row(self, index: int) -> int:
        """Returns which row of the file a row of the table is, from 0; -1 out of range."""
        return int(lib.nf_table_row(self._handle(), index))

    def line(self, index: int) -> int:
        """Returns the line of a text file where a row of the table starts, from 1; 0 for other files."""
        return int(lib.nf_table_line(self._handle(), index))

    def row_id(self, index: int) -> str | None:
        """Returns the text in column `id` of a row."""
        return _call.text(lib.nf_table_row_id(self._handle(), index))

    @property
    def mapped(self) -> bool:
        """Whether the rows are used in place in the file."""
        return bool(lib.nf_table_is_mapped(self._handle()))

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<libnf.Table {'closed' if self.closed else list(self.shape)}>"


class _Memory:
    """The memory of a table, which lives as long as an array over it."""

    def __init__(self, handle: Any, view: Any) -> None:
        dtype = OF_CODE[view.dtype]
        strided = view.flags & lib.NF_STRIDED
        self._table = handle
        self.__array_interface__ = {
            "version": 3, "shape": tuple(view.shape[0:view.ndim]), "typestr": dtype.str,
            "data": (int(ffi.cast("uintptr_t", view.data)), True),
            "strides": tuple(s * dtype.itemsize for s in view.strides[0:view.ndim]) if strided else None}


def save_table(rows: ArrayLike, path: Path, columns: Sequence[str] | None = None) -> None:
    """Writes an array as .npy or .csv, by the path's extension, atomically."""
    v, a = read(rows, "rows")
    names = _call.NULL
    if columns is not None:
        if a is None or a.ndim < 2 or len(columns) != a.shape[1]:
            raise ValueError(f"columns has {len(columns)} names, one for each column of rows is expected")
        texts = [ffi.new("char[]", c.encode()) for c in columns]
        names = ffi.new("char *[]", texts)
    _call.call(lib.nf_table_save, v, os.fsencode(path), names)


def _of(given: runtime.Runtime | None) -> Any:
    return runtime.of(given)
