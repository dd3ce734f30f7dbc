"""Flows of zuko as models of libnf."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
zuko = pytest.importorskip("zuko")

from libnf.convert import ConversionError, from_zuko  # noqa: E402


def moved(flow):
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=g))
    return flow


CASES = {
    "maf": lambda c: zuko.flows.MAF(4, c, transforms=3, hidden_features=(16, 9)),
    "maf, random orders": lambda c: zuko.flows.MAF(4, c, randperm=True, hidden_features=(8,), activation=torch.nn.ELU),
    "nsf": lambda c: zuko.flows.NSF(4, c, transforms=2, bins=6, hidden_features=(16, 16)),
    "nice": lambda c: zuko.flows.NICE(5, c, transforms=3, hidden_features=(16,)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("context", [0, 2])
def test_densities_agree(name, context):
    for double in (False, True):
        flow = moved(CASES[name](context))
        done = from_zuko(flow.double() if double else flow)
        assert done.max_log_prob_float64 < 1e-9 and done.max_log_prob < 1e-2, done
        assert done.model.info.context_size == context and done.max_inverse < 1e-3
        assert done.model.info.dtype == (np.float64 if double else np.float32)


def test_spline_couplings_and_permutations():
    from functools import partial
    flow = zuko.flows.Flow([
        zuko.flows.UnconditionalTransform(zuko.transforms.PermutationTransform, torch.tensor([2, 0, 1]), buffer=True),
        zuko.flows.coupling.GeneralCouplingTransform(3, 0, torch.tensor([True, False, True]), partial(
            zuko.transforms.MonotonicRQSTransform, bound=4.0), [(5,), (5,), (4,)])],
        zuko.flows.UnconditionalDistribution(zuko.distributions.DiagNormal, torch.ones(3), 2 * torch.ones(3)))
    assert from_zuko(moved(flow)).max_log_prob_float64 < 1e-9


@pytest.mark.parametrize("make, says", [
    (lambda: zuko.flows.MAF(4, passes=2), "passes"), (lambda: zuko.flows.NAF(3), "univariate|map|MNN|Neural"),
    (lambda: zuko.flows.NCSF(3), "Circular|Box"), (lambda: zuko.flows.MAF(4, hidden_features=(8, 8), residual=True), "residual"),
    (lambda: zuko.flows.CNF(3), "FFJTransform")])
def test_what_has_no_equal_is_refused(make, says):
    with pytest.raises(ConversionError, match=says):
        from_zuko(make())
