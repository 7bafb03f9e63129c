# Short names for what is done often. `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
# Debian keeps the broker that the tests start in /usr/sbin, which is not on every user's path.
export PATH := $(PATH):/usr/sbin:/sbin
# Tests at once: many of them wait for a broker, a camera or a timer and leave the processor to others meanwhile.
export RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(nproc))))
# Arguments for `make demo`, e.g. make demo ARGS='--headless --for 30s'
ARGS ?=
# How many streets `make cases` draws at each level of noise.
CASES_SEEDS ?= 200
# How long `make soak` runs.
SOAK_MINUTES ?= 30
# How long `make fuzz` feeds each reader.
FUZZ_SECONDS ?= 120
# How many faults `make chaos` makes.
CHAOS_CYCLES ?= 200

say = @printf '\n== %s\n'

.PHONY: help setup test-setup openvino arm64 demo build test fmt lint deny doc unit soak camera-vm fuzz chaos backlog desk-kills desk-load desk-scale bench cases calibrate-check clean

help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | awk -F'\t' '{ printf "make %-16s %s\n", $$1, $$2 }'

setup: ## Fetch ONNX Runtime (pinned) and check the build tools; does nothing the second time
	@scripts/setup.sh

test-setup: ## The same, and what the tests need: mosquitto, ffmpeg, an RTSP server, cargo-deny, qemu with a kernel
	@scripts/setup.sh test

openvino: ## Fetch an ONNX Runtime with OpenVINO (pinned, opt-in, Intel CPUs)
	@scripts/openvino.sh

build: setup ## Build the program for real use
	$(say) 'Building gridpatrol'
	cargo build --release --locked

demo: build ## Show cases arriving from the clip on a broker and a page (ARGS='--headless')
	$(say) 'Demo'
	target/release/gridpatrol demo $(ARGS)

test: test-setup fmt lint deny doc unit camera-vm ## Everything that must pass before a change lands

fmt: ## Check the formatting
	$(say) 'Formatting'
	cargo fmt --check

lint: ## Clippy, warnings are errors
	$(say) 'Lints'
	cargo clippy --locked --all-targets -- -D warnings

deny: test-setup ## Check the licences and bans of every dependency
	$(say) 'Licences'
	.setup/bin/cargo-deny --locked check --hide-inclusion-graph licenses bans

doc: ## Build the documentation, warnings are errors
	$(say) 'Documentation'
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps --document-private-items

unit: test-setup ## Run the tests alone
	$(say) 'Tests'
	cargo test --locked

soak: test-setup ## Eight cameras through kills and freezes, half an hour (SOAK_MINUTES=30)
	$(say) 'Soak'
	SOAK_MINUTES=$(SOAK_MINUTES) cargo test --locked --test main cameras::soak -- --ignored --nocapture

chaos: test-setup ## Two hundred faults between the box and a real broker; counts what is lost (CHAOS_CYCLES=200)
	$(say) 'Chaos'
	CHAOS_CYCLES=$(CHAOS_CYCLES) cargo test --locked --test main delivery::chaos::nothing_accepted_is_lost_through_two -- --ignored --nocapture

desk-kills: test-setup ## Kill the desk fifty times in mid-intake and count what is lost or doubled
	$(say) 'Desk: kills'
	cargo test --locked --test main desk::kill -- --ignored --nocapture

desk-load: test-setup ## 500 events a second for a minute through a real broker into the desk
	$(say) 'Desk: load'
	cargo test --locked --test main desk::load -- --ignored --nocapture

desk-scale: ## What the desk's pages cost with 200,000 cases; minutes
	$(say) 'Desk: 200,000 cases'
	cargo test --locked --release --test main desk::scale -- --ignored --nocapture

backlog: test-setup ## Work off 100,000 queued events on a real broker; minutes
	$(say) 'Backlog'
	cargo test --locked --test main delivery::backlog -- --ignored --nocapture

fuzz: test-setup ## Feed every reader of foreign input, guided by coverage, two minutes each (FUZZ_SECONDS=120)
	$(say) 'Fuzz'
	FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz.sh

camera-vm: test-setup ## USB capture against a real driver: a virtual camera under qemu, stalled and unplugged
	$(say) 'Camera driver'
	@# As the tests build it: `cargo build` would compile a good part of it all once more, with fewer features.
	cargo test --locked --no-run
	scripts/vm_camera.sh

bench: build ## Run the benchmarks, the program's own and against a plain Python pipeline
	$(say) 'Benchmarks'
	cargo bench --locked
	$(say) 'This box'
	target/release/gridpatrol bench --input tests/media/vtest.mp4
	$(say) 'Against Python'
	@scripts/bench-python.sh
	.setup/bench-python/bin/python benches/python/compare.py
	.setup/bench-python/bin/python benches/python/compare.py --model models/nanodet-g-320

cases: ## Print the scoreboard: scripted streets with a known truth (CASES_SEEDS=200)
	$(say) 'Cases'
	cargo bench --locked --bench cases -- $(CASES_SEEDS)

calibrate-check: build ## Rebuild the FP32 model, quantise it, judge it, and see a bad one refused (minutes)
	$(say) 'Calibrate'
	scripts/calibrate-check.sh

arm64: build ## Build for 64-bit ARM on x86-64 Debian 12 and try it under qemu; slow (JOBS=1)
	$(say) 'arm64'
	scripts/arm64.sh

clean: ## Remove what was built and what set-up fetched
	cargo clean
	rm -rf .setup
