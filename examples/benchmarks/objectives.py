"""Objectives without labels, other than reconstruction, for the encoder of an autoencoder.

`training_curve.py` runs them by name. Each is a module that owns what training needs beside the
encoder, and gives the loss of a batch of clips:

- "contrast": two crops of a clip are alike, those of different clips are not (NT-Xent [1]_).
- "decorrelation": two crops of a clip are alike, and the numbers that say so vary from clip to clip
  and do not repeat each other (VICReg [2]_).
- "future statistics": the features of the first half of a clip foretell those of its second half,
  as the untrained network gives them.
- "future frames": the states foretell the frame 16 steps later (autoregressive predictive coding
  [3]_), each direction in its own sense of time.
- "masked frames": spans of frames are hidden, and a linear layer reads them from the states.
- "teacher": clips are as alike as by `two_scales`, features of larger networks that were not
  trained either (centred kernel alignment [4]_).

The first three and the last work on the features themselves: on the logarithms of covariances and
the autoregression of the states, by gradients through these. The last alone takes clips of
different lengths.

References
----------
.. [1] Chen, Kornblith, Norouzi & Hinton (2020). A simple framework for contrastive learning of
   visual representations. ICML.
.. [2] Bardes, Ponce & LeCun (2022). VICReg: Variance-invariance-covariance regularization for
   self-supervised learning. ICLR.
.. [3] Chung, Hsu, Tang & Glass (2019). An unsupervised autoregressive model for speech
   representation learning. Interspeech.
.. [4] Cortes, Mohri & Rostamizadeh (2012). Algorithms for learning kernels based on centered
   alignment. JMLR 13.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skaudeep import Seq2SeqAutoencoder
from skaudeep.nn.bidirectional import top_layers

CROP = 62  # frames: half a clip of 5 s
BATCH_SIZE = 64
AHEAD = 16  # frames from the states to what they foretell
SPAN, N_SPANS = 8, 5  # hidden frames, of 125
WIDTH = 256  # of the projection in which crops are compared
TEMPERATURE = 0.1


def features(encoder: Any, x: Tensor) -> Tensor:
    """Return the features "covariance" of clips (n_clips, n_frames, n_bands), with gradients.

    Clips of different lengths are padded by NaN.
    """
    lengths = (~x[:, :, 0].isnan()).sum(dim=1)
    padded = bool((lengths < x.shape[1]).any())
    by_frame = x.nan_to_num(0.0).transpose(0, 1).contiguous()
    return encoder.pool(by_frame, lengths if padded else None)


def top_states(encoder: Any, x: Tensor) -> Tensor:
    """Return the states of the top layer, directions side by side: (n_frames, n_clips, n_units)."""
    states, _ = encoder.recurrent(x.transpose(0, 1).contiguous())
    return top_layers(states, len(encoder.recurrent.stacks))


class OfFeatures(nn.Module):
    """What objectives on features share: their scale, that of the untrained network."""

    def __init__(self, encoder: Any, x: Tensor, teacher: Tensor | None):
        super().__init__()
        with torch.no_grad():
            rows = torch.cat([features(encoder, part) for part in x.split(BATCH_SIZE)])
        self.register_buffer("mean", rows.mean(dim=0))
        self.register_buffer("std", rows.std(dim=0) + 1e-4)

    def scaled(self, encoder: Any, x: Tensor) -> Tensor:
        """Return standardised features of clips."""
        return (features(encoder, x) - self.mean) / self.std


class Contrast(OfFeatures):
    """NT-Xent of two crops, each seen through another equaliser and level."""

    def __init__(self, encoder: Any, x: Tensor, teacher: Tensor | None):
        super().__init__(encoder, x, teacher)
        self.projection = nn.Linear(len(self.mean), WIDTH, bias=False)

    def forward(self, encoder: Any, x: Tensor, rows: Tensor, rng: torch.Generator) -> Tensor:
        """Return the loss of the clips `x`, whose numbers are `rows`."""
        views = torch.cat([equalise(crop(x, rng), rng) for _ in range(2)])
        z = nn.functional.normalize(self.projection(self.scaled(encoder, views)), dim=1)
        alike = z @ z.T / TEMPERATURE
        alike.fill_diagonal_(-torch.inf)
        return nn.functional.cross_entropy(alike, torch.arange(len(z)).roll(len(x)))


class Decorrelation(OfFeatures):
    """VICReg's three terms, with its weights 25, 25 and 1."""

    def __init__(self, encoder: Any, x: Tensor, teacher: Tensor | None):
        super().__init__(encoder, x, teacher)
        self.projection = nn.Linear(len(self.mean), WIDTH)

    def forward(self, encoder: Any, x: Tensor, rows: Tensor, rng: torch.Generator) -> Tensor:
        """Return the loss of the clips `x`, whose numbers are `rows`."""
        views = torch.cat([equalise(crop(x, rng), rng) for _ in range(2)])
        z = self.projection(self.scaled(encoder, views))
        first, second = z.chunk(2)
        loss = 25 * (first - second).square().mean()
        for view in (first, second):
            covariance = torch.cov(view.T)
            variance = covariance.diagonal()
            loss = loss + 12.5 * nn.functional.relu(1 - (variance + 1e-4).sqrt()).mean()
            others = covariance.square().sum() - variance.square().sum()
            loss = loss + others / view.shape[1]
        return loss


class FutureStatistics(OfFeatures):
    """Predict 64 principal components of the second half's features from the first half's."""

    def __init__(self, encoder: Any, x: Tensor, teacher: Tensor | None):
        super().__init__(encoder, x, teacher)
        self.untrained = copy.deepcopy(encoder).requires_grad_(requires_grad=False)
        with torch.no_grad():
            later = torch.cat([self.scaled(encoder, part[:, -CROP:]) for part in x.split(64)])
            _, values, directions = torch.linalg.svd(later - later.mean(dim=0), full_matrices=False)
        scale = values[:64] / len(x) ** 0.5
        self.register_buffer("directions", directions[:64].T / scale)
        self.prediction = nn.Linear(len(self.mean), 64)

    def forward(self, encoder: Any, x: Tensor, rows: Tensor, rng: torch.Generator) -> Tensor:
        """Return the loss of the clips `x`, whose numbers are `rows`."""
        with torch.no_grad():
            later = self.scaled(self.untrained, x[:, -CROP:]) @ self.directions
        predicted = self.prediction(self.scaled(encoder, x[:, :CROP]))
        return nn.functional.mse_loss(predicted, later)


class Teacher(OfFeatures):
    """Align the kernel of a batch with that of the teacher's features."""

    def __init__(self, encoder: Any, x: Tensor, teacher: Tensor | None):
        super().__init__(encoder, x, teacher)
        assert teacher is not None
        rows = (teacher - teacher.mean(dim=0)) / (teacher.std(dim=0) + 1e-6)
        self.register_buffer("teacher", nn.functional.normalize(rows, dim=1))

    def forward(self, encoder: Any, x: Tensor, rows: Tensor, rng: torch.Generator) -> Tensor:
        """Return the loss of the clips `x`, whose numbers are `rows`."""
        z = nn.functional.normalize(self.scaled(encoder, x), dim=1)
        # A clip is like itself in any features, which the diagonal would say louder than the rest.
        apart = ~torch.eye(len(x), dtype=torch.bool)
        ours, wanted = (part @ part.T for part in (z, self.teacher[rows]))
        ours, wanted = (part[apart] - part[apart].mean() for part in (ours, wanted))
        return 1 - (ours * wanted).sum() / (ours.norm() * wanted.norm())


class FutureFrames(nn.Module):
    """Predict frames from the states before them, and after them for the backward direction."""

    def __init__(self, encoder: Any, x: Tensor, teacher: Tensor | None):
        super().__init__()
        self.n_units = encoder.covariance.center.shape[0] // 2
        self.forward_reading = nn.Linear(self.n_units, x.shape[2])
        self.backward_reading = nn.Linear(self.n_units, x.shape[2])

    def forward(self, encoder: Any, x: Tensor, rows: Tensor, rng: torch.Generator) -> Tensor:
        """Return the loss of the clips `x`, whose numbers are `rows`."""
        states, frames = top_states(encoder, x), x.transpose(0, 1)
        later = self.forward_reading(states[:-AHEAD, :, : self.n_units])
        before = self.backward_reading(states[AHEAD:, :, self.n_units :])
        loss = nn.functional.l1_loss
        return loss(later, frames[AHEAD:]) + loss(before, frames[:-AHEAD])


class MaskedFrames(nn.Module):
    """Read hidden frames from the states, by a linear layer: too weak to do it by itself."""

    def __init__(self, encoder: Any, x: Tensor, teacher: Tensor | None):
        super().__init__()
        self.reading = nn.Linear(encoder.covariance.center.shape[0], x.shape[2])

    def forward(self, encoder: Any, x: Tensor, rows: Tensor, rng: torch.Generator) -> Tensor:
        """Return the loss of the clips `x`, whose numbers are `rows`."""
        n_clips, n_frames = x.shape[:2]
        starts = torch.randint(n_frames - SPAN, (n_clips, N_SPANS), generator=rng)
        hidden = torch.zeros(n_clips, n_frames, dtype=torch.bool)
        for step in range(SPAN):
            hidden.scatter_(1, starts + step, value=True)
        states = top_states(encoder, x.masked_fill(hidden[:, :, None], -1.0)).transpose(0, 1)
        return nn.functional.l1_loss(self.reading(states[hidden]), x[hidden])


OBJECTIVES: dict[str, Callable[..., Any]] = {
    "contrast": Contrast,
    "decorrelation": Decorrelation,
    "future statistics": FutureStatistics,
    "future frames": FutureFrames,
    "masked frames": MaskedFrames,
    "teacher": Teacher,
}


def crop(x: Tensor, rng: torch.Generator) -> Tensor:
    """Take `CROP` frames of each clip from a random one on."""
    starts = torch.randint(x.shape[1] - CROP + 1, (len(x), 1), generator=rng)
    steps = starts + torch.arange(CROP)
    return x.gather(1, steps[:, :, None].expand(-1, -1, x.shape[2]))


def equalise(x: Tensor, rng: torch.Generator) -> Tensor:
    """Change the bands by a smooth random curve of 3 dB, and the level by up to 3 dB.

    -1 to 1 are 60 dB.
    """
    points = torch.randn(len(x), 1, 6, generator=rng) * 3
    curve = nn.functional.interpolate(points, x.shape[2], mode="linear", align_corners=True)
    level = 6 * torch.rand(len(x), 1, 1, generator=rng) - 3
    return (x + (curve + level) / 30).clamp(-1, 1)


def train(
    autoencoder: Seq2SeqAutoencoder,
    X: NDArray[np.float32],
    name: str,
    *,
    learning_rate: float,
    ends: Callable[[list[float]], bool],
    minutes: float,
    seed: int,
    teacher: NDArray[np.float32] | None = None,
    weights: str = "all",
    validation_fraction: float = 0.1,
) -> list[float]:
    """Train the encoder of an untrained autoencoder, in place; return the errors by epoch.

    Its weights are those of the epoch with the least error on the clips that are held out. The
    principal components of its states stay those of the untrained network: fit them anew.

    Parameters
    ----------
    autoencoder : Seq2SeqAutoencoder
        Fitted with ``max_epochs=0``.
    X : ndarray of shape (n_clips, n_frames, n_bands)
    name : str
        A key of `OBJECTIVES`.
    learning_rate : float
    ends : callable
        Whether to end, by the errors on held-out clips so far.
    minutes : float
        After which to end anyway.
    seed : int
    teacher : ndarray of shape (n_clips, n_features), default=None
        Features that "teacher" imitates.
    weights : {"all", "input", "orthogonal", "top"}, default="all"
        What is trained: "input" all but the weights from state to state; with "orthogonal" these
        have a tenth of the learning rate, and are made orthogonal again after each step; "top" the
        second of two layers, which reads a reservoir.
    validation_fraction : float, default=0.1
    """
    rng = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(X)
    order = torch.randperm(len(x), generator=rng)
    n_held_out = round(validation_fraction * len(x))
    held_out, rows = order[:n_held_out], order[n_held_out:]
    encoder = autoencoder.network_.encoder
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        objective = OBJECTIVES[name](encoder, x, None if teacher is None else torch.tensor(teacher))
    trained = {
        key: p
        for key, p in encoder.recurrent.named_parameters()
        if weights != "top" or ".layers.1." in key
    }
    recurrent = [p for key, p in trained.items() if "weight_hh" in key]
    others = [p for key, p in trained.items() if "weight_hh" not in key]
    assert recurrent
    groups = [
        {"params": others, "lr": learning_rate},
        {"params": list(objective.parameters()), "lr": 1e-3},
    ]
    if weights != "input":
        share = 0.1 if weights == "orthogonal" else 1.0
        groups.append({"params": recurrent, "lr": share * learning_rate})
    optimizer = torch.optim.Adam([group for group in groups if group["params"]])
    began, errors, best = time.monotonic(), [], copy.deepcopy(encoder.state_dict())
    while not errors or not (ends(errors) or time.monotonic() > began + 60 * minutes):
        for batch in rows[torch.randperm(len(rows), generator=rng)].split(BATCH_SIZE):
            if len(batch) < BATCH_SIZE // 2:  # a contrast, and a kernel, of few clips is noise
                continue
            loss = objective(encoder, x[batch], batch, rng)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(encoder.recurrent.parameters(), 2.0)
            optimizer.step()
            if weights == "orthogonal":
                make_orthogonal(recurrent)
        fixed = torch.Generator().manual_seed(0)
        with torch.no_grad():
            parts = held_out.split(BATCH_SIZE)
            found = [len(p) * objective(encoder, x[p], p, fixed).item() for p in parts]
        errors.append(sum(found) / n_held_out)
        if errors[-1] == min(errors):
            best = copy.deepcopy(encoder.state_dict())
    encoder.load_state_dict(best)
    return errors


@torch.no_grad()
def make_orthogonal(recurrent: list[nn.Parameter]) -> None:
    """Move the matrix of each gate to the nearest orthogonal one, by a step of Newton and Schulz.

    One is enough after a small step of training, as errors are squared.
    """
    for matrix in recurrent:
        for gate in matrix.split(matrix.shape[1]):
            gate.copy_(1.5 * gate - 0.5 * gate @ gate.T @ gate)
