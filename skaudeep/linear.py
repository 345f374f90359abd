"""TunedLogisticRegression: a linear classifier that chooses its regularisation by groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral, Real
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from skaudeep._base import COUNT, POSITIVE, Interval, VersionMixin, all_or_nothing, num_samples
from skaudeep.datasets.groups import group_numbers, units_per_class

# Products of such small matrices are slower on several threads, which wait for each other: on a
# busy machine 0.3 s became 12 s of processor time. The number of threads is a setting of the whole
# process, so that two fits must not change it at the same time.
_ONE_AT_A_TIME = Lock()


class TunedLogisticRegression(VersionMixin, ClassifierMixin, BaseEstimator):
    """Logistic regression that chooses its regularisation by cross-validation over whole groups.

    `fit` divides the training clips into inner folds. The inverse regularisation strength `C`
    becomes the value in `Cs` with the best mean balanced accuracy (mean recall of the classes) over
    these folds. If `fit` gets groups, such as the speaker of each clip, all clips of a group are in
    the same fold, so that the choice suits new groups. In every fit, clips are weighted by the
    inverse frequency of their class (``class_weight="balanced"``).

    Parameters
    ----------
    Cs : sequence of float > 0, default=(1.0, 10.0, 100.0)
        Inverse strengths of the L2 penalty to choose from: lower values regularise more. If several
        are equally good, the first of them in this sequence is chosen.
    default_C : float > 0, default=10.0
        Inverse strength that is used, without a choice, if no inner folds can be made: a class has
        fewer than `n_folds` groups (or clips, if there are no groups), or each fold would be
        trained on a single class.
    n_folds : int >= 2, default=3
        Number of inner folds, stratified by class. A fold whose training clips are of a single
        class is left out.
    max_iter : int >= 1, default=1000
        Largest number of iterations of the solver (L-BFGS).
    tol : float > 0, default=1e-4
        The solver stops where the largest component of the gradient is at most this, or where the
        loss no longer falls.
    random_state : int, RandomState instance or None, default=None
        Seed or generator that shuffles the clips, or groups, before they are divided into folds.
        With None, two calls of `fit` may make different folds and choose different values.

    Attributes
    ----------
    classifier_ : :class:`~sklearn.linear_model.LogisticRegression`
        The classifier with the chosen regularisation, fitted to all training clips.
    C_ : float
        The chosen inverse strength, or `default_C` if there was no choice.
    scores_ : ndarray of shape (len(Cs),)
        Mean balanced accuracy over the inner folds for each of `Cs`; NaN if `default_C` was used.
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    coef_ : ndarray of shape (n_classes, n_features), or (1, n_features) for two classes
        Weights of the features. Of two classes, the only row belongs to the second one.
    intercept_ : ndarray of shape (n_classes,), or (1,) for two classes
        Intercepts.
    n_iter_ : ndarray of shape (1,)
        Number of iterations of the solver in the fit to all clips.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X of `fit` was a data frame.

    See Also
    --------
    skaudeep.recipes.linear_classifier : A pipeline of scalers and this classifier.
    sklearn.linear_model.LogisticRegressionCV : A similar classifier, which needs metadata routing
        to receive groups in a pipeline.

    Notes
    -----
    If there are more features than clips, the classifier is fitted to the coordinates of the clips
    in the subspace that they span, which a QR decomposition gives. With an L2 penalty the weights
    lie in this subspace, so that the result is the same, while the time of the solver does not grow
    with the number of features.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep import TunedLogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["owl", "crow"], 30)
    >>> X = rng.normal(size=(60, 100)) + (y == "owl")[:, None]
    >>> classifier = TunedLogisticRegression().fit(X, y, groups=np.arange(60) // 3)
    >>> classifier.C_, classifier.predict(X[:2]).tolist()
    (1.0, ['owl', 'owl'])

    The methods for probabilities have a column for each class, in the order of `classes_`. Of two
    classes, `decision_function` returns the score of the second one alone:

    >>> classifier.classes_.tolist(), classifier.predict_proba(X).shape
    (['crow', 'owl'], (60, 2))
    >>> bool(np.allclose(np.exp(classifier.predict_log_proba(X)), classifier.predict_proba(X)))
    True
    >>> (classifier.decision_function(X[:2]) > 0).tolist()
    [True, True]
    """

    # Metadata routing passes groups to `fit` by default, as to scikit-learn's splitters.
    __metadata_request__fit = {"groups": True}  # noqa: RUF012 (scikit-learn's own form)

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "Cs": ["array-like"],
        "default_C": [POSITIVE],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "max_iter": [COUNT],
        "tol": [POSITIVE],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        Cs: Sequence[float] = (1.0, 10.0, 100.0),
        default_C: float = 10.0,
        n_folds: int = 3,
        max_iter: int = 1000,
        tol: float = 1e-4,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.Cs = Cs
        self.default_C = default_C
        self.n_folds = n_folds
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X: Any, y: Any, groups: ArrayLike | None = None) -> TunedLogisticRegression:
        """Choose the regularisation, then fit the classifier to all clips.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features that were scaled to comparable ranges, for example by
            :class:`~sklearn.preprocessing.StandardScaler`: `fit` does not scale them, and the
            penalty is the same for all weights.
        y : array-like of shape (n_clips,)
            Classes of the clips: integers or names, at least two classes. All clips need a label:
            NaN and None are refused, and -1 or "" would be a class like any other.
        groups : array-like of shape (n_clips,), default=None
            Speaker, recording or site of each clip, a text or a number. A clip whose group is "",
            None or NaN is a group of its own. With None, each clip is a group of its own.

        Returns
        -------
        self : TunedLogisticRegression
            The fitted classifier.

        Raises
        ------
        ValueError
            If there is a single class, a value of X is not finite, a label is NaN or None, a
            parameter is out of its range, or X, y and groups differ in length.
        """
        self._validate_params()
        Cs = self._checked_Cs()
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        classes, numbers = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"Got clips of 1 class, {str(classes[0])!r}, expected at least two to tell apart; "
                "give clips of another class."
            )
        if groups is not None and num_samples(groups) != len(y):
            raise ValueError(
                f"Got {num_samples(groups)} groups for {len(y)} clips, expected one for each."
            )
        with _ONE_AT_A_TIME, threadpool_limits(1, user_api="blas"):
            basis, coordinates = _coordinates(X)
            folds = list(self._folds(numbers, None if groups is None else group_numbers(groups)))
            self.scores_ = np.full(len(Cs), np.nan)
            self.C_ = float(self.default_C)
            if folds:
                self.scores_ = np.array([self._score(C, coordinates, numbers, folds) for C in Cs])
                self.C_ = Cs[int(np.argmax(self.scores_))]
            classifier = self._classifier(self.C_).fit(coordinates, y)
        if basis is not None:
            classifier.coef_ = classifier.coef_ @ basis.T
        classifier.n_features_in_ = self.n_features_in_
        self.classifier_ = classifier
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the linear score of each class: weights times features, plus the intercept.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features, scaled as in `fit`.

        Returns
        -------
        ndarray of shape (n_clips, n_classes), or (n_clips,) for two classes
            Scores in the order of `classes_`, any real numbers. Of more than two classes, the
            highest one is predicted. Of two classes there is the score of the second one alone,
            which is predicted where the score is above 0.
        """
        X = self._checked(X)
        return self.classifier_.decision_function(X)

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the most probable class of each clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features, scaled as in `fit`.

        Returns
        -------
        ndarray of shape (n_clips,)
            Classes, as in `y` of `fit`.
        """
        X = self._checked(X)
        return self.classifier_.predict(X)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features, scaled as in `fit`.

        Returns
        -------
        ndarray of shape (n_clips, n_classes)
            Probabilities in the order of `classes_`. Because classes are weighted equally in `fit`,
            they are those of a population in which all classes are equally frequent.
        """
        X = self._checked(X)
        return self.classifier_.predict_proba(X)

    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features, scaled as in `fit`.

        Returns
        -------
        ndarray of shape (n_clips, n_classes)
            Natural logarithms, in the order of `classes_`.
        """
        X = self._checked(X)
        return self.classifier_.predict_log_proba(X)

    @property
    def classes_(self) -> NDArray:
        """The classes, sorted, shape (n_classes,)."""
        return self._fitted().classes_

    @property
    def coef_(self) -> NDArray[np.float64]:
        """Weights of the features, shape (n_classes, n_features), or (1, n_features) for two."""
        return self._fitted().coef_

    @property
    def intercept_(self) -> NDArray[np.float64]:
        """Intercepts, shape (n_classes,), or (1,) for two classes."""
        return self._fitted().intercept_

    @property
    def n_iter_(self) -> NDArray[np.int32]:
        """Number of iterations of the solver in the fit to all clips, shape (1,)."""
        return self._fitted().n_iter_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classifier_")

    def _fitted(self) -> LogisticRegression:
        if not hasattr(self, "classifier_"):
            raise AttributeError(f"{type(self).__name__} is not fitted")
        return self.classifier_

    def _checked(self, X: ArrayLike) -> NDArray:
        check_is_fitted(self)
        return validate_data(self, X, dtype=[np.float64, np.float32], reset=False)

    def _checked_Cs(self) -> list[float]:
        Cs = list(self.Cs)
        if not Cs or not all(isinstance(C, Real) and 0 < C < np.inf for C in Cs):
            raise ValueError(f"Got Cs={self.Cs!r}, expected numbers above 0 such as (1, 10, 100).")
        return [float(C) for C in Cs]

    def _classifier(self, C: float) -> LogisticRegression:
        return LogisticRegression(
            C=C, class_weight="balanced", max_iter=self.max_iter, tol=self.tol
        )

    def _folds(
        self, y: NDArray[np.intp], groups: NDArray[np.intp] | None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield the inner folds; none where a class has too few groups, or clips, for them."""
        if min(units_per_class(y, groups).values()) < self.n_folds:
            return
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        splitter = kind(self.n_folds, shuffle=True, random_state=self.random_state)
        for train, test in splitter.split(y, y, groups):
            # If groups hold clips of several classes, a fold may lack training clips of a class.
            if len(test) and len(np.unique(y[train])) > 1:
                yield train, test

    def _score(
        self,
        C: float,
        X: NDArray,
        y: NDArray[np.intp],
        folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
    ) -> float:
        """Return the mean balanced accuracy of one regularisation over the inner folds."""
        scores = []
        for train, test in folds:
            right = self._classifier(C).fit(X[train], y[train]).predict(X[test]) == y[test]
            recalls = np.bincount(y[test], right) / np.maximum(np.bincount(y[test]), 1)
            scores.append(recalls[np.unique(y[test])].mean())
        return float(np.mean(scores))


def _coordinates(X: Any) -> tuple[NDArray | None, NDArray]:
    """Return an orthonormal basis of the space that the rows span, and the rows in it.

    The basis is None where it would be no smaller than the features.
    """
    if X.shape[0] >= X.shape[1]:
        return None, X
    # With X.T = Q R, the coordinates of the rows of X in the basis Q are the columns of R.
    basis, triangle = qr(X.T.astype(np.float64), mode="economic", check_finite=False)
    return basis, np.ascontiguousarray(triangle.T)
