"""Files of predictions: whole or absent, and an interrupted command goes on where it stopped."""

import csv
import io
import json
import os
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest

from skaudeep.cli.errors import CommandError
from skaudeep.cli.predictions import JsonLines, PredictionFile, Table

HOSTILE = [
    "a.wav",
    'say "hi".wav',
    "tab\there.wav",
    "line\nbreak.wav",
    "return\r.wav",
    "\udcff.wav",
    "ü\u2028.wav",
]


def frame_of(names, failed=()):
    """Return predictions as predict_clips gives them."""
    frame = pd.DataFrame({"file": names, "label": ["owl"] * len(names)})
    frame[["crow", "owl"]] = [[0.25, 0.75]] * len(names)
    frame.loc[frame.file.isin(failed), ["label", "crow", "owl"]] = ["", np.nan, np.nan]
    frame.attrs["errors"] = {
        row: ValueError(f"{name}: broken") for row, name in enumerate(names) if name in failed
    }
    return frame


FORMS = {
    "table": lambda: Table(["file", "label", "crow", "owl"]),
    "json": lambda: JsonLines(["crow", "owl"]),
}


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]()


def test_whole_rows_are_found_wherever_writing_stopped(form):
    rows = [form.rows(frame_of([name], failed=["a.wav"])) for name in HOSTILE]
    text = form.head() + "".join(rows)
    whole = form.read(text)
    assert (whole.text, whole.n_rows, whole.n_failed) == (text, len(HOSTILE), 1)
    ends = np.cumsum([len(form.head()), *map(len, rows)])
    for end in range(len(form.head()), len(text)):
        kept = form.read(text[:end])
        assert kept.n_rows == np.searchsorted(ends, end, side="right") - 1
        assert kept.text == text[: ends[kept.n_rows]]


@pytest.mark.parametrize("kind", ["table", "json"])
def test_pieces_have_their_times_before_the_label(kind):
    frame = frame_of(["a.wav", "b.wav"], failed=["b.wav"])
    frame.insert(1, "start", [0.5, 12.25])
    frame.insert(2, "end", [2.0, np.nan])
    keys = ["file", "start", "end"]
    if kind == "table":
        form = Table([*keys, "label", "crow", "owl"], n_keys=3)
        expected = "a.wav\t0.5\t2\towl\t0.2500\t0.7500\nb.wav\t12.25\t\t\t\t\n"
        assert form.rows(frame) == expected
    else:
        form = JsonLines(["crow", "owl"], keys=keys)
        first, second = map(json.loads, form.rows(frame).splitlines())
        assert list(first) == [*keys, "label", "probabilities"]
        assert (second["start"], second["end"], second["label"]) == (12.25, None, None)
    text = form.head() + form.rows(frame)
    assert form.read(text) == (text, 2, 1)


def test_hostile_names_stay_whole_in_a_table_and_harmless_on_a_terminal():
    text = Table(["file", "label", "crow", "owl"]).rows(frame_of(HOSTILE))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
    assert [row[0] for row in rows] == HOSTILE
    shown = Table(["file", "label", "crow", "owl"], for_terminal=True).rows(frame_of(["\x1b[2J"]))
    assert "\x1b" not in shown


def test_the_file_appears_when_it_is_whole(tmp_path, form):
    file, partial = tmp_path / "out.tsv", tmp_path / "out.tsv.partial"
    with PredictionFile(file, "task", form) as sink:
        sink.write(frame_of(["a.wav"]))
        assert partial.exists()
        assert not file.exists()
    assert not partial.exists()
    assert file.read_text() == form.head() + form.rows(frame_of(["a.wav"]))


def interrupt(file, task, form, n_clips, *, failed=()):
    sink = PredictionFile(file, task, form).__enter__()
    for name in HOSTILE[:n_clips]:
        sink.write(frame_of([name], failed))
    sink.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)


def test_the_same_task_goes_on_behind_the_whole_rows(tmp_path, form):
    file, partial = tmp_path / "out.tsv", tmp_path / "out.tsv.partial"
    interrupt(file, "task", form, 4, failed=["a.wav"])
    with open(partial, "r+b") as torn:
        torn.truncate(partial.stat().st_size - 3)
    with PredictionFile(file, "task", form) as sink:
        assert (sink.n_rows, sink.n_failed) == (3, 1)
        for name in HOSTILE[3:]:
            sink.write(frame_of([name]))
    rows = "".join(form.rows(frame_of([name], ["a.wav"])) for name in HOSTILE)
    expected = (form.head() + rows).encode("utf-8", "surrogateescape")
    assert file.read_bytes() == expected


def test_nothing_is_said_of_an_interruption_before_the_first_clip(tmp_path, form, capsys):
    file = tmp_path / "out.tsv"
    with suppress(KeyboardInterrupt), PredictionFile(file, "task", form):
        raise KeyboardInterrupt
    with PredictionFile(file, "task", form) as sink:
        assert sink.n_rows == 0
    assert capsys.readouterr().err == ""


def test_another_task_starts_anew_with_a_note(tmp_path, form, capsys):
    file = tmp_path / "out.tsv"
    interrupt(file, "task", form, 4)
    with PredictionFile(file, "other task", form) as sink:
        assert sink.n_rows == 0
        sink.write(frame_of(["b.wav"]))
    assert "starting anew" in capsys.readouterr().err
    assert file.read_text() == form.head() + form.rows(frame_of(["b.wav"]))


def test_a_file_of_somebody_else_is_not_touched(tmp_path, form):
    partial = tmp_path / "out.tsv.partial"
    partial.write_text("mine")
    with pytest.raises(CommandError, match="written by something else"):
        PredictionFile(tmp_path / "out.tsv", "task", form).__enter__()
    assert partial.read_text() == "mine"


@pytest.mark.skipif(os.name != "posix", reason="files have no locks here")
def test_two_commands_do_not_write_one_file(tmp_path, form):
    first = PredictionFile(tmp_path / "out.tsv", "task", form)
    with first, pytest.raises(CommandError, match="another process"):
        PredictionFile(tmp_path / "out.tsv", "task", form).__enter__()


def test_a_model_without_probabilities_has_labels_alone():
    frame = frame_of(["a.wav", "b.wav"], failed=["b.wav"])[["file", "label"]]
    frame.attrs["errors"] = {1: ValueError("broken")}
    table = Table(["file", "label"])
    assert table.rows(frame) == "a.wav\towl\nb.wav\t\n"
    assert table.read(table.head() + table.rows(frame)).n_failed == 1
    lines = JsonLines([]).rows(frame).splitlines()
    assert lines == [
        '{"file": "a.wav", "label": "owl", "probabilities": {}}',
        '{"file": "b.wav", "label": null, "error": "broken"}',
    ]


def test_rows_of_a_class_that_is_called_error_are_no_failures():
    form = JsonLines(["error", "owl"])
    frame = frame_of(["a.wav"]).rename(columns={"crow": "error"})
    assert form.read(form.rows(frame)).n_failed == 0
