"""Rows of unequal length, in memory or on disk, as batches that a network can read."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_array
from torch import Tensor

from skaudeep._padding import find_gap, frame_mask, is_ragged, row_lengths
from skaudeep.nn.devices import products_in
from skaudeep.nn.parallel import torch_threads
from skaudeep.training.distributed import SINGLE_PROCESS, ProcessGroup

# x, lengths and, where sequences have one, condition, see `Sequences.batch`.
Batch = tuple[Any, ...]
Shard = tuple[Tensor, Tensor | None, Tensor]
SHARD = 32  # number of sequences whose states fit into a core's cache
MAP_BYTES = 2**26  # `map` reads rows that are not in memory in blocks of about 64 MiB
BATCH_FRAMES = 2**15  # `like_batches` takes fewer long sequences at a time
FEW_ROWS = 8  # `map` computes a batch of fewer in one thread
CHECK_BYTES = 2**20  # values are checked in blocks that are about as large as a batch


class Sequences:
    """Sequences that are read from X a batch at a time.

    :meth:`read` makes one.

    Parameters
    ----------
    source : list of ndarray of shape (n_frames, n_bands), or array of shape (n_rows, ...)
        Anything with a shape that rows can be taken from serves as an array: ndarray, memmap, an
        open netCDF variable, an xarray or dask array.
    shape : tuple of int
        ``(n_sequences,)``, or ``(n_clips, n_chunks)`` where X has chunks.
    n_frames : int
        Frames of the longest row, padding included.
    n_bands : int
    first_row : int, default=0
        Number of the first sequence in messages, for a block of a larger X.

    Attributes
    ----------
    lengths : ndarray of shape (n_sequences,), int64
        Number of true frames of each sequence; 0 for a row of padding alone. Set by `read`.
    largest : float
        Largest absolute value. Set by `read`.
    highest : ndarray of shape (n_sequences,), float32
        Largest value of each sequence; NaN for a row of padding alone. Set by `read`.
    condition : ndarray of shape (n_sequences,), int64, or None
        Number of the condition of each sequence; -1 if it is unknown. None if there are no
        conditions. Set by `read_condition`.
    """

    lengths: np.ndarray
    largest: float
    highest: np.ndarray
    condition: np.ndarray | None = None

    def __init__(
        self, source: Any, shape: tuple[int, ...], n_frames: int, n_bands: int, first_row: int = 0
    ):
        self._source = source
        self.shape = shape
        self.n_frames = n_frames
        self.n_bands = n_bands
        self._first_row = first_row

    @classmethod
    def read(cls, X: Any, n_bands: int | None = None, *, check_values: bool = True) -> Sequences:
        """Check X, and make `Sequences` of it.

        Parameters
        ----------
        X : array of shape (n_sequences, n_frames), (n_sequences, n_frames, n_bands) or \
                (n_clips, n_chunks, n_frames, n_bands), or list of n_sequences arrays \
                (n_frames, n_bands)
            NaN may stand only in trailing frames. A matrix is sequences of one band.
        n_bands : int, default=None
            Number of bands that X must have, which `fit` has seen; None takes any.
        check_values : bool, default=True
            Whether to read all values, to find `lengths` and what is no number. Without it only
            `map` can be used, which checks each block as it reads it.

        Returns
        -------
        Sequences

        Raises
        ------
        ValueError
            If X is no array of numbers with 2 to 4 axes, has an axis of length 0 or another number
            of bands than `n_bands`, rows differ in their number of bands, or a row holds infinity
            or NaN before its end.
        """
        if isinstance(X, Tensor):
            X = X.detach().cpu().numpy()
        sequences = cls._of_list(X) if is_ragged(X) else cls._of_array(X)
        if n_bands is not None and sequences.n_bands != n_bands:
            raise ValueError(
                f"X has {sequences.n_bands} bands (its last axis), but the estimator was fitted on "
                f"{n_bands}. Extract both with the same n_mels and sampling rate."
            )
        if check_values or sequences._in_memory:
            sequences._check_values()
        return sequences

    @classmethod
    def _of_list(cls, X: Any) -> Sequences:
        rows = [_as_frames(row, index) for index, row in enumerate(X)]
        n_bands = rows[0].shape[1]
        for index, row in enumerate(rows):
            if row.shape[1] != n_bands:
                raise ValueError(
                    f"Row {index} of X has {row.shape[1]} bands and row 0 has {n_bands}; all rows "
                    "must have the same bands."
                )
        return cls(rows, (len(rows),), max(map(len, rows)), n_bands)

    @classmethod
    def _of_array(cls, X: Any) -> Sequences:
        if not hasattr(X, "shape"):
            X = check_array(X, dtype=np.float32, allow_nd=True, ensure_all_finite=False)
        shape = tuple(X.shape)
        if np.dtype(getattr(X, "dtype", object)).kind not in "fiub":
            raise ValueError(f"X has dtype {X.dtype}; expected real numbers.")
        if len(shape) not in (2, 3, 4):
            raise ValueError(
                f"X has shape {shape}, expected (n_clips, n_frames, n_bands), "
                "(n_clips, n_chunks, n_frames, n_bands) or (n_sequences, n_timesteps)."
            )
        if 0 in shape:
            raise ValueError(
                f"X has shape {shape}: at least one row, one frame and one band are required."
            )
        if len(shape) == 2:
            return cls(X, shape[:1], shape[1], 1)
        return cls(X, shape[:-2], *shape[-2:])

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    @property
    def _in_memory(self) -> bool:
        return isinstance(self._source, list) or type(self._source) is np.ndarray

    # --- what values they hold -------------------------------------------------------------------

    def _check_values(self) -> None:
        """Find all lengths and the largest values; raise an error about invalid values."""
        self.lengths = np.empty(len(self), dtype=np.int64)
        self.highest = np.empty(len(self), dtype=np.float32)
        self.largest = 0.0
        for rows in self._blocks():
            if isinstance(self._source, list):
                for row in rows:
                    self.lengths[row] = self._check_block(self._source[row][None], row)[0]
            else:
                self.lengths[rows] = self._check_block(self._read(rows), rows[0])

    def _blocks(self) -> Iterator[np.ndarray]:
        """Yield the numbers of all rows, as many at a time as may lie in memory."""
        step = max(1, CHECK_BYTES // (4 * self.n_frames * self.n_bands))
        for start in range(0, len(self), step):
            yield np.arange(start, min(start + step, len(self)))

    def _check_block(self, block: np.ndarray, first: int) -> np.ndarray:
        """Lengths of the rows of a block of shape (n_rows, n_frames, n_bands)."""
        own = self.highest[first : first + len(block)]
        block.reshape(len(block), -1).max(axis=1, out=own)
        low, high = block.min(), own.max()  # NaN and infinity survive both
        if np.isfinite(low) and np.isfinite(high):
            self.largest = max(self.largest, float(-low), float(high))
            return np.full(len(block), block.shape[1])
        if np.isinf(block).any():
            row, frame, _ = np.argwhere(np.isinf(block))[0]
            raise ValueError(
                f"Input X contains infinity, first in {self._name(first + row)}, frame {frame}. "
                "Remove the row or repair its source."
            )
        lengths = row_lengths(block)
        if (gap := find_gap(block, lengths)) is not None:
            row, frame = gap
            raise ValueError(
                f"Input X contains NaN in {self._name(first + row)}, frame {frame}, before its "
                "last frame. NaN may stand only in trailing frames, as padding of shorter rows."
            )
        np.fmax.reduce(block.reshape(len(block), -1), axis=1, out=own)  # without a warning of NaN
        self.largest = max(self.largest, float(np.nanmax(np.abs(block), initial=0.0)))
        return lengths

    def _name(self, sequence: int) -> str:
        """Return the position of a sequence in X, for messages."""
        sequence += self._first_row
        if len(self.shape) == 1:
            return f"row {sequence}"
        return f"row {sequence // self.shape[1]}, chunk {sequence % self.shape[1]}"

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """Rows of an array as (n_rows, n_frames, n_bands) float32, in a fresh array."""
        n_chunks = self.shape[1] if len(self.shape) == 2 else 1
        clips, position = np.unique(rows // n_chunks, return_inverse=True)  # sorted: disks like it
        if clips[-1] - clips[0] + 1 == len(clips):
            block = self._source[clips[0] : clips[-1] + 1]
        else:
            block = self._source[clips]
        block = _as_array(block).reshape(-1, self.n_frames, self.n_bands)
        return block[position * n_chunks + rows % n_chunks]

    def checksum(self) -> int:
        """Compute a CRC-32 over all true frames and conditions, to tell these from others."""
        checksum = zlib.crc32(self.lengths.tobytes())
        if self.condition is not None:
            checksum = zlib.crc32(self.condition.tobytes(), checksum)
        for rows in self._blocks():
            listed = isinstance(self._source, list)
            block = [self._source[row] for row in rows] if listed else self._read(rows)
            for row, frames in zip(rows, block, strict=True):
                true = np.ascontiguousarray(frames[: self.lengths[row]])
                checksum = zlib.crc32(true.data, checksum)
        return checksum

    def summary(self) -> str:
        """Describe these sequences in a line, by their shape and a checksum of a sample."""
        rows = np.flatnonzero(self.lengths)
        rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), 64)).astype(int)]
        sample = zlib.crc32(self.batch(rows, torch.device("cpu"))[0].numpy().data)
        summary = f"{self.shape} x {self.n_bands}, {self.lengths.sum()} frames, sample {sample:08x}"
        if self.condition is None:
            return summary
        return f"{summary}, conditions {zlib.crc32(self.condition.tobytes()):08x}"

    def n_steps(self) -> int:
        """Count the true frames of all sequences."""
        return int(self.lengths.sum())

    # --- batches ---------------------------------------------------------------------------------

    def batch(self, rows: np.ndarray, device: torch.device) -> Batch:
        """Rows as one time-major batch.

        Parameters
        ----------
        rows : ndarray of int
            None of them empty. There may be none at all.
        device : torch.device

        Returns
        -------
        x : Tensor of shape (max(lengths), n_rows, n_bands), float32
            Zero at padding.
        lengths : Tensor of shape (n_rows,), or None where all are equal
        condition : Tensor of shape (n_rows,), int64
            Only where sequences have conditions.
        """
        x, lengths = self._frames_of(rows)
        if self.condition is None:
            return x.to(device), lengths
        return x.to(device), lengths, torch.from_numpy(self.condition[rows]).to(device)

    def _frames_of(self, rows: np.ndarray) -> tuple[Tensor, Tensor | None]:
        if not len(rows):
            return torch.empty(0, 0, self.n_bands), None
        lengths = self.lengths[rows]
        longest = int(lengths.max())
        if isinstance(self._source, list):
            block = np.zeros((len(rows), longest, self.n_bands), dtype=np.float32)
            for place, row in enumerate(rows):
                block[place, : lengths[place]] = self._source[row][: lengths[place]]
        else:
            block = self._read(rows)[:, :longest]
            if lengths.min() < longest:
                block[~frame_mask(lengths, longest)] = 0
        # numpy copies: torch would start a second pool of threads if another thread calls this.
        x = torch.from_numpy(np.ascontiguousarray(block.swapaxes(0, 1)))  # (T, B, F)
        return x, (None if lengths.min() == longest else torch.from_numpy(lengths))

    def batches(
        self,
        rows: np.ndarray,
        batch_size: int,
        device: torch.device,
        processes: ProcessGroup = SINGLE_PROCESS,
    ) -> Generator[Batch]:
        """Yield `batch` for each ``batch_size`` of the rows, in their order.

        What is on disk, or goes to another device than the CPU, is read by a thread of its own, one
        batch ahead, until the generator ends or is closed. Of each batch it is the part that
        `processes` takes.
        """
        starts = range(0, len(rows), batch_size)
        parts = (processes.local_rows(rows[start : start + batch_size]) for start in starts)
        if self._in_memory and device.type == "cpu":
            for part in parts:
                yield self.batch(part, device)
            return
        with closing(self._ahead(parts, pinned=device.type == "cuda")) as ahead:
            for x, lengths, *condition in ahead:
                moved = (values.to(device, non_blocking=True) for values in condition)
                yield x.to(device, non_blocking=True), lengths, *moved

    def _ahead(self, parts: Iterable[np.ndarray], *, pinned: bool) -> Generator[Batch]:
        """Yield batches on the CPU, read by another thread, which may pin them for a GPU."""

        def read(part: np.ndarray) -> Batch:
            x, *others = self.batch(part, torch.device("cpu"))
            return (x.pin_memory() if pinned else x), *others

        ahead: deque[Future] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="skaudeep-reader") as reader:
            for part in parts:
                ahead.append(reader.submit(read, part))
                if len(ahead) > 1:
                    yield ahead.popleft().result()
        yield from (batch.result() for batch in ahead)

    # --- results row by row ----------------------------------------------------------------------

    def map(
        self,
        function: Callable[..., Tensor],
        width: int,
        *,
        per_frame: bool,
        batch_size: int,
        device: torch.device,
    ) -> np.ndarray:
        """Apply a function to batches of sequences of similar length, and gather its output.

        Data that are not in memory are read in blocks of rows, each of them once.

        Parameters
        ----------
        function : callable
            ``function(*batch)``, of a `batch`, gives a Tensor of shape (n_sequences, width), or
            (n_frames, n_sequences, width) where `per_frame`.
        width : int
        per_frame : bool
        batch_size : int
            Sequences in a batch.
        device : torch.device

        Returns
        -------
        ndarray of shape (n_clips, width) or (n_clips, n_chunks, width), float32
            With an axis of frames before the last where `per_frame`. NaN where a row is nothing but
            padding, and at padding.
        """
        frames = (self.n_frames,) if per_frame else ()
        result = np.full((len(self), *frames, width), np.nan, dtype=np.float32)
        for rows, *batch in self.like_batches(batch_size, device):
            with threads_for(len(rows)), products_in("ieee", device):
                values = function(*batch).cpu().numpy()
            if per_frame:
                x, lengths, *_ = batch
                n_frames = [len(x)] * len(rows) if lengths is None else lengths.tolist()
                for row, n, of_row in zip(rows, n_frames, values.swapaxes(0, 1), strict=True):
                    result[row, :n] = of_row[:n]
            else:
                result[rows] = values
        return result.reshape(*self.shape, *frames, width)

    def like_batches(self, batch_size: int, device: torch.device) -> Iterator[tuple[Any, ...]]:
        """Yield batches of sequences of similar length: all sequences except empty ones, once each.

        Data that are not in memory are read in blocks of rows, each of them once.

        Parameters
        ----------
        batch_size : int
            Most sequences in a batch. There are fewer of more than 512 frames.
        device : torch.device

        Yields
        ------
        rows : ndarray of int
            Which sequences they are.
        x, lengths, condition
            As in `batch`.
        """
        start = 0
        for block in self._memory_blocks():
            order = sort_by_length(np.flatnonzero(block.lengths), block.lengths)
            while len(order):
                # Long sequences are few: the states of all of a batch lie in memory.
                longest = block.lengths[order[:batch_size][-1]]
                rows = order[: min(batch_size, max(1, BATCH_FRAMES // longest))]
                yield start + rows, *block.batch(rows, device)
                order = order[len(rows) :]
            start += len(block)

    def _memory_blocks(self) -> Iterator[Sequences]:
        """Yield these sequences in blocks that lie in memory, with their values checked."""
        if self._in_memory:
            yield self
            return
        n_clips, *n_chunks = self.shape
        step = max(1, MAP_BYTES // (4 * self.n_frames * self.n_bands * int(np.prod(n_chunks))))
        for start in range(0, n_clips, step):
            block = _as_array(self._source[start : start + step])
            shape = (len(block), *n_chunks)
            sequences = Sequences(
                block, shape, self.n_frames, self.n_bands, start * int(np.prod(n_chunks))
            )
            sequences._check_values()
            if self.condition is not None:
                first = sequences._first_row
                sequences.condition = self.condition[first : first + len(sequences)]
            yield sequences


def sort_by_length(rows: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Sort rows by their lengths, so that batches of them hold little padding.

    Examples
    --------
    >>> sort_by_length(np.array([0, 1, 3]), np.array([5, 2, 9, 2])).tolist()
    [1, 3, 0]
    """
    return rows[np.argsort(lengths[rows], kind="stable")]


def threads_for(n_rows: int) -> AbstractContextManager[None]:
    """Limit torch to one thread for a few rows: further threads would only wait, spinning."""
    return torch_threads(1) if n_rows < FEW_ROWS else nullcontext()


def _as_array(block: Any) -> np.ndarray:
    """Take rows into memory as float32, NaN where a netCDF variable masks them."""
    if isinstance(block, np.ma.MaskedArray):
        block = block.filled(np.nan)  # an open netCDF variable masks its fill value
    return np.asarray(block, dtype=np.float32)


def _as_frames(row: Any, index: int) -> np.ndarray:
    """One clip of a list as (n_frames, n_bands) float32."""
    if np.ndim(row) != 2:
        raise ValueError(
            f"Row {index} of X has {np.ndim(row)} axes; a list holds one 2-D array "
            "(n_frames, n_bands) per clip."
        )
    if 0 in np.shape(row):
        raise ValueError(
            f"Row {index} of X has shape {np.shape(row)}: a clip without frames has no "
            "representation; remove it, or pass one frame of NaN to get a row of NaN."
        )
    if isinstance(row, Tensor):
        row = row.detach().cpu()
    return check_array(row, dtype=np.float32, ensure_all_finite=False)


# --- shards: parts of a batch, each computed by one core -----------------------------------------
#
# Cores that share every product of a recurrent network would wait for each other at every step.
# Therefore each core takes a part of the sequences, a shard, through the whole network:
#
#        a batch of 70 sequences, sorted by length
#      shard 0 (32)     shard 1 (32)     shard 2 (6)     one core each, through the whole network
#           |                |                |
#       E, N, dE/dw      E, N, dE/dw      E, N, dE/dw    sums over the values of the shard: squared
#           |                |                |          errors E, their number N, gradient of E
#           +-- added in the order 0, 1, 2, --+          then over the ranks of a process group
#                            |
#          loss = sqrt(E / N),  d loss/dw = (d loss/dE) * (dE/dw)
#
# The loss is one root over the whole batch, not a mean of roots. The division into shards and the
# order of additions do not depend on the number of cores, nor do the bits of a result.


def split_batch(x: Tensor, lengths: Tensor | None) -> list[Shard]:
    """Split a batch into shards; other devices than the CPU get it whole.

    Parameters
    ----------
    x : Tensor of shape (n_frames, n_sequences, n_bands)
        The batch.
    lengths : Tensor of shape (n_sequences,) or None
        Number of true frames of each sequence; None if all have n_frames.

    Returns
    -------
    list of (x, lengths, rows)
        The shards. Sequences of similar length are in the same shard, which is as long as its
        longest sequence; `rows` are their positions in the batch. The list is empty if there are no
        sequences.

    Examples
    --------
    >>> import torch
    >>> [x.shape[1] for x, _, _ in split_batch(torch.zeros(7, 70, 3), None)]
    [32, 32, 6]
    """
    n_sequences = x.shape[1]
    if n_sequences == 0:
        return []
    if n_sequences <= SHARD or x.device.type != "cpu":
        return [(x, lengths, torch.arange(n_sequences, device=x.device))]
    if lengths is None:
        parts, places = x.split(SHARD, dim=1), torch.arange(n_sequences).split(SHARD)
        return [(part.contiguous(), None, rows) for part, rows in zip(parts, places, strict=True)]
    order = lengths.argsort(stable=True)
    shards: list[Shard] = []
    for rows in order.split(SHARD):
        longest = int(lengths[rows].max())
        shards.append((x[:longest].index_select(1, rows), lengths[rows], rows))
    return shards
