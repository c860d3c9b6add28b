# Two promises: `make demo` and `make test`, each on a fresh clone. Everything lands in .venv and build/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test unit lint setup clean

setup: $(STAMP)

# torch first, so that nothing else chooses its build; then everything at the versions that work together
$(STAMP): pyproject.toml constraints/cpu.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints/cpu.txt torch
	$(BIN)/python -m pip install --quiet -c constraints/cpu.txt -e '.[all,cluster,tail-openvino,dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/python -m toolkit.cli.demo

test: $(STAMP)
	$(BIN)/python -m pytest

unit: $(STAMP)
	$(BIN)/python -m pytest tests/unit -m 'not slow'

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf build .venv
