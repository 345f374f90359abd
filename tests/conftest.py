"""What all tests share: the corpora beside the checkout, one thread per process, no files here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import settings

# Two test processes of two threads each on two cores wait for one another most of the time.
torch.set_num_threads(1)

# Its folder of examples lies in the checkout, which may be read-only.
settings.register_profile("skaudeep", database=None)
settings.load_profile("skaudeep")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Find the folder of reference data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"no reference data at {SHARED}")
    return SHARED
