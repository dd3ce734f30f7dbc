"""Flows of nflows as models of libnf: the same densities, and a clear refusal of what has no equal."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nflows")
import torch.nn.functional as F  # noqa: E402
from nflows import distributions, flows, nn, transforms  # noqa: E402

from libnf.convert import ConversionError, from_nflows  # noqa: E402

D = 5


def flow_of(*steps, base=None, double=False):
    """A flow with random parameters: fresh ones are near the identity, where mistakes do not show."""
    flow = flows.Flow(transforms.CompositeTransform(list(steps)), base or distributions.StandardNormal([D]))
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(0.15 * torch.randn(p.shape, generator=g))
    return flow.double() if double else flow


def residual(context=None, **k):
    return lambda a, b: nn.nets.ResidualNet(a, b, 16, context_features=context, num_blocks=2, **k)


def mask(even):
    return torch.arange(D) % 2 if even else 1 - torch.arange(D) % 2


RQ = {"num_bins": 6, "tails": "linear", "tail_bound": 3.0}
CASES = {
    "realnvp": lambda c: [transforms.AffineCouplingTransform(mask(True), residual(c)), transforms.ReversePermutation(D),
                          transforms.AffineCouplingTransform(torch.tensor([1, 0, 0, 1, 0]), residual(c, activation=torch.tanh))],
    "nice": lambda c: [transforms.AdditiveCouplingTransform(mask(False), residual(c, activation=F.elu))],
    "maf": lambda c: [transforms.MaskedAffineAutoregressiveTransform(D, 16, context_features=c), transforms.RandomPermutation(D),
                      transforms.MaskedAffineAutoregressiveTransform(D, 13, context_features=c, activation=F.silu)],
    "iaf": lambda c: [transforms.InverseTransform(transforms.CompositeTransform([
        transforms.MaskedAffineAutoregressiveTransform(D, 16, context_features=c), transforms.ReversePermutation(D),
        transforms.LULinear(D)]))],
    "nsf": lambda c: [transforms.LULinear(D), transforms.PiecewiseRationalQuadraticCouplingTransform(
        mask(True), residual(c), **RQ), transforms.PiecewiseRationalQuadraticCouplingTransform(
            mask(False), residual(c), apply_unconditional_transform=True, **RQ)],
    "nsf, autoregressive": lambda c: [transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        D, 16, context_features=c, **RQ)],
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("context", [None, 2])
def test_densities_agree(name, context):
    for double in (False, True):
        done = from_nflows(flow_of(*CASES[name](context), double=double))
        assert done.max_log_prob_float64 < 1e-9 and done.max_log_prob < 1e-2, done
        assert done.max_inverse < 1e-3 and done.model.info.context_size == (context or 0)
        assert done.model.info.dtype == (np.float64 if double else np.float32)


def test_other_layers():
    steps = [transforms.BatchNorm(D), transforms.ActNorm(D), transforms.NaiveLinear(D, orthogonal_initialization=False), transforms.IdentityTransform(),
             transforms.PointwiseAffineTransform(shift=torch.arange(5.0), scale=torch.full((5,), 2.0)),
             transforms.MaskedAffineAutoregressiveTransform(D, 12, num_blocks=2, use_residual_blocks=False, random_mask=True)]
    flow = flow_of(*steps, base=distributions.DiagonalNormal([D]))
    flow.train()
    flow.log_prob(torch.randn(50, D))
    done = from_nflows(flow)
    assert done.max_log_prob_float64 < 1e-9 and flow.training
    assert "BatchNorm" in str(done)


def test_one_and_two_columns():
    for d in (1, 2):
        flow = flows.Flow(transforms.MaskedAffineAutoregressiveTransform(d, 8), distributions.StandardNormal([d]))
        assert from_nflows(flow).max_log_prob_float64 < 1e-10


@pytest.mark.parametrize("step, says", [
    (lambda: transforms.MaskedAffineAutoregressiveTransform(D, 8, use_batch_norm=True), "batch normalization"),
    (lambda: transforms.Tanh(), "Tanh"), (lambda: transforms.SVDLinear(D, 2), "SVDLinear"),
    (lambda: transforms.MaskedAffineAutoregressiveTransform(D, 8, use_residual_blocks=False, context_features=2), "context"),
    (lambda: transforms.AffineCouplingTransform(mask(True), residual(activation=torch.sin)), "sin"),
    (lambda: transforms.PiecewiseLinearCouplingTransform(mask(True), residual()), "PiecewiseLinear")])
def test_what_has_no_equal_is_refused(step, says):
    with pytest.raises(ConversionError, match=says) as e:
        from_nflows(flow_of(transforms.ReversePermutation(D), step()))
    assert "transform[1]" in str(e.value)


def test_a_wrong_import_is_noticed(monkeypatch):
    from libnf.convert import nflows
    monkeypatch.setattr(nflows.nets, "feature_major", lambda columns, order: np.arange(columns * len(order)))
    with pytest.raises(ConversionError, match="agree"):
        from_nflows(flow_of(*CASES["maf"](None)))
