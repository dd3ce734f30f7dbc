"""JAX: jit, grad, vmap, contexts, arrays in and out."""
import numpy as np
import pytest

jax = pytest.importorskip("jax")
import libnf.jax as nj  # noqa: E402
from conftest import CONDITIONAL, perturbed  # noqa: E402


@pytest.fixture(scope="module")
def model():
    jax.config.update("jax_enable_x64", True)
    return perturbed(CONDITIONAL)


def test_values_and_gradients(model):
    rng = np.random.default_rng(0)
    x, c = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    jx = jax.numpy.asarray(x)
    assert np.array_equal(model.log_prob(jx, jax.numpy.asarray(c)), model.log_prob(x, c))
    assert np.allclose(nj.log_prob(model, x, c), model.log_prob(x, c))
    assert np.allclose(jax.jit(lambda x: nj.log_prob(model, x, c))(x), model.log_prob(x, c))
    gx, gc = jax.grad(lambda x, c: nj.log_prob(model, x, c).sum(), (0, 1))(x, c)
    _, dx, dc = model.log_prob_grad(x, c)
    assert np.allclose(gx, dx) and np.allclose(gc, dc)
    one = jax.grad(lambda c: nj.log_prob(model, x, c).sum())(c[0])
    assert np.allclose(one, model.log_prob_grad(x, c[:1]).dctx.sum(0))


def test_one_row_and_vmap(model):
    rng = np.random.default_rng(1)
    x, c = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 2))
    flat = model.log_prob(x.reshape(-1, 3), c.reshape(-1, 2)).reshape(2, 5)
    assert np.allclose(nj.log_prob(model, x, c), flat)
    assert np.allclose(jax.vmap(lambda x, c: nj.log_prob(model, x, c))(x, c), flat)
    assert np.allclose(nj.log_prob(model, x[1, 2], c[1, 2]), flat[1, 2])
    assert np.allclose(jax.vmap(lambda x: nj.log_prob(model, x, c[0, 0]))(x[0]), model.log_prob(x[0], c[0, :1]))


def test_maps_agree_with_differences(model):
    from jax.test_util import check_grads
    rng = np.random.default_rng(2)
    x, c = rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
    for f in (nj.log_prob, nj.forward, nj.inverse):
        check_grads(lambda x, c: f(model, x, c), (x, c), order=1, modes=("rev",), atol=1e-5, rtol=1e-5)
