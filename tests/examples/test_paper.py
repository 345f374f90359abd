"""The paper's four experiments, from tiny corpora in their real layouts to the table."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from skaudeep import (
    ChunkVotingClassifier,
    DropoutMLPClassifier,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
    evaluate,
    load_netcdf,
)
from skaudeep.datasets import load_esc

FOLDER = Path(__file__).parents[2] / "examples" / "paper"
RATE = 22_050  # at which windows of 80 ms have enough FFT bins for 320 bands
QUICK = ["--epochs", "1", "--units", "4", "--repeats", "1", "--classifier-epochs", "9"]
PERCEPTRON = make_pipeline(StandardScaler(), DropoutMLPClassifier(max_epochs=9))
WIDTH = 4 * 2 * 2  # units, layers, directions of the decoder where it has two
PITCH = {"low": 300.0, "high": 3000.0}


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    sys.path.append(str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


def run(script, *arguments):
    """Run one of the scripts; return the cells of its table by the names of the views."""
    module = import_module(script)
    [experiment] = [v for v in vars(module).values() if type(v).__name__ == "Experiment"]
    with redirect_stdout(StringIO()) as printed:
        module.main(experiment, [*QUICK, *map(str, arguments)])
    lines = printed.getvalue().splitlines()
    assert lines[0].startswith(experiment.title)
    cells = [re.split(r" {2,}", line) for line in lines[1:-1]]
    return {name: rest for name, *rest in cells}


def write_tone(path, kind, number, *, seconds=1.0, stereo=False):
    """Write a tone in noise; the kind decides on its pitch."""
    rng = np.random.default_rng(number)
    time = np.arange(int(seconds * RATE)) / RATE
    samples = 0.1 * rng.normal(size=(len(time), 2 if stereo else 1))
    samples += np.sin(2 * np.pi * PITCH[kind] * time)[:, None] * [0.5, 0.3][: samples.shape[1]]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE)


def make_esc(folder):
    """Write folders of 2015, such as `001 - low/1-7-A.wav`: five folds of a clip a class."""
    for label, kind in enumerate(PITCH, start=1):
        for fold in range(1, 6):
            write_tone(folder / f"{label:03} - {kind}" / f"{fold}-{label}{fold}-A.wav", kind, fold)
    return folder


def make_esc50(folder):
    """Write today's layout, of which half a class's clips are in ESC-10."""
    table = ["filename,fold,target,category,esc10,src_file,take"]
    for i in range(20):
        kind = [*PITCH][i % 2]
        write_tone(folder / "audio" / f"{i}.wav", kind, i)
        table.append(f"{i}.wav,{1 + i // 2 % 5},{i % 2},{kind},{i < 10},{i},A")
    (folder / "meta").mkdir()
    (folder / "meta" / "esc50.csv").write_text("\n".join(table))
    return folder


def make_gtzan(folder):
    for kind in PITCH:
        for i in range(5):
            path = folder / "genres" / kind / f"{kind}.{i:05}.wav"
            write_tone(path, kind, i, seconds=4.0)
    return folder


def make_tut(folder):
    """Write eight places, of which each of the four folds tests two."""
    lines = []
    for i in range(8):
        kind = [*PITCH][i % 2]
        write_tone(folder / "audio" / f"b{i}_0_10.wav", kind, i, stereo=True)
        lines.append(f"audio/b{i}_0_10.wav\t{kind}")
    places = "".join(f"{line}\tb{i}\n" for i, line in enumerate(lines))
    (folder / "meta.txt").write_text(places)
    lists = folder / "evaluation_setup"
    lists.mkdir()
    for fold in range(4):
        test = [2 * fold, 2 * fold + 1]
        train = "".join(f"{line}\n" for i, line in enumerate(lines) if i not in test)
        (lists / f"fold{fold + 1}_train.txt").write_text(train)
        tested = "".join(f"{lines[i]}\n" for i in test)
        (lists / f"fold{fold + 1}_evaluate.txt").write_text(tested)
    return folder


@pytest.fixture(scope="module")
def esc(tmp_path_factory):
    return make_esc(tmp_path_factory.mktemp("esc"))


THRESHOLDS = ["-30 dB", "-45 dB", "-60 dB", "-75 dB"]


def stored(output):
    return [load_netcdf(path) for path in sorted(output.glob("*.nc"))]


def figure(classifier, bunch, data, cv=None):
    """Score a classifier by hand, as the table prints it."""
    bunch = Bunch(**{**bunch, "data": data})
    found = evaluate(classifier, bunch, controls=False, cv=cv, random_state=0, progress=False)
    return f"{100 * found.accuracy:.1f}"


@pytest.fixture(scope="module")
def esc10(esc, tmp_path_factory):
    """Run the script for ESC-10; return its table and its folder."""
    output = tmp_path_factory.mktemp("esc10")
    options = ["--output", output, "--controls", "--latex", output / "table.tex"]
    return run("esc10", esc, *options), output


def test_esc10_has_a_row_for_each_view_and_the_fusion_beside_published_figures(esc10):
    table, output = esc10
    assert [*table] == ["view", *THRESHOLDS, "fused"]
    assert table["view"] == ["skaudeep", "untrained", "paper", "auDeep 0.9.6, rerun"]
    assert table["fused"][2:] == ["≈ 88", "78.9"]
    assert table["-45 dB"][2:] == ["-", "79.5"]
    assert re.fullmatch(r"[\d.]+ \[[\d.]+, [\d.]+\]", table["fused"][0])
    assert [bunch.data.shape for bunch in stored(output)] == [(10, WIDTH)] * 8


@pytest.mark.parametrize(("column", "epochs"), [(0, 1), (1, 0)], ids=["trained", "untrained"])
def test_figures_are_those_of_the_perceptron_on_stored_codes_alone_and_side_by_side(
    esc10, column, epochs
):
    table, output = esc10
    bunches = [load_netcdf(*output.glob(f"{v[1:3]}-dB-{epochs}-epochs-*")) for v in THRESHOLDS]
    codes = [bunch.data for bunch in bunches]
    for view, data in zip([*THRESHOLDS, "fused"], [*codes, np.hstack(codes)], strict=True):
        assert table[view][column].split()[0] == figure(PERCEPTRON, bunches[0], data)


def test_the_table_in_latex_holds_the_same_figures(esc10):
    table, output = esc10
    text = (output / "table.tex").read_text()
    assert text.startswith(
        "% A FIRST TRY, not the paper's experiment, which has 64 epochs, 2 x 256"
    )
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    assert lines[0] == r"\begin{tabular}{lrrrr}"
    assert lines[2] == r"view & skaudeep & untrained & paper & auDeep 0.9.6, rerun \\"
    fused = lines[-3]
    assert fused == rf"fused & {' & '.join(table['fused'][:2])} & $\approx$\,88 & 78.9 \\"
    assert lines[4] == rf"$-$30 dB & {' & '.join(table['-30 dB'][:2])} & -- & 70.3 \\"


def test_an_interrupted_run_goes_on_with_the_view_that_it_had_not_finished(
    esc, esc10, tmp_path, monkeypatch
):
    fit = Seq2SeqAutoencoder.fit
    begun = []

    def interrupted(self, X, y=None, **params):
        begun.append(self.random_state)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return fit(self, X, y, **params)

    monkeypatch.setattr(Seq2SeqAutoencoder, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("esc10", esc, "--output", tmp_path)
    assert len(stored(tmp_path)) == 2
    table = run("esc10", esc, "--output", tmp_path)
    assert [cells[0] for cells in table.values()] == [cells[0] for cells in esc10[0].values()]
    assert begun == [0, 1, 2, 2, 3]


def test_stored_features_are_not_taken_for_those_of_other_networks_or_recordings(tmp_path):
    corpus = make_esc(tmp_path)
    key_of = import_module("experiment").key_of
    steps = SpectrogramExtractor(clip_below=-60), Seq2SeqAutoencoder(4, random_state=0)
    key = key_of(*steps, load_esc(corpus))
    assert key == key_of(*map(clone, steps), load_esc(corpus))
    others = {
        key_of(steps[0], Seq2SeqAutoencoder(5, random_state=0), load_esc(corpus)),
        key_of(SpectrogramExtractor(clip_below=-45), steps[1], load_esc(corpus)),
    }
    write_tone(corpus / "001 - low" / "1-11-A.wav", "low", 1, seconds=1.5)
    others.add(key_of(*steps, load_esc(corpus)))
    assert len(others - {key}) == 3


def test_esc50_takes_the_whole_corpus_and_esc10_its_part(tmp_path):
    corpus = make_esc50(tmp_path / "corpus")
    table = run("esc50", corpus, "--output", tmp_path)
    assert [*table] == ["view", *THRESHOLDS, "fused"]
    assert table["fused"][1] == "64.3"
    # The decoder has one direction here.
    assert [bunch.data.shape for bunch in stored(tmp_path)] == [(20, WIDTH // 2)] * 4
    assert len(import_module("esc10").load_esc10(str(corpus)).data) == 10


def test_gtzan_lets_the_chunks_of_a_clip_vote(tmp_path):
    table = run("gtzan", make_gtzan(tmp_path / "corpus"), "--output", tmp_path)
    assert [*table] == ["view", *THRESHOLDS, "unclipped", "fused"]
    for bunch in stored(tmp_path):
        assert bunch.data.shape == (10, 15, WIDTH // 2)
        assert np.isnan(bunch.data[:, 2:]).all()  # 4 s have two chunks of 2 s
    bunch = load_netcdf(*tmp_path.glob("unclipped-*.nc"))
    expected = figure(ChunkVotingClassifier(PERCEPTRON), bunch, bunch.data, cv=5)
    assert table["unclipped"][0].split()[0] == expected


def test_tut2017_fuses_the_channels_over_the_given_folds(tmp_path):
    table = run("tut2017", make_tut(tmp_path / "corpus"), "--output", tmp_path)
    assert [*table] == ["view", "mean", "difference", "left", "right", "fused"]
    bunches = stored(tmp_path)
    assert bunches[0].folds.sum(axis=0).tolist() == [2, 2, 2, 2]
    codes = [bunch.data for bunch in bunches]
    assert [data.shape for data in codes] == [(8, WIDTH)] * 4
    assert not any(np.allclose(a, b) for a, b in pairwise(codes))
