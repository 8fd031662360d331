# Each line is all there is to know: on a machine with Python 3.11+, Java 17+ and Maven, `make demo` does the rest.
PYTHON ?= python3
HOUSE_TESTS = $(wildcard tests/unit/test_imports.py tests/unit/test_docs.py tests/unit/test_reasons.py tests/unit/test_compose.py tests/unit/test_locks.py)
# The locks pin every package by hash, for Python 3.11 to 3.13 on any platform: requirements.lock is what a production
# image installs, requirements-dev.lock that and what tests, checks and docs need. Both follow pyproject.toml: after an
# edit there, `make lock` keeps every pin that still fits; `make lock LOCK_OPTIONS=--upgrade` renews all.
LOCK = .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --strip-extras --no-emit-index-url \
  --custom-compile-command "make lock" $(LOCK_OPTIONS)
RIVALS = tests/benchmarks/rivals/requirements
# Workers of pytest: they share one broker, and tests of one file or world share a worker. Three, on two cores: tests of a
# whole pipeline wait more than they compute, and files of the fast ones are of unlike length.
WORKERS ?= 3
PYTEST = .venv/bin/python -m pytest -q -n $(WORKERS)
# Bytecode is kept even where an image's environment says not to: without it every process of a test, and every role of
# `make up`, compiles all modules anew (a quarter of a second of CPU), and each worker of pytest rewrites all assertions (5 s).
unexport PYTHONDONTWRITEBYTECODE
.PHONY: setup lock wheel demo up test test-fast test-long test-alone test-deep test-by-hand check docs pictures bench
.DEFAULT_GOAL := setup

setup: .venv/.installed ## the virtual environment, with exactly the packages of requirements-dev.lock
.venv/.installed: requirements.lock requirements-dev.lock schemas/compiled.pyx ; @.ci/setup $(PYTHON)
lock: setup ## both locks anew, and that of the program that `make bench` compares with
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	$(LOCK) $(RIVALS).in -o $(RIVALS).lock
wheel: setup ; .venv/bin/python -m build -q --wheel --no-isolation # for this Python, its codec compiled where a C compiler is
demo: setup ; .venv/bin/pairstream demo
up: setup ; .venv/bin/pairstream up
test: setup ; $(PYTEST) -m "not benchmarks and not long and not alone and not by_hand" $(PYTEST_OPTIONS)
test-fast: setup ; $(PYTEST) -m "not long and not alone and not by_hand" $(PYTEST_OPTIONS) tests/unit tests/contract
test-long: setup ; PAIRSTREAM_FAULT_ROUNDS=4 $(PYTEST) -m "(long or faults) and not alone and not by_hand" $(PYTEST_OPTIONS)
test-alone: setup ; .venv/bin/python -m pytest -q -m alone $(PYTEST_OPTIONS)
test-deep: setup ; $(PYTEST) -m "properties and not long and not alone and not by_hand" $(PYTEST_OPTIONS) --hypothesis-profile=deep
test-by-hand: setup ; PAIRSTREAM_FAULT_ROUNDS=4 .venv/bin/python -m pytest -q -m by_hand $(PYTEST_OPTIONS)
check: setup ; .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/vulture && .venv/bin/python -m pytest -q $(HOUSE_TESTS) && $(MAKE) -s docs
docs: setup ; .venv/bin/python -m mkdocs build --strict --quiet
pictures: setup ; .venv/bin/python -m tests.e2e.pictures $(PICTURES) # of the documentation; PICTURES=<folder>: of every page
bench: setup ; .venv/bin/python -m tests.benchmarks
