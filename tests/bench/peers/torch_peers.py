"""nflows, zuko and normflows on PyTorch (CPU), and autoencoders written in plain PyTorch. Usage: torch_peers.py LIBRARY
THREADS"""
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


class Gated(torch.nn.Module):
    """a sigmoid(b) of the channels [a | b] that a layer makes."""
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return torch.nn.functional.glu(self.layer(x), 1)


class Autoencoder(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        nn, z = torch.nn, model["latent"]
        self.latent = z
        if model is cases.VAE:
            self.encoder = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 2 * z))
            self.decoder = nn.Sequential(nn.Linear(z, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 784))
            return

        def down(a, b, stride):
            return Gated(nn.Conv2d(a, 2 * b, 5, stride, 2))

        def up(a, b, stride):
            return Gated(nn.ConvTranspose2d(a, 2 * b, 5, stride, 2, stride - 1))
        self.encoder = nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)), down(1, 32, 1), down(32, 32, 2), down(32, 64, 1), down(64, 64, 2), down(64, 64, 1),
            nn.Flatten(), Gated(nn.Linear(7 * 7 * 64, 512)), nn.Linear(256, 2 * z))
        self.decoder = nn.Sequential(
            Gated(nn.Linear(z, 512)), Gated(nn.Linear(256, 2 * 7 * 7 * 64)), nn.Unflatten(1, (64, 7, 7)), up(64, 64, 1), up(64, 64, 2),
            up(64, 32, 1), up(32, 32, 2), up(32, 32, 1), nn.Conv2d(32, 1, 1), nn.Flatten())

    def log_weights(self, x, draws):
        """log p(x, z) - log q(z | x) of so many z for each row, [rows, draws]. The encoder runs once per row."""
        mean, log_var = self.encoder(x).chunk(2, 1)
        eps = torch.randn(len(x), draws, self.latent)
        z = mean[:, None] + torch.exp(0.5 * log_var)[:, None] * eps
        logits = self.decoder(z.flatten(0, 1)).view(len(x), draws, -1)
        log_p = -torch.nn.functional.binary_cross_entropy_with_logits(logits, x[:, None].expand_as(logits), reduction="none").sum(2)
        return log_p + 0.5 * (eps ** 2 - z ** 2).sum(2) + 0.5 * log_var.sum(1)[:, None]

    def loss(self, x):
        mean, log_var = self.encoder(x).chunk(2, 1)
        logits = self.decoder(mean + torch.exp(0.5 * log_var) * torch.randn_like(mean))
        kl = 0.5 * (mean ** 2 + log_var.exp() - 1 - log_var).sum()
        return (torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum") + kl) / len(x)


def build_autoencoder(model, what, rows):
    if library != "pytorch":
        return None
    net, x = Autoencoder(model), (torch.rand(rows, 784) < 0.3).float()
    if what == "train":
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

        def step():
            optimizer.zero_grad()
            net.loss(x).backward()
            optimizer.step()
        return step

    def evidence():
        with torch.no_grad():
            torch.logsumexp(net.log_weights(x, cases.IMPORTANCE_SAMPLES), 1)
    return evidence


flows = {"nflows": nflows_flow, "zuko": zuko_flow, "normflows": normflows_flow, "pytorch": lambda model: None}[library]


def build(model, what, rows):
    if model["family"] == "vae":
        return build_autoencoder(model, what, rows)
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
