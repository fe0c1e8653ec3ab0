#!/usr/bin/env bash
# tests/fuzz/fuzz.sh - fuzz each target for DURATION=60 seconds, as many at a time as there are cores.
#
#   usage: [BUILD=build-fuzz] [DURATION=60] tests/fuzz/fuzz.sh PROGRAM …
#
# What is found new goes into $BUILD/corpus/NAME; tests/fuzz/corpus/NAME, which is in the tree, is what it
# begins with. An input that breaks a target is left in $BUILD and shown. The last line but one has the sum.
set -u

build=${BUILD:-build-fuzz}
duration=${DURATION:-60}
passed=0
failed=0
total=0

# begin PROGRAM: in the background, its words in a log.
begin()
{
    local name=${1##*/fuzz_}
    mkdir -p "$build/corpus/$name"
    # What a target says on standard error it says a thousand times a second.
    "$1" -max_total_time="$duration" -print_final_stats=1 -close_fd_mask=2 -rss_limit_mb=2048 \
        -timeout=60 -max_len=4096 -artifact_prefix="$build/$name-" \
        "$build/corpus/$name" "tests/fuzz/corpus/$name" > "$build/$name.log" 2>&1 &
}

# tell PROGRAM STATUS
tell()
{
    local name=${1##*/fuzz_} count found
    count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
    total=$((total + ${count:-0}))
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        printf '%-12s %12d executions\n' "$name" "${count:-0}"
        return
    fi
    failed=$((failed + 1))
    printf '%-12s FAILED\n' "$name"
    grep -aE 'does not hold|runtime error|^==.*ERROR' "$build/$name.log" # it may not happen again
    found=$(sed -n 's/.*Test unit written to //p' "$build/$name.log")
    if [ -n "$found" ]; then
        echo "$found:"
        "$1" "$found" 2>&1 | tail -n 40
    else
        tail -n 40 "$build/$name.log"
    fi
}

while [ $# -gt 0 ]; do
    running=("${@:1:$(nproc)}")
    shift ${#running[@]}
    pids=()
    for program in "${running[@]}"; do
        begin "$program"
        pids+=($!)
    done
    for i in "${!running[@]}"; do
        wait "${pids[i]}"
        tell "${running[i]}" $?
    done
done
echo "$((passed + failed)) targets, $total executions, $failed broken"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
