#!/usr/bin/env bash
# Runs every example server and client, and the README's programs, against python websockets.
#
#   tests/examples.sh [--debug] [--jobs N] [--only GLOB]
#
#   --debug      builds without optimisation, which takes less time
#   --jobs N     runs N examples at once (default: 2)
#   --only GLOB  runs only the examples whose names match
#
# Sets up python websockets in .conformance-venv, as tests/conformance.sh does. Prints each failure,
# and `N passed, N failed` at the end. Fails if a check failed, or if a tool ran fewer checks than it has.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CONFORMANCE_OUT=${EXAMPLES_OUT:-target/examples-under-test}
# shellcheck source=tests/conformance/lib.sh
. tests/conformance/lib.sh

usage() { sed -n '/^#!/d;/^set /q;s/^# \{0,1\}//p' "$0"; }

# Sets `command` to what starts this server. Each server prints its address.
server_command() {
    case $1 in
    blocking) command=("$binaries/blocking" server 127.0.0.1:0) ;;
    *) command=("$binaries/$1" 127.0.0.1:0) ;;
    esac
}
client_command() { command=("$binaries/$1"); }

python() { "$venv/bin/python" "$tools/interop/$1" "${@:2}"; }

# at PATH TOOL URL...: runs the tool with PATH appended to the URL
at() { python "$2" "$3$1" "${@:4}"; }

main() {
    local profile=release jobs=2 started=0 only='*' status=0 begin target=${CARGO_TARGET_DIR:-target}
    while [ $# -gt 0 ]; do
        case $1 in
        --debug) profile=debug ;;
        --jobs) jobs=${2:?--jobs needs a number}; shift ;;
        --only) only=${2:?--only needs a pattern}; shift ;;
        --help | -h) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
        esac
        shift
    done
    "$tools/setup.sh" "$venv" peers
    mkdir -p "$binaries" "$out/logs"
    local flags=(--locked)
    [ $profile = debug ] || flags+=(--release)
    # The same options as in .ci/run, so that nothing is built twice.
    cargo build "${flags[@]}" --examples -p tidegate-core -p tidegate-tokio --all-features
    cargo build "${flags[@]}" --manifest-path core/examples/io_uring/Cargo.toml --target-dir "$target"
    # Tests copies, so that a build in the meantime does not change them.
    for example in mio_echo blocking readme_loop echo_server readme_echo client chat axum_chat hyper_upgrade; do
        cp -f "$target/$profile/examples/$example" "$binaries/"
    done
    cp -f "$target/$profile/tidegate-io-uring-example" "$binaries/io_uring"

    : >"$results"
    trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
    begin=$(date +%s)
    # The echo servers: one for each published event loop (readiness, completions, threads), one on
    # the adapter, and one on hyper.
    for example in mio_echo blocking readme_loop echo_server hyper_upgrade; do
        server "$example" "$example" 13 python example_echo.py '{url}'
    done
    server readme_echo readme_echo 13 at /chat example_echo.py '{url}'
    if "$binaries/io_uring" | tee "$out/logs/io_uring.alone" | grep -q '^skipped'; then
        cat "$out/logs/io_uring.alone"
    else
        server io_uring io_uring 13 python example_echo.py '{url}'
    fi
    server chat chat 5 python example_chat.py '{url}'
    server axum_chat axum_chat 5 python example_chat.py '{url}' --paths /chat
    client client client 5 python example_client.py
    finish || status=1
    echo "examples: $(($(date +%s) - begin)) s"
    echo "$verdict"
    return $status
}

# `exit` on the same line: bash reads scripts as it runs them, and must not run later changes.
main "$@"; exit
