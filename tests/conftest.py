"""What all tests share: the corpora beside the checkout, one thread per process, no files here."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

# Two test processes of two threads each on two cores wait for one another most of the time.
torch.set_num_threads(1)

# Without numba's compiler layers run in torch's modules, and say so, which would be an error here.
if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
    os.environ.setdefault("SKAUDEEP_BACKEND", "torch")

USER = getattr(os, "getuid", int)()  # 0 on Windows
# hypothesis writes into the checkout, which may be read-only. With CI set, its examples are the
# same in each run: whether a change lands must not depend on luck. Elsewhere it tries new ones.
# None has a deadline: a busy machine is no fault.
settings.register_profile("skaudeep", database=None, deadline=None, derandomize="CI" in os.environ)
settings.load_profile("skaudeep")
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / f"skaudeep-hypothesis-{USER}")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Find the folder of reference data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"no reference data at {SHARED}")
    return SHARED
