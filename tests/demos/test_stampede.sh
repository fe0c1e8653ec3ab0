#!/usr/bin/env bash
# tests/demos/test_stampede.sh - of many programs one computes, and when that is killed, another.
#
# Room: tests/.  Needs BUILD.  The last line is `N passed, N failed`.
set -u

name=stampede
# shellcheck source=tests/demos/page.sh
. "${0%/*}/page.sh"

without_a_server()
{
    local program status
    program=$PWD/$demo_program
    PATH=/nowhere "$program" > "$dir/out" 2> "$dir/err"
    status=$?
    [ "$status" -eq 1 ]
}

# --- tests

refuses_arguments_that_make_no_sense()
{
    demo 2 x && demo 2 '' && demo 2 1 && demo 2 501 && demo 2 2 3 && has_line 'usage: stampede .*' err
}

one_computes_for_all_and_another_when_it_is_killed()
{
    demo 0 12 && said "" err &&
        has_line ' *1 computed; 12 got the report of program [0-9]+, after [0-9]+ ms' &&
        has_line ' *0 computed; 12 got the report of program [0-9]+, after [0-9]+ ms' &&
        has_line ' *2 computed, 1 of them killed in the middle; 11 got the report .*' &&
        has_line 'One computed for all.'
}

fails_when_there_is_no_server()
{
    without_a_server && has_line 'stampede: redis-server does not come up' err
}

leaves_nothing_behind()
{
    demo 0 2 && ! compgen -G '/tmp/stampede.*' > /dev/null
}

run_tests
