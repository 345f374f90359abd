"""Commands about models: their fit, their predictions and their features."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skaudeep._progress import Progress
from skaudeep._texts import list_names, printable
from skaudeep.cli import options
from skaudeep.cli.checks import MODEL, check_ending, check_inputs, check_model
from skaudeep.cli.errors import WRONG, CommandError, State, show
from skaudeep.cli.inputs import (
    choose_rate,
    counted,
    describe_source,
    leave_out_unreadable,
    read_clips,
    read_source,
    require_two_classes,
)
from skaudeep.cli.output import check_output, note, results, waiting, write_json
from skaudeep.cli.predictions import Form, JsonLines, PredictionFile, PredictionStream, Table
from skaudeep.cli.tables import TIME_COLUMNS, read_windows
from skaudeep.cli.wording import in_words

if TYPE_CHECKING:
    from skaudeep.autoencoder import Seq2SeqAutoencoder


class Steps(click.ParamType):
    """Numbers of epochs, divided by commas, or "all"."""

    name = "steps"

    def convert(self, value: Any, param: Any, ctx: Any) -> str | tuple[int, ...]:
        """Return the numbers, each once, or "all"."""
        if isinstance(value, tuple) or value == "all":
            return value
        parts = str(value).split(",")
        if not all(part.isdecimal() and int(part) for part in parts):
            self.fail(
                f"{value!r} is no list of numbers from 1, such as 4,8,16, nor all.", param, ctx
            )
        return tuple(dict.fromkeys(map(int, parts)))


# A copy of the constant in `feature_files`, whose import loads torch; a test compares them.
FEATURE_FILES = (".nc", ".csv", ".arff")


@click.command()
@options.options(
    options.inputs,
    options.output("File of the model (.skaudeep).", required=True),
    click.option(
        "--window",
        metavar="SECONDS",
        type=options.POSITIVE,
        help="Fit a model for 'skaudeep detect': INPUT are tables of events in recordings, which "
        "are divided into windows of this length, about that of the shortest event.",
    ),
    click.option(
        "--hop",
        metavar="SECONDS",
        type=options.POSITIVE,
        help="Time from the start of a window to that of the next. By default half the window.",
    ),
    *options.LABELLED,
    options.sampling_rate,
    options.jobs,
    options.seed,
    options.force,
    options.as_json,
)
def fit(
    inputs: tuple[str, ...],
    output: str,
    window: float | None,
    hop: float | None,
    path: str | None,
    target: str | None,
    labels: tuple[str, ...],
    groups: str | None,
    sampling_rate: float | None,
    jobs: int | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Fit a model to labelled recordings and write it to a file.

    With --window the model finds events in long recordings, by 'skaudeep detect'.

    The file holds the names of the classes, the sampling rate and numbers, no code: it is safe to
    share. 'skaudeep evaluate' tells how good such a model is. Recordings that cannot be read are
    left out and named; the exit code is then still 0.
    """
    file = check_output(output, force, (*inputs, *labels))
    check_ending(output)
    if window is None and hop is not None:
        raise click.UsageError("--hop is the time between two windows: give --window as well.")
    if window is not None:
        if path is not None or labels or groups is not None:
            raise click.UsageError(
                "--path, --labels and --groups are for whole recordings, and --window is given."
            )
        model = _fit_windows(inputs, window, hop or window / 2, target, sampling_rate, jobs, seed)
        from skaudeep.classification import model_rate

        _finish_fit(model, file, output, model_rate(model), as_json)
        return
    source = read_source(
        inputs, path=path, target=target, labels=labels, groups=groups, needs_labels=True
    )
    import numpy as np

    from skaudeep.classification import classifier_for, fit_classifier
    from skaudeep.datasets import describe
    from skaudeep.datasets.operations import is_labelled

    summary = describe(source.bunch, n_jobs=jobs or -1)
    source = leave_out_unreadable(source, summary)
    note(describe_source(source, summary))
    require_two_classes(source.title, source.bunch)
    labelled = is_labelled(source.bunch)
    n_labelled = int(labelled.sum())
    n_clips = np.bincount(source.bunch.target[labelled])
    if alone := [source.bunch.target_names[label] for label in np.flatnonzero(n_clips == 1)]:
        note(
            f"Of {list_names(alone)} there is a single recording, from which the model learns "
            "next to nothing. Add others."
        )
    rate = choose_rate(summary, sampling_rate)
    pipeline = classifier_for(source.bunch, sampling_rate=rate, n_jobs=jobs, random_state=seed)
    with waiting(f"Fitting the model to {n_labelled} clips"):
        model = fit_classifier(source.bunch, pipeline)
    _finish_fit(model, file, output, rate, as_json)


def _fit_windows(
    inputs: Sequence[str],
    window: float,
    hop: float,
    target: str | None,
    sampling_rate: float | None,
    jobs: int | None,
    seed: int,
) -> Any:
    check_inputs(inputs)
    bunch = read_windows(inputs, window, hop, target)
    from skaudeep.detection import fit_detector
    from skaudeep.recipes import event_classifier

    n_of_each = [
        f"{printable(name)} {n}"
        for name, n in zip(bunch.target_names, bunch.target.sum(axis=0).tolist(), strict=True)
    ]
    n_windows, n_files = len(bunch.filenames), len(bunch.data.unique(level="file"))
    note(
        f"{counted(n_files, 'recording')}, {counted(n_windows, 'window')} of {window:g} s, every "
        f"{hop:g} s: {', '.join(n_of_each)}, background {int((~bunch.target.any(axis=1)).sum())}."
    )
    pipeline = event_classifier(sampling_rate=sampling_rate, n_jobs=jobs, random_state=seed)
    with waiting(f"Fitting the model to {n_windows} windows"):
        return fit_detector(bunch, pipeline)


def _finish_fit(model: Any, file: Path, output: str, rate: float | None, as_json: bool) -> None:
    from skaudeep.persistence import save

    save(model, file)
    classes = model.classes_.tolist()
    note(f"Model of {len(classes)} classes: {list_names(classes)}.")
    if as_json:
        write_json({"model": output, "classes": classes, "sampling_rate": rate})
    else:
        click.echo(printable(output))


@click.command()
@options.options(
    options.model,
    options.inputs,
    options.output(
        "File to write, tab-separated, or by commas where it ends in .csv. By default standard "
        "output."
    ),
    click.option(
        "--min-confidence",
        metavar="P",
        type=click.FloatRange(0, 1),
        help="Leave the label empty where the probability of each class is below this. By default "
        "each recording gets a label.",
    ),
    options.path,
    options.jobs,
    options.force,
    click.option("--json", "as_json", is_flag=True, help="Write a JSON object for each recording."),
)
@click.pass_obj
def predict(
    state: State,
    model: str,
    inputs: tuple[str, ...],
    output: str | None,
    min_confidence: float | None,
    path: str | None,
    jobs: int | None,
    force: bool,
    as_json: bool,
) -> int:
    """Name the class of each recording, with all probabilities.

    Columns are file, label, and a probability for each class. A recording that cannot be read, or
    that holds nothing but silence, has neither and is named on standard error; the exit code is
    then 1. An interrupted command that writes a file (-o) is continued by the same command.

    The model gives one of its classes to every sound, also to one that is none of them, and then
    often a high probability.
    """
    file = None if output is None else check_output(output, force, (model, *inputs))
    check_model(model)
    clips, names, what, dims = read_clips(inputs, path)
    from skaudeep._model_outputs import read_classes
    from skaudeep.classification import check_kind, predict_clips
    from skaudeep.datasets.axes import is_segment_index

    keys = ["file", *TIME_COLUMNS] if is_segment_index(clips) else ["file"]
    fitted, title = load_model(model, jobs)
    check_kind(fitted, dims)
    predict_clips(fitted, clips, min_confidence=min_confidence)  # refuses what is no classifier
    found = read_classes(fitted)
    classes = found.names if found else []
    note(f"{what}: {counted(len(names), 'clip')}; {title}: classes {list_names(classes)}.")
    if not hasattr(fitted, "predict_proba"):
        classes = []
    form: Form = JsonLines(classes, keys=keys)
    stream = results()
    sink: PredictionStream | PredictionFile
    if file is None:
        on_terminal = stream.isatty()
        if not as_json:
            form = Table([*keys, "label", *classes], n_keys=len(keys), for_terminal=on_terminal)
        sink = PredictionStream(stream, form)
    else:
        on_terminal = False
        if not as_json:
            delimiter = "," if file.suffix.lower() == ".csv" else "\t"
            form = Table([*keys, "label", *classes], n_keys=len(keys), delimiter=delimiter)
        made_of = (digest_of(model), classes, min_confidence, as_json, file.suffix.lower())
        times = [[str(time) for time in clip[1:]] for clip in clips] if len(keys) > 1 else None
        task = repr((made_of, names, *([] if times is None else [times]), _states(inputs, clips)))
        sink = PredictionFile(file, task, form)
        state.after_interruption = (
            "The same command goes on where this one stopped; what is done is in "
            f"{printable(file.name)}.partial."
        )
    with sink, Progress(show=not on_terminal) as progress:
        done, n_failed = sink.n_rows, sink.n_failed
        if n_failed:
            note(f"{counted(n_failed, 'clip')} got no label before the interruption.")
        if done < len(names):
            progress.begin("Predicting clips", len(names) - done)
            for frame in predict_clips(fitted, clips[done:], min_confidence=min_confidence):
                frame.isetitem(0, names[done : done + len(frame)])  # a class may be called "file"
                for column in range(1, len(keys)):  # times, in seconds as the table has them
                    frame.isetitem(column, frame.iloc[:, column].dt.total_seconds())
                if len(dims) > 1:  # stored values, whose errors name a place among the rest
                    frame.attrs["errors"] = {
                        row: error.renamed(names[done + row])
                        for row, error in frame.attrs["errors"].items()
                    }
                sink.write(frame)
                for error in frame.attrs["errors"].values():
                    show("Error", in_words(str(error)))
                n_failed += len(frame.attrs["errors"])
                done += len(frame)
                progress.advance(len(frame))
    if output is not None:
        click.echo(printable(output))
    if n_failed:
        of_all = f"{n_failed} of {counted(len(names), 'clip')}"
        rest = "is silent, and has" if n_failed == 1 else "are silent, and have"
        note(f"{of_all} could not be read or {rest} no label.")
    return WRONG if n_failed else 0


@click.command()
@options.options(
    options.model,
    options.inputs,
    options.output(
        "File of the features: NetCDF, CSV or ARFF by its ending (.nc, .csv, .arff).",
        required=True,
    ),
    click.option(
        "--steps",
        metavar="N,N",
        type=Steps(),
        help="Epochs of which MODEL, a folder of 'skaudeep train --checkpoints', holds the model, "
        "or all: there is a file of each, called FILE-N. By default the last.",
    ),
    *options.LABELLED,
    options.jobs,
    options.force,
    options.as_json,
)
@click.pass_obj
def transform(
    state: State,
    model: str,
    inputs: tuple[str, ...],
    output: str,
    steps: tuple[int, ...] | str | None,
    path: str | None,
    target: str | None,
    labels: tuple[str, ...],
    groups: str | None,
    jobs: int | None,
    force: bool,
    as_json: bool,
) -> int:
    """Write the features of recordings, as a model computes them.

    These are the numbers before the classifier of the model; MODEL may also be a folder of
    checkpoints. A recording that cannot be read has
    no values in the file, and is named on standard error; the exit code is then 1. An interrupted
    command is continued by the same command.
    """
    path_of = Path(output)
    outputs = [output]
    if isinstance(steps, str):  # all
        steps = tuple(_find_checkpoints(model))
    if steps is not None:
        outputs = [str(path_of.with_stem(f"{path_of.stem}-{step}")) for step in steps]
    files = [check_output(name, force, (model, *inputs, *labels)) for name in outputs]
    if path_of.suffix not in FEATURE_FILES:
        raise CommandError(
            f"{printable(output)}: its ending says no format, expected one of "
            f"{', '.join(FEATURE_FILES)}. Give -o such a name."
        )
    models = _choose_models(model, steps)
    source = read_source(inputs, path=path, target=target, labels=labels, groups=groups)
    from skaudeep.datasets import describe
    from skaudeep.feature_files import transform_to_file

    fitted = [load_model(name, jobs)[0] for name in models]
    summary = describe(source.bunch, n_jobs=jobs or -1)
    note(describe_source(source, summary))
    written = []
    with Progress(show=True) as progress:
        for number, (one, name, file) in enumerate(zip(fitted, models, files, strict=True)):
            left = f" with --steps {','.join(map(str, steps[number:]))}" if steps and number else ""
            state.after_interruption = (
                f"The same command{left} goes on where this one stopped; what is done is in "
                f"{printable(file.name)}.partial."
            )
            progress.begin("Computing features", summary.n_clips)
            features = transform_to_file(
                one,
                source.bunch,
                file,
                resume=repr((digest_of(name), _states(inputs, source.bunch.data))),
                on_clips=progress.advance,
            )
            failed = [error for error in features.errors if error]
            written.append((features.data.shape, len(failed)))
    for error in failed:  # the same of each model
        show("Error", in_words(error))
    results_of = [
        {"file": name, "shape": shape, "n_failed": n_failed}
        for name, (shape, n_failed) in zip(outputs, written, strict=True)
    ]
    if as_json:
        write_json(results_of if len(outputs) > 1 else results_of[0])
    else:
        click.echo("\n".join(map(printable, outputs)))
    n_clips, *others = written[0][0]
    axes = " of each chunk or frame" if len(others) > 1 else ""
    note(f"{counted(n_clips, 'clip')}, {counted(others[-1], 'feature')}{axes}.")
    return WRONG if failed else 0


def _find_checkpoints(model: str) -> dict[int, Path]:
    """Return the files of a folder of checkpoints by their epochs; none of a single model."""
    folder = Path(model).expanduser()
    if not any(folder.glob(f"**/epoch-*{MODEL}")):
        return {}
    from skaudeep.callbacks import find_checkpoints

    return find_checkpoints(folder)


def _choose_models(model: str, steps: tuple[int, ...] | None) -> list[str]:
    """Return the files of models: the one that is named, or checkpoints of a folder."""
    found = _find_checkpoints(model)
    if not found:
        check_model(model)  # raises an error about other folders
        if steps is not None:
            raise CommandError(
                f"--steps: {printable(model)} is one model, expected the folder that 'skaudeep "
                "train --checkpoints' wrote. Give that as MODEL, or leave --steps out."
            )
        return [model]
    for step in steps or ():
        if step not in found:
            raise CommandError(
                f"--steps {step}: {printable(model)} holds no checkpoint of this epoch, but of "
                f"{', '.join(map(str, found))}."
            )
    return [str(found[step]) for step in steps or [max(found)]]


def load_model(model: str, jobs: int | None) -> tuple[Any, str]:
    """Return a model, and what messages call it."""
    from skaudeep.classification import find_extractors
    from skaudeep.persistence import load

    file = Path(model).expanduser()
    fitted = load(file)
    for extractor in find_extractors(fitted):
        extractor.n_jobs = jobs
    return fitted, printable(file.name)


def load_autoencoder(model: str, jobs: int | None) -> tuple[Any, Seq2SeqAutoencoder]:
    """Return a model that 'skaudeep train' wrote, and the autoencoder in it."""
    from skaudeep.unsupervised import find_autoencoder

    fitted, title = load_model(model, jobs)
    try:
        return fitted, find_autoencoder(fitted)
    except TypeError as error:
        raise CommandError(
            f"{title}: holds no autoencoder, expected a model that 'skaudeep train' wrote."
        ) from error


def digest_of(model: str) -> str:
    """Return the checksum of a model's file."""
    with open(Path(model).expanduser(), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _states(inputs: Sequence[str], clips: Any) -> list[tuple[int, int]]:
    """Return size and time of change of each clip that is a file, else of the file of them all."""
    states = []
    for clip in clips if isinstance(clips, list) or getattr(clips, "ndim", 0) == 1 else inputs:
        if isinstance(clip, tuple):  # a piece of a file
            clip = clip[0]
        try:
            status = os.stat(os.path.expanduser(clip))
        except (OSError, TypeError, ValueError):
            states.append((-1, 0))
        else:
            states.append((status.st_size, status.st_mtime_ns))
    return states
