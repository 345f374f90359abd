"""The type of data sets: scikit-learn's Bunch, which stays one when it is copied or joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn import utils


class Bunch(utils.Bunch):
    """A :class:`~sklearn.utils.Bunch` whose copies and unions with a dict are of the same type.

    Those of scikit-learn are plain dicts, in which values are no attributes any more.

    Examples
    --------
    >>> from skaudeep.datasets import make_bunch
    >>> birds = make_bunch(["a.wav", "b.wav"], ["a.wav", "b.wav"])
    >>> labelled = birds | {"target": [0, 1], "target_names": ["crow", "owl"]}
    >>> labelled.target, birds.copy().target_names
    ([0, 1], [])
    """

    def __or__(self, other: Any) -> Any:
        if not isinstance(other, Mapping):
            return NotImplemented
        return _joined(self, other)

    def __ror__(self, other: Any) -> Any:
        if not isinstance(other, Mapping):
            return NotImplemented
        return _joined(other, self)

    def copy(self) -> Any:
        """Return a Bunch of the same values, which are not copied.

        Returns
        -------
        :class:`~sklearn.utils.Bunch`
        """
        return _joined(self)


def _joined(*parts: Mapping[Any, Any]) -> Bunch:
    whole = Bunch()
    for part in parts:
        whole.update(part)
    return whole
