"""pocoMC with a flow of libnf in place of its own, on the Rosenbrock example of its README: log evidence, and time in the flow.

usage: pocomc_flow.py [theirs] [libnf] [--total N] [--dim 10] [--seed 0]    needs pip install pocomc
Both flows are autoregressive rational-quadratic splines, six of them (pocoMC's default, nsf6), with masked nets of 3 x 32 units, and
train on the same weighted particles with pocoMC's settings. The true log evidence is a sum of integrals over pairs of columns.
"""
import argparse
import time

import numpy as np
import pocomc
import scipy.integrate
import scipy.stats
import torch

import libnf


class Preconditioner:
    """What pocoMC asks of a flow (pocomc.Flow): forward and inverse with log determinants, log_prob, sample and fit."""

    def __init__(self, columns, seed=0):
        hidden = max(32, 2**int(np.ceil(np.log2(3 * columns))))
        spline = {"type": "spline_autoregressive", "bins": 8, "bound": 5, "net": {"type": "mlp", "hidden": [hidden] * 3}}
        self.model = libnf.Model({"event": columns, "layers": [{"repeat": 3, "layers": [spline, {**spline, "order": "reversed"}]}]}, seed)
        self.seed = seed

    def forward(self, x):
        return tuple(map(torch.as_tensor, self.model.forward(x.float())))

    def inverse(self, u):
        return tuple(map(torch.as_tensor, self.model.inverse(u.float())))

    def log_prob(self, x):
        return torch.as_tensor(self.model.log_prob(x.float()))

    def sample(self, size=1):
        self.seed += 1
        log_prob = np.empty(size, np.float32)
        x = self.model.sample(size, self.seed, log_prob=log_prob)
        return torch.as_tensor(x), torch.as_tensor(log_prob)

    def fit(self, x, weights=None, validation_split=0.5, epochs=1000, batch_size=1000, patience=20, learning_rate=1e-3,
            clip_grad_norm=1.0, **_others):
        """Trains on a share of the rows, and ends after 1.5 * patience epochs without a better validation, as theirs does."""
        self.seed += 1
        rows = np.ascontiguousarray(x.numpy(), np.float32)
        train = int(validation_split * len(rows))
        steps = max(1, train // int(batch_size))
        self.model.fit(rows, weight=None if weights is None else weights.numpy(), holdout=1 - validation_split, epochs=epochs,
                       batch=max(1, min(int(batch_size), train)), valid_every=steps, patience=max(1, int(1.5 * patience)),
                       lr=learning_rate, clip_norm=clip_grad_norm, split_seed=self.seed)


class Timed:
    """A flow, and the seconds spent in it."""

    def __init__(self, flow):
        self.flow, self.seconds = flow, {"fit": 0.0, "other": 0.0}

    def __getattr__(self, name):
        function = getattr(self.flow, name)
        if not callable(function):
            return function

        def call(*arguments, **options):
            begun = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds["fit" if name == "fit" else "other"] += time.perf_counter() - begun
        return call


def log_likelihood(x):
    return -np.sum(10.0 * (x[:, ::2]**2.0 - x[:, 1::2])**2.0 + (x[:, ::2] - 1.0)**2.0, axis=1)


def truth(dim):
    """log of the evidence with a uniform prior on [-10, 10] of each column."""
    def inner(a):  # the integral over the second column of a pair
        s = np.sqrt(0.05)
        return np.sqrt(np.pi / 10) * (scipy.stats.norm.cdf((10 - a * a) / s) - scipy.stats.norm.cdf((-10 - a * a) / s)) * np.exp(-(a - 1)**2)
    pair = scipy.integrate.quad(inner, -10, 10, points=[-3, 1, 3])[0]
    return dim / 2 * np.log(pair / 400)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("flows", nargs="*", default=["theirs", "libnf"])
    parser.add_argument("--dim", type=int, default=10)
    parser.add_argument("--total", type=int, default=4096)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"true log evidence {truth(arguments.dim):.3f}", flush=True)
    for name in arguments.flows:
        prior = pocomc.Prior(arguments.dim * [scipy.stats.uniform(-10.0, 20.0)])
        sampler = pocomc.Sampler(prior=prior, likelihood=log_likelihood, vectorize=True, random_state=arguments.seed)
        if name == "libnf":
            sampler.flow = Preconditioner(arguments.dim, arguments.seed)
        sampler.flow = timed = Timed(sampler.flow)
        begun, cpu = time.perf_counter(), time.process_time()
        sampler.run(n_total=arguments.total, n_evidence=arguments.total, progress=False)
        log_z, error = sampler.evidence()
        print(f"{name:7} log evidence {log_z:.3f} +- {error:.3f}, {sampler.calls} calls of the likelihood; wall time "
              f"{time.perf_counter() - begun:.0f} s, CPU {time.process_time() - cpu:.0f} s, in the flow: {timed.seconds['fit']:.1f} s training, "
              f"{timed.seconds['other']:.1f} s mapping", flush=True)


main()
