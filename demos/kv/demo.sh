#!/usr/bin/env bash
# demos/kv/demo.sh - the key-value daemon, shown: clients talk to it, a bucket crashes in the
# middle, and it stops in order.  Run by `make demo`.  Ends by itself; exit status 0 when all of it
# held.
set -u

kv=${BUILD:-build}/demos/kv
dir=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || kill -KILL "$daemon" 2> /dev/null; rm -rf "$dir"' EXIT

failures=0
expect() # WHAT ACTUAL WANTED
{
    if [ "$2" != "$3" ]; then
        echo "  !! $1: got '$2', expected '$3'"
        failures=$((failures + 1))
    fi
}

say()
{
    printf '\n# %s\n' "$*"
}

# One line of a reply, without its end.
read_line()
{
    IFS= read -r -t 5 line <&3 && line=${line%$'\r'}
}

# A reply of the protocol as lines of text; enough of a client when redis-cli is not there.
read_reply()
{
    local count
    read_line || return 1
    case $line in
    '$-1') echo ;;
    '$'*) read_line && printf '%s\n' "$line" ;;
    '*'*)
        count=${line#?}
        while [ "$count" -gt 0 ] && read_reply; do
            count=$((count - 1))
        done
        ;;
    *) printf '%s\n' "${line#[+:]}" ;;
    esac
}

ask_quietly()
{
    if command -v redis-cli > /dev/null; then
        redis-cli -h "$host" -p "$port" --raw "$@"
    else
        exec 3<> "/dev/tcp/$host/$port"
        printf '%s\r\n' "$*" >&3
        read_reply
        exec 3>&-
    fi
}

# Ask, and show both sides.
ask()
{
    printf 'kv> %s\n' "$*"
    reply=$(ask_quietly "$@")
    printf '%s\n' "${reply:-(nil)}"
}

restarts_of()
{
    awk -v bucket="$1" 'NF > 4 && $(NF - 4) == bucket { print $NF }' <<< "$reply"
}

started=$SECONDS
"$kv" --port 0 --buckets fruit,tools > "$dir/out" 2> "$dir/log" &
daemon=$!
for _ in {1..100}; do
    [ -s "$dir/out" ] && break
    sleep 0.05
done
read -r _ _ address < "$dir/out" || { cat "$dir/log"; exit 1; }
host=${address%:*}
port=${address##*:}
echo "the daemon is process $daemon and listens on $address"

say "Buckets hold keys. Redis's commands work on the selected one, which at first is 0."
ask SET greeting hello
ask INCR visitors
ask CREATE shopping
ask PUT shopping milk 2
ask PUT shopping eggs 12
ask PUT fruit apple 3
ask GET shopping milk
expect "milk" "$reply" 2

say "Every bucket, and every client, is a process in a supervision tree."
ask TREE
expect "restarts of shopping before" "$(restarts_of shopping)" 0

say "A bucket crashes."
ask CRASH shopping

say "Its supervisor has started it again, empty. Nobody else has noticed."
ask TREE
expect "restarts of shopping after" "$(restarts_of shopping)" 1
expect "restarts of fruit after" "$(restarts_of fruit)" 0
expect "restarts of 0 after" "$(restarts_of 0)" 0
ask GET shopping milk
expect "milk after the crash" "$reply" ""
ask GET fruit apple
expect "apple after the crash" "$reply" 3
ask GET greeting
expect "greeting after the crash" "$reply" hello
ask INCR visitors
expect "visitors after the crash" "$reply" 2
ask PUT shopping milk 1
expect "the bucket again" "$reply" OK

if [ -s "$dir/log" ]; then
    say "What the daemon wrote about it:"
    head -n 20 "$dir/log" | cut -c 1-160 | sed 's/^/    /'
fi

say "The tree stops in order: no more clients, then connections, then buckets."
printf 'kv> SHUTDOWN\n'
ask_quietly SHUTDOWN > /dev/null 2>&1
for _ in {1..100}; do
    kill -0 "$daemon" 2> /dev/null || break
    sleep 0.05
done
if kill -0 "$daemon" 2> /dev/null; then
    expect "the daemon" "still running" "gone"
else
    wait "$daemon"
    status=$?
    daemon=
    echo "the daemon has ended with status $status"
    expect "the daemon's status" "$status" 0
fi

if [ "$failures" -gt 0 ]; then
    printf '\n%d of the demo'\''s expectations did not hold\n' "$failures"
    exit 1
fi
printf '\nEverything held, in %d s.\n' "$((SECONDS - started))"
