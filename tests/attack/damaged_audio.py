"""Damaged audio files: each is refused by name, or what is read of it is right.

Files of several formats are cut, or bytes of them are zeroed, flipped or replaced. With
`on_error="read"` a file that was cut gives the samples that the undamaged file has there. Content
without checksums (WAV, AIFF, AU, CAF) may come back with other samples where bytes were changed;
all others have to be the same. Run by hand:

    python tests/attack/damaged_audio.py --files 1000
"""

from __future__ import annotations

import argparse
import collections
import tempfile
import warnings
from pathlib import Path

import numpy as np
import soundfile
from tally import Tally

from skaudeep.audio.decoding import read_audio
from skaudeep.audio.errors import AudioError

RATE = 16_000
N_SAMPLES = 4 * RATE
FORMATS = {
    "a.wav": "PCM_16",
    "b.wav": "FLOAT",
    "c.wav": "IMA_ADPCM",
    "a.flac": "PCM_16",
    "a.ogg": "VORBIS",
    "b.ogg": "OPUS",
    "a.mp3": "MPEG_LAYER_III",
    "a.aiff": "PCM_16",
    "a.au": "PCM_16",
    "a.caf": "PCM_16",
}
LINEAR = {"a.wav", "b.wav", "a.aiff", "a.au", "a.caf"}  # a byte stands for one sample
MOST_DAMAGED = 400  # bytes
DELAY = 5000  # samples before a cut that a lossy decoder may give in another way


def damage(content: bytes, kind: str, rng: np.random.Generator) -> tuple[bytes, int, int]:
    """Return the damaged content and the range of bytes that is damaged."""
    data = bytearray(content)
    n = len(data)
    if kind == "cut":
        first = int(rng.integers(1, n))
        return bytes(data[:first]), first, n
    first = int(rng.integers(0, min(n, 200) if kind == "header" else n))
    last = min(n, first + int(rng.integers(1, 2 if kind == "flip" else MOST_DAMAGED)))
    if kind == "zeros":
        data[first:last] = bytes(last - first)
    elif kind == "flip":
        data[first] ^= 1 << int(rng.integers(8))
    else:  # "noise", "header"
        data[first:last] = rng.bytes(last - first)
    return bytes(data), first, last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    time = np.arange(N_SAMPLES) / RATE
    sound = 0.3 * np.sin(2 * np.pi * 440 * time) + rng.uniform(-0.1, 0.1, N_SAMPLES)
    tally = Tally()
    ends: collections.Counter[tuple[str, str]] = collections.Counter()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        originals = {}
        for name, subtype in FORMATS.items():
            path = Path(folder, name)
            rate = 48_000 if subtype == "OPUS" else RATE
            soundfile.write(path, sound, rate, subtype=subtype)
            originals[name] = path.read_bytes(), read_audio(path)[0][0]
        for number in range(args.files):
            name = list(FORMATS)[number % len(FORMATS)]
            kind = ("cut", "cut", "zeros", "flip", "noise", "header")[number // len(FORMATS) % 6]
            content, whole = originals[name]
            damaged, first, _ = damage(content, kind, rng)
            path = Path(folder, f"damaged {name}")
            path.write_bytes(damaged)
            what = f"{name}, {kind} at byte {first} of {len(content)}, try {number}"
            for on_error in ("raise", "read"):
                try:
                    found = read_audio(path, on_error=on_error)[0]
                except AudioError as error:
                    ends[name, f"{on_error}: {error.kind}"] += 1
                    tally.count(str(path) in str(error), what)
                    continue
                except Exception as error:
                    tally.count(False, f"{what}: {type(error).__name__}: {error}")
                    continue
                good = judge(found, whole, name, kind, on_error, first, content)
                ends[name, f"{on_error}: {good or 'WRONG'}"] += 1
                tally.count(good is not None, f"{what}, on_error={on_error!r}: {found.shape}")
    for (name, end), count in sorted(ends.items()):
        print(f"{name:<8}{FORMATS[name]:<16}{end:<30}{count:>6}")
    tally.report()


def in_whole_pages(content: bytes, n_samples: int) -> int:
    """Return how many samples lie in the complete pages of an Ogg file that was cut."""
    known, place = 0, 0
    while content[place : place + 4] == b"OggS" and place + 27 <= len(content):
        sizes = content[place + 27 : place + 27 + content[place + 26]]
        following = place + 27 + content[place + 26] + sum(sizes)
        if following > len(content):
            break
        known = int.from_bytes(content[place + 6 : place + 14], "little")
        place = following
    return min(known, n_samples) - DELAY


def judge(
    found: np.ndarray,
    whole: np.ndarray,
    name: str,
    kind: str,
    on_error: str,
    first: int,
    content: bytes,
) -> str | None:
    """Return in which way what was read is right, None where it is wrong."""
    channel = found[0]
    k = min(len(channel), len(whole))
    same = len(found) == 1 and np.array_equal(channel[:k], whole[:k])
    if same and len(channel) == len(whole):
        return "all samples"
    if kind == "cut":
        if on_error == "raise":
            return None  # a cut has to be noticed
        if name not in LINEAR:
            k = max(0, k - DELAY)
        good = np.array_equal(channel[:k], whole[:k]) and len(channel) <= len(whole)
        if name.endswith(".ogg"):
            expected = in_whole_pages(content[:first], n_samples=len(whole))
        else:  # nearly as much as lies before the cut, in proportion to the bytes
            expected = len(whole) * first / len(content) - (0 if name in LINEAR else DELAY)
        enough = len(channel) >= expected - 99
        return "what is there" if good and enough else None
    if same:
        return "fewer samples" if on_error == "read" else None
    if kind == "header":
        return "another header"
    if name in LINEAR:  # nothing in such a file can tell; the other samples have to be the same
        n_changed = np.count_nonzero(channel[:k] != whole[:k])
        return "changed samples" if n_changed <= MOST_DAMAGED else None
    return "changed samples" if name != "a.flac" else None


if __name__ == "__main__":
    main()
