# `make demo` and `make test` need Python 3.11 or newer, git and a package index. They set up everything else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

PYTEST_FRAMEWORKS := -m frameworks -n 2 --dist worksteal tests/frameworks tests/documentation
PYTEST_CONTAINERS := -m containers -n 4
PYTEST_CONTROL_PLANE := -m control_plane -n 1 tests/cluster

# Percent of lines and branches that `make test COVERAGE=1` must reach; it only rises. Subprocesses are not measured.
COVERAGE_FLOOR := 85

.PHONY: demo docs docs-outputs man test test-frameworks test-containers test-browser test-control-plane check goldens schemas lock clean

demo: $(READY)  ## train a grid of eight models on the digits on this machine and print the results
	@examples/demo.sh "$(CURDIR)/$(BIN)/riseml"

test: $(READY)  ## run all tests that need neither a cluster nor a large download
	$(BIN)/pytest $(if $(COVERAGE),--cov --cov-report= --cov-fail-under=$(COVERAGE_FLOOR))

test-frameworks: $(READY)  ## run real frameworks on the local engine; downloads about 700 MB once and says what
	$(BIN)/python tests/frameworks/environments.py
	$(BIN)/pytest $(PYTEST_FRAMEWORKS)

test-containers: $(READY)  ## run jobs in containers, from Debian's packages podman, runc and docker-registry; the image is made of this machine's files
	$(BIN)/pytest $(PYTEST_CONTAINERS)

test-browser: $(READY)  ## test the pages of reports in Chromium, from Debian's packages chromium and chromium-driver
	$(BIN)/pytest -m browser -n 0 tests/browser

test-control-plane: $(READY)  ## test the isolation of users on a real Kubernetes API server; needs Go, builds it once in about 7 minutes
	$(BIN)/python tests/cluster/control_plane.py $(BIN)/pytest $(PYTEST_CONTROL_PLANE)

check: $(READY)  ## lint, check types and import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY)  ## build the documentation site into docs/_build without network; warnings and broken links fail
	$(BIN)/sphinx-build -q -j auto -E -a -W -n --keep-going -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

docs-outputs: $(READY)  ## rewrite the outputs in the documentation that differ from what their commands print; review the diff
	$(BIN)/python -m tests.documentation.walk $(PAGES)

man: $(READY)  ## rewrite docs/man after a change of a command's declaration; review the diff
	rm -rf docs/man
	$(BIN)/python docs/_ext/man_pages.py docs/man

goldens: $(READY)  ## rewrite examples/*/workflow.yaml; review the diff
	$(BIN)/pytest tests/golden --regenerate

schemas: $(READY)  ## rewrite riseml/schemas after a change of what -o json prints; review the diff
	$(BIN)/python -m tests.golden.json_schemas

lock: $(READY)  ## resolve the dependencies
	$(BIN)/python -m pip install --quiet "uv>=0.9"
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file requirements.lock

$(READY): requirements.lock pyproject.toml
	@.ci/install $(PYTHON) $(VENV)
	@touch $@

clean:  ## remove the virtual environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist docs/_build
