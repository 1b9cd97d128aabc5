# Everything from Python 3.11+, pip and make. Each target can be run again; what is there already is not made again.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 3
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO := $(VENV)/.installed-demo
PRETRAINED := $(VENV)/.installed-pretrained
EXPLORE := $(VENV)/.installed-explore
PIP = $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: help install explore demo demo-pretrained wheel test test-quick test-cluster test-slow lint readers bench trust audit example notebook results screenshots clean

help:
	@echo "make explore      the explorer on the example, without torch: 1 GB instead of 7"
	@echo "make demo         train VGG-16 and its probes on the embedded digits (about 3 minutes), then explore the result"
	@echo "make demo-pretrained: probes on a network that was trained on ImageNet, on the digits, then explore the result"
	@echo "make test         the test suite, JOBS=3 tests at a time: some wait more than they compute"
	@echo "make test-quick   the part of it that starts no browser, no server and no second process of the program"
	@echo "make test-cluster what takes clusters of Ray, whose machines die (3 minutes)"
	@echo "make test-slow    how often intervals hold a truth that is known (a minute)"
	@echo "make wheel        builds the wheel and opens a page from it, in an environment of its own with [explore] alone"
	@echo "make lint         ruff and mypy"
	@echo "make readers      other programs that read the file (docs/readers.md), into .readers, and the tests that run them"
	@echo "make bench        the benchmarks of benchmarks/README.md"
	@echo "make trust        crashes, hostile files and load at full length; writes docs/trust.md (about an hour)"
	@echo "make audit        known weaknesses of the pinned dependencies, by pip-audit"
	@echo "make example      the explorer's example file, from CIFAR-100 (minutes on a GPU, a day without)"
	@echo "make notebook     runs docs/notebook.ipynb, which keeps what it shows (half a minute)"
	@echo "make results      the README's numbers, of the files that are there; RUNS=\"FILE ...\" writes docs/results.md of these"
	@echo "make screenshots  every page of the explorer, light and dark; needs chromium"

install: $(INSTALLED)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Filterscope needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

# What each needs and no more: the demo no Ray, no linters, no cloud storage; who only looks no torch.
$(EXPLORE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) '.[explore]'
	@touch $@

$(DEMO): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) '.[train,explore]'
	@touch $@ $(EXPLORE)

$(PRETRAINED): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) '.[train,pretrained,explore]'
	@touch $@ $(DEMO) $(EXPLORE)

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) '.[train,fast,pretrained,explore,notebook,report,remote,export,cluster,others,dev]'
	@touch $@ $(PRETRAINED) $(DEMO) $(EXPLORE)

explore: $(EXPLORE)
	$(BIN)/python -m filterscope explore

demo: $(DEMO)
	$(BIN)/python -m precompute --arch vgg16 --data digits --features 10 13 --thumbnails --snapshots 5
	@echo
	@echo "opening the explorer on it; Ctrl-C ends it"
	$(BIN)/python -m filterscope explore runs/vgg16-digits.h5

demo-pretrained: $(PRETRAINED)
	$(BIN)/python -m precompute --arch efficientnet_lite0 --data digits --image-size 96 --features 9 --thumbnails
	@echo
	@echo "opening the explorer on it; Ctrl-C ends it"
	$(BIN)/python -m filterscope explore runs/efficientnet_lite0-digits.h5

test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not cluster and not slow"

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

test-quick: $(INSTALLED)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not (browser or cluster or processes or readers or trust)"

test-cluster: $(INSTALLED)
	$(BIN)/python -m pytest -m cluster

wheel: $(INSTALLED)
	rm -rf build/wheel build/lib build/bdist* && mkdir -p build/wheel
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt "$$(ls build/wheel/*.whl)[explore]"
	$(BIN)/python -m tests.wheel build/wheel/venv/bin/filterscope

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

readers: $(INSTALLED)
	$(PYTHON) -m venv .readers
	.readers/bin/pip install --quiet --disable-pip-version-check xarray h5netcdf netCDF4 tables pyfive silx
	npm install --silent --prefix .readers/js h5wasm@0.10.3 jsfive@0.4.2
	$(BIN)/python -m pytest -m readers

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

trust: $(INSTALLED)
	$(BIN)/python -m tests.trust

audit:
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	$(VENV)-audit/bin/pip-audit -r constraints.txt --no-deps --disable-pip

example: $(INSTALLED)
	$(BIN)/python -m precompute --arch vgg16 --data cifar100 --afcc 10
	$(BIN)/python -m store pack runs/vgg16-cifar100.h5 --out explorer/example.h5

notebook: $(INSTALLED)
	$(BIN)/jupyter execute --inplace docs/notebook.ipynb

results: $(INSTALLED)
	$(BIN)/python -m benchmarks.results $(RUNS)

screenshots: $(INSTALLED)
	$(BIN)/python -m tests.screenshots --out docs/screenshots --store explorer/example.h5

clean:
	rm -rf $(VENV) $(VENV)-audit build *.egg-info
