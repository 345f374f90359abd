"""Readers of named corpora: each on its real form, and on every way to break it."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep.datasets import (
    load_compare,
    load_dataset,
    load_dcase,
    load_gtzan,
    load_urbansound8k,
)
from skaudeep.datasets.corpora import COMPARE, CORPORA

SHARED = Path(__file__).parents[3] / "shared"
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


def change(file, old, new):
    """Break a corpus in one place."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def labels(bunch):
    """Class name of each clip, None where unlabelled."""
    return [bunch.target_names[label] if label >= 0 else None for label in bunch.target]


# UrbanSound8K


@pytest.fixture
def urbansound(tmp_path):
    rows = [
        ("100032-3-0-0.wav", "100032", "0.0", "0.317551", "1", "5", "3", "dog_bark"),
        ("100263-2-0-117.wav", "100263", "58.5", "62.5", "1", "5", "2", "children_playing"),
        ("102305-6-0-0.wav", "102305", "0.0", "2.611610", "1", "10", "6", "gun_shot"),
        ("100263-2-0-121.wav", "100263", "60.5", "64.5", "1", "5", "2", "children_playing"),
    ]
    header = "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
    table = header + "".join(",".join(row) + "\n" for row in rows)
    write(tmp_path, {"metadata/UrbanSound8K.csv": table, "FREESOUNDCREDITS.txt": ""})
    return touch(tmp_path, *(f"audio/fold{row[5]}/{row[0]}" for row in rows))


def test_load_urbansound8k_reads_its_table(urbansound):
    bunch = load_urbansound8k(urbansound)
    assert bunch.filenames[2] == "audio/fold10/102305-6-0-0.wav"
    assert bunch.data[2] == str(urbansound / bunch.filenames[2])
    assert bunch.target_names == ["children_playing", "dog_bark", "gun_shot"]
    assert labels(bunch) == ["dog_bark", "children_playing", "gun_shot", "children_playing"]
    assert bunch.folds.tolist() == [[1, 0], [1, 0], [0, 1], [1, 0]]
    assert bunch.groups.tolist() == ["100032", "100263", "102305", "100263"]
    assert bunch.DESCR.startswith("UrbanSound8K, sounds of cities: 4 clips, 3 classes")


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        (",5,3,", ",five,3,", ValueError, "fold 'five' for clip '100032-3-0-0.wav'"),
        (",5,3,", ",5,dog,", ValueError, "class number 'dog' for clip '100032-3-0-0.wav'"),
        (",6,gun_shot", ",3,gun_shot", ValueError, "class 3 as 'dog_bark' and as 'gun_shot'"),
        ("classID", "class_id", ValueError, "column 'classID', which occurs 0 times"),
        ("-121.wav", "-117.wav", ValueError, "more than once, first 'audio/fold5/100263-2-0-117"),
        ("102305-6-0-0.wav", "../../../a.wav", ValueError, "'audio/fold10/../../../a.wav', which"),
        (",10,6,", ",9,6,", FileNotFoundError, "1 of the 4 files .*'audio/fold9/102305-6-0-0.wav'"),
    ],
)
@pytest.mark.filterwarnings("ignore:1 audio files")
def test_load_urbansound8k_refuses_a_broken_table(urbansound, old, new, error, message):
    change(urbansound / "metadata/UrbanSound8K.csv", old, new)
    with pytest.raises(error, match=message):
        load_urbansound8k(urbansound)


def test_load_urbansound8k_counts_and_omits_unlisted_clips(urbansound):
    touch(urbansound, "audio/fold3/1-1-0-0.wav", "audio/fold3/._1-1-0-0.wav")
    message = "1 audio files below .*audio', first 'audio/fold3/1-1-0-0.wav', are not listed"
    with pytest.warns(UserWarning, match=message):
        bunch = load_urbansound8k(urbansound)
    assert len(bunch.data) == 4


def test_load_urbansound8k_warns_about_a_single_fold_and_omits_it(urbansound):
    change(urbansound / "metadata/UrbanSound8K.csv", ",10,6,", ",5,6,")
    (urbansound / "audio/fold10/102305-6-0-0.wav").rename(
        urbansound / "audio/fold5/102305-6-0-0.wav"
    )
    with pytest.warns(UserWarning, match="All 4 clips .* belong to fold 5") as caught:
        bunch = load_urbansound8k(urbansound)
    assert bunch.cv == []
    assert caught[0].filename == __file__


# DCASE


@pytest.fixture
def tut(tmp_path):
    """TUT 2017: four clips of three places, two folds."""
    clips = {
        "audio/b020_90_100.wav": ("beach", "b020"),
        "audio/b020_110_120.wav": ("beach", "b020"),
        "audio/a001_0_10.wav": ("bus", "a001"),
        "audio/b100_0_10.wav": ("beach", "b100"),
    }
    scenes = [f"{name}\t{scene}\n" for name, (scene, _) in clips.items()]
    write(
        tmp_path,
        {
            "meta.txt": "".join(f"{n}\t{scene}\t{place}\n" for n, (scene, place) in clips.items()),
            "evaluation_setup/fold1_train.txt": scenes[0] + scenes[1],
            "evaluation_setup/fold1_test.txt": "".join(f"{name}\n" for name in list(clips)[2:]),
            "evaluation_setup/fold1_evaluate.txt": scenes[2] + scenes[3],
            "evaluation_setup/fold2_train.txt": scenes[2] + scenes[3] + scenes[1],
            "evaluation_setup/fold2_evaluate.txt": scenes[0],
        },
    )
    return touch(tmp_path, *clips)


def test_load_dcase_reads_scenes_with_their_folds_and_locations(tut):
    bunch = load_dcase(tut)
    assert bunch.filenames[0] == "audio/b020_90_100.wav"
    assert labels(bunch) == ["beach", "beach", "bus", "beach"]
    assert bunch.groups.tolist() == ["b020", "b020", "a001", "b100"]
    assert bunch.folds.tolist() == [[0, 1], [0, 0], [1, 0], [1, 0]]
    assert bunch.cv[1][1].tolist() == [0]
    assert bunch.DESCR.startswith("TUT acoustic scenes, 2016 and 2017: 4 clips, 2 classes")


def test_load_dcase_reads_lists_with_headers_by_column_name(tmp_path):
    """The scenes of 2018 and later."""
    write(
        tmp_path,
        {
            "meta.csv": "filename\tscene_label\tidentifier\tsource_label\n"
            "audio/bus-oslo-1-1-a.wav\tbus\toslo-1\ta\n"
            "audio/tram-oslo-2-2-a.wav\ttram\toslo-2\ta\n"
            "audio/tram-bonn-2-2-a.wav\ttram\tbonn-2\ta\n",
            "evaluation_setup/fold1_train.csv": "filename\tscene_label\n"
            "audio/bus-oslo-1-1-a.wav\tbus\n",
            "evaluation_setup/fold1_test.csv": "filename\naudio/tram-oslo-2-2-a.wav\n",
        },
    )
    clips = ["bus-oslo-1-1-a.wav", "tram-oslo-2-2-a.wav", "tram-bonn-2-2-a.wav"]
    touch(tmp_path, *(f"audio/{clip}" for clip in clips))
    with pytest.warns(UserWarning, match=r"1 of 3 clips .* first 'audio/tram-bonn-2-2-a.wav'"):
        bunch = load_dcase(tmp_path)
    assert bunch.groups.tolist() == ["oslo-1", "oslo-2"]
    assert bunch.folds.tolist() == [[0], [1]]
    assert bunch.DESCR.startswith("DCASE acoustic scenes")


def test_load_dcase_orders_folds_by_number(tut):
    for file in (tut / "evaluation_setup").iterdir():
        file.rename(file.with_name(file.name.replace("fold1", "fold9").replace("fold2", "fold10")))
    assert load_dcase(tut).folds.tolist() == [[0, 1], [0, 0], [1, 0], [1, 0]]


def test_load_dcase_warns_about_scenes_that_no_list_names_and_omits_them(tut):
    touch(tut, "audio/x.wav")
    with pytest.warns(UserWarning, match=r"1 audio files .*'audio/x.wav', are not") as caught:
        assert len(load_dcase(tut).data) == 4
    assert caught[0].filename == __file__


def test_load_dcase_warns_about_scenes_without_folds(tut):
    for file in (tut / "evaluation_setup").iterdir():
        file.unlink()
    with pytest.warns(UserWarning, match="no lists such as fold1_train.txt") as caught:
        assert load_dcase(tut).folds.shape == (4, 0)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("file", "old", "new", "error", "message"),
    [
        ("meta.txt", "bus\ta001", "bus", ValueError, "2 columns in line 3 of meta.txt"),
        ("meta.txt", "\t", ",", ValueError, "columns 'filename' in meta.txt.*'scene_label'"),
        ("meta.txt", "a001_0_10", "b100_0_10", ValueError, "'audio/b100_0_10.wav' twice in meta"),
        ("meta.txt", "audio/a001", "/a001", ValueError, "'/a001_0_10.wav', which is not below"),
        (
            *("evaluation_setup/fold2_train.txt", "a001_0_10", "a001_9_10", ValueError),
            "'audio/a001_9_10.wav' in fold2_train.txt, which is not in the list of all clips",
        ),
        (
            *("evaluation_setup/fold1_evaluate.txt", "bus", "beach", ValueError),
            "'audio/a001_0_10.wav' as 'beach' in fold1_evaluate.txt and as 'bus'",
        ),
        (
            *("evaluation_setup/fold2_evaluate.txt", "b020_90_100", "b020_110_120", ValueError),
            "'audio/b020_110_120.wav' in fold2_train.txt and in fold2_evaluate.txt",
        ),
        (
            *("evaluation_setup/fold2_train.txt", "audio/a001_0_10.wav\tbus\n", "", ValueError),
            "'audio/a001_0_10.wav' in neither list of fold 2",
        ),
    ],
)
def test_load_dcase_refuses_broken_or_contradictory_lists(tut, file, old, new, error, message):
    change(tut / file, old, new)
    with pytest.raises(error, match=message):
        load_dcase(tut)


def test_load_dcase_names_missing_lists_and_clips(tut):
    (tut / "audio/a001_0_10.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of the 4 files .* 'audio/a001_0_10.wav'"):
        load_dcase(tut)
    (tut / "evaluation_setup/fold2_evaluate.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"fold2_train.txt without fold2_evaluate in"):
        load_dcase(tut)
    (tut / "evaluation_setup/fold2_train.txt").rename(tut / "evaluation_setup/fold2_test.txt")
    with pytest.raises(FileNotFoundError, match=r"fold2_test.txt without fold2_train in"):
        load_dcase(tut)
    (tut / "evaluation_setup/fold2_test.txt").unlink()
    (tut / "evaluation_setup/fold1_train.txt").write_text("")
    with pytest.raises(ValueError, match=r"fold1_train.txt in .* without clips"):
        load_dcase(tut)
    (tut / "meta.txt").write_bytes("b\xe4ch.wav\tbeach".encode("latin-1"))
    with pytest.raises(ValueError, match=r"list meta.txt in .* not UTF-8 text \(byte 1\)"):
        load_dcase(tut)
    (tut / "meta.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"neither meta.txt or meta.csv with .*/weak.csv"):
        load_dcase(tut)


@pytest.fixture
def home(tmp_path):
    """DCASE 2018, task 4: weak labels, none, and events with times."""
    write(
        tmp_path,
        {
            "metadata/train/weak.csv": "filename\tevent_labels\n"
            "Ya.wav\tSpeech,Dog,Cat,Alarm\nYb.wav\tCat\n",
            "metadata/train/unlabel_in_domain.csv": "filename\nYc.wav\nYgone.wav\n",
            "metadata/test/test.csv": "filename\tonset\toffset\tevent_label\n"
            "Yd.wav\t0.0\t1.5\tDog\nYd.wav\t2.0\t3.5\tSpeech\nYd.wav\t4.0\t4.5\tDog\n"
            "Ye.wav\t1.0\t3.5\tCat\n",
        },
    )
    return touch(
        *(tmp_path, "audio/train/weak/Ya.wav", "audio/train/weak/Yb.wav"),
        *("audio/train/unlabel_in_domain/Yc.wav", "audio/test/Yd.wav", "audio/test/Ye.wav"),
    )


def test_load_dcase_reads_sets_of_sound_events_with_partitions(home):
    with pytest.warns(UserWarning, match=r"1 of the 6 clips .*unlabel_in_domain/Ygone.wav'"):
        bunch = load_dcase(home)
    found = dict(
        zip(bunch.filenames, zip(labels(bunch), bunch.partition, strict=True), strict=True)
    )
    assert found == {
        "audio/train/weak/Ya.wav": ("Alarm,Cat,Dog,Speech", "train"),
        "audio/train/weak/Yb.wav": ("Cat", "train"),
        "audio/train/unlabel_in_domain/Yc.wav": (None, "train"),
        "audio/test/Yd.wav": ("Dog,Speech", "test"),
        "audio/test/Ye.wav": ("Cat", "test"),
    }


def test_load_dcase_refuses_sound_events_without_clips_or_in_unknown_partitions(home):
    write(home, {"metadata/extra/x.csv": "filename\nYa.wav\n"})
    with pytest.raises(ValueError, match=r"list x.csv in metadata/extra .* expected metadata/ to"):
        load_dcase(home)
    (home / "metadata/extra/x.csv").unlink()
    for clip in home.glob("audio/**/*.wav"):
        clip.unlink()
    with pytest.raises(FileNotFoundError, match="6 of the 6 files"):
        load_dcase(home)


# GTZAN


@pytest.mark.parametrize("folder", ["genres", "genres_original"])
def test_load_gtzan_reads_either_folder_also_from_inside(tmp_path, folder):
    clips = ["blues/blues.00000.wav", "jazz/jazz.00053.wav", "blues/blues.00001.au"]
    touch(tmp_path, *(f"{folder}/{clip}" for clip in clips), f"{folder}/bextract_single.mf")
    bunch = load_gtzan(tmp_path)
    assert bunch.filenames.tolist() == [
        f"{folder}/{clip}" for clip in ("blues/blues.00000.wav", "blues/blues.00001.au", clips[1])
    ]
    assert labels(bunch) == ["blues", "blues", "jazz"]
    assert bunch.cv == []
    inside = load_gtzan(tmp_path / folder)
    assert inside.data.tolist() == bunch.data.tolist()
    assert inside.filenames[2] == "jazz/jazz.00053.wav"


def test_load_gtzan_warns_about_the_corrupt_clip_and_omits_it_unless_kept(tmp_path):
    touch(tmp_path, "genres/jazz/jazz.00053.wav", "genres/jazz/jazz.00054.wav")
    with pytest.warns(UserWarning, match=r"'jazz/jazz.00054.wav' .* is left out.*keep_corrupt"):
        bunch = load_gtzan(tmp_path)
    assert bunch.filenames.tolist() == ["genres/jazz/jazz.00053.wav"]
    assert len(load_gtzan(tmp_path, keep_corrupt=True).data) == 2


@pytest.mark.parametrize("stray", ["blues/pop.00001.wav", "x.wav", "blues/blues.1.wav"])
def test_load_gtzan_refuses_a_file_that_is_not_named_like_its_clips(tmp_path, stray):
    touch(tmp_path, "genres/blues/blues.00000.wav", f"genres/{stray}")
    with pytest.raises(FileNotFoundError, match=f"file '{stray}' .*blues/blues.00000.wav"):
        load_gtzan(tmp_path)


def test_load_gtzan_refuses_a_folder_without_genres(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither 'genres' nor 'genres_original'"):
        load_gtzan(tmp_path)


# ComParE


def compare(root, tables):
    """Write a ComParE corpus; each table is a name and rows, its clips are taken from the rows."""
    for name, text in tables.items():
        write(root, {f"lab/{name}": text})
        for row in text.splitlines()[1:]:
            touch(root, "wav/" + re.split("[,\t]", row)[0])
    return root


def test_load_compare_recognises_a_corpus_of_2018_by_its_label_file(tmp_path):
    text = "file_name\temotion\ntrain_0001.wav\thappy\ndevel_0001.wav\tsad\ntest_0001.wav\t?\n"
    bunch = load_compare(compare(tmp_path, {"ComParE2018_AtypicalAffect.tsv": text}))
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
    bunch = load_compare(tmp_path)
    assert labels(bunch) == ["orca", "noise"]
    (tmp_path / "lab" / table).unlink()
    assert labels(load_compare(tmp_path)) == ["orca", "noise"]


def test_load_compare_reads_sleepiness_as_regression(tmp_path):
    rows = "".join(f"train_{i}.wav,{i}\n" for i in range(1, 10))
    text = f"file_name,label\n{rows}test_1.wav,?\n"
    for root, corpus in (
        (tmp_path / "here", None),
        (tmp_path / "ComParE2019_ContinuousSleepiness", None),
        (tmp_path / "ComParE2019_ContinuousSleepiness" / "dist", None),
        (tmp_path / "ComParE2019_OrcaActivity", "ComParE2019_ContinuousSleepiness"),
    ):
        bunch = load_compare(compare(root, {"labels.csv": text}), corpus=corpus)
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
        load_compare(root)
    assert labels(load_compare(root, target="A_cat")) == ["H", "L"]
    assert labels(load_compare(root, target="V_cat")) == ["L", "M"]
    assert "Elderly Emotion" in load_compare(root, target="V_cat").DESCR


def test_load_compare_reads_one_table_per_partition_of_2021(tmp_path):
    compare(
        tmp_path,
        {
            "train.csv": "filename,label\ntrain_000.wav,positive\n",
            "devel.csv": "filename,label\ndevel_000.wav,negative\n",
            "test.csv": "filename,label\ntest_000.wav,?\n",
        },
    )
    bunch = load_compare(tmp_path)
    assert labels(bunch) == ["positive", "negative", None]
    assert bunch.partition.tolist() == list(ALIASES)
    # these labels are those of two corpora
    assert "COVID-19 Cough" in bunch.DESCR
    assert "COVID-19 Speech" in bunch.DESCR
    assert "Speech:" not in load_compare(tmp_path, corpus="ComParE2021_CCS").DESCR
    root = tmp_path / "ComParE2021_CSS/dist"
    root.mkdir(parents=True)
    for folder in ("lab", "wav"):
        (tmp_path / folder).rename(root / folder)
    assert "Cough:" not in load_compare(root).DESCR
    write(root, {"lab/test_confidential.csv": "filename,label\ntest_000.wav,negative\n"})
    assert labels(load_compare(root)) == ["positive", "negative", "negative"]


def test_load_compare_recognises_a_corpus_by_its_classes_where_no_name_states_it(tmp_path):
    with_labels = [row for row in COMPARE if row.labels]
    assert len(with_labels) == 8
    for row in with_labels:
        text = "".join(f"train_{i}.wav,{label}\n" for i, label in enumerate(sorted(row.labels)))
        bunch = load_compare(
            compare(tmp_path / row.title, {"labels.csv": f"filename,label\n{text}"})
        )
        assert row.title in bunch.DESCR
        assert bunch.target.dtype.kind == ("f" if row.task == "regression" else "i")


def test_load_compare_reads_an_unknown_corpus(tmp_path):
    text = "filename,label\ntrain_1.wav,up\ntrain_2.wav,down\n"
    bunch = load_compare(compare(tmp_path, {"labels.csv": text}))
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
        load_compare(tmp_path)


def test_load_compare_refuses_other_folders_and_warns_about_unlisted_clips(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no lab/\*.tsv, lab/labels.csv or lab/train.csv"):
        load_compare(tmp_path)
    compare(tmp_path, {"labels.csv": "filename,label\ntrain_1.wav,mask\n"})
    touch(tmp_path, "wav/test_1.wav")
    with pytest.warns(UserWarning, match=r"1 audio files .* first 'wav/test_1.wav', are not"):
        load_compare(tmp_path)
    with pytest.raises(ValueError, match="corpus='ComParE2020', expected one of 'ComParE2018_At"):
        load_compare(tmp_path, corpus="ComParE2020")


def test_every_corpus_in_the_table_has_a_description():
    corpora = [*CORPORA.values(), *(row.corpus for row in COMPARE)]
    assert len({corpus.title for corpus in corpora}) == len(corpora) == 8 + 14
    for corpus in corpora:
        text = corpus.describe(3, 2)
        assert text.startswith(f"{corpus.title}: 3 clips, 2 classes\n\nLicence: ")
        assert "Proc." in text or "Transactions" in text


content = st.binary(max_size=60) | st.text('atrin_.,?\t"\n\r\0/wv', max_size=40).map(str.encode)


@pytest.mark.filterwarnings("ignore:1 audio files")
@pytest.mark.filterwarnings("ignore:.*holds no lists such as fold1_train.txt")
@settings(deadline=None, max_examples=200)
@given(head=st.sampled_from([b"", b"filename\tscene_label\n", b"filename,label\n"]), rest=content)
def test_load_dcase_and_load_compare_read_or_refuse_any_text_without_another_error(
    tmp_path_factory, head, rest
):
    root = tmp_path_factory.getbasetemp() / "fuzz"
    touch(root, "audio/train/a", "evaluation_setup/x", "wav/train_.wav", "audio/a.wav")
    for name, load in (("meta.txt", load_dcase), ("lab/labels.csv", load_compare)):
        touch(root, name)
        (root / name).write_bytes(head + rest)
        try:
            n_clips, message = len(load(root).data), ""
        except (ValueError, FileNotFoundError) as error:
            n_clips, message = 0, str(error)
        assert n_clips > 0 or message.startswith(("Got ", "Found "))


# load_dataset


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
    assert load_dataset(root).DESCR.endswith("Read by: load_compare\n")


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
    for reader in ("esc", "urbansound8k", "dcase", "gtzan", "compare"):
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
