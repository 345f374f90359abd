"""Texts of others: arrays that one of them cannot blow up, and lists that are short."""

from __future__ import annotations

import pytest

from skaudeep._texts import list_names, shown, text_array


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["a", "bc", ""],
        ["x" * 50_000, "a"],  # few
        ["x" * 500] + ["a"] * 10_000,  # a long name among short ones
        [f"{'x' * 600}{number}" for number in range(10_000)],  # all of one length
    ],
    ids=["none", "short", "few", "name", "equal"],
)
def test_text_array_is_an_array_of_str(texts: list[str]):
    array = text_array(texts, "groups")
    assert array.dtype.kind == "U"
    assert array.tolist() == texts


def test_text_array_refuses_one_text_that_would_widen_all_others():
    texts = ["a"] * 10_000
    texts[17] = "x" * 100_000
    with pytest.raises(
        ValueError,
        match=r"of 100000 characters in groups, 'x{80}'\.\.\. at position 17",
    ):
        text_array(texts, "groups")


def test_list_names_names_all_of_few_and_the_most_similar_of_many():
    assert list_names([]) == "none"
    assert list_names(["a", "b\x1b"], "c") == r"'a', 'b\x1b'"
    many = [f"pcm_fftMag_mfcc_sma_{number}" for number in range(6373)] + ["label_nominal"]
    assert list_names(many, "label_numinal") == "'label_nominal', ... (the most similar of 6374)"
    for wanted in (None, "?", "x" * 10_000):
        text = list_names(many, wanted)
        assert text.startswith("'pcm_fftMag_mfcc_sma_0', ")
        assert text.endswith(", ... (the first of 6374)")
    assert len(list_names(["x" * 10**6] * 100, "x" * 10**6)) < 2000


def test_shown_cuts_long_texts():
    assert shown("a'b") == repr("a'b")
    assert shown("x" * 81) == repr("x" * 80) + "..."
