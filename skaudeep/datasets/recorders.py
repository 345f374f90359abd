"""The time of a recording, by the name that its recorder gave the file."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np

# AudioMoth: 20230401_053000.WAV, 24F3190361DF5B3C_20230401_053000T.WAV; Song Meter:
# SITE_20230401_053000.wav, SITE_0+1_20230401$053000.wav. The last of several is the time.
_DATE_AND_TIME = re.compile(r"(?<!\d)(\d{8})[_$T-](\d{6})(?!\d)")
# AudioMoth before 2019: seconds since 1970 in hexadecimal digits, 5A7B5F2C.WAV. A date such as
# 20230401.WAV would be a time of 1987, before there was such a recorder.
_SECONDS = re.compile(r"[0-9A-F]{8}(?=\.WAV$)")
_FIRST_SECOND = 1_483_228_800  # the start of 2017
_LAST_SECOND = 2**31 - 1


def recording_time(filename: str) -> np.datetime64:
    """Return the time at which a recording began, from the name of its file.

    Parameters
    ----------
    filename : str
        Name or path of the file, in the manner of AudioMoth (`20230401_053000.WAV`, or the older
        `5A7B5F2C.WAV` with hexadecimal seconds since 1970) or of Song Meter
        (`SITE_20230401_053000.wav`).

    Returns
    -------
    numpy.datetime64
        The time by the recorder's clock, whose time zone is unknown, in nanoseconds. NaT if the
        name states no time, or a date that does not exist.

    Examples
    --------
    >>> print(recording_time("north/SITE_20230401_053000.wav").astype("datetime64[s]"))
    2023-04-01T05:30:00
    >>> print(recording_time("5A7B5F2C.WAV").astype("datetime64[s]"))
    2018-02-07T20:18:52
    >>> print(recording_time("owl_12.wav"))
    NaT
    """
    name = filename.replace("\\", "/").rsplit("/", 1)[-1]
    time = None
    if found := _DATE_AND_TIME.findall(name):
        try:
            time = datetime.strptime("".join(found[-1]), "%Y%m%d%H%M%S")
        except ValueError:
            time = None
    elif match := _SECONDS.match(name):
        seconds = int(match[0], 16)
        if _FIRST_SECOND <= seconds <= _LAST_SECOND:
            time = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    if time is None or not 1678 <= time.year <= 2261:  # the range of nanoseconds in 64 bits
        return np.datetime64("NaT", "ns")
    return np.datetime64(time, "ns")
