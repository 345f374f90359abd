"""From recordings to events: windows, scores over time, and what they say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.linear_model import Ridge
from sklearn.utils import Bunch

import skaudeep
from skaudeep.audio import AudioError, AudioWarning
from skaudeep.datasets import load_index, select
from skaudeep.recipes import event_classifier

RATE = 8000
TONES = {"high": 2.0, "low": 0.3}  # radians a sample
DURATION = 0.5
NEW = [(3.0, 4.2, "high"), (8.0, 9.0, "low"), (12.0, 13.5, "high")]


def write(path: Path, seconds: float, events, seed: int) -> None:
    samples = 0.05 * np.random.default_rng(seed).normal(size=round(RATE * seconds))
    for start, end, label in events:
        first, last = round(RATE * start), round(RATE * end)
        samples[first:last] += 0.3 * np.sin(TONES[label] * np.arange(last - first))
    soundfile.write(path, samples, RATE)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    known = [(2 + 3 * i, 3.1 + 3 * i, label) for i, label in enumerate(["high", "low"] * 3)]
    write(folder / "train.wav", 22, known, 0)
    write(folder / "new.wav", 15, NEW, 1)
    starts = np.arange(0, 21.5, 0.25)
    labels = np.full(len(starts), "background", dtype=object)
    for start, end, label in known:
        inside = np.minimum(starts + DURATION, end) - np.maximum(starts, start)
        labels[inside >= DURATION / 2] = label
    index = pd.MultiIndex.from_arrays(
        [["train.wav"] * len(starts), starts, starts + DURATION], names=["file", "start", "end"]
    )
    windows = load_index(pd.Series(labels, index, name="label"), target="label", root=folder)
    model = skaudeep.fit_detector(windows, event_classifier(n_units=8, random_state=0))
    return SimpleNamespace(model=model, new=str(folder / "new.wav"), windows=windows)


OPTIONS = {"duration": DURATION, "min_duration": 0.3, "merge_gap": 0.2}


@pytest.fixture(scope="module")
def events(scene):
    return skaudeep.detect(scene.model, [scene.new], **OPTIONS)


def test_events_are_found_where_they_are(scene, events):
    assert events["label"].tolist() == [label for _, _, label in NEW]
    assert set(events["file"]) == {scene.new}
    truth = np.array([times[:2] for times in NEW])
    np.testing.assert_allclose(events[["start", "end"]], truth, atol=0.2)
    assert events["score"].between(0.5, 1).all()
    assert events.attrs["errors"] == {}


def test_skipping_quiet_windows_changes_no_event_and_saves_most(scene, events):
    (some,) = skaudeep.score_recordings(scene.model, [scene.new], duration=DURATION)
    (every,) = skaudeep.score_recordings(
        scene.model, [scene.new], duration=DURATION, skip_below=None
    )
    assert len(every) == 146  # each 0.1 s, the last from 14.5 s
    assert len(some) < len(every)
    pd.testing.assert_frame_equal(some, every.loc[some.index], rtol=1e-5)
    unskipped = skaudeep.detect(scene.model, [scene.new], skip_below=None, **OPTIONS)
    pd.testing.assert_frame_equal(unskipped, events, rtol=1e-5)


def test_scores_are_the_probabilities_of_the_model(scene):
    (scores,) = skaudeep.score_recordings(
        scene.model, [scene.new], duration=DURATION, hop=0.25, skip_below=None, batch_size=7
    )
    assert scores.columns.tolist() == ["high", "low"]
    expected = scene.model.predict_proba(scores.index)[:, 1:]
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-7)


def test_seconds_that_are_done_add_up_to_the_recording(scene):
    seconds = []
    skaudeep.detect(scene.model, [scene.new], on_seconds=seconds.append, **OPTIONS)
    assert sum(seconds) == pytest.approx(15)


def test_a_recording_shorter_than_a_window_is_one_window(scene, tmp_path):
    write(tmp_path / "a.wav", 0.4, [(0, 0.4, "low")], 3)
    found = skaudeep.detect(scene.model, [tmp_path / "a.wav"], duration=DURATION)
    assert found[["start", "end", "label"]].to_numpy().tolist() == [[0, 0.4, "low"]]


def test_a_recording_shorter_than_half_a_window_is_warned_of_with_its_length(scene, tmp_path):
    write(tmp_path / "a.wav", 0.2, [], 3)
    with pytest.warns(
        AudioWarning, match=r"a\.wav: lasts 0\.2 s, less than half a window of 0\.5 s"
    ):
        skaudeep.detect(scene.model, [tmp_path / "a.wav"], duration=DURATION)


def test_a_recording_that_is_given_twice_is_refused(scene):
    with pytest.raises(ValueError, match=r"new\.wav' twice among 2 files"):
        skaudeep.detect(scene.model, [scene.new, Path(scene.new)], duration=DURATION)


def test_silence_has_no_score_and_no_event(scene, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(2 * RATE), RATE)
    (scores,) = skaudeep.score_recordings(scene.model, [tmp_path / "a.wav"], duration=DURATION)
    assert scores.isna().all(axis=None)
    none = skaudeep.detect(scene.model, [tmp_path / "a.wav"], duration=DURATION)
    assert none.shape == (0, 5)


def test_a_recording_that_cannot_be_read_costs_no_other(scene, events, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    broken = str(tmp_path / "broken.wav")
    found = skaudeep.detect(scene.model, [broken, scene.new], **OPTIONS)
    pd.testing.assert_frame_equal(found, events)
    assert list(found.attrs["errors"]) == [broken]
    with pytest.raises(AudioError, match=r"broken\.wav: .*none of 2 recordings"):
        skaudeep.detect(scene.model, [broken, str(tmp_path / "missing.wav")], **OPTIONS)


@pytest.mark.filterwarnings("ignore::skaudeep.audio.AudioWarning")
def test_recordings_that_are_read_in_part_may_have_no_event(scene, tmp_path):
    path = tmp_path / "cut.flac"
    noise = 0.05 * np.random.default_rng(3).normal(size=10 * RATE)
    soundfile.write(path, noise, RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = skaudeep.detect(scene.model, [path], **OPTIONS)
    assert found.shape == (0, 5)
    assert list(found.attrs["errors"]) == [str(path)]
    scores, lost = skaudeep.score_recordings(
        scene.model, [path, tmp_path / "missing.wav"], duration=DURATION
    )
    assert (scores.attrs["unread"], lost.attrs["unread"]) == (False, True)
    assert scores.notna().all(axis=1).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": 0}, "duration=0, expected seconds"),
        ({"duration": 1, "hop": 2}, "hop=2, expected seconds"),
        ({"duration": 1, "skip_below": 2}, "skip_below=2"),
        ({"duration": 1, "background": ["background", "high", "low"]}, "all of them background"),
        ({"duration": 1, "threshold": {"owl": 0.5}}, "threshold for 'owl'"),
        ({"duration": 1, "threshold": 2}, "threshold=2, expected a probability"),
        ({"duration": 1, "low_threshold": {"low": -1}}, "low_threshold=-1, expected a prob"),
    ],
)
def test_parameters_out_of_their_range_are_refused(scene, options, message):
    with pytest.raises(ValueError, match=message):
        skaudeep.detect(scene.model, [scene.new], **options)


def test_what_is_no_classifier_and_no_list_is_refused(scene):
    with pytest.raises(ValueError, match="a Ridge without predict_proba"):
        skaudeep.detect(Ridge(), [scene.new], duration=1)
    with pytest.raises(ValueError, match="Put it into a list"):
        skaudeep.detect(scene.model, scene.new, duration=1)


def test_windows_of_annotated_recordings_fit_the_same_detector(scene):
    """Those of a target with a column of 0 and 1 for each class."""
    target = scene.windows.target
    columns = np.stack([target == 1, target == 2], axis=1).astype(int)
    several = Bunch(**dict(scene.windows) | {"target": columns, "target_names": ["high", "low"]})
    model = skaudeep.fit_detector(several, event_classifier(n_units=8, random_state=0))
    some = scene.windows.data[:5]
    np.testing.assert_allclose(
        model.predict_proba(some), scene.model.predict_proba(some), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("several", [False, True])
def test_windows_without_labels_are_left_out(scene, several):
    """They were taken for background, or for examples of every class."""
    target = scene.windows.target
    names = scene.windows.target_names
    if several:
        target = np.stack([target == 1, target == 2], axis=1).astype(int)
        names = ["high", "low"]
    unlabelled = np.arange(len(target)) % 3 == 0
    target = np.where(unlabelled[:, None] if several else unlabelled, -1, target)
    windows = Bunch(**dict(scene.windows) | {"target": target, "target_names": names})
    models = [
        skaudeep.fit_detector(given, event_classifier(n_units=8, random_state=0))
        for given in (windows, select(windows, ~unlabelled))
    ]
    some = scene.windows.data[:5]
    np.testing.assert_array_equal(*(model.predict_proba(some) for model in models))


def test_windows_without_events_or_without_background_are_refused(scene):
    for keep in (scene.windows.target == 0, scene.windows.target > 0):
        with pytest.raises(ValueError, match="alone, expected some with events and some without"):
            skaudeep.fit_detector(select(scene.windows, keep))
