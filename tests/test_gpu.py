"""Recording and streams, as far as they can be followed without a GPU; the rest where there is one.

A tape stands for a CUDA graph: it notes each operation of torch together with the memory that it
reads and writes, and replays them without the Python around them. So it finds what a graph would:
numbers that were baked in, and operations that have to wait for the device.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager, nullcontext
from threading import Thread
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from skaudeep import FeatureFusion, Seq2SeqAutoencoder, gpu
from skaudeep.gpu import WARM_UP, Graph, Repeated, at_once, products_in, recorder
from skaudeep.networks import NETWORKS
from skaudeep.recurrent import RecurrentStack
from skaudeep.stacks import Stack
from skaudeep.training import Loss, Training, adam

CPU = torch.device("cpu")
ATEN = torch.ops.aten
WAITS = {ATEN._local_scalar_dense, ATEN.nonzero, ATEN.masked_select, ATEN.equal}
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Tape(TorchDispatchMode):
    """Operations of a call and the tensors that they read and write."""

    def __init__(self):
        super().__init__()
        self.operations = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [leaf for leaf in tree_leaves(args) if isinstance(leaf, torch.Tensor)]
        masks = [t for t in tensors if t.dtype == torch.bool]
        assert func.overloadpacket not in WAITS, f"{func} waits for the device"
        assert not (func.overloadpacket is ATEN.index and masks), "so does indexing by a mask"
        result = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, result))
        return result

    def replay(self):
        for func, args, kwargs, result in self.operations:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Recorder:
    """Records the third call, as `Graph` the fourth, and counts what it replays."""

    def __init__(self):
        self.replayed = 0

    def __call__(self, function):
        calls, tape = 0, Tape()
        result = None

        @torch.no_grad()
        def replay():
            self.replayed += 1
            tape.replay()
            return result

        def run():
            nonlocal calls, result
            calls += 1
            if calls < 3:
                return function()
            if calls > 3:
                return replay()
            with tape:
                result = function()
            return result

        return run


CASES = {
    "time": {"encoder_noise": 0.1, "bidirectional_decoder": True, "code": "gaussian"},
    "lstm": {"cell": "lstm", "bidirectional_encoder": True},
    "frequency": {"axis": "frequency", "band_window": 4, "band_overlap": 2},
    "frequency-time": {"axis": "frequency-time", "n_units": (4, 5), "n_layers": (1, 2)}
    | {"band_window": 4, "band_overlap": 2},
    "sampling": {"feed_previous_prob": 0.3},
    "sampling in two directions": {"feed_previous_prob": 0.3, "bidirectional_decoder": True},
    "bf16": {"bf16": True},
}


def training(record, *, seed=0, **parameters):
    """Make a training of a small network, with an Adam whose steps can be recorded."""
    case = {"axis": "time", "n_units": 5, "dropout": 0.2, "bf16": False} | parameters
    loss = Loss(
        kl_weight={0: 0.0, 2: 0.5},
        feed_previous_prob=case.pop("feed_previous_prob", 0.0),
        bf16=case.pop("bf16"),
    )
    network = NETWORKS[case.pop("axis")](8, **case)
    network.reset_parameters(torch.Generator().manual_seed(seed))
    optimizer = torch.optim.Adam(
        network.parameters(), lr=torch.tensor(0.0), fused=True, capturable=True
    )
    return Training(
        network,
        optimizer,
        loss,
        seed=seed,
        learning_rate={0: 1e-2, 2: 1e-3},
        gradient_clip=2.0,
        record=record,
    )


def batches(seed=0):
    """Three of one size, then a smaller one."""
    x = torch.rand(6, 18, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return x.split(5, dim=1)


@pytest.fixture
def as_on_cuda(monkeypatch):
    """Let networks take the layers that a GPU has; oneDNN's are not for replaying."""
    monkeypatch.setattr(RecurrentStack, "_run_layer", RecurrentStack._run_module)
    was, *_ = torch.backends.mkldnn.set_flags(_enabled=False, _fp32_precision=None)
    yield
    torch.backends.mkldnn.set_flags(_enabled=was, _fp32_precision=None)


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_step_does_what_it_does_unrecorded(case, as_on_cuda):
    recorder = Recorder()
    # The CPU's own dropout knows no bfloat16, which its own layers do not give.
    unrecorded = (lambda function: function) if case == "bf16" else None
    plain, recorded = training(unrecorded, **CASES[case]), training(recorder, **CASES[case])
    for _ in range(3):
        for run in (plain, recorded):
            run.run_epoch((x, None) for x in batches())
    assert recorder.replayed == 3 * 3 - 3  # of the smaller batches none
    assert recorded.loss_curve == pytest.approx(plain.loss_curve, rel=1e-5)
    assert recorded.gradient_norm == pytest.approx(plain.gradient_norm, rel=1e-4)
    for ours, theirs in zip(recorded.network.parameters(), plain.network.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_a_recorded_step_of_a_stack_does_what_it_does_unrecorded():
    def train(record):
        stack = Stack([training(record, seed=seed, code="gaussian") for seed in (0, 1)])
        for _ in range(3):
            stack.run_epoch(zip(batches(0), batches(1), strict=True))
        stack.release()
        return stack.trainings

    recorder = Recorder()
    for recorded, plain in zip(train(recorder), train(None), strict=True):
        assert recorded.loss_curve == pytest.approx(plain.loss_curve, rel=1e-5)
        for ours, theirs in zip(
            recorded.network.parameters(), plain.network.parameters(), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert recorder.replayed == 3 * 3 - 3


def test_what_is_released_repeats_nothing():
    recorder = Recorder()
    run = training(recorder)
    run.release()
    run.run_epoch((x, None) for x in 9 * batches())
    assert recorder.replayed == 0


def test_what_changes_its_shape_or_its_course_is_not_recorded():
    recorder = Recorder()
    lengths = torch.tensor([6, 4, 6, 2, 6])
    ragged = training(recorder)
    changing = training(recorder, feed_previous_prob={0: 0.0, 2: 0.1})
    for _ in range(3):
        ragged.run_epoch((x, lengths[: x.shape[1]]) for x in batches())
        changing.run_epoch((x, None) for x in batches())
    assert recorder.replayed == 0


def test_the_largest_arguments_are_those_that_are_recorded():
    recorded = []
    double = Repeated(lambda x, y: x + y, lambda f: recorded.append(1) or f)
    one = torch.tensor(1.0)
    for size, n_recorded in ((2, 1), (3, 2), (2, 2), (3, 2)):
        x = torch.rand(size)
        assert torch.equal(double(x, one), x + 1)
        assert len(recorded) == n_recorded


def test_a_cpu_records_nothing():
    assert recorder(CPU) is None
    assert recorder(torch.device("cuda")) is not None
    parameters = adam(torch.nn.Linear(2, 2)).param_groups[0]
    assert not parameters["fused"]
    assert not parameters["capturable"]


# --- precision -----------------------------------------------------------------------------------


def settings():
    return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.rnn.fp32_precision


def test_the_precision_of_products_is_given_back():
    before = settings()
    cuda = torch.device("cuda")
    with products_in("tf32", cuda):
        assert settings() == ("tf32", "tf32")
        with products_in("ieee", cuda):
            assert settings() == ("ieee", "ieee")
        assert settings() == ("tf32", "tf32")
    assert settings() == before
    with pytest.raises(ZeroDivisionError), products_in("tf32", cuda):
        int(1 / 0)
    assert settings() == before
    with products_in("tf32", CPU):
        assert settings() == before


# --- streams and graphs, played -------------------------------------------------------------------


@pytest.fixture
def played(monkeypatch):
    """Play a CUDA device that does nothing but write down what it is asked for."""
    asked = []

    class Stream(SimpleNamespace):
        def __init__(self, device, name="side"):
            super().__init__(device=device, name=name)

        def wait_stream(self, other):
            asked.append(f"{self.name} waits for {other.name}")

    here = Stream(torch.device("cuda", 0), "here")

    @contextmanager
    def stream(which):
        asked.append(f"on {which.name}")
        yield

    cuda = SimpleNamespace(
        Stream=Stream,
        current_stream=lambda device: here,
        stream=stream,
        graph=lambda graph, **how: asked.append("record") or nullcontext(),
        CUDAGraph=lambda: SimpleNamespace(replay=lambda: asked.append("replay")),
    )
    monkeypatch.setattr(gpu, "torch", SimpleNamespace(cuda=cuda))
    gpu._stream.cache_clear()
    yield asked
    gpu._stream.cache_clear()


def test_calls_at_once_wait_for_what_they_read_and_are_waited_for(played):
    calls = [lambda: played.append("first") or [MagicMock()]]
    calls.append(lambda: played.append("second") or [second])
    x, second = MagicMock(), MagicMock()
    results = at_once(calls, [x])
    assert results[1] == [second]
    assert played == [
        "side waits for here",
        "on here",
        "first",
        "on side",
        "second",
        "here waits for side",
    ]
    assert x.record_stream.call_args.args[0].name == "side"
    assert second.record_stream.call_args.args[0].name == "here"


def test_a_graph_warms_up_records_once_and_replays(played):
    result = MagicMock()
    run = Graph(lambda: played.append("run") or result, device=torch.device("cuda"))
    assert [run() for _ in range(WARM_UP + 3)] == [result] * (WARM_UP + 3)
    warm = ["side waits for here", "on side", "run", "here waits for side"]
    assert played == WARM_UP * warm + ["on here", "record", "run"] + 3 * ["replay"]


def test_what_cannot_be_recorded_runs_as_it_is_after_one_warning(played):
    def function():
        if played[-1] == "record":
            played.append("failed")
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        return MagicMock()

    run = Graph(function, device=torch.device("cuda"))
    for _ in range(WARM_UP):
        run()
    with pytest.warns(UserWarning, match=r"not permitted when stream is capturing\)"):
        run()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run()
    assert played.count("record") == 1
    assert "replay" not in played


def test_other_threads_record_nothing(played):
    def work():
        run = Graph(lambda: played.append("run"), device=torch.device("cuda"))
        for _ in range(WARM_UP + 2):
            run()

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert played == (WARM_UP + 2) * ["run"]


# --- on a GPU ------------------------------------------------------------------------------------


def clips(seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, size=(13, 7, 8)).astype(np.float32)


def small(device, **parameters):
    return Seq2SeqAutoencoder(
        **{"n_units": 6, "max_epochs": 8, "batch_size": 5, "learning_rate": 1e-3}
        | {"representation": "statistics", "random_state": 0, "device": device}
        | parameters
    )


@needs_cuda
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"cell": "lstm", "bidirectional_decoder": True},
        {"axis": "frequency-time", "band_window": 4, "band_overlap": 2, "code": "gaussian"},
        {"feed_previous_prob": 0.3},
    ],
)
@pytest.mark.parametrize("ragged", [False, True])
def test_a_gpu_trains_as_a_cpu_does(parameters, ragged):
    X = clips()
    if ragged:
        X[::3, 5:] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as that a step could not be recorded
        there = small("cuda", **parameters).fit(X)
    here = small("cpu", **parameters).fit(X)
    assert there.loss_curve_ == pytest.approx(here.loss_curve_, rel=1e-3)  # TensorFloat-32
    there.set_params(device="cpu")
    np.testing.assert_allclose(there.transform(X), here.transform(X), atol=1e-2)
    features = there.transform(X)
    there.set_params(device="cuda")
    np.testing.assert_allclose(there.transform(X), features, atol=1e-5)


@needs_cuda
@pytest.mark.parametrize("lengths", [None, torch.tensor([6, 4, 6, 2, 6])])
def test_a_step_does_not_wait_for_the_gpu(lengths):
    run = training(None, bidirectional_decoder=True)
    run.network.cuda()
    run = Training(
        run.network, adam(run.network), run.loss, seed=0, learning_rate=1e-3, gradient_clip=2.0
    )
    x = batches()[0].cuda()
    run.begin_epoch()
    run.step(x, lengths)
    torch.cuda.set_sync_debug_mode("error")
    try:
        run.step(x, lengths)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_cuda
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_gpu_stacks_the_views_of_a_fusion(cell, monkeypatch):
    stacked = []
    step = Stack.step
    monkeypatch.setattr(Stack, "step", lambda self, x: stacked.append(len(x)) or step(self, x))

    def fusion(device):
        views = [(str(i), small(device, cell=cell, random_state=i)) for i in range(3)]
        return FeatureFusion(views)

    there, here = fusion("cuda").fit(clips()), fusion("cpu").fit(clips())
    assert set(stacked) == {3}
    for (_, ours), (_, theirs) in zip(there.transformers_, here.transformers_, strict=True):
        assert ours.loss_curve_ == pytest.approx(theirs.loss_curve_, rel=1e-3)
