"""Options that several commands have, and options that belong to others."""

import numpy as np
import pytest

import skaudeep
from skaudeep.datasets import make_bunch


def test_debug_shows_where_an_error_happened(run):
    quiet, loud = run("inspect", "nowhere"), run("inspect", "nowhere", "--debug")
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr
    assert loud.stderr.splitlines()[-1] == quiet.stderr.splitlines()[-1]
    assert loud.exit_code == quiet.exit_code == 1


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Make features, spectrograms and a model, in one folder."""
    folder = tmp_path_factory.mktemp("stored")
    X = np.random.default_rng(0).uniform(-1, 1, (6, 5, 4)).astype(np.float32)
    skaudeep.save_netcdf(make_bunch(X, list("abcdef")), folder / "s.nc")
    skaudeep.save_netcdf(make_bunch(X.reshape(6, 1, 20), list("abcdef")), folder / "f.nc")
    (folder / "t.csv").write_text("filename,f\na,1\nb,2\n")
    autoencoder = skaudeep.Seq2SeqAutoencoder(4, max_epochs=0, random_state=0)
    skaudeep.save(autoencoder.fit(X), folder / "m.skaudeep")
    return folder


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("train s.nc -o o.skaudeep --keep 2", 2, "--keep is for --checkpoints"),
        ("train s.nc -o o.skaudeep --band-overlap 2", 2, "--band-overlap is for --axis freq"),
        ("train birds -o o.skaudeep --align center", 2, "--align is for --duration"),
        ("extract birds -o o.nc --align center", 2, "--align is for --duration"),
        ("extract birds -o o.png --preview 0 --json", 2, "--preview and --json exclude"),
        ("extract birds -o o.nc --chunks 2 --jobs 1", 1, "Give --chunk-duration S"),
        ("inspect m.skaudeep --groups a", 2, "--groups is for recordings and features"),
        ("inspect birds --path file", 1, "--path: names a column of a table of recordings"),
        ("inspect s.nc --target label", 1, "--target: names a column of a table of recordings"),
        ("predict m.skaudeep birds --path file", 1, "--path: names a column"),
        ("predict m.skaudeep a.wav --path file", 1, "--path: names a column"),
        ("fuse f.nc -o o.nc --chunks mean --axis time", 2, "--axis is for several files"),
        ("import t.csv -o o.nc --name features", 2, "--name is for a folder of tables"),
        ("import t.csv -o o.nc --format csv", 2, "--format is for a folder of tables"),
        ("import t.csv -o o.nc --filename f --no-filename", 2, "exclude each other"),
        ("plot reconstruction m.skaudeep s.nc -o o.png --chunk 0", 2, "--chunk is for clips in"),
    ],
)
def test_an_option_without_what_it_belongs_to_is_refused_not_ignored(
    run, stored, birds, tmp_path, command, code, words
):
    for path in (*stored.iterdir(), birds):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "a.wav").symlink_to(next(birds.glob("*/*.wav")))
    done = run(*command.split())
    assert words in done.stderr
    assert done.exit_code == code
    assert not list(tmp_path.glob("o.*"))
