"""Spectrograms of a whole corpus into one file: in parallel, in bounded memory, resumable."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib import hash as digest
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skaudeep import __version__
from skaudeep.audio import AudioError, Clip, list_clips
from skaudeep.instances import checked
from skaudeep.netcdf import load_netcdf, padded, write_rows
from skaudeep.spectrogram import MAX_BATCH, SpectrogramExtractor, _views_of_batch, _warn
from skaudeep.storage import Journal, check_writable

WAVE_BYTES = 2**23  # of spectrograms that are decoded before they are written down
MAX_WAVE = 1024  # clips


def extract_to_netcdf(
    bunch: Bunch,
    extractor: SpectrogramExtractor,
    path: str | os.PathLike[str],
    *,
    compression: int = 0,
) -> Bunch:
    """Extract the spectrograms of a data set into a NetCDF file, whatever its size.

    The clips are decoded a few at a time, by as many processes as the extractor's `n_jobs` says,
    and memory does not grow with their number. What is done is kept beside the file, in
    `<path>.partial`: if the extraction is interrupted, at any moment and in any way, the same call
    goes on where it stopped, and gives what an uninterrupted one gives. The file itself appears
    when it is whole. Until then the disk holds the spectrograms at most twice.

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
    >>> from skaudeep.datasets import make_sounds
    >>> sounds = make_sounds(40, duration=0.5, random_state=0)
    >>> extractor = SpectrogramExtractor(n_mels=40, sampling_rate=16000)
    >>> with TemporaryDirectory() as folder:
    ...     stored = extract_to_netcdf(sounds, extractor, Path(folder, "sounds.nc"))
    ...     stored.data.shape, stored.data[0].shape  # a row is read when it is asked for
    ((40, 11, 40), (11, 40))
    """
    bunch = checked(bunch)
    extractor._check_parameters()
    if compression not in range(10):  # now, not hours later
        raise ValueError(f"Got compression={compression!r}, expected an integer from 0 to 9.")
    file = Path(path).expanduser()
    check_writable(file)
    clips = list_clips(bunch.data)
    parameters = extractor.get_params()
    # Neither changes a spectrogram.
    del parameters["n_jobs"], parameters["on_error"]
    task = repr((__version__, parameters, bunch.filenames.tolist(), digest(bunch.data)))
    with Journal(file.with_name(file.name + ".partial"), task, len(clips)) as journal:
        errors = _extract(clips, extractor, journal)
        bunch.errors = np.array([str(errors.get(row, "")) for row in range(len(clips))])
        item = tuple(journal.shapes.max(axis=0).tolist())
        chunked = item[0] > 0
        item = item if chunked else item[1:]
        silent: dict[int, str] = {}

        def read(start: int, stop: int) -> NDArray[np.float32]:
            nothing = np.empty((0,) * len(item), np.float32)
            rows = [journal.read(i) if journal.done[i] else nothing for i in range(start, stop)]
            silent.update(
                {
                    i: clips[i].name
                    for i, row in enumerate(rows, start)
                    if journal.done[i] and not (row > -1).any()
                }
            )
            return padded(rows, item)

        write_rows(file, bunch, (len(clips), *item), read, chunked, compression)
        journal.remove()
    _report(list(errors.values()), list(silent.values()), len(clips))
    return load_netcdf(file, lazy=True, verify=False)


def _extract(
    clips: list[Clip], extractor: SpectrogramExtractor, journal: Journal
) -> dict[int, AudioError]:
    """Extract what the journal lacks into it; return why clips could not be read."""
    errors: dict[int, AudioError] = {}
    todo = np.flatnonzero(~journal.done)
    n_jobs = effective_n_jobs(extractor.n_jobs)
    wave = 4 * n_jobs  # clips decoded before they are written down
    # Processes, not threads: short clips spend half their time in Python.
    with Parallel(n_jobs=extractor.n_jobs, prefer="processes") as parallel:
        while len(todo):
            now, todo = todo[:wave], todo[wave:]
            size = min(MAX_BATCH, -(-len(now) // n_jobs))
            batches = [now[i : i + size] for i in range(0, len(now), size)]
            done = parallel(
                delayed(_views_of_batch)([clips[i] for i in batch], [extractor])
                for batch in batches
            )
            n_bytes = 0
            for row, (view,) in zip(now, chain.from_iterable(done), strict=True):
                if isinstance(view, AudioError):
                    errors[row] = view
                    continue
                _check_rate(clips, row, view.sampling_rate, journal)
                journal.append(row, view.sampling_rate, view.values)
                n_bytes += view.values.nbytes
            # By what the clips turned out to need, as there is no telling before.
            wave = max(n_jobs, min(MAX_WAVE, WAVE_BYTES * len(now) // max(n_bytes, 1)))
    if not journal.done.any():
        error = errors[0]
        raise AudioError(
            f"all {len(clips)} clips",
            f"failed; the first, {error.clip}: {error.reason}",
            error.remedy,
        )
    return errors


def _check_rate(clips: list[Clip], row: int, rate: float, journal: Journal) -> None:
    other = journal.done.argmax()
    if journal.done[other] and journal.rates[other] != rate:
        raise AudioError(
            clips[row].name,
            f"has a sampling rate of {rate:g} Hz, but {clips[other].name} has "
            f"{journal.rates[other]:g} Hz",
            "Set sampling_rate= to bring all clips to one rate",
        )


def _report(errors: list[AudioError], silent: list[str], n_clips: int) -> None:
    _warn("could not be read; their rows are NaN", [str(error) for error in errors], n_clips)
    _warn("are silent; their rows are -1 throughout", silent, n_clips)
