#!/usr/bin/env bash
# Builds our side of the browser benchmark into DIR (default target/bench-web): what the harness serves as /engine/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../target/bench-web}
target=${CARGO_TARGET_DIR:-$here/../../target}
cargo build --manifest-path "$here/Cargo.toml" --release --target wasm32-unknown-unknown --target-dir "$target/bench"
wasm-bindgen --target web --out-dir "$out" "$target/bench/wasm32-unknown-unknown/release/receptive_bench_web.wasm"
cp "$here/adapter.js" "$out/"
echo "ENGINE_DIR=$out"
