"""Training on several processes: the result of one process with the whole batch."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from datetime import timedelta
from functools import partial

import joblib
import numpy as np
import pytest
import torch
import torch.distributed as dist

from skaudeep import Seq2SeqAutoencoder
from skaudeep.callbacks.checkpoint import Checkpoint
from skaudeep.nn.autoencoders import NetworkSizes, TimeAutoencoder
from skaudeep.training.distributed import SINGLE_PROCESS, ProcessGroup
from skaudeep.training.loop import Loss, Training

LOOPBACK = {"linux": "lo", "darwin": "lo0"}
SETTINGS = {
    "n_units": 6,
    "max_epochs": 4,
    "batch_size": 5,  # of 15: the parts of two ranks differ in size
    "learning_rate": 0.01,
    "dropout": 0.0,
    "representation": "statistics",  # covariances magnify what is rounded
    "random_state": 0,
}
# Adam divides by a gradient's size: one of 1e-8, rounded by 1e-9, moves its weight by a tenth of a
# step. With a larger epsilon, weights can be compared as closely as gradients.
ADAM = partial(torch.optim.Adam, eps=1e-3)
WINDOWS = {"band_window": 4, "band_overlap": 2}
CHANCE = {"dropout": 0.2, "encoder_noise": 0.2, "feed_previous_prob": 0.3, "max_epochs": 2}
CASES = {
    "gru": {"bidirectional_encoder": False},
    "bidirectional": {"bidirectional_decoder": True},
    "clipped": {"gradient_clip": 1e-3},
    "silence": {"mask_silence": True},
    "validated": {
        "validation_fraction": 0.3,
        "n_iter_no_change": 1,
        "learning_rate": {0: 0.01, 1: 0.3},
    },
    "a row for one rank": {"batch_size": 14},
    "frequency": {"axis": "frequency", **WINDOWS},
    "frequency-time": {"axis": "frequency-time", "cell": "lstm", **WINDOWS},
    "by chance": {**CHANCE, "code": "gaussian", "bidirectional_decoder": True},
    "told": {"code": "gaussian", "condition": list("abcabcab") + ["", "c"] * 4},
    "frequency by chance": {**CHANCE, "axis": "frequency", **WINDOWS},
    "frequency-time by chance": {**CHANCE, "axis": "frequency-time", **WINDOWS},
}


@pytest.fixture(autouse=True, scope="module")
def smooth_adam():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "Adam", ADAM)
        yield


def data():
    """Fifteen sequences and an empty one, of unequal length and partly silent."""
    X = np.random.default_rng(0).uniform(-1, 1, size=(16, 10, 8)).astype(np.float32)
    X[3, 7:], X[6, 2:], X[5] = np.nan, np.nan, np.nan
    X[8:12, :5] = -1
    return X


def outcome(autoencoder, X):
    weights = {name: w.numpy() for name, w in autoencoder.network_.state_dict().items()}
    # Components of about the same variance may turn into each other; what they span does not.
    for name in weights:
        if name.endswith("covariance.components"):
            weights[name] = np.linalg.inv(weights[name] @ weights[name].T)
    return {
        "loss": autoencoder.loss_curve_,
        "validation": autoencoder.validation_loss_curve_,
        "features": autoencoder.transform(X),
        **weights,
    }


def train(condition=None, **parameters):
    X = data()
    return outcome(Seq2SeqAutoencoder(**SETTINGS | parameters).fit(X, condition=condition), X)


def gradient_of_a_variational_loss(ranks=SINGLE_PROCESS):
    """Value and gradient with a divergence, its noise left out."""
    network = TimeAutoencoder(NetworkSizes(8, 6, code="gaussian"))
    network.draw_weights(torch.Generator().manual_seed(0))
    x = torch.from_numpy(data()[[0, 1, 2, 4, 7]]).transpose(0, 1)
    x = x[:, ranks.local_rows(np.arange(5))]
    loss = Loss(kl_weight=0.5)
    error, n_values, divergence = loss.sums(network, x, None, None, 0)
    own = torch.stack([error, n_values, divergence.double()])
    total = ranks.all_reduce_sum(own.detach()).requires_grad_()
    value = loss.value(*total, loss.kl_weight)
    value.backward()
    own.backward(total.grad)
    gradients = {
        name: ranks.all_reduce_sum(p.grad).numpy() for name, p in network.named_parameters()
    }
    return {"loss": value.item(), **gradients}


def what_a_rank_does(folder):
    """Train all cases, then twice what must be refused or must stay alone."""
    found = {name: train(**parameters) for name, parameters in CASES.items()}
    ranks = ProcessGroup.join()
    found["variational"] = gradient_of_a_variational_loss(ranks)
    found["without a seed"] = train(random_state=None, dropout=0.2)
    X, saved = data(), Seq2SeqAutoencoder(**SETTINGS | {"dropout": 0.2})
    saved.set_callbacks(Checkpoint(f"{folder}/checkpoints-of-rank-{ranks.rank}"))
    saved.fit(X)
    found["gone on with"] = outcome(saved.set_params(max_epochs=6).fit(X), X)
    found["at once"] = train(dropout=0.2, max_epochs=6)
    with pytest.raises(ValueError, match="rank 0 has") as refused:
        Seq2SeqAutoencoder(**SETTINGS).fit(np.ascontiguousarray(X[ranks.rank * 8 :][:8]))
    found["other data"] = str(refused.value)
    for name, condition in {"names": [0, 1 + ranks.rank], "order": [ranks.rank, 0, 1, 1]}.items():
        with pytest.raises(ValueError, match="rank 0 has") as refused:
            Seq2SeqAutoencoder(**SETTINGS).fit(X, condition=np.resize(condition, 16))
        found[f"other {name} of conditions"] = str(refused.value)
    with pytest.raises(ValueError, match="rank 0 has") as refused:
        Seq2SeqAutoencoder(**SETTINGS | {"n_units": 4 + ranks.rank}).fit(X)
    found["other parameters"] = str(refused.value)
    with joblib.parallel_config("threading", n_jobs=2):
        found["joblib"] = joblib.Parallel()(joblib.delayed(train)(max_epochs=1) for _ in range(2))
    return found


def start(rank, *arguments, **variables):
    """Start a rank that can be reached from this machine alone."""
    environment = os.environ | {
        "RANK": str(rank),
        "WORLD_SIZE": "2",
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": LOOPBACK[sys.platform],
        **variables,
    }
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Do on each of two ranks, joined as torchrun joins them, `what_a_rank_does`."""
    folder = tmp_path_factory.mktemp("ranks")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    store = dist.TCPStore(  # torchrun has one, too, but for the whole network
        "127.0.0.1",
        port,
        is_master=True,
        wait_for_workers=False,
        master_listen_fd=listener.detach(),
    )
    variables = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    processes = [start(rank, "all", folder, **variables) for rank in range(2)]
    errors = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    del store
    results = [pickle.loads((folder / f"{rank}.pickle").read_bytes()) for rank in range(2)]
    return folder, results


def assert_close(first, second, tolerance=1e-5):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_allclose(first[name], second[name], 0, tolerance, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_as_one_with_the_whole_batch(ranks, case):
    _, (first, second) = ranks
    assert_close(first[case], second[case], 0)
    assert_close(first[case], train(**CASES[case]))


def test_early_stopping_ends_all_processes(ranks):
    _, (first, _) = ranks
    assert len(first["validated"]["validation"]) < SETTINGS["max_epochs"]


def test_the_divergence_of_codes_counts_once_over_all_processes(ranks):
    _, (first, second) = ranks
    expected = gradient_of_a_variational_loss()
    assert_close(first["variational"], second["variational"], 0)
    assert_close(first["variational"], expected, 1e-6)
    assert max(abs(g).max() for name, g in expected.items() if "log_variance" in name) > 1e-3


def test_all_processes_use_the_seed_of_the_first(ranks):
    _, (first, second) = ranks
    assert_close(first["without a seed"], second["without a seed"], 0)


def test_the_first_process_writes_checkpoints_and_all_resume_from_them(ranks):
    folder, (first, second) = ranks
    assert list(folder.glob("checkpoints-of-rank-*")) == [folder / "checkpoints-of-rank-0"]
    for rank in (first, second):
        assert_close(rank["gone on with"], first["at once"], 0)


def test_processes_with_other_data_or_parameters_are_refused(ranks):
    _, results = ranks
    for found in results:
        assert "Rank 1 of 2 has X=" in found["other data"]
        assert "the same X" in found["other data"]
        assert "Rank 1 of 2 has conditions=array([0, 2])" in found["other names of conditions"]
        assert "Rank 1 of 2 has X=" in found["other order of conditions"]
        assert "Rank 1 of 2 has n_units=5, but rank 0 has n_units=4" in found["other parameters"]


def test_a_task_of_joblib_trains_without_the_process_group(ranks):
    _, (first, _) = ranks
    for found in first["joblib"]:
        assert_close(found, train(max_epochs=1), 0)


def test_a_launcher_of_one_process_changes_nothing(monkeypatch):
    for variable, value in {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "nowhere"}.items():
        monkeypatch.setenv(variable, value)
    assert ProcessGroup.join() == SINGLE_PROCESS


def fit_until(folder, n_batches, then):
    """Train with a checkpoint; the second rank does something after so many batches."""
    rank = int(os.environ["RANK"])
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2,
        timeout=timedelta(seconds=10),
    )  # fmt: skip
    step, done = Training.step, []

    def failing(*arguments):
        done.append(1)
        if rank == 1 and len(done) > n_batches:
            then()
        return step(*arguments)

    Training.step = failing
    watched(folder).fit(data())


def watched(folder):
    return Seq2SeqAutoencoder(**SETTINGS).set_callbacks(Checkpoint(f"{folder}/checkpoints"))


@pytest.mark.slow
@pytest.mark.parametrize("end", ["die", "hang"])
def test_a_lost_process_ends_the_others_and_the_checkpoint_resumes(tmp_path, end):
    survivor, lost = (start(rank, end, tmp_path) for rank in range(2))
    try:
        errors = survivor.communicate(timeout=120)[1]
    finally:
        lost.kill()
        lost.communicate()
    assert survivor.returncode == 1
    assert "ConnectionError: Rank 0 of 2 has lost the others" in errors
    assert [p.name for p in tmp_path.glob("checkpoints/*/*")]
    assert len(watched(tmp_path).set_params(max_epochs=2).fit(data()).loss_curve_) == 2
    X = data()
    assert_close(outcome(watched(tmp_path).fit(X), X), train())


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.optim.Adam = ADAM
    if sys.argv[1] == "all":
        found = what_a_rank_does(sys.argv[2])
        with open(f"{sys.argv[2]}/{os.environ['RANK']}.pickle", "wb") as file:
            pickle.dump(found, file)
    elif sys.argv[1] == "die":
        fit_until(sys.argv[2], 7, lambda: os._exit(1))
    else:
        import signal

        fit_until(sys.argv[2], 7, lambda: os.kill(os.getpid(), signal.SIGSTOP))
