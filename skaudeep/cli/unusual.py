"""The command that learns from normal recordings, and finds what is not like them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from skaudeep._progress import Progress
from skaudeep._texts import printable
from skaudeep.cli import options
from skaudeep.cli.alarm_times import find_alarms, say_when
from skaudeep.cli.checks import check_ending, check_model, check_table
from skaudeep.cli.errors import WRONG, CommandError, show
from skaudeep.cli.inputs import choose_rate, counted, read_clips, read_source
from skaudeep.cli.models import load_model
from skaudeep.cli.output import check_output, note, results, save_table, waiting
from skaudeep.cli.plots import check_plot, draw_alarms
from skaudeep.cli.settings import stated
from skaudeep.cli.wording import in_words

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.utils import Bunch

    from skaudeep.anomaly import AnomalyDetector

PARTITIONS = ("train", "devel", "test")
BATCH = 64  # clips that are scored together
OTHER_LENGTH = 1.5  # times as long or as short: a threshold says nothing of such recordings
SAME = 0.99  # of a length: headers and hand-made cuts differ by some samples
HIGHEST_RATE = 0.2  # of false alarms that messages advise
LONGER = 2.0  # times the shortest recording: up to this length scores are compared without a word
MIN_HELD_OUT = 0.2  # share of the clips that AnomalyDetector holds out at least
DETECTOR = "expected a file that 'skaudeep unusual --save' wrote"
OF_NORMAL = ("false_alarms", "groups", "sampling_rate", "seed")


@dataclass(frozen=True)
class Clips:
    """Recordings, or windows of them.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        Recordings or windows, without recordings that have no window.
    files : list of n_clips str
        Name of the recording of each.
    durations : dict of str to float
        Length of each recording that has a clip in seconds, by its name.
    without : dict of str to str
        Why a recording has no clip, by its name.
    title : str
        What messages call them.
    what : {"recording", "window"}
        What a clip is.
    """

    bunch: Bunch
    files: list[str]
    durations: dict[str, float]
    without: dict[str, str]
    title: str
    what: str

    def times(self) -> pd.DataFrame:
        """Return start and end of each clip in seconds, as columns; none of whole recordings."""
        import pandas as pd

        if self.what == "recording":
            return pd.DataFrame(index=range(len(self.files)))
        levels = (self.bunch.data.get_level_values(name) for name in ("start", "end"))
        start, end = (level.total_seconds() for level in levels)
        return pd.DataFrame({"start": start, "end": end})


@click.command()
@options.options(
    options.inputs,
    click.option(
        "--normal",
        metavar="FOLDER",
        help="Normal recordings to learn from: a folder, a table or a recording; or train, devel "
        "or test: the recordings of this partition of INPUT, of which the others are scored.",
    ),
    click.option(
        "--detector",
        metavar="MODEL",
        type=click.Path(),
        help="Detector that --save wrote, in place of --normal. With --normal as well, only its "
        "threshold is set anew, by normal recordings of another place or season.",
    ),
    click.option(
        "--window",
        metavar="SECONDS",
        type=options.POSITIVE,
        help="Divide all recordings into windows of this length, each of which has a score. It is "
        "at most that of the normal recordings. By default each recording has one score, and all "
        "should be as long; with --detector, windows as those that it has learnt from.",
    ),
    click.option(
        "--hop",
        metavar="SECONDS",
        type=options.POSITIVE,
        help="Time from the start of a window to that of the next. By default the window.",
    ),
    click.option(
        "--false-alarms",
        metavar="SHARE",
        type=click.FloatRange(0, 0.5, min_open=True),
        default=0.05,
        show_default=True,
        help="Share of new normal clips that may be called unusual. The threshold is set by normal "
        "clips that are held out; 0.05 needs 38 of them, 0.01 needs 198.",
    ),
    options.output(
        "Table to write (.csv), the most unusual first: file, start and end of windows, score "
        "(lower is more unusual), and whether it is below the threshold. By default standard "
        "output."
    ),
    click.option(
        "--events",
        metavar="FILE",
        type=click.Path(),
        help="Table of times to write (.csv): file, start and end of what is unusual for as long "
        "as three windows or more, and the lowest score in it. It needs windows.",
    ),
    click.option(
        "--plot",
        metavar="FILE",
        type=click.Path(),
        help="Draw the scores and the threshold (.png, .svg, .pdf).",
    ),
    click.option(
        "--save",
        metavar="FILE",
        type=click.Path(),
        help="Write the detector (.skaudeep), for --detector.",
    ),
    click.option(
        "--groups",
        metavar="REGEX",
        callback=options.check_pattern,
        help="Regular expression that finds the day, session or machine of a normal recording in "
        "its name. Whole groups are held out for the threshold. By default, of windows, whole "
        "recordings, where there are enough.",
    ),
    options.path,
    options.sampling_rate,
    options.jobs,
    options.seed,
    options.force,
)
def unusual(
    inputs: tuple[str, ...],
    normal: str | None,
    detector: str | None,
    window: float | None,
    hop: float | None,
    false_alarms: float,
    output: str | None,
    events: str | None,
    plot: str | None,
    save: str | None,
    groups: str | None,
    path: str | None,
    sampling_rate: float | None,
    jobs: int | None,
    seed: int,
    force: bool,
) -> int:
    """Find what is not like normal recordings.

    A detector learns from normal recordings alone, and says which of INPUT are unusual: a machine
    that wears, a sound that was never there. A recording that cannot be read is named on standard
    error; the exit code is then 1.
    """
    _check_options(normal, detector, window, hop, events)
    read = [*inputs, *(given for given in (normal, detector) if given is not None)]
    file = picture = kept = times = None
    if output is not None:
        check_table(output)
        file = check_output(output, force, read)
    if events is not None:
        check_table(events)
        times = check_output(events, force, read, option="--events")
    if plot is not None:
        picture = check_plot(plot, force, read, option="--plot")
    if save is not None:
        check_ending(save)
        kept = check_output(save, force, read, option="--save")
    if detector is not None:
        check_model(detector, DETECTOR)
    learnt, scored = _read(inputs, normal, path, groups)
    from skaudeep.persistence import save as save_model

    fitted = None
    if detector is not None:
        fitted = _load(detector, jobs)
        if window is not None and normal is None and _length_of(fitted) is None:
            show(
                "Warning",
                f"{printable(detector)} has not learnt from windows: its threshold does not fit "
                "those of --window, unless they are as long as its recordings. Leave --window out.",
            )
        window = _window_of(fitted, detector, window)
        if window is None and events is not None:
            raise CommandError(
                f"--events: is about windows, and {printable(detector)} has learnt from whole "
                "recordings. Leave it out."
            )
    usual = None
    if learnt is not None:
        clips = _divide(learnt, window, hop)
        if window is not None:
            _check_windows(clips, window)
        usual = median(clips.durations.values())
        rate = false_alarms if fitted is None or stated(["false_alarms"]) else None
        fitted = _learn(clips, fitted, rate, groups, sampling_rate, jobs, seed)
    assert fitted is not None
    if kept is not None:
        save_model(fitted, kept)
    clips = _divide(scored, window, hop)
    _warn_of_lengths(clips, window, usual)
    stream = results()
    table, errors = _score(fitted, clips)
    for error in errors:
        show("Error", in_words(error))
    if picture is not None:
        draw_alarms(table, fitted, picture)
    most_unusual = table.sort_values("score", kind="stable")
    if file is None:
        stream.write(most_unusual.to_csv(index=False, float_format="%.6g"))
        stream.flush()
    else:
        save_table(most_unusual, file)
        click.echo(printable(str(output)))
    written = [printable(name) for name in (output, events, plot, save) if name is not None]
    note(_conclusion(fitted, table, clips.what) + (f": {', '.join(written)}" if written else "."))
    if window is not None:
        alarms = find_alarms(table, fitted.offset_, window, hop or window)
        if times is not None:
            save_table(alarms, times)
        note(say_when(alarms, len(clips.durations), window, hop or window))
    return WRONG if errors else 0


def _check_options(
    normal: str | None,
    detector: str | None,
    window: float | None,
    hop: float | None,
    events: str | None,
) -> None:
    """Refuse options that contradict each other, before anything is read."""
    if normal is None and detector is None:
        raise click.UsageError(
            "Give --normal FOLDER, normal recordings to learn from, or --detector MODEL, which has "
            "learnt from some."
        )
    if hop is not None and window is None and detector is None:
        raise click.UsageError("--hop is the time between two windows: give --window as well.")
    if events is not None and window is None and detector is None:
        raise click.UsageError("--events is about windows: give --window as well.")
    if normal is None:
        for option in stated(OF_NORMAL):
            raise click.UsageError(
                f"--{option.replace('_', '-')} is about learning from --normal, which is not given."
            )
    elif detector is not None and (given := stated(["groups", "sampling_rate"])):
        raise click.UsageError(
            f"--{given[0].replace('_', '-')} is for learning, and the detector has learnt already. "
            "Leave it out."
        )


def _read(
    inputs: tuple[str, ...], normal: str | None, path: str | None, groups: str | None
) -> tuple[Any, Any]:
    """Return the normal recordings, None without any, and those to score; each with its title."""
    from skaudeep.datasets import add_groups, drop_folds, select

    if normal in PARTITIONS and not Path(str(normal)).exists():
        source = read_source(inputs, path=path)
        bunch = source.bunch
        chosen = bunch.partition == normal
        if not chosen.any() or chosen.all():
            there = sorted(set(bunch.partition.tolist()) - {""})
            has = f"the partitions {', '.join(there)}" if there else "no partitions"
            raise CommandError(
                f"--normal {normal}: {source.title} has {has}, expected the partition {normal} to "
                "learn from, and others to score. Give a folder of normal recordings."
            )
        bunch = drop_folds(bunch)
        parts = [(select(bunch, chosen), f"{source.title} ({normal})")]
        parts.append((select(bunch, ~chosen), source.title))
    else:
        parts = [(None, "") if normal is None else _normal(normal), _whole(inputs, path)]
    for bunch, title in parts:
        if bunch is not None:
            _check_recordings(bunch, title)
    learnt, scored = parts
    if groups is not None:
        learnt = (add_groups(learnt[0], groups), learnt[1])
    return (None if learnt[0] is None else learnt), scored


def _normal(normal: str) -> tuple[Bunch, str]:
    try:
        return _whole((normal,), None)
    except FileNotFoundError as error:  # a folder without audio
        raise CommandError(f"--normal {printable(normal)}: {in_words(str(error))}") from error


def _whole(inputs: tuple[str, ...], path: str | None) -> tuple[Bunch, str]:
    from skaudeep.datasets import make_bunch

    clips = read_clips(inputs, path)
    return make_bunch(clips.data, clips.names, dims=clips.dims), clips.title


def _check_recordings(bunch: Bunch, title: str) -> None:
    from skaudeep.datasets.axes import is_segment_index

    if is_segment_index(bunch.data) or bunch.dims != ("clip",):
        raise CommandError(
            f"{title}: holds no whole recordings, expected recordings, folders of them or a table "
            "that lists them. In Python, AnomalyDetector takes features and pieces."
        )


def _divide(given: tuple[Bunch, str], window: float | None, hop: float | None) -> Clips:
    """Return the recordings that can be read, or windows of them, with the headers' facts."""
    from skaudeep.datasets import describe, select, windows

    bunch, title = given
    summary = describe(bunch)
    names = bunch.filenames.tolist()
    without = {
        name: f"{printable(name)}: {in_words(reason)}"
        for name, reason in summary.unreadable.items()
    }
    if len(without) == len(names):
        raise CommandError(f"{title}: no recording can be read. {next(iter(without.values()))}")
    if window is not None:
        for name, seconds in zip(names, summary.durations.tolist(), strict=True):
            if 2 * seconds < window:
                without[name] = (
                    f"{printable(name)}: lasts {seconds:.3g} s, less than half of --window "
                    f"{window:g}. Shorten --window."
                )
        if len(without) == len(names):
            first = next(iter(without.values()))
            raise CommandError(f"{title}: no recording has a window. {first}")
    if without:
        bunch = select(bunch, [name for name in names if name not in without])
    files = bunch.filenames.tolist()
    of_all = dict(zip(names, summary.durations.tolist(), strict=True))
    durations = {name: of_all[name] for name in files}
    if window is None:
        return Clips(bunch, files, durations, without, title, "recording")
    divided = windows(bunch, duration=window, hop=hop)
    whole = dict(zip(bunch.data.tolist(), bunch.filenames.tolist(), strict=True))
    files = [whole[file] for file in divided.data.get_level_values("file")]
    return Clips(divided, files, durations, without, title, "window")


def _check_windows(clips: Clips, window: float) -> None:
    """Refuse windows to learn from of which most are shorter, as their recordings are."""
    import numpy as np

    times = clips.times()
    n_clips, n_whole = len(times), int((times["end"] - times["start"] >= SAME * window).sum())
    if 2 * n_whole >= n_clips:
        return
    lengths = np.array([*clips.durations.values()])
    for longest in np.sort(lengths[lengths < window])[::-1]:
        n_of_each = np.floor(lengths / (SAME * longest))
        if n_of_each.sum() >= (lengths - n_of_each * longest >= longest / 2).sum():
            break  # as many whole windows as rests of recordings
    last = f"its recordings last {_span(clips.durations.values())}"
    if n_whole:
        found = f"{n_whole} of {n_clips} windows are as long as --window {window:g}, as {last}"
    else:
        found = f"{last}, less than --window {window:g}"
    raise CommandError(
        f"{clips.title}: {found}: scores of other lengths do not fit the threshold. Take --window "
        f"{longest:.3g} or less."
    )


def _warn_of_lengths(clips: Clips, window: float | None, usual: float | None) -> None:
    """Warn of recordings to score that are longer or shorter than what the threshold is of."""
    if window is not None:
        others = {name: s for name, s in clips.durations.items() if s < SAME * window}
        than = f"less than a window of {window:g} s"
        remedy = "Such scores say little."
    elif usual is not None:
        others = {
            name: seconds
            for name, seconds in clips.durations.items()
            if seconds > usual * OTHER_LENGTH or seconds < usual / OTHER_LENGTH
        }
        than = f"the normal recordings {usual:.3g} s"
        remedy = "Divide all by --window SECONDS."
    else:
        others = {}
    if others:
        more = f"and {len(others) - 1} more last" if len(others) > 1 else "lasts"
        lasts = f"{printable(next(iter(others)))} {more} {_span(others.values())}"
        show("Warning", f"{lasts}, {than}: the threshold does not fit. {remedy}")


def _span(seconds: Collection[float]) -> str:
    """Return lengths in words: "10 s", or "7 to 15 s"."""
    shortest, longest = f"{min(seconds):.3g}", f"{max(seconds):.3g}"
    return f"{longest} s" if shortest == longest else f"{shortest} to {longest} s"


def _load(detector: str, jobs: int | None) -> AnomalyDetector:
    from skaudeep.anomaly import AnomalyDetector

    try:
        fitted, title = load_model(detector, jobs)
    except ValueError as error:
        if "expected a file that skaudeep.save wrote" in str(error):  # no file of ours
            raise CommandError(f"{printable(detector)}: is no detector, {DETECTOR}.") from error
        raise
    if not isinstance(fitted, AnomalyDetector):
        raise CommandError(f"{title}: is no detector of unusual sound, {DETECTOR}.")
    return fitted


def _length_of(fitted: AnomalyDetector) -> float | None:
    """Return the length of the windows of a detector; None of others, and of old ones."""
    own = getattr(fitted, "clip_duration_", None)
    return None if own is None else float(own)


def _window_of(fitted: AnomalyDetector, detector: str, window: float | None) -> float | None:
    """Return the length of windows: that of the windows that the detector has learnt from."""
    own = _length_of(fitted)
    if own is None or window is None:
        return window if own is None else own
    if abs(window - own) > 0.01 * own:
        raise CommandError(
            f"--window {window:g}: {printable(detector)} has learnt from windows of {own:g} s, and "
            "scores of other lengths do not fit its threshold. Leave --window out."
        )
    return window


def _learn(
    clips: Clips,
    detector: AnomalyDetector | None,
    false_alarms: float | None,
    groups: str | None,
    sampling_rate: float | None,
    jobs: int | None,
    seed: int,
) -> AnomalyDetector:
    """Fit a detector to normal clips, or set the threshold of one by them."""
    from skaudeep.anomaly import AnomalyDetector
    from skaudeep.datasets import describe
    from skaudeep.recipes import anomaly_scorer

    for reason in clips.without.values():
        note(f"Left out of the normal recordings: {reason}")
    n_clips, what = len(clips.files), clips.what
    if detector is not None:
        if false_alarms is not None:
            detector.set_params(false_alarm_rate=false_alarms)
        _check_number(clips, detector.false_alarm_rate, 1)
        with waiting(f"Setting the threshold by {counted(n_clips, f'normal {what}')}"):
            return detector.calibrate(clips.bunch.data)
    assert false_alarms is not None
    _check_number(clips, false_alarms, 2)
    summary = describe(clips.bunch)
    shortest, longest = summary.durations.min(), summary.durations.max()
    if what == "recording" and longest > LONGER * shortest:
        note(
            f"{clips.title}: recordings last {shortest:.3g} to {longest:.3g} s. Scores are best "
            "compared of clips of one length: --window SECONDS divides all of them."
        )
    units, in_words_of_units = _units(clips, false_alarms, groups)
    of = f" of {counted(len(set(clips.files)), 'recording')}" if what == "window" else ""
    note(
        f"{clips.title}: {counted(n_clips, f'normal {what}')}{of}; for the threshold "
        f"{in_words_of_units} are held out."
    )
    scorer = anomaly_scorer(sampling_rate=choose_rate(summary, sampling_rate), n_jobs=jobs)
    made = AnomalyDetector(scorer, false_alarm_rate=false_alarms, random_state=seed)
    with waiting(f"Learning from {counted(n_clips, f'normal {what}')}"):
        return made.fit(clips.bunch.data, groups=units)


def _check_number(clips: Clips, false_alarms: float, times: int) -> None:
    """Refuse fewer clips than a threshold needs; `times` is 2 where half of them train."""
    least = ceil(1 / false_alarms - 1e-9) - 1
    n_clips = len(clips.files)
    if n_clips >= times * least:
        return
    lowest = ceil(100 / (n_clips // times + 1)) / 100
    remedies = ["Give more normal recordings"]
    remedies.append(
        "shorten --window or --hop"
        if clips.what == "window"
        else "divide long ones by --window SECONDS"
    )
    if lowest <= HIGHEST_RATE:
        remedies.append(f"allow more false alarms by --false-alarms {lowest:g}")
    n_held_out = f", of which {least} set the threshold" * (times > 1)
    raise CommandError(
        f"{clips.title}: {counted(n_clips, f'normal {clips.what}')}, expected at least "
        f"{times * least} for --false-alarms {false_alarms:g}{n_held_out}. "
        f"{', '.join(remedies[:-1])}, or {remedies[-1]}."
    )


def _units(clips: Clips, false_alarms: float, groups: str | None) -> tuple[Any, str]:
    """Return what is held out as a whole, and what it is in words."""
    import numpy as np

    if groups is not None:
        return clips.bunch.groups, "whole groups"
    if clips.what == "recording":
        return None, "some of them"
    _, sizes = np.unique(clips.bunch.groups, return_counts=True)
    n_clips = len(clips.files)
    needed = max(1 / false_alarms - 1, MIN_HELD_OUT * n_clips)
    # Whichever recordings are drawn, others are left to learn from.
    if len(sizes) > 1 and n_clips - sizes.max() >= needed:
        return clips.bunch.groups, "whole recordings"
    return None, "some of them"


def _score(detector: AnomalyDetector, clips: Clips) -> tuple[pd.DataFrame, list[str]]:
    """Return a row for each clip in their order, and errors about recordings without a score."""
    import numpy as np
    import pandas as pd

    from skaudeep._model_inputs import raising, warner_of_low_rates
    from skaudeep.audio.errors import AudioError
    from skaudeep.datasets.operations import readable_parts

    # The scores of `detector.score_samples`, which would name each batch of other lengths.
    scores = np.full(len(clips.files), np.nan)
    errors = list(clips.without.values())
    X, model = clips.bunch.data, raising(detector)
    warn_once = warner_of_low_rates(model)
    with Progress(show=True) as progress:
        progress.begin(f"Listening to {clips.what}s", len(scores))
        for start in range(0, len(scores), BATCH):
            batch = np.arange(start, min(start + BATCH, len(scores)))
            warn_once(X, batch)
            for rows, found in readable_parts(model.estimator_.score_samples, X, batch):
                if isinstance(found, AudioError):
                    errors.append(str(found))
                else:
                    scores[rows] = found
            progress.advance(len(batch))
    alarm = pd.Series(scores < detector.offset_, dtype=object)
    alarm[np.isnan(scores)] = None
    table = pd.DataFrame({"file": clips.files}).join(clips.times())
    table = table.assign(score=scores, alarm=alarm)
    missing = pd.DataFrame({"file": [*clips.without]})
    return pd.concat([table, missing], ignore_index=True) if len(missing) else table, errors


def _conclusion(detector: AnomalyDetector, table: pd.DataFrame, what: str) -> str:
    known = table["score"].notna()
    n_scored, n_alarms = int(known.sum()), int((table["alarm"] == True).sum())  # noqa: E712
    expected = detector.false_alarm_rate * n_scored
    chance = f"{expected:.0f}" if expected >= 9.5 else f"{expected:.1g}"
    return (
        f"{n_alarms} of {counted(n_scored, what)} below the threshold {detector.offset_:.4g} "
        f"(by chance about {chance}, {100 * detector.false_alarm_rate:g} % of normal ones)"
    )
