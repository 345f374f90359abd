"""Handling of texts from outside: arrays of them in memory, and their display in messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

# NumPy is imported where it is used: `skaudeep --help` does not need it.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# NumPy gives each text of an array the room of the longest, 4 bytes a character. An array is as
# large as its texts are, within reason, where one of these holds.
SMALL_ARRAY = 2**22  # characters of the whole array
SMALL_TEXT = 512  # characters of the longest text
SPREAD = 16  # ratio of the longest text to the mean

SHOWN_TEXT = 80  # characters of a text in a message
SHOWN_NAMES = 10
COMPARED_NAMES = 10_000  # names among which similar ones are looked for


def text_array(texts: Sequence[object], what: str) -> NDArray[np.str_]:
    """Return an array of str, unless one long text would make it many times larger than its texts.

    Parameters
    ----------
    texts : sequence of object
        The texts, or what their `str` is.
    what : str
        What the texts are, for the message: "filenames", "column 'who' of 'clips.csv'".

    Returns
    -------
    ndarray of shape (n_texts,) of str
        The texts.

    Raises
    ------
    ValueError
        If a text is out of proportion to the others. The message tells which.

    Examples
    --------
    >>> text_array(["a", "bc"], "groups")
    array(['a', 'bc'], dtype='<U2')
    """
    import numpy as np

    check_proportion(texts, what)
    return np.array([str(text) for text in texts], dtype=str)


def check_proportion(texts: Sequence[object], what: str) -> None:
    """Raise a ValueError if an array of these texts would be many times larger than they are."""
    lengths = [len(str(text)) for text in texts]
    longest = max(lengths, default=0)
    if longest <= SMALL_TEXT or longest * len(lengths) <= max(SMALL_ARRAY, SPREAD * sum(lengths)):
        return
    row = lengths.index(longest)
    raise ValueError(
        f"Got a text of {longest} characters in {what}, {shown(texts[row])} at position {row}, "
        f"while all {len(lengths)} texts have {sum(lengths)} together, expected names of similar "
        "length. Shorten it; in a table, look for a quote that is not closed."
    )


def printable(text: object) -> str:
    r"""Return a text from outside in a form that cannot control a terminal.

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
        The text unchanged if it is printable, else as a literal of Python, in quotes.

    Examples
    --------
    >>> printable("bark.wav")
    'bark.wav'
    >>> print(printable("bark\a.wav"))
    'bark\x07.wav'
    """
    text = str(text)
    return text if text.isprintable() else repr(text)


def shown(text: object) -> str:
    """Return a text as messages show it: as a literal of Python, cut if it is long.

    Examples
    --------
    >>> shown("a" * 200)[-10:]
    "aaaaaa'..."
    """
    text = str(text)
    return repr(text) if len(text) <= SHOWN_TEXT else repr(text[:SHOWN_TEXT]) + "..."


def list_names(names: Iterable[object], wanted: object = None) -> str:
    """List names for a message: all of a few, or the ones most similar to a wanted name.

    Parameters
    ----------
    names : iterable of object
        The names, or what their `str` is.
    wanted : object, default=None
        A name that is not among them.

    Returns
    -------
    str
        The names as literals, and how many there are where not all are listed.

    Examples
    --------
    >>> list_names(["a", "b"])
    "'a', 'b'"
    >>> list_names([f"mfcc_{i}" for i in range(1000)], "mfcc-7")
    "'mfcc_7', 'mfcc_97', 'mfcc_87', ... (the most similar of 1000)"
    """
    texts = [str(name) for name in names]
    if len(texts) <= SHOWN_NAMES:
        return ", ".join(map(shown, texts)) or "none"
    some = []
    if wanted is not None and len(str(wanted)) <= SHOWN_TEXT:
        pool = [text for text in texts[:COMPARED_NAMES] if len(text) <= SHOWN_TEXT]
        some = get_close_matches(str(wanted), pool, n=3)
    if some:
        return f"{', '.join(map(shown, some))}, ... (the most similar of {len(texts)})"
    return f"{', '.join(map(shown, texts[:SHOWN_NAMES]))}, ... (the first of {len(texts)})"
