"""DropoutMLPClassifier: the paper's classifier, a multilayer perceptron with dropout."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor
from torch.nn.functional import cross_entropy

from skaudeep._base import POSITIVE, Interval, VersionMixin, all_or_nothing
from skaudeep.nn.parallel import torch_threads

LARGEST_SEED = 2**31 - 1
_RESULTS = ("coefs_", "intercepts_", "loss_curve_", "classes_", "n_features_in_")


class DropoutMLPClassifier(VersionMixin, ClassifierMixin, BaseEstimator):
    """Multilayer perceptron with dropout, trained in full batches: the auDeep paper's classifier.

    Hidden layers of rectified linear units are followed by a softmax over the classes. Each epoch
    is one step of the Adam optimizer on the mean cross-entropy of all training clips. In training,
    dropout sets a random share of the outputs of each hidden layer to zero and divides the others
    by 1 - `dropout`, so that their mean does not change. Predictions use all outputs. There is no
    penalty on the weights and no early stopping. The defaults are those of the paper [1]_, which
    standardises the features first; `fit` does not do this itself.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int >= 1, default=(150, 150)
        Number of units of each hidden layer, from the input on. With an empty sequence the features
        lead to the softmax directly, as in logistic regression without a penalty, and `dropout` has
        no effect.
    dropout : float in [0, 1), default=0.4
        Probability with which an output of a hidden layer is set to zero in a training step. The
        features themselves are never set to zero. 0 switches dropout off.
    max_epochs : int >= 0, default=400
        Number of epochs, all of which are run; each is one step of the optimizer. 0 keeps the
        random initial weights.
    learning_rate : float > 0, default=1e-3
        Learning rate of the Adam optimizer.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the initial weights and of the dropout. The same integer gives exactly
        the same weights on the same machine. None draws from NumPy's global generator, so that each
        call of `fit` gives other weights. The global generator of torch is never used.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_inputs, n_outputs), float32
        Weights of each layer, from the input on: one array for each hidden layer and one for the
        output, which has n_classes outputs.
    intercepts_ : list of ndarray of shape (n_outputs,), float32
        Intercepts of each layer.
    loss_curve_ : list of float
        Mean cross-entropy of the training clips (with natural logarithms) in each epoch, with
        dropout, before the step of the epoch. Empty if `max_epochs` is 0.
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X of `fit` was a data frame.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : A perceptron without dropout, with mini-batches and early
        stopping.
    TunedLogisticRegression : The default classifier of skaudeep, linear and regularised.

    Notes
    -----
    The initial weights are uniform between plus and minus ``sqrt(6 / (n_inputs + n_outputs))``
    [2]_, and the initial intercepts are 0. Training runs in float32 in one thread, so that several
    folds can be trained at the same time.

    References
    ----------
    .. [1] Freitag, Amiriparian, Pugachevskiy, Cummins & Schuller (2018). auDeep: Unsupervised
       learning of representations from audio with deep recurrent neural networks. JMLR 18(173).
    .. [2] Glorot & Bengio (2010). Understanding the difficulty of training deep feedforward neural
       networks. AISTATS.

    Examples
    --------
    Two classes that no straight line separates:

    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skaudeep import DropoutMLPClassifier
    >>> X = np.random.default_rng(0).uniform(-1, 1, size=(200, 2))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same sign", "other sign")
    >>> classifier = make_pipeline(StandardScaler(), DropoutMLPClassifier(random_state=0))
    >>> classifier.fit(X, y).predict([[0.5, 0.5], [-0.5, 0.5]]).tolist()
    ['same sign', 'other sign']
    >>> classifier.classes_.tolist(), classifier.predict_proba([[0.5, 0.5]]).shape
    (['other sign', 'same sign'], (1, 2))
    >>> classifier.predict_log_proba(X).shape
    (200, 2)
    """

    _loss_name = "cross-entropy"  # for plots of `loss_curve_`
    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "hidden_layer_sizes": ["array-like"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "learning_rate": [POSITIVE],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (150, 150),
        *,
        dropout: float = 0.4,
        max_epochs: int = 400,
        learning_rate: float = 1e-3,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X: Any, y: Any) -> DropoutMLPClassifier:
        """Train the perceptron.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Standardised features: `fit` does not standardise them. They are converted to float32.
        y : array-like of shape (n_clips,)
            Classes of the clips: integers or names, at least two classes. All clips need a label:
            NaN and None are refused, and -1 or "" would be a class like any other.

        Returns
        -------
        self : DropoutMLPClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If there is a single class, a value of X is not finite, a label is NaN or None, a
            parameter is out of its range, or X and y differ in length.
        FloatingPointError
            If training diverges: the loss of an epoch is NaN or infinite.
        """
        self._validate_params()
        sizes = self._checked_sizes()
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"Got clips of 1 class, {str(self.classes_[0])!r}, expected at least two to tell "
                "apart; give clips of another class."
            )
        seed = int(check_random_state(self.random_state).randint(LARGEST_SEED))
        generator = torch.Generator().manual_seed(seed)
        with torch_threads(1), torch.enable_grad():
            widths = [X.shape[1], *sizes, len(self.classes_)]
            layers = [_first_weights(n_in, n_out, generator) for n_in, n_out in pairwise(widths)]
            self.loss_curve_ = self._train(layers, X, numbers, generator)
        self.coefs_ = [weights.detach().numpy() for weights, _ in layers]
        self.intercepts_ = [intercepts.detach().numpy() for _, intercepts in layers]
        return self

    def _train(
        self,
        layers: list[tuple[Tensor, Tensor]],
        X: NDArray[np.float32],
        numbers: NDArray[np.intp],
        generator: torch.Generator,
    ) -> list[float]:
        """Train the weights by one step of Adam per epoch; return the loss of each epoch."""
        # torch warns of read-only memory, and folds are often memory-mapped: copy them.
        inputs = torch.from_numpy(np.require(X, requirements=["C", "W"]))
        target = torch.from_numpy(numbers.astype(np.int64))
        parameters = [tensor for layer in layers for tensor in layer]
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate)
        losses = []
        for epoch in range(self.max_epochs):
            x = inputs  # (n_clips, n_features)
            for weights, intercepts in layers[:-1]:
                x = torch.relu(torch.addmm(intercepts, x, weights))  # (n_clips, n_units)
                if self.dropout:
                    kept = torch.empty(x.shape, dtype=x.dtype)
                    kept.bernoulli_(1 - self.dropout, generator=generator)
                    x = x * kept / (1 - self.dropout)
            weights, intercepts = layers[-1]
            loss = cross_entropy(torch.addmm(intercepts, x, weights), target)
            losses.append(loss.item())
            if not np.isfinite(losses[-1]):
                raise FloatingPointError(
                    f"The loss of epoch {epoch + 1} is {losses[-1]}: training diverges. "
                    f"Standardise the features, or lower learning_rate={self.learning_rate!r}."
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return losses

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the most probable class of each clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features, standardised as in `fit`.

        Returns
        -------
        ndarray of shape (n_clips,)
            Classes, as in `y` of `fit`.
        """
        winners = self._logits(X).argmax(axis=1)
        return self.classes_[winners]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features, standardised as in `fit`.

        Returns
        -------
        ndarray of shape (n_clips, n_classes)
            Probabilities, in the order of `classes_`.
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features, standardised as in `fit`.

        Returns
        -------
        ndarray of shape (n_clips, n_classes)
            Natural logarithms, in the order of `classes_`.
        """
        return log_softmax(self._logits(X), axis=1)

    def _logits(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False)
        for weights, intercepts in zip(self.coefs_[:-1], self.intercepts_[:-1], strict=True):
            x = np.maximum(x @ weights + intercepts, 0)
        return x @ self.coefs_[-1] + self.intercepts_[-1]

    def _checked_sizes(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        whole = isinstance(sizes, Sequence | np.ndarray) and all(
            isinstance(size, Integral) and size >= 1 for size in sizes
        )
        if not whole:
            raise ValueError(
                f"Got hidden_layer_sizes={sizes!r}, expected whole numbers of at least 1 such as "
                "(150, 150)."
            )
        return [int(size) for size in sizes]


def check_layers(classifier: DropoutMLPClassifier) -> None:
    """Check that the layers of a perceptron fit each other, its features and its classes.

    Parameters
    ----------
    classifier : DropoutMLPClassifier
        A classifier that was read from a file, fitted or not.

    Raises
    ------
    ValueError
        If a fitted classifier lacks attributes, or their shapes or values do not fit it.
    """
    sizes = classifier._checked_sizes()
    results: dict[str, Any] = {name: vars(classifier).get(name) for name in _RESULTS}
    if all(result is None for result in results.values()):
        return
    coefs, intercepts, losses, classes, n_features = results.values()
    if not isinstance(losses, list) or not all(type(loss) is float for loss in losses):
        raise ValueError("holds a DropoutMLPClassifier whose loss_curve_ is no list of numbers")
    if not isinstance(classes, np.ndarray) or classes.ndim != 1 or len(classes) < 2:
        raise ValueError("holds a DropoutMLPClassifier without classes_")
    widths = [n_features, *sizes, len(classes)]
    for arrays, shapes in ((coefs, pairwise(widths)), (intercepts, ((n,) for n in widths[1:]))):
        whole = isinstance(arrays, list) and all(isinstance(array, np.ndarray) for array in arrays)
        expected = [(np.float32, shape) for shape in shapes]
        if not whole or [(array.dtype, array.shape) for array in arrays] != expected:
            raise ValueError(f"holds a DropoutMLPClassifier whose layers are not of {widths} units")
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError("holds a DropoutMLPClassifier with NaN or infinity in its layers")


def _first_weights(
    n_inputs: int, n_outputs: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw the weights of a layer, (n_inputs, n_outputs); its intercepts are 0."""
    bound = (6 / (n_inputs + n_outputs)) ** 0.5
    weights = torch.empty(n_inputs, n_outputs, dtype=torch.float32)
    weights.uniform_(-bound, bound, generator=generator)
    intercepts = torch.zeros(n_outputs, dtype=torch.float32)
    return weights.requires_grad_(), intercepts.requires_grad_()
