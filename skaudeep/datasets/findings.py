"""The table of findings that `audit` returns."""

from __future__ import annotations

from typing import Any

import pandas

from skaudeep._texts import printable

_TEXTS = ("filename", "detail", "advice")  # columns with names of clips and classes in them


class Findings(pandas.DataFrame):
    """A data frame that shows names of clips so that a terminal only displays them.

    Its cells hold the names as they are, to select clips by.
    """

    @property
    def _constructor(self) -> type[Findings]:
        return Findings

    def to_string(self, buf: Any = None, **options: Any) -> str | None:
        """Lay out the table; see :meth:`pandas.DataFrame.to_string`."""
        if options.get("formatters") is None:
            options["formatters"] = dict.fromkeys(_TEXTS, printable)
        return super().to_string(buf, **options)
