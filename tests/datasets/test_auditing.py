"""What is wrong in a data set, and what `describe` and `audit` open of it."""

import itertools
import pickle
import shutil
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import skaudeep.audio.decoding
from skaudeep.audio.errors import AudioError, Fault
from skaudeep.datasets import audit, describe, drop_folds, load_esc, make_bunch, select, upsample

RATE = 8000


def noise(seed, n_samples=RATE, n_channels=1, level=0.5):
    shape = (n_samples,) if n_channels == 1 else (n_samples, n_channels)
    return np.random.default_rng(seed).uniform(-level, level, shape)


def write(folder, name, samples, rate=RATE, **kwargs):
    soundfile.write(folder / name, samples, rate, **kwargs)
    return name


def corpus(folder, *names, **parts):
    return make_bunch([folder / name for name in names], names, **parts)


def findings_of(bunch, **kwargs):
    """List (file name, finding) of an audit."""
    table = audit(bunch, **kwargs)
    return list(zip(table.filename, table.finding, strict=True))


# audit: single clips


def test_audit_finds_nothing_in_a_faultless_corpus(tmp_path):
    names = [write(tmp_path, f"{seed}.wav", noise(seed)) for seed in range(3)]
    bunch = corpus(tmp_path, *names, folds=[[1], [0], [0]], groups=["x", "y", ""])
    before = pickle.dumps(bunch)
    table = audit(bunch)
    assert pickle.dumps(bunch) == before
    assert table.empty
    assert list(table.columns) == ["filename", "finding", "value", "detail", "advice"]


def test_audit_distinguishes_unreadable_truncated_and_non_finite_clips(tmp_path):
    write(tmp_path, "cut.wav", noise(0))
    (tmp_path / "cut.wav").write_bytes((tmp_path / "cut.wav").read_bytes()[:-1000])
    write(tmp_path, "cut.ogg", noise(0))
    (tmp_path / "cut.ogg").write_bytes((tmp_path / "cut.ogg").read_bytes()[:-1000])
    write(tmp_path, "nan.wav", np.r_[noise(0), np.nan, np.inf], subtype="FLOAT")
    (tmp_path / "text.wav").write_text("no audio")
    write(tmp_path, "none.wav", noise(0, 0))
    names = ["missing.wav", "text.wav", "none.wav", "cut.wav", "cut.ogg", "nan.wav"]
    table = audit(corpus(tmp_path, *names))
    assert table.filename.tolist() == names
    assert table.finding.tolist() == ["unreadable"] * 3 + ["truncated"] * 2 + ["non-finite"]
    assert table.value.isna().all()
    assert table.detail[0] == "no such file"
    assert "holds 2 samples that are NaN or infinite" in table.detail[5]
    assert table.advice.str.len().min() > 0


def test_audit_sorts_errors_by_their_kind_whatever_their_words(tmp_path, monkeypatch):
    def fail(clip, **kwargs):
        kind = Path(clip).stem
        raise AudioError(str(clip), "is cut short, has NaN or infinite samples", "Listen", kind)

    monkeypatch.setattr(skaudeep.audio.decoding, "read_audio", fail)
    kinds = get_args(Fault)
    names = [write(tmp_path, f"{kind}.wav", noise(i)) for i, kind in enumerate(kinds)]
    table = audit(corpus(tmp_path, *names)).set_index("filename")
    expected = dict.fromkeys(names, "unreadable")
    expected |= {"cut short.wav": "truncated", "not finite.wav": "non-finite"}
    expected["wrong header.wav"] = "wrong header"
    assert table.finding.to_dict() == expected


def test_audit_finds_silence_by_level_whatever_the_offset(tmp_path):
    write(tmp_path, "zeros.wav", np.zeros(RATE))
    write(tmp_path, "other.wav", np.zeros(RATE))  # no duplicate: silence is said once
    write(tmp_path, "constant.wav", np.full(RATE, 0.25))
    write(tmp_path, "offset.wav", 0.25 + noise(2) / 1000, subtype="FLOAT")
    write(tmp_path, "faint.wav", noise(0) / 1000, subtype="FLOAT")
    write(tmp_path, "soft.wav", noise(1) / 400, subtype="FLOAT")
    names = ["zeros.wav", "other.wav", "constant.wav", "offset.wav", "faint.wav", "soft.wav"]
    bunch = corpus(tmp_path, *names)
    table = audit(bunch)
    assert table.filename.tolist() == names[:-1]
    assert set(table.finding) == {"silent"}
    assert table.value[:3].tolist() == [-np.inf] * 3
    np.testing.assert_allclose(table.value[3:], 20 * np.log10(0.5 / 1000), atol=0.1)
    assert findings_of(select(bunch, ["soft.wav"]), silent_below=-50) == [("soft.wav", "silent")]


def test_audit_finds_clipping_by_flat_tops_and_accepts_loud_tones(tmp_path):
    time_ = np.arange(44100) / 44100
    tone = np.sin(2 * np.pi * 110 * time_)
    for name, samples in {"loud": tone, "clipped": np.clip(1.5 * tone, -1, 1)}.items():
        for suffix, kwargs in {"wav": {}, "ogg": {}, "flac": {"subtype": "PCM_24"}}.items():
            write(tmp_path, f"{name}.{suffix}", samples, 44100, **kwargs)
    # Vorbis overshoots: a tone at full scale is decoded to more.
    names = ["loud.wav", "loud.flac", "clipped.wav", "clipped.flac", "clipped.ogg"]
    table = audit(corpus(tmp_path, *names))
    table = table[table.finding == "clipped"]
    assert table.filename.tolist() == names[2:]
    # the share of time that 1.5 sin is beyond 1
    np.testing.assert_allclose(
        table.value[:2], 100 * (1 - np.arcsin(2 / 3) / (np.pi / 2)), rtol=0.03
    )
    assert table.value.iloc[2] > 20


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, -1.0]), max_size=40))
def test_audit_counts_samples_in_runs_of_three_at_full_scale(samples):
    bunch = make_bunch([np.r_[samples, noise(0, 800)]], ["a"])
    bunch.sampling_rate = RATE
    runs = [(value, len(list(run))) for value, run in itertools.groupby(samples)]
    expected = sum(length for value, length in runs if abs(value) == 1 and length >= 3)
    table = audit(bunch, n_jobs=1)
    found = table.value[table.finding == "clipped"].tolist()
    assert found == ([pytest.approx(100 * expected / (len(samples) + 800))] if expected else [])


@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        *[("a.wav", s) for s in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "ULAW", "ALAW")],
        *[("a.aiff", "PCM_S8"), ("a.flac", "PCM_S8"), ("a.au", "ULAW"), ("a.caf", "ALAC_24")],
    ],
)
def test_clipping_is_judged_by_what_the_coding_can_hold(tmp_path, name, subtype):
    tone = np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)
    write(tmp_path, name, np.clip(3 * tone, -1, 1), subtype=subtype)
    write(tmp_path, f"soft-{name}", 0.9 * tone, subtype=subtype)
    table = audit(corpus(tmp_path, name, f"soft-{name}"))
    assert table[["filename", "finding"]].values.tolist() == [[name, "clipped"]]
    assert table.value[0] == pytest.approx(77.5, abs=1.5)


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
def test_clipping_shows_through_codings_that_change_samples(tmp_path, subtype):
    tone = np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)
    write(tmp_path, "loud.wav", np.clip(3 * tone, -1, 1), subtype=subtype)
    write(tmp_path, "soft.wav", 0.8 * tone, subtype=subtype)
    assert findings_of(corpus(tmp_path, "loud.wav", "soft.wav")) == [("loud.wav", "clipped")]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "float32", "float64"])
def test_findings_about_waveforms_do_not_depend_on_their_type(dtype):
    tone = np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)
    sounds = [0.3 * tone, np.clip(3 * tone, -1, 1), 0 * tone]
    if np.dtype(dtype).kind in "iu":
        scale = 2.0 ** (8 * np.dtype(dtype).itemsize - 1) - 1
        offset = 128 if dtype == "uint8" else 0
        sounds = [(np.round(sound * scale) + offset).astype(dtype) for sound in sounds]
        sounds[1][sounds[1] == np.iinfo(dtype).min + 1] -= 1  # the lowest there is
    bunch = make_bunch([sound.astype(dtype) for sound in sounds], ["fine", "clipped", "silent"])
    bunch.sampling_rate = RATE
    table = audit(bunch)
    assert table[["filename", "finding"]].values.tolist() == [
        ["silent", "silent"],
        ["clipped", "clipped"],
    ]
    assert table.value[1] == pytest.approx(77.5, abs=1.5)


def test_a_wrong_header_is_told_from_a_cut(tmp_path):
    write(tmp_path, "counts-itself.wav", noise(0))
    write(tmp_path, "unclosed.wav", noise(1))
    write(tmp_path, "cut.wav", noise(2))
    sizes = {"counts-itself.wav": 2 * RATE + 44, "unclosed.wav": 0, "cut.wav": 2 * RATE + 100}
    for name, size in sizes.items():
        content = (tmp_path / name).read_bytes()
        content = content[:40] + size.to_bytes(4, "little") + content[44:]
        (tmp_path / name).write_bytes(content)
    table = audit(corpus(tmp_path, *sizes)).set_index("filename")
    assert table.finding.to_dict() == {
        "cut.wav": "truncated",
        "counts-itself.wav": "wrong header",
        "unclosed.wav": "wrong header",
    }
    assert "a program counted bytes of the header" in table.detail["counts-itself.wav"]
    assert 'on_error="read"' in table.advice["unclosed.wav"]


def test_audit_finds_clips_shorter_than_min_duration(tmp_path):
    write(tmp_path, "short.wav", noise(0, 400))
    write(tmp_path, "long.wav", noise(1, 640))
    bunch = corpus(tmp_path, "short.wav", "long.wav")
    table = audit(bunch)
    assert table[["filename", "finding", "value"]].values.tolist() == [
        ["short.wav", "too short", 0.05]
    ]
    assert findings_of(bunch, min_duration=0.04) == []


def test_audit_reports_clips_whose_rate_or_channels_differ_from_the_majority(tmp_path):
    names = [write(tmp_path, f"{seed}.wav", noise(seed)) for seed in range(3)]
    names += [write(tmp_path, "fast.wav", noise(3), 2 * RATE)]
    names += [write(tmp_path, "stereo.wav", noise(4, n_channels=2))]
    table = audit(corpus(tmp_path, *names))
    assert table[["filename", "finding", "value"]].values.tolist() == [
        ["fast.wav", "mixed rates", 16000],
        ["stereo.wav", "mixed channels", 2],
    ]
    assert table.detail[0] == "16000 Hz, while 4 of 5 clips have 8000 Hz"


# audit: several clips


def test_audit_finds_duplicates_by_their_samples_in_any_format(tmp_path):
    write(tmp_path, "a.wav", noise(0))
    shutil.copy(tmp_path / "a.wav", tmp_path / "b.wav")
    write(tmp_path, "c.flac", soundfile.read(tmp_path / "a.wav")[0])
    write(tmp_path, "d.wav", noise(1))
    target = [0, 0, 1, -1]
    bunch = corpus(
        tmp_path, "a.wav", "b.wav", "c.flac", "d.wav", target=target, target_names=["ant", "bee"]
    )
    table = audit(bunch)
    assert findings_of(bunch) == [("b.wav", "duplicate"), ("c.flac", "duplicate")]
    assert table.detail.tolist() == [
        "the same file as a.wav",
        "the same samples as a.wav, but of class 'bee' instead of class 'ant'",
    ]
    bunch.target, bunch.target_names = np.array([np.nan, 2.5, np.nan, 1]), []
    assert audit(bunch).detail[0] == "the same file as a.wav, but of value 2.5 instead of value nan"


def test_audit_distinguishes_a_stereo_clip_from_its_concatenated_channels():
    stereo = noise(0, n_channels=2).T
    bunch = make_bunch([stereo, stereo.ravel()], ["a", "b"])
    bunch.sampling_rate = RATE
    assert findings_of(bunch) == [("b", "mixed channels")]


def test_audit_decodes_files_with_equal_bytes_once(tmp_path, monkeypatch):
    write(tmp_path, "a.wav", noise(0))
    write(tmp_path, "d.wav", noise(1))
    for name in ("b.wav", "c.wav"):
        shutil.copy(tmp_path / "a.wav", tmp_path / name)
    decoded = []
    true_read = skaudeep.audio.decoding.read_audio
    monkeypatch.setattr(
        skaudeep.audio.decoding,
        "read_audio",
        lambda clip, **kwargs: decoded.append(str(clip)) or true_read(clip, **kwargs),
    )
    assert len(audit(corpus(tmp_path, "a.wav", "b.wav", "c.wav", "d.wav"))) == 2
    assert sorted(decoded) == [str(tmp_path / "a.wav"), str(tmp_path / "d.wav")]


def test_audit_does_not_hash_a_recording_for_its_segments(tmp_path, monkeypatch):
    write(tmp_path, "a.wav", noise(0))
    pieces = [(str(tmp_path / "a.wav"), k / 10, (k + 1) / 10) for k in range(10)]
    index = pd.MultiIndex.from_tuples(pieces, names=["file", "start", "end"])
    monkeypatch.delattr("skaudeep.datasets.auditing.hashlib.file_digest")
    assert audit(make_bunch(index, [f"a.wav#{k}" for k in range(10)])).empty


def test_audit_takes_segments_of_one_recording_for_duplicates_only_if_equal(tmp_path):
    write(tmp_path, "a.wav", np.tile(noise(0), 2))
    index = pd.MultiIndex.from_tuples(
        [(str(tmp_path / "a.wav"), *times) for times in [(0, 0.5), (0.5, 1), (1, 1.5), (1, 9)]],
        names=["file", "start", "end"],
    )
    bunch = make_bunch(index, ["p", "q", "r", "s"])
    assert findings_of(bunch) == [("s", "unreadable"), ("r", "duplicate")]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.sampled_from("xyz")), min_size=3)
)
def test_audit_finds_all_duplicates_and_groups_on_both_sides_and_no_others(rows):
    rows = [(100, 0, ""), (101, 1, ""), (102, 2, ""), *rows]  # each fold has both sides
    contents, fold_of, groups = map(list, zip(*rows, strict=True))
    names = [f"{row:03d}.wav" for row in range(len(rows))]
    bunch = make_bunch(
        [noise(content, 800) for content in contents],
        names,
        folds=np.array(fold_of)[:, None] == np.arange(3),
        groups=groups,
    )
    bunch.sampling_rate = RATE
    table = audit(bunch, n_jobs=1)

    duplicates = [name for row, name in enumerate(names) if contents[row] in contents[:row]]
    assert table.filename[table.finding == "duplicate"].tolist() == duplicates
    for finding, ids in (("duplicate on both sides", contents), ("group on both sides", groups)):
        expected = {
            (names[min(r for r, i in enumerate(ids) if i == this and fold_of[r] == fold)], fold + 1)
            for fold in range(3)
            for this in set(ids) - {""}
            if len({f == fold for f, i in zip(fold_of, ids, strict=True) if i == this}) == 2
        }
        found = table[table.finding == finding]
        assert set(zip(found.filename, found.value, strict=True)) == expected
        assert len(found) == len(expected)


def test_audit_reports_a_group_in_two_partitions_with_its_counts():
    bunch = make_bunch(
        [noise(seed) for seed in range(4)],
        ["a", "b", "c", "d"],
        partition=["train", "test", "train", ""],
        groups=["ann", "ann", "ann", "ann"],
    )
    bunch.sampling_rate = RATE
    table = audit(bunch)
    assert table[["filename", "finding"]].values.tolist() == [["b", "group on both sides"]]
    assert table.detail[0] == "group 'ann': 1 in test and 2 in train of the partitions"


def test_audit_ignores_copies_made_by_upsample():
    waves = [noise(seed) for seed in range(3)]
    bunch = make_bunch(waves, ["a", "b", "c"], target=[0, 0, 1], target_names=["ant", "bee"])
    bunch.sampling_rate = RATE
    bunch.data = np.array(waves)
    assert audit(upsample(bunch)).empty


# audit: the whole


def test_audit_does_not_depend_on_n_jobs_and_block_length(tmp_path, monkeypatch):
    write(tmp_path, "loud.wav", np.r_[noise(0, 3 * RATE), np.ones(RATE)])
    write(tmp_path, "loud.flac", soundfile.read(tmp_path / "loud.wav")[0])
    write(tmp_path, "cut.wav", noise(1, 4 * RATE))
    (tmp_path / "cut.wav").write_bytes((tmp_path / "cut.wav").read_bytes()[:-1000])
    bunch = corpus(tmp_path, "loud.wav", "loud.flac", "cut.wav")
    report = audit(bunch, n_jobs=1)
    assert report.finding.tolist() == ["truncated", "clipped", "clipped", "duplicate"]
    assert report.value[1] == 25
    pd.testing.assert_frame_equal(audit(bunch, n_jobs=3), report)
    monkeypatch.setattr("skaudeep.datasets.auditing.BLOCK", 1)
    pd.testing.assert_frame_equal(audit(bunch), report)


def test_audit_finds_nothing_after_all_findings_are_left_out(mixed):
    bunch = drop_folds(mixed)
    while len(table := audit(bunch)):
        bunch = select(bunch, ~np.isin(bunch.filenames, table.filename))
    assert bunch.filenames.tolist() == ["a.wav", "b.wav", "d.ogg"]


def test_audit_refuses_spectrograms_and_features():
    with pytest.raises(ValueError, match="spectrograms or features, expected audio"):
        audit(make_bunch(np.zeros((2, 3, 4)), ["a", "b"]))


def test_audit_names_pandas_where_it_is_missing(mixed, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="Install it: pip install pandas"):
        audit(mixed)


def test_describe_and_audit_open_each_file_of_esc10_once_and_find_only_clipping(
    shared, monkeypatch
):
    esc10 = load_esc(shared / "esc-10")
    calls = {"audio_info": [], "read_audio": []}

    def count(name):
        true = getattr(skaudeep.audio.decoding, name)

        def counted(clip, **kwargs):
            calls[name].append(str(clip))
            return true(clip, **kwargs)

        monkeypatch.setattr(skaudeep.audio.decoding, name, counted)

    count("audio_info")
    count("read_audio")
    summary = describe(esc10)
    assert sorted(calls["audio_info"]) == sorted(esc10.data)
    assert calls["read_audio"] == []
    assert summary.unreadable == {}
    assert summary.sampling_rates == {44100: 400}
    assert summary.n_groups == 304
    table = audit(esc10)
    assert sorted(calls["read_audio"]) == sorted(esc10.data)
    assert set(table.finding) == {"clipped"}
    assert table.filename[table.value.idxmax()] == "010 - Fire crackling/5-186924-A.ogg"
