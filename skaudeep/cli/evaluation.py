"""The command that says how good a model would be, and which classifier it measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from skaudeep._texts import printable
from skaudeep.cli import options
from skaudeep.cli.checks import check_table
from skaudeep.cli.errors import CommandError
from skaudeep.cli.inputs import (
    check_classes,
    choose_folds,
    choose_rate,
    counted,
    describe_source,
    leave_out_unreadable,
    read_source,
    require_two_classes,
)
from skaudeep.cli.output import check_output, note, save_table, write_json
from skaudeep.cli.settings import COUNT, SHARE, stated

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline
    from sklearn.utils import Bunch

# Options that say how a classifier is made, of which classifier.
_OF_CLASSIFIER = {
    "hidden": "mlp",
    "dropout": "mlp",
    "epochs": "mlp",
    "learning_rate": "mlp",
    "complexity": "svm",
}
# What columns of `errors` are called in tables that commands write, and --labels reads.
_COLUMNS = {"filename": "file", "target": "label", "class": "label", "predicted": "prediction"}
# Options that need one class for each clip, as the command takes them and as users write them.
_OF_ONE_CLASS = {
    "kind": "classifier",
    "majority_vote": "majority-vote",
    "score_chunks": "score-chunks",
    "balance": "upsample",
}


class Layers(click.ParamType):
    """Numbers of units, divided by commas."""

    name = "layers"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """Return the number of each layer."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        if not all(part.isdecimal() and int(part) for part in parts):
            self.fail(f"{value!r} is no list of numbers from 1, such as 150,150.", param, ctx)
        return tuple(map(int, parts))


@click.command()
@options.options(
    options.inputs,
    *options.LABELLED,
    options.folds,
    click.option(
        "--test-on",
        metavar="NAME",
        type=click.Choice(["devel", "test"]),
        help="Partition to test on: devel, after training on train, or test, after training on "
        "train and devel. If the corpus states partitions and no folds, by default devel, or test "
        "where devel has no labelled clip.",
    ),
    click.option(
        "--repeat",
        metavar="N",
        type=COUNT,
        default=1,
        show_default=True,
        help="Number of times that all folds are run: each time with other seeds of the model, and "
        "with the same folds.",
    ),
    click.option(
        "--classifier",
        "kind",
        type=click.Choice(["linear", "svm", "mlp"]),
        default="linear",
        show_default=True,
        help="What is fitted to the features: a logistic regression with balanced classes, whose "
        "regularisation is chosen by inner folds; a linear support vector machine; or a multilayer "
        "perceptron with dropout, whose defaults are those of auDeep's paper.",
    ),
    click.option(
        "--complexity",
        metavar="C",
        type=options.POSITIVE,
        default=1.0,
        show_default=True,
        help="svm: weight of the training errors against regularisation.",
    ),
    click.option(
        "--hidden",
        metavar="N,N",
        type=Layers(),
        default="150,150",
        show_default=True,
        help="mlp: units of each hidden layer.",
    ),
    click.option(
        "--dropout",
        metavar="P",
        type=SHARE,
        default=0.4,
        show_default=True,
        help="mlp: share of the outputs of each hidden layer that are dropped in training.",
    ),
    click.option(
        "--epochs",
        metavar="N",
        type=COUNT,
        default=400,
        show_default=True,
        help="mlp: steps of the optimiser, each on all training clips.",
    ),
    click.option(
        "--learning-rate",
        metavar="X",
        type=options.POSITIVE,
        default=1e-3,
        show_default=True,
        help="mlp: learning rate of the Adam optimiser.",
    ),
    click.option(
        "--majority-vote",
        is_flag=True,
        help="Of features in chunks: classify each chunk; a clip has the class of most of them.",
    ),
    click.option(
        "--score-chunks",
        is_flag=True,
        help="Of features in chunks: classify and score each chunk, as auDeep does by default.",
    ),
    click.option(
        "--upsample",
        "balance",
        is_flag=True,
        help="Repeat training clips until each class has as many as the largest.",
    ),
    click.option(
        "--errors",
        metavar="FILE",
        type=click.Path(),
        help="Write a table (.csv) of the recordings that were named wrongly, the surest first: "
        "file, group, fold, label, prediction, and how sure it was. Once wrong labels in it are "
        "corrected, it serves as --labels. Of values: all, the largest errors first.",
    ),
    options.sampling_rate,
    options.jobs,
    options.seed,
    options.force,
    options.as_json,
)
def evaluate(
    inputs: tuple[str, ...],
    path: str | None,
    target: str | None,
    labels: tuple[str, ...],
    groups: str | None,
    folds: int | None,
    test_on: str | None,
    repeat: int,
    kind: str,
    majority_vote: bool,
    score_chunks: bool,
    balance: bool,
    errors: str | None,
    sampling_rate: float | None,
    jobs: int | None,
    seed: int,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure how well a model names recordings it never heard.

    The default model is cross-validated, and controls that its score needs on the same folds. Where
    INPUT has a value for each recording, or several classes, these are predicted.
    Recordings that cannot be read are left out and named; the exit code is then still 0.
    """
    _check_options(kind, folds, test_on, majority_vote, score_chunks)
    if errors is not None:
        check_table(errors)
        file = check_output(errors, force, (*inputs, *labels), option="--errors")
    source = read_source(
        inputs, path=path, target=target, labels=labels, groups=groups, needs_labels=True
    )
    from skaudeep.classification import classifier_for
    from skaudeep.datasets import chunks_as_rows, describe
    from skaudeep.evaluation import evaluate as cross_validate

    summary = describe(source.bunch, n_jobs=jobs or -1)
    source = leave_out_unreadable(source, summary)
    bunch = source.bunch
    if (kind_of_target := _kind_of(bunch)) == "classes":
        require_two_classes(source.title, bunch)
    else:
        _check_options_of_classes(source.title, kind_of_target)
    chunked = "chunk" in bunch.dims
    if (majority_vote or score_chunks) and not chunked:
        option = "--majority-vote" if majority_vote else "--score-chunks"
        raise CommandError(
            f"{option}: {source.title} has no chunks. Leave the option out, or extract with "
            "--chunk-duration S."
        )
    if chunked and not (majority_vote or score_chunks):
        raise CommandError(
            f"{source.title}: is in chunks, expected one row per clip. --majority-vote lets chunks "
            "vote on the class of their clip, --score-chunks scores each; or 'skaudeep fuse "
            "--chunks' makes one row of them."
        )
    cv: int | str | None
    cv, in_words = choose_folds(bunch, folds)
    if test_on is not None:
        cv, in_words = _choose_partition(source.title, bunch, test_on)
    if isinstance(cv, int):
        check_classes(bunch)
    note(describe_source(source, summary, in_words))
    if balance:
        bunch, cv = _upsample(bunch, cv, seed)
    if score_chunks:
        bunch = chunks_as_rows(bunch)
    pipeline = classifier_for(
        bunch,
        sampling_rate=choose_rate(summary, sampling_rate),
        classifier=_make_predictor(kind_of_target, kind, seed, settings),
        vote=majority_vote,
        random_state=seed,
    )
    result = cross_validate(
        pipeline, bunch, cv=cv, n_repeats=repeat, n_jobs=jobs, random_state=seed
    )
    if as_json:
        write_json(_as_json(result, kind_of_target))
    else:
        click.echo(str(result))
    if errors is not None:
        table = result.errors()
        save_table(table.rename(columns=_COLUMNS), file)
        note(_describe_errors(result, table, kind_of_target, printable(errors)))


def _kind_of(bunch: Bunch) -> str:
    """Return "values" to regress on, "several classes" of a clip, or "classes"."""
    if bunch.target.dtype.kind == "f":
        return "values"
    return "several classes" if bunch.target.ndim > 1 else "classes"


def _check_options_of_classes(title: str, kind: str) -> None:
    """Refuse options that need one class for each clip."""
    has = "values to regress on" if kind == "values" else "several classes for a clip"
    for option, name in _OF_ONE_CLASS.items():
        if stated([option]):
            raise CommandError(f"--{name}: {title} has {has}, expected one class. Leave it out.")


def _describe_errors(result: Any, table: pd.DataFrame, kind: str, file: str) -> str:
    """Say what the table of errors holds, of how many clips."""
    if kind == "values":
        return f"{counted(len(table), result.unit)}, the largest error first: {file}"
    if kind == "several classes":
        labels = counted(len(table), "label was", "labels were")
        return f"{labels} missed or found falsely, the most wrongly ranked first: {file}"
    n_tested = len({clip for test in result.test for clip in test.tolist()})
    of_all = f"{len(table)} of {counted(n_tested, result.unit)}"
    if len(table) == 0:
        return f"No clip was named wrongly: {file} holds no more than the names of its columns."
    often = "" if len(result.seeds) == 1 else " in at least one repeat"
    were = "was" if len(table) == 1 else "were"
    return f"{of_all} {were} named wrongly{often}, the surest first: {file}"


def _check_options(
    kind: str, folds: int | None, test_on: str | None, majority_vote: bool, score_chunks: bool
) -> None:
    """Refuse options that contradict each other, before anything is read."""
    for option in stated(_OF_CLASSIFIER):
        if (of := _OF_CLASSIFIER[option]) != kind:
            raise click.UsageError(
                f"--{option.replace('_', '-')} is for --classifier {of}, not {kind}."
            )
    if folds is not None and test_on is not None:
        raise click.UsageError("--folds and --test-on exclude each other: give one of them.")
    if majority_vote and score_chunks:
        raise click.UsageError("--majority-vote and --score-chunks exclude each other: give one.")


def _choose_partition(title: str, bunch: Bunch, test_on: str) -> tuple[str, str]:
    """Return the partition to test on, and its training in words."""
    trained = ["train"] if test_on == "devel" else ["train", "devel"]
    there = sorted(set(bunch.partition.tolist()) - {""})
    if test_on not in there or not set(trained) & set(there):
        raise CommandError(
            f"--test-on {test_on}: {title} has the partitions {', '.join(there) or 'none'}, "
            f"expected {' or '.join(trained)} to train on, and {test_on}. 'skaudeep split "
            "--partitions' adds some."
        )
    trained = [name for name in trained if name in there]
    return test_on, f"training on {' and '.join(trained)}, test on {test_on}"


def _upsample(bunch: Bunch, cv: int | str | None, seed: int) -> tuple[Bunch, str | None]:
    """Balance the classes of what is trained on, and return what evaluate then takes as folds."""
    from skaudeep.datasets import add_folds, drop_folds, drop_partitions, upsample

    if isinstance(cv, int):  # folds that know copies are those of the data set
        bunch = add_folds(drop_folds(drop_partitions(bunch)), cv, random_state=seed)
        cv = None
    elif cv is None and bunch.cv:
        bunch = drop_partitions(bunch)
    trained = [name for name in ("train", "devel")[: 1 + (cv == "test")] if name in bunch.partition]
    return upsample(bunch, partitions=trained or None, random_state=seed), cv


def _make_predictor(
    kind_of_target: str, kind: str, seed: int, settings: dict[str, Any]
) -> Pipeline | None:
    """Return what predicts the target from features; None is the default classifier."""
    from skaudeep.recipes import linear_regressor, multilabel_classifier

    if kind_of_target == "values":
        return linear_regressor()
    if kind_of_target == "several classes":
        return multilabel_classifier()
    return _make_classifier(kind, seed, settings)


def _make_classifier(kind: str, seed: int, settings: dict[str, Any]) -> Pipeline | None:
    """Return the classifier that the options describe; None is the default one."""
    if kind == "linear":
        return None
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind == "svm":
        from sklearn.svm import LinearSVC

        svm = LinearSVC(C=settings["complexity"], dual="auto", random_state=seed)
        return make_pipeline(StandardScaler(), svm)
    from skaudeep.mlp import DropoutMLPClassifier

    perceptron = DropoutMLPClassifier(
        settings["hidden"],
        dropout=settings["dropout"],
        max_epochs=settings["epochs"],
        learning_rate=settings["learning_rate"],
        random_state=seed,
    )
    return make_pipeline(StandardScaler(), perceptron)


def _as_json(result: Any, kind: str) -> dict[str, Any]:
    if kind == "classes":
        return _scores(result) | _details(result)
    controls = {
        name: control.scores().to_dict("records") for name, control in result.controls.items()
    }
    return {
        "scores": result.scores().to_dict("records"),
        "confidence_level": result.confidence_level,
        "n_groups": result.n_groups,
        "n_repeats": len(result.seeds),
        "targets": result.target_names,
        "controls": controls,
    }


def _scores(result: Any) -> dict[str, Any]:
    return {
        name: getattr(result, name)
        for name in ("uar", "uar_interval", "accuracy", "accuracy_interval")
    }


def _details(result: Any) -> dict[str, Any]:
    return {
        "confidence_level": result.confidence_level,
        "n_groups": result.n_groups,
        "n_repeats": len(result.seeds),
        "fold_uar": result.fold_uar[0] if len(result.seeds) == 1 else result.fold_uar,
        "classes": result.target_names,
        "confusion_matrix": result.confusion_matrix,
        "controls": {name: _scores(control) for name, control in result.controls.items()},
    }
