# `make demo` and `make test` need nothing but Python >= 3.11: the first of them builds .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

.PHONY: help demo test lint format bench clean

help:
	@echo "make demo    resting state of 76 regions: simulate, stream, analyse, draw"
	@echo "make test    all tests"
	@echo "make lint    ruff (style, format) and mypy --strict"
	@echo "make format  let ruff rewrite what make lint would refuse"
	@echo "make bench   braingraph beside hand-written JAX and C, in one table"
	@echo "make clean   remove .venv, caches and outputs"

# The stamp is younger than pyproject.toml exactly when .venv holds what pyproject.toml asks for.
$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

demo: $(STAMP)
	$(BIN)/python examples/resting_state.py

# Stores at addresses are tested where their packages can be had; without them pytest says so.
$(VENV)/places: $(STAMP)
	-$(BIN)/pip install --quiet --editable ".[places]"
	touch $@

test: $(STAMP) $(VENV)/places
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(STAMP)
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.streaming

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.zarr *.zip *.png
