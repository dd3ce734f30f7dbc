"""The base distribution, the latents of variational autoencoders, and importance sampling: more methods on rows."""
from __future__ import annotations

from typing import TYPE_CHECKING

from libnf import _call
from libnf._nf import lib
from libnf.arrays import F64, Array, ArrayLike, read, write
from libnf.errors import raise_from
from libnf.inference import Inference, _count, _rows, sampling
from libnf.infos import Encoding, Importance, ImportanceInfo

if TYPE_CHECKING:
    from libnf.target import Target


class Latents(Inference):
    """Adds what nf_infer.h has to the methods on rows."""

    def base_log_prob(self, z: ArrayLike, context: ArrayLike = None) -> Array:
        """Computes the log-density [n] of the base distribution at latents z, in nats."""
        zv, za = read(z, "z")
        cv, _c = read(context, "context")
        ov, oa = write(None, "log_prob", (_rows(za, "z"),), self.info.dtype)
        self._run(lib.nf_base_log_prob, zv, cv, ov)
        return oa

    def base_sample(self, n: int, seed: int = 0, context: ArrayLike = None, *, first: int = 0, repeat: int = 1,
                    temperature: float = 1.0) -> Array:
        """Draws the latents z [n, latent_size] of the samples that `sample` draws."""
        cv, _c = read(context, "context")
        ov, oa = write(None, "z", (_count(n), self.info.latent_size), self.info.dtype)
        self._run(lib.nf_base_sample, sampling(seed, first, repeat, temperature), cv, ov)
        return oa

    def base_quantile(self, u: ArrayLike, context: ArrayLike = None) -> Array:
        """Maps u in (0, 1) [n, latent_size] through the inverse distribution function of the base, column by column."""
        uv, ua = read(u, "u")
        cv, _c = read(context, "context")
        ov, oa = write(None, "z", (_rows(ua, "u"), self.info.latent_size), self.info.dtype)
        self._run(lib.nf_base_quantile, uv, cv, ov)
        return oa

    def encode(self, x: ArrayLike, context: ArrayLike = None) -> Encoding:
        """Encodes rows by a variational autoencoder: mean and log variance of z_0 given x, and a draw of the posterior."""
        xv, xa = read(x, "x")
        cv, _c = read(context, "context")
        n = _rows(xa, "x")
        size, dtype = (n, self.info.latent_size), self.info.dtype
        outs = [write(None, "out", shape, dtype) for shape in (size, size, size, (n,))]
        self._run(lib.nf_encode, xv, cv, *(v for v, _ in outs))
        return Encoding(*(a for _, a in outs))

    def decode(self, z: ArrayLike, context: ArrayLike = None) -> Array:
        """Decodes latents z [n, latent_size] of a variational autoencoder: the mean of x given z."""
        zv, za = read(z, "z")
        cv, _c = read(context, "context")
        ov, oa = write(None, "x", (_rows(za, "z"), *self.info.event), self.info.dtype)
        self._run(lib.nf_decode, zv, cv, ov)
        return oa

    def _posterior_layers(self) -> int:
        raise NotImplementedError

    def posterior_trace(self, x: ArrayLike, context: ArrayLike = None) -> tuple[Array, Array]:
        """Returns the draw of `encode` on its way through the posterior's layers, [K + 1, n, latent_size], and log_det [K, n]."""
        xv, xa = read(x, "x")
        cv, _c = read(context, "context")
        n, layers = _rows(xa, "x"), self._posterior_layers()
        ov, oa = write(None, "out", (layers + 1, n, self.info.latent_size), self.info.dtype)
        lv, la = write(None, "log_det", (layers, n), self.info.dtype)
        self._run(lib.nf_posterior_trace, xv, cv, ov, lv)
        return oa, la

    def importance(self, target: Target, n: int, seed: int = 0, context: ArrayLike = None, *, first: int = 0) -> Importance:
        """Weights n samples of this model by a target: x [n, event_size], log_weight [n] = log p - log q in float64, and a
        summary with log Z, its error, the effective sample size and Pareto k. They are the samples that `sample` draws."""
        cv, _c = read(context, "context")
        xv, xa = write(None, "x", (_count(n), self.info.event_size), self.info.dtype)
        wv, wa = write(None, "log_weight", (n,), F64)
        info = _call.struct("nf_importance_info")
        slot = self._enter()
        try:
            status = lib.nf_importance(slot.h, target._handle(), seed, first, n, cv, xv, wv, info, slot.err)
            target._box.reraise()
            if status:
                raise_from(slot.err)
        finally:
            self._leave(slot)
        return Importance(xa, wa, _call.filled("nf_importance_info", ImportanceInfo, info))

    def posterior_importance(self, x: ArrayLike, n: int, seed: int = 0, context: ArrayLike = None, *,
                             first: int = 0) -> Importance:
        """Weights n draws z [n, latent_size] of a variational autoencoder's posterior of one row x [1, event_size] by p(x, z):
        log_z of the summary is an estimate of log p(x) with an error."""
        xv, _x = read(x, "x")
        cv, _c = read(context, "context")
        zv, za = write(None, "z", (_count(n), self.info.latent_size), self.info.dtype)
        wv, wa = write(None, "log_weight", (n,), F64)
        info = _call.struct("nf_importance_info")
        self._run(lib.nf_posterior_importance, xv, cv, seed, first, n, zv, wv, info)
        return Importance(za, wa, _call.filled("nf_importance_info", ImportanceInfo, info))
