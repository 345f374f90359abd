"""What a stored data set contradicts itself in is listed whole."""

import netCDF4
import numpy as np
import pytest

from skaudeep.datasets import make_bunch
from skaudeep.formats import check_netcdf, save_netcdf

NAMES = ["a.wav", "b.wav", "c.wav"]


def save(path, *, audeep=False):
    """Write three clips of two chunks, the last of one, as skaudeep or as auDeep does."""
    X = np.ones((3, 2, 4), np.float32)
    X[2, 1] = np.nan
    options = {"target": [0, 1, 0], "target_names": ["dog", "rain"]}
    dims = ("clip", "chunk", "feature")
    save_netcdf(make_bunch(X, NAMES, dims=dims, **options), path)
    if audeep:
        path.write_bytes(path.read_bytes().rpartition(b"\nSEALED\n")[0])
        with netCDF4.Dataset(path, "a") as dataset:
            dataset.delncattr("skaudeep")


def test_files_of_audeep_itself_are_whole(shared):
    files = sorted((shared / "audeep-reference").glob("*.nc"))
    assert files
    assert {file.name: check_netcdf(file) for file in files} == {file.name: [] for file in files}


def test_only_skaudeep_writes_clips_of_different_numbers_of_chunks(tmp_path):
    save(tmp_path / "ours.nc")
    assert check_netcdf(tmp_path / "ours.nc") == []
    save(tmp_path / "audeep.nc", audeep=True)
    assert check_netcdf(str(tmp_path / "audeep.nc")) == [
        "clip 'c.wav' has 1 chunk(s), expected 2 as in other clips"
    ]


def test_all_faults_of_a_file_are_listed_and_not_the_first_alone(tmp_path):
    path = tmp_path / "audeep.nc"
    save(path, audeep=True)
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["label_numeric"][1] = 1  # of a dog
        dataset["partition"][:] = [0, 1, 0, 0, 7]
        dataset["chunk_nr"][3] = 0
    faults = check_netcdf(path)
    assert len(faults) == 4
    for words in ("'a.wav' is labelled 'dog' and 1", "has partition 7", "'c.wav' has 1 chunk"):
        assert any(words in fault for fault in faults)
    assert "clip 'b.wav' has chunks 0, 0, expected each from 0 to 1 once" in faults


def test_what_is_no_data_set_is_an_error(tmp_path):
    (tmp_path / "a.nc").write_text("no data")
    with pytest.raises(ValueError, match="no NetCDF"):
        check_netcdf(tmp_path / "a.nc")
    with pytest.raises(FileNotFoundError):
        check_netcdf(tmp_path / "none.nc")
