#!/usr/bin/env bash
# build.sh build: build the contract and compare it with the committed wasm.
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
  env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS cargo build --release --locked --quiet --target "$target"
  built=$CARGO_TARGET_DIR/$target/release/apicharge.wasm
}

compare() {
  sha256sum --check --quiet apicharge.wasm.sha256
  if [ "$(rustc --version | cut -d' ' -f2)" = "$pinned" ]; then
    cmp "$built" apicharge.wasm || {
      echo "The committed wasm is not what the source builds. If it has to change:" >&2
      echo "  cp $built contract/apicharge.wasm; (cd contract && sha256sum apicharge.wasm >apicharge.wasm.sha256)" >&2
      exit 1
    }
    echo "apicharge.wasm is what the source builds: $(cut -d' ' -f1 apicharge.wasm.sha256)"
  else
    python3 interface.py "$built" apicharge.wasm
    APICHARGE_WASM=$built cargo test --locked --quiet vectors
    echo "Built with $(rustc --version), not the pinned $pinned: same interface, same vectors; the hash was not compared."
  fi
}

choose_toolchain
case ${1:-} in
  can) command -v cargo >/dev/null && have_target ;;
  build)
    have_target || { echo "This Rust has no $target: rustup target add $target" >&2; exit 1; }
    build
    compare
    ;;
  test)
    if cargo fmt --version >/dev/null 2>&1; then cargo fmt --check; fi
    cargo test --locked --quiet
    ;;
  *) sed -n '2,4s/^# //p' "$0"; exit 2 ;;
esac
