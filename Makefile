# Every target does its own set-up: a virtual environment in .venv, filled again when pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PYTEST := $(BIN)/python -m pytest --numprocesses auto

.PHONY: demo test test-slow test-all check benchmark docs site golden clean

demo: $(READY)  ## check the photographs in fixtures/photographs
	@cd fixtures/photographs && ../../$(BIN)/groundlint check --exit-zero

test: $(READY)  ## run the tests, without the slow ones
	$(PYTEST) -m "not slow"

test-slow: $(READY)  ## run the slow tests: package installs, pre-commit, full corpora, public data sets
	$(PYTEST) -m slow

test-all: test test-slow  ## run all tests

check: $(READY)  ## lint, check types and import layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

benchmark: $(READY)  ## measure speed and memory; takes minutes
	$(BIN)/python benchmarks/speed.py

docs: $(READY)  ## write the generated documents again
	$(BIN)/python docs/renew.py
	$(BIN)/python tools/remake_terminal_image.py

site: $(READY)  ## build the documentation site in site/
	$(BIN)/zensical build --strict

golden: $(READY)  ## write the expected outputs of tests again; read the difference before you commit it
	GROUNDLINT_WRITE_GOLDEN=1 $(BIN)/python -m pytest -q tests/test_golden.py tests/test_fixtures.py

clean:
	rm -rf .venv

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
