"""How Sphinx builds the documentation: `make docs`, or `make docs-quick` without running examples.

SKAUDEEP_DOCS_OFFLINE=1 leaves out the links to the references of other libraries, whose indices
would be fetched.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from pathlib import Path
from typing import Any

from sphinx.util.nodes import make_refnode

import skaudeep

HERE = Path(__file__).parent
sys.path.append(str(HERE / "_extensions"))

project = "skaudeep"
author = "The skaudeep developers"
copyright = "The skaudeep developers, BSD-3-Clause"  # noqa: A001, Sphinx's name
version = release = skaudeep.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
    "click_reference",
]
templates_path = ["_templates"]
exclude_patterns = ["_*", "development/training-curve"]

# --- prose ---------------------------------------------------------------------------------------
highlight_language = "none"  # of blocks that name none, such as what commands print
smartquotes = False  # options begin with two dashes
default_role = "literal"  # docstrings set names in single backticks
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 4  # links to headings, as forges make them
suppress_warnings = ["myst.header"]  # a page that is included begins where its host ends

# --- reference -----------------------------------------------------------------------------------
autosummary_generate = True
autodoc_default_options = {"members": True, "inherited-members": True, "member-order": "bysource"}
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # numpydoc's text says more
numpydoc_show_class_members = False
nitpicky = True  # a reference to one of our names that does not exist is an error
nitpick_ignore_regex = [("py:.*", r"(?!skaudeep\.).*")]

intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "pandas": ("https://pandas.pydata.org/docs", None),
    "sklearn": ("https://scikit-learn.org/stable", None),
    "torch": ("https://docs.pytorch.org/docs/stable", None),
    "librosa": ("https://librosa.org/doc/latest", None),
}
if os.environ.get("SKAUDEEP_DOCS_OFFLINE") == "1":
    intersphinx_mapping = {}

# --- gallery -------------------------------------------------------------------------------------
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": ("skaudeep",),
    "reference_url": {"skaudeep": None},
    "backreferences_dir": "reference/backreferences",
    "remove_config_comments": True,
    "show_memory": False,
    "download_all_examples": False,
    "abort_on_example_error": True,
}

# --- pages ---------------------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = "skaudeep"
html_static_path = ["_static"]
html_css_files = ["skaudeep.css"]
html_show_sourcelink = False
html_theme_options: dict[str, Any] = {
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 7,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars: dict[str, list[str]] = {"index": [], "getting-started": []}


def public_names() -> dict[str, str]:
    """Map the last part of each public name to the full name under which its page stands."""
    names: dict[str, str] = {}
    for page in sorted((HERE / "reference" / "api").glob("*.rst")):
        module = ""
        for line in page.read_text("utf-8").splitlines():
            if line.startswith(".. currentmodule:: "):
                module = line.split()[-1]
            elif line.startswith("   ") and line.strip().replace(".", "").isidentifier():
                name = f"{module}.{line.strip()}"
                names.setdefault(name.rpartition(".")[2], name)
    return names


def find_elsewhere(app: Any, env: Any, node: Any, contents: Any) -> Any:
    """Resolve `skaudeep.evaluation.evaluate` and `evaluate` to `skaudeep.evaluate`.

    A name has one page, and several modules offer it.
    """
    if node.get("refdomain") != "py":
        return None
    head, _, member = node["reftarget"].partition("#")[0].rpartition(".")
    names = public_names()
    objects = env.domains.python_domain.objects
    for owner, rest in ((member, ""), (head.rpartition(".")[2], f".{member}")):
        full = names.get(owner, "") + rest
        if full in objects:
            found = objects[full]
            return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, contents)
    return None


def leave_out_foreign(
    app: Any, what: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out what a class inherits from other libraries: their own pages describe it."""
    value = inspect.unwrap(value.fget if isinstance(value, property) else value)
    module = getattr(value, "__module__", None) or ""
    return True if what == "class" and not module.startswith("skaudeep") else None


# Pages that lie at the top of the checkout, and where the documentation has them.
ELSEWHERE = {
    "CHANGELOG": "/development/changes.md",
    "CONTRIBUTING": "/development/contributing.md",
    "README": "/index.md",
}


def link_within(app: Any, page: str, content: list[str]) -> None:
    """Let links to pages at the top of the checkout lead to their pages here."""
    pattern = rf"\]\((?:\.\./)+({'|'.join(ELSEWHERE)})\.md"
    content[0] = re.sub(pattern, lambda match: f"]({ELSEWHERE[match[1]]}", content[0])


def mark_attributes(
    app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    """Set `n_features_in_` as code in the types of parameters, where it would be a link."""
    lines[:] = [
        re.sub(r"(?<=[(, ])(n_[a-z_]+_)(?=[,)])", r"``\1``", line) if " : " in line else line
        for line in lines
    ]


def setup(app: Any) -> None:
    """Connect the functions above."""
    app.connect("source-read", link_within)
    app.connect("missing-reference", find_elsewhere)
    app.connect("autodoc-skip-member", leave_out_foreign)
    app.connect("autodoc-process-docstring", mark_attributes, priority=400)  # before numpydoc
