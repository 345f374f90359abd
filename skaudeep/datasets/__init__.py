"""Corpora as scikit-learn Bunches: readers for what is on disk, and a generator of sounds."""

from skaudeep.datasets.bunch import make_bunch
from skaudeep.datasets.esc import load_esc
from skaudeep.datasets.folder import load_folder
from skaudeep.datasets.sounds import make_sounds
from skaudeep.datasets.table import load_table

__all__ = ["load_esc", "load_folder", "load_table", "make_bunch", "make_sounds"]
