"""Spectrograms of a whole corpus into one file: in parallel, in bounded memory, resumable."""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from joblib import hash as digest
from joblib.externals.loky import ProcessPoolExecutor
from numpy.typing import NDArray

from skaudeep._files import check_compression, check_writable
from skaudeep._journal import Journal, record
from skaudeep._version import __version__
from skaudeep.audio.chain import extract_clip_views
from skaudeep.audio.decoding import Clip, list_clips
from skaudeep.audio.errors import AudioError, all_clips_failed, sampling_rates_differ

# Every process imports this room to work for it: what only the caller needs, scikit-learn and
# netCDF4 among it, is imported where it is used. That is most of a second for each of them.
if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from skaudeep.spectrogram import SpectrogramExtractor

BATCH_BYTES = 2**20  # of spectrograms that a task returns, about
MAX_BATCH = 256  # clips a task
# Nothing here calls BLAS, but its threads, once there, wait in a loop, on cores that have work.
NO_THREADS = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")


def extract_to_netcdf(
    bunch: Bunch,
    extractor: SpectrogramExtractor,
    path: str | os.PathLike[str],
    *,
    compression: int = 0,
) -> Bunch:
    """Extract the spectrograms of a data set into a NetCDF file, whatever its size.

    The clips are decoded a few at a time, by as many processes as the extractor's `n_jobs` says,
    this one among them, and memory does not grow with their number. What is done is kept beside
    the file, in `<path>.partial`: if the extraction is interrupted, at any moment and in any way,
    the same call goes on where it stopped, and gives what an uninterrupted one gives; clips whose
    files have changed since are extracted again. The file itself appears when it is whole. Until
    then the disk holds the spectrograms at most twice.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        Its `data` are clips, as every reader of :mod:`skaudeep.datasets` returns them.
    extractor : SpectrogramExtractor
        With `on_error="nan"`, a clip that cannot be read gets a row of NaN, its reason is stored
        in the variable `error`, and one warning names all such clips. They are tried again when
        an interrupted extraction goes on.
    path : str or Path
        The file, which is replaced if it exists.
    compression : int in [0, 9], default=0
        Level of zlib, see :func:`~skaudeep.formats.save_netcdf`; 0 does not compress.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The file, as `load_netcdf(path, lazy=True)` gives it.

    Raises
    ------
    AudioError
        If a clip cannot be read and `on_error="raise"`, if all cannot, or if clips of different
        sampling rates meet without `sampling_rate=`. What is done so far is kept.
    ValueError
        If a parameter is out of its range, or `<path>.partial` belongs to other clips or
        parameters.
    BlockingIOError
        If another process is extracting to the same path.
    FileNotFoundError, IsADirectoryError
        If the folder of `path` does not exist, or `path` is a folder.
    OSError
        If the disk is full. What is done so far is kept.

    Warns
    -----
    AudioWarning
        If clips cannot be read, and if clips are silent.

    See Also
    --------
    save_netcdf : Save what is in memory.
    load_netcdf : Load the file later.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep import SpectrogramExtractor, extract_to_netcdf
    >>> from skaudeep.datasets import make_sounds
    >>> sounds = make_sounds(40, duration=0.5, random_state=0)
    >>> extractor = SpectrogramExtractor(n_mels=40, sampling_rate=16000)
    >>> with TemporaryDirectory() as folder:
    ...     stored = extract_to_netcdf(sounds, extractor, Path(folder, "sounds.nc"))
    ...     stored.data.shape, stored.data[0].shape  # a row is read when it is asked for
    ((40, 11, 40), (11, 40))
    """
    from skaudeep.spectrogram import SpectrogramExtractor, warn_about_clips

    if not isinstance(extractor, SpectrogramExtractor):
        raise TypeError(f"Got extractor={extractor!r}, expected a SpectrogramExtractor.")
    extractor._check_parameters()
    file = Path(path).expanduser()
    check_compression(compression)  # now, not hours later
    check_writable(file)
    with _others(effective_n_jobs(extractor.n_jobs) - 1) as others:
        from skaudeep.formats.layout import complete_bunch, padded
        from skaudeep.formats.netcdf import count_frames, load_netcdf, write_rows

        bunch = complete_bunch(bunch)
        clips = list_clips(bunch.data)
        parameters = extractor.get_params()
        # Neither changes a spectrogram.
        del parameters["n_jobs"], parameters["on_error"]
        task = repr((__version__, parameters, bunch.filenames.tolist(), digest(bunch.data)))
        with Journal(file.with_name(file.name + ".partial"), task, len(clips)) as journal:
            errors = _extract(clips, extractor, journal, others)
            others.executor.shutdown(wait=False)  # they end while this one writes
            bunch.errors = np.array([str(errors.get(row, "")) for row in range(len(clips))])
            item = tuple(journal.shapes.max(axis=0).tolist())
            chunked = item[0] > 0
            item = item if chunked else item[1:]
            shape = (len(clips), *item)
            silent = np.zeros(len(clips), dtype=bool)

            def read(start: int, stop: int) -> NDArray[np.float32]:
                values = padded(journal.read(range(start, stop)), item)
                sound = (values > -1).any(axis=tuple(range(1, values.ndim)))
                silent[start:stop] = journal.done[start:stop] & ~sound
                return values

            lengths = count_frames(shape, read, chunked) if chunked else journal.shapes[:, 1]
            write_rows(file, bunch, shape, read, lengths, compression)
            journal.remove()
    warn_about_clips(
        [str(errors[row]) for row in sorted(errors)],
        [clips[row].name for row in np.flatnonzero(silent)],
        len(clips),
    )
    return load_netcdf(file, lazy=True, verify=False)


def _extract(
    clips: list[Clip], extractor: SpectrogramExtractor, journal: Journal, others: Others
) -> dict[int, AudioError]:
    """Extract what the journal lacks into it; return why clips could not be read."""
    errors: dict[int, AudioError] = {}
    # An error is raised here, when what was done before it is written down.
    parameters = extractor.get_params() | {"on_error": "nan"}
    n_clips, n_bytes = 0, 1

    def tasks() -> Iterator[tuple[list[int], list[Clip], dict[str, Any]]]:
        while todo:
            # By what clips so far turned out to need, as there is no telling before.
            size = min(MAX_BATCH, len(todo) // (4 * others.n + 4), BATCH_BYTES * n_clips // n_bytes)
            rows = [todo.popleft() for _ in range(max(1, size))]
            yield rows, [clips[row] for row in rows], parameters

    for row in np.flatnonzero(journal.done).tolist():
        journal.done[row] = journal.fingerprints[row] == _mark_of(clips[row])
    _check_rates(clips, np.flatnonzero(journal.done).tolist(), journal)
    todo = deque(np.flatnonzero(~journal.done).tolist())
    while todo:  # again, as tasks may give back the rest of their clips
        for rows, views in _do_all(tasks(), others):
            todo.extendleft(reversed(rows[len(views) :]))
            rows = rows[: len(views)]
            records = [view for view in views if isinstance(view, bytes)]
            journal.append(records)
            _check_rates(clips, rows, journal)
            n_clips, n_bytes = n_clips + len(views), n_bytes + sum(map(len, records))
            for row, view in zip(rows, views, strict=True):
                if isinstance(view, AudioError):
                    errors[row] = view
                    if extractor.on_error == "raise":
                        raise view
    if not journal.done.any():
        raise all_clips_failed(len(clips), errors[0])
    return errors


def _check_rates(clips: list[Clip], rows: Sequence[int], journal: Journal) -> None:
    first = journal.done.argmax()
    for row in rows:
        if journal.done[row] and journal.rates[row] != journal.rates[first]:
            raise sampling_rates_differ(
                clips[row].name, journal.rates[row], clips[first].name, journal.rates[first]
            )


def _mark_of(clip: Clip) -> int:
    """Return what changes when the file of a clip does; 0 where it has none."""
    if not isinstance(clip.source, str | bytes | os.PathLike):
        return 0
    try:
        status = os.stat(clip.source)
    except (OSError, ValueError):  # reading it will say what is wrong
        return -1
    return zlib.crc32(f"{status.st_size} {status.st_mtime_ns}".encode())


Done = tuple[list[int], list[bytes | AudioError]]


def _extract_some(rows: list[int], clips: list[Clip], parameters: dict[str, Any]) -> Done:
    """Extract clips until their spectrograms fill a task; return records, or errors, of those."""
    views: list[bytes | AudioError] = []
    n_bytes = 0
    for row, clip in zip(rows, clips, strict=True):
        fingerprint = _mark_of(clip)  # before it is read: a change meanwhile is a change
        ((view,),) = extract_clip_views([clip], [parameters])
        views.append(view if isinstance(view, AudioError) else record(row, *view, fingerprint))
        n_bytes += 0 if isinstance(view, AudioError) else view.values.nbytes
        if n_bytes > BATCH_BYTES:
            break
    return rows, views


class Others(NamedTuple):
    """Processes that help this one."""

    n: int
    executor: Executor


@contextmanager
def _others(n: int) -> Iterator[Others]:
    """Have processes import what they need, while this one prepares the work."""
    # Processes, not threads: short clips spend half their time in Python.
    # Without others, an executor that starts nothing.
    with ProcessPoolExecutor(n, env=NO_THREADS) if n else ThreadPoolExecutor() as executor:
        for _ in range(n):
            executor.submit(_extract_some, [], [], {})
        yield Others(n, executor)


def _do_all(tasks: Iterable[tuple[Any, ...]], others: Others) -> Iterator[Done]:
    """Do tasks in parallel, some of them here, and not far ahead of the caller."""
    running: list[Future[Done]] = []
    try:
        for number, task in enumerate(tasks):
            # The first one tells how much to ask of others, who get one to do and three in store.
            if number and len(running) < 4 * others.n:
                running.append(others.executor.submit(_extract_some, *task))
            else:
                yield _extract_some(*task)
            for future in [future for future in running if future.done()]:
                running.remove(future)
                yield future.result()
        for future in running:
            yield future.result()
    finally:
        for future in running:
            future.cancel()
