#!/bin/sh
# The figures of benches/linalg.rs in wasm: SIMD128, one thread, in node (the V8 of Chrome). Usage: benches/linalg.sh [PATTERN]
# Needs wasm-bindgen (scripts/setup.sh) on the PATH. It must not be run beside other work: figures are wall-clock.
set -eu
cd "$(dirname "$0")/.."
target=wasm32-unknown-unknown
wasm=$(cargo build --quiet --profile engine --target $target --bench linalg --message-format=json |
    sed -n 's/.*"executable":"\([^"]*linalg[^"]*\.wasm\)".*/\1/p' | tail -n 1)
out=target/$target/bench-linalg
wasm-bindgen --target nodejs --out-dir "$out" --out-name linalg "$wasm"
mv "$out/linalg.js" "$out/linalg.cjs" # package.json says that .js files are modules; this one is not
node "$out/linalg.cjs" "${1-}"
