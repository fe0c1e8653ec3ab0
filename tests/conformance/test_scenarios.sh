#!/bin/sh
# tests/conformance/test_scenarios.sh - the table of behaviours, the stored scenarios, and files that
# are no scenario.
set -u

here=tests/conformance
runner=${BUILD:-build}/scenario
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0

# add COMMAND…: counts what it counts.
add()
{
    "$@" > "$log" 2>&1
    sed '$d' "$log"
    counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$log" | tail -n 1)
    [ -n "$counts" ] || counts="0 1"
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
}

# refuses WORDS TEXT: with status 1, and these words about that line.
refuses()
{
    said=$(printf '%b' "$2" | "$runner" /dev/stdin 2>&1)
    status=$?
    if [ "$status" -eq 1 ] && [ "$said" = "/dev/stdin:$1" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $2: status $status, $said"
    fi
}

refuses '1: no run line' 'sup top'
refuses '1: no root supervisor' 'run\n'
refuses '2: only one root supervisor' 'sup a\nsup b\nrun\n'
refuses '1: unknown declaration tree' 'tree top\nrun\n'
refuses '1: sup needs a name' 'sup\nrun\n'
refuses '1: bad name Top' 'sup Top\nrun\n'
refuses '1: option without = : fast' 'sup top fast\nrun\n'
refuses '1: unknown option stop' 'sup top stop=ok\nrun\n'
refuses '1: bad value often' 'sup top restart=often\nrun\n'
refuses '1: bad number -1' 'sup top intensity=-1\nrun\n'
refuses '1: number 0 is smaller than 1' 'sup top period=0\nrun\n'
refuses '2: bad reason {a,}' 'sup top\nchild a in=top start=fail:{a,}\nrun\n'
refuses '3: bad reason {a,b' 'sup top\n# of a\nchild a in=top start=fail:{a,b\nrun\n'
refuses '1: bad start outcome die:x' 'sup top start=die:x\nrun\n'
refuses '2: child needs in=' 'sup top\nchild a\nrun\n'
refuses '2: spec takes no in=' 'sup top\nspec a in=top\nrun\n'
refuses '2: in= names no supervisor declared above' 'sup top\nchild a in=b\nsup b in=top\nrun\n'
refuses '4: name used twice' 'sup top\nsup b in=top\nchild a in=b\nchild a in=top\nrun\n'
refuses '1: simple_one_for_one takes exactly one child' 'sup top strategy=simple_one_for_one\nrun\n'
refuses '1: dynamic takes no declared child' 'sup top strategy=dynamic\nchild a in=top\nrun\n'
refuses '2: stop=never with shutdown=infinity would never end' \
    'sup top\nchild a in=top stop=never shutdown=infinity\nrun\n'
refuses '2: run takes no argument' 'sup top\nrun fast\n'
refuses '3: bad action exit a' 'sup top\nrun\nexit a\n'
refuses '4: a is not a supervisor' 'sup top\nchild a in=top\nrun\nstop a normal\n'
refuses '4: kill of a nested supervisor' 'sup top\nsup a in=top\nrun\nkill a\n'
refuses '3: use kill' 'sup top\nrun\nforeign_exit top kill\n'

add "$here/table.sh"
add "$here/compare.sh" "$here/scenarios"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
