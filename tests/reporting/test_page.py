"""The page as text: what is escaped, what it may connect to, and whether its numbers add up."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from skaudeep._texts import printable
from skaudeep.datasets import make_bunch
from skaudeep.reporting.page import _colours, script_json


def test_cells_of_the_matrix_sum_to_the_tested_clips(of_files, of_hostile):
    for page in (of_files, of_hostile):
        table = re.search(r'<table class="matrix.*?</table>', page.text, re.DOTALL)[0]
        cells = re.findall(r'<td class="q\d+[^>]*>(\d*)</td>', table)
        evaluation = page.report.evaluation
        n_tested = sum(len(test) for test in evaluation.test)
        assert (
            sum(int(cell or 0) for cell in cells) == n_tested == evaluation.confusion_matrix.sum()
        )


def test_names_that_look_like_markup_are_only_shown(of_hostile, tools):
    outside = re.sub(r"<script\b.*?</script>", "", of_hostile.text, flags=re.DOTALL)
    for name in (*tools.names, *tools.classes):
        if printable(name) != name:
            assert name not in of_hostile.text  # neither raw nor in the data of the script
    for forbidden in ("<script>alert", "<img src=x", "<b>bold", "<i>Hostile", "\u202e", "\u2028"):
        assert forbidden not in of_hostile.text
    assert html.escape("<script>alert(1)</script>.wav") in outside
    assert of_hostile.data["names"][: len(tools.names)] == list(tools.names)
    assert of_hostile.text.count("<script") == of_hostile.text.count("</script>") == 3


def test_the_page_connects_to_nowhere_and_runs_its_own_script_alone(of_files):
    policy = html.unescape(
        re.search(r'Content-Security-Policy" content="([^"]*)"', of_files.text)[1]
    )
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "connect-src" not in policy
    for kind, tag in (("script-src", "<script>"), ("style-src", "<style>")):
        text = re.search(rf"{tag}(.*?)</{tag[1:-1]}>", of_files.text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    body = re.sub(r"<(script|style)\b.*?</\1>", "", of_files.text, flags=re.DOTALL)
    body = re.sub(r'"data:image/png;base64,[\w+/=]*"', '"data:image/png;base64,"', body)
    assert not re.findall(r"https?:|//[a-z]| on[a-z]+=|style=", body)
    addresses = re.findall(r'(?:src|href)="([^"]*)"', body)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in addresses)


def test_the_script_sets_texts_and_never_markup(of_files):
    script = re.search(r"<script>(.*?)</script>", of_files.text, re.DOTALL)[1]
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|fetch\(", script
    )


@pytest.mark.parametrize("text", ["</script>", "<!--", "a\u2028b\u2029", "&amp;", "\ud800"])
def test_json_for_a_script_keeps_any_text_and_ends_no_script(text):
    shown = script_json({"text": text})
    assert json.loads(shown)["text"] == text
    assert not set(shown) & set("<>&\u2028\u2029\ud800")


def test_json_for_a_script_refuses_what_is_no_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_json(float("nan"))


def test_each_tested_clip_has_the_class_and_probability_of_the_evaluation(of_files):
    evaluation, shown = of_files.report.evaluation, of_files.data["predicted"]
    for row, (label, probability) in shown.items():
        assert label == evaluation.predictions[0, int(row)]
        assert probability == pytest.approx(evaluation.probabilities[int(row), label], abs=1e-3)
    assert len(shown) == 20


def test_each_clip_is_a_point_of_the_map_within_its_frame(of_files):
    found = re.findall(
        r'<use href="#s\d" x="([\d.]+)" y="([\d.]+)" class="point c\d" data-clip="(\d+)"',
        of_files.text,
    )
    places = np.array(found, dtype=float)
    assert sorted(places[:, 2]) == list(range(20))
    assert places[:, :2].min() > 0
    assert (places[:, :2].max(axis=0) < (700, 520)).all()


def test_all_headings_and_controls_have_names(of_hostile):
    for tag in re.findall(r"<(?:audio|section|nav|aside)\b[^>]*>", of_hostile.text):
        assert "aria-label" in tag
    assert not re.findall(r"<img(?![^>]*\balt=)", of_hostile.text)
    assert re.findall(r"<h1\b", of_hostile.text) == ["<h1"]
    assert '<html lang="en">' in of_hostile.text


def test_a_matrix_of_very_many_classes_is_left_out_for_its_worst_pairs(
    tmp_path, monkeypatch, tools
):
    monkeypatch.setattr("skaudeep.reporting.page.MAX_CLASSES", 3)
    target = np.arange(24) % 4
    bunch = make_bunch(
        np.eye(4)[np.roll(target, 1)],
        [f"{row}.wav" for row in range(24)],
        target=target,
        target_names=list("abcd"),
    )
    page = tools.write(bunch, tmp_path / "page.html", pipeline=LinearSVC(), cv=2)
    assert '<table class="matrix' not in page.text
    assert "A matrix of 4 classes is too large" in page.text
    assert 'class="pairs"' in page.text


def test_a_class_keeps_its_colour_in_the_report_made_with_the_names_of_another():
    assert _colours(["rain", "dog"]) == [1, 0]
    assert _colours(["dog", "rain"]) == [0, 1]
    # Browsers compare code units of UTF-16, where this bird comes before this letter.
    assert _colours(["\uff21", "\U0001f426"]) == [1, 0]


def test_names_are_asked_for_in_words_and_before_the_map(of_files, of_hostile):
    assert of_hostile.text.index('id="naming"') < of_hostile.text.index('id="map"')
    assert "<span>Suggestion: press to take</span><span>Name</span>" in of_hostile.text
    assert 'placeholder="name of a class"' in of_hostile.text
    n_labelled = int((of_hostile.bunch.target >= 0).sum())
    assert f"holds all labels: those of {n_labelled} clips that this report" in of_hostile.text
    for page, named in ((of_files, False), (of_hostile, True)):
        assert ("the names that you give stay on your computer" in page.text) == named


def test_the_distance_of_an_unusual_clip_stands_beside_a_typical_one(of_files):
    [typical] = set(re.findall(r"distance [\d.]+, typical is ([\d.]+)<", of_files.text))
    assert f"for half of all clips it is below {typical}." in of_files.text
    farthest = re.search(r"distance ([\d.]+), typical", of_files.text)[1]
    alone = f"No clip stands out: the farthest is at {farthest}, the typical one at {typical}."
    n_apart = len(re.findall(r"; stands out</p>", of_files.text))
    assert (alone in of_files.text) == (n_apart == 0)


def test_clips_with_a_picture_have_those_most_like_them_beside_them(of_files, of_hostile):
    for page in (of_files, of_hostile):
        cards = page.text.split('<li class="card">')[1:]
        assert cards
        for card in cards:
            near = re.findall(r'<button type="button" data-clip="(\d+)" class="near"', card)
            assert len(set(near)) == 4
            assert set(map(int, near)) <= set(page.data["embedded"])
    card = of_files.text.split('<li class="card">')[1]
    name = re.search(r'class="title clamp" title="([^"]*)"', card)[1]
    [row] = np.flatnonzero(of_files.bunch.filenames == name).tolist()
    assert f'data-clip="{row}" class="near"' not in card  # it is not like itself


def rows_of_the_table(page):
    table = re.search(r'<table class="plain wide sortable">.*?</table>', page.text, re.DOTALL)[0]
    rows = re.findall(r"<tr data-row=.*?</tr>", table, re.DOTALL)
    texts = [re.findall(r'<bdi class="name">(.*?)</bdi>', row) for row in rows]
    return texts, [float(sure) for sure in re.findall(r'data-value="([\d.]+)"', table)]


def test_the_table_has_exactly_the_clips_with_a_planted_wrong_label_the_surest_first(
    tmp_path, tools
):
    rng = np.random.default_rng(0)
    truth = np.arange(60) % 3
    features = rng.normal(size=(60, 4)) * 0.3 + 3 * np.eye(3, 4)[truth]
    planted = [4, 17, 29, 38]
    labels = truth.copy()
    labels[planted] = (truth[planted] + 1) % 3
    names = [f"{row}.wav" for row in range(60)]
    groups = [f"patient {row // 5}" for row in range(60)]
    bunch = make_bunch(features, names, target=labels, target_names=list("abc"), groups=groups)
    page = tools.write(
        bunch,
        tmp_path / "page.html",
        pipeline=LogisticRegression(),
        errors=tmp_path / "wrong.csv",
        command="skaudeep report x",
    )
    texts, sure = rows_of_the_table(page)
    assert sorted(texts) == sorted(
        [names[row], groups[row], "abc"[labels[row]], "abc"[truth[row]]] for row in planted
    )
    assert sure == sorted(sure, reverse=True)
    assert len(sure) == 4
    written = pd.read_csv(tmp_path / "wrong.csv")
    columns = written[["filename", "group", "target", "predicted"]].to_numpy().tolist()
    assert columns == texts
    np.testing.assert_allclose(written.probability, np.round(sure, 4), atol=1e-6)
    assert list(written) == ["filename", "group", "fold", "target", "predicted", "probability"]
    assert '<button type="button" id="download-wrong">Download this table</button>' in page.text
    assert [row[1:] for row in page.data["wrong"]] == [[text[1], text[3]] for text in texts]
    table = re.search(r'<details id="groups">.*?</details>', page.text, re.DOTALL)[0]
    n_right = dict(re.findall(r'<bdi class="name">(.*?)</bdi>.*?>(\d of 5)</td>', table))
    wrong_of = [groups[row] for row in planted]
    assert n_right == {group: f"{5 - wrong_of.count(group)} of 5" for group in set(groups)}
    assert "<code>skaudeep report x</code>" in page.text


def test_errors_that_gather_in_a_group_are_said_and_a_command_says_where_it_is_typed(
    tmp_path, tools
):
    truth = np.arange(60) % 3
    labels = truth.copy()
    labels[20:24] = (truth[20:24] + 1) % 3
    features = 3 * np.eye(3, 4)[truth] + np.random.default_rng(0).normal(size=(60, 4)) * 0.3
    names, groups = [f"{row}.wav" for row in range(60)], [f"ann{row // 5}" for row in range(60)]
    bunch = make_bunch(features, names, target=labels, target_names=list("abc"), groups=groups)
    command = "skaudeep report patients --force"
    page = tools.write(bunch, tmp_path / "p.html", pipeline=LogisticRegression(), command=command)
    assert "4 of the 4 are of <bdi>ann4</bdi>." in page.text
    assert "in the folder that holds <bdi>patients</bdi>. --force lets it replace" in page.text
    for card in page.text.split('<li class="card">')[1:5]:
        assert re.search(r"\d\u00a0% sure</span>", card)


def test_a_page_says_whose_sound_it_holds(of_files, tmp_path, tools):
    said = "This page holds the sound of all 20 recordings: whoever gets it can hear them."
    header, footer = of_files.text.split("</header>")[0], of_files.text.split("<footer>")[1]
    assert said in header
    assert said in footer
    bunch = tools.hostile("none")
    silent = tools.write(
        bunch, tmp_path / "page.html", pipeline=tools.statistics(), audio=False
    ).text
    assert "holds the sound" not in silent


def test_findings_are_gathered_and_harmless_ones_are_said_to_be_so(tmp_path, tools):
    rng = np.random.default_rng(0)
    sounds = [rng.uniform(-0.5, 0.5, 8000) for _ in range(6)]
    for row, n in ((1, 4), (2, 4), (3, 400)):
        sounds[row][100 : 100 + n] = 1.0
    bunch = make_bunch(sounds, [f"{row}.wav" for row in range(6)])
    bunch.sampling_rate = 8000
    page = tools.write(bunch, tmp_path / "page.html", pipeline=tools.statistics(), audio=False)
    faults = re.search(r'<ul class="faults">.*?</ul>', page.text, re.DOTALL)[0]
    loud, harmless = re.findall(r"<li>(.*?)</li>", faults, re.DOTALL)
    assert "1 clip was recorded too loudly, so that peaks are cut off" in loud
    assert "3.wav" in loud
    assert "Harmless: a few peaks are cut off in 2 clips, in each less than" in harmless
    assert "of samples as loud as the file can hold" in loud
    assert "full scale" not in page.text


def test_the_plain_text_of_the_page_has_no_term_that_only_specialists_know(of_files):
    body = of_files.text.split("<body>")[1].split("<script")[0]
    body = re.sub(r"<details.*?</details>", "", body, flags=re.DOTALL)
    shown = html.unescape(re.sub(r"<[^>]*>", " ", body.split('id="again"')[0]))
    assert "named rightly" in shown
    assert not re.search(r"\bUAR\b|[Cc]ontrol\b|\bp =|t-SNE|mel statistics|sign-flip", shown)


def test_pictures_have_axes_of_seconds_and_kilohertz(of_files):
    card = of_files.text.split('<li class="card">')[1]
    picture = re.search(r'<svg class="spectrogram".*?</svg>', card, re.DOTALL)[0]
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", picture)
    assert texts == ["0.5", "1", "2", "4", "0", "0.1", "0.2", "0.3", "time (s)", "kHz"]
    assert "in kHz upwards" in re.search(r'aria-label="([^"]*)"', picture)[1]


def test_without_sound_clips_like_another_are_named_but_cannot_be_pressed(tmp_path, tools):
    rng = np.random.default_rng(0)
    bunch = make_bunch(rng.normal(size=(12, 4)), [f"a/{row}.wav" for row in range(12)])
    page = tools.write(bunch, tmp_path / "page.html")
    assert len(re.findall(r'<span class="near" title="a/\d+.wav, similarity', page.text)) == 8 * 4
    assert 'class="near" data-clip' not in page.text
    assert "press one to hear it" not in page.text


def test_a_number_and_its_per_cent_sign_stay_in_one_line(of_files):
    assert re.search(r"\d\u00a0%", of_files.text.split("<script")[0])
    shown = " ".join(re.findall(r"<(?:p|span) [^>]*data-line>([^<]*)<", of_files.text))
    assert not re.search(r"\d %", shown)
