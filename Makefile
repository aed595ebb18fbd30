PYTHON ?= python3
VENV ?= .venv
OUT ?= out/quickstart
BIN := $(VENV)/bin

.PHONY: demo test test-all lint setup docs clean

# exit code 3: some images stayed short of the gate, and their rows say so
demo: setup  ## make a small dataset with the bundled model and show it
	$(BIN)/fpsynth generate recipes/quickstart.yaml -o $(OUT) || [ $$? -eq 3 ]
	$(BIN)/fpsynth inspect $(OUT) --sheet $(OUT)-sheet.png
	@echo "contact sheet: $(OUT)-sheet.png"

test: setup  ## the fast tests
	$(BIN)/python -m pytest -q -n auto --dist loadfile

test-all: setup  ## the fast and the slow tests
	$(BIN)/python -m pytest -q -m "slow or not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: $(VENV)/.ready

# torch first, so that nothing that depends on it brings a build with CUDA packages
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt torch==2.13.0
	$(BIN)/pip install -q -c constraints.txt -e ".[judges,report,ray,s3,wsq,dev]"
	touch $@

clean:
	rm -rf $(VENV) out
