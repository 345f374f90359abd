"""Faults of the recordings, those of a kind gathered in one sentence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skaudeep._texts import printable
from skaudeep.reporting.corpus import Finding

SHOWN = 3  # clips that are named of each kind
# Below this many per cent of samples at full scale a clip sounds as it should: in 5 s at 16 kHz
# they are fewer than 80 samples, a few peaks that are cut off for a fraction of a millisecond each.
HARMLESS_CLIPPED = 0.1
# What a kind of finding means, after "1 clip" or "2 clips".
_MEANINGS = {
    "unreadable": ("cannot be read", "cannot be read"),
    "truncated": ("is cut off: the file ends too early", "are cut off: the files end too early"),
    "wrong header": ("states a wrong length", "state a wrong length"),
    "non-finite": ("has samples that are no numbers", "have samples that are no numbers"),
    "silent": ("is silent, or nearly so", "are silent, or nearly so"),
    "clipped": (
        "was recorded too loudly, so that peaks are cut off",
        "were recorded too loudly, so that peaks are cut off",
    ),
    "too short": ("is very short", "are very short"),
    "duplicate": ("is there twice", "are there twice"),
    "mixed rates": (
        "has another sampling rate than most",
        "have another sampling rate than most",
    ),
    "mixed channels": (
        "has another number of channels than most",
        "have another number of channels than most",
    ),
}
_LOWEST_IS_WORST = {"silent", "too short"}


@dataclass(frozen=True)
class Fault:
    """All findings of one kind that matter, or that do not.

    Parameters
    ----------
    kind : str
        As `audit` calls it.
    text : str
        What is the matter with how many clips.
    worst : list of Finding
        The worst at the head, at most three.
    n_more : int
        Number of clips beside these.
    advice : str
        "" for what is harmless.
    """

    kind: str
    text: str
    worst: list[Finding]
    n_more: int
    advice: str

    @property
    def harmless(self) -> bool:
        """Whether nothing need be done."""
        return not self.advice


def gather(findings: Sequence[Finding]) -> list[Fault]:
    """Gather findings of a kind, in their order, what is harmless last.

    Parameters
    ----------
    findings : sequence of Finding

    Returns
    -------
    list of Fault
    """
    of_kind: dict[tuple[bool, str], list[Finding]] = defaultdict(list)
    for found in findings:
        of_kind[is_harmless(found), found.kind].append(found)
    faults = []
    for (harmless, kind), alike in sorted(of_kind.items(), key=lambda item: item[0][0]):
        sign = 1 if kind in _LOWEST_IS_WORST else -1
        alike.sort(key=lambda finding: sign * float(np.nan_to_num(finding.value)))
        n = len({finding.clip for finding in alike})
        one, many = _MEANINGS.get(kind, (f"has the finding: {kind}", f"have the finding: {kind}"))
        text = f"{n} {'clip' if n == 1 else 'clips'} {one if n == 1 else many}"
        if harmless:
            text = (
                f"Harmless: a few peaks are cut off in {n} {'clip' if n == 1 else 'clips'}, "
                f"{'' if n == 1 else 'in each '}less than {HARMLESS_CLIPPED:g} % of "
                f"{'its' if n == 1 else 'the'} samples"
            )
        faults.append(
            Fault(
                kind,
                text,
                alike[:SHOWN],
                len(alike) - len(alike[:SHOWN]),
                "" if harmless else printable(alike[0].advice),
            )
        )
    return faults


def in_words(detail: str) -> str:
    """Return a detail of a finding without the words that only sound engineers know.

    Examples
    --------
    >>> in_words("0.5 % of samples at full scale")
    '0.5 % of samples as loud as the file can hold'
    """
    return detail.replace("at full scale", "as loud as the file can hold")


def is_harmless(finding: Finding) -> bool:
    """Return whether a finding can be left as it is.

    Examples
    --------
    >>> is_harmless(Finding("a.wav", "clipped", "0.004 % of samples at full scale", "", 0.004))
    True
    """
    return finding.kind == "clipped" and finding.value < HARMLESS_CLIPPED
