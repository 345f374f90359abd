"""Tables of events: Raven, Audacity, Praat and CSV, in and out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from skaudeep.formats import load_annotations, save_annotations

FORMATS = {
    "csv": "a.csv",
    "audacity": "a.txt",
    "raven": "a.selections.txt",
    "textgrid": "a.TextGrid",
}
PLAIN = ["file", "start", "end", "label"]


@pytest.fixture
def events() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "file": "night.wav",
            "start": [0.5, 1.5, 40000.25],
            "end": [1.25, 2.0, 40001.0],
            "label": ['tawny "owl", calling', "05", "NA"],  # no number and no gap
            "score": [0.5, 0.75, 1.0],
        }
    )


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("name", FORMATS.values())
def test_what_is_saved_is_loaded_again(events, name, tmp_path):
    assert save_annotations(events, tmp_path / name) == [tmp_path / name]
    loaded = load_annotations(tmp_path / name, file="night.wav")
    loaded = loaded.sort_values("start", ignore_index=True)
    kept = ["score"] if name.endswith((".csv", ".selections.txt")) else []
    pd.testing.assert_frame_equal(loaded[PLAIN + kept], events[PLAIN + kept])


def test_csv_keeps_every_bit_and_every_character(events, tmp_path):
    strange = events.assign(start=events.start / 3, label=["a\tb", "c\r\nd", "e\rf"])
    save_annotations(strange, tmp_path / "a.csv")
    pd.testing.assert_frame_equal(load_annotations(tmp_path / "a.csv"), strange)


@pytest.mark.parametrize("name", FORMATS.values())
def test_a_table_without_events_is_saved_and_loaded(events, name, tmp_path):
    save_annotations(events[:0], tmp_path / name)
    assert load_annotations(tmp_path / name).shape == (0, 5)


# its own use of pandas
no_warning = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")


@no_warning
@pytest.mark.parametrize(("kind", "name"), list(FORMATS.items())[1:])
def test_crowsetta_reads_what_is_saved(events, kind, name, tmp_path):
    crowsetta = pytest.importorskip("crowsetta")
    # labels that it reads as they are: it takes 05 for 5, and NA for nothing
    events = events.assign(label=["tawny owl", "crow", "owl"])
    (path,) = save_annotations(events, tmp_path / name)
    formats = {"audacity": "aud-seq"}
    read = crowsetta.Transcriber(format=formats.get(kind, kind)).from_file(path).to_annot()
    if kind == "raven":
        found = [(box.onset, box.offset, box.label) for box in read.bboxes]
    else:
        sequences = read.seq if isinstance(read.seq, list) else [read.seq]
        segments = [segment for sequence in sequences for segment in sequence.segments]
        found = sorted((s.onset_s, s.offset_s, s.label) for s in segments)
    assert found == list(events[["start", "end", "label"]].itertuples(index=False, name=None))


@no_warning
@pytest.mark.parametrize("name", ["marron1", "Recording1", "AVO-maea-basic"])
def test_examples_of_crowsetta_are_read_as_crowsetta_reads_them(name, tmp_path):
    crowsetta = pytest.importorskip("crowsetta")
    path = Path(crowsetta.example(name, return_path=True))
    ours = load_annotations(path)
    formats = {"marron1": "aud-seq", "Recording1": "raven", "AVO-maea-basic": "textgrid"}
    options = {"annot_col": "Species"} if name == "Recording1" else {}
    theirs = crowsetta.Transcriber(format=formats[name]).from_file(path, **options)
    if name == "Recording1":
        expected = [(box.onset, box.offset, box.label) for box in theirs.to_bbox()]
    elif name == "marron1":
        expected = list(zip(theirs.start_times, theirs.end_times, theirs.labels, strict=True))
    else:
        tiers = [tier for tier in theirs.tiers if hasattr(tier, "intervals")]
        expected = [(i.xmin, i.xmax, i.text) for tier in tiers for i in tier.intervals]
    assert list(ours[["start", "end", "label"]].itertuples(index=False, name=None)) == expected


def test_other_formats_are_left_to_crowsetta(tmp_path):
    pytest.importorskip("crowsetta")
    path = write(tmp_path, "a.csv", "onset_s,offset_s,label\n0.5,1.0,owl\n")
    loaded = load_annotations(path, "simple-seq", file="a.wav")
    assert loaded[PLAIN].to_numpy().tolist() == [["a.wav", 0.5, 1.0, "owl"]]


def test_an_unknown_format_is_refused(events, tmp_path):
    with pytest.raises(ValueError, match="format='elan', expected one of 'raven'"):
        save_annotations(events, tmp_path / "a.csv", "elan")


def test_raven_lists_a_selection_once_for_each_view_and_several_recordings(tmp_path):
    head = "Selection\tView\tBegin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tSpecies\n"
    rows = (
        "1\tWaveform 1\t0.5\t1\ta.wav\t0.5\towl\n"
        "1\tSpectrogram 1\t0.5\t1\ta.wav\t0.5\towl\n"
        '2\tSpectrogram 1\t61\t62.5\tb.wav\t1\t"crow\n'
    )
    loaded = load_annotations(write(tmp_path, "x.Table.1.selections.txt", head + rows))
    expected = [["a.wav", 0.5, 1.0, "owl"], ["b.wav", 1.0, 2.5, '"crow']]
    assert loaded[PLAIN].to_numpy().tolist() == expected


def test_audacity_marks_frequencies_and_decimal_commas(tmp_path):
    track = write(tmp_path, "a.txt", "0,5\t1,0\towl\n\\\t100\t2000\n2\t3\t\n")
    assert load_annotations(track)[PLAIN].to_numpy().tolist() == [
        ["a", 0.5, 1.0, "owl"],
        ["a", 2.0, 3.0, ""],
    ]


def test_the_recording_beside_a_table_gives_its_name_and_its_length(events, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    soundfile.write("night.wav", np.zeros(8000), 4000)
    save_annotations(events[:1], "night.TextGrid")
    assert load_annotations("night.TextGrid")["file"].tolist() == ["night.wav"]
    assert "xmax = 2.000000" in Path("night.TextGrid").read_text()
    save_annotations(events[:1], "night.selections.txt")
    assert "\t2000.0\tnight.wav\t" in Path("night.selections.txt").read_text()
    assert load_annotations("night.selections.txt", file="b.wav")["file"].tolist() == ["b.wav"]


def test_a_folder_gets_a_table_for_each_recording(events, tmp_path):
    events = events.assign(file=["a.wav", "b.wav", "a.wav"])
    written = save_annotations(events, tmp_path, "audacity")
    assert [path.name for path in written] == ["a.txt", "b.txt"]
    assert load_annotations(written[0])["label"].tolist() == ['tawny "owl", calling', "NA"]
    with pytest.raises(ValueError, match=r"2 recordings, 'a.wav', 'b.wav', for 'c.txt'"):
        save_annotations(events, tmp_path / "c.txt")
    with pytest.raises(ValueError, match=r"both be called 'a.txt'"):
        save_annotations(events.assign(file=["x/a.wav", "y/a.wav", "b"]), tmp_path, "audacity")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "0\t1\towl\n3\t2\tcrow\n", "'crow' of 'a' from 3 to 2 s in line 2 of a.txt"),
        ("a.txt", "0\t1\towl\n-1\t2\tcrow\n", "from -1 to 2 s in line 2 of a.txt"),
        ("a.txt", "0\tnan\towl\n", "from 0 to nan s in line 1 of a.txt"),
        ("a.txt", "0\tone\towl\n", "'one' as end in line 1 of 'a.txt'"),
        ("a.txt", "owl\n", "'owl' in line 1 of 'a.txt', expected start, end and label"),
        ("a.csv", "file,start,label\na,1,owl\n", "'end' 0 times in 'a.csv'"),
        ("a.csv", "file,start,end,label\na,1,2,owl,3\n", "5 cells in line 2 of 'a.csv'"),
        ("a.csv", 'file,start,end,label\na,1,2,"owl\n', "broken quoting near line 2 of 'a.csv'"),
        ("a.csv", "", "'a.csv', which is empty"),
        ("a.csv", "file,start,end,label\na,1,,owl\n", "'' as end in line 2"),
        ("a.csv", "file,start,end,label\na,1,2\n", "3 cells in line 2 of 'a.csv'"),
        (
            "a.csv",
            "file,start,end,label\na,1,2,owl\n,3,4,crow\n",
            "no file for the event 'crow' at 3 s in line 3 of 'a.csv'",
        ),
        ("a.txt", "Begin Time (s)\tEnd Time (s)\n1\t2\n", "'Annotation' 0 times"),
        ("a.TextGrid", 'File type = "ooTextFile"\n"TextGrid" 0 1 <exists> 1', "near line 2"),
        ("a.TextGrid", "", "which is no whole TextGrid"),
        ("a.doc", "x", "whose ending says no format"),
        ("a.txt", "0\t1\t\0", "'a.txt', which is no text"),
    ],
)
def test_a_bad_table_is_refused_with_its_name_and_the_place(name, text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        load_annotations(write(tmp_path, name, text))


def test_a_file_name_that_is_no_text_is_saved(events, tmp_path):
    save_annotations(events.assign(file="a\udcff.wav"), tmp_path / "a.csv")
    assert b"a\xff.wav,0.5," in (tmp_path / "a.csv").read_bytes()


def test_labels_that_a_format_cannot_hold_are_refused(events, tmp_path):
    with pytest.raises(ValueError, match=r"label 'a\\x1b' of the event at 0.5 s"):
        save_annotations(events.assign(label="a\x1b"), tmp_path / "a.txt")
    with pytest.raises(ValueError, match=r"file 'a\\tb' of the event at 0 s"):
        save_annotations(events.assign(file="a\tb"), tmp_path / "a.selections.txt")
    overlapping = events.assign(label="owl", end=[1.75, 2.0, 40001.0])
    with pytest.raises(ValueError, match=r"two events 'owl' at once, the second from 1.5 to 2 s"):
        save_annotations(overlapping, tmp_path / "a.TextGrid")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": [2.0, 1, 1]}, "'tawny \"owl\", calling' of 'night.wav' from 2 to 1.25 s"),
        ({"label": [1, "a", "b"]}, "1 as label in row 0"),
        ({"end": ["x", 2, 3]}, "'end' of the table of events that are no numbers"),
    ],
)
def test_a_table_that_is_none_of_events_is_refused(events, change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        save_annotations(events.assign(**change), tmp_path / "a.csv")


def test_a_table_without_a_column_is_refused(events, tmp_path):
    with pytest.raises(ValueError, match=r"without 'label', expected the columns 'file'"):
        save_annotations(events.drop(columns="label"), tmp_path / "a.csv")
