"""FeatureFusion: several views of the same clips, their features side by side."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin, clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skaudeep._base import VersionMixin, begin_fit
from skaudeep.spectrogram import SpectrogramExtractor, extract_views


class FeatureFusion(VersionMixin, CallbackSupportMixin, TransformerMixin, _BaseComposition):
    """Fit several transformers on the same clips and put their features side by side.

    A view is any transformer or pipeline. Views that begin with a `SpectrogramExtractor` share what
    their extractors have in common: four clipping thresholds of the same clips decode each clip
    once and take its spectrum once.

    Parameters
    ----------
    transformer_list : list of (str, estimator)
        Names and views. Names must differ and hold no ``__``.
    n_jobs : int, default=None
        Views fitted or run at the same time (joblib). None is 1 unless a
        ``joblib.parallel_config`` says otherwise. A `Seq2SeqAutoencoder` fills some cores by
        itself: this pays with more cores than its batches have shards of 32 sequences.

    Attributes
    ----------
    transformers_ : list of (str, estimator)
        The fitted copies of the views.
    n_features_in_ : int
        Of the first view, where it has one.

    See Also
    --------
    sklearn.pipeline.FeatureUnion : Without shared extraction and progress of the views.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudeep import FeatureFusion, Seq2SeqAutoencoder, SpectrogramExtractor
    >>> from skaudeep.datasets import make_sounds
    >>> clips = make_sounds(40, random_state=0).data
    >>> views = FeatureFusion([
    ...     (f"{db}dB", make_pipeline(
    ...         SpectrogramExtractor(n_mels=20, sampling_rate=16000, clip_below=db),
    ...         Seq2SeqAutoencoder(4, max_epochs=1, random_state=0)))
    ...     for db in (-30, -60)])
    >>> views.fit_transform(clips).shape
    (40, 232)
    >>> views.get_feature_names_out()[[0, -1]].tolist()
    ['-30dB__mean_0', '-60dB__intercept_7']
    """

    def __init__(self, transformer_list: list[tuple[str, Any]], *, n_jobs: int | None = None):
        self.transformer_list = transformer_list
        self.n_jobs = n_jobs

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, those of the views as ``name__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the views and their parameters.

        Returns
        -------
        dict
        """
        return self._get_params("transformer_list", deep=deep)

    def set_params(self, **params: Any) -> FeatureFusion:
        """Set parameters of this estimator, of its views (``name__parameter``) or whole views.

        Returns
        -------
        self
        """
        self._set_params("transformer_list", **params)
        return self

    def fit(self, X: Any, y: ArrayLike | None = None) -> FeatureFusion:
        """Fit a copy of each view.

        Parameters
        ----------
        X : sequence of n_clips clips
            What every view takes.
        y : array-like of shape (n_clips,), default=None
            Passed to the views.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the list of views is empty, names collide, or a view is no transformer.
        """
        self._fit(X, y, "fit")
        return self

    def fit_transform(self, X: Any, y: ArrayLike | None = None) -> NDArray:
        """Fit a copy of each view and return the features of the same clips.

        Parameters
        ----------
        X, y : as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_features)
        """
        return self._side_by_side(self._fit(X, y, "fit_transform"))

    def transform(self, X: Any) -> NDArray:
        """Compute the features of all views, side by side.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_features), or with further axes where the views have them
            The views must agree in all axes but the last.
        """
        check_is_fitted(self)
        tasks = _share_extraction(self.transformers_, X)
        features = Parallel(n_jobs=self.n_jobs)(
            delayed(_transform_view)(rest, (view_input,)) for _, rest, view_input in tasks
        )
        return self._side_by_side(features)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Names of the features, each with its view: ``-60dB__mean_0``.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Passed to the views.

        Returns
        -------
        ndarray of shape (n_features,), object
        """
        check_is_fitted(self)
        return np.array(
            [
                f"{name}__{feature}"
                for name, view in self.transformers_
                for feature in view.get_feature_names_out(input_features)
            ],
            dtype=object,
        )

    @property
    def n_features_in_(self) -> int:
        """Features of the input, as the first view counts them."""
        return self._first_view().n_features_in_

    @property
    def feature_names_in_(self) -> NDArray:
        """Names of the input's features, as the first view knows them."""
        return self._first_view().feature_names_in_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "transformers_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if self.transformer_list:
            views = [get_tags(view) for _, view in self.transformer_list]
            tags.input_tags = views[0].input_tags
            tags.input_tags.sparse = all(view.input_tags.sparse for view in views)
            # Side by side, features keep only a dtype that every view keeps.
            kept = [set(view.transformer_tags.preserves_dtype) for view in views]
            tags.transformer_tags.preserves_dtype = sorted(set.intersection(*kept))
        return tags

    def _first_view(self) -> Any:
        if not hasattr(self, "transformers_"):
            raise AttributeError(f"{type(self).__name__} is not fitted")
        return self.transformers_[0][1]

    @with_callbacks
    def _fit(self, X: Any, y: ArrayLike | None, method: str) -> list[Any]:
        """Call `method` ("fit" or "fit_transform") of all views and return what each gives."""
        self._check_views()
        progress = begin_fit(self, X, y, n_subtasks=len(self.transformer_list))
        views = [(name, clone(view)) for name, view in self.transformer_list]
        for _, view in views:
            extractor, _ = _split(view)
            if extractor is not None:
                extractor.fit(X, y)
        tasks = _share_extraction(views, X)
        results = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_view)(
                method,
                rest,
                (view_input, y),
                caller=self,
                task=progress.subcontext(task_name=f"{method.replace('_', '-')}-{name}"),
            )
            for (name, _), (_, rest, view_input) in zip(views, tasks, strict=True)
        )
        # A worker process returns a copy: what it fitted goes back behind its extractor.
        self.transformers_ = [
            (name, fitted if extractor is None else _behind(extractor, view, fitted))
            for (name, view), (extractor, _, _), (fitted, _) in zip(
                views, tasks, results, strict=True
            )
        ]
        progress.call_on_fit_task_end(estimator=self, X=X, y=y)
        return [result for _, result in results]

    def _check_views(self) -> None:
        if not self.transformer_list:
            raise ValueError("transformer_list is empty; expected at least one (name, view).")
        self._validate_names([name for name, _ in self.transformer_list])
        for name, view in self.transformer_list:
            if not (hasattr(view, "fit") and hasattr(view, "transform")):
                raise TypeError(
                    f"View {name!r} is a {type(view).__name__} without fit and transform; expected "
                    "a transformer, or a Pipeline that ends in one."
                )

    def _side_by_side(self, features: list[NDArray]) -> NDArray:
        arrays = [np.asarray(view) for view in features]
        rows = {array.shape[:-1] for array in arrays}
        if len(rows) > 1:
            shapes = ", ".join(
                f"{name}: {array.shape}"
                for (name, _), array in zip(self.transformers_, arrays, strict=True)
            )
            raise ValueError(
                f"The views differ in more than their last axis ({shapes}). Let each end in one "
                "row per clip, for example in a Seq2SeqAutoencoder."
            )
        return np.concatenate(arrays, axis=-1)


def _share_extraction(
    views: Iterable[tuple[str, Any]], X: Any
) -> list[tuple[SpectrogramExtractor | None, Any, Any]]:
    """Split each view into its extractor, the rest of it and the input of that rest.

    The extractors of all views run over the clips together. A view that begins otherwise has no
    extractor and takes X itself; one that is nothing but an extractor has no rest.
    """
    split = [_split(view) for _, view in views]
    extractors = [extractor for extractor, _ in split if extractor is not None]
    spectrograms = iter(extract_views(extractors, X) if extractors else [])
    return [
        (extractor, rest, X if extractor is None else next(spectrograms))
        for extractor, rest in split
    ]


def _split(view: Any) -> tuple[SpectrogramExtractor | None, Any]:
    if isinstance(view, SpectrogramExtractor):
        return view, None
    if isinstance(view, Pipeline) and isinstance(view.steps[0][1], SpectrogramExtractor):
        return view.steps[0][1], view[1:] if len(view.steps) > 1 else None
    return None, view


def _behind(extractor: SpectrogramExtractor, view: Any, rest: Any) -> Any:
    """Put the fitted rest of a view back behind its extractor."""
    if rest is None:
        return view
    view.steps = [view.steps[0], *rest.steps]
    return view


# Data travel in tuples: joblib would put bare arrays on one worker of a dask cluster, and they, and
# with them all tasks, would be lost with it. Inside a task they are sent again.


def _fit_view(
    method: str, view: Any, data: tuple[Any, Any], *, caller: Any, task: Any
) -> tuple[Any, Any]:
    """Call fit or fit_transform of a view; return the view, fitted, and what the method gave."""
    X, y = data
    with nullcontext() if view is None else task.propagate_callback_context(view):
        task.call_on_fit_task_begin(estimator=caller, X=X, y=y)
        result = X if view is None else getattr(view, method)(X, y)
        task.call_on_fit_task_end(estimator=caller, X=X, y=y)
    return view, result


def _transform_view(view: Any, data: tuple[Any]) -> Any:
    (X,) = data
    return X if view is None else view.transform(X)
