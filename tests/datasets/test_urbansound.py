"""UrbanSound8K: on its real form, and on every way to break it."""

import pytest

from skaudeep.datasets import load_urbansound8k


def touch(root, *names):
    """Write empty files: readers never open a clip."""
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def change(file, old, new):
    """Break a corpus in one place."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def labels(bunch):
    """Class name of each clip, None where unlabelled."""
    return [bunch.target_names[label] if label >= 0 else None for label in bunch.target]


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
