"""What version of skaudeep a pickle is of."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from skaudeep import __version__


class PickleVersionWarning(InconsistentVersionWarning):
    """An estimator was pickled by another version of skaudeep.

    Parameters
    ----------
    estimator_name, current_version, original_version : str
    """

    def __init__(self, *, estimator_name: str, current_version: str, original_version: str):
        super().__init__(
            estimator_name=estimator_name,
            current_sklearn_version=current_version,
            original_sklearn_version=original_version,
        )

    def __str__(self) -> str:
        return (
            f"Got a {self.estimator_name} pickled by skaudeep {self.original_sklearn_version}, "
            f"expected {self.current_sklearn_version}: it may break or give other features. Load "
            "it with its own version, and store it with skaudeep.save."
        )


class VersionMixin:
    """Lets the pickles of an estimator carry skaudeep's version, and warn where it is another.

    It stands first among the bases, as scikit-learn's `BaseEstimator` does the same for its own.

    Examples
    --------
    >>> import pickle
    >>> from skaudeep import SpectrogramExtractor
    >>> b"_skaudeep_version" in pickle.dumps(SpectrogramExtractor())
    True
    """

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()  # `BaseEstimator`'s, never None
        return {**state, "_skaudeep_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        original = state.pop("_skaudeep_version", "before 0.1")
        if original != __version__:
            warnings.warn(
                PickleVersionWarning(
                    estimator_name=type(self).__name__,
                    current_version=__version__,
                    original_version=original,
                ),
                stacklevel=2,
            )
        super().__setstate__(state)  # type: ignore[misc]
