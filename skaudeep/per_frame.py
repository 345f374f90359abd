"""PerFrame: a regressor or classifier of frames, for labels that change over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.metrics import r2_score
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skaudeep._base import (
    POSITIVE,
    HasMethods,
    Interval,
    VersionMixin,
    all_or_nothing,
    groups_parameter,
    num_samples,
    rows,
)
from skaudeep._padding import true_frames
from skaudeep.datasets.groups import group_numbers


def _inner_has(method: str) -> Callable[[Any], bool]:
    def check(self: PerFrame) -> bool:
        getattr(vars(self).get("estimator_", self.estimator), method)  # may raise AttributeError
        return True

    return check


class PerFrame(VersionMixin, MetaEstimatorMixin, BaseEstimator):
    """Fit a regressor or classifier to the frames of all clips, for labels that change over time.

    People who label arousal, pain or load while they listen react late: their label belongs to the
    sound some seconds earlier. With a `delay`, `fit` takes as the target of a frame the label that
    was given `delay` seconds after it; the last frames of a clip, for which there is no later
    label, are not used. Predictions are delayed by the same time: the prediction for a time is
    computed from the frame `delay` seconds before it, so that it can be compared with the label at
    this time directly.

    Parameters
    ----------
    estimator : regressor or classifier, or Pipeline that ends in one
        The estimator that predicts the label of a frame from its features. `fit` fits a copy to the
        frames of all clips, an array of shape (n_frames, n_features).
    delay : float >= 0, default=0.0
        Time in seconds from a sound to its label, rounded to whole frames. It can be found by a
        search. In a pipeline that ``make_pipeline(..., PerFrame(...))`` made, that is
        ``GridSearchCV(pipeline, {"perframe__delay": [0, 1, 2, 3]})``.
    hop_duration : float > 0, default=None
        Time between the starts of two frames in seconds, as in the extractor. It is required if
        `delay` is not 0; None is possible only without a delay.

    Attributes
    ----------
    estimator_ : estimator
        The fitted copy. It predicts the label of single frames, without the delay.
    n_features_in_ : int
        Number of features of a frame (the last axis of X).
    classes_ : ndarray of shape (n_classes,), or list of ndarray
        The classes, if `estimator` is a classifier. With several targets, those that `estimator_`
        has, which are mostly a list with an array for each target.

    See Also
    --------
    skaudeep.datasets.frame_targets : Compute targets of frames from labels at other times.
    skaudeep.evaluation.evaluate_over_time : Concordance per recording and over all recordings.

    Notes
    -----
    scikit-learn takes each clip for one sample, so that folds never divide the frames of a clip.
    Put a search around this estimator, not inside it: a search inside divides frames, so that
    frames of the same clip would be in training and test folds. The exception is an estimator that
    takes groups, such as :class:`~skaudeep.TunedLogisticRegression` or a search over folds of
    groups (``GridSearchCV(..., cv=GroupKFold())``). For each frame it receives the group of the
    clip, or, if `fit` gets no groups, the number of the clip as its group.

    In the first `delay` seconds of a clip, the predictions are those for its first frame, because
    there is no earlier sound.

    Examples
    --------
    Two clips of one feature. The labels are twice the feature, three frames of 0.1 s later:

    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skaudeep import PerFrame
    >>> X = np.random.default_rng(0).normal(size=(2, 50, 1))
    >>> y = np.full((2, 50), np.nan)
    >>> y[:, 3:] = 2 * X[:, :-3, 0]
    >>> model = PerFrame(LinearRegression(), delay=0.3, hop_duration=0.1).fit(X, y)
    >>> bool(np.allclose(model.predict(X)[:, 3:], y[:, 3:]))
    True
    >>> round(model.score(X, y), 6)
    1.0

    A classifier, whose predictions of texts have the dtype object. The second clip is shorter:

    >>> from sklearn.linear_model import LogisticRegression
    >>> labels = [np.where(x[:, 0] > 0, "loud", "soft") for x in X]
    >>> clips = [X[0], X[1][:2]]
    >>> classifier = PerFrame(LogisticRegression()).fit(X, labels)
    >>> classifier.predict(clips).shape, classifier.predict(clips)[1, 2] is None
    ((2, 50), True)
    >>> classifier.predict_proba(clips).shape, classifier.decision_function(clips).shape
    ((2, 50, 2), (2, 50))
    """

    # Metadata routing passes groups to `fit` by default, as to scikit-learn's splitters.
    __metadata_request__fit = {"groups": True}  # noqa: RUF012 (scikit-learn's own form)

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "estimator": [HasMethods(["fit", "predict"])],
        "delay": [Interval(Real, 0, None, closed="left")],
        "hop_duration": [POSITIVE, None],
    }

    n_features_in_: int

    def __init__(self, estimator: Any, *, delay: float = 0.0, hop_duration: float | None = None):
        self.estimator = estimator
        self.delay = delay
        self.hop_duration = hop_duration

    @all_or_nothing
    def fit(self, X: Any, y: Any, groups: ArrayLike | None = None) -> Self:
        """Fit a copy of the estimator on all frames that have a target.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_features), or list of n_clips arrays \
                (n_frames, n_features)
            Features of frames, with NaN as padding at the end of shorter clips.
        y : array-like of shape (n_clips, n_frames) or (n_clips, n_frames, n_targets), or list of \
                n_clips arrays (n_frames,) or (n_frames, n_targets)
            Labels at the times of the frames, without correction for the delay. NaN means that a
            frame has no label; for classes None, "" and, in an array of integers, -1 mean the same.
            With several targets, a frame is used only if it has all of them. An array y has missing
            labels at the padding of X; in a list, each array is as long as its clip.
        groups : array-like of shape (n_clips,), default=None
            Speaker or session of each clip, for an estimator whose `fit` takes groups; others do
            not receive them. A clip whose group is "", None or NaN is a group of its own. With
            None, each clip is a group of its own.

        Returns
        -------
        self : PerFrame
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of its range, X has NaN before the end of a clip, the numbers of
            frames and labels of a clip differ, or no frame has a label `delay` seconds after it.
        """
        self._validate_params()
        shift = self._shift()
        clips = self._clips(X, reset=True)
        targets = self._targets(y, clips)
        chosen, labels, numbers = [], [], []
        for number, (clip, target) in enumerate(zip(clips, targets, strict=True)):
            later = target[shift:]
            labelled = ~_missing(later, self._classifies)
            chosen.append(clip[: len(later)][labelled])
            labels.append(later[labelled])
            numbers.append(np.full(int(labelled.sum()), number))
        frames, target = np.concatenate(chosen), np.concatenate(labels)
        if not len(frames):
            raise ValueError(
                f"No frame of the {len(clips)} clips has a target {self.delay:g} s after it: there "
                "is nothing to train on. Give labels at the times of the frames, or a smaller "
                "delay."
            )
        if target.dtype == object:
            target = np.array(target.tolist())
        params = {}
        if (name := groups_parameter(self.estimator)) is not None:
            of_clip = None if groups is None else group_numbers(groups)
            of_clip = np.arange(len(clips)) if of_clip is None else of_clip
            params[name] = of_clip[np.concatenate(numbers)]
        one_column = target.ndim == 2 and target.shape[1] == 1
        self.estimator_ = clone(self.estimator)
        self.estimator_.fit(frames, target[:, 0] if one_column else target, **params)
        self._target_axis = one_column  # predictions get this axis back
        if hasattr(self.estimator_, "classes_"):
            self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the label at the time of each frame, from the sound `delay` seconds before.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_features), or list of n_clips arrays \
                (n_frames, n_features)
            Features of frames, with NaN as padding at the end of shorter clips.

        Returns
        -------
        ndarray of shape (n_clips, n_frames) or (n_clips, n_frames, n_targets)
            Predictions, with as many axes as `y` of `fit` had. They are float64 with NaN for
            padding (classes that are integers become floats, too), or, if the classes are texts,
            objects with None for padding. If X is a list, n_frames is that of its longest clip.

        Raises
        ------
        ValueError
            If X has NaN before the end of a clip, another number of features than in `fit`, or no
            frame at all.
        """
        predicted = self._map(X, "predict")
        return predicted[..., None] if self._target_axis else predicted

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        """Return the probabilities of the classes for each frame.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_features), or list of n_clips arrays \
                (n_frames, n_features)
            Features of frames, with NaN as padding at the end of shorter clips.

        Returns
        -------
        ndarray of shape (n_clips, n_frames, n_classes), or list of n_targets such arrays
            Probabilities in the order of `classes_`; NaN for padding. As in `predict`, those of a
            time come from the sound `delay` seconds before, and n_frames is that of the longest
            clip of a list. With several targets it is what the classifier returns for frames: for
            most a list with an array for each target.

        Raises
        ------
        AttributeError
            If `estimator` has no `predict_proba`.
        ValueError
            If X has NaN before the end of a clip, another number of features than in `fit`, or no
            frame at all.
        """
        return self._map(X, "predict_proba")

    @available_if(_inner_has("decision_function"))
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the decision values of the classifier for each frame.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_features), or list of n_clips arrays \
                (n_frames, n_features)
            Features of frames, with NaN as padding at the end of shorter clips.

        Returns
        -------
        ndarray of shape (n_clips, n_frames), or (n_clips, n_frames, n_classes) if n_classes > 2
            What `decision_function` of `estimator` returns; NaN for padding. Of two classes it is
            the value of the second one. As in `predict`, the values of a time come from the sound
            `delay` seconds before, and n_frames is that of the longest clip of a list.

        Raises
        ------
        AttributeError
            If `estimator` has no `decision_function`.
        ValueError
            If X has NaN before the end of a clip, another number of features than in `fit`, or no
            frame at all.
        """
        return self._map(X, "decision_function")

    def score(self, X: Any, y: Any) -> float:
        """Return how well predictions agree with labels, over all labelled frames of all clips.

        Longer clips weigh more, because all frames count equally. The frames of the first `delay`
        seconds of a clip count, too.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_features), or list of n_clips arrays \
                (n_frames, n_features)
            Features of frames, with NaN as padding at the end of shorter clips.
        y : array-like of shape (n_clips, n_frames) or (n_clips, n_frames, n_targets), or list of \
                n_clips arrays (n_frames,) or (n_frames, n_targets)
            Labels at the times of the frames, without correction for the delay. NaN means that a
            frame has no label; for classes None, "" and, in an array of integers, -1 mean the same.
            With several targets, only frames that have all of them count. An array y has missing
            labels at the padding of X; in a list, each array is as long as its clip.

        Returns
        -------
        float
            For a regressor the coefficient of determination R², at most 1; with several targets
            the mean of theirs (:func:`~sklearn.metrics.r2_score`), and NaN with a warning for a
            single labelled frame. For a classifier the share of correct frames, in [0, 1]; with
            several targets a frame is correct if all its classes are.

        Raises
        ------
        ValueError
            If X has NaN before the end of a clip, a clip has another number of labels than of
            frames, or no frame has a label.
        """
        clips = self._clips(X, reset=False)
        targets = self._targets(y, clips)
        labelled = [~_missing(target, self._classifies) for target in targets]
        truth = np.concatenate([t[known] for t, known in zip(targets, labelled, strict=True)])
        predicted = np.concatenate(
            [p[: len(k)][k] for p, k in zip(self.predict(X), labelled, strict=True)]
        )
        if not len(truth):
            raise ValueError(f"No frame of the {len(clips)} clips has a target to compare with.")
        if self._classifies:
            correct = predicted == truth
            return float(np.mean(correct if correct.ndim == 1 else correct.all(axis=1)))
        return float(r2_score(truth, predicted))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self) -> Tags:
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags, tags.regressor_tags = inner.classifier_tags, inner.regressor_tags
        tags.target_tags = inner.target_tags
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        # allow_nan stays False: NaN is padding at a row's end, not a missing value anywhere.
        return tags

    @property
    def _classifies(self) -> bool:
        return is_classifier(self.estimator)

    def _shift(self) -> int:
        """Return the delay in frames."""
        if not self.delay:
            return 0
        if self.hop_duration is None:
            raise ValueError(
                f"Got delay={self.delay} with hop_duration=None, expected the time between two "
                "frames in seconds: PerFrame(..., hop_duration=0.04)."
            )
        return round(self.delay / self.hop_duration)

    def _clips(self, X: Any, *, reset: bool) -> list[NDArray[Any]]:
        """Return the frames of each clip without padding."""
        if not isinstance(X, list | tuple) and len(np.shape(X)) != 3:
            raise ValueError(
                f"Got X of shape {np.shape(X)}, expected features of frames, (n_clips, n_frames, "
                'n_features), such as ReservoirFeatures(representation="components") gives.'
            )
        n_features: int | None = None if reset else self.n_features_in_
        clips = []
        for number, clip in enumerate(rows(X)):
            values = true_frames(
                np.asarray(clip), clip=number, n_bands=n_features, reader="PerFrame"
            )
            n_features = values.shape[1]
            clips.append(values)
        if not clips:
            raise ValueError("Got X without clips, expected at least one.")
        if reset:
            self.n_features_in_ = clips[0].shape[1]
        return clips

    def _targets(self, y: Any, clips: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the targets of the frames of each clip."""
        if y is None or num_samples(y) != len(clips):
            n = None if y is None else num_samples(y)
            raise ValueError(f"Got targets of {n} clips for {len(clips)} clips of X.")
        if hasattr(y, "columns"):  # a DataFrame has a row for each clip
            y = y.to_numpy()
        targets: list[NDArray[Any]] = []
        for number, (clip, of_clip) in enumerate(zip(clips, y, strict=True)):
            values = np.asarray(of_clip)
            if values.ndim not in (1, 2):
                raise ValueError(
                    f"Got y of shape {(len(clips), *values.shape)}, expected a target for each "
                    "frame: (n_clips, n_frames) or (n_clips, n_frames, n_targets). "
                    "skaudeep.datasets.frame_targets makes them of labels over time."
                )
            n_frames = len(clip)
            own, beyond = values, np.empty(0, np.intp)
            if isinstance(y, np.ndarray):  # an array is padded to the length of the longest clip
                own = values[:n_frames]
                beyond = np.flatnonzero(~_missing(values[n_frames:], self._classifies))
            if len(own) != n_frames or len(beyond):
                what = f"a target at frame {n_frames + beyond[-1]}" if len(beyond) else ""
                raise ValueError(
                    f"Clip {number} has {n_frames} frames, but {what or f'{len(own)} targets'}. "
                    "Make both of the same recording, with the same times of frames."
                )
            if targets and own.shape[1:] != targets[0].shape[1:]:
                raise ValueError(
                    f"Clip {number} has targets of shape {own.shape} and clip 0 of "
                    f"{targets[0].shape}, expected as many for a frame of each."
                )
            targets.append(own)
        return targets

    def _map(self, X: Any, method: str) -> Any:
        """Call a method of the estimator with all frames; shift and pad its output.

        It is an array, or a list of arrays where the method returns one for each target.
        """
        check_is_fitted(self)
        shift = self._shift()
        clips = self._clips(X, reset=False)
        frames = np.concatenate(clips)
        if not len(frames):
            raise ValueError("Every row of X is NaN throughout: there is nothing to predict.")
        values = getattr(self.estimator_, method)(frames)
        n_frames = max(map(len, clips)) if isinstance(X, list | tuple) else np.shape(X)[1]
        lengths = [len(clip) for clip in clips]
        if isinstance(values, list):  # probabilities of several targets
            return [_padded(np.asarray(part), lengths, n_frames, shift) for part in values]
        return _padded(np.asarray(values), lengths, n_frames, shift)


def _padded(
    values: NDArray[Any], lengths: Sequence[int], n_frames: int, shift: int
) -> NDArray[Any]:
    """Divide values of all frames into clips, shifted by the delay: (n_clips, n_frames, ...)."""
    texts = values.dtype.kind not in "fiub"
    result = np.full(
        (len(lengths), n_frames, *values.shape[1:]),
        None if texts else np.nan,
        dtype=object if texts else np.float64,
    )
    end = 0
    for row, length in zip(result, lengths, strict=True):
        start, end = end, end + length
        # The sound of frame i is labelled at frame i + shift.
        row[:length] = values[start + np.maximum(np.arange(length) - shift, 0)]
    return result


def _missing(target: NDArray[Any], of_classes: bool) -> NDArray[np.bool_]:
    """Return which frames have no target: (n_frames,)."""
    if target.dtype.kind == "f":
        missing = np.isnan(target)
    elif target.dtype.kind in "iu" and of_classes:
        missing = target == -1
    elif target.dtype.kind in "OUS":
        missing = np.array([_is_none(value) for value in target.ravel()], dtype=bool)
        missing = missing.reshape(target.shape)
    else:
        missing = np.zeros(target.shape, dtype=bool)
    return np.asarray(missing.any(axis=1) if missing.ndim == 2 else missing)


def _is_none(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value) or value != value
