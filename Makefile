# make demo: set up and answer a real question.   make test: set up and check everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
INSTALL := -m pip install --quiet --disable-pip-version-check
PYTHONS ?= python3.11 python3.12 python3.13

.PHONY: demo test test-slow test-oldest test-newest lock style types docs bench clean

demo: $(READY)
	$(BIN)/twin simulate scenarios/warfarin/genotype_guided.yaml --out results

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "slow or not slow"

# The lower bounds of pyproject.toml, on the oldest Python; what pip finds today, on $(PYTHON).
test-oldest: .venv-oldest/.ready
	.venv-oldest/bin/python -m pytest -n 2 --dist worksteal

test-newest:
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python $(INSTALL) --upgrade --upgrade-strategy eager --editable '.[calibration,ingest,test]'
	.venv-newest/bin/python -m pytest -n 2 --dist worksteal

# The files of exact versions, by asking the pip of each Python; it installs nothing.
lock:
	$(firstword $(PYTHONS)) .ci/lock.py $(PYTHONS)

style: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/python $(INSTALL) 'pyright[nodejs]==1.1.414'
	$(BIN)/pyright

docs: $(READY)
	$(BIN)/python docs/generate.py

bench: $(READY)
	$(BIN)/python benchmarks/ensemble.py

$(READY): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) -r requirements.lock
	$(BIN)/python $(INSTALL) --no-deps --no-build-isolation --editable .
	touch $(READY)

.venv-oldest/.ready: pyproject.toml requirements-oldest.txt
	$(firstword $(PYTHONS)) -m venv .venv-oldest
	.venv-oldest/bin/python $(INSTALL) -r requirements-oldest.txt
	.venv-oldest/bin/python $(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf $(VENV) .venv-oldest .venv-newest results build *.egg-info
