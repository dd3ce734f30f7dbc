"""flowjax and distrax on JAX (CPU), compiled. Usage: jax_peers.py LIBRARY THREADS (XLA takes all cores it may use)"""
import os
import sys

library, threads = sys.argv[1], int(sys.argv[2])
os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
if threads == 1 and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import jax
import jax.numpy as jnp
import optax

import cases

key = jax.random.key(1)


def flowjax_flow(model):
    import equinox as eqx
    from flowjax.distributions import Normal
    from flowjax.flows import coupling_flow, masked_autoregressive_flow
    from flowjax.bijections import Affine, RationalQuadraticSpline
    if model is cases.PLANAR:
        return None
    base = Normal(jnp.zeros(model["features"]))
    make = masked_autoregressive_flow if model in (cases.MAF, cases.NSF_AR) else coupling_flow
    transformer = RationalQuadraticSpline(knots=model["bins"], interval=3) if "bins" in model else Affine()
    # It has no residual nets: as many hidden layers as those of the residual net.
    flow = make(key, base_dist=base, transformer=transformer, flow_layers=model["layers"], nn_width=model["hidden"],
                nn_depth=5 if model is cases.NSF else 2)
    parameters, static = eqx.partition(flow, eqx.is_inexact_array)
    return (parameters, lambda p, x: eqx.combine(p, static).log_prob(x),
            lambda p, k, n: eqx.combine(p, static).sample(k, (n,)))


def distrax_flow(model):
    import distrax
    if model is not cases.REALNVP:
        return None  # distrax has no masked autoregressive net and no linear layer

    def dense(k, a, b):
        return jax.random.normal(k, (a, b)) / a**0.5, jnp.zeros(b)
    keys = jax.random.split(key, 4 * model["layers"]).reshape(model["layers"], 4)
    width = model["hidden"]
    parameters = [[dense(k[0], 2, width), dense(k[1], width, width), dense(k[2], width, width),
                   dense(k[3], width, 4)] for k in keys]

    def net(p, x):
        (w0, b0), (w1, b1), (w2, b2), (w3, b3) = p
        h = x @ w0 + b0
        h = h + jax.nn.relu(jax.nn.relu(h) @ w1 + b1) @ w2 + b2
        return (h @ w3 + b3).reshape(x.shape[:-1] + (2, 2))

    def flow(p):
        layers = [distrax.MaskedCoupling(
            jnp.arange(2) % 2 == i % 2,
            lambda x, q=q: net(q, x),
            lambda q: distrax.ScalarAffine(shift=q[..., 0], log_scale=jnp.tanh(q[..., 1]))) for i, q in enumerate(p)]
        base = distrax.MultivariateNormalDiag(jnp.zeros(2), jnp.ones(2))
        return distrax.Transformed(base, distrax.Inverse(distrax.Chain(layers)))
    return (parameters, lambda p, x: flow(p).log_prob(x),
            lambda p, k, n: flow(p).sample(seed=k, sample_shape=(n,)))


flows = {"flowjax": flowjax_flow, "distrax": distrax_flow}[library]


def build(model, what, rows):
    if model["family"] == "vae":
        return None
    made = flows(model)
    if made is None:
        return None
    parameters, log_prob, sample = made
    x = jax.random.normal(key, (rows, model["features"]))
    if what == "train":
        adam = optax.adam(1e-3)
        state = [parameters, adam.init(parameters)]

        @jax.jit
        def update(p, s):
            gradient = jax.grad(lambda q: -log_prob(q, x).mean())(p)
            change, s = adam.update(gradient, s, p)
            return optax.apply_updates(p, change), s

        def step():
            state[:] = jax.block_until_ready(update(*state))
        return step
    run = jax.jit(lambda p: sample(p, key, rows) if what == "sample" else log_prob(p, x))
    return lambda: jax.block_until_ready(run(parameters))


cases.work(library, build, threads)
