# Each line is all there is to know: on a machine with Python 3.11+, Java 17+ and Maven, `make demo` does the rest.
PYTHON ?= python3
HOUSE_TESTS = $(wildcard tests/unit/test_imports.py tests/unit/test_docs.py tests/unit/test_compose.py)
.PHONY: setup demo up test check bench
.DEFAULT_GOAL := setup

setup: .venv/.installed ## the virtual environment, with exactly the packages of requirements.lock
.venv/.installed: requirements.lock ; .ci/setup $(PYTHON)
demo: setup ; .venv/bin/pairstream demo
up: setup ; .venv/bin/pairstream up
test: setup ; .venv/bin/python -m pytest -q -m "not benchmarks" $(PYTEST_OPTIONS)
check: setup ; .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/python -m pytest -q $(HOUSE_TESTS)
bench: setup ; .venv/bin/python -m tests.benchmarks
