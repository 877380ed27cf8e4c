# make demo: set up and answer a real question.   make test: set up and check everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
INSTALL := -m pip install --quiet --disable-pip-version-check
PYTHONS ?= python3.11 python3.12 python3.13

.PHONY: demo test test-slow test-avx2 test-sse4 test-oldest test-newest accelerators lock style types graph docs bench clean

demo: $(READY)
	$(BIN)/twin simulate scenarios/warfarin/genotype_guided.yaml --out results

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "slow or not slow"

# As on a CPU that has no more than these instructions; the result of a course may differ by rounding.
test-avx2 test-sse4: test-%: $(READY)
	XLA_FLAGS="$$XLA_FLAGS --xla_cpu_max_isa=$(ISA_$*)" $(BIN)/python -m pytest -n 2 --dist worksteal
ISA_avx2 := AVX2
ISA_sse4 := SSE4_2

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

# Compiles for an NVIDIA H100 and a TPU v5e that need not be here; 2 GB of compilers, minutes.
accelerators: .venv-accelerators/.ready
	.venv-accelerators/bin/python -m pytest -m slow -rs tests/test_accelerators.py

style: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/python $(INSTALL) 'pyright[nodejs]==1.1.414'
	$(BIN)/pyright

# The rooms of the house and what each stands on, from the imports themselves.
graph: $(READY)
	$(BIN)/python -m tests.imports

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

.venv-accelerators/.ready: requirements.lock requirements-accelerators.txt
	$(PYTHON) -m venv .venv-accelerators
	.venv-accelerators/bin/python $(INSTALL) -r requirements.lock
	.venv-accelerators/bin/python $(INSTALL) --no-deps -r requirements-accelerators.txt
	touch $@

clean:
	rm -rf $(VENV) .venv-* results build *.egg-info
