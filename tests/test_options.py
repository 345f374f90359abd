"""Options of fixed texts: every public function and estimator refuses any other text."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import Ridge

import skaudeep
from skaudeep import audio, datasets, evaluation, formats, plotting, recipes

RATE = 8000  # Hz
NOISE = np.random.default_rng(0).normal(0, 0.1, RATE)
OTHER = "nonsense"
MODULES = ("audio", "callbacks", "datasets", "evaluation", "formats", "persistence", "plotting")
FIXED = re.compile(r'^(\w+) : (?:.*[ ,])?\{"(.*?)"\}', re.MULTILINE)
# Checked where it is used, by scikit-learn.
SKLEARNS = {"FeatureFusion.set_output transform"}


def is_estimator(value: Any) -> bool:
    return hasattr(value, "_parameter_constraints")


def is_result(value: Any) -> bool:
    """Return whether instances are results, which the library makes."""
    return value.__name__.endswith(("Evaluation", "Comparison"))


def public() -> Iterator[tuple[str, Any]]:
    """Yield public functions, classes and methods of classes, with their names."""
    modules = [skaudeep, *(import_module(f"skaudeep.{name}") for name in (*MODULES, "recipes"))]
    values = {id(v): v for m in modules for v in (getattr(m, name) for name in dir(m))}
    for value in values.values():
        if not callable(value):
            continue
        yield value.__name__, value
        if inspect.isclass(value):
            for name in vars(value):
                if not name.startswith("_") and callable(getattr(value, name)):
                    yield f"{value.__name__}.{name}", getattr(value, name)


def options() -> Iterator[tuple[str, Any, str, set[str]]]:
    """Yield what has an option of fixed texts: name, object, option and texts."""
    for name, value in public():
        parameters = re.split(r"\n[A-Z][\w ]+\n-+\n", inspect.getdoc(value) or "", maxsplit=2)
        if "\nParameters\n-----" in (inspect.getdoc(value) or ""):
            for option, texts in FIXED.findall(parameters[1]):
                yield name, value, option, set(texts.split('", "'))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("options")
    soundfile.write(folder / "a.wav", NOISE, RATE)
    (folder / "a.csv").write_text("filename,label,f\na.wav,x,1\nb.wav,y,2\n")
    (folder / "a.arff").write_text(
        "@relation r\n@attribute filename string\n@attribute label {x,y}\n@attribute f numeric\n"
        "@data\n'a.wav',x,1\n'b.wav',y,2\n"
    )
    (folder / "a.txt").write_text("0\t1\tx\n")
    return folder


BUNCH = datasets.make_bunch(
    np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32),
    [f"{i}.wav" for i in range(8)],
    target=np.arange(8) % 2,
    target_names=["a", "b"],
)
EVENTS = pd.DataFrame({"file": ["a.wav"], "start": [0.0], "end": [1.0], "label": ["x"]})
COURSE = pd.DataFrame({"file": ["a.wav"] * 2, "time": [0.0, 1.0], "arousal": [0.0, 1.0]})
EXTRACTOR = skaudeep.SpectrogramExtractor(n_mels=8, sampling_rate=RATE)
COURSES = NOISE[::5].reshape(8, -1)
FEATURES = np.random.default_rng(0).normal(size=(8, 3))


def evaluated(**options: Any) -> Any:
    options = {"cv": 2, "random_state": 0, "controls": False, "progress": False} | options
    return skaudeep.evaluate(DummyClassifier(), BUNCH, **options)


def over_time(**options: Any) -> Any:
    recordings = BUNCH | {"data": NOISE.reshape(8, -1, 5)}
    options = {"cv": 2, "controls": False, "progress": False, "n_resamples": 9} | options
    model = skaudeep.PerFrame(Ridge())
    return evaluation.evaluate_over_time(model, recordings, COURSES, **options)


def confusion() -> Any:
    return plotting.ConfusionDisplay(np.eye(2, dtype=int), target_names=["a", "b"])


def fitted(recipe: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that fits what a recipe makes: recipes hand parameters on."""

    def fit(files: Any, **options: Any) -> Any:
        return recipe(sampling_rate=RATE, **options).fit([NOISE, NOISE[::-1]], [0, 1])

    return fit


# Calls with everything but the option, by the name of a function or method.
CALLS: dict[str, Callable[..., Any]] = {
    "AnomalyEvaluation.interval": lambda files, **o: evaluation.anomaly_metrics(
        [3.0, 2.0, 1.0], [False, False, True]
    ).interval(**o),
    "ComparisonDisplay": lambda files, **o: plotting.ComparisonDisplay(
        [0.5], [(0.4, 0.6)], [], names=["a"], **o
    ),
    "ComparisonDisplay.from_evaluation": lambda files, **o: (
        plotting.ComparisonDisplay.from_evaluation(evaluated(), **o)
    ),
    "ComparisonDisplay.from_evaluations": lambda files, **o: (
        plotting.ComparisonDisplay.from_evaluations({"a": evaluated(), "b": evaluated()}, **o)
    ),
    "ConfusionDisplay.from_evaluation": lambda files, **o: (
        plotting.ConfusionDisplay.from_evaluation(evaluated(), **o)
    ),
    "ConfusionDisplay.plot": lambda files, **o: confusion().plot(**o),
    "EmbeddingDisplay.from_evaluation": lambda files, **o: (
        plotting.EmbeddingDisplay.from_evaluation(evaluated(keep_features=True), **o)
    ),
    "EmbeddingDisplay.from_features": lambda files, **o: plotting.EmbeddingDisplay.from_features(
        FEATURES, **o
    ),
    "Evaluation.interval": lambda files, **o: evaluated().interval(**o),
    "OverTimeEvaluation.interval": lambda files, **o: over_time().interval(**{"metric": "CCC"} | o),
    "SpectrogramDisplay": lambda files, **o: plotting.SpectrogramDisplay(FEATURES, **o),
    "SpectrogramDisplay.from_extractor": lambda files, **o: (
        plotting.SpectrogramDisplay.from_extractor(EXTRACTOR, NOISE, **o)
    ),
    "anomaly_scorer": fitted(recipes.anomaly_scorer),
    "audio_classifier": fitted(recipes.audio_classifier),
    "audio_info": lambda files, **o: audio.audio_info(files / "a.wav", **o),
    "audio_multilabel_classifier": fitted(recipes.audio_multilabel_classifier),
    "audio_regressor": fitted(recipes.audio_regressor),
    "evaluate": lambda files, **o: evaluated(**o),
    "evaluate_over_time": lambda files, **o: over_time(**o),
    "event_classifier": fitted(recipes.event_classifier),
    "frame_targets": lambda files, **o: datasets.frame_targets(
        COURSE, np.arange(0, 1, 0.1), ["a.wav"], **o
    ),
    "fuse": lambda files, **o: formats.fuse([BUNCH, BUNCH], **o),
    "load_annotations": lambda files, **o: formats.load_annotations(files / "a.txt", **o),
    "load_arff": lambda files, **o: formats.load_arff(files / "a.arff", target="label", **o),
    "load_csv": lambda files, **o: formats.load_csv(files / "a.csv", target="label", **o),
    "load_esc": lambda files, **o: datasets.load_esc(files, **o),
    "load_folder": lambda files, **o: datasets.load_folder(files, **o),
    "load_index": lambda files, **o: datasets.load_index(
        pd.DataFrame({"label": ["x"]}, pd.Index([str(files / "a.wav")], name="file")),
        target="label",
        **o,
    ),
    "load_table": lambda files, **o: datasets.load_table(
        pd.DataFrame({"file": ["a.wav"], "label": ["x"]}),
        path="file",
        root=files,
        target="label",
        **o,
    ),
    "mel_filters": lambda files, **o: audio.mel_filters(RATE, 256, 8, **o),
    "mix_channels": lambda files, **o: audio.mix_channels(np.zeros((2, 9)), **o),
    "pad_or_cut": lambda files, **o: audio.pad_or_cut(np.zeros(9), 1, 3, **o),
    "paper_style": lambda files, **o: plotting.paper_style(**o).__enter__(),
    "project": lambda files, **o: plotting.project(FEATURES, **o),
    "read_audio": lambda files, **o: audio.read_audio(files / "a.wav", **o),
    "report": lambda files, **o: skaudeep.report(BUNCH, files / "report.html", progress=False, **o),
    "save_annotations": lambda files, **o: formats.save_annotations(EVENTS, files / "e.txt", **o),
    "two_scales": fitted(recipes.two_scales),
    "windows": lambda files, **o: datasets.windows(files / "a.wav", duration=0.5, **o),
}


CASES = [
    (name, option)
    for name, value, option, _ in options()
    if not (is_estimator(value) or is_result(value) or f"{name} {option}" in SKLEARNS)
]


def test_there_is_a_call_of_each_function_with_an_option_of_fixed_texts():
    assert {name for name, _ in CASES} == set(CALLS), "complete CALLS"


@pytest.mark.parametrize(("name", "option"), CASES)
def test_another_text_is_refused_with_its_name_and_those_that_are_known(files, name, option):
    with pytest.raises(ValueError, match=OTHER) as caught:
        CALLS[name](files, **{option: OTHER})
    assert option in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "option", "texts"), [c for c in options() if is_estimator(c[1])]
)
def test_constraints_of_estimators_allow_the_texts_of_the_documentation_alone(
    name, value, option, texts
):
    allowed = [c for c in value._parameter_constraints[option] if hasattr(c, "options")]
    assert {text for c in allowed for text in c.options} == texts
