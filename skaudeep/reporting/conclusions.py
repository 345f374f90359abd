"""Sentences on what can, and what cannot, be concluded from an evaluation."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

import numpy as np

from skaudeep._texts import list_names, shown
from skaudeep.evaluation.controls import MEL_STATISTICS, UNTRAINED
from skaudeep.evaluation.results import FEW_GROUPS, Comparison, Evaluation, compare
from skaudeep.reporting.corpus import Corpus

FEW_CLIPS = 10  # with fewer clips of a class, each changes its recall by more than 10 points
FEW_DIFFERENT = 10  # clips on which two results differ; with fewer, chance alone may do it
SHOWN_UNREADABLE = 5
MUCH_BETTER = 0.02  # a gain in UAR that is worth labelling for
SIGNIFICANT = 0.05
# What stands before the first underscore of a file's own name, as the documentation has it.
USUAL_GROUPS = "([^/_]+)_[^/]*$"
# What the controls of `evaluate` are, for readers who do not know their names, and what they do.
_METHODS = {
    MEL_STATISTICS: ("a simpler method", " (how loud each range of pitch is, and how that varies)"),
    UNTRAINED: ("the same network without its training", ""),
}


@dataclass(frozen=True)
class Conclusion:
    """A sentence in plain words, with what only a specialist asks for.

    Parameters
    ----------
    text : str
    kind : {"finding", "open", "limit", "warning"}
        What is shown; what holds for these clips and is not known for others; what is not shown, or
        weakens the score; and what makes it too high, which has to be read before it.
    figures : str, default=""
        Names of measures and tests with their values, or what to do; folded on the page.
    about : str, default="In figures"
        Heading of `figures`.
    remedy : str, default=""
        What to do, in the words of the reader's own files.
    command : str, default=""
        What to type for it.
    """

    text: str
    kind: str = "limit"
    figures: str = ""
    about: str = "In figures"
    remedy: str = ""
    command: str = ""

    @property
    def holds(self) -> bool:
        """Whether the sentence states a finding."""
        return self.kind == "finding"

    def lines(self) -> list[str]:
        """Return the sentence, what to do, and what is folded below, as lines of text."""
        more = [self.remedy, f"  {self.command}" if self.command else ""]
        return [self.text, *filter(None, [*more, f"  {self.figures}" if self.figures else ""])]


def conclude(
    corpus: Corpus, evaluation: Evaluation | None, command: str | None = None
) -> list[Conclusion]:
    """Return sentences on what can be concluded, the main one first, then on what cannot.

    Parameters
    ----------
    corpus : Corpus
    evaluation : Evaluation or None
        None where too few clips are labelled for one.
    command : str, default=None
        The command that makes the page. None where it was made in Python.

    Returns
    -------
    list of Conclusion
    """
    notes = [Conclusion(note) for note in corpus.division.notes]
    if corpus.left_out:
        notes.insert(0, Conclusion(_unreadable(corpus)))
    n_open = corpus.n_open
    if evaluation is None:
        return [Conclusion(_no_score(corpus)), *notes]
    found = _warnings(corpus, evaluation, command)
    clean = not found
    found.append(_main(evaluation, clean=clean))
    found += _against_controls(evaluation, clean=clean)
    found += [Conclusion(text) for text in _units(evaluation)]
    if n_open:
        found.append(
            Conclusion(
                f"{n_open} {'clip has' if n_open == 1 else 'clips have'} no label. What is said "
                "here applies to them only if the classes are the same and the recordings were "
                "made in the same way."
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


def of_100(share: float) -> str:
    """Return how many of 100 a share is, and 0 or 100 only where it is none or all.

    Examples
    --------
    >>> of_100(0.885), of_100(0.935), of_100(0.9999), of_100(1.0)
    ('89', '94', '99.9', '100')
    """
    n = 100 * share
    whole = int(n + 0.5 + 1e-9)  # halves up, where `round` takes the even number
    if 0 < share < 1 and whole in (0, 100):
        return f"{min(max(n, 0.1), 99.9):.1f}"
    return f"{whole}"


def between(low: float, high: float) -> str:
    """Return an interval of shares as numbers of 100.

    Examples
    --------
    >>> between(0.921, 0.969), between(1.0, 1.0)
    ('92 to 97', '100')
    """
    first, last = of_100(low), of_100(high)
    return first if first == last else f"{first} to {last}"


def _main(evaluation: Evaluation, *, clean: bool) -> Conclusion:
    low, high = evaluation.uar_interval
    n_classes = n_tested_classes(evaluation)
    chance = 1 / n_classes
    right = f"{between(low, high)} are named rightly on average"
    guessing = f"guessing names {of_100(chance)}"
    if low <= chance:
        return Conclusion(
            f"It is not shown that the {n_classes} classes can be told apart: of 100 such clips "
            f"{right}, and {guessing}."
        )
    if not clean:
        return Conclusion(
            f"Of 100 further clips of the same people, animals or recordings as these, {right}; "
            f"{guessing}. For clips of a new one, such as a new patient, the number is not known; "
            "it is likely to be lower.",
            "open",
        )
    new = "new clips of this kind"
    if count_units(evaluation)[1] == "groups":
        new = "clips of new people, animals or recordings"
    return Conclusion(
        f"The {n_classes} classes can be told apart: of 100 {new}, {right}; {guessing}.", "finding"
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


def method_of(control: str, *, explained: bool = False) -> str:
    """Return what a control is, and at wish what it does, in words that need no explanation."""
    name, how = _METHODS.get(control, (f"the simpler method “{control}”", ""))
    return name + how * explained


def _against_controls(evaluation: Evaluation, *, clean: bool) -> list[Conclusion]:
    found = []
    n_clips = len(np.unique(np.concatenate(evaluation.test)))
    told_apart = _main(evaluation, clean=clean).kind != "limit"
    for name, control in evaluation.controls.items():
        paired, method = against(evaluation, control), method_of(name)
        (low, high), few = paired.interval, _n_different(paired) < FEW_DIFFERENT
        names = f"which names {of_100(control.uar)} of 100 rightly"
        kind = "limit"
        if low > 0 and not few:
            kind = "finding" if clean else "open"
            text = f"This model is better than {method}, {names}: it names {_more(low, high)} more "
            text += f"on average. Could that be chance? {_chance(paired)}"
        elif high < 0 and not few:
            text = f"This model is worse than {method}, {names}, {_more(-high, -low)} more than "
            text += f"this model. Could that be chance? {_chance(paired)} This model is not what "
            text += "to use here."
        else:
            if few:
                why = _few_differ(paired, n_clips)
            else:
                why = f"of 100 clips, it may name from {_signed(low)} to {_signed(high)} rightly"
            text = f"This model is not shown to be better than {method}, {names}: {why}."
            if told_apart:
                text += " What is said above holds all the same; a simpler method may do as well."
        figures = (
            f"Against the control “{name}”: {paired}. p is the probability of a difference of at "
            "least this size if both were equally good."
        )
        found.append(Conclusion(text, kind, figures))
    for name, reason in evaluation.controls_left_out.items():
        if reason.startswith("it failed"):  # others do not suit the pipeline, which is no limit
            text = f"The comparison with {method_of(name)} is left out: {reason.rstrip('.')}."
            found.append(Conclusion(text, figures=f"It is the control “{name}”."))
    return found


def _more(low: float, high: float) -> str:
    """Return a difference of shares, whose sign is known, as numbers of 100."""
    digits = 0 if low >= 0.01 and round(100 * low) < round(100 * high) else 1
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f}"


def _signed(difference: float) -> str:
    return f"{100 * abs(difference):.1f} {'fewer' if difference < 0 else 'more'}"


def _chance(paired: Comparison) -> str:
    return "Hardly." if paired.p_value < SIGNIFICANT else "It is possible."


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


def _warnings(corpus: Corpus, evaluation: Evaluation, command: str | None) -> list[Conclusion]:
    """Return why the score is, or may be, too high for new people, animals or recordings."""
    found = []
    if evaluation.n_groups == 0:
        given = "of the data set" in corpus.division.origin
        divided = ", and the folds of the data set divide them" if given else ""
        found.append(
            Conclusion(
                "It is not known which clips are of the same patient, animal or recording. If some "
                f"are{divided}, the numbers below are too high for new ones: the model may have "
                "learned from other clips of the patient on whom it was tested. Make the report "
                "again, and say where the name of a file tells whose it is.",
                "warning",
                "In quotes stands a regular expression, which is searched in the name of each "
                "file; what its parentheses hold is the group. ([^/_]+)_[^/]*$ takes what stands "
                "before the first underscore of the file's own name, (patient[0-9]+) takes "
                "patient07 of ill/patient07_3.wav. In Python: skaudeep.datasets.add_groups.",
                "How to say it for other names",
                *how_to_group(corpus, command),
            )
        )
    elif evaluation.n_groups == 1:
        found.append(
            Conclusion(
                "All tested clips are of one group: nothing is said about other groups, such as "
                "other patients, animals or recordings.",
                "warning",
            )
        )
    found += [Conclusion(text, "warning") for text in _leaks(corpus)]
    if evaluation.protocol == "transductive":
        found.append(
            Conclusion(
                "The model has seen the clips that it was tested on, without their labels: the "
                "numbers below do not hold for recordings from elsewhere.",
                "warning",
                "The unsupervised steps were fitted to training and test clips (transductive).",
            )
        )
    return found


def how_to_group(corpus: Corpus, command: str | None) -> tuple[str, str]:
    """Return how to say which clips belong together, by the clips' own names, and what to type.

    Parameters
    ----------
    corpus : Corpus
    command : str or None

    Returns
    -------
    remedy, command : str
        The usual pattern where it fits the names: it finds a group in each, several groups of each
        class, and several clips of each group on average. Else the second one is "".
    """
    names, target = corpus.names, np.asarray(corpus.bunch.target)
    called = f"Your files are called, for example, {shown(names[0])}."
    found = [match[1] if (match := re.search(USUAL_GROUPS, name)) else "" for name in names]
    groups = sorted(set(found))
    of_classes = [set(np.array(found)[target == label]) for label in np.unique(target[target >= 0])]
    if (
        not all(found)
        or 2 * len(groups) > len(names)
        or any(len(of_class) < 2 for of_class in of_classes)
    ):
        end = "the end of the command is: --groups '(patient[0-9]+)' --force"
        if command is None:
            end = 'it is: skaudeep.datasets.add_groups(bunch, "(patient[0-9]+)")'
        return (
            f"{called} Look for the part of the name that differs between patients and is the "
            f"same for all files of one. For names such as 'ill/patient07_3.wav' {end}",
            "",
        )
    listed = ", ".join(map(shown, groups[:2])) + (", ..." if len(groups) > 2 else "")
    said = f"this gives {len(groups)} groups: {listed}"
    if command is None:
        what = f'bunch = skaudeep.datasets.add_groups(bunch, r"{USUAL_GROUPS}")'
    else:
        forced = "" if "--force" in command.split() else " --force"
        what = f"{command} --groups {shlex.quote(USUAL_GROUPS)}{forced}"
    typed = "type" if command is not None else "write in Python, before the report"
    return f"{called} If {shown(found[0])} is the patient, {typed} ({said}):", what


def _leaks(corpus: Corpus) -> list[str]:
    n_folds = len(corpus.division.folds)
    said = {
        "group": ("group is", "groups are", "groups"),
        "recording": ("recording is", "recordings are", "recordings"),
        "duplicate": ("clip occurs", "clips occur", "clips"),
    }
    found = []
    for crossing in corpus.crossings:
        one, many, new = said[crossing.kind]
        n = crossing.n_shared
        also = "more than once and " if crossing.kind == "duplicate" else ""
        found.append(
            f"{n} {one if n == 1 else many} {also}in training and test at once (in "
            f"{crossing.n_folds} of {n_folds} folds): the numbers below are too high for new {new}."
        )
    return found


def _units(evaluation: Evaluation) -> list[str]:
    found = []
    if count_units(evaluation)[1] == "groups" and evaluation.n_groups < FEW_GROUPS:
        found.append(
            f"{evaluation.n_groups} groups are few: how groups differ, and with it the range of "
            "each number, is known only roughly."
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


def conclude_curve(evaluation: Evaluation) -> Conclusion | None:
    """Return whether more labels would help, by the end of the learning curve.

    Parameters
    ----------
    evaluation : Evaluation
        With a learning curve.

    Returns
    -------
    Conclusion or None
        None where there is no learning curve.
    """
    sizes = [size for size in evaluation.learning_curve if size < 0.99 * evaluation.n_train]
    if not sizes:
        return None
    # Half of the clips, or what is next to it: more clips that are worth naming are many.
    size = min(sizes, key=lambda size: abs(size / evaluation.n_train - 0.5))
    gained = against(evaluation, evaluation.learning_curve[size])
    low, high = gained.interval
    step = f"with {evaluation.n_train:.0f} clips to learn from instead of {size:.0f}"
    figures = f"From {size:.0f} to {evaluation.n_train:.0f} training clips of a fold: {gained}."
    n_clips = len(np.unique(np.concatenate(evaluation.test)))
    n_different = _n_different(gained)
    # Where n of N clips differ, about 3 more might have (95 %): among many clips that is little.
    if n_different < FEW_DIFFERENT and (n_different + 3) / n_clips >= MUCH_BETTER:
        why = _few_differ(gained, n_clips)
        text = f"Whether more labelled clips would help is open: {step}, {why}."
        return Conclusion(text, "open", figures)
    step += f", of 100 clips {_signed(gained.difference)} are named rightly "
    step += f"(from {_signed(low)} to {_signed(high)})"
    if low > 0 and gained.difference >= MUCH_BETTER:
        return Conclusion(f"More labelled clips are likely to help: {step}.", "finding", figures)
    if high < MUCH_BETTER:
        text = f"More labelled clips of the same kind would hardly help: {step}."
        return Conclusion(text, "finding", figures)
    text = f"Whether more labelled clips would help is open: {step}."
    return Conclusion(text, "open", figures)
