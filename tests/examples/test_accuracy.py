"""The benchmark of accuracy: its figures are those of the pipeline by hand, cached or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from sklearn.pipeline import make_pipeline

from skaudeep import BandStatistics, FeatureFusion, Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.datasets import load_dataset, make_sounds
from skaudeep.recipes import linear_classifier, two_scales

FOLDER = Path(__file__).parents[2] / "examples" / "benchmarks"
RATE = 8000
PITCH = {"low": 300.0, "high": 2000.0}
SPEAKERS = ("ann", "bob", "cid", "dot", "eve")
N_CLIPS = 20

# What stands for another Python: it knows the class of a file by its name, the seed and the rows of
# frames, and writes down what it was asked for. Its argument behind the script is the kind.
FAKE = """#!{python}
import json, sys
from pathlib import Path
here = Path(__file__).parent
if len(sys.argv) == 2:
    print(json.dumps({{"ComParE": "fake 1", "MiniRocket": "fake 2"}}))
    sys.exit()
import numpy as np
kind, source, target = sys.argv[2:]
if kind == "ComParE":
    asked = json.loads(Path(source).read_text())
    X = np.array([["low" in file, 1] for file in asked], np.float32)
else:
    with np.load(source) as frames:
        asked = [int(frames["seed"]), frames["rows"].tolist()]
        X = np.nanmean(frames["X"], axis=1)
with open(here / "asked.jsonl", "a") as log:
    print(json.dumps(asked), file=log)
if (here / "power cut").exists() and len((here / "asked.jsonl").read_text().splitlines()) == 2:
    sys.exit("power cut")
np.savez(target, X=X, fit=0.5, transform=0.04 * len(X))
"""


@pytest.fixture(scope="module")
def accuracy() -> Iterator[ModuleType]:
    sys.path.append(str(FOLDER))
    yield import_module("accuracy")
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones of two pitches by five speakers, one folder a class."""
    root = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    time = np.arange(int(0.2 * RATE)) / RATE
    for name, pitch in PITCH.items():
        (root / name).mkdir()
        for speaker in SPEAKERS:
            for take in range(N_CLIPS // len(SPEAKERS) // len(PITCH)):
                tone = 0.1 * np.sin(2 * np.pi * pitch * time) + 0.01 * rng.normal(size=len(time))
                soundfile.write(root / name / f"{speaker}_{name}{take}.wav", tone, RATE)
    return root


@pytest.fixture
def peer(tmp_path: Path) -> Path:
    if os.name != "posix":
        pytest.skip("a script in place of a Python needs its first line")
    fake = tmp_path / "python"
    fake.write_text(FAKE.format(python=sys.executable))
    fake.chmod(0o755)
    return fake


def run(accuracy: ModuleType, tmp_path: Path, *options: object) -> list[dict]:
    record = tmp_path / "record.json"
    accuracy.main([*map(str, options), "--cache", str(tmp_path / "cache"), "--json", str(record)])
    return json.loads(record.read_text("utf-8"))["results"]


def asked(peer: Path) -> list:
    lines = peer.with_name("asked.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_peer_that_was_interrupted_goes_on_with_the_first_block_that_it_lacks(
    accuracy, folder, peer, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("accuracy_cache.BLOCK", 8)
    table = tmp_path / "table.md"
    options = [folder, "--groups", "^([^_]+)_", "--peers", peer, "--markdown", table]
    options += ["--configurations", "mel statistics", "ComParE"]
    peer.with_name("power cut").touch()
    [first] = run(accuracy, tmp_path, *options)
    assert first["configuration"] == "mel statistics"
    assert "left out: ComParE" in table.read_text("utf-8")
    assert "power cut" in capsys.readouterr().out

    peer.with_name("power cut").unlink()
    again, compared = run(accuracy, tmp_path, *options)
    assert again == first
    assert [len(files) for files in asked(peer)] == [8, 8, 8, 4]
    assert asked(peer)[1] == asked(peer)[2]
    assert (compared["uar"], compared["accuracy"], compared["n_seeds"]) == (1, 1, 1)
    assert compared["minus"]["difference"] == pytest.approx(1 - first["uar"])
    assert compared["minus"]["unit"] == "group"
    assert compared["transform_milliseconds"] == pytest.approx(40)
    assert "| ComParE | 100.0 ± 0.0 [" in table.read_text("utf-8")

    capsys.readouterr()
    assert run(accuracy, tmp_path, *options) == [again, compared]
    assert len(asked(peer)) == 4
    assert capsys.readouterr().err == ""  # nothing was computed


def test_a_peer_of_frames_is_fitted_to_the_training_clips_of_each_fold_with_each_seed(
    accuracy, folder, peer, tmp_path
):
    table = tmp_path / "clips.csv"
    write_table(table, folder, relative=False)
    options = [folder, "--folds", f"{table}:fold", "--peers", peer, "--seeds", 3, 4]
    [result] = run(accuracy, tmp_path, *options, "--configurations", "MiniRocket")
    corpus = sys.modules["accuracy_corpus"].load_corpus(str(folder), folds=f"{table}:fold")
    assert asked(peer) == [[s, train.tolist()] for s in (3, 4) for train, _ in corpus.folds]
    assert result["n_seeds"] == 2
    assert 0.5 < result["fit_seconds"] < 1  # the 0.5 that it states, and its frames


def mel_statistics() -> FeatureFusion:
    scales = two_scales(version=2).transformer_list
    return FeatureFusion(
        [(name, make_pipeline(view[0], BandStatistics(extended=True))) for name, view in scales]
    )


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [("mel statistics", mel_statistics), ("recipe", lambda: two_scales(random_state=3))],
)
def test_a_configuration_predicts_as_the_same_pipeline_by_hand(
    name, by_hand, accuracy, folder, tmp_path
):
    table = tmp_path / "clips.csv"
    write_table(table, folder, relative=True)
    options = [folder, "--folds", f"{table}:fold", "--configurations", name, "--seeds", 3]
    [result] = run(accuracy, tmp_path, *options)
    corpus = sys.modules["accuracy_corpus"].load_corpus(str(folder), folds=f"{table}:fold")
    clips, y = corpus.bunch.data, corpus.bunch.target
    predicted = np.empty(len(y), dtype=int)
    for train, test in corpus.folds:
        model = make_pipeline(by_hand(), *linear_classifier(random_state=0))
        predicted[test] = model.fit(clips[train], y[train]).predict(clips[test])
    assert result["predictions"] == [predicted.tolist()]
    assert result["n_features"] == model[0].transform(clips[:1]).shape[1]


@pytest.fixture
def load(accuracy):
    return sys.modules["accuracy_corpus"].load_corpus


def write_table(path: Path, folder: Path, *, relative: bool) -> list[str]:
    """Write folds by speaker, in another order than the clips; return the fold of each clip."""
    names = load_dataset(folder).filenames.tolist()
    fold = {speaker: f"fold {i // 2}" for i, speaker in enumerate(SPEAKERS)}
    lines = ["speaker;file;fold"]
    for name in reversed(names):
        speaker, _ = Path(name).name.split("_")
        lines.append(f"{speaker};{name if relative else Path(name).name};{fold[speaker]}")
    path.write_text("\n".join(lines))
    return [fold[Path(name).name.split("_")[0]] for name in names]


@pytest.mark.parametrize("relative", [True, False])
def test_a_column_of_a_table_gives_the_folds_by_the_names_of_the_files(
    load, folder, tmp_path, relative
):
    table = tmp_path / "clips.csv"
    tested = write_table(table, folder, relative=relative)
    corpus = load(str(folder), folds=f"{table}:fold", groups=f"{table}:speaker")
    assert len(corpus.folds) == 3
    for number, (train, test) in enumerate(corpus.folds):
        assert {tested[i] for i in test} == {f"fold {number}"}
        assert sorted([*train, *test]) == list(range(N_CLIPS))
    assert set(corpus.bunch.groups) == set(SPEAKERS)


def test_a_column_of_a_table_gives_the_classes_of_a_folder_without_them(load, folder, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in folder.rglob("*.wav"):
        (flat / file.name).write_bytes(file.read_bytes())
    lines = [f"{file.name},{file.parent.name}" for file in folder.rglob("*.wav")]
    table = tmp_path / "clips.csv"
    table.write_text("\n".join(["file,pitch", *lines]))
    with pytest.warns(UserWarning, match="unlabelled"):
        corpus = load(str(flat), labels=f"{table}:pitch")
    named = [corpus.bunch.target_names[label] for label in corpus.bunch.target]
    assert all(label in name for name, label in zip(corpus.bunch.filenames, named, strict=True))


def test_a_table_that_lacks_a_clip_or_the_column_is_refused_by_name(load, folder, tmp_path):
    table = tmp_path / "clips.csv"
    write_table(table, folder, relative=False)
    lines = table.read_text().splitlines()
    with pytest.raises(ValueError, match=r"no column 'folds', expected one of .*'fold'"):
        load(str(folder), folds=f"{table}:folds")
    table.write_text("\n".join(lines[:-1]))
    with pytest.raises(ValueError, match=f"without: '{lines[-1].split(';')[1]}'"):
        load(str(folder), folds=f"{table}:fold")


def test_folds_that_are_drawn_keep_groups_together(load, folder):
    corpus = load(str(folder), groups="^([^_]+)_")
    groups = corpus.bunch.groups
    assert set(groups) == set(SPEAKERS)
    assert len(corpus.folds) == len(SPEAKERS)
    for train, test in corpus.folds:
        assert not set(groups[train]) & set(groups[test])
    with pytest.raises(ValueError, match=r"does not match the file name of '.*ann_"):
        load(str(folder), groups="^([bcde][^_]+)_")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--peers", "no/such/python"], "no/such/python: No such file"),
        (["--groups", "("], "is no regular expression"),
        (["--markdown", "no/such/folder/table.md"], "whose folder does not exist"),
    ],
)
def test_what_would_fail_later_is_refused_first(accuracy, folder, options, message):
    with pytest.raises(SystemExit, match=message):
        accuracy.main([str(folder), *options])


@pytest.mark.slow
def test_a_network_predicts_as_by_hand_and_beside_its_controls_and_a_second_run_computes_nothing(
    tmp_path: Path,
):
    record = tmp_path / "record.json"
    options = ["--epochs", "1", "--seeds", "2", "--controls", "--cache", tmp_path, "--json", record]
    options += ["--protocol", "transductive", "inductive"]

    def run() -> tuple[list[dict], str]:
        done = subprocess.run(
            [sys.executable, FOLDER / "accuracy.py", "generated"]
            + ["--configurations", "covariance -60", *options],
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(record.read_text())["results"], done.stderr

    results, progress = run()
    assert "learn" in progress
    assert run() == (results, "")
    assert [(r["protocol"], r["control"]) for r in results] == [
        (protocol, control)
        for protocol in ("transductive", "inductive")
        for control in ("", "untrained network", "mel statistics")
    ]

    sounds = make_sounds(random_state=0)
    extractor = SpectrogramExtractor(
        0.04, duration=1.0, align="center", sampling_rate=16000, clip_below=-60
    )
    X = extractor.transform(sounds.data)
    for n_epochs, i in ((1, 3), (0, 4)):  # inductive, as it is and untrained
        predicted = np.empty(len(X), dtype=int)
        for train, test in sounds.cv:
            model = make_pipeline(
                Seq2SeqAutoencoder(max_epochs=n_epochs, random_state=2060),
                *linear_classifier(random_state=0),
            )
            groups = sounds.groups[train]
            model.fit(X[train], sounds.target[train], tunedlogisticregression__groups=groups)
            predicted[test] = model.predict(X[test])
        assert results[i]["predictions"] == [predicted.tolist()]
        assert results[i]["accuracy"] == pytest.approx((predicted == sounds.target).mean())
