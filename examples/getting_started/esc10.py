"""The paper's network on ESC-10: one view and four fused, transductive and inductive.

Run it with ``python examples/getting_started/esc10.py PATH``, PATH being a folder with ESC-10 in
one of its two layouts. Mel spectrograms of 80 ms windows are clipped 60 dB (or 30, 45, 60 and 75)
below each clip's maximum; 2 x 256 GRU units encode, a bidirectional decoder rebuilds; 64 epochs.
The classifier is fixed beforehand. Nothing is chosen by looking at test clips.

Fusion trains four networks and the inductive protocol five (one for each fold), two at a time with
``--n-jobs 2``; ``--only`` runs one part.
"""

import argparse
import time

from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skaudeep import FeatureFusion, Seq2SeqAutoencoder, SpectrogramExtractor, compare, evaluate
from skaudeep.datasets import load_esc

THRESHOLDS = (-30, -45, -60, -75)  # dB below each clip's maximum


def view(clip_below: float, max_epochs: int) -> Pipeline:
    """Extract spectrograms and learn their representation, as the paper did for ESC-10."""
    return make_pipeline(
        SpectrogramExtractor(
            window_duration=0.08,
            hop_duration=0.04,
            n_mels=128,
            duration=5.0,
            align="center",
            clip_below=clip_below,
        ),
        Seq2SeqAutoencoder(
            256, n_layers=2, bidirectional_decoder=True, max_epochs=max_epochs, batch_size=64
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help="folder of the corpus")
    parser.add_argument("--max-epochs", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=1, help="seeds per figure")
    parser.add_argument("--random-state", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, default=None, help="networks trained at a time")
    parser.add_argument("--only", choices=["single", "fused", "inductive"])
    options = parser.parse_args()

    esc10 = load_esc(options.path)
    single = view(-60, options.max_epochs)
    fused = FeatureFusion(
        [(f"{db}dB", view(db, options.max_epochs)) for db in THRESHOLDS], n_jobs=options.n_jobs
    )
    parts = {
        "single": (single, "transductive"),
        "fused": (fused, "transductive"),
        "inductive": (single, "inductive"),
    }
    results = {}
    for part, (features, protocol) in parts.items():
        if options.only in (None, part):
            start = time.perf_counter()
            results[part] = evaluate(
                make_pipeline(features, StandardScaler(), LinearSVC(C=0.01)),
                esc10,
                protocol=protocol,
                repeats=options.repeats,
                # The fusion runs its views in parallel by itself; one view has all cores.
                n_jobs=options.n_jobs if protocol == "inductive" else None,
                random_state=options.random_state,
            )
            minutes = (time.perf_counter() - start) / 60
            print(f"--- {part} ({minutes:.1f} min)\n{results[part]}\n", flush=True)
    if {"single", "fused"} <= results.keys():
        print(f"fused against single: {compare(results['fused'], results['single'])}")


if __name__ == "__main__":
    main()
