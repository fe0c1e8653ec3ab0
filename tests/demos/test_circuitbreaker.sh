#!/usr/bin/env bash
# tests/demos/test_circuitbreaker.sh - the timeline: it trips, refuses, probes, and closes.
#
# Room: tests/.  Needs BUILD.  test_breaker.c looks closer.  The last line is `N passed, N failed`.
set -u

name=circuitbreaker
# shellcheck source=tests/demos/page.sh
. "${0%/*}/page.sh"

# The timeline without its times, and equal lines once.
timeline()
{
    sed -e 's/^ *\([0-9]* ms\)\? *//' -e 's/ for another .*//' "$dir/out" | uniq
}

# When the first line that has this was written, or one more of them.
ms_of() # TEXT [WHICH]
{
    grep -F "$1" "$dir/out" | sed -n "${2:-1}s/^ *\([0-9]*\) ms.*/\1/p"
}

tripped='call 1 of the service: answered
call 2 of the service: answered
call 3 of the service: down
call 4 of the service: down
call 5 of the service: down
breaker: open'

# --- tests

refuses_arguments_that_make_no_sense()
{
    demo 2 x && demo 2 '' && demo 2 -1 && demo 2 1 x && demo 2 1 2 3 && demo 2 3600001 &&
        has_line 'usage: circuitbreaker .*' err
}

refuses_without_asking_the_service_once_it_has_tripped()
{
    demo 0 3600000 8 && [ "$(timeline)" = "$tripped"$'\nrefused' ] &&
        [ "$(grep -c 'refused for another 3[0-9]* ms$' "$dir/out")" -eq 3 ]
}

probes_until_the_service_is_back()
{
    demo 0 1 8 && [ "$(timeline)" = "$tripped"'
breaker: half-open
call 6 of the service: down
breaker: open
breaker: half-open
call 7 of the service: answered
breaker: closed
call 8 of the service: answered' ]
}

lets_no_probe_through_before_the_pause_is_over()
{
    demo 0 && has_line ' *breaker: closed' && said "" err &&
        [ "$(ms_of "call 6 ")" -ge $(($(ms_of "call 5 ") + 200)) ] &&
        [ "$(ms_of "call 7 ")" -ge $(($(ms_of "call 6 ") + 200)) ]
}

run_tests
