"""Data sets as scikit-learn Bunches: readers, downloads, checks, splits, a sound generator."""

from skaudeep.datasets.auditing import audit
from skaudeep.datasets.bunch import make_bunch
from skaudeep.datasets.compare import load_compare
from skaudeep.datasets.dcase import load_dcase
from skaudeep.datasets.description import describe
from skaudeep.datasets.detect import load_dataset
from skaudeep.datasets.esc import load_esc
from skaudeep.datasets.fetch import (
    fetch_esc10,
    fetch_esc50,
    fetch_gtzan,
    fetch_tut2017,
    fetch_urbansound8k,
)
from skaudeep.datasets.folder import load_folder
from skaudeep.datasets.groups import add_groups
from skaudeep.datasets.gtzan import load_gtzan
from skaudeep.datasets.index import load_index
from skaudeep.datasets.labels import add_labels
from skaudeep.datasets.operations import concatenate, select, upsample
from skaudeep.datasets.sounds import make_sounds
from skaudeep.datasets.split import add_folds, add_partitions, drop_folds, drop_partitions
from skaudeep.datasets.table import load_table
from skaudeep.datasets.urbansound import load_urbansound8k
from skaudeep.datasets.validation import validate

__all__ = [
    "add_folds",
    "add_groups",
    "add_labels",
    "add_partitions",
    "audit",
    "concatenate",
    "describe",
    "drop_folds",
    "drop_partitions",
    "fetch_esc10",
    "fetch_esc50",
    "fetch_gtzan",
    "fetch_tut2017",
    "fetch_urbansound8k",
    "load_compare",
    "load_dataset",
    "load_dcase",
    "load_esc",
    "load_folder",
    "load_gtzan",
    "load_index",
    "load_table",
    "load_urbansound8k",
    "make_bunch",
    "make_sounds",
    "select",
    "upsample",
    "validate",
]
