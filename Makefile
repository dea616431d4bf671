# Every target sets up what it needs by itself (scripts/setup), and asks nothing.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help demo prove test check lint fmt build bench bench-failover clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Envoy with Tollgate, a simulated provider and a minute of traffic, up until Ctrl-C (SECONDS=20: ends by itself)
	@scripts/setup demo
	@scripts/build demo
	@exec .tools/venv/bin/python -m demo $(if $(SECONDS),--seconds $(SECONDS))

prove: ## what limits, budgets, the loop guard and failover promise, tried and measured on real Envoy (ONLY="rpm budget": some of it)
	@scripts/setup prove
	@scripts/build demo
	@exec .tools/venv/bin/python -m prove $(ONLY)

test: ## every check and every test (ONLY="native e2e": some of them)
	@scripts/setup test
	@exec python3 scripts/test $(ONLY)

check: ## what is quick: formatting, lints, native tests
	@$(MAKE) test ONLY="format lint native"

lint: ## clippy on everything, natively and for wasm32
	@$(MAKE) test ONLY="lint"

fmt: ## formats the code
	@scripts/setup test
	@cargo fmt --all

build: ## the module and the tollgate command, optimised: target/wasm32-wasip1/release/tollgate.wasm, target/release/tollgate
	@scripts/setup build
	@scripts/build release

bench: ## Envoy's cost per request, with and without Tollgate and its limits (ONLY=limits: some of it; SAVE=1: into bench/results.md)
	@scripts/setup bench
	@scripts/build bench
	@exec .tools/venv/bin/python -m bench $(if $(SAVE),--save) $(if $(ONLY),--only "$(ONLY)")

bench-failover: ## agents on a provider's bad day, directly and through Tollgate, and what a move takes (SAVE=1: into bench/failover.md)
	@scripts/setup prove
	@scripts/build demo
	@exec .tools/venv/bin/python -m bench.failover $(if $(SAVE),--save) $(if $(ONLY),--only "$(ONLY)")

clean: ## removes what was built (the tools in .tools stay)
	@cargo clean
	@rm -rf run
