.DEFAULT_GOAL := help
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

help: ## what can be made
	@sed -n 's/^\([a-z][a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { echo "apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[test,check,dist]'
	@touch $@

lab-needs: $(VENV)/.installed
	@$(BIN)/python -m tests.lab install

demo: $(VENV)/.installed ## the main job, on a fleet of real daemons that is built here
	-@$(BIN)/python -m tests.lab install
	@$(BIN)/python -m tests.lab.demo

test-needs: $(VENV)/.installed
	@$(BIN)/python -m tests.lab install --tests

test: test-needs ## every test, those on the lab too (needs root)
	$(BIN)/python -m pytest -n 3

floors: test-needs ## the oldest dependencies that are allowed, tried in an environment of their own
	$(BIN)/python -m tests.floors

compat-python: test-needs ## the built wheel with the oldest and the newest dependencies, on Python 3.11, 3.12 and 3.13 (minutes)
	$(BIN)/python -m tests.pythons

check: $(VENV)/.installed ## format, lint, types and the import rule
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/project/test_rooms.py

bench: lab-needs ## audits next to their peers, an inventory next to Ansible, a sweep next to docker rm -f
	$(BIN)/python -m tests.bench

bench-tables: lab-needs ## the same, written into docs/performance.md
	$(BIN)/python -m tests.bench --write

compat: test-needs ## engines and SSH servers of three generations, in chroots (root, minutes)
	$(BIN)/python -m tests.compat

compat-tables: test-needs ## the same, written into docs/engines.md
	$(BIN)/python -m tests.compat --write

pages: test-needs ## the pages' commands, pasted word for word into bare Debians (root, minutes)
	$(BIN)/python -m tests.pages

fuzz: $(VENV)/.installed ## any text to the readers of inventories (minutes; FUZZ_EXAMPLES says how many)
	$(BIN)/python -m pytest -q --timeout=3600 tests/fuzz/parsers.py

kills: test-needs ## 200 sweeps that each lose a worker at a random moment (root, minutes; by processes and on Dask)
	FLEETSWEEP_KILLS=200 $(BIN)/python -m pytest -q -k killed_at_any_moment tests/sweep/test_dask_cluster.py tests/system/test_scale.py

mutate: $(VENV)/.installed ## whether the tests notice each small change of the rules and guards (minutes; not in CI)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[mutate]'
	rm -rf mutants
	HYPOTHESIS_PROFILE=mutate $(BIN)/mutmut run
	$(BIN)/mutmut results

lab: lab-needs ## keep a fleet up to play with, until Ctrl-C
	@$(BIN)/python -m tests.lab up --incident

docs-table: $(VENV)/.installed ## the table of all options, written into docs/configuration.md
	@$(BIN)/python -m release.options_table

dist: $(VENV)/.installed ## the wheel, the source archive, the bill of materials, and their checksums
	@$(BIN)/python -m release.dist

dist-check: $(VENV)/.installed ## the same, then again from the archive: same bytes, and make check passes there
	@$(BIN)/python -m release.dist --check

clean: ## delete what was made
	rm -rf $(VENV) .compat .floors build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis mutants

.PHONY: help lab-needs test-needs demo test floors compat-python check bench bench-tables compat compat-tables pages fuzz kills mutate lab docs-table dist dist-check clean
