"""What is no list of clips is refused with the row, the cause and the line that mends it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skaudeep import SpectrogramExtractor
from skaudeep.audio.clips import list_clips

RATE = 8000
CLIP = np.random.default_rng(0).uniform(-0.5, 0.5, RATE)
PAIR = (CLIP, 22_050)  # librosa.load

FAULTS = {
    "one pair": (PAIR, r"X is one waveform .* librosa.load .* \[X\[0\]\].* sampling_rate=22050"),
    "scipy's pair": ((8000, CLIP), r"X is one .* scipy.io.wavfile.read .* \[X\[1\]\].*=8000"),
    "pairs": (
        [CLIP, PAIR],
        r"Row 1 of X is a waveform .* librosa.load .* \[y for y, rate in X\].* sampling_rate=22050",
    ),
    "scipy's pairs": (
        [(8000, CLIP)] * 2,
        r"Row 0 of X .*wavfile.read .* \[y for rate, y in X\].* sampling_rate=8000",
    ),
    "a pair of lists": ([([0.1, 0.2], 100.5)], r"Row 0 of X is .* sampling_rate=100.5"),
    "an array": (CLIP, r"shape \(8000,\), expected .* Put a single waveform into a list: \[X\]"),
    "numbers": (CLIP.tolist(), r"Row 0 of X is the number .* put it into a list: \[X\]"),
    "numpy's numbers": (list(np.float32(CLIP)), r"Row 0 of X is the number"),
    "a number among clips": ([CLIP, 8000], r"Row 1 of X is the number 8000"),
    "unequal channels": (
        [CLIP, [[0.1, 0.2], [0.1, 0.2, 0.3]]],
        r"Row 1 of X is a list whose parts have 2, 3 ... samples, expected .* equally many. Pass",
    ),
    "lists of paths": (
        [["a.wav", "b.wav"], ["c.wav"]],
        r"Row 0 of X is a list of 2 paths, 'a.wav' .* \[path for paths in X for path in paths\]",
    ),
    "an array of paths": (np.array([["a.wav"], ["b.wav"]]), r"Row 0 of X is a list of 1 paths"),
    "Path objects": ([[Path("a.wav")]], r"Row 0 of X is a list of 1 paths, 'a.wav' first"),
    "Hugging Face": (
        [{"path": "a.wav", "array": CLIP, "sampling_rate": 8000}],
        r"Row 0 of X is a dictionary .*'array'.* \[row\[\"array\"\] for row in X\]",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_list_of_clips_is_named_with_what_mends_it(name):
    X, message = FAULTS[name]
    extractor = SpectrogramExtractor(n_mels=20, sampling_rate=RATE)
    for function in (list_clips, extractor.fit, extractor.transform):
        with pytest.raises(ValueError, match=message) as caught:
            function(X)
        assert "inhomogeneous" not in str(caught.value)


def test_what_the_messages_say_works():
    extractor = SpectrogramExtractor(n_mels=20, sampling_rate=RATE)
    expected = extractor.transform([CLIP, CLIP])
    pairs = [(CLIP, RATE)] * 2
    for X in ([y for y, rate in pairs], [CLIP.tolist()] * 2, (CLIP, CLIP), [[CLIP, CLIP]] * 2):
        np.testing.assert_array_equal(extractor.transform(X), expected)
