# What conformance.sh is made of: servers and clients by name, and checks that count.
# Sourced from the project's root.

tools=tests/conformance
out=${CONFORMANCE_OUT:-target/conformance}
# Copies: what is built meanwhile does not change what is measured.
binaries=$out/bin
echo=$binaries/echo
venv=${CONFORMANCE_VENV:-.conformance-venv}
export CONFORMANCE_VENV=$venv
results=$out/results.tsv

# NAME is ADAPTER[-split|-plain|-tls], or an example of tidegate-tokio. Sets `command`.
server_command() {
    case $1 in
    axum) command=("$binaries"/axum_chat 127.0.0.1:0) ;;
    hyper) command=("$binaries"/hyper_upgrade 127.0.0.1:0) ;;
    hyper-tls) command=("$binaries"/hyper_upgrade 127.0.0.1:0 "$out/tls/cert.pem" "$out/tls/key.pem") ;;
    example) command=("$binaries"/echo_server 127.0.0.1:0) ;;
    *-tls) command=("$echo" server --adapter "${1%-tls}" --tls "$out/tls/cert.pem" "$out/tls/key.pem" 127.0.0.1:0) ;;
    *) echo_command server "$1"; command+=(127.0.0.1:0) ;;
    esac
}
client_command() {
    case $1 in
    *-tls) command=("$echo" client --adapter "${1%-tls}" --ca "$out/tls/ca.pem") ;;
    *) echo_command client "$1" ;;
    esac
}
echo_command() {
    case $2 in
    *-split) command=("$echo" "$1" --adapter "${2%-split}" --split) ;;
    *-plain) command=("$echo" "$1" --adapter "${2%-plain}" --plain) ;;
    *) command=("$echo" "$1" --adapter "$2") ;;
    esac
}

# A certificate of 127.0.0.1 and of the authority that every peer is told to believe.
make_certificates() {
    local tls=$out/tls
    mkdir -p "$tls"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=conformance' \
        -keyout "$tls/ca.key" -out "$tls/ca.pem" 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -subj '/CN=127.0.0.1' \
        -keyout "$tls/key.pem" -out "$tls/cert.csr" 2>/dev/null
    openssl x509 -req -in "$tls/cert.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 2 \
        -extfile <(echo 'subjectAltName=IP:127.0.0.1,DNS:localhost') -out "$tls/cert.pem" 2>/dev/null
    SSL_CERT_FILE=$(realpath "$tls/ca.pem")
    export SSL_CERT_FILE NODE_EXTRA_CA_CERTS=$SSL_CERT_FILE CURL_CA_BUNDLE=$SSL_CERT_FILE
    export PROXY_CERTIFICATE=$tls/cert.pem PROXY_KEY=$tls/key.pem
}

# server NAME SERVER EXPECTED TOOL ARGS...: a fresh server, whose URL is put in place of {url}.
# `memory_limit=MIB server ...` also limits its peak of resident memory: one check more.
server() {
    local name=$1 kind=$2 expected=$3; shift 3
    later in_server "$name" "$kind" "$expected" "$@"
}
in_server() {
    local name=$1 kind=$2 expected=$3 log=$out/logs/$1 url='' pid command peak=0 a
    shift 3
    server_command "$kind"
    # Nothing may be read of what an earlier server said: the next one begins to write when it can.
    : >"$log.server"
    "${command[@]}" >>"$log.server" 2>&1 &
    pid=$!
    # shellcheck disable=SC2064
    trap "kill $pid 2>/dev/null || true" EXIT
    for _ in $(seq 100); do
        url=$(sed -nE 's#.*((wss?|https?)://127\.0\.0\.1:[0-9]+).*#\1#p' "$log.server")
        [ -z "$url" ] || break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    command=()
    for a in "$@"; do
        case $a in
        '{url}') command+=("$url") ;;
        '{url-of-proxy}') command+=('{url}') ;;
        *) command+=("$a") ;;
        esac
    done
    run_tool "$log" "${command[@]}"
    peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || true
    if [ -n "${memory_limit:-}" ]; then
        if [ "${peak:-0}" -gt 0 ] && [ "$peak" -le $((memory_limit * 1024)) ]; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "FAIL memory: ${peak:-?} KiB resident at the peak, $memory_limit MiB allowed" >>"$log"
        fi
    fi
    # A process that has ended has no memory.
    if [ -z "$peak" ]; then
        failed=$((failed + 1)) expected=$((expected + 1))
        echo "FAIL the server went away by itself" >>"$log"
    fi
    kill "$pid" 2>/dev/null
    record "$name" "$kind" "$expected" "${peak:-0}"
}

# client NAME CLIENT EXPECTED TOOL ARGS...: a tool that runs the client behind its own arguments.
client() {
    local name=$1 kind=$2 expected=$3; shift 3
    later in_client "$name" "$kind" "$expected" "$@"
}
in_client() {
    local name=$1 kind=$2 expected=$3 log=$out/logs/$1 command; shift 3
    client_command "$kind"
    run_tool "$log" "$@" -- "${command[@]}" ${client_options:-}
    record "$name" "$kind" "$expected" 0
}

# A tool that needs neither.
alone() {
    local name=$1 expected=$2; shift 2
    later in_alone "$name" "$expected" "$@"
}
in_alone() {
    local name=$1 expected=$2; shift 2
    run_tool "$out/logs/$name" "$@"
    record "$name" - "$expected" 0
}

# Sets passed, failed, seconds by the tool's last `N passed, N failed`.
run_tool() {
    local log=$1 status=0 summary begin; shift
    begin=$(date +%s)
    "$@" >"$log" 2>&1 || status=$?
    seconds=$(($(date +%s) - begin)) passed=0 failed=0
    summary=$(grep -oE '[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1) || true
    if [[ $summary =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
        passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]}
    fi
    if [ "$status" != 0 ] && [ "$failed" = 0 ]; then
        failed=1
        echo "FAIL it ended with status $status" >>"$log"
    fi
}

# The count is explicit: a tool that ran fewer checks than it has proves nothing, and one that ran
# more is told about nowhere.
record() {
    local name=$1 kind=$2 expected=$3 peak=$4 log=$out/logs/$1
    if [ $((passed + failed)) != "$expected" ]; then
        echo "FAIL $((passed + failed)) checks ran, $expected were expected" >>"$log"
        failed=$((failed + 1))
    fi
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$kind" "$expected" "$passed" "$failed" "$seconds" "$peak" >>"$results"
    printf '%-44s %4d passed, %d failed  %4d s\n' "$name" "$passed" "$failed" "$seconds"
    [ "$failed" = 0 ] || { grep -E '^(FAIL|NON-STRICT)' "$log" || tail -n 5 "$log"; } | head -n 40 | sed "s#^#    #"
}

# Runs a check beside at most `jobs` - 1 others.
later() {
    # shellcheck disable=SC2053
    [[ $2 == $only ]] || return 0
    started=$((started + 1))
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
    (set +e; "$@") &
}

# finish: waits, and tells the sum. Fails if anything failed or a check left no result.
finish() {
    wait
    local total_passed total_failed recorded
    read -r recorded total_passed total_failed < <(
        awk -F'\t' '{ n++; p += $4; f += $5 } END { print n + 0, p + 0, f + 0 }' "$results")
    if [ "$recorded" != "$started" ]; then
        echo "FAIL $started tools were started, $recorded have a result"
        total_failed=$((total_failed + started - recorded))
    fi
    verdict="$total_passed passed, $total_failed failed"
    [ "$total_failed" = 0 ] && [ "$total_passed" != 0 ]
}
