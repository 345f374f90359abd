"""The command report: what it hands to `skaudeep.report`, and what it says meanwhile."""

import importlib.util
import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from skaudeep import save_netcdf
from skaudeep.classification import model_rate
from skaudeep.datasets import make_bunch


@pytest.fixture
def calls(monkeypatch):
    """Stand in for the report, and keep what it is called with."""
    made = []

    def report(bunch, path, **options):
        made.append((bunch, path, options))
        options["on_summary"]("birds\nUAR 90.0 [80.0, 95.0]\x1b")
        Path(path).write_text("page")
        return SimpleNamespace(
            path=path,
            summary="birds\nUAR 90.0",
            evaluation=None,
            n_to_name=int((bunch.target < 0).sum()),
            n_audible=len(bunch.target) if options["audio"] else 0,
        )

    monkeypatch.setitem(sys.modules, "skaudeep.reporting", SimpleNamespace(report=report))
    return made


def test_report_says_what_it_understood_then_the_first_screen_then_the_page(run, birds, calls):
    done = run("report", birds, "--groups", r"site(\d)")
    assert (done.exit_code, done.stdout) == (0, "birds.html\n")
    understood, *screen = done.stderr.splitlines()
    assert understood.endswith("groups: 4, folds: none -> 4 folds")
    assert screen == ["birds", r"UAR 90.0 [80.0, 95.0]\x1b"]
    bunch, path, options = calls[0]
    assert path == Path("birds.html")
    assert bunch.groups[0] == "0"
    assert model_rate(options["pipeline"]) == 8000
    assert options["cv"] is None
    assert options["audio"] is True
    assert options["overwrite"] is False
    assert options["title"] == "birds"


def test_options_of_the_report_reach_it(run, birds, calls):
    arguments = ["--no-audio", "--folds", 3, "--model", "m.skaudeep", "--title", "Owls", "--json"]
    done = run("report", birds, "-o", "page.html", "--seed", 7, "--force", *arguments)
    assert json.loads(done.stdout)["page"] == "page.html"
    _, path, options = calls[0]
    assert path == Path("page.html")
    wanted = {
        "audio": False,
        "cv": 3,
        "model": Path("m.skaudeep"),
        "title": "Owls",
        "overwrite": True,
        "random_state": 7,
    }
    assert {name: options[name] for name in wanted} == wanted


def test_the_page_shows_the_command_without_folders_and_the_errors_have_a_file(run, birds, calls):
    done = run("report", birds, "--errors", "wrong.csv", "--groups", r"site(\d)", "--no-audio")
    assert done.exit_code == 0
    assert "Recordings named wrongly: wrong.csv." in done.stderr
    _, _, options = calls[0]
    assert options["errors"] == Path("wrong.csv")
    words = shlex.split(options["command"])
    assert words[:2] == ["skaudeep", "report"]
    assert words[words.index("--groups") + 1] == r"site(\d)"
    assert {"--no-audio", birds.name} <= set(words)
    assert str(birds.parent) not in options["command"]
    assert "--seed" not in words  # a default is not repeated
    assert words[-1] == "--force"  # where the command is read, the page exists
    Path("wrong.csv").write_text("mine")
    assert (
        "wrong.csv: exists already"
        in run("report", birds, "-o", "b.html", "--errors", "wrong.csv").stderr
    )


@pytest.mark.parametrize(
    ("pattern", "advice"), [("site", r"\(site\[0-9\]\+\)"), (r"\.wav", r"\(patient\[0-9\]\+\)")]
)
def test_a_pattern_that_finds_one_group_for_all_is_refused_before_any_work(
    run, birds, calls, pattern, advice
):
    done = run("report", birds, "--groups", pattern)
    assert done.exit_code == 1
    assert not calls
    [line] = done.stderr.splitlines()
    assert re.search(f"clips the same group.*such as '{advice}'", line)


def test_unlabelled_recordings_get_a_report(run, new, calls):
    done = run("report", new)
    assert done.exit_code == 0
    assert "5 clips, unlabelled" in done.stderr
    assert "folds" not in done.stderr.splitlines()[-3]
    assert "clips can be heard and named. Download" in done.stderr


def test_the_last_line_fits_what_the_page_lets_its_reader_do(run, new, birds, calls):
    assert "In the page, clips can be named." in run("report", new, "--no-audio").stderr
    assert "named" not in run("report", birds).stderr


def test_no_folds_are_promised_where_one_class_alone_can_be_divided(run, birds, calls, tmp_path):
    folder = shutil.copytree(birds, tmp_path / "rare")
    assert "5 folds" in run("report", folder).stderr
    for path in sorted(next(folder.iterdir()).iterdir())[1:]:
        path.unlink()
    assert "folds" not in run("report", folder, "--force").stderr


@pytest.mark.parametrize("name", ["birds.html", "m.skaudeep"])
def test_report_never_overwrites_without_force(run, birds, calls, tmp_path, name):
    (tmp_path / name).write_text("mine")
    done = run("report", birds, "--model", "m.skaudeep")
    assert done.exit_code == 1
    assert f"{name}: exists already" in done.stderr
    assert not calls


def test_a_missing_extra_is_said_before_any_work(run, calls, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "skaudeep.cli.errors.find_spec", lambda name: None if name == "jinja2" else find(name)
    )
    done = run("report", "nowhere")
    assert done.exit_code == 1
    assert done.stderr == (
        "Error: This command needs jinja2, not installed here: pip install 'skaudeep[cli]'.\n"
    )


@pytest.mark.parametrize("written", [False, True])
def test_an_interrupted_report_says_whether_the_page_is_whole(
    run, birds, monkeypatch, tmp_path, written
):
    def report(bunch, path, **options):
        if written:
            (tmp_path / "new").write_text("page")
            (tmp_path / "new").replace(path)
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "skaudeep.reporting", SimpleNamespace(report=report))
    (tmp_path / "birds.html").write_text("old page")
    done = run("report", birds, "--model", "m.skaudeep", "--force")
    assert done.exit_code == 130
    expected = "birds.html is whole, the model is not" if written else "Nothing was written"
    assert expected in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", ["report", "fit"])
def test_values_to_regress_on_are_refused(run, birds, calls, tmp_path, command):
    shutil.copytree(birds / "crow", tmp_path / "crow")
    names = sorted(path.name for path in (tmp_path / "crow").iterdir())
    rows = [f"crow/{name},{number / 7}" for number, name in enumerate(names)]
    (tmp_path / "r.csv").write_text("\n".join(["filename,valence", *rows]))
    output = ["-o", "m.skaudeep"] if command == "fit" else []
    done = run(command, "r.csv", "--target", "valence", *output)
    assert done.exit_code == 1
    assert "r.csv: has values to regress on, expected classes" in done.stderr
    assert not calls


@pytest.mark.parametrize("command", ["report", "fit", "inspect"])
def test_of_clips_with_several_classes_commands_describe_no_more(run, tmp_path, calls, command):
    target = np.array([[1, 0], [1, 1], [0, 0], [0, 1]])
    names = [f"{number}.wav" for number in range(4)]
    bunch = make_bunch(np.ones((4, 3)), names, target=target, target_names=["owl", "crow"])
    save_netcdf(bunch, tmp_path / "r.nc")
    output = ["-o", "m.skaudeep"] if command == "fit" else []
    done = run(command, "r.nc", *output)
    if command == "inspect":
        assert done.exit_code == 0
        assert "4 clips in 2 classes (owl 2, crow 2)" in done.stderr
    else:
        assert done.exit_code == 1
        assert "r.nc: clips may have several classes, expected one of each" in done.stderr
    assert not calls
