# Staithe's commands. `make` lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# tap-eloqua 1.3.0 pins packages of 2018, which end with Python 3.11.
CLIENTS_PYTHON ?= python3.11
CLIENTS := $(VENV)/clients
# What the nightly run runs the tests on as well.
NEWEST_PYTHON ?= $(shell for minor in 14 13 12 11; do python3.$$minor -c '' 2>/dev/null && command -v python3.$$minor && break; done)
CITUS ?=
CLIENT_STAMPS := $(CLIENTS)/pyeloqua/done $(CLIENTS)/tap-eloqua/done $(CLIENTS)/node/done

.DEFAULT_GOAL := help

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/run: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Staithe needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ...' >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing Staithe into $(VENV) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/dev: $(VENV)/run requirements-dev.lock
	@echo 'Installing what tests and benchmarks need ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# Clients that the tests run as they are, each in an environment of its own: what they pin would not go together.
$(CLIENTS)/%/done: tests/clients/%.lock tests/clients/build.lock
	@command -v $(CLIENTS_PYTHON) >/dev/null || { echo 'The tests run clients that need Python 3.11: make test CLIENTS_PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo 'Installing $* for the tests ...'
	@rm -rf $(CLIENTS)/$*
	@$(CLIENTS_PYTHON) -m venv $(CLIENTS)/$*
	@$(CLIENTS)/$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/clients/build.lock
	@$(CLIENTS)/$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --use-pep517 --no-build-isolation -r tests/clients/$*.lock
	@touch $@

$(CLIENTS)/node/done: tests/clients/node/package.json tests/clients/node/package-lock.json tests/clients/node/.npmrc
	@command -v npm >/dev/null || { echo 'The tests run a client of Node.js: install node 20 or newer, with npm.' >&2; exit 1; }
	@echo 'Installing the clients of Node.js for the tests ...'
	@rm -rf $(CLIENTS)/node
	@mkdir -p $(CLIENTS)/node
	@cp $^ $(CLIENTS)/node
	@cd $(CLIENTS)/node && npm ci --silent
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
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 $(ARGS)

nightly: check $(CLIENT_STAMPS) ## all tests with more effort, on the newest Python, and on Citus (CITUS=FOLDER)
	@$(BIN)/python -m pytest --nightly -n auto --maxprocesses 4 $(ARGS)
	@$(MAKE) --no-print-directory test VENV=$(VENV)/newest CLIENTS=$(CLIENTS) PYTHON=$(NEWEST_PYTHON) ARGS='$(ARGS)'
	@if test -n '$(CITUS)'; then STAITHE_TEST_POSTGRES='$(CITUS)' $(BIN)/python -m pytest -n auto --maxprocesses 4 -k postgresql $(ARGS); \
	else echo 'NOT TESTED: Citus. Say where a PostgreSQL with Citus is: make nightly CITUS=/usr/lib/postgresql/17'; fi

torture: $(VENV)/dev ## kill the server and the worker 1,000 times
	@$(BIN)/python -m pytest tests/fault --torture-rounds 1000 -s $(ARGS)

bench: $(VENV)/dev ## measure against floors in the same run (ARGS="--help" tells the options)
	@$(BIN)/python -m bench $(ARGS)

lock: ## resolve the locked versions anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra dev pyproject.toml -o requirements-dev.lock
	for name in build pyeloqua tap-eloqua; do uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header tests/clients/$$name.in -o tests/clients/$$name.lock; done
	cd tests/clients/node && npm install --package-lock-only

clean: ## remove the environment and all caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: help demo serve check test nightly torture bench lock clean
