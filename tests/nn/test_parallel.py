"""Thread pools, and the number of threads that torch uses in each thread."""

from __future__ import annotations

import ast
import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import skaudeep
from skaudeep import Seq2SeqAutoencoder
from skaudeep.nn import parallel
from skaudeep.nn.parallel import n_threads, parallel_map, share, thread_pool, torch_threads

has_openmp = pytest.mark.skipif(
    sys.platform == "win32", reason="torch's OpenMP library cannot be asked there"
)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def in_a_new_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


@has_openmp
def test_torch_threads_limits_the_calling_thread_alone(two_threads):
    with torch_threads(1):
        assert (torch.get_num_threads(), n_threads()) == (1, 1)
        assert in_a_new_thread(torch.get_num_threads) == 2
        assert in_a_new_thread(n_threads) == 2
        with torch_threads(3):
            assert (torch.get_num_threads(), n_threads()) == (3, 3)
        assert (torch.get_num_threads(), n_threads()) == (1, 1)
    assert (torch.get_num_threads(), n_threads()) == (2, 2)
    with pytest.raises(ZeroDivisionError), torch_threads(1):
        int(1 / 0)
    assert (torch.get_num_threads(), n_threads()) == (2, 2)


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="torch without MKL")
@pytest.mark.skipif(sys.platform != "linux", reason="the library's name")
def test_torch_threads_limits_mkl_though_the_user_has_set_its_number(two_threads):
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
    if not hasattr(library, "MKL_Get_Max_Threads"):
        pytest.skip("MKL does not export its functions")
    assert library.MKL_Get_Max_Threads() == 2
    with torch_threads(1):
        assert library.MKL_Get_Max_Threads() == 1
        # A thread has the user's number from its first call of torch on.
        assert in_a_new_thread(
            lambda: (torch.get_num_threads(), library.MKL_Get_Max_Threads())
        ) == (2, 2)
    assert library.MKL_Get_Max_Threads() == 2


def test_torch_threads_limits_kernels_where_openmp_cannot_be_found(two_threads, monkeypatch):
    def missing(path):
        raise OSError(path)

    monkeypatch.setattr(parallel.ctypes, "CDLL", missing)
    parallel._setters.cache_clear()
    try:
        with torch_threads(1):
            assert n_threads() == 1
            assert torch.get_num_threads() == 2  # the user's number: slower, but right
        assert n_threads() == 2
        with parallel_map(4) as each:
            assert list(each(lambda _: n_threads(), range(4))) == [1, 1, 1, 1]
    finally:
        parallel._setters.cache_clear()


def test_threads_of_the_user_have_the_users_number_during_fit_and_transform(two_threads):
    X = np.random.default_rng(0).uniform(-1, 1, (150, 12, 4)).astype(np.float32)
    done, seen = threading.Event(), []

    def watch():
        while not done.is_set():
            seen.append(in_a_new_thread(torch.get_num_threads))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for representation in ("covariance", "statistics"):
            autoencoder = Seq2SeqAutoencoder(
                8, max_epochs=3, batch_size=80, representation=representation, random_state=0
            )
            autoencoder.fit(X).transform(X)
    finally:
        done.set()
        watcher.join()
    assert len(seen) > 10
    assert set(seen) == {2}
    assert in_a_new_thread(torch.get_num_threads) == torch.get_num_threads() == 2
    assert in_a_new_thread(torch.get_num_threads) == 2  # pool threads exist by now


def test_the_library_never_sets_the_number_for_later_threads():
    for path in Path(skaudeep.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(node, "attr", getattr(node, "id", None))
            assert name not in ("set_num_threads", "set_num_interop_threads"), path


@has_openmp
def test_parallel_map_gives_each_task_its_part_of_the_threads(two_threads):
    with parallel_map(2) as each:
        assert list(each(lambda _: torch.get_num_threads(), range(2))) == [1, 1]
        assert torch.get_num_threads() == 1  # the caller adds up meanwhile
    torch.set_num_threads(5)
    with parallel_map(2) as each:
        assert (
            list(each(lambda _: (torch.get_num_threads(), n_threads()), range(2))) == [(2, 2)] * 2
        )
    assert torch.get_num_threads() == 5


def test_parallel_map_keeps_its_threads_from_step_to_step(two_threads):
    seen = set()
    for _ in range(20):
        with parallel_map(3) as each:
            seen |= set(each(lambda _: threading.get_ident(), range(3)))
    assert 1 <= len(seen) <= 2
    assert threading.get_ident() not in seen


def test_share_inside_a_pool_thread_does_not_wait_for_its_own_pool(two_threads):
    rows = np.zeros(64)

    def run(values, start, stop):
        values[start:stop] += 1

    def task(_):
        with torch_threads(2):
            share(run, [rows[:32]], 32)
            share(run, [rows[32:]], 32)

    pool = thread_pool("shard", 2, start_now=True)
    for waiting in [pool.submit(task, i) for i in range(6)]:
        waiting.result(60)
    assert (rows == 6).all()


def test_thread_pool_starts_all_threads_or_raises(monkeypatch: pytest.MonkeyPatch):
    before = threading.active_count()
    thread_pool("at once", 3, start_now=True)
    assert threading.active_count() == before + 3

    start, started = threading.Thread.start, []

    def refusing(self: threading.Thread) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refusing)
    with pytest.raises(RuntimeError, match="can't start"):
        thread_pool("too many", 2, start_now=True)
    started[0].join(30)
    assert not started[0].is_alive()


def test_thread_pools_of_two_purposes_do_not_wait_for_each_other():
    inside = thread_pool("outer", 1).submit(
        lambda: thread_pool("inner", 1).submit(lambda: "done").result(30)
    )
    assert inside.result(30) == "done"


FORKED = """
import os
import torch
from skaudeep.nn.parallel import parallel_map
torch.set_num_threads(2)
def total():
    with parallel_map(2) as each:
        return sum(each(abs, [-1, -2]))
if total() != 3:
    raise SystemExit(1)
if (child := os.fork()) == 0:
    os._exit(total())
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_starts_pools_of_its_own_and_both_processes_exit():
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.returncode) == ("3\n", 0), done.stderr
