"""scikit-learn's own checks on every estimator that takes a plain matrix."""

from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks

from skaudeep import Seq2SeqAutoencoder

SMALL = {"n_units": 4, "n_layers": 1, "max_epochs": 2, "random_state": 0}


@parametrize_with_checks([Seq2SeqAutoencoder(**SMALL)], xfail_strict=True)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
