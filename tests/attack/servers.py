"""Servers that never answer, send a byte a second, or never end: each download ends by itself.

The real limits are waited for: about two minutes. Run by hand:

    python tests/attack/servers.py
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tally import Tally

import skaudeep.datasets.download as download
from skaudeep.datasets import fetch_esc50
from skaudeep.datasets.corpora import SOURCES


class Handler(BaseHTTPRequestHandler):
    """Serves as the path says."""

    def do_GET(self) -> None:
        kind = self.path[1:].partition(".")[0]
        with suppress(OSError):
            if kind == "mute":
                time.sleep(1000)
            if kind == "headers":  # a header that never ends
                self.send_response(200)
                self.flush_headers()
                while True:
                    self.wfile.write(b"X: y\r\n")
                    time.sleep(1)
            self.send_response(302 if kind == "circle" else 200)
            if kind == "circle":
                self.send_header("Location", self.path)
            if kind == "lies":
                self.send_header("Content-Length", str(10**15))
            self.end_headers()
            if kind == "drip":
                while True:
                    self.wfile.write(b"x")
                    time.sleep(1)
            if kind == "stalls":
                self.wfile.write(bytes(10**6))
                time.sleep(1000)
            while kind in ("endless", "lies"):
                self.wfile.write(bytes(10**6))

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="limits of a second")
    args = parser.parse_args()
    if args.quick:
        download.TIMEOUT = download.PATIENCE = 1
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    logging.disable(logging.INFO)
    tally = Tally()
    source = SOURCES["esc-50"]
    for kind in ("mute", "drip", "stalls", "endless", "lies", "circle", "headers"):
        url = f"http://127.0.0.1:{server.server_port}/{kind}.zip"
        archive = source.archives[0]._replace(urls=(url,))
        SOURCES["esc-50"] = source._replace(archives=(archive,), n_bytes=50e6)
        with tempfile.TemporaryDirectory() as home:
            tally.attempt(kind, lambda home=home: fetch_esc50(data_home=home, n_retries=0), OSError)
            left = [path for path in Path(home).rglob("*") if path.is_file()]
            tally.count(not left, f"{kind}: left {left}")
    tally.report()


if __name__ == "__main__":
    main()
