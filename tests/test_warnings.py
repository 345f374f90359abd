"""Every warning points at the line of the user's code that led to it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skaudeep
from skaudeep import FeatureFusion, SpectrogramExtractor, extract_to_netcdf
from skaudeep._base import PickleVersionWarning
from skaudeep.audio import AudioWarning
from skaudeep.datasets import make_bunch, make_sounds

RATE = 8000
EXTRACTOR = SpectrogramExtractor(n_mels=8, sampling_rate=RATE)
CLIPS = [np.random.default_rng(0).normal(size=RATE), np.zeros(RATE)]  # the second one is silent
PIPELINE = make_pipeline(EXTRACTOR, FunctionTransformer(np.nanmean, kw_args={"axis": 1}))


def line_of(text: str) -> int:
    """Find the one line of this file that holds a text, other than the call of `line_of`."""
    lines = Path(__file__).read_text("utf-8").splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if text in line and "line_of" not in line]
    return number


def test_a_warning_of_transform_points_at_its_caller():
    with pytest.warns(AudioWarning, match="silent") as caught:
        EXTRACTOR.transform(CLIPS)
    assert caught[0].filename == __file__
    assert caught[0].lineno == line_of("EXTRACTOR.transform(CLIPS)")


def test_a_warning_through_a_pipeline_points_at_the_line_that_fits_it():
    with pytest.warns(AudioWarning, match="silent") as caught:
        clone(PIPELINE).fit_transform(CLIPS)
    assert caught[0].filename == __file__
    assert caught[0].lineno == line_of("clone(PIPELINE).fit_transform(CLIPS)")


def test_a_warning_through_a_fusion_points_at_the_line_that_fits_it():
    fusion = FeatureFusion([("a", clone(PIPELINE)), ("b", clone(PIPELINE))])
    with pytest.warns(AudioWarning, match="silent") as caught:
        fusion.fit(CLIPS)
    assert caught[0].filename == __file__
    assert caught[0].lineno == line_of("fusion.fit(CLIPS)")
    with pytest.warns(AudioWarning, match="silent") as caught:
        fusion.transform(CLIPS)
    assert caught[0].lineno == line_of("fusion.transform(CLIPS)")


def test_a_warning_through_cross_validation_points_at_its_line():
    sounds = [CLIPS[0], np.zeros(RATE)] * 2
    folds = [([0, 1], [2, 3])]
    with pytest.warns(AudioWarning, match="silent") as caught:
        cross_validate(make_pipeline(PIPELINE, DummyClassifier()), sounds, [0, 1] * 2, cv=folds)
    assert {warning.filename for warning in caught} == {__file__}
    assert caught[0].lineno == line_of("cross_validate(make_pipeline(PIPELINE, DummyClassifier())")


def test_a_warning_of_an_extraction_points_at_its_line(tmp_path):
    bunch = make_bunch(CLIPS, ["a", "b"])
    with pytest.warns(AudioWarning, match="silent") as caught:
        extract_to_netcdf(bunch, EXTRACTOR, tmp_path / "a.nc")
    assert caught[0].filename == __file__
    assert caught[0].lineno == line_of('extract_to_netcdf(bunch, EXTRACTOR, tmp_path / "a.nc")')


def test_a_warning_of_a_reader_points_at_its_line_however_deep_it_was_found(tmp_path):
    make_sounds(4, n_classes=2, n_sessions=1, folder=tmp_path / "sounds", random_state=0)
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, clip in enumerate(sorted(tmp_path.rglob("*.wav"))):
        clip.rename(flat / f"{number}.wav")
    with pytest.warns(UserWarning, match="read as unlabelled") as caught:
        skaudeep.datasets.load_dataset(flat)
    assert caught[0].filename == __file__
    assert caught[0].lineno == line_of("skaudeep.datasets.load_dataset(flat)")


def test_a_warning_of_unpickling_points_at_the_line_that_loads(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("skaudeep._base.__version__", "9.8")
        content = pickle.dumps(EXTRACTOR)
        joblib.dump(EXTRACTOR, tmp_path / "a.joblib")
    with pytest.warns(PickleVersionWarning) as caught:
        pickle.loads(content)
    assert caught[0].filename == __file__
    with pytest.warns(PickleVersionWarning) as caught:
        joblib.load(tmp_path / "a.joblib")
    assert caught[0].filename == __file__


def test_no_module_counts_frames_by_hand():
    package = Path(skaudeep.__file__).parent
    for path in package.rglob("*.py"):
        source = path.read_text("utf-8")
        assert source.count("stacklevel=") == source.count("stacklevel=find_stack_level()"), path
        assert source.count("warnings.warn(") == source.count("stacklevel="), path


def test_finding_the_level_loads_no_library():
    heavy = {"sklearn", "joblib", "numpy"}
    code = f"import sys, skaudeep._warnings; print(*({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
