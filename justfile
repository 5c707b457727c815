# Every command of the project; CI runs the same ones. `just --list` names them.

# Tools that the machine lacks are in target/build-tools, put there by `just tools` or by `pip install .`.
export PATH := justfile_directory() / "target/build-tools/bin" + ":" + env("PATH")

python := env("PYTHON", "python")

# Lists the commands.
default:
    @just --list

# Puts the native build tools in place for plain cargo; pip does it by itself.
tools:
    @echo "== build tools"
    {{ python }} tools/build_backend.py

# Builds the extension and puts it beside the Python sources, for work on either.
dev: tools
    cargo build --locked -p trillm-py
    # By rename: a process that has the old one mapped keeps it.
    cp target/debug/lib_core.so target/debug/_core.new && mv target/debug/_core.new python/trillm/_core.abi3.so

# Formats everything.
fmt:
    cargo fmt
    {{ python }} -m ruff format
    {{ python }} -m ruff check --fix

# Everything that can be said of the code without running it.
lint: tools
    @echo "== lint: Rust"
    cargo fmt --check
    cargo clippy --locked --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet
    @echo "== lint: Python"
    {{ python }} -m ruff format --check
    {{ python }} -m ruff check
    {{ python }} -m mypy

# Unit, property, conformance and integration tests of every crate.
test-rust: tools
    @echo "== test: Rust"
    ORT_DYLIB_PATH="$({{ python }} -c 'from trillm._runtime import library; print(library() or "")')" cargo test --locked --workspace

# Loom models of the lock-free parts, then seeded bugs that the models must catch.
loom:
    @echo "== test: loom models"
    CARGO_TARGET_DIR=target/loom RUSTFLAGS="--cfg loom -C debug-assertions" LOOM_MAX_PREEMPTIONS=2 cargo test --locked -p trillm-sched --lib
    @echo "== test: seeded bugs"
    {{ python }} tools/mutants.py

# Debian's Chromium, which the server's page is tested with, where there is no browser yet.
browser:
    {{ python }} tools/chromium.py

# Python tests, on the installed package.
test-py: browser
    @echo "== test: Python"
    {{ python }} -m pytest

# What CI runs.
test: lint test-rust loom test-py
    @echo "== all tests done"

# Benchmarks by name (see benches/README.md); builds the peers on first use.
bench *names:
    {{ python }} benches/run.py {{ names }}

# Random cases against a reference, by the name of a file in tools/fuzz: `just fuzz tokenizer --rounds 1000`.
fuzz name *args:
    {{ python }} tools/fuzz/{{ name }}.py {{ args }}

# Random programs that try to end or stall their process: `just break --minutes 60`, or one of them by its `--seed`.
break *args: dev
    {{ python }} tools/breaker/breaker.py {{ args }}
