"""How fast a training step and `transform` are, as a share of what the machine can do.

One step is forward, loss, backward, clip and Adam of the paper's network: encoder of 2 x 256 units,
bidirectional decoder of 2 x 256, 124 frames of 128 bands. The yardstick beside it is the same graph
on plain ``nn.GRU`` or ``nn.LSTM`` stacks in float32. Both sides alternate; figures are medians.

On a CUDA device "float32" and "plain" multiply in TensorFloat-32 in training.

    python examples/benchmarks/training.py
    python examples/benchmarks/training.py --device cuda
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn

from skaudeep.nn.autoencoders import NetworkSizes, TimeAutoencoder
from skaudeep.nn.devices import products_in
from skaudeep.training.loop import Loss, Training

N_BANDS, N_LAYERS = 128, 2
N_FRAMES, N_UNITS = 124, 256  # unless other ones are asked for
GATES = {"gru": 3, "lstm": 4}


class PlainStack(nn.Module):
    """What `skaudeep.nn.stack.RecurrentStack` does, on torch's own module."""

    def __init__(self, cell: str, rate: float):
        super().__init__()
        module = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.cell = cell
        self.rate = rate
        self.layers = nn.ModuleList(
            module(N_BANDS if layer == 0 else N_UNITS, N_UNITS) for layer in range(N_LAYERS)
        )

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return outputs (T, B, H) and final state (B, S)."""
        finals = []
        states = [None] * N_LAYERS if state is None else state.chunk(N_LAYERS, dim=1)
        for layer, initial in zip(self.layers, states, strict=True):
            x = nn.functional.dropout(x, self.rate)
            hx = None
            if initial is not None:
                parts = [part[None].contiguous() for part in initial.split(N_UNITS, dim=1)]
                hx = parts[0] if self.cell == "gru" else tuple(parts)
            x, final = layer(x, hx)
            x = nn.functional.dropout(x, self.rate)
            finals += [final] if self.cell == "gru" else list(final)
        return x, torch.cat(finals, dim=2)[0]


class PlainAutoencoder(nn.Module):
    """The graph of `skaudeep.nn.autoencoders.TimeAutoencoder` on plain stacks."""

    def __init__(self, cell: str, rate: float):
        super().__init__()
        self.encoder = PlainStack(cell, rate)
        self.stacks = nn.ModuleList([PlainStack(cell, rate), PlainStack(cell, rate)])
        size = N_LAYERS * N_UNITS * (1 if cell == "gru" else 2)
        self.code = nn.Linear(size, 2 * size)
        self.project = nn.Linear(2 * N_UNITS, N_BANDS)

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct (T, B, F)."""
        _, state = self.encoder(x)
        code = torch.tanh(self.code(state))
        outputs = []
        for backward, stack, start in zip(
            (False, True), self.stacks, code.chunk(2, dim=1), strict=True
        ):
            frames = x if backward else x.flip(0)
            previous = torch.cat([torch.zeros_like(frames[:1]), frames[:-1]])
            output, _ = stack(previous, start)
            outputs.append(output.flip(0) if backward else output)
        return torch.tanh(self.project(torch.cat(outputs, dim=2))).flip(0)


def step_flops(cell: str, batch: int) -> float:
    """Multiplications and additions of the matrix products of one training step.

    Each product of the forward pass has two in the backward pass, but for the gradient of the
    input frames, which nothing needs.
    """
    gates = GATES[cell]
    first = 2 * gates * N_UNITS * N_BANDS
    recurrent = N_LAYERS * 2 * gates * N_UNITS * N_UNITS
    above = (N_LAYERS - 1) * 2 * gates * N_UNITS * N_UNITS
    project = 2 * 2 * N_UNITS * N_BANDS
    size = N_LAYERS * N_UNITS * (1 if cell == "gru" else 2)
    per_frame = 3 * (2 * first + 3 * (recurrent + above)) + 3 * project
    return batch * (N_FRAMES * per_frame + 3 * 2 * size * 2 * size)


def encoder_flops(cell: str, batch: int) -> float:
    gates = GATES[cell]
    inputs = N_BANDS + (N_LAYERS - 1) * N_UNITS
    return batch * N_FRAMES * 2 * gates * N_UNITS * (inputs + N_LAYERS * N_UNITS)


def seconds(run: Callable[[], object], device: str) -> float:
    start = time.perf_counter()
    run()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start


def alternate(
    sides: dict[str, Callable[[], object]], repeats: int, device: str
) -> dict[str, float]:
    """Median time of each side, all taken in turn.

    Each turn begins with a run that does not count: the memory that the side before has given back
    to the system is slow to return.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            seconds(run, device)
            times[name].append(seconds(run, device))
    return {name: median(values) for name, values in times.items()}


def product(n: int, device: str, *, onednn: bool = False) -> Callable[[], object]:
    """Return a square SGEMM through torch.mm (MKL, cuBLAS) or through oneDNN."""
    a, b = torch.randn(2, n, n, device=device)
    if onednn:
        packed = torch.ops.mkldnn._reorder_linear_weight(b, n)
        return lambda: torch.ops.mkldnn._linear_pointwise(a, packed, None, "none", [], "")
    return lambda: torch.mm(a, b)


def plain_step(network: nn.Module, x: Tensor) -> Callable[[], object]:
    """Return a step as anybody would write it: the whole batch through autograd."""
    network.to(x.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step() -> None:
        loss = (network(x) - x).square().mean().sqrt()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_value_(network.parameters(), 2.0)
        optimizer.step()

    return step


def training_of(cell: str, rate: float, device: str, *, bf16: bool = False) -> Training:
    """Return a training of `skaudeep.training.loop` that is ready for a step."""
    sizes = NetworkSizes(
        N_BANDS, N_UNITS, N_LAYERS, cell=cell, bidirectional_decoder=True, dropout=rate
    )
    network = TimeAutoencoder(sizes).to(device)
    training = Training(
        network,
        torch.optim.Adam(network.parameters()),
        Loss(bf16=bf16),
        seed=0,
        learning_rate=1e-3,
        gradient_clip=2.0,
    )
    training.begin_epoch()
    return training


def main() -> None:
    global N_FRAMES, N_UNITS
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--cells", nargs="+", default=["gru", "lstm"])
    parser.add_argument("--dropout", type=float, nargs="+", default=[0.0, 0.2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frames", type=int, default=N_FRAMES)
    parser.add_argument("--units", type=int, default=N_UNITS)
    options = parser.parse_args()
    N_FRAMES, N_UNITS = options.frames, options.units
    device = options.device
    on_cuda = device.startswith("cuda")

    name = torch.cuda.get_device_name() if on_cuda else platform.processor()
    machine, threads = name or platform.machine(), torch.get_num_threads()
    print(f"{machine}, {threads} threads, torch {torch.__version__}")
    ceiling = {"mm": product(2048, device)}
    if device == "cpu" and torch.backends.mkldnn.is_available():
        ceiling["oneDNN"] = product(2048, device, onednn=True)

    def report(label: str, flops: dict[str, float], times: dict[str, float]) -> None:
        limits = {side: 2 * 2048**3 / times[side] / 1e9 for side in ceiling}
        for side in flops:
            rate = flops[side] / times[side] / 1e9
            shares = "  ".join(
                f"{rate / limit:4.0%} of {limit:.0f} ({kind})" for kind, limit in limits.items()
            )
            ratio = flops[side] / flops["plain"] * times["plain"] / times[side]
            print(
                f"{label:28s} {side:10s} {times[side] * 1e3:8.1f} ms {rate:6.0f} GFLOP/s  {shares}"
                f"  {ratio:5.2f} x plain",
                flush=True,
            )

    for cell in options.cells:
        for batch in options.batches:
            x = torch.rand(N_FRAMES, batch, N_BANDS, device=device) * 2 - 1
            for rate in options.dropout:
                step = partial(training_of, cell, rate, device)
                sides = {
                    "plain": plain_step(PlainAutoencoder(cell, rate), x),
                    "float32": partial(step().step, x, None),
                    "bf16": partial(step(bf16=True).step, x, None),
                }
                flops = dict.fromkeys(sides, step_flops(cell, batch))
                with products_in("tf32", torch.device(device)):
                    times = alternate(sides | ceiling, options.repeats, device)
                report(f"{cell} batch {batch} dropout {rate:g}", flops, times)

        x = torch.rand(N_FRAMES, 256, N_BANDS, device=device) * 2 - 1
        network = training_of(cell, 0.0, device).network
        encoders = {"plain": PlainStack(cell, 0.0).to(device), "float32": network.encoder}
        with torch.inference_mode(), products_in("ieee", torch.device(device)):
            runs = {side: partial(module, x) for side, module in encoders.items()}
            times = alternate(runs | ceiling, max(options.repeats, 9), device)
        report(f"{cell} transform 256", dict.fromkeys(runs, encoder_flops(cell, 256)), times)


if __name__ == "__main__":
    main()
