"""What accuracy.py caches, and under which keys.

A key holds the clips, the parameters of every step, the versions of libraries and the statements of
the code behind the steps, so that a change of skaudeep computes anew what it may have changed, and
nothing else. Words in the code do not count.
"""

import ast
import inspect
import time
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from skaudeep import SpectrogramExtractor
from skaudeep.evaluation import evaluate
from skaudeep.spectrogram import extract_views

LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "numba", "librosa", "soundfile", "soxr")


def open_cache(folder: str) -> Bunch:
    """Give `extract`, `learn` and `classify` with a memory; only their last arguments are keys."""
    memory = joblib.Memory(folder, mmap_mode="r", verbose=0)
    return Bunch(
        extract=memory.cache(extract, ignore=["clips", "extractors"]),
        learn=memory.cache(learn, ignore=["load", "learner"]),
        classify=memory.cache(classify, ignore=["load", "classifier", "bunch"]),
    )


def extract(clips: Any, extractors: list[SpectrogramExtractor], key: str):
    """Spectrograms of several views, and the seconds that they took together."""
    start = time.perf_counter()
    return extract_views(extractors, clips), time.perf_counter() - start


def learn(load: Any, learner: Pipeline, rows: np.ndarray, key: str):
    """Features of all clips from a learner fitted on `rows`; seconds to fit and to transform."""
    X = load()
    start = time.perf_counter()
    learner = clone(learner).fit(X if len(rows) == len(X) else X[rows])
    fitted = time.perf_counter()
    features = np.asarray(learner.transform(X), np.float32)
    return features, fitted - start, time.perf_counter() - fitted


def classify(load: Any, classifier: Any, bunch: Bunch, folds: Any, key: str):
    """Predicted classes of the test clips of each fold."""
    bunch = Bunch(**{**bunch, "data": load()})
    return evaluate(classifier, bunch, cv=folds, controls=False).fold_predictions[0]


def key_of(steps: Any, identity: str) -> str:
    """Hash parameters and code of some steps, and the clips they are run on."""
    parts: list[Any] = [identity, *map(version, LIBRARIES)]
    for step in steps:
        parameters = step.get_params()
        parts.append([type(step).__name__, sorted((k, repr(v)) for k, v in parameters.items())])
        for part in [step, *parameters.values()]:
            kind = type(part)
            if kind.__module__.startswith("skaudeep"):
                parts.append(statements(kind.__module__))
            elif kind.__module__ == "accuracy_configurations":
                parts.append(
                    [inspect.getsource(kind), *map(version, getattr(kind, "packages", ()))]
                )
    return joblib.hash(parts)


@cache
def statements(module: str) -> str:
    """Source of a module of skaudeep and all that it imports of it, without words in between."""
    sources: dict[str, str] = {}
    waiting = [module]
    while waiting:
        if (name := waiting.pop()) in sources or not name.startswith("skaudeep."):
            continue
        tree = ast.parse(Path(find_spec(name).origin).read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                waiting.append(node.module or "")
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value = ast.Constant(None)  # a docstring
        sources[name] = ast.unparse(tree)
    return str(sorted(sources.items()))
