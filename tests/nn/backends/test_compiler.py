"""Vector widths, each compiled for itself, and a cache of machine code that fails gracefully."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

compiler = pytest.importorskip("skaudeep.nn.backends.compiler", exc_type=ImportError)

needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")


def python(code, cache, **environment):
    """Run code in a process with a cache of its own; return what it prints."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NUMBA_", "SKAUDEEP_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        env=inherited | {"NUMBA_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1"} | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LAYERS = """
import torch
from torch import nn
from skaudeep.nn.backends import compiler, kernels
from skaudeep.nn.backends.cpu import run_layer
torch.manual_seed(0)
worst = 0.0
module = nn.{module}(9, 40)
weights = list(module.parameters())
x = torch.randn(6, 37, 9, requires_grad=True)
outputs, _ = run_layer("{module}".lower(), x, None, weights)
expected, _ = module(x)
weigh = torch.linspace(-1, 1, outputs.numel()).view_as(outputs)
ours = torch.autograd.grad((outputs * weigh).sum(), [x, *weights])
theirs = torch.autograd.grad((expected * weigh).sum(), [x, *weights])
for own, other in zip([outputs, *ours], [expected, *theirs], strict=True):
    worst = max(worst, float((own - other).abs().max() / other.abs().max()))
print(compiler.VECTOR_BYTES, compiler.TILE_ROWS, worst)
"""


# Of these, one is the width at which all other tests run; to compile for each takes ten seconds.
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("width", "module"),
    [
        (32, "GRU"),
        *[
            pytest.param(*case, marks=SLOW)
            for case in [(32, "LSTM"), (16, "GRU"), (16, "LSTM"), (64, "GRU"), (64, "LSTM")]
        ],
    ],
)
def test_layers_of_every_vector_width_have_torchs_outputs_and_gradients(width, module, tmp_path):
    code = LAYERS.format(module=module)
    printed = python(code, tmp_path, SKAUDEEP_VECTOR_BYTES=str(width)).split()
    assert int(printed[0]) == width
    assert float(printed[2]) <= 1e-5


PRODUCT = """
import llvmlite.binding
host = dict(avx512f={avx512}, avx2=True)
llvmlite.binding.get_host_cpu_features = lambda: host
import numpy as np
from skaudeep.nn.backends import compiler, kernels
rng = np.random.default_rng(0)
x, weight = rng.normal(size=(2, 19, 24)), rng.normal(size=(70, 24))
out = np.empty((2, 19, 70))
packed = kernels.pack(weight if {avx512} else np.asfortranarray(weight))
kernels.product(x, packed, np.zeros(70), out, 0, 19)
print(compiler.VECTOR_BYTES, np.abs(out - x @ weight.T).max() < 1e-12)
"""


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        pytest.param({"SKAUDEEP_VECTOR_BYTES": "64"}, {"SKAUDEEP_VECTOR_BYTES": "16"}, marks=SLOW),
    ],
)
def test_machines_of_two_vector_widths_can_share_a_cache(first, second, tmp_path):
    generic = {"NUMBA_CPU_NAME": "generic"}  # one key for both, but for the width
    wide = python(PRODUCT.format(avx512=True), tmp_path, **generic, **first).split()
    narrow = python(PRODUCT.format(avx512=False), tmp_path, **generic, **second).split()
    assert wide[1] == narrow[1] == "True"


def test_the_vector_width_is_that_of_what_numba_compiles_for(tmp_path):
    code = "from skaudeep.nn.backends import compiler; print(compiler.VECTOR_BYTES)"
    assert python(code, tmp_path, NUMBA_CPU_NAME="generic") == "16"
    features = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+avx2,+fma"}
    assert python(code, tmp_path, **features) == "32"


def test_a_vector_width_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("SKAUDEEP_VECTOR_BYTES", "48")
    with pytest.raises(ValueError, match="SKAUDEEP_VECTOR_BYTES='48', expected 16, 32 or 64"):
        compiler._vector_bytes()


@pytest.fixture
def function(tmp_path, monkeypatch):
    """Return a function from a file of its own, beside which its machine code is cached."""
    monkeypatch.setattr(compiler, "_warned", set())
    monkeypatch.setattr(compiler, "__file__", str(tmp_path / "here.py"))
    monkeypatch.setattr("numba.config.CACHE_DIR", "")
    path = tmp_path / "doubling.py"
    path.write_text("def twice(x):\n    return 2 * x\n")
    spec = importlib.util.spec_from_file_location("doubling", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "doubling", module)
    spec.loader.exec_module(module)
    return module.twice


def compile_once(function):
    """Compile as a new process would; return the compiled function and all warnings."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        compiled = compiler.compiled(function)
        assert compiled(21) == 42
        assert compiled(1.5) == 3.0
    return compiled, [str(warning.message) for warning in found]


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["empty", "half", "zeros", "one byte"])
def test_a_damaged_cache_file_warns_once_and_is_compiled_anew(function, tmp_path, suffix, damage):
    assert compile_once(function)[1] == []
    loaded, found = compile_once(function)
    assert found == []
    assert sum(loaded.stats.cache_hits.values()) == 2
    for path in (tmp_path / "__pycache__").glob(f"*{suffix}"):
        data = bytearray(path.read_bytes())
        if damage == "one byte":
            data[len(data) // 2] ^= 0xFF
        path.write_bytes(
            {"empty": b"", "half": data[: len(data) // 2], "zeros": bytes(len(data))}.get(
                damage, data
            )
        )
    _, found = compile_once(function)
    if (suffix, damage) != (".nbi", "one byte"):  # which may only be another key
        assert len(found) == 1
        assert "damaged" in found[0]
        assert str(tmp_path / "__pycache__") in found[0]
    loaded, found = compile_once(function)
    assert found == []
    assert sum(loaded.stats.cache_hits.values()) == 2


def test_a_full_disk_under_the_cache_warns_once(function, monkeypatch):
    def full(self, sig, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compiler.FunctionCache, "save_overload", full)
    assert [m.partition(" to ")[0] for m in compile_once(function)[1]] == [
        "Compiled kernels cannot be written"
    ]
    assert compile_once(function)[1] == []


def test_a_function_without_a_folder_for_its_cache_warns_once_and_works(function):
    scope: dict = {}
    exec("def twice(x):\n    return 2 * x", scope)  # from no file, so with no folder
    (message,) = compile_once(scope["twice"])[1]
    assert "Set NUMBA_CACHE_DIR to a folder of your own" in message
    assert compile_once(scope["twice"])[1] == []


def test_kernels_that_were_compiled_ahead_are_read_where_nothing_can_be_written(
    function, tmp_path, monkeypatch
):
    compile_once(function)

    def read_only(**_):
        raise PermissionError(13, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", read_only)  # numba's way to try a folder
    compiled, found = compile_once(function)
    assert found == []
    assert sum(compiled.stats.cache_hits.values()) == 2
    for path in (tmp_path / "__pycache__").glob("*.nb*"):
        path.unlink()
    (message,) = compile_once(function)[1]
    assert "No folder can be written" in message


@needs_posix
def test_a_cache_that_others_can_write_to_is_neither_read_nor_written(function, tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    compiler.__file__ = str(private / "here.py")
    folder = tmp_path / "__pycache__"
    compile_once(function)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    folder.chmod(0o777)
    compiled, (message,) = compile_once(function)
    assert f"Others can write to {folder}" in message
    assert not compiled.stats.cache_hits
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    folder.chmod(0o755)
    assert compile_once(function)[1] == []


@needs_posix
def test_a_file_of_the_cache_that_others_can_write_to_is_not_read(function, tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    compiler.__file__ = str(private / "here.py")
    folder = tmp_path / "__pycache__"
    compile_once(function)
    path = next(folder.glob("*.nbi"))
    path.chmod(0o666)  # of a folder that was open to all
    compiled, (message,) = compile_once(function)
    assert f"Others can write to {path}" in message
    assert not compiled.stats.cache_hits
    path.unlink()
    path.symlink_to(tmp_path / "missing")
    assert compile_once(function)[1] == []


@needs_posix
def test_others_can_write_sees_modes_owners_and_folders_above(tmp_path, monkeypatch):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        folder.chmod(0o755)
    assert not compiler.others_can_write(inner)
    inner.chmod(0o1777)  # others could plant a file
    assert compiler.others_can_write(inner)
    inner.chmod(0o755)
    inner.parent.chmod(0o777)  # others could put another folder in its place
    assert compiler.others_can_write(inner)
    inner.parent.chmod(0o1777)  # nobody but the owner can, as in /tmp
    assert not compiler.others_can_write(inner)
    monkeypatch.setattr(compiler, "_is_own", lambda group: False)
    inner.parent.chmod(0o755)
    inner.chmod(0o775)
    assert compiler.others_can_write(inner)
    inner.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: Path(inner).stat().st_uid + 1)
    if inner.stat().st_uid != 0:  # root's folders are nobody else's
        assert compiler.others_can_write(inner)
