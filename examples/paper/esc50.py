"""The paper's experiment on ESC-50: four clipping thresholds, and their fusion.

    python examples/paper/esc50.py PATH_OF_ESC50 --output FOLDER

What is stored in the output folder is not computed again.
"""

from experiment import FUSED, Experiment, main

from skaudeep.datasets import load_esc

ESC50 = Experiment(
    title="ESC-50",
    load=load_esc,
    extractor={
        "window_duration": 0.08,
        "hop_duration": 0.04,
        "n_mels": 128,
        "duration": 5.0,
        "align": "center",
    },
    views={f"{db} dB": {"clip_below": db} for db in (-30, -45, -60, -75)},
    autoencoder={
        "bidirectional_encoder": True,
        "bidirectional_decoder": False,
        "max_epochs": 64,
        "batch_size": 64,
    },
    published={"paper": {FUSED: 64.3}},
)

if __name__ == "__main__":
    main(ESC50)
