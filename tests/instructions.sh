#!/usr/bin/env bash
# Counts the instructions of the core's hot paths, and compares them with the baseline.
#
#   tests/instructions.sh              fails if a path takes 3 % more than tests/instructions/baseline.tsv says
#   tests/instructions.sh --update     writes a new baseline
#   tests/instructions.sh CASE...      counts only these paths, and fails as above
#
# Needs valgrind, and about two minutes. A count does not depend on other work on the machine. It
# does depend on the compiler (the baseline names its version), on the C library's allocator and
# memcpy, and on the CPU features that valgrind reports (AVX2, but not AVX-512), because simdutf8
# and the C library choose their code by them at run time. With a compiler other than the baseline's,
# the counts are printed and nothing fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
baseline=tests/instructions/baseline.tsv
tolerance=3

update=
case ${1:-} in
    --update) update=yes; shift; [ $# = 0 ] || { echo "--update takes no cases: it writes all of them" >&2; exit 2; } ;;
    -*) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

if ! command -v valgrind >/dev/null; then
    echo "valgrind is not installed: instructions are not counted"
    exit 0
fi

program=$(cargo bench -p tidegate-driver --bench instructions --no-run --locked \
    --message-format=json 2>/dev/null |
    sed -n 's/.*"name":"instructions".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -n "$program" ] || { cargo bench -p tidegate-driver --bench instructions --no-run --locked; exit 1; }

# instructions CASE COUNT: prints the instructions of the whole process
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
    echo "the baseline is of ${known:-no compiler}, this is $compiler: nothing is compared"
elif [ "$failed" = 1 ]; then
    echo "more than $tolerance % above the baseline: reduce the count, or give the reason and run --update" >&2
    exit 1
fi
