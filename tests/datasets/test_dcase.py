"""DCASE: on its real forms, and on every way to break them."""

import pytest

from skaudeep.datasets import load_dcase


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
