"""What pages take for granted: folders of recordings, tables, and names that the reader has.

`GIVEN` has a function for each such page. It makes these things in the folder in which the code
of the page runs, and returns the names, if any. A page that is not in `GIVEN` begins with an empty
folder. So that a page takes seconds, recordings are short and at 8 kHz, and networks are small
unless the page gives them a size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pandas as pd
import pytest
import sklearn
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skaudeep
from skaudeep import recipes
from skaudeep.datasets import make_bunch, make_machines, make_sounds

RATE = 8000  # Hz
GIVEN: dict[str, Callable[[], dict[str, Any] | None]] = {}


def given(*pages: str) -> Callable[[Callable], Callable]:
    """Say of a function that it makes what these pages take for granted."""

    def add(make: Callable) -> Callable:
        GIVEN.update(dict.fromkeys(pages, make))
        return make

    return add


@pytest.fixture
def small_defaults(monkeypatch):
    """Give networks few units and one epoch where the code states no number."""
    for version, sizes in recipes.VERSIONS.items():
        monkeypatch.setitem(recipes.VERSIONS, version, sizes | {"n_units": 8})
    for estimator, sizes in (
        (skaudeep.ReservoirFeatures, {"n_layers": 1}),
        (skaudeep.Seq2SeqAutoencoder, {"n_layers": 1, "max_epochs": 1}),
    ):
        init = estimator.__init__
        monkeypatch.setattr(init, "__defaults__", (8,))  # n_units, the only one with a position
        monkeypatch.setattr(init, "__kwdefaults__", init.__kwdefaults__ | sizes)


@pytest.fixture(scope="session")
def given_pages():
    """Return the names of the pages for which something is made."""
    return set(GIVEN)


@pytest.fixture
def take_for_granted(monkeypatch, tmp_path, small_defaults):
    """Return a function that goes to a folder with what a page needs, and returns its names."""
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with sklearn.config_context():
        yield lambda page: GIVEN.get(page, dict)() or {}
    plt.close("all")


def write_sounds(names: Iterable[str], *, duration: float = 0.3) -> list[str]:
    """Write a short sound for each name, of ten kinds that take turns."""
    names = list(names)
    sounds = make_sounds(
        max(10, len(names)),
        n_classes=10,
        n_sessions=1,
        duration=duration,
        sampling_rate=RATE,
        random_state=0,
    )
    for name, samples in zip(names, sounds.data, strict=False):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(name, samples, RATE)
    return names


def write_esc10(n_classes: int = 10) -> None:
    """Write a folder ESC-10 in the layout of 2015: of each class a clip in each of five folds."""
    kinds = "Dog bark,Rain,Sea waves,Baby cry,Clock tick,Sneeze,Helicopter,Chainsaw,Rooster,Fire"
    kinds = kinds.split(",")[:n_classes]
    write_sounds(
        f"ESC-10/{number:03d} - {kind}/{fold}-{100 * fold + number}-A.wav"
        for fold in range(1, 6)
        for number, kind in enumerate(kinds, start=1)
    )


def draw_spectrograms(n_clips: int, seed: int) -> np.ndarray:
    """Draw tiny spectrograms."""
    return np.random.default_rng(seed).uniform(-1, 1, (n_clips, 6, 5)).astype(np.float32)


@given("README.md")
def readme():
    write_esc10()
    write_sounds(["some_new_clip.wav"])


@given("docs/anomalies.md")
def machine():
    for name, seed in (("monday.wav", 0), ("tuesday.wav", 1)):
        hums = make_machines(1, n_train=40, sampling_rate=RATE, random_state=seed).data
        soundfile.write(name, hums[:40].reshape(-1), RATE)
    dcase = make_machines(1, n_train=40, n_normal=4, n_faulty=1, sampling_rate=RATE, random_state=0)
    for i, (clip, part, label) in enumerate(
        zip(dcase.data, dcase.partition, dcase.target, strict=True)
    ):
        kind = dcase.target_names[label] if dcase.target_names[label] == "normal" else "anomaly"
        path = Path(f"dev_data/fan/{part}/section_00_source_{part}_{kind}_{i:04d}_speed_1.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, clip, RATE)


@given("docs/conditional-code.md")
def sites():
    return {
        "X": draw_spectrograms(10, 0),
        "X_new": draw_spectrograms(2, 1),
        "site": ["north", "south"] * 5,
        "paths": write_sounds((f"{i}.wav" for i in range(10)), duration=0.1),
        "y": [0, 1, 1, 0, 0, 1, 1, 0, 0, 1],
    }


@given("docs/datasets.md")
def tables():
    Path("smile.csv").write_text(
        "name,frameTime,loudness,pitch,emotion,speaker\n"
        "a.wav,0.0,0.5,110.0,happy,1\nb.wav,0.0,0.2,90.0,sad,2\n"
    )
    Path("iris.arff").write_text(
        "@relation iris\n@attribute length numeric\n@attribute class {setosa,virginica}\n"
        "@data\n5.1,setosa\n6.3,virginica\n"
    )
    X = np.random.default_rng(0).normal(size=(50, 2, 8))
    filenames = [f"{i}.wav" for i in range(50)]
    return {"X": X, "filenames": filenames, "bunch": make_bunch(X[:, 0], filenames)}


@given("docs/detections.md")
def nights():
    for name, seed in (("train", 0), ("night", 1)):
        rng = np.random.default_rng(seed)
        sounds = make_sounds(
            20, n_classes=2, n_sessions=1, duration=0.5, sampling_rate=RATE, random_state=seed
        )
        night = 0.001 * rng.standard_normal((20, 2 * RATE))
        night[:, RATE // 2 : RATE] += sounds.data
        soundfile.write(f"{name}.wav", night.reshape(-1), RATE)
        starts = 0.5 + 2 * np.arange(20)
        labels = np.array(["rise", "fall"])[sounds.target]
        events = {"file": f"{name}.wav", "start": starts, "end": starts + 0.5, "label": labels}
        pd.DataFrame(events).to_csv(f"{name}.csv", index=False)


@given("docs/evaluation.md")
def corpora():
    write_sounds(
        f"words/{word}/speaker{speaker:02d}_nohash_0.wav"
        for speaker in range(10)
        for word in ("bed", "cat", "dog")
    )
    sleepy = "ComParE2019_ContinuousSleepiness"
    clips = write_sounds(
        f"{sleepy}/wav/{part}_{i:04d}.wav" for part in ("train", "devel") for i in range(12)
    )
    rows = [f"{Path(clip).name},{1 + i % 9}" for i, clip in enumerate(clips)]
    Path(sleepy, "lab").mkdir()
    Path(sleepy, "lab/labels.csv").write_text("\n".join(["file_name,sleepiness", *rows]) + "\n")
    sites = write_sounds((f"recordings/site{i}.wav" for i in range(6)), duration=3.0)
    rows = [
        f"{Path(s).name},0.{i},1.{i + 2},{bird}"
        for i, s in enumerate(sites)
        for bird in ("crow", "owl")
    ]
    Path("calls.csv").write_text("\n".join(["file,start,end,label", *rows]) + "\n")
    write_sounds(
        f"cough/{state}/patient{patient:02d}_{clip}.wav"
        for patient in range(20)
        for clip in range(2)
        for state in [("ill", "well")[patient % 2]]
    )
    write_sounds(["new.wav"])


@given("docs/figures.md")
def fitted():
    sounds = make_sounds(20, n_classes=2, sampling_rate=RATE, duration=0.3, random_state=0)
    classifier = make_pipeline(
        skaudeep.SpectrogramExtractor(sampling_rate=RATE, n_mels=20),
        skaudeep.BandStatistics(),
        LogisticRegression(max_iter=1000),
    )
    return {
        "autoencoder": skaudeep.Seq2SeqAutoencoder(max_epochs=2).fit(draw_spectrograms(8, 0)),
        "result": skaudeep.evaluate(classifier, sounds, random_state=0),
    }


@given("docs/long-recordings.md")
def recordings():
    write_sounds(["recordings/SITE_20230401_053000.wav"], duration=10)


@given("docs/models.md")
def clips():
    return {
        "X": draw_spectrograms(10, 0),
        "X2": draw_spectrograms(10, 1),
        "usual_clips": write_sounds((f"usual/{i}.wav" for i in range(40)), duration=0.1),
        "new_clips": write_sounds(["new.wav"], duration=0.1),
    }


@given("docs/overview.md")
def esc10():
    write_esc10(n_classes=2)


@given("docs/persistence.md")
def pipeline():
    sounds = make_sounds(10, n_classes=2, sampling_rate=RATE, duration=0.3, random_state=0)
    pipeline = make_pipeline(
        skaudeep.SpectrogramExtractor(sampling_rate=RATE, n_mels=20),
        skaudeep.Seq2SeqAutoencoder(random_state=0),
        LogisticRegression(max_iter=1000),
    )
    return {"pipeline": pipeline.fit(sounds.data, sounds.target)}


@given("docs/pretrained.md")
def function():
    paths = write_sounds(f"{i}.wav" for i in range(8))
    return {
        "my_function": lambda samples: samples[: len(samples) // 160 * 160].reshape(-1, 160)[:, :9],
        "paths": paths,
        "y": [0, 1] * 4,
    }


@given("docs/scaling.md")
def arrays():
    write_esc10(n_classes=2)
    frames = draw_spectrograms(20, 0)
    np.save("spectrograms.npy", frames)
    dask.array.to_npy_stack("spectrograms", dask.array.from_array(frames, chunks=(5, -1, -1)))
    files = ["a.nc", "b.nc"]
    for name in files:
        filenames = [f"{name}/{i}.wav" for i in range(20)]
        skaudeep.save_netcdf(make_bunch(frames, filenames), name)
    return {"files": files}


@given("docs/training.md")
def network():
    skaudeep.save(skaudeep.Seq2SeqAutoencoder().fit(draw_spectrograms(8, 0)), "network.skaudeep")
    paths = write_sounds(f"{i}.wav" for i in range(20))
    teacher = make_pipeline(skaudeep.SpectrogramExtractor(n_mels=20), skaudeep.BandStatistics())
    return {"X": draw_spectrograms(8, 1), "paths": paths, "fitted_teacher": teacher.fit(paths)}
