# Every step that CI takes is a target here; `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Modules are compiled once here, not by each of the processes that tests start.
unexport PYTHONDONTWRITEBYTECODE

# The first interpreter here that is new enough, the machine's own `python3` preferred.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	command -v $$python >/dev/null && $$python -c '$(NEW_ENOUGH)' && echo $$python && break; done)
BIN := .venv/bin
# Many tests wait for processes that they started: two workers more than there are cores.
TEST_WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 2)
# What sessions, throttles, the cache or live pages decide.
SHARED := tests/accounts tests/billing/account tests/billing/pages tests/billing/api/test_logins.py \
	tests/billing/test_handing_over.py tests/billing/test_noticing.py tests/billing/test_overseeing.py \
	tests/marketplace/test_reviewing.py tests/marketplace/test_joining.py tests/marketplace/trying
# Everything is pinned, so there is nothing to resolve; what is never imported need not be compiled.
INSTALL := $(BIN)/pip install --quiet --no-deps --no-compile --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate

.PHONY: help demo run test test-browser test-redis autobahn h2spec check bench contract contract-test messages fmt soak requirements clean

help: ## what can be done here
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

demo: .venv/installed ## sell access to an API on a sandbox network and gate it: a transcript, then the end
	@$(BIN)/python manage.py demo

run: .venv/installed ## start everything on this machine and stay (PORT, H2_PORT, SANDBOX_PORT, APICHARGE_HOME)
	@exec $(BIN)/python manage.py run

test: .venv/developing ## all tests but the long ones and those in a browser
	$(BIN)/pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

test-browser: .venv/developing ## every page and people's ways through the site, in Chromium
	$(BIN)/pytest -m browser -n 2 --dist loadfile

test-redis: .venv/developing ## the tests of the site's pages once more, with REDIS_URL set
	$(BIN)/python -m pytest -p tests.sharing -m "not soak and not browser and not postgres" -n $(TEST_WORKERS) --dist loadfile $(SHARED)

soak: .venv/developing ## the long ones: a million acquires, kills, a failing Redis, 1 GiB bodies
	$(BIN)/pytest -m soak --timeout 1800
	$(BIN)/pytest --to-the-letter tests/gateway

autobahn: .venv/developing ## the Autobahn test suite through the gate (needs wstest, or WSTEST="how to run it")
	$(BIN)/pytest -m soak -rs --timeout 1800 tests/soak/test_autobahn.py

h2spec: .venv/developing ## HTTP/2's conformance suite against the gate (needs h2spec, or H2SPEC="how to run it")
	$(BIN)/pytest -m soak -rs --timeout 1800 tests/soak/test_h2spec.py

check: .venv/developing ## lint, format, types, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run

bench: .venv/benching ## what the gate costs, beside nginx, nginx+Lua+Redis and Envoy (FULL=1, CASES="small …")
	$(BIN)/python -m benchmarks $(if $(FULL),--full) $(CASES)

contract: ## build the contract and compare it with the committed wasm (needs Rust)
	contract/build.sh build

contract-test: ## the contract's tests, on the network's own host (needs Rust)
	contract/build.sh test

messages: .venv/developing ## gather what pages say, for translations (needs gettext)
	$(BIN)/python manage.py makemessages --locale en --no-obsolete --no-wrap --add-location file --ignore '.venv' --ignore 'tests' --ignore 'benchmarks' --ignore '.state'

fmt: .venv/developing ## format, and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

requirements: .venv/developing ## pin what requirements*.in ask for, anew
	$(COMPILE) --upgrade requirements.in -o requirements.txt
	$(COMPILE) --upgrade requirements-dev.in -o requirements-dev.txt
	$(COMPILE) --upgrade requirements-bench.in -o requirements-bench.txt

clean: ## remove the virtual environment, the caches and the local state
	rm -rf .venv .state .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "ApiCharge needs Python 3.11 or newer (or: make PYTHON=/path/to/python3)." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }

.venv/installed: requirements.txt client/pyproject.toml | .venv/bin/python
	@echo "Installing what requirements.txt pins into .venv …"
	@$(INSTALL) -r requirements.txt
	@$(INSTALL) -e client
	@touch $@

.venv/developing: requirements-dev.txt .venv/installed
	@echo "Installing what requirements-dev.txt pins into .venv …"
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

.venv/benching: requirements-bench.txt .venv/installed
	@$(INSTALL) -r requirements-bench.txt || echo "Envoy cannot be installed here: the benchmark goes without it."
	@touch $@
