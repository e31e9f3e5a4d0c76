#!/usr/bin/env bash
# Writes docs/ends.md from what is seen today, or checks with --check that it is that.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/ends-table"
exec cargo run --quiet --locked --manifest-path tests/ends-table/Cargo.toml -- "$@" docs/ends.md
