"""`evaluate`, on data whose correct result is known by construction."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import Bunch

from skaudeep.autoencoder import Seq2SeqAutoencoder
from skaudeep.chunks import ChunkPooling, ChunkVotingClassifier
from skaudeep.datasets import make_sounds
from skaudeep.evaluation import BandStatistics, LearningTags, evaluate
from skaudeep.fusion import FeatureFusion
from skaudeep.spectrogram import SpectrogramExtractor

calls: list[tuple] = []  # what the fakes below were given; cloning leaves it alone


@pytest.fixture(autouse=True)
def _forget_calls():
    calls.clear()


class _FakeNetwork(TransformerMixin, BaseEstimator):
    """Returns the class of a clip, which is its first band, if trained, and zeros if not."""

    def __init__(self, max_epochs=1, random_state=None):
        self.max_epochs = max_epochs
        self.random_state = random_state

    def fit(self, X, y=None):
        calls.append(("fit", sorted(X[:, 0, 1].astype(int)), y is None, self.random_state))
        self.n_features_in_ = X.shape[-1]
        return self

    def transform(self, X):
        return X[:, 0, :1] * (self.max_epochs > 0)

    def __skaudeep_tags__(self):
        untrained = {"max_epochs": 0} if self.max_epochs else None
        return LearningTags(unsupervised=True, reads_spectrograms=True, untrained=untrained)


class _FakeExtractor(TransformerMixin, BaseEstimator):
    """Learns nothing and counts the clips it reads."""

    def fit(self, X, y=None):
        self.was_fitted_ = True
        return self

    def transform(self, X):
        calls.append(("extract", len(X)))
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class _RandomClassifier(DummyClassifier):
    def __init__(self, random_state=None):
        super().__init__(strategy="uniform", random_state=random_state)


def make_bunch(n_clips=20, n_classes=2, n_folds=4, **keys):
    """Return clips of 3 frames: band 0 is the class, band 1 the number of the clip."""
    target = np.arange(n_clips) % n_classes
    data = np.stack([target, np.arange(n_clips)], axis=1)[:, None].repeat(3, axis=1)
    folds = (np.arange(n_clips)[:, None] * n_folds // n_clips == np.arange(n_folds)).astype(np.int8)
    return Bunch(**{"data": data.astype(np.float32), "target": target, "folds": folds} | keys)


def make_fake_pipeline():
    return make_pipeline(_FakeNetwork(), StandardScaler(), KNeighborsClassifier(1))


def test_evaluate_scores_perfect_features_one_and_untrained_ones_chance():
    result = evaluate(make_fake_pipeline(), make_bunch(40), random_state=0)
    assert result.accuracy == result.uar == 1
    np.testing.assert_array_equal(result.confusion_matrix, [[20, 0], [0, 20]])
    np.testing.assert_array_equal(result.predictions, [np.arange(40) % 2])
    # features without content: a constant prediction in each fold
    assert result.controls["untrained network"].uar == pytest.approx(0.5)
    assert set(result.controls) == {"untrained network", "mel statistics"}


def test_control_of_mel_statistics_is_the_pipeline_with_band_statistics():
    result = evaluate(make_fake_pipeline(), make_bunch(n_clips=40, n_folds=2))
    means_alone = evaluate(
        make_pipeline(BandStatistics(extended=True), StandardScaler(), KNeighborsClassifier(1)),
        make_bunch(n_clips=40, n_folds=2),
        controls=False,
    )
    np.testing.assert_array_equal(
        result.controls["mel statistics"].predictions, means_alone.predictions
    )


def test_intervals_of_random_predictions_contain_chance():
    bunch = make_bunch(400, n_classes=4, n_folds=5)
    result = evaluate(_RandomClassifier(), bunch, n_repeats=3, controls=False, random_state=0)
    for score, (low, high) in [
        (result.accuracy, result.accuracy_interval),
        (result.uar, result.uar_interval),
    ]:
        assert low < 0.25 < high
        assert low < score < high


def test_intervals_and_comparisons_are_over_the_groups_of_the_bunch():
    bunch = make_bunch(40, groups=np.arange(40) // 5)
    result = evaluate(make_fake_pipeline(), bunch, random_state=0)
    assert result.n_groups == result.controls["untrained network"].n_groups == 8
    text = str(result)
    assert "95 % interval over 8 groups" in text
    assert "sign-flip test over 8 groups" in text
    ungrouped = evaluate(make_fake_pipeline(), make_bunch(40), random_state=0)
    assert ungrouped.n_groups == 0
    assert "95 % interval over clips" in str(ungrouped)


def test_a_lower_confidence_level_gives_narrower_intervals():
    options = {"controls": False, "random_state": 0}
    usual = evaluate(_RandomClassifier(), make_bunch(40), **options)
    low = evaluate(_RandomClassifier(), make_bunch(40), confidence_level=0.5, **options)
    assert low.accuracy == usual.accuracy
    assert np.ptp(low.accuracy_interval) < np.ptp(usual.accuracy_interval)


def test_evaluate_fits_a_new_classifier_in_each_fold():
    class Once(DummyClassifier):
        def fit(self, X, y):
            assert not hasattr(self, "classes_")
            return super().fit(X, y)

    assert evaluate(Once(), make_bunch(), controls=False).predictions.min() >= 0


def test_controls_reach_networks_inside_a_feature_union():
    union = FeatureUnion(
        [
            ("-30dB", make_pipeline(_FakeExtractor(), _FakeNetwork())),
            ("-60dB", Pipeline([("scale", _FakeExtractor()), ("network", _FakeNetwork())])),
        ]
    )
    pipeline = make_pipeline(union, KNeighborsClassifier(1))
    result = evaluate(pipeline, make_bunch(), protocol="transductive")
    assert result.accuracy == 1
    assert result.controls["untrained network"].uar == pytest.approx(0.5)
    # once on all clips for the pipeline and once for the untrained network, in both views
    assert [call[1:3] for call in calls if call[0] == "fit"] == [(list(range(20)), True)] * 4


def controls_of(pipeline, **options):
    """Return the controls that a pipeline gets, by name."""
    return evaluate(pipeline, make_bunch(), **options).controls


def test_a_reservoir_is_compared_with_statistics_and_not_with_itself():
    for reservoir in (_FakeNetwork(max_epochs=0), Seq2SeqAutoencoder(4, max_epochs=0)):
        for steps in ([reservoir], [_FakeExtractor(), reservoir]):
            assert set(controls_of(make_pipeline(*steps, DummyClassifier()))) == {"mel statistics"}


def test_a_network_on_features_has_no_control_of_statistics():
    class OnFeatures(_FakeNetwork):
        def __skaudeep_tags__(self):
            return LearningTags(unsupervised=True, untrained={"max_epochs": 0})

    controls = controls_of(make_pipeline(OnFeatures(), KNeighborsClassifier(1)))
    assert set(controls) == {"untrained network"}
    assert controls["untrained network"].uar == pytest.approx(0.5)


def test_controls_leave_only_trained_views_of_a_fusion_untrained():
    views = FeatureFusion(
        [("trained", _FakeNetwork()), ("reservoir", _FakeNetwork(max_epochs=0)), ("none", "drop")]
    )
    pipeline = make_pipeline(views, KNeighborsClassifier(1))
    controls = controls_of(pipeline, protocol="transductive", random_state=0)
    assert set(controls) == {"untrained network", "mel statistics"}
    assert controls["untrained network"].uar == pytest.approx(0.5)
    # Both views of the pipeline, once, then both of the untrained network.
    assert len([call for call in calls if call[0] == "fit"]) == 4


def test_controls_reach_networks_inside_a_search():
    search = GridSearchCV(make_pipeline(_FakeNetwork(), KNeighborsClassifier(1)), {}, cv=2)
    result = evaluate(search, make_bunch())
    assert result.accuracy == 1
    assert result.controls["untrained network"].uar == pytest.approx(0.5)
    assert set(result.controls) == {"untrained network", "mel statistics"}


def test_of_networks_in_a_row_only_the_first_becomes_band_statistics():
    class OverStates(_FakeNetwork):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return X

    pipeline = make_pipeline(OverStates(), _FakeNetwork(), KNeighborsClassifier(1))
    alone = make_pipeline(_FakeNetwork(), KNeighborsClassifier(1))
    found, expected = (controls_of(each)["mel statistics"] for each in (pipeline, alone))
    np.testing.assert_array_equal(found.predictions, expected.predictions)


@pytest.mark.parametrize("controls", [True, False])
def test_a_pretrained_network_runs_once_and_is_replaced_in_its_control(controls):
    class Pretrained(_FakeExtractor):
        """Gives every clip the same feature, so that only the control knows classes."""

        def transform(self, X):
            return super().transform(X)[:, 0, :1] * 0

        def __skaudeep_tags__(self):
            return LearningTags(reads_spectrograms=True)

    bunch = make_bunch()
    bunch.data[..., 1] = 0  # leaves the class alone
    pipeline = make_pipeline(Pretrained(), KNeighborsClassifier(1))
    result = evaluate(pipeline, bunch, controls=controls)
    assert calls == [("extract", 20)]
    assert result.uar == pytest.approx(0.5)
    assert [control.accuracy for control in result.controls.values()] == [1] * controls


def test_a_transformer_without_learning_tags_is_compared_with_statistics_of_the_data():
    class Untagged(_FakeNetwork):
        def __skaudeep_tags__(self):
            return LearningTags()

    pipeline = make_pipeline(Untagged(), KNeighborsClassifier(1))
    assert set(controls_of(pipeline)) == {"mel statistics"}
    with pytest.raises(ValueError, match="unsupervised by its __skaudeep_tags__"):
        evaluate(pipeline, make_bunch(), controls=False, protocol="transductive")
    assert evaluate(pipeline, make_bunch(), controls=False).accuracy == 1


def test_stored_features_are_compared_with_the_most_frequent_class():
    bunch = make_bunch(40, target=np.repeat([0, 1], [30, 10]), folds=np.eye(4)[np.arange(40) % 4])
    rows = bunch.data[:, 0]
    for data in (rows, rows.tolist()):
        result = evaluate(KNeighborsClassifier(1), bunch | {"data": data})
        control = result.controls["most frequent class"]
        assert (control.accuracy, control.uar) == (pytest.approx(0.75), 0.5)
        assert set(result.controls) == {"most frequent class"}
        text = str(result)
        assert "against most frequent class: +" in text
        assert "left out: untrained network: no step is a network that is trained" in text
        assert "left out: mel statistics: no step is known to read spectrograms, and the" in text


def test_features_of_chunks_are_no_spectrograms():
    chunks = make_bunch()  # n_clips, 3 chunks, 2 features
    scaled = make_pipeline(StandardScaler(), LogisticRegression())
    for pipeline in (
        make_pipeline(ChunkPooling(), *(step for _, step in scaled.steps)),
        ChunkVotingClassifier(scaled),
    ):
        assert set(evaluate(pipeline, chunks).controls) == {"most frequent class"}
    flat = make_pipeline(FunctionTransformer(_flatten), KNeighborsClassifier(1))
    named = chunks | {"dims": ("clip", "chunk", "feature")}
    assert set(evaluate(flat, named).controls) == {"most frequent class"}


def _flatten(X):
    return np.reshape(X, (len(X), -1))


def test_stored_spectrograms_are_compared_with_their_statistics():
    bunch = make_bunch(40)
    rng = np.random.default_rng(0)
    bunch.data[...] = rng.normal(bunch.target[:, None, None], 2, (40, 3, 2))
    by_hand = evaluate(
        make_pipeline(BandStatistics(extended=True), StandardScaler(), KNeighborsClassifier(1)),
        bunch,
        controls=False,
    )
    for steps in ([FunctionTransformer(_flatten)], [FunctionTransformer(), _FlatScaler()]):
        pipeline = make_pipeline(*steps, KNeighborsClassifier(1))
        result = evaluate(pipeline, bunch)
        assert set(result.controls) == {"mel statistics"}
        np.testing.assert_array_equal(
            result.controls["mel statistics"].predictions, by_hand.predictions
        )


class _FlatScaler(StandardScaler):
    def fit(self, X, y=None, sample_weight=None):
        return super().fit(_flatten(X), y)

    def transform(self, X, copy=None):
        return super().transform(_flatten(X))


def test_spectrograms_that_a_step_makes_are_compared_with_their_statistics():
    bunch = make_sounds(40, n_classes=2, n_sessions=2, random_state=0)
    extractor = SpectrogramExtractor(n_mels=8, sampling_rate=bunch.sampling_rate)
    pipeline = make_pipeline(
        extractor, FunctionTransformer(_flatten), StandardScaler(), KNeighborsClassifier(1)
    )
    result = evaluate(pipeline, bunch)
    stored = bunch | {"data": extractor.fit_transform(bunch.data)}
    by_hand = make_pipeline(
        BandStatistics(extended=True), StandardScaler(), KNeighborsClassifier(1)
    )
    np.testing.assert_array_equal(
        result.controls["mel statistics"].predictions,
        evaluate(by_hand, stored, controls=False).predictions,
    )


@pytest.mark.parametrize("voting", [False, True])
def test_stored_spectrograms_in_chunks_are_compared_with_their_statistics(voting):
    bunch = make_bunch(data=np.random.default_rng(0).normal(size=(20, 2, 3, 4)))
    classifier = KNeighborsClassifier(1)
    pipeline = make_pipeline(FunctionTransformer(_flatten), classifier)
    if voting:
        pipeline = make_pipeline(_ChunksOfFeatures(), ChunkVotingClassifier(classifier))
    assert set(evaluate(pipeline, bunch).controls) == {"mel statistics"}


class _ChunksOfFeatures(_FakeExtractor):
    def transform(self, X):
        return np.reshape(X, (*np.shape(X)[:2], -1))


def test_statistics_are_compared_with_the_most_frequent_class():
    result = evaluate(make_pipeline(BandStatistics(), KNeighborsClassifier(1)), make_bunch())
    assert set(result.controls) == {"most frequent class"}
    assert result.controls_left_out["mel statistics"] == "the pipeline reads them itself"


def test_a_reservoir_says_why_there_is_no_untrained_network():
    reservoir = make_pipeline(_FakeNetwork(max_epochs=0), KNeighborsClassifier(1))
    result = evaluate(reservoir, make_bunch())
    assert set(result.controls_left_out) == {"untrained network"}
    assert evaluate(reservoir, make_bunch(), controls=False).controls_left_out == {}


def test_a_control_that_fails_is_left_out_with_a_warning():
    class ReadsSpectrograms(DummyClassifier):
        def fit(self, X, y):
            if np.ndim(X) != 3:
                raise TypeError("I want three axes")
            return super().fit(X, y)

    with pytest.warns(UserWarning, match="control 'mel statistics' is left out.*three axes"):
        result = evaluate(ReadsSpectrograms(), make_bunch())
    assert result.uar == pytest.approx(0.5)
    assert result.controls == {}
    assert "control left out: mel statistics: it failed: TypeError: I want three axes" in (
        str(result)
    )


def test_a_pipeline_that_fails_is_an_error_and_no_control():
    class Fails(DummyClassifier):
        def fit(self, X, y):
            raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order"):
        evaluate(Fails(), make_bunch())


@pytest.mark.parametrize("predicted", [-1, 2, 0.5])
def test_a_prediction_that_is_no_class_is_refused(predicted):
    class Odd(DummyClassifier):
        def predict(self, X):
            return np.full(len(X), predicted)

    with pytest.raises(ValueError, match=rf"predicted {predicted}, expected class numbers from 0"):
        evaluate(Odd(), make_bunch(), controls=False)


def test_transductive_protocol_refuses_a_fusion_of_supervised_views():
    views = FeatureFusion([("lda", LinearDiscriminantAnalysis())])
    with pytest.raises(ValueError, match="without a step to fit on all clips"):
        evaluate(
            make_pipeline(views, DummyClassifier()),
            make_bunch(),
            controls=False,
            protocol="transductive",
        )


def test_inductive_protocol_fits_networks_on_training_clips_only():
    bunch = make_bunch(8, n_folds=2)
    evaluate(make_fake_pipeline(), bunch, controls=False)
    assert [call[1] for call in calls] == [[4, 5, 6, 7], [0, 1, 2, 3]]


def test_transductive_protocol_fits_networks_on_all_clips_without_labels():
    bunch = make_bunch(8, n_folds=2)
    bunch.target[3] = -1
    result = evaluate(
        make_fake_pipeline(),
        bunch,
        protocol="transductive",
        n_repeats=2,
        controls=False,
        random_state=0,
    )
    assert [call[1:3] for call in calls] == [(list(range(8)), True)] * 2
    assert result.protocol == "transductive"


class _SpyScaler(StandardScaler):
    def fit(self, X, y=None, sample_weight=None):
        calls.append(("scale", len(X), y is None))
        return super().fit(X, y)


def test_both_protocols_fit_steps_after_the_network_on_training_clips():
    pipeline = make_pipeline(_FakeNetwork(), _SpyScaler(), KNeighborsClassifier(1))
    for protocol in ("inductive", "transductive"):
        evaluate(pipeline, make_bunch(8, n_folds=2), protocol=protocol, controls=False)
    assert [call for call in calls if call[0] == "scale"] == [("scale", 4, False)] * 4


@pytest.mark.parametrize("protocol", ["inductive", "transductive"])
def test_evaluate_extracts_once_for_all_folds_repeats_and_controls(protocol):
    pipeline = make_pipeline(_FakeExtractor(), _FakeNetwork(), KNeighborsClassifier(1))
    evaluate(pipeline, make_bunch(), protocol=protocol, n_repeats=2)
    assert [call for call in calls if call[0] == "extract"] == [("extract", 20)]


def test_evaluate_runs_a_step_with_a_random_state_in_every_fold():
    class Noise(_FakeExtractor):
        def __init__(self, random_state=None):
            self.random_state = random_state

    evaluate(
        make_pipeline(Noise(), FunctionTransformer(np.ravel), DummyClassifier()),
        Bunch(data=np.zeros((4, 1)), target=[0, 1, 0, 1]),
        cv=2,
        controls=False,
    )
    assert calls == [("extract", 2)] * 4  # training and test clips of two folds


def test_evaluate_neither_trains_on_nor_tests_unlabelled_clips():
    bunch = make_bunch(12, n_folds=3)
    bunch.target[[0, 5]] = -1
    result = evaluate(make_fake_pipeline(), bunch, controls=False)
    assert result.accuracy == 1
    np.testing.assert_array_equal(np.flatnonzero(result.predictions[0] == -1), [0, 5])
    assert all(not {0, 5} & set(call[1]) for call in calls)


def test_repeats_differ_and_are_reproducible_by_random_state():
    bunch = make_bunch(60)

    def run(seed):
        return evaluate(_RandomClassifier(), bunch, n_repeats=3, controls=False, random_state=seed)

    first, again, other = run(0), run(0), run(1)
    assert first.predictions.shape == (3, 60)
    np.testing.assert_array_equal(first.predictions, again.predictions)
    assert (first.predictions != other.predictions).any()
    assert (first.predictions[0] != first.predictions[1]).any()


def test_folds_and_the_first_repeat_do_not_depend_on_the_number_of_repeats():
    bunch = make_bunch(60)
    one, three = (
        evaluate(_RandomClassifier(), bunch, cv=4, n_repeats=n, controls=False, random_state=0)
        for n in (1, 3)
    )
    assert all(map(np.array_equal, one.test, three.test))
    np.testing.assert_array_equal(one.predictions[0], three.predictions[0])


def test_every_random_state_in_a_repeat_has_its_own_seed():
    union = FeatureUnion([("a", _FakeNetwork()), ("b", _FakeNetwork())])
    evaluate(
        make_pipeline(union, _RandomClassifier()),
        make_bunch(),
        protocol="transductive",
        n_repeats=2,
        controls=False,
        random_state=0,
    )
    assert len({call[3] for call in calls}) == 4


def test_parallel_folds_give_the_same_predictions():
    pipeline = make_pipeline(BandStatistics(), _RandomClassifier())
    options = {"n_repeats": 2, "controls": False, "random_state": 3}
    one = evaluate(pipeline, make_bunch(), **options)
    with parallel_config("threading"):  # processes take seconds to start
        two = evaluate(pipeline, make_bunch(), n_jobs=2, **options)
    np.testing.assert_array_equal(one.predictions, two.predictions)


def test_evaluate_changes_neither_pipeline_nor_bunch_nor_global_random_state():
    bunch = make_bunch()
    pipeline = make_pipeline(_FakeExtractor(), _FakeNetwork(), KNeighborsClassifier(1))
    before, keys = clone(pipeline).get_params(), {key: np.copy(bunch[key]) for key in bunch}
    state = np.random.get_state()[1].copy()
    evaluate(pipeline, bunch, n_repeats=2)
    assert repr(pipeline.get_params()) == repr(before)
    assert not hasattr(pipeline[0], "was_fitted_")
    assert not hasattr(pipeline[1], "n_features_in_")
    assert pipeline[1].max_epochs == 1
    assert all(np.array_equal(bunch[key], keys[key]) for key in keys)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_evaluate_lets_warnings_of_the_classifier_through():
    pipeline = make_pipeline(_FakeNetwork(), MLPClassifier(max_iter=1))
    with pytest.warns(ConvergenceWarning):
        evaluate(pipeline, make_bunch(), controls=False)


def test_evaluate_splits_lists_of_clips_like_padded_arrays():
    bunch = make_bunch()
    ragged = [clip[: 1 + i % 3] for i, clip in enumerate(bunch.data)]
    pipeline = make_pipeline(BandStatistics(), LogisticRegression())
    result = evaluate(pipeline, bunch | {"data": ragged}, controls=False)
    padded = np.full_like(bunch.data, np.nan)
    for row, clip in zip(padded, ragged, strict=True):
        row[: len(clip)] = clip
    again = evaluate(pipeline, bunch | {"data": padded}, controls=False)
    np.testing.assert_array_equal(result.predictions, again.predictions)


def test_autoencoder_tells_the_order_of_frames_and_its_control_of_statistics_does_not():
    rising = np.linspace(-1, 1, 12)[:, None] * [1, 0.5]
    noise = np.random.default_rng(0).normal(scale=0.02, size=(20, 12, 2))
    data = (np.array([rising, rising[::-1]] * 10) + noise).astype(np.float32)
    bunch = make_bunch(n_folds=2, data=data)
    network = Seq2SeqAutoencoder(n_units=8, n_layers=1, max_epochs=2)
    pipeline = make_pipeline(network, StandardScaler(), LogisticRegression())
    for protocol in ("inductive", "transductive"):
        result = evaluate(pipeline, bunch, protocol=protocol, random_state=0)
        assert result.accuracy == 1
        assert result.controls["mel statistics"].accuracy_interval[0] < 0.5
        untrained = evaluate(
            clone(pipeline).set_params(seq2seqautoencoder__max_epochs=0),
            bunch,
            protocol=protocol,
            random_state=0,
            controls=False,
        )
        np.testing.assert_array_equal(
            result.controls["untrained network"].predictions, untrained.predictions
        )


# Folds and partitions.


def run_folds(bunch, **options):
    """Return what was trained on and tested, fold by fold."""
    calls.clear()
    result = evaluate(make_fake_pipeline(), bunch, controls=False, **options)
    return [call[1] for call in calls], [test.tolist() for test in result.test]


PARTITION = np.array(["train"] * 4 + ["devel"] * 2 + ["test"] * 2)


@pytest.mark.parametrize(
    ("keys", "options", "train", "test"),
    [
        ({"partition": PARTITION}, {}, [[0, 1, 2, 3]], [[4, 5]]),
        ({"partition": PARTITION}, {"cv": "devel"}, [[0, 1, 2, 3]], [[4, 5]]),
        ({"partition": PARTITION}, {"cv": "test"}, [[0, 1, 2, 3, 4, 5]], [[6, 7]]),
        (
            {"partition": np.where(PARTITION == "devel", "", PARTITION)},
            {},
            [[0, 1, 2, 3]],
            [[6, 7]],
        ),
        ({"cv": [([0, 1, 2], [5]), ([3, 4], [5, 6])]}, {}, [[0, 1, 2], [3, 4]], [[5], [5, 6]]),
        ({"cv": [([0, 1], [2])]}, {"cv": [([3, 4], [5])]}, [[3, 4]], [[5]]),
        (
            {"groups": np.array(list("aabbbbbb"))},
            {"cv": LeaveOneGroupOut()},
            [[2, 3, 4, 5, 6, 7], [0, 1]],
            [[0, 1], [2, 3, 4, 5, 6, 7]],
        ),
        (
            {"target": np.array([0, 1, -1, -1, 0, 1, 0, 1])},
            {"cv": 3},
            [[5, 6, 7], [0, 1, 6, 7], [0, 1, 4, 5]],
            None,
        ),
    ],
)
def test_folds_come_from_cv_then_the_bunch_then_partitions(keys, options, train, test):
    bunch = make_bunch(8)
    bunch["folds"] = np.empty((8, 0), dtype=np.int8)
    if options.get("cv") == 3:
        trained, held_out = run_folds(bunch | keys, **options)
        labelled = [0, 1, 4, 5, 6, 7]
        assert sorted(np.concatenate(held_out)) == labelled
        assert [sorted(a + b) for a, b in zip(trained, held_out, strict=True)] == [labelled] * 3
    else:
        assert run_folds(bunch | keys, **options) == (train, test)


def test_predictions_of_overlapping_folds_are_decided_by_majority():
    bunch = make_bunch(30)
    result = evaluate(
        make_fake_pipeline(), bunch, cv=ShuffleSplit(8, test_size=5, random_state=0), controls=False
    )
    assert result.confusion_matrix.sum() == 40
    seen = np.unique(np.concatenate(result.test))
    assert 5 < len(seen) < 30
    np.testing.assert_array_equal(np.flatnonzero(result.predictions[0] >= 0), seen)
    np.testing.assert_array_equal(result.predictions[0, seen], bunch.target[seen])


@pytest.mark.parametrize(
    ("keys", "options", "message"),
    [
        ({}, {"protocol": "both"}, "protocol='both'.*choose 'inductive'"),
        ({}, {"n_repeats": 0}, "n_repeats=0.*at least 1"),
        ({}, {"confidence_level": 95}, "confidence_level=95.*between 0 and 1"),
        ({"data": [], "target": []}, {}, "a bunch without clips"),
        ({"target": np.zeros(7, dtype=int)}, {}, "target of length 7 for 8 clips.*same data set"),
        ({"target": np.zeros((8, 1), dtype=int)}, {}, r"target of shape \(8, 1\)"),
        ({"folds": np.eye(7, 2, dtype=int)}, {}, "folds of length 7 for 8 clips"),
        ({"partition": ["train", "test"]}, {"cv": "test"}, "partition of length 2 for 8 clips"),
        ({"groups": ["x"] * 9}, {}, "groups of length 9 for 8 clips"),
        ({"target": np.linspace(0, 1, 8)}, {}, "classifier.*float target.*RidgeCV.*astype"),
        ({"target": np.array(list("aabbaabb"))}, {}, "expected class numbers.*LabelEncoder"),
        ({"target": np.full(8, -1)}, {}, "no labelled clip: the target of all 8 is -1"),
        ({"target": np.arange(8) - 2}, {}, "class numbers 0, 1.*-1 where unlabelled"),
        ({"target_names": ["dog"]}, {}, "class number 1 with 1 target_names"),
        ({"folds": np.arange(8) // 4}, {}, r"folds of shape \(8,\) with the values \[0 1\]"),
        ({"folds": np.full((8, 2), 2)}, {}, r"values \[2\], expected \(n_clips, n_folds\) of 0"),
        ({}, {"cv": []}, "Got cv without folds"),
        ({"folds": np.zeros((8, 1), int)}, {}, "Fold 1 has no labelled test clips"),
        ({"folds": None}, {}, "neither folds nor partitions.*pass cv"),
        ({"folds": np.empty((8, 0))}, {}, "neither folds nor partitions.*pass cv"),
        ({}, {"cv": "devel"}, "cv='devel', but the partitions"),
        ({}, {"cv": "folds"}, "cv='folds'; choose the partition"),
        ({}, {"cv": [([0, 1], [4]), ([0, 1, 2], [2, 3])]}, "Fold 2 trains on 1 of its test clips"),
        ({}, {"cv": [([0, 1], [8])]}, "Fold 1 names a clip that does not exist"),
        ({"target": np.zeros(8, int)}, {}, "single class, 0, expected at least two"),
        (
            {"target": np.arange(8) // 4},
            {},
            r"Fold 1 tests a class .*none of the 4 clips of class 0 trains it.*"
            r"np.isin\(bunch.target, \[0\]\), -1, bunch.target\)",
        ),
        (
            {"target": np.array([0, 1, 2, 0, 1, 0, 1, 0]), "target_names": ["ant", "bee", "cat"]},
            {"cv": 2},
            "One of the folds tests .*class 'cat' has a single clip, clip 2.*"
            r"isin\(bunch.target, \[2\]\)",
        ),
        (
            {"groups": np.array(list("abacadae")), "filenames": list("stuvwxyz")},
            {"cv": 2},
            "all 4 clips of class 0 are of one group, 'a'",
        ),
        ({}, {"cv": 1}, "cv=1, expected at least 2 folds"),
        ({}, {"cv": 5}, "cv=5, but no class has more than 4 clips.*pass cv=4"),
        (
            {"groups": np.array(list("aabbccdd"))},
            {"cv": 5},
            "cv=5, but no class has more than 4 groups.*pass cv=4",
        ),
    ],
)
def test_evaluate_says_which_bunch_and_parameters_it_expected(keys, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(make_fake_pipeline(), make_bunch(8, n_folds=2) | keys, **options)


@pytest.mark.parametrize(
    ("pipeline", "options", "message"),
    [
        (_FakeNetwork(), {}, "_FakeNetwork without predict"),
        (make_pipeline(_FakeNetwork()), {}, "Pipeline without predict"),
        (LinearRegression(), {}, "LinearRegression that predicts numbers .*LinearSVC"),
        (
            DummyClassifier(),
            {"controls": False, "protocol": "transductive"},
            "without a step to fit on all clips.*protocol='inductive'",
        ),
    ],
)
def test_evaluate_says_which_pipeline_it_expected(pipeline, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(pipeline, make_bunch(), **options)


def test_folds_are_checked_before_anything_is_fitted():
    with pytest.raises(ValueError, match="Fold 2 tests a class"):
        evaluate(make_fake_pipeline(), make_bunch(8), cv=[([0, 1], [2]), ([3, 5], [4])])
    assert calls == []


def test_the_remedy_for_a_rare_class_works():
    bunch = make_bunch(9, target=np.array([0, 1, 2, 0, 1, 0, 1, 0, 1]))
    with pytest.raises(ValueError, match="single clip") as error:
        evaluate(DummyClassifier(), bunch, cv=2, controls=False)
    remedy = str(error.value).partition("out by ")[2].removesuffix(".")
    exec(remedy, {"np": np, "bunch": bunch})
    assert evaluate(DummyClassifier(), bunch, cv=2, controls=False).accuracy > 0


@pytest.mark.parametrize("unknown", [False, True])
def test_an_int_as_cv_keeps_groups_together_and_classes_in_proportion(unknown):
    rng = np.random.default_rng(0)
    order = rng.permutation(60)
    groups = np.repeat([f"rec{i}" for i in range(20)], 3)
    if unknown:
        groups[:12] = ""  # each a group of its own
    bunch = make_bunch(60, target=np.repeat([0, 1, 1, 1], 15)[order], groups=groups[order])
    folds = [
        evaluate(DummyClassifier(), bunch, cv=5, controls=False, random_state=seed).test
        for seed in (0, 0, 1)
    ]
    assert all(map(np.array_equal, folds[0], folds[1]))
    assert not all(map(np.array_equal, folds[0], folds[2]))
    for test in folds[0]:
        rest = np.setdiff1d(np.arange(60), test)
        assert not set(bunch.groups[test]) & set(bunch.groups[rest]) - {""}
        assert abs(np.mean(bunch.target[test] == 0) - 0.25) < 0.15
    assert sorted(np.concatenate(folds[0])) == list(range(60))


def test_an_int_as_cv_shuffles_clips_without_groups():
    bunch = make_bunch(40, groups=np.full(40, ""))
    one, again, other = (
        evaluate(DummyClassifier(), bunch, cv=4, controls=False, random_state=seed).test
        for seed in (0, 0, 1)
    )
    assert all(map(np.array_equal, one, again))
    assert not all(map(np.array_equal, one, other))
    assert [np.bincount(bunch.target[test]).tolist() for test in one] == [[5, 5]] * 4


def test_folds_that_tear_groups_apart_warn_and_name_a_clip_on_either_side():
    names = [f"{i}.wav" for i in range(8)]
    bunch = make_bunch(8, groups=np.array(list("aabbccdd")), filenames=names)
    message = (
        r"Fold 1 trains on '1.wav' and tests '0.wav', both of group 'a'; 4 group\(s\) are on "
        r"both sides in 2 of 2 folds.*pass cv=5"
    )
    torn = [([1, 2, 5, 6], [0, 3, 4, 7]), ([0, 3, 4, 7], [1, 2, 5, 6])]
    with pytest.warns(UserWarning, match=message):
        evaluate(DummyClassifier(), bunch, cv=torn, controls=False)
    with pytest.warns(UserWarning, match="both of group"):
        evaluate(
            DummyClassifier(),
            bunch,
            cv=StratifiedKFold(4, shuffle=True, random_state=0),
            controls=False,
        )
    with pytest.warns(UserWarning, match=r"add_folds\(drop_folds\(bunch\)\)"):
        evaluate(DummyClassifier(), bunch | {"cv": torn}, controls=False)
    unequal = [([1, 2, 4, 5, 6], [0, 3, 7]), ([0, 3, 7], [1, 2, 4, 5, 6])]
    with pytest.warns(UserWarning, match=r"add_folds\(drop_folds\(bunch\)\)"):
        evaluate(DummyClassifier(), bunch | {"cv": unequal}, controls=False)
    with pytest.warns(UserWarning, match=r"add_partitions\(drop_partitions\(bunch\)\)"):
        evaluate(
            DummyClassifier(),
            bunch | {"folds": None, "partition": ["train"] * 5 + ["devel"] * 3},
            controls=False,
        )


def test_a_splitter_that_keeps_groups_together_does_not_warn():
    bunch = make_bunch(8, groups=np.array(list("aabbccdd")))
    for splitter in (LeaveOneGroupOut(), GroupKFold(2), KFold(2)):
        evaluate(DummyClassifier(), bunch, cv=splitter, controls=False)


def test_evaluate_refuses_a_tuple_as_bunch():
    with pytest.raises(ValueError, match=r"Got a tuple, expected a Bunch.*Bunch\(data="):
        evaluate(DummyClassifier(), ([[0], [1]], [0, 1]), controls=False)


def test_a_classifier_that_knows_no_callbacks_is_no_reason_for_a_warning_in_each_fold():
    begun = []

    class Watch:
        max_propagation_depth = None  # is handed to the steps as well

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            begun.append(type(estimator).__name__)

        def on_fit_task_end(self, estimator, context):
            pass

        teardown = setup

    bunch = make_bunch(8)
    bunch.data = np.arange(16.0).reshape(8, 2)
    pipeline = make_pipeline(StandardScaler(), DummyClassifier()).set_callbacks(Watch())
    evaluate(pipeline, bunch, cv=2, controls=False, random_state=0)  # warnings are errors
    assert {"Pipeline", "StandardScaler"} <= set(begun)
