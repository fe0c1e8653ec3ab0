#!/usr/bin/env bash
# tests/bench/test_bench.sh - every bench runs, prints what is defined, and fails when a count is wrong.
#
# No figure of such a small run means anything.
set -u

build=${BUILD:-build}
here=tests/bench
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
passed=0
failed=0

# check SENTENCE COMMAND…
check()
{
    local sentence=$1
    shift
    if "$@" > "$stage/said" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $sentence"
        sed 's/^/    /' "$stage/said"
    fi
}

# same TEXT TEXT
same()
{
    [ "$1" = "$2" ] || { printf '%s\n-- and should be:\n%s\n' "$1" "$2" && false; }
}

# refuses COMMAND…: it ends with status 1, and says something.
refuses()
{
    local said
    said=$("$@" 2>&1 > /dev/null)
    same "$?" 1 && [ -n "$said" ]
}

# The table's rows: | `ring_100`, `ring_1000` | ns/hop | … and | `idle` → `idle_rss` | bytes/actor | …
# defined: `bench figure unit` a line; a row without a unit has its figures in its text.
defined()
{
    sed -n '/^## Definitions/,/^## What differs/p' "$here/peers/README.md" | awk -F '|' '
        /^\| `/ {
            n = split($2, word, "`"); unit = $3
            gsub(/ /, "", unit)
            if (unit == "") {
                split($4, figure, "`")
                print word[2], figure[2], "bytes/actor"
                print word[2], figure[4], "ns/start"
            } else if ($2 ~ /→/)
                print word[2], word[4], unit
            else
                for (i = 2; i <= n; i += 2)
                    print word[i], word[i], unit
        }'
}

# printed BENCH FILE: the same of what a run has printed.
printed()
{
    sed -nE 's|^\{"bench":"([^"]+)","peer":"coppice","unit":"([^"]+)","value":[0-9.-]+\}$|'"$1"' \1 \2|p' \
        "$2"
}

# one BENCH: a small run.
one()
{
    "$build/bench" "$1" 0.001 > "$stage/lines" &&
        same "$(printed "$1" "$stage/lines")" "$(defined | grep "^$1 ")" &&
        same "$(grep -c . "$stage/lines")" "$(defined | grep -c "^$1 ")"
}

# The order of the table; the peer that is not ours decides.
line()
{
    printf '{"bench":"%s","peer":"%s","unit":"ns","value":%s,"other":%s}\n' "$@"
}

table()
{
    {
        line fast coppice 10 1 && line fast go 20 1
        line slow coppice 10 2 && line slow coppice 30 2 && line slow coppice 20 2
        line slow go 10 7 && line slow erlang 5 1
        line alone coppice 1 0 && line alone go null 0
    } | awk -f "$here/peers.awk" | awk 'NR > 1 && $2 == "ns" { print $1, $3, $4, $NF }'
}

check "the benches are those that are defined" \
    same "$("$build/bench" --list)" "$(defined | awk '!seen[$1]++ { print $1 }')"

# A sanitizer makes a thread dear: there are ten thousand in the warm-up of skynet.
for bench in $("$build/bench" --list); do
    [ -n "${SAN:-}" ] && [[ $bench = skynet || $bench = ring_1000 ]] && continue
    check "$bench prints its figures" one "$bench"
    [ -n "${SAN:-}" ] && [ "$bench" != call ] && continue
    check "$bench fails when a count is wrong" refuses "$build/bench" "$bench" 0.001 --miscount
done

check "a bench that nobody knows is refused" \
    same "$("$build/bench" nothing > /dev/null 2>&1; echo $?)" 2
check "the table begins with the worst ratio" \
    same "$(table)" "$(printf '%s\n' 'slow 20.0 4.00 7%' 'fast 10.0 0.50 1%' 'alone 1.0 - 0%')"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
