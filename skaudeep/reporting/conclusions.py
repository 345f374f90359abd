"""Sentences on what can, and what cannot, be concluded from an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skaudeep._texts import list_names, shown
from skaudeep.evaluation.results import FEW_GROUPS, Comparison, Evaluation, compare
from skaudeep.reporting.corpus import Corpus

FEW_CLIPS = 10  # with fewer clips of a class, each changes its recall by more than 10 points
FEW_DIFFERENT = 10  # clips on which two results differ; with fewer, chance alone may do it
SHOWN_UNREADABLE = 5
MUCH_BETTER = 0.02  # a gain in UAR that is worth labelling for


@dataclass(frozen=True)
class Conclusion:
    """A sentence, and whether it states a finding or a limit of it."""

    text: str
    holds: bool


def conclude(corpus: Corpus, evaluation: Evaluation | None) -> list[Conclusion]:
    """Return sentences on what can be concluded, the main one first, then on what cannot.

    Parameters
    ----------
    corpus : Corpus
    evaluation : Evaluation or None
        None where too few clips are labelled for one.

    Returns
    -------
    list of Conclusion
    """
    notes = [Conclusion(note, holds=False) for note in corpus.division.notes]
    if corpus.left_out:
        notes.insert(0, Conclusion(_unreadable(corpus), holds=False))
    n_open = corpus.n_open
    if evaluation is None:
        return [Conclusion(_no_score(corpus), holds=False), *notes]
    found = [_main(evaluation)]
    found += [Conclusion(text, holds) for text, holds in _against_controls(evaluation)]
    found += [Conclusion(text, holds=False) for text in _leaks(corpus)]
    found += [Conclusion(text, holds=False) for text in _units(evaluation)]
    if evaluation.protocol == "transductive":
        found.append(
            Conclusion(
                "The unsupervised steps saw the test clips, without labels (transductive): the "
                "score does not estimate that of recordings from elsewhere.",
                holds=False,
            )
        )
    if n_open:
        found.append(
            Conclusion(
                f"{n_open} {'clip has' if n_open == 1 else 'clips have'} no label. The score "
                "applies there only if the classes are the same and the recordings were made in "
                "the same way.",
                holds=False,
            )
        )
    return found + notes


def against(evaluation: Evaluation, control: Evaluation) -> Comparison:
    """Compare the UAR of an evaluation with that of a control, with the same interval each time."""
    return compare(
        evaluation,
        control,
        metric="uar",
        confidence_level=evaluation.confidence_level,
        random_state=0,
    )


def count_units(evaluation: Evaluation) -> tuple[int, str]:
    """Count what the intervals are over, and name it: groups, or clips.

    Clips count where no groups are known, all clips are of one, or each is one of its own.
    """
    n_clips = len(np.unique(np.concatenate(evaluation.test)))
    if 1 < evaluation.n_groups < n_clips:
        return evaluation.n_groups, "groups"
    return n_clips, "clips"


def n_tested_classes(evaluation: Evaluation) -> int:
    """Count the classes that occur in a test."""
    return len(np.unique(evaluation.target[np.concatenate(evaluation.test)]))


def _main(evaluation: Evaluation) -> Conclusion:
    low, high = evaluation.uar_interval
    n_classes = n_tested_classes(evaluation)
    chance = 1 / n_classes
    of_groups = count_units(evaluation)[1] == "groups"
    unit = "of other groups of this kind" if of_groups else "of this kind"
    if low > chance:
        return Conclusion(
            f"The {n_classes} classes can be told apart: for new clips {unit} expect a UAR of "
            f"{100 * low:.0f} to {100 * high:.0f} %, where guessing gives {100 * chance:.0f} %.",
            holds=True,
        )
    return Conclusion(
        f"It is not shown that the {n_classes} classes can be told apart: the interval reaches "
        f"down to {100 * low:.0f} %, and guessing gives {100 * chance:.0f} %.",
        holds=False,
    )


def _unreadable(corpus: Corpus) -> str:
    n, names = len(corpus.left_out), list(corpus.left_out)
    listed = ", ".join(map(shown, names[:SHOWN_UNREADABLE]))
    if n > SHOWN_UNREADABLE:
        listed += f" and {n - SHOWN_UNREADABLE} more"
    where = "" if corpus.clips is None else " The audit on the page says why."
    return (
        f"{n} {'clip' if n == 1 else 'clips'} cannot be read and {'is' if n == 1 else 'are'} left "
        f"out: {listed}.{where}"
    )


def _no_score(corpus: Corpus) -> str:
    """Return sentences that nothing was evaluated, and what would help."""
    if corpus.n_open == 0:
        return (
            "Nothing is said here about how well classes are told apart: that needs recordings of "
            "at least two classes, and of each some to learn from and others to test on. The "
            "pictures show which clips sound alike."
        )
    none = corpus.n_open == len(corpus.names)
    return (
        f"{'No clip has a label' if none else 'Too few have labels'}: nothing is said here about "
        "how well classes are told apart. The pictures show which clips sound alike; name some of "
        "them, and make the report again."
    )


def _against_controls(evaluation: Evaluation) -> list[tuple[str, bool]]:
    found = []
    n_clips = len(np.unique(np.concatenate(evaluation.test)))
    told_apart = _main(evaluation).holds
    for name, control in evaluation.controls.items():
        paired, points = against(evaluation, control), "points of UAR"
        (low, high), few = paired.interval, _n_different(paired) < FEW_DIFFERENT
        if low > 0 and not few:
            text = f"That is better than the control “{name}”, by {100 * low:.1f} to "
            text += f"{100 * high:.1f} {points}."
        elif high < 0 and not few:
            text = f"The control “{name}” is better, by {-100 * high:.1f} to {-100 * low:.1f} "
            text += f"{points}: these features are not what to use here."
        else:
            if few:
                why = _few_differ(paired, n_clips)
            else:
                why = f"the difference may be anything from {100 * low:+.1f} to {100 * high:+.1f} "
                why += points
            text = f"It is not shown to be better than the control “{name}”: {why}."
            if told_apart:
                text += " The score above holds all the same; a simpler method may do as well."
        found.append((text, low > 0 and not few))
    for name, reason in evaluation.controls_left_out.items():
        if reason.startswith("it failed"):  # others do not suit the pipeline, which is no limit
            found.append((f"The control “{name}” is left out: {reason.rstrip('.')}.", False))
    return found


def _n_different(paired: Comparison) -> int:
    return paired.n_better + paired.n_worse


def _few_differ(paired: Comparison, n_clips: int) -> str:
    """Return the reason why there is no interval if two results differ on few clips."""
    n = _n_different(paired)
    if n == 0:
        return (
            f"the two scores are the same on these clips; {n_clips} clips are too few to say more"
        )
    return f"the two results differ on {n} of {n_clips} clips, which is too few to say more"


def _leaks(corpus: Corpus) -> list[str]:
    n_folds = len(corpus.division.folds)
    said = {
        "group": ("group is", "groups are", "new groups"),
        "recording": ("recording is", "recordings are", "new recordings"),
        "duplicate": ("clip occurs", "clips occur", "new clips"),
    }
    found = []
    for crossing in corpus.crossings:
        one, many, new = said[crossing.kind]
        n = crossing.n_shared
        also = "more than once and " if crossing.kind == "duplicate" else ""
        found.append(
            f"{n} {one if n == 1 else many} {also}in training and test at once (in "
            f"{crossing.n_folds} of {n_folds} folds): the score is too high for {new}."
        )
    return found


def _units(evaluation: Evaluation) -> list[str]:
    found = []
    if evaluation.n_groups == 0:
        found.append(
            "No groups are known. If several clips are of one speaker, patient, animal, recording "
            "or site, the score is too high for new ones. Make the report again, and say by "
            "--groups (in Python: skaudeep.datasets.add_groups) what the names of the files tell "
            "of it."
        )
    elif evaluation.n_groups == 1:
        found.append("All tested clips are of one group: nothing is said about other groups.")
    elif count_units(evaluation)[1] == "groups" and evaluation.n_groups < FEW_GROUPS:
        found.append(
            f"{evaluation.n_groups} groups are few: how groups differ, and with it the interval, "
            "is known only roughly."
        )
    truth = evaluation.target[np.unique(np.concatenate(evaluation.test))]
    counts = np.bincount(truth, minlength=len(evaluation.target_names))
    rare = np.flatnonzero((counts > 0) & (counts < FEW_CLIPS))
    if len(rare):
        names = list_names([evaluation.target_names[label] for label in rare])
        found.append(
            f"{len(rare)} {'class has' if len(rare) == 1 else 'classes have'} fewer than "
            f"{FEW_CLIPS} tested clips ({names}): how well each of them is recognised is known "
            "only roughly."
        )
    return found


def conclude_curve(evaluation: Evaluation) -> str:
    """Return a sentence on whether more labels would help, by the end of the learning curve.

    Parameters
    ----------
    evaluation : Evaluation
        With a learning curve.

    Returns
    -------
    str
        A sentence; "" where there is no learning curve.
    """
    sizes = [size for size in evaluation.learning_curve if size < 0.99 * evaluation.n_train]
    if not sizes:
        return ""
    # Half of the clips, or what is next to it: more clips that are worth naming are many.
    size = min(sizes, key=lambda size: abs(size / evaluation.n_train - 0.5))
    gained = against(evaluation, evaluation.learning_curve[size])
    low, high = gained.interval
    step = f"from {size:.0f} to {evaluation.n_train:.0f} training clips"
    n_clips = len(np.unique(np.concatenate(evaluation.test)))
    n_different = _n_different(gained)
    # Where n of N clips differ, about 3 more might have (95 %): among many clips that is little.
    if n_different < FEW_DIFFERENT and (n_different + 3) / n_clips >= MUCH_BETTER:
        why = _few_differ(gained, n_clips)
        return f"Whether more labelled clips would help is open: {step}, {why}."
    step += f" UAR changed by {100 * gained.difference:+.1f} points "
    step += f"[{100 * low:+.1f}, {100 * high:+.1f}]"
    if low > 0 and gained.difference >= MUCH_BETTER:
        return f"More labelled clips are likely to help: {step}."
    if high < MUCH_BETTER:
        return f"More labelled clips of the same kind would hardly help: {step}."
    return f"Whether more labelled clips would help is open: {step}."
