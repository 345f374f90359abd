"""Fetching from a server of the test's own: right, wrong, late, absent."""

import hashlib
import io
import shutil
import sys
import tarfile
import threading
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from skaudeep._files import temporary_folder
from skaudeep.datasets import (
    fetch_esc10,
    fetch_esc50,
    fetch_gtzan,
    fetch_tut2017,
    fetch_urbansound8k,
)
from skaudeep.datasets.corpora import SOURCES

ESC = {
    "ESC-50-x/meta/esc50.csv": "filename,fold,target,category,esc10,src_file,take\n"
    "1-7-A-0.wav,1,0,dog,True,7,A\n2-8-A-2.wav,2,2,pig,False,8,A\n3-9-A-0.wav,3,0,dog,True,9,A\n",
    "ESC-50-x/audio/1-7-A-0.wav": "",
    "ESC-50-x/audio/2-8-A-2.wav": "",
    "ESC-50-x/audio/3-9-A-0.wav": "",
}


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def tarred(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


class Server:
    """Serves `files`, after as many failures as `failures` says, and notes who asked for what."""

    def __init__(self):
        self.files, self.asked, self.failures = {}, [], 0
        self.answer = None  # a function of the handler, in place of a file
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path[1:]
                outer.asked.append(name)
                if outer.answer:
                    outer.answer(self)
                    return
                if outer.failures or name not in outer.files:
                    outer.failures = max(0, outer.failures - 1)
                    self.send_error(503 if outer.failures else 404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(outer.files[name])))
                self.end_headers()
                self.wfile.write(outer.files[name])

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        self.thread = threading.Thread(target=self.http.serve_forever, args=[0.01])
        self.thread.start()

    def stop(self):
        if self.thread.is_alive():
            self.http.shutdown()
            self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def publish(server, monkeypatch):
    """Put archives on the server and their checksums into the table."""

    def publish(key, archives, folder):
        server.files |= archives
        old = SOURCES[key].archives[0]
        rows = tuple(
            old._replace(
                name=name,
                checksum=f"md5:{hashlib.md5(content).hexdigest()}",
                urls=(server.url + name,),
            )
            for name, content in archives.items()
        )
        monkeypatch.setitem(SOURCES, key, SOURCES[key]._replace(archives=rows, folder=folder))

    return publish


@pytest.fixture
def esc(publish):
    publish("esc-50", {"esc.zip": zipped(ESC)}, "ESC-50-x")


def test_fetch_downloads_a_corpus_once(esc, server, tmp_path):
    bunch = fetch_esc50(data_home=tmp_path)
    assert bunch.target_names == ["dog", "pig"]
    assert len(bunch.cv) == 3
    assert fetch_esc10(data_home=tmp_path, download_if_missing=False).target_names == ["dog"]
    again = fetch_esc50(data_home=tmp_path)
    assert again.data.tolist() == bunch.data.tolist()
    assert server.asked == ["esc.zip"]
    # the archive is gone, the corpus is what is left
    assert [p.name for p in (tmp_path / "skaudeep").iterdir()] == ["esc-50"]


def test_every_fetcher_reads_the_corpus_that_it_downloads(publish, tmp_path):
    table = "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
    rows = "1-3-0-0.wav,1,0,1,1,1,3,dog_bark\n2-8-0-0.wav,2,0,1,1,2,8,siren\n"
    publish(
        "urbansound8k",
        {
            "us.tar.gz": tarred(
                {
                    "UrbanSound8K/metadata/UrbanSound8K.csv": table + rows,
                    "UrbanSound8K/audio/fold1/1-3-0-0.wav": "",
                    "UrbanSound8K/audio/fold2/2-8-0-0.wav": "",
                    "UrbanSound8K/audio/fold2/.DS_Store": "",
                }
            )
        },
        "UrbanSound8K",
    )
    publish(
        "tut2017",
        {
            "meta.zip": zipped(
                {
                    "TUT/meta.txt": "audio/a.wav\tbeach\tb020\naudio/b.wav\tbus\ta001\n",
                    "TUT/evaluation_setup/fold1_train.txt": "audio/a.wav\tbeach\n",
                    "TUT/evaluation_setup/fold1_evaluate.txt": "audio/b.wav\tbus\n",
                }
            ),
            "audio.1.zip": zipped({"TUT/audio/a.wav": ""}),
            "audio.2.zip": zipped({"TUT/audio/b.wav": ""}),
        },
        "TUT",
    )
    genres = {"genres/jazz/jazz.00053.wav": "", "genres/jazz/jazz.00054.wav": ""}
    publish("gtzan", {"genres.tar.gz": tarred(genres)}, ".")

    assert fetch_urbansound8k(data_home=tmp_path).target_names == ["dog_bark", "siren"]
    assert fetch_tut2017(data_home=tmp_path).groups.tolist() == ["b020", "a001"]
    with pytest.warns(UserWarning, match=r"jazz.00054.wav' .* left out"):
        assert fetch_gtzan(data_home=tmp_path).target_names == ["jazz"]


def test_fetch_stores_corpora_in_scikit_learns_data_home_by_default(esc, tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sk"))
    path = fetch_esc50().data[0]
    assert path == str(tmp_path / "sk/skaudeep/esc-50/ESC-50-x/audio/1-7-A-0.wav")


def test_fetch_downloads_nothing_without_download_if_missing(esc, server, tmp_path):
    with pytest.raises(OSError, match=r"download_if_missing=False, and there is no .*650 MB"):
        fetch_esc50(data_home=tmp_path, download_if_missing=False)
    assert server.asked == []


def test_fetch_repeats_a_failed_download_n_retries_times(esc, server, tmp_path):
    server.failures = 2
    with pytest.raises(OSError, match=r"Could not download 'esc\.zip' from http://127"):
        fetch_esc50(data_home=tmp_path, n_retries=1)
    assert server.asked == ["esc.zip"] * 2
    server.failures = 2
    assert len(fetch_esc50(data_home=tmp_path, n_retries=2).data) == 3


def test_fetch_refuses_content_with_another_checksum(esc, server, tmp_path):
    server.files["esc.zip"] += b"\0"
    with pytest.raises(OSError, match=r"Could not download .*MD5 hash .* does not match"):
        fetch_esc50(data_home=tmp_path, n_retries=0)
    assert not (tmp_path / "skaudeep/esc-50").exists()


def test_fetch_tries_the_next_host_where_one_fails(esc, server, tmp_path, monkeypatch):
    source = SOURCES["esc-50"]
    urls = (server.url + "gone.zip", *source.archives[0].urls)
    rows = (source.archives[0]._replace(urls=urls),)
    monkeypatch.setitem(SOURCES, "esc-50", source._replace(archives=rows))
    assert len(fetch_esc50(data_home=tmp_path, n_retries=0).data) == 3
    assert server.asked == ["gone.zip", "esc.zip"]


def test_fetch_says_what_to_do_without_a_network(esc, server, tmp_path):
    server.stop()
    message = r"Could not download 'esc.zip' from .*refused.*put the file into .*yourself"
    with pytest.raises(OSError, match=message):
        fetch_esc50(data_home=tmp_path, n_retries=0)


def test_fetch_uses_an_archive_that_the_user_provides(esc, server, tmp_path):
    folder = tmp_path / "skaudeep/esc-50-archives"
    folder.mkdir(parents=True)
    (folder / "esc.zip").write_bytes(server.files["esc.zip"])
    assert len(fetch_esc50(data_home=tmp_path).data) == 3
    assert server.asked == []


def test_fetch_continues_an_interrupted_download_with_the_missing_archives(
    publish, server, tmp_path
):
    clips = {name: text for name, text in ESC.items() if "audio" in name}
    meta = {name: text for name, text in ESC.items() if "meta" in name}
    publish("esc-50", {"1.zip": zipped(clips), "2.zip": zipped(meta)}, "ESC-50-x")
    second = server.files.pop("2.zip")
    with pytest.raises(OSError, match=r"Could not download '2\.zip'"):
        fetch_esc50(data_home=tmp_path, n_retries=0)
    assert not (tmp_path / "skaudeep/esc-50").exists()
    server.files["2.zip"] = second
    assert len(fetch_esc50(data_home=tmp_path, n_retries=0).data) == 3
    assert server.asked == ["1.zip", "2.zip", "2.zip"]


def test_fetch_leaves_no_corpus_after_a_hostile_archive(publish, tmp_path):
    publish("esc-50", {"esc.zip": zipped({"../../evil": "x"})}, "ESC-50-x")
    with pytest.raises(ValueError, match="leads out of its folder"):
        fetch_esc50(data_home=tmp_path)
    assert not list(tmp_path.rglob("evil"))
    assert not (tmp_path / "skaudeep/esc-50").exists()


@pytest.mark.parametrize("n_retries", [-1, 1.5, "3"])
def test_fetch_refuses_an_invalid_n_retries(tmp_path, n_retries):
    with pytest.raises(ValueError, match=f"n_retries={n_retries!r}, expected an integer >= 0"):
        fetch_esc50(data_home=tmp_path, n_retries=n_retries)


def test_fetch_says_how_to_install_pooch_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install 'skaudeep\[datasets\]'"):
        fetch_esc50(data_home=tmp_path)


def test_fetch_ends_at_a_server_that_sends_more_than_the_corpus_has(
    esc, server, tmp_path, monkeypatch
):
    source = SOURCES["esc-50"]
    monkeypatch.setitem(SOURCES, "esc-50", source._replace(n_bytes=1e6))
    sent = []

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()  # without a length
        with suppress(OSError):  # until the client hangs up
            while True:
                handler.wfile.write(bytes(10000))
                sent.append(10000)

    server.answer = endless
    with pytest.raises(OSError, match=r"Could not .*the server sends more than the 1100000 bytes"):
        fetch_esc50(data_home=tmp_path)
    assert sum(sent) < 20e6  # with what the system's buffers hold
    assert server.asked == ["esc.zip"]  # not repeated
    assert not list((tmp_path / "skaudeep").rglob("*.zip"))


def test_fetch_gives_up_a_server_that_sends_a_byte_now_and_then(esc, server, tmp_path, monkeypatch):
    clock = iter(range(0, 10000, 10))  # ten seconds between two packets
    monkeypatch.setattr("skaudeep.datasets.download.monotonic", lambda: next(clock))
    done = threading.Event()

    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        with suppress(OSError):
            while not done.wait(0.001):
                handler.wfile.write(b"x")

    server.answer = drip
    with pytest.raises(OSError, match=r"Could not .*the server sent \d+ bytes in 60 s"):
        fetch_esc50(data_home=tmp_path)
    done.set()
    assert server.asked == ["esc.zip"]


def test_fetch_gives_up_a_server_that_never_answers(esc, server, tmp_path, monkeypatch):
    monkeypatch.setattr("skaudeep.datasets.download.TIMEOUT", 0.05)
    done = threading.Event()
    server.answer = lambda handler: done.wait()
    with pytest.raises(OSError, match=r"Could not download 'esc.zip' from .*[Tt]imed out"):
        fetch_esc50(data_home=tmp_path, n_retries=1)
    done.set()
    assert server.asked == ["esc.zip"] * 2


def test_fetch_shows_the_words_of_a_server_escaped(esc, server, tmp_path):
    server.answer = lambda handler: handler.send_error(404, "gone\x1b[2J")
    with pytest.raises(OSError, match="Could not download") as caught:
        fetch_esc50(data_home=tmp_path, n_retries=0)
    assert "gone" in str(caught.value)
    assert str(caught.value).isprintable()


def test_fetch_deletes_what_a_killed_download_left(esc, tmp_path):
    folder = tmp_path / "skaudeep/esc-50-archives"
    folder.mkdir(parents=True)
    with temporary_folder(folder / "esc.zip") as left:
        shutil.copytree(left, folder / "copy")
    (folder / "copy").rename(left)  # as if its process had been killed: nobody holds the lock
    (left / "tmp123").write_bytes(b"half")
    fetch_esc50(data_home=tmp_path)
    assert [path.name for path in (tmp_path / "skaudeep").iterdir()] == ["esc-50"]


def test_every_source_has_distinct_archive_names_checksums_and_file_urls():
    for key, source in SOURCES.items():
        names = [archive.name for archive in source.archives]
        assert len(set(names)) == len(names), key
        for archive in source.archives:
            kind, digest = archive.checksum.split(":")
            assert len(digest) == {"md5": 32, "sha256": 64}[kind]
            assert int(digest, 16) > 0
            for url in archive.urls:
                assert url.startswith(("https://", "http://opihi.cs.uvic.ca/"))
                assert url.endswith((".zip", ".tar.gz"))
