# Nothing is needed but Python >= 3.11 and make: every target first sets up what it needs, in seconds when it is there.
#
#   make demo      the whole path for two simulated partners, to the browser SERVE=0  JSON=1  DATA=folder MAPPING=file
#   make test      the tests                                                 PYTHON=python3.12 for another version
#   make test-again  the tests that failed, alone: one that passes then has a race
#   make check     lint, types, layers, and the project's own rules
#   make results   measure everything on held-out time                       DATA=folder
#   make bench     ratios against the bare library or the bare database      SCALE=full  ONLY=import  RECORD=1
#   make faults    kill every part at random under load; figures come last  ROUNDS=200  SEED=7  RECORD=1
#   make alerts-storm  1,000 alerts with workers killed every few seconds; figures come last  ALERTS=1000  SEED=7  RECORD=1
#   make rehearse  roll good and bad versions out behind HAProxy, under load; figures come last  ONLY=canary  RECORD=1
#   make mutants   remove each mechanism once, and run the test that must fail then  ONLY=retries  RECORD=1
#   make docs      run the documentation's examples, follow its links
#   make shots     a picture of every page, in build/shots                   README=1 for those of the README
#   make texts     gather the pages' texts in the catalogues of translations
#   make serve     the API, on the embedded servers
#   make lock      resolve the dependencies anew
#   make image-steps  lay out the image without Docker, and run it as another account
#   make clean     remove the environments and caches; the data under .iit stays (iit services reset deletes it)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-again check bench results faults alerts-storm rehearse mutants docs shots texts serve lock image-steps clean
MAKEFLAGS += --no-print-directory

# Bytecode is wanted: without it every start compiles anew.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH

# One environment per version asked for; without PYTHON, .venv.
VENV := $(if $(PYTHON),.venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null),.venv)
BIN := $(VENV)/bin
SERVE ?= 1
JSON ?= 0
TESTS ?= tests
SCALE ?= small
WORKERS ?= 2
ROUNDS ?= 200
ALERTS ?= 1000

help:
	@sed -n 's/^#   \(make .*\)/\1/p' Makefile

setup:
	@python=$$(sh .ci/python $(PYTHON)) && "$$python" .ci/setup.py $(VENV)

demo: setup
	@$(BIN)/iit demo $(if $(filter 0,$(SERVE)),--no-serve) $(if $(filter 1,$(JSON)),--json) \
		$(if $(DATA),--data "$(DATA)") $(if $(MAPPING),--mapping "$(MAPPING)")

results: setup
	@$(BIN)/iit results $(if $(DATA),--data "$(DATA)") $(if $(filter 1,$(JSON)),--json)

serve: setup
	@$(BIN)/iit serve

test: setup
	@$(BIN)/python .ci/debian.py $(VENV)
	@$(BIN)/python .ci/helm.py $(VENV)
	@$(BIN)/python .ci/node_packages.py $(VENV) tests/browser
	@$(BIN)/python .ci/node_packages.py $(VENV) tests/oidc_provider
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS) \
		|| { status=$$?; echo $$status > .pytest_cache/status; exit $$status; }

test-again: setup
	@$(BIN)/python .ci/again.py
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(TESTS)
	@echo "each of the tests named above failed once and passed alone: it has a race, and is to be mended"

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/architecture

bench: setup
	@$(BIN)/python -m benchmarks $(ONLY) --scale $(SCALE) $(if $(filter 1,$(RECORD)),--record)

faults: setup
	@$(BIN)/python -m tests.faults.storm --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED)) $(if $(filter 1,$(RECORD)),--record)

alerts-storm: setup
	@$(BIN)/python -m tests.faults.alert_storm --alerts $(ALERTS) $(if $(SEED),--seed $(SEED)) $(if $(filter 1,$(RECORD)),--record)

rehearse: setup
	@$(BIN)/python .ci/debian.py $(VENV)
	@$(BIN)/python -m tests.rehearsals $(ONLY) $(if $(filter 1,$(RECORD)),--record)

mutants: setup
	@$(BIN)/python -m tests.faults.mutants $(if $(ONLY),--only "$(ONLY)") $(if $(filter 1,$(RECORD)),--record)

docs: setup
	$(BIN)/python -m pytest -q tests/docs

shots: setup
	@$(BIN)/python .ci/node_packages.py $(VENV) tests/browser
	@$(BIN)/python -m tests.browser.shots $(if $(filter 1,$(README)),--readme)

texts: setup
	@$(BIN)/python -m core.web.gather_texts

lock: setup
	$(BIN)/python -m uv pip compile -q --universal --python-version 3.11 --generate-hashes $(LOCKFLAGS) \
		--custom-compile-command "make lock" --group dev pyproject.toml -o requirements.lock
	$(BIN)/python -m uv pip compile -q --universal --python-version 3.11 --generate-hashes $(LOCKFLAGS) \
		--custom-compile-command "make lock" --group bootstrap -o requirements-bootstrap.lock
	$(BIN)/python -m uv pip compile -q --universal --python-version 3.11 --generate-hashes $(LOCKFLAGS) \
		--custom-compile-command "make lock" --constraints requirements.lock pyproject.toml -o requirements.image.lock

image-steps: setup
	@$(BIN)/python .ci/image_steps.py

clean:
	@for iit in .venv*/bin/iit; do if [ -x "$$iit" ]; then "$$iit" services stop || true; break; fi; done
	rm -rf .venv .venv-* build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
