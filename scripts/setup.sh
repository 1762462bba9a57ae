#!/usr/bin/env bash
# Puts in place what the Makefile needs on a Debian or Ubuntu machine with rustup, Node and apt; says nothing when all is there.
# usage: scripts/setup.sh build|test
#   build: the wasm target, wasm-bindgen, Trunk, the npm packages, the crates
#   test:  the above, and clippy, rustfmt, Chromium, Xvfb and a software Vulkan
# Rust tools go to a cache of our own, so that other versions which the user installed for other projects stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

TRUNK_VERSION=0.21.14
TOOLS=${XDG_CACHE_HOME:-$HOME/.cache}/receptive/tools
export PATH="$TOOLS/bin:$HOME/.cargo/bin:$PATH"

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# apt NAME…: installs Debian packages, with sudo where we are not root.
apt() {
    have apt-get || fail "please install: $* (this machine has no apt-get, so it cannot be done from here)"
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    say "apt-get install $*"
    "${sudo[@]}" apt-get update -qq || say "the package lists could not be renewed; trying with the old ones"
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
        fail "apt-get could not install: $*"
}

# cargo_tool COMMAND VERSION CRATE ARGS…: builds a tool unless that very version is on the PATH.
# Light optimisation and no LTO: the tools run for a second, their own release profiles compile for many minutes.
cargo_tool() {
    local command=$1 version=$2 crate=$3
    shift 3
    ! have "$command" || [ "$("$command" --version | awk '{ print $2 }')" != "$version" ] || return 0
    say "building $crate $version (minutes, once)"
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_TARGET_DIR="$TOOLS/build" \
        cargo install --quiet --root "$TOOLS" --version "$version" "$@" "$crate" || fail "could not build $crate $version"
}

build() {
    have rustup || fail "please install rustup first: https://rustup.rs"
    have node || fail "please install Node 20 or newer first: https://nodejs.org"
    [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || fail "Node 20 or newer is needed, this is $(node -v)"
    have cc || apt build-essential

    rustup target list --installed | grep -qx wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown
    # Its output format is tied to the crate's version to the last digit, so the lock file decides. Its own lock names a
    # crate that was withdrawn, hence no --locked.
    cargo_tool wasm-bindgen "$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print }' Cargo.lock)" wasm-bindgen-cli
    # 0.21.14 is the newest Trunk that Rust 1.95 compiles.
    cargo_tool trunk "$TRUNK_VERSION" trunk --locked
    rm -rf "$TOOLS/build"

    # npm leaves its own lock in node_modules; older than ours means that ours has changed.
    [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent --no-audit --no-fund || fail "npm ci failed"
    # Trunk runs with --offline, which it hands on to cargo.
    cargo fetch --quiet --locked --target wasm32-unknown-unknown
}

browser() {
    local name
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
        [ -n "$name" ] && have "$name" && return 0
    done
    return 1
}

test() {
    local packages=()
    rustup component list --installed | grep -q '^clippy' || rustup component add clippy
    rustup component list --installed | grep -q '^rustfmt' || rustup component add rustfmt
    # Chromium alone does not draw: its software rendering goes through Mesa.
    browser || packages+=(chromium libegl1 libgl1-mesa-dri)
    have Xvfb || packages+=(xvfb)
    # Headless machines have no Korean font, and the screenshots are looked at by people.
    [ -z "$(find /usr/share/fonts -iname '*CJK*' -print -quit 2>/dev/null)" ] && packages+=(fonts-noto-cjk)
    # Mesa's lavapipe runs the GPU tests on any CPU. NO_GPU=1 leaves those tests out.
    if [ -z "${NO_GPU:-}" ] && [ -z "$(find /usr/share/vulkan/icd.d /etc/vulkan/icd.d -name '*.json' -print -quit 2>/dev/null)" ]; then
        packages+=(mesa-vulkan-drivers libvulkan1)
    fi
    [ "${#packages[@]}" -eq 0 ] || apt "${packages[@]}"
    browser || fail "the browser tests need Chromium: none was found, name one with CHROMIUM=/path/to/chromium"
}

case "${1:-}" in
build) build ;;
test) build && test ;;
*) fail "usage: scripts/setup.sh build|test" ;;
esac
