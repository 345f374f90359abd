"""Imports go one way: the order of layers and the rules of subpackages, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skaudeep

PACKAGE = Path(skaudeep.__file__).parent
# A module imports from its own layer and from those after it, never from one before it.
LAYERS = [
    ["__main__"],
    ["cli"],
    ["reporting"],
    ["plotting"],
    ["evaluation"],
    ["callbacks"],
    ["persistence"],
    ["detection", "similarity"],
    ["classification", "feature_files", "unsupervised"],
    ["streaming"],
    ["anomaly", "processor", "events"],
    ["recipes", "_model_inputs", "_model_outputs", "_times"],
    ["fusion", "chunks", "autoencoder", "reservoir", "statistics", "extraction", "linear"]
    + ["descriptors", "distances", "distillation", "mlp", "module_features", "per_frame"],
    ["spectrogram", "function_extractor", "_state_features"],
    ["_views"],
    ["formats"],
    ["versions"],
    ["datasets"],
    ["training"],
    ["nn"],
    ["audio"],
    ["_base", "_journal", "_padding", "_parallel", "_progress"],
    ["_files"],
    ["_version", "_warnings", "_texts"],
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def modules() -> dict[str, ast.Module]:
    """Parse each module of the package, by its dotted name below `skaudeep`."""
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): ast.parse(
            path.read_text("utf-8")
        )
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def imports(tree: ast.Module) -> list[str]:
    """Full names of all that a module imports, inside functions and for types as well."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def imports_at_load(tree: ast.Module) -> list[str]:
    """Full names of what importing the module imports: not in functions, not for types alone."""
    body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    ]
    return imports(ast.Module([n for n in body if not isinstance(n, ast.FunctionDef)], []))


def ours(names: list[str]) -> list[str]:
    return [name.removeprefix("skaudeep.") for name in names if name.startswith("skaudeep.")]


MODULES = modules()
INNER = {name: tree for name, tree in MODULES.items() if name != "__init__"}


def test_every_module_has_a_layer():
    assert {name.split(".")[0] for name in INNER} <= RANK.keys()


@pytest.mark.parametrize("name", INNER)
def test_a_module_imports_from_its_own_layer_or_later_ones_only(name):
    own = name.split(".")[0]
    for imported in ours(imports(INNER[name])):
        other = imported.split(".")[0]
        assert other in RANK, f"{name} imports {imported} through the package root"
        assert other == own or RANK[own] < RANK[other], f"{name} imports {imported}"


def test_there_are_no_circles_between_modules():
    arrows = {}
    for name, tree in INNER.items():
        arrows[name] = {
            found
            for imported in ours(imports_at_load(tree))
            for found in (imported, imported.rpartition(".")[0])
            if found in INNER and found != name
        }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"circle: {' -> '.join([*path, name])}"
        if name not in done:
            for other in arrows[name]:
                visit(other, (*path, name))
            done.add(name)

    for name in arrows:
        visit(name, ())


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("audio", {"sklearn", "torch"}),
        ("_journal", {"sklearn", "torch"}),
        ("_files", {"sklearn", "torch"}),
        ("_padding", {"sklearn"}),
        ("nn", {"sklearn"}),
        ("datasets", {"torch", "librosa"}),
        ("_version", {"sklearn", "torch", "numpy"}),
        ("_warnings", {"sklearn", "torch", "numpy", "joblib"}),
    ],
)
def test_what_a_package_does_not_know(package, forbidden):
    for name, tree in INNER.items():
        if name.split(".")[0] == package:
            known = {imported.split(".")[0] for imported in imports(tree)}
            assert not known & forbidden, name


def test_only_base_knows_private_names_of_scikit_learn():
    for name, tree in INNER.items():
        if name == "_base":
            continue
        private = [
            imported
            for imported in imports(tree)
            if imported.startswith("sklearn.") and "._" in imported
        ]
        assert not private, f"{name} imports {private}"


def test_training_knows_no_network_by_name():
    for name, tree in INNER.items():
        if name.startswith("training."):
            known = ours(imports(tree))
            assert not [n for n in known if n.startswith(("nn.autoencoders", "nn.encoders"))], name


# pandas is missing: scikit-learn loads it where it is installed.
HEAVY = {"sklearn", "torch", "librosa", "numba", "netCDF4", "matplotlib", "scipy.signal"}


def test_what_an_import_loads():
    """In one process, one after the other: each may load what those before it did, and more."""
    allowed = {
        "import skaudeep": set(),
        "import skaudeep.audio.chain, skaudeep.extraction": set(),  # in the workers
        "skaudeep.datasets": {"sklearn"},
        "skaudeep.load_netcdf": {"sklearn", "netCDF4"},
        "skaudeep.formats.load_csv; skaudeep.datasets.load_dataset; "
        "assert skaudeep.load_netcdf is skaudeep.formats.load_netcdf": {"sklearn", "netCDF4"},
    }
    say = f"print(*({HEAVY!r} & sys.modules.keys()))"
    code = "\n".join(["import sys", *(f"{statement}; {say}" for statement in allowed)])
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    for line, (statement, expected) in zip(done.stdout.splitlines(), allowed.items(), strict=True):
        assert set(line.split()) <= expected, statement


def test_no_module_passes_600_lines_without_a_reason():
    reasons = {
        "autoencoder": "one estimator: its documentation is half of it",
        "recipes": "its functions share ten parameters, and each documents them",
    }
    long = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
        if len(path.read_text("utf-8").splitlines()) > 600
    }
    assert long <= reasons.keys()
