# `make help` lists the targets. Nothing but Python 3.11, 3.12 or 3.13 is needed.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c '$(SUPPORTED)' >/dev/null 2>&1 && { echo $$p; break; }; done)
COLAB_PYTHON ?= $(shell for p in python3.13 "$$HOME"/.pyenv/versions/3.13*/bin/python \
	$(PYTHON); do $$p -c '' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := notebooks/src/01_dcgan_anime_faces.py
# A GPU environment stays one: GPU=1 is needed only the first time.
READY := $(VENV)/$(if $(GPU)$(wildcard $(VENV)/.ready-gpu),.ready-gpu,.ready)
COLAB_READY := .venv-colab/.ready
PAGE_READY := .venv-page/.ready
# Test processes; each has one TensorFlow thread.
WORKERS ?= 2
PYTEST := -m pytest -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-page check notebooks lab bench test-colab badges hooks clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-11s %s\n", $$1, $$2}'

setup: $(READY)  ## make .venv with the pinned requirements (GPU=1: TensorFlow with CUDA)

demo: $(READY)  ## run notebook 01 on the CPU profile; pictures in runs/01_dcgan_anime_faces
	$(BIN)/python tools/run_notebook.py $(DEMO) --profile cpu

test: $(READY)  ## all tests (WORKERS=2 processes)
	$(BIN)/python $(PYTEST)

check: $(READY)  ## style, types and the fast tests
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/python -m pytest -q -m "not slow"

notebooks: $(READY)  ## build the notebooks and run the student versions (PROFILE=cpu)
	$(BIN)/python tools/build_notebooks.py --execute $(or $(PROFILE),cpu)

lab: $(READY)  ## open JupyterLab
	$(BIN)/jupyter lab notebooks

bench: $(READY)  ## time every model's training step, compare with the last run, draw
	$(BIN)/python benchmarks/bench.py $(BENCH)
	$(BIN)/python benchmarks/page.py
	$(BIN)/python benchmarks/gate.py

test-colab: $(COLAB_READY)  ## unit tests and notebook 01 (smoke) with Colab's versions
	.venv-colab/bin/python $(PYTEST)
	.venv-colab/bin/python tools/run_notebook.py $(DEMO) --profile smoke

test-page: $(PAGE_READY)  ## both pages in a real browser (needs Chromium)
	.venv-page/bin/python -m pytest tests/demo tests/study/test_study_page.py

badges: $(READY)  ## point all links at one fork: make badges REPO=owner/name
	$(BIN)/python tools/badges.py $(REPO)
	$(BIN)/python tools/build_notebooks.py

hooks: $(READY)  ## run ruff and the notebook checks before each commit
	$(BIN)/pre-commit install

clean:  ## remove environments and caches (runs/ stays)
	rm -rf .venv .venv-colab .venv-page .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

# The stamp comes last: an interrupted setup is continued, never taken for complete.
$(READY): requirements.txt pyproject.toml
	@$(or $(PYTHON),python3) -c '$(SUPPORTED)' || { \
	echo "Python 3.11, 3.12 or 3.13 is needed; found: $$(python3 --version 2>&1)." ; \
	echo "Install one of them, or name it: make setup PYTHON=/path/to/python3.11"; exit 1; }
	rm -f $(VENV)/.ready*
	$(PYTHON) -m venv $(VENV)
ifneq (,$(findstring gpu,$(READY)))
	$(BIN)/pip uninstall -q -y tensorflow-cpu
	sed -E 's/^tensorflow-cpu(==[^;]*);.*/tensorflow[and-cuda]\1/' requirements.txt > $(VENV)/requirements.txt
	$(BIN)/pip install -r $(VENV)/requirements.txt
else
	$(BIN)/pip install -r requirements.txt
endif
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	touch $@

$(COLAB_READY): constraints-colab.txt pyproject.toml
	rm -f $@
	$(COLAB_PYTHON) -m venv .venv-colab
	.venv-colab/bin/pip install -c constraints-colab.txt -e ".[tensorflow,named,test]"
	touch $@

# Gradio asks for Pillow below 13, so its page has an environment of its own.
$(PAGE_READY): requirements.txt pyproject.toml
	rm -f $@
	$(PYTHON) -m venv .venv-page
	sed '/^pillow==/d' requirements.txt > .venv-page/constraints.txt
	.venv-page/bin/pip install -q -c .venv-page/constraints.txt \
		-e ".[tensorflow,test,demo]" gradio==6.31.0 playwright==1.65.2
	touch $@
