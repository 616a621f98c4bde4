# Everything runs from .venv, made from requirements.lock when that has changed. ARGS="..." passes options through.

ARGS ?=
PYTHON ?=
BIN := .venv/bin
MAKEFLAGS += --no-print-directory

.PHONY: help environment demo test simulate chaos check lint format contracts contracts-check conformance conformance-files lock clean

help:
	@echo 'make demo    the main job, from a referral to a booked infusion, with nothing installed   ARGS="--once"'
	@echo 'make test    every test, with RabbitMQ, PostgreSQL and Redis provided                     ARGS="-k iron"'
	@echo 'make simulate  journeys under faults on a simulated clock, seed by seed                  ARGS="--seeds 50"'
	@echo 'make chaos   faults on the real engines under load, about an hour: benchmarks/reports/chaos.md   ARGS="--fault 9,10"'
	@echo 'make check   lint and the fast tests, no engine, about a minute'
	@echo 'make lint    ruff, mypy, import-linter'
	@echo 'make format  ruff format and the fixes ruff is sure of'
	@echo 'make contracts        the profiles compiled from their source (Node), and the message catalogue'
	@echo 'make contracts-check  the same, compared with what is checked in'
	@echo 'make conformance      the HL7 validator on examples, a demo and packages (Java)            ARGS="--check"'
	@echo 'make lock    requirements.lock anew from pyproject.toml (needs uv)'
	@echo 'make clean   removes .venv, caches and the local database in var/'

environment:
	@PYTHON='$(PYTHON)' sh .ci/environment

demo: environment
	@$(BIN)/carepod demo $(ARGS)

test: environment conformance-files
	@$(BIN)/python -m benchmarks.engines -- $(BIN)/python -m pytest $(ARGS)

simulate: environment
	@$(BIN)/carepod simulate $(ARGS)

chaos: environment
	@$(BIN)/python -m benchmarks.chaos --report benchmarks/reports $(ARGS)

check: lint
	@$(BIN)/python -m pytest -n 2 -m "not engines and not slow" $(ARGS)

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: environment
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

contracts: environment
	@$(BIN)/python -m contracts.build $(ARGS)
	@$(BIN)/python -m contracts.catalogue

contracts-check: environment
	@$(BIN)/python -m contracts.build --check
	@$(BIN)/python -m contracts.catalogue --check

conformance-files: environment
	-@$(BIN)/python -m contracts.conformance.fetch >/dev/null

conformance: environment
	@$(BIN)/python -m contracts.conformance $(ARGS)

lock:
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra test --extra build --no-header \
	  --output-file requirements.lock pyproject.toml $(ARGS)

clean:
	rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
