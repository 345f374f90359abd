"""Corpora from the network: downloaded once, checked, unpacked, read."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path

from sklearn.datasets import get_data_home
from sklearn.utils import Bunch

from skaudeep.datasets.archives import unpack
from skaudeep.datasets.corpora import SOURCES, Archive
from skaudeep.datasets.dcase import load_dcase
from skaudeep.datasets.esc import load_esc
from skaudeep.datasets.gtzan import load_gtzan
from skaudeep.datasets.urbansound import load_urbansound8k


def fetch_esc10(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
) -> Bunch:
    """Load ESC-10, downloading ESC-50 (650 MB), of which it is a part, if that is not there.

    The same as :func:`fetch_esc50`, which see, for the 400 clips in ten classes that may be used
    commercially.

    Parameters
    ----------
    data_home : str or Path, default=None
        Where data sets are kept, as in :func:`fetch_esc50`.
    download_if_missing : bool, default=True
        Whether to download what is missing, as in :func:`fetch_esc50`.
    n_retries : int >= 0, default=3
        How often to try again, as in :func:`fetch_esc50`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        What :func:`load_esc` returns with `subset="esc10"`.

    Raises
    ------
    ImportError, OSError, ValueError
        As :func:`fetch_esc50`.

    Examples
    --------
    >>> from skaudeep.datasets import fetch_esc10
    >>> esc10 = fetch_esc10()  # doctest: +SKIP
    """
    return load_esc(_fetch("esc-50", data_home, download_if_missing, n_retries), subset="esc10")


def fetch_esc50(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
) -> Bunch:
    """Load ESC-50, downloading it (650 MB) if it is not there.

    What is downloaded is one revision of the corpus, checked by its checksum and unpacked by
    :func:`~skaudeep.datasets.archives.unpack`. An interrupted download leaves nothing that a later
    call would take for the corpus. Needs pooch: `pip install 'skaudeep[datasets]'`.

    Parameters
    ----------
    data_home : str or Path, default=None
        Where data sets are kept; the corpus gets a folder below `skaudeep` there. None: where
        scikit-learn keeps them, `~/scikit_learn_data` or what the environment variable
        SCIKIT_LEARN_DATA says.
    download_if_missing : bool, default=True
        Whether to download the corpus if it is not there. False raises OSError then.
    n_retries : int >= 0, default=3
        How often to try again where a download fails.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        What :func:`load_esc` returns: 2,000 clips in 50 classes and five folds.

    Raises
    ------
    ImportError
        If something is to be downloaded and pooch is missing.
    OSError
        If the corpus is missing and must not, or cannot, be downloaded.
    ValueError
        If what was downloaded cannot be unpacked safely, or `n_retries` is no count.

    Examples
    --------
    >>> from skaudeep.datasets import fetch_esc50
    >>> esc50 = fetch_esc50()  # doctest: +SKIP
    """
    return load_esc(_fetch("esc-50", data_home, download_if_missing, n_retries))


def fetch_urbansound8k(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
) -> Bunch:
    """Load UrbanSound8K, downloading it (6 GB) if it is not there.

    Parameters
    ----------
    data_home : str or Path, default=None
        Where data sets are kept, as in :func:`fetch_esc50`.
    download_if_missing : bool, default=True
        Whether to download what is missing, as in :func:`fetch_esc50`.
    n_retries : int >= 0, default=3
        How often to try again, as in :func:`fetch_esc50`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        What :func:`load_urbansound8k` returns: 8,732 clips in ten classes and ten folds.

    Raises
    ------
    ImportError, OSError, ValueError
        As :func:`fetch_esc50`.

    Examples
    --------
    >>> from skaudeep.datasets import fetch_urbansound8k
    >>> urbansound8k = fetch_urbansound8k()  # doctest: +SKIP
    """
    path = _fetch("urbansound8k", data_home, download_if_missing, n_retries)
    return load_urbansound8k(path)


def fetch_tut2017(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
) -> Bunch:
    """Load TUT Acoustic Scenes 2017, development set, downloading it (11 GB) if it is not there.

    Parameters
    ----------
    data_home : str or Path, default=None
        Where data sets are kept, as in :func:`fetch_esc50`.
    download_if_missing : bool, default=True
        Whether to download what is missing, as in :func:`fetch_esc50`. The corpus comes in eleven
        archives; those that are there already are not downloaded again.
    n_retries : int >= 0, default=3
        How often to try again, as in :func:`fetch_esc50`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        What :func:`load_dcase` returns: 4,680 stereo clips in 15 classes and four folds.

    Raises
    ------
    ImportError, OSError, ValueError
        As :func:`fetch_esc50`.

    Examples
    --------
    >>> from skaudeep.datasets import fetch_tut2017
    >>> scenes = fetch_tut2017()  # doctest: +SKIP
    """
    return load_dcase(_fetch("tut2017", data_home, download_if_missing, n_retries))


def fetch_gtzan(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
) -> Bunch:
    """Load GTZAN, downloading it (1.2 GB) if it is not there.

    Parameters
    ----------
    data_home : str or Path, default=None
        Where data sets are kept, as in :func:`fetch_esc50`.
    download_if_missing : bool, default=True
        Whether to download what is missing, as in :func:`fetch_esc50`. Several hosts are tried.
    n_retries : int >= 0, default=3
        How often to try again with each host, as in :func:`fetch_esc50`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        What :func:`load_gtzan` returns: 999 of the 1,000 clips in ten classes, with a warning
        that names the other.

    Raises
    ------
    ImportError, OSError, ValueError
        As :func:`fetch_esc50`.

    Examples
    --------
    >>> from skaudeep.datasets import fetch_gtzan
    >>> gtzan = fetch_gtzan()  # doctest: +SKIP
    """
    return load_gtzan(_fetch("gtzan", data_home, download_if_missing, n_retries))


def _fetch(
    key: str, data_home: str | os.PathLike[str] | None, download_if_missing: bool, n_retries: int
) -> Path:
    """Return the folder of a corpus, which is complete wherever it exists."""
    if not isinstance(n_retries, Integral) or n_retries < 0:
        raise ValueError(f"Got n_retries={n_retries!r}, expected an integer >= 0.")
    source = SOURCES[key]
    home = Path(get_data_home(data_home), "skaudeep")
    folder, downloads = home / key, home / f"{key}-archives"
    if not folder.is_dir():
        if not download_if_missing:
            raise OSError(
                f"Got download_if_missing=False, and there is no {str(folder)!r}. Give True to "
                f"download {source.size}, or data_home= where the corpus is."
            )
        archives = [_download(archive, downloads, n_retries) for archive in source.archives]
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


def _download(archive: Archive, folder: Path, n_retries: int) -> Path:
    """Return the path of an archive whose checksum is right."""
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            "Downloading corpora needs pooch. Install it with: pip install 'skaudeep[datasets]'"
        ) from error

    failures = []
    for url in archive.urls:
        registry = pooch.create(
            path=folder,
            base_url="",
            registry={archive.name: archive.checksum},
            urls={archive.name: url},
            retry_if_failed=n_retries,
        )
        try:
            return Path(registry.fetch(archive.name))
        except (OSError, ValueError) as error:  # ValueError: another checksum
            failures.append(f"{url} ({error})")
    raise OSError(
        f"Could not download {archive.name!r} from {' nor from '.join(failures)}. Check the "
        f"connection and try again, or put the file into {str(folder)!r} yourself."
    )
