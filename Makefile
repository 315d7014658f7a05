# Every target does its own set-up: a virtual environment in .venv, filled anew when pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check benchmark docs clean

demo: $(READY)  ## check the photographs in fixtures/photographs
	@cd fixtures/photographs && ../../$(BIN)/groundlint check --exit-zero

test: $(READY)  ## run the tests
	$(BIN)/python -m pytest

check: $(READY)  ## lint and type-check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict

benchmark: $(READY)  ## measure speed and memory; takes minutes
	$(BIN)/python benchmarks/speed.py

docs: $(READY)  ## renew the generated documents
	$(BIN)/python docs/renew.py

clean:
	rm -rf .venv

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
