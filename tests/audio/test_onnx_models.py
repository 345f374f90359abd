"""Which ONNX models are read, how those of fixed length run over a clip, and checksums."""

from __future__ import annotations

import os
from itertools import product

import numpy as np
import onnx
import pytest
import threadpoolctl
import torch
from onnx import helper, numpy_helper

from skaudeep.audio.onnx_models import onnx_checksum, read_onnx

SIZE = 4  # samples of a frame


def write_model(path, shape, **external):
    """Write a model whose frames are mean and first sample of SIZE samples each.

    A second output numbers the frames of an input, in one dimension, a third without that axis.
    """
    n_axes = len(shape)
    kernels = np.zeros((2, 1, SIZE), np.float32)
    kernels[0], kernels[1, 0, 0] = 1 / SIZE, 1
    constants = {
        "kernels": kernels,
        "as_channel": np.array([1, 1, -1]),
        "zero": np.array(0),
        "one": np.array(1),
        "axes": np.array([0, 2]),
        "no_clip": np.array([0]),
    }
    nodes = [
        helper.make_node("Reshape", ["wave", "as_channel"], ["x"]),
        helper.make_node("Conv", ["x", "kernels"], ["y"], strides=[SIZE]),
        helper.make_node("Transpose", ["y"], ["t"], perm=[0, 2, 1]),
        helper.make_node("Squeeze", ["t", "no_clip"], ["flat"]),
        helper.make_node("Identity", ["t" if n_axes > 1 else "flat"], ["frames"]),
        helper.make_node("Shape", ["t"], ["s"]),
        helper.make_node("Gather", ["s", "one"], ["n"]),
        helper.make_node("Range", ["zero", "n", "one"], ["range"]),
        helper.make_node("Cast", ["range"], ["numbers_flat"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["numbers_flat", "axes"], ["numbers"]),
    ]
    tensor, float32 = helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "frames",
        [tensor("wave", float32, shape)],
        [
            tensor("frames", float32, [None, None, 2] if n_axes > 1 else [None, 2]),
            tensor("numbers", float32, [None, None, 1]),
            tensor("numbers_flat", float32, [None]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save_model(model, path, **external)
    return path


def expected(samples):
    """Frames of a waveform, with zeros behind its end."""
    rows = np.pad(samples, (0, -len(samples) % SIZE)).reshape(-1, SIZE)
    return np.stack([rows.mean(axis=1), rows[:, 0]], axis=1)


SAMPLES = np.random.default_rng(0).normal(size=10 * SIZE).astype(np.float32)


@pytest.mark.parametrize("shape", [["n"], [1, "n"], ["clips", "n", 1], [None, 1, None]])
def test_a_model_of_any_length_runs_once(shape, tmp_path):
    model = read_onnx(write_model(tmp_path / "m.onnx", shape), output="frames")
    assert model.window is None
    np.testing.assert_allclose(model.frames(SAMPLES), expected(SAMPLES), atol=1e-6)


@pytest.mark.parametrize("shape", [[16], [1, 16], ["clips", 16, 1], [None, 1, 16]])
def test_windows_give_the_frames_of_the_whole(shape, tmp_path):
    model = read_onnx(write_model(tmp_path / "m.onnx", shape), output="frames")
    for n_samples, overlap in product([1, 3, 16, 17, 28, 40], [0, 4, 8, 12]):
        frames, whole = model.frames(SAMPLES[:n_samples], overlap), expected(SAMPLES[:n_samples])
        # Of a frame that lies in part in the clip, the middle decides; one is left in any case.
        n_frames = max(1, round(n_samples / SIZE))
        np.testing.assert_allclose(frames, whole[:n_frames], atol=1e-6)


def test_the_middle_of_an_overlap_divides_it(tmp_path):
    model = read_onnx(write_model(tmp_path / "m.onnx", [1, 16]), output="numbers")
    numbers = model.frames(SAMPLES[:32], overlap=8)[:, 0]
    assert numbers.tolist() == [0, 1, 2, 1, 2, 1, 2, 3]  # of windows that begin at 0, 8 and 16
    assert model.frames(SAMPLES[:32])[:, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


def test_an_overlap_of_a_window_is_refused(tmp_path):
    model = read_onnx(write_model(tmp_path / "m.onnx", [1, 16]), output="frames")
    model.check_overlap(15)
    with pytest.raises(ValueError, match="16 samples, expected less than the 16"):
        model.check_overlap(16)


@pytest.mark.parametrize(
    "shape", [[], [2, "n"], ["n", "m", "k"], [1, 1, 1], [1, 1, 1, "n"], [1, 1], [2, 1, "n"]]
)
def test_an_input_that_is_no_single_waveform_is_refused(shape, tmp_path):
    path = write_model(tmp_path / "m.onnx", shape)
    with pytest.raises(ValueError, match=r"m.onnx: has the inputs 'wave' .* expected one waveform"):
        read_onnx(path, output="frames")


def test_one_of_several_outputs_has_to_be_named(tmp_path):
    path = write_model(tmp_path / "m.onnx", [1, "n"])
    with pytest.raises(ValueError, match=r"outputs 'frames' .*, 'numbers' .* by output="):
        read_onnx(path)
    with pytest.raises(ValueError, match="no output 'frame', expected 'frames', 'numbers'"):
        read_onnx(path, output="frame")


def test_an_output_of_one_axis_of_any_size_is_refused(tmp_path):
    path = write_model(tmp_path / "m.onnx", ["n"])
    with pytest.raises(ValueError, match="expected frames and dimensions"):
        read_onnx(path, output="numbers_flat")
    path = write_model(tmp_path / "other.onnx", [1, "n"])
    with pytest.raises(ValueError, match=r"has shape \(10,\), expected 1 clip first"):
        read_onnx(path, output="numbers_flat").frames(SAMPLES)


def test_another_file_than_that_of_the_checksum_is_refused(tmp_path):
    path = write_model(tmp_path / "m.onnx", [1, "n"])
    checksum = onnx_checksum(path)
    assert checksum.startswith("sha256:")
    assert read_onnx(path, checksum.replace(checksum[7:], checksum[7:].upper()), "frames")
    write_model(path, [1, 16])
    os.utime(path, ns=(1, 1))
    with pytest.raises(ValueError, match=f"checksum is {onnx_checksum(path)}, expected {checksum}"):
        read_onnx(path, checksum, "frames")


def test_weights_that_no_checksum_covers_are_not_read(tmp_path, monkeypatch):
    path = write_model(
        tmp_path / "m.onnx",
        [1, "n"],
        save_as_external_data=True,
        location="weights",
        size_threshold=0,
    )
    monkeypatch.chdir(tmp_path)  # where onnxruntime would look for them
    with pytest.raises(ValueError, match="Put all into one"):
        read_onnx(path, output="frames")


def test_other_files_are_refused_with_the_reason(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"m.onnx: is no model that onnxruntime can run"):
        read_onnx(tmp_path / "m.onnx")
    with pytest.raises(FileNotFoundError, match="expected an ONNX model"):
        read_onnx(tmp_path / "other.onnx")
    with pytest.raises(IsADirectoryError, match="expected an ONNX model"):
        read_onnx(tmp_path)


def test_a_model_is_read_once_until_its_file_changes(tmp_path):
    path = write_model(tmp_path / "m.onnx", [1, "n"])
    first = read_onnx(path, output="frames")
    assert read_onnx(path, output="frames").session is first.session
    write_model(path, [1, 16])
    os.utime(path, ns=(1, 1))
    assert read_onnx(path, output="frames").window == 16


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads by /proc")
def test_a_model_runs_in_the_thread_that_calls_it(tmp_path):
    path = write_model(tmp_path / "m.onnx", [1, "n"])
    before = threadpoolctl.threadpool_info(), torch.get_num_threads()
    n_threads = len(os.listdir("/proc/self/task"))
    read_onnx(path, output="frames").frames(np.zeros(400_000, np.float32))
    assert len(os.listdir("/proc/self/task")) == n_threads
    assert (threadpoolctl.threadpool_info(), torch.get_num_threads()) == before
