"""Train one autoencoder on as many processes as the launcher started, and save it once.

Every process runs this file with the same arguments. `fit` finds the others by the variables that
the launcher set, and takes its part of the rows of each batch; all end with the same autoencoder.
Started plainly, with python alone, it trains on one process.

    torchrun --nproc-per-node 2 examples/scaling/train.py spectrograms.nc model.skaudeep
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from skaudeep import Seq2SeqAutoencoder, save
from skaudeep.callbacks import Checkpoint
from skaudeep.formats.netcdf import load_netcdf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spectrograms", type=Path, help="written by extract_to_netcdf")
    parser.add_argument("model", type=Path, help="where to save; checkpoints stand beside it")
    parser.add_argument("--epochs", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64, help="of all processes together")
    parser.add_argument("--units", type=int, default=256)
    arguments = parser.parse_args()
    first = os.environ.get("RANK", "0") == "0"
    data = load_netcdf(arguments.spectrograms, lazy=True, verify=first).data
    autoencoder = Seq2SeqAutoencoder(
        arguments.units,
        bidirectional_decoder=True,
        max_epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        random_state=0,
    ).set_callbacks(Checkpoint(arguments.model.with_suffix(".checkpoints")))
    autoencoder.fit(data)
    if first:
        save(autoencoder, arguments.model)
        print(f"loss {autoencoder.loss_curve_[-1]:.4f} after {len(autoencoder.loss_curve_)} epochs")


if __name__ == "__main__":
    main()
