# Everything a person does here is a target; each creates .venv when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SERVE ?= yes
JSON ?=
JOBS ?= 2

.PHONY: demo test lint format bench bench-pull bench-check faults serve docs clean lock reference schema

$(STAMP): requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing pinned dependencies into $(VENV) (about a minute) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## the closed loop on two sandbox platforms, then the web site (SERVE=no JSON=file for scripts)
	@$(BIN)/regelkreis demo $(if $(filter no,$(SERVE)),--no-serve,) $(if $(JSON),--json-file "$(JSON)",)

test: $(STAMP) ## all tests
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadscope

lint: $(STAMP) ## style, types, import floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(STAMP)
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: $(STAMP) ## pull rates, evaluation time and memory beside named peers (JSON=file writes them)
	@$(BIN)/python -m bench $(if $(JSON),--json "$(JSON)",)

bench-pull: $(STAMP) ## the pull alone: rates, CPU and memory beside clients, bare transfer and a loop by hand (JSON=file)
	@$(BIN)/python -m bench.pull $(if $(JSON),--json "$(JSON)",)

bench-check: $(STAMP) ## false and true positive rates of the check over simulated worlds (at most 45 minutes)
	@$(BIN)/python -m bench.check_worlds $(if $(JSON),--json "$(JSON)",)

faults: $(STAMP) ## each trap of the sandbox × each connector × pull and write (ONLY=text, JSON=file)
	@$(BIN)/python -m bench.faults $(if $(ONLY),--only "$(ONLY)",) $(if $(JSON),--json "$(JSON)",)

serve: $(STAMP)
	@$(BIN)/regelkreis serve

docs: $(STAMP)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

reference: $(STAMP) schema ## write the reference pages again that are made from the code
	@$(BIN)/python -m config.command_reference > docs/reference/.new && mv docs/reference/.new docs/reference/command-line.md
	@$(BIN)/python -m improvement.metrics.reference > docs/reference/.new && mv docs/reference/.new docs/reference/metrics.md
	@$(BIN)/python -m improvement.evidence.entries > docs/reference/.new && mv docs/reference/.new docs/reference/ledger-entries.md

schema: $(STAMP) ## write the published JSON Schema of review records
	@$(BIN)/python -c 'from pathlib import Path; from improvement.review import export_schema; export_schema(Path("."))'

lock: ## pin every dependency again with hashes (needs uv)
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header requirements/runtime.in -o requirements/runtime.txt
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header -c requirements/runtime.txt requirements/dev.in -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate requirements/dev.in -c requirements/dev.txt -o constraints.txt
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header requirements/audit.in -o requirements/audit.txt

clean:
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
