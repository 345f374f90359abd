"""The data set of a report: its clips, their faults, and its division into folds."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import Bunch

from skaudeep._texts import printable
from skaudeep.datasets.auditing import audit
from skaudeep.datasets.bunch import check_bunch, replace_keys
from skaudeep.datasets.description import Summary, audio_clips, describe, is_file
from skaudeep.datasets.operations import select
from skaudeep.reporting.folds import Division, choose_folds, settle

if TYPE_CHECKING:
    from skaudeep.audio.clips import Clip

SHOWN_CLASS = 30  # characters of the name of a class in a line of others
# Findings after which a clip may not be decodable.
_DOUBTFUL = ("unreadable", "truncated", "wrong header", "non-finite")


@dataclass(frozen=True)
class Finding:
    """One row of the audit."""

    clip: str
    kind: str
    detail: str
    advice: str
    value: float = float("nan")


@dataclass(frozen=True)
class Crossing:
    """Clips that belong together and are on both sides of a fold.

    Parameters
    ----------
    kind : {"group", "recording", "duplicate"}
        What they have in common.
    n_shared : int
        Number of groups, recordings or sets of equal clips that are trained and tested.
    n_folds : int
        Number of folds in which that is so.
    """

    kind: str
    n_shared: int
    n_folds: int


@dataclass(frozen=True)
class Corpus:
    """A data set as the report sees it.

    Parameters
    ----------
    bunch : Bunch
        The clips that can be read, without folds: `division` has these.
    division : Division
        Which of them train and which are tested.
    summary : Summary
        Of the clips that can be read.
    clips : list of Clip, or None
        Where the sound of each clip is. None where the data are spectrograms or features.
    names : list of str
        Name of each clip, never an absolute path.
    findings : list of Finding
        What the audit found; empty where there is no sound.
    crossings : list of Crossing
    left_out : dict of str to str
        Clips that cannot be read, and why.
    labels_left_out : dict of str to str
        Names of the classes of those of them that have one.
    folders : tuple of str
        Folders of the clips, which the page must not name.
    """

    bunch: Bunch
    division: Division
    summary: Summary
    clips: list[Clip] | None
    names: list[str]
    findings: list[Finding]
    crossings: list[Crossing]
    left_out: dict[str, str]
    labels_left_out: dict[str, str]
    folders: tuple[str, ...]

    @property
    def sampling_rate(self) -> float | None:
        """Rate of waveforms, or the most frequent rate of files, in Hz; None without sound."""
        return self.bunch.get("sampling_rate") or self.summary.most_frequent_rate

    @property
    def n_open(self) -> int:
        """Number of clips without a label."""
        return int((self.bunch.target < 0).sum())

    @property
    def origins(self) -> list[str | int]:
        """What each clip comes from: its group, else the file it is a part of, else itself."""
        files = _shared_files(self.clips)
        groups = self.bunch.groups.tolist()
        return [f"group {g}" if g else files.get(row, row) for row, g in enumerate(groups)]

    @property
    def origin_names(self) -> list[str]:
        """Names of the group, or of the file of which it is a part, of each clip; "" if none."""
        files = _shared_files(self.clips)
        return [
            str(g) or os.path.basename(files.get(row, ""))
            for row, g in enumerate(self.bunch.groups.tolist())
        ]

    def clean(self, text: object) -> str:
        """Return a text of a library without the folders that it may name."""
        return without_folders(str(text), self.folders)


def understand(bunch: Any, cv: Any, random_state: Any) -> Corpus:
    """Read headers, decode each clip once to see whether it is sound, and choose folds.

    Parameters
    ----------
    bunch : Bunch
        A data set of classes, labelled or not.
    cv, random_state
        See `choose_folds`.

    Returns
    -------
    Corpus

    Raises
    ------
    ValueError
        If the data set is unsound, its target is not one class for each clip, or none of its clips
        can be read.
    """
    bunch = _with_classes(check_bunch(bunch))
    summary = describe(bunch)
    clips = audio_clips(bunch)
    folders = _folders(clips)
    names = _names(bunch)
    division = choose_folds(bunch, cv, random_state)
    whole = bunch
    # Its folds are left out: `crossings` has what is on both sides of the folds in use.
    bunch = _undivided(bunch)
    findings: list[Finding] = []
    alike: dict[int, Any] = {}
    reasons: dict[int, str] = {}  # reasons why clips cannot be read
    if clips is not None:
        table = audit(bunch)
        alike = _alike(table, bunch)
        row_of = {name: row for row, name in enumerate(bunch.filenames.tolist())}
        findings = [
            Finding(
                names[row_of[row.filename]],
                row.finding,
                without_folders(row.detail, folders),
                without_folders(row.advice, folders),
                float(row.value),
            )
            for row in table.itertuples()
        ]
        doubtful = table.filename[table.finding.isin(_DOUBTFUL)]
        reasons = _faults(clips, sorted({row_of[name] for name in doubtful}), folders)
    elif summary.unreadable:
        reasons = {
            row: printable(without_folders(summary.unreadable[name], folders))
            for row, name in enumerate(bunch.filenames.tolist())
            if name in summary.unreadable
        }
    left_out = {names[row]: reason for row, reason in reasons.items()}
    labels_left_out = {
        names[row]: bunch.target_names[bunch.target[row]]
        for row in reasons
        if bunch.target[row] >= 0
    }
    if reasons:
        kept = np.setdiff1d(np.arange(len(names)), list(reasons))
        if not len(kept):
            raise ValueError(
                f"None of the {len(names)} clips can be read, expected at least one. Look at "
                "skaudeep.datasets.audit(bunch), which says why of each."
            )
        whole = select(whole, kept)
        summary = describe(whole)
        bunch, division, clips, names, alike = _only(bunch, division, clips, names, alike, kept)
        if cv is None or isinstance(cv, str | Integral) or hasattr(cv, "split"):
            # Divide what is left as `evaluate` does; other folds state their clips themselves.
            division = choose_folds(whole, cv, random_state)
    groups = {row: str(group) for row, group in enumerate(bunch.groups) if group}
    crossings = [
        _crossing("group", groups, division),
        _crossing("recording", _recordings(bunch, clips), division),
        _crossing("duplicate", alike, division),
    ]
    return Corpus(
        bunch=bunch,
        division=division,
        summary=summary,
        clips=clips,
        names=names,
        findings=findings,
        crossings=[crossing for crossing in crossings if crossing.n_shared],
        left_out=left_out,
        labels_left_out=labels_left_out,
        folders=folders,
    )


def without_folders(text: str, folders: tuple[str, ...]) -> str:
    """Return a text in which files are named relative to these folders.

    Examples
    --------
    >>> without_folders("/data/birds/a.wav: is empty", ("/data/birds",))
    'a.wav: is empty'
    """
    for folder in folders:
        text = text.replace(folder + os.sep, "").replace(folder, ".")
    return text


def _with_classes(bunch: Bunch) -> Bunch:
    target = np.asarray(bunch.target)
    if target.ndim == 1 and target.dtype.kind == "f" and np.isnan(target).all():
        return replace_keys(bunch, target=np.full(len(target), -1))
    if target.ndim != 1 or target.dtype.kind not in "iu":
        values = target.dtype.kind == "f"
        what = "values to regress on" if values else "clips that may have several classes"
        remedy = " For classes stored as floats use bunch.target.astype(int)." if values else ""
        raise ValueError(
            f"Got {what}, a target of {target.dtype} of shape {target.shape}, expected one class "
            "for each clip: a report is about classes, or about clips without labels. "
            f"skaudeep.evaluate scores them.{remedy}"
        )
    return bunch


def _undivided(bunch: Bunch) -> Bunch:
    n_clips = len(bunch.target)
    return replace_keys(
        bunch, folds=np.zeros((n_clips, 0), np.int8), partition=np.full(n_clips, "")
    )


def _folders(clips: list[Clip] | None) -> tuple[str, ...]:
    """Return the folders that texts about the clips may name, the longest first."""
    files = [os.fsdecode(clip.source) for clip in clips or () if is_file(clip)]
    found = {os.path.expanduser("~"), os.getcwd()}
    for paths in ([os.path.abspath(file) for file in files], [*map(os.path.realpath, files)]):
        if paths:
            found.add(os.path.commonpath([os.path.dirname(path) for path in paths]))
    return tuple(sorted(found - {os.sep, ""}, key=len, reverse=True))


def _names(bunch: Bunch) -> list[str]:
    """Return the names of the clips, relative to a common folder where they are absolute."""
    names = bunch.filenames.tolist()
    absolute = [name for name in names if os.path.isabs(name)]
    if not absolute:
        return names
    common = os.path.commonpath([os.path.dirname(name) for name in absolute])
    return [os.path.relpath(name, common) if os.path.isabs(name) else name for name in names]


# Faults, and clips that belong together.


def _faults(clips: list[Clip], rows: list[int], folders: tuple[str, ...]) -> dict[int, str]:
    """Return why clips cannot be decoded, of those that cannot."""
    from skaudeep.audio.decoding import read_audio
    from skaudeep.audio.errors import AudioError

    faults = {}
    for row in rows:
        clip = clips[row]
        try:
            # The rate of a waveform does not matter for whether it is sound.
            read_audio(
                clip.source,
                start=clip.start,
                end=clip.end,
                sampling_rate=None if is_file(clip) else 8000,
            )
        except AudioError as error:
            faults[row] = printable(without_folders(error.reason, folders))
    return faults


def _only(
    bunch: Bunch,
    division: Division,
    clips: list[Clip] | None,
    names: list[str],
    alike: dict[int, Any],
    kept: np.ndarray,
) -> tuple[Bunch, Division, list[Clip] | None, list[str], dict[int, Any]]:
    """Keep clips, in all that there is about the clips."""
    new_row = np.full(len(names), -1)
    new_row[kept] = np.arange(len(kept))

    def among(side: np.ndarray) -> np.ndarray:
        return new_row[side][new_row[side] >= 0]

    bunch = select(bunch, kept)
    division = settle(
        bunch,
        Division(
            division.target[kept],
            [(among(train), among(test)) for train, test in division.folds],
            division.origin,
            division.notes,
        ),
    )
    return (
        bunch,
        division,
        None if clips is None else [clips[row] for row in kept],
        [names[row] for row in kept],
        {int(new_row[row]): key for row, key in alike.items() if new_row[row] >= 0},
    )


def _alike(findings: Any, bunch: Bunch) -> dict[int, int]:
    """Return the first clip with the same samples, for each clip that the audit found twice."""
    rows = {name: row for row, name in enumerate(bunch.filenames.tolist())}
    first_of = {printable(name): row for name, row in rows.items()}
    alike: dict[int, int] = {}
    for found in findings[findings.finding == "duplicate"].itertuples():
        name = found.detail.split(" as ", 1)[1]
        first = first_of.get(name, first_of.get(name.rsplit(", but of ", 1)[0]))
        if first is not None:
            alike |= {rows[found.filename]: first, first: first}
    return alike


def _shared_files(clips: list[Clip] | None) -> dict[int, str]:
    """Return the file of each clip that is one of several parts of it."""
    of_file = defaultdict(list)
    for row, clip in enumerate(clips or ()):
        if is_file(clip):
            of_file[os.path.abspath(os.fsdecode(clip.source))].append(row)
    return {row: file for file, rows in of_file.items() if len(rows) > 1 for row in rows}


def _recordings(bunch: Bunch, clips: list[Clip] | None) -> dict[int, str]:
    """Return the file of each clip that shares it with others, unless they are one group."""
    shared = _shared_files(clips)
    groups = defaultdict(set)
    for row, file in shared.items():
        groups[file].add(bunch.groups[row])
    return {
        row: file for row, file in shared.items() if len(groups[file]) > 1 or groups[file] == {""}
    }


def _crossing(kind: str, key_of: dict[int, Any], division: Division) -> Crossing:
    shared, n_folds = set(), 0
    for train, test in division.folds:
        trained, tested = (
            {key_of[row] for row in side.tolist() if row in key_of} for side in (train, test)
        )
        shared |= trained & tested
        n_folds += bool(trained & tested)
    return Crossing(kind, len(shared), n_folds)


def describe_classes(bunch: Bunch, most: int = 4) -> str:
    """Describe the classes in a few words.

    Examples
    --------
    >>> from skaudeep.datasets import make_sounds
    >>> from skaudeep.reporting.corpus import describe_classes
    >>> describe_classes(make_sounds(20, n_classes=4, random_state=0))
    '4 classes of 5 clips each'
    """
    counts = Counter(bunch.target[bunch.target >= 0].tolist())
    if not counts:
        return "no labels"

    def clips(k: int) -> str:
        return f"{k} {'clip' if k == 1 else 'clips'}"

    n = len(counts)
    sizes = sorted(counts.values())
    if n == 1:
        return f"1 class of {clips(sizes[0])}"
    if sizes[0] == sizes[-1]:
        return f"{n} classes of {clips(sizes[0])} each"
    if n > most:
        return f"{n} classes of {sizes[0]} to {sizes[-1]} clips"
    named = [f"{_cut(bunch.target_names[label])} {k}" for label, k in counts.most_common()]
    return f"{n} classes ({', '.join(named)})"


def _cut(name: str) -> str:
    return printable(name if len(name) <= SHOWN_CLASS else f"{name[: SHOWN_CLASS - 1]}…")
