#!/usr/bin/env bash
# Runs the fuzz targets one after the other and prints a table; fails if one of them found something.
#
#   fuzz/run.sh [seconds for each, default 3600] [targets, default all]
#   fuzz/run.sh --ci [targets]     the corpora and 20 s more for each
#   fuzz/run.sh --seeds            makes seeds/ again: from the wire vectors, and what working corpora
#                                  reach beyond them, as few and as small as reach the same
#
# JOBS=2 runs two targets at a time. Inputs that were found stay in corpus/, findings in artifacts/.
set -euo pipefail
cd "$(dirname "$0")"

all=(frame_header decoder connection handshake inflate url proxy driver split differential session)
# What the seeds of these targets begin with is decided by the fuzzer: nothing on the wire is in them.
structured=" connection driver split session "
mode=run
seconds=3600
# 0: another one each time.
seed=0
case "${1:-}" in
# Before a change lands the same inputs are made for the same program, so that what passed once
# passes again, as for the property tests. What is new is found by the long runs.
--ci) seconds=20 seed=6455 && shift ;;
--seeds) mode=seeds && shift ;;
[0-9]*) seconds=$1 && shift ;;
esac
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then targets=("${all[@]}"); fi

# Not optimised: it only starts the others.
cargo fuzz --version >/dev/null 2>&1 ||
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 cargo install cargo-fuzz --version 0.13.2 --locked
# RUSTC_BOOTSTRAP lets the stable toolchain take the flags for coverage. No sanitizer: it would need a
# nightly one, and has little to find where `unsafe` is forbidden.
RUSTC_BOOTSTRAP=1 cargo fuzz build -s none
bin=$(echo target/*/release/frame_header)
bin=${bin%/frame_header}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

run() { # target
    mkdir -p "corpus/$1" "artifacts/$1" "seeds/$1"
    local result=0
    nice -n 10 "$bin/$1" "corpus/$1" "seeds/$1" -artifact_prefix="artifacts/$1/" \
        -seed="$seed" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        >"$logs/$1" 2>&1 || result=$?
    echo "$result" >"$logs/$1.result"
}

field() { # target, what stands before it
    grep -ao "$2 *[0-9]*" "$logs/$1" | tail -1 | grep -o '[0-9]*$' || echo 0
}

report() {
    printf '%-14s %12s %8s %9s %8s  %s\n' target executions per-s coverage corpus findings
    local failed=0
    for target in "${targets[@]}"; do
        local finding=none
        if [ "$(cat "$logs/$target.result")" -ne 0 ]; then
            finding=$(grep -ao 'artifacts/[^ ]*' "$logs/$target" | tail -1 || true)
            if grep -aq 'run interrupted' "$logs/$target"; then finding=interrupted; fi
            finding=${finding:-"see below"}
            failed=1
        fi
        printf '%-14s %12s %8s %9s %8s  %s\n' "$target" \
            "$(field "$target" stat::number_of_executed_units:)" \
            "$(field "$target" stat::average_exec_per_sec:)" \
            "$(field "$target" 'cov:')" "$(field "$target" 'corp:')" "$finding"
    done
    for target in "${targets[@]}"; do
        if [ "$(cat "$logs/$target.result")" -ne 0 ]; then
            printf '\n== %s\n' "$target"
            grep -a -A 12 panicked "$logs/$target" || tail -n 30 "$logs/$target"
        fi
    done
    return "$failed"
}

seeds() {
    for target in $structured; do
        mkdir -p "corpus/$target" "seeds/$target"
        cp -r "seeds/$target/." "corpus/$target/"
    done
    rm -rf seeds
    nice -n 10 cargo run -q --example seeds
    for target in "${targets[@]}"; do
        local from=("seeds/$target") options=(-max_len=1024)
        case "$structured" in *" $target "*)
            # By edges alone: counters would keep ten times as many.
            from=("corpus/$target") options=(-max_len=300 -use_counters=0) ;;
        esac
        mkdir -p "$logs/few" "corpus/$target"
        "$bin/$target" -merge=1 "${options[@]}" "$logs/few" "${from[@]}" >"$logs/$target" 2>&1
        rm -rf "seeds/$target"
        mv "$logs/few" "seeds/$target"
        echo "$target: $(find "seeds/$target" -type f | wc -l) seeds, $(cat "seeds/$target"/* | wc -c) bytes"
    done
}

if [ "$mode" = seeds ]; then
    seeds
    exit
fi
for target in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-1}" ]; do wait -n || true; done
    run "$target" &
done
wait
report
