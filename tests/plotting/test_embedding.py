"""Places of clips in a plane."""

import sys
import warnings

import numpy as np
import pytest

from skaudeep.plotting import EmbeddingDisplay, project


def two_kinds(n_each=12, n_features=60):
    """Return features of two kinds of clips, one after the other, far from one another."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 3, (2, 1, n_features))
    return (centres + rng.normal(0, 1, (2, n_each, n_features))).reshape(-1, n_features)


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_nearest_neighbours_in_the_plane_are_of_the_same_kind(method):
    places = project(two_kinds(), method=method, random_state=0)
    assert places.dtype == np.float32
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(distances.argmin(axis=1) // 12, np.repeat([0, 1], 12))


def test_an_int_as_random_state_gives_the_same_places_each_time():
    first, second = (project(two_kinds(), random_state=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", ["tsne", "pca"])
@pytest.mark.parametrize("n_features", [1, 60])
@pytest.mark.parametrize("n_clips", [1, 2, 3, 4, 5])
def test_few_clips_have_places(n_clips, n_features, method):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        places = project(two_kinds(3)[:n_clips, :n_features], method=method, random_state=0)
    assert places.shape == (n_clips, 2)
    assert np.isfinite(places).all()


def test_constant_features_change_no_place():
    X = two_kinds()
    constant = np.full((len(X), 3), [0.0, 7.0, 1e6])
    np.testing.assert_allclose(
        project(np.hstack([X, constant]), method="pca"), project(X, method="pca"), atol=1e-5
    )


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_clips_that_are_all_alike_share_one_place(method):
    np.testing.assert_array_equal(project(np.full((6, 4), 0.1), method=method), np.zeros((6, 2)))


def test_features_with_gaps_are_refused_by_their_number():
    X = two_kinds()
    X[[4, 9], 3] = np.nan, np.inf
    with pytest.raises(ValueError, match="features in 2 of 24 rows, the first of them row 4"):
        project(X)


@pytest.mark.parametrize("shape", [(3,), (0, 4), (4, 0), (2, 3, 4)])
def test_features_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"of shape \(.*expected \(n_clips, n_features\)"):
        project(np.zeros(shape))


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method='mds'; choose 'tsne', 'pca', 'umap'"):
        project(two_kinds(), method="mds")


def test_umap_that_is_missing_is_asked_for_before_features_are_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match=r"method='umap' needs umap-learn.*pip install"):
        project(None, method="umap")


@pytest.mark.slow  # numba compiles umap-learn for half a minute
def test_umap_keeps_two_kinds_apart():
    pytest.importorskip("umap", reason="the extra `umap` is not installed", exc_type=ImportError)
    X = two_kinds()
    places = project(X, method="umap", random_state=0)
    first, second = places[: len(X) // 2], places[len(X) // 2 :]
    apart = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert apart > 2 * max(first.std(), second.std())


def shown_points(display):
    return [points.get_offsets().tolist() for points in display.points_]


def legend_texts(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def make_display(target, **options):
    positions = np.arange(2.0 * len(target)).reshape(-1, 2)
    return EmbeddingDisplay(positions, target=target, **options).plot()


@pytest.mark.parametrize("target", [[1, -1, 0, 1], ["rain", "", "dog", "rain"]])
def test_each_class_has_its_points_and_its_name_and_unlabelled_clips_are_grey(target):
    display = make_display(target, target_names=["dog", "rain"])
    assert shown_points(display) == [[[2, 3]], [[4, 5]], [[0, 1], [6, 7]]]
    assert legend_texts(display) == ["unlabelled", "dog", "rain"]
    red, green, blue, _ = display.points_[0].get_facecolor()[0]
    assert red == green == blue


def test_points_without_classes_have_no_legend():
    display = EmbeddingDisplay([[0.0, 1.0], [2.0, 3.0]]).plot()
    assert shown_points(display) == [[[0, 1], [2, 3]]]
    assert display.ax_.get_legend() is None


def test_colours_and_markers_tell_a_hundred_classes_apart():
    display = make_display(np.arange(100))
    looks = {
        (tuple(points.get_facecolor()[0][:3]), points.get_paths()[0].vertices.tobytes())
        for points in display.points_
    }
    assert len(looks) == 100


def test_the_legend_of_many_long_names_lies_outside_the_axes_and_inside_the_figure():
    names = [f"class {i} of a name with very many characters" for i in range(60)]
    display = make_display(np.arange(60), target_names=names)
    display.figure_.draw_without_rendering()
    legend = display.ax_.get_legend().get_window_extent()
    assert legend.x0 > display.ax_.get_window_extent().x1
    assert display.figure_.bbox.x0 <= legend.x0 <= legend.x1 <= display.figure_.bbox.x1
    assert display.figure_.bbox.y0 <= legend.y0 <= legend.y1 <= display.figure_.bbox.y1
    width = display.ax_.get_window_extent().width / display.figure_.dpi
    assert width == pytest.approx(5.5, abs=0.1)


def test_names_that_matplotlib_would_hide_or_typeset_are_shown_as_they_are(tmp_path):
    display = make_display([0, 1, 2], target_names=["_hidden", "$x_{$", "a\x1b[31mb"])
    display.figure_.savefig(tmp_path / "legend.png")
    assert legend_texts(display) == ["_hidden", "$x_{$", r"'a\x1b[31mb'"]


def test_an_interactive_window_names_the_clip_nearest_to_the_mouse():
    display = make_display([0, 0], filenames=["a.wav", "b.wav"])
    assert display.ax_.format_coord(1.9, 3.2) == "b.wav"


def test_features_are_placed_and_named_by_the_method():
    X = two_kinds()
    display = EmbeddingDisplay.from_features(X, method="pca", target=np.repeat([0, 1], 12))
    np.testing.assert_array_equal(display.positions, project(X, method="pca"))
    assert display.ax_.get_title() == "principal components"
    assert legend_texts(display) == ["0", "1"]


def test_an_evaluation_with_features_gives_all_its_clips(make_evaluation):
    evaluation = make_evaluation([0, 0, 1, -1], [0, 1, 1], features=two_kinds(2))
    display = EmbeddingDisplay.from_evaluation(evaluation, method="pca")
    assert sum(map(len, shown_points(display))) == 4
    assert legend_texts(display) == ["unlabelled", "class 0", "class 1"]


def test_an_evaluation_without_features_says_how_to_keep_them(make_evaluation):
    with pytest.raises(ValueError, match="keep_features=True"):
        EmbeddingDisplay.from_evaluation(make_evaluation([0, 1], [0, 1]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positions": np.zeros((3, 3))}, r"positions of shape \(3, 3\), expected \(n_clips, 2\)"),
        ({"positions": np.full((3, 2), np.nan)}, "without NaN"),
        ({"target": [0, 1]}, r"target of shape \(2,\) for 3 clips"),
        ({"filenames": ["a"]}, r"filenames of shape \(1,\) for 3 clips"),
        ({"target": [0.5, 1, 2]}, "target of float64, expected classes"),
        ({"target": [0, 1, 2], "target_names": ["a", "b"]}, "class 2 in target for 2 target_names"),
        ({"target": ["a", "b", "c"], "target_names": ["a", "b"]}, "the class 'c' in target"),
    ],
)
def test_what_does_not_fit_the_positions_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay(**{"positions": np.zeros((3, 2))} | options)


@pytest.mark.usefixtures("without_matplotlib")
def test_embedding_without_matplotlib_says_what_to_install_before_it_works():
    with pytest.raises(ImportError, match=r"from_features needs matplotlib.*skaudeep\[plot\]"):
        EmbeddingDisplay.from_features(None)
