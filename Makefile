PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow lint types benchmark clean

demo: .venv/ready
	$(BIN)/python RDIA.py

test: .venv/ready
	$(BIN)/python -m pytest

slow: .venv/ready
	$(BIN)/python -m pytest -m slow

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

benchmark: .venv/ready
	$(BIN)/python -m tests.benchmarks.influence

.venv/ready: requirement.txt requirement-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Python " + sys.version.split()[0] + " is too old or too new, expected 3.11 to 3.13: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirement.txt --requirement requirement-dev.txt
	touch $@

clean:
	rm -rf .venv
