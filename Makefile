# Set-up and the main jobs. Each creates what it needs.
PYTHON ?= python3
# Tests at a time; each may hold a process of one thread per framework, a gigabyte or two.
JOBS ?= 2
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
READY := $(VENV)/.ready

.PHONY: demo lab test check notebooks bench bench-grading build clean

demo: $(READY)  ## the main job on the built-in pictures
	$(BIN)/ftkit compare --out demo

lab: $(READY)  ## the course, in JupyterLab; your copy of it is in ftkit-course/
	$(BIN)/ftkit lab

test: $(READY)  ## every check and test
	$(MAKE) check
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

check: $(READY)  ## format, lint, types, import order, notebooks like their sources
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python notebooks/sources/build.py --check

notebooks: $(READY)  ## runs the course's sources and writes its notebooks, minutes; ONLY=NAME for one
	$(BIN)/python notebooks/sources/build.py $(ONLY)

bench: $(VENV)/.bench  ## speed and memory beside other systems, hours; goes on if interrupted
	$(BIN)/python benchmarks/speed.py --resume --docs docs/performance.md

bench-grading: $(READY) $(VENV)/nbgrader/.ready  ## grading beside nbgrader, half an hour
	$(BIN)/python benchmarks/grading.py --nbgrader $(VENV)/nbgrader --resume --docs docs/performance.md

build: $(READY)  ## the wheel, in dist/
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) build dist demo

# The tested versions; pyproject.toml holds the ranges that should work.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'make needs Python 3.11 or newer for the tested versions; got ' + sys.version.split()[0] + '. Set PYTHON=..., or use: pip install -e .[all]' or 0)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	$(BIN)/python -c "import pathlib; pathlib.Path('$(READY)').touch()"

# The systems that ftkit is measured against. Both accept the tested versions of PyTorch.
$(VENV)/.bench: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -c "import pathlib; pathlib.Path('$(VENV)/.bench').touch()"

# nbgrader wants versions of its own, so it has an environment of its own.
$(VENV)/nbgrader/.ready: $(READY)
	$(PYTHON) -m venv $(VENV)/nbgrader
	$(VENV)/nbgrader/bin/python -m pip install --quiet 'nbgrader>=0.9.6,<0.10'
	touch $@
