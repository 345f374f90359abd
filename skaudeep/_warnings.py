"""What warnings and other messages share: the line they point at, and foreign text in them."""

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


def printable(text: object) -> str:
    """Return a text that somebody else wrote, in a form that a terminal only displays.

    Names of files, cells of tables and messages of libraries may hold escape sequences, which
    change what a terminal shows or does, line breaks, which forge lines of a report, or marks that
    reverse the direction of writing. Every message and table shows such a text either by `repr`,
    as in `f"{name!r}"`, or through this function.

    Parameters
    ----------
    text : object
        The text, or what its `str` is.

    Returns
    -------
    str
        The text as it is where all of it is printable, else as a literal of Python, in quotes.

    Examples
    --------
    >>> printable("bark.wav")
    'bark.wav'
    >>> print(printable("bark\\a.wav"))
    'bark\\x07.wav'
    """
    text = str(text)
    return text if text.isprintable() else repr(text)
