"""The precision of products on a GPU, and, where there is one, that it trains as a CPU does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skaudeep import Seq2SeqAutoencoder
from skaudeep.nn.devices import products_in

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def settings():
    return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.rnn.fp32_precision


def test_the_precision_of_products_is_given_back():
    before = settings()
    cuda = torch.device("cuda")
    with products_in("tf32", cuda):
        assert settings() == ("tf32", "tf32")
        with products_in("ieee", cuda):
            assert settings() == ("ieee", "ieee")
        assert settings() == ("tf32", "tf32")
    assert settings() == before
    with pytest.raises(ZeroDivisionError), products_in("tf32", cuda):
        int(1 / 0)
    assert settings() == before
    with products_in("tf32", torch.device("cpu")):
        assert settings() == before


def clips(seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, size=(13, 7, 8)).astype(np.float32)


def small(device, **parameters):
    return Seq2SeqAutoencoder(
        **{"n_units": 6, "max_epochs": 8, "batch_size": 5, "learning_rate": 1e-3}
        | {"representation": "statistics", "random_state": 0, "device": device}
        | parameters
    )


@needs_cuda
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"cell": "lstm", "bidirectional_decoder": True},
        {"axis": "frequency-time", "band_window": 4, "band_overlap": 2, "code": "gaussian"},
        {"feed_previous_prob": 0.3},
    ],
)
@pytest.mark.parametrize("ragged", [False, True])
def test_a_gpu_trains_as_a_cpu_does(parameters, ragged):
    X = clips()
    if ragged:
        X[::3, 5:] = np.nan
    there = small("cuda", **parameters).fit(X)
    here = small("cpu", **parameters).fit(X)
    assert there.loss_curve_ == pytest.approx(here.loss_curve_, rel=1e-3)  # TensorFloat-32
    there.set_params(device="cpu")
    np.testing.assert_allclose(there.transform(X), here.transform(X), atol=1e-2)
    features = there.transform(X)
    there.set_params(device="cuda")
    np.testing.assert_allclose(there.transform(X), features, atol=1e-5)
