"""The command `plot`: losses and reconstructions of a model, features in a plane."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skaudeep._texts import printable
from skaudeep.cli import options
from skaudeep.cli.checks import check_model, check_picture
from skaudeep.cli.errors import CommandError, need_extra
from skaudeep.cli.inputs import choose_rows, counted, describe_source, read_source
from skaudeep.cli.models import load_autoencoder
from skaudeep.cli.output import check_output, note, waiting
from skaudeep.cli.settings import stated

if TYPE_CHECKING:
    import pandas as pd

    from skaudeep.anomaly import AnomalyDetector
    from skaudeep.spectrogram import SpectrogramExtractor

N_CLIPS = 3
picture = options.output("Picture to write (.png, .svg, .pdf).", required=True)


@click.group()
def plot() -> None:
    """Draw losses, reconstructions or an embedding."""


@plot.command()
@options.options(
    click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=click.Path()),
    picture,
    options.force,
)
def loss(models: tuple[str, ...], output: str, force: bool) -> None:
    """Draw the loss of trainings over their epochs.

    MODEL is a file of 'skaudeep train', or a checkpoint. Of several there is a line each.
    """
    file = check_plot(output, force, models)
    for model in models:
        check_model(model)
    from skaudeep.plotting import LossCurveDisplay

    ax = None
    for model in models:
        _, autoencoder = load_autoencoder(model, None)
        name = Path(model).name if len(models) > 1 else None
        display = LossCurveDisplay.from_estimator(autoencoder, name=name, ax=ax)
        ax = display.ax_
    _save(display.figure_, file)
    click.echo(printable(output))


@plot.command()
@options.options(
    options.model,
    options.inputs,
    picture,
    click.option(
        "--clip",
        "clips",
        metavar="CLIP",
        multiple=True,
        help="Clip to draw, by its name or its number from 0. May be given several times. By "
        f"default the first {N_CLIPS}.",
    ),
    click.option(
        "--chunk",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Which chunk of clips that are in chunks, from 0.",
    ),
    options.path,
    options.force,
)
def reconstruction(
    model: str,
    inputs: tuple[str, ...],
    output: str,
    clips: tuple[str, ...],
    chunk: int,
    path: str | None,
    force: bool,
) -> None:
    """Draw spectrograms and what an autoencoder makes of them.

    MODEL is a file of 'skaudeep train', or a checkpoint. Beside each spectrogram stands its
    reconstruction, and the error.
    """
    file = check_plot(output, force, (model, *inputs))
    check_model(model)
    source = read_source(inputs, path=path)
    from skaudeep.datasets import describe, drop_folds, select
    from skaudeep.plotting import ReconstructionDisplay
    from skaudeep.spectrogram import SpectrogramExtractor
    from skaudeep.unsupervised import spectrograms_for

    fitted, autoencoder = load_autoencoder(model, None)
    note(describe_source(source, describe(source.bunch)))
    bunch = select(drop_folds(source.bunch), choose_rows(source, clips, N_CLIPS))
    X = spectrograms_for(fitted, bunch)
    if X.ndim > 3:
        if chunk >= X.shape[1]:
            raise CommandError(f"--chunk {chunk}: clips have at most {X.shape[1]} chunks.")
        X = X[:, chunk]
    elif stated(["chunk"]):
        raise click.UsageError(f"--chunk is for clips in chunks, and {source.title} has none.")
    steps = getattr(fitted, "steps", [("", None)])
    extractor = steps[0][1] if isinstance(steps[0][1], SpectrogramExtractor) else None
    display = ReconstructionDisplay.from_estimator(
        autoencoder, X, n_clips=len(X), extractor=extractor, names=bunch.filenames.tolist()
    )
    _save(display.figure_, file)
    click.echo(printable(output))


@plot.command()
@options.options(
    options.inputs,
    picture,
    click.option(
        "--method",
        type=click.Choice(["tsne", "pca", "umap"]),
        default="tsne",
        show_default=True,
        help="t-SNE, principal components, or UMAP.",
    ),
    click.option("--title", metavar="TEXT", help="Title of the picture. By default the method."),
    options.labels,
    options.seed,
    options.force,
)
def embedding(
    inputs: tuple[str, ...],
    output: str,
    method: str,
    title: str | None,
    labels: tuple[str, ...],
    seed: int,
    force: bool,
) -> None:
    """Draw features as points in a plane, coloured by class.

    INPUT is a file of features. Clips with similar features tend to be near one another. Clips
    without values are left out.
    """
    file = check_plot(output, force, (*inputs, *labels))
    if method == "umap":
        need_extra("umap", "umap")
    source = read_source(inputs, labels=labels)
    import numpy as np

    from skaudeep.datasets import describe, drop_folds, select
    from skaudeep.plotting import EmbeddingDisplay

    bunch = source.bunch
    note(describe_source(source, describe(bunch)))
    if bunch.dims != ("clip", "feature"):
        raise CommandError(
            f"{source.title}: has the axes {', '.join(bunch.dims)}, expected one row of features "
            "per clip. 'skaudeep transform' computes features, 'skaudeep fuse --chunks' makes one "
            "row of chunks."
        )
    there = ~np.isnan(np.asarray(bunch.data)).all(axis=1)
    if not there.all():
        note(f"Left out: {counted(int((~there).sum()), 'clip')} without values.")
        bunch = select(drop_folds(bunch), there)
    classes = bunch.target.ndim == 1 and bunch.target.dtype.kind != "f"
    with waiting(f"Placing {len(bunch.filenames)} clips"):
        display = EmbeddingDisplay.from_features(
            np.asarray(bunch.data),
            target=bunch.target if classes else None,
            target_names=bunch.target_names if classes else None,
            method=method,  # type: ignore[arg-type]  # one of the choices
            random_state=seed,
            name=title,
        )
    _save(display.figure_, file)
    click.echo(printable(output))


def check_plot(output: str, force: bool, read: Sequence[str], *, option: str = "-o") -> Path:
    """Return the file of a picture to write, as `check_output` does; choose how it is drawn.

    Parameters
    ----------
    output : str
    force : bool
    read : sequence of str
    option : str, default="-o"
        See `check_output`.

    Raises
    ------
    CommandError, OSError
        If it cannot be written, or its ending says no format.
    ImportError
        If matplotlib is not installed.
    """
    need_extra("plot", "matplotlib")
    check_picture(output, option)
    file = check_output(output, force, read, option=option)
    import matplotlib as mpl

    mpl.use("agg")  # no window, nor a screen for one
    return file


def draw_preview(extractor: SpectrogramExtractor, clip: str, file: Path) -> None:
    """Draw a clip's spectrogram and, below it, its levels before they are clipped.

    Parameters
    ----------
    extractor : SpectrogramExtractor
    clip : str
        Path of the recording.
    file : Path
        The picture to write.
    """
    import matplotlib.pyplot as plt

    from skaudeep.plotting import LevelsDisplay, SpectrogramDisplay

    figure, (above, below) = plt.subplots(2, figsize=(7, 6), layout="constrained")
    SpectrogramDisplay.from_extractor(extractor, clip, ax=above)
    LevelsDisplay.from_extractor(extractor, clip, ax=below)
    _save(figure, file)


def draw_alarms(table: pd.DataFrame, detector: AnomalyDetector, file: Path) -> None:
    """Draw the scores of clips and the threshold of a detector.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each clip, with the columns file and score, and of windows start and end.
    detector : AnomalyDetector
        What scored them.
    file : Path
        The picture to write.
    """
    from skaudeep.plotting import AnomalyDisplay

    table = table[table["score"].notna()]
    one = "start" in table and table["file"].nunique() == 1
    display = AnomalyDisplay(
        table["score"],
        threshold=detector.offset_,
        times=table["start"] if one else None,
        normal_scores=detector.held_out_scores_,
        false_alarm_rate=detector.false_alarm_rate,
    ).plot()
    if not one:
        what = "window" if "start" in table else "recording"
        display.ax_.set_xlabel(f"{what}, in the order of their names")
    _save(display.figure_, file)


def _save(figure: Any, file: Path) -> None:
    """Write a figure into a file that is whole or not there."""
    import matplotlib.pyplot as plt

    from skaudeep._files import replacing

    with replacing(file) as temporary:
        figure.savefig(temporary, format=file.suffix[1:], dpi=150)
    plt.close(figure)
