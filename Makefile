# Everything a person does here is a target; each creates .venv when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
AUDIT := .venv-audit
AUDITED := $(AUDIT)/.installed
SERVE ?= yes
JSON ?=
JOBS ?= 2
# $(call install,VENV,LOCK): uv is several times as fast as pip, but reads none of pip's settings: where it fails, as it does
# without an index of its own, pip installs the same, or says why not.
install = $(BIN)/uv pip install --quiet --python $(1)/bin/python --require-hashes -r $(2) || { \
	echo "Installing with pip (about a minute) …"; \
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(2); }
unexport PYTHONDONTWRITEBYTECODE # many images set it: each of hundreds of processes would compile what it reads

.PHONY: demo test lint format bench bench-pull bench-check bench-rules bench-starter faults serve docs clean lock reference schema sbom audit wheels offline

$(STAMP): requirements/dev.txt requirements/uv.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing pinned dependencies into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt && \
		$(call install,$(VENV),requirements/dev.txt)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## the closed loop on two sandbox platforms, then the web site (SERVE=no JSON=file for scripts)
	@$(BIN)/regelkreis demo $(if $(filter no,$(SERVE)),--no-serve,) $(if $(JSON),--json-file "$(JSON)",)

test: $(STAMP) ## all tests
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder

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

bench-rules: $(STAMP) ## rules on 1 and 10 million tickets beside SQL by hand and per-ticket engines (TICKETS="…", JSON=file)
	@$(BIN)/python -m bench.rules $(if $(TICKETS),--tickets $(TICKETS),) $(if $(JSON),--json "$(JSON)",)

bench-starter: $(STAMP) ## the starter pack beside worlds whose troubles are known: precision and recall of every rule (SEEDS="…", JSON=file)
	@$(BIN)/python -m bench.starter_pack $(if $(SEEDS),--seeds $(SEEDS),) $(if $(JSON),--json "$(JSON)",)

faults: $(STAMP) ## each trap of the sandbox × each connector × pull and kind of write, flows, kill -9 (ONLY=text, JSON=file)
	@$(BIN)/python -m bench.faults $(if $(ONLY),--only "$(ONLY)",) $(if $(JSON),--json "$(JSON)",)

serve: $(STAMP)
	@$(BIN)/regelkreis serve

docs: $(STAMP)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

reference: $(STAMP) schema ## write the reference pages again that are made from the code
	@$(BIN)/python -m config.command_reference > docs/reference/.new && mv docs/reference/.new docs/reference/command-line.md
	@$(BIN)/python -m improvement.metrics.reference > docs/reference/.new && mv docs/reference/.new docs/reference/metrics.md
	@$(BIN)/python -m config.starter_reference > docs/reference/.new && mv docs/reference/.new docs/reference/starter-rules.md
	@$(BIN)/python -m improvement.evidence.entries > docs/reference/.new && mv docs/reference/.new docs/reference/ledger-entries.md

schema: $(STAMP) ## write the published JSON Schema of review records
	@$(BIN)/python -c 'from pathlib import Path; from improvement.review import export_schema; export_schema(Path("."))'

lock: $(STAMP) ## pin every dependency again with hashes
	@$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header requirements/runtime.in -o requirements/runtime.txt
	@$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header -c requirements/runtime.txt requirements/dev.in -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate requirements/dev.in -c requirements/dev.txt -o constraints.txt
	@$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header requirements/audit.in -o requirements/audit.txt
	@$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header requirements/uv.in -o requirements/uv.txt

$(AUDITED): requirements/audit.txt $(STAMP)
	@test -x $(AUDIT)/bin/python || $(PYTHON) -m venv $(AUDIT)
	@$(call install,$(AUDIT),requirements/audit.txt)
	@touch $@

wheels: $(STAMP) ## everything to install without a network, with checksums: dist/wheels (same system and Python as the target)
	@rm -rf dist/wheels && mkdir -p dist/wheels
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --require-hashes --wheel-dir dist/wheels -r requirements/runtime.txt
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist/wheels .
	@cd dist/wheels && sha256sum *.whl > SHA256SUMS && echo "dist/wheels: $$(ls *.whl | wc -l) wheels"

offline: wheels ## installs dist/wheels away from here as the guide says, with no index to ask, and makes a home with it
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && cp -r dist/wheels "$$dir" && cd "$$dir/wheels" && sha256sum --quiet -c SHA256SUMS && \
		$(abspath $(BIN))/python -m venv "$$dir/venv" && "$$dir/venv/bin/pip" install --quiet --disable-pip-version-check --no-index --no-deps *.whl && \
		"$$dir/venv/bin/pip" --disable-pip-version-check check && cd "$$dir" && export REGELKREIS_HOME="$$dir/home" && \
		"$$dir/venv/bin/regelkreis" init >/dev/null && "$$dir/venv/bin/regelkreis" rules test | tail -1

sbom: $(AUDITED) ## what an installation consists of, from the lock file: dist/regelkreis.cdx.json (CycloneDX)
	@mkdir -p dist
	@PYTHONWARNINGS=ignore $(AUDIT)/bin/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application --sv 1.6 --output-reproducible \
		--of JSON -o dist/regelkreis.cdx.json requirements/runtime.txt
	@echo "dist/regelkreis.cdx.json: $$(grep -c '"purl"' dist/regelkreis.cdx.json) components"

audit: $(AUDITED) ## known vulnerabilities of what is locked; needs a network to an advisory database
	@$(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/runtime.txt $(AUDIT_OPTIONS) || { \
		echo "Where no advisory database can be reached, hand dist/regelkreis.cdx.json (make sbom) to your own scanner." >&2; \
		exit 1; }

clean:
	rm -rf $(VENV) $(AUDIT) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
