#!/usr/bin/env bash
# tests/demos/test_log.sh - what is logged, as those who read it take it: jq, python, the journal.
#
# Room: tests/.  The demo is wordfreq, whose reporter crashes when it is told to.
set -u
name=wordfreq
. tests/demos/page.sh

run() # COPPICE_LOG
{
    COPPICE_LOG=$1 demo 0 --crash-reporter README.md LICENSE tests/demos/*
}

# When it is crashed after the last file, the tree may be stopped before there is another one.
crash_in_time() # COPPICE_LOG
{
    run "$1" && grep -q 'child reporter ended' "$dir/err"
}

crash() # COPPICE_LOG
{
    eventually crash_in_time "$1"
}

# --- tests

has_a_time_in_each_line()
{
    crash "" && has_line '20[0-9-]{8}T[0-9:]{8}[.][0-9]{3}Z coppice: error: genserver reporter crashed: .*' err &&
        has_line '20[0-9-]{8}T.* coppice: error: supervisor .* child reporter ended: .* restarts=1 allowed=3 within=5s' err
}

is_json_that_jq_understands()
{
    command -v jq > /dev/null || return 0
    crash json,debug && grep '^{' "$dir/err" > "$dir/json" &&
        jq -se 'map(select(.level == "error")) | length >= 2' "$dir/json" > "$dir/out" &&
        jq -se 'map(select(.message == "genserver reporter crashed"
                           and .reason == "crashed_on_request" and .actor == "reporter"
                           and (.pid | test("^<[0-9]+[.][0-9]+>$")) and (.ran | type) == "number"))
                | length == 1' "$dir/json" > "$dir/out" &&
        jq -se 'map(select(.message | endswith("child reporter ended")) | .restarts) == [1]' \
            "$dir/json" > "$dir/out"
}

is_json_that_python_understands()
{
    command -v python3 > /dev/null || return 0
    crash json,debug && grep '^{' "$dir/err" > "$dir/json" && [ -s "$dir/json" ] &&
        while read -r line; do
            python3 -m json.tool <<< "$line" > /dev/null || return 1
        done < "$dir/json"
}

# As systemd does it, and systemd-cat: a stream whose device and inode are in the environment.
has_priorities_and_no_time_for_the_journal()
{
    : > "$dir/err"
    JOURNAL_STREAM=$(stat -c %d:%i "$dir/err")
    export JOURNAL_STREAM
    crash ""
    local status=$?
    unset JOURNAL_STREAM
    [ "$status" -eq 0 ] && has_line '<3>coppice: error: genserver reporter crashed: .*' err &&
        ! grep -q '^20' "$dir/err"
}

is_silent_below_the_level()
{
    run critical && ! grep -q coppice "$dir/err"
}

run_tests
