"""The configurations of accuracy.py: features to judge, and the peers to judge them beside."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.recipes import VERSIONS, two_scales

THRESHOLDS = (-30, -45, -60, -75)  # dB below each clip's maximum
PAPER: dict[str, Any] = {
    "pre_emphasis": 0.95,  # auDeep's spectrograms
    "n_units": 256,
    "n_layers": 2,
    "bidirectional_encoder": False,
    "bidirectional_decoder": True,
    "representation": "code",
    "max_epochs": 64,
    "batch_size": 64,
}
# The network of examples/getting_started/vowels.py.
VOWELS: dict[str, Any] = {
    "n_units": 128,
    "n_layers": 1,
    "bidirectional_encoder": True,
    "representation": "both",
    "max_epochs": 30,
    "batch_size": 32,
}
# From the seed and the facts of the corpus to the views, whose features stand side by side, and a
# classifier, None being the one of all others. What is tried next is one line here.
CONFIGURATIONS = {
    "paper -30": lambda *of: networks(*of, [-30], **PAPER),
    "paper -45": lambda *of: networks(*of, [-45], **PAPER),
    "paper -60": lambda *of: networks(*of, [-60], **PAPER),
    "paper -75": lambda *of: networks(*of, [-75], **PAPER),
    "paper fused": lambda *of: networks(*of, THRESHOLDS, **PAPER),
    "statistics -60": lambda *of: networks(*of, [-60], representation="statistics"),
    "covariance -60": lambda *of: networks(*of, [-60]),
    "recipe": lambda *of: recipe(*of),
    "recipe, version 1": lambda *of: recipe(*of, version=1),
    "recipe, 25 ms alone": lambda *of: recipe(*of, scales=["25ms"]),
    "recipe, trained": lambda *of: recipe(*of, trained={"max_epochs": 16, "precision": "bf16"}),
    "paper, sequences": lambda *of: sequence_network(*of, **PAPER),
    "covariance, sequences": lambda *of: sequence_network(*of),
    "vowels": lambda *of: sequence_network(*of, **VOWELS),
    "MiniRocket": lambda *of: peer(*of, MiniRocket, RidgeClassifierCV(np.logspace(-3, 3, 10))),
    "ComParE": lambda *of: peer(*of, ComParE),
}


class NotHere(Exception):
    """A configuration that does not apply to the corpus, or wants what is not installed."""


def networks(seed: int, facts: Bunch, thresholds: Any, *, pre_emphasis: float = 0.0, **parameters):
    return [
        make_pipeline(
            extractor(facts, clip_below=threshold, pre_emphasis=pre_emphasis),
            # The same network stands in a single view and in a fusion.
            Seq2SeqAutoencoder(**parameters, random_state=1000 * seed - threshold),
        )
        for threshold in thresholds
    ], None


def recipe(
    seed: int,
    facts: Bunch,
    *,
    scales: Any = ("80ms", "25ms"),
    trained: dict[str, Any] | None = None,
    version: int = 2,
):
    if facts.sequences:
        raise NotHere("no recordings")
    views = two_scales(sampling_rate=facts.sampling_rate, random_state=seed, version=version)
    if trained:  # autoencoders that begin with the weights of the reservoirs
        autoencoder = Seq2SeqAutoencoder(**VERSIONS[version], **trained, random_state=seed)
        views.set_params(**{f"{scale}__reservoirfeatures": autoencoder for scale in scales})
    views.transformer_list = [view for view in views.transformer_list if view[0] in scales]
    return [views], None


def extractor(facts: Bunch, **parameters: Any) -> SpectrogramExtractor:
    """Give the frames of the paper for 5 s; half of them for clips of a word's length."""
    if facts.sequences:
        raise NotHere("no recordings")
    return SpectrogramExtractor(
        window_duration=0.08 if np.median(facts.lengths) >= 2 else 0.04,
        n_mels=128,
        duration=min(5.0, round(float(np.max(facts.lengths)), 2)),
        align="center",
        sampling_rate=facts.sampling_rate,
        **parameters,
    )


def sequence_network(seed: int, facts: Bunch, *, pre_emphasis: float = 0.0, **parameters: Any):
    if not facts.sequences:
        raise NotHere("only for sequences that are no audio")
    autoencoder = Seq2SeqAutoencoder(**parameters, random_state=seed)
    return [make_pipeline(BandScaler(), autoencoder)], None


def peer(seed: int, facts: Bunch, kind: type, classifier: Any = None):
    for package in kind.packages:
        try:
            version(package)
        except PackageNotFoundError:
            raise NotHere(f"{package} is not installed") from None
    return [kind.view(seed, facts)], classifier and make_pipeline(StandardScaler(), classifier)


class BandScaler(TransformerMixin, BaseEstimator):
    """Mean 0 and standard deviation 1 of each band over all frames seen in `fit`."""

    def fit(self, X, y=None):
        """Learn from X, without labels."""
        self.mean_, self.std_ = np.nanmean(X, axis=(0, 1)), np.nanstd(X, axis=(0, 1))
        return self

    def transform(self, X):
        """Give the features of each clip."""
        return (X - self.mean_) / self.std_


class MiniRocket(TransformerMixin, BaseEstimator):
    """MiniRocket of aeon on the frames that the networks read at -60 dB."""

    packages = ("aeon",)

    def __init__(self, random_state=None):
        self.random_state = random_state

    @classmethod
    def view(cls, seed, facts):
        """Set it up for a corpus."""
        first = BandScaler() if facts.sequences else extractor(facts, clip_below=-60)
        return make_pipeline(first, cls(random_state=seed))

    def fit(self, X, y=None):
        """Learn from X, without labels."""
        from aeon.transformations.collection.convolution_based import MiniRocket as Rocket

        self.rocket_ = Rocket(random_state=self.random_state).fit(self._series(X))
        return self

    def transform(self, X):
        """Give the features of each clip."""
        return np.asarray(self.rocket_.transform(self._series(X)))

    def _series(self, X):
        # It takes only equal lengths; 0 behind the end is what aeon's Padder does.
        return np.nan_to_num(X).transpose(0, 2, 1)


class ComParE(TransformerMixin, BaseEstimator):
    """The 6,373 functionals of openSMILE's ComParE 2016 set."""

    packages = ("opensmile",)

    def __init__(self, sampling_rate=None):
        self.sampling_rate = sampling_rate

    @classmethod
    def view(cls, seed, facts):
        """Set it up for a corpus."""
        if facts.sequences:
            raise NotHere("no recordings")
        return make_pipeline(cls(facts.sampling_rate))

    def fit(self, X, y=None):
        """Learn nothing."""
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        """Give the features of each clip."""
        from opensmile import FeatureLevel, FeatureSet, Smile

        smile, rate = Smile(FeatureSet.ComParE_2016, FeatureLevel.Functionals), self.sampling_rate
        rows = [
            smile.process_file(x) if isinstance(x, str) else smile.process_signal(x, rate)
            for x in X
        ]
        return np.nan_to_num(np.concatenate(rows)).astype(np.float32)
