"""scikit-learn's common steps without skops: the same bits, and only results that agree."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.decomposition import PCA
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC

from skaudeep import load, save
from skaudeep.persistence.common_steps import RESULTS, find_class
from skaudeep.persistence.serialize import Deserializer, Serializer

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 7))
NEW = RANDOM.normal(size=(50, 7))
THREE = np.arange(40) % 3
TARGETS = {
    "binary": THREE > 0,
    "multi-class": THREE,
    "texts": np.array(["a", "b", "\udc80"])[THREE],
    "objects": np.array(["a", "b", "c"], dtype=object)[THREE],
    "real": X @ np.arange(7),
    "one real": X[:, :1],
    "two real": X[:, :2],
}
CLASSES = ("binary", "multi-class", "texts", "objects")
REAL = ("real", "one real", "two real")
STEPS = [
    *((step, (None,)) for step in (Normalizer("l1"), MinMaxScaler((-1, 2), clip=True))),
    *(
        (StandardScaler(with_mean=a, with_std=b), (None,))
        for a in (False, True)
        for b in (False, True)
    ),
    (RobustScaler(), (None,)),
    (RobustScaler(with_centering=False), (None,)),
    (RobustScaler(with_scaling=False), (None,)),
    (PCA(), (None,)),
    (PCA(0.9, whiten=True), (None,)),
    *(
        (PCA(3, svd_solver=solver, random_state=0), (None,))
        for solver in ("full", "arpack", "randomized", "covariance_eigh")
    ),
    (LinearSVC(C=0.3, random_state=0), CLASSES),
    (LinearSVC(fit_intercept=False, random_state=0), CLASSES),
    (LinearSVC(multi_class="crammer_singer", random_state=0), ("binary", "multi-class")),
    (LogisticRegression(class_weight="balanced"), CLASSES),
    (LogisticRegression(fit_intercept=False, solver="saga", random_state=0), CLASSES),
    (LogisticRegression(solver="liblinear"), ("binary",)),
    (RidgeClassifier(), CLASSES),
    (RidgeClassifier(fit_intercept=False, solver="lsqr"), CLASSES),
    (Ridge(alpha=np.float64(0.1)), REAL),
    (Ridge(fit_intercept=False, solver="lsqr"), REAL),
    (LinearRegression(), REAL),
    (LinearRegression(positive=True), REAL),
    (LinearRegression(fit_intercept=False), REAL),
]
CASES = [(step, target) for step, targets in STEPS for target in targets]
METHODS = ("transform", "inverse_transform", "predict", "decision_function", "predict_proba")


def packed(value):
    packer = Serializer()
    return packer.encode(value, "it"), packer


def through(value):
    tree, packer = packed(value)
    assert not packer.steps, "skops was used"
    return Deserializer(packer.arrays, []).decode(json.loads(json.dumps(tree)))


def outputs(step, rows):
    if isinstance(step, PCA):
        return [step.transform(rows), step.inverse_transform(step.transform(rows))]
    return [getattr(step, name)(rows) for name in METHODS if hasattr(step, name)]


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray | np.generic):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    elif hasattr(expected, "get_params"):
        assert vars(found).keys() == vars(expected).keys()
        for key, value in vars(expected).items():
            assert_same(vars(found)[key], value)
    else:
        assert repr(found) == repr(expected)


def test_each_class_of_the_table_has_a_case():
    assert {type(step).__name__ for step, _ in STEPS} == set(RESULTS)
    for name in RESULTS:
        assert find_class(name).__module__.startswith("sklearn.")


@pytest.mark.parametrize(("step", "target"), CASES, ids=lambda value: str(value)[:60])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_loaded_step_calculates_the_same_bits(step, target, dtype):
    rows = X.astype(dtype)
    y = None if target is None else TARGETS[target]
    fitted = sklearn.clone(step).fit(rows, y)
    # Products round by how factors lie in memory. Rows in reverse, as ARPACK of older scipy leaves
    # components, are the one layout that a file does not keep.
    for name, value in vars(fitted).items():
        if isinstance(value, np.ndarray) and not (value.flags.c_contiguous or value.flags.forc):
            setattr(fitted, name, np.array(value, order="C"))
    loaded = through(fitted)
    assert_same(loaded, fitted)
    for found, expected in zip(outputs(loaded, NEW), outputs(fitted, NEW), strict=True):
        assert_same(found, expected)
    # It goes on like the first: fitted again, both are the same. (Of Crammer and Singer's method
    # scikit-learn returns a number of iterations that was never set.)
    again, first = loaded.fit(rows, y), fitted.fit(rows, y)
    if getattr(step, "multi_class", None) == "crammer_singer":
        again.n_iter_ = first.n_iter_
    assert_same(again, first)


@pytest.mark.parametrize("step", [step for step, _ in STEPS], ids=str)
def test_a_step_that_is_not_fitted_keeps_its_parameters(step):
    assert repr(through(step)) == repr(step)
    assert vars(through(step)).keys() == vars(step).keys()


def test_a_step_keeps_names_of_features_and_its_output_format():
    frame = pd.DataFrame(X, columns=list("abcdefg"))
    for step in (StandardScaler(), PCA(2), RobustScaler()):
        fitted = step.set_output(transform="pandas").fit(frame)
        loaded = through(fitted)
        assert_same(loaded, fitted)
        assert loaded.transform(frame).equals(fitted.transform(frame))
    classifier = LogisticRegression().fit(frame, THREE)
    assert through(classifier).feature_names_in_.tolist() == list("abcdefg")
    with pytest.raises(ValueError, match="feature names should match"):
        through(classifier).predict(frame[list("gfedcba")])
    assert through(Normalizer().set_output(transform="polars"))._sklearn_output_config


def test_a_scaler_that_was_given_weights_or_part_of_the_numbers_keeps_its_counts():
    weighted = StandardScaler().fit(X, sample_weight=np.linspace(1, 2, 40))
    assert_same(through(weighted), weighted)
    gaps = X.copy()
    gaps[0, 0] = np.nan
    assert_same(through(StandardScaler().fit(gaps)), StandardScaler().fit(gaps))
    loaded = through(StandardScaler().fit(gaps)).partial_fit(NEW)
    assert_same(loaded, StandardScaler().fit(gaps).partial_fit(NEW))


def test_a_step_keeps_the_state_of_its_random_generator():
    step = LinearSVC(random_state=np.random.RandomState(3))
    loaded = through(step)
    assert loaded.random_state.randint(10**6) == step.random_state.randint(10**6)


def changed(step, **attributes):
    for name, value in attributes.items():
        setattr(step, name, value)
    return step


UNUSUAL = {
    "an attribute of the user's": lambda: changed(Normalizer().fit(X), mine_=3),
    "NaN": lambda: StandardScaler().fit(np.full((3, 2), np.nan)),
    "several labels a row": lambda: RidgeClassifier().fit(X, X[:, :2] > 0),
    "a parameter that is not valid": lambda: LinearSVC(C=-1.0),
    "a parameter of other kind": lambda: changed(PCA(), random_state=StandardScaler()),
}


@pytest.mark.parametrize("make", UNUSUAL.values(), ids=UNUSUAL)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_the_table_does_not_tell_is_stored_with_skops(make):
    tree, packer = packed(make())
    assert tree == {"step": 0}
    assert not packer.arrays
    found = Deserializer({}, packer.steps).decode(tree)
    assert vars(found).keys() == vars(make()).keys()


# --- results that contradict each other ----------------------------------------------------------

FITTED = {
    "StandardScaler": (StandardScaler(), None),
    "MinMaxScaler": (MinMaxScaler(), None),
    "RobustScaler": (RobustScaler(), None),
    "Normalizer": (Normalizer(), None),
    "PCA": (PCA(3), None),
    "LinearSVC": (LinearSVC(), THREE),
    "LogisticRegression": (LogisticRegression(), THREE),
    "RidgeClassifier": (RidgeClassifier(solver="lsqr"), THREE),
    "Ridge": (Ridge(solver="lsqr"), X[:, :2]),
    "LinearRegression": (LinearRegression(), X[:, :2]),
}
OPTIONAL = {"rank_", "singular_"}


def tree_with(name, key, *value):
    """Return the tree of a step with another result, or without it."""
    step, y = FITTED[name]
    tree, packer = packed(sklearn.clone(step).fit(X, y))
    _, params, results = tree["estimator"]
    arrays = {f"x{number}": array for number, array in packer.arrays.items()}
    moved = json.loads(json.dumps(results).replace('{"array": "', '{"array": "x'))
    other = Serializer()
    moved.pop(key, None)
    if value:
        moved[key] = other.encode(*value, key)
    return {"estimator": [name, params, moved]}, {**arrays, **other.arrays}


def refuse(tree, arrays, message):
    with pytest.raises(ValueError, match=message):
        Deserializer(arrays, []).decode(tree)


def each_result():
    for name, (step, y) in FITTED.items():
        for key, value in vars(sklearn.clone(step).fit(X, y)).items():
            if key not in step.get_params() and key != "_label_binarizer":
                yield pytest.param(name, key, value, id=f"{name}.{key}")


def others(value):
    """Yield values that no such attribute has."""
    yield {"a": 1}
    yield [1.0]
    yield np.array([[[1.0]]])
    yield 10**30
    if isinstance(value, str):
        yield 1
        return
    yield "text"
    yield np.array([value, None], dtype=object)[:1]
    yield np.array(value).astype(bool)
    yield np.array(value)[..., None]
    yield np.array(value).astype(object)
    if np.ndim(value):
        yield from (value[:-1], value[:0], np.concatenate([value, value]), value[None])
        if value.size > 1:
            yield value.ravel()[:1]
    if np.ndim(value) == 2:
        yield from (value[0], value[:, :-1], value[:, :1], value[:1], value.T)
    if np.asarray(value).dtype.kind == "f":
        yield from (np.full_like(value, bad)[()] for bad in (np.nan, np.inf, -np.inf))
        yield np.float16(value)
        yield np.array(value).astype("U")


def fits_anything(value):
    return (
        type(value) is np.ndarray
        and (value.ndim, value.dtype) == (1, np.float64)
        and np.isfinite(value).all()
    )


@pytest.mark.parametrize(("name", "key", "value"), [*each_result()])
def test_results_of_other_shape_or_type_are_refused(name, key, value):
    for other in others(value):
        if key == "singular_" and fits_anything(other):
            continue  # its length depends on the number of clips
        refuse(*tree_with(name, key, other), f"holds a {name} ")


@pytest.mark.parametrize(("name", "key", "value"), [*each_result()])
def test_a_step_without_one_of_its_results_is_refused(name, key, value):
    if key in OPTIONAL:
        tree, arrays = tree_with(name, key)
        assert not hasattr(Deserializer(arrays, []).decode(tree), key)
    elif name != "Normalizer":  # which has but one, and then is not fitted
        refuse(*tree_with(name, key), f"holds a {name} without {key}")


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("Normalizer", "mean_", np.zeros(7), "with attribute 'mean_', no result of fit"),
        ("LinearSVC", "predict", 1, "with attribute 'predict'"),
        ("LinearSVC", "C", 1.0, "with attribute 'C'"),
        ("LinearSVC", "__class__", 1, "with attribute '__class__'"),
        ("RidgeClassifier", "_label_binarizer", 1, "with attribute '_label_binarizer'"),
        ("LinearSVC", "_sklearn_output_config", {"transform": "os"}, "with an output of"),
        ("LinearSVC", "feature_names_in_", np.array(["a"] * 6, dtype=object), "n_features=7"),
        ("LinearSVC", "feature_names_in_", np.array(["a"] * 6 + [1], dtype=object), "texts"),
        ("LinearSVC", "n_features_in_", 6, r"coef_ is float64 of shape \(3, 7\).*n_features=6"),
        ("LinearSVC", "n_features_in_", 0, "n_features_in_"),
        ("LinearSVC", "n_features_in_", True, "n_features_in_"),
        ("LinearSVC", "classes_", np.arange(2), r"coef_ is .*n_rows=1"),
        ("LinearSVC", "classes_", np.arange(4), r"coef_ is .*n_rows=4"),
        ("LinearSVC", "classes_", np.arange(1), "not two or more in ascending order"),
        ("LinearSVC", "classes_", np.array([1, 1, 2]), "not two or more in ascending order"),
        ("LinearSVC", "classes_", np.array([2, 1, 0]), "not two or more in ascending order"),
        ("LinearSVC", "classes_", np.array([0, np.nan, 2]), "NaN or infinity"),
        ("LinearSVC", "classes_", np.array(["a", 1, "b"], dtype=object), "classes_ is object"),
        ("RidgeClassifier", "coef_", np.zeros(7), r"coef_ is float64 of shape \(7,\)"),
        ("Ridge", "coef_", np.zeros(7), r"intercept_ is float64 of shape \(2,\).*n_targets=1"),
        ("PCA", "n_components_", 2, r"components_ is float64 of shape \(3, 7\).*n_components=2"),
        ("StandardScaler", "scale_", np.zeros(7), "scale_ is .*above 0"),
        ("StandardScaler", "scale_", None, "scale_ is NoneType"),
        ("StandardScaler", "mean_", None, "mean_ is NoneType"),
        ("MinMaxScaler", "scale_", None, "scale_ is NoneType"),
    ],
)
def test_results_that_do_not_agree_are_refused(name, key, value, message):
    refuse(*tree_with(name, key, value), message)


@pytest.mark.parametrize(
    ("place", "tree", "message"),
    [
        (2, {"coef_": {"step": 0}}, "holds a step where numbers"),
        (2, {"coef_": {"objects": [[1], [{"network": []}]]}}, "holds a network where numbers"),
        (2, {"coef_": {"tensor": {"array": "0"}}}, "holds a tensor where numbers"),
        (2, {"classes_": [[{"estimator": ["Pipeline", {}, {}]}]]}, "holds a estimator where"),
        (1, {"class_weight": {"dict": [["a", {"step": 0}]]}}, "holds a step where numbers"),
        (1, {"C": -1}, "The 'C' parameter of LinearSVC"),
        (1, {"C": {"array": "0"}}, "The 'C' parameter of LinearSVC"),
    ],
)
def test_nothing_but_numbers_and_texts_is_built(place, tree, message):
    content = ["LinearSVC", {}, {}]
    content[place] = tree
    refuse({"estimator": content}, {"0": np.zeros(1)}, message)


@pytest.mark.parametrize("name", ["SVC", "MLPClassifier", "RandomForestClassifier", "os.system"])
def test_other_classes_of_scikit_learn_are_not_built(name):
    refuse({"estimator": [name, {}, {}]}, {}, f"holds '{name}', which is no estimator")


# --- another scikit-learn ------------------------------------------------------------------------


def test_a_step_of_another_scikit_learn_warns_and_says_so():
    tree, packer = packed(StandardScaler().fit(X))
    with pytest.warns(InconsistentVersionWarning, match=r"StandardScaler from version 1\.0"):
        found = Deserializer(packer.arrays, [], "1.0").decode(tree)
    np.testing.assert_array_equal(found.transform(NEW), StandardScaler().fit(X).transform(NEW))
    with pytest.raises(ValueError, match=r"of version '1\.0\\x1b"):
        Deserializer(packer.arrays, [], "1.0\x1b[2J")


# --- without skops -------------------------------------------------------------------------------


def test_common_steps_are_saved_and_loaded_without_skops(tmp_path):
    code = """if True:
        import sys, numpy as np, skaudeep
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import Normalizer, StandardScaler
        from sklearn.svm import LinearSVC
        X = np.random.default_rng(0).normal(size=(12, 20, 3)).astype(np.float32)
        y = np.arange(12) % 2
        steps = skaudeep.ReservoirFeatures(4, random_state=0), StandardScaler(), Normalizer()
        classifier = make_pipeline(StandardScaler(), LogisticRegression())
        search = GridSearchCV(classifier, {"logisticregression__C": [0.1, 1.0]}, cv=2)
        for model in (make_pipeline(*steps, LinearSVC()), make_pipeline(*steps, search)):
            skaudeep.save(model.fit(X, y), sys.argv[1])
            loaded = skaudeep.load(sys.argv[1])
            assert (loaded.predict(X) == model.predict(X)).all()
        assert "skops" not in sys.modules
    """
    path = tmp_path / "model.skaudeep"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if name.startswith("steps/")]
        assert "skops" not in json.loads(archive.read("manifest.json"))["versions"]


def test_a_search_around_common_steps_scores_as_before(tmp_path):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"standardscaler": [StandardScaler(), RobustScaler(), "passthrough"]},
        cv=2,
    ).fit(X, THREE)
    save(search, tmp_path / "a")
    assert load(tmp_path / "a").score(NEW, np.arange(50) % 3) == search.score(
        NEW, np.arange(50) % 3
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_a_file_of_the_time_when_skops_stored_all_steps_still_loads():
    # Of ReservoirFeatures(2, n_layers=1), StandardScaler and LinearSVC, fitted to these clips.
    path = Path(__file__).parents[1] / "data" / "steps_by_skops.skaudeep"
    with zipfile.ZipFile(path) as archive:
        assert {"steps/0.skops", "steps/1.skops"} <= set(archive.namelist())
    clips = np.random.default_rng(0).normal(size=(12, 20, 3)).astype(np.float32)
    clips[1::2] *= 4
    assert load(path).predict(clips).tolist() == ["low", "high"] * 6
