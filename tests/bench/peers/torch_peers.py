"""nflows, zuko and normflows on PyTorch (CPU). Usage: torch_peers.py LIBRARY THREADS"""
import sys

import torch

import cases

library, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(1)


def nflows_flow(model):
    from nflows import distributions, flows, nn, transforms
    if model is cases.PLANAR:
        return None  # its planar layer is not in the package
    steps = []
    for i in range(model["layers"]):
        if model is cases.NSF:
            steps += [transforms.LULinear(model["features"], identity_init=True),
                      transforms.PiecewiseRationalQuadraticCouplingTransform(
                          torch.arange(model["features"]) % 2 if i % 2 else 1 - torch.arange(model["features"]) % 2,
                          lambda a, b: nn.nets.ResidualNet(a, b, model["hidden"], num_blocks=2),
                          num_bins=model["bins"], tails="linear", tail_bound=3)]
        elif model is cases.NSF_AR:
            steps.append(transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
                model["features"], model["hidden"], num_blocks=1, use_residual_blocks=False, num_bins=model["bins"],
                tails="linear", tail_bound=3))
        elif model is cases.MAF:
            steps.append(transforms.MaskedAffineAutoregressiveTransform(
                model["features"], model["hidden"], num_blocks=1, use_residual_blocks=False))
        else:
            mask = torch.arange(model["features"]) % 2 if i % 2 else 1 - torch.arange(model["features"]) % 2
            steps.append(transforms.AffineCouplingTransform(
                mask, lambda a, b: nn.nets.ResidualNet(a, b, model["hidden"], num_blocks=1)))
        steps.append(transforms.ReversePermutation(model["features"]))
    flow = flows.Flow(transforms.CompositeTransform(steps), distributions.StandardNormal([model["features"]]))
    return flow, flow.log_prob, flow.sample


def zuko_flow(model):
    import zuko
    if model is cases.NSF_AR:
        flow = zuko.flows.NSF(model["features"], transforms=model["layers"], bins=model["bins"],
                              hidden_features=[model["hidden"]] * 2)
        return flow, lambda x: flow().log_prob(x), lambda n: flow().sample((n,))
    if model is not cases.MAF:
        return None
    flow = zuko.flows.MAF(model["features"], transforms=model["layers"], hidden_features=[model["hidden"]] * 2)
    return flow, lambda x: flow().log_prob(x), lambda n: flow().sample((n,))


def normflows_flow(model):
    import normflows as nf
    if model is cases.MAF or model is cases.NSF_AR:
        return None  # its autoregressive layer is an IAF: fast to sample, and D passes for a density
    if model is cases.NSF:
        return None  # the code of nflows
    if model is cases.PLANAR:
        flow = nf.NormalizingFlow(nf.distributions.DiagGaussian(2),
                                  [nf.flows.Planar((2,)) for _ in range(model["layers"])], Ring())
        return flow, None, None
    steps = []
    for _ in range(model["layers"]):
        steps.append(nf.flows.AffineCouplingBlock(nf.nets.MLP([1, model["hidden"], model["hidden"], model["hidden"], 2],
                                                              init_zeros=True)))
        steps.append(nf.flows.Permute(2, mode="swap"))
    flow = nf.NormalizingFlow(nf.distributions.DiagGaussian(model["features"]), steps)
    return flow, flow.log_prob, lambda n: flow.sample(n)[0]


class Ring:
    """log density of U1, not normalized: a ring of radius 4 with two bright sides."""
    def log_prob(self, z):
        radial = -0.5 * ((z.norm(dim=1) - 4) / 0.4) ** 2
        return radial + torch.logaddexp(-0.5 * ((z[:, 0] - 2) / 0.8) ** 2, -0.5 * ((z[:, 0] + 2) / 0.8) ** 2)


flows = {"nflows": nflows_flow, "zuko": zuko_flow, "normflows": normflows_flow}[library]


def build(model, what, rows):
    made = flows(model)
    if made is None:
        return None
    flow, log_prob, sample = made
    x = torch.randn(rows, model["features"])
    if what in ("train", "reverse_kl"):
        optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)

        def step():
            optimizer.zero_grad()
            (flow.reverse_kld(rows) if what == "reverse_kl" else -log_prob(x).mean()).backward()
            optimizer.step()
        return step
    flow.eval()

    def evaluate():
        with torch.no_grad():
            sample(rows) if what == "sample" else log_prob(x)
    return evaluate


cases.work(library, build, threads)
