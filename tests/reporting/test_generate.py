"""The whole report, from a data set to a file."""

from __future__ import annotations

import base64
import io
import os
from platform import node

import numpy as np
import pytest
import soundfile

import skaudeep
from skaudeep.classification import classifier_for
from skaudeep.datasets import make_bunch, make_sounds


def test_the_score_of_the_page_is_that_of_evaluate(of_files, tools):
    expected = skaudeep.evaluate(tools.statistics(), of_files.bunch, random_state=0, progress=False)
    assert of_files.report.evaluation.uar == pytest.approx(expected.uar, abs=1e-3)
    assert f"UAR {100 * expected.uar:.1f} %" in " ".join(of_files.texts("data-line"))


def test_the_summary_is_the_text_of_the_first_screen(of_files, of_hostile):
    for page in (of_files, of_hostile):
        shown = page.texts("data-line")
        assert shown == [" ".join(line.split()) for line in page.report.summary.splitlines()]
        assert page.text.index("</header>") > page.text.rindex("data-line")


def test_each_sound_decodes_to_the_samples_of_its_clip(of_files):
    assert (of_files.report.n_to_name, of_files.report.n_audible) == (0, 20)
    stored = of_files.json("sounds")
    assert of_files.data["type"] == "audio/flac"
    assert len(stored) == len(of_files.bunch.data) == 20
    for row, path in enumerate(of_files.bunch.data):
        samples, rate = soundfile.read(path)
        decoded, decoded_rate = soundfile.read(io.BytesIO(base64.b64decode(stored[str(row)])))
        assert rate == decoded_rate
        np.testing.assert_allclose(decoded, samples, atol=2**-15)


def test_neither_page_nor_model_names_a_folder_or_a_machine(of_files, tools):
    names = [tools.marker, os.path.expanduser("~") + os.sep, *([node()] if len(node()) > 4 else [])]
    model = of_files.report.path.with_name("m.skaudeep").read_bytes()
    for name in names:
        assert name not in of_files.text
        assert name.encode() not in model


def test_the_model_is_fitted_to_all_clips_on_the_names_of_classes(of_files):
    model = skaudeep.load(of_files.report.path.with_name("m.skaudeep"))
    assert model.classes_.tolist() == of_files.bunch.target_names
    assert set(model.predict(of_files.bunch.data[:4])) <= set(of_files.bunch.target_names)


def test_files_that_exist_are_refused_before_any_work(tmp_path, monkeypatch, tools):
    monkeypatch.setattr("skaudeep.reporting.generate.understand", lambda *_: pytest.fail("worked"))
    page, model = tmp_path / "page.html", tmp_path / "m.skaudeep"
    model.write_text("mine")
    with pytest.raises(FileExistsError, match=r"the model, which exists.*overwrite=True"):
        skaudeep.report(tools.hostile("all"), page, model=model)
    with pytest.raises(ValueError, match="for the report and for the model, expected two names"):
        skaudeep.report(tools.hostile("all"), page, model=str(page))
    with pytest.raises(ValueError, match="for the report and for the errors, expected two names"):
        skaudeep.report(tools.hostile("all"), page, errors=page)
    page.write_text("mine")
    with pytest.raises(FileExistsError, match="the report, which exists"):
        skaudeep.report(tools.hostile("all"), page)
    assert page.read_text() == model.read_text() == "mine"


def test_a_missing_extra_is_named_before_any_work(tmp_path, monkeypatch, tools):
    monkeypatch.setattr("skaudeep.reporting.generate.understand", lambda *_: pytest.fail("worked"))
    monkeypatch.setattr("skaudeep.reporting.generate.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"jinja2 and matplotlib.*pip install 'skaudeep\[cli\]'"):
        skaudeep.report(tools.hostile("all"), tmp_path / "page.html")


@pytest.mark.parametrize("size", [-1, float("nan"), float("inf"), "20"])
def test_a_size_that_is_none_is_refused(tmp_path, size, tools):
    with pytest.raises(ValueError, match="max_audio_mb"):
        skaudeep.report(tools.hostile("all"), tmp_path / "page.html", max_audio_mb=size)


def test_a_report_without_labels_orders_the_clips_and_scores_nothing(tmp_path, tools):
    heard = []
    page = tools.write(
        tools.hostile("none"),
        tmp_path / "page.html",
        pipeline=tools.statistics(),
        audio=False,
        on_summary=heard.append,
    )
    assert page.report.evaluation is None
    assert (page.report.n_to_name, page.report.n_audible) == (40, 0)
    assert heard == [page.report.summary]
    assert "No clip has a label" in page.report.summary
    assert sorted(page.data["order"]) == list(range(40))
    assert page.data["suggested"] == {}
    assert page.text.index('id="naming"') < page.text.index('id="map"')
    # Without audio nothing of the sound is in the page: neither samples nor spectrograms.
    assert page.json("sounds") == {}
    assert page.data["linked"] == {}
    assert "data:image" not in page.text
    assert "data-clip" not in page.text.split('id="plot"')[0]
    assert "left out of this page on request" in page.text


def test_a_partly_labelled_report_scores_and_suggests(of_hostile):
    target = of_hostile.bunch.target
    evaluation = of_hostile.report.evaluation
    assert evaluation.target.tolist() == target.tolist()
    assert sorted(map(int, of_hostile.data["suggested"])) == np.flatnonzero(target < 0).tolist()
    assert sorted(of_hostile.data["order"]) == np.flatnonzero(target < 0).tolist()
    assert all(0 <= label < 4 and 0 <= p <= 1 for label, p in of_hostile.data["suggested"].values())


def test_a_class_of_one_clip_is_left_out_with_a_sentence(tmp_path, tools):
    bunch = tools.hostile("all")
    bunch.target = np.where(bunch.target == 3, 2, bunch.target)
    bunch.target[0] = 3
    page = tools.write(bunch, tmp_path / "page.html", pipeline=tools.statistics(), audio=False)
    assert "1 class is left out of the evaluation" in page.report.summary
    assert 3 not in page.report.evaluation.target


def test_stored_features_have_a_report_without_sound(tmp_path, tools):
    rng = np.random.default_rng(0)
    target = np.arange(30) % 3
    features = (rng.normal(size=(30, 5)) + 4 * np.eye(3, 5)[target]).astype(np.float32)
    bunch = make_bunch(
        features, [f"{i}.wav" for i in range(30)], target=target, target_names=["a", "b", "c"]
    )
    page = tools.write(bunch, tmp_path / "page.html")
    assert page.report.evaluation.uar > 0.9
    # `skaudeep evaluate` and `skaudeep report` tell the same of one data set.
    expected = skaudeep.evaluate(
        classifier_for(bunch, random_state=0),
        bunch,
        cv=5,
        controls=False,
        random_state=0,
        progress=False,
    )
    assert all(map(np.array_equal, page.report.evaluation.test, expected.test))
    np.testing.assert_array_equal(page.report.evaluation.predictions, expected.predictions)
    assert "stored features" in page.report.summary
    assert 'id="audit"' not in page.text


def test_clips_that_cannot_be_read_are_named_and_left_out(tmp_path, tools):
    folder = tmp_path / "corpus"
    make_sounds(
        20,
        n_classes=2,
        n_sessions=2,
        sampling_rate=8000,
        duration=0.3,
        folder=folder,
        random_state=0,
    )
    bad = next(folder.rglob("*.wav"))
    bad.write_bytes(b"no sound")
    shown = bad.relative_to(folder).as_posix()
    page = tools.write(folder, tmp_path / "page.html", pipeline=tools.statistics())
    assert f"1 clip cannot be read and is left out: '{shown}'." in page.report.summary
    assert "Of 20 clips, 1 cannot be read and is left out below." in page.text
    assert page.data["unreadable"] == [[shown, bad.parent.name]]
    assert len(page.data["names"]) == 19
    assert bad.name in page.text
    assert str(tmp_path) not in page.text


@pytest.mark.slow
def test_the_default_model_of_files_of_two_rates_takes_the_more_frequent(tmp_path, tools):
    folder = tmp_path / "corpus"
    make_sounds(
        20,
        n_classes=2,
        n_sessions=2,
        sampling_rate=8000,
        duration=0.3,
        folder=folder,
        random_state=0,
    )
    odd = next(folder.rglob("*.wav"))
    samples, _ = soundfile.read(odd)
    soundfile.write(odd, np.repeat(samples, 2), 16000)
    page = tools.write(folder, tmp_path / "page.html", model=tmp_path / "m.skaudeep")
    assert "mostly 8000 Hz" in page.report.summary
    assert "Control “mel statistics”: UAR" in page.report.summary
    assert skaudeep.load(tmp_path / "m.skaudeep").predict([str(odd)]).shape == (1,)


def test_a_regression_is_refused(tmp_path, tools):
    bunch = tools.hostile("all")
    bunch.target, bunch.target_names = bunch.target.astype(float), []
    with pytest.raises(ValueError, match=r"values to regress on.*one class for each.*evaluate"):
        skaudeep.report(bunch, tmp_path / "page.html", progress=False)
    several = np.stack([bunch.target > 0, bunch.target <= 0], axis=1).astype(int)
    bunch.target, bunch.target_names = several, ["other", "first"]
    with pytest.raises(ValueError, match=r"several classes, .*one class for each clip.*evaluate"):
        skaudeep.report(bunch, tmp_path / "page.html", progress=False)
    assert not (tmp_path / "page.html").exists()


def test_a_model_of_one_class_is_refused_before_features_are_made(tmp_path, monkeypatch, tools):
    monkeypatch.setattr(
        "skaudeep.reporting.generate.evaluate", lambda *_, **__: pytest.fail("scored")
    )
    with pytest.raises(ValueError, match="fewer than two classes"):
        skaudeep.report(
            tools.hostile("none"),
            tmp_path / "page.html",
            model=tmp_path / "m.skaudeep",
            progress=False,
        )
    with pytest.raises(ValueError, match="of which none can be tested, expected two classes"):
        skaudeep.report(
            tools.hostile("none"),
            tmp_path / "page.html",
            errors=tmp_path / "wrong.csv",
            progress=False,
        )


def test_nothing_global_is_changed(tmp_path, tools):
    import matplotlib as mpl

    def state():
        _, words, position, *_ = np.random.get_state()
        return dict(mpl.rcParams), mpl.get_backend(), words.tolist(), position

    before = state()
    page = tools.write(tools.hostile("none"), tmp_path / "page.html", pipeline=tools.statistics())
    assert state() == before
    # What it draws at random follows from its own seed.
    again = tools.write(tools.hostile("none"), tmp_path / "2.html", pipeline=tools.statistics())
    assert again.text == page.text
