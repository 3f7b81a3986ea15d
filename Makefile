# The front door. Every command that CI calls is one that a person calls: `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The base interpreter, only used to make the environment.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := $(wildcard features models training serving tests benchmarks)
STORE := sqlite:///.mlflow/mlflow.db

# What `make validate` validates: the demo's newest version on the demo's patients, unless you say otherwise.
MODEL := models:/ketamine-trd@challenger
COHORT := features/cohorts/ketamine_trd.toml
DATA := demo/cohort_2000.csv

# How many requests `make conformance` makes up for each operation of the API.
EXAMPLES := 200

# One lock for every system and every Python from 3.11; the header names the command, never a path or an address.
LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"


# MLflow sends usage figures by default.
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help install demo serve test conformance lint types validate bench lock mlflow build clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(STAMP)  ## the environment in .venv, from the locked requirements

$(STAMP): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; neither python3.11 nor python3 was found." >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set it with: make PYTHON=/path/to/python3.11 install")'
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: install  ## simulated cohort, training, champion, one served prediction, printed
	$(BIN)/python -m training demo

serve: install  ## the service on 127.0.0.1:8000
	$(BIN)/python -m serving run

test: install  ## the whole test suite
	$(BIN)/python -m pytest

conformance: install  ## CDS Hooks, FHIR, API contract, patients' values and the page's accessibility, on a running service (EXAMPLES= for more)
	CONFORMANCE_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -m conformance -rs

lint: install  ## style, format, layers of the packages, unsafe calls, and packages as they were locked
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml features models training serving
	$(BIN)/python -m pip --disable-pip-version-check check
	$(BIN)/python -m tests.house.installed

types: install  ## mypy --strict over code and tests
	$(BIN)/mypy $(CODE)

validate: install  ## gates and signed record of the demo's version, as in CI (MODEL=, COHORT=, DATA= for another)
	$(BIN)/python -m training validate --model $(MODEL) --cohort $(COHORT) --data $(DATA) --out demo/validation

bench: install  ## the benchmarks, side by side with their rivals (long)
	$(BIN)/python -m benchmarks

lock: install  ## resolve pyproject.toml anew into requirements/, with hashes
	$(BIN)/uv pip compile $(LOCK_OPTIONS) --upgrade --all-extras --group dev --output-file requirements/dev.txt pyproject.toml
	$(BIN)/uv pip compile $(LOCK_OPTIONS) --constraints requirements/dev.txt --extra serving --output-file requirements/serving.txt pyproject.toml

mlflow: install  ## the tracking store in the browser, on 127.0.0.1:5000
	@mkdir -p .mlflow
	$(BIN)/mlflow ui --backend-store-uri $(STORE) --host 127.0.0.1 --port 5000 --workers 1

build: install  ## the wheel, in dist/
	$(BIN)/python -m build --wheel --no-isolation

clean:  ## removes builds and caches; keeps .venv and the tracking store
	rm -rf build dist demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
