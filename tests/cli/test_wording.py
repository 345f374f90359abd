"""Messages of the library in a terminal: no parameter or function of Python, and still a remedy."""

import re
import warnings

import numpy as np
import pytest
import soundfile

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.audio import AudioError, read_audio
from skaudeep.cli.tables import read_windows
from skaudeep.cli.wording import in_words
from skaudeep.datasets import load_dataset, load_table, make_bunch
from skaudeep.datasets.delimited import read_columns, read_header
from skaudeep.formats import save_netcdf

PYTHON = re.compile(r"\w=|load_\w|DataFrame|pandas|make_bunch|concatenate|NaN|clip_below|Got ")


def said(function, *args, **options):
    """Return what a call warns of, or the error that it ends in, in words."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            function(*args, **options)
        except (ValueError, OSError) as error:
            return in_words(str(error))
    return " ".join(in_words(str(warning.message)) for warning in caught)


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ["crow/1.wav", "crow/2.wav"],
            "sub-folders of classes, found one, 'crow'. Add",
        ),
        (["crow/a/1.wav", "owl/b/2.wav"], "there are no folders of folds or of partitions"),
        (["crow/1.wav", "owl/2.wav", "3.wav"], "A table of recordings and classes, as INPUT"),
        (["train/1.wav", "test/2.wav", "crow/3.wav"], "Move one kind away."),
        (["fold_1/1.wav", "fold_2/2.wav", "crow/3.wav"], "Move the clip away."),
        (["a/b/crow/1.wav", "a/b/owl/1.wav"], "holds some: 'a/b' (classes). Give one"),
        (["genres/crow/1.wav", "UrbanSound8K.csv"], "Move what belongs to one of them"),
        (["1.wav", "clips.csv"], "The file 'clips.csv' in it can be the INPUT."),
        (["x/train/1.wav", "x/test/1.wav", "y/train/crow/1.wav", "y/test/crow/1.wav"], ""),
        (["empty.txt"], "Found no audio file"),
    ],
)
def test_doubts_about_folders_name_no_function_of_python(tmp_path, names, words):
    text = said(load_dataset, touch(tmp_path / "birds", *names))
    assert words in text
    assert text
    assert not PYTHON.search(text), text


@pytest.mark.parametrize("content", [b"PK\x03\x04\0", b"<html>", b"\x89HDF\0", b"a\xff", b"f\n1\n"])
def test_faults_of_tables_name_no_function_of_python(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    text = said(read_columns, tmp_path / "t.csv", ["label"])
    assert text.startswith(f"{tmp_path}/t.csv: ")
    assert not PYTHON.search(text), text


def test_recordings_outside_the_folder_of_a_table_are_explained_without_python(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "t.csv").write_text("filename,label\n../a.wav,crow\n")
    touch(tmp_path, "a.wav")
    text = said(load_table, tmp_path / "t" / "t.csv", path="filename", target="label")
    assert text.startswith("The table names '../a.wav', which is not below ")
    assert not PYTHON.search(text), text


def test_missing_tables_and_folders_in_their_place_are_named(tmp_path):
    assert f"{tmp_path}/t.csv: does not exist, expected" in said(read_header, tmp_path / "t.csv")
    assert said(read_header, tmp_path) == f"{tmp_path}: is a folder, expected a text file."


def test_faults_of_recordings_name_no_function_of_python(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    text = said(SpectrogramExtractor(clip_below=-60).transform, [str(tmp_path / "a.wav")])
    assert "1 of 1 clips are silent or very soft" in text
    assert not PYTHON.search(text), text
    (tmp_path / "cut.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:5000])
    with pytest.raises(AudioError, match="on_error") as caught:
        read_audio(tmp_path / "cut.wav")
    text = in_words(str(caught.value))
    assert text.endswith("Restore it from its source or leave it out.")
    assert not PYTHON.search(text), text
    text = said(SpectrogramExtractor(2.0).transform, [str(tmp_path / "a.wav")])
    assert not PYTHON.search(text), text


def test_annotations_that_suit_no_window_are_explained_without_python(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    (tmp_path / "a.csv").write_text("file,start,end,label\na.wav,0.9,0.95,owl\n")
    table = str(tmp_path / "a.csv")
    for window, hop, words in (
        (5.0, None, "a.wav: lasts 1 s, less than half of --window 5 s. Shorten --window."),
        (0.1, 0.5, "first that of a.wav at 0.9 s: .* Shorten --hop to keep them."),
    ):
        text = said(read_windows, [table], window, hop, None)
        assert re.search(words, text)
        assert not PYTHON.search(text)
    (tmp_path / "a.csv").write_text("file,start,end,label\na.wav,3,4,owl\n")
    text = said(read_windows, [table], 0.1, None, None)
    assert text.startswith(
        "Found an annotation 'owl' of 'a.wav' from 3 s to 4 s, but the recording"
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--axis", "frequency"], "--band-window 32 is wider than the 5 bands of X"),
        (
            ["--axis", "frequency", "--band-window", 4],
            "--band-overlap 24 is not smaller than --ban",
        ),
        (["--units", "8,8"], "Got --units (8, 8) with --axis time, expected a positive integer"),
        (["--validation-fraction", 0.01], "--validation-fraction 0.01 of 9 rows leaves 9 to"),
        (["--device", "gpu"], "--device gpu"),
    ],
)
def test_errors_about_trainings_name_the_options(run, tmp_path, args, words):
    X = np.random.default_rng(0).uniform(-1, 1, (9, 6, 5))
    save_netcdf(make_bunch(X, [f"{i}.wav" for i in range(9)]), tmp_path / "a.nc")
    assert f"Error: {words}" in run("train", "a.nc", "-o", "m.skaudeep", *args).stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            ["--clip-below", -20, "--clip-above", -40],
            "--clip-above -40.0 leaves nothing above --cl",
        ),
        (["--fmin", 3000, "--fmax", 2000], "--fmax 2000.0 leaves no frequency above --fmin 3000.0"),
        (["--chunk-duration", 0.01], "--chunk-duration 0.01 is shorter than a window"),
        (["--window", 0.001], "--bands 128 bands, but a window of 0.001 s"),
        (["--chunks", 2], "--chunks 2 without a chunk_duration. Give --chunk-duration S."),
        (["--channel", 1], "--channel 1 asks for channel 1"),
    ],
)
def test_errors_about_spectrograms_name_the_options(run, birds, args, words):
    text = run("extract", birds, "-o", "a.nc", "--jobs", 1, *args).stderr.splitlines()[-1]
    assert text.startswith("Error: ")
    assert words in text
    assert not re.search(r"adapt=|Set \w+=", text)


def test_a_recording_for_a_model_of_spectrograms_is_told_so():
    X = np.zeros((2, 6, 5))
    autoencoder = Seq2SeqAutoencoder(4, max_epochs=0).fit(X)
    text = said(autoencoder.transform, ["a.wav"])
    assert text.startswith("'a.wav': is a recording, expected spectrograms, which the model was")
    assert said(autoencoder.transform, X[:, :, :3]).endswith("same --bands and --sampling-rate.")
