"""`load_dataset` finds the reader of a folder, and says why where it finds none."""

import re
from pathlib import Path

import pytest

from skaudeep.datasets import load_dataset

SHARED = Path(__file__).parents[3] / "shared"


def touch(root, *names):
    """Write empty files: readers never open a clip."""
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def write(root, files):
    for name, text in files.items():
        touch(root, name)
        (root / name).write_text(text, encoding="utf-8")
    return root


def labels(bunch):
    """Class name of each clip, None where unlabelled."""
    return [bunch.target_names[label] if label >= 0 else None for label in bunch.target]


def compare(root, tables):
    """Write a ComParE corpus; each table is a name and rows, its clips are taken from the rows."""
    for name, text in tables.items():
        write(root, {f"lab/{name}": text})
        for row in text.splitlines()[1:]:
            touch(root, "wav/" + re.split("[,\t]", row)[0])
    return root


def test_load_dataset_chooses_the_reader_and_names_it(tmp_path, urbansound):
    corpora = {
        "load_esc": ["001 - Dog bark/1-1-A.ogg", "002 - Rain/2-2-A.ogg"],
        "load_gtzan": ["genres/jazz/jazz.00001.wav"],
        "load_folder": ["cat/a.wav", "dog/b.wav"],
    }
    for reader, clips in corpora.items():
        bunch = load_dataset(touch(tmp_path / reader, *clips))
        assert bunch.DESCR.endswith(f"\nRead by: {reader}\n")
        assert len(bunch.target_names) == len({clip.split("/")[-2] for clip in clips})
    assert load_dataset(urbansound).DESCR.endswith("Read by: load_urbansound8k\n")


@pytest.mark.parametrize(
    ("clips", "n_folds", "partition"),
    [
        (["fold_1/cat/a.wav", "fold_2/dog/b.wav"], 2, ["", ""]),
        (["test/cat/a.wav", "train/dog/b.wav"], 0, ["test", "train"]),
        (["cat/a.wav", "dog/b.wav"], 0, ["", ""]),
    ],
)
def test_load_dataset_reads_labels_from_folder_names(tmp_path, clips, n_folds, partition):
    bunch = load_dataset(touch(tmp_path, *clips))
    assert labels(bunch) == ["cat", "dog"]
    assert len(bunch.cv) == n_folds
    assert bunch.partition.tolist() == partition


def test_load_dataset_recognises_dcase_and_compare(tut):
    assert load_dataset(tut).DESCR.endswith("Read by: load_dcase\n")
    root = compare(tut / "other", {"labels.csv": "filename,label\ntrain_1.wav,mask\n"})
    assert load_dataset(root).DESCR.endswith("Read by: load_compare_challenge\n")


def test_load_dataset_refuses_a_folder_that_several_readers_recognise(tut):
    touch(tut, "genres/jazz/jazz.00001.wav", "meta/esc50.csv")
    message = "3 readers know: load_esc found meta/esc50.csv.*load_dcase found.*load_gtzan found"
    with pytest.raises(ValueError, match=message):
        load_dataset(tut)


def test_load_dataset_warns_with_what_each_reader_missed_where_nothing_is_labelled(tmp_path):
    touch(tmp_path, "ann/mon/a.wav", "bob/tue/b.wav")
    with pytest.warns(UserWarning, match="read as unlabelled clips") as caught:
        bunch = load_dataset(tmp_path)
    assert bunch.target.tolist() == [-1, -1]
    message = str(caught[0].message)
    for reader in ("esc", "urbansound8k", "dcase", "gtzan", "compare_challenge"):
        assert f"load_{reader} did not find " in message
    assert "as with 'ann/mon/a.wav'" in message
    assert caught[0].filename == __file__


def test_load_dataset_mentions_a_table_in_the_folder(tmp_path):
    touch(tmp_path, "audio/a.wav", "labels.csv")
    with pytest.warns(UserWarning, match=r"For the file 'labels\.csv' in it see load_table"):
        load_dataset(tmp_path)


def test_load_dataset_names_a_corpus_in_a_subfolder(tmp_path, urbansound):
    root = tmp_path / "download"
    root.mkdir()
    for name in ("audio", "metadata"):
        (root / "US8K" / name).parent.mkdir(exist_ok=True)
        (urbansound / name).rename(root / "US8K" / name)
    with pytest.raises(ValueError, match=r"no corpus but holds some: 'US8K' \(load_urbansound8k\)"):
        load_dataset(root)


def test_load_dataset_names_several_corpora_in_subfolders(tmp_path):
    clips = {
        "ESC": ["001 - Dog bark/1-1-A.ogg", "002 - Rain/2-2-A.ogg"],
        "words": ["bed/a.wav", "cat/b.wav"],
        "parts": ["train/bed/a.wav", "test/bed/b.wav"],
        "more": ["a.wav"],
    }
    for name, files in clips.items():
        touch(tmp_path / name, *files)
    found = r"'ESC' \(load_esc\), 'parts' \(partitions\), 'words' \(classes\)\. Load"
    with pytest.raises(ValueError, match=found):
        load_dataset(tmp_path)


def test_load_dataset_does_not_take_nested_folders_for_corpora(tmp_path):
    touch(tmp_path, "2019/june/a.wav", "2019/july/b.wav", "2020/june/c.wav", "2020/july/d.wav")
    with pytest.warns(UserWarning, match="read as unlabelled clips"):
        assert len(load_dataset(tmp_path).data) == 4


def test_load_dataset_refuses_a_path_without_audio(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_dataset(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no audio file .*; load_esc did not find"):
        load_dataset(tmp_path)
    touch(tmp_path, "features.nc")
    with pytest.raises(FileNotFoundError, match=r"'features.nc' in it see skaudeep\.load"):
        load_dataset(tmp_path)
    with pytest.raises(NotADirectoryError, match="by load_table, NetCDF files by"):
        load_dataset(tmp_path / "features.nc")


@pytest.mark.skipif(not (SHARED / "esc-10").is_dir(), reason="ESC-10 is not here")
def test_load_dataset_reads_the_published_esc10():
    bunch = load_dataset(SHARED / "esc-10")
    assert len(bunch.data) == 400
    assert bunch.folds.sum(axis=0).tolist() == [80] * 5
    assert bunch.DESCR.endswith("Read by: load_esc\n")


@pytest.mark.skipif(not (SHARED / "esc-50-layout").is_dir(), reason="the excerpt is not here")
def test_load_dataset_reads_an_excerpt_of_esc50():
    with pytest.warns(UserWarning, match="All 6 clips .* belong to fold 4"):
        bunch = load_dataset(SHARED / "esc-50-layout")
    assert bunch.DESCR.startswith("ESC-50")


def test_options_reach_the_reader_that_knows_the_folder(tmp_path):
    table = "filename,fold,target,category,esc10,src_file,take\n"
    rows = "1-1-A-0.wav,1,0,dog,True,1,A\n2-2-A-1.wav,2,1,rooster,False,2,A\n"
    rows += "2-3-A-0.wav,2,0,dog,True,3,A\n"
    names = [f"audio/{row.split(',')[0]}" for row in rows.splitlines()]
    esc = write(touch(tmp_path / "esc", *names), {"meta/esc50.csv": table + rows})
    assert load_dataset(esc).target_names == ["dog", "rooster"]
    assert load_dataset(esc, subset="esc10").target_names == ["dog"]


def test_options_reach_load_folder_where_no_corpus_is_known(tmp_path):
    birds = touch(tmp_path / "birds", "train/1.wav", "test/2.wav")
    assert load_dataset(birds, layout="classes").target_names == ["test", "train"]
    assert load_dataset(birds, layout="files").target_names == []
    with pytest.raises(ValueError, match="Got layout='class', expected 'auto'"):
        load_dataset(birds, layout="class")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["birds/owl/1.wav", "birds/crow/2.wav"],
            "by load_folder, with the options 'layout'",
        ),
        (
            ["birds/genres/blues/blues.00000.wav"],
            "by load_gtzan, with the options 'keep_corr",
        ),
    ],
)
def test_an_option_that_the_reader_does_not_have_is_an_error_that_names_those_it_has(
    tmp_path, files, message
):
    root = touch(tmp_path, *files) / "birds"
    with pytest.raises(TypeError, match=f"Got subset='esc10'.*{message}"):
        load_dataset(root, subset="esc10")
