"""Files that are whole or not there, whatever happens to their writers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skaudeep._files import check_writable, replacing


def test_check_writable_names_a_folder_without_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(PermissionError, match=r"a\.nc.*in whose folder you may not write"):
        check_writable(tmp_path / "a.nc")


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


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nobody knows who is alive")
def test_replacing_deletes_temporary_files_of_killed_writers_only(tmp_path: Path):
    def start(name: str, end: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path / name, end],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    start("a", "dies").communicate()
    start("b", "dies").communicate()
    assert len(list(tmp_path.glob(".*.tmp"))) == 2
    with start("a", "waits") as living:
        assert living.stdout is not None
        its = Path(living.stdout.readline().strip())
        assert len(list(tmp_path.glob(".*.tmp"))) == 2  # its own, and that for another path
        with replacing(tmp_path / "a") as new:
            new.write_text("whole")
            assert its.exists()
        assert (tmp_path / "a").read_text() == "whole"
        living.communicate("")
    assert (tmp_path / "a").read_text() == "half"  # the last one wins
