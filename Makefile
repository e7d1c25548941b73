# Everything a developer or CI does. `make` lists it.
PYTHON ?= python3
PORT ?= 8787

BIN := .venv/bin
STAMP := .venv/.installed
CODE := src tests tools bench
NODE_FOLDERS := $(patsubst %/package-lock.json,%,$(wildcard tests/js/package-lock.json))
PEER_FOLDERS := $(patsubst %/package-lock.json,%,$(wildcard bench/peers/*/package-lock.json))
node_stamps = $(addsuffix /node_modules/.package-lock.json,$(1))

.DEFAULT_GOAL := list
.PHONY: list setup run test check lint types laws docs docs-fresh bench soak fmt lock clean
.DELETE_ON_ERROR:

list: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done

setup: $(STAMP) $(call node_stamps,$(NODE_FOLDERS)) ## Make .venv and install exactly what the lock files name

run: $(STAMP) ## Serve in dev mode on PORT (8787); data and dev.json in .clawscope-dev
	$(BIN)/clawscope serve --dev --data .clawscope-dev --port $(PORT)

test: setup ## Run the tests: side by side, then those that need the machine to themselves
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not soak and not serial"
	$(BIN)/pytest -q -m "serial and not soak" || test $$? -eq 5 # 5: there are none

check: lint types laws docs-fresh test ## All that CI asks for: lint, types, laws, fresh docs, tests

lint: $(STAMP) ## Ruff: rules and format
	$(BIN)/ruff check $(wildcard $(CODE))
	$(BIN)/ruff format --check --quiet $(wildcard $(CODE))

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy

laws: $(STAMP) ## Who may import whom, and the house rules no linter knows
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tools.laws

docs: $(STAMP) ## Write docs/reference from the registries
	$(BIN)/python -m tools.reference

docs-fresh: $(STAMP) ## Fail if docs/reference is not what the registries say
	$(BIN)/python -m tools.reference --check

bench: setup $(call node_stamps,$(PEER_FOLDERS)) ## Measure against the peers; writes docs/benchmarks.md
	$(BIN)/python -m bench.run --write --postgres

soak: setup ## The long runs: millions of mutations, kills under load
	$(BIN)/pytest -q -m soak

fmt: $(STAMP) ## Format, and fix what Ruff can fix safely
	$(BIN)/ruff format $(wildcard $(CODE))
	$(BIN)/ruff check --fix $(wildcard $(CODE))

lock: $(BIN)/uv ## Resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra server --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --quiet --output-file requirements.lock

clean: ## Remove caches and build output; keeps .venv and .clawscope-dev
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(wildcard $(CODE)) -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# uv writes the lock, so it alone is installed from outside it.
$(BIN)/uv:
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet uv

%/node_modules/.package-lock.json: %/package-lock.json | $(STAMP)
	cd $* && PATH="$(abspath $(BIN)):$$PATH" npm ci --no-audit --no-fund --loglevel=error
	touch $@
