"""GTZAN: on its real form, and on every way to break it."""

import pytest

from skaudeep.datasets import load_gtzan


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
