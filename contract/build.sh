#!/usr/bin/env bash
# build.sh build: build the contract and the test token, and compare them with the committed wasm.
# build.sh test:  the tests on the network's own host.
# build.sh can:   whether this machine can build it.
set -euo pipefail
cd "$(dirname "$0")"

target=wasm32v1-none
pinned=$(sed -n 's/^channel = "\(.*\)"$/\1/p' rust-toolchain.toml)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}

choose_toolchain() {
  command -v rustup >/dev/null || return 0  # Then whatever `cargo` is.
  rustup run "$pinned" cargo --version >/dev/null 2>&1 && return 0
  rustup toolchain install "$pinned" --profile minimal >/dev/null 2>&1 || export RUSTUP_TOOLCHAIN=stable
}

have_target() {
  [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] && return 0
  command -v rustup >/dev/null && rustup target add "$target" >/dev/null 2>&1
}

build() {
  # Flags of this machine would change the file; its paths do not get into it.
  env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS cargo build --release --locked --quiet --workspace --target "$target"
  built=$CARGO_TARGET_DIR/$target/release
}

compare() {  # What was built, and what is committed.
  sha256sum --check --quiet "$2.sha256"
  if [ "$(rustc --version | cut -d' ' -f2)" = "$pinned" ]; then
    cmp "$1" "$2" || {
      echo "The committed wasm is not what the source builds. If it has to change:" >&2
      echo "  cp $1 contract/$2; (cd contract && sha256sum $2 >$2.sha256)" >&2
      exit 1
    }
    echo "$2 is what the source builds: $(cut -d' ' -f1 "$2.sha256")"
  else
    python3 interface.py "$1" "$2"
    echo "$2: built with $(rustc --version), not the pinned $pinned: same interface; the hash was not compared."
  fi
}

choose_toolchain
case ${1:-} in
  can) command -v cargo >/dev/null && have_target ;;
  build)
    have_target || { echo "This Rust has no $target: rustup target add $target" >&2; exit 1; }
    build
    compare "$built/apicharge.wasm" apicharge.wasm
    compare "$built/apicharge_test_token.wasm" token.wasm
    if [ "$(rustc --version | cut -d' ' -f2)" != "$pinned" ]; then
      APICHARGE_WASM=$built/apicharge.wasm cargo test --locked --quiet vectors
    fi
    ;;
  test)
    if cargo fmt --version >/dev/null 2>&1; then cargo fmt --all --check; fi
    cargo test --locked --quiet --workspace
    ;;
  *) sed -n '2,4s/^# //p' "$0"; exit 2 ;;
esac
