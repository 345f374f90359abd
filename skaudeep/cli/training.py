"""The command that trains an autoencoder on recordings without labels."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skaudeep._progress import Progress
from skaudeep._texts import printable
from skaudeep.cli import options
from skaudeep.cli.checks import NETCDF, check_ending, check_model
from skaudeep.cli.errors import CommandError, State, need_extra
from skaudeep.cli.inputs import (
    Source,
    choose_rate,
    counted,
    describe_source,
    leave_out_unreadable,
    read_source,
)
from skaudeep.cli.models import digest_of, load_autoencoder
from skaudeep.cli.output import check_output, note, write_json
from skaudeep.cli.settings import (
    EXTRACTION,
    TRAINING,
    check_alignment,
    directions,
    extraction,
    make_autoencoder,
    make_extractor,
    stated,
    training,
)

if TYPE_CHECKING:
    from skaudeep.autoencoder import Seq2SeqAutoencoder
    from skaudeep.datasets.description import Summary


@click.command()
@options.options(
    options.inputs,
    options.output("File of the model (.skaudeep).", required=True),
    options.path,
    *training,
    click.option(
        "--continue",
        "start_from",
        metavar="MODEL",
        type=click.Path(),
        help="Go on from the weights of this model, which 'skaudeep train' or --checkpoints wrote, "
        "for --epochs more. Options that are not given are those of the model.",
    ),
    click.option(
        "--checkpoints",
        metavar="FOLDER",
        type=click.Path(),
        help="Keep a checkpoint of each epoch here. The same command with more --epochs goes on "
        "from the newest.",
    ),
    click.option(
        "--keep",
        metavar="N",
        type=click.IntRange(min=1),
        help="How many checkpoints --checkpoints keeps, the newest. By default all.",
    ),
    click.option(
        "--tensorboard",
        metavar="FOLDER",
        type=click.Path(),
        help="Write losses, reconstructions and histograms of the weights here, for TensorBoard.",
    ),
    *extraction,
    options.sampling_rate,
    options.jobs,
    options.seed,
    options.force,
    options.as_json,
)
@click.pass_obj
def train(
    state: State,
    inputs: tuple[str, ...],
    output: str,
    path: str | None,
    start_from: str | None,
    checkpoints: str | None,
    keep: int | None,
    tensorboard: str | None,
    sampling_rate: float | None,
    jobs: int | None,
    seed: int,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train an autoencoder on recordings without labels.

    The file that it writes is a model: 'skaudeep transform' writes its features. An INPUT may also
    be a file of 'skaudeep extract' (.nc), or several of them; options on spectrograms, from
    --window on, are for recordings alone. An interrupted training is continued by the same command,
    except with --continue. Recordings that cannot be read are left out and named; the exit code is
    then still 0.
    """
    if keep is not None and checkpoints is None:
        raise click.UsageError("--keep is for --checkpoints, which is not given: give it as well.")
    check_alignment()
    read = [*inputs, *([start_from] if start_from is not None else [])]
    file = check_output(output, force, read)
    check_ending(output)
    if start_from is not None:
        check_model(start_from)
    if tensorboard is not None:
        need_extra("tensorboard", "tensorboard")
    stored = [given for given in inputs if Path(given).suffix.lower() == NETCDF]
    if 0 < len(stored) < len(inputs):
        raise CommandError(
            f"{printable(stored[0])}: is a file of skaudeep, and other inputs are recordings. Give "
            "one kind."
        )
    given = [[one] for one in inputs] if stored else [list(inputs)]
    sources = [read_source(some, path=path) for some in given]
    from skaudeep.datasets import describe

    summaries = [describe(source.bunch, n_jobs=jobs or -1) for source in sources]
    if not stored:
        sources = [leave_out_unreadable(sources[0], summaries[0])]
    for source, summary in zip(sources, summaries, strict=True):
        note(describe_source(source, summary))
    settings |= {"sampling_rate": sampling_rate, "jobs": jobs, "seed": seed}
    model, autoencoder = _make_model(sources[0], summaries[0], settings, start_from)
    if autoencoder.axis == "time" and (windows := stated(["band_window", "band_overlap"])):
        raise click.UsageError(
            f"--{windows[0].replace('_', '-')} is for --axis frequency or frequency-time, not time."
        )
    from skaudeep.callbacks import Checkpoint, TensorBoard
    from skaudeep.persistence import save
    from skaudeep.unsupervised import fit_autoencoder

    callbacks: list[Any] = []
    partial = file.with_name(f"{file.name}.partial")
    if checkpoints is not None:
        folder = Path(checkpoints).expanduser()
        if start_from is not None:  # a folder of its own, apart from trainings from random weights
            folder /= digest_of(start_from)[:16]
        callbacks.append(Checkpoint(folder, keep=keep))
        state.after_interruption = f"What is done is in {printable(folder)}; " + (
            "the same command goes on where this one stopped."
            if start_from is None
            else "its newest file is a model that --continue takes."
        )
    elif start_from is None:
        callbacks.append(Checkpoint(partial, keep=1))
        state.after_interruption = (
            "The same command goes on where this one stopped; what is done is in "
            f"{printable(partial.name)}."
        )
    if tensorboard is not None:
        callbacks.append(TensorBoard(tensorboard))
    n_clips = sum(len(source.bunch.filenames) for source in sources)
    with Progress(show=True) as progress:
        progress.begin(f"Training on {counted(n_clips, 'clip')}, epochs", autoencoder.max_epochs)
        left = autoencoder.max_epochs

        def advance(_: Any, n_left: int) -> None:
            nonlocal left
            progress.advance(left - n_left)
            left = n_left

        fit_autoencoder(
            [source.bunch for source in sources], model, callbacks=callbacks, on_epoch=advance
        )
        autoencoder.warm_start = False  # the setting of --continue
        save(model, file)
    if checkpoints is None and start_from is None:
        _delete_checkpoints(partial)
    losses = {"training": autoencoder.loss_curve_, "validation": autoencoder.validation_loss_curve_}
    ends = [f"{name} {curve[-1]:.5f}" for name, curve in losses.items() if curve]
    error = f", error (RMSE): {', '.join(ends)}" if ends else ""
    note(f"Autoencoder after {counted(len(autoencoder.loss_curve_), 'epoch')}{error}.")
    if as_json:
        write_json(
            {
                "model": output,
                "n_clips": n_clips,
                "n_features": len(autoencoder.get_feature_names_out()),
                "loss_curve": losses["training"],
                "validation_loss_curve": losses["validation"],
            }
        )
    else:
        click.echo(printable(output))


def _make_model(
    source: Source, summary: Summary, settings: dict[str, Any], start_from: str | None
) -> tuple[Any, Seq2SeqAutoencoder]:
    """Return the estimator to fit, and the autoencoder in it."""
    recordings = source.bunch.dims == ("clip",)
    options_of_sound = [
        f"--{name.replace('_', '-')}" for name in stated([*EXTRACTION, "sampling_rate"])
    ]
    if not recordings and options_of_sound:
        raise CommandError(
            f"{options_of_sound[0]}: is for recordings, and {source.title} holds {summary.data}. "
            "Leave it out."
        )
    if start_from is None:
        model = autoencoder = make_autoencoder(settings, random_state=settings["seed"])
    else:
        model, autoencoder = load_autoencoder(start_from, settings["jobs"])
        autoencoder.__dict__.pop("checkpoint_", None)
        changes = {TRAINING[name]: settings[name] for name in (*stated(TRAINING), "epochs")}
        autoencoder.set_params(warm_start=True, **changes)
        autoencoder.set_params(**directions(settings, autoencoder.get_params()))
        if model is not autoencoder:
            if options_of_sound:
                raise CommandError(
                    f"{options_of_sound[0]}: is decided by {printable(start_from)}, which makes "
                    "its own spectrograms. Leave it out."
                )
            return model, autoencoder
    if recordings:
        from sklearn.pipeline import make_pipeline

        rate = choose_rate(summary, settings["sampling_rate"])
        extractor = make_extractor(settings, sampling_rate=rate, n_jobs=settings["jobs"])
        model = make_pipeline(extractor, autoencoder)
    return model, autoencoder


def _delete_checkpoints(folder: Path) -> None:
    """Delete the checkpoints of a training that is done, and folders in which nothing else is."""
    for path in folder.glob("*/epoch-*.skaudeep"):
        path.unlink(missing_ok=True)
    for place in (*folder.glob("*"), folder):
        with suppress(OSError):  # something else is in it
            place.rmdir()
