"""Readers of corpora on disk, and the Bunch that all of them return."""

import csv
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from skaudeep.datasets import audit, load_esc, load_folder, load_table, make_bunch, make_sounds
from skaudeep.datasets.bunch import fold_columns

SHARED = Path(__file__).parents[3] / "shared"
KEYS = {
    *("data", "filenames", "target", "target_names", "folds", "cv", "partition", "groups"),
    *("dims", "DESCR"),
}


def touch(root, *names):
    """Write empty files: readers never open a clip."""
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def write_table(root, text, *clips, name="clips.csv", encoding="utf-8"):
    touch(root, name, *clips)
    (root / name).write_bytes(text.encode(encoding))
    return root / name


def labels(bunch):
    """Class name of each clip, None where unlabelled."""
    return [bunch.target_names[label] if label >= 0 else None for label in bunch.target]


# make_bunch

NAMES = ["a.wav", "b.wav", "c.wav"]


def test_every_reader_returns_the_same_keys_and_kinds(tmp_path):
    touch(tmp_path / "esc", "001 - Dog/1-10-A.ogg", "002 - Rain/2-11-A.ogg")
    touch(tmp_path / "plain", "x.wav")
    table = write_table(tmp_path, "file\nx.wav\n", "x.wav")
    for bunch in (
        load_esc(tmp_path / "esc"),
        load_folder(tmp_path / "plain"),
        load_table(table, path="file"),
        make_sounds(4, n_classes=2, n_sessions=2, random_state=0, folder=tmp_path / "sounds"),
        make_bunch(NAMES, NAMES),
    ):
        assert set(bunch) - {"sampling_rate"} == KEYS
        kinds = [bunch[key].dtype.kind for key in ("data", "filenames", "partition", "groups")]
        assert kinds == ["U"] * 4
        assert bunch.target.dtype == np.int64
        assert bunch.folds.dtype == np.int8
        assert bunch.folds.shape == (len(bunch.data), len(bunch.cv))
        assert isinstance(bunch.target_names, list)
        assert isinstance(bunch.DESCR, str)


def test_make_bunch_marks_unknown_labels_partitions_and_groups():
    bunch = make_bunch(NAMES, NAMES)
    assert bunch.target.tolist() == [-1, -1, -1]
    assert bunch.partition.tolist() == bunch.groups.tolist() == ["", "", ""]
    assert bunch.folds.shape == (3, 0)
    assert bunch.cv == []


def test_make_bunch_keeps_regression_targets_as_floats_with_nan_where_unlabelled():
    bunch = make_bunch(NAMES, NAMES, target=np.float32([0.5, np.nan, 2]))
    assert bunch.target.dtype == np.float64
    np.testing.assert_array_equal(bunch.target, [0.5, np.nan, 2])


def test_make_bunch_stores_missing_groups_and_partitions_as_empty_text():
    groups = [None, float("nan"), "x", "", 3]
    bunch = make_bunch(list("abcde"), list("abcde"), groups=groups)
    assert bunch.groups.tolist() == ["", "", "x", "", "3"]
    bunch = make_bunch(list("abc"), list("abc"), partition=[None, "train", ""])
    assert bunch.partition.tolist() == ["", "train", ""]


@pytest.mark.parametrize("key", ["data", "filenames"])
@pytest.mark.parametrize("value", ["ab", b"ab", {"a", "b"}])
def test_make_bunch_refuses_sets_and_single_texts(key, value):
    with pytest.raises(TypeError, match=f"Got {key} of type {type(value).__name__}, expected"):
        make_bunch(**{"data": ["a", "b"], "filenames": ["a", "b"]} | {key: value})


def test_make_bunch_keeps_data_other_than_lists_of_paths():
    features = np.zeros((3, 4), dtype=np.float32)
    assert make_bunch(features, NAMES).data is features
    assert make_bunch([Path("x", name) for name in NAMES], NAMES).data[2] == str(Path("x/c.wav"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filenames": [], "data": []}, "no clips"),
        ({"data": NAMES[:2]}, "data with 2 entries for 3 filenames"),
        ({"data": np.zeros((2, 5))}, "data with 2 entries for 3 filenames"),
        ({"filenames": ["a.wav", "b.wav", "a.wav"]}, "first 'a.wav'"),
        ({"target": [0, 1]}, "target with 2 entries for 3 filenames"),
        ({"target": [0, 1, 2]}, "target 2 for clip 'c.wav'.*index into the 2 target_names"),
        ({"target": [0, -2, 1]}, "target -2 for clip 'b.wav'"),
        ({"target": ["x", "y", "y"]}, "one integer .* or one float"),
        ({"target": [[0], [1], [1]]}, r"shape \(3, 1\)"),
        ({"target": [0.0, 1.0, 1.0]}, "float target with 2 target_names"),
        ({"target": [0.5, np.inf, 1], "target_names": []}, "target inf for clip 'b.wav'"),
        ({"target_names": ["x", "x"]}, "class 'x' twice"),
        ({"folds": [0, 1, 1]}, r"folds of shape \(3,\)"),
        ({"folds": [[0, 1], [1, 0]]}, "folds with 2 entries for 3 filenames"),
        ({"folds": [[0], [1], [2]]}, "0 .train. and 1 .test."),
        ({"folds": [[0, 0], [1, 0], [1, 0]]}, "fold 2 without test clips"),
        ({"folds": [[0, 1], [1, 1], [1, 1]]}, "fold 2 without training clips"),
        ({"partition": ["train", "test"]}, "partition with 2 entries for 3 filenames"),
        ({"partition": ["train", "dev", "test"]}, "partition 'dev' for clip 'b.wav'"),
        ({"groups": ["x"]}, "groups with 1 entries for 3 filenames"),
    ],
)
def test_make_bunch_refuses_parts_that_disagree(changes, message):
    parts = {"data": NAMES, "filenames": NAMES, "target": [0, 1, 1], "target_names": ["x", "y"]}
    with pytest.raises(ValueError, match=message):
        make_bunch(**(parts | changes))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=30).filter(lambda ids: len(set(ids)) > 1))
def test_fold_columns_test_each_clip_once_and_train_on_the_others(ids):
    folds, names = fold_columns([str(i) for i in ids])
    filenames = [f"{i}.wav" for i in range(len(ids))]
    cv = make_bunch(filenames, filenames, folds=folds, fold_names=names).cv
    for train, test in cv:
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(ids)))
        assert len({ids[i] for i in test}) == 1
    np.testing.assert_array_equal(
        np.sort(np.concatenate([test for _, test in cv])), np.arange(len(ids))
    )


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_make_bunch_turns_overlapping_folds_into_their_index_arrays(rows):
    rows = [(0, 1), (1, 0), *rows]  # so that each fold trains and tests
    filenames = [f"{i}.wav" for i in range(len(rows))]
    bunch = make_bunch(filenames, filenames, folds=rows)
    back = np.zeros((len(rows), 2), dtype=np.int8)
    for fold, (train, test) in enumerate(bunch.cv):
        back[test, fold] = 1
        assert len(train) + len(test) == len(rows)
        assert not set(train) & set(test)
    np.testing.assert_array_equal(back, bunch.folds)
    np.testing.assert_array_equal(back, rows)


def test_cross_validate_accepts_the_paths_and_folds_of_a_bunch(tmp_path):
    touch(tmp_path, *(f"fold_{i}/{c}/{i}.wav" for i in range(3) for c in ("cat", "dog")))
    bunch = load_folder(tmp_path)
    said = FunctionTransformer(lambda paths: np.array([["cat" in Path(p).parts] for p in paths]))
    scores = cross_validate(
        make_pipeline(said, DecisionTreeClassifier()),
        bunch.data,
        bunch.target,
        cv=bunch.cv,
        error_score="raise",
    )
    assert scores["test_score"].tolist() == [1, 1, 1]


# load_esc


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


# load_folder


def test_load_folder_reads_classes_from_folders_and_omits_other_files(tmp_path):
    touch(tmp_path, "dog/b.WAV", "cat/a.flac", "cat/.hidden.wav", "cat/notes.txt", ".git/x.wav")
    bunch = load_folder(tmp_path)
    assert bunch.filenames.tolist() == ["cat/a.flac", "dog/b.WAV"]
    assert labels(bunch) == ["cat", "dog"]
    assert "<class>/<clip>" in bunch.DESCR


def test_load_folder_orders_fold_folders_by_number(tmp_path):
    touch(tmp_path, "fold_10/cat/a.wav", "fold_2/dog/a.wav", "fold_2/b.wav", "fold_01/dog/a.wav")
    bunch = load_folder(tmp_path)
    assert bunch.filenames.tolist() == [
        "fold_01/dog/a.wav",
        "fold_10/cat/a.wav",
        "fold_2/b.wav",
        "fold_2/dog/a.wav",
    ]
    assert labels(bunch) == ["dog", "cat", None, "dog"]
    assert bunch.folds.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0]]


def test_load_folder_translates_names_of_partition_folders(tmp_path):
    touch(tmp_path, "Train/cat/a.wav", "validation/dog/b.wav", "test/c.wav")
    bunch = load_folder(tmp_path)
    assert bunch.filenames.tolist() == ["Train/cat/a.wav", "test/c.wav", "validation/dog/b.wav"]
    assert bunch.partition.tolist() == ["train", "test", "devel"]
    assert labels(bunch) == ["cat", None, "dog"]
    assert bunch.cv == []


@pytest.mark.parametrize(
    "names",
    [
        ("a.wav", "b.wav"),
        ("recordings/a.wav", "recordings/b.wav"),
        ("ann/mon/a.wav", "bob/tue/b.wav"),
        ("a.wav", "b.wav", "cat/a.wav", "dog/b.wav"),
    ],
)
def test_load_folder_reads_other_folders_as_unlabelled_clips(tmp_path, names):
    touch(tmp_path, *names)
    if any("/" in name for name in names):  # folders say something, but what?
        with pytest.warns(UserWarning, match=f"{len(names)} files .* are read as unlabelled"):
            bunch = load_folder(tmp_path)
    else:
        bunch = load_folder(tmp_path)
    assert bunch.filenames.tolist() == sorted(names)
    assert bunch.target.tolist() == [-1] * len(names)
    assert bunch.target_names == []
    assert "unlabelled" in bunch.DESCR


def test_load_folder_reads_the_given_layout_or_names_the_clip_that_differs(tmp_path):
    touch(tmp_path, "cat/a.wav", "dog/b.wav", "c.wav")
    with pytest.raises(ValueError, match=r"clip 'c.wav' in .*expected <class>/<clip>"):
        load_folder(tmp_path, layout="classes")
    (tmp_path / "c.wav").unlink()
    assert labels(load_folder(tmp_path, layout="classes")) == ["cat", "dog"]
    assert labels(load_folder(tmp_path, layout="files")) == [None, None]
    with pytest.raises(ValueError, match="layout='folder', expected 'auto', 'folds'"):
        load_folder(tmp_path, layout="folder")


@pytest.mark.parametrize("stray", ["extra/cat/c.wav", "c.wav"])
def test_load_folder_names_a_clip_outside_of_the_fold_folders(tmp_path, stray):
    touch(tmp_path, "fold_1/cat/a.wav", "fold_2/cat/b.wav", stray)
    with pytest.raises(ValueError, match=f"clip '{stray}'"):
        load_folder(tmp_path)


def test_load_folder_refuses_a_single_fold_by_name(tmp_path):
    touch(tmp_path, "fold_3/cat/a.wav", "fold_3/dog/a.wav")
    with pytest.raises(ValueError, match="fold 3 without training clips"):
        load_folder(tmp_path)


def test_load_folder_refuses_a_folder_without_audio_and_says_what_it_looked_for(tmp_path):
    touch(tmp_path, "notes.txt", ".a.wav")
    with pytest.raises(
        FileNotFoundError, match=r"no audio file .* \.flac.*do not start with a dot"
    ):
        load_folder(tmp_path)


@pytest.mark.parametrize("load", [load_esc, load_folder])
def test_readers_refuse_a_path_that_is_no_folder(tmp_path, load):
    touch(tmp_path, "clip.wav")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load(tmp_path / "nowhere")
    with pytest.raises(NotADirectoryError, match="is a file"):
        load(tmp_path / "clip.wav")


def test_load_folder_follows_links_to_folders_and_ends_at_circles(tmp_path):
    touch(tmp_path / "store", "a.wav")
    touch(tmp_path / "corpus", "dog/b.wav")
    (tmp_path / "corpus/cat").symlink_to(tmp_path / "store")
    (tmp_path / "store/back").symlink_to(tmp_path / "corpus")
    with pytest.warns(UserWarning, match=r"1 link.*'cat/back' \(the same folder as '.'\)"):
        bunch = load_folder(tmp_path / "corpus")
    assert bunch.filenames.tolist() == ["cat/a.wav", "dog/b.wav"]


def test_load_folder_reads_each_folder_once_however_many_links_lead_to_it(tmp_path):
    # Two links from each folder to the next make 2**39 names of one file.
    for i in range(40):
        (tmp_path / f"d{i}").mkdir()
        for link in "ab" if i else "":
            (tmp_path / f"d{i - 1}" / link).symlink_to(f"../d{i}")
    touch(tmp_path, "d39/x.wav")
    with pytest.warns(UserWarning, match=r"39 link.*'b' \(the same folder as 'a'\)") as caught:
        bunch = load_folder(tmp_path / "d0", layout="files")
    assert bunch.filenames.tolist() == ["a/" * 39 + "x.wav"]
    assert len(caught) == 1


def test_load_folder_prefers_the_own_name_of_a_folder_to_that_of_a_link(tmp_path):
    touch(tmp_path, "z/a.wav", "y/b.wav")
    (tmp_path / "a").symlink_to("z")
    with pytest.warns(UserWarning, match=r"'a' \(the same folder as 'z'\)"):
        bunch = load_folder(tmp_path)
    assert bunch.filenames.tolist() == ["y/b.wav", "z/a.wav"]


def test_load_folder_passes_over_links_that_lead_nowhere_or_to_themselves(tmp_path):
    touch(tmp_path, "cat/a.wav", "dog/b.wav")
    (tmp_path / "cat/self.wav").symlink_to("self.wav")
    (tmp_path / "dog/lost.wav").symlink_to("nowhere.wav")
    (tmp_path / "owl").symlink_to("nowhere")
    with pytest.warns(UserWarning, match=r"3 link.*'owl'.*'cat/self.wav'.*'dog/lost.wav'"):
        bunch = load_folder(tmp_path)
    assert bunch.filenames.tolist() == ["cat/a.wav", "dog/b.wav"]


def test_load_folder_lists_a_file_under_each_of_its_names_and_audit_finds_that(tmp_path):
    sounds = make_sounds(4, n_classes=2, n_sessions=2, random_state=0, folder=tmp_path)
    original = sounds.filenames[0]
    (tmp_path / "fold_2/twin.wav").symlink_to(f"../{original}")
    bunch = load_folder(tmp_path)
    assert len(bunch.filenames) == 5
    findings = audit(bunch)
    assert findings.finding.tolist() == ["duplicate", *["duplicate on both sides"] * 2]
    assert findings.filename[0] == "fold_2/twin.wav"
    assert original in findings.detail[0]


def test_load_folder_reads_folders_of_any_depth(tmp_path):
    depth = 1200  # more than Python's recursion takes
    for level in range(1, depth + 1):
        (tmp_path / ("d/" * level)).mkdir()
    clip = touch(tmp_path, "d/" * depth + "x.wav")
    try:
        bunch = load_folder(tmp_path, layout="files")
        assert bunch.filenames.tolist() == ["d/" * depth + "x.wav"]
    finally:  # pytest's own deletion recurses
        (clip / ("d/" * depth + "x.wav")).unlink()
        for level in range(depth, 0, -1):
            (tmp_path / ("d/" * level)).rmdir()


# load_table


def test_load_table_reads_labels_folds_partitions_and_groups(tmp_path):
    text = (
        "clip,call,round,part,bird\n"
        "in/a.wav,owl,2,train,x\n"
        '"in/b, old.wav","tawny ""owl""",10,Dev,y\n'
        "in/c.wav,?,2,,y\n"
        "in/d.wav,,10,test,x\n"
    )
    clips = ["in/a.wav", "in/b, old.wav", "in/c.wav", "in/d.wav"]
    table = write_table(tmp_path, text, *clips)
    bunch = load_table(
        table, path="clip", target="call", fold="round", partition="part", groups="bird"
    )
    assert bunch.filenames.tolist() == clips
    assert bunch.data[1] == str(tmp_path / "in/b, old.wav")
    assert labels(bunch) == ["owl", 'tawny "owl"', None, None]
    assert bunch.folds.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    assert bunch.partition.tolist() == ["train", "devel", "", "test"]
    assert bunch.groups.tolist() == ["x", "y", "y", "x"]


@pytest.mark.parametrize("delimiter", list(",;\t|"))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_load_table_accepts_any_delimiter_byte_order_mark_and_line_ends(
    tmp_path, delimiter, encoding, newline
):
    lines = ["", "file,label,note", 'ä.wav,Eule,"two\nlines; and, more|"', "b.wav,Uhu,", "", " ,,"]
    text = newline.join(line.replace(",", delimiter) for line in lines)
    table = write_table(tmp_path, text, "ä.wav", "b.wav", encoding=encoding)
    assert labels(load_table(table, path="file", target="label")) == ["Eule", "Uhu"]


def test_load_table_uses_the_given_delimiter(tmp_path):
    table = write_table(tmp_path, "file:label\na.wav:owl\n", "a.wav")
    assert labels(load_table(table, path="file", target="label", delimiter=":")) == ["owl"]
    with pytest.raises(ValueError, match="delimiter='::', expected one character"):
        load_table(table, path="file", delimiter="::")


@pytest.mark.parametrize(
    ("cells", "target", "names"),
    [
        (["10", "9", "?"], [1, 0, -1], ["9", "10"]),
        (["b", "a", "10"], [2, 1, 0], ["10", "a", "b"]),
        (["1.5", "2", ""], [1.5, 2, np.nan], []),
        (["1e3", "-.5", "2."], [1000, -0.5, 2], []),
        (["1.5", "NA", "nan"], [1.5, np.nan, np.nan], []),
    ],
)
def test_load_table_reads_decimal_numbers_as_regression_and_other_cells_as_classes(
    tmp_path, cells, target, names
):
    rows = "".join(f"{name};{cell}\n" for name, cell in zip(NAMES, cells, strict=True))
    bunch = load_table(write_table(tmp_path, f"f;t\n{rows}", *NAMES), path="f", target="t")
    np.testing.assert_array_equal(bunch.target, target)
    assert bunch.target.dtype.kind == ("i" if bunch.target_names or -1 in target else "f")
    assert bunch.target_names == names


def test_load_table_reads_the_target_for_the_given_task(tmp_path):
    table = write_table(tmp_path, "f,t\na.wav,1\nb.wav,2.0\n", "a.wav", "b.wav")
    read = {"path": "f", "target": "t"}
    assert load_table(table, **read, task="regression").target.tolist() == [1.0, 2.0]
    assert load_table(table, **read, task="classification").target_names == ["1", "2.0"]
    with pytest.raises(ValueError, match="task='ranking', expected None"):
        load_table(table, **read, task="ranking")


def test_load_table_takes_only_the_given_classes_in_their_order(tmp_path):
    table = write_table(tmp_path, "f,t\na.wav,lo\nb.wav,hi\nc.wav,?\n", *NAMES)
    read = {"path": "f", "target": "t"}
    bunch = load_table(table, **read, target_names=["lo", "mid", "hi"])
    assert bunch.target.tolist() == [0, 2, -1]
    with pytest.raises(ValueError, match=r"class 'hi' for clip 'b.wav', expected .*'lo', 'mid'"):
        load_table(table, **read, target_names=["lo", "mid"])
    with pytest.raises(ValueError, match="for regression"):
        load_table(table, **read, target_names=["lo"], task="regression")
    with pytest.raises(ValueError, match="without target="):
        load_table(table, path="f", target_names=["lo"])


def test_load_table_reads_overlapping_folds_from_one_column_each(tmp_path):
    table = write_table(tmp_path, "f,x,y\na.wav,0,0\nb.wav,1,0\nc.wav,1,1\n", *NAMES)
    bunch = load_table(table, path="f", fold=["x", "y"])
    assert bunch.folds.tolist() == [[0, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("f,t\na.wav,x\n", {"target": "label"}, "column 'label'.*0 times.*'f', 't'"),
        ("f,t,t\na.wav,x,y\n", {"target": "t"}, "column 't', which occurs 2 times"),
        ("f,t\n", {}, "without rows"),
        ("", {}, "which is empty"),
        ("\n \n", {}, "which is empty"),
        (
            "f|t\na.wav|1,5\nb.wav|,5\n",
            {"target": "t"},
            "comma",
        ),
        ("f,t\na.wav,x\nb.wav\n", {}, "1 cells in line 3 .* expected 2"),
        ("f,t\na.wav,x,y\n", {}, "3 cells in line 2"),
        ('f,t\na.wav,"x\nb.wav,y\n', {}, "broken quoting .* line 3"),
        ("f,t\na.wav,x\nb.wav,y\na.wav,z\n", {}, "more than once, first 'a.wav'"),
        ("f,t\na.wav,x\n./a.wav,y\n", {}, "more than once, first 'a.wav'"),
        ("f,t\n../a.wav,x\n", {}, "'../a.wav', which is not below"),
        ("f,t\nin/../../a.wav,x\n", {}, "not below"),
        ("f,t\n/etc/passwd,x\n", {}, "'/etc/passwd', which is not below"),
        ("f,t\n,x\n", {}, "no file name .an empty cell."),
        ("f,t\na.wav,1.5\nb.wav,high\n", {"target": "t"}, "numbers .'1.5'. and text .'high'."),
        ("f,t\na.wav,1.5\nb.wav,inf\n", {"target": "t"}, "'inf' in target column 't' .*'b.wav'"),
        ("f,t\na.wav,x\n", {"target": "t", "task": "regression"}, "'x' in target column"),
        ("f,t\na.wav,held\n", {"partition": "t"}, "partition 'held' for clip 'a.wav'"),
        ("f,t\na.wav,1\nb.wav,\n", {"fold": "t"}, "empty cell in fold column 't' .*'b.wav'"),
        ("f,t\na.wav,1\nb.wav,1\n", {"fold": "t"}, "fold 1 without training clips"),
        ("f,t\na.wav,0\nb.wav,0\n", {"fold": ["t"]}, "fold t without test clips"),
        ("f,t\na.wav,0\nb.wav,2\n", {"fold": ["t"]}, "'2' in fold column 't' for clip 'b.wav'"),
    ],
)
def test_load_table_refuses_a_broken_table(tmp_path, text, columns, message):
    table = write_table(tmp_path / "in", text, "a.wav", "b.wav")
    with pytest.raises(ValueError, match=message):
        load_table(table, path="f", **columns)


@pytest.mark.parametrize(
    "yes_no", [("1", "0"), ("1.0", "0.0"), ("True", "False"), ("TRUE", "false")]
)
def test_load_table_reads_fold_membership_in_all_common_notations(tmp_path, yes_no):
    rows = f"a.wav,{yes_no[0]}\nb.wav,{yes_no[1]}\n"
    table = write_table(tmp_path, f"f,held\n{rows}", "a.wav", "b.wav")
    assert load_table(table, path="f", fold=["held"]).folds.tolist() == [[1], [0]]


def test_load_table_asks_for_an_unusual_delimiter(tmp_path):
    table = write_table(tmp_path, "f t\na.wav x\n", "a.wav")
    with pytest.raises(ValueError, match=r"Columns there: 'f t'\. .* Then give delimiter="):
        load_table(table, path="f", target="t")
    assert labels(load_table(table, path="f", target="t", delimiter=" ")) == ["x"]


def test_load_table_counts_missing_clips_and_names_three(tmp_path):
    rows = "".join(f"{i}.wav\n" for i in range(5))
    table = write_table(tmp_path, f"f\n{rows}", "2.wav")
    with pytest.raises(
        FileNotFoundError, match=r"4 of the 5 .* clips.csv .* '0.wav', '1.wav', '3.wav'\. Add"
    ):
        load_table(table, path="f")


@pytest.mark.parametrize(
    ("there", "listed"),
    [
        (unicodedata.normalize("NFD", "größe.wav"), unicodedata.normalize("NFC", "größe.wav")),
        ("a/B.WAV", "A/b.wav"),
        ("a/b.wav", "a\\b.wav"),
    ],
    ids=["Unicode form", "case", "separator"],
)
def test_load_table_shows_a_file_whose_name_only_looks_the_same(tmp_path, there, listed):
    table = write_table(tmp_path, f"f\n{listed}\n", there)
    with pytest.raises(FileNotFoundError) as caught:
        load_table(table, path="f")
    assert f"There is {there!a}, where the list has {listed!a}" in str(caught.value)


def test_load_table_does_not_accept_a_folder_as_a_clip(tmp_path):
    table = write_table(tmp_path, "f\na\n", "a/b.wav")
    with pytest.raises(FileNotFoundError, match="Add the files"):
        load_table(table, path="f")


def test_load_table_refuses_a_missing_table_and_one_that_is_no_text(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"clips.csv', .* exists. The current directory"):
        load_table(tmp_path / "clips.csv", path="f")
    with pytest.raises(IsADirectoryError, match="which is a folder, expected a text file"):
        load_table(tmp_path, path="f")
    table = write_table(tmp_path, "f\nä.wav\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"not UTF-8 text \(byte 2\)"):
        load_table(table, path="f")
    with pytest.raises(TypeError, match=r"type list, expected .* pandas.DataFrame"):
        load_table([["a.wav"]], path="f")


def test_load_table_finds_clips_below_root(tmp_path):
    touch(tmp_path / "wav", "a.wav", "b.wav")
    absolute = tmp_path / "wav/b.wav"
    table = write_table(tmp_path / "lab", f"f\na.wav\n{absolute}\n")
    bunch = load_table(table, path="f", root=tmp_path / "wav")
    assert bunch.filenames.tolist() == ["a.wav", "b.wav"]
    assert bunch.data[1] == str(absolute)


def test_load_table_reads_a_data_frame_like_its_text(tmp_path, monkeypatch):
    touch(tmp_path, *NAMES)
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(
        {
            "f": [Path(name) for name in NAMES],
            "species": pd.Categorical(["owl", None, "crow"]),
            "level": [1.0, np.nan, 3.0],
            "score": [1.0, 0.5, np.nan],
            "round": [1, 2, 1],
            "held": [True, False, False],
        },
        index=[7, 7, 9],
    )
    assert labels(load_table(frame, path="f", target="species")) == ["owl", None, "crow"]
    # whole numbers that pandas made floats to hold a gap
    assert labels(load_table(frame, path="f", target="level")) == ["1", None, "3"]
    bunch = load_table(frame, path="f", target="score", fold="round", groups="round")
    np.testing.assert_array_equal(bunch.target, [1, 0.5, np.nan])
    assert bunch.folds.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert bunch.groups.tolist() == ["1", "2", "1"]
    assert bunch.data.tolist() == NAMES
    assert load_table(frame, path="f", fold=["held"], task="unlabelled").folds.tolist() == [
        [1],
        [0],
        [0],
    ]
    with pytest.raises(ValueError, match="without rows"):
        load_table(frame.iloc[:0], path="f")
    with pytest.raises(ValueError, match="'sex', which occurs 0 times in the DataFrame"):
        load_table(frame, path="f", target="sex")


cell = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=8)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(st.tuples(cell, cell), min_size=2, max_size=6),
    delimiter=st.sampled_from(",;\t|"),
)
def test_load_table_returns_any_cell_unchanged(tmp_path_factory, rows, delimiter):
    folder = touch(tmp_path_factory.mktemp("table"), *(f"{i}.wav" for i in range(len(rows))))
    with open(folder / "t.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["file", "label", "who"])
        writer.writerows([f"{i}.wav", *row] for i, row in enumerate(rows))
    columns = {"path": "file", "target": "label", "groups": "who", "task": "classification"}
    bunch = load_table(folder / "t.csv", **columns, missing=["?"])
    assert labels(bunch) == [None if label == "?" else label for label, _ in rows]
    assert bunch.groups.tolist() == ["" if who == "?" else who for _, who in rows]


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60) | st.text('f,;t"\n\r\0 ax.', max_size=40).map(str.encode))
def test_load_table_reads_or_refuses_any_text_without_another_error(tmp_path_factory, content):
    table = tmp_path_factory.getbasetemp() / "fuzz.csv"
    table.write_bytes(b"f,t\n" + content)
    try:
        names = load_table(table, path="f", target="t").filenames.tolist()
    except (ValueError, FileNotFoundError) as error:
        names, message = [], str(error)
    # the table is the only file in its folder
    assert names == ["fuzz.csv"] or message.startswith(("Got ", "Found "))
