"""Write the features of `two_scales` that later code is compared with.

    python tests/data/two_scales.py VERSION

Run it once for a version, when that is made, and never again. Features that hang on all 64 fitted
components cannot be frozen: rounding turns components of nearly equal variance into each other (by
3e-4 from one processor to another). So there are features of a few fitted components, whose
variances lie far apart, and features of as many components as there are that are drawn, not fitted.
Either kind differs by less than 6e-6 between AVX-512, AVX2, SSE2 and torch's own layers.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from skaudeep import FeatureFusion, ReservoirFeatures
from skaudeep.datasets import make_sounds
from skaudeep.recipes import two_scales

CASES = {  # n_units, and fitted components or None for drawn ones
    "few_units_fitted": (8, 1),
    "fitted": (None, 4),
    "few_units": (32, None),
    "default": (None, None),
}


def features(version: int, n_units: int | None, n_components: int | None) -> np.ndarray:
    """Features of two generated clips, of which one is cut short."""
    sounds = make_sounds(20, n_classes=4, sampling_rate=16000, random_state=0)
    views = two_scales(sampling_rate=16000, n_units=n_units, random_state=0, version=version)
    if n_components is not None:
        for scale, view in views.transformer_list:
            if "reservoirfeatures" in view.named_steps:
                views.set_params(**{f"{scale}__reservoirfeatures__n_components": n_components})
    views.fit(sounds.data)
    if n_components is None:
        draw_components(views)
    return views.transform([sounds.data[0], sounds.data[1][:9000]])


def draw_components(views: FeatureFusion) -> None:
    """Put random numbers in place of the components, so that each has a variance of about 1."""
    for _, view in views.transformers_:
        if not isinstance(view[-1], ReservoirFeatures):
            continue
        covariance = view[-1].network_.covariance
        drawn = np.random.default_rng(0).normal(size=covariance.components.shape)
        covariance.components.copy_(torch.from_numpy(drawn * 3 / len(drawn) ** 0.5))
        covariance.center.zero_()


if __name__ == "__main__":
    version = int(sys.argv[1])
    path = Path(__file__).with_name(f"two_scales_{version}.npz")
    if path.exists():
        sys.exit(f"{path} is there already, and what it holds is frozen.")
    np.savez_compressed(path, **{name: features(version, *of) for name, of in CASES.items()})
