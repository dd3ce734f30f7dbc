"""Tensors and notes of a model, as mappings."""
from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Iterator

from libnf import _call
from libnf._nf import ffi, lib
from libnf.arrays import F32, OF_CODE, Array, ArrayLike, read, write
from libnf.infos import TensorInfo

if TYPE_CHECKING:
    from libnf.model import Model


class Tensors(Mapping[str, Array]):
    """Named tensors: `t[name]` copies one out, `t[name] = array` sets it, `t.info(name)` and `t.mask(name)` describe it.

    Weights are [outputs, inputs] and act on columns, y = W x + b; include/nf/README.md of libnf lists them.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._infos: dict[str, TensorInfo] = {}
        for i in range(model.info.tensor_count):
            s = _call.struct("nf_tensor_info")
            _call.call(lib.nf_model_tensor, model._handle(), i, s)
            name = ffi.string(s.name).decode()
            self._infos[name] = TensorInfo(name, tuple(s.shape[0:s.ndim]), OF_CODE[s.dtype], bool(s.trainable), bool(s.masked))

    def info(self, name: str) -> TensorInfo:
        """Returns the shape and kind of a tensor."""
        return self._infos[name]

    def __getitem__(self, name: str) -> Array:
        info = self._infos[name]
        v, a = write(None, "out", info.shape, info.dtype)
        with self._model._reading():
            _call.call(lib.nf_model_get_tensor, self._model._handle(), name.encode(), v)
        return a

    def mask(self, name: str) -> Array:
        """Returns 1 where entries of a tensor are used and 0 where they are fixed at 0."""
        info = self._infos[name]
        v, a = write(None, "out", info.shape, F32)
        _call.call(lib.nf_model_get_mask, self._model._handle(), name.encode(), v)
        return a

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        info = self._infos[name]
        v, a = read(value, name)
        if a is not None and a.dtype.char == "B":
            v, a = read(a.astype(info.dtype), name)
        with self._model._gate.write("setting a tensor"):
            _call.call(lib.nf_model_set_tensor, self._model._handle(), name.encode(), v)

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def __repr__(self) -> str:
        return "Tensors({" + ", ".join(f"{n!r}: {list(i.shape)}" for n, i in self._infos.items()) + "})"


class Notes(MutableMapping[str, str]):
    """Texts that are saved in the model's file: names of columns, units, who trained it."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def __getitem__(self, key: str) -> str:
        value = _call.text(lib.nf_model_note(self._model._handle(), key.encode()))
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"note {key} is a {type(value).__name__}: expected a text")
        _call.call(lib.nf_model_set_note, self._model._handle(), key.encode(), value.encode())

    def __delitem__(self, key: str) -> None:
        self[key]
        _call.call(lib.nf_model_set_note, self._model._handle(), key.encode(), _call.NULL)

    def __iter__(self) -> Iterator[str]:
        index = 0
        keys: list[Any] = []
        while (key := _call.text(lib.nf_model_note_key(self._model._handle(), index))) is not None:
            keys.append(key)
            index += 1
        return iter(keys)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Notes({dict(self)!r})"
