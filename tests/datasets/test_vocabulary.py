"""Words that corpora use alike."""

from __future__ import annotations

import pytest

from skaudeep.datasets.vocabulary import MISSING, missing_cells, translate_partitions


def test_what_pandas_and_arff_write_for_a_missing_value_is_missing_by_default():
    assert missing_cells(None) == set(MISSING)
    assert {"", "?", "NA", "nan", "NULL", "NaT"} <= missing_cells(None)


def test_an_empty_cell_is_missing_whatever_the_user_says():
    assert missing_cells(["unknown"]) == {"", "unknown"}
    assert missing_cells([]) == {""}


@pytest.mark.parametrize(
    ("names", "partitions"),
    [
        (["Train", "DEV", "test"], ["train", "devel", "test"]),
        (["training", "validation", "eval"], ["train", "devel", "test"]),
        (["train", "Evaluation", "testing"], ["train", "devel", "test"]),
    ],
)
def test_partitions_have_one_name_each_and_eval_is_the_test_where_there_is_no_other(
    names, partitions
):
    assert translate_partitions([*names, "owl"]) == dict(zip(names, partitions, strict=True))
