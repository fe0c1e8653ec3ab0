#!/bin/sh
# tests/conformance/soak.sh - the stored scenarios again and again: the same every time.
#
#   usage: [BUILD=build] [RUNS=100] soak.sh [DIRECTORY]
#
# Worth most on a busy machine.  The last line counts the scenarios over all runs.
set -u

here=tests/conformance
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0

run=1
while [ "$run" -le "${RUNS:-100}" ]; do
    "$here/compare.sh" "${1:-$here/scenarios}" > "$log" 2>&1
    counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$log" | tail -n 1)
    [ -n "$counts" ] || counts="0 1"
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
    if [ "${counts#* }" -gt 0 ]; then
        echo "run $run:"
        cat "$log"
    fi
    run=$((run + 1))
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
