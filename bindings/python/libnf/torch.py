"""Models of libnf in graphs of PyTorch: log_prob, forward and inverse with gradients of rows and contexts.

Parameters of the model are not tensors of PyTorch; `step` trains them on a loss that is computed with PyTorch.
"""
from __future__ import annotations

from typing import Any, Callable

import torch

from libnf.inference import Direction
from libnf.infos import StepInfo
from libnf.model import Model
from libnf.trainer import Trainer

Tensor = torch.Tensor


def _array(t: Tensor | None) -> Any:
    if t is None:
        return None
    if t.device.type != "cpu":
        raise ValueError(f"a tensor is on {t.device}: libnf computes on the CPU, call .cpu() first")
    return t.detach().numpy()


def _tensor(a: Any, like: Tensor) -> Tensor:
    return torch.from_numpy(a).to(like.dtype)


def _of_context(d: Any, context: Tensor | None) -> Tensor | None:
    """The gradient of a context, which may be one row for all."""
    if d is None or context is None:
        return None
    t = _tensor(d, context)
    return t.sum(0, keepdim=True) if context.shape[0] == 1 and t.shape[0] != 1 else t


class _LogProb(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, context: Tensor | None, model: Model) -> Tensor:
        ctx.model = model
        ctx.save_for_backward(x, context)
        return _tensor(model.log_prob(_array(x), _array(context)), x)

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
    def backward(ctx: Any, cot: Tensor) -> tuple[Tensor, Tensor | None, None]:
        x, context = ctx.saved_tensors
        _, dx, dc = ctx.model.log_prob_grad(_array(x), _array(context))
        each = cot.reshape(-1, *(1,) * (dx.ndim - 1))
        d_context = None if dc is None else _of_context(cot.reshape(-1, 1).numpy() * dc, context)
        return each * _tensor(dx, x), d_context, None


class _Map(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, context: Tensor | None, model: Model, direction: Direction) -> tuple[Tensor, Tensor]:
        ctx.model, ctx.direction = model, direction
        ctx.save_for_backward(rows, context)
        to, log_det = getattr(model, direction)(_array(rows), _array(context))
        return _tensor(to, rows), _tensor(log_det, rows)

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
    def backward(ctx: Any, cot: Tensor, cot_log_det: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        rows, context = ctx.saved_tensors
        back = ctx.model.vjp(_array(rows), _array(cot), _array(cot_log_det), _array(context), direction=ctx.direction)
        return _tensor(back.d_from, rows), _of_context(back.d_ctx, context), None, None


def log_prob(model: Model, x: Tensor, context: Tensor | None = None) -> Tensor:
    """Computes log_prob [n] of rows x in nats, differentiable once with respect to x and context."""
    found: Tensor = _LogProb.apply(x, context, model)
    return found


def forward(model: Model, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Maps data x to latents z and log_det [n], differentiable once with respect to x and context."""
    found: tuple[Tensor, Tensor] = _Map.apply(x, context, model, "forward")
    return found


def inverse(model: Model, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Maps latents z to data x and log_det [n], differentiable once with respect to z and context."""
    found: tuple[Tensor, Tensor] = _Map.apply(z, context, model, "inverse")
    return found


def sample(model: Model, n: int, seed: int = 0, context: Tensor | None = None) -> Tensor:
    """Draws samples, without gradients."""
    return torch.from_numpy(model.sample(n, seed, _array(context)))


def step(trainer: Trainer, rows: Tensor, loss: Callable[[Tensor, Tensor], Tensor], context: Tensor | None = None, *,
         direction: Direction = "forward") -> StepInfo:
    """Takes a training step on any loss of PyTorch: loss(z, log_det) of the latents of data rows, or with direction "inverse"
    loss(x, log_det) of the data of latent rows."""
    to, log_det = (torch.from_numpy(a).requires_grad_() for a in getattr(trainer.model, direction)(_array(rows), _array(context)))
    value = loss(to, log_det)
    d_to, d_log_det = torch.autograd.grad(value, (to, log_det), allow_unused=True)
    trainer.accumulate(_array(rows), _array(context), out=_array(d_to), log_det=_array(d_log_det), direction=direction)
    return trainer.apply(float(value.detach()))
