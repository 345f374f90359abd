"""Extract the spectrograms of a corpus into one file: parallel, resumable, in bounded memory."""

from __future__ import annotations

import inspect
import os
import signal
import threading
import warnings
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from joblib import hash as digest
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.backend.reduction import dumps, loads
from numpy.typing import NDArray

from skaudeep._files import check_compression, check_writable
from skaudeep._journal import Journal, record
from skaudeep._padding import pad
from skaudeep._progress import Progress
from skaudeep._texts import SMALL_TEXT
from skaudeep._version import __version__
from skaudeep._warnings import find_stack_level
from skaudeep.audio.chain import extract_clip_views
from skaudeep.audio.clips import Clip, list_clips
from skaudeep.audio.errors import AudioError, AudioWarning, all_clips_failed
from skaudeep.audio.functions import check_widths, function_name
from skaudeep.audio.rates import common_rate

# Every worker process imports this module. What only the caller needs, such as scikit-learn and
# netCDF4, is imported where it is used: it would cost each process most of a second.
if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from skaudeep._views import ClipExtractor

BATCH_BYTES = 2**20  # approximate size of the spectrograms that a task returns
MAX_BATCH = 256  # clips per task
# Nothing here calls BLAS. Its threads, once started, would wait in a loop and occupy cores.
NO_THREADS = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")


def extract_to_netcdf(
    bunch: Bunch,
    extractor: ClipExtractor,
    path: str | os.PathLike[str],
    *,
    compression: int = 0,
    progress: bool = True,
) -> Bunch:
    """Extract the spectrograms of a data set, of any size, into a NetCDF file.

    The clips are decoded a few at a time, by as many processes as the extractor's `n_jobs`
    (including this one; None is 1, -1 is one for each core), and memory does not grow with the
    number of clips. Finished clips are kept in `<path>.partial`, next to the file. If the
    extraction is interrupted, the same call continues where it stopped, and gives the same result
    as an uninterrupted call; `n_jobs`, `compression` and `progress` may differ. Clips whose files
    have changed since are extracted again. The file appears once it is complete; until then the
    disk holds the spectrograms at most twice. An extraction that was killed leaves
    `<path>.partial`; delete this file if you do not continue.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set whose `data` are clips, as every reader of :mod:`skaudeep.datasets` returns it:
        paths, waveforms or a `(file, start, end)` index. Its labels, groups, folds and partitions
        are written to the file, too, and of other keys those that
        :func:`~skaudeep.formats.save_netcdf` keeps.
    extractor : SpectrogramExtractor or FunctionExtractor
        The extractor, fitted or not. With `on_error="nan"` or "read", a clip that cannot be read
        gets a row of NaN, the variable `error` of the file, which is the key `errors` of the
        returned data set, holds the reason, and one warning names the first 20 such clips. They are
        tried again when an interrupted extraction is continued.
    path : str or Path
        The file to write. It is replaced if it exists.
    compression : int in [0, 9], default=0
        Compression level of zlib, see :func:`~skaudeep.formats.save_netcdf`. 0 does not compress.
    progress : bool, default=True
        Whether to show the progress and the remaining time on stderr: in one line that is updated,
        or, if stderr is not a terminal, in a new line every 10 s at most.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The stored data set, as `load_netcdf(path, lazy=True)` returns it: the rows of `data` are
        read from the file when they are asked for.

    Raises
    ------
    AudioError
        If a clip cannot be read and `on_error="raise"`, if no clip can be read, if clips differ in
        sampling rate and the extractor's `sampling_rate` is None, or if the frames of clips differ
        in their number of dimensions. Finished clips are kept.
    TypeError
        If `extractor` is neither a SpectrogramExtractor nor a FunctionExtractor.
    ValueError
        If a parameter is out of its range, or `<path>.partial` belongs to other clips or
        parameters.
    BlockingIOError
        If another process is extracting to the same path.
    FileNotFoundError, IsADirectoryError
        If the folder of `path` does not exist, or `path` is a folder.
    OSError
        If the disk is full, or `path` or `<path>.partial` is a pipe or a device. Finished clips are
        kept.

    Warns
    -----
    AudioWarning
        If clips cannot be read, or clips are silent.
    RuntimeWarning
        If no worker process can be started. This process then extracts all clips.

    See Also
    --------
    save_netcdf : Save a data set that is in memory.
    load_netcdf : Load the file later.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep import SpectrogramExtractor, extract_to_netcdf
    >>> from skaudeep.datasets import make_sounds
    >>> sounds = make_sounds(40, duration=0.5, random_state=0)
    >>> extractor = SpectrogramExtractor(n_mels=40, sampling_rate=16000)
    >>> with TemporaryDirectory() as folder:
    ...     stored = extract_to_netcdf(sounds, extractor, Path(folder, "sounds.nc"))
    ...     stored.data.shape, stored.data[0].shape
    ((40, 11, 40), (11, 40))
    """
    from skaudeep._views import ClipExtractor, warn_about_clips

    if not isinstance(extractor, ClipExtractor):
        raise TypeError(
            f"Got extractor={extractor!r}, expected a SpectrogramExtractor or FunctionExtractor."
        )
    extractor._check_as_fitted()
    check_compression(compression)  # now, and not after hours of extraction
    file = check_writable(Path(path).expanduser())
    n_workers = effective_n_jobs(extractor.n_jobs) - 1
    sent = _task_parameters(extractor, n_workers)
    workers = _start_workers(n_workers, sent)
    with workers.executor:
        from skaudeep.formats.layout import complete_bunch, dims_of_instances
        from skaudeep.formats.netcdf import count_frames, load_netcdf, write_rows

        bunch = complete_bunch(bunch)
        clips = list_clips(bunch.data)
        parameters = extractor._chain_parameters()
        if "func" in parameters:
            parameters["func"] = _identity(parameters["func"])
        # Neither parameter changes a spectrogram, except `on_error="read"`.
        del parameters["n_jobs"]
        if parameters["on_error"] != "read":
            del parameters["on_error"]
        task = repr((__version__, parameters, bunch.filenames.tolist(), digest(bunch.data)))
        partial = file.with_name(file.name + ".partial")
        with Journal(partial, task, len(clips)) as journal, Progress(show=progress) as line:
            errors = _extract(clips, extractor, sent, journal, workers, line)
            workers.executor.shutdown(wait=False)  # they end while this process writes
            # The text is cut: in the file, every row takes as much space as the longest one.
            bunch.errors = np.array(
                [str(errors.get(row, ""))[:SMALL_TEXT] for row in range(len(clips))]
            )
            item = tuple(journal.shapes.max(axis=0).tolist())
            chunked = item[0] > 0
            item = item if chunked else item[1:]
            shape = (len(clips), *item)
            bunch.dims = dims_of_instances(len(shape), chunked)
            silent = np.zeros(len(clips), dtype=bool)

            def read(start: int, stop: int) -> NDArray[np.float32]:
                values = pad(journal.read(range(start, stop)), item)
                if extractor._silence is not None:
                    sound = (values > extractor._silence).any(axis=tuple(range(1, values.ndim)))
                    silent[start:stop] = journal.done[start:stop] & ~sound
                return values

            lengths = count_frames(shape, read, chunked) if chunked else journal.shapes[:, 1]
            line.begin("Writing the file", len(clips))

            def read_on(start: int, stop: int) -> NDArray[np.float32]:
                line.advance(stop - start)
                return read(start, stop)

            write_rows(file, bunch, shape, read_on, lengths, compression)
            journal.remove()
    warn_about_clips(
        [str(errors[row]) for row in sorted(errors)],
        [clips[row].name for row in np.flatnonzero(silent)],
        len(clips),
    )
    return load_netcdf(file, lazy=True, verify=False)


def _extract(
    clips: list[Clip],
    extractor: ClipExtractor,
    parameters: dict[str, Any],
    journal: Journal,
    workers: Workers,
    progress: Progress,
) -> dict[int, AudioError]:
    """Extract the clips that the journal lacks; return the errors of clips that failed, by row."""
    errors: dict[int, AudioError] = {}
    n_clips, n_bytes = 0, 1

    def tasks() -> Iterator[tuple[list[int], list[Clip], dict[str, Any]]]:
        while todo:
            # The size of a spectrogram is unknown in advance: use the mean of the finished clips.
            size = min(
                MAX_BATCH, len(todo) // (4 * workers.n + 4), BATCH_BYTES * n_clips // n_bytes
            )
            rows = [todo.popleft() for _ in range(max(1, size))]
            yield rows, [clips[row] for row in rows], parameters

    for row in np.flatnonzero(journal.done).tolist():
        journal.done[row] = journal.fingerprints[row] == _fingerprint(clips[row])
    _check_alike(clips, np.flatnonzero(journal.done).tolist(), journal, extractor)
    todo = deque(np.flatnonzero(~journal.done).tolist())
    progress.begin("Extracting clips", len(todo))  # clips that an earlier call did not finish
    while todo:  # again, because a task may return before its last clips
        for rows, views, remarks in _run_tasks(tasks(), workers):
            for remark in remarks:
                warnings.warn(remark, AudioWarning, stacklevel=find_stack_level())
            todo.extendleft(reversed(rows[len(views) :]))
            rows = rows[: len(views)]
            records = [view for view in views if isinstance(view, bytes)]
            journal.append(records)
            _check_alike(clips, rows, journal, extractor)
            progress.advance(len(views))
            n_clips, n_bytes = n_clips + len(views), n_bytes + sum(map(len, records))
            for row, view in zip(rows, views, strict=True):
                if isinstance(view, AudioError):
                    errors[row] = view
                    if extractor.on_error == "raise":
                        raise view
    if not journal.done.any():
        raise all_clips_failed(len(clips), errors[0])
    return errors


def _check_alike(
    clips: list[Clip], rows: Sequence[int], journal: Journal, extractor: ClipExtractor
) -> None:
    """Raise an AudioError if rows differ in sampling rate or dimensions."""
    done = [row for row in (int(journal.done.argmax()), *rows) if journal.done[row]]
    rates = [float(journal.rates[row]) for row in done]
    of_rows = [clips[row] for row in done]
    common_rate(of_rows, rates, getattr(extractor, "sampling_rate_", None))
    widths = journal.shapes[done, -1].tolist()
    check_widths(of_rows, widths, getattr(extractor, "n_bands_", None))


def _task_parameters(extractor: ClipExtractor, n_workers: int) -> dict[str, Any]:
    """Return the parameters of the extractor that each task is given."""
    parameters = extractor._chain_parameters()
    # With "nan" the workers return errors; they are raised here, once finished clips are stored.
    if extractor.on_error == "raise":
        parameters["on_error"] = "nan"
    func = parameters.get("func")
    if n_workers and callable(func):
        # The function is sent as bytes, which the task unpickles, not the pool. A worker that
        # cannot import what the function needs can therefore report it, and a worker that can
        # unpickles the function, and lets it load weights, only once.
        try:
            parameters["func"] = bytes(dumps(func))
        except Exception as error:
            raise _not_sent(function_name(func), error) from error
    return parameters


@lru_cache(maxsize=1)
def _receive(sent: bytes) -> Any:
    try:
        return loads(sent)
    except Exception as error:
        raise _not_sent("the function", error) from error


def _not_sent(name: str, error: Exception) -> ValueError:
    return ValueError(
        f"Got n_jobs for more than one process, but {name} cannot be sent to another "
        f"({type(error).__name__}: {error}). Define it in a module that can be imported, or set "
        "n_jobs=1."
    )


def _identity(func: Any) -> Any:
    """Return a value that identifies a function, also in a process that continues the work."""
    if not callable(func):
        return None  # the checksum identifies an ONNX model
    held = None
    with suppress(Exception):  # a lambda or a local function: by its pickled form
        held = digest(bytes(dumps(func)))
    with suppress(Exception):  # otherwise by its name and its attributes
        held = digest(func)
    while isinstance(func, partial):
        func = func.func
    try:
        source = inspect.getsource(func if inspect.isroutine(func) else type(func))
    except (OSError, TypeError):  # compiled code has no source
        source = ""
    return function_name(func), held, source


def _fingerprint(clip: Clip) -> int:
    """Return a number that changes when the file of a clip does; 0 for a waveform."""
    if not isinstance(clip.source, str | bytes | os.PathLike):
        return 0
    try:
        status = os.stat(clip.source)
    except (OSError, ValueError):  # the decoder will report the fault
        return -1
    return zlib.crc32(f"{status.st_size} {status.st_mtime_ns}".encode())


# The rows of a task, a record or an error for each row that was done, and warnings about them.
Result = tuple[list[int], list[bytes | AudioError], list[str]]


def _extract_batch(rows: list[int], clips: list[Clip], parameters: dict[str, Any]) -> Result:
    """Extract clips until their spectrograms exceed `BATCH_BYTES`."""
    views: list[bytes | AudioError] = []
    n_bytes = 0
    if isinstance(parameters.get("func"), bytes):
        parameters = parameters | {"func": _receive(parameters["func"])}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        for row, clip in zip(rows, clips, strict=True):
            fingerprint = _fingerprint(clip)  # before decoding, to notice a change meanwhile
            ((view,),) = extract_clip_views([clip], [parameters])
            if isinstance(view, AudioError):
                views.append(view)
            else:
                views.append(record(row, view.values, view.sampling_rate, fingerprint))
                n_bytes += view.values.nbytes
            if n_bytes > BATCH_BYTES:
                break
    remarks = [str(entry.message) for entry in caught if entry.category is AudioWarning]
    for entry in caught:
        if entry.category is not AudioWarning:
            warnings.warn_explicit(entry.message, entry.category, entry.filename, entry.lineno)
    return rows, views, remarks


class Workers(NamedTuple):
    """Worker processes that extract in parallel to this one."""

    n: int
    executor: Executor


def _start_workers(n: int, parameters: dict[str, Any]) -> Workers:
    """Start processes, which import their modules while this one prepares the work."""
    executor: Executor | None = None
    if n:
        try:
            executor = _start_processes(n, parameters)
        except OSError as error:  # a full or missing /dev/shm, too many processes or open files
            warnings.warn(
                f"No worker processes could be started ({error}), so that this process extracts "
                "alone, which takes longer. Free space in /dev/shm, raise the limits of your "
                "account, or set n_jobs=1.",
                RuntimeWarning,
                stacklevel=find_stack_level(),
            )
    # Without workers, a thread pool that starts no thread.
    return Workers(n if executor else 0, executor or ThreadPoolExecutor())


def _start_processes(n: int, parameters: dict[str, Any]) -> Executor:
    # Processes, not threads: short clips spend half their time in Python.
    executor = ProcessPoolExecutor(n, env=NO_THREADS)
    try:
        with _interrupts_for_this_process():
            for _ in range(n):
                # The modules of a function are loaded here, too. If a later task loaded them, the
                # growth would look like a memory leak, for which the pool stops a process.
                executor.submit(_extract_batch, [], [], parameters)
    except BaseException:
        executor.shutdown(wait=False, kill_workers=True)
        raise
    return executor


@contextmanager
def _interrupts_for_this_process() -> Iterator[None]:
    """Start processes that Ctrl-C in their terminal does not end: this one ends them."""
    if threading.current_thread() is not threading.main_thread():  # only it may set a handler
        yield
        return
    # Child processes inherit an ignored signal. A blocked signal would not do: starting the
    # resource tracker resets the mask.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _run_tasks(tasks: Iterable[tuple[Any, ...]], workers: Workers) -> Iterator[Result]:
    """Run tasks in the workers and in this process, at most four per worker ahead of the caller."""
    running: list[Future[Result]] = []
    try:
        for number, task in enumerate(tasks):
            # The first task runs here: its result determines the size of the next ones. A worker
            # has one task in progress and three in its queue.
            if number and len(running) < 4 * workers.n:
                running.append(workers.executor.submit(_extract_batch, *task))
            else:
                yield _extract_batch(*task)
            for future in [future for future in running if future.done()]:
                running.remove(future)
                yield future.result()
        for future in running:
            yield future.result()
    finally:
        for future in running:
            future.cancel()
