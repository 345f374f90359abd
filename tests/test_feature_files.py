"""Features of recordings in files: of clips, chunks and frames; a fault costs one clip."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skaudeep
from skaudeep import BandStatistics, SpectrogramExtractor
from skaudeep.audio import AudioError
from skaudeep.datasets import drop_folds, make_bunch, make_sounds, select
from skaudeep.formats import load_arff, load_csv

RATE = 8000  # Hz


def statistics(classifier=None):
    """Return a cheap classifier of recordings."""
    extractor = SpectrogramExtractor(n_mels=20, clip_below=-60)
    return make_pipeline(
        extractor, BandStatistics(), StandardScaler(), classifier or LogisticRegression()
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Make 24 clips of two classes as files."""
    folder = tmp_path_factory.mktemp("corpus")
    sounds = make_sounds(
        24, n_classes=2, duration=0.3, sampling_rate=RATE, random_state=0, folder=folder
    )
    return drop_folds(sounds)


@pytest.fixture(scope="module")
def model(corpus):
    return skaudeep.fit_classifier(corpus, statistics())


@pytest.mark.parametrize("suffix", [".nc", ".csv", ".arff"])
def test_features_go_into_a_file_of_the_kind_that_its_ending_says(corpus, model, tmp_path, suffix):
    path = tmp_path / f"features{suffix}"
    counted = []
    written = skaudeep.transform_to_file(
        model, corpus, path, batch_size=10, on_clips=counted.append
    )
    expected = model[:-1].transform(corpus.data)
    np.testing.assert_allclose(written.data, expected, atol=1e-5)
    assert counted == [0, 10, 10, 4]
    read = {".nc": skaudeep.load_netcdf, ".csv": load_csv, ".arff": load_arff}[suffix]
    stored = read(path if suffix == ".nc" else tmp_path)
    np.testing.assert_allclose(stored.data, expected, atol=1e-5)
    assert stored.filenames.tolist() == corpus.filenames.tolist()
    assert stored.feature_names == model[:-1].get_feature_names_out().tolist()
    assert stored.groups.tolist() == corpus.groups.tolist()
    assert [path.name for path in tmp_path.iterdir()] == [f"features{suffix}"]


def test_names_that_a_table_cannot_hold_are_counted_in_their_place(corpus, model, tmp_path):
    class Quoting(FunctionTransformer):
        def get_feature_names_out(self, input_features=None):
            return np.array([f"it's {name}" for name in input_features], dtype=object)

    named = make_pipeline(*(step for _, step in model.steps[:-1]), Quoting())
    written = skaudeep.transform_to_file(named, corpus, tmp_path / "features.arff")
    assert "feature_names" not in written
    assert "feature_names" not in load_arff(tmp_path)


def test_features_of_a_clip_that_cannot_be_read_are_missing_and_say_why(corpus, model, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    mixed = make_bunch([*corpus.data[:3], str(tmp_path / "bad.wav")], list("abcd"))
    skaudeep.transform_to_file(model, mixed, tmp_path / "features.nc")
    stored = skaudeep.load_netcdf(tmp_path / "features.nc")
    assert np.isnan(stored.data).any(axis=1).tolist() == [False] * 3 + [True]
    assert [bool(reason) for reason in stored.errors] == [False] * 3 + [True]
    with pytest.raises(AudioError, match="bad"):
        skaudeep.transform_to_file(model, select(mixed, [3]), tmp_path / "other.nc")


def test_an_interrupted_transform_goes_on_with_the_same_result(corpus, model, tmp_path):
    path = tmp_path / "features.nc"
    options = {"batch_size": 10, "resume": "model 1"}

    def interrupt(n_clips):
        if n_clips == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        skaudeep.transform_to_file(model, corpus, path, on_clips=interrupt, **options)
    assert [file.name for file in tmp_path.iterdir()] == ["features.nc.partial"]
    with pytest.raises(ValueError, match="belongs to other clips or parameters"):
        skaudeep.transform_to_file(model, corpus, path, resume="model 2")
    counted = []
    written = skaudeep.transform_to_file(model, corpus, path, on_clips=counted.append, **options)
    assert counted == [10, 10, 4]
    np.testing.assert_allclose(written.data, model[:-1].transform(corpus.data), atol=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == ["features.nc"]


def test_transform_to_file_refuses_an_unknown_ending_and_a_bare_classifier(corpus, tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.nc, \.csv, \.arff"):
        skaudeep.transform_to_file(statistics(), corpus, tmp_path / "features.xlsx")
    # A table would be written as features.csv, over what is there.
    with pytest.raises(ValueError, match=r"ends in \.nc, \.csv, \.arff"):
        skaudeep.transform_to_file(statistics(), corpus, tmp_path / "features.CSV")
    with pytest.raises(ValueError, match="LogisticRegression without transform"):
        skaudeep.transform_to_file(LogisticRegression(), corpus, tmp_path / "features.nc")
    alone = make_pipeline(LogisticRegression())
    with pytest.raises(ValueError, match="a classifier alone"):
        skaudeep.transform_to_file(alone, corpus, tmp_path / "features.nc")
    with pytest.raises(ValueError, match="Pool frames and chunks first"):
        skaudeep.transform_to_file(SpectrogramExtractor(), corpus, tmp_path / "features.nc")
    with pytest.raises(FileNotFoundError, match="folder"):
        skaudeep.transform_to_file(statistics(), corpus, tmp_path / "none" / "features.nc")


class Recurrent(TransformerMixin, BaseEstimator):
    """Double each frame, or each chunk's frames, as an autoencoder over frequency keeps them."""

    def __init__(self, keep_frames=True):
        self.keep_frames = keep_frames

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        return 2 * X if self.keep_frames else 2 * np.nanmean(X, axis=-2)


@pytest.mark.parametrize(
    ("chunk", "keep_frames", "dims"),
    [
        (None, True, ("clip", "frame", "feature")),
        (0.1, False, ("clip", "chunk", "feature")),
        (0.1, True, ("clip", "chunk", "frame", "feature")),
    ],
)
def test_features_of_chunks_and_frames_keep_their_axes_after_an_interruption_too(
    corpus, tmp_path, chunk, keep_frames, dims
):
    extractor = SpectrogramExtractor(n_mels=20, chunk_duration=chunk, sampling_rate=RATE)
    model = make_pipeline(extractor, Recurrent(keep_frames)).fit(corpus.data)
    path = tmp_path / "features.nc"
    seen = []

    def interrupt(n_clips):
        seen.append(n_clips)
        if sum(seen) == 20:
            raise KeyboardInterrupt

    options = {"batch_size": 10, "resume": "1"}
    with pytest.raises(KeyboardInterrupt):
        skaudeep.transform_to_file(model, corpus, path, on_clips=interrupt, **options)
    seen.append(100)
    written = skaudeep.transform_to_file(model, corpus, path, on_clips=interrupt, **options)
    stored = skaudeep.load_netcdf(path)
    assert seen == [0, 10, 10, 100, 20, 4]
    assert stored.dims == written.dims == dims
    np.testing.assert_array_equal(stored.data, model.transform(corpus.data))
