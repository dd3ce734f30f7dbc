"""PyTorch: tensors in and out, gradients, training on a loss of one's own."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
import libnf  # noqa: E402
import libnf.torch as nt  # noqa: E402
from conftest import CONDITIONAL, banana, perturbed  # noqa: E402


@pytest.fixture(scope="module")
def model():
    return perturbed(CONDITIONAL)


def test_tensors_go_in_and_out(model):
    x, c = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    assert np.array_equal(model.log_prob(x, c), model.log_prob(x.numpy(), c.numpy()))
    out = torch.empty(5, dtype=torch.float64)
    model.log_prob(x, c, out=out)
    assert np.array_equal(out.numpy(), model.log_prob(x, c))
    assert np.array_equal(model.log_prob(x.t().contiguous().t(), c), model.log_prob(x, c))
    levels = torch.randint(0, 9, (5, 3), dtype=torch.uint8)
    assert np.array_equal(model.log_prob(levels, c), model.log_prob(levels.double(), c))
    with pytest.raises(RuntimeError):
        model.log_prob(x.requires_grad_(), c)


def test_gradients_by_gradcheck(model):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(4, 3, dtype=torch.float64, generator=g, requires_grad=True)
    c = torch.randn(4, 2, dtype=torch.float64, generator=g, requires_grad=True)
    one = torch.randn(1, 2, dtype=torch.float64, generator=g, requires_grad=True)
    for function in (nt.log_prob, nt.forward, nt.inverse):
        assert torch.autograd.gradcheck(lambda x, c: function(model, x, c), (x, c))
        assert torch.autograd.gradcheck(lambda x, c: function(model, x, c), (x, one))
    plain = perturbed({"event": 2, "dtype": "float64", "layers": [{"type": "affine_coupling"}, {"type": "reverse"}]})
    y = torch.randn(4, 2, dtype=torch.float64, generator=g, requires_grad=True)
    for function in (nt.log_prob, nt.forward, nt.inverse):
        assert torch.autograd.gradcheck(lambda y: function(plain, y), (y,))


def test_a_graph_around_it(model):
    w = torch.eye(3, dtype=torch.float64, requires_grad=True)
    x, c = torch.randn(6, 3, dtype=torch.float64), torch.zeros(1, 2, dtype=torch.float64)
    nt.log_prob(model, x @ w, c).sum().backward()
    assert np.allclose(w.grad.numpy(), x.numpy().T @ model.grad(x, c))


def test_training_on_a_loss_of_torch():
    x = torch.from_numpy(banana(400).astype(np.float32))
    flow = libnf.Model({"event": 2, "layers": [{"type": "affine_coupling"}, {"type": "reverse"}, {"type": "affine_coupling"}]}, 1)
    trainer = libnf.Trainer(flow, lr=1e-2)

    def loss(z, log_det):
        return (0.5 * (z**2).sum(1) + np.log(2 * np.pi) - log_det).mean()
    before = flow.log_prob(x).mean()
    for _ in range(60):
        info = nt.step(trainer, x, loss)
    assert flow.log_prob(x).mean() > before + 0.3 and np.isclose(info.loss, -flow.log_prob(x).mean(), atol=0.2)
    assert nt.sample(flow, 3).shape == (3, 2)
