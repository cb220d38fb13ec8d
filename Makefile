# `make certify` and `make test` set up a virtual environment by themselves and run.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS ?= reference,test,kind,dependencies

.PHONY: certify test check format faults clean

certify: $(VENV)/ready
	$(BIN)/seatrial certify charts/openmed-service --html runs/latest.html

# A worker that crashes ends the run, by the name of its test. pytest-xdist 3.8 would replace it, and then wait for ever
# at the end (its issues 1323 and 1378).
test: export PYTHONDONTWRITEBYTECODE =# what the workers and their programs import is compiled once
test: $(VENV)/ready
	$(BIN)/pytest -m "not kind" -n 6 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

faults: $(VENV)/ready
	$(BIN)/seatrial faults charts/openmed-service

$(VENV)/ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[$(EXTRAS)]"
	touch $@

clean:
	rm -rf $(VENV) build dist
