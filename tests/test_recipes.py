"""Recipes: what they promise of their views, and that these tell sounds apart."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from skaudeep import BandStatistics
from skaudeep.datasets import make_sounds
from skaudeep.recipes import two_scales

RATE = 16000  # Hz
SMALL = {"sampling_rate": RATE, "random_state": 0, "n_units": 32, "n_layers": 1}


@pytest.fixture(scope="module")
def sounds():
    return make_sounds(64, n_classes=4, sampling_rate=RATE, random_state=0)


def test_features_are_named_by_their_scale(sounds):
    views = two_scales(**SMALL).fit(sounds.data)
    names = views.get_feature_names_out()
    assert views.transform(sounds.data[:2]).shape == (2, len(names)) == (2, 5128)
    assert names[[0, 2563, 2564, 5127]].tolist() == [
        "80ms__mean_0",
        "80ms__intercept_19",
        "25ms__mean_0",
        "25ms__intercept_19",
    ]


@pytest.mark.parametrize("max_epochs", [0, 1])
def test_networks_are_trained_for_as_long_as_is_said(sounds, max_epochs):
    views = two_scales(**SMALL, max_epochs=max_epochs).fit(sounds.data[:8])
    assert [len(view[-1].loss_curve_) for _, view in views.transformers_] == [max_epochs] * 2


def test_parameters_reach_both_networks():
    views = two_scales(**SMALL, cell="lstm", n_jobs=2)
    parameters = views.get_params()
    assert parameters["n_jobs"] == 2
    for scale in ("80ms", "25ms"):
        assert parameters[f"{scale}__seq2seqautoencoder__cell"] == "lstm"
        assert parameters[f"{scale}__seq2seqautoencoder__random_state"] == 0
    with pytest.raises(TypeError, match="n_unit"):
        two_scales(n_unit=3)


def test_short_clips_of_a_low_rate_have_features_and_padding_changes_none():
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=n).astype(np.float32) for n in (800, 4000, 1600)]  # 0.1 to 0.5 s
    views = two_scales(**SMALL | {"sampling_rate": 8000}).fit(clips)
    features = views.transform(clips)
    assert np.isfinite(features).all()
    for clip, of_clip in zip(clips, features, strict=True):
        np.testing.assert_allclose(views.transform([clip])[0], of_clip, atol=1e-5)


def test_sounds_are_told_apart_better_than_by_statistics_of_their_bands(sounds):
    views = two_scales(**SMALL)
    statistics = clone(views).set_params(
        **{f"{scale}__seq2seqautoencoder": BandStatistics() for scale in ("80ms", "25ms")}
    )
    classifier = make_pipeline(StandardScaler(), Normalizer(), LinearSVC(random_state=0))
    accuracy, control = (
        cross_val_score(classifier, of.fit_transform(sounds.data), sounds.target, cv=4).mean()
        for of in (views, statistics)
    )
    assert accuracy > control + 0.1
