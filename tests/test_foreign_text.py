"""Names of files and texts in files never reach a terminal as they are: it would obey them."""

from __future__ import annotations

import os
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch

import skaudeep
from skaudeep import BandStatistics, SpectrogramExtractor
from skaudeep._texts import printable
from skaudeep.audio.errors import AudioError
from skaudeep.datasets import (
    add_folds,
    audit,
    concatenate,
    describe,
    load_dataset,
    load_folder,
    make_bunch,
    validate,
)
from skaudeep.datasets.archives import unpack
from skaudeep.evaluation import evaluate

pytestmark = pytest.mark.skipif(os.name != "posix", reason="other systems refuse such names")

# ESC clears the screen, BEL rings, CR and line breaks forge lines, U+202E turns what follows
# around, and a surrogate stands for a byte that is no text.
WORD = "forged"
TEXT = f"a\x1b[2J\x07\r\n{WORD} line\u202e\x85"
NAME = f"{TEXT}\udcff"
RATE = 8000
EXTRACTOR = SpectrogramExtractor(n_mels=8)


def texts_of(call: Callable[[], Any], printed: bool) -> list[str]:
    """All that a call shows: its error, its warnings and, if printed, what it returns."""
    shown = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
            shown += [str(result), repr(result)] * printed
        except (OSError, ValueError) as error:
            shown.append(str(error))
    return shown + [str(warning.message) for warning in caught]


def check(*calls: Callable[[], Any], printed: bool = False) -> None:
    """Each call shows the name or text, and none shows it as it is."""
    faults = []
    for number, call in enumerate(calls):
        texts = texts_of(call, printed)
        if not any(WORD in text for text in texts):
            faults.append(f"call {number} tests nothing: {texts}")
        for text in texts:
            if not text.replace("\n", "").isprintable() or f"\n{WORD}" in text:
                faults.append(f"call {number}: {text!r}")
    assert not faults, "\n".join(faults)


def write(path: Path, samples: Any = None, rate: int = RATE) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    if samples is None:
        samples = np.random.default_rng(0).uniform(-0.5, 0.5, RATE)
    soundfile.write(path.parent / "plain.wav", samples, rate)
    (path.parent / "plain.wav").rename(path)
    return str(path)


def extract(paths: list[Any], extractor: SpectrogramExtractor, path: Path) -> None:
    bunch = make_bunch(paths, [os.path.basename(path) for path in paths])
    skaudeep.extract_to_netcdf(bunch, extractor, path)


def touch(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
    return path


def cut(path: Path) -> str:
    write(path)
    os.truncate(path, path.stat().st_size // 2)
    return str(path)


def hostile_bunch(names: list[str] | None = None, **keys: Any) -> Any:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (12, RATE)).astype(np.float32)
    keys = {"target": np.arange(12) % 2, "target_names": ["owl", TEXT]} | keys
    return make_bunch(noise, names or [f"{i}/{TEXT}.wav" for i in range(12)], **keys)


@pytest.mark.parametrize(
    "character", ["\x1b", "\a", "\r", "\n", "\u202e", "\udcff", "\x7f", "\x9b"]
)
def test_printable_escapes_every_character_that_a_terminal_obeys(character):
    assert printable(f"a{character}b") == repr(f"a{character}b")
    assert printable(f"a{character}b").isprintable()
    assert printable(printable(f"a{character}b")) == repr(f"a{character}b")


def test_printable_leaves_letters_of_all_scripts_as_they_are():
    for text in ("bark 1.wav", "höhö", "犬.wav", "🐕"):
        assert printable(text) is text


def test_errors_about_clips_show_names_escaped(tmp_path):
    lost, damaged = tmp_path / f"lost{NAME}.wav", touch(tmp_path / f"{NAME}.wav", "no audio")
    folder = tmp_path / f"folder{NAME}.wav"
    folder.mkdir()
    m4a = touch(tmp_path / f"{NAME}.m4a", "no audio")
    for path in (lost, damaged, folder, m4a, cut(tmp_path / f"cut{NAME}.wav")):
        check(
            lambda path=path: EXTRACTOR.fit([path]),
            lambda path=path: EXTRACTOR.transform([path]),
            lambda path=path: SpectrogramExtractor(n_mels=8, on_error="nan").transform([path]),
        )
    other = f"reason with {NAME}"
    check(lambda: AudioError("a.wav", other, "Mend it"), printed=True)


def test_warnings_about_clips_show_names_escaped(tmp_path):
    good, lost = write(tmp_path / "good.wav"), tmp_path / f"lost{NAME}.wav"
    silent = write(tmp_path / f"silent{NAME}.wav", np.zeros(RATE))
    shortened = cut(tmp_path / f"cut{NAME}.wav")
    extractor = SpectrogramExtractor(n_mels=8, on_error="nan")
    reader = SpectrogramExtractor(n_mels=8, on_error="read")
    check(
        lambda: extractor.transform([good, lost]),
        lambda: extractor.transform([good, silent]),
        lambda: reader.transform([good, shortened]),
        lambda: extract([good, lost, silent], extractor, tmp_path / "a.nc"),
        lambda: extract([good, shortened], reader, tmp_path / "b.nc"),
    )


def test_errors_about_two_rates_show_both_names_escaped(tmp_path):
    paths = [write(tmp_path / f"{i}{NAME}.wav", rate=RATE * (i + 1)) for i in range(2)]
    fitted = SpectrogramExtractor(n_mels=8).fit(paths[:1])
    check(
        lambda: EXTRACTOR.fit(paths),
        lambda: EXTRACTOR.transform(paths),
        lambda: fitted.transform(paths),
        lambda: extract(paths, EXTRACTOR, tmp_path / "a.nc"),
    )


def test_readers_of_folders_show_names_escaped(tmp_path):
    for name in ("cat", NAME):
        touch(tmp_path / "formats" / name / "a.wav")
        touch(tmp_path / "formats" / name / f"{NAME}.vox")
        touch(tmp_path / "deep" / name / "sub" / f"{NAME}.wav")
        touch(tmp_path / "deep" / name / f"{NAME}.wav")
    (tmp_path / "formats" / f"link{NAME}").symlink_to("cat")
    (tmp_path / "formats" / f"lost{NAME}").symlink_to("nowhere")
    touch(tmp_path / "strays" / f"{NAME}.wav")
    touch(tmp_path / "strays" / "fold_1" / "a.wav")
    empty = tmp_path / f"empty{NAME}"
    touch(empty / f"{NAME}.vox")
    touch(tmp_path / "one" / f"fold_1{NAME}" / "x" / f"{NAME}.wav")
    for load in (load_folder, load_dataset):
        check(
            lambda load=load: load(tmp_path / "formats"),
            lambda load=load: load(tmp_path / "deep"),
            lambda load=load: load(tmp_path / "strays"),
            lambda load=load: load(empty),
            lambda load=load: load(tmp_path / f"none{NAME}"),
            lambda load=load: load(tmp_path / "one"),
        )


def test_printed_tables_show_names_and_classes_escaped(tmp_path):
    bunch = hostile_bunch()
    bunch.sampling_rate = RATE
    bunch.data[1] = bunch.data[0]
    bunch.data[2] = 0
    files = make_bunch([tmp_path / f"{NAME}.wav"], [f"{NAME}.wav"])
    alone = hostile_bunch(target=[0] * 11 + [1])
    check(
        lambda: describe(bunch),
        lambda: describe(files),
        lambda: describe(alone),
        lambda: audit(bunch),
        lambda: audit(files),
        lambda: audit(bunch).to_string(),
        lambda: audit(bunch)[["filename", "detail"]],
        printed=True,
    )
    # The names themselves stay as they are: clips are selected by them.
    assert (
        np.isin(bunch.filenames, audit(bunch).filename).tolist()
        == [False, True, True] + [False] * 9
    )


def test_faults_of_data_sets_show_names_groups_and_classes_escaped():
    names = [f"{TEXT}{i // 2}.wav" for i in range(12)]

    def broken(**keys: Any) -> Any:
        bunch = hostile_bunch()
        bunch.update(keys)
        return validate(bunch)

    numbers = np.arange(12) % 2
    same = {"target": np.zeros(12, int), "filenames": np.array(names), "chunk_nr": numbers}
    check(
        lambda: broken(**same, groups=np.array([f"{TEXT}{i}" for i in range(12)])),
        lambda: broken(**{**same, "chunk_nr": numbers * 2}),
        lambda: broken(target=np.full(12, 7)),
        lambda: broken(partition=np.array([TEXT] * 12)),
        lambda: broken(filenames=np.array([TEXT] * 12)),
        lambda: hostile_bunch(partition=[TEXT] * 12),
        lambda: concatenate([hostile_bunch(), hostile_bunch()]),
        lambda: add_folds(hostile_bunch(target=[0] * 11 + [1])),
    )


def test_evaluations_show_classes_groups_and_clips_escaped():
    bunch = hostile_bunch(folds=(np.arange(12)[:, None] % 4 < 2).astype(np.int8))
    bunch.data = np.random.default_rng(0).normal(size=(12, 3))
    bunch.target = np.repeat([0, 1], 6)
    grouped = Bunch(**bunch)
    grouped.groups = np.array([f"{TEXT}{i}" for i in bunch.target])
    alone = Bunch(**bunch)
    alone.target = np.array([0] * 11 + [1])
    classifier = LogisticRegression()
    check(
        lambda: evaluate(classifier, grouped, controls=False),
        lambda: evaluate(classifier, alone, cv=[(range(8), range(8, 12))], controls=False),
        printed=True,
    )


def test_archives_show_the_names_of_members_escaped(tmp_path):
    damaged = touch(tmp_path / f"damaged{NAME}.zip", "PK\3\4 no archive")
    neither = touch(tmp_path / f"neither{NAME}.zip", "neither")
    outside = tmp_path / f"outside{NAME}.zip"
    with zipfile.ZipFile(outside, "w") as archive:
        archive.writestr(f"../{TEXT}", b"x")
    encrypted = tmp_path / "encrypted.zip"
    with zipfile.ZipFile(encrypted, "w") as archive:
        archive.writestr(TEXT, b"x")
    content = bytearray(encrypted.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1  # "encrypted"
    encrypted.write_bytes(content)
    check(
        *(
            lambda path=path: unpack([path], tmp_path / "here")
            for path in (damaged, neither, outside, encrypted)
        )
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs such names")
def test_statistics_of_a_file_with_a_hostile_name_are_right(tmp_path):
    path = write(tmp_path / f"{NAME}.wav")
    spectrograms = EXTRACTOR.transform([path])
    assert BandStatistics().fit_transform(spectrograms).shape[0] == 1
