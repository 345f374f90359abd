"""The clips of an archive that are most like a given one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import StandardScaler

from skaudeep import similar_clips
from skaudeep.datasets import make_bunch


@pytest.fixture
def features() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(loc=100, size=(2500, 6)) * [1, 10, 1000, 1, 1, 0]  # the last is constant


def bunch_of(features: np.ndarray):
    names = [f"clip_{i}.wav" for i in range(len(features))]
    target = np.arange(len(features)) % 3 - 1
    return make_bunch(features, names, target=target, target_names=["owl", "crow"])


def test_neighbours_are_those_of_standardised_features_by_cosine(features):
    found = similar_clips(bunch_of(features), "clip_7.wav", n=5)
    expected = cosine_similarity(StandardScaler().fit_transform(features))[7]
    expected[7] = -2
    order = np.argsort(-expected)[:5]
    assert found["file"].tolist() == [f"clip_{i}.wav" for i in order]
    np.testing.assert_allclose(found["similarity"], expected[order], atol=1e-5)
    names = ["", "owl", "crow"]
    assert found["label"].tolist() == [names[i % 3] for i in order]


def test_features_of_another_clip_find_the_same_and_the_clip_itself(features):
    found = similar_clips(bunch_of(features), features[7], n=3)
    assert found["file"][0] == "clip_7.wav"
    assert found["similarity"][0] == pytest.approx(1)
    assert found["file"][1] == similar_clips(bunch_of(features), "clip_7.wav")["file"][0]


def test_clips_without_features_are_left_out(features):
    features = features[:4].copy()
    features[2] = np.nan
    bunch = bunch_of(features)
    assert set(similar_clips(bunch, "clip_0.wav")["file"]) == {"clip_1.wav", "clip_3.wav"}
    with pytest.raises(ValueError, match=r"'clip_2\.wav'.*could not be read"):
        similar_clips(bunch, "clip_2.wav")


def test_what_is_not_there_is_refused(features):
    bunch = bunch_of(features)
    with pytest.raises(ValueError, match=r"clip='clip_7', expected one of those in the archive"):
        similar_clips(bunch, "clip_7")
    with pytest.raises(ValueError, match="expected 6 finite numbers"):
        similar_clips(bunch, np.zeros(5))
    with pytest.raises(ValueError, match="n=0"):
        similar_clips(bunch, "clip_7.wav", n=0)
    with pytest.raises(ValueError, match="expected features with one row per clip"):
        similar_clips(make_bunch(["a.wav"], ["a.wav"]), "a.wav")
