"""Options of spectrograms and of the training of an autoencoder, and their estimators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from skaudeep.cli import options
from skaudeep.cli.errors import CommandError

if TYPE_CHECKING:
    from skaudeep.autoencoder import Seq2SeqAutoencoder
    from skaudeep.spectrogram import SpectrogramExtractor

DECIBELS = click.FloatRange(-200, 0)
SHARE = click.FloatRange(0, 1, max_open=True)
COUNT = click.IntRange(min=1)


class Channel(click.ParamType):
    """The name of a channel, or its number."""

    name = "channel"

    def convert(self, value: Any, param: Any, ctx: Any) -> str | int:
        """Return the number of a channel as an int."""
        if value in ("mean", "left", "right", "difference"):
            return str(value)
        if not str(value).isdecimal():
            self.fail(
                f"{value!r} is neither mean, left, right, difference nor a number from 0.",
                param,
                ctx,
            )
        return int(value)


class OneOrTwo(click.ParamType):
    """A number, or two divided by a comma: over frequency, and over time."""

    name = "numbers"

    def __init__(self, kind: click.ParamType, words: str, example: str):
        self.kind = kind
        self.words = words
        self.example = example

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return a number, or a tuple of two."""
        if isinstance(value, int | float | tuple):
            return value
        parts = str(value).split(",")
        try:
            numbers = tuple(self.kind.convert(part, param, ctx) for part in parts)
        except click.BadParameter:
            numbers = ()
        if len(numbers) not in (1, 2):
            self.fail(
                f"{value!r} is no {self.words}, nor two divided by a comma, such as "
                f"{self.example}.",
                param,
                ctx,
            )
        return numbers if len(numbers) == 2 else numbers[0]


SIZES = OneOrTwo(COUNT, "number from 1", "64,128")
SHARES = OneOrTwo(SHARE, "number from 0 to below 1", "0.1,0.2")
PROBABILITIES = OneOrTwo(click.FloatRange(0, 1), "number from 0 to 1", "0.1,0.2")


# Names of options, and of the parameters of SpectrogramExtractor that they set.
EXTRACTION = {
    "window": "window_duration",
    "hop": "hop_duration",
    "bands": "n_mels",
    "fmin": "fmin",
    "fmax": "fmax",
    "clip_below": "clip_below",
    "clip_above": "clip_above",
    "duration": "duration",
    "align": "align",
    "channel": "channel",
    "pre_emphasis": "pre_emphasis",
    "chunk_duration": "chunk_duration",
    "chunks": "n_chunks",
}
extraction = (
    click.option("--window", type=options.POSITIVE, default=0.08, show_default=True, metavar="S",
                 help="Length of a frame in seconds."),
    click.option("--hop", type=options.POSITIVE, metavar="S",
                 help="Time from the start of a frame to that of the next in seconds. By default "
                 "half the window."),
    click.option("--bands", type=click.IntRange(0), default=128, show_default=True, metavar="N",
                 help="Number of mel bands; 0 keeps the bins of the FFT."),
    click.option("--fmin", type=click.FloatRange(min=0), default=0, show_default=True, metavar="HZ",
                 help="Lowest frequency."),
    click.option("--fmax", type=options.POSITIVE, metavar="HZ",
                 help="Highest frequency. By default half the sampling rate."),
    click.option("--clip-below", type=click.FloatRange(-200, 0, max_open=True), metavar="DB",
                 help="Lowest level relative to the maximum of a clip, such as -60. By default "
                 "-120."),
    click.option("--clip-above", type=DECIBELS, metavar="DB",
                 help="Highest level relative to the maximum of a clip. By default 0."),
    click.option("--duration", type=options.POSITIVE, metavar="S",
                 help="Length to which clips are cut or padded. By default they stay as they are."),
    click.option("--align", type=click.Choice(["start", "center"]), default="start",
                 show_default=True, help="What --duration keeps of a longer clip."),
    click.option("--channel", type=Channel(), default="mean", show_default=True,
                 metavar="NAME",
                 help="Channel of a clip: mean, left, right, difference (left minus right), or "
                 "a number from 0."),
    click.option("--pre-emphasis", type=click.FloatRange(0, 1), default=0.0, show_default=True,
                 metavar="X", help="Each sample minus this factor times the one before; auDeep "
                 "always takes 0.95."),
    click.option("--chunk-duration", type=options.POSITIVE, metavar="S",
                 help="Length of the chunks into which clips are divided. By default none."),
    click.option("--chunks", type=COUNT, metavar="N",
                 help="Number of chunks of a clip, from its start; those that a shorter one lacks "
                 "are empty. By default as many as the longest has."),
)  # fmt: skip

AXES = {"f": "frequency", "t": "time"}  # letters in the names of auDeep's options
# The same for parameters of Seq2SeqAutoencoder.
TRAINING = {
    "epochs": "max_epochs",
    "batch_size": "batch_size",
    "learning_rate": "learning_rate",
    "dropout": "dropout",
    "encoder_noise": "encoder_noise",
    "feed_previous_prob": "feed_previous_prob",
    "mask_silence": "mask_silence",
    "validation_fraction": "validation_fraction",
    "patience": "n_iter_no_change",
    "representation": "representation",
    "axis": "axis",
    "units": "n_units",
    "layers": "n_layers",
    "cell": "cell",
    "bidirectional_encoder": "bidirectional_encoder",
    "bidirectional_decoder": "bidirectional_decoder",
    "band_window": "band_window",
    "band_overlap": "band_overlap",
    "device": "device",
}
training = (
    click.option("--epochs", type=click.IntRange(min=0), default=16, show_default=True, metavar="N",
                 help="Passes over the recordings; 0 leaves the network at random weights."),
    click.option("--batch-size", type=COUNT, default=64, show_default=True, metavar="N",
                 help="Clips per step of the optimiser."),
    click.option("--learning-rate", type=options.POSITIVE, default=1e-3, show_default=True,
                 metavar="X", help="Learning rate of the Adam optimiser."),
    click.option("--dropout", type=SHARE, default=0.2, show_default=True, metavar="P",
                 help="Share of the inputs and outputs of each layer that are dropped."),
    click.option("--encoder-noise", type=SHARES, default=0.0,
                 show_default=True, metavar="P[,P]",
                 help="Share of the frames that the encoder is not shown; two numbers over "
                 "frequency and time."),
    click.option("--feed-previous-prob", type=PROBABILITIES,
                 default=0.0, show_default=True, metavar="P[,P]",
                 help="Probability that the decoder is fed its own last output; two numbers over "
                 "frequency and time."),
    click.option("--mask-silence", is_flag=True,
                 help="Leave the floor of spectrograms out of the error."),
    click.option("--validation-fraction", type=SHARE, default=0.0, show_default=True, metavar="P",
                 help="Share of the clips to validate on and not to train on; the "
                 "best weights on them are kept."),
    click.option("--patience", type=COUNT, metavar="N",
                 help="End after so many epochs without a smaller error on the validation clips "
                 "or, without these, on the training clips. By default never."),
    click.option("--representation", default="covariance", show_default=True,
                 type=click.Choice(["covariance", "statistics", "code", "both"]),
                 help="What the features are; 'code' is that of auDeep."),
    click.option("--axis", type=click.Choice(["time", "frequency", "frequency-time"]),
                 default="time", show_default=True,
                 help="What the network reads: frames, the bands of each frame, or both."),
    click.option("--units", type=SIZES, default="256", show_default=True, metavar="N[,N]",
                 help="Units of each layer; two numbers over frequency and time."),
    click.option("--layers", type=SIZES, default="2", show_default=True, metavar="N[,N]",
                 help="Layers of the encoder, and of the decoder; two numbers over frequency and "
                 "time."),
    click.option("--cell", type=click.Choice(["gru", "lstm"]), default="gru", show_default=True,
                 help="Recurrent cell."),
    click.option("--bidirectional-encoder/--unidirectional-encoder", default=True,
                 show_default=True, help="Whether the encoder also reads backwards."),
    click.option("--bidirectional-decoder/--unidirectional-decoder", default=False,
                 show_default=True, help="Whether the decoder also writes from the other end."),
    *(
        click.option(f"--bidirectional-{short}-{part}/--unidirectional-{short}-{part}",
                     default=None, help=f"Likewise, of the {part} over {axis} alone.")
        for part in ("encoder", "decoder")
        for short, axis in AXES.items()
    ),
    click.option("--band-window", type=COUNT, default=32, show_default=True, metavar="N",
                 help="Bands in a window, with an axis that has frequency."),
    click.option("--band-overlap", type=click.IntRange(min=0), default=24, show_default=True,
                 metavar="N", help="Bands that a window shares with the next, with an axis that "
                 "has frequency."),
    click.option("--device", default="auto", show_default=True, metavar="NAME",
                 help="Where to compute: cpu, cuda, cuda:1; auto takes a GPU where there is one."),
)  # fmt: skip


def make_extractor(settings: dict[str, Any], **more: Any) -> SpectrogramExtractor:
    """Return the extractor that the options describe.

    Parameters
    ----------
    settings : dict
        Values of the options `extraction`, among others.
    **more
        Further parameters of the extractor.

    Returns
    -------
    SpectrogramExtractor
    """
    from skaudeep.spectrogram import SpectrogramExtractor

    chosen = _parameters(settings, EXTRACTION)
    return SpectrogramExtractor(**chosen | {"n_mels": chosen["n_mels"] or None} | more)


def make_autoencoder(settings: dict[str, Any], **more: Any) -> Seq2SeqAutoencoder:
    """Return the autoencoder that the options describe, not fitted.

    Parameters
    ----------
    settings : dict
        Values of the options `training`, among others.
    **more
        Further parameters of the autoencoder.

    Returns
    -------
    Seq2SeqAutoencoder
    """
    from skaudeep.autoencoder import Seq2SeqAutoencoder

    chosen = _parameters(settings, TRAINING)
    return Seq2SeqAutoencoder(**chosen | directions(settings, chosen) | more)


def directions(settings: dict[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the directions over both axes, by the options for each axis.

    Parameters
    ----------
    settings : dict
        Values of the options `training`, among others.
    chosen : mapping
        Parameters of the autoencoder without these options.

    Returns
    -------
    dict
        Those parameters that the options change.

    Raises
    ------
    CommandError
        If there is such an option and the network does not read both axes.
    """
    from skaudeep.nn.sizes import pair

    changed = {}
    for part in ("encoder", "decoder"):
        parameter = f"bidirectional_{part}"
        own = {axis: settings[f"bidirectional_{axis}_{part}"] for axis in AXES}
        given = [axis for axis in AXES if own[axis] is not None]
        if given and chosen["axis"] != "frequency-time":
            way = "bidirectional" if own[given[0]] else "unidirectional"
            raise CommandError(
                f"--{way}-{given[0]}-{part}: is for --axis frequency-time, and the axis is "
                f"{chosen['axis']}. Give --{way}-{part}."
            )
        if given:
            both = zip(own.values(), pair(chosen[parameter]), strict=True)
            changed[parameter] = tuple(common if one is None else one for one, common in both)
    return changed


def stated(names: Iterable[str]) -> list[str]:
    """Return the options that the command line states, without those that have their default.

    Parameters
    ----------
    names : iterable of str
        Names as the command takes them.

    Returns
    -------
    list of str
    """
    context = click.get_current_context()
    return [
        name for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]


def check_alignment() -> None:
    """Raise a UsageError if the command line states --align without --duration."""
    if stated(["align"]) and not stated(["duration"]):
        raise click.UsageError("--align is for --duration, which is not given: give it as well.")


def _parameters(settings: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {parameter: settings[option] for option, parameter in names.items()}
