"""Models of libnf in JAX: log_prob, forward and inverse, under jit, grad and vmap.

They run on the host through `jax.pure_callback`. `x` is one row [columns] or any batch [..., columns], and `context` has the
same leading axes. Parameters of the model are constants; train them with `libnf.Trainer`.
"""
from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from libnf.inference import Direction
from libnf.model import Model

Array = Any


def _flat(a: Any) -> Any:
    """Rows of a batch with any leading axes."""
    return None if a is None else np.asarray(a).reshape(-1, a.shape[-1])


def _call(host: Any, shapes: Any, *arguments: Any) -> Any:
    return jax.pure_callback(host, shapes, *arguments, vmap_method="broadcast_all")


def _like(x: Any, *last: int) -> Any:
    return jax.ShapeDtypeStruct((*x.shape[:-1], *last), x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _log_prob(model: Model, x: Array, context: Array) -> Array:
    def host(x: Any, context: Any) -> Any:
        return model.log_prob(_flat(x), _flat(context)).reshape(x.shape[:-1]).astype(x.dtype)
    return _call(host, _like(x), x, context)


def _log_prob_forward(model: Model, x: Array, context: Array) -> tuple[Array, Any]:
    def host(x: Any, context: Any) -> Any:
        value, dx, dc = model.log_prob_grad(_flat(x), _flat(context))
        return (value.reshape(x.shape[:-1]).astype(x.dtype), dx.reshape(x.shape).astype(x.dtype),
                None if dc is None else dc.reshape(context.shape).astype(context.dtype))
    shapes = (_like(x), _like(x, x.shape[-1]), None if context is None else _like(context, context.shape[-1]))
    value, dx, dc = _call(host, shapes, x, context)
    return value, (dx, dc)


def _log_prob_backward(_model: Model, saved: Any, cot: Array) -> tuple[Array, Array]:
    dx, dc = saved
    return cot[..., None] * dx, None if dc is None else cot[..., None] * dc


_log_prob.defvjp(_log_prob_forward, _log_prob_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _map(model: Model, direction: Direction, rows: Array, context: Array) -> tuple[Array, Array]:
    columns = model.info.latent_size if direction == "forward" else model.info.event_size

    def host(rows: Any, context: Any) -> Any:
        to, log_det = getattr(model, direction)(_flat(rows), _flat(context))
        lead = rows.shape[:-1]
        return to.reshape(*lead, columns).astype(rows.dtype), log_det.reshape(lead).astype(rows.dtype)
    return _call(host, (_like(rows, columns), _like(rows)), rows, context)  # type: ignore[no-any-return]


def _map_forward(model: Model, direction: Direction, rows: Array, context: Array) -> tuple[Any, Any]:
    return _map(model, direction, rows, context), (rows, context)


def _map_backward(model: Model, direction: Direction, saved: Any, cot: Any) -> tuple[Array, Array]:
    rows, context = saved

    def host(rows: Any, context: Any, cot_to: Any, cot_log_det: Any) -> Any:
        back = model.vjp(_flat(rows), _flat(cot_to), np.asarray(cot_log_det).reshape(-1), _flat(context), direction=direction)
        return (back.d_from.reshape(rows.shape).astype(rows.dtype),
                None if back.d_ctx is None else back.d_ctx.reshape(context.shape).astype(context.dtype))
    shapes = (_like(rows, rows.shape[-1]), None if context is None else _like(context, context.shape[-1]))
    found: tuple[Array, Array] = _call(host, shapes, rows, context, *cot)
    return found


_map.defvjp(_map_forward, _map_backward)


def _with_context(x: Array, context: Array) -> tuple[Array, Array]:
    x = jnp.asarray(x)
    if context is not None:
        context = jnp.asarray(context)
        context = jnp.broadcast_to(context, (*x.shape[:-1], context.shape[-1]))
    return x, context


def log_prob(model: Model, x: Array, context: Array = None) -> Array:
    """Computes log_prob [...] of rows x [..., columns] in nats."""
    return _log_prob(model, *_with_context(x, context))


def forward(model: Model, x: Array, context: Array = None) -> tuple[Array, Array]:
    """Maps data x to latents z and log_det [...]."""
    found: tuple[Array, Array] = _map(model, "forward", *_with_context(x, context))
    return found


def inverse(model: Model, z: Array, context: Array = None) -> tuple[Array, Array]:
    """Maps latents z to data x and log_det [...]."""
    found: tuple[Array, Array] = _map(model, "inverse", *_with_context(z, context))
    return found
