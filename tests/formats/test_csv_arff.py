"""CSV and ARFF as auDeep exports them, to the byte; back again; and the fusion of stored sets."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io.arff import loadarff
from sklearn.utils import Bunch

import skaudeep.formats
from skaudeep.datasets import make_bunch
from skaudeep.datasets.bunch import replace_keys
from skaudeep.formats.csv_arff import load_arff, load_csv, save_arff, save_csv
from skaudeep.formats.netcdf import load_netcdf

HOSTILE = [
    "a,b.wav",
    'it\'s "quoted".wav',
    "50%.wav",
    "{braces}.wav",
    "two\nlines\r.wav",
    "größe.wav",
    "🦊🎧.wav",
    "?",
    "NA",
    "  spaces  ",
    "back\\slash\\n.wav",
    "\ttab",
    "\r",
    "=1+1",
    "'=1+1",
    "@cmd",
    "-",
    "'",
    "\u2028line\x85breaks\x1c",
    "%comment",
    "@DATA",
    "\x1a\x07",
]
FORMATS = {"csv": (save_csv, load_csv), "arff": (save_arff, load_arff)}


def small_set(**changes: object) -> Bunch:
    parts: dict[str, object] = {
        "data": np.arange(12).reshape(6, 2) / 7,
        "filenames": [f"{name}.wav" for name in "abcdef"],
        "target": [0, 1, 0, 1, 0, 2],
        "target_names": ["dog", "cat", "a bird"],
    }
    return make_bunch(**parts | changes)


FOLDS = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1], [1, 0]])
PARTITION = ["train", "train", "devel", "test", "devel", "train"]


def with_copies(*copy_of: str) -> Bunch:
    return replace_keys(small_set(folds=FOLDS), copy_of=np.array(copy_of))


def assert_same(loaded: Bunch, saved: Bunch) -> None:
    """Compare what both formats hold, which is not the order of the clips."""
    order = [loaded.filenames.tolist().index(name) for name in saved.filenames]
    assert len(order) == len(loaded.filenames)
    data = np.asarray(saved.data, dtype=np.float32)
    np.testing.assert_array_equal(loaded.data[order].reshape(data.shape), data)
    assert loaded.data.dtype == np.float32
    np.testing.assert_array_equal(loaded.folds[order], saved.folds)
    np.testing.assert_array_equal(loaded.partition[order], saved.partition)
    if saved.target.dtype.kind == "f":
        np.testing.assert_array_equal(loaded.target[order].astype(float), saved.target)
    else:
        names = np.array([*saved.target_names, ""])
        loaded_names = np.array([*loaded.target_names, ""])
        assert loaded_names[loaded.target[order]].tolist() == names[saved.target].tolist()


# --- auDeep's exports ----------------------------------------------------------------------------

EXPORTS = [
    ("export-csv", "features-8.nc", save_csv, {"name": "features-8"}),
    ("export-csv-labels-last", "features-8.nc", save_csv, {"name": "feats", "labels_last": True}),
    ("export-arff", "features-8.nc", save_arff, {"name": "features-8"}),
    (
        "export-arff-partitioned",
        "features-8-partitioned.nc",
        save_arff,
        {"name": "features-8-partitioned"},
    ),
]


@pytest.mark.parametrize(("export", "source", "save", "options"), EXPORTS)
def test_save_csv_and_save_arff_write_the_bytes_of_audeep(
    shared: Path, tmp_path: Path, export: str, source: str, save, options: dict
):
    reference = shared / "audeep-reference"
    written = save(load_netcdf(reference / source), tmp_path, **options)
    expected = sorted(file for file in (reference / export).rglob("*") if file.is_file())
    assert sorted(file.relative_to(tmp_path) for file in written) == [
        file.relative_to(reference / export) for file in expected
    ]
    for file in expected:
        ours = tmp_path / file.relative_to(reference / export)
        assert ours.read_bytes() == file.read_bytes()


@pytest.mark.parametrize(("export", "source", "save", "options"), EXPORTS)
def test_load_csv_and_load_arff_read_exports_of_audeep(
    shared: Path, export: str, source: str, save, options: dict
):
    reference = shared / "audeep-reference"
    stored = load_netcdf(reference / source)
    loaded = (load_csv if save is save_csv else load_arff)(reference / export)
    assert_same(loaded, stored)
    assert loaded.target_names == stored.target_names


# --- layouts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({}, {"x": "abcdef"}),
        ({"folds": FOLDS}, {"fold_1/x": "abef", "fold_2/x": "cde"}),
        ({"partition": PARTITION}, {"train/x": "abf", "devel/x": "ce", "test/x": "d"}),
        (
            {"folds": FOLDS, "partition": PARTITION},
            {
                "train/fold_1/x": "abf",
                "devel/fold_1/x": "e",
                "devel/fold_2/x": "ce",
                "test/fold_2/x": "d",
            },
        ),
    ],
    ids=["neither", "folds", "partitions", "both"],
)
def test_save_csv_and_save_arff_put_clips_into_folders_of_folds_and_partitions(
    tmp_path: Path, suffix: str, changes: dict, places: dict[str, str]
):
    """Two of these auDeep gets wrong."""
    save, load = FORMATS[suffix]
    bunch = small_set(**changes)
    files = save(bunch, tmp_path / "new" / "folder", name="x")
    assert [file.relative_to(tmp_path / "new" / "folder").as_posix() for file in files] == [
        f"{place}.{suffix}" for place in places
    ]
    for file, clips in zip(files, places.values(), strict=True):
        assert "".join(name[0] for name in load(file).filenames) == clips
    assert_same(load(tmp_path / "new" / "folder"), bunch)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": [[1], [0], [1], [1], [1], [1]]}, "'b.wav' is tested in no fold"),
        ({"partition": ["train", "test", "", "", "", ""]}, "'c.wav' belongs to no partition"),
    ],
    ids=["folds", "partitions"],
)
def test_save_csv_and_save_arff_refuse_clips_without_a_fold_or_partition(
    tmp_path: Path, changes: dict, message: str
):
    with pytest.raises(ValueError, match=f"{message}.*split=False"):
        save_csv(small_set(**changes), tmp_path)
    (file,) = save_csv(small_set(**changes), tmp_path, split=False)
    assert_same(load_csv(file), small_set())


@pytest.mark.parametrize("suffix", FORMATS)
def test_save_csv_and_save_arff_refuse_a_folder_with_another_layout(tmp_path: Path, suffix: str):
    save, load = FORMATS[suffix]
    save(small_set(folds=FOLDS), tmp_path)
    with pytest.raises(ValueError, match=rf"fold_1.features\.{suffix}: exists from an export"):
        save(small_set(), tmp_path)
    save(small_set(), tmp_path, name="other")
    with pytest.raises(ValueError, match=rf"'features\.{suffix}', 'other\.{suffix}'. Choose one"):
        load(tmp_path)
    assert_same(load(tmp_path, name="other"), small_set())
    (tmp_path / f"features.{suffix}").write_text((tmp_path / f"other.{suffix}").read_text())
    with pytest.raises(ValueError, match="several layouts"):
        load(tmp_path, name="features")
    # Saving again over the same layout is fine.
    save(small_set(folds=FOLDS), tmp_path / "again")
    save(small_set(folds=1 - np.eye(6, 2, dtype=int)), tmp_path / "again")


@pytest.mark.parametrize("suffix", FORMATS)
def test_save_csv_and_save_arff_write_one_row_per_chunk(tmp_path: Path, suffix: str):
    save, load = FORMATS[suffix]
    data = np.arange(36).reshape(6, 3, 2) / 7
    data[1, 2] = data[2, 1:] = np.nan
    bunch = small_set(data=data, folds=FOLDS)
    (file,) = save(bunch, tmp_path, chunked=True, split=False)
    assert len([line for line in file.read_text().splitlines() if ".wav" in line]) == 15
    loaded = load(file)
    assert loaded.data.shape == (6, 3, 2)
    np.testing.assert_array_equal(loaded.data, data.astype(np.float32))
    save(bunch, tmp_path / "folds", chunked=True)
    assert_same(load(tmp_path / "folds"), bunch)


@pytest.mark.parametrize(("save", "load"), [(save_csv, load_csv), (save_arff, load_arff)])
def test_save_csv_and_save_arff_accept_features_in_any_container(tmp_path: Path, save, load):
    rows = [*np.ones((5, 2, 3)), np.zeros((1, 3))]
    save(small_set(data=rows), tmp_path / "list")
    assert np.isnan(load(tmp_path / "list").data).sum(axis=1).tolist() == [0] * 5 + [3]
    save(small_set(data=pd.DataFrame(np.eye(6))), tmp_path / "frame")
    np.testing.assert_array_equal(load(tmp_path / "frame").data, np.eye(6))


def test_save_csv_and_save_arff_flatten_further_axes_to_columns(tmp_path: Path):
    data = np.arange(48).reshape(6, 4, 2)
    (file,) = save_csv(small_set(data=data), tmp_path)
    np.testing.assert_array_equal(load_csv(file).data, data.reshape(6, 8))


# --- what cells may hold -------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("split", [True, False])
def test_load_restores_names_and_classes_with_special_characters(
    tmp_path: Path, suffix: str, split: bool
):
    save, load = FORMATS[suffix]
    n = len(HOSTILE)
    bunch = make_bunch(
        np.zeros((n, 1)),
        HOSTILE,
        target=np.arange(n),
        target_names=HOSTILE[::-1],
        folds=np.eye(n, 2, dtype=int)[np.arange(n) % 2],
    )
    save(bunch, tmp_path, split=split)
    if not split:
        bunch.folds = bunch.folds[:, :0]
    loaded = load(tmp_path)
    assert_same(loaded, bunch)
    assert loaded.target_names == bunch.target_names


texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6
) | st.sampled_from(HOSTILE)


@st.composite
def bunches(draw: st.DrawFn) -> Bunch:
    n_clips = draw(st.integers(2, 5))

    def each(values: st.SearchStrategy) -> list:
        return draw(st.lists(values, min_size=n_clips, max_size=n_clips))

    classes = draw(st.lists(texts, max_size=3, unique=True))
    numbers = st.floats(allow_nan=True, allow_infinity=False)
    labels = st.integers(-1, len(classes) - 1) if classes else numbers
    narrow = st.floats(width=32, allow_nan=True, allow_infinity=False)
    folded, parted = draw(st.booleans()), draw(st.booleans())
    folds = each(st.sampled_from([[1, 0], [0, 1], [1, 1]]))
    folds[0], folds[1] = [1, 0], [0, 1]
    return make_bunch(
        np.array([each(narrow), each(narrow)], np.float32).T,
        draw(st.lists(texts, min_size=n_clips, max_size=n_clips, unique=True)),
        target=each(labels) if draw(st.booleans()) else None,
        target_names=classes,
        folds=folds if folded else None,
        partition=each(st.sampled_from(["train", "devel", "test"])) if parted else None,
    )


@pytest.mark.parametrize("suffix", FORMATS)
@settings(deadline=None, max_examples=80)
@given(bunch=bunches(), labels_last=st.booleans(), escape=st.booleans())
def test_load_restores_any_feature_set_that_save_wrote(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    bunch: Bunch,
    labels_last: bool,
    escape: bool,
):
    save, load = FORMATS[suffix]
    folder = tmp_path_factory.mktemp("round")
    escaping = {"escape_formulas": escape} if suffix == "csv" else {}
    save(bunch, folder, labels_last=labels_last, **escaping)
    loaded = load(folder, **escaping)
    if bunch.target.dtype.kind == "f" and loaded.target.dtype.kind != "f":
        assert np.isnan(bunch.target).all()  # no label at all is no regression
        bunch.target = np.full(len(bunch.target), -1)
    assert_same(loaded, bunch)


@pytest.mark.parametrize("suffix", FORMATS)
def test_load_restores_each_bit_of_a_target_to_regress_on(tmp_path: Path, suffix: str):
    target = [8.302044618221775e-14, 0.06835972487871987, 102190800136.11847, 2.0**54 + 12]
    save, load = FORMATS[suffix]
    save(make_bunch(np.zeros((4, 2), np.float32), list("abcd"), target=target), tmp_path)
    assert load(tmp_path).target.tolist() == target


def test_save_csv_escapes_formulas_on_request(tmp_path: Path):
    formulas = ['=HYPERLINK("x")', "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "'=1", "x=1"]
    bunch = make_bunch(-np.ones((9, 1)), formulas, target=range(9), target_names=formulas)
    (file,) = save_csv(bunch, tmp_path, escape_formulas=True)
    with open(file, newline="") as lines:
        cells = list(csv.reader(lines))[1:]
    assert [row[0] for row in cells] == [row[2] for row in cells]
    assert [row[0] for row in cells] == [f"'{formula}" for formula in formulas[:-1]] + ["x=1"]
    assert {row[4] for row in cells} == {"-1.0"}  # numbers are no formulas
    assert_same(load_csv(file, escape_formulas=True), bunch)


def weka_rows(text: str) -> list[list[str | None]]:
    """Read ARFF as Weka's tokenizer does: a character at a time, C's escapes within quotes."""
    lines = text.split("@DATA\n", 1)[1]
    rows: list[list[str | None]] = [[]]
    cell, quoted, quote, i = "", False, "", 0
    escapes = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
    while i < len(lines):
        char = lines[i]
        if quote and char == "\\":
            octal = re.match(r"[0-7]{1,3}", lines[i + 1 :])
            cell += chr(int(octal[0], 8)) if octal else escapes.get(lines[i + 1], lines[i + 1])
            i += len(octal[0]) if octal else 1
        elif quote:
            cell, quote = (cell, "") if char == quote else (cell + char, quote)
        elif char in "'\"":
            quote, quoted = char, True
        elif char in ",\n":
            rows[-1].append(None if cell == "?" and not quoted else cell)
            cell, quoted = "", False
            rows += [[]] * (char == "\n")
        else:
            assert char not in "%{} \t", "only within quotes"
            cell += char
        i += 1
    assert not quote
    return [list(row) for row in rows if row]


def test_save_arff_writes_files_that_follow_wekas_grammar(tmp_path: Path):
    n = len(HOSTILE)
    bunch = make_bunch(
        np.where(np.arange(n) == 3, np.nan, 0.1)[:, None],
        HOSTILE,
        target=np.arange(n) - 1,
        target_names=HOSTILE[1:],
    )
    (file,) = save_arff(bunch, tmp_path)
    rows = weka_rows(file.read_bytes().decode())
    assert [row[0] for row in rows] == HOSTILE
    assert [row[2] for row in rows] == [None, *HOSTILE[1:]]
    assert [row[4] for row in rows] == [
        None if clip == 3 else repr(float(np.float32(0.1))) for clip in range(n)
    ]


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"target": [-1, 1, 0, 1, 0, 2]},
        {"target": np.array([0.5, np.nan, 1, 2, 3, 4]), "target_names": ()},
        {"target": None, "target_names": ()},
    ],
    ids=["labelled", "partly", "regression", "unlabelled"],
)
def test_scipy_reads_arff_files_saved_without_filenames(tmp_path: Path, labels: dict):
    bunch = small_set(**labels)
    (file,) = save_arff(bunch, tmp_path, filenames=False)
    with open(file) as lines:
        data, meta = loadarff(lines)
    np.testing.assert_array_equal(data["feature_1"], bunch.data[:, 1].astype(np.float32))
    if bunch.target_names:
        assert meta["label_nominal"][1] == ("a bird", "cat", "dog")
        names = [name.decode() for name in data["label_nominal"]]
        assert names == [("?", *bunch.target_names)[label + 1] for label in bunch.target]
    elif bunch.target.dtype.kind == "f":
        np.testing.assert_array_equal(data["label_numeric"], bunch.target)


def test_load_arff_restores_classes_without_clips(tmp_path: Path):
    bunch = small_set(target=[0, 0, 0, 2, 2, 2])
    save_arff(bunch, tmp_path)
    assert load_arff(tmp_path).target_names == ["dog", "cat", "a bird"]
    assert load_arff(tmp_path).target.tolist() == [0, 0, 0, 2, 2, 2]


# --- tables of others ----------------------------------------------------------------------------


def test_load_csv_takes_all_other_columns_for_features(tmp_path: Path):
    (tmp_path / "x.csv").write_text(
        "\ufefffilename,F0 mean,label_nominal,jitter\nb.wav,110,male,0.5\na.wav,220,female,\n"
    )
    loaded = load_csv(tmp_path / "x.csv")
    np.testing.assert_array_equal(loaded.data, np.array([[110, 0.5], [220, np.nan]], np.float32))
    assert loaded.target_names == ["female", "male"]
    assert loaded.target.tolist() == [1, 0]
    assert loaded.filenames.tolist() == ["b.wav", "a.wav"]


HEAD = "@RELATION x\n@ATTRIBUTE filename STRING\n@ATTRIBUTE f REAL\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", "", r"x\.csv: is no CSV table"),
        ("x.csv", b"filename,f\n\xff,1\n", r"x\.csv: is no CSV table in UTF-8"),
        ("x.csv", "filename,f\na,1\nb,1,2,3\n", r"x\.csv: is no CSV table.*line 3"),
        ("x.csv", "name,f\na,1\n", "no column 'filename', but 'name', 'f'"),
        ("x.csv", "name;f\na;1\n", "no column 'filename', but 'name', 'f'"),
        ("x.csv", "filename,chunk_nr\na,1\n", "no features"),
        ("x.csv", "filename,f\na,loud\n", "column 'f' is not numeric"),
        ("x.csv", "filename,f\n", "holds no clips"),
        ("x.csv", "filename,f\na,1\na,2\n", "chunk 0 of 'a' twice"),
        ("x.csv", "filename,chunk_nr,f\na,0.5,1\n", "chunk numbers from 0.5"),
        ("x.csv", "filename,chunk_nr,f\na,,1\n", "chunk numbers from nan"),
        (
            "x.csv",
            "filename,label_nominal,label_numeric,f\na,cat,0,1\nb,dog,0,1\n",
            "'a' is labelled 'cat' and 0, which are not one class",
        ),
        (
            "x.csv",
            "filename,label_nominal,label_numeric,f\na,cat,0,1\nb,dog,,1\n",
            "'b' is labelled 'dog' and nan",
        ),
        (
            "x.csv",
            "filename,chunk_nr,label_nominal,f\na,0,cat,1\na,1,dog,1\n",
            "chunks of 'a' differ in label_nominal",
        ),
        ("x.arff", "", r"x\.arff: is no ARFF relation"),
        ("x.arff", HEAD, r"x\.arff: is no ARFF relation"),
        ("x.arff", HEAD + "@DATA\na,b,c\n", r"x\.arff: is no ARFF relation"),
        ("x.arff", HEAD + "@DATA\na,loud\n", r"x\.arff: is no ARFF relation"),
        ("x.arff", HEAD.replace("filename", "name") + "@DATA\na,1\n", "no column 'filename'"),
        ("x.arff", HEAD.encode() + b"@DATA\n\xff,1\n", r"x\.arff: is no ARFF relation in UTF-8"),
    ],
)
def test_load_csv_and_load_arff_refuse_broken_tables_with_a_reason(
    tmp_path: Path, name: str, content: str | bytes, message: str
):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    load = load_csv if name.endswith("csv") else load_arff
    with pytest.raises(ValueError, match=message):
        load(tmp_path / name)


@pytest.mark.parametrize("save", [save_csv, save_arff])
def test_save_csv_and_save_arff_refuse_a_file_as_folder(tmp_path: Path, save):
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(NotADirectoryError, match=r"a\.txt', which is a file, expected a folder"):
        save(small_set(), tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "mine"


@pytest.mark.parametrize(("save", "load"), [(save_csv, load_csv), (save_arff, load_arff)])
def test_a_path_with_the_ending_of_the_format_is_the_one_file(tmp_path: Path, save, load):
    ending, other = (".csv", ".arff") if save is save_csv else (".arff", ".csv")
    bunch = small_set()
    one = tmp_path / "new" / f"weka{ending}"
    (tmp_path / "new" / "train").mkdir(parents=True)
    (tmp_path / "new" / "train" / one.name).write_text("of something else")
    for _ in range(2):  # like other writers, it replaces the file
        assert save(bunch, one, split=False) == [one]
        assert one.is_file()
    np.testing.assert_array_equal(load(one).data, bunch.data.astype(np.float32))
    with pytest.raises(
        ValueError, match=rf"'?a{other}'?, whose name ends in {other}, expected {ending}"
    ):
        save(bunch, tmp_path / f"a{other}")
    with pytest.raises(ValueError, match=r"name='x', expected one of them"):
        save(bunch, one, name="x")
    folds = make_bunch(np.eye(4), list("abcd"), folds=np.eye(2, dtype=int)[[0, 0, 1, 1]])
    with pytest.raises(ValueError, match=r"in fold_1/, fold_2/\. Name a folder.*split=False"):
        save(folds, tmp_path / f"b{ending}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new"]
    (tmp_path / f"old{ending}").mkdir()  # a folder that is there is one
    files = save(folds, tmp_path / f"old{ending}")
    assert [file.parent.name for file in files] == ["fold_1", "fold_2"]


@pytest.mark.parametrize("load", [load_csv, load_arff])
def test_load_csv_and_load_arff_name_missing_exports(tmp_path: Path, load):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="looked for"):
        load(tmp_path)


def test_load_csv_refuses_files_that_disagree(tmp_path: Path):
    save_csv(small_set(folds=FOLDS), tmp_path)
    second = pd.read_csv(tmp_path / "fold_2" / "features.csv")
    second.assign(feature_0=0).to_csv(tmp_path / "fold_2" / "features.csv", index=False)
    with pytest.raises(ValueError, match=r"chunk 0 of 'e\.wav' twice"):  # which both folds test
        load_csv(tmp_path)
    second.assign(feature_2=0).to_csv(tmp_path / "fold_2" / "features.csv", index=False)
    with pytest.raises(ValueError, match="other columns or classes"):
        load_csv(tmp_path)
    save_csv(small_set(folds=FOLDS), tmp_path / "gap")
    (tmp_path / "gap" / "fold_1" / "features.csv").unlink()
    with pytest.raises(ValueError, match="fold 1 without test clips"):
        load_csv(tmp_path / "gap")


@pytest.mark.parametrize("save", [save_csv, save_arff])
@pytest.mark.parametrize(
    ("bunch", "options", "message"),
    [
        (small_set(data=list("abcdef")), {}, "Clips are extracted first"),
        (small_set(), {"name": "a/b"}, "name='a/b'"),
        (small_set(), {"name": ""}, "name=''"),
        (with_copies("", "a.wav", "", "", "", ""), {}, "copies .* and folds"),
        (small_set(target_names=["", "cat", "dog"]), {}, "means no label"),
    ],
    ids=["paths", "folder", "no name", "copies", "no class"],
)
def test_save_csv_and_save_arff_refuse_what_a_table_cannot_hold(
    tmp_path: Path, save, bunch: Bunch, options: dict, message: str
):
    with pytest.raises(ValueError, match=message):
        save(bunch, tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_save_arff_refuses_a_relation_with_quotes_or_line_breaks(tmp_path: Path):
    with pytest.raises(ValueError, match="without quotes"):
        save_arff(small_set(), tmp_path, relation='a"b')


@pytest.mark.parametrize(("save", "load"), [(save_csv, load_csv), (save_arff, load_arff)])
def test_saving_and_loading_many_features_and_folds_raises_no_warning(
    tmp_path: Path, save, load
):  # pandas's own
    features = np.random.default_rng(0).normal(size=(4, 300)).astype(np.float32)
    features[1] = np.nan
    save(make_bunch(features, ["a", "b", "c", "d"], folds=np.eye(4, dtype=int)), tmp_path)
    np.testing.assert_array_equal(load(tmp_path).data, features)


def test_every_name_in_formats_all_can_be_imported():
    assert set(skaudeep.formats.__all__) >= {"save_netcdf", "load_netcdf", "load_csv", "save_arff"}
    assert all(hasattr(skaudeep.formats, name) for name in skaudeep.formats.__all__)


# --- files that state more than they hold --------------------------------------------------------


def write_long_name(folder: Path, column: str, suffix: str) -> Path:
    cells = {"filename": "{}", "label_nominal": "a", "label_numeric": "0"}
    rows = []
    for number in range(10_000):
        row = {name: cell.format(number) for name, cell in cells.items()}
        if number == 7:
            row[column] = "x" * 100_000
        rows.append(",".join([*row.values(), "1"]) + "\n")
    header = "filename,label_nominal,label_numeric,f\n"
    if suffix == "arff":
        kinds = ["filename STRING", "label_nominal STRING", "label_numeric INTEGER", "f REAL"]
        header = "@RELATION r\n" + "".join(f"@ATTRIBUTE {kind}\n" for kind in kinds) + "@DATA\n"
    path = folder / f"x.{suffix}"
    path.write_text(header + "".join(rows))
    return path


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("column", ["filename", "label_nominal"])
def test_load_csv_and_load_arff_refuse_a_text_that_would_widen_all_others(
    tmp_path: Path, suffix: str, column: str
):
    path = write_long_name(tmp_path, column, suffix)
    with pytest.raises(
        ValueError, match=rf"of 100000 characters in column '{column}' of '.*x\.{suffix}', 'xxx"
    ):
        FORMATS[suffix][1](path)


def test_load_csv_refuses_a_chunk_number_that_nothing_else_bears_out(tmp_path: Path):
    rows = "".join(f"{i},{11999 if i == 0 else 0},1\n" for i in range(12000))
    (tmp_path / "x.csv").write_text("filename,chunk_nr,feature_0\n" + rows)
    with pytest.raises(ValueError, match=r"x\.csv: has 12000 chunks of 12000 clips, but states"):
        load_csv(tmp_path / "x.csv")


def test_load_csv_refuses_rows_without_the_cells_that_the_header_announces(tmp_path: Path):
    header = ",".join(["filename", *(f"f{i}" for i in range(3000))])
    (tmp_path / "x.csv").write_text(header + "\n" + "a\n" * 3000)
    with pytest.raises(ValueError, match=r"x\.csv.*3001 columns and 3000 rows, for which"):
        load_csv(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text('filename,f\n"' + "\n" * 3000 + '",1\n')  # lines, not rows
    assert load_csv(tmp_path / "x.csv").data.shape == (1, 1)


def test_load_arff_refuses_sparse_rows_that_are_nearly_empty(tmp_path: Path):
    kinds = "".join(f"@ATTRIBUTE f{i} REAL\n" for i in range(3000))
    start = "@RELATION r\n@ATTRIBUTE filename STRING\n" + kinds + "@DATA\n"
    (tmp_path / "x.arff").write_text(start + "{0 a}\n" * 3000)
    with pytest.raises(ValueError, match=r"x\.arff.*its rows are sparse"):
        load_arff(tmp_path / "x.arff")
    (tmp_path / "x.arff").write_text(start + "{0 a, 7 1}\n{0 b}\n")
    assert load_arff(tmp_path / "x.arff").data[:, 6].tolist() == [1, 0]


@pytest.mark.parametrize("suffix", FORMATS)
def test_load_csv_and_load_arff_take_no_number_of_a_folder_for_a_number_of_folds(
    tmp_path: Path, suffix: str
):
    save, load = FORMATS[suffix]
    save(small_set(folds=FOLDS), tmp_path)
    (tmp_path / "fold_2").rename(tmp_path / "fold_1000000000000")
    with pytest.raises(ValueError, match=r"fold_1000000000000, but fold 2 without test clips"):
        load(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="needs pipes and files with holes")
@pytest.mark.parametrize("suffix", FORMATS)
def test_load_csv_and_load_arff_refuse_pipes_and_files_with_a_hole(tmp_path: Path, suffix: str):
    load = FORMATS[suffix][1]
    os.mkfifo(tmp_path / f"pipe.{suffix}")
    with pytest.raises(OSError, match=rf"pipe\.{suffix}', which is a named pipe, expected"):
        load(tmp_path / f"pipe.{suffix}")
    (tmp_path / "export").mkdir()
    os.mkfifo(tmp_path / "export" / f"pipe.{suffix}")
    with pytest.raises(FileNotFoundError, match=f"Found no .{suffix} file"):
        load(tmp_path / "export")
    save_csv(small_set(), tmp_path, name="x")
    with open(tmp_path / "x.csv", "r+b") as file:
        file.truncate(20 * 10**9)
    with pytest.raises(ValueError, match=r"x\.csv.*it holds zero characters"):
        load(tmp_path / "x.csv")


def test_load_csv_names_the_file_that_does_not_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    save_csv(small_set(), tmp_path)
    monkeypatch.setattr("skaudeep.formats.tables.make_bunch", full)
    with pytest.raises(MemoryError, match=r"features\.csv: does not fit into memory"):
        load_csv(tmp_path / "features.csv")


def test_load_csv_does_not_quote_all_of_a_cell_or_of_a_header(tmp_path: Path):
    (tmp_path / "x.csv").write_text("filename,f\na," + "x" * 100_000 + "\n")
    with pytest.raises(ValueError, match="column 'f' is not numeric") as caught:
        load_csv(tmp_path / "x.csv")
    assert len(str(caught.value)) < 1000
    names = ",".join(f"mfcc_{i}" for i in range(6373))
    (tmp_path / "x.csv").write_text(f"name,file_name,{names}\n")
    with pytest.raises(ValueError, match=r"no column 'filename', but 'file_name', ") as caught:
        load_csv(tmp_path / "x.csv")
    assert len(str(caught.value)) < 1000
