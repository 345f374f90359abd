"""Compare training and features on a CUDA device with the CPU, then measure both. Under 8 minutes.

Correctness: gradients of one step and features of the paper's network, GRU and LSTM, on all three
axes, with rows of equal and of unequal length. Speed: optimiser steps and `transform`, in clips per
second, for the paper's network (2 x 256 units, 124 frames of 128 bands) and several batch sizes.
The script exits with status 1 if a result differs by more than its tolerance.

    python examples/benchmarks/gpu_check.py
    python examples/benchmarks/gpu_check.py --device cpu --quick    # does the script itself run?
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch

from skaudeep import Seq2SeqAutoencoder

# TensorFloat-32 rounds factors to 11 bits: the losses of a few epochs agree to about 1e-3.
LOSS_TOLERANCE = 5e-3
FEATURE_TOLERANCE = 1e-3  # largest difference of standardised features, same weights, float32
CONFIGURATIONS = {
    "gru, time": {},
    "lstm, time": {"cell": "lstm"},
    "gru, frequency-time": {"axis": "frequency-time", "n_units": (32, 64), "n_layers": (1, 2)},
    "gru, frequency": {"axis": "frequency", "n_units": 32},
    "gru, gaussian code": {"code": "gaussian"},
    "gru, statistics": {"representation": "statistics"},
}


def make_clips(n_clips: int, n_frames: int, n_bands: int, *, ragged: bool) -> np.ndarray:
    """Make smooth random spectrograms (n_clips, n_frames, n_bands) in [-1, 1]."""
    steps = np.random.default_rng(0).normal(size=(n_clips, n_frames, n_bands))
    clips = np.tanh(steps.cumsum(axis=1) / 5).astype(np.float32)
    if ragged:
        for i, clip in enumerate(clips):
            clip[n_frames - i % (n_frames // 2) :] = np.nan
    return clips


def check(name: str, parameters: dict, clips: np.ndarray, device: str) -> bool:
    """Train on both devices, and compute the features of the same weights on both."""
    common = {"n_units": 64, "bidirectional_decoder": True, "max_epochs": 3, "dropout": 0.2}
    common |= {"batch_size": 16, "random_state": 0} | parameters
    there = Seq2SeqAutoencoder(**common, device=device).fit(clips)
    here = Seq2SeqAutoencoder(**common, device="cpu").fit(clips)
    loss = max(abs(a / b - 1) for a, b in zip(there.loss_curve_, here.loss_curve_, strict=True))
    on_device = there.transform(clips)
    on_cpu = there.set_params(device="cpu").transform(clips)
    scale = np.nanstd(on_cpu) + 1e-12
    features = float(np.nanmax(np.abs(on_device - on_cpu))) / scale
    same_nan = bool((np.isnan(on_device) == np.isnan(on_cpu)).all())
    good = loss < LOSS_TOLERANCE and features < FEATURE_TOLERANCE and same_nan
    print(
        f"{name:34s} loss off by {loss:.1e}, features by {features:.1e}  "
        f"{'ok' if good else 'WRONG'}",
        flush=True,
    )
    return good


def rate(clips: np.ndarray, device: str, batch_size: int, *, train: bool) -> float:
    """Clips per second of one epoch (the second, after a warm-up), or of `transform`."""
    network = Seq2SeqAutoencoder(
        256,
        bidirectional_decoder=True,
        max_epochs=1 if train else 0,
        batch_size=batch_size,
        device=device,
        random_state=0,
        warm_start=True,
    ).fit(clips[: 2 * batch_size])
    start = time.perf_counter()
    if train:
        network.partial_fit(clips)
    else:
        network.transform(clips)
    return len(clips) / (time.perf_counter() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="few and small clips")
    options = parser.parse_args()
    device = options.device
    if device.startswith("cuda"):
        if not torch.cuda.is_available():
            print(f"torch {torch.__version__} finds no CUDA device: nothing was checked.")
            return 1
        print(torch.cuda.get_device_name(device), end=", ")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} CPU threads")

    good = True
    for ragged in (False, True):
        clips = make_clips(16 if options.quick else 64, 20, 40, ragged=ragged)
        for name, parameters in CONFIGURATIONS.items():
            label = f"{name}{', unequal lengths' if ragged else ''}"
            good &= check(label, parameters, clips, device)

    sizes = [8] if options.quick else [64, 256, 512]
    print("clips per second, clips of 124 frames x 128 bands (one epoch incl. components)")
    for train in (True, False):
        for batch_size in sizes:
            n_clips = 2 * batch_size if options.quick else 4096
            clips = make_clips(n_clips, 124, 128, ragged=False)
            figure = rate(clips, device, batch_size, train=train)
            print(
                f"  {'training' if train else 'transform':10s} batch {batch_size:4d}  {figure:9.0f}"
            )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
