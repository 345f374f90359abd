"""skaudeep: features from unlabelled audio, as scikit-learn transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from skaudeep import datasets, formats, recipes
    from skaudeep.audio import AudioError, AudioWarning
    from skaudeep.autoencoder import Seq2SeqAutoencoder
    from skaudeep.chunks import ChunkPooling, ChunkVotingClassifier
    from skaudeep.evaluation import compare, evaluate
    from skaudeep.exchange import export_onnx
    from skaudeep.extraction import extract_to_netcdf
    from skaudeep.fusion import FeatureFusion
    from skaudeep.netcdf import load_netcdf, save_netcdf
    from skaudeep.persistence import PersistenceError, load, save
    from skaudeep.plotting import LossCurveDisplay, ReconstructionDisplay, SpectrogramDisplay
    from skaudeep.spectrogram import SpectrogramExtractor

# Each name and its room. A room, and with it torch or librosa, loads when a name is first used.
_ROOMS = {
    "AudioError": "audio",
    "AudioWarning": "audio",
    "ChunkPooling": "chunks",
    "ChunkVotingClassifier": "chunks",
    "FeatureFusion": "fusion",
    "LossCurveDisplay": "plotting",
    "PersistenceError": "persistence",
    "ReconstructionDisplay": "plotting",
    "Seq2SeqAutoencoder": "autoencoder",
    "SpectrogramDisplay": "plotting",
    "SpectrogramExtractor": "spectrogram",
    "compare": "evaluation",
    "evaluate": "evaluation",
    "export_onnx": "exchange",
    "extract_to_netcdf": "extraction",
    "load": "persistence",
    "load_netcdf": "netcdf",
    "save": "persistence",
    "save_netcdf": "netcdf",
}
__all__ = [
    "AudioError",
    "AudioWarning",
    "ChunkPooling",
    "ChunkVotingClassifier",
    "FeatureFusion",
    "LossCurveDisplay",
    "PersistenceError",
    "ReconstructionDisplay",
    "Seq2SeqAutoencoder",
    "SpectrogramDisplay",
    "SpectrogramExtractor",
    "__version__",
    "compare",
    "datasets",
    "evaluate",
    "export_onnx",
    "extract_to_netcdf",
    "formats",
    "load",
    "load_netcdf",
    "recipes",
    "save",
    "save_netcdf",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _ROOMS:
        return getattr(import_module(f"skaudeep.{_ROOMS[name]}"), name)
    if name in ("datasets", "formats", "recipes"):
        return import_module(f"skaudeep.{name}")
    raise AttributeError(f"module 'skaudeep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
