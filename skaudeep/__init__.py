"""skaudeep: features from unlabelled audio, as scikit-learn transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from skaudeep.autoencoder import Seq2SeqAutoencoder

# Each name and its room; a room, and with it torch, is loaded when a name of it is first used.
_ROOMS = {
    "Seq2SeqAutoencoder": "autoencoder",
}
__all__ = ["Seq2SeqAutoencoder", "__version__"]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        from importlib import import_module

        return getattr(import_module(f"skaudeep.{_ROOMS[name]}"), name)
    raise AttributeError(f"module 'skaudeep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
