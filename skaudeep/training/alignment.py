"""Training by similarities: clips are to be as alike as by other features of the same clips."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skaudeep.nn.devices import products_in
from skaudeep.nn.parallel import parallel_map, torch_threads
from skaudeep.training.batches import Sequences, Shard, split_batch
from skaudeep.training.components import component_rows

MIN_STD = 1e-4  # added to the standard deviation of each feature of the untrained network
GRADIENT_NORM = 2.0  # of all weights together, at most
FLAT = 0.01  # a loss that falls by a smaller share is flat


def alignment(first: Tensor, second: Tensor) -> Tensor:
    """Tell how far two kinds of features agree on which clips are alike.

    This is the centred alignment [1]_ of the cosines between different clips. That of a clip with
    itself is 1 by any features, and would say louder than the rest that they agree.

    Parameters
    ----------
    first, second : Tensor of shape (n_clips, n_features) and (n_clips, n_other_features)
        Rows of length 1, or 0.

    Returns
    -------
    Tensor, scalar
        From -1 to 1; 0 where one of them finds all clips equally alike.

    References
    ----------
    .. [1] Cortes, Mohri & Rostamizadeh (2012). Algorithms for learning kernels based on centered
       alignment. JMLR 13.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])  # the first two clips are alike
    >>> alignment(x, x).round(decimals=4), alignment(x, x[[0, 2, 1]]).round(decimals=4)
    (tensor(1.), tensor(-0.5000))
    """
    apart = ~torch.eye(len(first), dtype=torch.bool, device=first.device)
    ours, wanted = (rows @ rows.T for rows in (first, second))
    ours, wanted = (alike[apart] - alike[apart].mean() for alike in (ours, wanted))
    norms = ours.square().sum() * wanted.square().sum()
    return (ours * wanted).sum() / norms.clamp_min(1e-20).sqrt()


@dataclass
class AlignmentTraining:
    """State of a training whose loss is 1 minus the alignment of features of a batch.

    Parameters
    ----------
    network : nn.Module
        With ``pool(x, lengths)``, which gives features. Its parameters are trained; features are
        standardised by what they are before that.
    sequences : Sequences
    wanted : ndarray of shape (n_sequences, n_features), float32
        Features of the same sequences to align with, rows of length 1 or 0.
    seed : int
        Determines the batches.
    learning_rate : float
        Of Adam.
    batch_size : int
        Sequences of a batch, at most: those of an epoch are about equally large.
    loss_curve : list of float
        Mean loss over the training batches of each epoch, each before its optimiser step.
    validation_loss_curve : list of float
        That of the validation data after each epoch; empty where there are none.

    Attributes
    ----------
    best_weights : dict of str to Tensor or None
        Weights after the epoch with the least validation loss.
    """

    network: Any
    sequences: Sequences
    wanted: NDArray[np.float32]
    _: KW_ONLY
    seed: int
    learning_rate: float
    batch_size: int
    loss_curve: list[float] = field(default_factory=list)
    validation_loss_curve: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.best_weights: dict[str, Tensor] | None = None
        self.parameters = list(self.network.parameters())
        self.device = self.parameters[0].device
        self.optimizer = torch.optim.Adam(self.parameters, lr=self.learning_rate)
        rows = component_rows(self.sequences.lengths, seed=self.seed)
        features = torch.cat([self._evaluate(batch) for batch in self._batches(rows)])
        self.center = features.mean(dim=0)
        self.scale = features.std(dim=0, correction=0) + MIN_STD

    @property
    def epoch(self) -> int:
        """Number of epochs that are done."""
        return len(self.loss_curve)

    @property
    def validation_loss(self) -> float | None:
        """Loss of the validation data after the last epoch; None without validation."""
        return self.validation_loss_curve[-1] if self.validation_loss_curve else None

    def is_flat(self, n_epochs: int) -> bool:
        """Tell whether the least loss of the last epochs is hardly less than any before.

        The loss is that of the validation data if there are any.

        Parameters
        ----------
        n_epochs : int
            How many the last are.
        """
        losses = self.validation_loss_curve or self.loss_curve
        before, last = losses[:-n_epochs], losses[-n_epochs:]
        return bool(before) and min(last) > (1 - FLAT) * min(before)

    @torch.enable_grad()
    def run_epoch(self, rows: NDArray[np.intp]) -> None:
        """Train on rows in an order of their own for each epoch.

        Parameters
        ----------
        rows : ndarray of int
            Three at least, none of them empty.

        Raises
        ------
        FloatingPointError
            If training diverges.
        """
        order = np.random.Generator(np.random.PCG64([self.seed, self.epoch])).permutation(rows)
        losses = [len(batch) * self._step(batch) for batch in self._batches(order)]
        loss = sum(losses) / len(rows)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"Training diverged: the loss of epoch {self.epoch} is {loss}. Lower "
                f"learning_rate={self.learning_rate!r}, or scale the sequences to [-1, 1]."
            )
        self.loss_curve.append(loss)

    def validate(self, rows: NDArray[np.intp]) -> None:
        """Record the loss of validation data, and the weights if they are the best so far."""
        losses = [
            len(batch) * self._loss(self._evaluate(batch), batch).item()
            for batch in self._batches(rows)
        ]
        self.validation_loss_curve.append(sum(losses) / len(rows))
        if self.validation_loss_curve[-1] == min(self.validation_loss_curve):
            self.best_weights = {
                name: weights.clone() for name, weights in self.network.state_dict().items()
            }

    def _batches(self, rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        # The similarities of a handful of clips that are left over would be noise.
        return np.array_split(rows, math.ceil(len(rows) / self.batch_size))

    @torch.no_grad()
    def _evaluate(self, rows: NDArray[np.intp]) -> Tensor:
        """Compute the features of rows, in their order: (n_rows, n_features)."""
        shards = split_batch(*self.sequences.batch(rows, self.device)[:2])
        with products_in("ieee", self.device), parallel_map(len(shards)) as each:
            parts = list(each(self._pool_frozen, shards))
        return _in_order(parts, shards)

    @torch.no_grad()  # in the thread that it runs in
    def _pool_frozen(self, shard: Shard) -> Tensor:
        return self._pool(shard)

    def _pool(self, shard: Shard) -> Tensor:
        x, lengths, _ = shard
        features: Tensor = self.network.pool(x, lengths)
        return features

    def _loss(self, features: Tensor, rows: NDArray[np.intp]) -> Tensor:
        ours = nn.functional.normalize((features - self.center) / self.scale, dim=1)
        wanted = torch.from_numpy(self.wanted[rows]).to(self.device)
        with torch_threads(1):  # rounding would depend on their number
            return 1 - alignment(ours, wanted)

    def _step(self, rows: NDArray[np.intp]) -> float:
        """Take one optimiser step; return the loss before it."""
        shards = split_batch(*self.sequences.batch(rows, self.device)[:2])
        # Forward and backward, each shard on its core. Between the two they meet at the loss, which
        # compares the sequences of all.
        with products_in("ieee", self.device), parallel_map(len(shards)) as each:
            parts = list(each(self._pool, shards))
            features = _in_order([part.detach() for part in parts], shards).requires_grad_()
            loss = self._loss(features, rows)
            with torch_threads(1):
                (slope,) = torch.autograd.grad(loss, features)
            slopes = [slope[places] for _, _, places in shards]
            by_shard = list(each(self._gradients, parts, slopes))
        for parameter, *gradients in zip(self.parameters, *by_shard, strict=True):
            parameter.grad = torch.stack(gradients).sum(dim=0)
        nn.utils.clip_grad_norm_(self.parameters, GRADIENT_NORM)
        self.optimizer.step()
        return loss.item()

    def _gradients(self, features: Tensor, slope: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(features, self.parameters, slope)


def _in_order(parts: list[Tensor], shards: list[Shard]) -> Tensor:
    """Put the results of shards into the order of the batch."""
    places = torch.cat([places for _, _, places in shards])
    return torch.cat(parts)[places.argsort()]
