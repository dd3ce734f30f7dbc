"""nessai with a flow of libnf in place of its own, on its two-dimensional Gaussian example: log evidence, and time in the flow.

usage: nessai_flow.py [theirs] [libnf] [--live 2000] [--seed 1234]    needs pip install nessai
Both flows are RealNVPs of four couplings; libnf trains on the same live points with the settings that nessai passes. The likelihood
is a normal density within the prior's box, so the true evidence is 1/400.
"""
import argparse
import tempfile
import time
import types

import nessai.flowmodel
import numpy as np
import torch
from nessai.flowsampler import FlowSampler
from nessai.model import Model
from nessai.proposal import FlowProposal
from scipy.stats import norm

import libnf

SECONDS = {}
Theirs = nessai.flowmodel.FlowModel


class Ours(Theirs):
    """What nessai asks of a flow (nessai.flowmodel.FlowModel)."""

    def initialise(self):
        columns = int(self.flow_config["n_inputs"])
        coupling = {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [4 * columns] * 2}}
        self.flow = libnf.Model({"event": columns, "layers": [
            {"repeat": 2, "layers": [coupling, {**coupling, "swap": True}, {"type": "lu_linear"}]}]}, int(self.rng.integers(1 << 31)))
        self.device = self.inference_device = "cpu"
        self.model = types.SimpleNamespace(training=False, eval=lambda: None, base_distribution_log_prob=normal)
        self.initialised = True

    def train(self, samples, weights=None, max_epochs=None, patience=None, val_size=None, output=None, plot=True, **_others):
        c = self.training_config
        batch = min(int(c["batch_size"]), int(len(samples) * (1 - c["val_size"])))
        info = self.flow.fit(samples, weight=weights, holdout=c["val_size"], epochs=max_epochs or c["max_epochs"], batch=batch,
                             valid_every=max(1, int(len(samples) * (1 - c["val_size"])) // batch), patience=patience or c["patience"],
                             lr=c["lr"], clip_norm=c["clip_grad_norm"], split_seed=int(self.rng.integers(1 << 31)))
        return {"loss": [info.loss], "val_loss": [-info.best]}

    def forward_and_log_prob(self, x, conditional=None):
        z, log_det = self.flow.forward(x)
        z = z.astype(np.float64)
        return z, norm.logpdf(z).sum(1) + log_det

    def inverse(self, z, conditional=None):
        x, log_det = self.flow.inverse(np.asarray(z))
        return x.astype(np.float64), log_det.astype(np.float64)

    def log_prob(self, x, conditional=None):
        return self.flow.log_prob(x).astype(np.float64)

    def sample_latent_distribution(self, n=1):
        return self.rng.normal(size=(n, self.flow.info.latent_size))

    def sample_and_log_prob(self, N=1, z=None, alt_dist=None, conditional=None):
        z = self.sample_latent_distribution(int(N)) if z is None else np.asarray(z)
        log_prob = (normal if alt_dist is None else alt_dist.log_prob)(torch.as_tensor(z).to(torch.get_default_dtype())).numpy()
        x, log_det = self.inverse(z)
        return x, log_prob.astype(np.float64) - log_det

    def reset_model(self, weights=True, permutations=False):
        self.initialise()

    def reload_weights(self, weights_file):
        """The flow is in the state of the sampler: models of libnf pickle."""


def normal(z):
    return -0.5 * (z**2).sum(1) - z.shape[1] / 2 * float(np.log(2 * np.pi))


def timed(kind):
    """The class, with the seconds of its methods added up: training, and all else."""
    def method(name):
        def call(self, *arguments, **options):
            begun = time.perf_counter()
            try:
                return getattr(kind, name)(self, *arguments, **options)
            finally:
                SECONDS["train" if name == "train" else "map"] += time.perf_counter() - begun
        return call
    names = ("train", "forward_and_log_prob", "inverse", "log_prob", "sample_and_log_prob")
    return type(kind.__name__, (kind,), {name: method(name) for name in names})


class Gaussian(Model):
    """The example of nessai's documentation."""

    def __init__(self):
        self.names = ["x", "y"]
        self.bounds = {"x": [-10, 10], "y": [-10, 10]}

    def log_prior(self, x):
        log_p = np.log(self.in_bounds(x), dtype="float")
        for bounds in self.bounds.values():
            log_p -= np.log(bounds[1] - bounds[0])
        return log_p

    def log_likelihood(self, x):
        return sum(norm.logpdf(x[name]) for name in self.names)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("flows", nargs="*", default=["theirs", "libnf"])
    parser.add_argument("--live", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1234)
    arguments = parser.parse_args()
    print(f"true log evidence {-np.log(400):.3f}", flush=True)
    for name in arguments.flows:
        FlowProposal._FlowModelClass = timed(Ours if name == "libnf" else Theirs)
        SECONDS.update(train=0.0, map=0.0)
        with tempfile.TemporaryDirectory() as folder:
            sampler = FlowSampler(Gaussian(), output=folder, resume=False, seed=arguments.seed, nlive=arguments.live, plot=False)
            begun, cpu = time.perf_counter(), time.process_time()
            sampler.run(plot=False, save=False)
            ns = sampler.ns
            print(f"{name:7} log evidence {ns.log_evidence:.3f} +- {ns.log_evidence_error:.3f}, {ns.model.likelihood_evaluations} calls of the "
                  f"likelihood; wall time {time.perf_counter() - begun:.0f} s, CPU {time.process_time() - cpu:.0f} s, in the flow: "
                  f"{SECONDS['train']:.1f} s training, {SECONDS['map']:.1f} s mapping", flush=True)


main()
