"""What is wrong at first sight is said at once."""

import subprocess
import sys


def test_what_is_wrong_at_first_sight_is_said_before_heavy_libraries_load(tmp_path):
    (tmp_path / "birds").mkdir()
    (tmp_path / "there.nc").touch()
    (tmp_path / "there.skaudeep").touch()
    (tmp_path / "page.html").touch()
    (tmp_path / "wrong.csv").write_text("name,kind\na.wav,owl\n")
    cases = {
        "inspect none": "none: does not exist",
        "evaluate birds none": "none: does not exist",
        "report none": "none: does not exist",
        "fit birds -o there.skaudeep": "there.skaudeep: exists already",
        "extract birds -o there.nc": "there.nc: exists already",
        "train birds -o there.skaudeep": "there.skaudeep: exists already",
        "train birds -o m.pkl": "m.pkl: names of models end in .skaudeep",
        "train birds -o m.skaudeep --continue none.skaudeep": "none.skaudeep: does not exist",
        "fit birds -o none/m.skaudeep": "none/m.skaudeep: its folder does not exist",
        "predict birds birds": "birds: is a folder, expected a model",
        "predict none.skaudeep birds": "none.skaudeep: does not exist, expected a model",
        "predict page.html birds": "page.html: is a web page, expected a model",
        "predict there.skaudeep none": "none: does not exist",
        "transform birds birds -o f.nc": "birds: is a folder, expected a model",
        "fit birds -o m.skaudeep --labels wrong.csv": "wrong.csv: has no column 'filename'",
        "audit birds --labels none.csv": "none.csv: does not exist",
        "fuse none.nc none.nc -o x.nc": "none.nc: does not exist",
        "fuse none.nc none.nc -o there.nc": "there.nc: exists already",
        "split none.nc --folds 2 -o x.csv": "none.nc: does not exist",
        "split none.nc --folds 2 -o x.nc": "none.nc: does not exist",
        "export none.nc -o x.CSV": "x.CSV: expected a name that ends in .csv or .arff",
        "export none.nc -o x.csv": "none.nc: does not exist",
        "import none.csv -o x.nc": "none.csv: does not exist",
        "validate none.nc": "none.nc: does not exist",
        "plot loss none.skaudeep -o x.bmp": "x.bmp: its ending says no format of pictures",
        "plot loss none.skaudeep -o x.png": "none.skaudeep: does not exist, expected a model",
        "plot embedding none.nc -o x.png": "none.nc: does not exist",
        "inspect none.csv": "none.csv: does not exist",
        "inspect page.html": "page.html: is a web page, expected recordings",
    }
    code = (
        "import sys\nfrom skaudeep.cli import main\n"
        f"for line in {list(cases)!r}:\n"
        "    try:\n        main(line.split())\n    except SystemExit as end:\n"
        "        assert end.code == 1, line\n"
        "print(sorted({'torch', 'sklearn', 'librosa', 'pandas'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    lines = done.stderr.splitlines()
    assert len(lines) == len(cases), lines
    for line, words in zip(lines, cases.values(), strict=True):
        assert line.startswith(f"Error: {words}"), line
    assert done.stdout == "[]\n"
