# Everything that a person does with a checkout. `make` alone lists it.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.PHONY: help run test check test-system bench lock clean

# `make run` takes the developers' environment when it is there: it holds everything the smaller one does.
ENVIRONMENT := $(if $(wildcard .venv/dev.stamp),.venv/dev.stamp,.venv/run.stamp)
TESTS := .venv/dev.stamp
UV := uv==0.13.9
LOCK := pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q

help: ## List these commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

run: $(ENVIRONMENT) ## Start the whole product with its demo on http://127.0.0.1:8000; Ctrl-C ends it. Data stay in var/.
	@exec .venv/bin/hotline demo $(ARGS)

test: check ## Everything that CI runs: check, then all tests on SQLite and on PostgreSQL with Redis. ARGS="-k words" chooses.
	.venv/bin/pytest -n 2 --ignore=tests/test_house_rules.py $(ARGS)

check: $(TESTS) ## Quick and without servers to start by hand: lint, types, import contracts, house rules.
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/pytest --quiet tests/test_house_rules.py

test-system: $(TESTS) ## Tests against peers that only system packages bring (mail servers, telephone exchanges).
	.venv/bin/pytest -m system tests/system $(ARGS)

bench: $(TESTS) ## Measure. ONLY=email chooses one measurement, SCALE=100000 the tickets in the store.
	.venv/bin/python -m bench $(if $(ONLY),--only "$(ONLY)") $(if $(SCALE),--scale "$(SCALE)") $(ARGS)

lock: .venv/bin/python ## Write the lock files anew from pyproject.toml. UPGRADE=yes takes newer versions too.
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	.venv/bin/python -m venv "$$folder"; "$$folder/bin/pip" install --quiet --quiet $(UV); \
	"$$folder/bin/uv" $(LOCK) $(if $(UPGRADE),--upgrade) --output-file requirements.lock; \
	"$$folder/bin/uv" $(LOCK) $(if $(UPGRADE),--upgrade) --extra dev --output-file requirements-dev.lock

clean: ## Remove .venv and caches. Data in var/ stay.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ── the environment ──

# A stamp is newer than the lock file that it was made from, so a warm .venv costs nothing.
.venv/run.stamp: requirements.lock | .venv/bin/python
	@echo "Installing the locked packages into .venv (about a minute, once)"
	@$(install)

.venv/dev.stamp: requirements-dev.lock | .venv/bin/python
	@echo "Installing the locked packages for development into .venv (about two minutes, once)"
	@$(install)

install = .venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-input --require-hashes --requirement $< \
	&& printf '%s\n' "$$CHECKOUT" > "$$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/citizen_hotline.pth" \
	&& printf '%s\n' "$$HOTLINE_COMMAND" > .venv/bin/hotline && chmod +x .venv/bin/hotline && touch $@

# The checkout itself needs no build: its folder is put on Python's path. Two lines of shell start the script from any
# path, also one with spaces, which the first line alone could not name.
define HOTLINE_COMMAND
#!/bin/sh
'''exec' "$(CURDIR)/.venv/bin/python" "$$0" "$$@"
' '''
import sys

from hotline.cli import main

if __name__ == "__main__":
    sys.exit(main())
endef
.venv/run.stamp .venv/dev.stamp: export HOTLINE_COMMAND := $(HOTLINE_COMMAND)
.venv/run.stamp .venv/dev.stamp: export CHECKOUT := $(CURDIR)

NO_PYTHON := The hotline needs Python 3.11 or newer: install it (Debian: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3.11
NO_VENV := Python is here, but its venv module is not complete: apt install python3-venv, then run make again.

.venv/bin/python:
	@answer="$(NO_PYTHON)"; \
	for python in $(if $(PYTHON),"$(PYTHON)",python3.11 python3); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || continue; \
		"$$python" -c 'import ensurepip, venv' 2> /dev/null || { answer="$(NO_VENV)"; continue; }; \
		exec "$$python" -m venv --clear .venv; \
	done; \
	echo "$$answer" >&2; exit 1
