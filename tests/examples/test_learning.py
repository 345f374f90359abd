"""Each network learns: far better than predicting the mean frame, on generated and real sounds."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARK = runpy.run_path(
    str(Path(__file__).parents[2] / "examples" / "benchmarks" / "learning.py")
)


@pytest.fixture(scope="module")
def generated():
    return BENCHMARK["generated_sounds"]()


@pytest.fixture(scope="module")
def esc10(shared):
    return BENCHMARK["esc10"](str(shared / "esc-10"))


@pytest.mark.parametrize(
    ("axis", "cell", "bidirectional_encoder", "bidirectional_decoder"), BENCHMARK["COMBINATIONS"]
)
@pytest.mark.parametrize("data", ["generated", "esc10"])
def test_the_loss_of_each_network_falls_two_fifths_below_that_of_the_mean_frame(
    data, axis, cell, bidirectional_encoder, bidirectional_decoder, request
):
    X = request.getfixturevalue(data)
    network = BENCHMARK["train"](X, axis, cell, bidirectional_encoder, bidirectional_decoder)
    bar = 0.6 * BENCHMARK["loss_of_mean_frame"](X)
    assert network.loss_curve_[-1] < bar
    assert -network.score(X) < bar
