"""ESC-10 and ESC-50, in the layout of 2015 and in that of today."""

import csv
from pathlib import Path

import numpy as np
import pytest

from skaudeep.datasets import load_esc

SHARED = Path(__file__).parents[3] / "shared"


def touch(root, *names):
    """Write empty files: readers never open a clip."""
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def labels(bunch):
    """Class name of each clip, None where unlabelled."""
    return [bunch.target_names[label] if label >= 0 else None for label in bunch.target]


@pytest.fixture
def esc50(tmp_path):
    """ESC-50 in today's layout: four clips, rows and class numbers in no order."""
    rows = [
        ["filename", "fold", "target", "category", "esc10", "src_file", "take"],
        ["5-9-A-40.wav", "5", "40", "helicopter", "True", "9", "A"],
        ["1-7-A-0.wav", "1", "0", "dog", "True", "7", "A"],
        ["2-8-A-2.wav", "2", "2", "pig", "False", "8", "A"],
        ["2-8-B-2.wav", "2", "2", "pig", "False", "8", "B"],
    ]
    touch(tmp_path, "meta/esc50.csv", *(f"audio/{row[0]}" for row in rows[1:]))
    with open(tmp_path / "meta/esc50.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return tmp_path


def test_load_esc_reads_the_layout_of_2015_from_file_names(tmp_path):
    touch(
        tmp_path,
        "002 - Rain/2-17367-B.ogg",
        "002 - Rain/1-17367-A.ogg",
        "001 - Dog bark/1-100032-A.ogg",
        "README.txt",
    )
    bunch = load_esc(tmp_path)
    assert bunch.target_names == ["Dog bark", "Rain"]
    assert labels(bunch) == ["Dog bark", "Rain", "Rain"]
    assert bunch.filenames[0] == "001 - Dog bark/1-100032-A.ogg"
    assert bunch.data[0] == str(tmp_path / bunch.filenames[0])
    assert bunch.groups.tolist() == ["100032", "17367", "17367"]
    assert bunch.folds.tolist() == [[1, 0], [1, 0], [0, 1]]
    assert bunch.DESCR.startswith("ESC-10")


def test_load_esc_reads_todays_layout_from_its_table(esc50):
    bunch = load_esc(esc50)
    assert bunch.target_names == ["dog", "pig", "helicopter"]
    assert labels(bunch) == ["helicopter", "dog", "pig", "pig"]
    assert bunch.filenames[0] == "audio/5-9-A-40.wav"
    assert bunch.groups.tolist() == ["9", "7", "8", "8"]
    assert bunch.folds.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert bunch.DESCR.startswith("ESC-50")


def test_load_esc_warns_about_unlisted_clips_and_omits_them(esc50):
    touch(esc50, "audio/extra.wav")
    for subset in (None, "esc10"):
        with pytest.warns(UserWarning, match=r"1 audio files .*'audio/extra.wav', are") as caught:
            load_esc(esc50, subset=subset)
        assert caught[0].filename == __file__


def test_load_esc_takes_the_esc10_subset_from_the_table(esc50):
    bunch = load_esc(esc50, subset="esc10")
    assert bunch.target_names == ["dog", "helicopter"]
    assert labels(bunch) == ["helicopter", "dog"]
    assert "CC BY 3.0" in bunch.DESCR


def test_load_esc_warns_about_a_single_fold_and_omits_it(tmp_path):
    touch(tmp_path, "001 - Dog bark/4-1-A.ogg", "002 - Rain/4-2-A.ogg")
    with pytest.warns(UserWarning, match="All 2 clips .* belong to fold 4"):
        bunch = load_esc(tmp_path)
    assert bunch.folds.shape == (2, 0)
    assert bunch.cv == []


def test_load_esc_counts_and_names_missing_clips(esc50):
    (esc50 / "audio/1-7-A-0.wav").unlink()
    (esc50 / "audio/2-8-B-2.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"2 of the 4 files .* first 'audio/1-7-A-0.wav'"):
        load_esc(esc50)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("target,", "label,", "column 'target', which occurs 0 times.*Columns there: 'filename'"),
        ("B-2.wav,2,2,pig", "B-2.wav,2,2,cow", "class 2 as 'pig' and as 'cow'"),
        ("A-0.wav,1,0,", "A-0.wav,1,zero,", "class number 'zero' for clip 'audio/1-7-A-0.wav'"),
        ("A-0.wav,1,0,", "A-0.wav,,0,", "fold '' for clip '1-7-A-0.wav'"),
        ("5-9-A-40.wav", "../../5-9-A-40.wav", "not below"),
    ],
)
def test_load_esc_refuses_a_broken_table(esc50, old, new, message):
    table = esc50 / "meta/esc50.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        load_esc(esc50)


def test_load_esc_refuses_another_folder_and_says_what_it_looked_for(tmp_path):
    touch(tmp_path, "dog/a.wav")
    with pytest.raises(FileNotFoundError, match=r"no meta/esc50.csv.*'dog/a.wav'.*001 - Dog bark"):
        load_esc(tmp_path)
    with pytest.raises(ValueError, match="subset='esc50', expected None or 'esc10'"):
        load_esc(tmp_path, subset="esc50")


def test_load_esc_takes_all_of_esc10_of_2015_as_the_subset(tmp_path):
    touch(tmp_path, "001 - Dog bark/1-1-A.ogg", "010 - Fire crackling/2-2-A.ogg")
    bunch, whole = load_esc(tmp_path, subset="esc10"), load_esc(tmp_path)
    assert bunch.filenames.tolist() == whole.filenames.tolist()
    assert bunch.DESCR.startswith("ESC-10")


def test_load_esc_refuses_the_subset_of_esc50_of_2015(tmp_path):
    touch(tmp_path, "101 - Dog/1-1-A.ogg", "210 - Rain/2-2-A.ogg")
    assert load_esc(tmp_path).DESCR.startswith("ESC-50")
    with pytest.raises(ValueError, match=r"subset='esc10' .* is ESC-50 without meta/esc50.csv"):
        load_esc(tmp_path, subset="esc10")


def test_load_esc_refuses_a_subset_without_clips(esc50):
    table = esc50 / "meta/esc50.csv"
    table.write_text(table.read_text().replace("True", "False"))
    with pytest.raises(ValueError, match=r"no row .* is in it"):
        load_esc(esc50, subset="esc10")


@pytest.mark.skipif(not (SHARED / "esc-10").is_dir(), reason="ESC-10 is not here")
def test_the_published_esc10_has_five_even_folds_that_share_no_recording():
    bunch = load_esc(SHARED / "esc-10")
    assert len(bunch.data) == 400
    assert bunch.target_names[:3] == ["Dog bark", "Rain", "Sea waves"]
    assert np.bincount(bunch.target).tolist() == [40] * 10
    assert bunch.folds.sum(axis=0).tolist() == [80] * 5
    for train, test in bunch.cv:
        assert not set(bunch.groups[train]) & set(bunch.groups[test])


@pytest.mark.skipif(not (SHARED / "esc-50-layout").is_dir(), reason="the excerpt is not here")
def test_load_esc_orders_the_classes_of_esc50_by_number():
    with pytest.warns(UserWarning, match="All 6 clips .* belong to fold 4"):
        bunch = load_esc(SHARED / "esc-50-layout")
    assert bunch.target_names == ["dog", "rooster", "rain", "sneezing", "helicopter", "chainsaw"]
    assert bunch.groups[0] == "125929"
