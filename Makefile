# The front door. `make` alone prints the verbs.
#
# Needs Python 3.11 or newer and make; Node only to check the AsyncAPI document. Everything else
# is brought by `make install`, pinned by hash, from whatever index pip and uv are set up with.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# A Java or C child in the POSIX locale dies, mute, on the first accent in a path.
export LC_ALL := C.UTF-8
export PREAU_HOME ?= .preau
# A bare `uv run` or `uv pip` by a person must meet the same environment.
export VIRTUAL_ENV := $(CURDIR)/.venv

PYTHON ?= python3
BIN := .venv/bin
# A uv that is there, or the one that we bring.
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
CODE := services shared deploy examples tests
MEMBERS := shared $(wildcard services/*/pyproject.toml)
EDITABLES := $(foreach member,$(patsubst %/pyproject.toml,%,$(MEMBERS)),-e ./$(member))
STAMP := .venv/.installed
EXPORT := export --quiet --all-packages --all-groups --no-emit-workspace \
	--format requirements-txt --no-header --no-annotate

.PHONY: help install run demo test test-all check fix lint types bench chaos up down migrate images \
	events lock lock-fresh docs-fresh alone check-data clean distclean

help: ## print the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

# --- Installing -----------------------------------------------------------------------------

install: $(STAMP) ## bring uv, the environment, the jars of the laptop stack, the Node checks
	@echo "Installed. Next: make run"

.tools/bin/uv:
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing: on Debian or Ubuntu, apt-get install python3-venv"; \
		exit 1; }
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --require-hashes -r deploy/install/uv.txt

$(BIN)/python: | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv

$(STAMP): requirements.lock pyproject.toml shared/pyproject.toml \
		$(wildcard services/*/pyproject.toml) package-lock.json deploy/install/uv.txt \
		$(wildcard deploy/local/jgo.*) | $(BIN)/python
	$(UV) pip sync --quiet --require-hashes requirements.lock
	$(UV) pip install --quiet --no-deps --build-constraints requirements.lock $(EDITABLES)
	$(BIN)/python -m deploy.local fetch
	@if command -v npm >/dev/null 2>&1; then npm ci --silent --ignore-scripts --no-audit --no-fund; \
	else echo "No Node here: the AsyncAPI document will not be parsed (make check says so)."; fi
	@touch $@

lock: $(UV) ## resolve the newest versions into requirements.lock
	$(UV) lock --quiet --upgrade
	$(UV) $(EXPORT) --output-file requirements.lock

# --- Running --------------------------------------------------------------------------------

run: $(STAMP) ## the whole platform on this machine: Kafka, PostgreSQL, Redis, five services
	$(BIN)/python -m deploy.local run

demo: $(STAMP) ## the same with a community that lives in it
	$(BIN)/python -m deploy.local demo

up: $(STAMP) ## only Kafka, PostgreSQL and Redis
	$(BIN)/python -m deploy.local up

down: $(STAMP) ## stop what `make up` started
	$(BIN)/python -m deploy.local down

migrate: $(STAMP) ## bring the databases to the newest schema
	$(BIN)/preau migrate

bench: $(STAMP) ## measure against the field's own tools: make bench [CASE=consume] [RUNS=5]
	UV=$(UV) $(BIN)/python -m tests.benchmarks $(if $(CASE),--case $(CASE)) $(if $(RUNS),--runs $(RUNS))
	$(BIN)/python -m tests.benchmarks.document build/bench.json

chaos: $(STAMP) ## hurt it and look for what broke: make chaos [SEED=n] [RUNS=n] [MINUTES=n]
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) \
		$(if $(MINUTES),--minutes $(MINUTES)) $(if $(MUTANT),--mutant $(MUTANT))

check-data: $(STAMP) ## compare an import with its source: make check-data DATA=folder
	@test -n "$(DATA)" || { echo "Say where the source is: make check-data DATA=folder"; exit 2; }
	$(BIN)/python -m tests.oracle "$(DATA)"

images: ## one container image for each service
	@docker info >/dev/null 2>&1 || { \
		echo "No container engine answers here: images need a running Docker (or podman-docker)."; \
		exit 1; }
	@set -e; for service in $(patsubst services/%/pyproject.toml,%,$(wildcard services/*/pyproject.toml)); do \
		docker build --file deploy/docker/Dockerfile --build-arg SERVICE=$$service \
			--tag preau-$$service:$${TAG:-dev} .; \
	done

# --- Checking -------------------------------------------------------------------------------

test: $(STAMP) ## everything that needs neither Kafka nor a container; about a minute
	$(BIN)/pytest tests -m "not system" -n auto --dist loadscope

test-all: $(STAMP) ## everything, on the real Kafka, PostgreSQL and Redis
	$(BIN)/pytest tests

check: lint types lock-fresh docs-fresh test ## what every commit must pass

lint: $(STAMP) ## format, ruff, who may import whom
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy $(CODE)

fix: $(STAMP) ## format and repair what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Resolving again with the lock as constraint moves only what the lock lacks or has too much.
lock-fresh: $(STAMP)
	UV=$(UV) $(BIN)/python -m deploy.install.lock_fresh

docs-fresh: $(STAMP)
	$(BIN)/python -m shared.kit.tools.docs --check
	@if command -v node >/dev/null 2>&1 && test -d node_modules/@asyncapi/parser; then \
		node deploy/install/asyncapi.mjs docs/asyncapi.yaml; \
	else echo "No Node here: docs/asyncapi.yaml was not parsed."; fi

events: $(STAMP) ## write docs/ again: catalogue of events, AsyncAPI, OpenAPI
	$(BIN)/python -m shared.kit.tools.docs

alone: $(STAMP) ## each service from its own wheel, in an environment of its own
	UV=$(UV) $(BIN)/python -m deploy.install.alone

# --- Cleaning -------------------------------------------------------------------------------

clean: ## remove the local data and what was built
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m deploy.local down >/dev/null 2>&1 || true; fi
	rm -rf "$(PREAU_HOME)" dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache \
		.hypothesis .benchmarks
	find $(CODE) -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## the same, and the environment and tools too
	rm -rf .venv .tools node_modules
