"""Files that are whole or not there, whatever happens to their writers."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skaudeep import _files
from skaudeep._files import alone, check_readable, check_writable, delete_leftovers, replacing

posix = pytest.mark.skipif(os.name != "posix", reason="links, modes and locks as POSIX has them")


def test_check_writable_names_a_folder_without_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(PermissionError, match=r"a\.nc.*in whose folder you may not write"):
        check_writable(tmp_path / "a.nc")


def test_check_writable_refuses_a_file_without_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "a.nc").touch()
    monkeypatch.setattr("os.access", lambda path, mode: path == tmp_path)
    with pytest.raises(PermissionError, match=r"a\.nc.*which may not be written"):
        check_writable(tmp_path / "a.nc")


def _make(kind: str, path: Path) -> None:
    if kind == "a folder":
        path.mkdir()
    elif kind == "a named pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as server:
            here = os.open(path.parent, os.O_RDONLY)  # the name of a socket must be short
            server.bind(f"/proc/self/fd/{here}/{path.name}")
            os.close(here)
    elif kind == "a broken link":
        path.symlink_to(path.name)
    else:
        path.symlink_to(os.devnull)


SPECIAL = ["a folder", "a named pipe", "a socket", "a device", "a broken link"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("kind", SPECIAL)
def test_replacing_refuses_what_is_no_regular_file(tmp_path: Path, kind: str):
    path = tmp_path / "a"
    _make(kind, path)
    before = os.lstat(path)
    with pytest.raises(OSError, match=f"a'.*which is {kind}, expected"), replacing(path) as new:
        new.touch()
    assert os.lstat(path).st_ino == before.st_ino
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("kind", SPECIAL[:-1])
def test_check_readable_refuses_what_is_no_regular_file(tmp_path: Path, kind: str):
    _make(kind, tmp_path / "a")
    with pytest.raises(OSError, match=f"a'.*which is {kind}, expected a model"):
        check_readable(tmp_path / "a", "a model")
    with pytest.raises(FileNotFoundError, match="'b', which does not exist, expected a model"):
        check_readable(Path("b"), "a model")


@posix
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o640])
def test_replacing_keeps_the_mode_of_a_file(tmp_path: Path, mode: int):
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(mode)
    with replacing(path) as new:
        new.write_text("new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
def test_replacing_gives_no_right_to_a_group_that_had_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(path: Path, owner: int, group: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    path = tmp_path / "a"
    path.touch()
    path.chmod(0o664)
    old = path.stat()
    theirs = os.stat_result((*old[:5], old.st_gid + 1, *old[6:]))
    monkeypatch.setattr("os.chown", refuse)
    its = Path.stat
    monkeypatch.setattr(
        Path, "stat", lambda self, **kw: theirs if self == path else its(self, **kw)
    )
    with replacing(path) as new:
        new.touch()
    monkeypatch.undo()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@posix
def test_replacing_follows_links(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    file, link = tmp_path / "folder" / "a", tmp_path / "latest"
    link.symlink_to("between")
    (tmp_path / "between").symlink_to("folder/a")
    for text in ("new", "newer"):  # of a file that does not exist yet, and of one that does
        with replacing(link) as new:
            new.write_text(text)
        assert link.is_symlink()
        assert file.read_text() == text
    file.unlink()
    file.parent.rmdir()
    with (
        pytest.raises(FileNotFoundError, match=r"latest', a link to '.*a', whose folder does not"),
        replacing(link),
    ):
        pass


@posix
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("named", [False, True])
def test_replacing_names_the_file_that_could_not_be_written(
    tmp_path: Path, number: int, named: bool
):
    path = tmp_path / "a"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as new:
            new.write_text("half")
            raise OSError(number, os.strerror(number), *([str(new)] if named else []))

    with pytest.raises(OSError, match=rf"{os.strerror(number)}: '.*/a'$") as caught:
        write()
    assert caught.value.errno == number
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_replacing_leaves_the_names_of_other_files_in_errors(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="other"), replacing(tmp_path / "a"):
        (tmp_path / "other").read_text()
    with pytest.raises(OSError, match=r"^no number$"), replacing(tmp_path / "a"):
        raise OSError("no number")


WRITER = """
import os, sys, time
from pathlib import Path
from skaudeep._files import replacing
with replacing(Path(sys.argv[1])) as new:
    new.write_text("half")
    print(new, flush=True)
    if sys.argv[2] == "dies":
        os._exit(1)
    sys.stdin.read()
"""


def _start(path: Path, end: str, *wrapper: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*wrapper, sys.executable, "-c", WRITER, path, end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def _living_writer(path: Path, *wrapper: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    with _start(path, "waits", *wrapper) as living:
        assert living.stdout is not None
        yield living, Path(living.stdout.readline().strip())


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nobody knows who is alive")
def test_replacing_deletes_temporary_files_of_killed_writers_only(tmp_path: Path):
    _start(tmp_path / "a", "dies").communicate()
    _start(tmp_path / "b", "dies").communicate()
    assert len(list(tmp_path.glob(".*.tmp"))) == 2
    with _living_writer(tmp_path / "a") as (living, its):
        assert len(list(tmp_path.glob(".*.tmp"))) == 2  # its own, and that for another path
        with replacing(tmp_path / "a") as new:
            new.write_text("whole")
            assert its.exists()
        assert (tmp_path / "a").read_text() == "whole"
        living.communicate("")
    assert (tmp_path / "a").read_text() == "half"  # the last one wins
    delete_leftovers(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


@posix
def test_delete_leftovers_keeps_what_a_living_process_writes(tmp_path: Path):
    with _living_writer(tmp_path / "a") as (living, its):
        delete_leftovers(tmp_path)
        assert its.exists()
        living.send_signal(signal.SIGKILL)
        living.wait()
        delete_leftovers(tmp_path)
        assert not its.exists()


@posix
def test_replacing_knows_writers_whose_process_numbers_it_does_not_see(tmp_path: Path):
    apart = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], stderr=-3).returncode:
        pytest.skip("no PID namespaces here")
    with _living_writer(tmp_path / "a", *apart) as (living, its):
        with replacing(tmp_path / "a") as new:
            new.write_text("whole")
        assert its.exists()
        living.communicate("")
    assert (tmp_path / "a").read_text() == "half"


@posix
@pytest.mark.parametrize("reason", ["no locks", "another machine", "no lock file"])
def test_leftovers_of_which_nothing_is_known_are_deleted_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
):
    _start(tmp_path / "a", "dies").communicate()
    (left,) = tmp_path.glob(".*.tmp")
    if reason == "no locks":

        def refuse(file: object, flags: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr("fcntl.flock", refuse)
    elif reason == "another machine":
        monkeypatch.setattr(_files, "node", lambda: "another")
    else:
        (left / "lock").unlink()
    with replacing(tmp_path / "a") as new:
        new.write_text("whole")
    assert left.exists()
    past = time.time() - _files.DAY - 60
    for path in left.iterdir():
        os.utime(path, (past, past))
    delete_leftovers(tmp_path)
    assert left.exists()  # the folder itself changed today
    os.utime(left, (past, past))
    delete_leftovers(tmp_path)
    assert not left.exists()


@posix
def test_tidying_passes_over_what_is_not_its_own(tmp_path: Path):
    with replacing(tmp_path / "a") as new:
        new.touch()
        name = new.parent.name
        start = name[:18]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "lock").touch()
    (tmp_path / f"{start}-{0:032x}.tmp").symlink_to("elsewhere")
    (tmp_path / f"{start}-{1:032x}.tmp").touch()
    (tmp_path / f"{start}-{2:032x}.tmp").mkdir()
    (tmp_path / f"{start}-{2:032x}.tmp" / "lock").mkdir()
    (tmp_path / f"{start}-{3:032x}.tmp").mkdir()
    os.mkfifo(tmp_path / f"{start}-{3:032x}.tmp" / "lock")
    for odd in (f"{start}-x-1.tmp", f"{start}-{10**30}-1.tmp", ".x.tmp"):
        (tmp_path / odd).mkdir()
    with replacing(tmp_path / "a") as new:
        new.write_text("whole")
    assert (tmp_path / "a").read_text() == "whole"
    assert (tmp_path / "elsewhere" / "lock").exists()
    assert (tmp_path / ".x.tmp").exists()
    delete_leftovers(tmp_path / "nowhere")


@posix
def test_a_folder_that_was_deleted_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lock, folders = _files.try_lock, []

    def late(file: object) -> bool | None:
        if not folders:  # another process tidies between the making of the file and its lock
            folders.extend(tmp_path.glob(".*.tmp"))
            (folders[0] / "lock").unlink()
        return lock(file)

    monkeypatch.setattr(_files, "try_lock", late)
    with replacing(tmp_path / "a") as new:
        assert new.parent not in folders
        new.write_text("whole")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(_files.fcntl is None, reason="needs locks of files")
def test_one_process_alone_works_for_a_path_and_a_lock_left_behind_keeps_nobody_out(tmp_path: Path):
    target = tmp_path / "a.nc"
    with alone(target):
        (lock,) = tmp_path.iterdir()
        refused = pytest.raises(BlockingIOError, match=r"a\.nc', which another process is writing")
        with refused, alone(target):
            pass
        with alone(tmp_path / "b.nc"):  # another one
            pass
    assert list(tmp_path.iterdir()) == []
    lock.touch()  # as a killed process leaves it
    with alone(target):
        pass
    assert list(tmp_path.iterdir()) == []
