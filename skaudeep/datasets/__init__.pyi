from .auditing import audit
from .bunch import make_bunch
from .chunk_rows import chunks_as_rows
from .compare_challenge import load_compare_challenge
from .dcase import load_dcase
from .dcase_task2 import load_dcase_task2
from .description import describe
from .detect import load_dataset
from .esc import load_esc
from .fetch import (
    fetch_esc10,
    fetch_esc50,
    fetch_gtzan,
    fetch_tut2017,
    fetch_urbansound8k,
)
from .folder import load_folder
from .groups import add_groups
from .gtzan import load_gtzan
from .index import load_index
from .labels import add_labels
from .machines import make_machines
from .operations import concatenate, select, upsample
from .sounds import make_sounds
from .split import add_folds, add_partitions, drop_folds, drop_partitions
from .table import load_table
from .urbansound import load_urbansound8k
from .validation import validate
from .windowing import windows

__all__ = [
    "add_folds",
    "add_groups",
    "add_labels",
    "add_partitions",
    "audit",
    "chunks_as_rows",
    "concatenate",
    "describe",
    "drop_folds",
    "drop_partitions",
    "fetch_esc10",
    "fetch_esc50",
    "fetch_gtzan",
    "fetch_tut2017",
    "fetch_urbansound8k",
    "load_compare_challenge",
    "load_dataset",
    "load_dcase",
    "load_dcase_task2",
    "load_esc",
    "load_folder",
    "load_gtzan",
    "load_index",
    "load_table",
    "load_urbansound8k",
    "make_bunch",
    "make_machines",
    "make_sounds",
    "select",
    "upsample",
    "validate",
    "windows",
]
