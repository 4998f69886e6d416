# Everything below installs what it needs first, once: into .venv, .tools and scripts/web/node_modules, and nothing else
# but the Debian packages that scripts/setup-tests.sh names. Another Python: make PYTHON=python3.12 <target>
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
PACKAGE := .venv/.package-installed
DEV := .venv/.dev-installed
PROGRAMS := .tools/.installed

.DELETE_ON_ERROR:
.PHONY: help lesson test lint types ci web web-lint web-test web-sweep sweep docs workbooks pictures tables generated bench fuzz \
	structure dist clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

lesson: $(PACKAGE) ## build the first lesson's workbook
	@$(BIN)/conv-sheet build --force
	@echo "The workbook is in $(CURDIR)"

test: $(DEV) $(PROGRAMS) ## run all tests; some of them: make test ARGS="-k conv2d"
	@$(BIN)/python -m pytest --numprocesses auto --dist loadscope $(ARGS)

lint: $(DEV) ## look for mistakes and for code that is not formatted
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(DEV) ## check the types
	@$(BIN)/mypy

web: $(PACKAGE) ## write every lesson as a page for a browser into build/web/
	@$(BIN)/conv-sheet web build/web --workbooks --force

web-test: web-lint ## check the JavaScript of the pages: types, lint, form, and its tests, in Chromium and Firefox too
	@$(BIN)/python -m pytest tests/web $(ARGS)

web-lint: $(DEV) $(PROGRAMS)
	@npm --prefix scripts/web run --silent types
	@npm --prefix scripts/web run --silent lint
	@npm --prefix scripts/web run --silent format

sweep: $(DEV) $(PROGRAMS) ## test with all of many cases that are alike, where `make test` takes some
	@CONV_SHEET_SWEEP=1 $(BIN)/python -m pytest --numprocesses auto --dist loadscope tests/layers tests/sheets tests/test_ironcalc.py $(ARGS)

web-sweep: $(DEV) $(PROGRAMS) ## edit every lesson in Chromium and in LibreOffice, and compare; another seed: ARGS=7
	@$(BIN)/python -m tests.web.sweep $(ARGS)

docs: $(DEV) ## build the documentation as a site into build/docs, with every lesson; a broken link is an error
	@$(BIN)/python -m scripts.docs

ci: lint types web-lint docs test ## all of these but the sweeps, as a change must pass it

workbooks: $(PACKAGE) ## build every lesson into workbooks/, without macros and with them
	@for spec in templates/*.toml; do name=$$(basename $$spec .toml); \
	for kind in xlsx xlsm; do \
	$(BIN)/conv-sheet build $$name -o workbooks/$$name.$$kind --force || exit 1; done; done

pictures: $(DEV) $(PROGRAMS) ## draw the pictures of the documentation
	@$(BIN)/python -m scripts.pictures

tables: $(DEV) ## write the table of the README, docs/layers.md and docs/lessons.md, which follow from lessons and code
	@$(BIN)/python -m scripts.tables
	@$(BIN)/python -m scripts.course

generated: workbooks tables pictures ## everything in the repository that follows from lessons and code

bench: $(DEV) $(PROGRAMS) ## measure what the documentation says of speed and memory, and write docs/benchmarks.md
	@$(BIN)/python -m benchmarks

fuzz: $(DEV) ## put faults into files, kill commands, and count what does not hold; more: make fuzz ARGS="--count 2000"
	@$(BIN)/python -m scripts.fuzz $(ARGS)

structure: $(DEV) ## print the rooms, their arrows, and how large the modules are
	@$(BIN)/python -m scripts.structure

dist: $(DEV) ## build sdist and wheel, and try the wheel with the oldest and the newest dependencies
	@$(BIN)/python -m scripts.dist

clean: ## remove what was built and cached; .venv and .tools stay
	rm -rf build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find conv_sheet scripts tests -name __pycache__ -prune -exec rm -rf {} +

$(PACKAGE): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "conv-sheet needs Python 3.11 or later")'
	$(PYTHON) -m venv .venv
	$(PIP) install --editable .
	@touch $@

# torch on its own and first: what asks for it later is content with this build of it.
$(DEV): $(PACKAGE)
	$(PIP) install 'pip>=25.1'
	$(PIP) install --group torch
	$(PIP) install --group dev
	@touch $@

$(PROGRAMS): scripts/setup-tests.sh scripts/web/package.json
	PYTHON=$(PYTHON) scripts/setup-tests.sh
	@touch $@
