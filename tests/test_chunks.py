"""From chunks to clips: pooled as by hand, votes as counted, no chunk on both sides of a fold."""

from __future__ import annotations

import pickle
from collections import Counter

import joblib
import netCDF4
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
import xarray
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.callback import ProgressBar
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import Bunch, get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import skaudeep
from skaudeep import (
    BandStatistics,
    ChunkPooling,
    ChunkVotingClassifier,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
    evaluate,
)
from skaudeep._base import fit_with_groups
from skaudeep.chunks import pool_chunks
from skaudeep.datasets import make_bunch, make_sounds
from skaudeep.formats.netcdf import load_netcdf

RATE = 8000  # Hz
N_CHUNKS = 3
N_FEATURES = 4
POOLINGS = ("mean", "concat", "mean_std_max")

ESTIMATORS = {
    **{pooling: ChunkPooling(pooling) for pooling in POOLINGS},
    "hard": ChunkVotingClassifier(LinearSVC(random_state=0)),
    "soft": ChunkVotingClassifier(LogisticRegression(), voting="soft"),
}
SCALED = ChunkVotingClassifier(make_pipeline(StandardScaler(), LinearSVC(random_state=0)))


@parametrize_with_checks(list(ESTIMATORS.values()), xfail_strict=True)
def test_chunk_estimators_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


# --- the checks of scikit-learn for chunks -------------------------------------------------------


def full(n_clips=9):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_clips, N_CHUNKS, N_FEATURES))
    X[:, :, 0] += 3 * LABELS[:n_clips, None]
    return X.astype(np.float32)


def padded():
    X = full()
    for row, n_chunks in enumerate([3, 1, 2, 3, 2, 1, 1, 3, 2]):
        X[row, n_chunks:] = np.nan
    return X


def ragged():
    return [x[~np.isnan(x[:, 0])] for x in padded()]


LABELS = np.arange(9) % 3
NAMES = np.array(["dog", "rain", "sea"], dtype=object)
FORMS = {"full": full, "padded": padded, "ragged": ragged}


@pytest.fixture(params=FORMS)
def X(request):
    return FORMS[request.param]()


@pytest.fixture(params=[*ESTIMATORS, "scaled"])
def estimator(request):
    return clone(ESTIMATORS.get(request.param, SCALED))


def result(estimator, X):
    """Return all results of an estimator for X, one row per clip."""
    if hasattr(estimator, "transform"):
        return estimator.transform(X)
    scores = getattr(estimator, "predict_proba", None) or estimator.decision_function
    return np.column_stack([np.searchsorted(estimator.classes_, estimator.predict(X)), scores(X)])


def take(X, rows):
    return [X[row] for row in rows] if isinstance(X, list) else X[rows]


def test_fit_on_chunks_returns_self_and_changes_neither_parameters_nor_input(estimator, X):
    before = joblib.hash((estimator.get_params(), X))
    assert estimator.fit(X, LABELS) is estimator
    added = set(vars(estimator)) - set(estimator.get_params(deep=False))
    assert all(name.endswith("_") for name in added)
    assert estimator.n_features_in_ == N_FEATURES
    assert len(result(estimator, X)) == 9
    assert joblib.hash((estimator.get_params(), X)) == before


def test_a_second_fit_on_chunks_forgets_the_first(estimator, X):
    expected = result(estimator.fit(X, LABELS), X)
    estimator.fit(full()[:, :2, :3], LABELS[::-1])
    np.testing.assert_array_equal(result(estimator.fit(X, LABELS), X), expected)


def test_pickled_and_refitted_chunk_estimators_give_the_same_results(estimator, X):
    expected = result(estimator.fit(X, LABELS), X)
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(result(again, X), expected)
    np.testing.assert_array_equal(result(clone(estimator).fit(X, LABELS), X), expected)


def test_chunk_estimators_raise_not_fitted_error_before_fit(estimator, X):
    for method in ("transform", "get_feature_names_out", "predict", "decision_function"):
        if hasattr(estimator, method):
            with pytest.raises(NotFittedError):
                getattr(estimator, method)(X)


def test_lists_and_padded_arrays_of_chunks_give_the_same_results(estimator):
    more = np.concatenate([padded(), np.full((9, 2, N_FEATURES), np.nan, np.float32)], axis=1)
    objects = np.empty(9, dtype=object)
    objects[:] = ragged()
    expected = result(clone(estimator).fit(padded(), LABELS), padded())
    for X in (ragged(), tuple(ragged()), padded().tolist(), objects):
        said = result(clone(estimator).fit(X, LABELS), X)
        np.testing.assert_allclose(said, expected, atol=1e-5)
    np.testing.assert_array_equal(result(estimator.fit(padded(), LABELS), more), expected)


def as_memmap(x, folder):
    np.save(folder / "x.npy", x)
    return np.load(folder / "x.npy", mmap_mode="r")


def as_netcdf(x, folder):
    """With a fill value that is a number, in the place of NaN."""
    file = netCDF4.Dataset(folder / "x.nc", "w")
    for axis, size in zip("abc", x.shape, strict=True):
        file.createDimension(axis, size)
    variable = file.createVariable("x", "f4", tuple("abc"), fill_value=-7)
    variable[:] = np.ma.masked_invalid(x)
    return variable


LAYOUTS = {
    "read-only memmap": as_memmap,
    "Fortran order": lambda x, folder: np.asfortranarray(x),
    "big-endian": lambda x, folder: x.astype(">f4"),
    "strided": lambda x, folder: np.repeat(x, 2, axis=-1)[..., ::2],
    "tensor": lambda x, folder: torch.from_numpy(x),
    "xarray": lambda x, folder: xarray.DataArray(x),
    "netCDF": as_netcdf,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layout_of_chunks_does_not_change_results(estimator, layout, tmp_path):
    expected = result(clone(estimator).fit(padded(), LABELS), padded())
    X = LAYOUTS[layout](padded(), tmp_path)
    np.testing.assert_allclose(result(estimator.fit(X, LABELS), X), expected, atol=1e-5)


def test_results_of_a_clip_do_not_depend_on_other_clips(estimator, X):
    expected = result(estimator.fit(X, LABELS), X)
    for rows in ([0], [3], [4, 1], [8, 5, 6]):
        np.testing.assert_allclose(
            result(estimator, take(X, rows)), expected[rows], atol=1e-6, rtol=0
        )


def test_a_matrix_is_read_as_clips_of_one_chunk(estimator):
    X = full()[:, 0]
    expected = result(clone(estimator).fit(X[:, None], LABELS), X[:, None])
    np.testing.assert_array_equal(result(estimator.fit(X, LABELS), X), expected)


def test_chunk_estimators_refuse_another_number_of_features(estimator, X):
    estimator.fit(X, LABELS)
    for n in (3, 5):
        other = np.zeros((2, N_CHUNKS, n))
        with pytest.raises(ValueError, match=rf"X has {n} features .* was fitted on 4"):
            result(estimator, other)


@pytest.mark.parametrize(
    ("value", "name"), [(np.inf, "infinity"), (-np.inf, "infinity"), (np.nan, "NaN")]
)
def test_chunk_estimators_name_row_and_chunk_of_nan_and_infinity(estimator, X, value, name):
    fitted = clone(estimator).fit(X, LABELS)
    X[3][1, 2] = value
    for method in (lambda X: estimator.fit(X, LABELS), lambda X: result(fitted, X)):
        with pytest.raises(ValueError, match=f"contains {name} in row 3, chunk 1"):
            method(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((9, 2, 3, 4, 5)), "5 axes; .* a Seq2SeqAutoencoder"),
        (np.zeros((0, 2, 3)), r"0 sample|at least one row"),
        (np.zeros((9, 0, 3)), "at least one row, one chunk and one feature"),
        (np.zeros((9, 2, 0)), "at least one row, one chunk and one feature"),
        ([np.zeros((2, 3))] * 4 + [np.zeros((2, 4))] * 5, r"Row 4 .*\(2, 4\) and row 0 has \(2, 3"),
        ([np.zeros((2, 3))] * 8 + [np.zeros(3)], r"Row 8 of X has shape \(3,\)"),
        ([np.zeros((0, 3))] * 9, "at least one row, one chunk"),
        (np.zeros(9), "Expected 2D array"),
        (np.full((9, 2, 3), "a"), "could not convert string to float"),
        (np.full((9, 2, 3), 1j), "Complex data not supported"),
    ],
)
def test_chunk_estimators_refuse_input_of_another_shape_or_type(estimator, X, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, LABELS)


# --- pooling -------------------------------------------------------------------------------------


def test_concat_pooling_equals_the_fusion_of_audeep(shared):
    chunks = load_netcdf(shared / "audeep-reference" / "chunks-features-8.nc")
    fused = load_netcdf(shared / "audeep-reference" / "chunks-features-8-fused.nc")
    rows = [chunks.filenames.tolist().index(name) for name in fused.filenames]
    assert chunks.data.shape == (50, 2, 8)
    pooled = ChunkPooling("concat").fit_transform(chunks.data)[rows]
    np.testing.assert_array_equal(pooled, fused.data)
    assert pooled.dtype == fused.data.dtype


def test_poolings_equal_statistics_computed_by_hand():
    for clip, *rows in zip(
        ragged(), *(ChunkPooling(how).fit_transform(padded()) for how in POOLINGS), strict=True
    ):
        mean, concat, statistics = rows
        np.testing.assert_allclose(mean, clip.mean(axis=0), rtol=1e-5, atol=1e-6)
        by_hand = np.concatenate([clip.mean(axis=0), clip.std(axis=0), clip.max(axis=0)])
        np.testing.assert_allclose(statistics, by_hand, rtol=1e-5, atol=1e-6)
        missing = N_CHUNKS - len(clip)
        np.testing.assert_array_equal(concat, np.concatenate([clip.ravel(), *[mean] * missing]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pooling_keeps_float32_and_float64(dtype):
    for pooling in POOLINGS:
        assert ChunkPooling(pooling).fit_transform(padded().astype(dtype)).dtype == dtype


def test_pooling_names_its_features_by_those_of_a_chunk():
    given = ["a", "b", "c", "d"]
    names = {
        "mean": given,
        "concat": [f"chunk{i}__{name}" for i in range(3) for name in given],
        "mean_std_max": [f"{part}__{name}" for part in ("mean", "std", "max") for name in given],
    }
    for pooling, expected in names.items():
        pool = ChunkPooling(pooling).fit(padded())
        assert pool.get_feature_names_out(given).tolist() == expected
        assert len(pool.get_feature_names_out()) == pool.transform(padded()).shape[1]
        with pytest.raises(ValueError, match="length equal to number of features"):
            pool.get_feature_names_out(["a"])
    table = pd.DataFrame(full()[:, 0], columns=given)
    pool = ChunkPooling("concat").set_output(transform="pandas")
    assert pool.fit_transform(table).columns.tolist() == [f"chunk0__{name}" for name in given]
    assert pool.set_output(transform="pandas").fit_transform(padded()).columns[-1] == "chunk2__x3"


def test_concat_pooling_pads_clips_shorter_than_in_fit_and_refuses_longer_ones():
    pool = ChunkPooling("concat").fit(full())
    expected = pool.transform(np.where(np.arange(3)[None, :, None] < 2, full(), np.nan))
    np.testing.assert_array_equal(pool.transform(full()[:, :2]), expected)
    longer = np.full((2, 5, N_FEATURES), np.nan)
    longer[0, :3], longer[1, :4] = 1, 2
    with pytest.raises(ValueError, match=r"Row 1 of X has 4 chunks, .* rows of 3.*n_chunks"):
        pool.transform(longer)
    for pooling in ("mean", "mean_std_max"):
        assert ChunkPooling(pooling).fit(full()).transform(longer)[1, 0] == 2


def test_pooling_gives_a_row_of_nan_for_a_clip_without_chunks():
    X = padded()
    X[4] = np.nan
    for pooling in POOLINGS:
        rows = ChunkPooling(pooling).fit_transform(X)
        assert np.isnan(rows[4]).all()
        assert np.isfinite(np.delete(rows, 4, axis=0)).all()


def test_a_list_of_spectrograms_of_chunks_is_pooled_as_the_padded_array():
    clips = [np.random.default_rng(n).normal(size=(n, 5, 2)).astype(np.float32) for n in (2, 3)]
    padded = np.full((2, 3, 5, 2), np.nan, np.float32)
    for row, clip in zip(padded, clips, strict=True):
        row[: len(clip)] = clip
    pooling = ChunkPooling("concat").fit(clips)
    np.testing.assert_array_equal(pooling.transform(clips), pooling.transform(padded))
    assert pooling.n_chunks_ == 3
    with pytest.raises(ValueError, match=r"X has 4 axes.*Spectrograms need"):
        ChunkPooling().fit(clips)


def test_concat_pooling_fills_a_missing_first_chunk_with_the_mean():
    X = full()
    X[2, 0] = np.nan
    pooled = ChunkPooling("concat").fit_transform(X)[2].reshape(N_CHUNKS, N_FEATURES)
    np.testing.assert_allclose(pooled, [X[2, 1:].mean(axis=0), *X[2, 1:]], rtol=1e-6)


# --- voting --------------------------------------------------------------------------------------


class Fixed(DecisionTreeClassifier):
    """Predict what stands in the first feature, and the probabilities in the others."""

    def predict(self, X):
        return self.classes_[X[:, 0].astype(int)]

    def predict_proba(self, X):
        return X[:, 1:]


def fixed(voting):
    X = np.zeros((3, 1, 4))
    return ChunkVotingClassifier(Fixed(), voting=voting).fit(X, NAMES)


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=7), min_size=1, max_size=5))
def test_hard_voting_counts_votes_and_takes_the_first_of_a_tie(clips):
    X = [np.array([[vote, 0, 0, 0] for vote in votes], dtype=float) for votes in clips]
    voting = fixed("hard")
    said = zip(clips, voting.predict(X), voting.decision_function(X), strict=True)
    for votes, winner, shares in said:
        counts = Counter(votes)
        most = max(counts.values())
        assert winner == NAMES[min(c for c in counts if counts[c] == most)]  # the first of a tie
        np.testing.assert_allclose(shares, [counts[c] / len(votes) for c in range(3)])


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=7), min_size=1, max_size=5))
def test_soft_voting_averages_probabilities(clips):
    X = [np.array([[0, a / 9, 1 - a / 9, 0] for a in chunks]) for chunks in clips]
    voting = fixed("soft")
    probabilities = voting.predict_proba(X)
    np.testing.assert_allclose(probabilities, [x[:, 1:].mean(axis=0) for x in X], atol=1e-12)
    np.testing.assert_array_equal(voting.predict(X), NAMES[probabilities.argmax(axis=1)])


@pytest.mark.parametrize(("voting", "predicted"), [("hard", "dog"), ("soft", "rain")])
def test_two_unsure_chunks_outvote_a_sure_one_only_in_hard_voting(voting, predicted):
    X = np.array([[[0, 0.6, 0.4, 0], [0, 0.6, 0.4, 0], [1, 0.0, 1.0, 0]]])
    assert fixed(voting).predict(X) == predicted


def test_voting_fits_its_classifier_on_all_chunks_with_the_labels_of_their_clips():
    voting = ChunkVotingClassifier(GaussianNB()).fit(padded(), NAMES[LABELS])
    chunks = np.concatenate(ragged())
    labels = np.repeat(NAMES[LABELS], [len(clip) for clip in ragged()])
    alone = GaussianNB().fit(chunks, labels)
    np.testing.assert_array_equal(voting.classifier_.theta_, alone.theta_)
    assert voting.classes_.tolist() == alone.classes_.tolist() == NAMES.tolist()
    assert SCALED.fit(padded(), LABELS).classifier_[0].n_samples_seen_ == len(chunks)
    np.testing.assert_allclose(SCALED.classifier_[0].mean_, chunks.mean(axis=0), rtol=1e-5)


def test_decision_function_of_voting_is_one_number_for_two_classes():
    y = np.array(["no", "yes", "no"])[LABELS]
    voting = ChunkVotingClassifier(LinearSVC(random_state=0)).fit(full(), y)
    decision = voting.decision_function(full())
    assert decision.shape == (9,)
    np.testing.assert_array_equal(decision > 0, voting.predict(full()) == "yes")
    assert roc_auc_score(y, decision) > 0.5
    tie = ChunkVotingClassifier(Fixed()).fit(np.zeros((2, 1, 3)), [0, 1])
    X = np.zeros((1, 2, 3))
    X[0, 1, 0] = 1
    assert (tie.decision_function(X), tie.predict(X)) == ([0], [0])


def test_voting_gives_each_chunk_the_sample_weight_of_its_clip():
    weights = np.arange(1.0, 10)
    X, chunks = padded(), np.concatenate(ragged())
    clip = np.repeat(np.arange(9), [len(clip) for clip in ragged()])
    alone = LogisticRegression().fit(chunks, LABELS[clip], weights[clip])
    voting = ChunkVotingClassifier(LogisticRegression())
    np.testing.assert_array_equal(voting.fit(X, LABELS, weights).classifier_.coef_, alone.coef_)
    assert not np.allclose(voting.fit(X, LABELS).classifier_.coef_, alone.coef_)
    pipeline = ChunkVotingClassifier(make_pipeline(LogisticRegression()))
    pipeline.fit(X, LABELS, logisticregression__sample_weight=weights)
    np.testing.assert_array_equal(pipeline.classifier_[0].coef_, alone.coef_)
    with pytest.raises(ValueError, match=r"logisticregression__sample_weight"):
        pipeline.fit(X, LABELS, sample_weight=weights)
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(3,\), expected \(9,\)"):
        voting.fit(X, LABELS, weights[:3])


@pytest.mark.parametrize("of_clips", [None, ["ann", "ann", "", "bob", "", "bob", "cid", "", "ann"]])
def test_voting_keeps_chunks_of_a_clip_and_of_a_group_together(of_clips):
    seen = []

    class Spy(LogisticRegression):
        def fit(self, X, y, groups=None):
            seen.append(groups)
            return super().fit(X, y)

    clip = np.repeat(np.arange(9), [len(clip) for clip in ragged()])
    pipeline = make_pipeline(ChunkVotingClassifier(make_pipeline(StandardScaler(), Spy())))
    fit_with_groups(pipeline, padded(), LABELS, of_clips)
    expected = clip if of_clips is None else [of_clips[i] or str(i) for i in clip]
    same = np.equal.outer(*[np.unique(expected, return_inverse=True)[1]] * 2)
    np.testing.assert_array_equal(np.equal.outer(seen[0], seen[0]), same)


def test_voting_routes_sample_weight_to_the_classifier_that_requests_it():
    weights = np.arange(1.0, 10)
    expected = ChunkVotingClassifier(LogisticRegression()).fit(padded(), LABELS, weights)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = make_pipeline(LogisticRegression().set_fit_request(sample_weight=True))
        pipeline = make_pipeline(ChunkVotingClassifier(asking))
        pipeline.fit(padded(), LABELS, sample_weight=weights)
        np.testing.assert_array_equal(pipeline[0].classifier_[0].coef_, expected.classifier_.coef_)
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            ChunkVotingClassifier(LogisticRegression()).fit(padded(), LABELS, sample_weight=weights)


def test_voting_ignores_a_clip_without_chunks_in_fit_and_refuses_it_in_predict():
    X = padded()
    X[4] = np.nan
    voting = ChunkVotingClassifier(GaussianNB())
    rest = np.delete(np.arange(9), 4)
    expected = clone(voting).fit(X[rest], LABELS[rest])
    np.testing.assert_array_equal(
        voting.fit(X, LABELS).classifier_.theta_, expected.classifier_.theta_
    )
    with pytest.raises(ValueError, match=r"Row 4 of X is NaN throughout: .* has no votes"):
        voting.predict(X)
    with pytest.raises(ValueError, match="nothing to train on"):
        voting.fit(np.full_like(X, np.nan), LABELS)


@pytest.mark.parametrize(
    ("voting", "error", "message"),
    [
        (ChunkVotingClassifier(LinearSVC(), voting="soft"), ValueError,
         'voting="soft" with a LinearSVC that has no predict_proba. Choose voting="hard"'),
        (ChunkVotingClassifier(make_pipeline(SVC()), voting="soft"), ValueError,
         "Pipeline that has no predict_proba"),
        (ChunkVotingClassifier(Ridge()), TypeError, "classifier=Ridge, which is no classifier"),
        (ChunkVotingClassifier(Ridge), TypeError, "Expected an estimator instance"),
        (ChunkVotingClassifier(StandardScaler()), ValueError, "'classifier' parameter"),
        (ChunkVotingClassifier(LinearSVC(), voting="loud"), ValueError, "'voting' parameter"),
        (ChunkPooling("median"), ValueError, "'pooling' parameter"),
    ],
)  # fmt: skip
def test_chunk_estimators_refuse_wrong_parameters(voting, error, message):
    with pytest.raises(error, match=message):
        voting.fit(padded(), LABELS)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (LABELS[:4], r"inconsistent numbers of samples: \[9, 4\]"),
        (np.linspace(0, 1, 9), "Unknown label type"),
        (None, "requires y"),
        (np.zeros((9, 2)), "y should be a 1d array"),
    ],
)
def test_voting_refuses_wrong_labels(y, message):
    with pytest.raises(ValueError, match=message):
        ChunkVotingClassifier(LinearSVC()).fit(padded(), y)


def test_hard_voting_has_a_decision_function_and_soft_voting_probabilities():
    hard, soft = (
        ChunkVotingClassifier(LogisticRegression(), voting=voting).fit(padded(), LABELS)
        for voting in ("hard", "soft")
    )
    with pytest.raises(AttributeError, match="predict_proba") as error:
        hard.predict_proba  # noqa: B018
    assert 'Choose voting="soft"' in str(error.value.__cause__)
    with pytest.raises(AttributeError, match="decision_function"):
        soft.decision_function  # noqa: B018
    calibrated = CalibratedClassifierCV(LinearSVC(), cv=2)
    assert (
        ChunkVotingClassifier(calibrated, voting="soft").fit(full(), LABELS).score(full(), LABELS)
    )


def test_tags_of_chunk_estimators_state_three_dimensional_input():
    for estimator in ESTIMATORS.values():
        tags = get_tags(estimator)
        assert tags.input_tags.three_d_array
        assert tags.input_tags.two_d_array
        assert not tags.input_tags.allow_nan
    assert get_tags(ChunkPooling()).transformer_tags.preserves_dtype == ["float64", "float32"]


# --- folds are of clips --------------------------------------------------------------------------


def test_cross_validation_of_chunk_estimators_splits_clips_and_not_chunks():
    """The chunks of a clip resemble each other, so that folds over chunks would leak its label."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=100)
    clips = rng.normal(size=(100, 1, 8))
    X = clips + 0.01 * rng.normal(size=(100, 6, 8))
    nearest = KNeighborsClassifier(1)
    shuffled = rng.permutation(600)
    leaking = cross_val_score(
        nearest, X.reshape(600, 8)[shuffled], np.repeat(labels, 6)[shuffled], cv=5
    )
    assert leaking.mean() > 0.99
    for voting in ("hard", "soft"):
        votes = cross_val_score(ChunkVotingClassifier(nearest, voting=voting), X, labels, cv=5)
        assert 0.35 < votes.mean() < 0.65
    pooled = cross_val_score(make_pipeline(ChunkPooling("concat"), nearest), X, labels, cv=5)
    assert 0.35 < pooled.mean() < 0.65


def recordings(*, n_sessions, n_clips_each, n_chunks=9, n_classes=4):
    """Long clips in GTZAN's form: each a row of sounds of one class and session."""
    n_sounds = n_classes * n_sessions * n_clips_each * n_chunks
    sounds = make_sounds(
        n_sounds,
        n_classes=n_classes,
        n_sessions=n_sessions,
        sampling_rate=RATE,
        duration=0.5,
        random_state=0,
    )
    rows = np.lexsort((sounds.target, sounds.groups)).reshape(-1, n_chunks)
    first = rows[:, 0]
    return Bunch(
        data=sounds.data[rows].reshape(len(rows), -1),
        target=sounds.target[first],
        target_names=sounds.target_names,
        folds=sounds.folds[first],
        cv=[(np.flatnonzero(fold == 0), np.flatnonzero(fold)) for fold in sounds.folds[first].T],
    )


def extractor(**parameters):
    return SpectrogramExtractor(
        0.04, n_mels=16, clip_below=-60, sampling_rate=RATE, chunk_duration=0.5, **parameters
    )


def autoencoder(**parameters):
    return Seq2SeqAutoencoder(
        16,
        n_layers=1,
        **{"max_epochs": 3} | parameters,
        batch_size=32,
        learning_rate=5e-3,
        random_state=0,
    )


def test_voting_is_more_accurate_than_single_chunks():
    clips = recordings(n_sessions=2, n_clips_each=6)
    spectrograms = extractor(n_chunks=9).transform(clips.data)
    assert spectrograms.shape[:2] == (48, 9)
    classifiers = {"hard": LinearSVC(C=0.01, random_state=0), "soft": LogisticRegression(C=0.01)}
    of_chunks, of_clips = np.zeros((2, 2, len(clips.cv)))
    for fold, (train, test) in enumerate(clips.cv):
        network = autoencoder(representation="code").fit(spectrograms[train])
        features, y = network.transform(spectrograms), clips.target
        for row, (voting, classifier) in enumerate(classifiers.items()):
            vote = ChunkVotingClassifier(make_pipeline(StandardScaler(), classifier), voting=voting)
            vote.fit(features[train], y[train])
            of_clips[row, fold] = vote.score(features[test], y[test])
            chunks = features[test].reshape(-1, features.shape[2])
            of_chunks[row, fold] = vote.classifier_.score(chunks, np.repeat(y[test], 9))
    assert (of_chunks.mean(axis=1) > 0.5).all()  # chance is 0.25
    assert (
        of_clips.mean(axis=1) > of_chunks.mean(axis=1) + 0.05
    ).all()  # 0.07 to 0.20 with other seeds


@pytest.fixture(scope="module")
def clips():
    """Clips of three chunks, but every fifth has two."""
    clips = recordings(n_sessions=4, n_clips_each=1, n_chunks=3)
    clips.data = [x[: len(x) * 2 // 3] if i % 5 == 0 else x for i, x in enumerate(clips.data)]
    return clips


def test_a_search_over_extraction_autoencoder_and_voting_splits_clips(clips):
    pipeline = make_pipeline(
        extractor(), autoencoder(max_epochs=1), ChunkVotingClassifier(SCALED.classifier)
    )
    grid = {
        "seq2seqautoencoder__n_units": [4, 8],
        "chunkvotingclassifier__classifier__linearsvc__C": [0.1, 1.0],
    }
    search = GridSearchCV(pipeline, grid, cv=clips.cv[:2], error_score="raise")
    search.fit(clips.data, clips.target)
    assert search.predict(clips.data).shape == (16,)
    best = search.best_estimator_
    assert search.best_params_[list(grid)[1]] == best[-1].classifier_[-1].C
    assert best[-1].classifier_[0].n_samples_seen_ == 3 * 16 - 4
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(clips.data), search.predict(clips.data))
    predicted = cross_val_predict(pipeline, clips.data, clips.target, cv=clips.cv)
    assert predicted.shape == (16,)


@pytest.mark.parametrize("protocol", ["inductive", "transductive"])
@pytest.mark.parametrize("end", ["voting", "pooling"])
def test_evaluate_runs_the_controls_of_a_pipeline_over_chunks(clips, protocol, end):
    steps = [StandardScaler(), LogisticRegression()]
    steps = {
        "voting": [ChunkVotingClassifier(make_pipeline(*steps), voting="soft")],
        "pooling": [ChunkPooling("concat"), *steps],
    }[end]
    pipeline = make_pipeline(extractor(), autoencoder(max_epochs=1), *steps)
    result = evaluate(pipeline, clips, protocol=protocol, random_state=0)
    assert set(result.controls) == {"untrained network", "mel statistics"}
    # The control is what its name says, clip by clip.
    statistics = make_pipeline(
        extractor(n_chunks=3), BandStatistics(extended=True), *map(clone, steps)
    )
    predictions = result.controls["mel statistics"].fold_predictions[0]
    for (train, test), predicted in zip(clips.cv, predictions, strict=True):
        statistics.fit([clips.data[i] for i in train], clips.target[train])
        by_hand = statistics.predict([clips.data[i] for i in test])
        np.testing.assert_array_equal(predicted, by_hand)


# --- progress ------------------------------------------------------------------------------------


def test_progress_of_voting_reaches_its_classifier(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    pipeline = make_pipeline(
        ChunkPooling("concat"), ChunkVotingClassifier(make_pipeline(LogisticRegression()))
    )
    pipeline.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(full(), LABELS)
    lines = capsys.readouterr().out.splitlines()
    assert any("ChunkPooling - fit" in line for line in lines)
    assert any("ChunkVotingClassifier - fit-classifier | Pipeline - fit" in line for line in lines)
    assert any("LogisticRegression - fit" in line for line in lines)
    assert all("100%" in line for line in lines if line)
    assert "_skl_callbacks" not in vars(pipeline[1].classifier_)


# stored chunks


def test_stored_chunks_are_pooled_in_a_data_set_of_one_row_per_clip():
    X = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    X[1, 2] = np.nan  # a chunk that the clip does not have
    dims = ("clip", "chunk", "feature")
    bunch = make_bunch(X, ["a.wav", "b.wav"], target=[1, 0], target_names=["x", "y"], dims=dims)
    pooled = pool_chunks(bunch)
    np.testing.assert_array_equal(pooled.data, ChunkPooling("concat").fit_transform(X))
    assert pooled.dims == ("clip", "feature")
    assert pooled.target.tolist() == [1, 0]
    np.testing.assert_array_equal(pool_chunks(bunch, "mean").data[0], X[0].mean(axis=0))
    assert bunch.data is X
    bunch.feature_names = list("pqrs")
    assert pool_chunks(bunch).feature_names[:5] == [*(f"chunk0__{x}" for x in "pqrs"), "chunk1__p"]
    assert pool_chunks(bunch, "mean").feature_names == list("pqrs")
    for data in (X[:, 0], X[..., None]):
        with pytest.raises(ValueError, match="expected features of chunks"):
            pool_chunks(make_bunch(data, ["a.wav", "b.wav"]), "mean")


# --- spectrograms of chunks ----------------------------------------------------------------------


def test_chunks_of_spectrograms_are_put_back_together_along_time(tmp_path):
    whole = np.random.default_rng(0).normal(size=(2, 6, 3)).astype(np.float32)
    whole[1, 3:] = np.nan
    chunks = whole.reshape(2, 3, 2, 3)  # of the second clip one and a half chunk, and none
    pooling = ChunkPooling("concat").fit(chunks)
    assert np.array_equal(pooling.transform(chunks), whole, equal_nan=True)
    assert np.array_equal(pooling.transform(chunks[1:]), whole[1:, :3])
    assert pooling.get_feature_names_out(["a", "b", "c"]).tolist() == ["a", "b", "c"]
    again = pickle.loads(pickle.dumps(clone(pooling).fit(chunks)))
    assert again.transform(chunks).dtype == np.float32
    skaudeep.save(pooling, tmp_path / "pooling.skaudeep")
    loaded = skaudeep.load(tmp_path / "pooling.skaudeep")
    assert np.array_equal(loaded.transform(chunks), whole, equal_nan=True)
    features = make_pipeline(ChunkPooling("concat"), BandStatistics()).fit_transform(chunks)
    assert np.array_equal(features, BandStatistics().fit_transform(whole))
    bunch = pool_chunks(make_bunch(chunks, ["a.wav", "b.wav"]))
    assert np.array_equal(bunch.data, whole, equal_nan=True)
    assert bunch.dims == ("clip", "frame", "band")


def test_spectrograms_that_cannot_be_put_together_are_refused():
    chunks = np.zeros((2, 3, 4, 2))
    pooling = ChunkPooling("concat").fit(chunks)
    with pytest.raises(ValueError, match=r"shape \(2, 3, 4\), but .* was fitted on spectrograms"):
        pooling.transform(chunks[..., 0])
    with pytest.raises(ValueError, match=r"but ChunkPooling was fitted on features"):
        ChunkPooling("concat").fit(chunks[..., 0]).transform(chunks)
    with pytest.raises(ValueError, match=r"has 1 features .* was fitted on 2"):
        pooling.transform(chunks[..., :1])
    more = np.concatenate([chunks, chunks[:, :1]], axis=1)
    with pytest.raises(ValueError, match=r"Row 0 of X has 4 chunks, .* fitted on rows of 3\. Give"):
        pooling.transform(more)
    more[:, 3] = np.nan  # rows of padding are no chunks
    assert np.array_equal(pooling.transform(more), pooling.transform(chunks))
    with pytest.raises(ValueError, match=r"X has 4 axes; .* ChunkPooling\(\"concat\"\)"):
        ChunkPooling("mean").fit(chunks)
    with pytest.raises(ValueError, match=r"X has 4 axes; .* a Seq2SeqAutoencoder"):
        SCALED.fit(chunks, [0, 1])
    with pytest.raises(ValueError, match="at least one row, one chunk and one feature"):
        pooling.fit(chunks[:, :0])
    broken = chunks.copy()
    broken[1, 2, 1] = np.nan
    with pytest.raises(ValueError, match="NaN in part 2 of row 1, frame 1"):
        pooling.transform(broken)
    with pytest.raises(ValueError, match="contains infinity"):
        pooling.fit(np.full_like(chunks, np.inf))
