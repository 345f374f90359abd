"""Download corpora, verify and unpack them, and read them."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path

from sklearn.datasets import get_data_home

from skaudeep._files import delete_leftovers
from skaudeep.datasets.archives import unpack
from skaudeep.datasets.corpora import SOURCES
from skaudeep.datasets.dcase import load_dcase
from skaudeep.datasets.download import download
from skaudeep.datasets.esc import load_esc
from skaudeep.datasets.gtzan import load_gtzan
from skaudeep.datasets.urbansound import load_urbansound8k
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

MARGIN = 1.1  # stated sizes are rounded


def fetch_esc10(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    return_X_y: bool = False,
) -> BunchOrXy:
    """Load ESC-10, downloading ESC-50 (650 MB), of which it is a part, if that is not there.

    The 400 clips in ten classes may be used commercially. The download is that of
    :func:`fetch_esc50`.

    Parameters
    ----------
    data_home : str or Path, default=None
        Folder of data sets. The corpus is stored in the folder `skaudeep` inside it. None is
        scikit-learn's folder of data sets: `~/scikit_learn_data`, or the value of the environment
        variable SCIKIT_LEARN_DATA.
    download_if_missing : bool, default=True
        Whether to download a missing corpus. If False, a missing corpus raises an OSError.
    n_retries : int >= 0, default=3
        Number of further attempts after a failed download.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, groups and the names of classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set that :func:`load_esc` returns with `subset="esc10"`.

    Raises
    ------
    ImportError
        If the corpus must be downloaded and pooch is not installed.
    OSError
        If the corpus is missing and `download_if_missing` is False, or the download fails.
    ValueError
        If the download cannot be unpacked safely, or `n_retries` is not an integer of at least 0.

    Examples
    --------
    >>> from skaudeep.datasets import fetch_esc10
    >>> esc10 = fetch_esc10()  # doctest: +SKIP
    """
    return bunch_or_X_y(
        load_esc(_fetch("esc-50", data_home, download_if_missing, n_retries), subset="esc10"),
        return_X_y,
    )


def fetch_esc50(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    return_X_y: bool = False,
) -> BunchOrXy:
    """Load ESC-50, downloading it (650 MB) if it is not there.

    One revision of the corpus is downloaded, verified by its checksum and unpacked. An interrupted
    download is never mistaken for the corpus. Needs pooch: `pip install 'skaudeep[datasets]'`.

    Parameters
    ----------
    data_home : str or Path, default=None
        Folder of data sets. The corpus is stored in the folder `skaudeep` inside it. None is
        scikit-learn's folder of data sets: `~/scikit_learn_data`, or the value of the environment
        variable SCIKIT_LEARN_DATA.
    download_if_missing : bool, default=True
        Whether to download a missing corpus. If False, a missing corpus raises an OSError.
    n_retries : int >= 0, default=3
        Number of further attempts after a failed download.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, groups and the names of classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set that :func:`load_esc` returns: 2,000 clips in 50 classes and five folds.

    Raises
    ------
    ImportError
        If the corpus must be downloaded and pooch is not installed.
    OSError
        If the corpus is missing and `download_if_missing` is False, or the download fails.
    ValueError
        If the download cannot be unpacked safely, or `n_retries` is not an integer of at least 0.

    Examples
    --------
    >>> from skaudeep.datasets import fetch_esc50
    >>> esc50 = fetch_esc50()  # doctest: +SKIP
    """
    return bunch_or_X_y(
        load_esc(_fetch("esc-50", data_home, download_if_missing, n_retries)), return_X_y
    )


def fetch_urbansound8k(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    return_X_y: bool = False,
) -> BunchOrXy:
    """Load UrbanSound8K, downloading it (6 GB) if it is not there.

    Parameters
    ----------
    data_home : str or Path, default=None
        Folder of data sets. The corpus is stored in the folder `skaudeep` inside it. None is
        scikit-learn's folder of data sets: `~/scikit_learn_data`, or the value of the environment
        variable SCIKIT_LEARN_DATA.
    download_if_missing : bool, default=True
        Whether to download a missing corpus. If False, a missing corpus raises an OSError.
    n_retries : int >= 0, default=3
        Number of further attempts after a failed download.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, groups and the names of classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set that :func:`load_urbansound8k` returns: 8,732 clips in ten classes and ten
        folds.

    Raises
    ------
    ImportError
        If the corpus must be downloaded and pooch is not installed.
    OSError
        If the corpus is missing and `download_if_missing` is False, or the download fails.
    ValueError
        If the download cannot be unpacked safely, or `n_retries` is not an integer of at least 0.

    Examples
    --------
    >>> from skaudeep.datasets import fetch_urbansound8k
    >>> urbansound8k = fetch_urbansound8k()  # doctest: +SKIP
    """
    path = _fetch("urbansound8k", data_home, download_if_missing, n_retries)
    return bunch_or_X_y(load_urbansound8k(path), return_X_y)


def fetch_tut2017(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    return_X_y: bool = False,
) -> BunchOrXy:
    """Load TUT Acoustic Scenes 2017, development set, downloading it (11 GB) if it is not there.

    Parameters
    ----------
    data_home : str or Path, default=None
        Folder of data sets. The corpus is stored in the folder `skaudeep` inside it. None is
        scikit-learn's folder of data sets: `~/scikit_learn_data`, or the value of the environment
        variable SCIKIT_LEARN_DATA.
    download_if_missing : bool, default=True
        Whether to download a missing corpus. If False, a missing corpus raises an OSError. The
        corpus consists of eleven archives; those that are there already are not downloaded again.
    n_retries : int >= 0, default=3
        Number of further attempts after a failed download of an archive.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, groups and the names of classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set that :func:`load_dcase` returns: 4,680 stereo clips in 15 classes and four
        folds.

    Raises
    ------
    ImportError
        If the corpus must be downloaded and pooch is not installed.
    OSError
        If the corpus is missing and `download_if_missing` is False, or the download fails.
    ValueError
        If the download cannot be unpacked safely, or `n_retries` is not an integer of at least 0.

    Examples
    --------
    >>> from skaudeep.datasets import fetch_tut2017
    >>> scenes = fetch_tut2017()  # doctest: +SKIP
    """
    return bunch_or_X_y(
        load_dcase(_fetch("tut2017", data_home, download_if_missing, n_retries)), return_X_y
    )


def fetch_gtzan(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    return_X_y: bool = False,
) -> BunchOrXy:
    """Load GTZAN, downloading it (1.2 GB) if it is not there.

    Parameters
    ----------
    data_home : str or Path, default=None
        Folder of data sets. The corpus is stored in the folder `skaudeep` inside it. None is
        scikit-learn's folder of data sets: `~/scikit_learn_data`, or the value of the environment
        variable SCIKIT_LEARN_DATA.
    download_if_missing : bool, default=True
        Whether to download a missing corpus. If False, a missing corpus raises an OSError. Several
        hosts are tried.
    n_retries : int >= 0, default=3
        Number of further attempts with each host after a failed download.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, groups and the names of classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set that :func:`load_gtzan` returns: 999 of the 1,000 clips in ten classes, with
        a warning that names the other one.

    Raises
    ------
    ImportError
        If the corpus must be downloaded and pooch is not installed.
    OSError
        If the corpus is missing and `download_if_missing` is False, or the download fails.
    ValueError
        If the download cannot be unpacked safely, or `n_retries` is not an integer of at least 0.

    Examples
    --------
    >>> from skaudeep.datasets import fetch_gtzan
    >>> gtzan = fetch_gtzan()  # doctest: +SKIP
    """
    return bunch_or_X_y(
        load_gtzan(_fetch("gtzan", data_home, download_if_missing, n_retries)), return_X_y
    )


def _fetch(
    key: str, data_home: str | os.PathLike[str] | None, download_if_missing: bool, n_retries: int
) -> Path:
    """Return the folder of a corpus, which is complete wherever it exists."""
    if not isinstance(n_retries, Integral) or n_retries < 0:
        raise ValueError(f"Got n_retries={n_retries!r}, expected an integer >= 0.")
    source = SOURCES[key]
    home = Path(get_data_home(data_home), "skaudeep")
    folder, downloads = home / key, home / f"{key}-archives"
    delete_leftovers(home)  # left by processes that were killed while they unpacked
    if not folder.is_dir():
        if not download_if_missing:
            raise OSError(
                f"Got download_if_missing=False, and there is no {str(folder)!r}. Give True to "
                f"download {_size(source.n_bytes)}, or data_home= where the corpus is."
            )
        limit = MARGIN * source.n_bytes
        archives = [download(archive, downloads, n_retries, limit) for archive in source.archives]
        try:
            unpack(archives, folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster
                raise
        for archive in archives:
            archive.unlink(missing_ok=True)
        if not any(downloads.iterdir()):
            downloads.rmdir()
    return folder / source.folder


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:g} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:g} MB"
