"""What is known about public corpora: title, licence, citation, source."""

from __future__ import annotations

from typing import NamedTuple


class Corpus(NamedTuple):
    """Facts about a corpus that its files do not tell."""

    title: str
    licence: str
    citation: str
    url: str

    def describe(self, n_clips: int, n_classes: int) -> str:
        """Return the text that a reader stores as DESCR."""
        return (
            f"{self.title}: {n_clips} clips, {n_classes} classes\n\n"
            f"Licence: {self.licence}\nCite: {self.citation}\nSource: {self.url}\n"
        )


_PICZAK = (
    "K. J. Piczak, ESC: Dataset for Environmental Sound Classification, Proc. 23rd ACM "
    "International Conference on Multimedia, 2015, pp. 1015-1018, doi:10.1145/2733373.2806390"
)

CORPORA = {
    "esc-10": Corpus(
        title="ESC-10, environmental sounds",
        licence="CC BY 3.0; each clip's source is credited in the corpus",
        citation=_PICZAK,
        url="https://doi.org/10.7910/DVN/YDEPUT",
    ),
    "esc-50": Corpus(
        title="ESC-50, environmental sounds",
        licence="CC BY-NC 3.0; each clip's source is credited in the corpus",
        citation=_PICZAK,
        url="https://github.com/karolpiczak/ESC-50",
    ),
}
