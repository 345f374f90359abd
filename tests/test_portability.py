"""What Windows and macOS lack is not needed, and results do not hang on it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from skaudeep.nn.devices import resolve_device

# Windows has neither file locks nor fork nor madvise, macOS no huge pages.
TAKE_AWAY = """
import mmap, os, sys
sys.modules["fcntl"] = None  # to import it is an ImportError
import torch  # which goes by the name of the system
for module, name in [(mmap, "MADV_HUGEPAGE"), (os, "fork"), (os, "register_at_fork")]:
    delattr(module, name)
"""

EXTRACT_SAVE_LOAD = """
import mmap, os, sys
from pathlib import Path

import numpy as np
import torch

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor, extract_to_netcdf, load, save
from skaudeep.datasets import make_sounds
from skaudeep.nn.backends import buffers

folder = Path(sys.argv[1])
sounds = make_sounds(
    8, n_classes=2, n_sessions=2, sampling_rate=8000, folder=folder / "clips", random_state=0
)
stored = extract_to_netcdf(sounds, SpectrogramExtractor(n_mels=16), folder / "spectrograms.nc")
autoencoder = Seq2SeqAutoencoder(8, max_epochs=1, random_state=0).fit(stored.data)
save(autoencoder, folder / "model.skaudeep")
features = load(folder / "model.skaudeep").transform(stored.data)
np.save(folder / "features.npy", features)
assert buffers.empty(1024, 1024, dtype=torch.float32).fill_(1).sum() == 1024**2  # two huge pages
if sys.modules["fcntl"]:
    print("fcntl")
for module, name in [(mmap, "MADV_HUGEPAGE"), (os, "fork")]:
    if hasattr(module, name):
        print(name)
"""


def test_extracting_saving_and_loading_need_nothing_that_only_linux_has(
    tmp_path, monkeypatch, capsys
):
    """Without file locks, huge pages and fork the same features come out."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    monkeypatch.setattr(sys, "argv", ["", str(here)])
    exec(EXTRACT_SAVE_LOAD, {})
    if sys.platform == "linux":  # else there is less to take away
        assert capsys.readouterr().out.split() == ["fcntl", "MADV_HUGEPAGE", "fork"]
    elsewhere.mkdir()
    script = elsewhere / "script.py"
    script.write_text(TAKE_AWAY + EXTRACT_SAVE_LOAD, "utf-8")
    done = subprocess.run(
        [sys.executable, script, elsewhere],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert not done.stdout
    np.testing.assert_array_equal(
        np.load(elsewhere / "features.npy"), np.load(here / "features.npy")
    )


@pytest.fixture
def with_mps(monkeypatch):
    """Make torch say that this is a Mac with a GPU."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: True)


@pytest.mark.usefixtures("with_mps")
def test_the_automatic_device_is_never_mps(monkeypatch):
    """It was never run."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert resolve_device("auto") == torch.device("cuda", 0)
