"""The training loop: batches, loss, optimiser step. It knows no network by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skaudeep._progress import duration
from skaudeep.nn.counter_rng import CounterRNG
from skaudeep.nn.devices import products_in
from skaudeep.nn.parallel import parallel_map
from skaudeep.nn.pooling import step_mask
from skaudeep.training.batches import Batch, Shard, sort_by_length, split_batch
from skaudeep.training.distributed import SINGLE_PROCESS, ProcessGroup
from skaudeep.training.schedules import Schedule, value_at

WINDOW_BATCHES = 16  # shuffled rows are sorted by length within so many batches


def squared_error(
    output: Tensor, target: Tensor, lengths: Tensor | None, *, mask_silence: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the sum of squared errors of each frame, and the number of its values.

    Parameters
    ----------
    output, target : Tensor of shape (n_frames, n_sequences, n_bands)
    lengths : Tensor of shape (n_sequences,) or None
        True frames of each sequence; None where all fill the batch.
    mask_silence : bool, default=False
        Whether values whose target is -1, the floor of a spectrogram, are left out.

    Returns
    -------
    error : Tensor of shape (n_frames, n_sequences)
        Zero at padding.
    n_values : Tensor of shape (n_frames, n_sequences)

    Examples
    --------
    >>> import torch
    >>> error, n_values = squared_error(
    ...     torch.ones(3, 2, 4), torch.zeros(3, 2, 4), torch.tensor([3, 1]))
    >>> error.sum(), n_values.sum()
    (tensor(16.), tensor(16.))
    """
    error = (output - target).square()
    if mask_silence:
        sounding = target > -1
        error, n_values = (error * sounding).sum(dim=2), sounding.sum(dim=2).float()  # (T, B)
    else:
        error = error.sum(dim=2)
        n_values = torch.full_like(error, target.shape[2])
    if lengths is not None:
        real = step_mask(error, lengths)[:, :, 0]  # (T, B)
        error, n_values = error * real, n_values * real
    return error, n_values


def derived_seed(*numbers: int) -> int:
    """Derive a seed from numbers and from nothing else.

    Zeros at the end do not change it.
    """
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def epoch_order(lengths: np.ndarray, batch_size: int, *, seed: int, epoch: int) -> np.ndarray:
    """Order the rows of an epoch by seed and epoch alone, so that training can resume.

    A batch computes as many frames of each row as its longest row has. If rows differ in length,
    batches therefore consist of rows of similar length: the shuffled rows are sorted within windows
    of 16 batches, and the batches of a window are shuffled.

    Parameters
    ----------
    lengths : ndarray of shape (n_rows,), int
        True frames of each row.
    batch_size : int
        Rows of a batch; the last one may have fewer.
    seed, epoch : int

    Returns
    -------
    ndarray of shape (n_rows,), int64

    Examples
    --------
    >>> sorted(epoch_order(np.full(4, 7), 2, seed=0, epoch=2).tolist())
    [0, 1, 2, 3]
    >>> lengths = np.array([9, 2, 9, 2])
    >>> lengths[epoch_order(lengths, 2, seed=0, epoch=2)].reshape(2, 2).tolist()
    [[9, 9], [2, 2]]
    """
    rng = np.random.Generator(np.random.PCG64([seed, epoch]))
    order = rng.permutation(len(lengths))
    if not len(order) or lengths.min() == lengths.max():
        return order
    batches = []
    for start in range(0, len(order), WINDOW_BATCHES * batch_size):
        window = sort_by_length(order[start : start + WINDOW_BATCHES * batch_size], lengths)
        # The one that is not full is the last of an epoch: of this length or that.
        n_left = len(window) % batch_size
        place = int(rng.integers(len(window) // batch_size + 1)) * batch_size
        left = slice(place, place + n_left)
        full = np.delete(window, left).reshape(-1, batch_size)
        batches += [*rng.permutation(full), window[left]]
    return np.concatenate(batches)


def check_moments(moments: Any, network: nn.Module) -> None:
    """Check that the moments of an optimiser fit the network that it trains.

    Parameters
    ----------
    moments : dict of str to ndarray
        As `Training.moments` returns them; empty before the first step.
    network : nn.Module

    Raises
    ------
    ValueError
        If they are not the moments of Adam for each parameter of the network.
    """
    shapes = {
        f"{index}.{name}": () if name == "step" else tuple(parameter.shape)
        for index, parameter in enumerate(network.parameters())
        if parameter.requires_grad
        for name in ("step", "exp_avg", "exp_avg_sq")
    }
    if not isinstance(moments, dict) or (
        moments and shapes != {key: np.shape(value) for key, value in moments.items()}
    ):
        raise ValueError("the moments of the optimiser are not those of this network")


@dataclass
class Loss:
    """Loss of a reconstruction, and of the distribution of codes.

    Parameters
    ----------
    kl_weight : float or dict, default=0.0
        Weight of the divergence of a variational code; a `Schedule`.
    feed_previous_prob : float, dict or pair of them, default=0.0
        Probability of scheduled sampling in training; a `Schedule`, or a pair of them for a network
        that takes one. Evaluation takes it where it is 1, else 0.
    mask_silence : bool, default=False
        As in `squared_error`.
    bf16 : bool, default=False
        Whether matrices are multiplied in bfloat16 (torch's autocast).
    """

    kl_weight: Schedule = 0.0
    feed_previous_prob: Schedule | Sequence[Schedule] = 0.0
    mask_silence: bool = False
    bf16: bool = False

    def sums(
        self,
        network: Callable[..., Any],
        x: Tensor,
        lengths: Tensor | None,
        rng: CounterRNG | None,
        epoch: int,
        condition: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Run a part of a batch through the network.

        Parameters
        ----------
        network, x, lengths
            As in `Training`.
        rng : CounterRNG or None
            Source of random numbers in training; None evaluates.
        epoch : int
        condition : Tensor of shape (n_sequences,), int64, default=None
            Number of the condition of each sequence, for a network that is told it.

        Returns
        -------
        error, n_values : Tensor, scalar
            Sum of the squared errors and their number.
        divergence : Tensor, scalar, or None
            Divergence of the codes from standard normal distributions; None where codes are not
            variational.
        """
        feed = self.feed(epoch, training=rng is not None)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
            known = () if condition is None else (condition,)
            frames, divergence = network(x, lengths, rng, feed, *known)
        by_frame = squared_error(frames.float(), x, lengths, mask_silence=self.mask_silence)
        error, n_values = (values.sum(dtype=torch.float64) for values in by_frame)
        return error, n_values, divergence

    def value(
        self,
        error: Tensor,
        n_values: Tensor,
        divergence: Tensor | float,
        kl_weight: Tensor | float,
    ) -> Tensor:
        """Loss of a whole batch from the sums over all its parts.

        One root over the whole batch, and the weighted divergence per value.
        """
        count = n_values.clamp_min(1)  # all may be silent
        # The floor keeps the root's gradient finite where the reconstruction is perfect.
        rmse = (error / count).clamp_min(1e-12).sqrt()
        return rmse + kl_weight * divergence / count

    def feed(self, epoch: int, *, training: bool) -> float | tuple[float, ...]:
        """Return `feed_previous_prob` in an epoch; in evaluation, 1 or else 0.

        Examples
        --------
        >>> loss = Loss(feed_previous_prob={0: 0.0, 2: 1.0})
        >>> [loss.feed(epoch, training=True) for epoch in range(3)]
        [0.0, 0.5, 1.0]
        >>> [loss.feed(epoch, training=False) for epoch in range(3)]
        [0.0, 0.0, 1.0]
        >>> Loss(feed_previous_prob=(0.5, 1.0)).feed(0, training=False)
        (0.0, 1.0)
        """

        def in_epoch(schedule: Schedule) -> float:
            probability = value_at(schedule, epoch)
            return probability if training or probability == 1 else 0.0

        if isinstance(self.feed_previous_prob, Sequence):
            return tuple(map(in_epoch, self.feed_previous_prob))
        return in_epoch(self.feed_previous_prob)


@dataclass
class Training:
    """State of a training, complete enough to resume between two batches.

    Parameters
    ----------
    network : nn.Module
        ``network(x, lengths, rng, feed_previous_prob)`` returns frames and divergence. Where
        sequences have conditions, these follow.
    optimizer : torch.optim.Optimizer
    loss : Loss
    seed : int
        Seed of training. Random numbers depend on it, on the epoch and on the batch.
    learning_rate : float or dict
        Learning rate; a `Schedule`.
    gradient_clip : float
        Each element of the gradient is clipped to ``[-gradient_clip, gradient_clip]``.
    loss_curve : list of float
        Root of the mean squared error of the training data in each epoch, each batch's before its
        optimiser step.
    validation_loss_curve : list of float
        The same of the validation data after each epoch, without dropout, with NaN for epochs
        without validation; empty if there never was any.
    processes : ProcessGroup, default=ProcessGroup()
        Processes that train together. Batches hold the rows of this rank, which may be none.

    Attributes
    ----------
    start : int
        Epochs done before this training; the best weights are the best since.
    best_weights : dict of str to Tensor or None
        Weights after the epoch with the least validation loss.
    batch : int
        Batches of the current epoch that are done.
    sums : Tensor of shape (3,), float64
        Sums over those batches: squared errors, number of values, norms of the gradient.
    gradient_norm : float
        Mean norm of the gradient, before it is clipped, in the last epoch.
    after_batch : list of callables
        Called without arguments between batches.
    device : torch.device
        Device of the network's parameters.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Loss
    _: KW_ONLY
    seed: int
    learning_rate: Schedule
    gradient_clip: float
    loss_curve: list[float] = field(default_factory=list)
    validation_loss_curve: list[float] = field(default_factory=list)
    processes: ProcessGroup = SINGLE_PROCESS

    def __post_init__(self) -> None:
        self.start = self.epoch
        self.best_weights: dict[str, Tensor] | None = None
        self.batch = 0
        self.sums = torch.zeros(3, dtype=torch.float64)
        self.gradient_norm = 0.0
        self.after_batch: list[Callable[[], object]] = []
        self.device = next(self.network.parameters()).device

    @property
    def epoch(self) -> int:
        """Number of epochs that are done."""
        return len(self.loss_curve)

    @property
    def batch_seed(self) -> int:
        """Seed of the random numbers of the next batch."""
        return derived_seed(self.seed, self.epoch, self.batch)

    def run_epoch(self, batches: Iterable[Batch]) -> None:
        """Finish the current epoch.

        Parameters
        ----------
        batches : iterable of (x, lengths) or (x, lengths, condition)
            Batches that are not done yet: ``x`` of shape (n_frames, n_sequences, n_bands), lengths
            as in `squared_error`, condition as in `Loss.sums`.

        Raises
        ------
        FloatingPointError
            If training diverges.
        """
        self.begin_epoch()
        with products_in("tf32", self.device):
            for batch in batches:
                self.sums += self.step(*batch)
                self.batch += 1
                for call in self.after_batch:
                    call()
        self.end_epoch()

    def begin_epoch(self) -> None:
        """Prepare for the batches of the current epoch."""
        self.network.train()
        self.sums = self.sums.to(self.device)  # on the device: no wait per batch
        rate = value_at(self.learning_rate, self.epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def end_epoch(self) -> None:
        """Record the results of the current epoch, and count it as done.

        Raises
        ------
        FloatingPointError
            If training diverges.
        """
        error, n_values, norms = self.sums.tolist()
        loss = (error / n_values) ** 0.5
        if not np.isfinite(loss):
            raise FloatingPointError(
                f"Training diverged: the loss of epoch {self.epoch} is {loss}. Lower "
                f"learning_rate={self.learning_rate!r}, or scale X to [-1, 1]."
            )
        self.gradient_norm = norms / self.batch
        self.batch = 0
        self.sums.zero_()
        self.loss_curve.append(loss)
        if self.validation_loss_curve:
            self.validation_loss_curve.append(np.nan)  # until `validate`

    def step(self, x: Tensor, lengths: Tensor | None, condition: Tensor | None = None) -> Tensor:
        """Take one optimiser step; return squared errors, their number, norm of the gradient."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        # Forward and backward, each shard on its core, then added up in order.
        sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        by_sum: list[Tensor] = []
        shards = split_batch(x, lengths)
        with parallel_map(len(shards)) as each:
            for own, by_own in each(partial(self._shard, parameters, condition), shards):
                sums += own
                by_sum = list(map(torch.add, by_sum, by_own)) if by_sum else by_own
        # The loss is one root over the sums of all shards and ranks. Its gradient follows from it.
        sums = self.processes.all_reduce_sum(sums).requires_grad_()
        error, n_values, divergence = sums
        kl_weight = value_at(self.loss.kl_weight, self.epoch)
        loss = self.loss.value(error, n_values, divergence, kl_weight)
        (weights,) = torch.autograd.grad(loss, sums)
        gradient = torch.zeros(sum(p.numel() for p in parameters), device=self.device)
        for weight, by_one in zip(weights[::2], by_sum, strict=False):  # error, divergence
            gradient += by_one.mul_(weight)
        norm = self.descend(self.processes.all_reduce_sum(gradient))
        return torch.stack([*sums.detach()[:2], norm.double()])

    def descend(self, gradient: Tensor) -> Tensor:
        """Clip a flat gradient of all parameters, take a step, and return its norm before."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        norm = gradient.norm()
        gradient.clamp_(-self.gradient_clip, self.gradient_clip)
        for parameter, part in zip(
            parameters, gradient.split([p.numel() for p in parameters]), strict=True
        ):
            parameter.grad = part.view_as(parameter)
        self.optimizer.step()
        return norm

    def _shard(
        self, parameters: list[nn.Parameter], condition: Tensor | None, shard: Shard
    ) -> tuple[Tensor, list[Tensor]]:
        """Sum over a shard, with the flat gradients of its error and, if any, divergence."""
        x, lengths, rows = shard
        rng = CounterRNG(self.batch_seed, self.processes.global_index(rows))
        own = None if condition is None else condition[rows]
        error, n_values, divergence = self.loss.sums(self.network, x, lengths, rng, self.epoch, own)
        roots = [error] if divergence is None else [error, divergence]
        gradients = [
            torch.autograd.grad(
                root,
                parameters,
                retain_graph=root is not roots[-1],
                allow_unused=True,
                materialize_grads=True,
            )
            for root in roots
        ]
        sums = [error, n_values, torch.zeros_like(error) if divergence is None else divergence]
        flat = [torch.cat([g.flatten() for g in of_root]) for of_root in gradients]
        return torch.stack([value.detach().double() for value in sums]), flat

    def validate(self, batches: Iterable[Batch]) -> None:
        """Record the loss of validation data after the last epoch, and weights that are the best.

        The decoder is fed as in scores after that epoch.
        """
        self.network.eval()

        @torch.no_grad()
        def evaluate(condition: Tensor | None, shard: Shard) -> Tensor:
            x, lengths, rows = shard
            own = None if condition is None else condition[rows]
            sums = self.loss.sums(self.network, x, lengths, None, self.epoch - 1, own)
            return torch.stack(sums[:2])

        sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        with products_in("ieee", self.device):
            for x, lengths, *given in batches:
                shards = split_batch(x, lengths)
                condition = given[0] if given else None
                with parallel_map(len(shards)) as each:
                    for own in each(partial(evaluate, condition), shards):
                        sums += own
        error, n_values = self.processes.all_reduce_sum(sums).tolist()
        before = len(self.validation_loss_curve)
        self.validation_loss_curve += [np.nan] * (self.epoch - before)
        self.validation_loss_curve[-1] = (error / n_values) ** 0.5
        if self.epochs_since_best == 0:
            self.best_weights = {
                name: weights.clone() for name, weights in self.network.state_dict().items()
            }

    @property
    def validation_loss(self) -> float | None:
        """Loss of the validation data after the last epoch; None without validation."""
        loss = self.validation_loss_curve[-1] if self.validation_loss_curve else np.nan
        return None if np.isnan(loss) else loss

    @property
    def epochs_since_best(self) -> int:
        """Epochs since the smallest loss: of the validation data if there is any.

        Losses of a decoder that is fed its own output are larger than those of teacher forcing, so
        that validation losses are compared with those of the same kind alone.
        """
        curve = self.loss_curve[self.start :]
        if curve and self.validation_loss is not None:
            fed = [self.loss.feed(i, training=False) for i in range(self.start, self.epoch)]
            first = next(i for i in reversed(range(len(fed))) if i == 0 or fed[i - 1] != fed[-1])
            curve = self.validation_loss_curve[self.start + first :]
        return len(curve) - 1 - int(np.nanargmin(curve)) if curve else 0

    def moments(self) -> dict[str, NDArray]:
        """Return copies of the optimiser's moments of each parameter, by flat names."""
        state = self.optimizer.state_dict()["state"]
        return {
            f"{index}.{name}": value.detach().cpu().numpy().copy()
            for index, moments in state.items()
            for name, value in moments.items()
        }

    def restore_moments(self, moments: dict[str, NDArray]) -> None:
        """Set the optimiser's moments, which may come from another process.

        Raises
        ------
        ValueError
            If they are not those of this network, see `check_moments`.
        """
        check_moments(moments, self.network)
        by_parameter: dict[int, dict[str, Tensor]] = {}
        for key, value in moments.items():
            index, _, name = key.partition(".")
            by_parameter.setdefault(int(index), {})[name] = torch.from_numpy(value.copy())
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": by_parameter, "param_groups": groups})

    def state(self) -> dict[str, Any]:
        """Return all that changes from batch to batch, except the network's weights.

        Returns
        -------
        dict
            Numbers, lists of numbers, and copies of arrays.
        """
        return {
            "seed": self.seed,
            "start": self.start,
            "batch": self.batch,
            "sums": self.sums.tolist(),
            "gradient_norm": self.gradient_norm,
            "loss_curve": list(self.loss_curve),
            "validation_loss_curve": list(self.validation_loss_curve),
            "moments": self.moments(),
            "best_weights": {
                name: weights.cpu().numpy().copy()
                for name, weights in (self.best_weights or {}).items()
            },
        }

    def restore(self, state: dict[str, Any], weights: dict[str, Tensor]) -> None:
        """Resume from a `state` and the network's weights at that time.

        Raises
        ------
        ValueError, RuntimeError
            If they are not those of this network.
        """
        best = state["best_weights"]
        shapes = {name: tuple(value.shape) for name, value in self.network.state_dict().items()}
        if best and shapes != {name: np.shape(values) for name, values in best.items()}:
            raise ValueError("the best weights are not those of this network")
        self.network.load_state_dict(weights)
        self.restore_moments(state["moments"])
        self.best_weights = {
            name: torch.from_numpy(values.copy()).to(self.device) for name, values in best.items()
        } or None
        self.seed, self.start, self.batch = state["seed"], state["start"], state["batch"]
        self.sums = torch.tensor(state["sums"], dtype=torch.float64)
        self.gradient_norm = state["gradient_norm"]
        self.loss_curve[:] = state["loss_curve"]
        self.validation_loss_curve[:] = state["validation_loss_curve"]


def epoch_line(training: Any, last_epoch: int, seconds_per_epoch: float) -> str:
    """Return a line with the progress of a training, its errors and the remaining time.

    Parameters
    ----------
    training : Training, or another with `epoch`, `loss_curve` and `validation_loss`
        At the end of an epoch.
    last_epoch : int
        Number of the epoch that the training ends with.
    seconds_per_epoch : float

    Returns
    -------
    str
    """
    line = f"Epoch {training.epoch} of {last_epoch}: loss {training.loss_curve[-1]:.5f}"
    if training.validation_loss is not None:
        line += f", validation loss {training.validation_loss:.5f}"
    if training.epoch < last_epoch:
        left = seconds_per_epoch * (last_epoch - training.epoch)
        line += f", about {duration(left)} left"
    return line


@contextmanager
def progress_noted(training: Training, last_epoch: int) -> Iterator[None]:
    """Let an interruption by Ctrl-C say how far the training was."""
    try:
        yield
    except KeyboardInterrupt as error:
        error.add_note(
            f"The training ended after {training.epoch} of {last_epoch} epochs. Set the callback "
            "skaudeep.callbacks.Checkpoint to keep what was trained."
        )
        raise
