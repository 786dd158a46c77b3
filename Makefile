# Everything happens in this directory. Only test-real writes outside it: packages, and a Debian below /var/cache.
# `make` lists what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-cache-dir
PYTEST := $(BIN)/python -m pytest
# where it is forbidden to keep compiled modules, each inspection compiles all checks anew
export PYTHONDONTWRITEBYTECODE :=
# tests and the demonstration call `phoenix` by its name
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help install demo test test-real test-vm soak fuzz mutate lint format bench clean

help:
	@echo 'make demo       see it work: a Proxmox node in a directory, built, verified, broken, repaired'
	@echo 'make install    only make .venv, with the command .venv/bin/phoenix'
	@echo 'make test       format, lint, types and all tests that need no root'
	@echo 'make test-real  the tests that need root and real servers (Debian)'
	@echo 'make test-vm    the tests on a virtual machine with real ZFS: QEMU, and three minutes once for its image'
	@echo 'make fuzz       damage more configuration files than `make test` does'
	@echo 'make mutate     drop each rule on configurations; a test must notice'
	@echo 'make soak       the power of that machine fails 200 times during an apply: an hour or two'
	@echo 'make lint       format, lint and types only'
	@echo 'make format     let ruff format and mend what it can'
	@echo 'make bench      the benchmarks'
	@echo 'make clean      remove what these made; never configs/, never your identity'

install: $(VENV)/installed

demo: $(VENV)/installed
	@$(BIN)/python -m phoenix_hypervisor.lab.demo

test: lint
	$(PYTEST) -n auto --dist loadgroup --no-loadscope-reorder --durations=20 -m 'not real and not vm' tests

test-real: $(VENV)/installed-dev
	@[ "$$(id -u)" = 0 ] || { echo 'make test-real needs root: it starts real servers' >&2; exit 1; }
	$(PYTEST) -m real tests/real

# The image is kept in /var/cache/phoenix-lab (without root: ~/.cache/phoenix-lab), or where PHOENIX_LAB_CACHE says.
test-vm: $(VENV)/installed-dev
	$(PYTEST) -n 2 --dist loadgroup --no-loadscope-reorder --durations=10 -m vm tests/vm

soak: $(VENV)/installed-dev
	PHOENIX_VM_KILLS=200 $(PYTEST) -m vm tests/vm/test_power.py

fuzz: $(VENV)/installed-dev
	PHOENIX_FUZZ=$(or $(FUZZ),10000-200000) $(PYTEST) -q tests/unit/test_config_mutated.py

mutate: $(VENV)/installed-dev
	$(BIN)/python -m tests.unit.without_rule

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@! command -v shellcheck >/dev/null || shellcheck .ci/run

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks

clean:
	@# a lab node may have folders that not even their owner may enter
	@[ ! -d .phoenix/lab ] || chmod -R u+rwX .phoenix/lab
	rm -rf $(VENV) build dist .phoenix/lab .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find generator verify tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Made once for each change of pyproject.toml.
$(VENV)/installed: pyproject.toml | $(VENV)/bin/pip
	@echo 'installing phoenix into $(VENV) …'
	@$(PIP) --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/pip
	@echo 'installing phoenix and what its tests need into $(VENV) …'
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/installed

$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null || \
		{ echo 'there is no $(PYTHON) here: install Python 3.11 or newer (Debian: apt install python3-venv)' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "phoenix needs Python 3.11 or newer, this is $$($(PYTHON) -V): name another one, make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo 'this Python cannot make virtual environments: apt install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
