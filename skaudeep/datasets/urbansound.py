"""Reader of UrbanSound8K, the urban sounds of Salamon, Jacoby and Bello (2014)."""

from __future__ import annotations

import os
from pathlib import Path

from skaudeep.datasets.bunch import fold_columns_or_warn, make_bunch, number_classes
from skaudeep.datasets.corpora import CORPORA
from skaudeep.datasets.delimited import read_columns
from skaudeep.datasets.files import below, check_files, check_folder, join, warn_unlisted
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

# The table and the folder of the folds beside it, as the corpus and as Kaggle lay them out.
LAYOUTS = {"metadata/UrbanSound8K.csv": "audio", "UrbanSound8K.csv": ""}


def load_urbansound8k(path: str | os.PathLike[str], *, return_X_y: bool = False) -> BunchOrXy:
    r"""Load UrbanSound8K [1]_ from disk: a table, and clips in ten folders, one per fold.

    No clip is opened. Use the ten given folds: clips cut from one recording share a fold, and
    results on other splits cannot be compared with published ones.

    Parameters
    ----------
    path : str or Path
        The folder that holds `metadata/UrbanSound8K.csv` and `audio/fold1` to `audio/fold10`; or,
        as Kaggle lays it out, `UrbanSound8K.csv` and `fold1` to `fold10`.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, groups and the names of classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, in the order of the table. `data` holds
        paths that begin with `path` as it is given here, `target_names` the classes in the order of
        their `classID`, `folds` the given folds in the order of their numbers, `groups` the number
        of the Freesound recording (`fsID`) from which a clip was cut. There are no partitions.

    Raises
    ------
    FileNotFoundError
        If the table, or clips that it lists, are missing.
    ValueError
        If the table is broken or contradicts itself.

    Warns
    -----
    UserWarning
        If there are clips that the table does not list (they are left out), or if all clips
        belong to one fold (`folds` and `cv` stay empty).

    See Also
    --------
    fetch_urbansound8k : Download the corpus first.

    References
    ----------
    .. [1] J. Salamon, C. Jacoby, J. P. Bello, "A Dataset and Taxonomy for Urban Sound Research",
           Proc. 22nd ACM International Conference on Multimedia, 2014.
           https://doi.org/10.1145/2647868.2655045

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import load_urbansound8k
    >>> with TemporaryDirectory() as folder:
    ...     for name in ["fold1/7061-6-0-0.wav", "fold5/100032-3-0-0.wav"]:
    ...         clip = Path(folder, "audio", name)
    ...         clip.parent.mkdir(parents=True)
    ...         clip.touch()
    ...     table = Path(folder, "metadata", "UrbanSound8K.csv")
    ...     table.parent.mkdir()
    ...     size = table.write_text(
    ...         "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
    ...         "100032-3-0-0.wav,100032,0.0,0.32,1,5,3,dog_bark\n"
    ...         "7061-6-0-0.wav,7061,0.0,2.1,1,1,6,gun_shot\n")
    ...     bunch = load_urbansound8k(folder)
    >>> bunch.target_names, bunch.groups.tolist(), len(bunch.cv)
    (['dog_bark', 'gun_shot'], ['100032', '7061'], 2)
    """
    root = check_folder(path)
    source = find_table(root)
    if source is None:
        raise FileNotFoundError(
            f"Found no {' or '.join(LAYOUTS)} in {str(root)!r}, expected the folder of "
            "UrbanSound8K, which holds 'metadata' and 'audio'."
        )
    folder = LAYOUTS[source]
    table = read_columns(root / source, ["slice_file_name", "fsID", "fold", "classID", "class"])
    clips = table["slice_file_name"]
    for clip, fold in zip(clips, table["fold"], strict=True):
        if not fold.isdecimal():
            raise ValueError(
                f"Got fold {fold!r} for clip {clip!r} in {source}, expected a whole number."
            )
    names = [
        below(root, f"{folder}/fold{fold}/{clip}".lstrip("/"))
        for clip, fold in zip(clips, table["fold"], strict=True)
    ]
    check_files(root, names, source)
    warn_unlisted(root, folder, names, source)
    target, target_names = number_classes(table["classID"], table["class"], clips, source)
    folds, fold_names = fold_columns_or_warn(table["fold"], root)
    return bunch_or_X_y(
        make_bunch(
            join(root, names),
            names,
            target=target,
            target_names=target_names,
            folds=folds,
            fold_names=fold_names,
            groups=table["fsID"],
            descr=CORPORA["urbansound8k"].describe(len(names), len(target_names)),
        ),
        return_X_y,
    )


def find_table(root: Path) -> str | None:
    """Return the path of the table relative to `root`, None where there is none."""
    return next((table for table in LAYOUTS if (root / table).is_file()), None)
