"""Versions, parameters, seeds, folds and checksums that are needed to repeat a report."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from numbers import Number
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from skaudeep._version import __version__
from skaudeep.datasets.description import is_file
from skaudeep.datasets.operations import take
from skaudeep.evaluation.results import Evaluation
from skaudeep.reporting.corpus import Corpus

if TYPE_CHECKING:
    from skaudeep.audio.clips import Clip

PACKAGES = ("numpy", "scikit-learn", "scipy", "torch", "librosa", "soundfile")


def manifest(
    corpus: Corpus, evaluation: Evaluation | None, pipeline: Any, random_state: Any
) -> dict[str, Any]:
    """Collect it, as what JSON can hold.

    Parameters
    ----------
    corpus : Corpus
    evaluation : Evaluation or None
    pipeline : estimator
    random_state : int, RandomState instance or None

    Returns
    -------
    dict
        Without names of folders, users or machines.
    """
    tested = np.full(len(corpus.names), -1)
    for fold, (_, test) in enumerate(corpus.division.folds):
        tested[test] = fold
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "versions": {
            "skaudeep": __version__,
            "Python": platform.python_version(),
            **{name: found for name in PACKAGES if (found := _version(name))},
        },
        "random_state": random_state if isinstance(random_state, int | None) else "a generator",
        "seeds": [] if evaluation is None else [int(seed) for seed in evaluation.seeds],
        "pipeline": parameters(pipeline),
        "folds": corpus.division.origin or "none",
        "fold_that_tests_each_clip": tested.tolist(),
        "n_clips": len(corpus.names),
        "sha256_of_clips": checksum(corpus),
    }


def parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator and of all in it, without paths.

    Examples
    --------
    >>> from sklearn.svm import LinearSVC
    >>> parameters(LinearSVC(C=2.0))["C"]
    2.0
    """
    if not hasattr(estimator, "get_params"):
        return {}
    return {
        name: _plain(value)
        for name, value in sorted(estimator.get_params(deep=True).items())
        if not _is_composite(value)
    }


def checksum(corpus: Corpus) -> str:
    """Return the SHA-256 of the sorted names of all clips, each with that of its content."""
    contents = _contents(corpus.clips, corpus.bunch.data, len(corpus.names))
    lines = sorted(
        f"{name}\0{content}\n" for name, content in zip(corpus.names, contents, strict=True)
    )
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _contents(clips: Sequence[Clip] | None, data: Any, n_clips: int) -> list[str]:
    if clips is not None and all(map(is_file, clips)):
        of_file = {os.fsdecode(clip.source): "" for clip in clips}
        for path in of_file:
            with open(path, "rb") as file:
                of_file[path] = hashlib.file_digest(file, "sha256").hexdigest()
        return [of_file[os.fsdecode(clip.source)] for clip in clips]
    rows = (np.ascontiguousarray(take(data, np.array([row]))[0]) for row in range(n_clips))
    return [hashlib.sha256(row.tobytes()).hexdigest() for row in rows]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _is_composite(value: Any) -> bool:
    """Return whether the parameters of a value are listed by themselves."""
    if isinstance(value, BaseEstimator):
        return True
    return isinstance(value, list) and any(isinstance(item, tuple) for item in value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Number):
        value = value.item() if isinstance(value, np.generic) else value
        finite = isinstance(value, int | float) and np.isfinite(value)
        return value if finite else str(value)  # JSON has no NaN
    if isinstance(value, PurePath) or (isinstance(value, str) and os.path.isabs(value)):
        return "(a path)"
    if isinstance(value, str):
        return value
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return f"({type(value).__name__})"
