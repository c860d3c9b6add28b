# Two promises: `make demo` and `make test`, each on a fresh clone. Everything lands in .venv and build/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
comma := ,

.PHONY: demo demo-injector test test-all unit docs lint setup clean

setup: $(STAMP)

# torch first, so that nothing else chooses its build; then everything at the versions that work together.
# PYTHONWARNINGS: setuptools warns of the plain names that our packages have on purpose (CONTRIBUTING).
PIP = PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check
# $(call telling,what,command): run a command with a line a minute, so that nobody takes it for dead
define telling
@echo "set-up: $(1)"
@( while sleep 60; do echo "set-up: still at it: $(1)"; done ) & ticker=$$!; $(2); code=$$?; kill $$ticker; exit $$code
endef

$(STAMP): pyproject.toml constraints/cpu.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	$(call telling,installing torch,$(PIP) -c constraints/cpu.txt torch)
	$(call telling,installing the exporters and this project,$(PIP) -c constraints/cpu.txt -e '.[all$(comma)hf$(comma)timm$(comma)cluster$(comma)tail-openvino$(comma)dev]')
	@touch $@

demo: $(STAMP)
	$(BIN)/python -m toolkit.cli.demo.waist

# the paper's own setting: no waist, features cross; the tests use its bundle, build/demo
demo-injector: $(STAMP)
	$(BIN)/python -m toolkit.cli.demo

# one worker per core; tests that judge by the clock stay in one worker
WORKERS ?= 2
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

test: $(STAMP)
	$(PYTEST) -m 'not thorough'

# everything, with twenty kills of each stage: what CI runs
test-all: $(STAMP)
	PRIPRO_KILLS=$${PRIPRO_KILLS:-20} $(PYTEST)

unit: $(STAMP)
	$(BIN)/python -m pytest tests/unit -m 'not slow'

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin  # what only Linux has stays behind a question

# the pages under docs/ as a site in build/site; a broken link or reference is an error
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

clean:
	rm -rf build .venv
