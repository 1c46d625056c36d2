# Two commands matter: `make demo` runs the main job, `make test` proves it. Both start from nothing.
SHELL := /bin/bash
PY    := .venv/bin/python

.PHONY: demo test check fix chaos soak bench docs lock page fuzz clean help

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/  \t/' | expand -t 12

demo: .setup/demo .setup/page ## install, stream a first real answer here, then serve the page
	.venv/bin/tailrace demo

test: .setup/dev .setup/page .setup/clients .setup/system ## everything: Python, TypeScript, real SDKs, one browser
	scripts/test

check: .setup/dev .setup/npm ## format, lint, types, architecture, generated docs
	scripts/check

fix: .setup/dev .setup/npm ## rewrite what can be rewritten
	scripts/fix

fuzz: .setup/fuzz ## look for input that breaks a parser, FUZZ_SECONDS (20) for each
	$(PY) fuzz/run.py

chaos: .setup/dev .setup/system ## every fault, one checker: the scorecard, in half an hour
	scripts/chaos

soak: .setup/dev .setup/system ## random faults at 200 streams, SOAK_SECONDS (1800) long
	scripts/chaos soak

bench: .setup/dev ## measure, rivals in the same run
	scripts/bench

docs: .setup/dev ## regenerate the generated parts of docs/ and README.md
	$(PY) scripts/generate_docs.py

lock: .setup/venv ## write deploy/requirements.txt: what to install, by its hashes
	scripts/lock

page: .setup/page ## build the chat page into the package

clean: ## forget everything that was installed or built
	rm -rf .venv .setup node_modules packages/*/node_modules ui/node_modules tests/js/node_modules tests/js-new/node_modules src/tailrace/server/page

# Each step leaves a stamp in .setup/, made again when what it was made from changes.
.setup/venv: pyproject.toml
	scripts/setup venv
.setup/demo: .setup/venv
	scripts/setup demo
.setup/dev: .setup/demo
	scripts/setup dev
.setup/fuzz: .setup/dev
	scripts/setup fuzz
.setup/npm: package.json package-lock.json
	scripts/setup npm
.setup/clients: .setup/dev tests/js-new/package.json tests/js-new/package-lock.json
	scripts/setup clients
.setup/page: .setup/npm $(shell find ui packages/client-js -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
	scripts/setup page
.setup/system:
	scripts/setup system
