"""Processor: a pipeline with the interface of openSMILE's and audinterface's objects."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skaudeep._model_inputs import (
    BATCH,
    MAX_NAMED,
    find_extractors,
    model_rate,
    set_apart_silence,
    warner_of_low_rates,
)
from skaudeep._model_outputs import all_steps, choose_output, missing_type
from skaudeep._texts import printable, shown
from skaudeep._times import LEVELS, from_seconds, piece_index, time_of, times_of
from skaudeep._warnings import find_stack_level
from skaudeep.audio.clips import list_clips
from skaudeep.audio.decoding import audio_info, read_audio, resample
from skaudeep.audio.errors import AudioError, AudioWarning, all_clips_failed
from skaudeep.audio.files import SAMPLING_RATES, AudioInfo
from skaudeep.audio.rates import common_rate
from skaudeep.datasets.operations import readable_parts
from skaudeep.per_frame import PerFrame
from skaudeep.spectrogram import SpectrogramExtractor

Time: TypeAlias = "float | str | pd.Timedelta | None"


class Processor:
    """Process files and signals by a pipeline into tables indexed by (file, start, end).

    The methods have the names of those of ``opensmile.Smile`` and ``audinterface.Feature``, and
    return tables with the same index. A table has one row for each file or segment. The columns
    depend on the last step of the pipeline: the probability of each class, under its name, for a
    classifier with probabilities; `label` for another classifier; `score` for an outlier detector
    with `score_samples` (higher is more usual); `prediction` for a regressor of one value; the
    names of `get_feature_names_out` for a transformer, whose output must have one row for a clip.

    Parameters
    ----------
    pipeline : estimator
        A pipeline that begins with an extractor, such as a :class:`~skaudeep.SpectrogramExtractor`.
        It must be fitted if one of its steps learns. It is copied: later changes have no effect.
    batch_size : int > 0, default=64
        Number of clips that are read and processed together, which has no effect on the table. With
        ``on_error="read"`` of an extractor, clips are processed one at a time.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If a step of the pipeline that learns is not fitted.
    ValueError
        If the pipeline has no extractor, its last step is none of the above (if the pipeline has no
        sampling rate, this error is raised when clips are processed), or `batch_size` is less than
        1.

    See Also
    --------
    skaudeep.stream : Process sound as it is recorded.
    predict_clips : Labels and probabilities of a data set, a batch at a time.

    Notes
    -----
    Files and signals of another sampling rate are resampled to that of the pipeline: the parameter
    `sampling_rate` of its extractor, or the rate that this saw in `fit`. If the pipeline has none,
    the files of one call must have the same rate, else an AudioError is raised. A clip cannot be
    processed if it cannot be read, has no samples from `start` to `end`, or is shorter than a
    window (unless the extractor has ``adapt=True`` or a `duration`). The extractor's `on_error`
    then decides: "raise" raises an :class:`~skaudeep.AudioError`; "nan" and "read" give a row of
    NaN, whose `end` is missing if it is not known, and one :class:`~skaudeep.AudioWarning` for all
    such clips. If the pipeline has several extractors, "raise" of any of them applies, else "read"
    of any of them. If the pipeline has no sampling rate and no file of a call can be read, an
    AudioError is always raised.

    A transformer, a regressor or an outlier detector processes silence (equal samples throughout)
    as any other sound. A classifier does not: whatever `on_error` is, the row is NaN, with the
    warning. In the column `label` a missing value is always "", as in :func:`predict_clips`;
    everywhere else it is NaN.

    In contrast to the other packages, three things are errors: an `end` after the end of the file,
    a time given as text without a unit (which they take for a number of samples), and a folder
    without files of the wanted type. `process_func_args` and `cache_root` do not exist.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> import skaudeep
    >>> extractor = skaudeep.SpectrogramExtractor(n_mels=2, sampling_rate=8000)
    >>> processor = skaudeep.Processor(make_pipeline(extractor, skaudeep.BandStatistics()))
    >>> noise = np.random.default_rng(0).normal(size=8000) / 10
    >>> processor.process_signal(noise, 8000, start=0.5)[["mean_0", "mean_1"]].round(1)
                                            mean_0  mean_1
    start                  end
    0 days 00:00:00.500000 0 days 00:00:01    -0.4     0.8

    Files, and segments of them:

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import soundfile
    >>> with TemporaryDirectory() as folder:
    ...     soundfile.write(Path(folder, "a.wav"), noise, 8000)
    ...     table = processor.process_file("a.wav", end="500ms", root=folder)
    ...     same = processor.process_index(table.index, root=folder)
    ...     several = processor.process_files(["a.wav", "a.wav"], starts=[0, 0.5], root=folder)
    ...     whole = processor.process_folder(folder, include_root=False)
    >>> table.index.tolist() == same.index.tolist(), table.equals(same)
    (True, True)
    >>> several.shape, whole.index.get_level_values("file").tolist()
    ((2, 6), ['a.wav'])
    """

    def __init__(self, pipeline: Any, *, batch_size: int = BATCH) -> None:
        extractors = find_extractors(pipeline)
        if not extractors:
            raise ValueError(
                f"Got a {type(pipeline).__name__} without a SpectrogramExtractor, expected a "
                "pipeline that takes recordings. Put the extractor before its first step."
            )
        if batch_size < 1:
            raise ValueError(f"Got batch_size={batch_size}, expected at least 1.")
        _check_fitted(pipeline)
        self.pipeline = copy.deepcopy(pipeline)
        self.batch_size = batch_size
        choices = {extractor.on_error for extractor in extractors}
        self._on_error = "raise" if "raise" in choices else "read" if "read" in choices else "nan"
        self._model = None
        if model_rate(pipeline) is not None:
            self._model = _ready(self.pipeline, None)
            choose_output(self._model)  # raises an error if the last step gives no columns

    def process_file(
        self,
        file: str | os.PathLike[str],
        *,
        start: Time = None,
        end: Time = None,
        root: str | os.PathLike[str] | None = None,
    ) -> pd.DataFrame:
        """Process a file, or a segment of it.

        Parameters
        ----------
        file : str or Path
            The file to read.
        start, end : float, str or Timedelta, default=None
            Times in seconds, or as text with a unit: "0.5s", "200ms". None is the start or the end
            of the file.
        root : str or Path, default=None
            Folder that `file` is relative to. None is the current folder.

        Returns
        -------
        pandas.DataFrame
            A table of one row with the columns that :class:`Processor` lists. Its index has `file`
            as it was given, without `root`, and for an `end` of None the length of the file.

        Raises
        ------
        AudioError, ValueError
            If the segment cannot be processed and the extractor has ``on_error="raise"``, or if
            `start` or `end` is not a time.
        """
        return self._files([file], [time_of(start, "start")], [time_of(end, "end")], root)

    def process_files(
        self,
        files: Sequence[str | os.PathLike[str]],
        *,
        starts: Time | Sequence[Time] = None,
        ends: Time | Sequence[Time] = None,
        root: str | os.PathLike[str] | None = None,
    ) -> pd.DataFrame:
        """Process several files, or a segment of each.

        Parameters
        ----------
        files : sequence of str or Path
            The files to read. A file may occur several times. Of no files the table has no rows.
        starts, ends : float, str, Timedelta, or sequence of these, default=None
            Times in seconds, or as text with a unit: one for each file, or a single one for all.
            None is the start or the end of each file.
        root : str or Path, default=None
            Folder that `files` are relative to. None is the current folder.

        Returns
        -------
        pandas.DataFrame
            A row for each file, in the order of `files`, indexed by (file, start, end).

        Raises
        ------
        AudioError
            If a segment cannot be processed and the extractor has ``on_error="raise"``.
        ValueError
            If `files` is a single path, a time is not a time, or there are not as many as files.
        """
        if isinstance(files, str | bytes | os.PathLike):
            raise ValueError(f"Got files={shown(files)}, expected a sequence of paths: [files].")
        files = list(files)
        starts_, ends_ = times_of(starts, "starts", len(files)), times_of(ends, "ends", len(files))
        return self._files(files, starts_, ends_, root)

    def process_folder(
        self, root: str | os.PathLike[str], *, filetype: str = "wav", include_root: bool = True
    ) -> pd.DataFrame:
        """Process the files of a folder, without its subfolders, sorted by name.

        Parameters
        ----------
        root : str or Path
            The folder.
        filetype : str, default="wav"
            Ending of the names of the files, in which case matters: "wav" does not find "A.WAV".
            Names that begin with a dot are left out.
        include_root : bool, default=True
            Whether the index holds absolute paths. If False, it holds the names without the folder.

        Returns
        -------
        pandas.DataFrame
            A row for each file, indexed by (file, start, end).

        Raises
        ------
        FileNotFoundError
            If the folder does not exist.
        ValueError
            If no file in it has this ending.
        AudioError
            If a file cannot be processed and the extractor has ``on_error="raise"``.
        """
        folder = Path(root).expanduser().absolute()
        if not folder.is_dir():
            raise FileNotFoundError(f"Got root={shown(root)}, expected a folder that exists.")
        names = sorted(
            path.name
            for path in folder.iterdir()
            if path.name.endswith(filetype) and not path.name.startswith(".") and path.is_file()
        )
        if not names:
            raise ValueError(
                f"Got a folder without files that end in {filetype!r}, expected one at least: "
                f"{shown(root)}. Folders in it are not searched; choose filetype=."
            )
        files = [str(folder / name) for name in names] if include_root else names
        missing = [pd.NaT] * len(names)
        return self._files(files, missing, missing, None if include_root else folder)

    def process_index(
        self,
        index: pd.Index,
        *,
        preserve_index: bool = False,
        root: str | os.PathLike[str] | None = None,
    ) -> pd.DataFrame:
        """Process the segments of an index in audformat's form.

        Parameters
        ----------
        index : pandas.MultiIndex with the levels file, start, end; or pandas.Index of files
            The segments, with times as Timedelta or in seconds. A missing `start` is the start of
            the file, and a missing `end` its end.
        preserve_index : bool, default=False
            Whether the table has the given index unchanged. If False, its index has the three
            levels (file, start, end), with missing starts and ends filled in.
        root : str or Path, default=None
            Folder that the files are relative to. None is the current folder.

        Returns
        -------
        pandas.DataFrame
            A row for each segment, in the order of the index.

        Raises
        ------
        AudioError
            If a segment cannot be processed and the extractor has ``on_error="raise"``.
        ValueError
            If the index has other levels, or one of the times is not a time.
        """
        names = list(getattr(index, "names", []))
        if names == LEVELS:
            files = index.get_level_values("file").tolist()
            starts, ends = (
                [time_of(time, name) for time in index.get_level_values(name)]
                for name in ("start", "end")
            )
        elif names == ["file"]:
            files = list(index)
            starts = ends = [pd.NaT] * len(files)
        else:
            raise ValueError(
                f"Got an index with the levels {names}, expected {LEVELS}, or ['file'] for whole "
                "files."
            )
        table = self._files(files, starts, ends, root)
        return table.set_axis(index, axis=0) if preserve_index else table

    def process_signal(
        self,
        signal: ArrayLike,
        sampling_rate: float,
        *,
        file: str | os.PathLike[str] | None = None,
        start: Time = None,
        end: Time = None,
    ) -> pd.DataFrame:
        """Process a signal, or a segment of it.

        Parameters
        ----------
        signal : array-like of shape (n_samples,) or (n_channels, n_samples)
            Samples: floats with full scale 1, or int8, int16, int32 or uint8.
        sampling_rate : float
            Sampling rate of the signal in Hz; it is resampled if the extractor has another rate.
        file : str or Path, default=None
            Name of the signal in the index; no file is read. None: the index has no level `file`.
        start, end : float, str or Timedelta, default=None
            Times in seconds, or as text with a unit, such as "200ms". None is the start or the end
            of the signal.

        Returns
        -------
        pandas.DataFrame
            A row with a column for each output of the pipeline, indexed by (file, start, end), or
            by (start, end) without `file`.

        Raises
        ------
        AudioError
            If the segment cannot be processed and the extractor has ``on_error="raise"``.
        ValueError
            If the rate is not in [1, 10000000] Hz, a time is not a time, or the extractors of the
            pipeline have several sampling rates.
        """
        begin, stop = time_of(start, "start"), time_of(end, "end")
        begin = from_seconds(0) if pd.isna(begin) else begin
        name = "signal" if file is None else os.fsdecode(file)
        model = self._model_of_signals(sampling_rate, name)
        until = None if pd.isna(stop) else stop.total_seconds()
        table = self._piece(model, signal, sampling_rate, name, begin.total_seconds(), until)
        if until is None:
            stop = from_seconds(np.shape(signal)[-1] / sampling_rate)
        index = piece_index([name], [begin], [stop])
        return table.set_axis(index.droplevel("file") if file is None else index, axis=0)

    def __call__(self, signal: ArrayLike, sampling_rate: float) -> NDArray:
        """Process a signal into an array.

        Parameters
        ----------
        signal : array-like of shape (n_samples,) or (n_channels, n_samples)
            Samples: floats with full scale 1, or int8, int16, int32 or uint8.
        sampling_rate : float
            Sampling rate of the signal in Hz.

        Returns
        -------
        ndarray of shape (1, n_columns, 1)
            Values of the columns; the axes are (channel, column, frame), as in the other packages.
            All channels together give one row, so that the first axis has length 1.
        """
        model = self._model_of_signals(sampling_rate, "signal")
        return self._piece(model, signal, sampling_rate, "signal").to_numpy().reshape(1, -1, 1)

    def _files(self, files: Sequence[Any], starts: list, ends: list, root: Any) -> pd.DataFrame:
        names = [os.fsdecode(file) for file in files]
        paths = [os.path.join(os.fspath(root), name) for name in names] if root else names
        headers = self._headers(paths)
        known = [
            from_seconds(header.duration)
            if pd.isna(end) and not isinstance(header, AudioError)
            else end
            for header, end in zip(headers, ends, strict=True)
        ]
        since = [pd.Timedelta(0) if pd.isna(start) else start for start in starts]
        index = piece_index(names, since, known)
        if not names:
            names = [] if self._model is None else choose_output(self._model)[1]
            return pd.DataFrame(np.zeros((0, len(names)), np.float32), index, names)
        whole = not any(since) and all(map(pd.isna, ends))
        X = paths if whole else piece_index(paths, since, ends)
        model = self._model
        if model is None:
            rates = [h if isinstance(h, AudioError) else h.sampling_rate for h in headers]
            rate = common_rate(list_clips(X), rates)
            if rate is None:
                raise all_clips_failed(len(names), cast(AudioError, headers[0]))
            model = _ready(self.pipeline, rate)
        clips = [clip.name for clip in list_clips(X)]
        return self._run(model, X, clips).set_axis(index, axis=0)

    def _headers(self, paths: list[str]) -> list[AudioInfo | AudioError]:
        found: dict[str, AudioInfo | AudioError] = {}
        for path in dict.fromkeys(paths):
            try:
                found[path] = audio_info(path, "read" if self._on_error == "read" else "raise")
            except AudioError as error:
                found[path] = error
        return [found[path] for path in paths]

    def _model_of_signals(self, sampling_rate: float, name: str) -> Any:
        """Return the model for signals of a rate, and warn if the signals lack frequencies."""
        low, high = SAMPLING_RATES
        if not isinstance(sampling_rate, Real) or not low <= sampling_rate <= high:
            raise ValueError(
                f"Got sampling_rate={sampling_rate!r}, expected a rate in Hz from {low} to {high}."
            )
        if self._model is None:
            return _ready(self.pipeline, sampling_rate)
        rates = {extractor.sampling_rate for extractor in find_extractors(self._model)} - {None}
        if len(rates) > 1:
            raise ValueError(
                f"Got a signal for a pipeline that reads recordings at {sorted(rates)} Hz, "
                "expected a pipeline of one rate: a signal has one. Give a file."
            )
        own = model_rate(self._model)
        if own is not None and own > sampling_rate:
            warnings.warn(
                f"{printable(name)}: has a sampling rate of {sampling_rate:.10g} Hz, but the "
                f"pipeline works at {own:.10g} Hz: frequencies above {sampling_rate / 2:.10g} Hz "
                "are missing. Record at a higher rate, or fit a pipeline to this one.",
                AudioWarning,
                stacklevel=find_stack_level(),
            )
        return self._model

    def _piece(
        self,
        model: Any,
        signal: ArrayLike,
        rate: float,
        name: str,
        start: float = 0.0,
        end: float | None = None,
    ) -> pd.DataFrame:
        """Return one row for a piece of a signal."""
        own = model_rate(model) or rate
        try:
            samples, _ = read_audio(signal, sampling_rate=rate, start=start, end=end)
        except AudioError as error:
            error = error.renamed(name)
            if self._on_error == "raise":
                raise error from None
            _warn_of_missing([error], 1)
            columns = choose_output(model)[1]
            return pd.DataFrame(_nothing((1, len(columns)), missing_type(model)), columns=columns)
        if own != rate:
            samples = resample(samples, rate, own)
        return self._run(model, [samples], [name])

    def _run(self, model: Any, X: Any, names: list[str]) -> pd.DataFrame:
        """Process clips, a batch at a time; `names` are what errors call them."""
        function, columns = choose_output(model)
        values: NDArray | None = None
        failed: dict[int, AudioError] = {}
        warn_once = warner_of_low_rates(model)
        # With "read", a single clip that fails raises an error. Among others it gives NaN, which a
        # classifier would refuse.
        size = 1 if self._on_error == "read" else self.batch_size
        for start in range(0, len(X), size):
            rows = np.arange(start, min(start + size, len(X)))
            warn_once(X, rows)
            if is_classifier(model):
                rows, silent = set_apart_silence(model, X, rows)
                failed |= silent
            for part, output in readable_parts(function, X, rows) if len(rows) else ():
                if isinstance(output, AudioError):
                    error = output.renamed(names[part[0]])
                    if self._on_error == "raise":
                        raise error
                    failed[int(part[0])] = error
                    continue
                output = _checked(output, (len(part), len(columns)), model)
                if values is None:
                    values = _nothing((len(X), len(columns)), output.dtype)
                values[part] = output
        if failed:
            errors = [failed[row].renamed(names[row]) for row in sorted(failed)]
            _warn_of_missing(errors, len(X))
        if values is None:
            values = _nothing((len(X), len(columns)), missing_type(model))
        return pd.DataFrame(values, columns=columns)


# The pipeline.


def _check_fitted(pipeline: Any) -> None:
    try:
        for step in all_steps(pipeline):
            check_is_fitted(step)
    except NotFittedError as error:
        raise NotFittedError(
            f"Got a pipeline whose {type(step).__name__} is not fitted, expected a fitted one. "
            "Call its fit on recordings, or skaudeep.fit_classifier, or skaudeep.load for a model."
        ) from error


def _ready(pipeline: Any, rate: float | None) -> Any:
    """Return a copy that resamples all recordings to its rate, or to this one if it knows none."""
    model = copy.deepcopy(pipeline)
    extractors = find_extractors(model)
    for extractor in extractors:
        if extractor.sampling_rate is None:
            extractor.sampling_rate = getattr(extractor, "sampling_rate_", rate)
        if extractor.on_error == "nan":
            extractor.on_error = "raise"  # clips that fail are sorted out here
    if not any(get_tags(step).requires_fit for step in all_steps(model)):
        # Nothing is learned. Fitted to any input, the steps know the number of features.
        seconds = max(
            8 * max(e.window_duration, e.hop_duration or 0) + (e.chunk_duration or 0)
            if isinstance(e, SpectrogramExtractor)
            else 1.0  # the length that a user's function needs is not known
            for e in extractors
        )
        n_samples = round(seconds * (model_rate(model) or 0)) + 8
        channels = [e.channel for e in extractors if not isinstance(e.channel, str)]
        shape = (1 + max([1, *map(int, channels)]), n_samples)
        model.fit([np.random.default_rng(0).uniform(-0.5, 0.5, shape)])
    return model


def _checked(output: Any, shape: tuple[int, int], model: Any) -> NDArray:
    values = np.asarray(output)
    values = values[:, None] if values.ndim == 1 else values
    if values.shape != shape:
        remedy = "Pool frames and chunks, for example by BandStatistics and ChunkPooling."
        if isinstance(all_steps(getattr(model, "best_estimator_", model))[-1], PerFrame):
            remedy = "Of PerFrame, skaudeep.stream or the pipeline itself gives each frame."
        raise ValueError(
            f"Got values of shape {values.shape} from the pipeline, expected {shape}: a row for "
            f"each clip. {remedy}"
        )
    return values


def _nothing(shape: tuple[int, int], dtype: np.dtype) -> NDArray:
    """Return placeholders for missing values: NaN, or empty labels."""
    return np.full(shape, "" if dtype.kind == "O" else np.nan, dtype)


def _warn_of_missing(errors: list[AudioError], n_clips: int) -> None:
    named = "\n".join(map(str, errors[:MAX_NAMED]))
    more = f"\nand {len(errors) - MAX_NAMED} more" if len(errors) > MAX_NAMED else ""
    warnings.warn(
        f"{len(errors)} of {n_clips} clips have no values; their rows are NaN:\n{named}{more}",
        AudioWarning,
        stacklevel=find_stack_level(),
    )
