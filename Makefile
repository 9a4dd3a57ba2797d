# One entry for everything: `make help` lists it.

PYTHON ?= python3
VENV ?= .venv
TESTS ?= tests
PYTEST_OPTIONS ?=
DEMO ?=
DEMO_OPTIONS ?=
VIEWER ?=
FUZZ ?= dicom request answer state rules access
FUZZ_SECONDS ?= 300
SOAK_OPTIONS ?=
SOAK_PAGE ?= docs/soak.md
MATRIX_SUITES ?= bookworm trixie forky
CACHES := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nullsplat
export MYPY_CACHE_DIR ?= $(CACHES)/mypy/$(subst /,_,$(CURDIR))
EVAL_FOLDER ?= eval
EVAL_OPTIONS ?= --scale iso4,iso8,thick4,bell4 --noise 0,15 --methods trilinear,cubic,lanczos,tv,preview
export PYTHON VENV

BIN := $(VENV)/bin

ifneq ($(filter-out once,$(DEMO)),)
$(error DEMO must be 'once' or empty, got '$(DEMO)')
endif

.DEFAULT_GOAL := help
.PHONY: help demo viewer eval soak test test-orthanc-matrix fuzz audit lint format check setup setup-python \
	setup-engine setup-demo setup-system docs package doctor clean

help:  ## list what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  DEMO=once make demo              stop everything when the demo is through, exit 0"
	@echo "  make demo DEMO_OPTIONS='...'     options of 'nullsplat demo' (see 'nullsplat demo --help')"
	@echo "  make viewer VIEWER=/usr/share/nullsplat/ohif     put it there instead of ~/.cache/nullsplat/ohif"
	@echo "  make eval EVAL_OPTIONS='...'     scales, noise and methods (see 'nullsplat eval --help')"
	@echo "  make test TESTS=tests/physics    some tests only; PYTEST_OPTIONS='-x -k name' goes to pytest"
	@echo "  make soak SOAK_OPTIONS='--series 8 --minutes 3 --seed 2' SOAK_PAGE=build/soak.md   a short run"
	@echo "  PYTHON=/path/to/python3 make ... build the environment from another interpreter"

demo: setup-demo  ## set up, send a real chest CT through the node, leave it running
	@$(BIN)/nullsplat demo $(if $(filter once,$(DEMO)),--once) $(DEMO_OPTIONS)

viewer:  ## fetch the OHIF viewer (50 MB, from the npm registry), which the next demo then serves; see docs/viewer.md
	@$(PYTHON) scripts/viewer.py $(VIEWER)

eval: setup-engine  ## measure the presets on public chest CTs and write docs/results.md (half an hour to an hour on two cores)
	@$(BIN)/nullsplat eval --public --out $(EVAL_FOLDER) --page docs/results.md $(EVAL_OPTIONS)

test: setup  ## set up and run all tests, also those against a real Orthanc, in lanes side by side
	@$(BIN)/python -m $(if $(filter-out tests,$(TESTS)),pytest $(PYTEST_OPTIONS) $(TESTS),tests.lanes $(PYTEST_OPTIONS))

fuzz: setup-python  ## fuzz everything that reads what others wrote; FUZZ=dicom for one target, FUZZ_SECONDS each
	@for target in $(FUZZ); do \
		$(BIN)/python tests/fuzz/harness.py $$target .cache/fuzz -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

audit: setup-python  ## what the environment is made of: licences, bounds, known weaknesses where the service answers
	@$(BIN)/python scripts/audit.py

soak: setup  ## kill parts of the node at random while series come in, and write docs/soak.md (at most half an hour)
	@PYTHONPATH=tests/soak $(BIN)/python -m soaking --page $(SOAK_PAGE) $(SOAK_OPTIONS)

test-orthanc-matrix: setup  ## the tests that need Orthanc, with that of Debian 12, 13 and forky (root, debootstrap)
	@scripts/orthanc-matrix.sh $(MATRIX_SUITES)

lint: setup-python  ## style, types and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup-python  ## let ruff fix and format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs:  ## build the documentation as a site with search, in build/site; a dead link is an error
	@scripts/setup.sh docs
	@rm -rf build/api build/doctrees # pages of modules that are gone would end the build, and so would remembering those that are made anew
	@build/docs-venv/bin/sphinx-build --quiet --fail-on-warning --keep-going -c docs -d build/doctrees . build/site
	@echo "build/site/index.html"

package: setup-python  ## build wheel, source distribution and bill of materials (CycloneDX) into dist/
	@$(BIN)/python -m build --outdir dist .
	@$(BIN)/python scripts/sbom.py dist

check: setup  ## everything that CI runs: style, types, import rules and documentation beside all tests
	@$(BIN)/python -m tests.lanes --lint $(PYTEST_OPTIONS)

setup: setup-system setup-python  ## all that tests and development need, if not there yet

setup-system:
	@scripts/setup.sh system

setup-python:
	@scripts/setup.sh python

setup-engine:
	@scripts/setup.sh python demo

setup-demo: setup-engine  ## what the demonstration needs, and nothing else
	@scripts/setup.sh system demo

doctor: setup-engine  ## check this machine and report what is missing
	@$(BIN)/nullsplat doctor

clean:  ## remove the environment, caches and what demo and eval made (not the downloaded CT)
	rm -rf $(VENV) demo eval build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find engine plugin tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
