"""No window opens, and no figure outlives its test."""

import builtins

import numpy as np
import pytest

from skaudeep.evaluation.results import Evaluation


@pytest.fixture(autouse=True)
def _no_window():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture
def without_matplotlib(monkeypatch):
    """Make each import of matplotlib fail, as where it is not installed."""
    real_import = builtins.__import__

    def no_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_matplotlib)


@pytest.fixture
def make_evaluation():
    """Return a function that makes an evaluation: one test of each labelled clip, in one fold."""

    def make(target, predicted, **options):
        target = np.asarray(target)
        n_classes = int(target.max()) + 1
        defaults = {
            "target_names": [f"class {i}" for i in range(n_classes)],
            "protocol": "inductive",
            "seeds": [0],
        }
        return Evaluation(
            target=target,
            test=[np.flatnonzero(target >= 0)],
            fold_predictions=[[np.asarray(predicted)]],
            **defaults | options,
        )

    return make
