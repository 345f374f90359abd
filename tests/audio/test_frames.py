"""What durations are in samples and frames, at any sampling rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep.audio.frames import frame_layout

RATES = st.sampled_from([100, 8000, 11_025, 16_000, 22_050, 44_100, 48_000, 1_000_000])


@given(rate=RATES, hop=st.integers(10, 50), seconds=st.floats(0.1, 10), hours=st.integers(0, 5))
@settings(deadline=None)
def test_chunks_and_frames_keep_their_time(rate, hop, seconds, hours):
    layout = frame_layout(rate, 0.1, hop / 1000)
    chunk = int(hours * 3600 / seconds)
    frame = round(chunk * layout.chunk_length(seconds))
    begins = layout.frame_times(1, frame)[0] - layout.window / 2 / rate
    assert begins == pytest.approx(chunk * seconds, abs=0.5001 * layout.hop / rate)


def test_times_of_frames_are_those_of_their_samples():
    layout = frame_layout(22_050, 0.025, 0.01)
    assert (layout.window, layout.hop) == (551, 220)
    np.testing.assert_allclose(
        layout.frame_times(3, 1000), (np.arange(1000, 1003) * 220 + 275.5) / 22_050
    )
