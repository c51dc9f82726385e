# `make demo` and `make test` set up everything they need on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
OUT ?= runs/demo
JOBS ?= 2
BIN := $(VENV)/bin
READY := $(VENV)/.ready
XVFB := env -u QT_QPA_PLATFORM xvfb-run -a -s "-screen 0 1400x900x24"

.PHONY: help demo test test-fast lint docs wheel bench setup system clean

help:
	@echo "make demo       trace neurites in the bundled volume, write SWC files and a picture to $(OUT)"
	@echo "make test       run all tests (under a virtual screen)"
	@echo "make test-fast  run the tests that need neither a window nor much time"
	@echo "make lint       ruff and mypy"
	@echo "make docs       the documentation site, into build/site"
	@echo "make wheel      wheel and sdist into dist, each installed into an empty environment and tried"
	@echo "make bench      rendering speed and the latency of the policy"
	@echo "make clean      remove the virtual environment and caches"

setup: $(READY)

system:
	@bash scripts/system-packages.sh

$(READY): pyproject.toml constraints.txt | system
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": set PYTHON=...") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(TORCH) -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all,test]'
	@touch $@

demo: $(READY)
	$(BIN)/bcannot demo --out $(OUT)

test: $(READY)
	@command -v xvfb-run >/dev/null || { echo "make test needs xvfb-run (Debian: apt-get install xvfb xauth)" >&2; exit 1; }
	@status=0; \
	OMP_NUM_THREADS=1 $(XVFB) $(BIN)/python -m pytest tests/core -n $(JOBS) --dist loadfile || status=1; \
	$(XVFB) $(BIN)/python -m pytest tests/napari || status=1; \
	exit $$status

test-fast: $(READY)
	$(BIN)/python -m pytest tests/core -m "not slow and not gui" -n $(JOBS)

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

wheel: $(READY)
	$(BIN)/python scripts/try_distribution.py --out dist

bench: $(READY)
	$(BIN)/bcannot bench render
	$(BIN)/bcannot bench latency

clean:
	rm -rf $(VENV) .ruff_cache .mypy_cache .pytest_cache .hypothesis build dist
