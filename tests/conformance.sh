#!/usr/bin/env bash
# The Autobahn|Testsuite and real peers against the tokio adapter, in both roles.
#
#   tests/conformance.sh            a fixed part of the suite, and the peers: about two minutes
#   tests/conformance.sh --full     all 517 cases in both roles: about twenty minutes more
#
# Sets up what it needs in .conformance-venv (Python 3.11 or 3.12, Node 20, npm, gcc). Prints what
# fails, and last `N passed, N failed` over everything; fails if anything did.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CONFORMANCE_VENV=${CONFORMANCE_VENV:-.conformance-venv}
tools=tests/conformance
out=target/conformance
case ${1:-} in
    --full) cases=all ;;
    '') cases=short ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

"$tools/setup.sh" "$CONFORMANCE_VENV"
cargo build --release -p tidegate-tokio --features deflate --example echo_server --example autobahn_client
mkdir -p "$out"
passed=0 failed=0

# run NAME COMMAND...: a tool whose last line is `… N passed, N failed`
run() {
    local name=$1; shift
    local log=$out/$name.log
    "$@" >"$log" 2>&1 || true
    local summary
    summary=$(grep -E '[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    if [[ $summary =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
        printf '%-28s %s\n' "$name" "${BASH_REMATCH[0]}"
        [ "${BASH_REMATCH[2]}" = 0 ] || grep -iE '^(fail|NON-STRICT|[0-9.]+ )' "$log" | head -n 40 || true
    else
        failed=$((failed + 1))
        printf '%-28s did not finish, see %s\n' "$name" "$log"
    fi
}

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=ws://127.0.0.1:$port
target/release/examples/echo_server "127.0.0.1:$port" >"$out/echo_server.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
sleep 0.5

run autobahn-server "$tools/autobahn-server.sh" "$url" "$out/server" "$cases"
run autobahn-client "$tools/autobahn-client.sh" "$out/client" "$cases" -- target/release/examples/autobahn_client
for peer in python_websockets_client node_ws_client node_undici_client aiohttp_client; do
    run "$peer" "$tools/interop/peer.sh" "$peer" "$url" --deflate yes
done
for peer in python_websockets_server node_ws_server; do
    run "$peer" "$tools/interop/peer.sh" "$peer" --deflate yes -- target/release/examples/autobahn_client
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
