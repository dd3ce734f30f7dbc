"""What the tests share: a tiny model, rows, and a trained one."""
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # PyTorch: its threads and others wait for each other
import numpy as np  # noqa: E402
import pytest  # noqa: E402

import libnf  # noqa: E402

# Small models gain nothing from threads, and on a busy machine they wait for each other.
libnf.runtime._default = libnf.Runtime(threads=1)

SPEC = {"event": 2, "layers": [{"type": "standardize"}, {"repeat": 2, "layers": [
    {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [16]}}, {"type": "reverse"}]}]}
CONDITIONAL = {"event": 3, "context": 2, "dtype": "float64", "layers": [{"repeat": 2, "layers": [
    {"type": "masked_autoregressive", "net": {"type": "mlp", "hidden": [16]}}, {"type": "reverse"}]}]}


def banana(n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    x[:, 1] = 0.3 * x[:, 1] + x[:, 0] ** 2
    return x


def perturbed(spec, seed=1):
    """A model whose parameters are not near their start, where many maps are the identity."""
    model = libnf.Model(spec, seed)
    rng = np.random.default_rng(seed)
    for name, info in model.tensors._infos.items():
        if info.trainable:
            model.tensors[name] = model.tensors[name] + 0.3 * rng.normal(size=info.shape)
    return model


@pytest.fixture(scope="session")
def rows():
    return banana(600)


@pytest.fixture(scope="session")
def trained(rows):
    model = libnf.Model(SPEC, 1)
    model.fit(rows, steps=150, lr=1e-2, batch=128, seed=3)
    return model


@pytest.fixture
def model(trained):
    return trained.clone()


@pytest.fixture(scope="session")
def conditional():
    return perturbed(CONDITIONAL)
