"""Times of recordings from the names that recorders give their files."""

import numpy as np
import pytest

from skaudeep.datasets.recorders import recording_time


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("20230401_053000.WAV", "2023-04-01T05:30:00"),  # AudioMoth
        ("24F3190361DF5B3C_20230401_053000T.WAV", "2023-04-01T05:30:00"),
        ("5A7B5F2C.WAV", "2018-02-07T20:18:52"),
        ("data/north/SITE_20230401_053000.wav", "2023-04-01T05:30:00"),  # Song Meter
        ("SITE_0+1_20130305$235959.wav", "2013-03-05T23:59:59"),
        ("20220101_000000\\S4A01234_20240229_120000_000.flac", "2024-02-29T12:00:00"),
        ("20200101_000000_to_20230401_053000.wav", "2023-04-01T05:30:00"),
    ],
)
def test_recording_time_reads_names_of_audiomoth_and_song_meter(name, time):
    assert recording_time(name) == np.datetime64(time)


@pytest.mark.parametrize(
    "name",
    [
        "owl.wav",
        "20230401.WAV",  # a date: as hexadecimal seconds it would be in 1987
        "5A7B5F2C.wav",  # AudioMoth writes .WAV
        "5a7b5f2c.WAV",
        "FFFFFFFF.WAV",
        "SITE_20230230_053000.wav",
        "SITE_20230401_256000.wav",
        "SITE_16000101_000000.wav",
        "120230401_0530001.wav",
        "20230401_053000/owl.wav",  # a folder is no recorder's name of a file
    ],
)
def test_recording_time_of_other_names_is_unknown(name):
    assert np.isnat(recording_time(name))
