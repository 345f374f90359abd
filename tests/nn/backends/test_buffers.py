"""Memory that is used again, but by nobody else while somebody holds it."""

from __future__ import annotations

import mmap

import pytest
import torch

from skaudeep.nn.backends import buffers as memory
from skaudeep.nn.backends.buffers import empty

pytestmark = pytest.mark.skipif(
    not hasattr(mmap, "MADV_HUGEPAGE"), reason="torch's own memory where there are no huge pages"
)


@pytest.fixture(autouse=True)
def spare(monkeypatch):
    monkeypatch.setattr(memory, "_spare", {})
    return lambda: sum(size * len(blocks) for size, blocks in memory._spare.items())


def large():
    return empty(3, 1_000_001, dtype=torch.float32)


def test_a_block_is_used_again_once_nothing_holds_it():
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


def test_a_block_serves_every_type_and_shape_of_its_size():
    place = large().data_ptr()
    x = empty(750_000, 2, dtype=torch.float64)
    assert x.data_ptr() == place
    assert x.shape == (750_000, 2)
    assert x.is_contiguous()


def test_what_waits_is_limited(monkeypatch, spare):
    size = 6 * memory.HUGE_PAGE
    monkeypatch.setattr(memory, "MAX_SPARE", 2 * size)
    held = [large() for _ in range(9)]
    held.clear()
    assert size <= spare() <= 2 * size


def test_small_memory_is_torchs(spare):
    x = empty(7, dtype=torch.float32)
    del x
    assert spare() == 0
