"""Which backend runs recurrent layers on a CPU, and what happens where numba is not to be had."""

from __future__ import annotations

import os
import subprocess
import sys

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
    found = []
    for backend in ("auto", "torch"):
        monkeypatch.setenv("SKAUDEEP_BACKEND", backend)
        autoencoder = Seq2SeqAutoencoder(
            5, cell=cell, max_epochs=2, dropout=0.2, random_state=0, **parameters
        ).fit(clips())
        found.append((autoencoder.loss_curve_, autoencoder.transform(clips())))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-3)


def test_torchs_layers_do_not_load_numba():
    code = (
        "import sys, numpy, skaudeep; X = numpy.zeros((2, 5, 3), numpy.float32); "
        "skaudeep.Seq2SeqAutoencoder(4, max_epochs=1).fit(X); sys.exit('numba' in sys.modules)"
    )
    environment = os.environ | {"SKAUDEEP_BACKEND": "torch"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_a_backend_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setenv("SKAUDEEP_BACKEND", "cuda")
    with pytest.raises(ValueError, match="SKAUDEEP_BACKEND='cuda', expected \"auto\""):
        backends.uses_kernels()


MISSING = """
import sys, warnings
{missing}
import numpy
from skaudeep import Seq2SeqAutoencoder
X = numpy.random.default_rng(0).uniform(-1, 1, (70, 5, 3)).astype(numpy.float32)
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    for _ in range(2):
        Seq2SeqAutoencoder(4, max_epochs=1, batch_size=70, random_state=0).fit_transform(X)
print([str(w.message) for w in found])
"""


@pytest.mark.parametrize(
    ("missing", "environment", "reason"),
    [
        ("sys.modules['numba'] = None", {}, "numba"),
        ("", {"NUMBA_DISABLE_JIT": "1"}, "NUMBA_DISABLE_JIT switches numba's compiler off"),
    ],
)
def test_torchs_layers_run_with_one_warning_where_numba_cannot_compile(
    missing, environment, reason
):
    inherited = {name: v for name, v in os.environ.items() if name != "SKAUDEEP_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", MISSING.format(missing=missing)],
        capture_output=True,
        text=True,
        env=inherited | environment,
    )
    assert done.returncode == 0, done.stderr
    (message,) = eval(done.stdout)
    assert reason in message
    assert "SKAUDEEP_BACKEND=torch" in message


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_a_stack_refuses_other_bands_on_either_backend(backend, monkeypatch):
    monkeypatch.setenv("SKAUDEEP_BACKEND", backend)
    stack = RecurrentStack(3, 4, n_layers=1, cell="gru", dropout=0.0)
    with pytest.raises(ValueError, match=r"x of shape \(7, 2, 300\) for weight_ih"):
        stack(torch.zeros(7, 2, 300))
