"""Downloads of archives: verified by checksums, and bounded in size and in time."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from skaudeep._files import BLOCK, temporary_folder
from skaudeep._texts import printable

if TYPE_CHECKING:
    from skaudeep.datasets.corpora import Archive

TIMEOUT = 30  # seconds without an answer
# A download is ended if the server sends fewer bytes per second than this over this many seconds.
SLOWEST = 1000
PATIENCE = 60


def download(archive: Archive, folder: Path, n_retries: int, n_bytes: float) -> Path:
    """Download an archive, unless it is there, and verify its checksum.

    Parameters
    ----------
    archive : Archive
        The archive and its addresses, which are tried one after another.
    folder : Path
        Folder for the archive; it is created where it is missing.
    n_retries : int >= 0
        Number of further attempts with each address where one fails.
    n_bytes : float
        Largest size. A download is ended where a server sends more.

    Returns
    -------
    Path
        The archive, in `folder`.

    Raises
    ------
    ImportError
        If pooch is missing.
    OSError
        If no address has the archive.
    """
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            "Downloading corpora needs pooch. Install it with: pip install 'skaudeep[datasets]'"
        ) from error

    path = folder / archive.name
    if _has_checksum(path, archive.checksum):
        return path
    folder.mkdir(parents=True, exist_ok=True)

    def receive(url: str, file: str, _: Any) -> None:
        _receive(url, file, n_bytes)

    failures = []
    for url in archive.urls:
        # A killed download leaves such a folder, which the next download deletes.
        with temporary_folder(path) as temporary:
            registry = pooch.create(
                path=temporary,
                base_url="",
                registry={archive.name: archive.checksum},
                urls={archive.name: url},
                retry_if_failed=n_retries,
            )
            try:
                os.replace(registry.fetch(archive.name, downloader=receive), path)
            except (OSError, ValueError) as error:  # ValueError: another checksum
                failures.append(f"{url} ({printable(error)})")
            else:
                return path
    raise OSError(
        f"Could not download {archive.name!r} from {' nor from '.join(failures)}. Check the "
        f"connection and try again, or put the file into {str(folder)!r} yourself."
    )


def _has_checksum(path: Path, checksum: str) -> bool:
    if not path.is_file():
        return False
    algorithm, digest = checksum.split(":")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == digest


def _receive(url: str, path: str, n_bytes: float) -> None:
    """Write what a server sends into a file; end at a server that sends too much or too slowly."""
    import requests

    with (
        open(path, "wb") as file,
        requests.get(url, timeout=TIMEOUT, stream=True) as response,
    ):
        response.raise_for_status()
        received = 0
        begun, before = monotonic(), 0
        while block := _read(response):
            file.write(block)
            received += len(block)
            if received > n_bytes:
                raise OSError(f"the server sends more than the {n_bytes:.0f} bytes expected")
            now = monotonic()
            if now - begun >= PATIENCE:
                if received - before < SLOWEST * PATIENCE:
                    raise OSError(
                        f"the server sent {received - before} bytes in {now - begun:.0f} s"
                    )
                begun, before = now, received


def _read(response: Any) -> bytes:
    """Return the bytes of an answer that have come, b"" at its end."""
    import requests
    import urllib3

    try:
        return response.raw.read1(BLOCK, decode_content=True)
    except urllib3.exceptions.HTTPError as error:  # pooch repeats what ends with those of requests
        raise requests.ConnectionError(str(error)) from error
