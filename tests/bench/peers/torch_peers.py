"""nflows, zuko and normflows on PyTorch (CPU). Usage: torch_peers.py LIBRARY THREADS"""
import sys

import torch

import cases

library, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(1)


def nflows_flow(model):
    from nflows import distributions, flows, nn, transforms
    steps = []
    for i in range(model["layers"]):
        if model is cases.MAF:
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
    if model is not cases.MAF:
        return None
    flow = zuko.flows.MAF(model["features"], transforms=model["layers"], hidden_features=[model["hidden"]] * 2)
    return flow, lambda x: flow().log_prob(x), lambda n: flow().sample((n,))


def normflows_flow(model):
    import normflows as nf
    if model is cases.MAF:
        return None  # its autoregressive layer is an IAF: fast to sample, and D passes for a density
    steps = []
    for _ in range(model["layers"]):
        steps.append(nf.flows.AffineCouplingBlock(nf.nets.MLP([1, model["hidden"], model["hidden"], model["hidden"], 2],
                                                              init_zeros=True)))
        steps.append(nf.flows.Permute(2, mode="swap"))
    flow = nf.NormalizingFlow(nf.distributions.DiagGaussian(model["features"]), steps)
    return flow, flow.log_prob, lambda n: flow.sample(n)[0]


flows = {"nflows": nflows_flow, "zuko": zuko_flow, "normflows": normflows_flow}[library]


def build(model, what, rows):
    made = flows(model)
    if made is None:
        return None
    flow, log_prob, sample = made
    x = torch.randn(rows, model["features"])
    if what == "train":
        optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)

        def step():
            optimizer.zero_grad()
            (-log_prob(x).mean()).backward()
            optimizer.step()
        return step
    flow.eval()

    def evaluate():
        with torch.no_grad():
            sample(rows) if what == "sample" else log_prob(x)
    return evaluate


cases.work(library, build, threads)
