"""The protocol: a pipeline is scored over the folds of a data set, and its controls as well."""

import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from skaudeep._base import num_samples
from skaudeep._progress import Progress
from skaudeep._texts import printable
from skaudeep._warnings import find_stack_level
from skaudeep.datasets.groups import group_numbers
from skaudeep.evaluation.assembly import Assembly, merge_groups
from skaudeep.evaluation.controls import (
    are_spectrograms,
    controls_left_out,
    controls_of_data,
    controls_of_steps,
    count_axes,
)
from skaudeep.evaluation.folds import check_folds
from skaudeep.evaluation.intervals import check_confidence_level
from skaudeep.evaluation.runs import Runs, count_unsupervised, leave_out
from skaudeep.evaluation.sharing import fit_transform, n_fixed_steps, run_fixed_steps
from skaudeep.evaluation.targets import check_pipeline, check_target, target_names
from skaudeep.evaluation.tasks import Task, Values, make_task

__all__ = ["evaluate"]


def evaluate(
    pipeline: Any,
    bunch: Mapping[str, Any],
    *,
    protocol: Literal["inductive", "transductive"] = "inductive",
    n_repeats: int = 1,
    unit: Literal["clip", "group"] = "clip",
    controls: bool = True,
    cv: Any = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    confidence_level: float = 0.95,
    train_sizes: Sequence[float] = (),
    keep_features: bool = False,
    progress: bool = True,
) -> Any:  # the target says which of the three results it is, types cannot
    """Score a pipeline over the folds of a data set, with the controls that its score needs.

    The target of the data set says what is scored: classes by accuracy and UAR, several classes
    that a clip may have by average precision and AUC, values to regress on by correlations and
    errors.

    The score of learned features says little by itself: a network that was never trained, or
    a few statistics of the spectrogram, may do as well. These controls are therefore run on the
    same folds with the same classifier, where the pipeline allows them. They are in ``controls``
    of the result, and printing the result compares the pipeline with each of them, clip by clip.

    Intervals and comparisons take the ``groups`` of the bunch, such as speakers or recordings, for
    independent, and clips only where there are none: clips of one speaker or recording tend to be
    right or wrong together. The last step of the pipeline is given the groups of its training clips
    where its `fit` has a parameter ``groups``, as `TunedLogisticRegression` has.

    What no fold changes is done once. Steps that learn nothing (their tag ``requires_fit`` is
    False, as with `SpectrogramExtractor`) are run once where they stand at the head of the pipeline
    or of a view of a `FeatureFusion` there; folds, repeats and controls share what they give. The
    states of a `ReservoirFeatures` there depend on its random weights alone, and are shared by the
    folds; its principal components belong to each fold. States of more than 512 MB are kept in a
    temporary file.

    Parameters
    ----------
    pipeline : Pipeline, classifier or regressor
        A classifier, or for values a regressor, or a pipeline that ends in one. It is cloned, never
        fitted or changed. Of several classes it has to give probabilities or decision values, as
        :class:`~sklearn.multiclass.OneVsRestClassifier` does.
    bunch : Bunch
        Data set with ``data`` (n_clips rows), ``target``, and optionally ``target_names``, ``cv``
        or ``folds``, ``partition`` and ``groups``. The target is

        * (n_clips,) int: one class for each clip, -1 where unlabelled;
        * (n_clips, n_classes) int: 1 where a clip has the class, else 0, and -1 throughout where
          unlabelled;
        * (n_clips,) or (n_clips, n_targets) float: values, NaN throughout where unlabelled.

        Unlabelled clips are in no training or test fold; only the transductive protocol uses
        them.
    protocol : {"inductive", "transductive"}, default="inductive"
        "inductive": all steps are fitted on the training clips of each fold. "transductive":
        every step up to the last unsupervised one is fitted once per repeat on *all* clips of
        the bunch, test clips included, without labels; the steps after it are fitted on the
        training clips of each fold. The paper reports transductive scores; only inductive ones
        estimate the accuracy on recordings from elsewhere.
    n_repeats : int, default=1
        Number of times that everything is run, each time with another seed for every
        ``random_state`` in the pipeline.
    unit : {"clip", "group"}, default="clip"
        What is scored. "group" scores each group of the bunch, such as a patient, a recording or a
        machine, as one: its classes by the mean probability over its clips (by the mean decision
        value where the pipeline gives no probabilities), its value by their mean prediction.
        ``clips`` of the result has the scores clip by clip, which are printed beside those. All
        labelled clips of a group need one target, and no fold may train on clips of a group that it
        tests.
    controls : bool, default=True
        Whether to score controls as well, as the steps of the pipeline allow: "untrained network",
        with the same network before its training; and "mel statistics", with `BandStatistics` in
        place of each step that reads spectrograms. Steps at any depth count, such as those of the
        views of a `FeatureFusion`. Where no step is either, as in a classifier of stored features:
        "mel statistics" of the spectrograms that the bunch holds or a step without `fit` makes,
        standardised, with the same classifier, or else "most frequent class"
        (:class:`~sklearn.dummy.DummyClassifier`). Of values there is "mean of the training
        targets" in any case (:class:`~sklearn.dummy.DummyRegressor`), which has an error and no
        correlation; of several classes the result shows what chance would score.
        ``controls_left_out`` of the result says why the others are not among them. A control that
        fails is left out with a warning.
    cv : {"devel", "test"}, int, splitter, iterable of (train, test) or None, default=None
        "devel" trains on the partition train and tests on devel; "test" trains on train and
        devel and tests on test. An int is a number of folds into which the labelled clips are
        shuffled, with the same share of each class: by
        :class:`~sklearn.model_selection.StratifiedGroupKFold`, which keeps groups together, where
        the bunch has groups, else by :class:`~sklearn.model_selection.StratifiedKFold`. Clips with
        values or several classes are divided without regard to them, by
        :class:`~sklearn.model_selection.GroupKFold` or :class:`~sklearn.model_selection.KFold`
        (:func:`~skaudeep.datasets.add_folds` has regard to them). A splitter
        of scikit-learn divides the labelled clips and is given the groups. None takes the folds of
        the bunch; where it has none, "devel", and "test" only if no labelled clip is in devel.
    n_jobs : int or None, default=None
        Number of folds (of all repeats) run in parallel; None is 1, -1 is all processors.
    random_state : int, RandomState instance or None, default=None
        Generator of one seed per repeat, and of the folds if ``cv`` is an int. An int gives the
        same result each time.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals, which are over groups where the bunch has some, else
        over clips; see the notes of the result.
    train_sizes : sequence of float in (0, 1), default=()
        Shares of the training clips with which the folds are run once more, for a learning curve:
        ``learning_curve`` of the result. Whole groups of each class are left out at random (of any
        clips where there are values), those of a smaller share being among those of a larger one. A
        share with which the pipeline fails, such as one of fewer clips than it has neighbours, is
        left out with a warning.
    keep_features : bool, default=False
        Whether ``features`` of the result holds the features of all clips, from the unsupervised
        steps fitted to all clips, for pictures of them. Where the pipeline has no such step, they
        are the data of the bunch. With ``unit="group"`` they are the mean over the clips of each
        group.
    progress : bool, default=True
        Whether to show on stderr, in one line, what runs and how long is left. Where stderr is no
        terminal, plain lines are at least 10 s apart.

    Returns
    -------
    Evaluation, MultiLabelEvaluation or RegressionEvaluation
        The predictions and scores, of one class for each clip, of several, or of values. ``print``
        shows them as a table.

    Raises
    ------
    ValueError
        If the bunch has no folds, a fold has no labelled training or test clip, trains on
        a test clip or tests a class that it does not train, the target is none of those above, does
        not differ between clips or has another length than the data, a parameter is out of range,
        the pipeline does not predict what the target consists of or has no step that the
        transductive protocol could fit, or a group to be scored has clips of several classes or on
        both sides of a fold: all of this is seen before anything is fitted. Also if the pipeline
        predicts what is no class or no finite number.

    Warns
    -----
    UserWarning
        If a fold trains and tests on clips of one group, or tests one of several classes of a clip
        without a training clip of it, or a control or a part of the learning curve fails.

    See Also
    --------
    compare : Compare two evaluations, clip by clip.
    skaudeep.BandStatistics : The features of the control "mel statistics".

    Notes
    -----
    In the transductive protocol the unsupervised steps see the test clips, though none of their
    labels. Its scores compare with those of the paper, not with inductive ones.

    An estimator says by a method ``__skaudeep_tags__``, which returns
    `skaudeep.evaluation.LearningTags`, which of this holds for it. All of skaudeep have it. A
    transformer from elsewhere that has none counts as one that is not unsupervised, that has no
    untrained variant and that no control replaces. To take part, it states for example::

        def __skaudeep_tags__(self):
            return LearningTags(
                unsupervised=True, reads_spectrograms=True, untrained={"n_iter": 0}
            )

    Examples
    --------
    A classifier that always predicts the most frequent class has a high accuracy, but its UAR is
    at chance level.

    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.utils import Bunch
    >>> from skaudeep import BandStatistics, evaluate
    >>> target = np.tile([0, 0, 1, 0], 5)
    >>> folds = np.repeat(np.eye(5, dtype=int), 4, axis=0)
    >>> bunch = Bunch(data=np.zeros((20, 7, 3)), target=target, folds=folds)
    >>> majority = make_pipeline(BandStatistics(), DummyClassifier())
    >>> result = evaluate(majority, bunch, controls=False)
    >>> print(f"accuracy {result.accuracy:.2f}, UAR {result.uar:.2f}")
    accuracy 0.75, UAR 0.50
    >>> result.confusion_matrix
    array([[15,  0],
           [ 5,  0]])

    A float target is scored by correlations and errors.

    >>> from sklearn.linear_model import LinearRegression
    >>> ages = np.arange(20.0, 80.0, 3.0)
    >>> bunch = Bunch(data=np.sqrt(ages)[:, np.newaxis], target=ages)
    >>> result = evaluate(LinearRegression(), bunch, cv=4, random_state=0)
    >>> print(f"Spearman {result.spearman:.2f}, RMSE {result.rmse:.1f}")
    Spearman 1.00, RMSE 2.1
    """
    if protocol not in ("inductive", "transductive"):
        raise ValueError(
            f"Got protocol={protocol!r}; choose 'inductive' (all is fitted on training clips) "
            "or 'transductive' (the unsupervised steps see all clips, unlabelled)."
        )
    if not isinstance(n_repeats, Integral) or isinstance(n_repeats, bool) or n_repeats < 1:
        raise ValueError(f"Got n_repeats={n_repeats!r}, expected an integer of at least 1.")
    check_confidence_level(confidence_level)
    if unit not in ("clip", "group"):
        raise ValueError(
            f"Got unit={unit!r}; choose 'clip', or 'group' to score each patient, recording or "
            "machine by all of its clips."
        )
    train_sizes = _check_train_sizes(train_sizes)
    target = check_target(bunch)
    of_groups = unit == "group"
    check_pipeline(pipeline, target, of_groups=of_groups)
    rng = check_random_state(random_state)
    seeds = rng.randint(2**31 - 1, size=n_repeats).tolist()
    folds = check_folds(bunch, target, cv, rng, whole_groups=of_groups)
    if protocol == "transductive" and not count_unsupervised(pipeline):
        raise ValueError(
            "Got protocol='transductive' for a pipeline without a step to fit on all clips; "
            "expected a Pipeline with a Seq2SeqAutoencoder, or another transformer that is "
            "unsupervised by its __skaudeep_tags__, before the classifier. Use "
            "protocol='inductive'."
        )

    names = target_names(bunch, target)
    task = make_task(target, len(names), of_groups=of_groups)
    groups = None if bunch.get("groups") is None else group_numbers(bunch["groups"])
    merged = merge_groups(bunch, target, groups) if of_groups else None
    units = np.arange(len(target)) if groups is None else groups
    place = rng.permutation(units.max() + 1)[units] if train_sizes else units
    parts = [leave_out(folds, target, units, share, place) for share in train_sizes]
    with Progress(show=progress) as line:
        variants, left_out = _variants(pipeline, bunch, task, controls, line)
        runs = Runs(
            target=target,
            groups=groups,
            task=task,
            seeds=seeds,
            transductive=protocol == "transductive",
            n_jobs=n_jobs,
            progress=line,
        )
        (found, *of_parts), features = runs.run(
            *variants.pop(""), [folds, *parts], keep_features=keep_features
        )
        assert not isinstance(found, Exception)
        _warn_of_failed_parts(train_sizes, of_parts)
        of_controls = {}
        for name, (variant, data) in variants.items():
            try:
                [control], _ = runs.run(variant, data, [folds], which=f" of the control {name!r}")
                assert not isinstance(control, Exception)
                of_controls[name] = control
            except Exception as error:
                # Hours may have gone into the pipeline itself, whose result stands without it.
                left_out[name] = f"it failed: {type(error).__name__}: {printable(error)}"
                warnings.warn(
                    f"The control {name!r} is left out, as it failed: {type(error).__name__}: "
                    f"{printable(error)} The result of the pipeline itself does not depend on it; "
                    "pass controls=False to run none.",
                    stacklevel=find_stack_level(),
                )

    assemble = Assembly(
        bunch=bunch,
        target=target,
        target_names=names,
        task=task,
        protocol=protocol,
        seeds=seeds,
        confidence_level=confidence_level,
        merged=merged,
    )
    curve = [
        assemble(part, of_part)
        for part, of_part in zip(parts, of_parts, strict=True)
        if not isinstance(of_part, Exception)
    ]
    return assemble(
        folds,
        found,
        controls={name: assemble(folds, control) for name, control in of_controls.items()},
        controls_left_out=left_out,
        features=features,
        learning_curve={part.n_train: part for part in curve},
    )


# Parts and variants of a pipeline.


def _warn_of_failed_parts(train_sizes: list[float], of_parts: Sequence[Any]) -> None:
    """Say which shares of the training clips the learning curve has to do without."""
    for share, error in zip(train_sizes, of_parts, strict=True):
        if isinstance(error, Exception):
            warnings.warn(
                f"The learning curve lacks {share:g} of the training clips, with which the "
                f"pipeline failed: {type(error).__name__}: {printable(error)} Other results do "
                "not depend on it; pass larger train_sizes.",
                stacklevel=find_stack_level(),
            )


def _variants(
    pipeline: Any, bunch: Mapping[str, Any], task: Task, controls: bool, progress: Progress
) -> tuple[dict[str, tuple[Any, Any]], dict[str, str]]:
    """Return the pipeline, named "", and its controls, each with its data.

    What all of them would do alike with every clip is done here, once. The second value says why
    other controls are left out.
    """
    data = bunch["data"]
    progress.begin("Extracting clips", num_samples(data))
    if not controls or controls_of_steps(pipeline):
        shared, data = run_fixed_steps(
            pipeline, data, keep_controls=True, on_clips=progress.advance
        )
        chosen = {"": shared} | (controls_of_steps(shared) if controls else {})
        variants = {name: (variant, data) for name, variant in chosen.items()}
    else:
        n_shared = n_fixed_steps(pipeline, keep_controls=True)
        spectrograms = data if are_spectrograms(data, pipeline, bunch) else None
        for i in range(n_shared):
            data = fit_transform(clone(pipeline[i : i + 1]), data, progress.advance)
            if are_spectrograms(data, pipeline):
                spectrograms = data
        n_axes = None if spectrograms is None else count_axes(spectrograms)
        variants = {"": (pipeline[n_shared:] if n_shared else pipeline, data)}
        for name, control in controls_of_data(pipeline, n_axes, task.dummies()).items():
            variants[name] = (control, data if spectrograms is None else spectrograms)
    if not controls:
        return variants, {}
    left_out = controls_left_out(pipeline, variants)
    if isinstance(task, Values):  # its error is what any regressor has to beat
        nothing = np.zeros((num_samples(bunch["data"]), 1), dtype=np.float32)
        variants |= {name: (dummy, nothing) for name, dummy in task.dummies().items()}
    return variants, left_out


def _check_train_sizes(train_sizes: Any) -> list[float]:
    shares = list(train_sizes) if np.iterable(train_sizes) else [train_sizes]
    if not all(isinstance(share, Real) and 0 < float(share) < 1 for share in shares):
        raise ValueError(
            f"Got train_sizes={train_sizes!r}, expected shares between 0 and 1 such as (0.25, 0.5)."
        )
    return sorted({float(share) for share in shares})
