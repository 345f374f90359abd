"""Autoencoders trained as one stack become what they would have become one after another."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.callback import ProgressBar
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skaudeep import FeatureFusion, Seq2SeqAutoencoder, stacks
from skaudeep.stacks import fit_stacked

SETTINGS = {
    "n_units": 6,
    "max_epochs": 2,
    "batch_size": 5,  # of 13: the last batch is smaller
    "learning_rate": 1e-3,
    "representation": "statistics",  # covariances magnify what is rounded
    "device": "cpu",
}
WINDOWS = {"band_window": 4, "band_overlap": 2}
CASES = {
    "gru": {},
    "lstm": {"cell": "lstm", "bidirectional_decoder": True},
    "gaussian": {"code": "gaussian", "encoder_noise": 0.2},
    "no dropout": {"dropout": 0.0, "n_layers": 1},
    "silence": {"mask_silence": True, "kl_weight": {0: 0.0, 1: 0.2}, "code": "gaussian"},
    "frequency": {"axis": "frequency", **WINDOWS},
    "frequency-time": {"axis": "frequency-time", "bidirectional_decoder": True, **WINDOWS},
}


@pytest.fixture
def on_cpu(monkeypatch):
    """Let a CPU do what only a GPU does by itself."""
    monkeypatch.setattr(stacks, "DEVICES", {"cpu"})


def clips(seed=0, n_clips=13):
    X = np.random.default_rng(seed).uniform(-1, 1, size=(n_clips, 7, 8)).astype(np.float32)
    X[2:4, :3] = -1
    return X


def grid(*others, **parameters):
    """Two autoencoders with seeds of their own, and others."""
    return [
        Seq2SeqAutoencoder(**SETTINGS | parameters | own)
        for own in ({"random_state": 0}, {"random_state": 1}, *others)
    ]


def assert_same(found, expected):
    assert found.seed_ == expected.seed_
    assert found.loss_curve_ == pytest.approx(expected.loss_curve_, rel=1e-5)
    weights = expected.network_.state_dict()
    for name, weight in found.network_.state_dict().items():
        if "covariance" not in name:  # components of like variance may turn into each other
            torch.testing.assert_close(weight, weights[name], rtol=0, atol=1e-5)
    assert vars(found).keys() == vars(expected).keys()


@pytest.mark.parametrize("case", CASES)
def test_each_model_becomes_what_it_would_alone(case, on_cpu):
    together, alone = grid(**CASES[case]), grid(**CASES[case])
    Xs = [clips(0), clips(1)]
    assert fit_stacked(together, Xs) == {0, 1}
    for found, expected, X in zip(together, alone, Xs, strict=True):
        assert_same(found, expected.fit(X))
        np.testing.assert_allclose(found.transform(X), expected.transform(X), atol=1e-4)


def test_models_may_differ_in_more_than_their_seed(on_cpu):
    own = [
        {"random_state": 0, "learning_rate": {0: 1e-3, 1: 1e-4}, "representation": "code"},
        {"random_state": 0, "dropout": 0.5},
        {"random_state": 0, "gradient_clip": 1e-3, "kl_weight": 1.0},
    ]
    together, alone = (grid(*own, code="gaussian") for _ in range(2))
    assert fit_stacked(together, [clips()] * 5) == set(range(5))
    for found, expected in zip(together, alone, strict=True):
        assert_same(found, expected.fit(clips()))
    assert len({a.loss_curve_[-1] for a in together}) == 5


def test_bfloat16_is_that_of_one_model_as_near_as_it_is_exact(on_cpu):
    together, alone = grid(precision="bf16"), grid(precision="bf16")
    assert fit_stacked(together, [clips()] * 2) == {0, 1}
    for found, expected in zip(together, alone, strict=True):
        losses = expected.fit(clips()).loss_curve_
        assert found.loss_curve_ == pytest.approx(losses, rel=1e-3)


def test_only_those_of_equal_shape_are_stacked(on_cpu):
    own = [{"n_units": 5}, {"n_units": 5}, {"n_layers": 1}, {"random_state": 2}, {"batch_size": 9}]
    estimators = grid(*own)
    assert fit_stacked(estimators, [clips()] * 7) == {0, 1, 2, 3, 5}
    assert not hasattr(estimators[4], "network_")
    other_rows = [clips(), clips(n_clips=12)]
    assert fit_stacked(grid(), other_rows) == set()
    outside = [clips(), 2 * clips()]  # reconstructed without tanh
    assert fit_stacked(grid(), outside) == set()


@pytest.mark.parametrize(
    "parameters",
    [
        {"validation_fraction": 0.2},
        {"n_iter_no_change": 3},
        {"warm_start": True},
        {"contamination": 0.1},
        {"feed_previous_prob": {0: 0.0, 1: 0.1}},
        {"max_epochs": 0},
    ],
)
def test_what_a_stack_cannot_do_is_done_one_by_one(parameters, on_cpu):
    assert fit_stacked(grid(**parameters), [clips()] * 2) == set()


def test_rows_of_unequal_length_tasks_and_callbacks_are_not_stacked(on_cpu):
    ragged = clips()
    ragged[1, 5:] = np.nan
    assert fit_stacked(grid(), [ragged, ragged]) == set()
    assert fit_stacked(grid(), [clips()] * 2, n_jobs=2) == set()
    assert fit_stacked([a.set_callbacks(ProgressBar()) for a in grid()], [clips()] * 2) == set()
    assert fit_stacked([make_pipeline(FunctionTransformer(), a) for a in grid()], [0, 0]) == set()


def test_a_cpu_trains_one_by_one():
    assert fit_stacked(grid(), [clips()] * 2) == set()


def views():
    first, second = grid()
    return FeatureFusion([("a", make_pipeline(first)), ("b", second), ("c", FunctionTransformer())])


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_a_fusion_stacks_its_views_by_itself(method, monkeypatch):
    X, y = clips(), np.zeros(13)
    monkeypatch.setattr(FunctionTransformer, "transform", lambda self, X: X.reshape(13, -1))
    expected = views().fit_transform(X, y)
    monkeypatch.setattr(stacks, "DEVICES", {"cpu"})
    ended = []
    train = stacks._train
    monkeypatch.setattr(stacks, "_train", lambda group: ended.append(len(group)) or train(group))
    fusion = views()
    found = getattr(fusion, method)(X, y)
    assert ended == [2]
    found = fusion.transform(X) if method == "fit" else found
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len(pickle.dumps(fusion)) == pytest.approx(len(pickle.dumps(views().fit(X))), rel=0.05)


def test_a_fusion_with_callbacks_does_not(on_cpu, monkeypatch):
    monkeypatch.setattr(stacks, "_train", None)
    first, second = grid()
    fusion = FeatureFusion([("a", first), ("b", second)])
    fusion.set_callbacks(ProgressBar())
    assert fusion.fit_transform(clips()).shape[0] == 13


def test_a_stack_too_large_for_the_device_is_trained_one_by_one(on_cpu, monkeypatch):
    def too_large(group):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(stacks, "_train", too_large)
    estimators = [a.set_params(random_state=np.random.RandomState(3)) for a in grid()]
    with pytest.warns(UserWarning, match="2 autoencoders at once .*out of memory"):
        assert fit_stacked(estimators, [clips()] * 2) == set()
    drawn = np.random.RandomState(3).randint(2**31 - 1)
    assert estimators[0].fit(clips()).seed_ == drawn  # not drawn from before


def test_divergence_is_the_error_that_it_is_for_one(on_cpu):
    with pytest.raises(FloatingPointError, match=r"the loss of epoch 0 is inf.*=0.001"):
        fit_stacked(grid(), [clips() + 1e30] * 2)
