"""Flows of normflows as models of libnf."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
nf = pytest.importorskip("normflows")

from libnf.convert import ConversionError, from_normflows  # noqa: E402

D = 5


def flow_of(flows, kind=None):
    flow = (kind or nf.NormalizingFlow)(nf.distributions.DiagGaussian(D), flows)
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=g))
    return flow


def mlp(a, b, leaky=0.0):
    return nf.nets.MLP([a, 8, 9, b], leaky=leaky)


def bits(even):
    return torch.tensor([i % 2 == even for i in range(D)]).float()


CASES = {
    "realnvp": lambda: [nf.flows.MaskedAffineFlow(bits(0), mlp(D, D), mlp(D, D)), nf.flows.ActNorm(D),
                        nf.flows.MaskedAffineFlow(bits(1), None, mlp(D, D)), nf.flows.MaskedAffineFlow(bits(0), mlp(D, D), None)],
    "coupling blocks": lambda: [nf.flows.AffineCouplingBlock(mlp(3, 4, 0.01)), nf.flows.Permute(D, "swap"),
                                nf.flows.AffineCouplingBlock(mlp(2, 6), scale_map="sigmoid", split_mode="channel_inv"),
                                nf.flows.Permute(D, "shuffle"), nf.flows.AffineCouplingBlock(mlp(3, 2), scale=False)],
    "nsf": lambda: [nf.flows.CoupledRationalQuadraticSpline(D, 2, 16), nf.flows.LULinearPermute(D),
                    nf.flows.CoupledRationalQuadraticSpline(D, 1, 8, reverse_mask=True)],
    "nsf, autoregressive": lambda: [nf.flows.AutoregressiveRationalQuadraticSpline(D, 2, 16), nf.flows.LULinearPermute(D),
                                    nf.flows.AutoregressiveRationalQuadraticSpline(D, 1, 9, permute_mask=True)],
    "maf": lambda: [nf.flows.MaskedAffineAutoregressive(D, 16, num_blocks=2), nf.flows.LULinearPermute(D)],
}


@pytest.mark.parametrize("name", CASES)
def test_densities_agree(name):
    for double in (False, True):
        flow = flow_of(CASES[name]())
        flow.log_prob(torch.randn(50, D))  # ActNorm starts from data
        done = from_normflows(flow.double() if double else flow)
        assert done.max_log_prob_float64 < 1e-9 and done.max_log_prob < 1e-2, done
        assert done.max_inverse < 1e-3 and done.model.info.dtype == (np.float64 if double else np.float32)


def test_contexts_of_spline_couplings():
    flow = flow_of([nf.flows.CoupledRationalQuadraticSpline(D, 1, 8, num_context_channels=2)], nf.ConditionalNormalizingFlow)
    done = from_normflows(flow)
    assert done.model.info.context_size == 2 and done.max_log_prob_float64 < 1e-9


@pytest.mark.parametrize("make, says", [
    (lambda: nf.flows.Planar((D,)), "Planar"), (lambda: nf.flows.ActNorm(D), "no data"),
    (lambda: nf.flows.MaskedAffineFlow(bits(0), mlp(D, D), nf.nets.MLP([D, 4, D])), "differ"),
    (lambda: nf.flows.MaskedAffineFlow(bits(0), nf.nets.MLP([D, 4, D], output_fn="tanh")), "at the end"),
    (lambda: nf.flows.CircularCoupledRationalQuadraticSpline(D, 1, 8, [0]), "Circular")])
def test_what_has_no_equal_is_refused(make, says):
    with pytest.raises(ConversionError, match=says) as e:
        from_normflows(flow_of([make()]))
    assert "flows[0]" in str(e.value)
