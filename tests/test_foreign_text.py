"""Names of files and texts in files never reach a terminal as they are: it would obey them."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

import skaudeep
from skaudeep import BandStatistics, ReservoirFeatures, SpectrogramExtractor
from skaudeep._texts import printable
from skaudeep.audio.errors import AudioError
from skaudeep.datasets import (
    add_folds,
    audit,
    concatenate,
    describe,
    load_compare_challenge,
    load_dataset,
    load_dcase,
    load_esc,
    load_folder,
    load_index,
    load_table,
    load_urbansound8k,
    make_bunch,
    validate,
)
from skaudeep.datasets.archives import unpack
from skaudeep.evaluation import evaluate
from skaudeep.formats import load_arff, load_csv

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


def test_tables_of_clips_show_cells_and_names_escaped(tmp_path):
    name = f"{TEXT}.wav"
    clips = ["a.wav", "b.wav", "c.wav"]
    for clip in clips:
        touch(tmp_path / clip)
    quoted = '"' + TEXT + '"'
    path = touch(tmp_path / f"table{NAME}.csv", f"file,{quoted},x\na.wav,1,1\nb.wav,{quoted},1\n")
    lists = touch(tmp_path / f"lists{NAME}.csv", f'file,who\na.wav,x\n"{name}",y\n')
    twice = touch(tmp_path / "twice.csv", f"file,fold\na.wav,{quoted}\nb.wav,{quoted}\n")
    damaged = touch(tmp_path / f"damaged{NAME}.csv", 'file,who\n"a.wav,x\n\udcff')
    ragged = touch(tmp_path / f"ragged{NAME}.csv", "file,who\na.wav,x,y,z\n")
    check(
        lambda: load_table(path, path="file", target=None, groups="x"),
        lambda: load_table(path, path="file", target="nothing"),
        lambda: load_table(path, path="file", target=TEXT, task="regression"),
        lambda: load_table(path, path="file", partition=TEXT),
        lambda: load_table(lists, path="file"),
        lambda: load_table(twice, path="file", fold="fold"),
        lambda: load_table(damaged, path="file"),
        lambda: load_table(ragged, path="file"),
        lambda: load_table(tmp_path / f"none{NAME}.csv", path="file"),
        lambda: load_index(
            pd.MultiIndex.from_tuples([(name, 1.0, 0.5)], names=["file", "start", "end"]),
            root=tmp_path,
        ),
    )


def test_readers_of_corpora_show_cells_and_names_escaped(tmp_path):
    esc = tmp_path / f"esc{NAME}"
    header = "filename,fold,target,category,esc10,src_file,take\n"
    touch(esc / "meta/esc50.csv", f'{header}"{TEXT}.wav",1,0,dog,True,7,A\n')
    urban = tmp_path / f"urban{NAME}"
    header = "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
    touch(urban / "metadata/UrbanSound8K.csv", f'{header}"{TEXT}",1,0,1,1,"{TEXT}",3,dog\n')
    scenes = tmp_path / f"scenes{NAME}"
    touch(scenes / "meta.txt", "audio/a.wav\tbeach\tb020\naudio/a.wav\tbeach\tb020\n")
    (scenes / "evaluation_setup").mkdir()
    events = tmp_path / f"events{NAME}"
    touch(events / "metadata/train/weak.csv", "filename\tevent_labels\nYa.wav\tDog\n")
    touch(events / f"metadata/{NAME}/{NAME}.csv", "filename\tevent_labels\nYa.wav\tDog\n")
    (events / "audio/train").mkdir(parents=True)
    bad = tmp_path / f"bad{NAME}"
    touch(bad / "metadata/train/weak.csv", "filename\tevent_labels\nYa.wav\tDog\n")
    touch(bad / f"metadata/train/{NAME}.csv", "filename\tevent_labels\n\x1b\udcff\tDog\t\t\n")
    (bad / "audio/train").mkdir(parents=True)
    compare = tmp_path / f"compare{NAME}"
    touch(compare / "lab/labels.csv", f'file_name,label\n"train_{TEXT}.wav",x\ntest_1.wav,?\n')
    (compare / "wav").mkdir()
    check(
        lambda: load_esc(esc),
        lambda: load_urbansound8k(urban),
        lambda: load_dcase(scenes),
        lambda: load_dcase(events),
        lambda: load_dcase(bad),
        lambda: load_compare_challenge(compare),
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
        lambda: hostile_bunch(folds=np.ones((12, 1)), fold_names=[TEXT]),
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


def test_data_sets_and_models_show_the_names_of_files_escaped(tmp_path):
    folder = tmp_path / NAME
    folder.mkdir()
    model = folder / "model.skaudeep"
    skaudeep.save(StandardScaler().fit(np.eye(3)), model)
    bunch = make_bunch(np.eye(3, dtype=np.float32), ["a", "b", "c"])
    stored = tmp_path / "good.nc"
    skaudeep.save_netcdf(bunch, stored)
    for suffix, load in {
        ".skaudeep": skaudeep.load,
        ".nc": skaudeep.load_netcdf,
        ".csv": load_csv,
        ".arff": load_arff,
    }.items():
        for text in ("", "no data set\n1,2\n,,,,\n", "filename,chunk_nr,feature_0\na,7,x\n"):
            touch(folder / f"x{suffix}", text)
            check(lambda load=load, suffix=suffix: load(folder / f"x{suffix}"))
        check(lambda load=load, suffix=suffix: load(folder / f"none{suffix}"))
    os.truncate(model, model.stat().st_size - 1)
    shutil.copy(stored, folder / "cut.nc")
    os.truncate(folder / "cut.nc", stored.stat().st_size // 2)
    missing = folder / "none" / "x"
    check(
        lambda: skaudeep.load(model),
        lambda: skaudeep.load_netcdf(folder / "cut.nc"),
        lambda: skaudeep.load_netcdf(folder / "cut.nc", verify=False),
        lambda: skaudeep.save(StandardScaler(), missing),
        lambda: skaudeep.save_netcdf(bunch, missing),
        lambda: skaudeep.save(StandardScaler(), folder),
        lambda: extract([write(tmp_path / "a.wav")], EXTRACTOR, missing),
    )


def test_words_of_torch_about_a_device_are_shown_escaped():
    check(lambda: ReservoirFeatures(4, device=TEXT).fit(np.zeros((2, 5, 3), np.float32)))


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
