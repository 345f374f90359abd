"""The paper's experiment on TUT Acoustic Scenes 2017: four mixes of two channels, and their fusion.

    python examples/paper/tut2017.py PATH_OF_TUT2017 --output FOLDER

PATH_OF_TUT2017 holds meta.txt, evaluation_setup and audio of the development set. What is stored in
the output folder is not computed again.
"""

from experiment import Experiment, main

from skaudeep.datasets import load_dcase

TUT2017 = Experiment(
    title="TUT Acoustic Scenes 2017",
    load=load_dcase,
    extractor={"window_duration": 0.16, "hop_duration": 0.08, "n_mels": 320},
    views={name: {"channel": name} for name in ("mean", "difference", "left", "right")},
    autoencoder={
        "bidirectional_encoder": False,
        "bidirectional_decoder": True,
        "max_epochs": 40,
        "batch_size": 512,
    },
)

if __name__ == "__main__":
    main(TUT2017)
