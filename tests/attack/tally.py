"""Counts what was tried and what survived; used by the scripts beside it."""

from __future__ import annotations

import resource
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any


def memory() -> float:
    """Return the memory that this process holds now, in MB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def peak_memory() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


class Tally:
    """Number of tries and of those that survived."""

    def __init__(self) -> None:
        self.tried = self.survived = 0

    def count(self, survived: bool, what: str) -> None:
        """Count a try; print what did not survive."""
        self.tried += 1
        self.survived += survived
        if not survived:
            print(f"NOT SURVIVED: {what}", flush=True)

    def attempt(self, what: str, call: Callable[[], Any], *refusals: type[Exception]) -> Any:
        """Run a call and print its time and memory. An error survives if it is a refusal."""
        begun = time.monotonic()
        result = None
        try:
            result = call()
            end = "done"
        except refusals as error:
            end = f"refused: {type(error).__name__}: {str(error)[:300]}"
        except Exception:
            traceback.print_exc()
            self.count(False, what)
            return None
        self.count(True, what)
        seconds = time.monotonic() - begun
        print(f"{what}: {end}; {seconds:.1f} s, peak {peak_memory():.0f} MB", flush=True)
        return result

    def report(self) -> None:
        """Print the numbers; end the script with 1 if something did not survive."""
        print(f"tried {self.tried}, survived {self.survived}")
        sys.exit(int(self.tried > self.survived))
