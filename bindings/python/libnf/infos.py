"""What calls report, as named tuples; nf.h and nf_infer.h explain every number."""
from __future__ import annotations

from typing import Any, NamedTuple, Optional

from libnf.arrays import Array


class ModelInfo(NamedTuple):
    """Facts of a model. Sizes are numbers of columns, `event` and `latent` the shapes of one row."""

    dtype: Any
    event_size: int
    latent_size: int
    context_size: int
    param_count: int
    tensor_count: int
    layer_count: int
    exact: bool  # whether log_prob is the log-density, not a bound of it
    has_layers: bool  # whether it is a chain with forward, inverse and trace
    event: tuple[int, ...]
    latent: tuple[int, ...]


class LayerInfo(NamedTuple):
    """A layer of the chain, after nesting and repeats are expanded."""

    type: str
    name: str
    path: str
    where: str
    inverted: bool
    repetition: int
    columns: int
    first_tensor: int
    tensor_count: int


class TensorInfo(NamedTuple):
    """A named tensor of a model."""

    name: str
    shape: tuple[int, ...]
    dtype: Any
    trainable: bool
    masked: bool


class StepInfo(NamedTuple):
    """One training step. Losses are in nats."""

    step: int
    loss: float
    loss_error: float
    grad_norm: float
    lr: float
    seconds: float
    diverged: int
    went_back: int
    drift: float
    drift_layer: int
    kept_inputs: int


class FitInfo(NamedTuple):
    """The state of a run of `fit`. Scores are mean log_prob in nats."""

    validated: int
    improved: int
    stop: int
    step: int
    planned: int
    best_step: int
    steps_per_epoch: int
    train_rows: int
    valid_rows: int
    loss: float
    train: float
    valid: float
    valid_error: float
    best: float
    lr: float
    grad_norm: float
    seconds: float
    bad_rows: int
    bad_row: int
    valid_rest: float
    batch_rows: int
    merged_rows: int
    valid_every: int
    diverged_at: int
    went_back: int
    point: int


class LogProbGrad(NamedTuple):
    """log_prob [n], its gradients dx (as x) and dctx [n, context_size], None without a context."""

    log_prob: Array
    dx: Array
    dctx: Optional[Array]


class Pullback(NamedTuple):
    """A map's results, and the cotangents of its inputs."""

    to: Array
    log_det: Array
    d_from: Array
    d_ctx: Optional[Array]


class Pushforward(NamedTuple):
    """A map's results, and their tangents."""

    to: Array
    log_det: Array
    tan_to: Array
    tan_log_det: Array


class Encoding(NamedTuple):
    """Of a variational autoencoder: mean and log variance of z_0 given x, a draw z of the posterior, and its log-density."""

    mean: Array
    log_var: Array
    z: Array
    log_q: Array


class ImportanceInfo(NamedTuple):
    """Summary of importance weights w = p / q."""

    samples: int
    log_z: float
    log_z_error: float
    ess: float
    ess_fraction: float
    reverse_kl: float
    reverse_kl_error: float
    largest_share: float
    pareto_k: float
    pareto_k_limit: float
    smoothed_log_z: float
    smoothed_log_z_error: float
    smoothed_ess: float


class Importance(NamedTuple):
    """Samples x [n, event_size] of the model, log_weight [n] = log p - log q, and the summary."""

    x: Array
    log_weight: Array
    info: ImportanceInfo


class CoverageInfo(NamedTuple):
    """Weights of samples of the model beside weights of rows of the target."""

    samples: int
    target_samples: int
    log_z: float
    log_z_error: float
    deviation: float
    forward_kl: float
    forward_kl_error: float
    outside: float
    outside_p: float


class ScoreInfo(NamedTuple):
    """The mean of scores in nats; rows of density 0 are counted apart."""

    rows: int
    outside: int
    first_outside: int
    mean: float
    error: float
    inside_mean: float
    inside_error: float


class TargetInfo(NamedTuple):
    """A target: whether it is built in, its columns, and log Z (nan if unknown)."""

    builtin: int
    event_size: int
    log_z: float


class MetropolisInfo(NamedTuple):
    """Markov chains: steps of each, and the fraction of proposals accepted."""

    steps: int
    acceptance: float
