"""Pickles tell the version of skaudeep that wrote them, and loading warns where it is another."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning

import skaudeep
from skaudeep import FeatureFusion, Seq2SeqAutoencoder, SpectrogramExtractor

ESTIMATORS = [
    Seq2SeqAutoencoder(3, max_epochs=0),
    SpectrogramExtractor(n_mels=4),
    FeatureFusion([("a", Seq2SeqAutoencoder(3))]),
]
each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)


def from_version(monkeypatch, estimator, version):
    with monkeypatch.context() as patch:
        patch.setattr("skaudeep._base.__version__", version)
        return pickle.dumps(estimator)


@each_estimator
def test_unpickling_an_estimator_of_another_version_warns_with_both_versions(
    monkeypatch, estimator
):
    data = from_version(monkeypatch, estimator, "9.8")
    with pytest.warns(InconsistentVersionWarning, match=r"9\.8") as record:
        loaded = pickle.loads(data)
    assert repr(loaded) == repr(estimator)
    message = str(record[0].message)
    assert "skaudeep" in message
    assert skaudeep.__version__ in message
    if not isinstance(estimator, FeatureFusion):
        assert len(record) == 1
        assert type(estimator).__name__ in message


@each_estimator
def test_unpickling_an_estimator_without_a_version_warns(estimator):
    bare = type(estimator).__new__(type(estimator))
    with pytest.warns(InconsistentVersionWarning, match="before 0"):
        bare.__setstate__(dict(vars(estimator)))
    assert vars(bare) == vars(estimator)


@each_estimator
def test_unpickling_an_estimator_of_the_same_version_is_silent_and_adds_no_attribute(
    tmp_path, estimator
):
    joblib.dump(estimator, tmp_path / "a")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for other in (joblib.load(tmp_path / "a"), copy.deepcopy(estimator), clone(estimator)):
            assert repr(other) == repr(estimator)
            assert vars(other).keys() == vars(estimator).keys()


def test_setstate_of_an_estimator_leaves_the_given_state_unchanged():
    estimator = Seq2SeqAutoencoder(3, max_epochs=0).fit(np.zeros((2, 3, 1)))
    state = estimator.__getstate__()
    before = set(state)
    copy.copy(estimator).__setstate__(state)
    assert set(state) == before
    assert "_skaudeep_version" in before
