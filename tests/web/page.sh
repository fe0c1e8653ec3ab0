# tests/web/page.sh - what the scripts here share: a daemon, and counting.  To be sourced.
#
#   start_daemon OPTION…   leaves its address in $url, its pid in $daemon, what it says in $said
#   check NAME COMMAND…    counts a test, which is passed if the command succeeds
#   finish                 prints the summary; its status is the script's

# shellcheck shell=bash disable=SC2034  # they are for who sources this
build=${BUILD:-build}
folder=$(mktemp -d)
said=$folder/stderr
daemon=
passed=0
failed=0

# shellcheck disable=SC2317  # by the trap
end()
{
    [ -z "$daemon" ] || { kill -KILL "$daemon" && wait "$daemon"; } 2> /dev/null
    rm -rf "$folder"
}
trap end EXIT

start_daemon()
{
    "$build/web-daemon" "$@" > "$folder/stdout" 2> "$said" &
    daemon=$!
    local i
    for i in $(seq 600); do
        url=$(sed -n 's|^\(http://.*\)/$|\1|p' "$folder/stdout")
        [ -z "$url" ] || return 0
        sleep 0.05
    done
    echo "FAIL: the daemon did not come up"
    cat "$said"
    exit 1
}

check()
{
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL: $name"
    fi
}

# eventually COMMAND…: succeeds as soon as it does, within half a minute
eventually()
{
    local i
    for i in $(seq 300); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

finish()
{
    [ "$failed" -eq 0 ] || { echo "the daemon said:" && tail -n 40 "$said"; }
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
