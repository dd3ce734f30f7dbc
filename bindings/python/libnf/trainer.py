"""Trainers: the optimizer state of a model, one step at a time or a whole run."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Union

from libnf import _call, callbacks
from libnf import options as _options
from libnf._nf import ffi, lib
from libnf.arrays import ArrayLike, read
from libnf.batches import Batches
from libnf.errors import raise_from
from libnf.fitting import Bar, batch_of, fill, named, streams
from libnf.inference import Direction, direction_code, parsed
from libnf.infos import StepInfo
from libnf.model import Model, Path

if TYPE_CHECKING:
    from libnf.target import Target

# What `run` trains on: mini-batches, an iterable of rows or of dicts of streams, or a function of the step.
Source = Union[Batches, Iterable[Any], Callable[[int], Any], None]
Collective = Callable[[Any], Any]


class Trainer(_call.Handle):
    """Trains a model: `Trainer(model, lr=1e-3, optimizer="adam")`.

    Parameters
    ----------
    model : it has at most one trainer at a time
    target : of an objective that has one, such as objective="reverse_kl"
    collective : (rank, world, allreduce) for data-parallel training over processes; allreduce(array) sums in place
    options : of scope "trainer", such as objective, optimizer, lr, schedule, clip_norm, groups, memory, max_steps

    Trainers pickle, with the model's parameters and the optimizer state, unless they have a target or a collective.
    """

    def __init__(self, model: Model, *, target: Target | None = None,
                 collective: tuple[int, int, Collective] | None = None, **options: Any) -> None:
        self.model = model
        self._gate = model._gate
        self._given = options
        self._target: Target | None = None
        self._collective: Any = None
        c = _call.NULL
        if collective is not None:
            rank, world, allreduce = collective
            self._collective = callbacks.Box(allreduce)
            c = _call.struct("nf_collective", rank=rank, world=world, user=self._collective.handle,
                             allreduce_sum=lib.libnf_on_allreduce)
        with self._gate.write("Trainer()"):
            self._h = _call.create("nf_trainer", lib.nf_trainer_free, lib.nf_trainer_create, model._handle(),
                                   _options.handle(_options.from_keywords(["trainer"], options)), c)
        if target is not None:
            self.set_target(target)

    def _call(self, what: str, function: Any, *arguments: Any) -> None:
        """Calls what changes the parameters and may run callbacks."""
        with self._gate.write(what):
            self._guarded(function, *arguments)

    def _guarded(self, function: Any, *arguments: Any) -> None:
        err = _call.new_error()
        status = function(self._handle(), *arguments, err)
        for box in (self._collective, self._target._box if self._target is not None else None):
            if box is not None:
                box.reraise()
        if status:
            raise_from(err)

    @property
    def options(self) -> dict[str, Any]:
        """All settings, defaults included: {"trainer.lr": 0.001, ...}."""
        found: dict[str, Any] = parsed(_call.written(lib.nf_trainer_options, self._handle()))
        return found

    def set_target(self, target: Target) -> None:
        """Sets or replaces the target of an objective that has one."""
        self._call("set_target", lib.nf_trainer_set_target, target._handle())
        self._target = target

    @property
    def nbytes(self) -> int:
        """Bytes that the trainer holds."""
        return int(lib.nf_trainer_bytes(self._handle()))

    @property
    def step_count(self) -> int:
        """Steps applied so far."""
        return int(lib.nf_trainer_step_count(self._handle()))

    # ---- steps -----------------------------------------------------------------------------------------------------------

    def step(self, x: ArrayLike = None, context: ArrayLike = None, *, weight: ArrayLike = None,
             scores: ArrayLike = None) -> StepInfo:
        """Takes one step on a batch of n >= 1 rows. Nothing is applied if it raises."""
        batch, _keep = batch_of(streams(x, context, weight, scores))
        info = _call.struct("nf_step_info")
        nothing = x is None and context is None
        self._call("step", lib.nf_train_step, _call.NULL if nothing else batch, info)
        return _call.filled("nf_step_info", StepInfo, info)

    def evaluate(self, x: ArrayLike = None, context: ArrayLike = None, *, weight: ArrayLike = None,
                 scores: ArrayLike = None) -> tuple[float, float]:
        """Returns the objective on a batch, without a step, and its standard error, in nats."""
        batch, _keep = batch_of(streams(x, context, weight, scores))
        loss = ffi.new("double[2]")
        nothing = x is None and context is None
        self._call("evaluate", lib.nf_trainer_evaluate, _call.NULL if nothing else batch, loss, loss + 1)
        return loss[0], loss[1]

    def accumulate(self, x: ArrayLike, context: ArrayLike = None, *, out: ArrayLike = None, log_det: ArrayLike = None,
                   log_prob: ArrayLike = None, direction: Direction = "forward") -> None:
        """Adds gradients of the parameters for a loss of your own: dloss/dresult [as the result], dloss/dlog_det [n] and
        dloss/dlog_prob [n] of rows x (of latents, with direction "inverse"). `apply` takes the step."""
        batch, _keep = batch_of(streams(x, context))
        views = [read(v, name) for v, name in ((out, "out"), (log_det, "log_det"), (log_prob, "log_prob"))]
        c = _call.struct("nf_cotangents", direction=direction_code(direction), out=views[0][0], log_det=views[1][0],
                         log_prob=views[2][0])
        self._call("accumulate", lib.nf_trainer_accumulate, batch, c)

    def apply(self, loss: float = 0.0) -> StepInfo:
        """Clips, and takes one optimizer step with the gradients added so far. `loss` is for the info only."""
        info = _call.struct("nf_step_info")
        self._call("apply", lib.nf_trainer_apply, loss, info)
        return _call.filled("nf_step_info", StepInfo, info)

    def discard(self) -> None:
        """Forgets the gradients added so far."""
        self._call("discard", lib.nf_trainer_discard)

    # ---- a run -------------------------------------------------------------------------------------------------------------

    def run(self, source: Source = None, max_steps: int = 0, *, on_step: Callable[[StepInfo], Any] | None = None,
            progress: bool = False) -> int:
        """Trains until max_steps steps have been applied in total (0: no limit), the source ends, or on_step returns True.

        `source` is Batches, an iterable or a function of the step that gives rows x, a tuple (x, context), or a dict of x,
        context, weight and scores; None for objectives without data. Returns the number of steps applied so far. Ctrl-C
        stops after a step and raises KeyboardInterrupt.
        """
        if source is None and not max_steps and on_step is None:
            raise ValueError("max_steps is 0 and there is no source: the run would never end")
        bar = Bar(progress)
        stopped = False

        def after(info: Any) -> bool:
            nonlocal stopped
            if progress:
                bar.show(info.step, max_steps, loss=info.loss, lr=info.lr)
            if on_step is not None and on_step(_call.filled("nf_step_info", StepInfo, info)):
                stopped = True
            return stopped

        steps, feed = callbacks.Box(after), _feed(source)
        if isinstance(source, Batches):
            s = source._source()
        elif feed is not None:
            s = _call.struct("nf_source", user=feed.handle, next=lib.libnf_on_next)
        else:
            s = _call.NULL
        err = _call.new_error()
        try:
            with self._gate.write("run", long=True):
                status = lib.nf_train_run(self._handle(), s, max_steps, lib.libnf_on_step, steps.handle, err)
        finally:
            bar.close()
        for box in (steps, feed, self._collective, self._target._box if self._target is not None else None):
            if box is not None:
                box.reraise()
        if status and not (stopped and status == lib.NF_ERR_CANCELLED):
            raise_from(err)
        return self.step_count

    def observe(self, validation_loss: float) -> None:
        """Reports a validation loss, lower is better, to schedule "plateau"."""
        _call.call(lib.nf_trainer_observe, self._handle(), validation_loss)

    def set_lr(self, lr: float, group: str | None = None) -> None:
        """Changes the learning rate that the schedule starts from, of one group of parameters or of all."""
        _call.call(lib.nf_trainer_set_lr, self._handle(), _call.NULL if group is None else group.encode(), lr)

    def restart(self, keep_moments: bool = False) -> None:
        """Begins anew from the parameters in the model, for other data."""
        self._call("restart", lib.nf_trainer_restart, int(keep_moments))

    def use_average(self, on: bool = True) -> None:
        """With ema_decay: puts the averaged parameters into the model, or those of the last step back."""
        self._call("use_average", lib.nf_trainer_use_average, int(on))

    # ---- checkpoints -------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Writes a checkpoint: a model file that also holds optimizer state, step and schedule."""
        with self._gate.write("save"):
            _call.call(lib.nf_trainer_save, self._handle(), os.fsencode(path))

    def to_bytes(self) -> bytes:
        """Returns what `save` writes."""
        with self._gate.write("to_bytes"):
            return _call.written(lib.nf_trainer_save_stream, self._handle())

    def restore(self, checkpoint: Path | bytes) -> None:
        """Continues from a checkpoint of a trainer with the same spec and options, with the same bits."""
        if isinstance(checkpoint, (bytes, bytearray, memoryview)):
            buffer = ffi.from_buffer(checkpoint)
            self._call("restore", lib.nf_trainer_restore_memory, buffer, len(buffer))
        else:
            self._call("restore", lib.nf_trainer_restore, os.fsencode(checkpoint))

    def __reduce__(self) -> tuple[Callable[..., Trainer], tuple[Any, ...]]:
        if self._target is not None or self._collective is not None:
            raise TypeError("a Trainer with a target or a collective cannot be pickled: save() its state instead")
        return _unpickled, (type(self), self.model, self._given, self.to_bytes())

    def __repr__(self) -> str:
        return f"<libnf.Trainer {'closed' if self.closed else f'step {self.step_count}'} of {self.model!r}>"


def _unpickled(cls: type[Trainer], model: Model, options: dict[str, Any], state: bytes) -> Trainer:
    trainer = cls(model, **options)
    trainer.restore(state)
    return trainer


def _feed(source: Source) -> callbacks.Box | None:
    """Returns the function that fills in a batch, of an iterable or of a function of the step."""
    if source is None or isinstance(source, Batches):
        return None
    rows: Iterator[Any] | None = None if callable(source) else iter(source)
    borrowed: list[Any] = []

    def following(step: int, batch: Any) -> int:
        try:
            value = next(rows) if rows is not None else source(step)  # type: ignore[operator]
        except StopIteration:
            return 0
        if value is None:
            return 0
        borrowed.clear()
        fill(batch, named(value), borrowed)
        return 1
    return callbacks.Box(following)
