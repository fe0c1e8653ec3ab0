#!/bin/sh
# tests/conformance/table.sh - reads the table of behaviours in README.md and checks it.
#
# Each case once; each test that it names is there; each one that cannot hold says why and in which
# header. Prints how many hold. The last line counts the checks; what is wrong is told before.
set -u

table=tests/conformance/README.md
cases=301
passed=0
failed=0

wrong()
{
    failed=$((failed + 1))
    echo "FAILED: $*"
}

rows()
{
    sed -nE 's/^\| ([A-Z]{3}-[0-9]{3}) \| (.*) \| ([a-z]+) \| ?(.*) ?\|$/\1|\2|\3|\4/p' "$table"
}

# has_test SUITE:NAME: a TEST of that name, which may stand on a line of its own; or a stored scenario.
has_test()
{
    suite=${1%%:*}
    if [ "$suite" = conformance/test_scenarios ]; then
        [ -e "tests/conformance/scenarios/${1#*:}.trace" ]
        return
    fi
    [ -e "tests/$suite.c" ] && grep -qE "(^|[ (])${1#*:}\)" "tests/$suite.c"
}

check_tests()
{
    [ -n "$2" ] || wrong "$1 names no test"
    for test in $2; do
        if has_test "$test"; then
            passed=$((passed + 1))
        else
            wrong "$1: no test $test"
        fi
    done
}

# The reason, and the header in which it is told.
check_reason()
{
    header=${2##*: }
    if [ "$header" = "$2" ] || [ ! -e "include/coppice/${header% }" ]; then
        wrong "$1: no reason with a header"
    else
        passed=$((passed + 1))
    fi
}

all=$(rows)
while IFS='|' read -r id _ holds why; do
    case $holds in
        yes | adapted) check_tests "$id" "$why" ;;
        impossible) check_reason "$id" "$why" ;;
        open) ;;
        *) wrong "$id: $holds is no answer" ;;
    esac
done << END
$all
END

count()
{
    printf '%s\n' "$all" | cut -d'|' -f3 | grep -cx "$1"
}

unique=$(printf '%s\n' "$all" | cut -d'|' -f1 | sort -u | wc -l)
listed=$(grep -cE '^\| [A-Z]{3}-[0-9]{3} ' "$table")
if [ "$unique" -eq "$cases" ] && [ "$listed" -eq "$cases" ]; then
    passed=$((passed + 1))
else
    wrong "$listed rows of $unique cases, not $cases"
fi

echo "$(count yes) hold, $(count adapted) adapted, $(count impossible) impossible, $(count open) open"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
