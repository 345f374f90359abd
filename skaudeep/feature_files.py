"""A function that writes the features of clips to a file; `skaudeep transform` calls it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from skaudeep._files import check_writable
from skaudeep._journal import Journal, record
from skaudeep._model_inputs import (
    BATCH,
    check_kind,
    check_rate_of_waveforms,
    find_extractors,
    model_rate,
    raising,
    warner_of_low_rates,
)
from skaudeep._padding import pad
from skaudeep._texts import text_array
from skaudeep._version import __version__
from skaudeep._views import ClipExtractor
from skaudeep.audio.errors import AudioError, all_clips_failed
from skaudeep.datasets.bunch import check_bunch
from skaudeep.datasets.mapping import Bunch
from skaudeep.datasets.operations import readable_parts
from skaudeep.formats.columns import RESERVED

FEATURE_FILES = (".nc", ".csv", ".arff")


def transform_to_file(
    model: Any,
    bunch: Bunch,
    path: str | os.PathLike[str],
    *,
    batch_size: int = BATCH,
    resume: str | None = None,
    on_clips: Callable[[int], object] | None = None,
) -> Bunch:
    """Write the features that a model computes before its classifier to a file.

    Parameters
    ----------
    model : Pipeline or transformer
        A fitted pipeline or transformer that computes features. The last step of a pipeline is left
        out if it is not a transformer. A model that ends in an extractor is refused, because it
        computes spectrograms; :func:`~skaudeep.extract_to_netcdf` writes these.
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`~skaudeep.datasets.make_bunch`, whose `data` the model
        takes: recordings, or spectrograms for a model without an extractor. Its labels, groups and
        folds are written, too, as far as the format has a place for them.
    path : str or Path
        The file to write, which is replaced if it exists. Its ending, in lower case, chooses the
        format: `.nc` is NetCDF; `.csv` and `.arff` are tables, with all clips in one file, a row
        for each clip or chunk, and frames side by side in columns.
    batch_size : int > 0, default=64
        Number of clips that are read and transformed together.
    resume : str, default=None
        Identifies the model, for example by the checksum of its file. Finished clips are then kept
        in `<path>.partial`, and a call with the same string continues after an interruption. None
        keeps no finished clips.
    on_clips : callable, default=None
        Function that is called first with the number of clips that an interrupted call has left
        finished (else 0), then with the number of clips of each batch.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        The data set that was written, in memory. `data` has the shape (n_clips, n_features) or
        (n_clips, n_chunks, n_features), or, for a model that keeps the time axis, (n_clips,
        n_frames, n_features) or (n_clips, n_chunks, n_frames, n_features), float32; shorter clips
        are padded with NaN. `feature_names` is there if the model has a name for each feature,
        which differ and which a table can hold. A clip that cannot be read has features of NaN, and
        the reason in `errors`, which is "" for the other clips.

    Raises
    ------
    AudioError
        If no clip can be read.
    ValueError
        If `path` has another ending, the model computes spectrograms or has no step before its
        classifier, the data set holds spectrograms or features for a model of recordings, waveforms
        have another sampling rate than the model's, or `<path>.partial` belongs to other clips or
        to another `resume`.
    BlockingIOError
        If another process is writing to the same path with `resume`.
    OSError
        If the file cannot be written. This is checked before any clip is read.

    Warns
    -----
    AudioWarning
        Once, if a recording has a lower sampling rate than the training clips of the model.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> import skaudeep
    >>> from skaudeep.datasets import make_sounds
    >>> sounds = make_sounds(20, n_classes=2, sampling_rate=8000, random_state=0)
    >>> extractor = skaudeep.SpectrogramExtractor(n_mels=40, sampling_rate=8000)
    >>> model = skaudeep.fit_classifier(
    ...     sounds, make_pipeline(extractor, skaudeep.BandStatistics(), LogisticRegression()))
    >>> with TemporaryDirectory() as folder:
    ...     features = skaudeep.transform_to_file(model, sounds, Path(folder, "features.csv"))
    >>> features.data.shape
    (20, 120)
    """
    from skaudeep.formats.csv_arff import save_arff, save_csv
    from skaudeep.formats.netcdf import save_netcdf

    path = Path(path).expanduser()
    suffix = path.suffix  # in lower case only, as the writers of tables expect
    if suffix not in FEATURE_FILES:
        raise ValueError(
            f"Got path={str(path)!r}, expected a name that ends in {', '.join(FEATURE_FILES)}. "
            "Give it one: it says how the features are written."
        )
    check_writable(path)
    steps = _checked_steps(raising(model))
    bunch = check_bunch(bunch)
    check_kind(model, bunch.dims)
    check_rate_of_waveforms(model_rate(model), bunch)
    names = bunch.filenames.tolist()
    warn_once = warner_of_low_rates(model)
    errors: dict[int, AudioError] = {}
    task = repr((__version__, resume, names))
    partial = path.with_name(f"{path.name}.partial")
    with nullcontext() if resume is None else Journal(partial, task, len(names)) as journal:
        done = np.zeros(len(names), bool) if journal is None else journal.done.copy()
        todo = np.flatnonzero(~done)
        rows_done: list[NDArray[np.float32] | None] = [None] * len(names)
        if journal is not None and done.any():
            stored = np.flatnonzero(done).tolist()
            for row, values in zip(stored, journal.read(stored), strict=True):
                # The field for the rate is not needed here: it stores the number of axes.
                rows_done[row] = values[0] if journal.rates[row] == 1 else values
        if on_clips is not None:
            on_clips(int(done.sum()))
        for start in range(0, len(todo), batch_size):
            batch = todo[start : start + batch_size]
            warn_once(bunch.data, batch)
            for rows, output in readable_parts(steps.transform, bunch.data, batch):
                if isinstance(output, AudioError):
                    of_row = getattr(bunch.data, "ndim", 1) > 1  # the error names a row, not a file
                    errors[int(rows[0])] = output.renamed(names[rows[0]]) if of_row else output
                    continue
                output = _checked_features(output, model)
                for row, values in zip(rows.tolist(), output, strict=True):
                    rows_done[row] = values
                if journal is not None:
                    axes = output.ndim - 1
                    whole = output[:, None] if axes == 1 else output
                    pairs = zip(rows.tolist(), whole, strict=True)
                    journal.append([record(row, values, axes) for row, values in pairs])
            if on_clips is not None:
                on_clips(len(batch))
        if all(values is None for values in rows_done):
            raise all_clips_failed(len(names), errors[0])
        data = pad(rows_done)
        reasons = text_array([str(errors.get(row, "")) for row in range(len(names))], "errors")
        changes = {"data": data, "dims": _dims(model, bunch.dims, data.ndim), "errors": reasons}
        result = Bunch(**(dict(bunch) | changes))
        result.pop("feature_names", None)  # names of the input's features
        if names_of_features := _names_of(steps, data.shape[-1]):
            result.feature_names = names_of_features
        if suffix == ".nc":
            save_netcdf(result, path)
        else:
            save = save_csv if suffix == ".csv" else save_arff
            save(result, path.parent, name=path.stem, split=False)
        if journal is not None:
            journal.remove()
    return result


def _dims(model: Any, dims: tuple[str, ...], n_axes: int) -> tuple[str, ...]:
    """Return what the axes of features are: chunks where the clips have some, else frames."""
    chunked = "chunk" in dims or any(
        getattr(extractor, "chunk_duration", None) is not None
        for extractor in find_extractors(model)
    )
    between = {2: (), 3: ("chunk",) if chunked else ("frame",), 4: ("chunk", "frame")}[n_axes]
    return ("clip", *between, "feature")


def _checked_features(output: Any, model: Any) -> NDArray[np.float32]:
    features = np.asarray(output, dtype=np.float32)
    last = _feature_steps(model)
    while isinstance(last, Pipeline):
        last = last[-1]
    if not 2 <= features.ndim <= 4 or (features.ndim > 2 and isinstance(last, ClipExtractor)):
        raise ValueError(
            f"Got values of shape {features.shape} before the classifier, expected features "
            "(n_clips, n_features). Pool frames and chunks first; extract_to_netcdf writes "
            "spectrograms."
        )
    return features


def _feature_steps(model: Any) -> Any:
    """Return a model without the classifier at its end."""
    if isinstance(model, Pipeline) and not hasattr(model[-1], "transform"):
        return model[:-1]
    return model


def _checked_steps(model: Any) -> Any:
    """Return a model without the classifier at its end; raise ValueError if nothing is left."""
    model = _feature_steps(model)
    if isinstance(model, Pipeline) and not len(model):
        raise ValueError(
            "Got a pipeline of a classifier alone, expected steps before it that compute "
            "features. Fit one by skaudeep.fit_classifier to recordings."
        )
    if not hasattr(model, "transform"):
        raise ValueError(
            f"Got a {type(model).__name__} without transform, expected a pipeline or a transformer."
        )
    return model


def _names_of(steps: Any, n_features: int) -> list[str] | None:
    """Return the names of the features that steps give, None where there are none."""
    try:
        names = list(map(str, steps.get_feature_names_out()))
    except (AttributeError, ValueError, NotFittedError):  # a third-party step without names
        return None
    # Names that a table cannot hold are no reason to lose features that may have taken hours.
    plain = all(name.isprintable() and not set(name) & set("\"'\\") for name in names)
    return (
        names if plain and len(set(names) - {"", *RESERVED}) == n_features == len(names) else None
    )
