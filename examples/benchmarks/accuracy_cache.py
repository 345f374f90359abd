"""Features and predictions of accuracy.py, each computed once, however often a run is interrupted.

A key holds the clips, the parameters of every step, the versions of libraries and the statements of
the code behind the steps, so that a change of skaudeep computes anew what it may have changed, and
nothing else. Words in the code do not count.
"""

import ast
import inspect
import json
import os
import subprocess
import sys
import time
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import joblib
import numpy as np
import soundfile
from accuracy_configurations import Peer
from accuracy_corpus import Corpus
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch, get_tags

from skaudeep import FeatureFusion
from skaudeep._base import fit_with_groups
from skaudeep.datasets.groups import group_numbers
from skaudeep.evaluation.sharing import n_fixed_steps
from skaudeep.fusion import extract_for_views

LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "numba", "librosa", "soundfile", "soxr")
PEERS = Path(__file__).with_name("peers.py")
BLOCK = 64  # files that a peer reads before its features are stored


class PeerError(Exception):
    """A peer failed; the message says which and why."""


class Features(NamedTuple):
    """Features of all clips, and what they cost."""

    values: np.ndarray
    fit_seconds: float
    transform_seconds: float  # of one clip
    key: list[str]


def open_cache(folder: str) -> Bunch:
    """Give the functions below with a memory; of their arguments only the last ones are keys."""
    memory = joblib.Memory(folder, mmap_mode="r", verbose=0)
    return Bunch(
        extract=memory.cache(extract, ignore=["clips", "views"]),
        learn=memory.cache(learn, ignore=["X", "learner"]),
        read_frames=memory.cache(read_frames, ignore=["python", "kind", "X"]),
        read_files=memory.cache(read_files, ignore=["python", "kind", "clips", "sampling_rate"]),
        classify=memory.cache(classify, ignore=["X", "classifier", "target", "groups"]),
    )


def extract(clips: Any, views: list[Any], key: str):
    """Do once what views share: steps done and rows of each view; seconds of processor time."""
    extract_for_views(views, clips[:1])  # loads what the first call loads
    start = time.process_time()
    found = extract_for_views(views, clips)
    seconds = time.process_time() - start
    done = [n_steps(view) - n_steps(rest) for view, (rest, _) in zip(views, found, strict=True)]
    return list(zip(done, [rows for _, rows in found], strict=True)), seconds


def learn(X: Any, learner: Any, rows: np.ndarray, key: str):
    """Features of all clips from a learner fitted on `rows`; seconds of fit and of transform."""
    start = time.process_time()
    learner = clone(learner).fit(X if len(rows) == len(X) else X[rows])
    fitted = time.process_time()
    features = np.asarray(learner.transform(X), np.float32)
    return features, fitted - start, time.process_time() - fitted


def read_frames(python: str, kind: str, X: Any, rows: np.ndarray, seed: int | None, key: str):
    """Give the same of a peer that is fitted to the frames of `rows`."""
    with TemporaryDirectory() as folder:
        source = Path(folder, "frames.npz")
        np.savez(source, X=X, rows=rows, seed=seed)
        return call_peer(python, kind, source)


def read_files(python: str, kind: str, clips: Any, sampling_rate: int | None, key: str):
    """Give the same of a peer that reads files and learns nothing; waveforms are written first."""
    with TemporaryDirectory() as folder:
        files = []
        for i, clip in enumerate(clips):
            files.append(str(clip if isinstance(clip, str) else Path(folder, f"{i}.wav")))
            if not isinstance(clip, str):
                soundfile.write(files[-1], np.transpose(clip), sampling_rate, subtype="FLOAT")
        source = Path(folder, "files.json")
        source.write_text(json.dumps(files), "utf-8")
        return call_peer(python, kind, source)


def classify(
    X: Any, classifier: Any, target: np.ndarray, groups: Any, train: Any, test: Any, key: str
):
    """Predicted classes of the test clips."""
    of_train = None if groups is None else groups[train]
    return fit_with_groups(clone(classifier), X[train], target[train], of_train).predict(X[test])


# --- peers ---------------------------------------------------------------------------------------


def call_peer(python: str, kind: str, source: Path) -> tuple[np.ndarray, float, float]:
    target = source.with_name("features.npz")
    run_peers(python, kind, source, target)
    with np.load(target) as found:
        return found["X"], float(found["fit"]), float(found["transform"])


def run_peers(python: str, *arguments: Any) -> str:
    # Our own packages are none of its business.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, PEERS, *arguments],
        env=environment | {"PYTHONSAFEPATH": "1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise PeerError(f"{' '.join([python, 'peers.py', *map(str, arguments[:1])])}: {why}")
    return done.stdout


def find_peers(pythons: list[str]) -> dict[str, tuple[str, str]]:
    """Give the Python that has each peer, the first of several, and the version."""
    found: dict[str, tuple[str, str]] = {}
    for python in pythons:
        try:
            kinds = json.loads(run_peers(python))
        except OSError as error:
            raise PeerError(f"--peers {python}: {error.strerror}, expected a Python.") from None
        if not kinds:
            raise PeerError(f"--peers {python} has neither opensmile nor aeon; install one there.")
        for kind, which in kinds.items():
            found.setdefault(kind, (python, which))
    return found


# --- from a transformer or a peer to features and predictions ------------------------------------


def features_of(source: Any, rows: np.ndarray, corpus: Corpus, cached: Bunch) -> Features:
    """Features of all clips; what learns has seen `rows`."""
    if not isinstance(source, Peer):
        return of_views(source, rows, corpus, cached)
    if source.frames is None:
        return of_files(source, corpus, cached)
    return of_frames(source, rows, corpus, cached)


def of_views(transformer: Any, rows: np.ndarray, corpus: Corpus, cached: Bunch) -> Features:
    """Features of views of ours, side by side."""
    shared, seconds = extraction(transformer, corpus, cached)
    parts = []
    for view, (n_done, X) in zip(views_of(transformer), shared, strict=True):
        learner = view[n_done:] if n_done else view
        steps = [step for _, step in getattr(learner, "steps", [("", learner)])]
        head = [step for _, step in view.steps[:n_done]] if n_done else []
        key = key_of([*head, learner], corpus.identity)
        learns = any(get_tags(step).requires_fit for step in steps)
        seen = rows if learns else np.arange(len(X))  # the same in every fold
        name = "-".join(type(step).__name__ for step in steps)
        parts.append((*told(cached.learn, name, X, learner, seen, key), key))
    values, fits, transforms, keys = zip(*parts, strict=True)
    X = np.concatenate(values, axis=1)
    share = len(rows) / len(X)
    cost = seconds * share + sum(fits), (seconds + sum(transforms)) / len(X)
    return Features(X, *cost, list(keys))


def of_frames(peer: Peer, rows: np.ndarray, corpus: Corpus, cached: Bunch) -> Features:
    """Features of a peer that is fitted to frames of ours."""
    [(_, X)], seconds = extraction(peer.frames, corpus, cached)
    if corpus.facts.sequences:
        X = np.asarray(clone(peer.frames).fit(X[rows]).transform(X), np.float32)
    python, which = corpus.facts.peers[peer.kind]
    key = key_of([peer.frames], corpus.identity)
    key = joblib.hash([key, peer.kind, which, peer.seed, PEERS.read_bytes()])
    arguments = (python, peer.kind, X, rows, peer.seed, key)
    values, fit, transform = told(cached.read_frames, peer.kind, *arguments)
    share = len(rows) / len(X)
    return Features(values, seconds * share + fit, (seconds + transform) / len(X), [key])


def extraction(transformer: Any, corpus: Corpus, cached: Bunch) -> tuple[list[Any], float]:
    """For each view the number of steps that are done, and their rows; the time that they took."""
    views = views_of(transformer)
    fixed = [fixed_steps(view) for view in views]
    sizes = [(len(steps), n_steps(view)) for steps, view in zip(fixed, views, strict=True)]
    key = joblib.hash([key_of([step for steps in fixed for step in steps], corpus.identity), sizes])
    return told(cached.extract, f"{len(views)} views", corpus.bunch.data, views, key)


def of_files(peer: Peer, corpus: Corpus, cached: Bunch) -> Features:
    """Features of a peer that reads files and learns nothing, block by block."""
    python, which = corpus.facts.peers[peer.kind]
    clips, parts = corpus.bunch.data, []
    for start in range(0, len(clips), BLOCK):
        block = slice(start, start + BLOCK)
        key = joblib.hash([corpus.identities[block], peer.kind, which, PEERS.read_bytes()])
        label = f"{peer.kind}, {min(block.stop, len(clips))} of {len(clips)} clips"
        arguments = (python, peer.kind, clips[block], corpus.facts.sampling_rate, key)
        parts.append((*told(cached.read_files, label, *arguments), key))
    values, _, transforms, keys = zip(*parts, strict=True)
    return Features(np.concatenate(values), 0.0, sum(transforms) / len(clips), list(keys))


class Score(NamedTuple):
    """Predictions of each fold, and what the features behind them took."""

    predictions: list[np.ndarray]
    n_features: int
    fit_seconds: float  # these two are medians over folds
    transform_seconds: float


def score(source: Any, classifier: Any, protocol: str, corpus: Corpus, cached: Bunch) -> Score:
    """Predict the test clips of each fold from features of a transformer or a peer."""
    bunch, predictions, costs = corpus.bunch, [], []
    groups = group_numbers(bunch.groups)
    of_classifier = key_of([classifier], "")
    for train, test in corpus.folds:
        rows = np.arange(len(bunch.data)) if protocol == "transductive" else train
        X, *seconds, keys = features_of(source, rows, corpus, cached)
        key = joblib.hash([keys, rows, of_classifier, bunch.target, groups])
        arguments = (X, classifier, bunch.target, groups, train, test, key)
        predictions.append(told(cached.classify, "a fold", *arguments))
        costs.append(seconds)
    return Score(predictions, X.shape[1], *map(float, np.median(costs, axis=0)))


def views_of(transformer: Any) -> list[Any]:
    """List the views whose features stand side by side."""
    if not isinstance(transformer, FeatureFusion):
        return [transformer]
    assert transformer.transformer_weights is None
    return [view for _, view in transformer.transformer_list if not isinstance(view, str)]


def n_steps(view: Any) -> int:
    return len(view.steps) if isinstance(view, Pipeline) else int(view is not None)


def fixed_steps(view: Any) -> list[Any]:
    """List the steps at the head of a view that give the same in every fold."""
    if not isinstance(view, Pipeline):
        return [] if get_tags(view).requires_fit else [view]
    return [step for _, step in view.steps[: n_fixed_steps(view, keep_controls=False)]]


def told(function: Any, label: str, *arguments: Any) -> Any:
    """Call a function with a memory, and say so where it computes."""
    if function.check_call_in_cache(*arguments):
        return function(*arguments)
    start = time.perf_counter()
    result = function(*arguments)
    step = f"{function.func.__name__} {label}, {time.perf_counter() - start:.1f} s"
    print(step, file=sys.stderr, flush=True)
    return result


# --- keys ----------------------------------------------------------------------------------------


def key_of(steps: Any, identity: str) -> str:
    """Hash parameters and code of some steps, and the clips they are run on."""
    parts: list[Any] = [identity, *map(version, LIBRARIES)]
    for step in (step for step in steps if step is not None):
        parameters = step.get_params()
        parts.append([type(step).__name__, sorted((k, repr(v)) for k, v in parameters.items())])
        for part in [step, *parameters.values()]:
            kind = type(part)
            if kind.__module__.startswith("skaudeep"):
                parts.append(statements(kind.__module__))
            elif kind.__module__ == "accuracy_configurations":
                parts.append(inspect.getsource(kind))
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
