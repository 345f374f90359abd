"""The pool of buffers: each is used again, but not while a tensor or an array uses it."""

from __future__ import annotations

import mmap
import os
import threading

import pytest
import torch

from skaudeep.nn.backends import buffers
from skaudeep.nn.backends.buffers import empty

pytestmark = pytest.mark.skipif(
    not hasattr(mmap, "MADV_HUGEPAGE"), reason="torch's own memory where there are no huge pages"
)


@pytest.fixture(autouse=True)
def spare(monkeypatch):
    monkeypatch.setattr(buffers, "_spare", {})
    return lambda: sum(size * len(blocks) for size, blocks in buffers._spare.items())


def large():
    return empty(3, 1_000_001, dtype=torch.float32)


def test_a_buffer_is_used_again_when_no_tensor_and_no_array_uses_it():
    x = large()
    place, view = x.data_ptr(), x[1:].numpy()
    del x
    y = large()
    assert y.data_ptr() != place
    y.zero_()
    view[:] = 1
    assert not y.any()
    del view
    assert large().data_ptr() == place


def test_a_buffer_serves_every_type_and_shape_of_its_size():
    place = large().data_ptr()
    x = empty(750_000, 2, dtype=torch.float64)
    assert x.data_ptr() == place
    assert x.shape == (750_000, 2)
    assert x.is_contiguous()


def test_the_pool_keeps_no_more_than_its_limit(monkeypatch, spare):
    size = 6 * buffers.HUGE_PAGE
    monkeypatch.setenv("SKAUDEEP_BUFFER_MB", str(2 * size // 2**20))
    held = [large() for _ in range(9)]
    held.clear()
    assert size <= spare() <= 2 * size
    monkeypatch.setenv("SKAUDEEP_BUFFER_MB", "0")
    held = [large() for _ in range(3)]
    held.clear()
    assert spare() == 0


def test_a_limit_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("SKAUDEEP_BUFFER_MB", "1 GB")
    with pytest.raises(ValueError, match="SKAUDEEP_BUFFER_MB='1 GB', expected a whole number"):
        large()


def test_clear_empties_the_pool_and_leaves_buffers_in_use(spare):
    x, y = large().fill_(1), large()
    del y
    assert spare() > 0
    buffers.clear()
    assert spare() == 0
    assert (x == 1).all()
    del x
    assert spare() > 0


def test_threads_never_get_the_same_buffer(spare):
    wrong = []

    def work(number):
        for _ in range(40):
            x = large()
            x[0, 0] = x[2, -1] = number
            if x[0, 0] != number or x[2, -1] != number:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_that_is_forked_while_the_lock_is_held_gets_buffers():
    held, release = threading.Event(), threading.Event()

    def hold():
        with buffers._lock:
            held.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    child = os.fork()
    if child == 0:
        buffers.clear()
        os._exit(0)
    release.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_small_tensors_do_not_use_the_pool(spare):
    x = empty(7, dtype=torch.float32)
    del x
    assert spare() == 0
