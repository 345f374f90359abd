"""The NaN convention: what is padding, what is a gap, and how rows are stacked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep._padding import find_gap, frame_mask, is_ragged, missing_frames, pad, row_lengths

LENGTHS = st.lists(st.integers(0, 5), min_size=1, max_size=6)


@given(lengths=LENGTHS, more=st.integers(0, 2), n_axes=st.integers(1, 2))
@settings(deadline=None, max_examples=50)
def test_padding_and_lengths_are_inverse(lengths, more, n_axes):
    item = (2, 3)[:n_axes]
    rows = [np.ones((length, *item), np.float32) for length in lengths]
    padded = pad(rows, (max(lengths) + more, *item))
    assert padded.shape == (len(lengths), max(lengths) + more, *item)
    assert row_lengths(padded).tolist() == lengths
    mask = frame_mask(np.array(lengths), padded.shape[1])
    np.testing.assert_array_equal(missing_frames(padded), ~mask)
    for row, length in zip(padded, lengths, strict=True):
        assert (row[:length] == 1).all()


def test_rows_are_padded_along_every_axis_to_the_largest():
    padded = pad([np.zeros((1, 3)), None, np.zeros((2, 2))])
    assert padded.shape == (3, 2, 3)
    assert np.isnan(padded).sum() == 3 + 6 + 2
    assert padded.dtype == np.float32
    assert pad([np.zeros((1, 3))], dtype=np.float64).dtype == np.float64


def test_a_frame_with_some_numbers_belongs_to_the_row_and_is_a_gap():
    values = np.zeros((2, 4, 2))
    values[1, 2, 0] = values[1, 3] = np.nan
    lengths = row_lengths(values)
    assert lengths.tolist() == [4, 3]
    assert find_gap(values, lengths) == (1, 2)


def test_a_missing_frame_before_the_end_is_a_gap_and_padding_is_none():
    values = np.zeros((2, 4, 2))
    values[0, 3:] = np.nan
    assert find_gap(values, row_lengths(values)) is None
    values[0, 1] = np.nan
    assert find_gap(values, row_lengths(values)) == (0, 1)


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        ([np.zeros((2, 3)), np.zeros((1, 3))], True),
        ((np.zeros((2, 3)),), True),
        (np.array([np.zeros((2, 3)), None], dtype=object), True),
        ([], False),
        ([[1.0, 2.0]], False),
        ([np.zeros(3)], False),
        (np.zeros((2, 3, 4)), False),
        (["a.wav"], False),
    ],
)
def test_ragged_is_a_list_of_matrices(X, expected):
    assert is_ragged(X) is expected
