# Needs Python 3.11 or newer and make; everything else goes into .venv from constraints.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help venv demo test scale check lint chaos mutations vulnerabilities docs bench clean example grade datasette compare

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(READY) ## Make .venv with the hub and what its tests need

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[sandbox,worker,test,check]'
	@touch $(READY)

demo: $(READY) ## Sync a whole sandbox city into ./demo and show what came of it (two minutes at most)
	$(BIN)/hub demo

test: $(READY) ## Run the tests on two cores
	$(BIN)/pytest -n 2 $(ARGS)

scale: $(READY) ## Show what many workers do: speed, deaths, outages, budgets (five minutes)
	$(BIN)/python benchmarks/scale.py $(ARGS)

check: $(READY) ## Look for mistakes without changing anything: lint, types, insecure habits
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive hub connectors cli.py

lint: $(READY) ## Repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chaos: $(READY) ## Simulated worlds, real kills and every fault, many times over (HUB_WORLDS, HUB_KILLS, HUB_SEED)
	$(BIN)/python -m tests.chaos

mutations: $(READY) ## Put in one defect at a time and see that the tests catch it; writes docs/mutations.md
	$(BIN)/python -m tests.mutations

vulnerabilities: $(READY) ## Look up known vulnerabilities of every dependency, and say how many could be looked up
	$(BIN)/python -m tests.vulnerabilities

docs: $(READY) ## Write the pages that are made from code
	$(BIN)/python docs/build.py

bench: .venv-bench/ready ## Measure against a hand-written floor and peers (QUICK=1: under three minutes)
	.venv-bench/bin/python benchmarks/bench.py $(if $(QUICK),--quick) $(ARGS)

# A peer that cannot be installed is left out of the table.
.venv-bench/ready: pyproject.toml constraints.txt $(wildcard benchmarks/*.txt benchmarks/peers/*.txt)
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --requirement benchmarks/requirements.txt --editable .
	for peer in dlt singer; do \
	  $(PYTHON) -m venv .venv-bench/peers/$$peer && .venv-bench/peers/$$peer/bin/pip install --quiet \
	    --disable-pip-version-check --requirement benchmarks/peers/$$peer.txt || rm -rf .venv-bench/peers/$$peer; \
	done
	@touch $@

example: ## Build the example connector, install it beside the hub in a clean environment, sync, schedule and remove it (one minute)
	PYTHON=$(PYTHON) bash examples/try.sh

grade: $(READY) ## Grade the built-in connectors that changed and record what they earn (ARGS=--all: every one, three minutes)
	$(BIN)/python examples/grade.py $(ARGS)

datasette: $(READY) ## Read real records from Datasette by a connector.toml (HUB_LA_FILE=… for another extract)
	@test -x .venv-datasette/bin/datasette || { $(PYTHON) -m venv --clear .venv-datasette && .venv-datasette/bin/pip install \
	  --quiet --disable-pip-version-check 'datasette>=0.65,<1'; } || { echo 'datasette cannot be installed here: skipped'; exit 0; }; \
	HUB_DATASETTE=.venv-datasette/bin/datasette $(BIN)/pytest tests/connectors/test_datasette.py

compare: $(READY) ## Run what docs/compare.md compares: the same source read by the hub, dlt, Singer SDK and Airbyte low-code
	@for tool in dlt==1.31.0 singer-sdk==0.54.9 airbyte-cdk==7.39.1; do \
	  env=.venv-compare/$${tool%%[-=]*}; test -d $$env || { $(PYTHON) -m venv $$env && $$env/bin/pip install --quiet \
	    --disable-pip-version-check $$tool; } || rm -rf $$env; \
	done
	$(BIN)/python examples/compare_run.py .venv-compare

clean: ## Remove .venv, caches and the demo
	rm -rf .venv .venv-datasette .venv-compare demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
