"""What functions of other people may return, and what is said about the rest."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from skaudeep.audio import AudioError
from skaudeep.audio.functions import call_function, function_name

SAMPLES = np.arange(8, dtype=np.float32)


def pairs(samples):
    return samples.reshape(-1, 2)


def call(func):
    return call_function(func, SAMPLES, "f")


def test_frames_are_float32_copies():
    kept = np.zeros((4, 2))

    def again(samples):
        kept[:] = pairs(samples)
        return kept

    frames = call(again)
    kept[:] = -1
    np.testing.assert_array_equal(frames, pairs(SAMPLES))
    assert frames.dtype == np.float32


def test_a_function_may_change_its_samples():
    def zero(samples):
        samples[:] = 0
        return pairs(samples)

    before = SAMPLES.copy()
    assert not call(zero).any()
    np.testing.assert_array_equal(SAMPLES, before)


@pytest.mark.parametrize(
    "values", [[[1, 2], [3, 4]], np.eye(2, dtype=bool), np.eye(2, dtype=">f8")]
)
def test_lists_and_other_types_of_numbers_become_frames(values):
    np.testing.assert_array_equal(call(lambda samples: values), np.asarray(values, float))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (np.zeros(3), r"returned an array of shape \(3,\)"),
        (np.zeros((1, 2, 3)), r"returned an array of shape \(1, 2, 3\)"),
        (np.zeros((0, 3)), r"returned an array of shape \(0, 3\)"),
        (None, "returned values of type object"),
        ([["a"]], "returned values of type <U1"),
        (np.ones((2, 2), complex), "returned values of type complex128"),
        ([[1.0, 2.0], [3.0]], "raised ValueError"),
        ([[1.0, 0.0], [np.nan, np.inf]], "returned 2 values that are NaN.* in frame 1 first"),
        ([[1e300]], "returned 1 values that are .* too large for float32"),
    ],
)
def test_other_values_are_refused(values, fault):
    with pytest.raises(AudioError, match=f"f {fault}") as caught:
        call(lambda samples: values)
    assert caught.value.kind == "settings"


def test_an_error_of_the_function_is_the_cause_of_ours_under_any_name():
    def broken(samples):
        raise KeyError("weights")

    with pytest.raises(AudioError, match="f raised KeyError: 'weights'") as caught:
        call(broken)
    assert isinstance(caught.value.renamed("a.wav").__cause__, KeyError)


def test_what_functions_are_called():
    class Network:
        def __call__(self, samples):
            return samples

    assert function_name(partial(partial(pairs))) == "pairs"
    assert function_name(Network()).endswith("Network")
    assert function_name("a/b\a.onnx") == r"'b\x07.onnx'"
