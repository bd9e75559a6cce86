# One command for people and for CI alike. On a machine with only Python: `make quickstart`.

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2
STAMP := .venv/.installed

# One thread a process: on a few shared cores more threads make the same work slower.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.PHONY: install quickstart test rivals campaign evidence benchmark notebooks clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "hpo_research needs Python 3.11 or newer, but $(PYTHON) is: $$($(PYTHON) --version 2>&1)"; \
		echo "Name a newer one: make install PYTHON=python3.12"; \
		exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

quickstart: install
	$(BIN)/hpo run experiments/quickstart.py

test: install
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# Every rival in an environment of its own or here, held to the laws: one to six minutes each on a
# busy core, ax-quality more. Needs a package index and 6 GB for six environments (HPO_RIVALS).
rivals: export HPO_RIVALS ?= $(CURDIR)/.rivals
rivals: install
	for name in nevergrad smac syne-tune hebo neps dehb; do $(BIN)/hpo rivals install $$name || exit; done
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,rivals,saas]'
	HPO_RIVAL_LAWS=1 $(BIN)/python -m pytest -q -n 1 tests/laws/test_rival_laws.py

# Hostile inputs, damaged stores and checkpoints, kills: half an hour or more.
campaign: install
	$(BIN)/python -m tests.campaign

# The slow statistical claims, recorded with commit and versions.
evidence: install
	$(BIN)/python -m benchmarks.evidence
	$(BIN)/python -m benchmarks.tuning_documents
	$(BIN)/python -m benchmarks.sdks
	$(BIN)/hpo run experiments/comparison.py --small
	$(BIN)/python -m benchmarks.comparison table results/comparison-small-*

# Fits and asks beside BoTorch, training beside plain PyTorch: minutes; benchmarks/README.md has more.
benchmark: install
	$(BIN)/python -m benchmarks.speed --rows 3 4 5 --no-record
	$(BIN)/python -m benchmarks.training --cases digits-mlp --counts 8 --ways ours loop

# Run the notebooks again and keep what they show.
notebooks: install
	$(BIN)/python -m tests.test_notebooks

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
