"""TextGrids of Praat in forms that Praat itself writes."""

from __future__ import annotations

from skaudeep.formats import load_annotations

PLAIN = ["file", "start", "end", "label"]


def test_textgrids_in_utf_16_and_with_small_numbers_are_read(tmp_path):
    text = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 2\n'
        'tiers? <exists>\nsize = 2\nitem []:\n item [1]:\n class = "TextTier"\n name = "x 7"\n'
        " xmin = 0\n xmax = 2\n points: size = 1\n points [1]:\n number = 0.5\n"
        ' mark = "beep"\n item [2]:\n class = "IntervalTier"\n name = "birds"\n xmin = 0\n'
        " xmax = 2\n intervals: size = 2\n intervals [1]:\n xmin = 1e-05\n xmax = 1\n"
        ' text = "tawny\n""owl"""\n intervals [2]:\n xmin = 1\n xmax = 2\n text = ""\n'
    )
    (tmp_path / "a.TextGrid").write_text(text, encoding="utf-16")
    loaded = load_annotations(tmp_path / "a.TextGrid")
    assert loaded[PLAIN].to_numpy().tolist() == [["a", 1e-5, 1.0, 'tawny\n"owl"']]
