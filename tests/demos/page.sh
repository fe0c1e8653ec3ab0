#!/usr/bin/env bash
# tests/demos/page.sh - for the suites of the small demos: they run one, and read what it says.
#
# Room: tests/.  Sourced, with `name` the demo's.  run_tests, at the end, runs each function below the
# line `# --- tests`, in order; their names are sentences.

demo_program=${BUILD:-build}/demos/${name:?}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Run it: what it says is in $dir/out and $dir/err, and its status must be this one.
demo() # STATUS [ARGUMENT...]
{
    local wanted=$1 status
    shift
    timeout 100 "$demo_program" "$@" > "$dir/out" 2> "$dir/err" < /dev/null
    status=$?
    [ "$status" -eq "$wanted" ] || { echo "$name $*: status $status"; return 1; }
}

# Whether standard output, or another FILE, is this.
said() # TEXT [FILE]
{
    local got
    got=$(< "$dir/${2:-out}")
    [ "$got" = "$1" ] || { echo "got <$got>, expected <$1>"; return 1; }
}

# Whether a line of it is matched as a whole.
has_line() # PATTERN [FILE]
{
    grep -qxE -- "$1" "$dir/${2:-out}" || { echo "no line is <$1>"; return 1; }
}

# What depends on who is faster, until it was the right one.
eventually() # COMMAND...
{
    local until=$((SECONDS + 60))
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || { echo "never: $*"; return 1; }
    done
}

run_tests()
{
    local test tests passed=0 failed=0
    mapfile -t tests < <(sed -n '/^# --- tests$/,$s/^\([a-z_]*\)()$/\1/p' "$0")
    for test in "${tests[@]}"; do
        if "$test" > "$dir/why" 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "FAIL $test"
            tail -n 5 "$dir/why" | cut -c 1-500 | sed 's/^/    /'
            tail -n 40 "$dir/out" | cut -c 1-500 | sed 's/^/    > /'
            tail -n 40 "$dir/err" | cut -c 1-500 | sed 's/^/    | /'
        fi
    done
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
