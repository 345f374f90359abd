"""set_output: rows keep the names of their clips, whatever the number of axes on the way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import soundfile
import xarray
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import (
    BandStatistics,
    ChunkPooling,
    FeatureFusion,
    ReservoirFeatures,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
)

RATE = 8000
SMALL = {"n_layers": 1, "max_epochs": 0, "random_state": 0}
EXTRACTOR = SpectrogramExtractor(n_mels=8)
CHUNKS = SpectrogramExtractor(n_mels=8, chunk_duration=0.5)
TIME = Seq2SeqAutoencoder(4, **SMALL)
FREQUENCY = Seq2SeqAutoencoder(
    4, axis="frequency", band_window=4, band_overlap=2, representation="code", **SMALL
)
PIPELINES = {
    "autoencoder": make_pipeline(EXTRACTOR, TIME, StandardScaler()),
    "reservoir": make_pipeline(EXTRACTOR, ReservoirFeatures(4, random_state=0)),
    "statistics": make_pipeline(EXTRACTOR, BandStatistics()),
    "frequency": make_pipeline(EXTRACTOR, FREQUENCY),
    "frequency, time": make_pipeline(EXTRACTOR, FREQUENCY, TIME),
    "chunks": make_pipeline(CHUNKS, TIME),
    "pooled chunks": make_pipeline(CHUNKS, TIME, ChunkPooling("concat"), StandardScaler()),
    "fusion": make_pipeline(
        FeatureFusion(
            [
                ("a", make_pipeline(EXTRACTOR, TIME)),
                ("b", make_pipeline(EXTRACTOR, BandStatistics())),
            ]
        ),
        StandardScaler(),
    ),
    "fusion of chunks": FeatureFusion(
        [("a", make_pipeline(CHUNKS, TIME)), ("b", make_pipeline(CHUNKS, BandStatistics()))]
    ),
    "fusion behind": make_pipeline(
        EXTRACTOR, FeatureFusion([("a", TIME), ("b", BandStatistics())])
    ),
}


@pytest.fixture
def paths(tmp_path):
    paths = [str(tmp_path / f"{name}.wav") for name in "abc"]
    for i, path in enumerate(paths):
        samples = np.random.default_rng(i).uniform(-0.5, 0.5, RATE + i * RATE // 2)
        soundfile.write(path, samples, RATE)
    return paths


def forms(paths):
    pieces = pd.MultiIndex.from_arrays(
        [paths, pd.to_timedelta([0, 0, 0.2], unit="s"), pd.to_timedelta([0.5, 1, None], unit="s")],
        names=["file", "start", "end"],
    )
    return {
        "paths": (paths, paths),
        "index": (pieces, list(pieces)),
        "table": (pd.Series([0, 1, 2], index=pieces), list(pieces)),
        "series": (pd.Series(paths, index=[7, 3, 5]), [7, 3, 5]),
    }


@pytest.mark.parametrize("form", ["paths", "index", "table", "series"])
@pytest.mark.parametrize("name", PIPELINES)
def test_rows_are_named_after_their_clips(paths, name, form):
    X, names = forms(paths)[form]
    pipeline = PIPELINES[name].set_output(transform="default")
    expected = pipeline.fit_transform(X)
    pipeline.set_output(transform="pandas")
    with config_context(transform_output="pandas"):
        outputs = [pipeline.fit_transform(X), pipeline.transform(X)]
    for output in outputs:
        np.testing.assert_array_equal(output, expected)
        if expected.ndim == 2:
            assert output.index.tolist() == names
            assert output.columns.tolist() == pipeline.get_feature_names_out().tolist()
        else:
            assert isinstance(output, xarray.DataArray)
            assert output.indexes["clip"].tolist() == names
            assert len(output.indexes["feature"]) == expected.shape[-1]
    if form in ("index", "table") and expected.ndim == 2:
        assert output.index.names == ["file", "start", "end"]


def test_spectrograms_are_labelled_with_their_clips_and_bands(paths):
    extractor = SpectrogramExtractor(n_mels=8).set_output(transform="pandas")
    spectrograms = extractor.fit_transform(paths)
    assert spectrograms.sel(clip=paths[1], feature="mel3").shape == (49,)
    np.testing.assert_array_equal(spectrograms, EXTRACTOR.transform(paths))


def test_waveforms_and_arrays_have_no_names():
    waveforms = list(np.random.default_rng(0).uniform(-0.5, 0.5, (3, RATE)))
    pipeline = make_pipeline(SpectrogramExtractor(n_mels=8, sampling_rate=RATE), BandStatistics())
    pipeline.set_output(transform="pandas")
    assert pipeline.fit_transform(waveforms).index.tolist() == [0, 1, 2]
    chunks = np.random.default_rng(0).normal(size=(3, 2, 5, 4))
    features = ReservoirFeatures(4, random_state=0).set_output(transform="pandas")
    assert features.fit_transform(chunks).dims == ("clip", "axis_1", "feature")


def test_clips_of_one_name_stay_apart(paths):
    pipeline = PIPELINES["fusion"].set_output(transform="pandas")
    twice = [*paths, *paths]
    table = pipeline.fit_transform(twice)
    assert table.index.tolist() == twice
    assert table.shape == (6, 140)
