"""States of a recurrent network, kept row by row, so that a network runs over each row once."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Callable
from functools import cached_property
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skaudeep.nn.devices import products_in
from skaudeep.nn.parallel import parallel_map
from skaudeep.nn.pooling import BLOCK_BYTES, StateCovariance, moments
from skaudeep.training.batches import Sequences, threads_for
from skaudeep.training.components import component_rows

MEMORY_BYTES = 2**29  # states beyond this lie in a temporary file
FILE_BYTES = 2**35  # beyond this it is better to run the network again


class States:
    """States of the top layer of a network for each of many sequences.

    Up to 512 MB lie in memory, more in a temporary file without a name, of which nothing is left
    when the process ends, however it ends. `numpy` and `take` of `skaudeep.datasets` see an array
    of one row per clip.

    Make them by :meth:`of`.

    Parameters
    ----------
    values : _Values
        The states of all sequences, which selections of rows share.
    shape : tuple of int
        ``(n_clips,)``, or ``(n_clips, n_chunks)``.
    sequences : ndarray of int, of as many entries as `shape` has places
        Which of the stored sequences stands at each place.
    n_frames : int
        Frames of the rows that they were read from, padding included.
    whole : States, default=None
        Those that these rows were taken from.
    """

    def __init__(
        self,
        values: _Values,
        shape: tuple[int, ...],
        sequences: NDArray[np.intp],
        n_frames: int,
        whole: States | None = None,
    ):
        self._values = values
        self.shape = shape
        self._sequences = sequences
        self.n_frames = n_frames
        self._whole = whole

    @classmethod
    @torch.inference_mode()
    def of(
        cls,
        network: Any,
        sequences: Sequences,
        *,
        batch_size: int,
        on_rows: Callable[[int], object] | None = None,
    ) -> States | None:
        """Run a network over sequences.

        Parameters
        ----------
        network : Reservoir
            On the CPU. Called with a batch, it gives the states of its top layer.
        sequences : Sequences
        batch_size : int
            Sequences that run through the network at a time.
        on_rows : callable, default=None
            Called with the number of sequences of each batch that is done.

        Returns
        -------
        States or None
            None where the states would take more than 32 GiB, or more than half of the space that
            is left for temporary files.
        """
        n_states = len(network.covariance.center)
        n_bytes = 4 * n_states * sequences.n_steps()
        if n_bytes > MEMORY_BYTES and n_bytes > min(FILE_BYTES, _free_bytes() // 2):
            return None
        values = _Values(len(sequences), n_states, in_memory=n_bytes <= MEMORY_BYTES)
        cpu = torch.device("cpu")
        with products_in("ieee", cpu):
            for rows, x, lengths in sequences.like_batches(batch_size, cpu):
                with threads_for(len(rows)):
                    states = network(x, lengths).numpy()  # (T, B, S)
                n_steps = [len(x)] * len(rows) if lengths is None else lengths.tolist()
                for place, row in enumerate(rows):
                    values.append(row, states[: n_steps[place], place])
                if on_rows is not None:
                    on_rows(len(rows))
        return cls(values, sequences.shape, np.arange(len(sequences)), sequences.n_frames)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, clips: Any) -> States:
        """Return the states of some clips, without a copy."""
        places = np.arange(len(self._sequences)).reshape(self.shape)[clips]
        whole = self if self._whole is None else self._whole
        sequences = self._sequences[places.ravel()]
        return States(self._values, places.shape, sequences, self.n_frames, whole)

    @property
    def n_states(self) -> int:
        """Number of states of a step."""
        return self._values.n_states

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of steps of each sequence; 0 where a row is nothing but padding."""
        return self._values.lengths[self._sequences]

    @cached_property
    def moments(self) -> Tensor:
        """Sum of the moments of all sequences, see :func:`~skaudeep.nn.pooling.moments`."""
        return self._sum_moments(self._sequences[self.lengths > 0])

    @torch.no_grad()
    def _sum_moments(self, sequences: NDArray[np.intp]) -> Tensor:
        total = torch.zeros(1 + self.n_states, 1 + self.n_states, dtype=torch.float64)

        def of_one(sequence: int) -> Tensor:
            return moments(torch.from_numpy(self._values.read(sequence))[:, None], None)

        with products_in("ieee", torch.device("cpu")):
            # A few at a time: each result is as large as a long sequence.
            for start in range(0, len(sequences), 32):
                part = sequences[start : start + 32].tolist()
                with parallel_map(len(part)) as each:
                    for one in each(of_one, part):
                        total += one
        return total

    def fit_components(self, covariance: StateCovariance, *, seed: int) -> None:
        """Fit the principal components of the states, to the rows that `fit_components` takes.

        Where these are all rows but a few of a whole whose moments are known, they are found by
        taking those of the few away: of ten folds, each row is then summed up twice, not ten times.

        Parameters
        ----------
        covariance : StateCovariance
        seed : int
            Determines which rows are taken, where there are many.
        """
        chosen = component_rows(self.lengths, seed=seed)
        sequences, whole = self._sequences[chosen], self._whole
        if whole is not None and "moments" in vars(whole):
            others = np.setdiff1d(whole._sequences[whole.lengths > 0], sequences)
            unique = len(np.unique(sequences)) == len(sequences)
            if unique and len(others) < len(sequences):
                covariance.fit(whole.moments - self._sum_moments(others))
                return
        covariance.fit(self._sum_moments(sequences))

    def pool(self, covariance: StateCovariance) -> NDArray[np.float32]:
        """Compute the features of each sequence.

        Parameters
        ----------
        covariance : StateCovariance
            With its principal components fitted.

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_chunks, n_features), float32
            NaN where a row is nothing but padding.
        """
        lengths = self.lengths
        features = np.full((len(lengths), covariance.n_features), np.nan, dtype=np.float32)
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        blocks = []
        while len(order):
            size = max(1, BLOCK_BYTES // (8 * self.n_states * int(lengths[order[0]])))
            blocks.append(order[:size])
            order = order[size:]

        @torch.inference_mode()
        def of_block(places: NDArray[np.intp]) -> NDArray[np.float32]:
            n_steps = lengths[places]
            states = np.zeros((n_steps[-1], len(places), self.n_states), dtype=np.float32)
            for column, place in enumerate(places):
                states[: n_steps[column], column] = self._values.read(self._sequences[place])
            unequal = None if n_steps[0] == n_steps[-1] else torch.from_numpy(n_steps)
            return covariance(torch.from_numpy(states), unequal).numpy()

        with parallel_map(len(blocks)) as each:
            for places, of_places in zip(blocks, each(of_block, blocks), strict=True):
                features[places] = of_places
        return features.reshape(*self.shape, -1)

    @torch.inference_mode()
    def by_frame(self, covariance: StateCovariance, representation: str) -> NDArray[np.float32]:
        """Return the features of each frame.

        Parameters
        ----------
        covariance : StateCovariance
            With its principal components fitted.
        representation : {"components", "states"}

        Returns
        -------
        ndarray of shape (n_clips, n_frames, n_features) or (n_clips, n_chunks, n_frames, \
                n_features), float32
            NaN at padding.
        """
        width = len(covariance.feature_names(representation))
        features = np.full((len(self._sequences), self.n_frames, width), np.nan, dtype=np.float32)
        for row, sequence in zip(features, self._sequences, strict=True):
            values = self._values.read(sequence)
            if representation == "components" and len(values):
                values = covariance.project(torch.from_numpy(values)[:, None])[:, 0].numpy()
            row[: len(values)] = values
        return features.reshape(*self.shape, self.n_frames, width)


class _Values:
    """Rows of numbers of unequal length, one after another, in memory or in a file."""

    def __init__(self, n_rows: int, n_states: int, *, in_memory: bool):
        self.n_states = n_states
        self.lengths = np.zeros(n_rows, dtype=np.int64)
        self._rows: list[NDArray[np.float32] | None] = [None] * n_rows
        self._starts = np.zeros(n_rows, dtype=np.int64)
        # It lives as long as its rows are wanted, and has no name: nothing of it can be left.
        self._file: IO[bytes] | None = None if in_memory else tempfile.TemporaryFile()  # noqa: SIM115
        if self._file is not None:
            weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()

    def append(self, row: int, values: NDArray[np.float32]) -> None:
        self.lengths[row] = len(values)
        if self._file is None:
            self._rows[row] = values.copy()
        else:
            self._starts[row] = self._file.tell()
            self._file.write(np.ascontiguousarray(values).data)

    def read(self, row: int) -> NDArray[np.float32]:
        values = self._rows[row]
        if values is not None:
            return values
        values = np.empty((self.lengths[row], self.n_states), dtype=np.float32)
        if self._file is not None and values.size:
            with self._lock:  # a file has one position
                self._file.seek(self._starts[row])
                n_read = self._file.readinto(values.data.cast("B"))  # type: ignore[attr-defined]
            if n_read != values.nbytes:
                raise OSError(
                    f"A temporary file in {tempfile.gettempdir()} ended after {n_read} bytes of a "
                    f"row of {values.nbytes}. Free some space there, or set TMPDIR to a folder on "
                    "another disk."
                )
        return values

    def __getstate__(self) -> dict[str, Any]:
        """Send rows to another process, which cannot open a file without a name."""
        rows = [self.read(row) if length else None for row, length in enumerate(self.lengths)]
        return vars(self) | {"_rows": rows, "_file": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())


def _free_bytes() -> int:
    import shutil

    return shutil.disk_usage(tempfile.gettempdir()).free
