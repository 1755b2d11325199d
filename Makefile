PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow coverage gpu mutants lint types benchmark clean

demo: .venv/linear
	$(BIN)/python RDIA.py

test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

slow: .venv/ready
	$(BIN)/python -m pytest -m slow

coverage: .venv/ready
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report
	@for package in data influence models Figure; do \
	    printf "$$package: " && $(BIN)/python -m coverage report --format=total --include="$$package/*" || exit 1; \
	done

# Everything that needs a GPU: the tests, the speed of training, and CIFAR-10, which must lie in RDIA_DATA. What is kept is not run again.
gpu: .venv/ready
	$(BIN)/python -m pytest tests/test_gpu.py tests/test_on_gpu.py tests/test_training.py tests/test_ranks.py
	$(BIN)/python -m tests.benchmarks.write gpu
	$(BIN)/python -m Figure.reproduce cifar10

mutants: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m mutmut run
	$(BIN)/python -m mutmut results
	$(BIN)/python -m tests.mutants

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

benchmark: .venv/ready
	$(BIN)/python -m tests.benchmarks.influence

# Linear models, and so the demo, do without torch, which with CUDA takes minutes and 5 GB.
.venv/linear: requirement-linear.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 14) else "Python " + sys.version.split()[0] + " is too old or too new, expected 3.11 to 3.14: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirement-linear.txt
	touch $@

.venv/ready: .venv/linear requirement.txt requirement-dev.txt
	$(BIN)/python -m pip install --quiet --requirement requirement.txt --requirement requirement-dev.txt
	touch $@

clean:
	rm -rf .venv build *.egg-info
