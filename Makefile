# Nightlatch: everything a contributor or a curious visitor runs. `make` alone lists the targets.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install -qq --require-hashes
# The locks hold every dependency, so building ourselves may look at nothing else.
INSTALL_SELF := $(PIP) install -qq --no-deps --no-build-isolation --editable .
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
PYTEST := $(BIN)/python -m pytest
WORKERS ?= 2
PORT ?= 8080
ARGS ?=

.PHONY: help setup demo test check lint style types layers sizes locks format bench conformance docs pictures lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: $(VENV)/.dev ## create .venv with everything that tests and lint need

demo: $(VENV)/.runtime ## set up and start the demo on this machine (PORT=8080)
	$(BIN)/nightlatch demo --port $(PORT) $(ARGS)

test: $(VENV)/.dev ## set up and run every test
	@tools/system_packages test
	$(PYTEST) -n $(WORKERS) --dist loadgroup --durations=20 --durations-min=0.5 $(ARGS)

check: lint ## lint, unit tests and vectors, in a minute
	$(PYTEST) -q -n $(WORKERS) --dist loadgroup tests/unit tests/vectors $(ARGS)

lint: style types layers sizes locks ## style, types, layers, sizes, locks

style: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy src tests tools $(wildcard benchmarks)

layers: $(VENV)/.dev
	$(BIN)/lint-imports

sizes: $(VENV)/.dev
	$(BIN)/python tools/sizes.py src tests tools benchmarks

locks:
	@! grep -n '://' requirements/*.txt || { echo 'locks: a lock names the address of an index'; exit 1; }

format: $(VENV)/.dev ## let ruff write the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure against privacyIDEA, pgbench and pyotp (QUICK=1: 3 minutes instead of 15)
	@tools/system_packages bench
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(ARGS)

conformance: $(VENV)/.dev ## run every test and write docs/conformance.md
	@tools/system_packages test
	$(PYTEST) -n $(WORKERS) --dist loadgroup -q --conformance=docs/conformance.md $(ARGS)

docs: $(VENV)/.dev ## write docs/reference from the code
	$(BIN)/python tools/reference.py

pictures: $(VENV)/.dev ## take a picture of every page into var/pictures, the README's into docs/pictures
	@tools/system_packages test
	$(PYTEST) -q -m pictures --pictures=var/pictures tests/e2e $(ARGS)
	$(BIN)/python tools/readme_pictures.py var/pictures docs/pictures

lock: $(VENV)/.dev ## resolve requirements/*.in and pyproject.toml into the locks (ARGS=--upgrade for newer releases)
	$(COMPILE) $(ARGS) --all-extras -o requirements/runtime.txt pyproject.toml requirements/build.in
	$(COMPILE) $(ARGS) --all-extras -c requirements/runtime.txt -o requirements/dev.txt \
		pyproject.toml requirements/build.in requirements/test.in requirements/lint.in
	$(COMPILE) $(ARGS) -o requirements/bench.txt requirements/bench.in
	$(MAKE) setup

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	tools/make_venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(BIN)/python
	$(INSTALL) -r requirements/runtime.txt
	$(INSTALL_SELF)
	@touch $@

# The development lock holds the runtime lock's releases, so one installation serves both.
$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(INSTALL) -r requirements/dev.txt
	$(INSTALL_SELF)
	@touch $(VENV)/.runtime $@
