# Each target sets everything up by itself; the second time that costs nothing.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
INSTALLED := $(VENV)/.installed
OLDEST := .venv-oldest
OLDEST_INSTALLED := $(OLDEST)/.installed
# Remade each time: nothing but the wheel and what it declares is to be in it.
EMPTY := .venv-wheel
WHEELS := build/wheels
# PYTHONPATH of the caller must not leak into the environment.
CLEAN := env -u PYTHONPATH
RUN := $(CLEAN) $(VENV)/bin/python
PIP_INSTALL := -m pip install --quiet --constraint

.PHONY: demo test test-slow test-wheel test-oldest test-torch-backend lint format docs docs-quick \
	clean

demo: $(INSTALLED)
	$(RUN) examples/getting_started/demo.py

test: $(INSTALLED)
	$(RUN) -m pytest -n 2 --dist loadfile

test-slow: $(INSTALLED)
	$(RUN) -m pytest -m slow

# The wheel, in an empty environment and away from the checkout: without extras each module is
# imported, and the README's pipeline is fitted, saved and loaded; with one, so is another.
test-wheel: $(INSTALLED)
	rm -rf $(EMPTY) $(WHEELS)
	$(RUN) -m pip wheel --quiet --no-deps --wheel-dir $(WHEELS) .
	$(PYTHON) -m venv $(EMPTY)
	$(CLEAN) $(EMPTY)/bin/python $(PIP_INSTALL) constraints.txt $(WHEELS)/*.whl
	$(CLEAN) $(EMPTY)/bin/python -W error .ci/smoke.py
	$(CLEAN) $(EMPTY)/bin/python $(PIP_INSTALL) constraints.txt "$$(echo $(WHEELS)/*.whl)[persistence]"
	$(CLEAN) $(EMPTY)/bin/python -W error .ci/smoke.py --persistence

# The lower bounds of pyproject.toml. netCDF4 below 1.7.4 warns so at import, which is harmless.
test-oldest: $(OLDEST_INSTALLED)
	$(CLEAN) $(OLDEST)/bin/python -m pytest -n 2 \
		-W "ignore:numpy.ndarray size changed:RuntimeWarning" \
		tests/test_common.py tests/formats tests/persistence tests/audio

# With torch's own recurrent layers in place of the compiled ones. Two tests are of what only the
# compiled ones promise: features equal to 1e-6 in any batch. Those of torch differ by up to 5e-6.
test-torch-backend: $(INSTALLED)
	SKAUDEEP_BACKEND=torch $(RUN) -m pytest -n 2 tests/test_autoencoder.py \
		-k "not in_any_batch and not on_padding_or_batch"

lint: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

# The documentation, into build/docs/html, with warnings as errors. SKAUDEEP_DOCS_OFFLINE=1 leaves
# out the links to other libraries; `docs-quick` does not run the examples of the gallery.
docs: $(INSTALLED)
	rm -rf docs/reference/api/generated # pages of names that are gone would be left
	$(RUN) -m sphinx -b html -W --keep-going -q docs build/docs/html $(SPHINX)

docs-quick:
	$(MAKE) docs SPHINX="-D plot_gallery=0"

format: $(INSTALLED)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python $(PIP_INSTALL) constraints.txt --editable '.[test]'
	touch $@

# Not the extra `test`: it asks for a newer netCDF4 than users need.
$(OLDEST_INSTALLED): pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python $(PIP_INSTALL) constraints-oldest.txt --editable '.[all]' \
		cloudpickle hypothesis pytest pytest-xdist
	touch $@

clean:
	rm -rf $(VENV) $(OLDEST) $(EMPTY) build .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		docs/auto_examples docs/reference/api/generated docs/reference/backreferences
