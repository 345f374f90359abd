"""Threads that stay, in the process that they are of, and only as long as it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
import torch

from skaudeep.nn.parallel import parallel_map, thread_pool


def test_tasks_of_several_steps_share_their_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen = set()
        for _ in range(20):
            with parallel_map(3) as each:
                seen |= set(each(lambda _: threading.get_ident(), range(3)))
    finally:
        torch.set_num_threads(before)
    assert 1 <= len(seen) <= 2
    assert threading.get_ident() not in seen


def test_a_team_starts_at_once_or_not_at_all(monkeypatch: pytest.MonkeyPatch):
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


def test_purposes_do_not_wait_for_each_other():
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
assert total() == 3
if (child := os.fork()) == 0:
    os._exit(total())
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_starts_its_own_and_both_come_to_their_end():
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.returncode) == ("3\n", 0), done.stderr
