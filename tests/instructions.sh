#!/usr/bin/env bash
# Counts the instructions of the core's hot paths, and holds them against the baseline.
#
#   tests/instructions.sh              fails if a path takes 3 % more than tests/instructions/baseline.tsv says
#   tests/instructions.sh --update     writes the baseline anew
#   tests/instructions.sh CASE...      counts these only, and fails as above
#
# Takes valgrind and about two minutes. A count does not depend on what else the machine does, but
# on the compiler (the baseline names its version), on the allocator and memcpy of the C library,
# and on the features of the processor that valgrind shows: simdutf8 and the C library choose by
# them when the program runs. Valgrind knows AVX2, and no AVX-512. Against another compiler the
# counts are printed, and nothing fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
baseline=tests/instructions/baseline.tsv
tolerance=3

update=
case ${1:-} in
    --update) update=yes; shift; [ $# = 0 ] || { echo "--update is for all of them" >&2; exit 2; } ;;
    -*) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

if ! command -v valgrind >/dev/null; then
    echo "no valgrind here: instructions are not counted"
    exit 0
fi

program=$(cargo bench -p tidegate-driver --bench instructions --no-run --locked \
    --message-format=json 2>/dev/null |
    sed -n 's/.*"name":"instructions".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -n "$program" ] || { cargo bench -p tidegate-driver --bench instructions --no-run --locked; exit 1; }

# instructions CASE COUNT: what the process took as a whole
instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1 |
        sed -n 's/^==[0-9]*== Collected : \([0-9]*\).*/\1/p'
}

compiler=$(rustc --version)
known=$(sed -n 's/^# //p' "$baseline" 2>/dev/null | head -n 1 || true)
results=$(mktemp)
trap 'rm -f "$results"' EXIT
failed=0
printf '%-28s %12s %12s %8s\n' path counted baseline change
while IFS=$'\t' read -r name operations; do
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
    rounds=500
    once=$(instructions "$name" "$rounds")
    twice=$(instructions "$name" $((2 * rounds)))
    count=$(awk -v a="$once" -v b="$twice" -v n="$rounds" -v o="$operations" 'BEGIN { printf "%.1f", (b - a) / n / o }')
    printf '%s\t%s\n' "$name" "$count" >>"$results"
    before=$(awk -F'\t' -v name="$name" '$1 == name { print $2 }' "$baseline" 2>/dev/null || true)
    change=$(awk -v a="${before:-0}" -v b="$count" 'BEGIN { if (a > 0) printf "%+.1f%%", (b - a) / a * 100; else printf "new" }')
    mark=
    if [ "$change" != new ] && awk -v c="${change%\%}" -v t="$tolerance" 'BEGIN { exit !(c > t) }'; then
        mark=' <-- more'
        failed=1
    fi
    printf '%-28s %12s %12s %8s%s\n' "$name" "$count" "${before:--}" "$change" "$mark"
done < <("$program")

if [ -n "$update" ]; then
    { echo "# $compiler"; echo "# path	instructions for one operation"; cat "$results"; } >"$baseline"
    echo "written: $baseline"
elif [ "$compiler" != "$known" ]; then
    echo "the baseline is of ${known:-no compiler}, this is $compiler: nothing is held against it"
elif [ "$failed" = 1 ]; then
    echo "more instructions than the baseline and $tolerance %: make it up, or say why and --update" >&2
    exit 1
fi
