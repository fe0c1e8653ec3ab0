#!/usr/bin/env bash
# tests/demos/test_chaos.sh - lessons in falling: what was done heals, as the strategy says.
#
# Room: tests/.  Needs BUILD.  test_lesson.c and test_doctor.c look closer.  The last line is `N passed, N failed`.
set -u

name=chaos
# shellcheck source=tests/demos/page.sh
. "${0%/*}/page.sh"

# No pauses, and patience enough that on a busy machine nobody is killed who only waits for his turn.
lesson() # NAME [ARGUMENT...]
{
    local which=$1
    shift
    demo 0 --lesson "$which" --pause 0 --patience 1000 "$@"
}

# What was done to whom, and who was restarted; times are another time's.
deeds()
{
    grep -E '^ *[0-9]+  (crash|hang|flood)' "$dir/out" | sed 's/healed in *[0-9.]* ms//'
}

pane()
{
    tmux -S "$dir/tmux" -f /dev/null "$@"
}

pane_has() # TEXT
{
    pane capture-pane -p | grep -qF -- "$1"
}

# --- tests

refuses_arguments_that_make_no_sense()
{
    demo 2 x && demo 2 --lesson none && demo 2 --seed -1 && demo 2 --seed x && demo 2 --deeds 0 &&
        demo 2 --deeds 1001 && demo 2 --pause '' && demo 2 --what && has_line 'usage: chaos .*' err &&
        demo 0 --help && has_line 'usage: chaos .*'
}

says_so_when_its_observer_cannot_listen()
{
    demo 1 --lesson one-for-one --deeds 1 --observer "$dir/none/socket"
}

does_the_same_for_the_same_seed()
{
    lesson one-for-one --seed 7 --deeds 6 && deeds > "$dir/first" &&
        lesson one-for-one --seed 7 --deeds 6 && deeds | cmp - "$dir/first" &&
        [ "$(wc -l < "$dir/first")" -eq 6 ] &&
        lesson one-for-one --seed 8 --deeds 6 && ! deeds | cmp -s - "$dir/first"
}

one_for_one_restarts_who_fell()
{
    lesson one-for-one --deeds 8 && has_line '  and so it was, each of 8 times' &&
        has_line ' *8  hang  cell.e  healed in *[0-9.]+ ms  restarted: cell.e'
}

one_for_all_restarts_all()
{
    lesson one-for-all --deeds 8 && has_line '  and so it was, each of 8 times' &&
        has_line ' *2  crash cell.a  healed in *[0-9.]+ ms  restarted: cell.a cell.b cell.c cell.d cell.e'
}

rest_for_one_restarts_who_fell_and_those_after_it()
{
    lesson rest-for-one --deeds 8 && has_line '  and so it was, each of 8 times' &&
        has_line ' *3  crash cell.d  healed in *[0-9.]+ ms  restarted: cell.d cell.e'
}

dynamic_children_fall_each_for_itself()
{
    lesson dynamic --deeds 8 && has_line '  and so it was, each of 8 times' &&
        has_line ' *1  flood cell.e  healed in *[0-9.]+ ms  restarted: nobody'
}

draws_the_tree_if_asked_to()
{
    lesson rest-for-one --deeds 2 --plain --observer "$dir/observer" &&
        [ "$(grep -c '^ *cells  *rest_for_one$' "$dir/out")" -eq 2 ] &&
        [ "$(grep -cE '^ *cell\.[a-e] .* restarts   [01]$' "$dir/out")" -eq 10 ]
}

ends_with_the_page_when_it_is_stopped()
{
    : > "$dir/out" # what another has said is not to be taken for the beginning of this one
    "$demo_program" --pause 60000 > "$dir/out" 2> "$dir/err" &
    local program=$!
    eventually grep -q '^  1  ' "$dir/out" && kill -INT "$program"
    wait "$program"
    [ $? -eq 1 ] && has_line '  and so it was, each of 1 times'
}

shows_the_tree_in_coppice_top_and_then_the_page()
{
    command -v tmux > /dev/null && [ -x "${BUILD:-build}/coppice-top" ] || return 0
    LC_ALL=C.UTF-8 pane new-session -d -x 100 -y 40 "demos/chaos/top.sh --lesson one-for-one; sleep 60" &&
        eventually pane_has cell.e && eventually pane_has restarts && pane send-keys q &&
        eventually pane_has 'and so it was'
    local status=$?
    [ "$status" -eq 0 ] || pane capture-pane -p
    pane kill-server
    return "$status"
}

run_tests
