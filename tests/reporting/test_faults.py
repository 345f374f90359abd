"""Faults of recordings, gathered."""

from __future__ import annotations

from skaudeep.reporting.corpus import Finding
from skaudeep.reporting.faults import HARMLESS_CLIPPED, gather


def clipped(name: str, value: float) -> Finding:
    return Finding(name, "clipped", f"{value} % of samples at full scale", "Listen", value)


def test_findings_of_a_kind_are_one_sentence_with_the_worst_clips():
    values = [0.2, 3.0, 0.5, 1.0, 0.4]
    findings = [Finding("z.wav", "truncated", "ends early", "Copy it again")]
    findings += [clipped(f"{value}.wav", value) for value in values]
    first, second = gather(findings)
    assert first.text == "1 clip is cut off: the file ends too early"
    assert second.text == "5 clips were recorded too loudly, so that peaks are cut off"
    assert [found.clip for found in second.worst] == ["3.0.wav", "1.0.wav", "0.5.wav"]
    assert second.n_more == 2
    assert second.advice == "Listen"


def test_a_handful_of_clipped_samples_is_harmless_and_comes_last():
    findings = [clipped(f"{row}.wav", 0.004) for row in range(25)]
    assert [fault.harmless for fault in gather(findings)] == [True]
    [fault] = gather(findings)
    assert fault.text == (
        "Harmless: a few peaks are cut off in 25 clips, in each less than 0.1 % of the samples"
    )
    [fault] = gather(findings[:1])
    assert fault.text == (
        "Harmless: a few peaks are cut off in 1 clip, less than 0.1 % of its samples"
    )
    edge = clipped("edge.wav", HARMLESS_CLIPPED)
    silent = Finding("s.wav", "silent", "constant samples", "Listen to it", float("-inf"))
    kinds = [(fault.kind, fault.harmless) for fault in gather([*findings, edge, silent])]
    assert kinds == [("clipped", False), ("silent", False), ("clipped", True)]


def test_the_most_silent_and_the_shortest_are_the_worst():
    for kind in ("silent", "too short"):
        findings = [Finding(f"{v}", kind, "", "Leave it out", v) for v in (-70.0, -90.0, -80.0)]
        assert [found.clip for found in gather(findings)[0].worst] == ["-90.0", "-80.0", "-70.0"]
