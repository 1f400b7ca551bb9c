# The one door to everyday work. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
ifneq (,$(wildcard .env))
include .env
export $(shell sed -nE 's/^([A-Z_]+)=.*/\1/p' .env)
endif

PY := .venv/bin/python
STAMP := .venv/.made-from
MADE_FROM = $(shell sha256sum requirements.lock | cut -d' ' -f1)
DEBIAN := chromium dcmtk dicom3tools orthanc r-cran-survival strace fonts-noto-cjk

.PHONY: run test setup check bench soak edge-bundle niivue help lint fix types arch docs debian

run: setup ## Start the whole platform here (Ctrl-C stops it); the first start makes the demo study
	@exec $(PY) manage.py up

test: setup debian ## Run every test on a real PostgreSQL
	$(PY) -m pytest -n 2 --no-loadscope-reorder -m "not soak"

setup: ## Build .venv from requirements.lock (hashes checked); nothing to do when it is fresh
	@if [ "$$(cat $(STAMP) 2>/dev/null)" != "$(MADE_FROM)" ]; then { ./.ci/get-niivue & } && ./.ci/make-venv && echo $(MADE_FROM) > $(STAMP); wait; [ "$$(cat $(STAMP) 2>/dev/null)" = "$(MADE_FROM)" ]; fi

check: setup lint types arch ## Lint, types, import contracts, migrations, deployment settings, generated docs
	$(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	PRIME_PUBLIC_URL=https://prime.example $(PY) manage.py check --deploy --fail-level WARNING
	$(PY) manage.py states --check
	$(PY) manage.py privileges --check
	$(PY) manage.py roles --check
	$(PY) manage.py glossary --check

bench: setup ## Measure speed on this machine
	$(PY) manage.py bench

soak: setup debian ## The long fault and simulation runs
	$(PY) -m pytest -m soak

edge-bundle: setup ## One archive that installs a hospital edge without internet
	$(PY) -m imaging.edge bundle prime-edge.tar.gz

niivue: ## Fetch what the viewer draws volumes with (npm, one pinned file, hash checked); without it slices are shown
	./.ci/get-niivue

lint:
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

fix: ## Format, and repair what can be repaired
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

types:
	$(PY) -m mypy

arch:
	.venv/bin/lint-imports

docs: ## Write the generated pages of docs/
	$(PY) manage.py states
	$(PY) manage.py privileges
	$(PY) manage.py roles
	$(PY) manage.py glossary
	$(PY) -m imaging.edge conformance > docs/conformance.md

debian:
	@./.ci/debian-packages $(DEBIAN)

help: ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1\t\2/' | expand -t 10
