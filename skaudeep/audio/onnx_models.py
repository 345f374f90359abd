"""Networks in ONNX files that read one waveform and return frames."""

from __future__ import annotations

import hashlib
import math
import os
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skaudeep._files import check_readable
from skaudeep._texts import list_names, printable

REMEMBERED = 4  # models that a process keeps ready
# Weights in files beside the model would be read from here, where nothing can be: no checksum
# covers them.
_NOWHERE = os.path.join(os.devnull, "none")


class OnnxModel(NamedTuple):
    """A network that is ready to run.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        It computes in the thread that calls it, and may be called by several at once.
    input_name, output_name : str
        Its waveform and its frames.
    n_axes, sample_axis : int
        Number of axes of the input, and the number of the time axis.
    window : int or None
        Number of samples of the input; None if it is not fixed.
    name : str
        Name of the model in messages.
    """

    session: Any
    input_name: str
    output_name: str
    n_axes: int
    sample_axis: int
    window: int | None
    name: str

    def check_overlap(self, overlap: int) -> None:
        """Raise a ValueError if an overlap is not shorter than a window.

        Parameters
        ----------
        overlap : int
            Number of samples that two windows have in common.
        """
        if self.window is not None and overlap >= self.window:
            raise ValueError(
                f"window_overlap is {overlap} samples, expected less than the {self.window} of an "
                f"input of {self.name}."
            )

    def frames(self, samples: NDArray[np.float32], overlap: int = 0) -> NDArray:
        """Run the network over one waveform.

        A network whose input has any length runs once. A network whose input has `window` samples
        runs over windows, which begin every `window - overlap` samples; the waveform is padded with
        zeros. Frame `i` of the `n` frames of a window belongs to the sample
        `(i + 0.5) * window / n` of it. Where two windows overlap, the frames before the middle of
        the overlap come from the first window, and those after it from the second. Frames after the
        end of the waveform are left out, except for a single one if there are no others.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,)
            The waveform.
        overlap : int >= 0, default=0
            Number of samples that two windows have in common, less than `window`.

        Returns
        -------
        ndarray of shape (n_frames, n_dimensions)
            The frames.

        Raises
        ------
        ValueError
            If the output has another shape.
        """
        if self.window is None:
            return self._run(samples)
        step = self.window - overlap
        n_windows = max(1, math.ceil((len(samples) - overlap) / step))
        kept: list[NDArray] = []
        for start in range(0, n_windows * step, step):
            piece = samples[start : start + self.window]
            frames = self._run(np.pad(piece, (0, self.window - len(piece))))
            times = start + (np.arange(len(frames)) + 0.5) * self.window / len(frames)
            begin = start + overlap / 2 if kept else 0
            last = len(kept) == n_windows - 1
            end = len(samples) if last else start + step + overlap / 2
            kept.append(frames[(begin <= times) & (times < end)])
        joined = np.concatenate(kept)
        return joined if len(joined) else frames[:1]

    def _run(self, samples: NDArray[np.float32]) -> NDArray:
        """Run once, and return frames and their dimensions without the axis of clips."""
        shape = [1] * self.n_axes
        shape[self.sample_axis] = len(samples)
        (output,) = self.session.run([self.output_name], {self.input_name: samples.reshape(shape)})
        values: NDArray = np.asarray(output)
        if self.n_axes > 1:  # a model without an axis of clips has none in its output either
            if values.shape[:1] != (1,):
                raise ValueError(
                    f"its output {self.output_name!r} has shape {values.shape}, expected 1 clip "
                    "first, as there is in the input; call the model in a function of your own"
                )
            values = values[0]
        if values.ndim == 1:
            values = values[None]
        return values


def onnx_checksum(path: str | os.PathLike[str]) -> str:
    """Return the checksum of a file, in the form of the parameter of `read_onnx`.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    str
        "sha256:" and 64 hexadecimal digits.

    Raises
    ------
    OSError
        If there is no such file, or it is not a regular file.
    """
    return _checksum(*_version(path))


def read_onnx(
    path: str | os.PathLike[str], checksum: str | None = None, output: str | None = None
) -> OnnxModel:
    """Read a network whose input is a waveform, and prepare it to run in one thread.

    The process keeps the last four models, so that each is read once.

    Parameters
    ----------
    path : str or path
        An ONNX file with one input of type float32 and shape `(n_samples,)`, `(1, n_samples)`,
        `(1, n_samples, 1)` or `(1, 1, n_samples)`, in which the first 1 may be any number of
        clips. Its output is `(1, n_frames, n_dimensions)`; or `(1, n_dimensions)`, which is one
        frame; both without the 1 if the input has one axis.
    checksum : str, default=None
        The file's checksum, as :func:`onnx_checksum` returns it. None accepts any file.
    output : str, default=None
        Name of the output. None is for a model with a single output.

    Returns
    -------
    OnnxModel
        The model.

    Raises
    ------
    ImportError
        Without onnxruntime.
    OSError
        If there is no such file, or it is no regular one.
    ValueError
        If the file has another checksum, is no model that onnxruntime can run, or has other inputs
        or outputs.
    """
    _onnxruntime()
    return _read(*_version(path), checksum, output)


def _version(path: str | os.PathLike[str]) -> tuple[str, int, int]:
    """Return the name of a file with its time of change and size: another version, another key."""
    check_readable(Path(path), "an ONNX model")
    status = os.stat(path)
    return os.fsdecode(path), status.st_mtime_ns, status.st_size


@lru_cache(maxsize=64)
def _checksum(path: str, modified: int, size: int) -> str:
    with open(path, "rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


@lru_cache(maxsize=REMEMBERED)
def _read(
    path: str, modified: int, size: int, checksum: str | None, output: str | None
) -> OnnxModel:
    # The bytes that were verified are those that run, whatever happens to the file meanwhile.
    data = Path(path).read_bytes()
    found = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if checksum is not None and found != checksum.lower():
        raise ValueError(
            f"{printable(path)}: is not the expected model: its checksum is {found}, expected "
            f"{checksum}. Put the expected file there, or, to use this one, state its checksum and "
            "fit again."
        )
    runtime = _onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # then it starts none
    options.log_severity_level = 3  # errors; they are raised
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", _NOWHERE
    )
    try:
        session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has a class of its own for each code
        advice = "Expected an ONNX file. "
        if "xternal" in str(error):
            advice = (
                "Its weights lie in another file, which no checksum covers. Put all into one: "
                "onnx.save(onnx.load(path), new_path). "
            )
        raise ValueError(
            f"{printable(path)}: is no model that onnxruntime can run. {advice}"
            f"It says: {printable(error)}"
        ) from error
    name = printable(os.path.basename(path))
    axis, shape = _sample_axis(name, session.get_inputs())
    return OnnxModel(
        session=session,
        input_name=session.get_inputs()[0].name,
        output_name=_output_name(name, session.get_outputs(), output, len(shape)),
        n_axes=len(shape),
        sample_axis=axis,
        window=shape[axis],
        name=name,
    )


def _sample_axis(name: str, inputs: list[Any]) -> tuple[int, list[int | None]]:
    """Return which axis of the only input is time, and its sizes, None where these are any."""
    wrong = ValueError(
        f"{name}: has the inputs {_listed(inputs)}; expected one waveform, tensor(float) of shape "
        "(n_samples,), (1, n_samples), (1, n_samples, 1) or (1, 1, n_samples). Call such a model "
        "in a function of your own, and give that."
    )
    if len(inputs) != 1 or inputs[0].type != "tensor(float)":
        raise wrong
    shape = [size if isinstance(size, int) and size > 0 else None for size in inputs[0].shape]
    axes = range(len(shape))
    if len(shape) > 1 and shape[0] in (1, None):
        axes = range(1, len(shape))
    of_time = [axis for axis in axes if shape[axis] != 1]
    if len(shape) > 3 or len(of_time) != 1:
        raise wrong
    return of_time[0], shape


def _output_name(name: str, outputs: list[Any], output: str | None, n_axes: int) -> str:
    """Return the name of the output, if its axes can be told apart."""
    names = [found.name for found in outputs]
    if output is None and len(names) > 1:
        raise ValueError(
            f"{name}: has the outputs {_listed(outputs)}. Choose one of these names by output=."
        )
    if output is not None and output not in names:
        raise ValueError(f"{name}: has no output {output!r}, expected {list_names(names, output)}.")
    (found,) = [found for found in outputs if output in (None, found.name)]
    axes = found.shape[1:] if n_axes > 1 else found.shape
    if len(axes) == 1 and not isinstance(axes[0], int):
        # It could be one frame of several dimensions, or one number for each frame.
        raise ValueError(
            f"{name}: has the output {_listed([found])}, expected frames and dimensions, or a "
            "fixed number of dimensions. Call such a model in a function of your own."
        )
    return str(found.name)


def _listed(values: list[Any]) -> str:
    return ", ".join(
        f"{value.name!r} ({value.type}, {tuple(value.shape)})" for value in values[:10]
    )


def _onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "Running an ONNX model needs onnxruntime. Install it with: pip install 'skaudeep[onnx]'"
        ) from error
    return onnxruntime
