"""The error of a clip, which crosses from process to process."""

import pickle

from skaudeep.audio.decoding import AudioError


def test_audio_error_survives_pickling_and_escapes_control_characters():
    error = pickle.loads(pickle.dumps(AudioError("a\x1b[31m.wav", "is red", "Paint it", "empty")))
    assert str(error) == r"'a\x1b[31m.wav': is red. Paint it."
    assert error.clip == "a\x1b[31m.wav"
    assert error.kind == error.renamed("b.wav").kind == "empty"
