"""A NetCDF file is read as docs/reference/file-formats.md says, without skaudeep.

The reader below knows that page, NumPy and netCDF4 alone.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from skaudeep import save_netcdf
from skaudeep.datasets import make_bunch


def read_clips(path: Path) -> list[dict[str, Any]]:
    """Return a dictionary for each clip of a file."""
    content = path.read_bytes()
    assert content[-40:-32] == b"\nSEALED\n"
    assert content[-32:] == hashlib.sha256(content[:-40]).digest()
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        assert json.loads(file.skaudeep)["format"] == 1
        numbers = dict(json.loads(file.label_map))
        assert json.loads(file.feature_dims) == list(file["features"].dimensions[1:])
        columns = {name: variable[...] for name, variable in file.variables.items()}
    clips: dict[str, dict[str, Any]] = {}
    for row, name in enumerate(columns["filename"]):
        clip = clips.setdefault(
            name,
            {
                "name": name,
                "label": columns["label_nominal"][row],
                "partition": columns["partition"][row],
                "folds": columns["cv_folds"][row].tolist(),
                "group": columns["groups"][row],
                "chunks": {},
            },
        )
        assert np.isnan(columns["label_numeric"][row]) or (
            numbers[clip["label"]] == columns["label_numeric"][row]
        )
        n_frames = columns["lengths"][row]
        assert np.isnan(columns["features"][row, n_frames:]).all()
        clip["chunks"][int(columns["chunk_nr"][row])] = columns["features"][row, :n_frames]
    return list(clips.values())


def test_a_data_set_of_chunks_is_read_by_the_specification_alone(tmp_path):
    data = np.random.RandomState(0).uniform(-1, 1, (3, 2, 5, 4)).astype(np.float32)
    data[1, 1] = np.nan  # the second clip has one chunk, whose last two frames are missing
    data[1, 0, 3:] = np.nan
    bunch = make_bunch(
        data,
        ["b.wav", "a.wav", "c.wav"],
        target=[1, 0, -1],
        target_names=["cat", "dog"],
        folds=[[0, 1], [1, 0], [0, 0]],
        partition=["train", "test", ""],
        groups=["anna", "bob", "anna"],
    )
    save_netcdf(bunch, tmp_path / "chunks.nc")

    clips = read_clips(tmp_path / "chunks.nc")
    assert [clip["name"] for clip in clips] == ["b.wav", "a.wav", "c.wav"]
    assert [clip["label"] for clip in clips] == ["dog", "cat", ""]
    assert [clip["folds"] for clip in clips] == [[0, 1], [1, 0], [0, 0]]
    assert [clip["group"] for clip in clips] == ["anna", "bob", "anna"]
    np.testing.assert_array_equal([clip["partition"] for clip in clips], [0, 2, np.nan])
    assert [sorted(clip["chunks"]) for clip in clips] == [[0, 1], [0], [0, 1]]
    np.testing.assert_array_equal(clips[0]["chunks"][1], data[0, 1])
    np.testing.assert_array_equal(clips[1]["chunks"][0], data[1, 0, :3])
