"""Corpora as scikit-learn Bunches: readers for what is on disk, and a generator of sounds."""

from skaudeep.datasets.bunch import make_bunch
from skaudeep.datasets.esc import load_esc
from skaudeep.datasets.findings import audit
from skaudeep.datasets.folder import load_folder
from skaudeep.datasets.integrity import validate
from skaudeep.datasets.rows import concatenate, select, upsample
from skaudeep.datasets.sounds import make_sounds
from skaudeep.datasets.split import add_folds, add_partitions, drop_folds, drop_partitions
from skaudeep.datasets.summary import describe
from skaudeep.datasets.table import load_table

__all__ = [
    "add_folds",
    "add_partitions",
    "audit",
    "concatenate",
    "describe",
    "drop_folds",
    "drop_partitions",
    "load_esc",
    "load_folder",
    "load_table",
    "make_bunch",
    "make_sounds",
    "select",
    "upsample",
    "validate",
]
