"""What scheduled sampling costs: a training step with ``feed_previous_prob=0.1`` beside one with 0.

The paper's network, 124 frames of 128 bands, batch 64: encoder of 2 x 256 units, decoder of
2 x 256 in one or two directions. Both sides alternate; figures are medians of a whole step.

    python examples/benchmarks/sampling.py
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import torch

from skaudeep.nn.autoencoders import NetworkSizes, TimeAutoencoder
from skaudeep.training.loop import Loss, Training

N_FRAMES, N_BANDS, BATCH_SIZE = 124, 128, 64
PROBABILITIES = (0.0, 0.1)


def make_training(probability: float, cell: str, bidirectional: bool, device: str) -> Training:
    sizes = NetworkSizes(N_BANDS, cell=cell, bidirectional_decoder=bidirectional, dropout=0.2)
    network = TimeAutoencoder(sizes).to(device)
    return Training(
        network,
        torch.optim.Adam(network.parameters()),
        Loss(feed_previous_prob=probability),
        seed=0,
        learning_rate=1e-3,
        gradient_clip=2.0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=["gru", "lstm"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()

    x = torch.rand(N_FRAMES, BATCH_SIZE, N_BANDS, device=options.device) * 2 - 1
    print(f"{torch.get_num_threads()} threads, medians of {options.repeats} steps")
    for cell in options.cells:
        for bidirectional in (False, True):
            sides = {
                probability: make_training(probability, cell, bidirectional, options.device)
                for probability in PROBABILITIES
            }
            times: dict[float, list[float]] = {probability: [] for probability in sides}
            for repeat in range(1 + options.repeats):
                for probability, training in sides.items():
                    start = time.perf_counter()
                    training.step(x, None)[0].item()  # waits for the device
                    if repeat:  # the first warms up
                        times[probability].append(time.perf_counter() - start)
            without, sampled = (median(of_side) for of_side in times.values())
            print(
                f"{cell:5s} {'bi' if bidirectional else 'uni'}directional decoder: "
                f"{without * 1e3:.0f} ms without, {sampled * 1e3:.0f} ms with, "
                f"{sampled / without:.2f} times",
                flush=True,
            )


if __name__ == "__main__":
    main()
