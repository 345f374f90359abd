"""The configurations of accuracy.py: features to judge, and the peers to judge them beside."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from skaudeep import BandStatistics, FeatureFusion, Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.recipes import DEFAULT_VERSION, VERSIONS, two_scales

SCALES = ("80ms", "25ms")  # of the recipe
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


class NotHere(Exception):
    """A configuration that does not apply to the corpus, or wants what no Python has."""


class Peer(NamedTuple):
    """Features of another library, from peers.py in a Python that has it."""

    kind: str
    frames: Any = None  # the transformer whose frames it reads; None: it reads files
    seed: int | None = None


def networks(
    thresholds: Any, seed: int, facts: Bunch, *, pre_emphasis: float = 0.0, **parameters: Any
):
    return FeatureFusion(
        [
            (
                f"{threshold}dB",
                make_pipeline(
                    extractor(facts, clip_below=threshold, pre_emphasis=pre_emphasis),
                    # The same network stands in a single view and in a fusion.
                    Seq2SeqAutoencoder(**parameters, random_state=1000 * seed - threshold),
                ),
            )
            for threshold in thresholds
        ]
    )


def recipe(
    seed: int,
    facts: Bunch,
    *,
    scales: Any = None,
    trained: dict[str, Any] | None = None,
    version: int = DEFAULT_VERSION,
):
    if facts.sequences:
        raise NotHere("no recordings")
    views = two_scales(sampling_rate=facts.sampling_rate, random_state=seed, version=version)
    if trained:  # autoencoders that begin with the weights of the reservoirs
        autoencoder = Seq2SeqAutoencoder(**VERSIONS[version], **trained, random_state=seed)
        views.set_params(**{f"{scale}__reservoirfeatures": autoencoder for scale in SCALES})
    if scales:
        views.transformer_list = [view for view in views.transformer_list if view[0] in scales]
    return views


def mel_statistics(seed: int, facts: Bunch, *, extended: bool = True):
    """Statistics of the mel bands that `two_scales` reads: what any network has to beat."""
    views = recipe(seed, facts, scales=SCALES).transformer_list
    return FeatureFusion(
        [(name, make_pipeline(view[0], BandStatistics(extended=extended))) for name, view in views]
    )


def extractor(facts: Bunch, longest: float = 5.0, **parameters: Any) -> SpectrogramExtractor:
    """Give frames of 80 ms, as in the paper; half of that for clips of a word's length."""
    if facts.sequences:
        raise NotHere("no recordings")
    return SpectrogramExtractor(
        window_duration=0.08 if np.median(facts.lengths) >= 2 else 0.04,
        n_mels=128,
        duration=min(longest, round(float(np.max(facts.lengths)), 2)),
        align="center",
        sampling_rate=facts.sampling_rate,
        **parameters,
    )


def sequence_network(seed: int, facts: Bunch, *, pre_emphasis: float = 0.0, **parameters: Any):
    if not facts.sequences:
        raise NotHere("only for sequences that are no audio")
    autoencoder = Seq2SeqAutoencoder(**parameters, random_state=seed)
    return make_pipeline(BandScaler(), autoencoder)


def smile(kind: str, seed: int, facts: Bunch) -> Peer:
    """Give functionals of openSMILE, which reads the files themselves."""
    if facts.sequences:
        raise NotHere("no recordings")
    return available(Peer(kind), facts)


def rocket(seed: int, facts: Bunch) -> Peer:
    """Give MiniRocket on mel frames of up to half a minute, with 0 behind the end of a clip."""
    frames = BandScaler() if facts.sequences else extractor(facts, longest=30.0, clip_below=-60)
    return available(Peer("MiniRocket", frames, seed), facts)


def available(peer: Peer, facts: Bunch) -> Peer:
    if peer.kind not in facts.peers:
        raise NotHere("no Python of --peers has it")
    return peer


class BandScaler(TransformerMixin, BaseEstimator):
    """Mean 0 and standard deviation 1 of each band over all frames seen in `fit`."""

    def fit(self, X, y=None):
        """Learn from X, without labels."""
        self.mean_, self.std_ = np.nanmean(X, axis=(0, 1)), np.nanstd(X, axis=(0, 1))
        return self

    def transform(self, X):
        """Give the features of each clip."""
        return (X - self.mean_) / self.std_


# From the seed and the facts of the corpus to a transformer or a peer. What is tried next is one
# line here.
CONFIGURATIONS = {
    "recipe": recipe,
    **{f"recipe, version {version}": partial(recipe, version=version) for version in VERSIONS},
    "recipe, 25 ms alone": partial(recipe, scales=["25ms"], version=2),
    "recipe, trained": partial(recipe, trained={"max_epochs": 16, "precision": "bf16"}, version=2),
    "mel statistics": mel_statistics,
    "mel statistics, 3 of each band": partial(mel_statistics, extended=False),
    "MiniRocket": rocket,
    "ComParE": partial(smile, "ComParE"),
    "eGeMAPS": partial(smile, "eGeMAPS"),
    "paper -30": partial(networks, [-30], **PAPER),
    "paper -45": partial(networks, [-45], **PAPER),
    "paper -60": partial(networks, [-60], **PAPER),
    "paper -75": partial(networks, [-75], **PAPER),
    "paper fused": partial(networks, THRESHOLDS, **PAPER),
    "statistics -60": partial(networks, [-60], representation="statistics"),
    "covariance -60": partial(networks, [-60]),
    "paper, sequences": partial(sequence_network, **PAPER),
    "covariance, sequences": partial(sequence_network),
    "vowels": partial(sequence_network, **VOWELS),
}
DEFAULT = ("recipe", "mel statistics", "MiniRocket", "ComParE", "eGeMAPS")
DEFAULT_OF_SEQUENCES = ("covariance, sequences", "MiniRocket")
