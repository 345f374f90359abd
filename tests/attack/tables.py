"""Tables of very many rows: their memory stays in proportion to their size.

Ten million files cannot be made here, so that for `load_table` each file is said to exist. Run by
hand:

    python tests/attack/tables.py --rows 10000000
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from unittest import mock

from tally import Tally, memory, peak_memory

from skaudeep.datasets import load_index, load_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--what", choices=["table", "index", "csv"], default="table")
    parser.add_argument("--folder", default=tempfile.gettempdir())
    args = parser.parse_args()
    n = args.rows
    tally = Tally()
    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        table = Path(temporary, "table.csv")
        Path(temporary, "a.wav").touch()
        with open(table, "w", encoding="utf-8") as file:
            if args.what == "table":
                file.write("file,label,who\n")
                file.writelines(f"{i}.wav,class {i % 50},speaker {i % 1000}\n" for i in range(n))
            elif args.what == "index":
                file.write("file,start,end,label\n")
                file.writelines(f"a.wav,{i},{i + 1},class {i % 50}\n" for i in range(n))
            else:
                file.write("filename,chunk_nr,feature_0\n")
                file.writelines(f"{i}.wav,0,{i % 7}\n" for i in range(n))
        size = table.stat().st_size
        before = memory()
        print(f"{n} rows, {size / 1e6:.0f} MB")
        if args.what == "table":
            isfile = os.path.isfile
            exists = lambda path: str(path).endswith(".wav") or isfile(path)  # noqa: E731
            with mock.patch("os.path.isfile", exists):
                bunch = tally.attempt(
                    "load_table",
                    lambda: load_table(table, path="file", target="label", groups="who"),
                )
        elif args.what == "index":
            import pandas as pd

            bunch = tally.attempt(
                "load_index",
                lambda: load_index(
                    pd.read_csv(table, index_col=["file", "start", "end"]),
                    root=temporary,
                    target="label",
                ),
            )
        else:
            from skaudeep.formats import load_csv

            bunch = tally.attempt("load_csv", lambda: load_csv(table))
        tally.count(bunch is not None and len(bunch.filenames) == n, "all rows")
        used = peak_memory() - before
        print(f"{used:.0f} MB in all, {1e6 * used / n:.0f} bytes a row, {1e6 * used / size:.0f} x")
        tally.count(used * 1e6 < 100 * size + 500e6, "memory in proportion to the table")
    tally.report()


if __name__ == "__main__":
    main()
