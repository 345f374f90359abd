"""Several autoencoders of equal shape trained as one: on a GPU, for about the price of one.

At batches of 64 a GPU waits for the next frame, not for arithmetic. Models whose networks differ in
their weights alone take their steps together: `torch.func.vmap` runs one network over the axis of
models, and `skaudeep.cells` its recurrent layers. Each model keeps its optimiser, its seed and its
order of the rows, so that it becomes what it would have become alone.
"""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
import torch
from joblib import effective_n_jobs
from sklearn.pipeline import Pipeline
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from skaudeep.autoencoder import Seq2SeqAutoencoder
from skaudeep.chance import Chance
from skaudeep.gpu import Repeated, products_in
from skaudeep.ranks import ALONE, Ranks
from skaudeep.recurrent import RecurrentStack
from skaudeep.sequences import Sequences, resolve_device
from skaudeep.training import Training, epoch_order, value_at

DEVICES = {"cuda"}  # on a CPU the kernels for one model are faster
# What the models of a stack may have for themselves, and what has to be switched off.
OWN = {
    "random_state",
    "learning_rate",
    "gradient_clip",
    "kl_weight",
    "dropout",
    "representation",
}
OFF = {
    "validation_fraction": 0,
    "n_iter_no_change": None,
    "warm_start": False,
    "contamination": None,
    "feed_previous_prob": 0,
}


class Stack:
    """Trainings whose steps are taken together.

    The networks' parameters lie side by side in the memory of the stack until `release`.

    Parameters
    ----------
    trainings : list of Training
        Of networks that differ in their weights, and in rates of dropout above 0, alone; of losses
        that differ in `kl_weight` alone. Each counts its own epochs.
    """

    def __init__(self, trainings: Sequence[Training]):
        self.trainings = trainings
        networks = [training.network for training in trainings]
        self._network = copy.deepcopy(networks[0]).to("meta").train()
        self._stacks = [m for m in self._network.modules() if isinstance(m, RecurrentStack)]
        for stack in self._stacks:
            stack.of_models = True
        rates = [_recurrent(network).dropout for network in networks]
        self._rates = torch.tensor(rates, dtype=torch.float64, device=trainings[0].device)
        self._rates_differ = len(set(rates)) > 1
        self._weights, _ = stack_module_state(networks)
        for model, network in enumerate(networks):
            for name, parameter in network.named_parameters():
                parameter.data = self._weights[name].detach()[model]
        record = trainings[0].record
        self._repeated = None if record is None else Repeated(self._step, record)

    def run_epoch(self, batches: Iterable[Sequence[Tensor]]) -> None:
        """Finish an epoch of each training.

        Parameters
        ----------
        batches : iterable of lists of Tensors of shape (n_frames, n_sequences, n_bands)
            A batch for each training, all of one shape.

        Raises
        ------
        FloatingPointError
            If a training diverges.
        """
        for training in self.trainings:
            training.begin_epoch()
        device = self._rates.device
        sums = torch.zeros(len(self.trainings), 3, dtype=torch.float64, device=device)
        with products_in("tf32", device):
            for batch in batches:
                sums += self.step(torch.stack(list(batch)))
                for training in self.trainings:
                    training.batch += 1
        for training, own in zip(self.trainings, sums, strict=True):
            training.sums.copy_(own)
            training.end_epoch()

    def step(self, x: Tensor) -> Tensor:
        """Take one optimiser step of each training.

        Parameters
        ----------
        x : Tensor of shape (n_models, n_frames, n_sequences, n_bands)

        Returns
        -------
        Tensor of shape (n_models, 3), float64
            Squared errors, their number and the norm of the gradient of each.
        """
        seeds = torch.tensor([training.batch_seed for training in self.trainings])
        kl_weights = [value_at(t.loss.kl_weight, t.epoch) for t in self.trainings]
        numbers = seeds, torch.tensor(kl_weights, dtype=torch.float64)
        if self._repeated is not None:
            return self._repeated(x, *numbers)
        return self._step(x, *(number.to(x.device) for number in numbers))

    def _step(self, x: Tensor, seeds: Tensor, kl_weights: Tensor) -> Tensor:
        error, n_values, divergence = vmap(self._sums)(self._weights, x, seeds, self._rates)
        loss = self.trainings[0].loss.value(error, n_values, divergence, kl_weights)  # (M,)
        gradients = torch.autograd.grad(
            loss.sum(), list(self._weights.values()), allow_unused=True, materialize_grads=True
        )
        flat = torch.cat([gradient.flatten(1) for gradient in gradients], dim=1)
        norms = [training.descend(own) for training, own in zip(self.trainings, flat, strict=True)]
        return torch.stack([error.detach(), n_values, torch.stack(norms).double()], dim=1)

    def _sums(
        self, weights: dict[str, Tensor], x: Tensor, seed: Tensor, rate: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sum over the batch of one model, under vmap."""
        if self._rates_differ:
            for stack in self._stacks:
                stack.dropout = rate
        first = self.trainings[0]
        chance = Chance(seed, torch.arange(x.shape[1], device=x.device))
        error, n_values, divergence = first.loss.sums(
            lambda *inputs: functional_call(self._network, weights, inputs),
            x,
            None,
            chance,
            first.epoch,
        )
        return error, n_values, torch.zeros_like(error) if divergence is None else divergence

    def release(self) -> None:
        """Give each network memory of its own; no step is taken after that."""
        self._repeated = None
        for training in self.trainings:
            for parameter in training.network.parameters():
                parameter.data = parameter.data.clone()
            for module in training.network.modules():
                if isinstance(module, nn.RNNBase):
                    module.flatten_parameters()  # cuDNN wants the weights of a layer in one piece


def fit_stacked(
    estimators: Sequence[Any], Xs: Sequence[Any], n_jobs: int | None = None
) -> set[int]:
    """Fit those of several estimators that can be trained as one, on a CUDA device.

    These are autoencoders, or pipelines of nothing but one, without callbacks, validation rows,
    early stopping and `feed_previous_prob`, on rows of one length. They may differ in `OWN`. The
    others are left as they are.

    Parameters
    ----------
    estimators : sequence of estimators
    Xs : sequence
        What each of them is to be fitted to.
    n_jobs : int, default=None
        Where it asks for several tasks at a time, nothing is stacked.

    Returns
    -------
    set of int
        Places of those that have been fitted.

    Raises
    ------
    ValueError, FloatingPointError
        As in `Seq2SeqAutoencoder.fit`.
    """
    places = [i for i, estimator in enumerate(estimators) if _stackable(estimator)]
    if len(places) < 2 or effective_n_jobs(n_jobs) > 1 or Ranks.join().size > 1:
        return set()
    groups: dict[str, list[tuple[int, Seq2SeqAutoencoder, Training, Sequences]]] = defaultdict(list)
    for place in places:
        # A copy, whose original still is as it was should this come to nothing.
        autoencoder = copy.deepcopy(_autoencoder(estimators[place]))
        training, sequences = autoencoder._begin(Xs[place], go_on=False)
        if sequences.lengths.min() == sequences.lengths.max():
            shape = _shape(autoencoder, sequences)
            groups[shape].append((place, autoencoder, training, sequences))
    fitted = set()
    for group in groups.values():
        if len(group) < 2:
            continue
        try:
            _train([member[1:] for member in group])
        except torch.OutOfMemoryError as error:
            warnings.warn(
                f"{len(group)} autoencoders at once do not fit the memory of the device "
                f"({str(error).splitlines()[0]}); they are trained one after another.",
                stacklevel=2,
            )
            continue
        for place, autoencoder, _, _ in group:
            vars(_autoencoder(estimators[place])).update(vars(autoencoder))
            fitted.add(place)
    return fitted


def _train(members: Sequence[tuple[Seq2SeqAutoencoder, Training, Sequences]]) -> None:
    """Do what `Seq2SeqAutoencoder.fit` does, for several at once."""
    stack = Stack([training for _, training, _ in members])
    try:
        for _ in range(members[0][0].max_epochs):
            with ExitStack() as open_now:
                readers = []
                for autoencoder, training, sequences in members:
                    order = epoch_order(len(sequences), seed=training.seed, epoch=training.epoch)
                    reader = sequences.batches(order, autoencoder.batch_size, training.device)
                    readers.append(open_now.enter_context(closing(reader)))
                stack.run_epoch([x for x, _ in batch] for batch in zip(*readers, strict=True))
    finally:
        stack.release()  # also of the memory of a step that did not fit
    for autoencoder, _, sequences in members:
        autoencoder._finish(sequences, ALONE)


def _autoencoder(estimator: Any) -> Any:
    """Return the autoencoder that an estimator is, or its last step."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _stackable(estimator: Any) -> bool:
    """Tell whether an estimator can be in a stack, as far as its parameters say."""
    if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
        return False
    autoencoder = _autoencoder(estimator)
    if type(autoencoder) is not Seq2SeqAutoencoder:
        return False
    if any(hasattr(part, "_skl_callbacks") for part in (estimator, autoencoder)):
        return False
    if autoencoder.max_epochs == 0 or any(getattr(autoencoder, k) != v for k, v in OFF.items()):
        return False
    autoencoder._check_parameters()
    return resolve_device(autoencoder.device).type in DEVICES


def _shape(autoencoder: Seq2SeqAutoencoder, sequences: Sequences) -> str:
    """Describe all that must be the same for each autoencoder of a stack."""
    facts = autoencoder.get_params(deep=False) | autoencoder.network_.config
    same = {name: fact for name, fact in facts.items() if name not in OWN}
    device = resolve_device(autoencoder.device)
    rows = (len(sequences), int(sequences.lengths[0]), np.sign(autoencoder.dropout))
    return repr((sorted(same.items()), rows, device))


def _recurrent(network: nn.Module) -> Any:
    return next(m for m in network.modules() if isinstance(m, RecurrentStack))
