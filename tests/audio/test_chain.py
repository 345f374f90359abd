"""One clip's steps: what a worker process loads for them."""

from __future__ import annotations

import subprocess
import sys


def test_a_worker_loads_neither_scikit_learn_nor_torch_nor_librosa():
    """Each would take longer to load than a thousand short clips to extract."""
    code = (
        "import sys, skaudeep.audio.chain, skaudeep.extraction; "
        "print({'sklearn', 'torch', 'librosa', 'scipy.signal'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
