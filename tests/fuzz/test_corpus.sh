#!/usr/bin/env bash
# tests/fuzz/test_corpus.sh - the inputs in the tree, which once broke something or led somewhere, hold.
#
# Without libFuzzer: what is run is built like the tests. A target that is not there belongs to an optional part.
set -u

build=${BUILD:-build}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0
for program in "$build"/tests/fuzz/fuzz_*; do
    [ -x "$program" ] || continue
    inputs=(tests/fuzz/corpus/"${program##*/fuzz_}"/*)
    if "$program" "${inputs[@]}" > "$log" 2>&1; then
        passed=$((passed + ${#inputs[@]}))
        continue
    fi
    for input in "${inputs[@]}"; do
        "$program" "$input" > "$log" 2>&1 && passed=$((passed + 1)) && continue
        failed=$((failed + 1))
        echo "FAILED: $input"
        cat "$log"
    done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
