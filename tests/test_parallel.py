"""Work in threads goes on where no threads can be started."""

from __future__ import annotations

import errno
import os
from multiprocessing.context import BaseContext

import numpy as np
import pandas as pd
import pytest

from skaudeep import SpectrogramExtractor
from skaudeep.datasets import audit, describe, make_sounds


@pytest.fixture
def no_room(monkeypatch):
    """No new lock fits into /dev/shm."""

    def full(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(BaseContext, "Lock", full)


def test_extraction_describe_and_audit_go_on_without_room_for_threads(tmp_path, no_room):
    sounds = make_sounds(
        8, n_classes=2, n_sessions=2, sampling_rate=8000, folder=tmp_path, random_state=0
    )
    for call, equal in (
        (
            lambda n: SpectrogramExtractor(n_mels=8, n_jobs=n).transform(sounds.data),
            np.array_equal,
        ),
        (lambda n: audit(sounds, n_jobs=n), pd.DataFrame.equals),
        (lambda n: str(describe(sounds, n_jobs=n)), str.__eq__),
    ):
        with pytest.warns(RuntimeWarning, match=r"No threads .*No space left.*Free .*/dev/shm"):
            found = call(2)
        assert equal(found, call(1))
