"""Errors and intervals of evaluations of anomaly detectors."""

from __future__ import annotations

import numpy as np
import pytest

from skaudeep.evaluation import anomaly_metrics

RNG = np.random.default_rng(0)
N = 240
MACHINE = np.repeat(["fan", "pump"], N // 2)
SECTION = np.tile(np.repeat(["00", "01"], N // 4), 2)
DOMAIN = np.tile(["source", "target", "source"], N // 3)
ANOMALY = RNG.random(N) < 0.4
SCORES = np.round(RNG.normal(size=N) - ANOMALY, 1)  # with ties


def test_errors_without_a_threshold_are_what_is_ranked_on_the_wrong_side():
    scores = [5.0, 4.0, 0.5, 1.0, 4.5]
    found = anomaly_metrics(scores, [0, 0, 0, 1, 1], filenames=list("abcde"))
    errors = found.errors()
    assert errors["filename"].tolist() == ["c", "e"]
    assert errors["kind"].tolist() == ["false alarm", "missed"]
    np.testing.assert_allclose(errors["share"], [1, 2 / 3])


def test_the_interval_of_a_figure_is_the_one_in_the_table():
    found = anomaly_metrics(SCORES, ANOMALY, machine=MACHINE, section=SECTION, domain=DOMAIN)
    of_fan = found.interval("AUC", machine="fan", section="01", domain="target")
    row = found.to_frame().set_index(["machine", "section", "domain", "metric"])
    assert of_fan == tuple(row.loc["fan", "01", "target", "AUC"][["low", "high"]])
    with pytest.raises(ValueError, match="of which there are 4, expected one"):
        found.interval("AUC", machine="fan")
    with pytest.raises(ValueError, match="Got metric='auc'; choose 'harmonic_mean'"):
        found.interval("auc")
