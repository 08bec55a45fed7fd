# goldfleet: every command a developer, CI or a newcomer needs. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PYTHON_FILES := scripts tests
# What sudo wrote into .goldfleet is the caller's again afterwards, whatever the outcome.
GIVE_BACK = status=$$?; [ -z "$(SUDO)" ] || sudo chown -R "$$(id -u):$$(id -g)" .goldfleet; exit $$status
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help setup lock format check unit lint-roles test prove mutate bench demo molecule docs clean

help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## Install Debian packages and .venv with the locked versions; says what it does; safe to repeat
	@scripts/setup.sh

lock: ## Resolve pyproject.toml's ranges anew into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra local --extra dev --generate-hashes --python-version 3.11 --quiet --output-file requirements.lock

format: setup ## Format Python and Packer files
	$(BIN)/ruff format $(PYTHON_FILES)
	$(BIN)/ruff check --fix $(PYTHON_FILES)
	packer fmt packer && packer fmt packer/compat

check: setup ## Formatting, lint, types, imports, contracts, unit and functional tests: some five minutes
	$(BIN)/ruff format --check $(PYTHON_FILES)
	$(BIN)/ruff check $(PYTHON_FILES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict .
	$(BIN)/pytest -q -n 2 tests/unit tests/functional tests/contracts

lint-roles: setup ## ansible-lint with the production profile
	$(BIN)/ansible-lint --offline

unit: setup ## Unit tests only
	$(BIN)/pytest -q -n 2 tests/unit

test: check lint-roles ## check, then the end-to-end set on the local cloud and molecule's default scenarios: 35 to 40 minutes on two cores
	$(SUDO) $(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests/localcloud -m "not long" --durations=40; $(GIVE_BACK)
	$(SUDO) scripts/molecule.sh default; $(GIVE_BACK)

molecule: setup ## Every scenario of every role, on machines of its own
	$(SUDO) scripts/molecule.sh all; $(GIVE_BACK)

prove: test ## Everything, for as long as it takes
	GOLDFLEET_EXAMPLES=3000 $(BIN)/pytest -q tests/functional/roll -k any_group
	$(SUDO) $(BIN)/pytest -q tests/localcloud -m long; $(GIVE_BACK)
	$(SUDO) scripts/molecule.sh others; $(GIVE_BACK)
	$(MAKE) mutate

mutate: setup ## Delete or alter each task of each role in turn: some proof must fail; hours, and goes on where it was
	$(SUDO) $(BIN)/python -m tests.mutation; $(GIVE_BACK)

bench: setup ## Measure, print medians and ratios; gates nothing
	$(SUDO) $(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.scaling
	$(SUDO) $(BIN)/python -m tests.bench.fleet
	$(SUDO) $(BIN)/python -m tests.bench.roles
	$(SUDO) $(BIN)/python -m tests.bench.verify
	$(BIN)/python -m tests.bench.verify.managed

demo: setup ## The whole story on the local cloud, in a few minutes
	$(SUDO) $(BIN)/goldfleet demo; $(GIVE_BACK)

docs: setup ## Generate docs/reference
	$(BIN)/python -m scripts.generate_reference

clean: ## Remove what is made by the above, but not .venv
	[ ! -e .goldfleet/local ] || $(SUDO) $(BIN)/goldfleet local down
	rm -rf .goldfleet .mypy_cache .ruff_cache .hypothesis
