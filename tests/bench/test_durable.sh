#!/usr/bin/env bash
# tests/bench/test_durable.sh - the bench of durable promises runs, tells every figure, and leaves nothing.
#
# No figure of such a small run means anything.
set -u

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
said=$("${BUILD:-build}/bench-durable" -n 1 -s 0.001 -f "$stage" 2>&1)
status=$?
told=$(grep -oE '^[a-z]+  ' <<< "$said" | tr -d '\n ')
one=$("${BUILD:-build}/bench-durable" -n 1 -s 0.001 -f "$stage" one 2>&1 | grep -c 'ms$')

if [ "$status" -eq 0 ] && [ "$told" = synconehundredasyncrandomrecover ] && [ "$one" -eq 1 ] &&
    [ -z "$(ls -A "$stage")" ]; then
    echo "1 passed, 0 failed"
else
    echo "FAILED: status $status, told $told, one $one; it said:"
    echo "$said"
    ls -A "$stage"
    echo "0 passed, 1 failed"
    exit 1
fi
