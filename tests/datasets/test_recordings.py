"""Segments of one recording stay together, and an index says what is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils import Bunch

from skaudeep import SpectrogramExtractor, extract_to_netcdf, load_netcdf, save_netcdf
from skaudeep.audio.clips import list_clips
from skaudeep.audio.decoding import END_TOLERANCE, read_audio
from skaudeep.audio.errors import AudioError
from skaudeep.datasets import (
    add_folds,
    add_partitions,
    audit,
    describe,
    load_index,
    make_bunch,
    select,
    upsample,
)

LEVELS = ["file", "start", "end"]


def segments(root: Path, n_files: int = 8, n_segments: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(n_files):
        name = f"rec{number}.wav"
        soundfile.write(root / name, 0.1 * rng.normal(size=4000), 1000)
        rows += [(name, 0.5 * s, 0.5 * s + 1, "ab"[number % 2]) for s in range(n_segments)]
    return pd.DataFrame(rows, columns=[*LEVELS, "label"]).set_index(LEVELS)


def torn(bunch: Bunch) -> int:
    files = np.array([name.split("#")[0] for name in bunch.filenames])
    sides = [*bunch.cv, (bunch.partition == "train", bunch.partition == "test")]
    return sum(len(set(files[train]) & set(files[test])) for train, test in sides)


@pytest.mark.parametrize("groups", [None, "file"])
@pytest.mark.parametrize("as_text", [False, True])
def test_segments_of_a_file_are_a_group(tmp_path: Path, groups: str | None, as_text: bool):
    index = segments(tmp_path)
    if as_text:
        index.to_csv(tmp_path / "t.csv")
        index = tmp_path / "t.csv"
    bunch = load_index(index, target="label", root=tmp_path, groups=groups)
    assert bunch.groups[:4].tolist() == ["rec0.wav"] * 3 + ["rec1.wav"]
    divided = add_partitions(add_folds(bunch, 4, random_state=0), random_state=0)
    assert torn(divided) == 0
    assert audit(divided).empty


def test_an_index_that_a_user_puts_in_has_its_files_for_groups(tmp_path: Path):
    index = segments(tmp_path)
    names = [str(number) for number in range(len(index))]
    assert make_bunch(index.index, names).groups[:4].tolist() == ["rec0.wav"] * 3 + ["rec1.wav"]
    assert set(make_bunch(index.index, names, groups=["x"] * len(names)).groups) == {"x"}


@given(st.lists(st.integers(0, 4), min_size=6, max_size=30), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_folds_and_partitions_never_divide_a_group(groups: list[int], seed: int):
    groups = [0, 1, 2, *groups]
    names = [f"{number}.wav" for number in range(len(groups))]
    bunch = make_bunch(names, names, groups=[str(group) for group in groups])
    n_folds = min(3, len(set(groups)))
    divided = add_partitions(add_folds(bunch, n_folds, random_state=seed), random_state=seed)
    for train, test in divided.cv:
        assert not set(divided.groups[train]) & set(divided.groups[test])
    for group in set(divided.groups):
        assert len(set(divided.partition[divided.groups == group])) == 1


def test_a_column_of_groups_that_divides_files_is_told_and_found_by_audit(tmp_path: Path):
    index = segments(tmp_path)
    index["site"] = np.repeat(list("wxyz"), 6)
    index["speaker"] = ["x", "y", ""] * 8
    bunch = load_index(index, target="label", root=tmp_path, groups="site")
    assert torn(add_folds(bunch, 2, random_state=0)) == 0
    with pytest.warns(UserWarning, match=r"8 of 8 files have .*'speaker', first 'rec0\.wav'"):
        bunch = load_index(index, target="label", root=tmp_path, groups="speaker")
    assert bunch.groups[:3].tolist() == ["x", "y", "rec0.wav"]
    findings = audit(add_folds(bunch, 2, random_state=0))
    assert "recording on both sides" in findings.finding.tolist()
    row = findings[findings.finding == "recording on both sides"].iloc[0]
    assert "rec" in row.detail
    assert "in train of fold" in row.detail
    assert "one group" in row.advice


@pytest.mark.parametrize("groups", ["", "different"])
def test_audit_finds_a_recording_on_both_sides_whatever_the_groups_say(tmp_path: Path, groups: str):
    bunch = load_index(segments(tmp_path), target="label", root=tmp_path)
    names = [f"{groups}{row}" if groups else "" for row in range(len(bunch.groups))]
    bunch.groups = np.array(names)
    divided = add_folds(bunch, 3, groups=None, random_state=0)
    assert torn(divided) > 0
    assert set(audit(divided).finding) == {"recording on both sides"}


# --- keys that users put in ----------------------------------------------------------------------


def test_lists_serve_as_well_as_arrays_in_every_key(tmp_path: Path):
    bunch = load_index(segments(tmp_path), target="label", root=tmp_path)
    divided = add_partitions(add_folds(bunch, 2, random_state=0), random_state=0)
    lists = Bunch(
        **divided
        | {key: divided[key].tolist() for key in ("filenames", "target", "partition", "groups")}
        | {"folds": divided.folds.tolist(), "target_names": tuple(divided.target_names)}
    )
    lists["dims"] = list(divided.dims)
    assert str(describe(lists)) == str(describe(divided))
    assert audit(lists).equals(audit(divided))
    for change in (lambda b: select(b, slice(0, 12)), lambda b: upsample(b, random_state=0)):
        one, other = change(lists), change(divided)
        for key in ("filenames", "target", "folds", "partition", "groups"):
            np.testing.assert_array_equal(one[key], other[key])
            assert one[key].dtype.kind == other[key].dtype.kind
    features = Bunch(**lists | {"data": np.ones((len(lists.target), 2)).tolist()})
    save_netcdf(features, tmp_path / "a.nc")
    assert load_netcdf(tmp_path / "a.nc").groups.tolist() == divided.groups.tolist()


def test_groups_of_numbers_are_names():
    bunch = make_bunch(["a", "b", "c"], ["a", "b", "c"])
    bunch.groups = [7, 7, None]
    assert add_folds(bunch, 2).folds[:2].sum(axis=0).tolist() in ([2, 0], [0, 2])
    assert "groups    1" in str(describe(bunch, n_jobs=1))


def test_describe_names_the_classes_of_one_clip():
    bunch = make_bunch(
        np.zeros((3, 2)), list("abc"), target=[0, 0, 1], target_names=["owl", "wren"]
    )
    assert "1 class(es) of one clip, no use to train and test: 'wren'" in str(describe(bunch))


# --- times ---------------------------------------------------------------------------------------


@given(
    start=st.integers(0, 10**6),
    length=st.integers(1, 10**6),
    write=st.sampled_from(["seconds", "text", "timedelta", "timedelta text", "clock"]),
)
@settings(max_examples=60, deadline=None)
def test_times_mean_the_same_however_they_are_written(start: int, length: int, write: str):
    def written(ms: int) -> object:
        time = pd.Timedelta(ms, "ms")
        clock = str(time).removeprefix("0 days ")
        return {
            "seconds": ms / 1000,
            "text": str(ms / 1000),
            "timedelta": time,
            "timedelta text": str(time),
            "clock": clock,
        }[write]

    index = pd.MultiIndex.from_tuples(
        [("a.wav", written(start), written(start + length))], names=LEVELS
    )
    (clip,) = list_clips(index)
    assert clip.start == pytest.approx(start / 1000, abs=1e-9)
    assert clip.end == pytest.approx((start + length) / 1000, abs=1e-9)


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NaT, "", "NaT", "NA", "None", "nan"])
def test_a_missing_end_is_the_end_of_the_file(tmp_path: Path, missing: object):
    (tmp_path / "a.wav").touch()
    index = pd.MultiIndex.from_tuples([("a.wav", "0.5", missing)], names=LEVELS)
    assert list_clips(index)[0][2:] == (0.5, None)
    assert load_index(index, root=tmp_path).filenames.tolist() == ["a.wav#t=0.5"]


@pytest.mark.parametrize("time", ["soon", "1,5", "1 000", "inf", float("inf"), (1,)])
def test_a_time_that_is_none_is_refused_with_its_file(time: object):
    index = pd.MultiIndex.from_arrays(
        [["a.wav"], [0.0], pd.Index([time], dtype=object)], names=LEVELS
    )
    with pytest.raises(ValueError, match=r"times 0\.0 and .* for a segment of 'a\.wav', expected"):
        list_clips(index)


@given(n_samples=st.integers(9000, 60000), rate=st.sampled_from([8000, 11025, 44100]))
@settings(max_examples=30, deadline=None)
def test_the_last_segment_is_kept_where_times_are_rounded_to_milliseconds(
    n_samples: int, rate: int
):
    samples = np.arange(n_samples, dtype=np.float32) / n_samples
    end = np.ceil(n_samples / rate * 1000) / 1000
    for until in (end, n_samples / rate, n_samples / rate + END_TOLERANCE, None):
        piece, _ = read_audio(samples, sampling_rate=rate, start=0.1, end=until)
        np.testing.assert_array_equal(piece[0], samples[round(0.1 * rate) :])
    with pytest.raises(AudioError, match="it lasts"):
        read_audio(samples, sampling_rate=rate, start=0.1, end=n_samples / rate + 0.002)


def test_rounded_ends_and_text_times_reach_the_extractor(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(size=11031) / 9, 8000)
    (tmp_path / "t.csv").write_text(
        "file,start,end,label\n"
        "a.wav,0 days,0 days 00:00:00.5,owl\na.wav,0 days 00:00:00.5,0 days 00:00:01.379,crow\n"
    )
    bunch = load_index(tmp_path / "t.csv", target="label")
    extractor = SpectrogramExtractor(n_mels=8)
    by_index = extractor.transform(bunch.data)
    frame = pd.read_csv(tmp_path / "t.csv")
    frame["file"] = str(tmp_path / "a.wav")
    np.testing.assert_array_equal(by_index, extractor.transform(frame.set_index(LEVELS)))
    stored = extract_to_netcdf(bunch, extractor, tmp_path / "back\\slash.nc")
    np.testing.assert_array_equal(np.asarray(stored.data), by_index)
    assert stored.groups.tolist() == ["a.wav", "a.wav"]


def test_netcdf_files_may_have_backslashes_in_their_paths(tmp_path: Path):
    folder = tmp_path / "a\\b"
    folder.mkdir()
    bunch = make_bunch(np.eye(2, dtype=np.float32), ["a", "b\\c"])
    save_netcdf(bunch, folder / "x\\y.nc")
    assert [file.name for file in folder.iterdir()] == ["x\\y.nc"]
    for lazy in (False, True):
        loaded = load_netcdf(folder / "x\\y.nc", lazy=lazy)
        np.testing.assert_array_equal(np.asarray(loaded.data), np.eye(2))
        assert loaded.filenames.tolist() == ["a", "b\\c"]
