"""FeatureFusion: the features of its views, each clip decoded once, every epoch reported."""

from __future__ import annotations

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from skaudeep import FeatureFusion, Seq2SeqAutoencoder, SpectrogramExtractor
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
def test_features_are_those_of_the_views_fitted_alone(sounds, n_jobs):
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


def test_names_carry_the_view(sounds):
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
def test_each_clip_is_decoded_once_however_many_views_there_are(sounds, n_jobs, monkeypatch):
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


def test_transform_fits_nothing(sounds, monkeypatch):
    fusion = paper().fit(sounds.data)
    monkeypatch.delattr(SpectrogramExtractor, "fit")
    assert fusion.transform(sounds.data[:2]).shape == (2, 32)


def test_views_may_begin_with_an_extractor_be_one_or_have_none(sounds):
    """What needs no extractor is given the clips themselves."""
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


def test_extractors_alone_put_their_bands_side_by_side(sounds):
    fusion = FeatureFusion([("low", extractor(-60)), ("high", extractor(-30, n_mels=6))])
    features = fusion.fit_transform(sounds.data)
    assert features.shape == (20, 14, 16)
    np.testing.assert_array_equal(features[..., :10], extractor(-60).transform(sounds.data))
    assert fusion.get_feature_names_out()[[0, -1]].tolist() == ["low__mel0", "high__mel5"]
    np.testing.assert_array_equal(fusion.transform(sounds.data[:3]), features[:3])


def test_spectrograms_extracted_before_serve_as_well(sounds):
    spectrograms = extractor().transform(sounds.data)
    fusion = FeatureFusion([("gru", autoencoder()), ("lstm", autoencoder(cell="lstm"))])
    features = fusion.fit_transform(spectrograms)
    np.testing.assert_array_equal(features[:, :16], autoencoder().fit_transform(spectrograms))
    assert fusion.n_features_in_ == 10


def test_nested_parameters_reach_the_views(sounds):
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


def test_the_callers_views_stay_unfitted(sounds):
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
        ([("a", "passthrough")], TypeError, "View 'a' is a str"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_views_is_refused(views, error, message):
    for method in ("fit", "fit_transform"):
        with pytest.raises(error, match=message):
            getattr(FeatureFusion(views), method)(["never read.wav"])


def test_views_that_do_not_fit_side_by_side_are_named_with_their_shapes(sounds):
    fusion = FeatureFusion([("short", extractor()), ("learned", paper().transformer_list[0][1])])
    with pytest.raises(
        ValueError, match=r"short: \(20, 14, 10\), learned: \(20, 16\).* one row per"
    ):
        fusion.fit_transform(sounds.data)


def test_a_broken_clip_and_labels_of_another_length_are_refused(sounds):
    with pytest.raises(ValueError, match=r"gone\.wav: no such file"):
        paper().fit([*sounds.data[:3], "gone.wav"])
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[20, 3\]"):
        paper().fit(sounds.data, sounds.target[:3])


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
def test_a_callback_sees_the_epochs_of_every_view(sounds, n_jobs, tmp_path):
    log = EpochLog(tmp_path / "log")
    fusion = paper(n_jobs=n_jobs).set_callbacks(log)
    fusion.set_params(**{"-60dB__seq2seqautoencoder__max_epochs": 3})
    fusion.fit(sounds.data)
    step = "fit-final-estimator > epoch"
    assert log.lines() == [f"fit > fit--30dB > {step}"] * 2 + [f"fit > fit--60dB > {step}"] * 3
    for _, view in fusion.transformers_:
        assert not hasattr(view, "_parent_callback_ctx")
        assert "_skl_callbacks" not in vars(view[-1])


def test_epochs_are_reported_from_within_a_pipeline_and_a_search(sounds, tmp_path):
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


def test_a_view_without_training_is_reported_done(sounds, tmp_path):
    log = EpochLog(tmp_path / "log")
    FeatureFusion([("bare_one", extractor()), ("two", extractor())]).set_callbacks(log).fit(
        sounds.data
    )
    assert log.lines() == ["fit > fit-bare_one", "fit > fit-two"]
