#!/usr/bin/env bash
# Writes docs/ends.md from new runs, or with --check fails if the file is out of date.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/ends-table"
exec cargo run --quiet --locked --manifest-path tests/ends-table/Cargo.toml -- "$@" docs/ends.md
