"""Windows of recordings: where they lie, what they are called, and which classes count in them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch

import skaudeep
from skaudeep import SpectrogramExtractor
from skaudeep.audio import read_audio
from skaudeep.audio.errors import AudioError
from skaudeep.datasets import (
    add_folds,
    add_groups,
    audit,
    concatenate,
    describe,
    load_folder,
    make_bunch,
    select,
    upsample,
    validate,
    windows,
)
from skaudeep.datasets.recorders import recording_time
from skaudeep.formats import save_csv

RATE = 8000


def record(path: Path, seconds: float, rate: int = RATE) -> Path:
    rng = np.random.default_rng(len(path.name))
    soundfile.write(path, rng.normal(scale=0.1, size=round(seconds * rate)), rate)
    return path


def placed(path: Path, **parameters) -> list[tuple[float, float]]:
    index = windows([path], **parameters).data
    return [(start.total_seconds(), end.total_seconds()) for _, start, end in index]


def heard(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["file", "start", "end", "label"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Return a folder of two recordings of 10 s and of 7 s."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "north").mkdir()
    record(folder / "north" / "N_20230401_053000.wav", 10)
    record(folder / "south.wav", 7)
    return folder


@pytest.mark.parametrize(
    ("seconds", "duration", "hop", "expected"),
    [
        (10, 5, None, [(0, 5), (5, 10)]),
        (12, 5, None, [(0, 5), (5, 10)]),  # 2 s are less than half of a window
        (12.5, 5, None, [(0, 5), (5, 10), (10, 12.5)]),
        (7, 5, 1, [(0, 5), (1, 6), (2, 7)]),  # nothing is left over
        (7.5, 5, 1, [(0, 5), (1, 6), (2, 7), (3, 7.5)]),
        (8, 2, 3, [(0, 2), (3, 5), (6, 8)]),
        (7.2, 2, 3, [(0, 2), (3, 5), (6, 7.2)]),
        (3, 5, None, [(0, 3)]),
        (2.5, 5, 1, [(0, 2.5)]),
        (1, 0.4, 0.3, [(0, 0.4), (0.3, 0.7), (0.6, 1.0)]),
    ],
)
def test_windows_start_each_hop_and_the_last_ends_with_the_recording(
    tmp_path, seconds, duration, hop, expected
):
    found = placed(record(tmp_path / "a.wav", seconds), duration=duration, hop=hop)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_windows_hold_equally_many_samples_where_the_hop_is_no_whole_number_of_them(tmp_path):
    path = record(tmp_path / "a.wav", 3, 11025)
    bunch = windows(path, duration=0.1, hop=1 / 30)
    lengths = {
        read_audio(file, start=start.total_seconds(), end=end.total_seconds())[0].shape[1]
        for file, start, end in bunch.data[:-1]
    }
    assert lengths == {round(0.1 * 11025)}
    starts = bunch.data.get_level_values("start").total_seconds()
    assert np.abs(starts - np.arange(len(starts)) / 30).max() <= 0.5 / 11025 + 1e-9


def test_windows_of_a_folder_have_names_groups_and_times_of_their_recordings(site):
    bunch = validate(windows(site, duration=5))
    assert bunch.filenames.tolist() == [
        *("north/N_20230401_053000.wav#0-5000", "north/N_20230401_053000.wav#5000-10000"),
        "south.wav#0-5000",
    ]
    assert bunch.data.names == ["file", "start", "end"]
    assert bunch.data[1] == (
        str(site / "north" / "N_20230401_053000.wav"),
        *(pd.Timedelta(seconds=5), pd.Timedelta(seconds=10)),
    )
    assert bunch.groups.tolist() == ["north/N_20230401_053000.wav"] * 2 + ["south.wav"]
    assert bunch.target.tolist() == [-1] * 3
    times = bunch.recorded_at.astype("datetime64[s]").astype(str).tolist()
    assert times == ["2023-04-01T05:30:00", "2023-04-01T05:30:05", "NaT"]
    assert bunch.DESCR.startswith("3 windows of 5 s, every 5 s, of 2 recordings")


def test_windows_take_a_file_a_list_and_a_data_set_alike(site):
    files = [site / "north" / "N_20230401_053000.wav", site / "south.wav"]
    by_folder = windows(site, duration=2, hop=1)
    for recordings in (files, list(map(str, files)), load_folder(site, layout="files")):
        bunch = windows(recordings, duration=2, hop=1)
        assert bunch.data.equals(by_folder.data)
        assert bunch.filenames.tolist() == by_folder.filenames.tolist()
    assert windows(files[1], duration=7).filenames.tolist() == ["south.wav#0-7000"]
    assert windows(files[:1], duration=7).filenames[0] == "N_20230401_053000.wav#0-7000"


def test_windows_have_what_the_data_set_says_of_their_recording(site):
    whole = make_bunch(
        [str(site / "south.wav"), str(site / "north" / "N_20230401_053000.wav")],
        ["south.wav", "north.wav"],
        target=[1, 0],
        target_names=["day", "night"],
        folds=[[1, 0], [0, 1]],
        partition=["train", "test"],
        groups=["", "site 1"],
    )
    whole["recorded_at"] = np.array(["2020-01-01T00:00:00", "NaT"], dtype="datetime64[s]")
    whole["height"] = [3, 4]
    bunch = windows(whole, duration=5, hop=5)
    assert bunch.target.tolist() == [1, 0, 0]
    assert bunch.folds.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert bunch.cv[0][1].tolist() == [0]
    assert bunch.partition.tolist() == ["train", "test", "test"]
    assert bunch.groups.tolist() == ["south.wav", "site 1", "site 1"]
    assert bunch.height == [3, 4, 4]
    assert bunch.recorded_at[0] == np.datetime64("2020-01-01")
    assert np.isnat(bunch.recorded_at[1:]).all()


def test_recordings_without_a_window_are_left_out_with_a_word(tmp_path):
    record(tmp_path / "a.wav", 10)
    record(tmp_path / "b.wav", 1)
    (tmp_path / "c.wav").touch()
    with (
        pytest.warns(UserWarning, match="1 of 2 annotations count in no window"),
        pytest.warns(UserWarning, match="2 of 3 recordings have no window") as caught,
    ):
        bunch = windows(
            tmp_path, duration=5, annotations=heard(("b.wav", 0, 1, "owl"), ("a.wav", 0, 1, "owl"))
        )
    assert bunch.filenames.tolist() == ["a.wav#0-5000", "a.wav#5000-10000"]
    assert "b.wav: lasts 1 s, less than half of duration=5 s" in str(caught[0].message)
    assert "c.wav: the file is empty" in str(caught[0].message)
    with pytest.raises(ValueError, match=r"1 recordings without a window, first 'b\.wav'"):
        windows(tmp_path / "b.wav", duration=5)
    with pytest.raises(AudioError, match="empty"):
        windows(tmp_path / "c.wav", duration=5)


def test_only_headers_are_read(site, monkeypatch):
    def decoded(*args):
        raise AssertionError("a sample was decoded")

    monkeypatch.setattr(soundfile.SoundFile, "read", decoded)
    assert len(windows(site, duration=1).filenames) == 17


def test_a_class_counts_where_an_annotation_overlaps_long_enough(site):
    calls = heard(
        ("south.wav", 1.8, 2.5, "owl"),  # 0.2 s and 0.5 s of it
        ("south.wav", 3.75, 4.1, "crow"),  # 0.25 s and 0.1 s
        ("south.wav", 4.3, 4.35, "click"),  # short, but whole
        ("south.wav", 5.9, 6.9, "owl"),
        ("south.wav", 6.2, 6.4, "owl"),  # overlaps another one of its class
    )
    bunch = windows(site / "south.wav", duration=2, annotations=calls)
    assert bunch.target_names == ["click", "crow", "owl"]
    assert bunch.target.dtype == np.int64
    assert bunch.target.tolist() == [[0, 0, 0], [0, 1, 1], [1, 0, 0], [0, 0, 1]]
    everywhere = windows(site / "south.wav", duration=2, annotations=calls, min_overlap=0)
    assert everywhere.target.tolist() == [[0, 0, 1], [0, 1, 1], [1, 1, 1], [0, 0, 1]]


def test_of_a_window_that_is_shorter_than_min_overlap_all_has_to_be_annotated(tmp_path):
    path = record(tmp_path / "a.wav", 1)
    bunch = windows(
        path, duration=0.2, annotations=heard(("a.wav", 0.1, 0.7, "owl")), min_overlap=0.25
    )
    assert bunch.target.ravel().tolist() == [0, 1, 1, 0, 0]


def test_target_is_that_of_a_plain_loop_over_windows_and_annotations(tmp_path):
    path = record(tmp_path / "a.wav", 30)
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 28, 40)
    ends = starts + rng.exponential(0.6, 40).clip(0.01, 2)
    labels = rng.choice(["a", "b", "c"], 40)
    calls = pd.DataFrame({"file": "a.wav", "start": starts, "end": ends, "label": labels})
    bunch = windows(path, duration=1.5, hop=0.5, annotations=calls, min_overlap=0.3)
    for (_, first, last), row in zip(bunch.data, bunch.target, strict=True):
        first, last = first.total_seconds(), last.total_seconds()
        for label, there in zip("abc", row, strict=True):
            expected = any(
                min(end, last) - max(start, first) >= min(0.3, end - start) - 1e-9
                for start, end, name in zip(starts, ends, labels, strict=True)
                if name == label
            )
            assert there == expected


def test_annotations_are_read_from_tables_with_other_columns_and_from_an_index(site, tmp_path):
    rows = [("south.wav", 0.0, 1.0, "owl"), ("N_20230401_053000.wav", 7.0, 9.0, "crow")]
    expected = windows(site, duration=5, annotations=heard(*rows)).target
    assert expected.tolist() == [[0, 0], [1, 0], [0, 1]]
    table = tmp_path / "t.csv"
    table.write_text(
        "label;file;score;start;end\nowl;south.wav;;0;1\n"
        "crow;north/N_20230401_053000.wav;0.5;7.0;0 days 00:00:09\n"
    )
    index = pd.MultiIndex.from_tuples(
        [
            (str(site / "south.wav"), pd.Timedelta(0), pd.Timedelta(seconds=1)),
            (str(site / "north" / ".." / "north" / "N_20230401_053000.wav"), 7.0, None),
        ],
        names=["file", "start", "end"],
    )
    for calls in (table, str(table), pd.DataFrame({"label": ["owl", "crow"]}, index)):
        bunch = windows(site, duration=5, annotations=calls)
        assert bunch.target.tolist() == expected.tolist()


def test_background_is_dropped_where_that_is_asked_for(site):
    calls = heard(("south.wav", 0, 1, "owl"), ("north/N_20230401_053000.wav", 7, 9, "crow"))
    bunch = validate(windows(site, duration=5, annotations=calls, background="drop"))
    assert bunch.filenames.tolist() == [
        "north/N_20230401_053000.wav#5000-10000",
        "south.wav#0-5000",
    ]
    assert bunch.target.tolist() == [[1, 0], [0, 1]]
    assert len(bunch.data) == len(bunch.recorded_at) == 2
    ordered = windows(site, duration=5, annotations=calls, target_names=["owl", "bat", "crow"])
    assert ordered.target.tolist() == [[0, 0, 0], [0, 0, 1], [1, 0, 0]]


def test_annotations_that_count_nowhere_are_counted_in_a_warning(site):
    calls = heard(
        ("south.wav", 0, 1, "owl"), ("south.wav", 4.9, 5.1, "crow"), ("south.wav", 6, 7, "crow")
    )
    with pytest.warns(
        UserWarning,
        match=re.escape(
            "2 of 3 annotations count in no window (2 of 'crow'), first that of south.wav at 4.9 s"
        ),
    ):
        bunch = windows(site / "south.wav", duration=5, annotations=calls)
    assert bunch.target.tolist() == [[0, 1]]
    with (
        pytest.raises(ValueError, match='background="drop" and annotations that count in none'),
        pytest.warns(UserWarning, match="count in no window"),
    ):
        windows(site / "south.wav", duration=5, annotations=calls[1:], background="drop")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("south.wav", 3, 2, "owl"), "'south.wav' from 3 s to 2 s, expected 0 <= start < end"),
        (("south.wav", 3, 3, "owl"), "'south.wav' from 3 s to 3 s"),
        (("south.wav", -1, 3, "owl"), "'south.wav' from -1 s to 3 s"),
        (("south.wav", None, 3, "owl"), "'south.wav' from nan s to 3 s"),
        (("south.wav", 6, 7.1, "owl"), "'owl' of 'south.wav' from 6 s to 7.1 s, but .* lasts 7 s"),
        (("south.wav", 7, None, "owl"), "'owl' of 'south.wav' from 7 s, but .* lasts 7 s"),
        (("west.wav", 1, 2, "owl"), "'west.wav' from 1.0 s, which is none of the 2 recordings"),
        (("south.wav", 1, 2, None), "'south.wav' from 1 s without a label"),
        (("south.wav", "1,5", "2,5", "owl"), "times '1,5' and '2,5' .* 'south.wav'"),
        (("south.wav", 1, np.inf, "owl"), "times '1.0' and 'inf' .* 'south.wav'"),
        (("s\x1b.wav", 1, 2, "owl"), r"'s\\x1b.wav'"),
    ],
)
def test_a_wrong_annotation_is_an_error_that_names_file_and_time(site, row, message):
    calls = heard(("south.wav", 0.0, 1.0, "owl"), row)
    with pytest.raises(ValueError, match=message):
        windows(site, duration=5, annotations=calls)


def test_an_end_that_rounding_put_after_the_recording_is_its_end(site):
    calls = heard(("south.wav", 6, 7.0009, "owl"))
    assert windows(site / "south.wav", duration=3.5, annotations=calls).target.tolist() == [
        [0],
        [1],
    ]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"duration": 0}, "duration=0, expected seconds"),
        ({"duration": 5, "hop": -1}, "hop=-1"),
        ({"duration": 5, "hop": float("nan")}, "hop=nan"),
        ({"duration": "5"}, "duration='5'"),
        ({"duration": 1e12}, "Give seconds, not samples"),
        ({"duration": 5, "min_overlap": -0.1}, "min_overlap=-0.1"),
        ({"duration": 5, "background": "none"}, "background='none'"),
        ({"duration": 5, "target_names": ["owl"]}, "without annotations="),
        (
            {
                "duration": 5,
                "annotations": heard(("south.wav", 0, 1, "owl")),
                "target_names": ["x"],
            },
            "'owl' of 'south.wav' from 0 s, expected one of target_names: 'x'",
        ),
    ],
)
def test_wrong_parameters_of_windows_are_errors(site, parameters, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        windows(site, **parameters)


def test_windows_refuse_what_are_no_recordings(site):
    with pytest.raises(ValueError, match="no files"):
        windows(make_bunch(np.zeros((2, 8)), ["a", "b"]), duration=1)
    waveforms = make_bunch(np.zeros((2, 8000)), ["a", "b"], dims=("clip", "sample"))
    waveforms["sampling_rate"] = RATE
    with pytest.raises(ValueError, match="no files"):
        windows(waveforms, duration=1)
    with pytest.raises(ValueError, match="segments"):
        windows(windows(site, duration=1), duration=1)
    with pytest.raises(ValueError, match="Got no recordings"):
        windows([], duration=1)
    with pytest.raises(TypeError, match=r"expected a pandas\.DataFrame"):
        windows(site, duration=1, annotations=[("south.wav", 0, 1, "owl")])
    labelled = select(windows(site, duration=5), [0, 2])
    labelled = Bunch(
        **labelled
        | {
            "data": labelled.data.get_level_values("file").tolist(),
            "target": np.array([0, 0]),
            "target_names": ["x"],
        }
    )
    copies = upsample(labelled)
    with pytest.raises(ValueError, match="copies"):
        windows(Bunch(**copies | {"copy_of": np.array(["", "a"])}), duration=1)


@pytest.fixture(scope="module")
def labelled(site) -> Bunch:
    calls = heard(
        ("south.wav", 0, 1, "owl"),
        ("south.wav", 0.5, 2, "crow"),
        ("N_20230401_053000.wav", 7, 9, "crow"),
    )
    return windows(site, duration=2, annotations=calls)


def test_data_sets_of_windows_are_selected_joined_divided_and_described(labelled):
    assert select(labelled, classes=["owl"]).target.tolist() == [[1]]
    crows = select(labelled, classes=["crow"])
    assert crows.filenames.tolist() == [
        *("north/N_20230401_053000.wav#6000-8000", "north/N_20230401_053000.wav#8000-10000"),
        "south.wav#0-2000",
    ]
    assert crows.recorded_at[0] == labelled.recorded_at[3]
    assert len(crows.recorded_at) == 3
    other = Bunch(**labelled | {"target": labelled.target[:, :1], "target_names": ["bat"]})
    both = validate(concatenate([labelled, other], prefixes=["", "2/"]))
    assert both.target_names == ["crow", "owl", "bat"]
    assert both.target[-4].tolist() == [0, 0, 1]
    assert len(both.recorded_at) == len(both.data) == 18
    unlabelled = Bunch(**labelled | {"target": np.full(9, -1), "target_names": []})
    joined = validate(concatenate([labelled, unlabelled], prefixes=["", "2/"]))
    assert joined.target[9:].tolist() == [[-1, -1]] * 9
    with pytest.warns(UserWarning, match="first 'owl' .fold 1"):
        folds = add_folds(labelled, 2, random_state=0)
    assert len(set(folds.groups[folds.cv[0][1]])) == 1
    text = str(describe(joined, n_jobs=1)).splitlines()
    assert [
        line.split() for line in text if line.startswith(("crow", "owl", "no", "un", "all"))
    ] == [["crow", "3"], ["owl", "1"], ["no", "class", "6"], ["unlabelled", "9"], ["all", "18"]]
    assert audit(labelled, n_jobs=1).finding.tolist() == []


def test_data_sets_of_windows_keep_classes_and_times_in_a_file(labelled, tmp_path):
    features = Bunch(
        **labelled | {"data": np.ones((9, 3), np.float32), "dims": ("clip", "feature")}
    )
    skaudeep.save_netcdf(features, tmp_path / "a.nc")
    stored = skaudeep.load_netcdf(tmp_path / "a.nc")
    assert stored.target.tolist() == labelled.target.tolist()
    assert stored.target_names == labelled.target_names
    np.testing.assert_array_equal(stored.recorded_at, labelled.recorded_at)
    assert stored.recorded_at.dtype == labelled.recorded_at.dtype
    chunks = np.ones((9, 2, 3), np.float32)
    chunks[4, 1] = np.nan
    features = Bunch(**features | {"data": chunks, "dims": ("clip", "chunk", "feature")})
    skaudeep.save_netcdf(features, tmp_path / "a.nc")
    stored = skaudeep.load_netcdf(tmp_path / "a.nc")
    assert stored.target.tolist() == labelled.target.tolist()
    np.testing.assert_array_equal(stored.recorded_at, labelled.recorded_at)
    with pytest.raises(ValueError, match="save_netcdf keeps several classes"):
        save_csv(features, tmp_path)
    spectrograms = skaudeep.extract_to_netcdf(
        labelled, SpectrogramExtractor(n_mels=8), tmp_path / "b.nc", progress=False
    )
    assert spectrograms.target.tolist() == labelled.target.tolist()
    np.testing.assert_array_equal(spectrograms.recorded_at, labelled.recorded_at)


def test_rules_of_several_classes_per_clip(labelled):
    def fault(**changes):
        return pytest.raises(ValueError, match=changes.pop("match")), Bunch(**labelled | changes)

    wrong = labelled.target.copy()
    wrong[1] = [2, 0]
    for changes in (
        {
            "target": wrong,
            "match": "Got target .2, 0. for clip 'north.*2000-4000', expected 0 or 1",
        },
        {"target": wrong[:, :1], "match": "with 2 target_names, expected a column for each"},
        {"target": wrong.astype(float)[:, :1], "match": "Got target of shape"},  # values
    ):
        error, bunch = fault(**changes)
        with error:
            validate(bunch)
    with pytest.raises(ValueError, match="one class per clip"):
        upsample(labelled)
    with pytest.raises(ValueError, match="OneVsRestClassifier"):
        skaudeep.fit_classifier(labelled)
    with pytest.raises(ValueError, match="target of shape"):
        skaudeep.evaluate(LogisticRegression(), labelled)
    with pytest.raises(ValueError, match="several in others"):
        concatenate(
            [labelled, Bunch(**labelled | {"target": np.zeros(9, int)})], prefixes=["", "2/"]
        )


def test_groups_of_sites_stay_with_their_windows(site):
    whole = add_groups(load_folder(site, layout="files"), "^[a-z]+")
    bunch = windows(whole, duration=5)
    assert bunch.groups.tolist() == ["north", "north", "south"]
    assert recording_time(bunch.filenames[0].split("#")[0]) == bunch.recorded_at[0]
