#!/bin/sh
# tests/conformance/compare.sh - runs scenarios and compares their traces, byte for byte.
#
#   usage: [BUILD=build] compare.sh DIRECTORY      its *.txt, each with a *.trace beside it
#
# The last line counts the scenarios.
set -u

runner=${BUILD:-build}/scenario
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
passed=0
failed=0

for scenario in "$1"/*.txt; do
    timeout -k 5 150 "$runner" "$scenario" > "$stage/trace" 2> "$stage/said"
    status=$?
    if diff "${scenario%.txt}.trace" "$stage/trace" > "$stage/diff" && [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $scenario (status $status; < theirs, > ours)"
        head -n 20 "$stage/diff"
        grep -v '^coppice: ' "$stage/said" | head -n 20
    fi
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
