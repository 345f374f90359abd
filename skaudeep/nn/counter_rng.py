"""Counter-based random numbers for training.

A sequence's draws depend only on the seed and on its position in the batch, not on how the batch is
split over threads or processes, nor on the length that it is padded to. Therefore no result depends
on where the work is done.

The generator is SplitMix64 [1]_: number i of a stream is a hash of a key and i, so that the stream
need not be stored to be drawn again::

    seed, number n of the draw            row: position of the sequence in the whole batch
            |                                   |
    start = mix(seed + n * GOLDEN)              |
            |                                   |
            +---> key = mix(start + (row + 1) * GOLDEN)          one stream per draw and sequence
                         |
                         +---> number i = mix(key + i * GOLDEN)  i = frame * width + column

    draw n     row 0   row 1 | row 2   row 3
    frame 0      .       .   |   .       .       Thread A computes rows 0 and 1, thread B rows 2
    frame 1      .       .   |   .       .       and 3. Both compute the numbers that a single
    frame 2      .       .   |   .       .       thread would: no state is shared or passed on.

References
----------
.. [1] Steele, Lea & Flood (2014). Fast splittable pseudorandom number generators. OOPSLA.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch
from torch import Tensor

# Constants of SplitMix64 as int64, whose arithmetic is that of uint64 bit for bit.
GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_FIRST, _SECOND = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64


class CounterRNG:
    """Source of all random numbers of training: dropout, noise, scheduled sampling.

    Each draw takes a new stream for each sequence. Networks draw in the same order for every part
    of a batch, so that the n-th draw is the same everywhere.

    Parameters
    ----------
    seed : int
        Seed; the same numbers for the same seed and rows.
    rows : Tensor of shape (n_sequences,), int64
        Positions of the sequences in the whole batch. The numbers are drawn on its device.

    Examples
    --------
    >>> import torch
    >>> whole, part = CounterRNG(0, torch.arange(4)), CounterRNG(0, torch.tensor([2]))
    >>> torch.equal(whole.uniform(5)[:, [2]], part.uniform(5))
    True
    """

    def __init__(self, seed: int, rows: Tensor, draws: Iterator[int] | None = None):
        self.seed = seed
        self.rows = rows
        self._draws = count() if draws is None else draws

    def keys(self) -> Tensor:
        """Begin a draw: return the keys of its streams, of shape (n_sequences,), int64."""
        stream = _wrapped(next(self._draws) * GOLDEN)
        # Computed on the CPU, so that it does not wait for another device.
        start = int(_mixed(torch.tensor(_wrapped(stream + self.seed))))
        return _mixed((self.rows + 1) * GOLDEN + start)

    def bits(self, n_frames: int, width: int) -> Tensor:
        """Draw uniformly distributed int64 of shape (n_frames, n_sequences, width).

        Number ``t * width + i`` of a sequence's stream is at ``[t, :, i]``.
        """
        place = torch.arange(n_frames * width, device=self.rows.device) * GOLDEN
        return _mixed(self.keys()[:, None] + place.view(n_frames, 1, width))

    def uniform(self, n_frames: int) -> Tensor:
        """Draw numbers in [0, 1), of shape (n_frames, n_sequences), float32."""
        return _shifted(self.bits(n_frames, 1)[:, :, 0], 40) * 2.0**-24

    def normal(self, width: int) -> Tensor:
        """Draw numbers from a standard normal distribution, (n_sequences, width), float64."""
        uniform = (_shifted(self.bits(1, width)[0], 11).double() + 0.5) * 2.0**-53
        return torch.special.ndtri(uniform)

    def frame_rng(self, n_frames: int) -> CounterRNG:
        """Return a generator in which each frame of each sequence has a stream of its own.

        It continues the sequence of draws of this one.
        """
        frames = torch.arange(n_frames, device=self.rows.device)[:, None]
        rows = (self.rows + 1) * 2**32 + frames  # (T, B)
        return CounterRNG(self.seed, rows.flatten(), self._draws)


def _mixed(z: Tensor) -> Tensor:
    z = (z ^ _shifted(z, 30)) * _FIRST
    z = (z ^ _shifted(z, 27)) * _SECOND
    return z ^ _shifted(z, 31)


def _wrapped(n: int) -> int:
    """Return a number modulo 2^64 as a signed 64-bit integer."""
    return (n + 2**63) % 2**64 - 2**63


def _shifted(z: Tensor, n: int) -> Tensor:
    """Shift right and fill with zeros, as for unsigned integers."""
    return (z >> n) & (2 ** (64 - n) - 1)
