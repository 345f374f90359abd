"""Sounds in, features learned without labels, a classifier out: the main job in a minute.

The sounds are generated: pairs of classes that are one sound and the same sound played backwards,
recorded in five sessions with their own level, noise and room. So averages over time tell the
classes apart badly, and what is left to a network is the order of events. Each session is tested
with a classifier trained on the other four.

Run it with ``python examples/getting_started/demo.py``; it prints the accuracy beside its controls
and saves a clip's spectrogram and its reconstruction as demo.png.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # a picture in a file, also on a machine without a screen

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skaudeep import ReconstructionDisplay, Seq2SeqAutoencoder, SpectrogramExtractor, evaluate
from skaudeep.datasets import make_sounds

PICTURE = Path("demo.png")


def main() -> None:
    sounds = make_sounds(200, random_state=0)  # a Bunch: data, target, target_names, folds, cv, ...
    extractor = SpectrogramExtractor(
        window_duration=0.04, n_mels=64, clip_below=-60, sampling_rate=sounds.sampling_rate
    )
    autoencoder = Seq2SeqAutoencoder(128, n_layers=1, max_epochs=30, batch_size=16, random_state=0)
    pipeline = Pipeline(
        [
            ("spectrogram", extractor),
            ("autoencoder", autoencoder),
            ("scaler", StandardScaler()),
            ("classifier", LinearSVC(C=0.01)),
        ]
    )

    print(f"{len(sounds.data)} clips, {len(sounds.target_names)} classes, training ...", flush=True)
    # Transductive: the network sees all clips, unlabelled; the classifier only training sessions.
    print(evaluate(pipeline, sounds, protocol="transductive", random_state=0))

    spectrograms = extractor.transform(sounds.data)
    autoencoder.fit(spectrograms)
    display = ReconstructionDisplay.from_estimator(
        autoencoder,
        spectrograms[:1],
        extractor=extractor,
        sampling_rate=sounds.sampling_rate,
        names=[sounds.target_names[sounds.target[0]]],
    )
    display.plot().figure_.savefig(PICTURE, dpi=150)
    print(f"\nA clip's spectrogram, its reconstruction and their difference: {PICTURE}")


if __name__ == "__main__":
    main()
