"""FeatureFusion: features of its views, one decoding per clip, FeatureUnion's options, progress."""

from __future__ import annotations

import pickle

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import estimator_html_repr

from skaudeep import (
    BandStatistics,
    ChunkPooling,
    CourseStatistics,
    FeatureFusion,
    FrameDescriptors,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
)
from skaudeep.datasets import make_sounds

RATE = 8000  # Hz
DECIBELS = (-30, -60)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    return make_sounds(
        20,
        n_classes=4,
        sampling_rate=RATE,
        duration=0.3,
        folder=tmp_path_factory.mktemp("sounds"),
        random_state=0,
    )


def extractor(decibels=-60, **parameters):
    return SpectrogramExtractor(0.04, **{"n_mels": 10, **parameters}, clip_below=decibels)


def autoencoder(**parameters):
    small = {"n_units": 4, "n_layers": 1, "max_epochs": 2, "random_state": 0}
    features = {"bidirectional_encoder": False, "representation": "statistics"}  # 16
    return Seq2SeqAutoencoder(**small | features | parameters)


def paper(**parameters):
    """One autoencoder per clipping threshold."""
    return FeatureFusion(
        [(f"{db}dB", make_pipeline(extractor(db), autoencoder())) for db in DECIBELS], **parameters
    )


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_fusion_gives_the_features_of_its_views_fitted_alone(sounds, n_jobs):
    fusion = paper(n_jobs=n_jobs)
    alone = [clone(view).fit(sounds.data) for _, view in fusion.transformer_list]
    expected = np.hstack([view.transform(sounds.data) for view in alone])
    assert not np.allclose(expected[:, :16], expected[:, 16:])
    np.testing.assert_array_equal(fusion.fit_transform(sounds.data), expected)
    np.testing.assert_array_equal(fusion.transform(sounds.data), expected)
    np.testing.assert_array_equal(fusion.fit(sounds.data).transform(sounds.data), expected)
    assert expected.dtype == fusion.transform(sounds.data).dtype == np.float32
    for (_, view), other in zip(fusion.transformers_, alone, strict=True):
        assert list(view.named_steps) == list(other.named_steps)
        np.testing.assert_array_equal(view.transform(sounds.data), other.transform(sounds.data))


def test_names_of_fused_features_begin_with_their_view(sounds):
    fusion = paper().set_output(transform="pandas")
    table = fusion.fit_transform(sounds.data)
    assert table.shape == (20, 32)
    assert table.columns[[0, 15, 16, 31]].tolist() == [
        "-30dB__mean_0",
        "-30dB__change_3",
        "-60dB__mean_0",
        "-60dB__change_3",
    ]
    assert table.columns.tolist() == fusion.get_feature_names_out().tolist()


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_fusion_decodes_each_clip_once_for_all_views(sounds, n_jobs, monkeypatch):
    from skaudeep.audio import chain as views

    decoded = []
    read_audio = views.read_audio

    def counting(clip, **arguments):
        decoded.append(clip)
        return read_audio(clip, **arguments)

    monkeypatch.setattr(views, "read_audio", counting)
    fusion = paper(n_jobs=n_jobs)
    for method in (fusion.fit, fusion.fit_transform, fusion.transform):
        decoded.clear()
        method(sounds.data)
        assert sorted(decoded) == sorted(sounds.data)


def test_what_views_have_in_common_behind_their_extractor_runs_once(sounds, monkeypatch):
    clips = sounds.data[:6]
    steps = extractor(), FrameDescriptors(step=2)
    readers = {"mean": CourseStatistics(), "rhythm": CourseStatistics("rhythm")}
    views = [(name, make_pipeline(*map(clone, steps), of)) for name, of in readers.items()]
    other = make_pipeline(extractor(), FrameDescriptors(), CourseStatistics("rhythm"))
    expected = [clone(view).fit_transform(clips) for _, view in [*views, ("other", other)]]
    runs = []
    transform = FrameDescriptors.transform
    monkeypatch.setattr(
        FrameDescriptors, "transform", lambda self, X: runs.append(self.step) or transform(self, X)
    )
    fusion = FeatureFusion([*views, ("other", other)])
    np.testing.assert_array_equal(fusion.fit_transform(clips), np.hstack(expected))
    np.testing.assert_array_equal(fusion.transform(clips), np.hstack(expected))
    assert sorted(runs) == [1, 1, 2, 2]
    for (_, view), features in zip(fusion.transformers_, expected, strict=True):
        np.testing.assert_array_equal(view.transform(clips), features)


def test_fusion_transform_fits_no_extractor(sounds, monkeypatch):
    fusion = paper().fit(sounds.data)
    monkeypatch.delattr(SpectrogramExtractor, "fit")
    assert fusion.transform(sounds.data[:2]).shape == (2, 32)


def test_fusion_joins_views_with_and_without_an_extractor(sounds):
    """A view that begins with another transformer is given the clips themselves."""
    flat = FunctionTransformer(lambda X: np.reshape(X, (len(X), -1)))
    named_by_length = FunctionTransformer(lambda X: np.array([[len(path)] for path in X]))
    fusion = FeatureFusion(
        [
            ("learned", make_pipeline(extractor(), autoencoder())),
            ("paths", named_by_length),
            ("flat", make_pipeline(extractor(-30), flat)),
        ]
    )
    features = fusion.fit_transform(sounds.data)
    np.testing.assert_array_equal(features, fusion.transform(sounds.data))
    spectrograms = extractor(-30).transform(sounds.data)
    np.testing.assert_array_equal(features[:, 16], [len(path) for path in sounds.data])
    np.testing.assert_array_equal(features[:, 17:], spectrograms.reshape(20, -1))


def test_fusion_of_extractors_joins_their_bands(sounds):
    fusion = FeatureFusion([("low", extractor(-60)), ("high", extractor(-30, n_mels=6))])
    features = fusion.fit_transform(sounds.data)
    assert features.shape == (20, 14, 16)
    np.testing.assert_array_equal(features[..., :10], extractor(-60).transform(sounds.data))
    assert fusion.get_feature_names_out()[[0, -1]].tolist() == ["low__mel0", "high__mel5"]
    np.testing.assert_array_equal(fusion.transform(sounds.data[:3]), features[:3])


def test_fusion_of_autoencoders_takes_spectrograms(sounds):
    spectrograms = extractor().transform(sounds.data)
    fusion = FeatureFusion([("gru", autoencoder()), ("lstm", autoencoder(cell="lstm"))])
    features = fusion.fit_transform(spectrograms)
    np.testing.assert_array_equal(features[:, :16], autoencoder().fit_transform(spectrograms))
    assert fusion.n_features_in_ == 10


def test_nested_parameters_reach_the_views_of_a_fusion(sounds):
    fusion = paper()
    fusion.set_params(**{"-30dB__spectrogramextractor__clip_below": -45, "n_jobs": 1})
    assert fusion.transformer_list[0][1][0].clip_below == -45
    assert fusion.get_params()["-30dB__seq2seqautoencoder__n_units"] == 4
    search = GridSearchCV(
        make_pipeline(paper(), StandardScaler(), LinearSVC(random_state=0)),
        {
            "featurefusion__-30dB__spectrogramextractor__clip_below": [-20, -45],
            "featurefusion__-60dB": [make_pipeline(extractor(), FunctionTransformer(mean_frame))],
        },
        cv=sounds.cv[:2],
        error_score="raise",
    ).fit(sounds.data, sounds.target)
    best = search.best_params_["featurefusion__-30dB__spectrogramextractor__clip_below"]
    learned, means = (view for _, view in search.best_estimator_[0].transformers_)
    assert learned[0].clip_below == best
    np.testing.assert_array_equal(
        search.best_estimator_[0].transform(sounds.data)[:, 16:],
        extractor().transform(sounds.data).mean(axis=1),
    )
    assert means[-1].func is mean_frame


def mean_frame(X):
    return X.mean(axis=1)


def test_fitting_a_fusion_leaves_its_parameters_unfitted(sounds):
    fusion = paper()
    before = joblib.hash(fusion.get_params())
    features = fusion.fit_transform(sounds.data)
    assert joblib.hash(fusion.get_params()) == before
    for _, view in fusion.transformer_list:
        with pytest.raises(NotFittedError):
            view[-1].transform(extractor().transform(sounds.data))
    with pytest.raises(NotFittedError):
        clone(fusion).transform(sounds.data)
    again = pickle.loads(pickle.dumps(fusion))
    np.testing.assert_array_equal(again.transform(sounds.data), features)


@pytest.mark.parametrize(
    ("views", "error", "message"),
    [
        ([], ValueError, "transformer_list is empty"),
        ([("a", autoencoder()), ("a", autoencoder())], ValueError, "not unique: .'a', 'a'."),
        ([("a__b", autoencoder())], ValueError, "must not contain __: got .'a__b'."),
        ([("n_jobs", autoencoder())], ValueError, "conflict with constructor arguments"),
        ([("svc", LinearSVC())], TypeError, "View 'svc' is a LinearSVC without fit and transform"),
        ([("b", autoencoder()), ("svc", make_pipeline(extractor(), LinearSVC()))], TypeError,
         "View 'svc' is a Pipeline without fit and transform; .* Pipeline that ends in one"),
        ([("a", "skip")], TypeError, "View 'a' is a str without fit .* .drop. or .passthrough."),
        ([("a", StandardScaler)], TypeError, r"class StandardScaler; expected .* StandardScaler\("),
    ],
)  # fmt: skip
def test_fusion_refuses_what_is_no_list_of_views(views, error, message):
    for method in ("fit", "fit_transform"):
        with pytest.raises(error, match=message):
            getattr(FeatureFusion(views), method)(["never read.wav"])


def test_fusion_names_the_shapes_of_views_that_do_not_match(sounds):
    fusion = FeatureFusion([("short", extractor()), ("learned", paper().transformer_list[0][1])])
    with pytest.raises(
        ValueError, match=r"short: \(20, 14, 10\), learned: \(20, 16\).* one row per"
    ):
        fusion.fit_transform(sounds.data)


def test_fusion_refuses_a_missing_clip_and_labels_of_another_length(sounds):
    with pytest.raises(ValueError, match=r"gone\.wav: no such file"):
        paper().fit([*sounds.data[:3], "gone.wav"])
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[20, 3\]"):
        paper().fit(sounds.data, sounds.target[:3])


# --- what FeatureUnion offers ---------------------------------------------------------------------

MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3) ** 2
SCALED = StandardScaler().fit_transform(MATRIX)


class Weighted(TransformerMixin, BaseEstimator):
    """Subtracts the weighted mean of each feature and multiplies by a factor."""

    def fit(self, X, y=None, sample_weight=None):
        self.mean_ = np.average(X, axis=0, weights=sample_weight)
        return self

    def transform(self, X, factor=1):
        return (X - self.mean_) * factor


def test_fusion_gives_what_feature_union_gives():
    views = [("scaled", StandardScaler()), ("dropped", "drop"), ("same", "passthrough")]
    options = {"transformer_weights": {"same": 0.5}, "verbose_feature_names_out": True}
    fusion, union = (kind(views, **options) for kind in (FeatureFusion, FeatureUnion))
    expected = clone(union).fit_transform(MATRIX)
    for features in (fusion.fit_transform(MATRIX), fusion.fit(MATRIX).transform(MATRIX)):
        np.testing.assert_array_equal(features, expected)
        assert features.dtype == np.float32
    union.fit(MATRIX)
    assert fusion.get_feature_names_out().tolist() == union.get_feature_names_out().tolist()
    assert [view for _, view in fusion.transformer_list][1:] == ["drop", "passthrough"]
    assert [name for name, _ in fusion.transformers_] == ["scaled", "dropped", "same"]
    assert fusion.transformers_[1][1] == "drop"


def test_weights_multiply_features_and_keep_their_type(sounds):
    weights = {"-30dB": np.float64(3), "-60dB": 2}
    features = paper(transformer_weights=weights).fit(sounds.data).transform(sounds.data)
    plain = paper().fit_transform(sounds.data)
    np.testing.assert_array_equal(features, plain * np.repeat(np.float32([3, 2]), 16))
    assert features.dtype == np.float32
    spectrograms = FeatureFusion([("a", extractor())], transformer_weights={"a": 0.5})
    expected = extractor().transform(sounds.data) / 2
    np.testing.assert_array_equal(spectrograms.fit_transform(sounds.data), expected)


def test_fusion_refuses_a_weight_of_no_view():
    fusion = FeatureFusion([("a", StandardScaler())], transformer_weights={"a": 1, "b": 2})
    with pytest.raises(ValueError, match="weight for 'b', but the views are a; expected"):
        fusion.fit(MATRIX)


def test_a_search_drops_views_of_a_fusion(sounds):
    search = GridSearchCV(
        make_pipeline(paper(), LinearSVC(random_state=0)),
        {"featurefusion__-30dB": ["drop"]},
        cv=sounds.cv[:2],
        error_score="raise",
    ).fit(sounds.data, sounds.target)
    fusion = search.best_estimator_[0]
    assert fusion.transform(sounds.data).shape == (20, 16)
    assert fusion.get_feature_names_out()[0] == "-60dB__mean_0"


def test_fusion_without_views_left_has_no_features(sounds):
    fusion = FeatureFusion([("a", "drop")])
    assert fusion.fit_transform(sounds.data).shape == (20, 0)
    assert fusion.transform(sounds.data[:2]).shape == (2, 0)
    assert fusion.get_feature_names_out().tolist() == []


def test_views_of_a_fusion_are_found_by_name_fitted_once_there_are_such():
    view = StandardScaler()
    fusion = FeatureFusion([("scaled", view), ("same", "passthrough")])
    assert fusion["scaled"] is fusion.named_transformers.scaled is view
    fusion.fit(MATRIX)
    np.testing.assert_array_equal(fusion["scaled"].mean_, MATRIX.mean(axis=0))
    assert fusion.named_transformers.scaled is fusion["scaled"]
    assert fusion.n_features_in_ == 3
    assert not hasattr(view, "mean_")


def test_diagram_of_a_fitted_fusion_shows_fitted_views():
    fusion = FeatureFusion([("scaled", StandardScaler())])
    assert "<span>Not fitted</span>" in estimator_html_repr(fusion)
    assert "<span>Not fitted</span>" not in estimator_html_repr(fusion.fit(MATRIX))


def test_names_of_fused_features_may_leave_out_their_view():
    views = [("a", StandardScaler()), ("b", ChunkPooling("mean_std_max"))]
    fusion = FeatureFusion(views, verbose_feature_names_out=False).fit(MATRIX)
    assert fusion.get_feature_names_out()[[0, -1]].tolist() == ["x0", "max__x2"]
    fusion.set_params(b=StandardScaler()).fit(MATRIX)
    with pytest.raises(ValueError, match=r"'x0', 'x1', 'x2'\] are not unique"):
        fusion.get_feature_names_out()


def test_output_format_of_a_fusion_reaches_given_and_fitted_views():
    fusion = FeatureFusion([("a", StandardScaler()), ("b", StandardScaler())]).fit(MATRIX)
    fusion.set_output(transform="pandas")
    for table in (fusion.transform(MATRIX), fusion.fit(MATRIX).transform(MATRIX)):
        assert table.columns.tolist() == [f"{view}__x{i}" for view in "ab" for i in range(3)]
        np.testing.assert_array_equal(table, np.hstack([SCALED, SCALED]))
        assert fusion["a"].transform(MATRIX).columns.tolist() == ["x0", "x1", "x2"]


def test_fusion_of_sparse_views_is_sparse():
    names = np.array([["a"], ["b"], ["a"]])
    fusion = FeatureFusion([("once", OneHotEncoder()), ("again", OneHotEncoder())])
    features = fusion.fit_transform(names)
    assert sparse.issparse(features)
    assert features.toarray().tolist() == [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]


def test_fusion_joins_features_of_chunks_along_the_last_axis(sounds):
    chunked = extractor(chunk_duration=0.15)
    fusion = FeatureFusion(
        [
            ("a", make_pipeline(chunked, autoencoder())),
            ("b", make_pipeline(chunked, autoencoder(cell="lstm"))),
        ]
    )
    features = fusion.fit_transform(sounds.data)
    assert features.shape == (20, 2, 32)
    expected = fusion["b"].transform(sounds.data)
    np.testing.assert_array_equal(features[..., 16:], expected)


def test_verbose_fusion_prints_the_time_of_each_view(sounds, capsys):
    paper(verbose=True).fit(sounds.data)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ...")[0] for line in lines] == ["[FeatureFusion]"] * 2
    assert "(step 1 of 2) Processing -30dB, total=" in lines[0]
    assert "(step 2 of 2) Processing -60dB, total=" in lines[1]


def test_fit_passes_parameters_to_all_views():
    weights = [1, 0, 0, 0]
    fusion = FeatureFusion([("a", Weighted()), ("b", Weighted())])
    features = fusion.fit_transform(MATRIX, sample_weight=weights)
    np.testing.assert_array_equal(features, np.hstack([MATRIX - MATRIX[0]] * 2))
    np.testing.assert_array_equal(
        fusion.fit(MATRIX, sample_weight=weights).transform(MATRIX), features
    )
    with pytest.raises(ValueError, match=r"Got factor in transform.*enable_metadata_routing=True"):
        fusion.transform(MATRIX, factor=2)


def test_metadata_is_routed_to_the_views_that_request_it(sounds):
    with config_context(enable_metadata_routing=True):
        asks = Weighted().set_fit_request(sample_weight=True).set_transform_request(factor=True)
        ignores = (
            Weighted().set_fit_request(sample_weight=False).set_transform_request(factor=False)
        )
        fusion = FeatureFusion([("asks", asks), ("ignores", ignores)])
        fusion.fit(MATRIX, sample_weight=[1, 0, 0, 0])
        features = fusion.transform(MATRIX, factor=2)
        np.testing.assert_array_equal(features[:, :3], 2 * (MATRIX - MATRIX[0]))
        np.testing.assert_array_equal(features[:, 3:], MATRIX - MATRIX.mean(axis=0))
        behind_extractor = FeatureFusion(
            [("a", make_pipeline(extractor(), FunctionTransformer(mean_frame), asks))]
        ).fit(sounds.data, sample_weight=np.eye(20)[0])
        frames = extractor().transform(sounds.data).mean(axis=1).astype(np.float64)
        features = behind_extractor.transform(sounds.data, factor=2)
        np.testing.assert_array_equal(features, 2 * (frames - frames[0]))


# --- progress ------------------------------------------------------------------------------------


class EpochLog:
    """A callback that writes each epoch, with all tasks it is part of, to a file.

    Worker processes have copies of it: a list would stay empty.
    """

    max_propagation_depth = None

    def __init__(self, path):
        self.path = path

    def setup(self, estimator, context):
        self.path.touch()

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.max_subtasks == 0:
            tasks = []
            while context is not None:
                tasks.append(context.source_task_name or context.task_name)
                context = context.parent
            with self.path.open("a") as file:
                file.write(" > ".join(reversed(tasks)) + "\n")

    def lines(self):
        return sorted(self.path.read_text().splitlines())


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_callbacks_of_a_fusion_see_the_epochs_of_every_view(sounds, n_jobs, tmp_path):
    log = EpochLog(tmp_path / "log")
    fusion = paper(n_jobs=n_jobs).set_callbacks(log)
    fusion.set_params(**{"-60dB__seq2seqautoencoder__max_epochs": 3})
    fusion.fit(sounds.data)
    step = "fit-final-estimator > epoch"
    assert log.lines() == [f"fit > fit--30dB > {step}"] * 2 + [f"fit > fit--60dB > {step}"] * 3
    for _, view in fusion.transformers_:
        assert not hasattr(view, "_parent_callback_ctx")
        assert "_skl_callbacks" not in vars(view[-1])


def test_callbacks_see_epochs_of_a_fusion_inside_a_pipeline_and_a_search(sounds, tmp_path):
    """Two thresholds and two folds, then the refit: two views of two epochs each time."""
    log = EpochLog(tmp_path / "log")
    pipeline = Pipeline(
        [("views", paper()), ("scaler", StandardScaler()), ("classifier", LogisticRegression())]
    )
    pipeline.set_callbacks(log).fit(sounds.data, sounds.target)
    epochs = [line for line in log.lines() if line.endswith("epoch")]
    assert epochs == [
        f"fit > fit-transform-views > fit-transform-{db}dB > fit-transform-final-estimator > epoch"
        for db in (-30, -30, -60, -60)
    ]
    pipeline.set_callbacks()
    log.path.unlink()
    thresholds = {"views__-30dB__spectrogramextractor__clip_below": [-20, -30]}
    GridSearchCV(
        pipeline, thresholds, cv=sounds.cv[:2], n_jobs=2, error_score="raise"
    ).set_callbacks(log).fit(sounds.data, sounds.target)
    epochs = [line for line in log.lines() if line.endswith("epoch")]
    assert len(epochs) == (2 * 2 + 1) * 4
    assert len(set(epochs)) == 4


def test_callbacks_see_the_end_of_a_view_that_is_only_an_extractor(sounds, tmp_path):
    log = EpochLog(tmp_path / "log")
    FeatureFusion([("bare_one", extractor()), ("two", extractor())]).set_callbacks(log).fit(
        sounds.data
    )
    assert log.lines() == ["fit > fit-bare_one", "fit > fit-two"]


def test_views_with_other_frames_are_told_how_frames_agree():
    sounds = [np.sin(np.arange(8000.0))]
    views = [
        (f"hop{hop:g}", SpectrogramExtractor(hop_duration=hop, n_mels=4, sampling_rate=8000))
        for hop in (0.02, 0.04)
    ]
    with pytest.raises(ValueError, match=r"give their extractors one hop_duration"):
        FeatureFusion(views).fit_transform(sounds)
    views[1] = ("clips", make_pipeline(views[1][1], BandStatistics()))
    with pytest.raises(ValueError, match="Let each end in one row per clip"):
        FeatureFusion(views).fit_transform(sounds)
