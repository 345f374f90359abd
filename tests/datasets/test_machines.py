"""make_machines: what the faults are, and that clips depend on the seed and their number alone."""

from __future__ import annotations

import numpy as np
import pytest

from skaudeep.datasets import make_machines, select, validate

RATE = 8000


@pytest.fixture(scope="module")
def machines():
    return make_machines(
        2, n_train=20, n_normal=4, n_faulty=6, sampling_rate=RATE, duration=1.0, random_state=0
    )


def clips(bunch, machine, fault):
    return bunch.data[(bunch.machine == machine) & (bunch.fault == fault)]


def test_a_data_set_of_machines_is_sound_and_says_what_each_clip_is(machines):
    validate(machines)
    assert machines.data.shape == (2 * 54, RATE)
    assert np.abs(machines.data).max() <= 1
    np.testing.assert_array_equal(machines.target, machines.fault != "")
    assert not (machines.target == 1)[machines.partition == "train"].any()
    assert np.unique(machines.fault, return_counts=True)[1].tolist() == [48, 12, 12, 12, 12, 12]
    assert (
        select(machines, machines.fault == "ticks").machine.tolist()
        == ["machine 1"] * 6 + ["machine 2"] * 6
    )


def test_a_fault_in_level_is_more_than_normal_clips_differ_and_a_missing_tone_is_none(machines):
    def loudness(fault):
        return 10 * np.log10((clips(machines, "machine 1", fault) ** 2).mean(axis=1))

    usual = loudness("")
    spread = np.std(usual)
    assert np.mean(np.abs(loudness("level") - np.median(usual))) > 2 * spread
    assert np.abs(np.median(loudness("missing tone")) - np.median(usual)) < 2 * spread


def test_ticks_are_peaks_that_a_normal_clip_has_not(machines):
    def crest(fault):
        x = clips(machines, "machine 2", fault)
        return np.abs(np.diff(x)).max(axis=1) / np.abs(np.diff(x)).mean(axis=1)

    assert np.median(crest("ticks")) > crest("").max()


def test_more_machines_and_another_seed(machines):
    options = {"n_train": 1, "n_normal": 1, "n_faulty": 1, "sampling_rate": RATE, "duration": 0.2}
    one, two = (make_machines(n, **options, random_state=0) for n in (1, 2))
    np.testing.assert_array_equal(two.data[:7], one.data)
    assert not np.array_equal(two.data[7:], one.data)
    assert not np.array_equal(make_machines(1, **options, random_state=1).data, one.data)


def test_sessions_are_groups_and_the_test_clips_are_of_other_sessions():
    bunch = make_machines(
        1, n_train=6, n_normal=2, n_faulty=1, n_sessions=3, sampling_rate=RATE, duration=0.2
    )
    train = set(bunch.groups[bunch.partition == "train"])
    test = set(bunch.groups[bunch.partition == "test"])
    assert len(train) == len(test) == 3
    assert not train & test


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("n_machines", 0), ("n_train", 1.5), ("n_sessions", 0), ("sampling_rate", 4000)],
)
def test_a_parameter_out_of_its_range_is_refused_by_name(parameter, value):
    with pytest.raises(ValueError, match=f"Got {parameter}={value}, expected an integer"):
        make_machines(**{parameter: value})
    with pytest.raises(ValueError, match=r"Got duration=0\.01, expected seconds"):
        make_machines(duration=0.01)
