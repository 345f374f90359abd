"""Callbacks of a training in scikit-learn's protocol."""

from skaudeep.callbacks.checkpoint import Checkpoint, find_checkpoints
from skaudeep.callbacks.tensorboard import TensorBoard

__all__ = ["Checkpoint", "TensorBoard", "find_checkpoints"]


def __dir__() -> list[str]:
    return __all__  # completion offers these names, not the modules
