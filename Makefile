# All commands of the project; `make` without a target lists them.
#
# Needs Python 3.11 or newer and make; Node only to check the AsyncAPI document. `make install`
# installs everything else, pinned by hash, from the index that pip and uv are configured with.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# Trap: in the POSIX locale a Java or C child fails without a message on an accent in a path.
export LC_ALL := C.UTF-8
export PREAU_HOME ?= .preau
# So that a manual `uv run` or `uv pip` uses the same environment.
export VIRTUAL_ENV := $(CURDIR)/.venv

PYTHON ?= python3
# Each worker may run a whole platform: on more cores, TEST_WORKERS=4 make test-all.
TEST_WORKERS ?= 2
BIN := .venv/bin
# The installed uv, or the one that `make install` downloads.
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
CODE := services shared deploy examples tests
MEMBERS := shared $(wildcard services/*/pyproject.toml)
EDITABLES := $(foreach member,$(patsubst %/pyproject.toml,%,$(MEMBERS)),-e ./$(member))
STAMP := .venv/.installed
EXPORT := export --quiet --all-packages --all-groups --no-emit-workspace \
	--format requirements-txt --no-header --no-annotate

.PHONY: help install run demo test test-all check fix lint types bench chaos up down migrate images \
	events lock lock-fresh docs-fresh static alone check-data clean distclean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

# --- Installing -----------------------------------------------------------------------------

install: $(STAMP) ## install uv, the environment, the jars of the laptop stack, the Node checks
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

run: $(STAMP) ## run the whole platform here: Kafka, PostgreSQL, Redis, five services
	$(BIN)/python -m deploy.local run

demo: $(STAMP) ## play a day on the platform; starts one if none is running
	$(BIN)/python -m deploy.local demo

up: $(STAMP) ## start only Kafka, PostgreSQL and Redis
	$(BIN)/python -m deploy.local up

down: $(STAMP) ## stop what `make run` or `make up` started
	$(BIN)/python -m deploy.local down

migrate: $(STAMP) ## migrate the databases to the newest schema
	$(BIN)/preau migrate

bench: $(STAMP) ## measure beside comparable tools: make bench [CASE=consume] [RUNS=5]
	UV=$(UV) $(BIN)/python -m tests.benchmarks $(if $(CASE),--case $(CASE)) $(if $(RUNS),--runs $(RUNS))
	$(BIN)/python -m tests.benchmarks.document build/bench.json

chaos: $(STAMP) ## inject faults and check the invariants: make chaos [SEED=n] [RUNS=n] [MINUTES=n]
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) \
		$(if $(MINUTES),--minutes $(MINUTES)) $(if $(MUTANT),--mutant $(MUTANT))

check-data: $(STAMP) ## compare an import with its source: make check-data DATA=folder
	@test -n "$(DATA)" || { echo "Set the folder of the source: make check-data DATA=folder"; exit 2; }
	$(BIN)/python -m tests.oracle "$(DATA)"

images: ## build one container image for each service
	@docker info >/dev/null 2>&1 || { \
		echo "No container engine answers here: images need a running Docker (or podman-docker)."; \
		exit 1; }
	@set -e; for service in $(patsubst services/%/pyproject.toml,%,$(wildcard services/*/pyproject.toml)); do \
		docker build --file deploy/docker/Dockerfile --build-arg SERVICE=$$service \
			--tag preau-$$service:$${TAG:-dev} .; \
	done

# --- Checking -------------------------------------------------------------------------------

test: $(STAMP) ## run the tests that need no Kafka; about three minutes on two cores
	$(BIN)/pytest tests -m "not system" -n auto --dist loadscope

test-all: $(STAMP) ## run all tests, on the real Kafka, PostgreSQL and Redis
	$(BIN)/pytest tests -n $(TEST_WORKERS) --dist loadgroup --no-loadscope-reorder --durations 10

check: static test ## run what every commit must pass

static: lint types lock-fresh docs-fresh ## run the same without the tests

lint: $(STAMP) ## check format, ruff and the import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports

types: $(STAMP) ## check types with mypy, strict
	$(BIN)/mypy $(CODE)

fix: $(STAMP) ## format, and apply ruff's fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The lock is a constraint, so only missing and superfluous pins show as differences.
lock-fresh: $(STAMP)
	UV=$(UV) $(BIN)/python -m deploy.install.lock_fresh

docs-fresh: $(STAMP)
	$(BIN)/python -m shared.kit.tools.docs --check
	@if command -v node >/dev/null 2>&1 && test -d node_modules/@asyncapi/parser; then \
		node deploy/install/asyncapi.mjs docs/asyncapi.yaml; \
	else echo "No Node here: docs/asyncapi.yaml was not parsed."; fi

events: $(STAMP) ## generate docs/: catalogue of events, AsyncAPI, OpenAPI, metrics
	$(BIN)/python -m shared.kit.tools.docs

alone: $(STAMP) ## install each service from its wheel in a separate environment
	UV=$(UV) $(BIN)/python -m deploy.install.alone

# --- Cleaning -------------------------------------------------------------------------------

clean: ## remove the local data and build results
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m deploy.local down >/dev/null 2>&1 || true; fi
	rm -rf "$(PREAU_HOME)" dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache \
		.hypothesis .benchmarks
	find $(CODE) -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## clean, and remove the environment and tools
	rm -rf .venv .tools node_modules
