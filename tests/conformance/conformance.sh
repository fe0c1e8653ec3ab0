#!/usr/bin/env bash
# tests/conformance/conformance.sh - everything that is compared with the originals.
#
#   usage: [BUILD=build] [N=200] [SEED=…] conformance.sh
#
# The table and the stored scenarios; then N fresh ones, run here and by Erlang, where that is
# installed.  The last line counts.
set -u

here=tests/conformance
count=${N:-200}
seed=${SEED:-$(date +%s)}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
passed=0
failed=0

# add COMMAND…: shows what it says, and counts what it counts.
add()
{
    local counts
    "$@" > "$stage/log" 2>&1
    cat "$stage/log"
    counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$stage/log" | tail -n 1)
    [ -n "$counts" ] || counts="0 1"
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
}

# fresh KINDS: writes the scenarios and what Erlang makes of them.
fresh()
{
    local i
    for ((i = 0; i < count; i++)); do
        "$here/random_scenario.sh" $((seed + i)) "$1" > "$stage/seed_$((seed + i)).txt"
    done
    escript "$here/otp_runner.erl" --out "$stage" "$stage"/*.txt
}

echo "== the table"
add "$here/table.sh"
echo "== the stored scenarios"
add "$here/compare.sh" "$here/scenarios"

if ! command -v escript > /dev/null; then
    echo "== no fresh scenarios: escript is not installed"
else
    kinds=all
    if ! command -v elixir > /dev/null && [ -z "${ELIXIR_EBIN:-}" ]; then
        kinds=static
        echo "== no fresh scenarios with dynamic supervisors: elixir is not installed"
    fi
    echo "== $count fresh scenarios, SEED=$seed"
    if fresh "$kinds"; then
        add "$here/compare.sh" "$stage"
    else
        failed=$((failed + 1))
        echo "FAILED: otp_runner.erl"
    fi
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
