"""Models: a spec and parameters."""
from __future__ import annotations

import functools
import json
import os
from typing import Any, Callable, Mapping, Union

import numpy as np

from libnf import _call, fitting, gate, runtime
from libnf import options as _options
from libnf._nf import ffi, lib
from libnf.arrays import F64, OF_CODE, Array, ArrayLike, read, write
from libnf.inference import Slot, parsed
from libnf.infos import FitInfo, LayerInfo, ModelInfo
from libnf.latent import Latents
from libnf.session import new_slot
from libnf.tensors import Notes, Tensors

Path = Union[str, "os.PathLike[str]"]
Spec = Union[str, Mapping[str, Any], Path]


class Reading:
    """A `with` block in which the parameters do not change."""

    __slots__ = ("gate", "token")

    def __init__(self, g: gate.Gate) -> None:
        self.gate = g

    def __enter__(self) -> None:
        self.token = self.gate.enter()

    def __exit__(self, *_: object) -> None:
        self.gate.leave(self.token)


class Model(Latents):
    """A normalizing flow: `Model({"event": 2, "layers": [...]}, seed=1)`.

    Parameters
    ----------
    spec : a dict, JSON text, or the path of a .json file. `libnf.parts()` lists what it may contain.
    seed : of the initial parameters
    runtime : threads and memory limits; the default one if None

    Any number of threads may score, map and sample at once. A call that changes the parameters waits for them to finish;
    while `fit` runs, they get StateError on other threads, and a `clone()` goes on scoring.
    """

    def __init__(self, spec: Spec, seed: int = 0, *, runtime: runtime.Runtime | None = None) -> None:
        text = _spec_text(spec)
        self._adopt(_call.create("nf_model", lib.nf_model_free, lib.nf_model_create, _runtime(runtime), text, len(text), seed),
                    runtime)

    def _adopt(self, handle: Any, runtime: runtime.Runtime | None) -> None:
        self._h = handle
        self._runtime = runtime
        self._gate = gate.Gate()
        self._pool = self._gate.pool()
        s = _call.struct("nf_model_info")
        _call.call(lib.nf_model_get_info, handle, s)
        self._code = s.dtype
        self._dtype = OF_CODE[s.dtype]
        self.info = ModelInfo(OF_CODE[s.dtype], s.event_size, s.latent_size, s.context_size, s.param_count, s.tensor_count,
                              s.layer_count, s.log_prob == lib.NF_EXACT, bool(s.has_layers),
                              tuple(s.event[0:s.event_ndim]), tuple(s.latent[0:s.latent_ndim]))

    @classmethod
    def _of(cls, handle: Any, runtime: runtime.Runtime | None) -> Model:
        model = cls.__new__(cls)
        model._adopt(handle, runtime)
        return model

    @classmethod
    def load(cls, path: Path, *, runtime: runtime.Runtime | None = None, **options: Any) -> Model:
        """Loads a model or a checkpoint. `verify=True` scores the rows of `set_self_test` again; `max_file_bytes` limits it."""
        o = _options.from_keywords(["load"], options)
        return cls._of(_call.create("nf_model", lib.nf_model_free, lib.nf_model_load, _runtime(runtime), os.fsencode(path),
                                    _options.handle(o)), runtime)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, *, runtime: runtime.Runtime | None = None, **options: Any) -> Model:
        """Reads a model or a checkpoint from memory."""
        o = _options.from_keywords(["load"], options)
        buffer = ffi.from_buffer(data)
        return cls._of(_call.create("nf_model", lib.nf_model_free, lib.nf_model_load_memory, _runtime(runtime), buffer,
                                    len(buffer), _options.handle(o)), runtime)

    def save(self, path: Path) -> None:
        """Writes the model as safetensors; replaces `path` atomically and durably."""
        with self._reading():
            _call.call(lib.nf_model_save, self._handle(), os.fsencode(path))

    def to_bytes(self) -> bytes:
        """Returns what `save` writes. Equal models give equal bytes."""
        with self._reading():
            return _call.written(lib.nf_model_save_stream, self._handle())

    def __reduce__(self) -> tuple[Callable[[bytes], Model], tuple[bytes]]:
        return type(self).from_bytes, (self.to_bytes(),)

    def clone(self, runtime: runtime.Runtime | None = None) -> Model:
        """Returns an independent copy: spec, parameters, buffers, notes."""
        handle = _call.NULL if runtime is None else runtime._handle()
        with self._reading():
            h = _call.create("nf_model", lib.nf_model_free, lib.nf_model_clone, self._handle(), handle)
        return self._of(h, runtime or self._runtime)

    def __copy__(self) -> Model:
        return self.clone()

    def __deepcopy__(self, _: Any) -> Model:
        return self.clone()

    def copy_from(self, other: Model) -> None:
        """Takes parameters, buffers and notes of a model with the same spec."""
        if other is self:
            return
        with self._gate.write("copy_from"), other._reading():
            _call.call(lib.nf_model_copy, self._handle(), other._handle())

    # ---- sessions for calls ----------------------------------------------------------------------------------------------

    def _enter(self) -> Slot:
        try:
            slot: Slot = self._pool.pop()
            return slot
        except IndexError:
            pass
        self._handle()
        self._gate.grow(self._pool)
        try:
            return new_slot(self, {})
        except BaseException:
            self._pool.grow(-1)
            raise

    def _leave(self, slot: Slot) -> None:
        if self._h is not None:
            self._pool.append(slot)

    def _reading(self) -> Reading:
        return Reading(self._gate)

    def close(self) -> None:
        """Lets go of the model, as soon as calls and objects that use it are gone. Calling it again is a no-op."""
        self._h = None
        self._pool.created = 0
        self._pool.clear()

    # ---- facts -------------------------------------------------------------------------------------------------------------

    @property
    def spec(self) -> dict[str, Any]:
        """The canonical spec, with every default written out."""
        found: dict[str, Any] = json.loads(_call.text(lib.nf_model_spec(self._handle())) or "{}")
        return found

    def describe(self) -> dict[str, Any]:
        """Says what the model is: kind, shapes, layers and scales."""
        found: dict[str, Any] = parsed(_call.written(lib.nf_model_describe, self._handle()))
        return found

    def _posterior_layers(self) -> int:
        return int(self.describe().get("posterior_layers", 0))

    @functools.cached_property
    def layers(self) -> list[LayerInfo]:
        """The layers of the chain in forward order."""
        found = []
        for i in range(self.info.layer_count):
            s = _call.struct("nf_layer_info")
            _call.call(lib.nf_model_layer, self._handle(), i, s)
            texts = [_call.text(t) or "" for t in (s.type, s.name, s.path, s.where)]
            found.append(LayerInfo(texts[0], texts[1], texts[2], texts[3], bool(s.inverted), s.repetition, s.columns,
                                   s.first_tensor, s.tensor_count))
        return found

    @functools.cached_property
    def tensors(self) -> Tensors:
        """Parameters and buffers by name."""
        return Tensors(self)

    @property
    def notes(self) -> Notes:
        """Texts that are saved with the model."""
        return Notes(self)

    @property
    def generation(self) -> int:
        """Another number after every change of the parameters."""
        return int(lib.nf_model_generation(self._handle()))

    def hash(self) -> int:
        """Hash of the bits of all tensors."""
        with self._reading():
            return int(lib.nf_model_hash(self._handle()))

    def __repr__(self) -> str:
        if self.closed:
            return "<libnf.Model closed>"
        i = self.info
        event = "x".join(str(e) for e in i.event)
        context = f", context {i.context_size}" if i.context_size else ""
        return f"<libnf.Model event {event}{context}, {i.layer_count} layers, {i.param_count:,} parameters, {i.dtype}>"

    # ---- changes -------------------------------------------------------------------------------------------------------------

    def init_from_data(self, x: ArrayLike, context: ArrayLike = None) -> None:
        """Data-dependent initialization of layers such as "standardize", from all training rows; a no-op the second time."""
        xv, _x = read(x, "x")
        cv, _c = read(context, "context")
        with self._gate.write("init_from_data"):
            _call.call(lib.nf_model_init_from_data, self._handle(), xv, cv)

    def set_self_test(self, rows: int) -> None:
        """Stores `rows` samples and their log_prob in files of this model, for `load(verify=True)` to check; 0: none."""
        with self._gate.write("set_self_test"):
            _call.call(lib.nf_model_set_self_test, self._handle(), rows)

    def fit(self, x: ArrayLike, context: ArrayLike = None, *, weight: ArrayLike = None, scores: ArrayLike = None,
            part: ArrayLike = None, valid: Any = None, callback: Callable[[FitInfo], Any] | None = None,
            progress: bool = False, **options: Any) -> FitInfo:
        """Trains on rows, holds out a tenth of them, and leaves the weights of the best validation in the model.

        Parameters
        ----------
        x, context, weight, scores : streams of training rows; weight [n] >= 0
        part : [n], 0 = row to train on, 1 = to validate with, others = neither
        valid : rows to validate with: x, or a dict of x, context, weight
        callback : called with a FitInfo after every step and validation; True stops the run
        progress : show a bar of tqdm
        options : of the scopes fit, trainer, batches and session, such as epochs=20, lr=1e-3, batch=512, patience=10

        Ctrl-C stops the run, leaves the best weights so far in the model, and raises KeyboardInterrupt.
        """
        return fitting.fit(self, fitting.streams(x, context, weight, scores, part), valid, callback, progress, options)

    # ---- scores ------------------------------------------------------------------------------------------------------------

    def score(self, x: ArrayLike, context: ArrayLike = None) -> Array:
        """Computes log_prob [n] with a session for this one call, which keeps no memory."""
        xv, xa = read(x, "x")
        cv, _c = read(context, "context")
        ov, oa = write(None, "log_prob", xa.shape[:1] if xa is not None else (0,), self.info.dtype)
        with self._reading():
            _call.call(lib.nf_score, self._handle(), xv, cv, ov)
        return oa

    def draw(self, n: int, seed: int = 0, context: ArrayLike = None) -> Array:
        """Draws samples 0 .. n - 1 of the stream `seed` with a session for this one call, which keeps no memory."""
        cv, _c = read(context, "context")
        ov, oa = write(None, "x", (n, *self.info.event), self.info.dtype)
        with self._reading():
            _call.call(lib.nf_draw, self._handle(), seed, cv, ov)
        return oa

    def set_scores(self, log_prob: ArrayLike) -> None:
        """Keeps quantiles of the scores of rows, usually log_prob of all training rows, for the methods below."""
        v, _a = read(log_prob, "log_prob")
        with self._gate.write("set_scores"):
            _call.call(lib.nf_model_set_scores, self._handle(), v)

    def score_quantile(self, p: float) -> float:
        """Returns the score below which a fraction p of the rows of `set_scores` is."""
        result = ffi.new("double *")
        _call.call(lib.nf_model_score_quantile, self._handle(), p, result)
        return float(result[0])

    def score_rank(self, log_prob: ArrayLike) -> Array:
        """Returns for each score the fraction of the rows of `set_scores` with a lower one."""
        v, a = read(log_prob, "log_prob")
        ov, oa = write(None, "rank", a.shape if a is not None else (0,), F64)
        _call.call(lib.nf_model_score_rank, self._handle(), v, ov)
        return oa


def _runtime(given: runtime.Runtime | None) -> Any:
    return runtime.of(given)


def _spec_text(spec: Spec) -> bytes:
    if isinstance(spec, Mapping):
        return json.dumps(spec, default=_plain).encode()
    if isinstance(spec, str) and spec.lstrip().startswith("{"):
        return spec.encode()
    with open(os.fspath(spec), "rb") as f:
        return f.read()


def _plain(value: Any) -> Any:
    """Turns numbers and arrays of NumPy into what JSON has."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"the spec has a {type(value).__name__}: expected what JSON has")


def parts() -> dict[str, Any]:
    """Describes what a spec may contain: layers, nets, bases, and their fields with defaults and bounds."""
    found: dict[str, Any] = _call.described(lib.nf_parts_describe())
    return found
