"""What is in a data set: counts, and a table of them."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd

import skaudeep.audio.decoding
from skaudeep.datasets import describe, make_bunch, make_sounds


def test_describe_counts_clips_groups_and_header_values(mixed):
    before = pickle.dumps(mixed)
    summary = describe(mixed)
    assert pickle.dumps(mixed) == before
    assert summary.n_clips == 5
    assert summary.n_groups == 3
    np.testing.assert_array_equal(summary.durations, [1, 2, 1, 3, np.nan])
    assert summary.sampling_rates == {8000: 3, 16000: 1}
    assert summary.channels == {1: 3, 2: 1}
    assert summary.formats == {"WAV PCM_16": 2, "FLAC PCM_16": 1, "OGG VORBIS": 1}
    assert list(summary.unreadable) == ["e.wav"]
    assert summary.counts["ant"] == {"clips": 2, "train": 1, "test": 1, "fold 1": 2, "fold 2": 0}
    assert summary.counts["unlabelled"]["clips"] == 1
    assert summary.counts["all"] == {"clips": 5, "train": 2, "test": 2, "fold 1": 2, "fold 2": 2}


def test_describe_prints_a_table(mixed):
    text = str(describe(mixed)).splitlines()
    assert text == [
        "clips     5, files",
        "length    1 to 3 s, median 1.5 s, 0:00:07 in all",
        "rate      8000 Hz (3), 16000 Hz (1)",
        "channels  1 (3), 2 (1)",
        "format    WAV PCM_16 (2), FLAC PCM_16 (1), OGG VORBIS (1)",
        "groups    3",
        "1 unreadable:",
        f"  e.wav: {describe(mixed).unreadable['e.wav']}",
        "",
        "             clips   train    test  fold 1  fold 2",
        "ant              2       1       1       2       0",
        "bee              2       1       1       0       2",
        "unlabelled       1       0       0       0       0",
        "all              5       2       2       2       2",
    ]


def test_describe_escapes_control_characters_in_names(tmp_path):
    name = "\x1b[2J.wav"
    bunch = make_bunch([tmp_path / name], [name], target=[0], target_names=["\x1b[2J"])
    assert "\x1b" not in str(describe(bunch))


def test_describe_takes_memory_of_clips_and_classes_and_not_of_their_product():
    n = 20000  # each clip a class of its own: target= named the wrong column
    names = [str(i) for i in range(n)]
    bunch = make_bunch(np.zeros((n, 1)), names, target=np.arange(n), target_names=names)
    tracemalloc.start()
    summary = describe(bunch)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert summary.counts["19999"] == {"clips": 1}
    assert summary.counts["all"] == {"clips": n}
    assert peak < 50e6  # their product is 400 MB


def test_describe_keeps_its_table_narrow_where_one_name_is_long():
    names = ["owl" * 10000, "crow"]
    target = [0, 0, 1, 1]
    bunch = make_bunch(np.zeros((4, 1)), list("abcd"), target=target, target_names=names)
    text = str(describe(bunch))
    assert "owlowl" in text
    assert max(map(len, text.splitlines())) < 120


def test_describe_decodes_nothing_and_opens_each_file_once(mixed, monkeypatch):
    opened = []
    true_info = skaudeep.audio.decoding.audio_info
    monkeypatch.setattr(
        skaudeep.audio.decoding, "audio_info", lambda path: opened.append(path) or true_info(path)
    )
    monkeypatch.delattr(skaudeep.audio.decoding, "read_audio")
    index = pd.MultiIndex.from_tuples(
        [(mixed.data[1], 0.0, 0.5), (mixed.data[1], 0.5, np.nan), (mixed.data[0], 0.0, np.nan)],
        names=["file", "start", "end"],
    )
    summary = describe(make_bunch(index, ["p", "q", "r"]))
    np.testing.assert_array_equal(summary.durations, [0.5, 1.5, 1])
    assert sorted(opened) == [mixed.data[0], mixed.data[1]]
    assert summary.data == "in 2 file(s)"


def test_describe_does_not_depend_on_n_jobs(mixed):
    assert str(describe(mixed, n_jobs=1)) == str(describe(mixed, n_jobs=3))


def test_describe_takes_durations_and_channels_of_waveforms_from_their_shapes():
    sounds = make_sounds(8, n_classes=2, n_sessions=2, duration=(0.2, 0.4), random_state=0)
    summary = describe(sounds)
    np.testing.assert_allclose(summary.durations, [len(wave) / 16000 for wave in sounds.data])
    assert summary.sampling_rates == {16000: 8}
    assert summary.formats == {}
    stereo = make_bunch([np.zeros((2, 800))], ["a"])
    stereo.sampling_rate = 8000
    assert describe(stereo).channels == {2: 1}


def test_describe_takes_the_shape_of_features_without_reading_them():
    class OnDisk:
        shape = (3, 10, 4)

        def __getitem__(self, rows):
            assert len(rows) == 1, "describe must not read a whole data set"
            return np.zeros((1, 10, 4))

    summary = describe(make_bunch(OnDisk(), ["a", "b", "c"], target=[0.5, np.nan, 2.5]))
    assert summary.data == "array of shape (3, 10, 4)"
    assert np.isnan(summary.durations).all()
    assert summary.value_range == (0.5, 2.5)
    assert summary.counts == {
        "labelled": {"clips": 2},
        "unlabelled": {"clips": 1},
        "all": {"clips": 3},
    }
    ragged = make_bunch([np.zeros((2, 4)), np.zeros((3, 4))], ["a", "b"])
    assert describe(ragged).data == "list of arrays"


def test_describe_lists_the_extraction_errors_of_stored_features():
    bunch = make_bunch(np.zeros((2, 4)), ["a.wav", "b.wav"])
    bunch.errors = np.array(["", "b.wav: no such file."])
    assert describe(bunch).unreadable == {"b.wav": "b.wav: no such file."}
