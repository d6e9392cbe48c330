# Everything a developer runs. Each target sets itself up on a machine with only Python 3.11+ and make.
#
#   make demo        make test ARGS="-m 'not broker'"        make check PYTHON=python3.13
#
# The environment is .venv. The stamps in it say what was installed from which pyproject.toml: while they are
# newer than that file, nothing is installed and no network is used. The project itself is installed editable,
# so a change of the code needs no new set-up.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install -qq
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.ready ## a backtest on the simulated trade server, without a broker
	@$(VENV)/bin/mas demo $(ARGS)

# Without ARGS: first the tests that only compute, in two processes; then those that wait for a broker, whose timing
# bears no neighbour. A failure in either is a failure.
test: $(VENV)/.ready-dev ## all tests; those with a broker find or start a RabbitMQ (ARGS goes to pytest)
ifeq ($(strip $(ARGS)),)
	@status=0; \
	$(PY) -m pytest -n 2 -m "not broker and not containers" || status=$$?; \
	$(PY) -m pytest -m "broker or containers" || status=$$?; \
	exit $$status
else
	@$(PY) -m pytest $(ARGS)
endif

check: $(VENV)/.ready-dev ## format, lint, types, import rules
	@$(PY) -m ruff format --check --quiet . || { echo "not formatted: run $(VENV)/bin/ruff format ." >&2; exit 1; }
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy
	@report=$$($(VENV)/bin/lint-imports --no-logo) || { echo "$$report"; exit 1; }
	@echo "format, lint, types and import rules: clean"

bench: $(VENV)/.ready-bench ## the benchmarks, beside their peers
	@$(PY) benchmarks/run.py $(ARGS)

clean: ## remove the environment, caches and builds
	@rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What a user needs.
$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$(PYTHON) is missing or older than 3.11: name another, as in make PYTHON=python3.13" >&2; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "$(PYTHON) cannot make a virtual environment: install its venv module (Debian: apt install python3-venv)" >&2; \
	    exit 1; }
	@echo "installing into $(VENV)"
	@$(PIP) -e '.[all]'
	@touch $@

# What a developer needs besides. Dependency groups need pip 25.1.
$(VENV)/.ready-dev: $(VENV)/.ready
	@$(PIP) --upgrade 'pip>=25.1'
	@$(PIP) --group dev
	@touch $@

# The peers that the benchmarks measure against.
$(VENV)/.ready-bench: $(VENV)/.ready-dev
	@$(PIP) --group bench
	@touch $@
