"""FunctionExtractor stands where SpectrogramExtractor stands, whatever function it is given."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import types
from functools import partial

import numpy as np
import onnx
import pandas as pd
import pytest
import soundfile
from onnx import helper, numpy_helper
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skaudeep
from skaudeep import (
    AudioError,
    AudioWarning,
    BandStatistics,
    FeatureFusion,
    FunctionExtractor,
    PersistenceError,
    ReservoirFeatures,
    SpectrogramExtractor,
    evaluate,
    extract_to_netcdf,
    load,
    report,
    save,
)
from skaudeep.audio import resample
from skaudeep.audio.onnx_models import onnx_checksum
from skaudeep.datasets import make_bunch, make_sounds
from skaudeep.extraction import _extract_batch

RATE = 8000  # Hz
HOP = 80  # samples of a frame
N_FRAMES = [5, 10, 7, 6]


def blocks(samples, n_dimensions=3):
    """Return mean magnitude, largest and first sample of each HOP samples."""
    rows = samples[: len(samples) // HOP * HOP].reshape(-1, HOP)
    values = np.stack([np.abs(rows).mean(axis=1), rows.max(axis=1), rows[:, 0]], axis=1)
    return values[:, :n_dimensions]


def noise(n_frames, seed=0):
    samples = np.random.default_rng(seed).normal(scale=0.1, size=n_frames * HOP)
    return samples.astype(np.float32)


WAVEFORMS = [noise(n_frames, seed) for seed, n_frames in enumerate(N_FRAMES)]


def extractor(func=blocks, **parameters):
    return FunctionExtractor(func, **{"sampling_rate": RATE, "scale": None} | parameters)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    paths = [folder / f"{i}.wav" for i in range(len(WAVEFORMS))]
    for path, waveform in zip(paths, WAVEFORMS, strict=True):
        soundfile.write(path, waveform, RATE, subtype="FLOAT")
    return paths


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Write a model that gives the mean and the first sample of each HOP samples."""
    path = tmp_path_factory.mktemp("models") / "blocks.onnx"
    kernels = np.zeros((2, 1, HOP), np.float32)
    kernels[0], kernels[1, 0, 0] = 1 / HOP, 1
    nodes = [
        helper.make_node("Conv", ["wave", "kernels"], ["y"], strides=[HOP]),
        helper.make_node("Transpose", ["y"], ["frames"], perm=[0, 2, 1]),
    ]
    tensor, float32 = helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "blocks",
        [tensor("wave", float32, [1, 1, None])],
        [tensor("frames", float32, [1, None, 2])],
        [numpy_helper.from_array(kernels, "kernels")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save_model(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def sounds():
    return make_sounds(
        24, n_classes=2, n_sessions=2, duration=0.4, sampling_rate=RATE, random_state=0
    )


# --- what goes in, and what comes out ------------------------------------------------------------


def test_waveforms_and_files_become_the_frames_of_the_function(paths):
    for clips in (WAVEFORMS, paths, [str(path) for path in paths]):
        frames = extractor().transform(clips)
        assert frames.shape == (4, 10, 3)
        assert frames.dtype == np.float32
        for row, waveform, n_frames in zip(frames, WAVEFORMS, N_FRAMES, strict=True):
            np.testing.assert_array_equal(row[:n_frames], blocks(waveform))
            assert np.isnan(row[n_frames:]).all()


def test_segments_are_read_by_their_times(paths):
    start, end = 2 * HOP / RATE, 4 * HOP / RATE
    index = pd.MultiIndex.from_tuples(
        [(str(paths[1]), pd.Timedelta(start, "s"), pd.Timedelta(end, "s"))],
        names=["file", "start", "end"],
    )
    np.testing.assert_array_equal(extractor().transform(index)[0], blocks(WAVEFORMS[1])[2:4])


def test_files_are_resampled_to_the_rate_of_the_function(paths):
    frames = extractor(sampling_rate=2 * RATE).transform(paths[:1])
    (samples,) = resample(WAVEFORMS[0][None], RATE, 2 * RATE)
    np.testing.assert_array_equal(frames[0], blocks(samples))


def test_duration_and_channel_are_those_of_spectrograms():
    stereo = np.stack([WAVEFORMS[0], WAVEFORMS[1][: len(WAVEFORMS[0])]])
    parameters = {"duration": 3 * HOP / RATE, "align": "center", "channel": "right"}
    frames = extractor(**parameters).transform([stereo])
    np.testing.assert_array_equal(frames[0], blocks(stereo[1, HOP : 4 * HOP]))
    (padded,) = extractor(duration=7 * HOP / RATE).transform([WAVEFORMS[0]])
    np.testing.assert_array_equal(padded[5:], np.zeros((2, 3)))


def test_a_clip_has_the_same_frames_alone_and_among_others_on_any_number_of_threads(paths):
    together = extractor(n_jobs=2).transform(paths)
    for row, (path, n_frames) in enumerate(zip(paths, N_FRAMES, strict=True)):
        np.testing.assert_array_equal(extractor().transform([path])[0], together[row, :n_frames])


def test_scale_clip_gives_each_clip_the_range_of_spectra():
    frames = extractor(lambda samples: np.sign(blocks(samples)) * [3e38, -3e38, 0], scale="clip")
    for row in frames.transform(WAVEFORMS):
        assert (np.nanmin(row), np.nanmax(row)) == (-1, 1)
    scaled = extractor(scale="clip").transform(WAVEFORMS[:1])[0]
    values = blocks(WAVEFORMS[0])
    expected = 2 * (values - values.min()) / np.ptp(values) - 1
    np.testing.assert_allclose(scaled, expected, atol=1e-6)


def test_chunks_begin_at_multiples_of_their_duration():
    parameters = {"hop_duration": HOP / RATE, "chunk_duration": 3 * HOP / RATE}
    chunks = extractor(**parameters).transform(WAVEFORMS[:2])
    assert chunks.shape == (2, 3, 3, 3)  # the last of one frame is less than half full
    np.testing.assert_array_equal(chunks[1].reshape(9, 3), blocks(WAVEFORMS[1])[:9])
    np.testing.assert_array_equal(chunks[0, 1, :2], blocks(WAVEFORMS[0])[3:])
    assert np.isnan(chunks[0, 1, 2]).all()
    assert np.isnan(chunks[0, 2]).all()
    assert extractor(**parameters, n_chunks=4).transform(WAVEFORMS[:1]).shape == (1, 4, 3, 3)


def test_a_hop_that_the_frames_do_not_have_is_refused_with_chunks():
    wrong = extractor(hop_duration=10 * HOP / RATE, chunk_duration=10 * HOP / RATE)
    with pytest.raises(
        AudioError, match=r"clip 0: lasts 0.05 s, but its 5 frames by blocks last 0.5 s"
    ):
        wrong.transform(WAVEFORMS)


def test_names_of_dimensions_and_clips(paths):
    with pytest.raises(NotFittedError):
        extractor().get_feature_names_out()
    fitted = extractor().fit(paths)
    assert fitted.get_feature_names_out().tolist() == [f"functionextractor{i}" for i in range(3)]
    frames = fitted.set_output(transform="pandas").transform(paths)
    assert frames.indexes["clip"].tolist() == [str(path) for path in paths]


# --- what fit remembers --------------------------------------------------------------------------


def test_fit_keeps_what_transform_must_not_depart_from():
    fitted = extractor().fit(WAVEFORMS)
    assert (fitted.n_bands_, fitted.sampling_rate_, fitted.channel_) == (3, RATE, "mean")
    assert fitted.checksum_ is None
    with pytest.raises(ValueError, match=r"sampling_rate is 16000, but was 8000 in fit"):
        clone(fitted).fit(WAVEFORMS).set_params(sampling_rate=16000).transform(WAVEFORMS)
    with pytest.raises(AudioError, match=r"clip 0: has 2 dim.* the extractor was fitted .* of 3"):
        fitted.set_params(func=partial(blocks, n_dimensions=2)).transform(WAVEFORMS)


def test_a_clone_and_a_pickle_give_the_same_frames():
    fitted = extractor(partial(blocks, n_dimensions=2), scale="clip").fit(WAVEFORMS)
    for other in (clone(fitted), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(other.transform(WAVEFORMS), fitted.transform(WAVEFORMS))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"func": 3}, "'func' parameter"),
        ({"scale": "chunk"}, "'scale' parameter"),
        ({"n_chunks": 2}, "n_chunks=2 without a chunk_duration"),
        ({"chunk_duration": 1.0}, "without a hop_duration: .* of blocks"),
        ({"chunk_duration": 0.1, "hop_duration": 0.2}, "shorter than the time between two frames"),
        ({"checksum": "sha256:" + 64 * "0"}, "checksum='sha256.* with the function blocks"),
        ({"output": "notes"}, "output='notes' with the function blocks"),
        ({"window_overlap": 0.1}, "window_overlap=0.1 with the function blocks"),
        ({"func": "a.onnx", "checksum": "md5:0"}, "checksum='md5:0', expected 'sha256:' and 64"),
    ],
)
def test_parameters_that_do_not_suit_are_refused(parameters, message):
    for method in ("fit", "transform"):
        with pytest.raises(ValueError, match=message):
            getattr(extractor(**parameters), method)(WAVEFORMS)


# --- functions that fail -------------------------------------------------------------------------


def fails_of_short_clips(samples):
    if len(samples) < 6 * HOP:
        raise IndexError("no frame")
    return blocks(samples)


@pytest.mark.parametrize(
    ("func", "message"),
    [
        (fails_of_short_clips, "0.wav: fails_of_short_clips raised IndexError: no frame"),
        (lambda samples: samples, r"0.wav: .*<lambda> returned an array of shape \(400,\)"),
        (lambda samples: blocks(samples) / 0, "0.wav: .*<lambda> raised RuntimeWarning"),
        (lambda samples: blocks(samples).T, "1.wav: has 10 dim.*0.wav has 5. .*librosa's"),
    ],
)
def test_an_error_names_the_clip(func, message, paths):
    with pytest.raises(AudioError, match=message):
        extractor(func).transform(paths)


def test_clips_that_the_function_cannot_take_become_nan_where_that_is_asked_for(paths):
    lenient = extractor(fails_of_short_clips, on_error="nan")
    with pytest.warns(AudioWarning, match=r"1 of 4 clips could not be read.*\n.*0.wav: fails_of"):
        frames = lenient.transform(paths)
    assert np.isnan(frames[0]).all()
    np.testing.assert_array_equal(frames[1], blocks(WAVEFORMS[1]))
    assert lenient.fit(paths).n_bands_ == 3  # by the second clip
    with pytest.raises(AudioError, match=r"0\.wav"):
        lenient.fit(paths[:1])


def test_negative_frames_are_not_taken_for_silence():
    frames = extractor(lambda samples: blocks(samples) - 100).transform(WAVEFORMS)
    assert np.nanmax(frames) < -1


class NoHash:
    """A function that can be called, but not hashed, and changes what it is given."""

    __hash__ = None

    def __eq__(self, other):
        return False

    def __call__(self, samples):
        samples[:] = 0
        return blocks(samples)


def test_functions_and_spectra_share_decoding_and_do_not_disturb_each_other():
    spectra = SpectrogramExtractor(0.02, n_mels=8, sampling_rate=RATE)
    views = [spectra, extractor(NoHash()), extractor(), clone(spectra)]
    before = [waveform.copy() for waveform in WAVEFORMS]
    shared = skaudeep._views.extract_views(views, WAVEFORMS)
    for view, frames in zip(views, shared, strict=True):
        np.testing.assert_array_equal(frames, view.transform(before))
    np.testing.assert_array_equal(np.concatenate(WAVEFORMS), np.concatenate(before))


# --- ONNX models ---------------------------------------------------------------------------------


def test_a_model_stands_where_a_function_stands(model, paths):
    for func in (model, str(model)):
        frames = extractor(func, checksum=onnx_checksum(model), n_jobs=2).transform(paths)
        for row, waveform, n_frames in zip(frames, WAVEFORMS, N_FRAMES, strict=True):
            rows = waveform.reshape(-1, HOP)
            np.testing.assert_allclose(row[:n_frames, 0], rows.mean(axis=1), atol=1e-6)
            np.testing.assert_array_equal(row[:n_frames, 1], rows[:, 0])


def test_a_clip_that_a_model_cannot_take_is_named(model):
    short = [WAVEFORMS[0], WAVEFORMS[0][: HOP - 1]]
    with pytest.raises(AudioError, match=r"^clip 1: blocks.onnx raised"):
        extractor(model).transform(short)


def test_a_model_that_has_changed_since_fit_is_refused(model, tmp_path):
    copy = tmp_path / "model.onnx"
    copy.write_bytes(model.read_bytes())
    fitted = extractor(copy).fit(WAVEFORMS)
    assert fitted.checksum_ == onnx_checksum(model)
    stated = extractor(copy, checksum=onnx_checksum(model))
    other = onnx.load(model)
    other.doc_string = "other"
    onnx.save(other, copy)
    os.utime(copy, ns=(1, 1))
    with pytest.raises(ValueError, match=r"checksum of the model is 'sha256:.* but was 'sha256:"):
        fitted.transform(WAVEFORMS)
    with pytest.raises(ValueError, match=r"model.onnx: is not the expected model"):
        stated.transform(WAVEFORMS)


def test_without_onnxruntime_nothing_begins_and_the_extra_is_named(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"skaudeep\[onnx\]"):
        extractor(model).transform(["missing.wav"])


# --- what follows an extractor -------------------------------------------------------------------


def test_a_pipeline_with_a_model_is_saved_with_its_checksum(model, sounds, tmp_path):
    pipeline = make_pipeline(
        extractor(model, scale="clip"), BandStatistics(), StandardScaler(), LogisticRegression()
    ).fit(sounds.data, sounds.target)
    save(pipeline, tmp_path / "model.skaudeep")
    loaded = load(tmp_path / "model.skaudeep")
    assert loaded[0].func == str(model)
    assert loaded[0].checksum_ == onnx_checksum(model)
    expected = pipeline.decision_function(sounds.data)
    np.testing.assert_array_equal(loaded.decision_function(sounds.data), expected)


def test_what_cannot_be_saved_without_code_or_checksum_is_refused(model, tmp_path):
    path = tmp_path / "model.skaudeep"
    with pytest.raises(PersistenceError, match="func is the function blocks, which is code"):
        save(make_pipeline(extractor(), BandStatistics()), path)
    with pytest.raises(PersistenceError, match=r"without a checksum.* set checksum='sha256:"):
        save(extractor(model), path)
    assert not path.exists()
    save(extractor(model, checksum=onnx_checksum(model)), path)
    assert load(path).checksum == onnx_checksum(model)


def test_extraction_to_a_file_gives_the_same_frames(sounds, tmp_path):
    def ends(samples):  # defined in a function, so that processes are sent its code
        return samples[: len(samples) // 80 * 80].reshape(-1, 80)[:, [0, -1]]

    function = extractor(ends, n_jobs=2)  # one of the two is a process
    stored = extract_to_netcdf(sounds, function, tmp_path / "frames.nc", progress=False)
    np.testing.assert_array_equal(stored.data[:], function.transform(sounds.data))
    assert tuple(stored.dims) == ("clip", "frame", "band")


def test_a_function_that_cannot_be_sent_to_a_process_is_refused(sounds, tmp_path):
    lock = threading.Lock()
    held = extractor(lambda samples: (lock, blocks(samples))[1], n_jobs=2)
    with pytest.raises(ValueError, match=r"<lambda> cannot be sent .* set n_jobs=1"):
        extract_to_netcdf(sounds, held, tmp_path / "frames.nc", progress=False)
    with pytest.raises(ValueError, match=r"the function cannot be sent .* set n_jobs=1"):
        _extract_batch([], [], {"func": b"of a module that is not there"})


@pytest.mark.slow
def test_a_function_that_a_process_cannot_import_ends_the_extraction(sounds, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "only_here", here := types.ModuleType("only_here"))
    exec("def own(samples):\n    return samples[:80].reshape(-1, 2)", vars(here))
    function = extractor(here.own, n_jobs=2)
    with pytest.raises(ValueError, match=r"cannot be sent .*No module named .* set n_jobs=1"):
        extract_to_netcdf(sounds, function, tmp_path / "frames.nc", progress=False)


class Broken:
    """A function that fails from its call of this number on."""

    def __init__(self, at, offset=0.0):
        self.at = at
        self.offset = offset

    def __call__(self, samples):
        if len(samples) >= self.at:
            raise InterruptedError("stop")
        return blocks(samples) + self.offset


def test_an_interrupted_extraction_continues_with_the_same_function_only(paths, tmp_path):
    bunch = make_bunch(paths, [path.name for path in paths])
    path = tmp_path / "frames.nc"
    with pytest.raises(AudioError, match="stop"):
        extract_to_netcdf(bunch, extractor(Broken(7 * HOP)), path, progress=False)
    assert not path.exists()
    with pytest.raises(ValueError, match="belongs to"):
        extract_to_netcdf(bunch, extractor(Broken(7 * HOP, 1.0)), path, progress=False)
    with pytest.raises(AudioError, match="stop"):
        extract_to_netcdf(bunch, extractor(Broken(7 * HOP)), path, progress=False)


def test_frames_of_other_dimensions_are_refused_in_an_extraction_to_a_file(paths, tmp_path):
    turned = extractor(lambda samples: blocks(samples).T)
    bunch = make_bunch(paths, [path.name for path in paths])
    with pytest.raises(AudioError, match=r"\d.wav: has \d+ dimensions in each frame, but"):
        extract_to_netcdf(bunch, turned, tmp_path / "frames.nc", progress=False)


def test_evaluate_has_the_controls_of_spectrograms(sounds):
    views = FeatureFusion(
        [
            ("own", make_pipeline(extractor(scale="clip"), ReservoirFeatures(8, random_state=0))),
            (
                "mel",
                make_pipeline(
                    SpectrogramExtractor(n_mels=8, sampling_rate=RATE),
                    ReservoirFeatures(8, random_state=0),
                ),
            ),
        ]
    )
    pipeline = make_pipeline(views, StandardScaler(), LogisticRegression())
    result = evaluate(pipeline, sounds, cv=2, random_state=0)
    assert set(result.controls) == {"mel statistics"}
    assert result.uar > 0.6


@pytest.mark.slow
def test_report_takes_the_frames_of_a_function(sounds, tmp_path):
    pipeline = make_pipeline(
        extractor(scale="clip"), ReservoirFeatures(8, random_state=0), StandardScaler()
    )
    pipeline.steps.append(("classifier", LogisticRegression()))
    page = report(sounds, tmp_path / "report.html", pipeline=pipeline, progress=False)
    assert page.evaluation.controls
    assert "mel statistics" in page.path.read_text("utf-8")
