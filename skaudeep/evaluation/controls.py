"""Controls: variants of a pipeline with which its score is compared."""

from collections.abc import Mapping
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep._base import learning_tags
from skaudeep.chunks import ChunkPooling, ChunkVotingClassifier
from skaudeep.statistics import BandStatistics

__all__ = [
    "are_spectrograms",
    "controls_left_out",
    "controls_of_data",
    "controls_of_steps",
    "count_axes",
]

UNTRAINED = "untrained network"
MEL_STATISTICS = "mel statistics"


def controls_of_steps(pipeline: Any) -> dict[str, Any]:
    """Return the controls of a pipeline, by the tags of its steps.

    Parameters
    ----------
    pipeline : Pipeline or classifier
        It is not changed.

    Returns
    -------
    dict of str to estimator
        Controls by name. Empty if no step reads spectrograms or is trained, by its tags.
    """
    params = pipeline.get_params(deep=True)
    tags = {name: learning_tags(value) for name, value in params.items()}
    untrained = {
        f"{name}__{parameter}": value
        for name, of_step in tags.items()
        for parameter, value in (of_step.untrained or {}).items()
    }
    statistics: dict[str, Any] = {}
    readers = [name for name, of_step in tags.items() if of_step.reads_spectrograms]
    owners = set()
    for name in readers:
        if any(name.startswith(f"{outer}__") for outer in readers):
            continue  # The estimator around it is replaced.
        owner = max((o for o in params if name.startswith(f"{o}__")), key=len, default="")
        # In a chain of networks, only the first one reads spectrograms.
        follows = owner in owners and isinstance(params.get(owner, pipeline), Pipeline)
        statistics[name] = "passthrough" if follows else BandStatistics(extended=True)
        if (extractor := tags[name].extractor) is not None:
            statistics[name] = make_pipeline(clone(extractor), statistics[name])
        owners.add(owner)
    controls = {}
    if untrained:
        controls[UNTRAINED] = clone(pipeline).set_params(**untrained)
    if statistics:
        control = clone(pipeline).set_params(**statistics)
        controls[MEL_STATISTICS] = control.set_params(**_repeated_views(control))
    return controls


def _repeated_views(pipeline: Any) -> dict[str, str]:
    """Find views that equal an earlier view of the same union; return parameters that drop them.

    If networks are replaced by statistics, two networks over the same spectrogram become two equal
    views, whose features would count twice.
    """
    changes = {}
    for name, value in {"": pipeline, **pipeline.get_params(deep=True)}.items():
        seen = set()
        for view_name, view in value.transformer_list if isinstance(value, FeatureUnion) else ():
            if isinstance(view, str):
                continue
            key = joblib.hash(_without_passthrough(view))
            if key in seen:
                changes[f"{name}__{view_name}".removeprefix("__")] = "drop"
            seen.add(key)
    return changes


def _without_passthrough(view: Any) -> list[Any]:
    """List the steps of a view by class and parameters, without "passthrough" steps."""
    steps = [step for _, step in view.steps] if isinstance(view, Pipeline) else [view]
    return [
        (type(step), step.get_params())
        for step in steps
        if step is not None and not isinstance(step, str)
    ]


def controls_of_data(pipeline: Any, n_axes: int | None, dummies: dict[str, Any]) -> dict[str, Any]:
    """Return the control of a pipeline whose steps have no tags, such as a classifier alone.

    Parameters
    ----------
    pipeline : Pipeline or classifier
        It is not changed.
    n_axes : int or None
        Number of axes of the spectrograms that the pipeline reads or makes; None without any.
    dummies : dict of str to estimator
        Controls that do not depend on the data of clips.

    Returns
    -------
    dict of str to estimator
        "mel statistics", if there are spectrograms, else `dummies`.
    """
    if n_axes is None or _reads_statistics(pipeline):
        return dummies
    classifier = pipeline.steps[-1][1] if isinstance(pipeline, Pipeline) else pipeline
    steps: list[Any] = [BandStatistics(extended=True)]
    if n_axes == 3:
        steps += [StandardScaler()]
    elif not isinstance(classifier, ChunkVotingClassifier):
        steps += [ChunkPooling(), StandardScaler()]
    return {MEL_STATISTICS: make_pipeline(*steps, clone(classifier))}


def controls_left_out(pipeline: Any, chosen: Mapping[str, Any]) -> dict[str, str]:
    """Return the reasons why the controls of learned features are not among the chosen ones."""
    reasons = {
        UNTRAINED: "no step is a network that is trained",
        MEL_STATISTICS: "no step is known to read spectrograms, and the data are none",
    }
    if _reads_statistics(pipeline):
        reasons[MEL_STATISTICS] = "the pipeline reads them itself"
    elif UNTRAINED in chosen:
        reasons[MEL_STATISTICS] = "what is trained reads no spectrograms"
    return {name: reason for name, reason in reasons.items() if name not in chosen}


def are_spectrograms(data: Any, pipeline: Any, bunch: Mapping[str, Any] | None = None) -> bool:
    """Return whether data that a pipeline is given are spectrograms, chunked or not.

    Parameters
    ----------
    data : array-like
        Clips along the first axis.
    pipeline : Pipeline or classifier
        If it pools or votes over chunks, three axes are clip, chunk and feature.
    bunch : mapping, default=None
        The data set whose ``data`` these are. None: a step made them.

    Returns
    -------
    bool
    """
    if bunch is not None:
        dims = bunch.get("dims")
        if "sampling_rate" in bunch or (dims is not None and tuple(dims)[-1:] == ("feature",)):
            return False  # waveforms, or features
    steps = [step for _, step in pipeline.steps] if isinstance(pipeline, Pipeline) else [pipeline]
    over_chunks = any(isinstance(step, ChunkPooling | ChunkVotingClassifier) for step in steps)
    return count_axes(data) in ((4,) if over_chunks else (3, 4))


def count_axes(data: Any) -> int:
    """Count the axes of an array, or of the arrays in a list and that of the list."""
    shape = getattr(data, "shape", (len(data),))
    return len(shape) if len(shape) > 1 else 1 + np.ndim(next(iter(data)))


def _reads_statistics(pipeline: Any) -> bool:
    params = pipeline.get_params(deep=True).values()
    return any(isinstance(value, BandStatistics) for value in params)
