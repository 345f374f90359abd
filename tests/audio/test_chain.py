"""The chain of steps: which of them several extractors share."""

from __future__ import annotations

from collections import Counter

import numpy as np

from skaudeep import SpectrogramExtractor
from skaudeep.audio import AudioError, Clip, chain, extract_clip_views

NOISE = Clip("noise", np.random.default_rng(0).normal(size=8000))


def parameters(**changes):
    return SpectrogramExtractor(**{"n_mels": 8, "sampling_rate": 8000} | changes).get_params()


def test_extract_clip_views_runs_a_step_once_for_extractors_that_agree_up_to_it(monkeypatch):
    calls = Counter()

    def counted(step):
        def call(*args, **kwargs):
            calls[step.__name__] += 1
            return step(*args, **kwargs)

        return call

    monkeypatch.setattr(
        chain, "STEPS", tuple((counted(step), names) for step, names in chain.STEPS)
    )
    changes = [{"clip_below": -30}, {"clip_below": -60}, {"n_mels": 4}, {"channel": "left"}]
    ((*views,),) = extract_clip_views([NOISE], [parameters(**change) for change in changes])
    assert list(calls.values()) == [1, 1, 2, 2, 3, 4, 4]  # in the order of the steps
    for view, change in zip(views, changes, strict=True):
        ((alone,),) = extract_clip_views([NOISE], [parameters(**change)])
        np.testing.assert_array_equal(view.values, alone.values)


def test_extract_clip_views_returns_an_error_for_each_extractor_that_the_step_concerns():
    missing = parameters(channel="right", on_error="nan")
    views = extract_clip_views([NOISE], [missing, parameters(), missing | {"n_mels": 4}])[0]
    assert [isinstance(view, AudioError) for view in views] == [True, False, True]
    assert views[0].clip == "noise"
    assert views[0].kind == "settings"
