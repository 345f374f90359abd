"""ChunkPooling and ChunkVotingClassifier: features and classes of clips from those of chunks."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    OneToOneFeatureMixin,
    TransformerMixin,
    clone,
    is_classifier,
)
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import Bunch, Tags, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from skaudeep._base import (
    HasMethods,
    LearningTags,
    NamedRowsMixin,
    StrOptions,
    VersionMixin,
    all_or_nothing,
    begin_fit,
    check_method_params,
    check_sample_weight,
    groups_parameter,
    run_fit_without_subtasks,
)
from skaudeep._padding import join_clips, join_frames, missing_frames, unmasked
from skaudeep.datasets.bunch import check_bunch, replace_keys
from skaudeep.datasets.groups import group_numbers

FLOATS = [np.float64, np.float32]  # any other type is converted to the first


class ChunkPooling(
    VersionMixin,
    NamedRowsMixin,
    CallbackSupportMixin,
    OneToOneFeatureMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Join the features of a clip's chunks, the pieces into which it was split, in one row.

    Parameters
    ----------
    pooling : {"mean", "concat", "mean_std_max"}, default="mean"
        How the chunks of a clip are joined.

        - "mean": the mean of each feature over the clip's chunks.
        - "concat": the features of all chunks side by side, in the order of time. A missing chunk
          of a shorter clip is filled with the mean of the clip's chunks. Spectrograms of chunks are
          joined along time, so that features of whole clips can be learned.
        - "mean_std_max": mean, standard deviation (0 for a single chunk) and maximum of each
          feature over the clip's chunks.

    Attributes
    ----------
    n_chunks_ : int
        Number of chunks in each row of X in `fit`, padding included.
    joins_frames_ : bool
        Whether X in `fit` held spectrograms.
    n_features_in_ : int
        Number of features of a chunk, or of bands (the last axis of X).
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of these features, if X of `fit` has some: as the columns of a data frame, or the
        last coordinate, "feature", of an :class:`xarray.DataArray` with three axes.

    See Also
    --------
    ChunkVotingClassifier : Classify chunks and let them vote.

    Notes
    -----
    A chunk of NaN alone is missing. The output of a clip without any chunk, such as one that could
    not be read, is NaN.

    Examples
    --------
    Two clips with features of two bands. The second has one chunk only:

    >>> import numpy as np
    >>> from skaudeep import ChunkPooling
    >>> X = np.array([[[1.0, 2.0], [3.0, 6.0]], [[5.0, 0.0], [np.nan, np.nan]]])
    >>> ChunkPooling("mean").fit_transform(X)
    array([[2., 4.],
           [5., 0.]])
    >>> ChunkPooling("concat").fit_transform(X)
    array([[1., 2., 3., 6.],
           [5., 0., 5., 0.]])
    >>> pooling = ChunkPooling("concat").fit(X)
    >>> pooling.transform(X[:, :1])  # the second chunk is missing
    array([[1., 2., 1., 2.],
           [5., 0., 5., 0.]])
    >>> pooling.get_feature_names_out(["mean_0", "mean_1"]).tolist()
    ['chunk0__mean_0', 'chunk0__mean_1', 'chunk1__mean_0', 'chunk1__mean_1']
    >>> spectrograms = np.zeros((2, 3, 7, 5))  # 2 clips in 3 chunks of 7 frames
    >>> ChunkPooling("concat").fit_transform(spectrograms).shape
    (2, 21, 5)
    """

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "pooling": [StrOptions({"mean", "concat", "mean_std_max"})],
    }

    def __init__(self, pooling: str = "mean"):
        self.pooling = pooling

    @all_or_nothing
    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Store the numbers of chunks and features.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_chunks, n_features), or (n_clips, n_features)
            Features of chunks; NaN for a missing chunk. Two axes are clips of one chunk. With
            "concat" also spectrograms of chunks, (n_clips, n_chunks, n_frames, n_bands). Clips that
            are a list of arrays may differ in n_chunks.
        y : None
            Ignored.

        Returns
        -------
        self : ChunkPooling
            The fitted transformer.

        Raises
        ------
        ValueError
            If X holds infinity, NaN within a chunk, or no row, chunk or feature, or has four axes
            and `pooling` is not "concat".
        """
        self._validate_params()
        spectrograms = self._spectrograms(X, reset=True)
        self.joins_frames_ = spectrograms is not None
        values = _check_chunks(self, X, reset=True)[0] if spectrograms is None else spectrograms
        self.n_chunks_ = values.shape[1]
        run_fit_without_subtasks(self, X, y)
        return self

    def transform(self, X: Any) -> NDArray:
        """Pool the chunks of each clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_chunks, n_features), or (n_clips, n_features)
            Features of chunks, or, as in `fit`, spectrograms of (n_clips, n_chunks, n_frames,
            n_bands); NaN throughout a missing chunk. n_chunks may be another than in `fit`.

        Returns
        -------
        ndarray of shape (n_clips, n_features_out), float32 if X is, else float64
            Features of clips; n_features_out is that of a chunk, 3 times as many with
            "mean_std_max", `n_chunks_` times as many with "concat". Of spectrograms, those of the
            clips, (n_clips, n_frames_out, n_bands), padded with NaN.

        Raises
        ------
        ValueError
            If X holds infinity or NaN within a chunk, or other features than in `fit`, or, with
            "concat", a clip has more chunks than in `fit`.
        """
        check_is_fitted(self)
        if (spectrograms := self._spectrograms(X, reset=False)) is not None:
            self._refuse_more_chunks(~missing_frames(spectrograms))
            return join_frames([*spectrograms[:, : self.n_chunks_].swapaxes(0, 1)])
        X, present = _check_chunks(self, X, reset=False)
        there = present[:, :, None]
        count = there.sum(axis=1, dtype=X.dtype)  # (n_clips, 1)
        count[count == 0] = np.nan
        mean = X.sum(axis=1, where=there) / count
        if self.pooling == "mean":
            return mean
        if self.pooling == "concat":
            self._refuse_more_chunks(present)
            filled = np.repeat(mean[:, None], self.n_chunks_, axis=1)
            n_chunks = min(X.shape[1], self.n_chunks_)
            np.copyto(filled[:, :n_chunks], X[:, :n_chunks], where=there[:, :n_chunks])
            return filled.reshape(len(X), -1)
        variance = np.square(X - mean[:, None]).sum(axis=1, where=there) / count
        maximum = X.max(axis=1, where=there, initial=-np.inf)
        maximum[np.isnan(mean)] = np.nan
        return np.concatenate([mean, np.sqrt(variance), maximum], axis=1)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Return the names of the features.

        Parameters
        ----------
        input_features : array-like of str of shape (`n_features_in_`,), default=None
            Names of the features of a chunk. None takes `feature_names_in_` or ``x0``, ``x1``, ...

        Returns
        -------
        ndarray of shape (n_features_out,), object
            The given names; with "mean_std_max" all after ``"mean__"``, then after ``"std__"``,
            then after ``"max__"``; with "concat" after ``"chunk0__"``, ``"chunk1__"``, ..., but
            without these for spectrograms, where they are the names of bands.
        """
        check_is_fitted(self)
        names = super().get_feature_names_out(input_features)
        if self.pooling == "mean" or vars(self).get("joins_frames_"):
            return names
        parts = ["mean", "std", "max"]
        if self.pooling == "concat":
            parts = [f"chunk{i}" for i in range(self.n_chunks_)]
        return np.array([f"{part}__{name}" for part in parts for name in names], dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        # allow_nan stays False: NaN is padding at a row's end, not a missing value anywhere.
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _spectrograms(self, X: Any, *, reset: bool) -> NDArray | None:
        """Return spectrograms of chunks that are to be put together; None of other data."""
        X = join_clips(X)
        found = self.pooling == "concat" and len(getattr(X, "shape", ())) == 4
        if not reset and found != vars(self).get("joins_frames_", False):
            was = "features" if found else "spectrograms"
            raise ValueError(f"X has shape {X.shape}, but ChunkPooling was fitted on {was}.")
        if not found:
            return None
        X = check_array(
            unmasked(X), dtype=FLOATS, allow_nd=True, ensure_all_finite="allow-nan", input_name="X"
        )
        _check_n_features(self, X, reset=reset)
        return X

    def _refuse_more_chunks(self, present: NDArray) -> None:
        if (more := present[:, self.n_chunks_ :].any(axis=1)).any():
            clip = int(np.argmax(more))
            others = ', or choose pooling="mean" or "mean_std_max", which take any number'
            raise ValueError(
                f"Row {clip} of X has {present[clip].sum()} chunks, but ChunkPooling was fitted on "
                f"rows of {self.n_chunks_}. Give SpectrogramExtractor(n_chunks=...)"
                f"{'' if vars(self).get('joins_frames_') else others}."
            )


def pool_chunks(bunch: Bunch, pooling: str = "concat") -> Bunch:
    """Return a stored data set with the chunks of each clip joined, see :class:`ChunkPooling`.

    `dims` of the data set say that there are chunks; otherwise a ValueError is raised.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.chunks import pool_chunks
    >>> from skaudeep.datasets import make_bunch
    >>> dims = ("clip", "chunk", "feature")
    >>> pool_chunks(make_bunch(np.ones((2, 3, 4)), ["a.wav", "b.wav"], dims=dims)).data.shape
    (2, 12)
    """
    bunch = check_bunch(bunch)
    n_axes = (3, 4) if pooling == "concat" else (3,)
    if bunch.dims[1:2] != ("chunk",) or len(bunch.dims) not in n_axes:
        raise ValueError(
            f"Got data with the axes {bunch.dims}, expected features of chunks, "
            "('clip', 'chunk', 'feature'), or with \"concat\" spectrograms of chunks. Compute "
            "features first, or leave out the pooling where there are no chunks."
        )
    step = ChunkPooling(pooling)
    values = step.fit_transform(np.asarray(bunch.data, dtype=np.float32))
    changes = {"data": values, "dims": ("clip", *bunch.dims[2:])}
    if names := bunch.get("feature_names"):
        changes["feature_names"] = step.get_feature_names_out(names).tolist()
    return replace_keys(bunch, **changes)


def _has_probabilities(estimator: ChunkVotingClassifier) -> bool:
    if estimator.voting != "soft":
        raise AttributeError(
            f'Got voting={estimator.voting!r}: votes are no probabilities. Choose voting="soft", '
            "or use decision_function, the shares of the votes."
        )
    return True


def _has_votes(estimator: ChunkVotingClassifier) -> bool:
    if estimator.voting != "hard":
        raise AttributeError(
            f"Got voting={estimator.voting!r}: use predict_proba, the mean probabilities."
        )
    return True


class ChunkVotingClassifier(
    VersionMixin, CallbackSupportMixin, MetaEstimatorMixin, ClassifierMixin, BaseEstimator
):
    """Classify the chunks of a clip, and let them vote on the class of the clip.

    Chunks are the pieces into which a clip was split. Each clip is one sample for scikit-learn, so
    that folds, searches and scores are over clips; no chunk of a test clip is used for training.

    Parameters
    ----------
    classifier : classifier or Pipeline that ends in one
        The classifier of chunks. A copy is fitted to all chunks, each with the label of its clip,
        so that a scaler in it standardises over chunks.
    voting : {"hard", "soft"}, default="hard"
        "hard" chooses the class with the most votes of chunks, or, of several such classes, the
        first in `classes_`, as :class:`~sklearn.ensemble.VotingClassifier` does. "soft" chooses the
        class with the largest mean probability, and needs a classifier with `predict_proba`.

    Attributes
    ----------
    classifier_ : estimator
        The fitted copy. It predicts single chunks, from arrays (n_chunks, n_features).
    classes_ : ndarray of shape (n_classes,)
        The classes, in sorted order.
    n_features_in_ : int
        Number of features of a chunk (the last axis of X).
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of these features, if X of `fit` has some, as for :class:`ChunkPooling`.

    See Also
    --------
    ChunkPooling : One row of features per clip, for any estimator.

    Notes
    -----
    Search around this classifier, not inside it: ``GridSearchCV(ChunkVotingClassifier(LinearSVC()),
    {"classifier__C": [...]})``. A search inside, or early stopping with a validation set, would
    train on some chunks of a clip and test on others. The exception is a classifier that takes
    groups, such as :class:`~skaudeep.TunedLogisticRegression`, or a search over folds of groups: it
    receives the groups of the clips, and a clip without a group as a group of its own.

    Examples
    --------
    Six clips of three chunks, the last with two; one chunk of the first looks like the other class:

    >>> import numpy as np
    >>> from sklearn.svm import LinearSVC
    >>> from skaudeep import ChunkVotingClassifier
    >>> X = np.repeat([[[0.0]], [[0.0]], [[0.1]], [[1.0]], [[1.1]], [[1.0]]], 3, axis=1)
    >>> X[0, 1] = 1.0
    >>> X[5, 2] = np.nan
    >>> y = ["rain"] * 3 + ["wind"] * 3
    >>> voting = ChunkVotingClassifier(LinearSVC(random_state=0)).fit(X, y)
    >>> voting.classifier_.predict(X[0]).tolist()
    ['rain', 'wind', 'rain']
    >>> voting.predict(X[[0, 5]]).tolist()
    ['rain', 'wind']
    >>> voting.decision_function(X[[0, 5]]).round(2).tolist()  # shares of "wind" minus "rain"
    [-0.33, 1.0]
    >>> from sklearn.naive_bayes import GaussianNB
    >>> ChunkVotingClassifier(GaussianNB(), voting="soft").fit(X, y).predict_proba(X).shape
    (6, 2)
    """

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "classifier": [HasMethods(["fit", "predict"])],
        "voting": [StrOptions({"hard", "soft"})],
    }

    def __init__(self, classifier: Any, *, voting: str = "hard"):
        self.classifier = classifier
        self.voting = voting

    @all_or_nothing
    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None, **params: Any) -> Self:
        """Fit a copy of the classifier on all chunks.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_chunks, n_features), or (n_clips, n_features)
            Features of chunks; NaN throughout a missing chunk. A clip without any chunk is left
            out. Arrays of a list may differ in n_chunks. Two axes are clips of one chunk.
        y : array-like of shape (n_clips,)
            Class of each clip. -1 is a class as well: leave unlabelled clips out.
        sample_weight : array-like of shape (n_clips,), default=None
            Weight of each clip, which each chunk of it has whole. None passes no weights.
        **params : dict
            Further arguments of the classifier's `fit`, by its requests if metadata routing is
            enabled: ``groups=`` of a TunedLogisticRegression, ``linearsvc__sample_weight=`` of a
            Pipeline. Values with one entry per clip are repeated for each of its chunks. A
            classifier that takes groups gets each clip as one, if none are given.

        Returns
        -------
        self : ChunkVotingClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If X holds infinity, NaN within a chunk or no chunk at all, y has another length or is
            not made of classes, or voting is "soft" and the classifier has no `predict_proba`.
        TypeError
            If `classifier` is not a classifier.
        """
        self._validate_params()
        self._check_classifier()
        y = validate_data(self, y=y)
        check_classification_targets(y)
        X_in, (X, present) = X, _check_chunks(self, X, reset=True)
        check_consistent_length(X, y)
        if not present.any():
            raise ValueError("Every row of X is NaN throughout: there is nothing to train on.")
        clip_of_chunk = np.nonzero(present)[0]
        if sample_weight is not None:
            params["sample_weight"] = check_sample_weight(sample_weight, X)
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, "fit", **params).classifier.fit
        elif (name := groups_parameter(self.classifier)) is not None:
            # Chunks of one clip belong together, whether or not its group is known.
            groups = None if params.get(name) is None else group_numbers(params[name])
            params[name] = np.arange(len(y)) if groups is None else groups
        params = check_method_params(X, params, indices=clip_of_chunk)
        progress = begin_fit(self, X_in, y, n_subtasks=1)
        task = progress.subcontext(task_name="fit-classifier")
        self.classifier_ = clone(self.classifier)
        with task.propagate_callback_context(self.classifier_):
            task.call_on_fit_task_begin(estimator=self, X=X_in, y=y)
            self.classifier_.fit(X[present], y[clip_of_chunk], **params)
            task.call_on_fit_task_end(estimator=self, X=X_in, y=y)
        self.classes_ = self.classifier_.classes_
        progress.call_on_fit_task_end(estimator=self, X=X_in, y=y)
        return self

    def predict(self, X: Any) -> NDArray:
        """Predict the class of each clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_chunks, n_features), or (n_clips, n_features)
            Features of chunks; NaN throughout a missing chunk, which is not counted. With two axes,
            each clip is one chunk.

        Returns
        -------
        ndarray of shape (n_clips,)
            Classes, as in `y` of `fit`.

        Raises
        ------
        ValueError
            If X holds infinity or NaN within a chunk or has another number of features than in
            `fit`, or all chunks of a clip are missing.
        """
        winners = self._mean_votes(X).argmax(axis=1)
        return self.classes_[winners]

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> NDArray:
        """Return the mean probabilities of each clip's chunks; only ``voting="soft"`` has it.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_chunks, n_features), or (n_clips, n_features)
            Features of chunks; NaN throughout a missing chunk, which is not counted. With two axes,
            each clip is one chunk. ValueError if all chunks of a clip are missing.

        Returns
        -------
        ndarray of shape (n_clips, n_classes)
            Probabilities, in the order of `classes_`.
        """
        return self._mean_votes(X)

    @available_if(_has_votes)
    def decision_function(self, X: Any) -> NDArray:
        """Return the share of a clip's chunks that vote for each class; ``voting="hard"`` only.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_chunks, n_features), or (n_clips, n_features)
            Features of chunks; NaN throughout a missing chunk, which is not counted. With two axes,
            each clip is one chunk. ValueError if all chunks of a clip are missing.

        Returns
        -------
        ndarray of shape (n_clips, n_classes), or (n_clips,) for two classes
            Shares in [0, 1], in the order of `classes_`. With two classes, the share of the second
            minus that of the first, in [-1, 1].
        """
        votes = self._mean_votes(X)
        return votes[:, 1] - votes[:, 0] if len(self.classes_) == 2 else votes

    def get_metadata_routing(self) -> MetadataRouter:
        """Return which metadata the classifier requests.

        Returns
        -------
        MetadataRouter
            The routing of `fit`.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(classifier=self.classifier, method_mapping=to_fit)

    def __skaudeep_tags__(self) -> LearningTags:
        return LearningTags(passes_to="classifier")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.classifier_tags = get_tags(self.classifier).classifier_tags
        return tags

    def _check_classifier(self) -> None:
        name = type(self.classifier).__name__
        if not is_classifier(self.classifier):
            raise TypeError(
                f"Got classifier={name}, which is no classifier; expected one such as LinearSVC(), "
                "or a Pipeline that ends in one."
            )
        if self.voting == "soft" and not hasattr(self.classifier, "predict_proba"):
            raise ValueError(
                f'Got voting="soft" with a {name} that has no predict_proba. Choose voting="hard", '
                "or a classifier of probabilities, for example LogisticRegression()."
            )

    def _mean_votes(self, X: Any) -> NDArray:
        """Average the votes over the chunks of each clip: (n_clips, n_classes)."""
        check_is_fitted(self)
        X, present = _check_chunks(self, X, reset=False)
        count = present.sum(axis=1)
        if not count.all():
            raise ValueError(
                f"Row {int(np.argmin(count))} of X is NaN throughout: a clip without chunks has no "
                "votes. Leave it out."
            )
        if self.voting == "soft":
            votes = self.classifier_.predict_proba(X[present])
        else:
            votes = self.classifier_.predict(X[present])[:, None] == self.classes_
        of_chunks = np.zeros((*present.shape, len(self.classes_)))  # (n_clips, n_chunks, n_classes)
        of_chunks[present] = votes
        return of_chunks.sum(axis=1) / count[:, None]


def _check_chunks(estimator: Any, X: Any, *, reset: bool) -> tuple[NDArray, NDArray]:
    """Return X as (n_clips, n_chunks, n_features), and a mask of the chunks that exist.

    Set the estimator's number of features, or compare it with that of X.
    """
    X = join_clips(X)
    n_axes = len(X.shape) if hasattr(X, "shape") else np.asarray(X).ndim
    if n_axes == 3:
        names = X.indexes.get("feature") if hasattr(X, "indexes") else None
        X = check_array(
            unmasked(X), dtype=FLOATS, ensure_all_finite=False, allow_nd=True, input_name="X"
        )
        _check_n_features(estimator, X, reset=reset, names=names)
    elif n_axes > 3:
        raise ValueError(
            f"X has {n_axes} axes; expected (n_clips, n_chunks, n_features). Spectrograms need "
            "a step before this one: a Seq2SeqAutoencoder, which makes features of each chunk, or "
            'ChunkPooling("concat"), which puts chunks together along time.'
        )
    else:  # clips of one chunk (or what scikit-learn refuses better than we could)
        X = validate_data(estimator, X, reset=reset, dtype=FLOATS, ensure_all_finite=False)[:, None]
    present = ~missing_frames(X)
    broken = present & ~np.isfinite(X).all(axis=2)
    if broken.any():
        clip, chunk = np.argwhere(broken)[0]
        what = "infinity" if np.isinf(X[clip, chunk]).any() else "NaN"
        raise ValueError(
            f"Input X contains {what} in row {clip}, chunk {chunk}. NaN may stand only throughout "
            "a chunk, as padding of clips with fewer chunks. Remove the clip or repair its source."
        )
    return X, present


def _check_n_features(estimator: Any, X: NDArray, *, reset: bool, names: Any = None) -> None:
    """Set the number of features of an estimator, and their names, or compare it with that of X."""
    if 0 in X.shape:
        raise ValueError(
            f"X has shape {X.shape}: at least one row, one chunk and one feature are required."
        )
    if reset:
        estimator.n_features_in_ = X.shape[-1]
        estimator.__dict__.pop("feature_names_in_", None)  # names from an earlier data frame
        if names is not None:  # X is an xarray.DataArray, see `NamedRowsMixin`
            estimator.feature_names_in_ = np.asarray(names, dtype=object)
    elif X.shape[-1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[-1]} features (its last axis), but {type(estimator).__name__} was "
            f"fitted on {estimator.n_features_in_}."
        )
