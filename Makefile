# Every verb is one line that calls a script or a tool; the scripts explain themselves with --help.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Further arguments, as in: make run ARGS=--dev, make bench ARGS='--modes fan1000 --rounds 1', make conformance ARGS=9
ARGS ?=
PLAN ?= smoke
export LISTEN ?= 127.0.0.1:5050
export DATA_DIR ?= ./data
export PROFILE ?= dev

.PHONY: help run demo stop status logs clean build test lint fmt bench bench-check outage overload load fuzz conformance browser hooks \
  readme-image

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  variables: LISTEN=$(LISTEN) DATA_DIR=$(DATA_DIR) PROFILE=$(PROFILE) ARGS=$(ARGS)"

run: ## build what changed and serve in the foreground; prints the link that logs you in
	@scripts/run-hub.sh $(ARGS)

demo: ## hub and two agents in the background, with pids and logs in ./.run
	@scripts/start-demo.sh

stop: ## stop the demo
	@scripts/stop-demo.sh

status: ## what of the demo runs, and its health
	@scripts/show-status.sh

logs: ## follow the logs of the demo
	@scripts/follow-logs.sh

build: ## release binaries with the console inside
	@scripts/build-console.sh
	cargo build --locked --workspace --release

test: ## install what is missing, then every check and every test; what CI runs
	@scripts/test.sh

lint: ## formatting, clippy, eslint, types, dependencies, spelling, shell scripts
	@scripts/install-tools.sh shellcheck typos cargo-deny
	@scripts/test.sh console lint

fmt: ## format the Rust code
	cargo fmt --all

bench: ## measure a release build beside the physical limit of this machine
	@scripts/measure.sh $(ARGS)

load: ## carry out a plan of loadtest/plans against a hub of its own: make load PLAN=reconnect
	@scripts/load-test.sh $(PLAN) $(ARGS)

outage: ## kill Redis, then PostgreSQL, for 30 s each under load (OUTAGE_S), and compare what was acknowledged with what is there
	OUTAGE_S=$${OUTAGE_S:-30} cargo nextest run --cargo-profile release --all-features --test it --no-capture -E 'test(cluster_faults::outage)'

overload: ## five times the samples that the hub keeps up with, 10 min (OVERLOAD_S), half of them with PostgreSQL stopped
	OVERLOAD_S=$${OVERLOAD_S:-600} cargo nextest run --cargo-profile release --all-features --test it --no-capture -E 'test(cluster_faults::overload)'

bench-check: ## count the instructions of the hot paths; fails when one has grown by more than 5 %
	@scripts/count-instructions.sh $(ARGS)

conformance: ## the Autobahn Testsuite against the socket layer; most of an hour, ARGS=9 is section 9 alone
	@scripts/conformance.sh $(ARGS)

fuzz: ## fuzz what reads the bytes of clients, each target for a minute
	@scripts/fuzz.sh $(ARGS)

browser: ## the browser tests alone
	@scripts/install-tools.sh chromium
	@scripts/build-console.sh
	@scripts/test.sh browser

readme-image: ## take the picture of the README again
	@scripts/install-tools.sh chromium
	@scripts/build-console.sh
	@UPDATE_README_IMAGE=1 scripts/test.sh browser

hooks: ## run format, spelling and clippy before every commit
	@scripts/install-hooks.sh

clean: ## stop the demo and remove what was built; ./data stays
	@scripts/clean.sh
