"""Commands about models: fit, predict and transform."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from functools import partial

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression

import skaudeep
from skaudeep import classification, feature_files
from skaudeep.cli import models
from skaudeep.datasets import load_folder, make_bunch
from skaudeep.recipes import audio_classifier

SMALL = partial(audio_classifier, n_units=4)


def read_table(text, delimiter="\t"):
    return list(csv.reader(text.splitlines(), delimiter=delimiter))


# fit


def test_fit_names_a_class_of_a_single_recording(run, birds, tmp_path, write_sound):
    shutil.copytree(birds, tmp_path / "birds")
    write_sound(tmp_path / "birds/wren/a.wav")
    done = run("fit", "birds", "-o", "m.skaudeep")
    assert done.exit_code == 0
    assert "Of 'wren' there is a single recording" in done.stderr


def test_fit_writes_a_model_that_names_classes_at_any_rate(run, birds, tmp_path, write_sound):
    done = run("fit", birds, "-o", "birds.skaudeep")
    assert (done.exit_code, done.stdout) == (0, "birds.skaudeep\n")
    model = skaudeep.load(tmp_path / "birds.skaudeep")
    assert model.classes_.tolist() == ["crow", "owl"]
    (frame,) = skaudeep.predict_clips(model, load_folder(birds))
    assert (frame.label == frame.file.str.split("/").str[0]).mean() > 0.8
    write_sound(tmp_path / "high.wav", rate=16000)
    assert next(skaudeep.predict_clips(model, [str(tmp_path / "high.wav")])).label[0] != ""
    content = (tmp_path / "birds.skaudeep").read_bytes().decode("latin-1")
    assert str(birds.parent) not in content
    assert str(tmp_path) not in content


def test_fit_leaves_out_what_cannot_be_read_and_says_so(run, birds, tmp_path):
    shutil.copytree(birds, tmp_path / "birds")
    (tmp_path / "birds/owl/none.wav").touch()
    done = run("fit", "birds", "-o", "birds.skaudeep", "--json")
    assert done.exit_code == 0, done.stderr
    assert "Left out: owl/none.wav: " in done.stderr
    assert json.loads(done.stdout) == {
        "model": "birds.skaudeep",
        "classes": ["crow", "owl"],
        "sampling_rate": 8000.0,
    }


def test_fit_takes_labels_from_a_table(run, new, tmp_path):
    (tmp_path / "labels.csv").write_text("filename,label\n0.wav,crow\n1.wav,owl\n2.wav,\n")
    done = run("fit", new, "--labels", "labels.csv", "-o", "m.skaudeep")
    assert done.exit_code == 0, done.stderr
    assert "2 labelled in 2 classes" in done.stderr
    (tmp_path / "labels.csv").write_text("filename,label\n0.wav,crow\n")
    done = run("fit", new, "--labels", "labels.csv", "-o", "other.skaudeep")
    assert done.exit_code == 1
    assert "has a single class, 'crow'" in done.stderr


def test_fit_never_overwrites_without_force(run, birds, tmp_path):
    (tmp_path / "m.skaudeep").write_text("mine")
    done = run("fit", birds, "-o", "m.skaudeep")
    assert done.exit_code == 1
    assert "m.skaudeep: exists already" in done.stderr
    assert (tmp_path / "m.skaudeep").read_text() == "mine"
    assert run("fit", birds, "-o", "m.skaudeep", "--force").exit_code == 0


# predict


def test_predict_writes_file_label_and_the_probability_of_each_class(run, model, new):
    done = run("predict", model, new)
    assert done.exit_code == 0
    rows = read_table(done.stdout)
    assert rows[0] == ["file", "label", "crow", "owl"]
    (expected,) = skaudeep.predict_clips(
        skaudeep.load(model), [str(new / f"{i}.wav") for i in range(5)]
    )
    assert [row[0] for row in rows[1:]] == [f"{i}.wav" for i in range(5)]
    assert [row[1] for row in rows[1:]] == expected.label.tolist()
    np.testing.assert_allclose(
        [list(map(float, row[2:])) for row in rows[1:]], expected[["crow", "owl"]], atol=6e-5
    )
    assert done.stderr == "new/: 5 clips; birds.skaudeep: classes 'crow', 'owl'.\n"


def test_predict_names_files_as_they_were_given(run, model, new):
    files = sorted(map(str, new.iterdir()))
    by_arguments = run("predict", model, *files)
    by_stdin = run("predict", model, "-", stdin="\0".join(files))
    assert [row[0] for row in read_table(by_arguments.stdout)[1:]] == files
    assert by_stdin.stdout == by_arguments.stdout


def test_predict_below_the_confidence_gives_no_label(run, model, new):
    rows = read_table(run("predict", model, new, "--min-confidence", 1).stdout)
    assert {row[1] for row in rows[1:]} == {""}
    assert all(row[2] for row in rows[1:])


def test_predict_names_clips_that_cannot_be_read_and_goes_on(run, model, new, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    done = run("predict", model, new / "0.wav", "bad.wav", new / "1.wav")
    assert done.exit_code == 1
    rows = read_table(done.stdout)
    assert rows[2] == ["bad.wav", "", "", ""]
    assert rows[1][1]
    assert rows[3][1]
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "bad.wav" in errors[0]


def test_predict_gives_silence_no_label(run, model, new, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 8000)
    done = run("predict", model, "silent.wav", new / "0.wav")
    assert done.exit_code == 1
    rows = read_table(done.stdout)
    assert rows[1] == ["silent.wav", "", "", ""]
    assert rows[2][1]
    assert "Error: silent.wav: holds nothing but silence" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("1 of 2 clips could not be read or is silent")


def test_predict_as_json_has_a_line_for_each_clip(run, model, new, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    lines = run("predict", model, new / "0.wav", "bad.wav", "--json").stdout.splitlines()
    good, bad = map(json.loads, lines)
    assert sum(good["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert bad["label"] is None
    assert "bad.wav" in bad["error"]


@pytest.mark.parametrize(("name", "delimiter"), [("out.tsv", "\t"), ("out.csv", ",")])
def test_predict_writes_a_file_whose_ending_says_what_is_between_cells(
    run, model, new, tmp_path, name, delimiter
):
    done = run("predict", model, new, "-o", name)
    assert (done.exit_code, done.stdout) == (0, f"{name}\n")
    rows = read_table((tmp_path / name).read_text(), delimiter)
    assert rows == read_table(run("predict", model, new).stdout)
    again = run("predict", model, new, "-o", name)
    assert again.exit_code == 1
    assert "exists already" in again.stderr


def test_an_interrupted_predict_goes_on_where_it_stopped(run, model, new, tmp_path, monkeypatch):
    whole = run("predict", model, new).stdout
    read = []

    def interrupted(fitted, clips, **options):
        for frame in classification_predict(fitted, clips, batch_size=2, **options):
            read.extend(frame.file)
            yield frame
            if len(read) == 4:
                raise KeyboardInterrupt

    classification_predict = classification.predict_clips
    monkeypatch.setattr(classification, "predict_clips", interrupted)
    done = run("predict", model, new, "-o", "out.tsv")
    assert done.exit_code == 130
    assert "what is done is in out.tsv.partial" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out.tsv.partial"]
    assert len((tmp_path / "out.tsv.partial").read_text().splitlines()) == 6  # with two heads
    done = run("predict", model, new, "-o", "out.tsv")
    assert "4 clips are done" in done.stderr
    assert len(read) == 5
    assert (tmp_path / "out.tsv").read_text() == whole


def test_predict_refuses_a_file_that_the_model_would_misread(run, model, birds, new):
    assert run("extract", birds, "-o", "birds.nc", "--bands", 20, "--jobs", 1).exit_code == 0
    done = run("predict", model, "birds.nc")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "for a model of recordings" in done.stderr


def test_a_changed_clip_is_predicted_anew(run, model, new, tmp_path):
    names = [str(new / "0.wav")]
    states = models._states([], names)
    copy = tmp_path / "0.wav"
    shutil.copy2(names[0], copy)
    assert models._states([], [str(copy)]) == states
    os.utime(copy, ns=(0, 0))
    assert models._states([], [str(copy)]) != states


def test_predictions_of_a_file_that_has_changed_are_not_gone_on_with(run, tmp_path, monkeypatch):
    X = np.random.default_rng(0).normal(size=(6, 3))
    names = [f"{i}.wav" for i in range(6)]
    labels = {"target": (X[:, 0] > 0).astype(int), "target_names": ["low", "high"]}
    fitted = skaudeep.fit_classifier(make_bunch(X, names, **labels), LogisticRegression())
    skaudeep.save(fitted, tmp_path / "m.skaudeep")
    predict = classification.predict_clips

    def interrupted(fitted, clips, **options):
        yield next(predict(fitted, clips, batch_size=3, **options))
        raise KeyboardInterrupt

    skaudeep.save_netcdf(make_bunch(X, names), tmp_path / "f.nc")
    with monkeypatch.context() as patch:
        patch.setattr(classification, "predict_clips", interrupted)
        assert run("predict", "m.skaudeep", "f.nc", "-o", "out.tsv").exit_code == 130
    skaudeep.save_netcdf(make_bunch(-X, names), tmp_path / "f.nc")
    done = run("predict", "m.skaudeep", "f.nc", "-o", "out.tsv")
    assert "starting anew" in done.stderr
    table = pd.read_csv(tmp_path / "out.tsv", sep="\t")
    assert table.label.tolist() == fitted.predict(-X).tolist()


def test_classes_may_be_called_as_columns_are(run, birds, tmp_path):
    for name, other in (("crow", "file"), ("owl", "error")):
        shutil.copytree(birds / name, tmp_path / "odd" / other)
    assert run("fit", "odd", "-o", "m.skaudeep").exit_code == 0
    rows = read_table(run("predict", "m.skaudeep", "odd").stdout)
    assert rows[0] == ["file", "label", "error", "file"]
    assert {row[1] for row in rows[1:]} == {"error", "file"}
    np.testing.assert_allclose([float(row[2]) + float(row[3]) for row in rows[1:]], 1, atol=2e-4)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_clip_that_is_named_twice_fails_twice(run, model, new, tmp_path, options):
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    done = run("predict", model, "bad.wav", "bad.wav", new / "0.wav", *options)
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == (3 if options else 4)
    assert "2 of 3 clips could not be read" in done.stderr


# transform


@pytest.mark.parametrize("suffix", [".nc", ".csv", ".arff"])
def test_transform_writes_the_features_of_the_model(run, model, birds, tmp_path, suffix):
    done = run("transform", model, birds, "-o", f"features{suffix}")
    assert (done.exit_code, done.stdout) == (0, f"features{suffix}\n")
    assert [path.name for path in tmp_path.iterdir()] == [f"features{suffix}"]
    assert run("inspect", f"features{suffix}").stdout.startswith(
        "clips     16, array of shape (16, 60)"
    )
    done = run("evaluate", f"features{suffix}", "--folds", 2, "--json")
    assert done.exit_code == 0, done.stderr
    assert np.sum(json.loads(done.stdout)["confusion_matrix"]) == 16
    done = run("evaluate", f"features{suffix}", "--sampling-rate", 4000)
    assert done.exit_code == 1
    assert "the input holds array of shape (16, 60)" in done.stderr


def test_transform_refuses_an_unknown_ending_before_it_reads_the_model(run, birds):
    done = run("transform", "none.skaudeep", birds, "-o", "features.xlsx")
    assert done.exit_code == 1
    assert "features.xlsx: its ending says no format" in done.stderr


def test_transform_names_clips_that_cannot_be_read(run, model, new, tmp_path):
    shutil.copytree(new, tmp_path / "new")
    (tmp_path / "new/bad.wav").write_bytes(b"no sound")
    done = run("transform", model, "new", "-o", "features.nc", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"file": "features.nc", "shape": [6, 60], "n_failed": 1}
    assert "bad.wav" in done.stderr


@pytest.mark.parametrize("suffix", [".nc", ".csv"])
def test_a_clip_without_features_costs_no_other_command_on_them(
    run, model, birds, tmp_path, suffix
):
    shutil.copytree(birds, tmp_path / "birds")
    (tmp_path / "birds/owl/bad.wav").write_bytes(b"no sound")
    features = f"features{suffix}"
    assert run("transform", model, "birds", "-o", features).exit_code == 1
    done = run("fit", features, "-o", "m.skaudeep")
    assert done.exit_code == 0, done.stderr
    assert "Left out: owl/bad.wav: " in done.stderr
    done = run("predict", "m.skaudeep", features)
    assert done.exit_code == 1
    rows = {row[0]: row[1:] for row in read_table(done.stdout)}
    assert rows.pop("owl/bad.wav") == ["", "", ""]
    assert len(rows) == 17
    assert all(all(cells) for cells in rows.values())
    assert "owl/bad.wav: has no values" in done.stderr
    done = run("report", features, "--folds", 2, "--no-audio")
    assert done.exit_code == 0, done.stderr
    assert "1 clip cannot be read" in done.stderr
    page = (tmp_path / "features.html").read_text("utf-8")
    assert str(tmp_path) not in page


# through the installed program


@pytest.mark.slow
def test_each_command_works_through_the_installed_program(program, birds, new, tmp_path):
    def start(*args):
        command = [*program, *map(str, args)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    for args in (
        ["inspect", birds],
        ["audit", birds],
        ["evaluate", birds],
        ["fit", birds, "-o", "birds.skaudeep"],
        ["predict", "birds.skaudeep", new, "-o", "new.tsv"],
        ["transform", "birds.skaudeep", new, "-o", "new.nc"],
        ["extract", birds, "-o", "birds.nc", "--jobs", 2],
        ["extract", birds, "--preview", 1, "-o", "preview.png"],
        ["train", "birds.nc", "-o", "rae.skaudeep", "--units", 8, "--epochs", 1],
        ["transform", "rae.skaudeep", "birds.nc", "-o", "f.nc"],
        ["validate", "f.nc"],
        ["plot", "loss", "rae.skaudeep", "-o", "loss.png"],
    ):
        done = start(*args)
        assert done.returncode == 0, (args, done.stderr)
        assert done.stdout or args[0] == "audit"
    assert set(pd.read_csv(tmp_path / "new.tsv", sep="\t").label) <= {"crow", "owl"}
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert str(tmp_path).encode() not in content
    assert str(birds.parent).encode() not in content


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a signal to a group of processes")
@pytest.mark.parametrize("command", ["predict", "extract"])
def test_ctrl_c_leaves_what_is_done_and_the_same_command_goes_on(
    program, model, new, tmp_path, command
):
    for i in range(2000):
        os.link(new / f"{i % 5}.wav", tmp_path / f"{i:04d}.wav")
    names = "\n".join(sorted(path.name for path in tmp_path.iterdir())).encode()
    output = tmp_path / {"predict": "out.tsv", "extract": "out.nc"}[command]
    part = output.with_name(f"{output.name}.partial")
    args = {
        "predict": ["predict", model, "-", "-o", output],
        "extract": ["extract", "-", "-o", output, "--jobs", "2"],
    }[command]
    process = subprocess.Popen(
        [*program, *map(str, args)],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # What was started in the background is deaf to Ctrl-C, and so are its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    process.stdin.write(names)
    process.stdin.close()
    process.stdin = None
    while process.poll() is None and not (part.exists() and part.stat().st_size > 2000):
        time.sleep(0.001)  # until some clips are done
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert b"Interrupted: The same command goes on" in stderr.splitlines()[-1]
    assert part.exists()
    assert not output.exists()
    done = subprocess.run(
        [*program, *map(str, args)], cwd=tmp_path, input=names, capture_output=True
    )
    assert done.returncode == 0
    assert output.exists()
    assert not part.exists()
    if command == "predict":
        assert len(output.read_text().splitlines()) == 2001


def test_the_endings_of_files_of_features_are_those_that_are_written():
    assert models.FEATURE_FILES == feature_files.FEATURE_FILES
