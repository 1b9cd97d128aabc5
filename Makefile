# Everything from Python 3.11+, pip and make. Each target can be run again; what is there already is not made again.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test lint bench clean

help:
	@echo "make demo    train VGG-16 and its probes on the embedded digits (about 3 minutes), then show the result"
	@echo "make test    the whole test suite"
	@echo "make lint    ruff and mypy"
	@echo "make bench   the benchmarks of benchmarks/README.md"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Filterscope needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,explore,dev]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/python -m precompute --arch vgg16 --data digits
	@echo
	$(BIN)/python -m store info runs/vgg16-digits.h5

test: $(INSTALLED)
	$(BIN)/python -m pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build *.egg-info
