#!/usr/bin/env bash
# tests/stress/again.sh - run suites again and again for DURATION=60 seconds, two beside each other.
#
#   usage: [BUILD=build] [SAN=…] [DURATION=60] tests/stress/again.sh PROGRAM…
#
# Each of two lanes has every second of them, and takes one after the other. One that has begun is let end.
# What has failed is shown, and ends its lane. The last line is the sum.
set -u

duration=${DURATION:-60}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
until=$(($(date +%s) + duration))

# lane NUMBER PROGRAM…: what each run has said in a file of its own
lane()
{
    local number=$1 round=0
    shift
    while [ "$(date +%s)" -lt "$until" ]; do
        .ci/run-tests "${@:round % $# + 1:1}" > "$logs/$number.$round" || return
        round=$((round + 1))
    done
}

even=()
odd=()
for program in "$@"; do
    [ ${#even[@]} -gt ${#odd[@]} ] && odd+=("$program") || even+=("$program")
done
lane 0 "${even[@]}" &
[ ${#odd[@]} -eq 0 ] || lane 1 "${odd[@]}" &
wait

for log in "$logs"/*; do
    tail -n 1 "$log" | grep -q ', 0 failed$' || cat "$log"
done
echo "$(find "$logs" -type f | wc -l) runs of $# suites in $duration s"
cat "$logs"/* | awk '/^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
    END { print passed + 0 " passed, " failed + 0 " failed"; exit failed > 0 || passed == 0 }'
