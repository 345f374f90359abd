"""What is needed to make a report again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from skaudeep.reporting.manifest import parameters


def test_the_checksum_is_of_names_and_contents_in_their_order(of_files):
    root = of_files.report.path.with_name("corpus")
    lines = sorted(
        f"{name}\0{hashlib.sha256((root / name).read_bytes()).hexdigest()}\n"
        for name in of_files.bunch.filenames.tolist()
    )
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert f"<code>{expected}</code>" in of_files.text


def test_folds_and_seeds_are_those_of_the_evaluation(of_files):
    shown = of_files.text.split('<pre id="manifest">')[1].split("</pre>")[0]
    facts = json.loads(shown.replace("&#34;", '"').replace("&#39;", "'"))
    evaluation = of_files.report.evaluation
    assert facts["seeds"] == evaluation.seeds
    for fold, test in enumerate(evaluation.test):
        assert [facts["fold_that_tests_each_clip"][row] for row in test] == [fold] * len(test)


def test_parameters_name_no_path_and_no_address_in_memory():
    pipeline = make_pipeline(FunctionTransformer(abs), LinearSVC(C=2.0), memory="/home/ann/cache")
    found = parameters(pipeline)
    assert found["linearsvc__C"] == 2.0
    assert found["memory"] == "(a path)"
    assert "/" not in json.dumps(found)
    assert " at 0x" not in json.dumps(found)
    assert parameters(make_pipeline(LinearSVC(), memory=Path("x")))["memory"] == "(a path)"


def test_parameters_that_are_no_finite_numbers_are_kept_as_text():
    assert parameters(SimpleImputer())["missing_values"] == "nan"
    assert json.dumps(parameters(LinearSVC(C=float("inf"))), allow_nan=False)
