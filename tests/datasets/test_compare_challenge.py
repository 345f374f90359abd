"""ComParE: on its real forms, and on every way to break them."""

import re

import numpy as np
import pytest

from skaudeep.datasets import load_compare_challenge
from skaudeep.datasets.corpora import COMPARE

ALIASES = ("train", "devel", "test")


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


def test_load_compare_recognises_a_corpus_of_2018_by_its_label_file(tmp_path):
    text = "file_name\temotion\ntrain_0001.wav\thappy\ndevel_0001.wav\tsad\ntest_0001.wav\t?\n"
    bunch = load_compare_challenge(compare(tmp_path, {"ComParE2018_AtypicalAffect.tsv": text}))
    assert bunch.filenames.tolist() == [f"wav/{name}_0001.wav" for name in ALIASES]
    assert labels(bunch) == ["happy", "sad", None]
    assert bunch.partition.tolist() == list(ALIASES)
    assert bunch.DESCR.startswith("ComParE 2018, Atypical Affect: 3 clips, 2 classes")


@pytest.mark.parametrize(
    ("table", "twin"),
    [
        ("labels.csv", "labels_confidential.csv"),
        ("ComParE2018_Crying.tsv", "ComParE2018_Crying.confidential.tsv"),
        ("ComParE2018_Heartbeat.tsv", "ComParE2018_Heartbeat_confidential.tsv"),
    ],
)
def test_load_compare_prefers_the_confidential_label_file(tmp_path, table, twin):
    text = "file_name\tlabel\ntrain_1.wav\torca\ntest_1.wav\t?\n"
    compare(tmp_path, {table: text, twin: text.replace("?", "noise"), f"._{table}": text})
    bunch = load_compare_challenge(tmp_path)
    assert labels(bunch) == ["orca", "noise"]
    (tmp_path / "lab" / table).unlink()
    assert labels(load_compare_challenge(tmp_path)) == ["orca", "noise"]


def test_load_compare_reads_sleepiness_as_regression(tmp_path):
    rows = "".join(f"train_{i}.wav,{i}\n" for i in range(1, 10))
    text = f"file_name,label\n{rows}test_1.wav,?\n"
    for root, corpus in (
        (tmp_path / "here", None),
        (tmp_path / "ComParE2019_ContinuousSleepiness", None),
        (tmp_path / "ComParE2019_ContinuousSleepiness" / "dist", None),
        (tmp_path / "ComParE2019_OrcaActivity", "ComParE2019_ContinuousSleepiness"),
    ):
        bunch = load_compare_challenge(compare(root, {"labels.csv": text}), corpus=corpus)
        np.testing.assert_array_equal(bunch.target, [*range(1, 10), np.nan])
        assert bunch.target_names == []
        assert bunch.DESCR.startswith(
            "ComParE 2019, Continuous Sleepiness: 10 clips, values to regress on"
        )


def test_load_compare_needs_the_name_of_one_of_two_targets_of_elderly(tmp_path):
    header = "filename_audio,id_story,partition,filename_text,V_cat,A_cat\n"
    rows = "train_1_01.wav,1,train,train_1.txt,L,H\ndevel_1_01.wav,1,devel,devel_1.txt,M,L\n"
    root = compare(tmp_path / "ComParE2020_Elderly", {"labels.csv": header + rows})
    with pytest.raises(ValueError, match=r"'V_cat', 'A_cat' in .*expected one to learn.*target="):
        load_compare_challenge(root)
    assert labels(load_compare_challenge(root, target="A_cat")) == ["H", "L"]
    assert labels(load_compare_challenge(root, target="V_cat")) == ["L", "M"]
    assert "Elderly Emotion" in load_compare_challenge(root, target="V_cat").DESCR


def test_load_compare_reads_one_table_per_partition_of_2021(tmp_path):
    compare(
        tmp_path,
        {
            "train.csv": "filename,label\ntrain_000.wav,positive\n",
            "devel.csv": "filename,label\ndevel_000.wav,negative\n",
            "test.csv": "filename,label\ntest_000.wav,?\n",
        },
    )
    bunch = load_compare_challenge(tmp_path)
    assert labels(bunch) == ["positive", "negative", None]
    assert bunch.partition.tolist() == list(ALIASES)
    # these labels are those of two corpora
    assert "COVID-19 Cough" in bunch.DESCR
    assert "COVID-19 Speech" in bunch.DESCR
    assert "Speech:" not in load_compare_challenge(tmp_path, corpus="ComParE2021_CCS").DESCR
    root = tmp_path / "ComParE2021_CSS/dist"
    root.mkdir(parents=True)
    for folder in ("lab", "wav"):
        (tmp_path / folder).rename(root / folder)
    assert "Cough:" not in load_compare_challenge(root).DESCR
    write(root, {"lab/test_confidential.csv": "filename,label\ntest_000.wav,negative\n"})
    assert labels(load_compare_challenge(root)) == ["positive", "negative", "negative"]


def test_load_compare_recognises_a_corpus_by_its_classes_where_no_name_states_it(tmp_path):
    with_labels = [row for row in COMPARE if row.labels]
    assert len(with_labels) == 8
    for row in with_labels:
        text = "".join(f"train_{i}.wav,{label}\n" for i, label in enumerate(sorted(row.labels)))
        bunch = load_compare_challenge(
            compare(tmp_path / row.title, {"labels.csv": f"filename,label\n{text}"})
        )
        assert row.title in bunch.DESCR
        assert bunch.target.dtype.kind == ("f" if row.task == "regression" else "i")


def test_load_compare_reads_an_unknown_corpus(tmp_path):
    text = "filename,label\ntrain_1.wav,up\ntrain_2.wav,down\n"
    bunch = load_compare_challenge(compare(tmp_path, {"labels.csv": text}))
    assert labels(bunch) == ["up", "down"]
    assert bunch.DESCR == "A corpus of the ComParE challenges: 2 clips, 2 classes"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("clip,label\ntrain_1.wav,x\n", ValueError, "'clip', 'label' in .*'file_name', 'filename'"),
        ("filename\ntrain_1.wav\n", ValueError, "expected one to learn"),
        ("filename,label\n", ValueError, "without rows"),
        (
            "filename,label\nfoo_1.wav,x\n",
            ValueError,
            "'wav/foo_1.wav' .* begins with train, devel",
        ),
        ("filename,label\ntraining_1.wav,x\n", ValueError, "begins with train, devel"),
        ("filename,label\n../train_1.wav,x\n", ValueError, "not below"),
        ("filename,label\ntrain_1.wav,x\ntrain_1.wav,x\n", ValueError, "'wav/train_1.wav'"),
        ("filename,label\ntrain_1.wav,x\ntrain_9.wav,x\n", FileNotFoundError, "'wav/train_9.wav'"),
    ],
)
def test_load_compare_refuses_a_broken_label_file(tmp_path, text, error, message):
    touch(tmp_path, "wav/train_1.wav")
    write(tmp_path, {"lab/labels.csv": text})
    with pytest.raises(error, match=message):
        load_compare_challenge(tmp_path)


def test_load_compare_refuses_other_folders_and_warns_about_unlisted_clips(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no lab/\*.tsv, lab/labels.csv or lab/train.csv"):
        load_compare_challenge(tmp_path)
    compare(tmp_path, {"labels.csv": "filename,label\ntrain_1.wav,mask\n"})
    touch(tmp_path, "wav/test_1.wav")
    with pytest.warns(UserWarning, match=r"1 audio files .* first 'wav/test_1.wav', are not"):
        load_compare_challenge(tmp_path)
    with pytest.raises(ValueError, match="corpus='ComParE2020', expected one of 'ComParE2018_At"):
        load_compare_challenge(tmp_path, corpus="ComParE2020")
