"""What an INPUT is: each kind gives the clips that it stands for, or an error that helps."""

import io
from types import SimpleNamespace

import numpy as np
import pytest

from skaudeep.cli.errors import CommandError
from skaudeep.cli.inputs import (
    choose_folds,
    choose_rate,
    describe_source,
    read_clips,
    read_source,
    require_classes,
    stem_of,
)
from skaudeep.datasets import describe, make_bunch
from skaudeep.formats import save_arff, save_csv, save_netcdf


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Work in a folder of two clips."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "sub/b.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(inputs, **options):
    return read_source(inputs, **options).bunch.filenames.tolist()


def test_a_folder_is_read_by_its_subfolders(birds):
    source = read_source([str(birds)])
    assert source.bunch.target_names == ["crow", "owl"]
    assert source.title == "birds/"


def test_recordings_and_folders_are_named_below_the_folder_that_holds_all(here):
    assert names(["a.wav", "sub/b.wav"]) == ["a.wav", "sub/b.wav"]
    assert names([str(here / "a.wav"), str(here / "sub/b.wav")]) == ["a.wav", "sub/b.wav"]
    assert names(["sub", "a.wav"]) == ["sub/b.wav", "a.wav"]
    assert names(["sub/b.wav"]) == ["b.wav"]


def test_clips_to_predict_keep_the_names_that_were_given(here):
    for given in (["a.wav", "sub/b.wav"], [str(here / "a.wav")]):
        clips = read_clips(given, None)
        assert clips.data == clips.names == given
    assert read_clips(["sub"], None) == (["sub/b.wav"], ["b.wav"], "sub/", ("clip",))


@pytest.mark.parametrize(
    "content", [b"a.wav\nsub/b.wav\n", b"a.wav\0sub/b.wav\0", b"a.wav\r\nsub/b.wav"]
)
def test_names_on_standard_input_are_divided_by_line_or_by_nul(here, monkeypatch, content):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert names(["-"]) == ["a.wav", "sub/b.wav"]


def test_a_name_with_a_line_break_or_foreign_bytes_arrives_whole(here, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"x\ny.wav\0\xff.wav\0")))
    assert read_clips(["-"], None)[0] == ["x\ny.wav", "\udcff.wav"]


def test_an_empty_standard_input_is_refused(here, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"\n")))
    with pytest.raises(CommandError, match="holds no name"):
        read_source(["-"])


@pytest.mark.parametrize(
    "table",
    [
        "filename,label\na.wav,x\nsub/b.wav,y\n",
        "who\tsound\tspecies\nann\ta.wav\tx\nann\tsub/b.wav\ty\n",
        f"filename,said,label\na.wav,{'word ' * 1000},x\nsub/b.wav,none,y\n",  # no name so long
    ],
)
def test_the_columns_of_a_table_are_recognised(here, table):
    (here / "clips.csv").write_text(table)
    source = read_source(["clips.csv"], needs_labels=True)
    assert source.bunch.filenames.tolist() == ["a.wav", "sub/b.wav"]
    assert source.bunch.target_names == ["x", "y"]
    assert "paths in column" in source.remark


def test_a_column_that_occurs_twice_is_not_offered_for_the_classes(here):
    (here / "clips.csv").write_text("file,kind,kind,site,who\na.wav,x,y,1,ann\n")
    remark = read_source(["clips.csv"]).remark
    assert "--target COLUMN names one of 'site', 'who'; several are called 'kind'" in remark
    with pytest.raises(CommandError, match="Several are called 'kind': rename them"):
        read_source(["clips.csv"], needs_labels=True)


def test_columns_can_be_named(here):
    (here / "clips.csv").write_text(
        "one,two,label,kind\na.wav,sub/b.wav,x,u\nsub/b.wav,a.wav,y,v\n"
    )
    source = read_source(["clips.csv"], path="two", target="kind")
    assert source.bunch.filenames.tolist() == ["sub/b.wav", "a.wav"]
    assert source.bunch.target_names == ["u", "v"]
    with pytest.raises(CommandError, match=r"2 columns name files.*--path COLUMN.*'one', 'two'"):
        read_source(["clips.csv"])


def test_a_table_whose_classes_are_not_clear_lists_its_columns(here):
    (here / "clips.csv").write_text("file,bird,site\na.wav,x,1\nsub/b.wav,y,2\n")
    assert read_source(["clips.csv"]).bunch.target_names == []
    with pytest.raises(CommandError, match=r"--target COLUMN.*'file', 'bird', 'site'"):
        read_source(["clips.csv"], needs_labels=True)
    (here / "clips.csv").write_text("file,bird\nc.wav,x\n")
    with pytest.raises(CommandError, match=r"no column names files.*--path"):
        read_source(["clips.csv"])
    with pytest.raises(CommandError, match="no table is given"):
        read_source(["a.wav"], target="bird")


@pytest.mark.parametrize("suffix", [".nc", ".csv", ".arff"])
def test_files_of_features_are_read_by_their_ending(here, suffix):
    features = make_bunch(np.eye(2), ["a.wav", "b.wav"], target=[0, 1], target_names=["x", "y"])
    if suffix == ".nc":
        save_netcdf(features, "features.nc")
    else:
        {".csv": save_csv, ".arff": save_arff}[suffix](features, ".")
    source = read_source([f"features{suffix}"], needs_labels=True)
    np.testing.assert_array_equal(source.bunch.data, np.eye(2))
    assert source.bunch.target_names == ["x", "y"]


@pytest.mark.parametrize("column", ["filename", "file"])
def test_labels_come_from_a_table_of_a_report_or_of_predictions(here, column):
    (here / "labels.tsv").write_text(f"{column}\tlabel\tp\na.wav\towl\t1\nsub/b.wav\t\t\n")
    bunch = read_source(["a.wav", "sub/b.wav"], labels=["labels.tsv"], needs_labels=True).bunch
    assert (bunch.target.tolist(), bunch.target_names) == ([0, -1], ["owl"])


def test_several_tables_of_labels_are_joined(here):
    for name, text in (("1/l.csv", "a.wav,owl"), ("2/l.csv", "sub/b.wav,crow\na.wav,owl")):
        (here / name).parent.mkdir()
        (here / name).write_text(f"filename,label\n{text}\n")
    bunch = read_source(["a.wav", "sub/b.wav"], labels=["1/l.csv", "2/l.csv"]).bunch
    assert [bunch.target_names[label] for label in bunch.target] == ["owl", "crow"]
    (here / "2/l.csv").write_text("filename,label\na.wav,crow\n")
    with pytest.raises(CommandError, match=r"'a.wav' is called 'owl' in 1/l.csv and 'crow' in 2/"):
        read_source(["a.wav", "sub/b.wav"], labels=["1/l.csv", "2/l.csv"])


def test_missing_labels_are_refused_with_ways_to_give_them(here):
    with pytest.raises(CommandError, match=r"a.wav: its clip has no label.*folder.*--labels"):
        read_source(["a.wav"], needs_labels=True)


def test_a_model_in_place_of_recordings_is_refused_with_what_reads_it():
    with pytest.raises(CommandError, match=r"is a model.*skaudeep inspect"):
        read_source(["birds.skaudeep"])


def test_groups_are_found_in_names(birds):
    bunch = read_source([str(birds)], groups=r"site(\d)").bunch
    assert sorted(set(bunch.groups)) == ["0", "1", "2", "3"]


def test_numbers_agree_with_their_nouns(birds):
    source = read_source([str(birds)])
    source.bunch.target[1:] = -1
    line = describe_source(source, describe(source.bunch))
    assert ", 1 labelled in 1 class (crow 1), 15 unlabelled, " in line


def test_what_was_understood_is_one_line(birds):
    source = read_source([str(birds)], groups=r"site(\d)")
    line = describe_source(source, describe(source.bunch), choose_folds(source.bunch, None)[1])
    assert line == (
        "birds/: 16 clips in 2 classes (crow 8, owl 8), 5 s, 8000 Hz, groups: 4, "
        "folds: none -> 4 folds"
    )
    partly = read_source([str(birds)])
    partly.bunch.target[:3] = -1
    assert ", 13 labelled in 2 classes (owl 8, crow 5), 3 unlabelled, " in describe_source(
        partly, describe(partly.bunch)
    )


def test_folds_are_those_of_the_corpus_unless_a_number_is_given():
    clips = [f"{i}.wav" for i in range(8)]
    target = [0, 0, 0, 0, 0, 0, 1, 1]
    plain = make_bunch(clips, clips, target=target, target_names=["x", "y"])
    folded = make_bunch(
        clips, clips, target=target, target_names=["x", "y"], folds=[[1, 0], [0, 1]] * 4
    )
    assert choose_folds(plain, None) == (2, "folds: none -> 2 folds")
    assert choose_folds(plain, 4) == (4, "folds: none -> 4 folds")
    assert choose_folds(folded, None) == (None, "folds: 2 of the corpus")
    lone = make_bunch(clips, clips, target=[0] * 7 + [1], target_names=["x", "y"])
    assert choose_folds(lone, None)[1] == (
        "folds: none, for which two classes need several recordings each"
    )
    with pytest.raises(CommandError, match="--folds 7: no class has more than 6 clips"):
        choose_folds(plain, 7)
    assert choose_folds(folded, 3) == (3, "folds: 2 of the corpus -> 3 folds")


def test_a_doubt_about_folders_is_said_unless_there_are_none(here, capsys):
    read_source(["sub"])
    assert capsys.readouterr().err == ""
    read_source(["."])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Warning: 2 files below '.' are read as unlabelled")
    assert "load_esc" not in line


def test_the_most_frequent_sampling_rate_is_taken_and_said(write_sound, tmp_path, capsys):
    files = [
        str(write_sound(tmp_path / f"{rate}_{i}.wav", rate=rate))
        for rate, n in ((8000, 1), (4000, 2))
        for i in range(n)
    ]
    summary = describe(read_source(files).bunch)
    assert choose_rate(summary, None) == 4000
    assert "4000 Hz (2), 8000 Hz (1). All are resampled to 4000 Hz" in capsys.readouterr().err
    assert choose_rate(summary, 8000.0) == 8000
    assert choose_rate(describe(read_source(files[:1]).bunch), None) == 8000
    assert capsys.readouterr().err == ""


def test_files_are_called_after_the_input(here):
    assert stem_of(["sub"]) == "sub"
    assert stem_of(["."]) == here.name
    assert stem_of(["tables/clips.csv"]) == "clips"
    assert stem_of(["-"]) == stem_of(["a.wav", "b.wav"]) == "recordings"


def test_several_values_of_a_clip_are_not_called_several_classes():
    X, names = np.zeros((2, 3)), {"target_names": ["x", "y"]}
    values = make_bunch(X, ["a", "b"], target=np.array([[0.5, 1], [2, 3.5]]), **names)
    with pytest.raises(CommandError, match=r"^a\.nc: has values to regress on"):
        require_classes("a.nc", values)
    classes = make_bunch(X, ["a", "b"], target=np.array([[1, 1], [0, 1]]), **names)
    with pytest.raises(CommandError, match=r"^a\.nc: clips may have several classes"):
        require_classes("a.nc", classes)
