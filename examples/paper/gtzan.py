"""The paper's experiment on GTZAN: five views of chunks of 2 s, whose majority counts.

    python examples/paper/gtzan.py PATH_OF_GTZAN --output FOLDER

GTZAN has no folds: five are drawn, stratified by genre, and all chunks of a clip are in one. What
is stored in the output folder is not computed again.
"""

from experiment import Experiment, main

from skaudeep.datasets import load_gtzan

GTZAN = Experiment(
    title="GTZAN",
    load=load_gtzan,
    extractor={
        "window_duration": 0.08,
        "hop_duration": 0.04,
        "n_mels": 320,
        "chunk_duration": 2.0,
        "n_chunks": 15,
    },
    views={f"{db} dB": {"clip_below": db} for db in (-30, -45, -60, -75)} | {"unclipped": {}},
    autoencoder={
        "bidirectional_encoder": True,
        "bidirectional_decoder": False,
        "max_epochs": 40,
        "batch_size": 512,
    },
    n_folds=5,
    vote=True,
)

if __name__ == "__main__":
    main(GTZAN)
