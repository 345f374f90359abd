"""The command evaluate: it prints what the function returns, of the classifier that is named."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import skaudeep
from skaudeep import ChunkVotingClassifier, DropoutMLPClassifier
from skaudeep.datasets import (
    add_folds,
    add_partitions,
    chunks_as_rows,
    load_folder,
    make_bunch,
    upsample,
)
from skaudeep.recipes import audio_classifier, linear_regressor, multilabel_classifier

SMALL = partial(audio_classifier, n_units=4)
MLP = ["--classifier", "mlp", "--hidden", "8,4", "--epochs", "20", "--dropout", "0.1"]


def perceptron(random_state=0):
    mlp = DropoutMLPClassifier((8, 4), dropout=0.1, max_epochs=20, random_state=random_state)
    return make_pipeline(StandardScaler(), mlp)


@pytest.fixture(scope="module")
def chunks():
    """Make features of three chunks of each of eighteen clips, twelve of which are owls."""
    target = np.array([0, 1, 1] * 6)
    data = np.random.default_rng(0).normal(size=(18, 3, 4)) + target[:, np.newaxis, np.newaxis]
    names = [f"{i:02d}.wav" for i in range(18)]
    dims = ("clip", "chunk", "feature")
    return make_bunch(data, names, target=target, target_names=["crow", "owl"], dims=dims)


@pytest.fixture
def printed(run, tmp_path):
    """Return a function that evaluates a data set by the command, and what that prints."""

    def printed(bunch, *args):
        skaudeep.save_netcdf(bunch, tmp_path / "set.nc")
        done = run("evaluate", "set.nc", *args)
        assert done.exit_code == 0, done.stderr
        return done.stdout.rstrip("\n")

    return printed


def test_evaluate_prints_what_evaluate_returns(run, birds):
    done = run("evaluate", birds, "--groups", r"site(\d)", "--seed", 3)
    assert done.exit_code == 0, done.stderr
    bunch = skaudeep.datasets.add_groups(load_folder(birds), r"site(\d)")
    expected = skaudeep.evaluate(
        SMALL(sampling_rate=8000, random_state=3), bunch, cv=4, random_state=3
    )
    assert done.stdout == f"{expected}\n"
    assert done.stderr.startswith("birds/: 16 clips")
    assert done.stderr.splitlines()[0].endswith("groups: 4, folds: none -> 4 folds")


def test_evaluate_as_json_has_scores_and_controls(run, birds):
    result = json.loads(run("evaluate", birds, "--json", "--folds", 2).stdout)
    assert result["classes"] == ["crow", "owl"]
    assert np.sum(result["confusion_matrix"]) == 16
    low, high = result["uar_interval"]
    assert low <= result["uar"] <= high
    assert set(result["controls"]["mel statistics"]) == {
        *("uar", "uar_interval", "accuracy", "accuracy_interval"),
    }


def test_a_class_of_one_clip_is_refused_by_name(run, birds, tmp_path, write_sound):
    shutil.copytree(birds, tmp_path / "birds")
    write_sound(tmp_path / "birds/wren/a.wav")
    done = run("evaluate", "birds")
    assert done.exit_code == 1
    assert "1 of 3 classes has a single clip" in done.stderr
    assert "'wren'" in done.stderr


def test_groups_that_are_all_one_are_told_that_the_pattern_is_wrong(run, birds):
    done = run("evaluate", birds, "--groups", "(site)")
    assert done.exit_code == 1
    assert "All recordings are of one group, 'site'" in done.stderr
    assert "Give --groups another pattern" in done.stderr
    assert "-> " not in done.stderr  # no folds are promised


def test_the_classifier_is_the_one_that_is_named_with_its_options(printed, chunks):
    flat = skaudeep.chunks.pool_chunks(chunks, "mean")
    found = printed(flat, *MLP, "--repeat", 2, "--folds", 3)
    expected = skaudeep.evaluate(perceptron(), flat, cv=3, n_repeats=2, random_state=0)
    assert found == str(expected)
    svm = make_pipeline(StandardScaler(), LinearSVC(C=0.01, dual="auto", random_state=0))
    found = printed(flat, "--classifier", "svm", "--complexity", 0.01)
    assert found == str(skaudeep.evaluate(svm, flat, cv=5, random_state=0))


def test_the_classifier_takes_the_features_of_recordings(run, birds):
    done = run("evaluate", birds, *MLP, "--folds", 2, "--repeat", 2, "--json")
    assert done.exit_code == 0, done.stderr
    pipeline = make_pipeline(SMALL(sampling_rate=8000, random_state=0)[0], *perceptron())
    expected = skaudeep.evaluate(
        pipeline, load_folder(birds), cv=2, n_repeats=2, controls=False, random_state=0
    )
    result = json.loads(done.stdout)
    assert result["fold_uar"] == expected.fold_uar.tolist()
    assert result["n_repeats"] == 2


def test_chunks_vote_or_are_scored_one_by_one(run, printed, chunks):
    found = printed(chunks, "--majority-vote", *MLP)
    expected = skaudeep.evaluate(ChunkVotingClassifier(perceptron()), chunks, cv=5, random_state=0)
    assert found == str(expected)
    assert "18 clips tested" in found
    found = printed(chunks, "--score-chunks", *MLP)
    expected = skaudeep.evaluate(perceptron(), chunks_as_rows(chunks), cv=5, random_state=0)
    assert found == str(expected)
    assert "54 clips tested" in found
    done = run("evaluate", "set.nc")
    assert done.exit_code == 1
    assert "--majority-vote lets chunks vote" in done.stderr


def test_the_training_part_is_balanced_on_request(printed, chunks):
    flat = skaudeep.chunks.pool_chunks(chunks, "mean")
    found = printed(flat, *MLP, "--folds", 3, "--upsample")
    balanced = upsample(add_folds(flat, 3, random_state=0), random_state=0)
    assert found == str(skaudeep.evaluate(perceptron(), balanced, random_state=0))
    assert "18 clips tested" in found


@pytest.mark.parametrize("more", [[], ["--classifier", "svm"]])
def test_a_wrong_label_comes_first_among_the_errors_and_is_corrected_by_them(run, tmp_path, more):
    truth = np.arange(20) % 2
    data = np.random.default_rng(0).normal(size=(20, 3)) + 4 * truth[:, np.newaxis]
    target = np.where(np.arange(20) == 7, 0, truth)  # an owl in the folder of crows
    names = [f"{i:02d}.wav" for i in range(20)]
    bunch = make_bunch(data, names, target=target, target_names=["crow", "owl"])
    skaudeep.save_netcdf(bunch, tmp_path / "birds.nc")
    command = ["evaluate", "birds.nc", "--folds", 5, *more]
    done = run(*command, "--errors", "errors.csv")
    assert done.exit_code == 0, done.stderr
    errors = pd.read_csv("errors.csv")
    how_sure = "margin" if more else "probability"
    columns = ["file", "group", "fold", "label", "prediction", "correct", how_sure]
    assert errors.columns.tolist() == [column for column in columns if column in errors]
    assert set(columns) - set(errors) <= {"group"}
    first = errors.iloc[0]
    assert (first.file, first.label, first.prediction) == ("07.wav", "crow", "owl")
    assert errors[how_sure].is_monotonic_decreasing
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"{len(errors)} of 20 clips w")
    assert last.endswith("named wrongly, the surest first: errors.csv")
    assert "errors.csv: exists already" in run(*command, "--errors", "errors.csv").stderr
    errors.loc[0, "label"] = "owl"
    errors.iloc[:1].to_csv("corrected.csv", index=False)
    run(*command, "--labels", "corrected.csv", "--errors", "errors.csv", "--force")
    assert "07.wav" not in Path("errors.csv").read_text()


def test_values_and_several_classes_are_evaluated_and_their_errors_are_listed(run, printed):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(30, 1))
    data = truth + 0.1 * rng.normal(size=(30, 4))
    names = [f"{i:02d}.wav" for i in range(30)]
    wrong = np.where(np.arange(30) == 7, 9.0, truth[:, 0])
    values = make_bunch(data, names, target=wrong)
    found = printed(values, "--errors", "errors.csv")
    expected = skaudeep.evaluate(linear_regressor(), values, cv=5, random_state=0)
    assert found == str(expected)
    table = pd.read_csv("errors.csv")
    assert (table["file"][0], table["label"][0], len(table)) == ("07.wav", 9.0, 30)
    as_json = json.loads(run("evaluate", "set.nc", "--json").stdout)
    assert as_json["scores"][0]["value"] == pytest.approx(expected.spearman)
    done = run("evaluate", "set.nc", "--classifier", "svm")
    assert "--classifier: set.nc has values to regress on, expected one class" in done.stderr
    several = np.column_stack([truth[:, 0] > 0, rng.random(30) > 0.5]).astype(int)
    several[7, 0] = 1 - several[7, 0]
    classes = make_bunch(data, names, target=several, target_names=["owl", "rain"])
    found = printed(classes, "--errors", "errors.csv", "--force")
    assert found == str(skaudeep.evaluate(multilabel_classifier(), classes, cv=5, random_state=0))
    table = pd.read_csv("errors.csv")
    assert table[table["label"] == "owl"]["file"].iloc[0] == "07.wav"


def test_a_table_of_errors_needs_a_name_that_says_so(run, birds):
    done = run("evaluate", birds, "--errors", "errors.txt")
    assert done.exit_code == 1
    assert "errors.txt: names of this table end in .csv, such as errors.csv" in done.stderr


@pytest.mark.parametrize("more", [[], ["--upsample"]])
def test_the_partition_to_test_on_may_be_chosen(printed, chunks, more):
    flat = skaudeep.chunks.pool_chunks(chunks, "mean")
    parts = add_partitions(flat, train=0.4, devel=0.3, test=0.3, random_state=0)
    found = printed(parts, *MLP, "--test-on", "test", *more)
    if more:
        parts = upsample(parts, partitions=["train", "devel"], random_state=0)
    assert found == str(skaudeep.evaluate(perceptron(), parts, cv="test", random_state=0))


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--dropout", "0.1"], 2, "--dropout is for --classifier mlp, not linear"),
        (["--classifier", "mlp", "--complexity", "1"], 2, "is for --classifier svm, not mlp"),
        (["--folds", "2", "--test-on", "devel"], 2, "--folds and --test-on exclude each other"),
        (["--majority-vote", "--score-chunks"], 2, "exclude each other"),
        (["--classifier", "mlp", "--hidden", "8,x"], 2, "is no list of numbers from 1"),
        (["--majority-vote"], 1, "--majority-vote: birds/ has no chunks"),
        (["--test-on", "test"], 1, "birds/ has the partitions none, expected train or devel"),
    ],
)
def test_options_that_fit_nothing_are_refused(run, birds, args, code, words):
    done = run("evaluate", birds, *args)
    assert done.exit_code == code
    assert words in done.stderr
