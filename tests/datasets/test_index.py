"""Segments of recordings: from an index to a Bunch, and from there to spectrograms."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from skaudeep import SpectrogramExtractor
from skaudeep.datasets import load_index

LEVELS = ["file", "start", "end"]


def segments(*rows):
    return pd.MultiIndex.from_tuples(rows, names=LEVELS)


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    for name in ("a.wav", "b.wav", "in/c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_load_index_keeps_the_order_of_segments_and_names_them_by_their_times(corpus):
    index = segments(("b.wav", 1, 2.5), ("in/c.wav", 0, None), ("b.wav", 0, 1), ("a.wav", 3, None))
    bunch = load_index(index, root=corpus)
    assert bunch.filenames.tolist() == ["b.wav#t=1,2.5", "in/c.wav", "b.wav#t=0,1", "a.wav#t=3"]
    assert bunch.data.names == LEVELS
    file, start, end = bunch.data[0]
    assert (file, start, end) == (str(corpus / "b.wav"), pd.Timedelta("1s"), pd.Timedelta("2.5s"))
    assert bunch.data.get_level_values("end")[1] is pd.NaT
    assert bunch.target.tolist() == [-1] * 4
    assert bunch.DESCR == "4 segments of 3 files listed in the index"


@pytest.mark.parametrize("unit", ["seconds", "timedelta", "numpy", "text"])
def test_load_index_reads_times_in_all_documented_notations(corpus, unit):
    start = {
        "seconds": 0.5,
        "timedelta": pd.Timedelta(500, "ms"),
        "numpy": np.timedelta64(500, "ms"),
        "text": "0 days 00:00:00.500000",
    }[unit]
    data = load_index(segments(("a.wav", start, None), ("b.wav", start, None))).data
    assert [tuple(row[:2]) for row in data] == [
        ("a.wav", pd.Timedelta(500, "ms")),
        ("b.wav", pd.Timedelta(500, "ms")),
    ]


def test_load_index_starts_whole_files_and_missing_starts_at_zero(corpus):
    index = pd.Index(["a.wav", "b.wav"], name="file")
    assert load_index(index).filenames.tolist() == ["a.wav", "b.wav"]
    missing = load_index(segments(("a.wav", None, None), ("b.wav", float("nan"), 2.0)))
    assert missing.filenames.tolist() == ["a.wav", "b.wav#t=0,2"]
    assert missing.data.get_level_values("start").tolist() == [pd.Timedelta(0)] * 2


def test_load_index_needs_no_root_for_absolute_paths(corpus, monkeypatch):
    monkeypatch.chdir("/")
    paths = [str(corpus / name) for name in ("in/c.wav", "a.wav")]
    bunch = load_index(pd.Index(paths, name="file"))
    assert bunch.data.get_level_values("file").tolist() == paths
    assert bunch.filenames.tolist() == ["in/c.wav", "a.wav"]
    (corpus / "in/t.csv").write_text(f"file\n{paths[1]}\n")
    with pytest.raises(ValueError, match="not below"):  # a table is less trusted than code
        load_index(corpus / "in/t.csv")


def test_load_index_reads_labels_folds_partitions_and_groups_from_columns(corpus):
    frame = pd.DataFrame(
        {
            "call": ["owl", None, "crow"],
            "level": [0.5, np.nan, 2.0],
            "round": [1, 2, 1],
            "part": ["train", "dev", None],
            "bird": ["x", "x", "y"],
        },
        index=segments(("a.wav", 0, 1), ("a.wav", 1, 2), ("b.wav", 0, 1)),
    )
    bunch = load_index(frame, target="call", fold="round", partition="part", groups="bird")
    assert bunch.target_names == ["crow", "owl"]
    assert bunch.target.tolist() == [1, -1, 0]
    assert bunch.folds.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert bunch.partition.tolist() == ["train", "devel", ""]
    assert bunch.groups.tolist() == ["x", "x", "y"]
    np.testing.assert_array_equal(load_index(frame, target="level").target, [0.5, np.nan, 2])
    series = load_index(frame["call"], target="call", target_names=["owl", "crow"])
    assert series.target.tolist() == [0, -1, 1]


def test_load_index_reads_a_csv_file_of_audformat_as_text(corpus):
    text = (
        "file,start,end,speaker,emotion\n"
        "c.wav,0 days 00:00:00,0 days 00:00:01.500000,007,NA\n"
        "c.wav,1.5,,007,anger\n"
    )
    (corpus / "in/db.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    bunch = load_index(corpus / "in/db.csv", target="emotion", groups="speaker")
    assert bunch.filenames.tolist() == ["c.wav#t=0,1.5", "c.wav#t=1.5"]
    assert bunch.groups.tolist() == ["007", "007"]
    assert (bunch.target.tolist(), bunch.target_names) == ([-1, 0], ["anger"])
    assert bunch.data[0][0] == str(corpus / "in/c.wav")
    assert bunch.DESCR.endswith("db.csv")
    (corpus / "in/files.csv").write_text("file,label\nc.wav,x\n")
    assert load_index(corpus / "in/files.csv", target="label").filenames.tolist() == ["c.wav"]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([("a.wav", 2, 1)], ValueError, "segment of 'a.wav' from 2 s to 1 s, expected 0 <="),
        ([("a.wav", 1, 1)], ValueError, "from 1 s to 1 s"),
        ([("a.wav", -1, 1)], ValueError, "from -1 s to 1 s"),
        ([("a.wav", -1, None)], ValueError, "from -1 s to its end"),
        ([("a.wav", "soon", None)], ValueError, "time 'soon' for a segment of 'a.wav'"),
        # pandas makes 1e-9, 15 and 1e-6 seconds of these
        ([("a.wav", "0,1", None)], ValueError, "time '0,1' for a .* with a point"),
        ([("a.wav", "0 days 00:00:01,5", None)], ValueError, "time '0 days 00:00:01,5' for"),
        ([("a.wav", "1 000", None)], ValueError, "time '1 000' for a segment"),
        ([("a.wav", float("inf"), None)], ValueError, "time inf for a segment of 'a.wav'"),
        ([("a.wav", 0, 1), ("./a.wav", 0.0, 1.0)], ValueError, "first 'a.wav#t=0,1'"),
        ([("../a.wav", 0, 1)], ValueError, "not below"),
        ([("a.wav", 0, 1), ("no.wav", 0, 1)], FileNotFoundError, "1 of the 2 files .*'no.wav'"),
    ],
)
def test_load_index_refuses_impossible_segments(corpus, rows, error, message):
    with pytest.raises(error, match=message):
        load_index(segments(*rows))


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=40) | st.text('a.wv,0days:1-e?"\n', max_size=30).map(str.encode))
def test_load_index_reads_or_refuses_any_text_without_another_error(tmp_path_factory, content):
    table = tmp_path_factory.getbasetemp() / "fuzz-index.csv"
    table.write_bytes(b"file,start,end\nfuzz-index.csv,0,1\n" + content)
    try:
        first, message = load_index(table).filenames[0], ""
    except (ValueError, FileNotFoundError) as error:
        first, message = "", str(error)
    assert first == "fuzz-index.csv#t=0,1" or message.startswith(("Got ", "Found "))


def test_load_index_refuses_objects_that_are_no_index(corpus):
    with pytest.raises(TypeError, match="type list, expected a pandas Index"):
        load_index([("a.wav", 0, 1)])
    with pytest.raises(ValueError, match=r"levels \[None\], expected .*Use load_table"):
        load_index(pd.DataFrame({"file": ["a.wav"]}))
    with pytest.raises(ValueError, match="without rows"):
        load_index(segments(("a.wav", 0, 1))[:0])
    with pytest.raises(ValueError, match="column 'call', which occurs 0 times"):
        load_index(segments(("a.wav", 0, 1)), target="call")
    with pytest.raises(ValueError, match="task='ranking', expected None"):
        load_index(segments(("a.wav", 0, 1)), task="ranking")
    with pytest.raises(ValueError, match="without target="):
        load_index(segments(("a.wav", 0, 1)), target_names=["x"])
    with pytest.raises(FileNotFoundError, match="expected a file that exists"):
        load_index(corpus / "no.csv")
    (corpus / "t.csv").write_text("path,label\na.wav,x\n")
    with pytest.raises(ValueError, match="column 'file', which occurs 0 times"):
        load_index(corpus / "t.csv")
    (corpus / "u.csv").write_text("file,start\na.wav,1\n")
    with pytest.raises(ValueError, match=r"levels \['file', 'start'\], expected"):
        load_index(corpus / "u.csv")


def test_extractor_decodes_only_the_samples_of_a_segment(tmp_path, monkeypatch):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 64000).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", samples, 16000, subtype="FLOAT")
    index = segments(("long.wav", 0.5, 1.5), ("long.wav", 3.0, None))
    bunch = load_index(index, root=tmp_path)

    decoded = []
    read = soundfile.SoundFile.read

    def count(self, frames=-1, *args, **kwargs):
        decoded.append(frames)
        return read(self, frames, *args, **kwargs)

    monkeypatch.setattr(soundfile.SoundFile, "read", count)
    extractor = SpectrogramExtractor(n_mels=16)
    spectrograms = extractor.fit_transform(bunch.data)
    assert decoded == [16000, 16000]
    pieces = [samples[8000:24000], samples[48000:]]
    expected = SpectrogramExtractor(n_mels=16, sampling_rate=16000).fit_transform(pieces)
    np.testing.assert_array_equal(spectrograms, expected)


def test_cross_validate_accepts_segments_as_X_with_the_folds_of_the_bunch(corpus):
    frame = pd.DataFrame(
        {"call": ["owl", "crow"] * 2, "round": [1, 1, 2, 2]},
        index=segments(("a.wav", 0, 1), ("a.wav", 1, 2), ("b.wav", 0, 1), ("b.wav", 1, 2)),
    )
    bunch = load_index(frame, target="call", fold="round")
    begin = FunctionTransformer(lambda X: np.array([[start.total_seconds()] for _, start, _ in X]))
    scores = cross_validate(
        make_pipeline(begin, DecisionTreeClassifier()),
        bunch.data,
        bunch.target,
        cv=bunch.cv,
        error_score="raise",
    )
    assert scores["test_score"].tolist() == [1, 1]
