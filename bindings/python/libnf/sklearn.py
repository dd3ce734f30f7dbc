"""A density estimator for scikit-learn: in pipelines, in GridSearchCV, and beside KernelDensity."""
from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from libnf.arrays import Array
from libnf.flow import Flow

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # before scikit-learn 1.6
    def validate_data(estimator: Any, X: Any, **k: Any) -> Any:  # type: ignore[no-redef, misc]
        return estimator._validate_data(X, **k)


class FlowDensity(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """Learns the density of rows with a normalizing flow.

    Parameters
    ----------
    spec : "auto", "realnvp", "maf", "nsf", "anomaly", or a spec of libnf; None for a number below means the preset's
    steps, epochs : length of the training
    lr, batch, patience, holdout : see `libnf.Model.fit`
    options : a dict of further options of `libnf.Model.fit`
    dtype : "float32" or "float64", of a preset
    random_state : seed of the parameters, the order of the rows, and the rows held out

    Attributes
    ----------
    flow_ : the fitted `libnf.Flow`, to save, to map rows to latents, or to differentiate
    n_features_in_ : number of columns
    """

    def __init__(self, spec: Any = "auto", *, steps: int | None = None, epochs: float | None = None, lr: float | None = None,
                 batch: int | None = None, patience: int | None = None, holdout: float | None = None,
                 options: dict[str, Any] | None = None, dtype: str = "float32", random_state: Any = 0) -> None:
        self.spec = spec
        self.steps = steps
        self.epochs = epochs
        self.lr = lr
        self.batch = batch
        self.patience = patience
        self.holdout = holdout
        self.options = options
        self.dtype = dtype
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> FlowDensity:
        """Trains on X [n, columns]; y is ignored. sample_weight [n] >= 0."""
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        named = {name: getattr(self, name) for name in ("steps", "epochs", "lr", "batch", "patience", "holdout")}
        options = {**(self.options or {}), **{k: v for k, v in named.items() if v is not None}}
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31)
        self.flow_ = Flow(self.spec, seed=int(seed), dtype=self.dtype, **options).fit(X, weight=sample_weight)
        return self

    def _rows(self, X: Any) -> Any:
        check_is_fitted(self)
        return validate_data(self, X, dtype=[np.float64, np.float32], reset=False)

    def score_samples(self, X: Any) -> Array:
        """Computes the log-density [n] of each row, in nats."""
        return self.flow_.log_prob(self._rows(X)).astype(np.float64)

    def score(self, X: Any, y: Any = None) -> float:
        """Returns the mean log-density in nats; larger is better."""
        return float(np.mean(self.score_samples(X)))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Array:
        """Draws rows [n_samples, columns]."""
        check_is_fitted(self)
        seed = random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31)
        return self.flow_.sample(n_samples, int(seed))
