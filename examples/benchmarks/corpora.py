"""Make the corpora on which features were tuned, as folders that `load_dataset` reads.

    python examples/benchmarks/corpora.py OUT --esc10 PATH --words PATH

Beside the two given corpora these are samples of drums (Debian: hydrogen-drumkits), notes of a
sampled orchestra (Debian: fluidsynth, fluid-soundfont-gm), and what is made from all of them by
seed: the same files each time. Clips lie in fold_N/<class>/, and what stands before the first
underscore of a file's name is its group, such as a speaker, a kit or a generated patient.
"""

import argparse
import io
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, firwin2, oaconvolve, sosfilt
from sklearn.model_selection import GroupKFold

from skaudeep.datasets import load_dataset

Clip = tuple[str, str, int, NDArray, int]  # group, class, fold or 0, samples, rate

DRUMKITS = Path("/usr/share/hydrogen/data/drumkits")
SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
# The first that matches the name of a file is its kind.
DRUMS = {
    "rim": r"rim|stick|side|_?rs_",
    "clap": r"clap|slap",
    "bell": r"cow|bell|agogo|_cb",
    "open hat": r"open|_op$|hh2|hho",
    "closed hat": r"hihat|hat.*(clos|foot|pedal|cl$)|hh|chh|hat",
    "kick": r"kick|bass ?drum|^bd|_bd|thump|bd\d",
    "snare": r"snare|^sn|_sn|^sd",
    "tom": r"tom|^tm|^t\d|^ft|^mt",
    "ride": r"ride|^rd",
    "crash": r"crash|splash|china|^cc|^cr",
}
# Programs of General MIDI, and the pitches that such an instrument plays.
INSTRUMENTS = {
    "violin": (40, 55, 91),
    "viola": (41, 48, 84),
    "cello": (42, 36, 76),
    "contrabass": (43, 28, 60),
    "trumpet": (56, 54, 82),
    "trombone": (57, 40, 70),
    "tuba": (58, 28, 58),
    "horn": (60, 41, 77),
    "saxophone": (65, 49, 80),
    "oboe": (68, 58, 88),
    "bassoon": (70, 34, 70),
    "clarinet": (71, 50, 86),
    "flute": (73, 60, 92),
}


def given(path: Path, group: str) -> Iterator[Clip]:
    """Read a corpus as it is; `group` is a regular expression over the file names."""
    bunch = load_dataset(path)
    fold_of = {int(i): k + 1 for k, (_, test) in enumerate(bunch.cv or []) for i in test}
    for i, file in enumerate(bunch.data):
        samples, rate = soundfile.read(file, dtype="float64")
        found = re.search(group, Path(file).name)
        assert found, file
        label = re.sub(r"^\d+ - ", "", bunch.target_names[bunch.target[i]])
        yield found[1].replace("_", "-"), label, fold_of.get(i, 0), samples, rate


def drums(_: np.random.Generator) -> Iterator[Clip]:
    """Single hits; the kit is the group."""
    for file in sorted(DRUMKITS.glob("*/*.*")):
        if file.suffix not in {".wav", ".flac", ".aiff"} or file.parent.name == "rumpf_kit_z01_h2":
            continue
        name = file.stem.lower()
        kind = next((kind for kind, pattern in DRUMS.items() if re.search(pattern, name)), None)
        samples, rate = soundfile.read(file, dtype="float64", always_2d=True)
        if kind is None or len(samples) < 0.03 * rate:
            continue
        yield re.sub(r"[\W_]", "", file.parent.name), kind, 0, samples.mean(axis=1), rate


def instruments(rng: np.random.Generator) -> Iterator[Clip]:
    """Play notes of all dynamics; bands of four semitones are the groups."""
    for name, (program, lowest, highest) in INSTRUMENTS.items():
        for pitch in np.sort(rng.permutation(np.arange(lowest, highest + 1))[:24]):
            for velocity in rng.choice([30, 55, 80, 105, 125], 2, replace=False):
                seconds = rng.uniform(0.4, 2.5)
                samples, rate = render(program, int(pitch), int(velocity), seconds)
                yield f"pitch{pitch // 4}", name, 0, samples, rate


def render(program: int, pitch: int, velocity: int, seconds: float) -> tuple[NDArray, int]:
    """Play one note and cut the silence behind it."""
    events = bytes([0, 0xC0, program, 0, 0x90, pitch, velocity])
    ticks = round(seconds * 960)  # 480 a quarter note, of which there are 120 a minute
    events += bytes([0x80 | (ticks >> 7), ticks & 0x7F, 0x80, pitch, 0, 0, 0xFF, 0x2F, 0])
    midi = b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 480 >> 8, 480 & 0xFF])
    midi += b"MTrk" + len(events).to_bytes(4, "big") + events
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "note.mid").write_bytes(midi)
        command = [
            "fluidsynth",
            "-ni",
            "-q",
            "-R",
            "0",
            "-C",
            "0",
            "-g",
            "0.6",
            "-r",
            "44100",
            "-F",
            "note.wav",
        ]
        subprocess.run([*command, SOUNDFONT, "note.mid"], cwd=folder, check=True)
        samples, rate = soundfile.read(Path(folder, "note.wav"))
    samples = samples.mean(axis=1)[: round((seconds + 0.2) * rate)]
    return samples, rate


def hearts(rng: np.random.Generator) -> Iterator[Clip]:
    """Beats at 8 kHz whose classes differ by what lies between them; patients are the groups."""
    rate, patient = 8000, 0
    kinds = ("normal", "systolic murmur", "diastolic murmur", "third sound", "click")
    for kind in kinds:
        for _ in range(14):
            patient += 1
            period, gain = rng.uniform(0.55, 1.15), 10 ** rng.uniform(-1.5, 0)
            tones = rng.uniform(30, 60, 2) * (1, 1.4)
            band = np.sort(rng.uniform(60, 500, 2)) + (0, 100)
            loud, noise = 10 ** rng.uniform(-1.6, -0.7), 10 ** rng.uniform(-2.3, -1.3)
            colour = butter(2, rng.uniform(100, 1500), fs=rate, output="sos")
            murmur = butter(2, band, "bandpass", fs=rate, output="sos")
            for _ in range(5):
                n = round(rng.uniform(5, 20) * rate)
                x, start = np.zeros(n + 2 * rate), rng.uniform(0, period)
                while start * rate < n:
                    beat = period * (1 + 0.04 * rng.standard_normal())
                    systole = 0.28 * np.sqrt(beat)
                    add(x, rate, start, thud(rate, tones[0], 0.10, rng))
                    add(x, rate, start + systole, 0.7 * thud(rate, tones[1], 0.07, rng))
                    hiss = sosfilt(murmur, rng.standard_normal(2 * rate))
                    hiss *= loud / hiss.std()
                    if kind == "systolic murmur":
                        add(x, rate, start + 0.06, swell(hiss, rate, systole - 0.06))
                    elif kind == "diastolic murmur":
                        length = 0.6 * (beat - systole)
                        add(x, rate, start + systole + 0.05, swell(hiss, rate, length))
                    elif kind == "third sound":
                        third = 3 * loud * thud(rate, 0.7 * tones[0], 0.08, rng)
                        add(x, rate, start + systole + 0.14, third)
                    elif kind == "click":
                        click = 3 * loud * thud(rate, 4 * tones[0], 0.02, rng)
                        add(x, rate, start + 0.6 * systole, click)
                    start += beat
                floor = sosfilt(colour, rng.standard_normal(len(x)))
                yield (
                    f"patient{patient:02d}",
                    kind,
                    0,
                    gain * (x + noise * floor / floor.std())[:n],
                    rate,
                )


def thud(rate: int, frequency: float, seconds: float, rng: np.random.Generator) -> NDArray:
    t = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (frequency * t + rng.uniform())
    return np.sin(phase) * np.hanning(len(t)) * (1 + 0.15 * rng.standard_normal())


def swell(x: NDArray, rate: int, seconds: float) -> NDArray:
    n = max(2, round(seconds * rate))
    return x[:n] * np.hanning(n)


def add(x: NDArray, rate: int, seconds: float, part: NDArray) -> None:
    at = round(seconds * rate)
    part = part[: max(0, len(x) - at)]
    x[at : at + len(part)] += part


def loudest_second(clips: Iterator[Clip]) -> Iterator[Clip]:
    """Keep the second of most energy of each clip, at 16 kHz."""
    for group, label, fold, x, rate in clips:
        x, rate = soxr.resample(x, rate, 16000), 16000
        energy = np.cumsum(np.concatenate([[0.0], x**2]))
        start = int(np.argmax(energy[rate:] - energy[:-rate]))
        yield group, label, fold, x[start : start + rate], rate


def through_channels(clips: Iterator[Clip], rng: np.random.Generator) -> Iterator[Clip]:
    """Send each group through an equaliser, a codec, noise and a gain of its own, at 16 kHz."""
    channels: dict[str, Callable[[NDArray], NDArray]] = {}
    for group, label, fold, x, rate in clips:
        if group not in channels:
            channels[group] = channel(np.random.default_rng(rng.integers(2**32)))
        yield group, label, fold, channels[group](soxr.resample(x, rate, 16000)), 16000


def channel(rng: np.random.Generator) -> Callable[[NDArray], NDArray]:
    rate = 16000
    frequencies = [0, 100, 250, 500, 1000, 2000, 4000, 6000, 8000]
    equaliser = firwin2(257, frequencies, 10 ** (rng.uniform(-12, 6, 9) / 20), fs=rate)
    codec = rng.choice(["none", "GSM610", "ULAW", "MP3", "VORBIS", "OPUS"])
    noise, gain = 10 ** (-rng.uniform(15, 45) / 20), 10 ** (rng.uniform(-20, 0) / 20)
    colour = butter(1, rng.uniform(200, 6000), fs=rate, output="sos")

    def send(x: NDArray) -> NDArray:
        x = oaconvolve(x, equaliser, mode="same")
        floor = sosfilt(colour, rng.standard_normal(len(x)))
        x = x + noise * x.std() * floor / floor.std()
        x = gain * x / max(np.abs(x).max(), 1e-9)
        if codec == "none":
            return x
        at = 8000 if codec in ("GSM610", "ULAW") else rate
        kind = {"GSM610": "WAV", "ULAW": "WAV", "MP3": "MP3"}.get(codec, "OGG")
        lossy = {"compression_level": 0.95} if kind != "WAV" else {}
        file = io.BytesIO()
        soundfile.write(file, soxr.resample(x, rate, at), at, format=kind, subtype=None
                        if kind == "MP3" else codec, **lossy)  # fmt: skip
        file.seek(0)
        y, at = soundfile.read(file)
        y = soxr.resample(y, at, rate)[: len(x)]
        return np.pad(y, (0, len(x) - len(y)))

    return send


def write(clips: Iterator[Clip], folder: Path) -> None:
    """Write clips as FLAC; those of corpora without folds get five, of whole groups."""
    listed = list(clips)
    groups = np.array([clip[0] for clip in listed])
    folds = np.array([clip[2] for clip in listed])
    if not folds.all():
        splitter = GroupKFold(min(5, len(np.unique(groups))), shuffle=True, random_state=0)
        for k, (_, test) in enumerate(splitter.split(groups, groups=groups)):
            folds[test] = k + 1
    labels = np.array([clip[1] for clip in listed])
    for i, (group, label, _, samples, rate) in enumerate(listed):
        place = folder / f"fold_{folds[i]}" / label
        place.mkdir(parents=True, exist_ok=True)
        samples = samples / max(1.0, np.abs(samples).max())
        soundfile.write(place / f"{group}_{i:04d}.flac", samples, rate, subtype="PCM_16")
    kinds, counts = np.unique(labels, return_counts=True)
    print(f"{folder.name}: {len(listed)} clips, {len(np.unique(groups))} groups", flush=True)
    print("  " + ", ".join(f"{k} {n}" for k, n in zip(kinds, counts, strict=True)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--esc10", type=Path, required=True)
    parser.add_argument("--words", type=Path, required=True)
    options = parser.parse_args()

    def esc10() -> Iterator[Clip]:
        return given(options.esc10, r"^\d-(\d+)-")

    def words() -> Iterator[Clip]:
        return given(options.words, r"^([^_]+)_")

    made: dict[str, Callable[[np.random.Generator], Iterator[Clip]]] = {
        "esc10": lambda rng: esc10(),
        "words": lambda rng: words(),
        "drums": drums,
        "instruments": instruments,
        "hearts": hearts,
        "esc10-second": lambda rng: loudest_second(esc10()),
        "esc10-channels": lambda rng: through_channels(esc10(), rng),
        "words-channels": lambda rng: through_channels(words(), rng),
    }
    for seed, (name, clips) in enumerate(made.items()):
        if not (options.out / name).exists():
            write(clips(np.random.default_rng(seed)), options.out / name)


if __name__ == "__main__":
    main()
