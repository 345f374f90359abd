"""Which backend runs recurrent layers on a CPU, and what happens where numba is not to be had."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch

from skaudeep import Seq2SeqAutoencoder
from skaudeep.nn import backends
from skaudeep.nn.stack import RecurrentStack


def clips():
    X = np.random.default_rng(0).uniform(-1, 1, (40, 9, 6)).astype(np.float32)
    X[::3, 5:] = np.nan
    return X


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("parameters", [{}, {"encoder_noise": 0.2, "code": "gaussian"}])
def test_torchs_layers_train_to_the_loss_of_the_kernels(cell, parameters, monkeypatch):
    pytest.importorskip("skaudeep.nn.backends.kernels", exc_type=ImportError)
    # With Adam's own epsilon a rounded gradient near 0 moves its weight by a part of a step.
    monkeypatch.setattr(torch.optim, "Adam", partial(torch.optim.Adam, eps=1e-3))
    found = []
    for backend in ("auto", "torch"):
        monkeypatch.setenv("SKAUDEEP_BACKEND", backend)
        autoencoder = Seq2SeqAutoencoder(
            5,
            cell=cell,
            max_epochs=2,
            dropout=0.2,
            representation="statistics",
            random_state=0,
            **parameters,
        ).fit(clips())
        found.append((autoencoder.loss_curve_, autoencoder.transform(clips())))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=2e-6)


def test_a_backend_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setenv("SKAUDEEP_BACKEND", "cuda")
    with pytest.raises(ValueError, match="SKAUDEEP_BACKEND='cuda', expected \"auto\""):
        backends.uses_kernels()


WITHOUT_NUMBA = """
import os, sys, warnings
import numpy
from skaudeep import Seq2SeqAutoencoder
from skaudeep.nn import backends
X = numpy.random.default_rng(0).uniform(-1, 1, (70, 5, 3)).astype(numpy.float32)
def warnings_of_two_fits():
    backends._can_compile = None  # as in a new process
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for _ in range(2):
            Seq2SeqAutoencoder(4, max_epochs=1, batch_size=70, random_state=0).fit_transform(X)
    return [str(w.message) for w in found]
os.environ["SKAUDEEP_BACKEND"] = "torch"
found = {"chosen": warnings_of_two_fits(), "loaded": "numba" in sys.modules}
del os.environ["SKAUDEEP_BACKEND"]
sys.modules["numba"] = None
found["missing"] = warnings_of_two_fits()
del sys.modules["numba"]
os.environ["NUMBA_DISABLE_JIT"] = "1"
found["switched off"] = warnings_of_two_fits()
print(found)
"""


@pytest.fixture(scope="module")
def without_numba():
    """Train with torch's layers by choice, without numba, and with its compiler switched off."""
    taken = ("SKAUDEEP_BACKEND", "NUMBA_DISABLE_JIT")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMBA],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in taken},
    )
    assert done.returncode == 0, done.stderr
    return eval(done.stdout)


def test_torchs_layers_do_not_load_numba(without_numba):
    assert without_numba["chosen"] == []
    assert not without_numba["loaded"]


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("missing", "numba"),
        ("switched off", "NUMBA_DISABLE_JIT switches numba's compiler off"),
    ],
)
def test_torchs_layers_run_with_one_warning_where_numba_cannot_compile(without_numba, why, reason):
    (message,) = without_numba[why]
    assert reason in message
    assert "SKAUDEEP_BACKEND=torch" in message


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_a_stack_refuses_other_bands_on_either_backend(backend, monkeypatch):
    if backend == "auto":
        pytest.importorskip("skaudeep.nn.backends.kernels", exc_type=ImportError)
    monkeypatch.setenv("SKAUDEEP_BACKEND", backend)
    stack = RecurrentStack(3, 4, n_layers=1, cell="gru", dropout=0.0)
    with pytest.raises(ValueError, match=r"x of shape \(7, 2, 300\) for weight_ih"):
        stack(torch.zeros(7, 2, 300))
