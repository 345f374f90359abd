"""Segments are, to the bit, what the whole file has there, and a file is decoded once for all."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from skaudeep.audio import read_audio, segments
from skaudeep.audio.files import AudioFile
from skaudeep.audio.formats import seeks

CODINGS = [
    *[("WAV", s) for s in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW")],
    *[("WAV", s) for s in ("ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32", "NMS_ADPCM_16")],
    *[("WAVEX", "PCM_16"), ("RF64", "PCM_24"), ("W64", "MS_ADPCM"), ("NIST", "ULAW")],
    *[("AIFF", s) for s in ("PCM_S8", "PCM_16", "IMA_ADPCM", "DWVW_16")],
    *[("AU", s) for s in ("PCM_16", "G723_24", "G723_40")],
    *[("CAF", s) for s in ("PCM_16", "ALAC_16", "ALAC_24")],
    *[("FLAC", s) for s in ("PCM_S8", "PCM_16", "PCM_24")],
    *[
        ("PAF", "PCM_24"),
        ("SDS", "PCM_16"),
        ("VOC", "PCM_U8"),
        ("MAT5", "FLOAT"),
        ("XI", "DPCM_16"),
    ],
    *[("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")],
]
MONO = {"GSM610", "G721_32", "NMS_ADPCM_16", "DWVW_16", "G723_24", "G723_40", "DPCM_16"}


def written(path: Path, container: str, subtype: str, rate: int, seconds: float = 12) -> Path:
    rng = np.random.default_rng(0)
    n_channels = 1 if subtype in MONO or container == "SDS" else 2
    sound = rng.normal(size=(int(rate * seconds), n_channels)) * 0.2
    sound *= np.repeat(rng.uniform(size=len(sound) // 4000 + 1) > 0.6, 4000)[: len(sound), None]
    soundfile.write(path, sound.clip(-0.99, 0.99), rate, format=container, subtype=subtype)
    return path


@pytest.fixture(autouse=True)
def _nothing_decoded():
    segments.close_all()


@pytest.fixture
def n_decoded(monkeypatch):
    """Count decoded samples."""
    counts: list[int] = []
    read = AudioFile.read

    def counted(self, n_samples):
        found = read(self, n_samples)
        counts.append(found.shape[1])
        return found

    monkeypatch.setattr(AudioFile, "read", counted)
    return counts


@pytest.mark.parametrize("rate", [8000, 44_100])
@pytest.mark.parametrize(("container", "subtype"), CODINGS)
def test_a_segment_is_what_the_whole_file_has_there(tmp_path, container, subtype, rate):
    if subtype == "OPUS" and rate == 44_100:
        rate = 48_000
    path = written(tmp_path / "a", container, subtype, rate)
    whole, rate = read_audio(path)
    rng = np.random.default_rng(1)
    starts = rng.uniform(0, whole.shape[1] / rate - 0.7, 20)
    for start in [*sorted(starts[:14]), *starts[14:], 0.0]:
        piece = read_audio(path, start=start, end=start + 0.6)[0]
        first = round(start * rate)
        np.testing.assert_array_equal(piece, whole[:, first : round((start + 0.6) * rate)])
    np.testing.assert_array_equal(read_audio(path)[0], whole)


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.wav", "a.flac"])
def test_all_segments_of_a_file_take_one_pass(tmp_path, n_decoded, name):
    rate = 16_000
    path = tmp_path / name
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, rate * 60), rate)
    for start in np.arange(0, 59, 0.5):
        read_audio(path, start=start, end=start + 1)
    assert sum(n_decoded) <= 60 * rate


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_windows_of_a_flac_are_the_same_in_order_in_any_order_and_with_gaps(tmp_path, subtype):
    path = written(tmp_path / "a.flac", "FLAC", subtype, 8000)
    whole = read_audio(path)[0]
    for starts in (range(0, 11), range(10, -1, -1), (0, 0.25, 0.5, 0.25, 4, 4, 9, 8.9)):
        for start, length in [(start, length) for start in starts for length in (0.5, 1.0)]:
            piece = read_audio(path, start=start, end=start + length)[0]
            first = round(start * 8000)
            np.testing.assert_array_equal(piece, whole[:, first : first + round(length * 8000)])
            piece[:] = 7  # what a caller does to it is no matter to the next one


@pytest.mark.parametrize("on_error", ["raise", "read"])
@pytest.mark.filterwarnings("ignore:.*what is there was read")
def test_a_fault_costs_the_segments_that_it_lies_in_whatever_was_read_before(tmp_path, on_error):
    path = written(tmp_path / "a.flac", "FLAC", "PCM_16", 8000)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 500] = bytes(500)
    path.write_bytes(content)

    def piece(start: float) -> str:
        try:
            return str(read_audio(path, start=start, end=start + 2, on_error=on_error)[0].tolist())
        except ValueError as error:
            return str(error)

    in_order = [piece(start) for start in np.arange(0, 10, 0.5)]
    alone = []
    for start in np.arange(0, 10, 0.5):
        segments.close_all()
        alone.append(piece(start))
    assert in_order == alone
    assert len(set(map(len, alone))) > 1  # some are cut, or errors


def test_after_an_interruption_segments_are_read_anew(tmp_path, monkeypatch):
    path = written(tmp_path / "a.wav", "WAV", "PCM_16", 8000)
    whole = read_audio(path)[0]
    read = AudioFile.read
    read_audio(path, start=0, end=1)

    def interrupted(self, n_samples):
        self._file.read(n_samples)
        raise KeyboardInterrupt

    monkeypatch.setattr(AudioFile, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_audio(path, start=0.5, end=1.5)
    monkeypatch.setattr(AudioFile, "read", read)
    piece = read_audio(path, start=1, end=2)[0]
    np.testing.assert_array_equal(piece, whole[:, 8000:16_000])


def test_a_file_is_closed_once_its_end_was_read_and_with_the_thread_that_read_it(tmp_path):
    path = written(tmp_path / "a.wav", "WAV", "PCM_16", 8000)
    read_audio(path, start=10, end=11)
    reading = segments.find_open(str(path), "raise")
    assert not reading._file._file.closed
    read_audio(path, start=11, end=12)
    assert reading._file._file.closed
    assert segments.find_open(str(path), "raise") is None
    found = []

    def work() -> None:
        read_audio(path, start=1, end=2)
        found.append(segments.find_open(str(path), "raise")._file._file)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    gc.collect()
    assert found[0].closed
    assert segments.find_open(str(path), "raise") is None


def test_memory_is_bounded_and_the_result_is_not_touched_by_it(tmp_path, monkeypatch, n_decoded):
    path = written(tmp_path / "a.mp3", "MP3", "MPEG_LAYER_III", 16_000, 30)
    whole = read_audio(path)[0]
    monkeypatch.setattr(segments, "KEPT_BYTES", 2**20)
    monkeypatch.setattr(segments, "BLOCK", 2**12)
    for start in (0, 1, 1.5, 20, 19.9, 3, 29, 0.1):
        piece = read_audio(path, start=start, end=start + 1)[0]
        first = round(start * 16_000)
        np.testing.assert_array_equal(piece, whole[:, first : first + 16_000])
        (decoding,) = (d for key, d in segments._decodings.items() if key[0] == str(path))
        kept = sum(block.nbytes for block in decoding._blocks)
        assert kept == decoding._n_bytes <= 2**20 + 2**17


@pytest.mark.parametrize("name", ["a.mp3", "a.wav"])
def test_a_file_that_has_changed_is_decoded_anew(tmp_path, name):
    coding = ("MP3", "MPEG_LAYER_III") if name == "a.mp3" else ("WAV", "PCM_16")
    path = written(tmp_path / name, *coding, 16_000)
    before = read_audio(path, start=4, end=6)[0]
    soundfile.write(path, np.zeros(16_000 * 12), 16_000)
    assert before.std() > 0
    assert not read_audio(path, start=4, end=6)[0].any()


def test_a_name_means_another_file_in_another_folder(tmp_path, monkeypatch):
    whole = {}
    for seed, folder in enumerate(("one", "two")):
        (tmp_path / folder).mkdir()
        sound = np.random.default_rng(seed).uniform(-0.5, 0.5, 16_000 * 5)
        soundfile.write(tmp_path / folder / "a.mp3", sound, 16_000)
        whole[folder] = read_audio(tmp_path / folder / "a.mp3")[0]
    for folder in ("one", "two", "one"):
        monkeypatch.chdir(tmp_path / folder)
        piece = read_audio("a.mp3", start=2, end=3)[0]
        np.testing.assert_array_equal(piece, whole[folder][:, 32_000:48_000])
    monkeypatch.setattr(segments, "KEPT_BYTES", 0)
    for start in (4, 1):  # decodes again, from another folder
        monkeypatch.chdir(tmp_path / ("two" if start == 1 else "one"))
        read_audio(os.path.relpath(tmp_path / "one" / "a.mp3"), start=start, end=start + 1)


@pytest.mark.parametrize("coding", [("OGG", "VORBIS"), ("FLAC", "PCM_16")])
def test_threads_read_segments_of_one_file_at_a_time(tmp_path, coding):
    path = written(tmp_path / "a", *coding, 16_000, 20)
    whole = read_audio(path)[0]
    wrong = []

    def work(seed: int) -> None:
        for start in np.random.default_rng(seed).uniform(0, 19, 30):
            piece = read_audio(path, start=start, end=start + 0.5)[0]
            first = round(start * 16_000)
            if not np.array_equal(piece, whole[:, first : round((start + 0.5) * 16_000)]):
                wrong.append(start)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_forgets_the_decodings_of_its_parent(tmp_path):
    path = written(tmp_path / "a.mp3", "MP3", "MPEG_LAYER_III", 16_000)
    other = written(tmp_path / "b.mp3", "MP3", "MPEG_LAYER_III", 8000)
    read_audio(other, start=1, end=2)
    piece = read_audio(path, start=1, end=2)[0]
    open_file = written(tmp_path / "c.wav", "WAV", "PCM_16", 8000)
    tail = read_audio(open_file, start=2, end=3)[0]
    read_audio(open_file, start=1, end=2)
    if (child := os.fork()) == 0:
        same = np.array_equal(read_audio(path, start=1, end=2)[0], piece)
        same &= np.array_equal(read_audio(open_file, start=2, end=3)[0], tail)
        read_audio(open_file, start=5, end=6)
        os._exit(0 if same and len(segments._decodings) == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(read_audio(path, start=1, end=2)[0], piece)
    np.testing.assert_array_equal(read_audio(open_file, start=2, end=3)[0], tail)


def test_lossy_and_block_codings_do_not_seek():
    assert [seeks(*coding) for coding in CODINGS[:8]] == [True] * 8
    for container, subtype in CODINGS:
        if subtype.endswith(("ADPCM", "ADPCM_16", "GSM610", "VORBIS", "OPUS", "LAYER_III")):
            assert not seeks(container, subtype)


def test_few_files_stay_open(tmp_path):
    for number in range(9):
        path = written(tmp_path / f"{number}.ogg", "OGG", "VORBIS", 16_000)
        read_audio(path, start=1, end=2)
    open_files = [d for d in segments._decodings.values() if d._file is not None]
    assert len(open_files) == len(segments._decodings) == segments.MAX_OPEN
    first = next(iter(segments._decodings.values()))
    piece = first.read_range(160, 320)
    first.close()  # as where another thread still reads from it
    np.testing.assert_array_equal(first.read_range(160, 320), piece)
    read_audio(path, start=11, end=12)  # all is decoded
    assert segments.find_open(str(path), "raise")._file is None
