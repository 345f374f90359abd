"""A report on faults of the clips of a data set, by decoding each clip."""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from joblib import delayed
from sklearn.utils import Bunch

from skaudeep._parallel import parallel_threads
from skaudeep._texts import list_names, printable
from skaudeep.datasets.bunch import check_bunch
from skaudeep.datasets.description import audio_clips, is_file

if TYPE_CHECKING:
    import pandas

    from skaudeep.audio.clips import Clip
    from skaudeep.audio.errors import AudioError

# Advice for each finding, in the order of the report. None: the error about the clip has an advice.
_ADVICE = {
    "unreadable": None,
    "truncated": None,
    "wrong header": "Convert the file again, or mend its header",
    "non-finite": None,
    "silent": "Listen to it; leave it out if nothing is audible",
    "clipped": "Listen to it; record or export it again at a lower level if it matters",
    "too short": "Leave it out, or extract with a shorter window_duration or with duration=",
    "duplicate": "Keep one of them",
    "mixed rates": "Give sampling_rate= to the extractor, which resamples",
    "mixed channels": 'Extract with channel="mean", which suits mono and stereo alike',
    "group on both sides": "Divide again with drop_folds or drop_partitions and add_...",
    "recording on both sides": "Give all segments of a recording one group, and divide again",
    "duplicate on both sides": "Keep one of them, or give both the same group and divide again",
}
# Names of the kinds of `AudioError` in the report. Every other kind is "unreadable".
_FINDINGS = {
    "cut short": "truncated",
    "not finite": "non-finite",
    "wrong header": "wrong header",
}

# A sample is clipped if it is within two steps of 16 bits of the largest sample that the coding can
# hold, or above it, as decoders of lossy formats may be.
FULL_SCALE = 1 - 2**-14
CLIPPED_RUN = 3  # samples in a row; a pure tone above 80 Hz has no such flat top at 44.1 kHz
BLOCK = 300  # seconds of a clip that are decoded at once


class _Finding(NamedTuple):
    row: int
    finding: str
    value: float
    detail: str
    advice: str | None = None


class _Decoded(NamedTuple):
    """Properties of a clip that decoding shows."""

    n_samples: int
    n_channels: int
    sampling_rate: float
    level: float  # dB re full scale, half the range from the lowest to the highest sample
    clipped: float  # share of clipped samples
    digest: str  # checksum of all samples
    remark: str | None  # fault of the header


def audit(
    bunch: Bunch,
    *,
    silent_below: float = -60.0,
    min_duration: float = 0.08,
    n_jobs: int | None = -1,
) -> pandas.DataFrame:
    """Decode every clip of a data set and report its faults.

    ======================= ====================================================== ================
    finding                 what it means                                          value
    ======================= ====================================================== ================
    unreadable              missing, no audio, a damaged header, no samples, or a  NaN
                            segment that lies outside its file
    truncated               fewer samples than announced, or a part is damaged     NaN
    wrong header            announces another length, nothing seems to be missing  NaN
    non-finite              samples that are NaN or infinite                       NaN
    silent                  level below `silent_below`                             dB re full scale
    clipped                 three or more samples in a row of a channel at or      % of samples
                            over full scale
    too short               lasts less than `min_duration`                         seconds
    duplicate               same file or same samples as an earlier clip           NaN
    mixed rates             another sampling rate than the most frequent one       Hz
    mixed channels          another number of channels than the most frequent one  channels
    group on both sides     a group with clips in training and in test of a fold,  fold, from 1, or
                            or in two or three partitions                          NaN: partitions
    recording on both sides likewise, of the segments of a file, if they have      as above
                            several groups or none
    duplicate on both sides likewise, of clips with the same samples               as above
    ======================= ====================================================== ================

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set of audio with the keys of :func:`make_bunch`. `data` holds paths, a (file, start,
        end) index, or waveforms; for waveforms there is also a key `sampling_rate` in Hz. Copies
        that :func:`upsample` made are ignored. Silent clips are not compared with one another, so
        that they are no duplicates.
    silent_below : float, default=-60.0
        Level in dB re full scale below which a clip is silent. The level is half the distance
        from the lowest to the highest sample, over all channels together, so that an offset that is
        the same in all channels is silence: its level is -inf.
    min_duration : float >= 0, default=0.08
        Duration in seconds below which a clip is too short. The default is the default window of
        :class:`~skaudeep.SpectrogramExtractor`.
    n_jobs : int or None, default=-1
        Number of threads that decode. -1 uses all cores. None is 1, unless a
        :func:`joblib.parallel_config` context states another number. The result does not depend on
        it.

    Returns
    -------
    findings : pandas.DataFrame
        A row for each finding, ordered by kind as in the table above, then by clip. There are no
        rows if nothing is wrong. The subclass of DataFrame shows control characters in names in
        their escaped form. Columns:

        filename : str
            Name of the clip. For a finding "on both sides" it is the first of the clips in the
            test part of the fold, or in "test" (else in "devel") of the partitions.
        finding : str
            Kind of the finding, see the table above.
        value : float
            Value of the finding, see the table above.
        detail : str
            The finding in words.
        advice : str
            What to do about it.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If the data set holds spectrograms or features, or its keys do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.datasets import audit, make_bunch, select
    >>> rng = np.random.default_rng(0)
    >>> noise, silence = rng.uniform(-0.5, 0.5, 8000), np.zeros(8000)
    >>> names = ["a.wav", "b.wav", "c.wav", "d.wav"]
    >>> bunch = make_bunch([noise, silence, noise, noise[::-1]], names)
    >>> bunch.sampling_rate = 8000
    >>> findings = audit(bunch)
    >>> findings[["filename", "finding", "detail"]]
      filename    finding                     detail
    0    b.wav     silent           constant samples
    1    c.wav  duplicate  the same samples as a.wav
    >>> sound = select(bunch, ~np.isin(bunch.filenames, findings.filename))
    >>> sound.filenames.tolist()
    ['a.wav', 'd.wav']
    """
    try:
        import pandas  # noqa: F401 (what Findings is)
    except ImportError as error:
        raise ImportError(
            "audit returns a pandas.DataFrame, and pandas is not installed. "
            "Install it: pip install pandas."
        ) from error
    from skaudeep.datasets.findings import Findings

    bunch = check_bunch(bunch)
    clips = audio_clips(bunch)
    if clips is None:
        raise ValueError(
            "Got a data set of spectrograms or features, expected audio: paths, a (file, start, "
            "end) index, or waveforms and a key sampling_rate. Audit it before extraction."
        )
    copy_of = bunch.get("copy_of")
    rows = [row for row in range(len(clips)) if copy_of is None or not copy_of[row]]
    sounds, same_file = _decode_all(clips, rows, bunch.get("sampling_rate"), n_jobs)

    findings = list(_faults(sounds, silent_below, min_duration))
    first_like = _duplicates(sounds, same_file, silent_below)
    findings += _duplicate_findings(bunch, first_like, same_file)
    readable = {row: sound for row, sound in sounds.items() if isinstance(sound, _Decoded)}
    findings += _mixed({row: s.sampling_rate for row, s in readable.items()}, "rates", " Hz")
    findings += _mixed({row: s.n_channels for row, s in readable.items()}, "channels")
    groups = {row: str(bunch.groups[row]) for row in rows if bunch.groups[row]}
    findings += _on_both_sides(bunch, groups, "group on both sides", "group {!r}")
    findings += _on_both_sides(
        bunch, _recordings(bunch, clips, rows), "recording on both sides", "the recording {!r}"
    )
    alike = {row: str(bunch.filenames[first]) for row, first in first_like.items()}
    findings += _on_both_sides(bunch, alike, "duplicate on both sides", "the same sound as {!r}")

    order = {finding: position for position, finding in enumerate(_ADVICE)}
    findings.sort(key=lambda found: (order[found.finding], found.row))
    return Findings(
        {
            "filename": [str(bunch.filenames[found.row]) for found in findings],
            "finding": [found.finding for found in findings],
            "value": np.array([found.value for found in findings], dtype=np.float64),
            "detail": [found.detail for found in findings],
            "advice": [found.advice or _ADVICE[found.finding] for found in findings],
        }
    )


# Decoding.


def _decode_all(
    clips: list[Clip], rows: list[int], sampling_rate: float | None, n_jobs: int | None
) -> tuple[dict[int, _Decoded | AudioError], dict[int, int]]:
    """Decode clips, and files of equal bytes only once.

    Returns the properties of each row, or its error, and the first row with the same file.
    """
    first_row: dict[Any, int] = {}
    same_file = {row: first_row.setdefault(key, row) for row, key in _file_keys(clips, rows)}
    different = list(first_row.values())
    decoded = parallel_threads(n_jobs)(
        delayed(_decode)(clips[row], sampling_rate) for row in different
    )
    by_row = dict(zip(different, decoded, strict=True))
    return {row: by_row[same_file[row]] for row in rows}, same_file


def _file_keys(clips: list[Clip], rows: list[int]) -> Iterator[tuple[int, Any]]:
    """Yield a key for each row, equal for files of equal bytes, which are read if sizes agree."""
    paths = {os.fspath(clips[row].source) for row in rows if is_file(clips[row])}
    sizes = {path: os.path.getsize(path) for path in paths if os.path.isfile(path)}
    n_of_size = Counter(sizes.values())
    contents = {path: _hash_file(path) for path, size in sizes.items() if n_of_size[size] > 1}
    for row in rows:
        if is_file(clips[row]):
            path = os.fspath(clips[row].source)
            yield row, (contents.get(path, path), clips[row].start, clips[row].end)
        else:
            yield row, row


def _hash_file(path: str) -> bytes | str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "blake2b").digest()
    except OSError:  # the decoder will report the reason
        return path


def _decode(clip: Clip, sampling_rate: float | None) -> _Decoded | AudioError:
    from skaudeep.audio.errors import AudioError

    digest = hashlib.blake2b(digest_size=16)
    low, high = math.inf, -math.inf
    n_samples = n_channels = n_clipped = 0
    rate = math.nan
    try:
        limits, duration, remark = _facts(clip)
        for samples, rate in _blocks(clip, sampling_rate, duration):  # noqa: B007 (all share it)
            n_channels = len(samples)
            n_samples += samples.shape[1]
            low, high = min(low, samples.min()), max(high, samples.max())
            n_clipped += _count_clipped(samples, limits)
            digest.update(np.ascontiguousarray(samples).data)
    except AudioError as error:
        return error
    digest.update(bytes([n_channels]))
    level = 20 * math.log10((high - low) / 2) if high > low else -math.inf
    share = n_clipped / (n_samples * n_channels)
    return _Decoded(n_samples, n_channels, rate, level, share, digest.hexdigest(), remark)


def _facts(clip: Clip) -> tuple[tuple[float, float], float | None, str | None]:
    """Return the limits of samples, the length of the file, and what is wrong with its header."""
    from skaudeep.audio.files import AudioFile
    from skaudeep.audio.formats import full_scale

    if not is_file(clip):
        return full_scale(np.asarray(clip.source).dtype.name), None, None
    with AudioFile(os.fspath(clip.source)) as file:
        remark = file.flaw.reason if file.flaw else None
        return file.info.full_scale, file.info.duration, remark


def _blocks(
    clip: Clip, sampling_rate: float | None, duration: float | None
) -> Iterator[tuple[npt.NDArray[np.float32], float]]:
    """Decode a clip in pieces that fit into memory, whatever its length."""
    from skaudeep.audio.decoding import read_audio

    start = clip.start
    if duration is not None:
        end = duration if clip.end is None else clip.end
        while end - start > 1.5 * BLOCK:
            yield read_audio(clip.source, start=start, end=start + BLOCK)
            start += BLOCK
        sampling_rate = None
    yield read_audio(clip.source, sampling_rate=sampling_rate, start=start, end=clip.end)


def _count_clipped(samples: npt.NDArray[np.float32], limits: tuple[float, float]) -> int:
    """Count samples in runs at or over full scale, of one sign."""
    count = 0
    for limit in limits:
        level = limit * FULL_SCALE
        full = samples >= level if limit > 0 else samples <= level
        if not full.any():
            continue
        for channel in full:
            edges = np.flatnonzero(np.diff(channel, prepend=False, append=False))
            runs = edges[1::2] - edges[::2]
            count += int(runs[runs >= CLIPPED_RUN].sum())
    return count


# Findings.


def _faults(
    sounds: dict[int, _Decoded | AudioError], silent_below: float, min_duration: float
) -> Iterator[_Finding]:
    for row, sound in sounds.items():
        if not isinstance(sound, _Decoded):
            finding = _FINDINGS.get(sound.kind, "unreadable")
            yield _Finding(row, finding, math.nan, sound.reason, sound.remedy)
            continue
        if sound.remark:
            yield _Finding(row, "wrong header", math.nan, sound.remark)
        duration = sound.n_samples / sound.sampling_rate
        if sound.level < silent_below:
            detail = (
                f"level {sound.level:.1f} dB" if sound.level > -math.inf else "constant samples"
            )
            yield _Finding(row, "silent", sound.level, detail)
        if sound.clipped:
            percent = 100 * sound.clipped
            yield _Finding(row, "clipped", percent, f"{percent:.2g} % of samples at full scale")
        if duration < min_duration:
            yield _Finding(row, "too short", duration, f"lasts {duration:.3g} s")


def _duplicates(
    sounds: dict[int, _Decoded | AudioError], same_file: dict[int, int], silent_below: float
) -> dict[int, int]:
    """Return the first row with the same samples, for each row that is not unique."""
    alike = defaultdict(list)
    for row, sound in sounds.items():
        if not isinstance(sound, _Decoded):
            alike[f"file {same_file[row]}"].append(row)
        elif sound.level >= silent_below:  # silence is reported already
            alike[sound.digest].append(row)
    return {row: rows[0] for rows in alike.values() if len(rows) > 1 for row in rows}


def _duplicate_findings(
    bunch: Bunch, first_like: dict[int, int], same_file: dict[int, int]
) -> Iterator[_Finding]:
    for row, first in first_like.items():
        if row == first:
            continue
        what = "file" if same_file[row] == same_file[first] else "samples"
        detail = f"the same {what} as {printable(bunch.filenames[first])}"
        if not np.array_equal(bunch.target[row], bunch.target[first], equal_nan=True):
            detail += f", but of {_label(bunch, row)} instead of {_label(bunch, first)}"
        yield _Finding(row, "duplicate", math.nan, detail)


def _label(bunch: Bunch, row: int) -> str:
    target = bunch.target[row]
    if bunch.target.dtype.kind == "f":
        return f"value {target:g}" if target.ndim == 0 else f"values {target.tolist()}"
    if bunch.target.ndim == 2:
        names = [name for name, there in zip(bunch.target_names, target > 0, strict=True) if there]
        return f"class(es) {list_names(names)}"
    return f"class {bunch.target_names[target]!r}" if target >= 0 else "no class"


def _mixed(values: dict[int, float], what: str, unit: str = "") -> Iterator[_Finding]:
    counts = Counter(values.values())
    if len(counts) < 2:
        return
    (usual, n_usual), *_ = counts.most_common()
    for row, value in values.items():
        if value != usual:
            detail = f"{value:g}{unit}, while {n_usual} of {len(values)} clips have {usual:g}{unit}"
            yield _Finding(row, f"mixed {what}", value, detail)


def _recordings(bunch: Bunch, clips: list[Clip], rows: list[int]) -> dict[int, str]:
    """Return the file of each row that shares it with rows of other groups."""
    of_file = defaultdict(list)
    for row in rows:
        if is_file(clips[row]):
            of_file[os.path.abspath(os.fsdecode(clips[row].source))].append(row)
    return {
        row: path
        for path, same in of_file.items()
        if len(same) > 1
        and (len(groups := {bunch.groups[row] for row in same}) > 1 or groups == {""})
        for row in same
    }


def _on_both_sides(
    bunch: Bunch, names: dict[int, str], finding: str, description: str
) -> Iterator[_Finding]:
    """Find names that occur on both sides of a fold, or in two partitions."""
    rows = np.array(list(names), dtype=np.intp)
    distinct: dict[str, int] = {}
    group = np.array([distinct.setdefault(name, len(distinct)) for name in names.values()], np.intp)
    if not len(rows):
        return
    titles = list(distinct)
    for number, side in [
        *((k, np.where(fold == 1, "test", "train")) for k, fold in enumerate(bunch.folds.T, 1)),
        (math.nan, bunch.partition),
    ]:
        where = "the partitions" if math.isnan(number) else f"fold {number}"
        here = side[rows]
        # The tested side comes first, so that a tested clip is named.
        values = [value for value in ("test", "devel", "train") if value in here]
        counts = np.array([np.bincount(group[here == v], minlength=len(titles)) for v in values])
        first = {v: _first_positions(group, here == v, len(titles)) for v in values}
        for crossing in np.flatnonzero((counts > 0).sum(axis=0) > 1).tolist():
            n_in = {v: n for v, n in zip(values, counts[:, crossing], strict=True) if n}
            row = int(rows[first[next(iter(n_in))][crossing]])
            clips = " and ".join(f"{n} in {v}" for v, n in n_in.items())
            name = description.format(titles[crossing])
            yield _Finding(row, finding, number, f"{name}: {clips} of {where}")


def _first_positions(
    group: npt.NDArray[np.intp], chosen: npt.NDArray[np.bool_], n_groups: int
) -> npt.NDArray[np.intp]:
    """Return the position of the first chosen member of each group."""
    first = np.zeros(n_groups, np.intp)
    backwards = np.flatnonzero(chosen)[::-1]
    first[group[backwards]] = backwards  # of several assignments, the last one counts
    return first
