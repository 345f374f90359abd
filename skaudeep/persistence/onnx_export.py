"""Export of encoders as ONNX graphs, for machines without Python or torch."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skaudeep._files import replacing
from skaudeep._version import __version__
from skaudeep.autoencoder import Seq2SeqAutoencoder
from skaudeep.distillation import DistilledFeatures
from skaudeep.nn.autoencoders import TimeAutoencoder
from skaudeep.nn.encoders import GaussianCode
from skaudeep.nn.pooling import (
    COVARIANCE_RIDGE,
    FRAME_REPRESENTATIONS,
    ITERATIONS,
    LAG,
    MIN_VARIANCE,
    REPRESENTATIONS,
    TRANSITION_RIDGE,
)
from skaudeep.nn.reservoir import Reservoir
from skaudeep.reservoir import ReservoirFeatures

_OPSET, _IR = 17, 8  # versions of 2022, because runtimes on phones and in browsers lag behind
_FLOAT = 1  # onnx.TensorProto.FLOAT
_INVERSIONS = 18  # steps of Newton's iteration, for eigenvalues that differ by 1e4
# Where torch's gates (GRU: reset, update, new; LSTM: input, forget, cell, output) stand in ONNX.
_GATES = {"gru": [1, 0, 2], "lstm": [0, 3, 1, 2]}


def export_onnx(
    estimator: Seq2SeqAutoencoder | ReservoirFeatures | DistilledFeatures,
    path: str | os.PathLike[str],
) -> None:
    """Write the encoder of a fitted autoencoder, reservoir or DistilledFeatures as an ONNX model.

    The output of the model equals that of `transform` to 1e-5 (components and logarithms of
    covariances to 5e-5). The model has two inputs and one output, by these names:

    sequences : float32 of shape (n_clips, n_frames, n_bands)
        Spectrograms as `SpectrogramExtractor` returns them without chunks; give chunks as clips of
        their own. Frames after a clip's length are ignored; they may be NaN.
    lengths : int64 of shape (n_clips,)
        Number of frames of each clip, from 0 to n_frames. 0 gives a row of NaN.
    features : float32 of shape (n_clips, n_features)
        Features by the `representation` of the estimator. With "components" or "states", which have
        a row for each frame, the shape is (n_clips, n_frames, n_features), with NaN after the
        length of a clip.

    Parameters
    ----------
    estimator : Seq2SeqAutoencoder, ReservoirFeatures or DistilledFeatures
        A fitted estimator. An autoencoder must have ``axis="time"``. The extractor of a
        `DistilledFeatures` is not part of the model, which begins with spectrograms. Of a pipeline,
        give this step.
    path : str or path
        The file to write, in an existing folder. An existing file is replaced once the new one is
        complete.

    Raises
    ------
    TypeError
        If `estimator` is none of these.
    sklearn.exceptions.NotFittedError
        If `estimator` is not fitted.
    ValueError
        If the autoencoder does not have ``axis="time"``.
    ImportError
        If onnx is not installed.

    Notes
    -----
    The graph is built from the weights, operator by operator: ONNX's GRU with
    ``linear_before_reset`` and LSTM [1]_ are torch's, and take the length of each sequence.

    References
    ----------
    .. [1] ONNX operators, https://onnx.ai/onnx/operators/

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skaudeep import Seq2SeqAutoencoder
    >>> X = np.sin(np.arange(6 * 20 * 3, dtype=np.float32).reshape(6, 20, 3))
    >>> autoencoder = Seq2SeqAutoencoder(8, max_epochs=1, random_state=0).fit(X)
    >>> with TemporaryDirectory() as folder:
    ...     path = str(Path(folder, "encoder.onnx"))
    ...     export_onnx(autoencoder, path)
    ...     from onnxruntime import InferenceSession
    ...     session = InferenceSession(path)
    >>> inputs = {"sequences": X, "lengths": np.full(6, 20)}
    >>> [features] = session.run(["features"], inputs)
    >>> bool(np.allclose(features, autoencoder.transform(X), atol=1e-5))
    True
    """
    if not isinstance(estimator, Seq2SeqAutoencoder | ReservoirFeatures | DistilledFeatures):
        raise TypeError(
            f"Got a {type(estimator).__name__}, expected a Seq2SeqAutoencoder, ReservoirFeatures "
            "or DistilledFeatures. Of a pipeline, export that step."
        )
    check_is_fitted(estimator, "network_")
    network = estimator.network_
    if isinstance(network, Reservoir):
        encoder = network
    elif isinstance(network, TimeAutoencoder):
        encoder = network.encoder
    else:
        raise ValueError(
            f"Got a {type(network).__name__}, expected a TimeAutoencoder: only encoders over time "
            "are exported to ONNX. Share this one with skaudeep.save."
        )
    representation = getattr(estimator, "representation", "covariance")
    model = _build(_onnx(), encoder, representation, network.sizes.n_bands)
    with replacing(Path(path)) as new:
        new.write_bytes(model.SerializeToString())


def _onnx() -> ModuleType:
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            "Exporting to ONNX needs onnx. Install it with: pip install 'skaudeep[onnx]'"
        ) from error
    return onnx


class _Graph:
    """Operators in their order; each is named by a number, as are the constants."""

    def __init__(self, onnx: ModuleType) -> None:
        self._onnx = onnx
        self._n_names = 0
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def _name(self) -> str:
        self._n_names += 1
        return f"v{self._n_names}"

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        name = self._name()
        array = np.asarray(value, dtype=dtype)
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def many(self, operator: str, *inputs: str, n_outputs: int, **attributes: Any) -> list[str]:
        names = [self._name() for _ in range(n_outputs)]
        self.nodes.append(self._onnx.helper.make_node(operator, inputs, names, **attributes))
        return names

    def __call__(self, operator: str, *inputs: str, **attributes: Any) -> str:
        return self.many(operator, *inputs, n_outputs=1, **attributes)[0]


def _build(onnx: ModuleType, encoder: Any, representation: str, n_bands: int) -> Any:
    """Build the model. T is frames, B clips, F bands, H units, K all states of a frame."""
    graph = _Graph(onnx)
    axis0, axis1, axis2 = (graph.constant([axis], np.int64) for axis in range(3))
    zero = graph.constant(0)

    # A clip without frames gets one frame here; its row becomes NaN at the end.
    lengths = graph("Max", "lengths", graph.constant([1], np.int64))  # (B,)
    x = graph("Transpose", "sequences", perm=[1, 0, 2])  # (T, B, F)
    n_frames = graph("Gather", graph("Shape", x), graph.constant(0, np.int64))
    time = graph("Range", graph.constant(0, np.int64), n_frames, graph.constant(1, np.int64))
    real = graph("Less", graph("Unsqueeze", time, axis1), graph("Unsqueeze", lengths, axis0))
    real = graph("Unsqueeze", real, axis2)  # (T, B, 1)
    x = graph("Where", real, x, zero)

    layers, states = [], []
    steps = graph("Cast", lengths, to=onnx.TensorProto.INT32)
    for direction, stack in zip(("forward", "reverse"), encoder.recurrent.stacks, strict=False):
        outputs = x
        for layer in stack.layers:
            outputs, *final = graph.many(
                stack.cell.upper(),
                outputs,
                *(graph.constant(weights) for weights in _weights(layer, stack.cell)),
                steps,
                n_outputs=2 if stack.cell == "gru" else 3,
                hidden_size=stack.n_units,
                direction=direction,
                **({"linear_before_reset": 1} if stack.cell == "gru" else {}),
            )
            outputs = graph("Squeeze", outputs, axis1)  # (T, 1, B, H) -> (T, B, H)
            layers.append(outputs)
            states += [graph("Squeeze", state, axis0) for state in final]  # (B, H)

    kinds, parts = REPRESENTATIONS[representation], []
    per_frame = representation in FRAME_REPRESENTATIONS
    if "covariance" in kinds or per_frame:
        n_layers = len(encoder.recurrent.stacks[0].layers)
        top = graph("Concat", *layers[n_layers - 1 :: n_layers], axis=2)  # (T, B, D*H)
    if "covariance" in kinds:
        parts += _covariance(graph, encoder.covariance, top, real, lengths)
    if "statistics" in kinds:
        outputs = graph("Where", real, graph("Concat", *layers, axis=2), zero)  # (T, B, K)
        counts = graph("Cast", graph("Unsqueeze", lengths, axis1), to=_FLOAT)
        mean = graph("Div", _sum(graph, outputs, axis0), counts)  # (B, K)
        deviation = graph("Where", real, graph("Sub", outputs, mean), zero)
        square = _sum(graph, graph("Mul", deviation, deviation), axis0)
        highest = graph("Where", real, outputs, graph.constant(-np.inf))
        last = graph.constant([-1], np.int64)
        before = graph("Slice", outputs, graph.constant([0], np.int64), last, axis0)
        first = graph("Slice", outputs, graph.constant([0], np.int64), axis1, axis0)
        before = graph("Concat", first, before, axis=0)  # nothing changes at the first frame
        change = graph("Where", real, graph("Abs", graph("Sub", outputs, before)), zero)
        one = graph.constant(1)
        n_changes = graph("Max", graph("Sub", counts, one), one)
        parts += [
            mean,
            graph("Sqrt", graph("Max", graph("Div", square, counts), graph.constant(MIN_VARIANCE))),
            graph("ReduceMax", highest, axes=[0], keepdims=0),
            graph("Div", _sum(graph, change, axis0), n_changes),
        ]
    if "code" in kinds:
        gaussian = isinstance(encoder.code, GaussianCode)  # whose mean is the code
        linear = encoder.code.mean if gaussian else encoder.code.linear
        weight, bias = (graph.constant(p.detach().numpy()) for p in (linear.weight, linear.bias))
        code = graph("Gemm", graph("Concat", *states, axis=1), weight, bias, transB=1)
        parts.append(code if gaussian else graph("Tanh", code))
    some = graph("Greater", "lengths", graph.constant([0], np.int64))  # (B,)
    some = graph("Unsqueeze", some, axis1)
    if per_frame:
        if representation == "components":
            top = _project(graph, encoder.covariance, top)  # (T, B, N)
        features = graph("Transpose", top, perm=[1, 0, 2])
        real = graph("Transpose", real, perm=[1, 0, 2])  # (B, T, 1)
        some = graph("And", real, graph("Unsqueeze", some, axis2))
    else:
        features = graph("Concat", *parts, axis=1)
    graph.nodes.append(
        onnx.helper.make_node("Where", [some, features, graph.constant(np.nan)], ["features"])
    )

    tensor, types = onnx.helper.make_tensor_value_info, onnx.TensorProto
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "encoder",
            [
                tensor("sequences", types.FLOAT, ["n_clips", "n_frames", n_bands]),
                tensor("lengths", types.INT64, ["n_clips"]),
            ],
            [
                tensor(
                    "features",
                    types.FLOAT,
                    ["n_clips", *(["n_frames"] if per_frame else []), "n_features"],
                )
            ],
            graph.constants,
        ),
        producer_name="skaudeep",
        producer_version=__version__,
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _project(graph: _Graph, covariance: Any, states: str) -> str:
    x = graph("Sub", states, graph.constant(covariance.center.numpy()))
    return graph("MatMul", x, graph.constant(covariance.components.numpy()))


def _covariance(graph: _Graph, covariance: Any, top: str, real: str, lengths: str) -> list[str]:
    """Build :class:`~skaudeep.nn.pooling.StateCovariance`. N is components."""
    size = covariance.n_components
    steps, batch = graph.constant([1], np.int64), graph.constant([1, 2], np.int64)
    zero, one = graph.constant(0), np.eye(size)
    x = _project(graph, covariance, top)  # (T, B, N)
    x = graph("Transpose", graph("Where", real, x, zero), perm=[1, 0, 2])  # (B, T, N)
    real = graph("Transpose", real, perm=[1, 0, 2])
    counts = graph("Cast", graph("Unsqueeze", lengths, batch), to=_FLOAT)  # (B, 1, 1)
    transition = _transition(graph, x, real, covariance.n_lagged)
    mean = graph("Div", graph("ReduceSum", x, steps, keepdims=1), counts)
    x = graph("Where", real, graph("Sub", x, mean), zero)
    matrix = graph("Div", graph("MatMul", graph("Transpose", x, perm=[0, 2, 1]), x), counts)
    matrix = graph("Add", matrix, graph.constant(COVARIANCE_RIDGE * one))  # (B, N, N)
    root = matrix
    for n_iterations in ITERATIONS:
        squares = graph("ReduceSum", graph("Mul", root, root), batch, keepdims=1)
        norm = graph("Sqrt", squares)
        root, inverse = graph("Div", root, norm), graph.constant(one[None])
        for _ in range(n_iterations):
            step = graph("Mul", graph("MatMul", inverse, root), graph.constant(-0.5))
            step = graph("Add", step, graph.constant(1.5 * one))
            root, inverse = graph("MatMul", root, step), graph("MatMul", step, inverse)
        scale = graph("Sqrt", norm)
        root, inverse = graph("Mul", root, scale), graph("Div", inverse, scale)
    sine = graph("Mul", graph("Sub", root, inverse), graph.constant(0.5))
    square = graph("MatMul", sine, sine)
    series = graph.constant(5 / 112 * one[None])
    for term in (3 / 40, 1 / 6, 1):
        series = graph("Sub", graph.constant(term * one), graph("MatMul", square, series))
    scale = graph.constant(2 ** len(ITERATIONS))
    matrix = graph("Mul", graph("MatMul", sine, series), scale)
    rows, columns = np.triu_indices(size)
    flat = graph("Reshape", matrix, graph.constant([-1, size * size], np.int64))
    upper = graph("Gather", flat, graph.constant(rows * size + columns, np.int64), axis=1)
    return [graph("Squeeze", mean, steps), upper, transition]


def _transition(graph: _Graph, x: str, real: str, size: int) -> str:
    """Build the regression in it, whose matrix is inverted by Newton's iteration. M is `size`."""
    start, steps, components = (graph.constant([axis], np.int64) for axis in range(3))
    lag, end = graph.constant([LAG], np.int64), graph.constant([2**62], np.int64)
    x = graph("Slice", x, start, graph.constant([size], np.int64), components)  # (B, T, M)
    one = graph("Cast", real, to=_FLOAT)  # (B, T, 1)
    behind = graph.constant([0, 0, 0, 0, LAG, 0], np.int64)
    after = graph("Slice", graph("Pad", x, behind), lag, end, steps)  # (B, T, M), zeros at the end
    one = graph("Slice", graph("Pad", one, behind), lag, end, steps)
    before = graph("Concat", graph("Mul", x, one), one, axis=2)  # (B, T, M + 1)
    n_pairs = graph("ReduceSum", one, steps, keepdims=1)
    transposed = graph("Transpose", before, perm=[0, 2, 1])
    transposed = graph("Div", transposed, graph("Max", n_pairs, graph.constant(1)))
    unit = np.eye(size + 1)[None]
    matrix = graph(
        "Add", graph("MatMul", transposed, before), graph.constant(TRANSITION_RIDGE * unit)
    )
    batch = graph.constant([1, 2], np.int64)
    squares = graph("ReduceSum", graph("Mul", matrix, matrix), batch, keepdims=1)
    inverse = graph("Div", graph.constant(unit), graph("Sqrt", squares))
    for _ in range(_INVERSIONS):
        rest = graph("Sub", graph.constant(2 * unit), graph("MatMul", matrix, inverse))
        inverse = graph("MatMul", inverse, rest)
    transition = graph("MatMul", inverse, graph("MatMul", transposed, after))
    return graph("Reshape", transition, graph.constant([-1, (size + 1) * size], np.int64))


def _weights(layer: Any, cell: str) -> list[NDArray[np.float32]]:
    """W (1, gates*H, F), R (1, gates*H, H) and B (1, 2*gates*H) of ONNX from torch's parameters."""

    def reorder(name: str) -> NDArray[np.float32]:
        gates = np.split(getattr(layer, f"{name}_l0").detach().numpy(), len(_GATES[cell]))
        return np.concatenate([gates[gate] for gate in _GATES[cell]])

    biases = np.concatenate([reorder("bias_ih"), reorder("bias_hh")])
    return [reorder("weight_ih")[None], reorder("weight_hh")[None], biases[None]]


def _sum(graph: _Graph, values: str, axis: str) -> str:
    return graph("ReduceSum", values, axis, keepdims=0)
