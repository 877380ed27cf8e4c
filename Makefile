# make demo: set up and answer a real question.   make test: set up and check everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow accelerators style types docs bench clean

demo: $(READY)
	$(BIN)/twin simulate scenarios/warfarin/genotype_guided.yaml --out results

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "slow or not slow"

# Compiles for an NVIDIA H100 and a TPU v5e that need not be here; 2 GB of compilers, minutes.
accelerators: .venv-accelerators/.ready
	.venv-accelerators/bin/python -m pytest -m slow -rs tests/test_accelerators.py

style: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pyright[nodejs]==1.1.414'
	$(BIN)/pyright

docs: $(READY)
	$(BIN)/python docs/generate.py

bench: $(READY)
	$(BIN)/python benchmarks/ensemble.py

$(READY): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)

.venv-accelerators/.ready: requirements.lock requirements-accelerators.txt
	$(PYTHON) -m venv .venv-accelerators
	.venv-accelerators/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	.venv-accelerators/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-accelerators.txt
	touch $@

clean:
	rm -rf $(VENV) .venv-accelerators results build *.egg-info
