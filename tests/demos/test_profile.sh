#!/usr/bin/env bash
# tests/demos/test_profile.sh - three fetches: as fast as the slowest, and over with the first failure.
#
# Room: tests/.  Needs BUILD.  The last line is `N passed, N failed`.
set -u

name=profile
# shellcheck source=tests/demos/page.sh
. "${0%/*}/page.sh"

# The milliseconds of the last line.
took()
{
    tail -n 1 "$dir/out" | awk '{ print $1 }'
}

user_is_down()
{
    demo 1 60000 user && has_line ' +[0-9]+ ms  user: down' &&
        has_line ' +[0-9]+ ms  orders: cancelled, because: Host is down' &&
        has_line ' +[0-9]+ ms  recommendations: cancelled, because: Host is down'
}

only_user_is_in_time()
{
    demo 1 100 && has_line ' +[0-9]+ ms  user: here' &&
        has_line ' +[0-9]+ ms  orders: cancelled, because: not in time' &&
        has_line ' +[0-9]+ ms  recommendations: cancelled, because: not in time'
}

# --- tests

refuses_arguments_that_make_no_sense()
{
    demo 2 x && demo 2 '' && demo 2 -1 && demo 2 10x && demo 2 99999999999999999999 &&
        demo 2 1 user more && demo 2 1 nobody && has_line 'usage: profile .*' err
}

cancels_the_others_when_one_fails()
{
    eventually user_is_down && [ "$(took)" -ge 80 ] &&
        [[ $(tail -n 1 "$dir/out") == *'ms  no page: Host is down' ]]
}

cancels_what_is_not_there_in_time()
{
    eventually only_user_is_in_time && [ "$(took)" -ge 100 ] &&
        [[ $(tail -n 1 "$dir/out") == *'ms  no page: not in time' ]]
}

shows_a_failure_that_comes_last()
{
    demo 1 60000 recommendations && has_line ' +[0-9]+ ms  orders: here' && [ "$(took)" -ge 200 ] &&
        [[ $(tail -n 1 "$dir/out") == *'ms  no page: Host is down' ]]
}

has_the_page_when_the_slowest_is_there()
{
    demo 0 60000 && [ "$(took)" -ge 200 ] && [ "$(grep -c ': here$' "$dir/out")" -eq 3 ] &&
        [[ $(tail -n 1 "$dir/out") == *'ms  Ada, three orders, a loom for you' ]]
}

shows_all_of_it_by_itself()
{
    demo 0 && [ "$(grep -c ':$' "$dir/out")" -eq 3 ] && [ "$(grep -c ' no page: ' "$dir/out")" -ge 2 ] &&
        said "" err
}

run_tests
