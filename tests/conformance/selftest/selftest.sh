#!/usr/bin/env bash
# Can the tools fail? Runs them against servers and clients that are each wrong in one way.
#
#   selftest.sh OUTDIR         (about 30 s)
#
# A correct one passes, each flaw must turn the verdict and be named, and so must tools that ran
# fewer checks than they have.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:?OUTDIR}
export CONFORMANCE_VENV=${CONFORMANCE_VENV:-.conformance-venv} PYTHONDONTWRITEBYTECODE=1
mkdir -p "$out"
passes=0 failures=0

# judge NAME STATUS WANTED(0|1) MUST-SHOW
judge() {
    if [ $(($2 != 0)) = "$3" ] && grep -q -- "$4" "$out/$1.txt"; then
        passes=$((passes + 1)); echo "ok   $1: $(tail -n 1 "$out/$1.txt")"
    else
        failures=$((failures + 1)); echo "FAIL $1: status $2, wanted $3 and '$4'"; tail -n 5 "$out/$1.txt"
    fi
}

# flawed NAME FLAW WANTED MUST-SHOW TOOL ARGS...: against such a server, whose URL replaces {url}
flawed() {
    local name=$1 flaw=$2 wanted=$3 show=$4 port='' server status a command=(); shift 4
    : >"$out/$name.server"
    python3 "$here/selftest/flawed_server.py" 0 "$flaw" >>"$out/$name.server" 2>&1 &
    server=$!
    for _ in $(seq 50); do
        port=$(sed -n 's/^ready //p' "$out/$name.server")
        [ -z "$port" ] || break
        sleep 0.1
    done
    for a in "$@"; do command+=("${a//'{url}'/ws://127.0.0.1:$port}"); done
    AUTOBAHN_TIMEOUT=60 timeout 120 "${command[@]}" >"$out/$name.txt" 2>&1
    status=$?
    kill $server 2>/dev/null; wait $server 2>/dev/null
    judge "$name" $status "$wanted" "$show"
}
autobahn() {
    local flaw=$1 wanted=$2 show=$3; shift 3
    flawed "autobahn-$flaw" "$flaw" "$wanted" "$show" "$here/autobahn-server.sh" '{url}' "$out/$flaw" "$@"
}
peer() {
    local flaw=$1 wanted=$2 show=$3; shift 3
    flawed "peer-$flaw" "$flaw" "$wanted" "$show" "$here/interop/peer.sh" python_websockets_client '{url}' "$@"
}

autobahn none 0 ' 0 failed' 1.1.1 2.2 6.3.1 7.1.1 12.1.1
autobahn flip 1 'FAIL 1.1.3' 1.1.3
autobahn close-code 1 'WRONG CODE' 3.1 7.9.1
autobahn drop 1 'UNCLEAN' 1.1.1 7.1.1
autobahn no-deflate 1 'UNIMPLEMENTED' 12.1.1
autobahn die 1 'no result' 1.\* 2.\*
peer none 0 ' 0 failed' --only sizes,close-3000 --deflate yes
peer close-echo 1 'FAIL close-3000' --only close-3000
peer unbounded 1 'FAIL slow-reader' --only slow-reader --stall 2

# A client that leaves the last case out.
"$here/interop/peer.sh" python_websockets_server --only sizes,pings -- \
    "$CONFORMANCE_VENV/bin/python" "$here/selftest/flawed_client.py" skip >"$out/client-skip.txt" 2>&1
judge client-skip $? 1 'did not run it'

# A tool that is content, having run two checks of three.
(
    cd "$here/../.."
    export CONFORMANCE_OUT=$out/few
    mkdir -p "$out/few/logs"
    # shellcheck source=tests/conformance/lib.sh
    . "$here/lib.sh"
    jobs=1 started=0 only='*'
    : >"$results"
    alone few 3 echo 'few: 2 passed, 0 failed'
    finish
) >"$out/count.txt" 2>&1
judge count $? 1 '2 checks ran, 3 were expected'

echo "$passes passed, $failures failed"
[ $failures -eq 0 ]
