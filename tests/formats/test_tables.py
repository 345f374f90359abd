"""Where rows of a table go, and back; the formats themselves are in test_formats."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skaudeep.datasets import make_bunch
from skaudeep.formats.tables import Table, arrange_columns, load_tables, save_tables


def write(file: TextIO, table: Table, rows: NDArray[np.bool_]) -> None:
    arrange_columns(table, rows, labels_last=False).to_csv(file, index=False)


def read(file: Path) -> tuple[pd.DataFrame, None]:
    return pd.read_csv(file), None


def features(**changes: object) -> Bunch:
    return make_bunch(
        np.arange(8, dtype=np.float32).reshape(4, 2),
        ["a.wav", "b.wav", "c.wav", "d.wav"],
        target=[0, 1, 1, 0],
        target_names=["cat", "dog"],
        **changes,
    )


def test_arrange_columns_puts_labels_first_or_last():
    text = pd.DataFrame(
        {"filename": ["a", "b"], "chunk_nr": 0, "label_nominal": "", "label_numeric": 0}
    )
    table = Table(text, np.eye(2, dtype=np.float32), np.arange(2), [])
    rows = np.array([False, True])
    first, last = (arrange_columns(table, rows, labels_last) for labels_last in (False, True))
    labels, numbers = ["label_nominal", "label_numeric"], ["feature_0", "feature_1"]
    assert [*first] == ["filename", "chunk_nr", *labels, *numbers]
    assert [*last] == ["filename", "chunk_nr", *numbers, *labels]
    assert first["filename"].tolist() == ["b"]
    assert first[numbers].to_numpy().tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({}, {"": "abcd"}),
        ({"folds": [[1, 0], [0, 1], [0, 1], [1, 1]]}, {"fold_1": "ad", "fold_2": "bcd"}),
        ({"partition": ["test", "train", "train", "test"]}, {"test": "ad", "train": "bc"}),
        (
            {
                "partition": ["test", "train", "train", "test"],
                "folds": [[1, 0], [0, 1], [0, 1], [1, 0]],
            },
            {"test/fold_1": "ad", "train/fold_2": "bc"},
        ),
    ],
    ids=["one file", "folds", "partitions", "both"],
)
def test_load_tables_restores_the_folds_and_partitions_that_save_tables_wrote(
    tmp_path: Path, changes: dict[str, object], places: dict[str, str]
):
    bunch = features(**changes)
    files = save_tables(bunch, tmp_path, ".csv", "it", None, True, write)
    assert {
        file.parent.relative_to(tmp_path).as_posix().strip("."): "".join(
            name[0] for name in pd.read_csv(file)["filename"]
        )
        for file in files
    } == places
    loaded = load_tables(tmp_path, ".csv", "it", read)
    order = np.argsort(loaded.filenames)
    np.testing.assert_array_equal(loaded.data[order], bunch.data)
    np.testing.assert_array_equal(loaded.target[order], bunch.target)
    np.testing.assert_array_equal(loaded.folds[order], bunch.folds)
    assert loaded.partition[order].tolist() == bunch.partition.tolist()


def test_save_tables_names_a_clip_without_fold_or_partition(tmp_path: Path):
    with pytest.raises(ValueError, match=r"'c\.wav' is tested in no fold"):
        save_tables(features(folds=[[1], [1], [0], [1]]), tmp_path, ".csv", "it", None, True, write)
    assert not list(tmp_path.iterdir())


def test_load_tables_refuses_files_of_several_layouts(tmp_path: Path):
    save_tables(features(), tmp_path, ".csv", "it", None, True, write)
    (tmp_path / "fold_1").mkdir()
    (tmp_path / "fold_1" / "it.csv").write_bytes((tmp_path / "it.csv").read_bytes())
    with pytest.raises(ValueError, match="several layouts"):
        load_tables(tmp_path, ".csv", "it", read)
