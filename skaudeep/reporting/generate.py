"""The function `report`, which writes a page about a data set."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import combinations
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch

from skaudeep._files import check_writable, replacing
from skaudeep._progress import Progress
from skaudeep.classification import classifier_for, fit_classifier
from skaudeep.datasets.detect import load_dataset
from skaudeep.evaluation.protocol import evaluate
from skaudeep.evaluation.results import Evaluation
from skaudeep.evaluation.runs import count_unsupervised
from skaudeep.evaluation.sharing import run_fixed_steps
from skaudeep.persistence import save
from skaudeep.reporting.audio import Sounds, make_sounds
from skaudeep.reporting.contents import (
    Contents,
    contents,
    usable_features,
)
from skaudeep.reporting.corpus import Corpus, understand
from skaudeep.reporting.manifest import manifest
from skaudeep.reporting.opening import first_screen
from skaudeep.reporting.page import render
from skaudeep.reporting.spectrograms import Picture, picture

TRAIN_SIZES = (0.25, 0.5, 0.75)  # shares of training clips in the learning curve


@dataclass(frozen=True, repr=False)
class Report:
    """Result of :func:`~skaudeep.report`, which makes it.

    ``print`` shows its summary.

    Parameters
    ----------
    path : Path
        The file of the page.
    summary : str
        The text of the first screen of the page, in several lines.
    evaluation : Evaluation or None
        The scores on the page. None if nothing was evaluated, because fewer than two classes have
        clips both to train and to test on.
    n_to_name : int, default=0
        Number of clips that can be labelled on the page: the unlabelled ones, at most 500. 0 if all
        clips are labelled.
    n_audible : int, default=0
        Number of clips that can be heard on the page, embedded or linked.

    Examples
    --------
    >>> from pathlib import Path
    >>> from skaudeep.reporting import Report
    >>> made = Report(Path("birds.html"), "40 clips, 2 classes", evaluation=None)
    >>> made
    Report('birds.html')
    >>> print(made)
    40 clips, 2 classes
    """

    path: Path
    summary: str
    evaluation: Evaluation | None
    n_to_name: int = 0
    n_audible: int = 0

    def __repr__(self) -> str:
        score = "" if self.evaluation is None else f", uar={self.evaluation.uar:.3f}"
        return f"Report({str(self.path)!r}{score})"

    def __str__(self) -> str:
        return self.summary


def report(
    bunch: Bunch | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    pipeline: Any = None,
    cv: Any = None,
    title: str | None = None,
    audio: bool = True,
    max_audio_mb: float = 20.0,
    model: str | os.PathLike[str] | None = None,
    errors: str | os.PathLike[str] | None = None,
    command: str | None = None,
    overwrite: bool = False,
    random_state: Any = 0,
    progress: bool = True,
    on_summary: Callable[[str], object] | None = None,
) -> Report:
    """Write a page about a data set and about how well its classes can be distinguished.

    The page is a single HTML file that loads nothing from the network. It shows what makes the
    score too high, if anything does, a cross-validated score, the scores of simpler models for
    comparison (the controls of :func:`~skaudeep.evaluate`), the conclusions from them, faults of
    the recordings, the confusion matrix, a map of the clips, all clips that were named wrongly, the
    most unusual clips, a learning curve, and everything that is needed to make the page again. Its
    sentences are for readers who do not program; names of measures and tests are folded. Clips that
    cannot be read are listed and otherwise left out. If labels are missing, clips can be heard and
    labelled on the page, in the order in which their labels help most. The labels are downloaded as
    a table that :func:`skaudeep.datasets.add_labels` reads.

    Parameters
    ----------
    bunch : Bunch, str or Path
        A data set with the keys of :func:`~skaudeep.datasets.make_bunch`, whose clips may all, in
        part or not be labelled; or a folder that :func:`~skaudeep.datasets.load_dataset` reads.
    path : str or Path
        The HTML file to write, in an existing folder.
    pipeline : Pipeline or classifier, default=None
        The classifier to evaluate; it is cloned, not fitted. None uses, for recordings,
        :func:`skaudeep.recipes.audio_classifier` at the sampling rate that most of them have; for
        stored features :func:`skaudeep.recipes.linear_classifier`, and for stored spectrograms the
        same after :class:`~skaudeep.ReservoirFeatures`.
    cv : {"devel", "test"}, int, splitter, iterable of (train, test) or None, default=None
        The folds, see :func:`~skaudeep.evaluate`: "devel" and "test" test on that partition, an int
        is a number of folds that keep groups together. None uses the folds of the data set, or, if
        it has partitions instead, trains on "train" and tests on "devel" (or, if no labelled clip
        is in "devel", trains on "train" and tests on "test"). If it has neither, None makes five
        new folds, or fewer if a class has fewer groups (or clips, if there are no groups); they
        keep groups together. Classes whose clips are all in one group, or that have a single clip,
        are left out of the evaluation, as are classes that a fold tests without training clips of
        them. The page says so.
    title : str, default=None
        Title of the page. None is the name of the folder if `bunch` is one, else the number of
        clips, such as "40 clips".
    audio : bool, default=True
        Whether to embed or link sounds, and to show spectrograms. False shows neither, for example
        for recordings of patients, because speech can be reconstructed from spectrograms. Names of
        clips are shown in any case.
    max_audio_mb : float >= 0, default=20.0
        Largest size of all embedded sounds together, in units of 10^6 bytes of text in the page.
        They are FLAC with 16 bit if all clips fit, else Ogg Vorbis with one channel. Clips that do
        not fit are linked if their files are in or below the folder of the page, and otherwise
        cannot be heard. 0 embeds none.
    model : str or Path, default=None
        File to which the pipeline is written, fitted to all labelled clips. :func:`skaudeep.load`
        and the command ``skaudeep predict`` read it. None writes no model.
    errors : str or Path, default=None
        File to which a CSV table of the clips that were named wrongly is written, the surest first:
        the columns of :meth:`~skaudeep.evaluation.results.Evaluation.errors` but "correct", which
        is left out where each clip was tested once, with the names of clips as the page shows them
        and numbers of four decimals. None writes none.
    command : str, default=None
        The command that makes the page, to be shown on it. It should name no folder that others
        must not see. None shows none.
    overwrite : bool, default=False
        Whether existing files at `path`, `model` and `errors` may be replaced.
    random_state : int, RandomState instance or None, default=0
        Seed or generator of new folds, of the networks of the default pipeline, of the evaluation
        and of the map of the clips. None gives other results in each call.
    progress : bool, default=True
        Whether to show the progress and the remaining time on the standard error stream.
    on_summary : callable, default=None
        Function that is called with the text of the first screen (``summary`` of the result) as
        soon as it is known, before pictures and sounds are made. None calls nothing.

    Returns
    -------
    Report
        The ``path`` of the page, its ``summary``, its ``evaluation`` (None if there are fewer than
        two classes to evaluate), and the numbers of clips that can be labelled (``n_to_name``) and
        heard (``n_audible``) on it.

    Raises
    ------
    FileExistsError
        If a file exists and `overwrite` is False. This and errors about parameters are raised
        before any work.
    ImportError
        If jinja2 or matplotlib is not installed.
    ValueError
        If the data set is invalid or its target is not one class for each clip, no clip can be
        read, a parameter is out of its range, `path` and `model` are the same file, or `model` is
        given and the labelled clips have fewer than two classes.

    See Also
    --------
    skaudeep.evaluate : Compute the scores alone.
    skaudeep.datasets.add_labels : Add the labels that were given on the page to the data set.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudeep import BandStatistics, SpectrogramExtractor, report
    >>> from skaudeep.datasets import make_sounds
    >>> sounds = make_sounds(20, n_classes=2, sampling_rate=8000, random_state=0)
    >>> extractor = SpectrogramExtractor(n_mels=40, sampling_rate=8000)
    >>> pipeline = make_pipeline(extractor, BandStatistics(), LogisticRegression())
    >>> with TemporaryDirectory() as folder:
    ...     made = report(sounds, Path(folder, "sounds.html"), pipeline=pipeline, title="Sounds")
    >>> print(made.summary.splitlines()[1])
    20 clips, 2 classes of 10 clips each, 20 s in all, 5 groups
    """
    page = _check_output(path, overwrite, "the report")
    model_file = None if model is None else _check_output(model, overwrite, "the model")
    table = None if errors is None else _check_output(errors, overwrite, "the errors")
    outputs = [("report", page), ("model", model_file), ("errors", table)]
    for (one, first), (other, second) in combinations(outputs, 2):
        if first is not None and first == second:
            raise ValueError(
                f"Got {str(first)!r} for the {one} and for the {other}, expected two names: one "
                "would replace the other."
            )
    _check_extras()
    if not isinstance(max_audio_mb, Real) or not 0 <= max_audio_mb < np.inf:
        raise ValueError(f"Got max_audio_mb={max_audio_mb!r}, expected a number of at least 0.")
    if isinstance(bunch, str | os.PathLike):
        title = Path(os.path.abspath(bunch)).name if title is None else title
        bunch = load_dataset(bunch)
    with Progress(show=progress) as line:
        line.begin("Reading headers, decoding each clip", 1)
        corpus = understand(bunch, cv, random_state)
    if model_file is not None and len(set(corpus.bunch.target.tolist()) - {-1}) < 2:
        raise ValueError(
            f"Got model={str(model)!r} for clips of fewer than two classes, expected labelled "
            "clips of two or more; label some first, or leave model out."
        )
    if table is not None and not corpus.division.folds:
        raise ValueError(
            f"Got errors={str(errors)!r} for clips of which none can be tested, expected two "
            "classes with clips to train and to test on; leave errors out."
        )
    if pipeline is None:
        rate = corpus.sampling_rate
        pipeline = classifier_for(corpus.bunch, sampling_rate=rate, random_state=random_state)

    evaluation = _evaluate(pipeline, corpus, random_state, progress)
    title = f"{corpus.summary.n_clips} clips" if title is None else title
    first = first_screen(corpus, evaluation, title, command)
    summary = "\n".join(first.lines())
    if on_summary is not None:
        on_summary(summary)

    found = _features(pipeline, corpus, progress) if evaluation is None else evaluation.features
    features = usable_features(found)
    with Progress(show=progress) as line:
        line.begin("Mapping the clips", 1)
        sections = contents(corpus, evaluation, features, first, random_state)
        sounds, pictures = Sounds(), {}
        if audio and corpus.clips is not None:
            pictures = _pictures(sections, line)
            sounds = _sounds(sections, page.parent, float(max_audio_mb), line)
    facts = manifest(corpus, evaluation, pipeline, random_state)
    if command is not None:
        facts["command"] = command
    text = render(sections, sounds, pictures, facts, with_audio=audio)
    with replacing(page) as new:
        new.write_text(text, "utf-8")
    if table is not None and evaluation is not None:
        _write_errors(evaluation, corpus.names, table)
    if model_file is not None:
        fitted = fit_classifier(corpus.bunch, clone(pipeline), random_state=random_state)
        save(fitted, model_file)
    return Report(
        Path(path).expanduser(),
        summary,
        evaluation,
        n_to_name=0 if sections.naming is None else len(sections.naming.order),
        n_audible=len(sounds.embedded) + len(sounds.linked),
    )


def _check_output(path: str | os.PathLike[str], overwrite: bool, what: str) -> Path:
    file = check_writable(Path(path).expanduser())
    if file.exists() and not overwrite:
        raise FileExistsError(
            f"Got {str(path)!r} for {what}, which exists, expected a new name. Choose another, or "
            "pass overwrite=True (--force)."
        )
    return file


def _check_extras() -> None:
    missing = [name for name in ("jinja2", "matplotlib") if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"A report needs {' and '.join(missing)}, not installed here. Install what it needs "
            "by pip install 'skaudeep[cli]'."
        )


def _evaluate(
    pipeline: Any, corpus: Corpus, random_state: Any, progress: bool
) -> Evaluation | None:
    if not corpus.division.folds:
        return None
    return evaluate(
        pipeline,
        corpus.bunch | {"target": corpus.division.target},
        cv=corpus.division.folds,
        random_state=random_state,
        train_sizes=TRAIN_SIZES,
        keep_features=True,
        progress=progress,
    )


def _write_errors(evaluation: Evaluation, names: list[str], file: Path) -> None:
    wrong = evaluation.errors()
    shown = [names[row] for row in wrong.index]
    never = ["correct"] if (wrong.correct == 0).all() else []  # of a single repeat it says nothing
    wrong = wrong.drop(columns=["filename", *never], errors="ignore").round(4)
    wrong.insert(0, "filename", shown)
    with replacing(file) as new:
        wrong.to_csv(
            new, index=False, lineterminator="\n", encoding="utf-8", errors="surrogateescape"
        )


def _features(pipeline: Any, corpus: Corpus, progress: bool) -> Any:
    """Return the features of clips without labels, as `evaluate` keeps them of others."""
    with Progress(show=progress) as line:
        line.begin("Extracting clips", len(corpus.names))
        steps, data = run_fixed_steps(
            clone(pipeline), corpus.bunch.data, keep_controls=False, on_clips=line.advance
        )
        n_steps = count_unsupervised(steps)
        return clone(steps[:n_steps]).fit_transform(data) if n_steps else data


def _shown(sections: Contents) -> list[int]:
    """Return the clips that have a picture, in the order of the page."""
    wrong = [clip.row for clip in sections.cards]
    return list(dict.fromkeys([*wrong, *(clip.row for clip in sections.unusual.clips)]))


def _pictures(sections: Contents, line: Progress) -> dict[int, Picture]:
    corpus, shown = sections.corpus, _shown(sections)
    assert corpus.clips is not None
    line.begin("Drawing spectrograms", len(shown))
    pictures = {}
    for row in shown:
        pictures[row] = picture(corpus.clips[row], corpus.bunch.get("sampling_rate"))
        line.advance()
    return pictures


def _sounds(sections: Contents, folder: Path, max_mb: float, line: Progress) -> Sounds:
    corpus = sections.corpus
    assert corpus.clips is not None
    to_name = [] if sections.naming is None else sections.naming.order
    order = list(dict.fromkeys([*_shown(sections), *to_name, *range(len(corpus.names))]))
    rate = corpus.bunch.get("sampling_rate")
    return make_sounds(corpus.clips, rate, order, folder=folder, max_mb=max_mb, progress=line)
