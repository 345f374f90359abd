"""Commands about recordings: inspect, audit and extract."""

import json
import shutil

import numpy as np
import pytest

import skaudeep
from skaudeep import extraction
from skaudeep.datasets import audit, describe, load_folder


def test_inspect_prints_the_summary_and_says_what_it_understood(run, birds):
    done = run("inspect", birds)
    assert done.exit_code == 0
    assert "rate      8000 Hz" in done.stdout
    assert done.stderr.startswith("birds/: 16 clips in 2 classes (crow 8, owl 8), 5 s, 8000 Hz")
    facts = json.loads(run("inspect", birds, "--json").stdout)
    assert facts["n_clips"] == 16
    assert facts["counts"]["crow"] == {"clips": 8}
    assert facts["sampling_rates"] == {"8000": 16}


def test_inspect_describes_one_clip_by_name_or_number(run, birds):
    bunch = load_folder(birds)
    expected = describe(bunch, clip=3)
    for clip in (3, bunch.filenames[3]):
        assert run("inspect", birds, "--clip", clip).stdout == f"{expected}\n"
    facts = json.loads(run("inspect", birds, "--clip", 3, "--json").stdout)
    assert (facts["filename"], facts["sampling_rate"]) == (bunch.filenames[3], 8000)
    assert "birds/: has no clip '16'" in run("inspect", birds, "--clip", 16).stderr


def test_inspect_describes_a_model(run, model):
    text = run("inspect", model).stdout
    assert "classes        crow, owl" in text
    assert "sampling rate  8000" in text
    facts = json.loads(run("inspect", model, "--json").stdout)
    assert facts["steps"][0] == "SpectrogramExtractor"
    assert facts["written_by"]["skaudeep"] == skaudeep.__version__


def test_inspect_describes_an_autoencoder_without_what_it_has_not(run, tmp_path):
    X = np.random.default_rng(0).uniform(-1, 1, (4, 5, 3))
    fitted = skaudeep.Seq2SeqAutoencoder(4, max_epochs=2, random_state=0).fit(X)
    skaudeep.save(fitted, tmp_path / "m.skaudeep")
    text = run("inspect", "m.skaudeep").stdout
    assert "epochs         2" in text
    assert "classes" not in text
    facts = json.loads(run("inspect", "m.skaudeep", "--json").stdout)
    assert facts["loss"] == fitted.loss_curve_[-1]
    skaudeep.save(fitted.set_params(max_epochs=0).fit(X), tmp_path / "n.skaudeep")
    assert json.loads(run("inspect", "n.skaudeep", "--json").stdout)["loss"] is None


def test_audit_lists_findings_a_line_each_and_is_content_unless_strict(run, birds, tmp_path):
    shutil.copytree(birds, tmp_path / "birds")
    (tmp_path / "birds/owl/none.wav").touch()
    shutil.copy(next(birds.glob("crow/*.wav")), tmp_path / "birds/owl/copy.wav")
    done = run("audit", "birds")
    expected = audit(load_folder(tmp_path / "birds"))
    lines = done.stdout.splitlines()
    assert [line.split(": ")[:2] for line in lines] == expected[
        ["filename", "finding"]
    ].to_numpy().tolist()
    assert {line.split(": ")[1] for line in lines} == {"unreadable", "duplicate"}
    assert done.exit_code == 0
    assert run("audit", "birds", "--strict").exit_code == 1
    assert run("audit", birds, "--strict").exit_code == 0
    found = json.loads(run("audit", "birds", "--json").stdout)
    assert [row["finding"] for row in found] == expected.finding.tolist()


def test_extract_writes_what_the_extractor_gives(run, birds, tmp_path):
    options = ["--window", 0.04, "--bands", 20, "--clip-below", -60, "--jobs", 1]
    done = run("extract", birds, "-o", "birds.nc", *options)
    assert (done.exit_code, done.stdout) == (0, "birds.nc\n")
    stored = skaudeep.load_netcdf(tmp_path / "birds.nc")
    bunch = load_folder(birds)
    extractor = skaudeep.SpectrogramExtractor(0.04, n_mels=20, clip_below=-60)
    np.testing.assert_array_equal(stored.data, extractor.transform(bunch.data))
    assert stored.target_names == ["crow", "owl"]
    assert [path.name for path in tmp_path.iterdir()] == ["birds.nc"]
    assert str(birds.parent) not in (tmp_path / "birds.nc").read_bytes().decode("latin-1")


def test_extract_has_the_options_of_audeep(run, birds, tmp_path):
    options = ["--bands", 10, "--clip-above", -3, "--duration", 0.25, "--align", "center"]
    options += ["--channel", "left", "--pre-emphasis", 0.95, "--chunk-duration", 0.1]
    done = run("extract", birds, "-o", "birds.nc", *options, "--chunks", 2, "--jobs", 1)
    assert done.exit_code == 0, done.stderr
    extractor = skaudeep.SpectrogramExtractor(
        n_mels=10,
        clip_above=-3,
        duration=0.25,
        align="center",
        channel="left",
        pre_emphasis=0.95,
        chunk_duration=0.1,
        n_chunks=2,
    )
    expected = extractor.transform(load_folder(birds).data)
    assert expected.shape[1] == 2
    np.testing.assert_array_equal(skaudeep.load_netcdf(tmp_path / "birds.nc").data, expected)


def test_extract_names_clips_that_cannot_be_read_and_writes_the_others(run, birds, tmp_path):
    shutil.copytree(birds, tmp_path / "birds")
    (tmp_path / "birds/owl/none.wav").write_bytes(b"no sound")
    done = run("extract", "birds", "-o", "birds.nc", "--bands", 20, "--jobs", 1, "--json")
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert result["shape"][0] == 17
    assert list(result["errors"]) == ["owl/none.wav"]
    assert "none.wav" in done.stderr


def test_extract_never_overwrites_without_force(run, birds, tmp_path, monkeypatch):
    (tmp_path / "birds.nc").write_text("mine")
    monkeypatch.setattr(extraction, "extract_to_netcdf", None)  # it is not reached
    done = run("extract", birds, "-o", "birds.nc")
    assert done.exit_code == 1
    assert "birds.nc: exists already" in done.stderr
    assert "--force" in done.stderr
    assert (tmp_path / "birds.nc").read_text() == "mine"


def test_extract_says_how_to_go_on_when_interrupted(run, birds, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    arguments = ["extract", birds, "-o", "birds.nc", "--bands", 20, "--jobs", 1]
    with monkeypatch.context() as patch:
        patch.setattr(extraction, "_check_alike", interrupt)
        done = run(*arguments)
    assert done.exit_code == 130
    assert done.stderr.splitlines()[-1] == (
        "Interrupted: The same command goes on where this one stopped; what is done is in "
        "birds.nc.partial."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["birds.nc.partial"]
    assert run(*arguments).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["birds.nc"]


def test_several_sampling_rates_are_brought_to_the_most_frequent(run, write_sound, tmp_path):
    for name, rate in (("a", 8000), ("b", 4000), ("c", 8000)):
        write_sound(tmp_path / "mixed" / f"{name}.wav", rate=rate)
    done = run("extract", "mixed", "-o", "mixed.nc", "--bands", 20, "--jobs", 1)
    assert done.exit_code == 0
    assert "8000 Hz (2), 4000 Hz (1). All are resampled to 8000 Hz" in done.stderr


@pytest.mark.parametrize("command", ["inspect", "audit"])
def test_commands_of_recordings_take_names_on_standard_input(run, birds, command):
    names = "\n".join(map(str, sorted(birds.rglob("*.wav"))))
    done = run(command, "-", stdin=names)
    assert done.exit_code == 0
    assert done.stderr.startswith("standard input: 16 clips, unlabelled")
