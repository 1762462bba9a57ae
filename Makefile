# Receptive: what people type. Each target does its own set-up (scripts/setup.sh), once.
.DEFAULT_GOAL := help
.PHONY: help serve build test goldens browser-test sizes setup-build setup-test clean

PORT ?= 8080

# Our own pinned tools come first: wasm-bindgen and Trunk (scripts/setup.sh), wasm-opt (npm).
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/receptive
export PATH := $(CACHE)/tools/bin:$(CURDIR)/node_modules/.bin:$(HOME)/.cargo/bin:$(PATH)

# Trunk would fetch tools from the network; ours are here already. Always optimised: a debug build computes 50 times slower.
TRUNK_FLAGS := --release --offline
STAGE := @scripts/stage.sh
# nextest is quicker and kinder to read where it is installed.
RUN_TESTS := $(if $(shell command -v cargo-nextest 2>/dev/null),nextest run,test)
WASM := --target wasm32-unknown-unknown

help:           ## this list
	@grep -E '^[a-z-]+: .*##|^[a-z-]+:  +##' $(MAKEFILE_LIST) | sed 's/:.*##/ :/' | column -t -s:

serve: setup-build  ## build the page, serve it on localhost, rebuild when a file changes
	trunk serve $(TRUNK_FLAGS) --port $(PORT) $(if $(DISPLAY)$(WAYLAND_DISPLAY),--open)

build: setup-build  ## build the page into dist/
	trunk build $(TRUNK_FLAGS)

test: setup-test  ## everything CI runs, cheap checks first, the tests of the page last
	$(STAGE) 'formatting' cargo fmt --check
	$(STAGE) 'clippy, native' cargo clippy --locked --release --all-targets -- -D warnings
	$(STAGE) 'clippy, wasm' cargo clippy --locked --profile page $(WASM) --lib --bin page --bin engine -- -D warnings
	$(STAGE) 'native tests' cargo $(RUN_TESTS) --locked --release
	$(STAGE) 'page' trunk build $(TRUNK_FLAGS)
	$(STAGE) 'page tests' node --test --test-concurrency=1 tests/e2e/*.test.mjs

browser-test: build setup-test  ## only the tests of the page; FILE=tests/e2e/x.test.mjs for one file
	node --test --test-concurrency=1 $(or $(FILE),tests/e2e/*.test.mjs)

goldens: setup-build  ## every golden file on both engines (BACKENDS="cpu gpu"), judged as PyTorch's values are
	@for backend in $(or $(BACKENDS),cpu gpu); do echo "$$backend:"; \
	    cargo run --quiet --locked --release --bin receptive -- golden tests/golden/*.json --backend $$backend --json \
	        > target/golden-$$backend.json; \
	    python3 tests/golden/compare.py target/golden-$$backend.json tests/golden/*.json; done

sizes: build  ## bytes that a visitor fetches until the first prediction
	node scripts/sizes.mjs

setup-build:
	@scripts/setup.sh build

setup-test:
	@scripts/setup.sh test

clean:          ## remove what was built
	rm -rf dist tests/e2e/out
	cargo clean
