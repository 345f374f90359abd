"""Commands that search for sounds: events in recordings, and clips similar to a given one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from skaudeep._progress import Progress
from skaudeep._texts import list_names, printable, shown
from skaudeep.cli import options
from skaudeep.cli.checks import check_model
from skaudeep.cli.errors import WRONG, CommandError, show
from skaudeep.cli.inputs import counted, read_clips, read_source
from skaudeep.cli.models import load_model
from skaudeep.cli.output import check_folder, check_output, note, results, write_json
from skaudeep.cli.wording import in_words

# A copy of the constant in `formats.annotations`, whose import is slow; a test compares them.
EVENT_FORMATS = ("raven", "audacity", "textgrid", "csv")
SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))  # separators of folders in paths
SECONDS = click.FloatRange(min=0, min_open=True)


@click.command()
@options.options(
    options.inputs,
    click.option(
        "--model", metavar="MODEL", type=click.Path(), required=True, help="File of the model."
    ),
    click.option(
        "--window",
        metavar="SECONDS",
        type=SECONDS,
        required=True,
        help="Length of the windows that the model classifies: as those that it was fitted to.",
    ),
    click.option(
        "--hop",
        metavar="SECONDS",
        type=SECONDS,
        help="Time from the start of a window to that of the next, and the precision of the "
        "events. By default a fifth of the window.",
    ),
    click.option(
        "--threshold",
        metavar="P",
        type=click.FloatRange(0, 1),
        default=0.5,
        show_default=True,
        help="Probability that an event reaches at least once.",
    ),
    click.option(
        "--low-threshold",
        metavar="P",
        type=click.FloatRange(0, 1),
        help="Probability that an event keeps throughout, at most --threshold. By default that of "
        "--threshold.",
    ),
    click.option(
        "--min-duration",
        metavar="SECONDS",
        type=click.FloatRange(min=0),
        default=0.0,
        help="Leave out events that are shorter.",
    ),
    click.option(
        "--merge-gap",
        metavar="SECONDS",
        type=click.FloatRange(min=0),
        default=0.0,
        help="Join events of a class with a pause of at most this length.",
    ),
    click.option(
        "--background",
        metavar="CLASS",
        multiple=True,
        default=("background",),
        show_default=True,
        help="Class of the model that is no event. May be given several times.",
    ),
    options.output(
        "File of the events: .csv, .selections.txt (Raven), other .txt (Audacity) or .TextGrid "
        "(Praat). All but .csv hold one recording. Or a folder, which gets a file for each "
        "recording; one that does not exist is made where its name ends in /. By default CSV on "
        "standard output."
    ),
    click.option(
        "--format",
        "kind",
        type=click.Choice(EVENT_FORMATS),
        help="Format of the file, by default what its ending says; of those in a folder.",
    ),
    options.jobs,
    options.force,
)
def detect(
    inputs: tuple[str, ...],
    model: str,
    window: float,
    hop: float | None,
    threshold: float,
    low_threshold: float | None,
    min_duration: float,
    merge_gap: float,
    background: tuple[str, ...],
    output: str | None,
    kind: str | None,
    jobs: int | None,
    force: bool,
) -> int:
    """Find events in recordings of any length.

    The model scores windows; where a class reaches the threshold there is an event, with its start
    and end in seconds. A recording that cannot be read is named on standard error; the exit code is
    then 1.
    """
    into_folder = output is not None and (output.endswith(SEPARATORS) or os.path.isdir(output))
    file = None
    if output is not None and not into_folder:
        file = check_output(output, force, (model, *inputs))
    check_model(model)
    from skaudeep.formats.annotations import FORMATS, format_to_write, save_annotations

    if into_folder and kind is None:
        raise CommandError(
            f"{printable(output)}: is a folder, which gets a file for each recording. Give their "
            f"format by --format, one of {list_names(EVENT_FORMATS)}."
        )
    kind = kind or ("csv" if file is None else format_to_write(file))
    clips, names, title, dims = read_clips(inputs, None)
    from skaudeep.datasets.axes import is_segment_index

    if is_segment_index(clips) or dims != ("clip",):
        raise CommandError(
            f"{title}: holds no whole recordings, expected recordings, folders of them or a table "
            "that lists them. 'skaudeep predict' names the class of pieces."
        )
    clips = list(map(str, clips))
    if file is not None and kind != "csv" and len(clips) > 1:
        raise CommandError(
            f"{printable(output)}: is of one recording in the format {kind}, and the input has "
            f"{len(clips)}. Give -o a name that ends in .csv, or a folder."
        )
    targets = {}
    if output is not None and into_folder:
        tables = _names_of_tables(names, FORMATS[kind].suffix, given=names == clips)
        files = check_folder(output, tables, force)
        targets = {clip: files[name] for clip, name in zip(clips, tables, strict=True)}
    from skaudeep._model_outputs import read_classes
    from skaudeep.audio.decoding import audio_info
    from skaudeep.audio.errors import AudioError
    from skaudeep.detection import detect as find

    fitted, model_title = load_model(model, jobs)
    seconds = 0.0
    for clip in clips:
        try:
            seconds += audio_info(clip).duration
        except AudioError:
            continue  # it is named when its turn comes
    classes = read_classes(fitted)
    note(
        f"{title}: {counted(len(clips), 'recording')}, {seconds / 3600:.1f} h; {model_title}: "
        f"classes {list_names(classes.names if classes else [])}."
    )
    stream = results()
    with Progress(show=True) as progress:
        progress.begin("Listening, seconds", round(seconds))
        done = 0.0

        def advance(more: float) -> None:
            nonlocal done
            progress.advance(round(done + more) - round(done))
            done += more

        events = find(
            fitted,
            clips,
            duration=window,
            hop=hop,
            threshold=threshold,
            low_threshold=low_threshold,
            min_duration=min_duration,
            merge_gap=merge_gap,
            background=background,
            on_seconds=advance,
        )
    errors = events.attrs["errors"]
    counts = events["label"].value_counts()
    in_words_of_input = dict(zip(clips, names, strict=True))
    for clip, target in targets.items():
        found = events[events["file"] == clip]
        if len(found) or clip not in errors:  # one without events has been heard as well
            if kind == "csv":
                found = found.assign(file=in_words_of_input[clip])
            save_annotations(found, target, kind)
    if file is None or kind == "csv":  # other formats have one recording
        events["file"] = events["file"].map(in_words_of_input).astype(str)
    if targets:
        click.echo(printable(output))
    elif file is None:
        stream.write(FORMATS[kind].write(events))
        stream.flush()
    else:
        save_annotations(events, file, kind)
        click.echo(printable(output))
    each = ", ".join(f"{printable(label)} {count}" for label, count in counts.items())
    note(counted(len(events), "event") + (f": {each}." if each else "."))
    for error in errors.values():
        show("Error", in_words(str(error)))
    return WRONG if errors else 0


def _names_of_tables(names: Sequence[str], suffix: str, given: bool) -> list[str]:
    """Return the name of the table of each recording.

    Like the recording, below the INPUT; where recordings are given one by one, below the folder
    that holds all of them.
    """
    whole = [os.path.abspath(name) for name in names]
    above = os.path.commonpath([os.path.dirname(name) for name in whole]) if given else os.getcwd()
    tables: dict[str, str] = {}
    for name, path in zip(names, whole, strict=True):
        table = Path(os.path.relpath(os.path.splitext(path)[0] + suffix, above)).as_posix()
        if table in tables:
            raise CommandError(
                f"{printable(table)}: would be the table of {shown(tables[table])} and of "
                f"{shown(name)}. Give -o a name that ends in .csv, which holds both."
            )
        tables[table] = name
    return list(tables)


@click.command()
@options.options(
    click.argument("archive", metavar="ARCHIVE", type=click.Path()),
    click.argument("clip", metavar="CLIP"),
    click.option(
        "-n",
        "n_clips",
        metavar="N",
        type=click.IntRange(min=1),
        default=10,
        show_default=True,
        help="How many clips to list.",
    ),
    options.as_json,
)
def similar(archive: str, clip: str, n_clips: int, as_json: bool) -> None:
    """List the clips of an archive that are most like one of them.

    ARCHIVE is a file of features, as 'skaudeep transform' writes it; CLIP is the name of a clip in
    it. Columns are similarity (1 is the same), file, and label where there are labels.
    """
    source = read_source([archive])
    from skaudeep.similarity import similar_clips

    found = similar_clips(source.bunch, clip, n=n_clips)
    if as_json:
        write_json({"clip": clip, "similar": found.to_dict("records")})
        return
    stream = results()
    display: Any = printable if stream.isatty() else str
    has_labels = any(found["label"])
    stream.write("similarity\tfile" + "\tlabel" * has_labels + "\n")
    for row in found.itertuples(index=False):
        label = f"\t{display(row.label)}" if has_labels else ""
        stream.write(f"{row.similarity:.4f}\t{display(row.file)}{label}\n")
