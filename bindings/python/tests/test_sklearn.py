"""The estimator of scikit-learn: its own checks, pipelines, and a search."""
import pickle

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")
from sklearn.base import clone  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from conftest import banana  # noqa: E402
from libnf.sklearn import FlowDensity  # noqa: E402


@parametrize_with_checks([FlowDensity("realnvp", steps=5)])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_pipeline_and_search():
    x = banana(300) * 10 + 50
    pipeline = make_pipeline(StandardScaler(), FlowDensity("realnvp", steps=30)).fit(x)
    assert pipeline.score_samples(x).shape == (300,) and np.isfinite(pipeline.score(x))
    search = GridSearchCV(FlowDensity("realnvp"), {"steps": [1, 150], "lr": [5e-3]}, cv=2).fit(x)
    assert search.best_params_["steps"] == 150
    assert cross_val_score(FlowDensity("maf", steps=10), x, cv=2).shape == (2,)
    assert search.best_estimator_.sample(7, random_state=1).shape == (7, 2)


def test_estimator(tmp_path):
    x = banana(200)
    e = FlowDensity("nsf", steps=10, options={"clip_norm": 1.0}, random_state=np.random.RandomState(3)).fit(x)
    assert e.score_samples(x).dtype == np.float64
    assert np.array_equal(pickle.loads(pickle.dumps(e)).score_samples(x), e.score_samples(x))
    weighted = clone(FlowDensity("realnvp", steps=10)).fit(x, sample_weight=np.r_[np.ones(100), np.zeros(100)])
    assert weighted.flow_.info.train_rows + weighted.flow_.info.valid_rows == 100
    e.flow_.save(tmp_path / "m.safetensors")
