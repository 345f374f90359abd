"""Chunks as rows: what of the clip each has, and what `evaluate` makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from skaudeep import evaluate
from skaudeep.datasets import add_folds, chunks_as_rows, make_bunch, upsample, validate
from skaudeep.formats import load_netcdf, save_csv, save_netcdf


def chunks(**changes):
    """Six clips of three chunks of one value: 1 where the chunk shows its clip's class."""
    data = np.ones((6, 3, 1), np.float32)
    data[0, 2], data[3, 1:], data[5, 2] = 0, 0, np.nan
    parts = {
        "target": [0, 1, 0, 1, 0, 1],
        "target_names": ["cat", "dog"],
        "folds": np.repeat(np.eye(3, dtype=int), 2, axis=0),
        "dims": ("clip", "chunk", "feature"),
        "feature_names": ["shown"],
    }
    return make_bunch(data, [f"{name}.wav" for name in "abcdef"], **parts | changes)


class Told(ClassifierMixin, BaseEstimator):
    """A classifier that is told the class, and whether to be right, by the values of the row."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.where(X[:, 1] == 1, X[:, 0], 1 - X[:, 0]).astype(int)


def test_evaluate_scores_each_chunk_as_a_row_with_intervals_over_clips():
    bunch = chunks()
    labels = np.broadcast_to(bunch.target[:, None, None], (6, 3, 1))
    data = np.concatenate([labels, bunch.data], axis=2).astype(np.float32)
    data[np.isnan(bunch.data[..., 0])] = np.nan
    rows = chunks_as_rows(chunks() | {"data": data, "dims": bunch.dims})
    result = evaluate(Told(), rows, controls=False, progress=False)
    assert sum(len(test) for test in result.test) == 17
    assert result.fold_accuracy[0].tolist() == pytest.approx([5 / 6, 4 / 6, 1])
    assert result.n_groups == 6


def test_each_chunk_that_is_there_has_the_label_folds_and_group_of_its_clip(tmp_path):
    bunch = chunks(groups=["ann", "", "ann", "", "bob", ""], partition=["train"] * 5 + ["test"])
    save_netcdf(bunch, tmp_path / "chunks.nc")
    for one in (bunch, load_netcdf(tmp_path / "chunks.nc", lazy=True)):
        rows = chunks_as_rows(one)
        validate(rows)
        assert rows.filenames[[0, 1, 2, 3, 16]].tolist() == [
            *["a.wav#0", "a.wav#1", "a.wav#2", "b.wav#0", "f.wav#1"]
        ]
        clip = [name.partition("#")[0] for name in rows.filenames]
        of = [bunch.filenames.tolist().index(name) for name in clip]
        assert rows.target.tolist() == bunch.target[of].tolist()
        assert rows.folds.tolist() == bunch.folds[of].tolist()
        assert rows.partition.tolist() == bunch.partition[of].tolist()
        assert rows.groups[[0, 3, 16]].tolist() == ["ann", "b.wav", "f.wav"]
        assert rows.dims == ("clip", "feature")
        assert rows.data.shape == (17, 1)
        assert not np.isnan(rows.data).any()
        assert rows.feature_names == ["shown"]


def test_a_clip_without_values_keeps_one_row():
    bunch = chunks()
    bunch.data[2] = np.nan
    rows = chunks_as_rows(bunch)
    assert [name for name in rows.filenames if name.startswith("c")] == ["c.wav#0"]


def test_chunks_of_one_clip_stay_together_in_new_folds_and_tables_take_them(tmp_path):
    rows = add_folds(chunks_as_rows(chunks(folds=None)), 3, random_state=0)
    for train, test in rows.cv:
        assert not set(rows.groups[train]) & set(rows.groups[test])
    assert len(save_csv(rows, tmp_path)) == 3


def test_chunks_of_copies_are_copies_of_the_chunks():
    more = upsample(chunks(target=[0, 1, 0, 0, 0, 1], folds=None), random_state=0)
    rows = chunks_as_rows(more)
    copies = rows.copy_of[rows.copy_of != ""]
    assert len(copies)
    group_of = dict(zip(rows.filenames, rows.groups, strict=True))
    assert [group_of[original] for original in copies] == rows.groups[rows.copy_of != ""].tolist()
    assert set(copies) <= set(rows.filenames[rows.copy_of == ""])


def test_data_without_chunks_are_refused():
    with pytest.raises(ValueError, match=r"Got data with the axes \('clip', 'feature'\), expected"):
        chunks_as_rows(make_bunch(np.zeros((2, 3)), ["a", "b"]))
