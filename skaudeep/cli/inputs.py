"""Reading of INPUT: a folder, a table, a file of skaudeep, recordings, or names on stdin."""

from __future__ import annotations

import os
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from skaudeep._texts import list_names, printable, shown
from skaudeep.cli.checks import TABLES, check_inputs, column_of_names
from skaudeep.cli.errors import CommandError, show
from skaudeep.cli.output import note
from skaudeep.cli.tables import EVENT_TABLES, read_pieces, read_table
from skaudeep.cli.wording import in_words

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from skaudeep.datasets.description import Summary

_NO_FOLDERS = "there are no folders of classes."
SHOWN_CLASSES = 4
SHOWN_CLIPS = 5


@dataclass(frozen=True)
class Source:
    """The clips that a command works on.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set.
    title : str
        Name of the data set in messages, such as "birds/".
    remark : str, default=""
        How it was read, if there are several ways.
    """

    bunch: Bunch
    title: str
    remark: str = ""


def read_source(
    inputs: Sequence[str],
    *,
    path: str | None = None,
    target: str | None = None,
    labels: Sequence[str] = (),
    groups: str | None = None,
    needs_labels: bool = False,
) -> Source:
    """Read the data set that the arguments INPUT and the options for labels and groups describe.

    Parameters
    ----------
    inputs : sequence of str
        One folder, table or file of skaudeep, or recordings and folders of them, or "-".
    path, target : str, default=None
        Columns of a table.
    labels : sequence of str, default=()
        Tables of labels, by file name.
    groups : str, default=None
        Regular expression that finds the group of a clip in its name.
    needs_labels : bool, default=False
        Whether to refuse a data set without labels.

    Returns
    -------
    Source
        The data set.

    Raises
    ------
    CommandError, ValueError, OSError
        If the input does not exist, cannot be read, or does not suit the options.
    """
    check_inputs(inputs, labels)
    source = _read(inputs, path, target, needs_labels and not labels)
    bunch = _add_labels(source.bunch, labels)
    if groups is not None:
        from skaudeep.datasets import add_groups

        bunch = add_groups(bunch, groups)
    if needs_labels and not (labelled := _labelled(bunch)).any():
        which = "its clip has no label" if len(labelled) == 1 else "none of its clips has a label"
        raise CommandError(
            f"{source.title}: {which}. Put the recordings "
            "of each class into a folder of its own, or give their labels by --labels CSV; "
            "'skaudeep report' helps to name them."
        )
    return replace(source, bunch=bunch)


class Clips(NamedTuple):
    """Clips to predict.

    Parameters
    ----------
    data : sequence of n_clips clips
        What a model takes.
    names : list of n_clips str
        Their names: relative to a folder, or those of the files as they were given. Pieces of a
        recording have its name.
    title : str
        What messages call them.
    dims : tuple of str
        What the axes of `data` are.
    """

    data: Any
    names: list[str]
    title: str
    dims: tuple[str, ...] = ("clip",)


def read_clips(inputs: Sequence[str], path: str | None) -> Clips:
    """Read clips to predict, which need no labels and may be many."""
    from skaudeep.datasets.axes import is_segment_index

    check_inputs(inputs)
    if (files := _given_files(inputs)) is not None:
        _refuse_columns(path)
        return Clips(files, files, _title(inputs, len(files)))
    if len(inputs) == 1 and os.path.isdir(inputs[0]):  # with any subfolders
        _refuse_columns(path)
        names = _audio_below(inputs[0])
        files = [os.path.join(inputs[0], name) for name in names]
        return Clips(files, names, f"{printable(stem_of(inputs))}/")
    source = _read(inputs, path, None, False)
    bunch = source.bunch
    of_pieces = is_segment_index(bunch.data)
    names = bunch.groups if of_pieces else bunch.filenames  # their groups are the recordings
    return Clips(bunch.data, names.tolist(), source.title, bunch.dims)


def stem_of(inputs: Sequence[str]) -> str:
    """Return how files that are made from the inputs are called by default, such as "birds"."""
    if len(inputs) > 1 or inputs[0] == "-":
        return "recordings"
    file = Path(inputs[0]).expanduser()
    return (file.resolve().name if file.is_dir() else file.stem) or "recordings"


def _read(inputs: Sequence[str], path: str | None, target: str | None, needs: bool) -> Source:
    (first, *others) = inputs
    if not others and first != "-":
        file = Path(first).expanduser()
        suffix = file.suffix.lower()
        if file.is_dir():
            _refuse_columns(path, target)
            return Source(_load_folder(file), f"{printable(stem_of(inputs))}/")
        title = printable(file.name)
        if suffix == ".nc":
            from skaudeep.formats import load_netcdf

            _refuse_columns(path, target)
            return Source(load_netcdf(file, lazy=True), title)
        if suffix == ".arff":
            from skaudeep.formats import load_arff

            _refuse_columns(path)
            return Source(load_arff(file, target=target), title)
        if suffix in TABLES:
            bunch, remark = read_table(file, path, target, needs)
            return Source(bunch, title, remark)
        if suffix in EVENT_TABLES:
            _refuse_columns(path)
            return Source(read_pieces(file, target), title)
    files = _given_files(inputs)
    _refuse_columns(path, target)
    if files is None:
        files = [
            os.path.join(given, name) if name else given
            for given in inputs
            for name in (_audio_below(given) if os.path.isdir(given) else [""])
        ]
    return Source(_bunch_of(files), _title(inputs, len(files)))


def _refuse_columns(path: str | None, target: str | None = None) -> None:
    """Raise a CommandError if columns are named of an input that has no such columns."""
    if path is not None or target is not None:
        raise CommandError(
            f"{'--target' if path is None else '--path'}: names a column of a table of recordings, "
            f"and no table is given. Give a file that ends in {' or '.join(TABLES)}."
        )


def _load_folder(folder: Path) -> Bunch:
    """Load a corpus; of a doubt about how, leave out what each reader did not find."""
    from skaudeep.datasets import load_dataset

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            bunch = load_dataset(folder)
        except FileNotFoundError as error:
            raise CommandError(in_words(str(error))) from error
    flat = not any("/" in name for name in bunch.filenames.tolist())
    for warning in caught:
        text = in_words(str(warning.message))
        # Without subfolders, users do not expect labels from folders.
        if issubclass(warning.category, UserWarning) and not (flat and _NO_FOLDERS in text):
            show("Warning", text)
    return bunch


def _given_files(inputs: Sequence[str]) -> list[str] | None:
    """Return the recordings that are named one by one, None where the inputs are anything else."""
    if "-" in inputs:
        return _names_on_stdin()
    readable = (".nc", ".arff", *TABLES, *EVENT_TABLES)
    if len(inputs) == 1 and inputs[0].lower().endswith(readable):
        return None
    return None if any(map(os.path.isdir, inputs)) else list(inputs)


def _names_on_stdin() -> list[str]:
    content = sys.stdin.buffer.read()
    divider = b"\0" if b"\0" in content else b"\n"
    names = [os.fsdecode(name.rstrip(b"\r")) for name in content.split(divider)]
    names = [name for name in names if name.strip()]
    if not names:
        raise CommandError(
            "-: standard input holds no name, expected the path of a recording on each line."
        )
    return names


def _audio_below(folder: str) -> list[str]:
    from skaudeep.datasets.files import list_audio

    return list_audio(folder)


def _bunch_of(files: list[str]) -> Bunch:
    """Make a data set of recordings whose names are relative to the folder that holds all."""
    from skaudeep.datasets import make_bunch

    whole = [os.path.abspath(file) for file in files]
    folder = os.path.commonpath([os.path.dirname(file) for file in whole])
    names = [Path(os.path.relpath(file, folder)).as_posix() for file in whole]
    return make_bunch(files, names, descr=f"{len(files)} recordings")


def _title(inputs: Sequence[str], n_files: int) -> str:
    if list(inputs) == ["-"]:
        return "standard input"
    return printable(os.path.basename(inputs[0])) if n_files == 1 else f"{n_files} files"


# Labels.


def _add_labels(bunch: Bunch, tables: Sequence[str]) -> Bunch:
    """Add the labels of tables in their order; refuse two names for one clip."""
    from skaudeep.datasets import add_labels
    from skaudeep.datasets.delimited import read_columns
    from skaudeep.datasets.vocabulary import missing_cells

    given: dict[str, tuple[str, str]] = {}
    unlabelled = missing_cells(None) - set(map(str, bunch.target_names or ()))
    for table in tables:
        file, filename = Path(table).expanduser(), column_of_names(table)
        cells = read_columns(file, [filename, "label"])
        for name, label in zip(cells[filename], cells["label"], strict=True):
            if label in unlabelled:
                continue
            other, where = given.setdefault(name, (label, table))
            if other != label and where != table:
                raise CommandError(
                    f"{shown(name)} is called {shown(other)} in {printable(where)} and "
                    f"{shown(label)} in {printable(table)}, expected one name. Correct one of the "
                    "tables, or leave one out."
                )
        bunch = add_labels(bunch, file, filename=filename)
    return bunch


def choose_rows(source: Source, clips: Sequence[str], n_first: int) -> list[int]:
    """Return the rows of clips that are given by name, or by number from 0; else the first.

    Raises
    ------
    CommandError
        If there is no such clip.
    """
    names = source.bunch.filenames.tolist()
    row_of = {name: row for row, name in enumerate(names)}
    rows = []
    for clip in clips:
        number = int(clip) if clip.isdecimal() else -1
        if clip not in row_of and not 0 <= number < len(names):
            raise CommandError(
                f"{source.title}: has no clip {shown(clip)}, expected a name such as "
                f"{shown(names[0])}, or a number from 0 to {len(names) - 1}."
            )
        rows.append(row_of.get(clip, number))
    return list(dict.fromkeys(rows)) or list(range(min(n_first, len(names))))


# The settings that a command derives from its input.


def choose_rate(summary: Summary, sampling_rate: float | None) -> float | None:
    """Return the sampling rate of all clips in Hz: what the user says, else the most frequent."""
    rates = summary.sampling_rates
    if sampling_rate is not None and not rates and not summary.unreadable:
        raise CommandError(
            f"--sampling-rate {sampling_rate:g}: is for recordings, and the input holds "
            f"{summary.data}. Leave it out."
        )
    if sampling_rate is not None or (chosen := summary.most_frequent_rate) is None:
        return sampling_rate
    if len(rates) > 1:
        each = ", ".join(f"{rate} Hz ({count})" for rate, count in rates.items())
        note(
            f"Recordings have several sampling rates: {each}. All are resampled to {chosen} Hz; "
            "--sampling-rate HZ takes another."
        )
    return float(chosen)


def choose_folds(bunch: Bunch, folds: int | None) -> tuple[int | None, str]:
    """Return the number of folds, None for those that the data set states, and both in words.

    Where the data set states none, there are five, or as few as a class has groups or clips. A
    class of a single one, which folds cannot divide, does not count.

    Raises
    ------
    CommandError
        If more folds are asked for than any class has groups or clips.
    """
    stated = f"{len(bunch.cv)} of the corpus" if bunch.cv else "none"
    if "train" in bunch.partition and not bunch.cv:
        stated = "partitions of the corpus"
    if folds is not None:
        most = max(count_units(bunch).values(), default=folds)
        if folds > most:
            what = "groups" if bunch.groups.any() else "clips"
            raise CommandError(f"--folds {folds}: no class has more than {most} {what}.")
        return folds, f"folds: {stated} -> {folds} folds"
    if stated != "none":
        return None, f"folds: {stated}"
    from skaudeep.evaluation.folds import default_n_folds

    units = count_units(bunch)
    n_folds = default_n_folds(units.values())
    of_classes = bunch.target.dtype.kind != "f" and bunch.target.ndim == 1
    if of_classes and sum(n_units > 1 for n_units in units.values()) < 2:
        what = "groups" if bunch.groups.any() else "recordings"
        return n_folds, f"folds: none, for which two classes need several {what} each"
    return n_folds, f"folds: none -> {n_folds} folds"


def check_classes(bunch: Bunch) -> None:
    """Raise a CommandError if a class cannot both train and be tested."""
    units = count_units(bunch)
    groups = set(bunch.groups[_labelled(bunch)].tolist())
    if len(groups) == 1 and groups != {""}:
        raise CommandError(
            f"All recordings are of one group, {shown(*groups)}, which cannot both train and be "
            "tested. Give --groups another pattern, one that finds the speaker, site or session "
            "in each name, or leave it out."
        )
    what = "group" if groups != {""} else "clip"
    if alone := [name for name, n_units in units.items() if n_units == 1]:
        have = "has" if len(alone) == 1 else "have"
        pattern = "" if groups == {""} else "give --groups another pattern, "
        raise CommandError(
            f"{len(alone)} of {len(units)} classes {have} a single {what}, which cannot both train "
            f"and be tested: {list_names(alone)}. Add recordings of them, {pattern}or leave them "
            "out; 'skaudeep report' leaves them out by itself."
        )


def require_classes(title: str, bunch: Bunch) -> None:
    """Raise a CommandError if the target is to regress on, or clips may have several classes."""
    if bunch.target.dtype.kind == "f" and _labelled(bunch).any():
        raise CommandError(
            f"{title}: has values to regress on, expected classes. Choose a column of classes by "
            "--target COLUMN. 'skaudeep evaluate' scores values."
        )
    if bunch.target.ndim > 1 and bunch.target.dtype.kind != "f":
        raise CommandError(
            f"{title}: clips may have several classes, expected one of each. 'skaudeep evaluate' "
            "scores several; in Python, skaudeep.fit_classifier fits a model of them."
        )


def require_two_classes(title: str, bunch: Bunch) -> None:
    """Raise a CommandError unless there are two classes to tell apart."""
    require_classes(title, bunch)
    classes = list(count_units(bunch))
    if len(classes) < 2:
        found = f"a single class, {classes[0]!r}" if classes else "no classes"
        raise CommandError(
            f"{title}: has {found}, expected at least two to tell apart. Put the recordings of "
            "each class into a folder of its own, or give labels by --labels CSV."
        )


def count_units(bunch: Bunch) -> dict[str, int]:
    """Count what folds divide of each class that has labelled clips: its groups, or its clips.

    Where the target is to regress on, there are no classes, nor does it count clips that may have
    several.
    """
    from skaudeep.datasets.groups import units_per_class

    if bunch.target.dtype.kind == "f" or bunch.target.ndim > 1:
        return {}
    n_units = units_per_class(bunch.target, bunch.groups)
    return {str(bunch.target_names[label]): n for label, n in n_units.items()}


def describe_source(source: Source, summary: Summary, *more: str) -> str:
    """Describe in one line how a command has read its input."""
    bunch = source.bunch
    n_clips = len(bunch.filenames)
    parts = [counted(n_clips, "clip")]
    labelled = _labelled(bunch)
    n_labelled = int(labelled.sum())
    if bunch.target.dtype.kind == "f":
        parts.append(f"{n_labelled} with a value to regress on")
    elif n_labelled:
        several = bunch.target.ndim > 1
        numbers = (bunch.target > 0).nonzero()[1] if several else bunch.target[labelled]
        names = [str(bunch.target_names[label]) for label in numbers.tolist()]
        counts = Counter(names).most_common()
        shown = [f"{printable(name)} {count}" for name, count in counts[:SHOWN_CLASSES]]
        classes = f"in {counted(len(counts), 'class', 'classes')} ({', '.join(shown)}"
        classes += ", ...)" if len(counts) > SHOWN_CLASSES else ")"
        if n_labelled == n_clips:
            parts[0] += f" {classes}"
        else:
            parts += [f"{n_labelled} labelled {classes}", f"{n_clips - n_labelled} unlabelled"]
    else:
        parts.append("unlabelled")
    seconds = sum(seconds for seconds in summary.durations.tolist() if seconds == seconds)
    if seconds:
        parts.append(f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s")
    else:
        parts.append(summary.data)
    parts += [f"{rate} Hz" for rate in list(summary.sampling_rates)[:1]]
    if len(summary.sampling_rates) > 1:
        parts[-1] = "several sampling rates"
    parts.append(f"groups: {summary.n_groups or 'none'}")
    parts += [*more, *([source.remark] if source.remark else [])]
    return f"{source.title}: {', '.join(parts)}"


def counted(n: int, what: str, several: str | None = None) -> str:
    """Return a number with its noun: "1 clip", "2 clips"."""
    return f"{n} {what if n == 1 else several or f'{what}s'}"


def leave_out_unreadable(source: Source, summary: Summary) -> Source:
    """Leave out clips whose header cannot be read, and say which and why."""
    unreadable = summary.unreadable
    if not unreadable or len(unreadable) == summary.n_clips:  # all of them: the work will say why
        return source
    from skaudeep.datasets import select

    for name, reason in list(unreadable.items())[:SHOWN_CLIPS]:
        note(f"Left out: {name}: {in_words(reason).rstrip('.')}.")
    if len(unreadable) > SHOWN_CLIPS:
        note(f"{len(unreadable)} recordings are left out in all; 'skaudeep audit' lists them.")
    kept = [name for name in source.bunch.filenames.tolist() if name not in unreadable]
    return replace(source, bunch=select(source.bunch, kept))


def _labelled(bunch: Bunch) -> Any:
    from skaudeep.datasets.operations import is_labelled

    return is_labelled(bunch)
