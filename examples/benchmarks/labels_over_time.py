"""Labels over time of generated recordings: the search for their delay, and predictions of them.

Run it with ``python examples/benchmarks/labels_over_time.py``; ``docs/labels-over-time.md`` reports
its figures. Listeners label loudness and pitch of recordings of a minute, later by a known delay.
In the recordings of half of the speakers a search finds the delay; in those of the other half the
pipeline with this delay is evaluated by folds of whole speakers, beside the bands of each frame,
the mean of the training targets, and the same pipeline without a delay.
"""

import argparse
import time

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import PerFrame, ReservoirFeatures, SpectrogramExtractor
from skaudeep.datasets import frame_targets, make_labelled_recordings, select
from skaudeep.evaluation import evaluate_over_time

HOP = 0.04  # s
DELAYS = np.arange(0, 6.1, 0.25)  # s, that the search tries
CASES = [  # delay in s, labels in a second, standard deviation of their error
    (0.0, 25, 0.1),
    (1.0, 25, 0.1),
    (2.0, 25, 0.1),
    (2.0, 4, 0.1),
    (2.0, 25, 0.4),
    (4.0, 25, 0.1),
]
EXTRACTOR = SpectrogramExtractor(
    0.064, hop_duration=HOP, n_mels=40, clip_below=-80, reference="full_scale", sampling_rate=8000
)


def model(delay: float = 0.0):
    """Make a random network whose states a ridge regression reads, frame by frame."""
    network = ReservoirFeatures(128, n_layers=1, representation="states", random_state=0)
    regressor = make_pipeline(StandardScaler(), Ridge(10.0))
    return make_pipeline(network, PerFrame(regressor, delay=delay, hop_duration=HOP))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=24)
    parser.add_argument("--speakers", type=int, default=12)
    parser.add_argument("--seed", type=int, default=100)
    arguments = parser.parse_args()
    for delay, label_rate, noise in CASES:
        began = time.perf_counter()
        recordings = make_labelled_recordings(
            arguments.recordings,
            n_speakers=arguments.speakers,
            duration=60.0,
            delay=delay,
            label_rate=label_rate,
            noise=noise,
            random_state=arguments.seed,
        )
        spectrograms = EXTRACTOR.transform(recordings.data)
        targets = frame_targets(recordings.labels, EXTRACTOR.frame_times(spectrograms))
        recordings = recordings | {"data": spectrograms, "dims": ("clip", "frame", "band")}
        number = np.arange(arguments.recordings) % arguments.speakers
        first = number < arguments.speakers / 2
        search = GridSearchCV(model(), {"perframe__delay": DELAYS}, cv=GroupKFold(3), n_jobs=1)
        search.fit(spectrograms[first], targets[first], groups=number[first])
        found = search.best_params_["perframe__delay"]
        print(f"\ndelay {delay:g} s, {label_rate:g} labels in a second, error {noise:g}")
        print(f"found: {found:g} s")
        for tried in dict.fromkeys([found, 0.0]):
            evaluation = evaluate_over_time(
                model(tried),
                select(recordings, ~first),
                targets[~first],
                target_names=["loudness", "pitch"],
                cv=3,
                progress=False,
            )
            print(f"with delay={tried:g}: {evaluation}")
        print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
