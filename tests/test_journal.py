"""What a journal keeps, whatever happens to it."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep import _journal
from skaudeep._journal import Journal, record

ROW = np.ones((2, 3), np.float32)


@settings(deadline=None, max_examples=100)
@given(
    shapes=st.integers(2, 3).flatmap(
        lambda ndim: st.lists(
            st.lists(st.integers(1, 4), min_size=ndim, max_size=ndim), min_size=1, max_size=5
        )
    ),
    damage=st.floats(0, 1, exclude_max=True),
    flip=st.booleans(),
)
def test_journal_keeps_complete_rows_and_drops_those_after_damage(
    tmp_path_factory: pytest.TempPathFactory, shapes: list[list[int]], damage: float, flip: bool
):
    path = tmp_path_factory.getbasetemp() / "journal"
    path.unlink(missing_ok=True)
    rows = [np.random.default_rng(i).normal(size=shape) for i, shape in enumerate(shapes)]
    rows = [row.astype(np.float32) for row in rows]

    def check(journal: Journal, i: int) -> None:
        (row,) = journal.read([i])
        np.testing.assert_array_equal(row, rows[i])

    ends = []
    with Journal(path, "task", len(rows)) as journal:
        head = path.stat().st_size
        for i, row in enumerate(rows):
            journal.append([record(i, row, 8000.0)])
            ends.append(path.stat().st_size)
    content = bytearray(path.read_bytes())
    place = head + int(damage * (len(content) - head))
    if flip:
        content[place] ^= 1
    path.write_bytes(content if flip else content[:place])
    whole = [end <= place for end in ends]
    with Journal(path, "task", len(rows)) as journal:
        assert journal.done.tolist() == whole
        for i in np.flatnonzero(whole):
            check(journal, i)
        journal.append([record(i, rows[i], 8000.0) for i in np.flatnonzero(~np.array(whole))])
    with Journal(path, "task", len(rows)) as journal:
        assert journal.done.all()
        assert journal.rates.tolist() == [8000.0] * len(rows)
        for i in range(len(rows)):
            check(journal, i)


@pytest.mark.parametrize("n_bytes", [0, 5, 30])
def test_journal_with_an_incomplete_header_starts_again(tmp_path: Path, n_bytes: int):
    with Journal(tmp_path / "journal", "task", 2):
        pass
    content = (tmp_path / "journal").read_bytes()
    (tmp_path / "journal").write_bytes(content[:n_bytes])
    with Journal(tmp_path / "journal", "task", 2) as journal:
        assert not journal.done.any()
    assert (tmp_path / "journal").read_bytes() == content


def test_journal_keeps_complete_records_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows = [np.full((2, 3), i, np.float32) for i in range(4)]
    records = [record(i, row, 8000.0) for i, row in enumerate(rows)]
    write = Journal._write

    def full(self: Journal, place: int, data: bytes) -> None:
        if place + len(data) > room:
            raise OSError(28, "No space left on device")
        write(self, place, data)

    with Journal(tmp_path / "journal", "task", 4) as journal:
        room = (tmp_path / "journal").stat().st_size + 2 * len(records[0]) + 1
        monkeypatch.setattr(Journal, "_write", full)
        with pytest.raises(OSError, match="No space left"):
            journal.append(records)
        assert journal.done.tolist() == [True, True, False, False]
        np.testing.assert_array_equal(journal.read([1, 0]), [rows[1], rows[0]])
        monkeypatch.undo()
        journal.append(records[2:])
        np.testing.assert_array_equal(journal.read(range(4)), rows)


def test_journal_returns_the_last_record_of_a_row(tmp_path: Path):
    first, second = np.zeros((2, 3), np.float32), np.ones((4, 3), np.float32)
    with Journal(tmp_path / "journal", "task", 1) as journal:
        journal.append([record(0, first, 8000.0, 7)])
        journal.append([record(0, second, 16000.0, -8)])
    with Journal(tmp_path / "journal", "task", 1) as journal:
        assert (journal.fingerprints[0], journal.rates[0]) == (-8, 16000)
        np.testing.assert_array_equal(journal.read([0])[0], second)


def test_journal_has_one_writer_at_a_time(tmp_path: Path):
    with Journal(tmp_path / "journal", "task", 1) as journal:
        with (
            pytest.raises(BlockingIOError, match="another process"),
            Journal(tmp_path / "journal", "task", 1),
        ):
            pass
        journal.append([record(0, ROW, 8000.0)])
    with Journal(tmp_path / "journal", "task", 1) as journal:
        assert journal.done.all()


def test_journal_notices_a_second_writer_where_files_have_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_journal, "try_lock", lambda file: None)
    with (
        Journal(tmp_path / "journal", "task", 4) as first,
        Journal(tmp_path / "journal", "task", 4) as second,
    ):
        first.append([record(0, ROW, 8000.0)])
        with pytest.raises(BlockingIOError, match="another process"):
            second.append([record(1, ROW, 8000.0)])
        first.append([record(2, ROW, 8000.0)])
    with Journal(tmp_path / "journal", "task", 4) as journal:
        assert journal.done.tolist() == [True, False, True, False]


def test_journal_that_was_deleted_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path, lock, calls = tmp_path / "journal", _journal.try_lock, []

    def late(file: object) -> bool | None:
        if not calls:  # the process that had it finishes between open and lock
            path.unlink()
        calls.append(file)
        return lock(file)

    monkeypatch.setattr(_journal, "try_lock", late)
    with Journal(path, "task", 1) as journal:
        journal.append([record(0, ROW, 8000.0)])
        assert path.exists()
    assert len(calls) == 2


@pytest.mark.skipif(os.name != "posix", reason="needs links and pipes")
@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_journal_refuses_what_is_no_regular_file(tmp_path: Path, kind: str):
    path = tmp_path / "journal"
    (tmp_path / "theirs").touch()
    {"link": lambda: path.symlink_to("theirs"), "folder": path.mkdir}.get(
        kind, lambda: os.mkfifo(path)
    )()
    with pytest.raises(OSError, match="journal: is a link, a folder"), Journal(path, "task", 1):
        pass
    assert (tmp_path / "theirs").stat().st_size == 0


@pytest.mark.parametrize("shape", [(2**40, 0, 3), (0, 2**40, 0)])
def test_journal_drops_rows_of_shapes_that_the_file_does_not_hold(
    tmp_path: Path, shape: tuple[int, ...]
):
    with Journal(tmp_path / "journal", "task", 1):
        pass
    head = _journal._RECORD.pack(0, 8000.0, 0, *shape, 0)[:-4]
    with open(tmp_path / "journal", "ab") as file:
        file.write(head + zlib.crc32(head).to_bytes(4, "little"))
    with Journal(tmp_path / "journal", "task", 1) as journal:
        assert not journal.done.any()
        assert not journal.shapes.any()


def test_journal_that_another_process_removes_while_it_is_opened_is_made_anew(
    tmp_path, monkeypatch
):
    path = tmp_path / "a.nc.partial"
    path.touch()
    lstat = os.lstat

    def removed_meanwhile(name, **options):
        path.unlink(missing_ok=True)
        return lstat(name, **options)

    monkeypatch.setattr("skaudeep._journal.os.path.lexists", lambda name: True)
    monkeypatch.setattr("skaudeep._journal.os.lstat", removed_meanwhile)
    with Journal(path, "task", 3) as journal:
        monkeypatch.undo()
        assert not journal.done.any()
    assert path.is_file()
