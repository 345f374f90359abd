"""Extraction into a file: what transform gives, whatever happens on the way."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Never

import netCDF4
import numpy as np
import pytest
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from sklearn.utils import Bunch

from skaudeep import AudioError, AudioWarning, SpectrogramExtractor, extraction
from skaudeep._journal import Journal
from skaudeep.datasets import load_folder, make_bunch, make_sounds
from skaudeep.extraction import extract_to_netcdf
from skaudeep.formats.lazy import StoredArray
from skaudeep.formats.netcdf import load_netcdf

EXTRACTOR = SpectrogramExtractor(n_mels=20, sampling_rate=16000)


@pytest.fixture(scope="module")
def sounds() -> Bunch:
    return make_sounds(60, duration=(0.2, 0.5), random_state=0)


@pytest.fixture
def files(tmp_path: Path) -> Bunch:
    return make_sounds(40, duration=(0.2, 0.5), folder=tmp_path / "clips", random_state=0)


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.is_file())


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("chunks", [{}, {"chunk_duration": 0.2}], ids=["clips", "chunks"])
def test_extraction_stores_the_result_of_transform(
    tmp_path: Path, files: Bunch, n_jobs: int | None, chunks: dict[str, float]
):
    extractor = SpectrogramExtractor(n_mels=20, n_jobs=n_jobs, **chunks)
    stored = extract_to_netcdf(files, extractor, tmp_path / "a.nc")
    assert isinstance(stored.data, StoredArray)
    np.testing.assert_array_equal(np.asarray(stored.data), extractor.transform(files.data))
    for key in ("filenames", "target", "target_names", "folds", "partition", "groups", "DESCR"):
        np.testing.assert_array_equal(stored[key], files[key])
    assert set(stored.errors) == {""}
    assert names_in(tmp_path) == ["a.nc"]


def test_extraction_accepts_waveforms_in_memory(tmp_path: Path, sounds: Bunch):
    stored = extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "a.nc")
    np.testing.assert_array_equal(np.asarray(stored.data), EXTRACTOR.transform(sounds.data))


class Killed(BaseException):
    """Stands for a signal."""


@pytest.mark.parametrize("moment", ["extracting", "writing", "replacing"])
def test_an_interrupted_extraction_continues_where_it_stopped(
    tmp_path: Path, sounds: Bunch, monkeypatch: pytest.MonkeyPatch, moment: str
):
    whole = tmp_path / "whole.nc"
    extract_to_netcdf(sounds, EXTRACTOR, whole)
    monkeypatch.setattr("skaudeep.extraction.BATCH_BYTES", 1000)  # a clip or two

    appended: list[bytes] = []
    append = Journal.append

    def appending(self: Journal, records: list[bytes]) -> None:
        if len(appended) > 30 and moment == "extracting":
            raise Killed
        appended.extend(record[:8] for record in records)  # which begin with their row
        append(self, records)

    def killing(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(Journal, "append", appending)
    with monkeypatch.context() as dying:
        if moment == "writing":
            dying.setattr("skaudeep.formats.netcdf.append_checksum", killing)
        if moment == "replacing":
            dying.setattr("os.replace", killing)
        with pytest.raises(Killed):
            extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "a.nc")
    assert names_in(tmp_path) == ["a.nc.partial", "whole.nc"]
    moment = ""
    extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "a.nc")
    assert sorted(int.from_bytes(row, "little") for row in appended) == list(range(60))
    assert (tmp_path / "a.nc").read_bytes() == whole.read_bytes()
    assert names_in(tmp_path) == ["a.nc", "whole.nc"]


def test_a_continued_extraction_repeats_clips_whose_files_changed(
    tmp_path: Path, files: Bunch, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr("skaudeep.formats.netcdf.append_checksum", interrupt)
        with pytest.raises(Killed):
            extract_to_netcdf(files, SpectrogramExtractor(n_mels=20), tmp_path / "a.nc")
    Path(files.data[11]).write_bytes(Path(files.data[12]).read_bytes())
    again: list[list[int]] = []
    extract_batch = extraction._extract_batch

    def counted(rows: list[int], *others: object) -> object:
        again.append(rows)
        return extract_batch(rows, *others)

    monkeypatch.setattr("skaudeep.extraction._extract_batch", counted)
    stored = extract_to_netcdf(files, SpectrogramExtractor(n_mels=20), tmp_path / "a.nc")
    assert again == [[11]]
    np.testing.assert_array_equal(stored.data[11], stored.data[12])


def test_a_continued_extraction_names_a_clip_whose_file_is_gone(tmp_path: Path, files: Bunch):
    content = Path(files.data[30]).read_bytes()
    Path(files.data[30]).write_bytes(b"")
    with pytest.raises(AudioError, match="is empty"):
        extract_to_netcdf(files, SpectrogramExtractor(n_mels=20), tmp_path / "a.nc")
    Path(files.data[30]).write_bytes(content)
    Path(files.data[0]).unlink()
    with pytest.raises(AudioError, match="no such file"):
        extract_to_netcdf(files, SpectrogramExtractor(n_mels=20), tmp_path / "a.nc")


KILLED = """
import sys
from skaudeep.datasets import load_folder
from skaudeep.extraction import extract_to_netcdf
from skaudeep.spectrogram import SpectrogramExtractor
bunch = load_folder(sys.argv[1], layout="files")
print("ready", flush=True)
extractor = SpectrogramExtractor(n_mels=20, n_jobs=int(sys.argv[3]))
extract_to_netcdf(bunch, extractor, sys.argv[2])
print("done", flush=True)
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "clips"
    make_sounds(20_000, duration=0.5, folder=folder, random_state=0)
    return folder


@pytest.mark.slow
def test_an_extraction_killed_five_times_gives_the_same_file(tmp_path: Path, many: Path):
    rng = np.random.default_rng(0)

    def start(file: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-c", KILLED, many, tmp_path / file, "2"],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    began = time.monotonic()
    whole = start("whole.nc")
    assert whole.communicate()[0] == "ready\ndone\n"
    duration = time.monotonic() - began
    for _ in range(5):
        process = start("killed.nc")
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0, duration / 3))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert start("killed.nc").communicate()[0] == "ready\ndone\n"
    assert load_netcdf(tmp_path / "killed.nc").data.shape[0] == 20_000
    assert (tmp_path / "killed.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_extraction_memory_does_not_grow_with_the_number_of_clips(many: Path):
    script = Path(__file__).parents[1] / "examples" / "benchmarks" / "extraction_to_file.py"
    extract = runpy.run_path(str(script))["extract"]
    (_, few, _), (_, many_pss, many_rss) = (extract(many, n, 2) for n in (5_000, 20_000))
    assert many_rss < 600  # MB, shared pages counted twice
    assert many_pss < few + 30  # of 112 MB of spectrograms: the names of the clips


LIMITED = """
import os, resource, sys
from pathlib import Path
import numpy as np
from skaudeep import Seq2SeqAutoencoder, load_netcdf
file = sys.argv[1]
autoencoder = Seq2SeqAutoencoder(n_layers=1, n_units=16, max_epochs=1, batch_size=64)
autoencoder.fit(np.zeros((64, 11, 128), np.float32))  # so that all of torch is there
used = 1024 * int(Path("/proc/self/status").read_text().split("VmData:")[1].split()[0])
limit = used + os.path.getsize(file) // 4
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
data = load_netcdf(file, lazy=True).data
print(len(autoencoder.fit(data).loss_curve_))
try:
    np.empty(data.shape, np.float32)  # by numpy: without memory, the netCDF library aborts
except MemoryError:
    print("too large")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what a process allocates")
def test_a_stored_data_set_trains_a_network_in_a_quarter_of_its_size(tmp_path: Path, many: Path):
    clips = load_folder(many, layout="files")
    extract_to_netcdf(clips, SpectrogramExtractor(n_jobs=2), tmp_path / "a.nc")
    assert (tmp_path / "a.nc").stat().st_size > 100 * 2**20
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "a.nc"], capture_output=True, text=True
    )
    assert done.stdout == "1\ntoo large\n", done.stderr


def test_extraction_refuses_the_journal_of_another_task(tmp_path: Path, sounds: Bunch):
    with Journal(tmp_path / "a.nc.partial", "another task", 60):
        pass
    with pytest.raises(ValueError, match=r"a\.nc\.partial: belongs to other clips or parameters"):
        extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "a.nc")
    (tmp_path / "a.nc.partial").write_text("half a letter to my publisher")
    with pytest.raises(ValueError, match="is no journal"):
        extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "a.nc")
    assert (tmp_path / "a.nc.partial").read_text() == "half a letter to my publisher"


@pytest.mark.parametrize(
    "changes",
    [{"n_mels": 21}, {"clip_below": -60}, {"sampling_rate": 8000}, {"order": -1}, {"level": 2}],
    ids=str,
)
def test_extraction_refuses_the_journal_of_other_clips_or_parameters(
    tmp_path: Path, sounds: Bunch, monkeypatch: pytest.MonkeyPatch, changes: dict[str, int]
):
    def interrupt(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr("skaudeep.formats.netcdf.append_checksum", interrupt)
        with pytest.raises(Killed):
            extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "a.nc")
    order, level = changes.pop("order", 1), changes.pop("level", 1)
    clips = [level * samples for samples in sounds.data]
    other = make_bunch(clips[::order], sounds.filenames[::order])
    extractor = SpectrogramExtractor(**{"n_mels": 20, "sampling_rate": 16000} | changes)
    with pytest.raises(ValueError, match="belongs to other"):
        extract_to_netcdf(other, extractor, tmp_path / "a.nc")


def test_extraction_refuses_a_path_that_another_process_writes(tmp_path: Path, sounds: Bunch):
    pytest.importorskip("fcntl")
    extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "a.nc")
    with (
        Journal(tmp_path / "a.nc.partial", "whatever", 60),
        pytest.raises(BlockingIOError, match="another process is writing"),
    ):
        extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "a.nc")


# --- clips that cannot be read -------------------------------------------------------------------


@pytest.fixture
def broken(files: Bunch) -> Bunch:
    Path(files.data[3]).write_bytes(b"")
    Path(files.data[17]).unlink()
    return files


def test_extraction_stores_the_errors_of_unreadable_clips(tmp_path: Path, broken: Bunch):
    extractor = SpectrogramExtractor(n_mels=20, on_error="nan")
    with pytest.warns(AudioWarning, match="2 of 40 clips could not be read"):
        stored = extract_to_netcdf(broken, extractor, tmp_path / "a.nc")
    for bunch in (stored, load_netcdf(tmp_path / "a.nc")):
        assert np.flatnonzero(bunch.errors != "").tolist() == [3, 17]
        assert "the file is empty" in bunch.errors[3]
        assert bunch.filenames[17] in bunch.errors[17]
        assert np.isnan(bunch.data[3]).all()
    with netCDF4.Dataset(tmp_path / "a.nc") as dataset:
        assert "is empty" in dataset["error"][3]
    with pytest.warns(AudioWarning):
        expected = extractor.transform(broken.data)
    np.testing.assert_array_equal(np.asarray(stored.data), expected)


def test_a_continued_extraction_tries_failed_clips_again(tmp_path: Path, files: Bunch):
    content = Path(files.data[30]).read_bytes()
    Path(files.data[30]).write_bytes(b"")
    extractor = SpectrogramExtractor(n_mels=20)
    with pytest.raises(AudioError, match="is empty"):
        extract_to_netcdf(files, extractor, tmp_path / "a.nc")
    assert names_in(tmp_path) == ["a.nc.partial"]
    Path(files.data[30]).write_bytes(content)
    stored = extract_to_netcdf(files, extractor, tmp_path / "a.nc")
    np.testing.assert_array_equal(np.asarray(stored.data), extractor.transform(files.data))


def test_extraction_raises_if_all_clips_fail(tmp_path: Path, files: Bunch):
    for clip in files.data:
        Path(clip).write_bytes(b"")
    with pytest.raises(AudioError, match="all 40 clips: failed; the first"):
        extract_to_netcdf(files, SpectrogramExtractor(on_error="nan"), tmp_path / "a.nc")
    assert not (tmp_path / "a.nc").exists()


def test_extraction_refuses_clips_of_different_sampling_rates(tmp_path: Path, files: Bunch):
    other = make_sounds(40, sampling_rate=8000, folder=tmp_path / "others", random_state=0)
    Path(files.data[39]).write_bytes(Path(other.data[39]).read_bytes())
    with pytest.raises(AudioError, match=r"sampling rate of 8000 Hz, but .* has 16000 Hz"):
        extract_to_netcdf(files, SpectrogramExtractor(n_mels=20), tmp_path / "a.nc")


def test_clips_of_another_rate_than_in_fit_are_refused(tmp_path: Path, files: Bunch):
    other = make_sounds(40, sampling_rate=8000, folder=tmp_path / "others", random_state=0)
    extractor = SpectrogramExtractor(n_mels=20).fit(files.data)
    with pytest.raises(AudioError, match=r"8000 Hz, but the extractor was fitted to .* 16000 Hz"):
        extract_to_netcdf(other, extractor, tmp_path / "a.nc")
    with pytest.raises(ValueError, match="sampling_rate is 8000, but was 16000 in fit"):
        extract_to_netcdf(other, extractor.set_params(sampling_rate=8000), tmp_path / "b.nc")


def test_extraction_warns_about_silent_clips(tmp_path: Path):
    clips = make_bunch([np.zeros(4000), np.random.default_rng(0).normal(size=4000)], ["a", "b"])
    with pytest.warns(AudioWarning, match=r"1 of 2 clips are silent.*\nclip 0") as caught:
        stored = extract_to_netcdf(clips, EXTRACTOR, tmp_path / "a.nc")
    assert caught[0].filename == __file__
    assert (stored.data[0] == -1).all()


@pytest.mark.slow
def test_extraction_does_not_disturb_joblib_workers(tmp_path: Path, files: Bunch):
    def extract(number: int) -> tuple[int, ...]:
        extractor = SpectrogramExtractor(n_mels=20, n_jobs=2)
        return extract_to_netcdf(files, extractor, tmp_path / f"{number}.nc").data.shape

    assert extract(0) == Parallel(n_jobs=2)(delayed(extract)(number) for number in (1, 2))[1]
    assert Parallel(n_jobs=2, prefer="threads")(delayed(extract)(i) for i in (3, 4))[0][0] == 40
    # To joblib its workers leak if a later test has them load torch; its warning of it, an error
    # here, would end the thread that all wait for.
    get_reusable_executor().shutdown()


@pytest.mark.parametrize("moment", ["starting", "submitting"])
def test_extraction_goes_on_alone_where_no_worker_can_be_started(
    tmp_path: Path, sounds: Bunch, monkeypatch: pytest.MonkeyPatch, moment: str
):
    class Pool(ThreadPoolExecutor):
        def __init__(self, n: int, env: dict[str, str]):
            if moment == "starting":
                raise OSError(28, "No space left on device")  # as where /dev/shm is full
            super().__init__(n)

        def submit(self, *_: object) -> Never:
            raise OSError(28, "No space left on device")

        def shutdown(self, wait: bool = True, kill_workers: bool = False) -> None:
            super().shutdown(wait)

    monkeypatch.setattr(extraction, "ProcessPoolExecutor", Pool)
    extractor = SpectrogramExtractor(n_mels=20, sampling_rate=16000, n_jobs=2)
    with pytest.warns(RuntimeWarning, match="No space left.*/dev/shm") as caught:
        stored = extract_to_netcdf(sounds, extractor, tmp_path / "a.nc")
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(np.asarray(stored.data), EXTRACTOR.transform(sounds.data))


@pytest.mark.skipif(os.name != "posix", reason="needs links and pipes")
def test_extraction_refuses_pipes_and_follows_links(tmp_path: Path, sounds: Bunch):
    os.mkfifo(tmp_path / "pipe.nc")
    with pytest.raises(OSError, match=r"pipe\.nc', which is a named pipe"):
        extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "pipe.nc")
    (tmp_path / "folder").mkdir()
    (tmp_path / "latest.nc").symlink_to("folder/a.nc")
    partial = tmp_path / "folder" / "a.nc.partial"  # where the other name finds it as well
    os.mkfifo(partial)
    with pytest.raises(OSError, match=r"a\.nc\.partial: is a link, a folder, a pipe"):
        extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "latest.nc")
    partial.unlink()
    extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "latest.nc")
    assert (tmp_path / "latest.nc").is_symlink()
    assert names_in(tmp_path / "folder") == ["a.nc"]


@pytest.mark.parametrize(
    ("extractor", "options", "message"),
    [
        (SpectrogramExtractor(n_mels=-1), {}, "n_mels"),
        (EXTRACTOR, {"compression": -1}, "compression=-1"),
    ],
    ids=["extractor", "compression"],
)
def test_extraction_refuses_invalid_parameters_before_it_starts(
    tmp_path: Path, sounds: Bunch, extractor: SpectrogramExtractor, options: dict, message: str
):
    with pytest.raises(ValueError, match=message):
        extract_to_netcdf(sounds, extractor, tmp_path / "a.nc", **options)
    assert names_in(tmp_path) == []


def test_extraction_refuses_other_transformers(tmp_path: Path, sounds: Bunch):
    with pytest.raises(TypeError, match="expected a SpectrogramExtractor"):
        extract_to_netcdf(sounds, "mel", tmp_path / "a.nc")  # type: ignore[arg-type]


def test_extraction_needs_an_existing_folder(tmp_path: Path, sounds: Bunch):
    with pytest.raises(FileNotFoundError, match="Create the folder first"):
        extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "b" / "a.nc")


FULL_DISK = """
import resource, sys
from skaudeep.datasets import make_sounds
from skaudeep.extraction import extract_to_netcdf
from skaudeep.spectrogram import SpectrogramExtractor
sounds = make_sounds(60, duration=(0.2, 0.5), random_state=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    extract_to_netcdf(sounds, SpectrogramExtractor(n_mels=20, sampling_rate=16000), sys.argv[1])
except OSError as error:
    print(error)
"""


def test_extraction_keeps_finished_clips_when_the_disk_is_full(tmp_path: Path, sounds: Bunch):
    extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "whole.nc")
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path / "a.nc", "20000"],
        capture_output=True,
        text=True,
    )
    assert "while writing" in done.stdout
    assert "run again" in done.stdout
    assert names_in(tmp_path) == ["a.nc.partial", "whole.nc"]
    assert 10_000 < (tmp_path / "a.nc.partial").stat().st_size <= 20_000
    extract_to_netcdf(sounds, EXTRACTOR, tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_warnings_about_cut_files_come_from_worker_processes_too(
    tmp_path: Path, files: Bunch, n_jobs: int | None
):
    for path in files.data[-2:]:
        Path(path).write_bytes(Path(path).read_bytes()[:-2000])
    extractor = SpectrogramExtractor(n_mels=20, n_jobs=n_jobs, on_error="read")
    with pytest.warns(AudioWarning, match="is cut short") as caught:
        stored = extract_to_netcdf(files, extractor, tmp_path / "a.nc")
    assert len({str(warning.message) for warning in caught}) == 2
    assert set(stored.errors) == {""}
    with pytest.raises(AudioError, match="is cut short"):
        extract_to_netcdf(files, SpectrogramExtractor(n_mels=20, n_jobs=n_jobs), tmp_path / "b.nc")
