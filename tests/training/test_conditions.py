"""Conditions: what the decoder is told, so that the code need not hold it."""

from __future__ import annotations

import re

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
import xarray as xr
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skaudeep import ChunkPooling, PersistenceError, Seq2SeqAutoencoder, load, save
from skaudeep.callbacks import Checkpoint

SMALL = {
    "n_units": 6,
    "n_layers": 1,
    "code": "gaussian",
    "representation": "code",
    "max_epochs": 2,
    "batch_size": 5,
    "random_state": 0,
}
SITES = np.array(["north", "south", "west"])
AXES = {
    "time": {},
    "frequency": {"axis": "frequency", "band_window": 2, "band_overlap": 1},
    "frequency-time": {"axis": "frequency-time", "band_window": 2, "band_overlap": 1},
}


def clips(n_clips=12, seed=0):
    """Clips that are quiet in the north, middling in the south and loud in the west."""
    rng = np.random.default_rng(seed)
    site = np.arange(n_clips) % 3
    X = 0.4 * (site - 1)[:, None, None] + 0.2 * rng.uniform(-1, 1, size=(n_clips, 6, 4))
    X[1, 4:] = np.nan
    return X.astype(np.float32), SITES[site]


def weights(autoencoder):
    return {name: w.numpy() for name, w in autoencoder.network_.state_dict().items()}


def assert_same(first, second):
    assert weights(first).keys() == weights(second).keys()
    for name, values in weights(first).items():
        np.testing.assert_array_equal(values, weights(second)[name], err_msg=name)


@pytest.fixture(scope="module")
def fitted():
    X, site = clips()
    return Seq2SeqAutoencoder(**SMALL).fit(X, condition=site)


@pytest.fixture(scope="module")
def trained():
    """Fit a network that learns how loud each site is, by its condition alone."""
    X, site = clips(60)
    autoencoder = Seq2SeqAutoencoder(
        8,
        n_layers=1,
        bidirectional_encoder=False,
        code="gaussian",
        kl_weight=30.0,  # a code that can hold next to nothing
        feed_previous_prob=1.0,
        representation="code",
        dropout=0.0,
        max_epochs=50,
        batch_size=30,
        learning_rate=0.03,
        random_state=0,
    )
    return autoencoder.fit(X, condition=site)


# --- what the decoder makes of it ----------------------------------------------------------------


def test_the_decoder_learns_what_the_code_does_not_hold(trained):
    X, site = clips(60, seed=1)
    codes = trained.transform(X)
    for place, level in enumerate((-0.4, 0.0, 0.4)):
        sounds = trained.inverse_transform(codes, condition=[SITES[place]] * len(codes))
        assert abs(sounds.mean() - level) < 0.1
    told, untold = trained.score(X, condition=site), trained.score(X)
    assert -told < 0.2 < 0.3 < -untold  # 0.115 is the noise, 0.33 how sites differ


def test_a_code_that_need_not_hold_the_condition_does_not(trained):
    X, site = clips(60, seed=1)
    codes = trained.transform(X)
    between = np.array([codes[site == name].mean(axis=0) for name in SITES])
    alone = clone(trained).set_params(kl_weight=0.1).fit(X).transform(X)
    between_alone = np.array([alone[site == name].mean(axis=0) for name in SITES])
    assert between.std(axis=0).max() < 0.1 < 0.5 < between_alone.std(axis=0).max()


def test_an_unknown_condition_is_the_mean_of_all(trained):
    codes = trained.transform(clips()[0])
    unknown = trained.inverse_transform(codes, condition=[None] * len(codes))
    np.testing.assert_array_equal(unknown, trained.inverse_transform(codes))
    assert abs(unknown.mean()) < 0.25


def test_a_clip_is_rebuilt_as_it_would_be_elsewhere(trained):
    X, site = clips()
    elsewhere = trained.reconstruct(X, condition=np.where(site == "west", "north", "west"))
    own = trained.reconstruct(X, condition=site)
    assert own.shape == elsewhere.shape == X.shape
    np.testing.assert_array_equal(np.isnan(own), np.isnan(X))
    assert np.nanmax(np.abs(own - elsewhere)) > 0.01


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_decoder_is_told_the_condition_and_no_encoder(axis, bidirectional):
    X, site = clips()
    autoencoder = Seq2SeqAutoencoder(
        **SMALL | AXES[axis], bidirectional_decoder=bidirectional, feed_previous_prob=0.5
    ).fit(X, condition=site)
    codes = autoencoder.transform(X)
    known = autoencoder.inverse_transform(codes, condition=site)
    other = autoencoder.inverse_transform(codes, condition=site[::-1])
    change = np.nan_to_num(np.abs(known - other)).reshape(len(X), -1).max(axis=1)
    np.testing.assert_array_equal(change < 5e-3, site == site[::-1])  # of a fixed point, nearly so
    scores = autoencoder.score_samples(X, condition=site)
    for row in (0, 1):
        alone = autoencoder.score_samples(X[[row]], condition=site[[row]])
        np.testing.assert_allclose(alone, scores[[row]], atol=1e-6)
    assert autoencoder.score_frames(X, condition=site).shape == X.shape[:2]


def test_without_a_condition_the_network_is_the_one_it_was():
    X, _ = clips()
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(X)
    assert not hasattr(autoencoder, "conditions_")
    assert not [name for name in weights(autoencoder) if "condition" in name]


def test_a_fit_without_a_condition_forgets_those_of_the_fit_before(fitted):
    X, _ = clips()
    again = joblib.hash(weights(clone(fitted).fit(X)))
    assert joblib.hash(weights(clone(fitted).fit(X, condition=SITES[[0] * 12]).fit(X))) == again


def test_rows_in_any_batch_order_keep_their_conditions():
    """Forty rows are two shards; of each the condition is that of its own rows."""
    X, site = clips(40)
    X[::7, 3:] = np.nan
    common = SMALL | {"batch_size": 40, "dropout": 0.0, "code": "tanh", "max_epochs": 3}
    autoencoder = Seq2SeqAutoencoder(**common).fit(X, condition=site)
    order = np.random.default_rng(0).permutation(40)
    shuffled = Seq2SeqAutoencoder(**common).fit(X[order], condition=site[order])
    np.testing.assert_allclose(shuffled.loss_curve_, autoencoder.loss_curve_, rtol=1e-4)
    wrong = Seq2SeqAutoencoder(**common).fit(X[order], condition=site)
    assert np.abs(np.subtract(wrong.loss_curve_, autoencoder.loss_curve_)).max() > 1e-3


# --- what conditions may be ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "known"),
    [
        (["b", None, "a", ""], ["a", "b"]),
        (np.array(["b", "", "a", "a"]), ["a", "b"]),
        (np.array(["b", np.nan, "a", None], dtype=object), ["a", "b"]),
        (pd.Series(["b", pd.NA, "a", "a"], dtype="string", index=[4, 3, 2, 1]), ["a", "b"]),
        (pd.Categorical(["b", None, "a", "a"]), ["a", "b"]),
        (xr.DataArray(["b", "", "a", "a"], dims="clip"), ["a", "b"]),
        ([7, None, -1, 7], [-1, 7]),
        (np.array([7.0, np.nan, -1.0, 7.0]), [-1, 7]),
        (pd.array([7, None, -1, 7], dtype="Int64"), [-1, 7]),
        (torch.tensor([7, 7, -1, 7]), [-1, 7]),
        (np.array([True, True, False, True]), [0, 1]),
    ],
)
def test_conditions_are_integers_or_strings_and_may_be_missing(given, known):
    autoencoder = Seq2SeqAutoencoder(**SMALL | {"max_epochs": 1}).fit(clips(4)[0], condition=given)
    assert autoencoder.conditions_.tolist() == known
    assert autoencoder.conditions_.dtype.kind == ("U" if known[0] == "a" else "i")
    assert autoencoder.network_.sizes.n_conditions == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["a", "b", "c"], "Got 3 conditions and 4 clips"),
        ("abcd", "Got condition='abcd', expected an array of one condition per clip"),
        (np.ones((4, 2)), re.escape("shape (4, 2), expected (4,)")),
        ([["a"], ["b"], ["a"], ["b"]], "Got a condition of type list"),
        (["a", 1, "b", None], "integers and strings, such as 1 and 'b'"),
        ([0.5, 1, 2, 3], "type float, '0.5' at position 0"),
        ([np.inf, 1, 2, 3], "type float, 'inf' at position 0"),
        ([2**70, 1, 2, 3], "64 bits"),
        ([b"a", b"b", b"a", b"b"], "type bytes"),
        ([None, "", np.nan, None], "None of the 4 conditions is known"),
        (["\x1b[31m", 1, "b", None], "integers and strings"),
    ],
)
def test_what_is_no_condition_of_these_clips_is_refused(given, message):
    autoencoder = Seq2SeqAutoencoder(**SMALL)
    with pytest.raises(ValueError, match=message) as refused:
        autoencoder.fit(clips(4)[0], condition=given)
    assert str(refused.value).isprintable()
    assert not vars(autoencoder).keys() & {"conditions_", "network_"}


def test_a_condition_that_fit_has_not_seen_is_named(fitted):
    X, site = clips()
    site = site.astype(object)
    site[2] = "wset"
    for call in (clone(fitted).fit(X, condition=clips()[1]).partial_fit, fitted.reconstruct):
        with pytest.raises(ValueError, match=r"'wset' at position 2.*'north', 'south', 'west'"):
            call(X, condition=site)
    with pytest.raises(ValueError, match="Got condition 3 at position 0"):
        fitted.score(X, condition=[3] * 12)
    with pytest.raises(ValueError, match="Got 2 conditions and 12 clips"):
        fitted.inverse_transform(fitted.transform(X), condition=["west"] * 2)


def test_a_network_without_conditions_is_told_none():
    X, site = clips()
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(X)
    for call in (autoencoder.partial_fit, autoencoder.reconstruct, autoencoder.score):
        with pytest.raises(ValueError, match="was fitted without"):
            call(X, condition=site)


# --- training goes on ----------------------------------------------------------------------------


def test_partial_fits_are_epochs_of_one_fit_with_conditions(fitted):
    X, site = clips()
    parts = Seq2SeqAutoencoder(**SMALL).partial_fit(X, condition=site)
    assert_same(parts.partial_fit(X, condition=site), fitted)
    loss = parts.partial_fit(X[site == "west"], condition=["west"] * 4).loss_curve_
    assert len(loss) == 3


def test_a_conditional_network_does_not_go_on_without_conditions(fitted):
    X, site = clips()
    autoencoder = Seq2SeqAutoencoder(**SMALL, warm_start=True).fit(X, condition=site)
    before = weights(autoencoder)
    for call in (autoencoder.fit, autoencoder.partial_fit):
        with pytest.raises(ValueError, match="fitted with conditions, 'north', 'south', 'west'"):
            call(X)
    assert autoencoder.conditions_.tolist() == SITES.tolist()
    np.testing.assert_equal(weights(autoencoder), before)
    autoencoder.partial_fit(X, condition=[None] * 12)  # said so


def test_a_checkpoint_resumes_with_its_conditions_and_no_others(tmp_path):
    X, site = clips()
    common = SMALL | {"validation_fraction": 0.25}
    expected = Seq2SeqAutoencoder(**common | {"max_epochs": 4}).fit(X, condition=site)
    checkpoint = Checkpoint(tmp_path)
    Seq2SeqAutoencoder(**common).set_callbacks(checkpoint).fit(X, condition=site)
    resumed = Seq2SeqAutoencoder(**common | {"max_epochs": 4}).set_callbacks(checkpoint)
    assert_same(resumed.fit(X, condition=site), expected)
    assert resumed.validation_loss_curve_ == expected.validation_loss_curve_
    assert len(list(tmp_path.iterdir())) == 1
    clone(resumed).set_callbacks(checkpoint).fit(X, condition=site[::-1])
    clone(resumed).set_callbacks(checkpoint).fit(X)
    assert len(list(tmp_path.iterdir())) == 3  # folders of their own
    stored = load(next(tmp_path.rglob("epoch-000004*.skaudeep")))
    assert stored.network_.sizes.n_bands == 4


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [SITES, np.array([3, 5, 9])])
def test_a_model_file_and_a_pickle_keep_the_conditions(tmp_path, names):
    X, site = clips()
    condition = names[np.searchsorted(SITES, site)]
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(X, condition=condition)
    save(autoencoder, tmp_path / "model.skaudeep")
    joblib.dump(autoencoder, tmp_path / "model.joblib")
    for found in (load(tmp_path / "model.skaudeep"), joblib.load(tmp_path / "model.joblib")):
        assert_same(found, autoencoder)
        np.testing.assert_array_equal(found.conditions_, names)
        assert found.conditions_.dtype == autoencoder.conditions_.dtype
        np.testing.assert_array_equal(
            found.reconstruct(X, condition=condition),
            autoencoder.reconstruct(X, condition=condition),
        )


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (None, "no sorted integers or texts"),
        (np.array(["b", "a", "c"]), "no sorted integers or texts"),
        (np.array([0.0, 1.0, 2.0]), "no sorted integers or texts"),
        (np.array([[1, 2, 3]]), "no sorted integers or texts"),
        (np.array([1, 2]), "2 conditions_, but its network was told 3"),
    ],
)
def test_a_model_whose_conditions_contradict_its_network_is_not_stored(
    tmp_path, fitted, conditions, message
):
    broken = joblib.load(joblib.dump(fitted, tmp_path / "copy.joblib")[0])
    broken.conditions_ = conditions
    with pytest.raises((ValueError, PersistenceError), match=message):
        save(broken, tmp_path / "model.skaudeep")


# --- rows and routes -----------------------------------------------------------------------------


def test_each_chunk_has_the_condition_of_its_clip():
    X, site = clips()
    chunks = np.stack([X[:, :3], X[:, 3:]], axis=1)
    chunks[1, 1] = np.nan
    flat = chunks.reshape(24, 3, 4)
    common = SMALL | {"dropout": 0.0}
    autoencoder = Seq2SeqAutoencoder(**common).fit(chunks, condition=site)
    apart = Seq2SeqAutoencoder(**common).fit(flat, condition=np.repeat(site, 2))
    assert_same(autoencoder, apart)
    np.testing.assert_array_equal(
        autoencoder.reconstruct(chunks, condition=site),
        apart.reconstruct(flat, condition=np.repeat(site, 2)).reshape(chunks.shape),
    )
    codes = autoencoder.transform(chunks)
    assert autoencoder.inverse_transform(codes, condition=site).shape == chunks.shape


class OnDisk:
    """Rows that are read on demand, a few at a time."""

    def __init__(self, X):
        self.X, self.shape, self.dtype = X, X.shape, X.dtype

    def __getitem__(self, rows):
        return self.X[rows]


@pytest.mark.parametrize("rows_of", [OnDisk, lambda X: xr.DataArray(X), list])
def test_rows_that_are_read_on_demand_keep_their_conditions(rows_of, fitted, monkeypatch):
    X, site = clips()
    monkeypatch.setattr("skaudeep.training.batches.MAP_BYTES", 4 * 6 * 4 * 5)  # blocks of 5 clips
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(rows_of(X), condition=site)
    assert_same(autoencoder, fitted)
    np.testing.assert_array_equal(
        autoencoder.score_samples(rows_of(X), condition=site),
        fitted.score_samples(X, condition=site),
    )


def test_a_pipeline_passes_the_condition_to_its_step(fitted):
    X, site = clips()
    pipeline = make_pipeline(FunctionTransformer(), Seq2SeqAutoencoder(**SMALL), StandardScaler())
    features = pipeline.fit_transform(X, seq2seqautoencoder__condition=site)
    assert_same(pipeline[1], fitted)
    np.testing.assert_array_equal(pipeline.transform(X), features)


def test_metadata_routing_passes_the_condition_where_it_is_asked_for(fitted):
    X, site = clips()
    with sklearn.config_context(enable_metadata_routing=True):
        autoencoder = Seq2SeqAutoencoder(**SMALL).set_fit_request(condition=True)
        pipeline = make_pipeline(FunctionTransformer(), autoencoder, StandardScaler())
        pipeline.fit(X, condition=site)
        assert_same(pipeline[1], fitted)
        autoencoder.set_score_request(condition=True)
        search = GridSearchCV(autoencoder, {"n_units": [4, 5]}, cv=2, error_score="raise")
        search.fit(X, condition=site)
        assert search.best_estimator_.conditions_.tolist() == SITES.tolist()
        unasked = make_pipeline(Seq2SeqAutoencoder(**SMALL), ChunkPooling())
        with pytest.raises((TypeError, ValueError), match="condition"):
            unasked.fit(X, condition=site)
