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


def glow(levels=2, blocks=2, size=8, channels=3, base=None, classes=None, merge="channel", transform=None, noise=0.1, **block):
    """The Glow of normflows' example: q0[0] is the innermost base."""
    bases, flows, merges = [], [], []
    for i in range(levels):
        c = channels * 2**(levels + 1 - i)
        flows.append([*(nf.flows.GlowBlock(c, 6, **block) for _ in range(blocks)), nf.flows.Squeeze()])
        if i > 0:
            merges.append(nf.flows.Merge(merge))
            shape = (channels * 2**(levels - i), size // 2**(levels - i), size // 2**(levels - i))
        else:
            shape = (channels * 2**(levels + 1), size // 2**levels, size // 2**levels)
        bases.append((base or nf.distributions.GlowBase)(shape, *([classes] if classes else [])))
    flow = nf.MultiscaleFlow(bases, flows, merges, transform=transform)
    g = torch.Generator().manual_seed(1)
    flow.log_prob(torch.rand(50, channels, size, size, generator=g) * 0.8 + 0.1, torch.zeros(50, dtype=int) if classes else None)
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(noise * torch.randn(p.shape, generator=g))
    return flow


GLOWS = {
    "glow": lambda: glow(),
    "glow, three scales": lambda: glow(levels=3, blocks=1, channels=1, use_lu=False, leaky=0.01),
    "glow, exp": lambda: glow(blocks=1, noise=0.02, scale_map="exp", split_mode="channel_inv", merge="channel_inv", net_actnorm=True),
    "glow, shifts only, logit": lambda: glow(blocks=1, scale=False, channels=1, transform=nf.transforms.Logit(0.05)),
    "glow, diagonal base": lambda: glow(blocks=1, base=nf.distributions.DiagGaussian, transform=nf.transforms.Shift(-0.5)),
    "glow, classes": lambda: glow(blocks=1, channels=1, classes=4),
    "glow, classes of another base": lambda: glow(blocks=1, channels=1, classes=3, base=nf.distributions.ClassCondDiagGaussian),
}


@pytest.mark.parametrize("name", GLOWS)
def test_images_agree(name):
    flow = GLOWS[name]()
    done = from_normflows(flow, rows=200)
    assert done.max_log_prob_float64 < 1e-9 and done.max_log_prob < 1e-2 and done.max_inverse < 1e-3, done
    assert done.model.info.event == (8, 8, 3 if "glow" == name or "exp" in name or "diagonal" in name else 1)


def test_one_scale_of_images_agrees():
    flow = nf.NormalizingFlow(nf.distributions.DiagGaussian((4, 2, 2)), [nf.flows.GlowBlock(4, 5), nf.flows.Permute(4)])
    flow.log_prob(torch.randn(20, 4, 2, 2))
    assert from_normflows(flow).max_log_prob_float64 < 1e-9


@pytest.mark.parametrize("make, says", [
    (lambda: glow(blocks=1, split_mode="checkerboard"), "half the width"), (lambda: glow(blocks=1, scale_map="sigmoid_inv"), "no equal"),
    (lambda: glow(blocks=1, leaky=0.2), "negative_slope"), (lambda: glow(blocks=1, transform=nf.transforms.Logit(0.2)), "alpha is 0.2")])
def test_images_without_an_equal_are_refused(make, says):
    with pytest.raises(ConversionError, match=says):
        from_normflows(make())
