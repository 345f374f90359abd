"""Rows of unequal length, in memory or on disk, as batches that a network can read."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_array
from torch import Tensor

from skaudeep.nn.devices import products_in
from skaudeep.training.distributed import SINGLE_PROCESS, ProcessGroup

Batch = tuple[Tensor, Tensor | None]
Shard = tuple[Tensor, Tensor | None, Tensor]
SHARD = 32  # sequences: the states of so many fit a core's cache
SCAN_BYTES = 2**26  # rows are encoded in blocks of about 64 MiB
CHECK_BYTES = 2**20  # and checked in blocks that are no larger than a batch, about


def is_ragged(X: Any) -> bool:
    """Whether X is a list of 2-D arrays, one per clip, rather than one array."""
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1 and len(X) > 0 and np.ndim(X[0]) == 2
    return isinstance(X, (list, tuple)) and len(X) > 0 and getattr(X[0], "ndim", 0) == 2


def n_dimensions(X: Any) -> int:
    """Count the axes of anything that has a shape, or of nested lists."""
    return len(X.shape) if hasattr(X, "shape") else np.asarray(X).ndim


def iterate_blocks(X: Any) -> Iterator[Any]:
    """Yield X whole where it lies in memory, else in blocks of rows that do."""
    if is_ragged(X) or type(X) is np.ndarray or 0 in X.shape:  # `Sequences` refuses the empty
        yield X
        return
    rows = max(1, SCAN_BYTES // (4 * int(np.prod(X.shape[1:]))))
    for start in range(0, X.shape[0], rows):
        yield X[start : start + rows]


def map_sequences(
    function: Callable[[Tensor, Tensor | None], Tensor],
    X: Any,
    width: int,
    *,
    per_frame: bool,
    batch_size: int,
    device: torch.device,
) -> np.ndarray:
    """Gather what a function makes of batches, sequence by sequence.

    Parameters
    ----------
    function : callable
        ``function(x, lengths)`` of a batch as in `Sequences.batch` gives a Tensor of shape
        (n_sequences, width), or (n_frames, n_sequences, width) where `per_frame`.
    X : as in `Sequences`
    width : int
    per_frame : bool
    batch_size : int
        Sequences in a batch; all of similar length.
    device : torch.device

    Returns
    -------
    ndarray of shape (n_clips, width) or (n_clips, n_chunks, width), float32
        With an axis of frames before the last where `per_frame`.
        NaN where a row is nothing but padding, and at padding.
    """
    sequences = Sequences(X)
    frames = (sequences.n_frames,) if per_frame else ()
    result = np.full((len(sequences), *frames, width), np.nan, dtype=np.float32)
    order = np.argsort(sequences.lengths, kind="stable")
    order = order[sequences.lengths[order] > 0]
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        with products_in("ieee", device):
            values = function(*sequences.batch(rows, device)).cpu().numpy()
        if per_frame:
            for row, of_row in zip(rows, values.swapaxes(0, 1), strict=True):
                result[row, : sequences.lengths[row]] = of_row[: sequences.lengths[row]]
        else:
            result[rows] = values
    return result.reshape(*sequences.shape, *frames, width)


class Sequences:
    """Sequences read from X a batch at a time, checked once.

    Parameters
    ----------
    X : array of shape (n_sequences, n_frames), (n_sequences, n_frames, n_bands) or \
            (n_clips, n_chunks, n_frames, n_bands), or list of n_sequences arrays \
            (n_frames, n_bands)
        Anything with a shape that rows can be taken from: ndarray, memmap, an open netCDF variable,
        an xarray or dask array. NaN may stand only in trailing frames.

    Attributes
    ----------
    shape : tuple
        ``(n_sequences,)``, or ``(n_clips, n_chunks)`` where X has chunks.
    n_bands : int
    n_frames : int
        Frames of the longest row, padding included.
    lengths : ndarray of shape (n_sequences,), int64
        True frames of each sequence; 0 where a row holds nothing but padding.
    largest : float
        Largest absolute value.

    Raises
    ------
    ValueError
        If a row holds infinity or NaN before its end, or rows differ in their number of bands.
    """

    def __init__(self, X: Any):
        if is_ragged(X):
            self._source: Any = [_as_frames(row, index) for index, row in enumerate(X)]
            self.shape: tuple[int, ...] = (len(X),)
            self.n_bands = self._source[0].shape[1]
            for index, row in enumerate(self._source):
                if row.shape[1] != self.n_bands:
                    raise ValueError(
                        f"Row {index} of X has {row.shape[1]} bands and row 0 has {self.n_bands}; "
                        "all rows must have the same bands."
                    )
            self.n_frames = max(len(row) for row in self._source)
        else:
            self._source = X
            n_axes = len(X.shape)
            self.shape = tuple(X.shape[: 2 if n_axes == 4 else 1])
            self.n_frames = X.shape[1] if n_axes == 2 else X.shape[-2]
            self.n_bands = 1 if n_axes == 2 else X.shape[-1]
            if 0 in X.shape:
                raise ValueError(
                    f"X has shape {tuple(X.shape)}: at least one row, one frame and one band are "
                    "required."
                )
        self._scan()

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def _scan(self) -> None:
        """Find all lengths and the largest value; refuse what is neither number nor padding."""
        self.lengths = np.empty(len(self), dtype=np.int64)
        self.largest = 0.0
        for rows in self._blocks():
            if isinstance(self._source, list):
                for row in rows:
                    self.lengths[row] = self._check(self._source[row][None], row)[0]
            else:
                self.lengths[rows] = self._check(self._read(rows), rows[0])

    def _blocks(self) -> Iterator[np.ndarray]:
        """Yield the numbers of all rows, as many at a time as may lie in memory."""
        step = max(1, CHECK_BYTES // (4 * self.n_frames * self.n_bands))
        for start in range(0, len(self), step):
            yield np.arange(start, min(start + step, len(self)))

    def _check(self, block: np.ndarray, first_row: int) -> np.ndarray:
        """Lengths of the rows of a block of shape (n_rows, n_frames, n_bands)."""
        low, high = block.min(), block.max()  # NaN and infinity survive both
        if np.isfinite(low) and np.isfinite(high):
            self.largest = max(self.largest, float(-low), float(high))
            return np.full(len(block), block.shape[1])
        if np.isinf(block).any():
            row, frame, _ = np.argwhere(np.isinf(block))[0]
            raise ValueError(
                f"Input X contains infinity, first in {self._name(first_row + row)}, frame "
                f"{frame}. Remove the row or repair its source."
            )
        missing = np.isnan(block)
        empty = missing.all(axis=2)
        # A row is as long as the frames before its unbroken run of padding at the end.
        lengths = block.shape[1] - np.cumprod(empty[:, ::-1], axis=1).sum(axis=1)
        inside = np.arange(block.shape[1]) < lengths[:, None]
        if (missing.any(axis=2) & inside).any():
            row, frame = np.argwhere(missing.any(axis=2) & inside)[0]
            raise ValueError(
                f"Input X contains NaN in {self._name(first_row + row)}, frame {frame}, before its "
                "last frame. NaN may stand only in trailing frames, as padding of shorter rows."
            )
        self.largest = max(self.largest, float(np.nanmax(np.abs(block), initial=0.0)))
        return lengths

    def _name(self, sequence: int) -> str:
        """Where in X a sequence stands."""
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
        if isinstance(block, np.ma.MaskedArray):
            block = block.filled(np.nan)  # an open netCDF variable masks its fill value
        block = np.asarray(block, dtype=np.float32).reshape(-1, self.n_frames, self.n_bands)
        return block[position * n_chunks + rows % n_chunks]

    def checksum(self) -> int:
        """Compute a CRC-32 over all true frames, to tell these sequences from others."""
        checksum = zlib.crc32(self.lengths.tobytes())
        for rows in self._blocks():
            listed = isinstance(self._source, list)
            block = [self._source[row] for row in rows] if listed else self._read(rows)
            for row, frames in zip(rows, block, strict=True):
                true = np.ascontiguousarray(frames[: self.lengths[row]])
                checksum = zlib.crc32(true.data, checksum)
        return checksum

    def summary(self) -> str:
        """Say in a line what these sequences are, by a sample of them."""
        rows = np.flatnonzero(self.lengths)
        rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), 64)).astype(int)]
        sample = zlib.crc32(self.batch(rows, torch.device("cpu"))[0].numpy().data)
        return f"{self.shape} x {self.n_bands}, {self.lengths.sum()} frames, sample {sample:08x}"

    def batch(self, rows: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor | None]:
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
        """
        if not len(rows):
            return torch.empty(0, 0, self.n_bands, device=device), None
        lengths = self.lengths[rows]
        longest = int(lengths.max())
        if isinstance(self._source, list):
            block = np.zeros((len(rows), longest, self.n_bands), dtype=np.float32)
            for place, row in enumerate(rows):
                block[place, : lengths[place]] = self._source[row][: lengths[place]]
        else:
            block = self._read(rows)[:, :longest]
            if lengths.min() < longest:
                block[np.arange(longest) >= lengths[:, None]] = 0
        # By numpy: torch would start a second team of threads where another thread calls this.
        x = torch.from_numpy(np.ascontiguousarray(block.swapaxes(0, 1)))  # (T, B, F)
        return x.to(device), (None if lengths.min() == longest else torch.from_numpy(lengths))

    def batches(
        self,
        rows: np.ndarray,
        batch_size: int,
        device: torch.device,
        processes: ProcessGroup = SINGLE_PROCESS,
    ) -> Generator[tuple[Tensor, Tensor | None]]:
        """Yield `batch` for each ``batch_size`` of the rows, in their order.

        What is on disk, or goes to another device than the CPU, is read by a thread of its own, one
        batch ahead, until the generator ends or is closed. Of each batch it is the part that
        `processes` takes.
        """
        starts = range(0, len(rows), batch_size)
        parts = (processes.local_rows(rows[start : start + batch_size]) for start in starts)
        in_memory = isinstance(self._source, list) or type(self._source) is np.ndarray
        if in_memory and device.type == "cpu":
            for part in parts:
                yield self.batch(part, device)
            return
        with closing(self._ahead(parts, pinned=device.type == "cuda")) as ahead:
            for x, lengths in ahead:
                yield x.to(device, non_blocking=True), lengths

    def _ahead(
        self, parts: Iterable[np.ndarray], *, pinned: bool
    ) -> Generator[tuple[Tensor, Tensor | None]]:
        """Yield batches on the CPU, read by another thread, which may pin them for a GPU."""

        def read(part: np.ndarray) -> tuple[Tensor, Tensor | None]:
            x, lengths = self.batch(part, torch.device("cpu"))
            return (x.pin_memory() if pinned else x), lengths

        ahead: deque[Future] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="skaudeep-reader") as reader:
            for part in parts:
                ahead.append(reader.submit(read, part))
                if len(ahead) > 1:
                    yield ahead.popleft().result()
        yield from (batch.result() for batch in ahead)


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


# --- shards: parts of a batch, each for a core of its own ---------------------------------------
#
# Cores that share every product of a recurrent network wait for each other at every step. Here each
# takes a part of the sequences through the whole network, and they meet at the loss and at the
# gradient. What the shards are does not depend on the number of cores, and so neither do the bits
# of a result.


def split_batch(x: Tensor, lengths: Tensor | None) -> list[Shard]:
    """Split a batch into shards; other devices than the CPU get it whole.

    Parameters
    ----------
    x : Tensor of shape (n_frames, n_sequences, n_bands)
    lengths : Tensor of shape (n_sequences,) or None
        True frames of each sequence; None where all fill the batch.

    Returns
    -------
    list of (x, lengths, rows)
        Together all sequences, those of like length in the same shard, which ends with its longest;
        `rows` are their places in the batch. None where there are no sequences.

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
