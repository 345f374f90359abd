"""Rates of clips: from headers, once for each file, with the clip named that differs."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import skaudeep.audio.rates
from skaudeep.audio.clips import Clip, list_clips
from skaudeep.audio.errors import AudioError
from skaudeep.audio.rates import common_rate, header_rates


def test_a_header_is_read_once_for_each_file_that_does_not_change(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(100), 44_100)
    read = []

    def audio_info(name):
        read.append(name)
        return real(name)

    real = skaudeep.audio.rates.audio_info
    monkeypatch.setattr(skaudeep.audio.rates, "audio_info", audio_info)
    pieces = [Clip("piece", path, i / 1000, (i + 1) / 1000) for i in range(5)]
    assert header_rates(pieces + list_clips([str(path)])) == [44_100] * 6
    assert len(read) == 1
    soundfile.write(path, np.zeros(101), 22_050)
    assert header_rates(pieces) == [22_050] * 5


def test_a_fault_stands_in_the_place_of_a_rate(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"text")
    rates = header_rates(list_clips([tmp_path / "a.wav", "missing.wav", None]))
    assert [rate.kind for rate in rates] == ["unreadable", "missing", "unreadable"]
    assert [rate.clip for rate in rates] == [str(tmp_path / "a.wav"), "missing.wav", "clip 2"]
    with pytest.raises(ValueError, match="waveforms do not carry one"):
        header_rates(list_clips([np.zeros(10)]))


def test_the_common_rate_leaves_faults_out():
    fault = AudioError("a", "is bad", "Leave it out")
    clips = [Clip(name, name) for name in "abc"]
    assert common_rate(clips, [fault, 8000, 8000]) == 8000
    assert common_rate(clips, [fault] * 3) is None
    with pytest.raises(AudioError, match="c: has a sampling rate of 4000000 Hz, but b has 8000 Hz"):
        common_rate(clips, [fault, 8000, 4_000_000])
    with pytest.raises(AudioError, match=r"b: .* 8000 Hz, but .* fitted to clips of 44100 Hz"):
        common_rate(clips, [fault, 8000, 8000], 44_100)
