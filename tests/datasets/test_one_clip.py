"""What a data set knows of one clip."""

from __future__ import annotations

import numpy as np
import pytest

from skaudeep.datasets import describe, make_bunch
from skaudeep.formats import load_netcdf, save_netcdf


def test_a_clip_is_described_by_its_header_and_by_what_the_data_set_says_of_it(mixed):
    one = describe(mixed, clip=1)
    assert str(one).splitlines()[0] == f"clip       {mixed.filenames[1]}, number 1 of 5"
    assert one.duration == 2
    assert one.filename == mixed.filenames[1]
    assert one.target in ("ant", "bee", None)
    assert one.partition == mixed.partition[1]
    assert one.test_folds == (np.flatnonzero(mixed.folds[1]) + 1).tolist()
    assert describe(mixed, clip="e.wav").error == describe(mixed).unreadable["e.wav"]
    assert np.isnan(describe(mixed, clip="e.wav").duration)


def test_of_spectrograms_only_the_frames_that_are_no_padding_count(tmp_path):
    data = np.full((2, 50, 40), 0.5, np.float32)
    data[1, 30:] = np.nan
    data[1, 0, 0] = -1
    save_netcdf(make_bunch(data, ["a.wav", "b.wav"], groups=["ann", ""]), tmp_path / "x.nc")
    for lazy in (False, True):
        one = describe(load_netcdf(tmp_path / "x.nc", lazy=lazy), clip=1)
        assert one.content == {"frame": 30, "band": 40}
        assert one.values == pytest.approx((-1, 0.5, (0.5 * (30 * 40 - 1) - 1) / (30 * 40)))
    assert str(one).splitlines() == [
        "clip       b.wav, number 1 of 2",
        "data       30 frames x 40 bands",
        "values     -1 to 0.5, mean 0.4988",
        "target     unlabelled",
    ]


def test_chunks_that_a_clip_lacks_do_not_count():
    data = np.zeros((2, 3, 4), np.float32)
    data[0, 1:] = np.nan
    bunch = make_bunch(data, ["a", "b"], target=[1.5, np.nan], dims=("clip", "chunk", "feature"))
    assert describe(bunch, clip=0).content == {"chunk": 1, "feature": 4}
    assert "data       1 chunk x 4 features" in str(describe(bunch, clip=0))
    assert describe(bunch, clip=0).target == 1.5
    assert describe(bunch, clip=1).target is None


def test_all_classes_of_a_clip_are_named():
    several = make_bunch(
        np.zeros((2, 3)), ["a", "b"], target=[[1, 1], [0, 0]], target_names=["rain", "wind"]
    )
    assert describe(several, clip="a").target == ["rain", "wind"]
    assert "target     no class" in str(describe(several, clip="b"))


def test_a_clip_without_values_is_said_to_have_none():
    bunch = make_bunch(np.array([[np.nan, np.nan], [1, 2]]), ["a", "b"])
    assert "could not be read" in describe(bunch, clip=0).error
    assert describe(bunch, clip=0).values is None


@pytest.mark.parametrize("clip", [5, -1, 1.5, True])
def test_a_clip_that_is_not_there_is_an_error_that_says_which_are(mixed, clip):
    with pytest.raises(ValueError, match=r"Got clip=.*expected a position from 0 to 4"):
        describe(mixed, clip=clip)


def test_a_name_that_is_not_there_is_an_error_that_shows_similar_ones(mixed):
    with pytest.raises(ValueError, match=r"Got clip='f\.wav', expected a name among filenames"):
        describe(mixed, clip="f.wav")
