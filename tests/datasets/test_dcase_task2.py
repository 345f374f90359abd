"""load_dcase_task2: names of all years, and what is left out."""

from __future__ import annotations

import pytest

from skaudeep.datasets import load_dataset, load_dcase_task2, validate

# A train and two test clips of each year: names, then section, domain, label and attributes.
YEARS = {
    "2020": {
        "fan/train/normal_id_00_00000000.wav": ("00", "", 0, ""),
        "fan/test/anomaly_id_00_00000001.wav": ("00", "", 1, ""),
        "fan/test/id_02_00000001.wav": ("02", "", -1, ""),
    },
    "2021": {
        "fan/train/section_00_source_train_normal_0000_strength_1_ambient.wav": (
            *("00", "source", 0, "strength_1_ambient"),
        ),
        "fan/source_test/section_00_source_test_anomaly_0000.wav": ("00", "source", 1, ""),
        "fan/target_test/section_03_target_test_0001.wav": ("03", "target", -1, ""),
    },
    "2022": {
        "ToyCar/train/section_01_target_train_normal_0999_car_A1_spd_28V.wav": (
            *("01", "target", 0, "car_A1_spd_28V"),
        ),
        "ToyCar/test/section_01_target_test_normal_0000_car_A1.wav": ("01", "target", 0, "car_A1"),
        "ToyCar/test/section_05_0000.wav": ("05", "", -1, ""),
    },
    "2024": {
        "bearing/train/section_00_source_train_normal_0001_noAttribute.wav": (
            *("00", "source", 0, ""),
        ),
        "bearing/test/section_00_source_test_anomaly_0002_vel_6_loc_A.wav": (
            *("00", "source", 1, "vel_6_loc_A"),
        ),
        "bearing/test/section_00_0000.wav": ("00", "", -1, ""),
    },
}


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize("above", ["", "dev_data/", "data/dev_data/raw/"])
@pytest.mark.parametrize("year", YEARS)
def test_names_say_machine_section_domain_and_label_in_every_year(tmp_path, year, above):
    expected = YEARS[year]
    touch(tmp_path, *(above + name for name in expected))
    bunch = load_dcase_task2(tmp_path)
    validate(bunch)
    found = {
        name.removeprefix(above): tuple(values)
        for name, *values in zip(
            *(bunch[key].tolist() for key in ("filenames", "section", "domain", "target")),
            bunch.attributes.tolist(),
            strict=True,
        )
    }
    assert found == expected
    assert set(bunch.machine) == {next(iter(expected)).split("/")[0]}
    assert bunch.target_names == ["normal", "anomaly"]
    train = ["/train/" in name for name in bunch.filenames]
    assert (bunch.partition == "train").tolist() == train
    assert set(bunch.partition) == {"train", "test"}


def test_load_dataset_finds_the_reader_from_the_corpus_and_from_one_machine(tmp_path):
    touch(tmp_path, *YEARS["2022"], *YEARS["2024"])
    bunch = load_dataset(tmp_path)
    assert bunch.DESCR.splitlines()[-1] == "Read by: load_dcase_task2"
    assert set(bunch.machine) == {"ToyCar", "bearing"}
    assert set(load_dataset(tmp_path / "bearing").machine) == {"bearing"}


def test_files_with_other_names_are_left_out_with_a_warning(tmp_path):
    touch(tmp_path, *YEARS["2024"], "bearing/supplemental/section_00_source_train_normal_0001.wav")
    with pytest.warns(UserWarning, match=r"1 of 4 audio files .* 'bearing/supplemental/section"):
        assert len(load_dcase_task2(tmp_path).data) == 3


def test_a_folder_without_such_clips_is_refused(tmp_path):
    touch(tmp_path, "train/dog/1.wav", "train/section.wav")
    with pytest.raises(FileNotFoundError, match="Found no clips of DCASE's task 2 among 2 audio"):
        load_dcase_task2(tmp_path)
