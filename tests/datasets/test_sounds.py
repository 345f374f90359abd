"""The generator of sounds: what its classes and sessions are, and that it repeats itself."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.io import wavfile
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skaudeep.datasets import load_dataset, load_folder, make_sounds
from skaudeep.datasets.sounds import SOUNDS, _make_session, _record, _Session

RATE = 16000


def band_levels(waveform, n_bands=32):
    """Level in dB of each of `n_bands` bands in frames of 32 ms, (n_frames, n_bands)."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, 512)[::256] * np.hanning(512)
    power = np.abs(np.fft.rfft(frames)[:, 1:]) ** 2
    return 10 * np.log10(power.reshape(len(frames), n_bands, -1).mean(axis=2) + 1e-10)


def play(name, seed, seconds=0.8):
    sound = SOUNDS[name]
    event = sound.make(np.arange(int(seconds * RATE)) / RATE, np.random.default_rng(seed))
    return event[::-1] if sound.backwards else event


def energies(event, n_parts):
    return np.array([np.sum(part**2) for part in np.array_split(event, n_parts)])


def pitch(event):
    """Frequency of the strongest partial, in Hz."""
    return np.argmax(np.abs(np.fft.rfft(event))) * RATE / len(event)


def click_gaps(event):
    """Time between clicks."""
    loud = np.convolve(np.abs(event) > 1e-3, np.ones(96), "same") > 0
    return np.diff(np.flatnonzero(np.diff(loud.astype(int)) == 1))


def tremolo_rate(event):
    """Frequency of the strongest modulation, in Hz."""
    envelope = np.array([np.sum(part**2) for part in event.reshape(-1, 160)])  # every 10 ms
    return np.argmax(np.abs(np.fft.rfft(envelope - envelope.mean(), 1000))) / 10


@pytest.mark.parametrize("seed", range(5))
def test_each_class_of_make_sounds_sounds_like_its_name(seed):
    def ends(name):
        event = play(name, seed)
        return pitch(event[:3000]), pitch(event[-3000:])

    for upwards, downwards in (
        ("rising sweep", "falling sweep"),
        ("low-high tones", "high-low tones"),
    ):
        first, last = ends(upwards)
        assert last > 1.3 * first
        first, last = ends(downwards)
        assert first > 1.3 * last
    assert np.all(np.diff(energies(play("swelling noise", seed), 4)) > 0)
    assert np.all(np.diff(energies(play("fading noise", seed), 4)) < 0)
    gaps = click_gaps(play("slackening clicks", seed))
    assert np.mean(gaps[-3:]) > 1.5 * np.mean(gaps[:3])
    gaps = click_gaps(play("hastening clicks", seed))
    assert np.mean(gaps[:3]) > 1.5 * np.mean(gaps[-3:])
    assert 2 < tremolo_rate(play("slow tremolo", seed)) < 5
    assert 7 < tremolo_rate(play("fast tremolo", seed)) < 12


def test_paired_classes_have_the_same_long_term_spectrum():
    names = list(SOUNDS)
    for first, second in zip(names[::2], names[1::2], strict=True):
        if not SOUNDS[second].backwards:
            continue
        spectra = [np.abs(np.fft.rfft(play(name, 0))) for name in (first, second)]
        np.testing.assert_allclose(*spectra, atol=1e-8 * spectra[0].max())


def test_a_classifier_needs_the_order_of_segments_to_separate_the_classes():
    """What the generator is for; chance is 0.125."""
    bunch = make_sounds(random_state=0)
    levels = [band_levels(waveform) for waveform in bunch.data]

    def statistics(frames):
        return np.r_[frames.mean(axis=0), frames.std(axis=0)]

    def accuracy(features):
        model = make_pipeline(StandardScaler(), LinearSVC(C=0.01, random_state=0))
        return cross_val_score(model, np.array(features), bunch.target, cv=bunch.cv).mean()

    whole = accuracy([statistics(clip) for clip in levels])
    parts = accuracy(
        [np.concatenate([statistics(part) for part in np.array_split(clip, 8)]) for clip in levels]
    )
    assert 0.2 < whole < 0.6
    assert parts > whole + 0.2


def test_classes_are_balanced_in_every_session_and_each_session_is_a_fold():
    bunch = make_sounds(60, n_classes=4, n_sessions=3, random_state=0)
    for session, (train, test) in enumerate(bunch.cv, start=1):
        assert set(bunch.groups[test]) == {f"session {session}"}
        assert f"session {session}" not in bunch.groups[train]
        assert np.bincount(bunch.target[test]).tolist() == [5] * 4
    assert bunch.sampling_rate == RATE
    assert bunch.data.shape == (60, RATE)
    assert bunch.data.dtype == np.float32
    assert np.abs(bunch.data).max() <= 1


def test_sessions_differ_in_level_and_clips_of_a_session_less():
    bunch = make_sounds(100, n_classes=2, random_state=0)
    decibels = 10 * np.log10(np.mean(bunch.data**2, axis=1))
    within = np.mean([decibels[test].std() for _, test in bunch.cv])
    between = np.std([decibels[test].mean() for _, test in bunch.cv])
    assert between > 1.5 * within


def decibels(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=float)))


def record(seed=0, **session):
    dry = {"level": -30.0, "snr": np.inf, "tilt": 0.0, "impulse_response": np.ones(1)}
    return _record(
        SOUNDS["rising sweep"],
        _Session(**dry | session),
        2 * RATE,
        RATE,
        np.random.default_rng(seed),
    )


def test_levels_of_clips_vary_by_three_decibels_around_that_of_their_session():
    levels = [decibels(record(seed)) for seed in range(20)]
    assert min(levels) > -33.01
    assert max(levels) < -26.99
    assert np.std(levels) > 1


@pytest.mark.parametrize("tilt", [0.0, 1.0, 2.0])
def test_the_background_has_the_level_and_spectral_tilt_of_its_session(tilt):
    clean, noisy = record(), record(snr=12.0, tilt=tilt)
    noise = noisy.astype(float) - clean
    assert decibels(noise) == pytest.approx(decibels(clean) - 12, abs=0.01)
    power = np.abs(np.fft.rfft(noise)) ** 2
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    octaves = [
        power[(hertz >= low) & (hertz < 2 * low)].mean() for low in (125, 250, 500, 1000, 2000)
    ]
    slope = np.polyfit(np.arange(5), np.log2(octaves), 1)[0]
    assert slope == pytest.approx(-tilt, abs=0.2)


def test_reverberation_repeats_the_sound_and_keeps_its_level():
    echo = np.zeros(801)
    echo[800] = 1
    dry, late = record(), record(impulse_response=echo)
    np.testing.assert_allclose(late[800:], dry[:-800], atol=1e-3)
    assert decibels(late) == pytest.approx(decibels(dry), abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_impulse_responses_have_a_direct_sound_and_a_weaker_decaying_tail(seed):
    response = _make_session(RATE, np.random.default_rng(seed)).impulse_response
    tail = response[1:]
    assert response[0] == 1
    assert 0.2 < np.linalg.norm(tail) < 0.75  # 12 to 3 dB below
    first, last = np.array_split(tail, 2)
    assert decibels(last) < decibels(first) - 20


@pytest.mark.parametrize("sampling_rate", [8000, 22050, 44100])
def test_the_shortest_clips_of_all_classes_are_finite_at_any_rate(sampling_rate):
    bunch = make_sounds(50, n_classes=10, sampling_rate=sampling_rate, duration=0.1, random_state=0)
    assert bunch.data.shape == (50, sampling_rate // 10)
    assert np.isfinite(bunch.data).all()
    assert np.all(np.mean(bunch.data**2, axis=1) > 1e-5)


def test_a_single_session_has_no_folds():
    bunch = make_sounds(4, n_classes=2, n_sessions=1, random_state=0)
    assert bunch.folds.shape == (4, 0)


def test_durations_drawn_from_a_range_give_an_array_of_waveforms():
    bunch = make_sounds(20, n_classes=2, sampling_rate=8000, duration=(0.2, 0.5), random_state=0)
    lengths = [len(waveform) for waveform in bunch.data]
    assert bunch.data.dtype == object
    assert bunch.data.shape == (20,)
    assert {waveform.dtype for waveform in bunch.data} == {np.dtype(np.float32)}
    assert 1600 <= min(lengths) < 2100 < 3500 < max(lengths) <= 4000


def test_a_seed_gives_the_same_clips_and_more_clips_leave_them_as_they_are():
    settings = {"n_classes": 2, "duration": (0.2, 0.3)}
    few = make_sounds(10, **settings, random_state=3)
    many = make_sounds(14, **settings, random_state=3)
    for first, second in zip(few.data, many.data[:10], strict=True):
        np.testing.assert_array_equal(first, second)
    assert few.filenames.tolist() == many.filenames[:10].tolist()
    other = make_sounds(10, **settings, random_state=4)
    assert not np.array_equal(few.data[0][:3000], other.data[0][:3000])


def test_make_sounds_draws_from_a_random_state_and_not_from_the_global_one():
    before = np.random.get_state()[1].copy()
    state = np.random.RandomState(0)
    first, second = (make_sounds(10, n_classes=2, random_state=state) for _ in range(2))
    assert not np.array_equal(first.data, second.data)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_clips_written_to_a_folder_equal_those_in_memory(tmp_path):
    settings = {"n_classes": 3, "n_sessions": 2, "duration": (0.2, 0.3), "random_state": 0}
    memory = make_sounds(12, **settings)
    disk = make_sounds(12, **settings, folder=tmp_path / "new/sounds")
    for path, waveform in zip(disk.data, memory.data, strict=True):
        samples, rate = soundfile.read(path, dtype="float32")
        np.testing.assert_array_equal(samples, waveform)
        assert rate == disk.sampling_rate == RATE
    assert {key: str(disk[key]) for key in disk if key not in ("data", "dims")} == {
        key: str(memory[key]) for key in memory if key not in ("data", "dims")
    }
    assert (disk.dims, memory.dims) == (("clip",), ("clip", "sample"))
    read = load_folder(tmp_path / "new/sounds")
    order = np.argsort(disk.filenames)
    assert read.filenames.tolist() == disk.filenames[order].tolist()
    assert read.folds.tolist() == disk.folds[order].tolist()
    assert [read.target_names[i] for i in read.target] == [
        disk.target_names[i] for i in disk.target[order]
    ]


def test_sessions_of_clips_in_a_folder_are_read_again_as_groups(tmp_path):
    made = make_sounds(12, n_classes=2, n_sessions=3, duration=0.1, folder=tmp_path, random_state=0)
    read = load_folder(tmp_path, groups=r"fold_(\d+)")
    session_of = dict(zip(made.filenames.tolist(), made.groups.tolist(), strict=True))
    sessions = [session_of[name] for name in read.filenames.tolist()]
    assert [f"session {group}" for group in read.groups.tolist()] == sessions
    with pytest.raises(ValueError, match="gives no clip a group"):
        load_folder(tmp_path, groups="speaker")


def test_clips_of_a_single_session_in_a_folder_are_read_again_without_folds(tmp_path):
    made = make_sounds(6, n_classes=3, n_sessions=1, folder=tmp_path, random_state=0)
    read = load_dataset(tmp_path)
    assert read.folds.shape == made.folds.shape == (6, 0)
    label_of = {
        name: made.target_names[label]
        for name, label in zip(made.filenames, made.target, strict=True)
    }
    assert [read.target_names[label] for label in read.target] == [
        label_of[name] for name in read.filenames
    ]


def test_make_sounds_overwrites_its_own_clips_and_refuses_a_folder_with_others(tmp_path):
    settings = {"n_classes": 2, "n_sessions": 2, "duration": 0.1, "random_state": 0}
    make_sounds(8, **settings, folder=tmp_path)
    make_sounds(8, **settings, folder=tmp_path)
    with pytest.raises(FileExistsError, match=r"4 audio files .* first 'fold_1/falling sweep/"):
        make_sounds(4, **settings, folder=tmp_path)


def test_make_sounds_keeps_the_old_clip_where_writing_fails(tmp_path, monkeypatch):
    settings = {"n_classes": 2, "n_sessions": 1, "duration": 0.1, "random_state": 0}
    old = make_sounds(2, **settings, folder=tmp_path)
    before = {path: Path(path).read_bytes() for path in old.data}

    def half(path, rate, samples):
        path.write_bytes(b"RIFF")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wavfile, "write", half)
    with pytest.raises(OSError, match="No space left"):
        make_sounds(2, **settings | {"random_state": 1}, folder=tmp_path)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {str(path): path.read_bytes() for path in left} == before


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clips": 39}, r"n_clips=39, .* n_classes \* n_sessions = 40"),
        ({"n_clips": 50.0}, r"n_clips=50\.0, expected an integer"),
        ({"n_classes": 1}, "n_classes=1, expected an integer of at least 2 and at most 10"),
        ({"n_classes": 11}, "n_classes=11"),
        ({"n_sessions": 0}, "n_sessions=0, expected an integer of at least 1"),
        ({"sampling_rate": 4000}, "sampling_rate=4000, expected an integer of at least 8000"),
        ({"duration": 0.05}, r"duration=0\.05, expected seconds, at least 0\.1"),
        ({"duration": (2.0, 1.0)}, r"duration=\(2\.0, 1\.0\)"),
        ({"duration": (1, 2, 3)}, r"duration=\(1, 2, 3\)"),
        ({"duration": None}, "duration=None"),
        ({"duration": ("1", "2")}, "duration=.'1', '2'."),
        ({"duration": float("nan")}, "duration=nan"),
        ({"duration": float("inf")}, "duration=inf"),
    ],
)
def test_make_sounds_refuses_parameters_out_of_range(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_sounds(**parameters)
