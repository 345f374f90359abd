# `make demo` and `make test` set everything up by themselves; the second time that costs nothing.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
INSTALLED := $(VENV)/.installed
# PYTHONPATH of the caller must not leak into the environment.
RUN := env -u PYTHONPATH $(VENV)/bin/python

.PHONY: demo test test-slow lint format clean

demo: $(INSTALLED)
	$(RUN) examples/getting_started/demo.py

test: $(INSTALLED)
	$(RUN) -m pytest -n 2

test-slow: $(INSTALLED)
	$(RUN) -m pytest -m slow

lint: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: $(INSTALLED)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
