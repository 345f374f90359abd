"""Work that all folds share and that is done once: extraction, and the states of reservoirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, get_tags

from skaudeep._base import LearningTags, get_container_adapter, learning_tags, num_samples
from skaudeep._progress import Progress
from skaudeep._views import ClipExtractor, extract_views
from skaudeep.datasets.operations import take
from skaudeep.fusion import FeatureFusion, extract_for_views
from skaudeep.reservoir import ReservoirFeatures

__all__ = ["fit_transform", "n_fixed_steps", "run_fixed_steps", "run_reservoirs", "tags_in"]

VIEW = "rows of the view"  # name of a step that no user's pipeline has
OnClips = Callable[[int], object] | None


def run_fixed_steps(
    pipeline: Any, data: Any, *, keep_controls: bool, on_clips: OnClips = None
) -> tuple[Any, Any]:
    """Run the steps at the beginning of a pipeline whose output is the same in every fold.

    These are the steps that learn nothing and are not random. If the step after them is a
    `FeatureFusion`, such steps at the beginning of its views are run, too, and share their
    extraction.

    Parameters
    ----------
    pipeline : Pipeline or classifier
        It is not changed.
    data : sequence of n_clips clips
    keep_controls : bool
        Whether to stop at a step that a control would replace.
    on_clips : callable, default=None
        Function that is called with the number of clips of each finished task of an extraction.

    Returns
    -------
    pipeline : Pipeline or classifier
        The steps that are left to fit.
    data : sequence of n_clips rows
        Their input.
    """
    n = n_fixed_steps(pipeline, keep_controls=keep_controls)
    if n:
        data, pipeline = fit_transform(clone(pipeline[:n]), data, on_clips), pipeline[n:]
    if isinstance(pipeline, Pipeline) and isinstance(pipeline.steps[0][1], FeatureFusion):
        fusion, data = _run_fixed_views(pipeline.steps[0][1], data, keep_controls, on_clips)
        pipeline = _with_first_step(pipeline, fusion)
    return pipeline, data


def fit_transform(steps: Pipeline, data: Any, on_clips: OnClips = None) -> Any:
    """Call `fit_transform`, and report the clips of an extractor that is the first step.

    Parameters
    ----------
    steps : Pipeline
        The steps, which are fitted.
    data : sequence of n_clips clips
        Their input.
    on_clips : callable, default=None
        Function that is called with the number of clips of each finished task of an extraction.

    Returns
    -------
    sequence of n_clips rows
        Their output.
    """
    first = steps.steps[0][1]
    if isinstance(first, ClipExtractor) and get_container_adapter("transform", first) is None:
        data = extract_views([first.fit(data)], data, on_clips=on_clips)[0]
        steps = steps[1:]
    return steps.fit_transform(data) if steps.steps else data


def n_fixed_steps(pipeline: Any, *, keep_controls: bool) -> int:
    """Count the steps at the beginning of a pipeline, or of a view, that all folds can share.

    Parameters
    ----------
    pipeline : estimator
        The pipeline or view. A classifier at its end is not counted.
    keep_controls : bool
        Whether to stop at a step that a control would replace.

    Returns
    -------
    int
        The number of steps.
    """
    steps = [step for _, step in pipeline.steps] if isinstance(pipeline, Pipeline) else []
    if steps and not hasattr(steps[-1], "transform") and steps[-1] != "passthrough":
        steps = steps[:-1]
    for n, step in enumerate(steps):
        if step in (None, "passthrough"):
            continue
        if get_tags(step).requires_fit or "random_state" in step.get_params():
            return n
        if keep_controls and any(tag.reads_spectrograms or tag.untrained for tag in tags_in(step)):
            return n
    return len(steps)


def tags_in(step: Any) -> list[LearningTags]:
    """Return the learning tags of a step and of all estimators in it."""
    nested = step.get_params(deep=True).values() if hasattr(step, "get_params") else ()
    return [learning_tags(value) for value in (step, *nested)]


def run_reservoirs(pipeline: Any, data: Any, progress: Progress) -> tuple[Any, Any]:
    """Run the reservoirs at the beginning of a pipeline, or of the views of a fusion there.

    The states of a reservoir depend on its random weights, not on its training clips. Only the
    principal components of the states are left to fit in each fold.

    Parameters
    ----------
    pipeline : Pipeline or classifier
        The pipeline, in which each `random_state` is an int. It is not changed.
    data : sequence of n_clips rows
        Its input.
    progress : Progress
        Progress line, to which the sequences of each finished batch are reported.

    Returns
    -------
    pipeline : Pipeline or classifier
        The pipeline with `StatePooling` in place of each reservoir that was run.
    data : sequence of n_clips rows
        Its input.
    """
    if not isinstance(pipeline, Pipeline):
        return pipeline, data
    first = pipeline.steps[0][1]
    if isinstance(first, FeatureFusion) and isinstance(data, _ViewRows):
        views, rows = [], list(data.views)
        for name, view in first.transformer_list:
            if isinstance(view, Pipeline) and isinstance(view.steps[0][1], _View):
                number = view.steps[0][1].number
                rest, rows[number] = _run_reservoir(view[1:], rows[number], progress)
                view = Pipeline([view.steps[0], *rest.steps])
            views.append((name, view))
        return _with_first_step(pipeline, _with_views(first, views)), _ViewRows(rows)
    return _run_reservoir(pipeline, data, progress)


def _run_reservoir(pipeline: Pipeline, data: Any, progress: Progress) -> tuple[Pipeline, Any]:
    first: Any = pipeline.steps[0][1] if pipeline.steps else None
    if not isinstance(first, ReservoirFeatures):
        return pipeline, data
    shape: Any = getattr(data, "shape", ())
    n_sequences = shape[0] * shape[1] if len(shape) == 4 else num_samples(data)
    progress.begin("Running a network", n_sequences)
    split = first.split_off_states(data, progress.advance)
    if split is None:
        return pipeline, data
    pooling, states = split
    return _with_first_step(pipeline, pooling), states


def _run_fixed_views(
    fusion: FeatureFusion, data: Any, keep_controls: bool, on_clips: OnClips
) -> tuple[FeatureFusion, Any]:
    """Run the first steps of all views; return the rest of them, and the input of each view."""
    kept = [view for _, view in fusion.transformer_list if not _is(view, "drop")]
    if not kept:
        return fusion, data
    inputs = iter(extract_for_views(kept, data, on_clips))
    views: list[tuple[str, Any]] = []
    rows: list[Any] = []
    for name, view in fusion.transformer_list:
        if _is(view, "drop"):
            views.append((name, view))
            continue
        rest, of_view = next(inputs)
        steps = _steps_of(name, rest)
        n = n_fixed_steps(Pipeline(steps), keep_controls=keep_controls) if steps else 0
        views.append((name, Pipeline([(VIEW, _View(len(rows))), *steps[n:]])))
        rows.append(Pipeline(steps[:n]).fit_transform(of_view) if n else of_view)
    return _with_views(fusion, views), _ViewRows(rows)


def _is(view: Any, word: str) -> bool:
    return isinstance(view, str) and view == word


def _steps_of(name: str, view: Any) -> list[tuple[str, Any]]:
    if view is None or _is(view, "passthrough"):
        return []
    return [*view.steps] if isinstance(view, Pipeline) else [(name, view)]


def _with_first_step(pipeline: Pipeline, step: Any) -> Pipeline:
    changed = clone(pipeline)
    changed.steps[0] = (changed.steps[0][0], step)
    return changed


def _with_views(fusion: FeatureFusion, views: list[tuple[str, Any]]) -> FeatureFusion:
    return clone(fusion).set_params(transformer_list=views)


class _ViewRows:
    """The inputs of several views as one array-like with a row for each clip."""

    def __init__(self, views: list[Any]):
        self.views = views

    @property
    def shape(self) -> tuple[int]:
        return (num_samples(self.views[0]),)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, clips: NDArray[np.intp]) -> _ViewRows:
        return _ViewRows([take(view, clips) for view in self.views])


class _View(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """First step of a view, which selects the rows of this view."""

    def __init__(self, number: int):
        self.number = number

    def fit(self, X: _ViewRows, y: Any = None) -> Self:
        return self

    def transform(self, X: _ViewRows) -> Any:
        return X.views[self.number]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
