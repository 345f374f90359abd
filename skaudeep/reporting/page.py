"""The page: contents, sounds and pictures laid out as one HTML file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skaudeep._progress import duration
from skaudeep._texts import printable
from skaudeep.reporting.audio import TYPES, Sounds
from skaudeep.reporting.contents import N_NEIGHBOURS, Contents, Curve, Embedding
from skaudeep.reporting.faults import gather, in_words, is_harmless
from skaudeep.reporting.spectrograms import Picture

# Colours and shapes of classes; as their numbers have no common divisor, 56 classes differ.
N_COLOURS = 8
SHAPES = (
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0Z",
    "M-4.4-4.4h8.8v8.8h-8.8Z",
    "M0-6L5.6 4H-5.6Z",
    "M0-6.2L6.2 0L0 6.2L-6.2 0Z",
    "M0 6L5.6-4H-5.6Z",
    "M-1.9-5.6h3.8v3.7h3.7v3.8h-3.7v3.7h-3.8v-3.7h-3.7v-3.8h3.7Z",
    "M0-6.6L1.7-2.2L6.3-2L2.7.9L3.9 5.4L0 2.8L-3.9 5.4L-2.7.9L-6.3-2L-1.7-2.2Z",
)
PLOT = (700, 520)  # units of the map's drawing
MARGIN = 14
CURVE = (420, 240)
MAX_FINDINGS = 200  # rows of the table of the audit
MAX_WRONG = 500  # rows of the table of clips named wrongly
MAX_GROUPS = 500  # rows of the table of groups
MAX_CLASSES = 100  # limit of the confusion matrix, whose number of cells is the square of this
# Characters that end a script, or a line of one, in HTML or JavaScript.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def render(
    sections: Contents,
    sounds: Sounds,
    pictures: Mapping[int, Picture],
    facts: Mapping[str, Any],
    *,
    with_audio: bool,
) -> str:
    """Lay out the page.

    Parameters
    ----------
    sections : Contents
    sounds : Sounds
    pictures : mapping of int to Picture
        Spectrogram of a clip, by its row.
    facts : mapping
        What `manifest` returned.
    with_audio : bool
        False says on the page that sounds were left out on purpose.

    Returns
    -------
    str
        HTML without addresses of anything outside, but of linked sounds.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("skaudeep.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": printable,
        "percent": _percent,
        "joined": _joined,
        "in_words": in_words,
    }
    environment.tests["harmless"] = is_harmless
    style, script = _text("report.css"), _text("report.js")
    corpus = sections.corpus
    return environment.get_template("report.html.j2").render(
        c=sections,
        names=[printable(name) for name in corpus.names],
        classes=corpus.bunch.target_names,
        target=corpus.bunch.target.tolist(),
        lengths=_lengths(corpus.summary.durations),
        recalls=_recalls(sections),
        counts=Counter(corpus.bunch.target.tolist()),
        colour=_colours(corpus.bunch.target_names),
        faults=gather(corpus.findings),
        origins=corpus.origin_names,
        max_findings=MAX_FINDINGS,
        max_classes=MAX_CLASSES,
        max_wrong=MAX_WRONG,
        max_groups=MAX_GROUPS,
        row_of={name: row for row, name in enumerate(corpus.names)},
        formats={_format(name): n for name, n in corpus.summary.formats.items()},
        place=_place(facts.get("command")),
        n_neighbours=min(N_NEIGHBOURS, len(corpus.names) - 1),
        sounds=sounds,
        pictures=pictures,
        with_audio=with_audio,
        facts=facts,
        manifest=json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False),
        shapes=SHAPES,
        n_colours=N_COLOURS,
        plot=PLOT,
        points=[] if sections.embedding is None else _points(sections.embedding, sections),
        curve=None if sections.curve is None else _draw_curve(sections.curve, sections),
        style=style,
        script=script,
        policy=_policy(style, script, linked=bool(sounds.linked)),
        data=script_json(_data(sections, sounds, facts)),
        store=script_json({str(row): text for row, text in sounds.embedded.items()}),
    )


def script_json(value: Any) -> str:
    r"""Return JSON that can stand in a script element of any page.

    Examples
    --------
    >>> print(script_json("</script>"))
    "\u003c/script\u003e"
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).translate(_ESCAPES)


def _text(name: str) -> str:
    return files("skaudeep.reporting").joinpath("templates", name).read_text("utf-8")


def _policy(style: str, script: str, *, linked: bool) -> str:
    """Return what the browser lets the page do: nothing but show itself and play its sounds."""

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")

    beside = " 'self' file:" if linked else ""
    return (
        f"default-src 'none'; script-src 'sha256-{digest(script)}'; "
        f"style-src 'sha256-{digest(style)}'; img-src data:; media-src blob:{beside}; "
        "base-uri 'none'; form-action 'none'"
    )


def _data(sections: Contents, sounds: Sounds, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the script of the page needs."""
    corpus = sections.corpus
    position = {name: label for label, name in enumerate(corpus.bunch.target_names)}

    def labels(found: Mapping[int, tuple[str, float]]) -> dict[str, list[Any]]:
        return {
            str(row): [position[name], None if np.isnan(p) else round(p, 3)]
            for row, (name, p) in found.items()
        }

    shown = {str(row): printable(name) for row, name in enumerate(corpus.names)}
    return {
        "names": corpus.names,
        "shown": {row: text for row, text in shown.items() if text != corpus.names[int(row)]},
        "classes": corpus.bunch.target_names,
        "shownClasses": [printable(name) for name in corpus.bunch.target_names],
        "target": corpus.bunch.target.tolist(),
        "wrong": [
            [clip.row, corpus.origin_names[clip.row], clip.predicted] for clip in sections.wrong
        ],
        "unreadable": sorted(corpus.labels_left_out.items()),
        "predicted": labels(sections.predicted),
        "suggested": {} if sections.naming is None else labels(sections.naming.suggestions),
        "order": [] if sections.naming is None else sections.naming.order,
        "embedded": sorted(sounds.embedded),
        "linked": {str(row): address for row, address in sounds.linked.items()},
        "type": TYPES[sounds.format],
        "id": facts["sha256_of_clips"][:16],
        "nColours": N_COLOURS,
        "nShapes": len(SHAPES),
    }


def _format(name: str) -> str:
    """Return a format of files in words: "WAV, 16 bit" for "WAV PCM_16"."""
    return re.sub(r"[ /]PCM_[SU]?(\d+)$", r", \1 bit", name)


def _place(command: str | None) -> str:
    """Return the first thing that a command names, in whose folder it is to be typed, or ""."""
    try:
        words = shlex.split(command or "")
    except ValueError:  # a quotation mark without its other
        return ""
    named = words[2] if words[:2] == ["skaudeep", "report"] and len(words) > 2 else ""
    return "" if named.startswith("-") else named


def _colours(classes: Sequence[str]) -> list[int]:
    """Return the number of the colour and shape of each class: its place among sorted names.

    So a class keeps its colour in the report that is made with the names given in this one, where
    classes have another order. Names are compared by code units of UTF-16, as browsers compare.
    """
    order = sorted(classes, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    place = {name: number for number, name in enumerate(order)}
    return [place[name] for name in classes]


def _lengths(durations: NDArray[np.float64]) -> str:
    known = durations[~np.isnan(durations)]
    if not len(known):
        return ""
    low, high = known.min(), known.max()
    each = f"{low:.3g} s each" if low == high else f"{low:.3g} to {high:.3g} s"
    return f"{each}, {duration(known.sum())} in all"


def _recalls(sections: Contents) -> dict[int, str]:
    """Return the share of each tested class that was recognised, by the number of the class."""
    found, names = sections.confusion, sections.corpus.bunch.target_names
    if found is None:
        return {}
    return {names.index(n): _percent(r) for n, r in zip(found.names, found.recalls, strict=True)}


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _joined(text: str) -> str:
    """Keep each number in one line with its per cent sign."""
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", text)


# Drawings, in units of their own.


def _points(embedding: Embedding, sections: Contents) -> list[dict[str, Any]]:
    target = sections.corpus.bunch.target
    colours = _colours(sections.corpus.bunch.target_names)
    width, height = PLOT
    points = [
        {
            "row": row,
            "x": f"{MARGIN + x * (width - 2 * MARGIN):.1f}",
            "y": f"{height - MARGIN - y * (height - 2 * MARGIN):.1f}",
            "label": int(target[row]),
            "colour": colours[target[row]] if target[row] >= 0 else -1,
        }
        for row, (x, y) in zip(embedding.rows.tolist(), embedding.places.tolist(), strict=True)
    ]
    return sorted(points, key=lambda point: point["label"] >= 0)  # labels on top


def _draw_curve(curve: Curve, sections: Contents) -> dict[str, Any]:
    """Place the points of the learning curve, their intervals, and ticks."""
    width, height = CURVE
    left, right, top, bottom = 44, width - 14, 12, height - 40
    most = max(curve.n_train)
    lowest = min(score.low for score in curve.scores)
    floor = np.floor(10 * lowest) / 10 if lowest > 0.2 else 0.0

    def x(n: float) -> float:
        return left + (right - left) * n / most

    def y(uar: float) -> float:
        return bottom - (bottom - top) * (uar - floor) / (1 - floor)

    points = [
        {
            "x": round(x(n), 1),
            "y": round(y(s.uar), 1),
            "low": round(y(s.low), 1),
            "high": round(y(s.high), 1),
            "n": f"{n:.0f}",
            "number": s.number,
            "range": s.range,
            "text": _joined(s.text),
        }
        for n, s in zip(curve.n_train, curve.scores, strict=True)
    ]
    step = 0.1 if 1 - floor <= 0.5 else 0.2
    ticks = np.arange(floor, 1 + step / 2, step)
    band = [f"{p['x']},{p['high']}" for p in points]
    band += [f"{p['x']},{p['low']}" for p in reversed(points)]
    return {
        "width": width,
        "height": height,
        "left": left,
        "right": right,
        "bottom": bottom,
        "points": points,
        "ticks": [{"y": round(y(t), 1), "text": f"{100 * t:.0f}"} for t in ticks if t <= 1.001],
        "line": " ".join(f"{p['x']},{p['y']}" for p in points),
        "band": " ".join(band),
        "conclusion": curve.conclusion,
    }
