"""The stack level with which a warning points to the line of the user's code."""

from __future__ import annotations

import os
import pickle
import sys

PACKAGE_FOLDER = os.path.dirname(os.path.abspath(__file__))
# Libraries whose frames may stand between the user's line and skaudeep.
LIBRARIES = ("sklearn", "joblib")


def find_stack_level() -> int:
    """Return the `stacklevel` with which :func:`warnings.warn` names the user's line.

    That is the innermost frame whose file does not belong to skaudeep, scikit-learn, joblib or
    :mod:`pickle`. Where there is none, as in a worker thread, it is the outermost frame. From
    Python 3.12 on, `skip_file_prefixes` of :func:`warnings.warn` does the same; skaudeep still
    runs on 3.11.

    Returns
    -------
    int >= 1
        Number of frames from the caller of this function, which is 1, to the user's.

    Examples
    --------
    >>> from skaudeep._warnings import find_stack_level
    >>> find_stack_level()  # this line belongs to no file of skaudeep
    1
    """
    folders = [PACKAGE_FOLDER]
    for name in LIBRARIES:  # not imported here: a library that is not loaded has no frames
        path = getattr(sys.modules.get(name), "__file__", None)
        if path is not None:
            folders.append(os.path.dirname(path))
    inside = (*(folder + os.sep for folder in folders), pickle.__file__)
    frame = sys._getframe(1)
    level = 1
    while frame.f_code.co_filename.startswith(inside) and frame.f_back is not None:
        frame = frame.f_back
        level += 1
    return level
