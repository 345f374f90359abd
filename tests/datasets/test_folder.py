"""Classes, folds and partitions from the names of folders."""

import pytest

from skaudeep.datasets import audit, load_esc, load_folder, make_sounds


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
