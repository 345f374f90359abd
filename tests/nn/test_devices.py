"""The precision of products on a GPU, and, where there is one, that it trains as a CPU does."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from skaudeep import Seq2SeqAutoencoder
from skaudeep.nn import devices
from skaudeep.nn.devices import products_in

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def settings():
    return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.rnn.fp32_precision


def test_products_in_restores_the_precision():
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


@pytest.mark.parametrize("known", [True, False])
def test_bf16_trains_in_float32_with_a_warning_where_the_processor_has_no_bf16(known, monkeypatch):
    monkeypatch.setattr(devices, "_cpu_multiplies_bf16", lambda: known)
    parameters = {"max_epochs": 1, "device": "cpu"}
    full = small(**parameters).fit(clips())
    if known:
        half = small(**parameters, precision="bf16").fit(clips())
    else:
        with pytest.warns(RuntimeWarning, match="no bfloat16 arithmetic; training in float32"):
            half = small(**parameters, precision="bf16").fit(clips())
    assert (half.loss_curve_ == full.loss_curve_) != known


def test_bf16_is_timed_where_torch_does_not_tell(monkeypatch):
    monkeypatch.setattr(devices.torch.ops, "mkldnn", object())
    for slow, known in ((64, False), (0.6, True)):
        monkeypatch.setattr(
            devices, "_seconds", lambda x, slow=slow: slow if x.dtype == torch.bfloat16 else 1.0
        )
        assert devices._cpu_multiplies_bf16.__wrapped__() == known


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
def test_a_gpu_trains_as_a_cpu_does(parameters, ragged, monkeypatch):
    # With Adam's own epsilon a rounded gradient near 0 moves its weight by a part of a step.
    monkeypatch.setattr(torch.optim, "Adam", partial(torch.optim.Adam, eps=1e-3))
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
