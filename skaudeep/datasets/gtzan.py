"""Reader of GTZAN, the musical genres of Tzanetakis and Cook (2002)."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

from skaudeep._warnings import find_stack_level
from skaudeep.datasets.bunch import make_bunch
from skaudeep.datasets.corpora import CORPORA
from skaudeep.datasets.files import check_folder, join, list_audio
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

FOLDERS = ("genres", "genres_original")
_CLIP = re.compile(r"(?P<genre>[^/]+)/(?P=genre)\.\d{5}\.\w+")
# In all known copies of the corpus, this file holds only noise after its header.
_CORRUPT = "jazz.00054."


def load_gtzan(
    path: str | os.PathLike[str], *, keep_corrupt: bool = False, return_X_y: bool = False
) -> BunchOrXy:
    """Load GTZAN [1]_ from disk: clips such as `genres/blues/blues.00000.wav`.

    No clip is opened. The corpus has no folds: use `StratifiedKFold`, as the auDeep paper does. It
    has repeated clips, wrong labels and distortions, see [2]_.

    Parameters
    ----------
    path : str or Path
        The folder that holds `genres` (or `genres_original`), or that folder itself.
    keep_corrupt : bool, default=False
        Whether to keep `jazz.00054`, which cannot be decoded in the usual copies of the corpus. Set
        it to True if your copy is repaired.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds the names of classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, sorted by file name. `data` holds paths that
        begin with `path` as it is given here, `target_names` the genres in alphabetical order.
        There are no folds and partitions, and groups are unknown.

    Raises
    ------
    FileNotFoundError
        If there is neither folder, or a file in it that is not named as the clips of GTZAN are.

    Warns
    -----
    UserWarning
        If `jazz.00054` is left out.

    See Also
    --------
    fetch_gtzan : Download the corpus first.

    References
    ----------
    .. [1] G. Tzanetakis, P. Cook, "Musical Genre Classification of Audio Signals", IEEE
           Transactions on Speech and Audio Processing 10(5), 2002.
           https://doi.org/10.1109/TSA.2002.800560
    .. [2] B. L. Sturm, "The GTZAN dataset: Its contents, its faults, their effects on evaluation,
           and its future use", 2013. https://arxiv.org/abs/1306.1461

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import load_gtzan
    >>> with TemporaryDirectory() as folder:
    ...     for name in ["blues/blues.00000.wav", "jazz/jazz.00001.wav"]:
    ...         clip = Path(folder, "genres", name)
    ...         clip.parent.mkdir(parents=True)
    ...         clip.touch()
    ...     bunch = load_gtzan(folder)
    >>> bunch.filenames.tolist(), bunch.target_names
    (['genres/blues/blues.00000.wav', 'genres/jazz/jazz.00001.wav'], ['blues', 'jazz'])
    """
    root = check_folder(path)
    prefix = find_genres(root)
    if prefix is None:
        raise FileNotFoundError(
            f"Found neither 'genres' nor 'genres_original' in {str(root)!r}, expected the folder "
            "of GTZAN with clips such as 'genres/blues/blues.00000.wav'."
        )
    names = list_audio(root / prefix)
    matches = [_CLIP.fullmatch(name) for name in names]
    genres = []
    for name, match in zip(names, matches, strict=True):
        if match is None:
            raise FileNotFoundError(
                f"Got file {name!r} in {str(root / prefix)!r}, expected clips such as "
                "'blues/blues.00000.wav' only. Move it away, or use load_folder."
            )
        genres.append(match["genre"])

    corrupt = [name for name in names if name.split("/")[1].startswith(_CORRUPT)]
    if corrupt and not keep_corrupt:
        warnings.warn(
            f"{corrupt[0]!r} in {str(root / prefix)!r} is left out: it cannot be decoded in the "
            "copies of GTZAN that circulate. Give keep_corrupt=True if yours is repaired.",
            stacklevel=find_stack_level(),
        )
        kept = [i for i, name in enumerate(names) if name not in corrupt]
        names, genres = [names[i] for i in kept], [genres[i] for i in kept]
    classes = sorted(set(genres))
    names = [str(Path(prefix, name).as_posix()) for name in names]
    return bunch_or_X_y(
        make_bunch(
            join(root, names),
            names,
            target=[classes.index(genre) for genre in genres],
            target_names=classes,
            descr=CORPORA["gtzan"].describe(len(names), len(classes)),
        ),
        return_X_y,
    )


def find_genres(root: Path) -> str | None:
    """Return the folder of the genres relative to `root`, None where there is none."""
    for folder in FOLDERS:
        if (root / folder).is_dir():
            return folder
    return "." if root.absolute().name in FOLDERS else None
