"""What a user does first, with the installed wheel: fit the README's pipeline, save and load it.

Run it with ``python .ci/smoke.py`` in an environment that holds the wheel and no extra, where every
module is imported, too; with ``--persistence`` where the extra `persistence` is there, which stores
another classifier.
"""

import pkgutil
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import SVC, LinearSVC

import skaudeep
from skaudeep.datasets import load_dataset, make_sounds
from skaudeep.recipes import two_scales


def import_all() -> None:
    """Import each module, which must need no extra."""
    for module in pkgutil.walk_packages(skaudeep.__path__, "skaudeep."):
        import_module(module.name)


def fit_save_load(folder: Path, classifier: SVC | LinearSVC) -> None:
    """Predict with a pipeline and with the same one from its file."""
    make_sounds(40, n_classes=4, sampling_rate=8000, folder=folder / "sounds", random_state=0)
    sounds = load_dataset(folder / "sounds")
    views = two_scales(n_units=32, random_state=0)
    pipeline = make_pipeline(views, StandardScaler(), Normalizer(), classifier)
    train, test = sounds.cv[0]
    pipeline.fit(sounds.data[train], sounds.target[train])
    predicted = pipeline.predict(sounds.data[test])
    skaudeep.save(pipeline, folder / "sounds.skaudeep")
    again = skaudeep.load(folder / "sounds.skaudeep")
    np.testing.assert_array_equal(again.predict(sounds.data[test]), predicted)
    assert np.isin(predicted, sounds.target).all()


if __name__ == "__main__":
    assert Path(skaudeep.__file__).is_relative_to(sys.prefix), "this is not the installed wheel"
    with_extra = "--persistence" in sys.argv[1:]
    assert (find_spec("skops") is not None) == with_extra
    if not with_extra:
        import_all()
    with TemporaryDirectory() as temporary:
        fit_save_load(Path(temporary), SVC() if with_extra else LinearSVC(random_state=0))
