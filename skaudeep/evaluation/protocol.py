"""The function `evaluate`, which scores a pipeline and its controls by cross-validation."""

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

    The target of the data set determines the scores: accuracy and UAR (unweighted average recall)
    for classes, average precision and AUC (area under the ROC curve) if clips may have several
    classes, correlations and errors for regression.

    The score of learned features needs a comparison, because an untrained network, or a few
    statistics of the spectrogram, may do as well. Such controls are therefore run on the same folds
    with the same classifier, if the pipeline allows them (see `controls`). They are in ``controls``
    of the result, and the printed result compares the pipeline with each of them, clip by clip.

    Intervals and comparisons treat the ``groups`` of the bunch, such as speakers or recordings, as
    independent, because clips of a speaker or recording tend to be right or wrong together. A clip
    whose group is "", None or NaN is a group of its own. Without groups, or with a single group of
    all tested clips, they treat clips as independent. If the `fit` of the last step has a parameter
    ``groups``, as that of `TunedLogisticRegression`, it receives the groups of the training clips.

    Work that is the same in all folds is done once. This holds for steps at the beginning of the
    pipeline, or of a view of a `FeatureFusion` there (one of the transformers whose features it
    joins), that learn nothing (their tag ``requires_fit`` is False, as for `SpectrogramExtractor`):
    folds, repeats and controls share their output. It also holds for the states of a
    `ReservoirFeatures` there, which are the activations of its network and depend on its random
    weights alone; its principal components are fitted in each fold. States of more than 512 MB are
    kept in a temporary file.

    Parameters
    ----------
    pipeline : Pipeline, classifier or regressor
        A classifier or regressor, or a pipeline that ends in one. Clones of it are fitted; it is
        not changed. If clips may have several classes, it must have `predict_proba` or
        `decision_function` for all of them, as :class:`~sklearn.multiclass.OneVsRestClassifier`
        has.
    bunch : Bunch
        Data set with ``data`` (n_clips rows), ``target``, and optionally ``target_names``, ``cv``
        or ``folds``, ``partition`` and ``groups``. The target is

        * (n_clips,) int: one class for each clip, -1 for an unlabelled clip;
        * (n_clips, n_classes) int: 1 if a clip has the class, else 0; -1 in all columns for an
          unlabelled clip;
        * (n_clips,) or (n_clips, n_targets) float: values; NaN in all columns for an unlabelled
          clip. NaN in some columns only is an error.

        Unlabelled clips are neither training nor test clips; only the transductive protocol uses
        them.
    protocol : {"inductive", "transductive"}, default="inductive"
        "inductive": all steps are fitted to the training clips of each fold. "transductive":
        every step up to the last unsupervised one is fitted once per repeat to *all* clips of
        the bunch, including test clips, without labels; the steps after it are fitted to the
        training clips of each fold. The auDeep paper reports transductive scores. Only inductive
        scores estimate the accuracy on new recordings.
    n_repeats : int, default=1
        Number of times that everything is run, with the same folds. Each time, also the only one,
        every ``random_state`` in the pipeline is replaced by a seed drawn from `random_state`.
    unit : {"clip", "group"}, default="clip"
        The unit that is scored. With "group", each group of the bunch, such as a patient, a
        recording or a machine, is scored as one: its class by the mean probability over its clips
        (or the mean decision value, if there are no probabilities), its value by the mean
        prediction. ``clips`` of the result has the scores clip by clip, which are printed, too. All
        labelled clips of a group must have the same target, and no fold may divide a group.
    controls : bool, default=True
        Whether to score controls, too. The steps of the pipeline, at any depth, determine them:

        * "untrained network" has the same network without its training;
        * "mel statistics" has ``BandStatistics(extended=True)`` in place of each step that reads
          spectrograms. If no step does, but the bunch holds spectrograms or a step that learns
          nothing computes them, and the pipeline has no `BandStatistics` itself, it has their
          standardised statistics with the same classifier;
        * "most frequent class" (:class:`~sklearn.dummy.DummyClassifier`) is used if neither of
          these is possible, as for a classifier of stored features;
        * "mean of the training targets" (:class:`~sklearn.dummy.DummyRegressor`) is always used for
          regression; its correlations are not defined.

        If clips may have several classes, "most frequent class" is not run; the printed result
        shows the scores of chance instead. ``controls_left_out`` of the result has the reasons why
        "untrained network" or "mel statistics" is missing. A control that fails is left out with a
        warning.
    cv : {"devel", "test"}, int, splitter, iterable of (train, test) or None, default=None
        The folds. "devel" trains on the partition train and tests on devel; "test" trains on train
        and devel and tests on test. An int is a number of folds into which the labelled clips are
        shuffled, with the same share of each class: by
        :class:`~sklearn.model_selection.StratifiedGroupKFold`, which keeps groups together, if the
        bunch has groups, else by :class:`~sklearn.model_selection.StratifiedKFold`. Clips with
        values or several classes are divided without stratification, by
        :class:`~sklearn.model_selection.GroupKFold` or :class:`~sklearn.model_selection.KFold`
        (:func:`~skaudeep.datasets.add_folds` stratifies them). A splitter of scikit-learn divides
        the labelled clips and receives the groups. None uses the key ``cv`` of the bunch, else its
        ``folds``; without either it is "devel", or "test" if no labelled clip is in devel.
    n_jobs : int or None, default=None
        Number of folds that are run in parallel; repeats and controls are run one after the other.
        -1 is the number of processors. None is 1, unless a :func:`joblib.parallel_config` context
        states another number.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of one seed per repeat, of the folds if ``cv`` is an int, and of the clips
        that are left out for `train_sizes`. An int gives the same result each time. With None,
        results differ from call to call, even if the steps have seeds of their own.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals. They are over groups if the bunch has some, else over
        clips; see the notes of the result.
    train_sizes : sequence of float in (0, 1), default=()
        Shares of the training clips for a learning curve. For each share the folds are run again
        with a random part of the training clips, and ``learning_curve`` of the result has the
        scores. The share is that of the groups of each class (of all groups, for regression; of
        clips, without groups) that are kept, rounded up; whole groups are left out. The clips of a
        smaller share are among those of a larger one. A share with which the pipeline fails is left
        out with a warning.
    keep_features : bool, default=False
        Whether ``features`` of the result holds the features of all clips, for pictures of them.
        They come from the unsupervised steps, fitted to all clips, or, if there are no such steps,
        from the data of the bunch after the steps at the beginning that learn nothing. With
        ``unit="group"`` they are means over the clips of a group.
    progress : bool, default=True
        Whether to show the progress and the remaining time on stderr: in one line that is updated,
        or, if stderr is not a terminal, in a new line every 10 s at most.

    Returns
    -------
    Evaluation, MultiLabelEvaluation or RegressionEvaluation
        The predictions and scores, for one class for each clip, for several classes, or for values.
        ``print`` shows them as a table.

    Raises
    ------
    ValueError
        Before anything is fitted: if the bunch has no folds; if a fold has no labelled training or
        test clip, has a test clip among its training clips, or lacks training clips of a class that
        it tests; if the target has none of the forms above, is the same for all clips or has
        another length than the data; if a parameter is out of range; if the pipeline predicts
        another kind of target, or has no step for the transductive protocol; or if a group to be
        scored has clips of several classes or is divided by a fold. After a fit: if the pipeline
        predicts something that is not a class, or not a finite number.

    Warns
    -----
    UserWarning
        If a fold divides a group; if clips may have several classes and a fold lacks training clips
        of a class that it tests; or if a control or a part of the learning curve fails.

    See Also
    --------
    compare : Compare two evaluations, clip by clip.
    skaudeep.BandStatistics : The features of the control "mel statistics".

    Notes
    -----
    In the transductive protocol the unsupervised steps see the test clips, without their labels.
    Its scores can be compared with those of the paper, but not with inductive scores.

    An estimator states whether it is unsupervised, whether it reads spectrograms, and how it is
    made without training, by a method ``__skaudeep_tags__`` that returns
    `skaudeep.evaluation.LearningTags`. All estimators of skaudeep have it. A transformer without it
    is not taken for unsupervised, has no untrained variant, and is not replaced in a control. Such
    a method may be::

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
    seeds = rng.randint(2**31 - 1, size=1).tolist()
    folds = check_folds(bunch, target, cv, rng, whole_groups=of_groups)  # for any n_repeats
    seeds += rng.randint(2**31 - 1, size=n_repeats - 1).tolist()
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
                # The pipeline may have taken hours, and its result is valid without the control.
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
    """Warn of shares of the training clips that are missing in the learning curve."""
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

    Work on clips that is the same for all of them is done here, once. The second value has the
    reasons why other controls are left out.
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
    if isinstance(task, Values):  # a regressor is compared with the error of the mean
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
