# make demo    install tacit into .venv and fit a real data set from end to end
# make test    the same environment with the test tools; runs all tests
# make sample  a minute of the tests with the compiler options that users have; the others are compiled in a hurry
# make lint    formatting, lint and types; make format mends what can be mended
# make bench   speed, memory and quality beside other packages, an hour or more, into benchmarks/RESULTS.md
# PYTHON names the interpreter to build from: make demo PYTHON=python3.12

PYTHON  ?= python3
WORKERS ?= 2
ARGS    ?=
EXTRAS  :=
MORE    :=

SAMPLE := tests/models/test_namespaces.py tests/inference/test_driver.py tests/estimators/test_every_model_laws.py

VENV := .venv
# Where the environment forbids bytecode (container images do), every process would compile the whole package again.
RUN  := PYTHONDONTWRITEBYTECODE= $(VENV)/bin/python
PIP  := $(RUN) -m pip install -qq --disable-pip-version-check --constraint constraints.txt $(MORE)

# The stamps carry the version of Python and the place of this folder: change either, and they are out of date.
KEY  := $(shell $(PYTHON) -c 'import os, sys, zlib; print("%d.%d.%d-%08x" % (sys.version_info[:3] + (zlib.crc32(os.getcwd().encode()) % 2**32,)))' 2>/dev/null)
BASE := $(VENV)/base-$(KEY).stamp
TEST := $(VENV)/test-$(KEY).stamp
LINT := $(VENV)/lint-$(KEY).stamp
PEERS := $(VENV)/bench
BENCH := $(PEERS)/bench-$(KEY).stamp

.PHONY: help demo tools test sample lint format bench clean

help:
	@sed -n '1,6s/^# //p' Makefile

demo: $(BASE)
	@$(VENV)/bin/tacit demo

# What tests and lint need, before they run side by side; into an empty folder it is installed in one go. Bytecode is
# written when a module is first loaded: most of what is installed never is.
tools:
	@$(MAKE) -s --no-print-directory $(BASE) EXTRAS='[test,lint]' MORE=--no-compile
	@$(MAKE) -s --no-print-directory $(TEST) $(LINT)

test: $(TEST)
	@$(RUN) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

sample: $(TEST)
	@XLA_FLAGS= $(RUN) -m pytest -n $(WORKERS) --dist worksteal $(SAMPLE)

lint: $(LINT)
	@failed=0; \
	$(RUN) -m ruff check . || failed=1; \
	$(RUN) -m ruff format --check . || failed=1; \
	$(RUN) -m mypy || failed=1; \
	exit $$failed

format: $(LINT)
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

# The peers get an environment of their own: what they ask for must not decide what tacit is tested with.
bench: $(BENCH)
	@$(PEERS)/bin/python -m benchmarks $(or $(ARGS),--write)

clean:
	rm -rf $(VENV)

$(BASE): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "tacit needs Python 3.11 or newer, and there is no '$(PYTHON)' here. Name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tacit needs Python 3.11 or newer; '$(PYTHON)' is `$(PYTHON) -V 2>&1`. Name another: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "'$(PYTHON)' has no venv or no pip. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(PYTHON) -c 'import platform, sys; sys.exit(platform.system() == "Darwin" and platform.machine() == "x86_64")' || { echo "JAX has no build for Intel Macs. On Apple silicon, take an arm64 Python: make PYTHON=/path/to/python3"; exit 1; }
	@echo "Installing tacit into $(VENV) (once, about a minute) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) --editable '.$(EXTRAS)'
	@$(RUN) -m compileall -q src
	@touch $@ $(if $(EXTRAS),$(TEST) $(LINT))

$(TEST): $(BASE)
	@echo "Installing the test tools ..."
	@$(PIP) --editable '.[test]'
	@touch $@

$(LINT): $(BASE)
	@echo "Installing the lint tools ..."
	@$(PIP) --editable '.[test,lint]'
	@touch $@

$(BENCH): $(BASE) benchmarks/requirements.txt
	@echo "Installing tacit and its peers into $(PEERS) ..."
	@$(PYTHON) -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt \
		--editable . --requirement benchmarks/requirements.txt
	@touch $@
