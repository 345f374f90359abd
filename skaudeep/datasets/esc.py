"""Reader of ESC-10 and ESC-50, the environmental sounds of Piczak (2015)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from skaudeep.datasets.bunch import fold_columns_or_warn, make_bunch, number_classes
from skaudeep.datasets.corpora import CORPORA
from skaudeep.datasets.delimited import read_columns
from skaudeep.datasets.files import (
    below,
    check_files,
    check_folder,
    join,
    list_audio,
    warn_unlisted,
)
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

_TABLE = "meta/esc50.csv"
# 001 - Dog bark/1-100032-A.ogg: class number and name, fold, Freesound recording, take
_CLIP = re.compile(r"(?P<number>\d+) - (?P<category>[^/]+)/(?P<fold>\d+)-(?P<source>\d+)-\w+\.\w+")


class _Row(NamedTuple):
    filename: str
    number: str
    category: str
    fold: str
    source: str


def load_esc(
    path: str | os.PathLike[str], *, subset: str | None = None, return_X_y: bool = False
) -> BunchOrXy:
    """Load ESC-10 or ESC-50 [1]_ from disk, in either of the layouts they were published in.

    Two layouts are recognised: today's, with a table `meta/esc50.csv` next to a folder `audio`, and
    that of 2015, with folders such as `001 - Dog bark` and clips such as `1-100032-A.ogg`. No clip
    is opened.

    Parameters
    ----------
    path : str or Path
        The folder of the corpus.
    subset : {"esc10"}, default=None
        "esc10" keeps the clips that the table marks as ESC-10. A folder of ESC-10 in the layout of
        2015 is kept whole; ESC-50 in that layout does not state which clips are ESC-10, so that
        "esc10" is an error. None keeps every clip.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, groups and the names of classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, in the order of the table, or, in the layout
        of 2015, sorted by file name. `data` holds paths that begin with `path` as it is given here,
        `target_names` the classes that occur in the order of their numbers in the corpus, `folds`
        the given folds (five in the whole corpus), `groups` the number of the Freesound recording
        from which a clip was cut. There are no partitions.

    Raises
    ------
    FileNotFoundError
        If `path` has neither layout, or files are missing that the table lists.
    ValueError
        If `subset` is unknown or cannot be determined, or the corpus contradicts itself.

    Warns
    -----
    UserWarning
        If there are clips that the table does not list (they are left out), or if all clips belong
        to one fold, as in an excerpt: then there is nothing to train on, and `folds` and `cv` stay
        empty.

    References
    ----------
    .. [1] K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", Proc. 23rd ACM
           International Conference on Multimedia, 2015. https://doi.org/10.1145/2733373.2806390

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import load_esc
    >>> with TemporaryDirectory() as folder:
    ...     for name in ["001 - Dog bark/1-100032-A.ogg", "002 - Rain/2-17367-B.ogg"]:
    ...         clip = Path(folder, name)
    ...         clip.parent.mkdir()
    ...         clip.touch()
    ...     esc10 = load_esc(folder)
    >>> esc10.target_names, esc10.groups.tolist(), len(esc10.cv)
    (['Dog bark', 'Rain'], ['100032', '17367'], 2)
    """
    if subset not in (None, "esc10"):
        raise ValueError(f"Got subset={subset!r}, expected None or 'esc10'.")
    root = check_folder(path)
    if (root / _TABLE).is_file():
        rows = _rows_from_table(root, subset)
        is_esc10 = subset is not None
    else:
        rows = _rows_from_names(root)
        # ESC-10 numbered its classes from 001, ESC-50 from 101.
        is_esc10 = all(int(row.number) <= 10 for row in rows)
        if subset is not None and not is_esc10:
            raise ValueError(
                f"Got subset={subset!r} for {str(root)!r}, which is ESC-50 without {_TABLE}, the "
                "table of the subset. Give subset=None to load every clip there."
            )

    names = [row.filename for row in rows]
    target, target_names = number_classes(
        [row.number for row in rows], [row.category for row in rows], names, repr(str(root))
    )
    folds, fold_names = fold_columns_or_warn([row.fold for row in rows], root)
    return bunch_or_X_y(
        make_bunch(
            join(root, names),
            names,
            target=target,
            target_names=target_names,
            folds=folds,
            fold_names=fold_names,
            groups=[row.source for row in rows],
            descr=CORPORA["esc-10" if is_esc10 else "esc-50"].describe(
                len(rows), len(target_names)
            ),
        ),
        return_X_y,
    )


def _rows_from_table(root: Path, subset: str | None) -> list[_Row]:
    wanted = ["filename", "target", "category", "fold", "src_file"]
    if subset is not None:
        wanted.append(subset)
    table = read_columns(root / _TABLE, wanted)
    keep = [True] * len(table["filename"])
    if subset is not None:
        keep = [value.strip().lower() == "true" for value in table[subset]]
    rows, listed = [], []
    for kept, name, number, category, fold, source in zip(
        keep, *(table[column] for column in wanted[:5]), strict=True
    ):
        if not fold.isdecimal():
            raise ValueError(
                f"Got fold {fold!r} for clip {name!r} in {str(root / _TABLE)!r}, expected a whole "
                "number."
            )
        listed.append("audio/" + below(root / "audio", name))
        if kept:
            rows.append(_Row(listed[-1], number, category, fold, source))
    if not rows:
        raise ValueError(f"Got subset={subset!r}, but no row of {str(root / _TABLE)!r} is in it.")
    check_files(root, [row.filename for row in rows], _TABLE)
    warn_unlisted(root, "audio", listed, _TABLE)
    return rows


def _rows_from_names(root: Path) -> list[_Row]:
    names = list_audio(root)
    matches = {name: _CLIP.fullmatch(name) for name in names}
    others = [name for name, match in matches.items() if match is None]
    if others:
        raise FileNotFoundError(
            f"Found neither layout of ESC in {str(root)!r}: there is no {_TABLE}, and "
            f"{len(others)} of {len(names)} audio files, first {others[0]!r}, are not named "
            "like '001 - Dog bark/1-100032-A.ogg'. Give the folder that holds one of the two, or "
            "use load_folder."
        )
    return [
        _Row(name, match["number"], match["category"], match["fold"], match["source"])
        for name, match in matches.items()
        if match is not None
    ]
