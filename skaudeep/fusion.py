"""FeatureFusion: the features of several views of the same clips, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, Self

import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import Bunch, Tags, get_tags
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skaudeep._base import (
    LearningTags,
    NamedRowsMixin,
    VersionMixin,
    all_or_nothing,
    begin_fit,
    get_container_adapter,
    learning_tags,
    num_samples,
    print_elapsed_time,
)
from skaudeep._views import ClipExtractor, clip_index, extract_views


class FeatureFusion(VersionMixin, NamedRowsMixin, CallbackSupportMixin, FeatureUnion):
    """Fit several transformers, called views, to the same clips and concatenate their features.

    This is scikit-learn's :class:`~sklearn.pipeline.FeatureUnion` with four differences:

    - Views that begin with a `SpectrogramExtractor` or a `FunctionExtractor` share the steps that
      they have in common. For example, four views with different clipping thresholds decode each
      clip once and compute its spectrum once. Steps that learn nothing, such as a
      `FrameDescriptors`, and that follow the same extractor in several views, but are not the last
      of their view, run once as well.
    - Features may have more than two axes, such as those of the chunks of a clip. The views are
      joined along the last axis.
    - Callbacks receive the progress of every view.
    - `fit` fits copies of the views, which are in `transformers_`, and leaves `transformer_list`
      unchanged. (`FeatureUnion` replaces `transformer_list` by the fitted views.) After `fit`,
      ``fusion["name"]`` and `named_transformers` return the fitted views, as in `FeatureUnion`.

    Parameters
    ----------
    transformer_list : list of (str, transformer)
        Names and views. Names are unique and do not contain ``__``. A view is a transformer, a
        pipeline that ends in one, "drop", which leaves the view out, or "passthrough", whose
        features are X itself. If all views are "drop", the features have the shape (n_clips, 0).
    n_jobs : int, default=None
        Number of views that are fitted or run at the same time by joblib. None is 1, unless a
        ``joblib.parallel_config`` context states another number. A `Seq2SeqAutoencoder` uses
        several cores itself, one for each 32 sequences of a batch. More jobs therefore save time
        only where there are more cores than that.
    transformer_weights : dict of str to float, default=None
        Factors that the features of views are multiplied by, by the name of the view. A view that
        is not in it has the factor 1, and with None all have.
    verbose : bool, default=False
        Whether to print the time that fitting each view took.
    verbose_feature_names_out : bool, default=True
        Whether the names of the features begin with the name of their view. If False, the names of
        the features of different views must differ.

    Attributes
    ----------
    transformers_ : list of (str, transformer)
        The fitted copies of the views, in the order of `transformer_list`; "drop" stays "drop", and
        "passthrough" is a transformer that returns X.
    named_transformers : :class:`~sklearn.utils.Bunch`
        The fitted views by name; before `fit`, those of `transformer_list`.
    n_features_in_ : int
        Number of features seen in `fit`, where the first view has this attribute.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in `fit`, where the first view has this attribute, as most
        transformers have if X was a data frame.

    See Also
    --------
    sklearn.pipeline.FeatureUnion : Concatenates features without shared extraction.

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
    >>> views.transform(clips[:2]).shape
    (2, 232)

    Data frames of the features, of which the second view counts twice:

    >>> import pandas as pd
    >>> from sklearn.preprocessing import StandardScaler
    >>> X = pd.DataFrame({"level": [0.0, 2.0], "pitch": [1.0, 3.0]}, index=["a.wav", "b.wav"])
    >>> fusion = FeatureFusion([("scaled", StandardScaler()), ("raw", "passthrough")],
    ...                        transformer_weights={"raw": 2})
    >>> fusion.set_output(transform="pandas").fit(X).transform(X).loc["b.wav"].tolist()
    [1.0, 1.0, 4.0, 6.0]
    """

    @all_or_nothing
    def fit(self, X: Any, y: ArrayLike | None = None, **fit_params: Any) -> Self:
        """Fit a copy of each view that is not dropped.

        Parameters
        ----------
        X : sequence of n_clips clips
            Clips in a form that every view takes: paths, waveforms, spectrograms or features.
        y : array-like of shape (n_clips,), default=None
            Labels, which are passed to the views. None: there are no labels.
        **fit_params : dict
            Further arguments of the `fit` of views. If metadata routing is enabled, they are passed
            to the views that request them, else to all views, each of which must take them: for
            example ``condition=sites`` if all views are `Seq2SeqAutoencoder`, or
            ``seq2seqautoencoder__condition=sites`` if all are pipelines that end in one.

        Returns
        -------
        FeatureFusion
            The fusion itself.

        Raises
        ------
        TypeError
            If a view is neither a transformer nor "drop" or "passthrough".
        ValueError
            If the list of views is empty, two names are equal, or `transformer_weights` has a
            name that no view has.
        """
        self._fit(X, y, "fit", fit_params)
        return self

    @all_or_nothing
    def fit_transform(self, X: Any, y: ArrayLike | None = None, **params: Any) -> Any:
        """Fit a copy of each view and return the features of the same clips.

        Parameters
        ----------
        X : sequence of n_clips clips
            Clips in a form that every view takes: paths, waveforms, spectrograms or features.
        y : array-like of shape (n_clips,), default=None
            Labels, which are passed to the views. None: there are no labels.
        **params : dict
            Further arguments of the `fit_transform` of views, passed to them as by `fit`: for
            example ``condition=sites``, or ``seq2seqautoencoder__condition=sites`` for pipelines.

        Returns
        -------
        ndarray of shape (n_clips, n_features), or with the further axes of the views
            The features of all views, in the order of `transformer_list`: their last axes side by
            side, for example (n_clips, n_chunks, n_features) if each view returns features of
            chunks. A data frame, an :class:`xarray.DataArray` (see `set_output`) or a sparse matrix
            if the views return such.

        Raises
        ------
        TypeError
            If a view is neither a transformer nor "drop" or "passthrough".
        ValueError
            If the list of views is empty, two names are equal, `transformer_weights` has a name
            that no view has, or the features of views differ in the length of an axis other than
            the last.
        """
        return self._join(self._fit(X, y, "fit_transform", params), X)

    def transform(self, X: Any, **params: Any) -> Any:
        """Compute the features of all views and concatenate them.

        Parameters
        ----------
        X : sequence of n_clips clips
            Clips in a form that every view takes: paths, waveforms, spectrograms or features.
        **params : dict
            Further arguments of the `transform` of views, such as ``copy=`` of a `StandardScaler`
            or ``groups=`` of a transformer of your own, which are passed to the views that request
            them. They are allowed only if metadata routing is enabled.

        Returns
        -------
        ndarray of shape (n_clips, n_features), or with the further axes of the views
            The features of all views, as `fit_transform` returns them.

        Raises
        ------
        ValueError
            If the features of views differ in the length of an axis other than the last, or there
            are `params` without metadata routing.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self)
        if params and not get_config()["enable_metadata_routing"]:
            raise ValueError(
                f"Got {', '.join(params)} in transform, expected X alone: call "
                "sklearn.set_config(enable_metadata_routing=True) to pass more to the views."
            )
        routed = process_routing(self, "transform", **params)
        views = list(self._iter())
        tasks = _share_heads([view for _, view, _ in views], X)
        features = Parallel(n_jobs=self.n_jobs)(
            delayed(_transform_view)(rest, (view_input,), weight, routed[name]["transform"])
            for (name, _, weight), (_, rest, view_input) in zip(views, tasks, strict=True)
        )
        return self._join(features, X)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what `transform` and `fit_transform` of the fusion and of its views return.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            "default" returns arrays. "pandas" returns a data frame, or an
            :class:`xarray.DataArray` if the features have more than two axes; if a view begins with
            an extractor and the clips are paths, a `(file, start, end)` index or rows of a pandas
            object, the index names the clips. "polars" returns a data frame, or an array if the
            features have more than two axes. None leaves the choice unchanged.

        Returns
        -------
        FeatureFusion
            The fusion itself.
        """
        super().set_output(transform=transform)
        FeatureUnion(self.transformer_list).set_output(transform=transform)
        if self.__sklearn_is_fitted__():
            FeatureUnion(self.transformers_).set_output(transform=transform)
        return self

    @property
    def named_transformers(self) -> Bunch:
        """The views by name: after `fit` the fitted copies, before it those that were given."""
        fitted = self.__sklearn_is_fitted__()
        return Bunch(**dict(self.transformers_ if fitted else self.transformer_list))

    @property
    def n_features_in_(self) -> int:
        """Number of features seen in `fit`, where the first view has this attribute."""
        return self._first_view().n_features_in_

    @property
    def feature_names_in_(self) -> NDArray:
        """Names of the features seen in `fit`, where the first view has this attribute."""
        return self._first_view().feature_names_in_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "transformers_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        views = [get_tags(view) for _, view, _ in self._iter()]
        if views:
            tags.input_tags = views[0].input_tags
            tags.input_tags.sparse = all(view.input_tags.sparse for view in views)
            # Concatenated features keep a dtype only if every view keeps it.
            # A pipeline that ends in "passthrough" does not say that it transforms.
            of_views = [view.transformer_tags for view in views]
            kept = [set(of_view.preserves_dtype if of_view else ()) for of_view in of_views]
            tags.transformer_tags.preserves_dtype = sorted(set.intersection(*kept))
        return tags

    def _row_names(self, X: Any) -> Any:
        sees_clips = any(_split(view)[0] is not None for _, view, _ in self._iter())
        return clip_index(X) if sees_clips else super()._row_names(X)

    def __skaudeep_tags__(self) -> LearningTags:
        return LearningTags()  # the views have tags of their own

    def _iter(self) -> Iterator[tuple[str, Any, float | None]]:
        """Yield name, transformer and weight of each view that is not dropped.

        `FeatureUnion` reads its views by this method. After `fit` it yields the fitted views.
        """
        if not self.__sklearn_is_fitted__():
            yield from super()._iter()
            return
        weights = self.transformer_weights or {}
        for name, view in self.transformers_:
            if view != "drop":
                yield name, view, weights.get(name)

    def _sk_visual_block_(self) -> Any:
        # The diagram of a fitted estimator shows fitted views.
        return FeatureUnion(list(self.named_transformers.items()))._sk_visual_block_()

    def _first_view(self) -> Any:
        views = [view for _, view, _ in self._iter()] if self.__sklearn_is_fitted__() else []
        if not views:
            raise AttributeError(f"{type(self).__name__} has no fitted view")
        return views[0]

    @with_callbacks
    def _fit(self, X: Any, y: ArrayLike | None, method: str, params: dict[str, Any]) -> list[Any]:
        """Call `method` ("fit" or "fit_transform") of all views and return what each gives."""
        self._check_views()
        views = [(name, clone(view), weight) for name, view, weight in super()._iter()]
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, method, **params)
        else:
            to_each = {"fit": params, "fit_transform": params, "transform": {}}
            routed = {name: to_each for name, _, _ in views}
        progress = begin_fit(self, X, y, n_subtasks=len(views))
        for name, view, _ in views:
            extractor, rest = _split(view)
            if extractor is not None:
                extractor.fit(X, y, **(routed[name]["fit"] if rest is None else {}))
        tasks = _share_heads([view for _, view, _ in views], X, fit=True)
        results = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_view)(
                method,
                rest,
                (view_input, y),
                weight,
                routed[name],
                self._log_message(name, number, len(views)),
                caller=self,
                task=progress.subcontext(task_name=f"{method.replace('_', '-')}-{name}"),
            )
            for number, ((name, _, weight), (_, rest, view_input)) in enumerate(
                zip(views, tasks, strict=True), start=1
            )
        )
        # A worker process returns a copy: the fitted steps are put back after their extractor.
        fitted = {
            name: _behind(head, view, rest) if head else rest
            for (name, view, _), (head, _, _), (rest, _) in zip(views, tasks, results, strict=True)
        }
        self.transformers_ = [(name, fitted.get(name, "drop")) for name, _ in self.transformer_list]
        progress.call_on_fit_task_end(estimator=self, X=X, y=y)
        return [features for _, features in results]

    def _check_views(self) -> None:
        if not self.transformer_list:
            raise ValueError("transformer_list is empty; expected at least one (name, view).")
        names = [name for name, _ in self.transformer_list]
        self._validate_names(names)
        for name, view in self.transformer_list:
            if isinstance(view, type):
                raise TypeError(
                    f"View {name!r} is the class {view.__name__}; expected an instance of it, "
                    f"{view.__name__}(...)."
                )
            if not (hasattr(view, "fit") and hasattr(view, "transform")) and not (
                isinstance(view, str) and view in ("drop", "passthrough")
            ):
                raise TypeError(
                    f"View {name!r} is a {type(view).__name__} without fit and transform; expected "
                    'a transformer, a Pipeline that ends in one, "drop" or "passthrough".'
                )
        if unknown := [name for name in self.transformer_weights or () if name not in names]:
            raise ValueError(
                f"transformer_weights has a weight for {unknown[0]!r}, but the views are "
                f"{', '.join(names)}; expected the name of a view."
            )

    def _join(self, features: list[Any], X: Any) -> Any:
        """Concatenate the features of the views along their last axis."""
        if not features:  # Every view is dropped.
            return np.empty((num_samples(X), 0), dtype=np.float32)
        shapes = [np.shape(view) for view in features]
        if len({shape[:-1] for shape in shapes}) > 1:
            named = ", ".join(
                f"{name}: {shape}" for (name, _, _), shape in zip(self._iter(), shapes, strict=True)
            )
            remedy = (
                "Let each end in one row per clip, for example in a Seq2SeqAutoencoder"
                if len({len(shape) for shape in shapes}) > 1
                else "Frames and chunks stand side by side where all views have the same: give "
                "their extractors one hop_duration and one chunk_duration. Or let each view end in "
                "one row per clip"
            )
            raise ValueError(f"The views differ in more than their last axis ({named}). {remedy}.")
        if len(shapes[0]) <= 2:
            return self._hstack(features)  # it joins data frames and sparse matrices, too
        return np.concatenate([np.asarray(view) for view in features], axis=-1)


def extract_for_views(
    views: list[Any], X: Any, on_clips: Callable[[int], object] | None = None
) -> list[tuple[Any, Any]]:
    """Run the extractors at the beginning of views over clips, and their common steps only once.

    Parameters
    ----------
    views : list of transformer
        Views of a `FeatureFusion`. They are not changed.
    X : sequence of n_clips clips
        Clips in a form that every view takes.
    on_clips : callable, default=None
        Function that is called with the number of clips of each finished task.

    Returns
    -------
    list of (transformer or None, sequence of n_clips rows)
        For each view the steps after its extractor (None if there are none), and their input. The
        input is X itself if the view does not begin with an extractor.
    """
    copies = [view if isinstance(view, str) else clone(view) for view in views]
    for view in copies:
        extractor, _ = _split(view)
        if extractor is not None:
            extractor.fit(X)
    return [(rest, rows) for _, rest, rows in _share_heads(copies, X, on_clips, fit=True)]


def _share_heads(
    views: list[Any],
    X: Any,
    on_clips: Callable[[int], object] | None = None,
    *,
    fit: bool = False,
) -> list[tuple[list[Any], Any, Any]]:
    """Split each view into its head, the rest of it, and the input of that rest.

    The head consists of the extractor and of the steps after it that learn nothing and that several
    views share: these run once for all views. A view that does not begin with an extractor has no
    head, and its input is X itself. A view that is an extractor alone has no rest. With `fit`, the
    steps after the extractors in the heads are fitted.
    """
    split = [_split(view) for view in views]
    extractors = [extractor for extractor, _ in split if extractor is not None]
    spectrograms = iter(extract_views(extractors, X, on_clips=on_clips) if extractors else [])
    fixed = [_fixed_steps(extractor, rest) for extractor, rest in split]
    n_views = Counter(key for steps in fixed for key, _ in steps)
    results: dict[str, Any] = {}
    parts: list[tuple[list[Any], Any, Any]] = []
    for (extractor, rest), steps in zip(split, fixed, strict=True):
        if extractor is None:
            parts.append(([], rest, X))
            continue
        head, rows = [extractor], next(spectrograms)
        for key, step in steps:
            if n_views[key] == 1:
                break
            if fit:
                step.fit(rows)
            if key not in results:
                results[key] = step.transform(rows)
            rows = results[key]
            head.append(step)
        parts.append((head, rest[len(head) - 1 :] if len(head) > 1 else rest, rows))
    return parts


def _fixed_steps(extractor: Any, rest: Any) -> list[tuple[str, Any]]:
    """List the steps after an extractor that learn nothing, without the last step of the view.

    Each comes with a key that identifies it and all steps before it.
    """
    found: list[tuple[str, Any]] = []
    key = f"{type(extractor)} {extractor and extractor.get_params()}"
    for _, step in rest.steps[:-1] if isinstance(rest, Pipeline) else []:
        learns = get_tags(step).requires_fit or not learning_tags(step).reads_spectrograms
        if learns or get_container_adapter("transform", step) is not None:
            break
        key = joblib.hash([key, type(step), step.get_params()])
        found.append((key, step))
    return found


def _split(view: Any) -> tuple[ClipExtractor | None, Any]:
    """Return the extractor that a view begins with, or None, and the rest of the view."""
    if isinstance(view, ClipExtractor):
        return view, None
    if isinstance(view, Pipeline) and isinstance(view.steps[0][1], ClipExtractor):
        return view.steps[0][1], view[1:] if len(view.steps) > 1 else None
    return None, view


def _behind(head: list[Any], view: Any, rest: Any) -> Any:
    """Put the fitted rest of a view back after its head."""
    if rest is None:
        return view
    view.steps = [*view.steps[: len(head)], *rest.steps]
    return view


# Data are passed to a task in tuples. joblib would send a bare array to a single worker of a dask
# cluster, and all tasks would fail if that worker died; a tuple is sent again with each task.


def _fit_view(
    method: str,
    view: Any,
    data: tuple[Any, Any],
    weight: float | None,
    params: Any,
    message: str | None,
    *,
    caller: Any,
    task: Any,
) -> tuple[Any, Any]:
    """Call fit or fit_transform of a view; return the fitted view and its features, or None."""
    X, y = data
    with (
        print_elapsed_time(type(caller).__name__, message),
        nullcontext() if view is None else task.propagate_callback_context(view),
    ):
        task.call_on_fit_task_begin(estimator=caller, X=X, y=y)
        features = X
        if view is not None and method == "fit_transform" and hasattr(view, "fit_transform"):
            features = view.fit_transform(X, y, **params["fit_transform"])
        elif view is not None:
            view.fit(X, y, **params["fit"])
            if method == "fit_transform":
                features = view.transform(X, **params["transform"])
        task.call_on_fit_task_end(estimator=caller, X=X, y=y)
    return view, _weighted(features, weight) if method == "fit_transform" else None


def _transform_view(view: Any, data: tuple[Any], weight: float | None, params: Any) -> Any:
    (X,) = data
    return _weighted(X if view is None else view.transform(X, **params), weight)


def _weighted(features: Any, weight: float | None) -> Any:
    # A NumPy scalar of float64 would turn float32 features into float64; a Python float does not.
    return features if weight is None else features * float(weight)
