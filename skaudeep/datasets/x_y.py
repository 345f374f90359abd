"""Data sets as scikit-learn's X and y."""

from __future__ import annotations

import warnings
from typing import Any, TypeAlias

from sklearn.utils import Bunch

from skaudeep._warnings import find_stack_level
from skaudeep.datasets.operations import is_labelled

# What a reader with `return_X_y` returns. Any keeps type checkers from asking which of the two.
BunchOrXy: TypeAlias = Bunch | Any


def bunch_or_X_y(bunch: Bunch, return_X_y: bool) -> BunchOrXy:
    """Return a data set, or its data and target, as `return_X_y` of a reader says.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set.
    return_X_y : bool
        Whether to return data and target.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`, or (data, target)
        The data set, or two of its values.

    Warns
    -----
    UserWarning
        If some clips are labelled and others are not, which X and y alone do not tell.
    """
    if not return_X_y:
        return bunch
    labelled = is_labelled(bunch)
    if labelled.any() and not labelled.all():
        nothing = "NaN" if bunch.target.dtype.kind == "f" else "-1"
        warnings.warn(
            f"{(~labelled).sum()} of {len(labelled)} clips are unlabelled: their y is {nothing}, "
            "which most classifiers take for a class of its own, or refuse. Leave them out before "
            "you fit one, or load the Bunch (return_X_y=False): evaluate leaves them out.",
            stacklevel=find_stack_level(),
        )
    return bunch.data, bunch.target
