"""Training on several processes: the rows of each process, and sums over processes.

Each process, a *rank*, has the whole network and a part of the rows of each batch. The sums of a
batch are added over all ranks before the loss is computed from them, because the root of a mean is
not the mean of roots.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch.distributed as dist
from joblib.parallel import get_active_backend
from torch import Tensor

T = TypeVar("T")
OWN = {"device", "random_state"}  # may differ between ranks; the seed of the first one is used


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train together, and the rank of this one; by default a single process.

    The methods of a single process do nothing, and take no time.

    Parameters
    ----------
    rank : int, default=0
        Number of this process.
    size : int, default=1
        Number of processes.

    Examples
    --------
    >>> import numpy as np
    >>> ProcessGroup(rank=1, size=3).local_rows(np.arange(8)).tolist()
    [1, 4, 7]
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls) -> ProcessGroup:
        """Join the process group of torch, or the group that a launcher's variables describe.

        An existing process group is used. If there is none but RANK, WORLD_SIZE, MASTER_ADDR and
        MASTER_PORT are set, as by ``torchrun``, one is made, which lasts as long as the process. A
        task of joblib is a single process, because its workers have other tasks.

        Raises
        ------
        ConnectionError
            If the other processes cannot be reached.
        """
        if not dist.is_available() or get_active_backend()[0].nesting_level:
            return cls()
        if not dist.is_initialized():
            if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
                return cls()
            with _lost(f"Rank {os.environ['RANK']} of {os.environ['WORLD_SIZE']}"):
                dist.init_process_group()  # gloo, and NCCL where there is CUDA
            atexit.register(_leave)
        return cls(dist.get_rank(), dist.get_world_size())

    def local_rows(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows of a batch that belong to this rank; none if there are too few."""
        return rows[self.rank :: self.size]

    def global_index(self, rows: Tensor) -> Tensor:
        """Return the positions in the whole batch of rows of this rank's part."""
        return self.rank + rows * self.size

    def all_reduce_sum(self, sums: Tensor) -> Tensor:
        """Add up numbers over all ranks."""
        if self.size == 1:
            return sums
        total = sums.clone()
        with self._together():
            dist.all_reduce(total)
        return total

    def broadcast(self, value: Callable[[], T]) -> T:
        """Call a function on the first rank, and send its result to all ranks."""
        if self.size == 1:
            return value()
        box = [value() if self.rank == 0 else None]
        with self._together():
            dist.broadcast_object_list(box)
        return box[0]  # type: ignore[return-value]

    def check_same(self, facts: Callable[[], dict[str, Any]]) -> None:
        """Check that input and parameters of all processes are equal, except those in `OWN`.

        Raises
        ------
        ValueError
            On every rank, if one differs from the first.
        """
        if self.size == 1:
            return
        gathered: list[Any] = [None] * self.size
        with self._together():
            dist.all_gather_object(gathered, {name: repr(fact) for name, fact in facts().items()})
        for rank, others in enumerate(gathered):
            for name, fact in gathered[0].items():
                if others[name] != fact and name not in OWN:
                    raise ValueError(
                        f"Rank {rank} of {self.size} has {name}={others[name]}, but rank 0 has "
                        f"{name}={fact}. All ranks of a training must be given the same X and the "
                        "same parameters; each takes its part of the rows by itself."
                    )

    def broadcast_state(self, training: Any) -> None:
        """Copy the state of a training from the first rank to all others."""
        if self.size > 1:
            state, weights = self.broadcast(
                lambda: (
                    training.state(),
                    {k: v.cpu() for k, v in training.network.state_dict().items()},
                )
            )
            training.restore(state, weights)

    def _together(self) -> Any:
        return _lost(f"Rank {self.rank} of {self.size}")


SINGLE_PROCESS = ProcessGroup()


class NullCallbackContext:
    """A context of scikit-learn's callbacks that does nothing, for all ranks except the first."""

    def subcontext(self, **task: Any) -> NullCallbackContext:  # noqa: D102
        return self

    def call_on_fit_task_begin(self, **facts: Any) -> None:  # noqa: D102
        pass

    def call_on_fit_task_end(self, **facts: Any) -> bool:  # noqa: D102
        return False


@contextmanager
def _lost(who: str) -> Iterator[None]:
    """Turn errors of communication into a ConnectionError with advice."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionError(
            f"{who} has lost the others ({str(error).splitlines()[0]}): one of them has failed or "
            "cannot be reached; look for its own error. Start all of them again; with a Checkpoint "
            "the training goes on where it was."
        ) from error


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
