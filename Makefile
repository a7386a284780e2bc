# GTM Orchestra. `make` alone lists what it can do.
#
# Everything is installed into .venv here, from constraints.txt with its hashes, and again only when
# constraints.txt or pyproject.toml has changed. Another Python: make demo PYTHON=python3.12

PYTHON  ?= python3
DEMO    ?= demo
WORKERS ?= 2
BIN     := .venv/bin
STAMP   := .venv/.installed
LOWEST  := .venv-lowest
# What touches each dependency: the plan and state core, graphs, both engines, charts, and whole runs.
LOW_TESTS := tests/plans tests/conditions tests/graphs tests/state/test_journal.py tests/state/test_plan_store.py \
  tests/runs/test_driver.py tests/interfaces/test_remedies.py tests/service/test_workspace.py tests/warehouse/test_engines.py \
  tests/reports/test_charts.py tests/reports/test_documents.py

.DEFAULT_GOAL := help
.PHONY: help demo test lowest wheel check format bench clean

help:  ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP)  ## Write the sample company to ./demo and run define-profiles on it.
	@$(BIN)/gtm demo $(DEMO)

test: $(STAMP)  ## Run the tests (those of the built wheel aside).
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile -m "not wheel" $(ARGS)

lowest: $(LOWEST)/.installed  ## Run a part of the tests at the lowest versions that pyproject.toml allows.
	@$(LOWEST)/bin/pytest -n $(WORKERS) --dist loadfile $(LOW_TESTS) $(ARGS)

wheel: $(STAMP)  ## Build sdist and wheel, install the wheel beside other packages, and try it.
	@$(BIN)/pytest -n 0 -m wheel $(ARGS)

check: $(STAMP)  ## Run linter, formatter and type checker; change nothing.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(STAMP)  ## Let the linter and the formatter mend what they can.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP)  ## Run every script of benchmarks/ and print its figures (also to benchmarks/results/).
	@mkdir -p benchmarks/results
	@set -e; for script in benchmarks/*.py; do \
	  name=$$(basename $$script .py); echo "== $$name"; \
	  $(BIN)/python $$script >benchmarks/results/$$name.txt || { cat benchmarks/results/$$name.txt; exit 1; }; \
	  cat benchmarks/results/$$name.txt; echo; \
	done

clean:  ## Remove .venv, ./demo, builds and caches.
	rm -rf .venv $(LOWEST) $(DEMO) dist build benchmarks/results .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "GTM Orchestra needs Python 3.11 or later, and $(PYTHON) is" \
	    "$$($(PYTHON) --version 2>&1 | tail -n 1); name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@echo "Installing into .venv (about a minute; only when constraints.txt or pyproject.toml change)" >&2
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $(STAMP)

$(LOWEST)/.installed: constraints-lowest.txt pyproject.toml
	@echo "Installing the lowest versions into $(LOWEST) (only when constraints-lowest.txt or pyproject.toml change)" >&2
	@$(LOWEST)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(LOWEST)
	@$(LOWEST)/bin/python -m pip install -qq --disable-pip-version-check -r constraints-lowest.txt
	@$(LOWEST)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@
