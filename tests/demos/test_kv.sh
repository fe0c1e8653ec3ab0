#!/usr/bin/env bash
# tests/demos/test_kv.sh - the key-value daemon against real clients: redis-cli, redis-benchmark,
# and clients that no client library would dare to be.
#
# Room: tests/.  Needs BUILD and redis-tools.  Each test is a function whose name is a sentence; it
# gets a daemon of its own.  The last line is `N passed, N failed`.
# shellcheck disable=SC2016  # the protocol's dollars are no variables
set -u

kv=${BUILD:-build}/demos/kv
dir=$(mktemp -d)
daemon=
limit=30 # seconds for anything that has to happen
# Sanitizers make everything slower; it is the same test.
case ${BUILD:-} in *address* | *thread*) scale=10 limit=90 ;; *) scale=1 ;; esac

for tool in redis-cli redis-benchmark; do
    if ! command -v "$tool" > /dev/null; then
        echo "$tool is missing: install redis-tools"
        echo "0 passed, 1 failed"
        exit 1
    fi
done

# ---------------------------------------------------------------- a daemon and its clients

descriptors= # the limit; empty: as it is
start() # [ARGUMENT...]
{
    rm -f "$dir/out"
    (
        [ -z "$descriptors" ] || ulimit -n "$descriptors"
        exec "$kv" --port 0 "$@" > "$dir/out" 2> "$dir/log"
    ) &
    daemon=$!
    eventually test -s "$dir/out" || return
    read -r _ _ address < "$dir/out"
    port=${address##*:}
}

# Only the process that this script started, and only if it still runs.
kill_daemon()
{
    if [ -n "$daemon" ]; then
        kill -KILL "$daemon" 2> /dev/null
        wait "$daemon" 2> /dev/null
        daemon=
    fi
}
trap 'kill_daemon; rm -rf "$dir"' EXIT

# Try until it holds.
eventually()
{
    local until=$((SECONDS + limit))
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || { echo "never: $*"; return 1; }
        sleep 0.02
    done
}

cli()
{
    timeout "$limit" redis-cli -p "$port" "$@"
}

# What redis-cli answers, in its own notation: (integer) 1, "text", (nil), (error) ...
expect() # WANTED COMMAND...
{
    local wanted=$1 got
    shift
    got=$(cli --no-raw "$@" 2>&1)
    [ "$got" = "$wanted" ] || { echo "$*: got <$got>, expected <$wanted>"; return 1; }
}

expect_prefix()
{
    local wanted=$1 got
    shift
    got=$(cli --no-raw "$@" 2>&1)
    [[ $got == "$wanted"* ]] || { echo "$*: got <$got>, expected <$wanted...>"; return 1; }
}

# Send bytes as printf makes them, and print what comes until the daemon closes the connection.
raw()
{
    local client
    exec {client}<> "/dev/tcp/127.0.0.1/$port" || return
    # shellcheck disable=SC2059  # the bytes are the format
    { printf "$1" >&"$client"; } 2> /dev/null
    timeout "$limit" cat <&"$client" 2> /dev/null
    local status=$?
    exec {client}>&-
    return "$status"
}

expect_raw() # BYTES WANTED
{
    local got
    got=$(raw "$1" | tr -d '\r')
    [ "$got" = "$2" ] || { echo "$1: got <$got>, expected <$2>"; return 1; }
}

descriptors_are_back()
{
    [ "$(find "/proc/$daemon/fd" -mindepth 1 | wc -l)" -le "$idle_descriptors" ]
}

clients_are()
{
    [ "$(cli --raw info clients | tr -d '\r' | sed -n 's/^connected_clients://p')" = "$1" ]
}

restarts_of()
{
    cli --raw tree | awk -v bucket="$1" 'NF > 4 && $(NF - 4) == bucket { print $NF }'
}

still_serves()
{
    expect PONG ping && expect '"1"' get witness
}

ends_with() # STATUS
{
    local status
    eventually ended || return
    wait "$daemon"
    status=$?
    daemon=
    [ "$status" -eq "$1" ] || { echo "the daemon ended with $status"; return 1; }
}

ended()
{
    case $(ps -o stat= -p "$daemon") in '' | Z*) true ;; *) false ;; esac
}

# A daemon for which systemd listens. A port that nobody has is found by trying, outside of those that the
# system gives to clients.
activate()
{
    port=$((10000 + RANDOM % 20000))
    systemd-socket-activate -l "127.0.0.1:$port" "$kv" --port 1 > "$dir/out" 2> "$dir/log" &
    daemon=$!
    eventually activated && ! ended && grep -q "^listening on 127.0.0.1:$port" "$dir/out"
}

activated()
{
    ended || cli ping > /dev/null 2>&1
}

# ---------------------------------------------------------------- starting

refuses_arguments_that_make_no_sense()
{
    local arguments
    for arguments in "--port x" "--port 65536" "--port -1" "--buckets a/b" "--what" "more"; do
        # shellcheck disable=SC2086  # several words
        "$kv" $arguments > /dev/null 2>&1
        [ $? -eq 2 ] || { echo "$arguments was taken"; return 1; }
    done
    "$kv" --help | grep -q '^usage: kv'
}

says_when_its_port_is_taken()
{
    "$kv" --port "$port" > "$dir/second" 2>&1
    [ $? -eq 1 ] && grep -q "cannot listen on 127.0.0.1, port $port: " "$dir/second"
}

has_the_buckets_of_its_command_line()
{
    kill_daemon
    start --buckets fruit,tools,fruit,0
    [ "$(cli --raw buckets | tr '\n' ' ')" = "0 fruit tools " ]
}

shows_its_tree_to_who_may_look()
{
    kill_daemon
    start --observer "$dir/observer" && eventually test -S "$dir/observer" || return
    [ "$(stat -c %a "$dir/observer")" = 600 ] && cli --raw tree | grep -q -- '`-- observer ' || return
    kill -TERM "$daemon" && ends_with 0 && [ ! -e "$dir/observer" ]
}

records_what_its_processes_do()
{
    kill_daemon
    start --recorder "$dir/recorder" && expect OK set k v && [ -s "$dir/recorder" ] || return
    "$kv" --port 0 --recorder "$dir/none/recorder" > "$dir/second" 2>&1
    [ $? -eq 1 ] && grep -q "^kv: cannot record to $dir/none/recorder: " "$dir/second" || return
    COPPICE_RECORDER="$dir/no/recorder" "$kv" --port 0 > "$dir/second" 2>&1
    [ $? -eq 1 ] && grep -q "^kv: cannot record to $dir/no/recorder: no such" "$dir/second"
}

has_a_page_and_metrics_where_it_was_built_with_them()
{
    kill_daemon
    if ! "$kv" --help | grep -q -- --web; then
        "$kv" --web 0 > "$dir/second" 2>&1
        [ $? -eq 2 ]
        return
    fi
    start --web 0 && expect OK set k v && eventually grep -q 'page is open port=' "$dir/log" || return
    local page
    page=$(sed -n 's/.*page is open port=\([0-9]*\).*/\1/p' "$dir/log")
    exec {client}<> "/dev/tcp/127.0.0.1/$page"
    printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&"$client"
    timeout "$limit" cat <&"$client" > "$dir/metrics"
    exec {client}>&-
    grep -q '^kv_commands_total 1' "$dir/metrics" && grep -q '^kv_visit_seconds_count 1' "$dir/metrics"
}

says_more_after_a_hangup_and_less_after_another()
{
    expect PONG ping && ! grep -q "a client has come" "$dir/log" && kill -HUP "$daemon" &&
        eventually grep -q "hung up debug=true" "$dir/log" && expect PONG ping &&
        eventually grep -qE "^.*client-[0-9]+<.*: debug: a client has gone client=127.0.0.1:[0-9]+ commands=1$" "$dir/log" &&
        kill -HUP "$daemon" && eventually grep -q "hung up debug=false" "$dir/log"
}

has_units_that_systemd_accepts()
{
    command -v systemd-analyze > /dev/null || return 0
    cp demos/kv/kv.socket "$dir" && sed "s|/usr/bin/env kv|$kv|" demos/kv/kv.service > "$dir/kv.service"
    case $kv in /*) ;; *) sed -i "s|^ExecStart=|ExecStart=$PWD/|" "$dir/kv.service" ;; esac
    systemd-analyze verify --man=no --recursive-errors=no "$dir/kv.service" "$dir/kv.socket"
}

listens_where_systemd_has_opened_a_socket()
{
    command -v systemd-socket-activate > /dev/null || return 0
    kill_daemon
    activate || activate || activate
}

# ---------------------------------------------------------------- commands

answers_unknown_commands_as_redis_does()
{
    expect_prefix "(error) ERR unknown command 'nonsense', with args beginning with: 'a' 'b c'" \
        nonsense a "b c" &&
        expect_raw 'non\\sense\r\nset k v\r\nquit\r\n' \
            $'-ERR unknown command \'non\\sense\', with args beginning with: \n+OK\n+OK'
}

counts_arguments()
{
    expect_prefix "(error) ERR wrong number of arguments for 'get' command" get &&
        expect_prefix "(error) ERR wrong number of arguments for 'get' command" get a b c &&
        expect_prefix "(error) ERR wrong number of arguments for 'mset' command" mset a 1 b &&
        expect_prefix "(error) ERR wrong number of arguments for 'put' command" put a b &&
        expect_prefix "(error) ERR wrong number of arguments for 'dbsize' command" dbsize x &&
        expect_prefix "(error) ERR syntax error" set a 1 EX 10 &&
        expect_prefix "(error) ERR syntax error" flushall now
}

speaks_to_redis_cli()
{
    expect PONG ping && expect '"hi"' ping hi && expect '"a b"' echo "a b" &&
        expect OK set k v && expect '"v"' get k && expect "(nil)" get none &&
        expect "(integer) 2" exists k k none && expect "(integer) 1" del k none &&
        expect "(integer) 1" incr n && expect "(integer) 2" INCR n &&
        expect OK mset a 1 b 2 && expect $'1) "1"\n2) (nil)\n3) "2"' mget a none b &&
        expect $'1) "a"\n2) "b"' keys '[ab]' && expect "(empty array)" keys 'x*' &&
        expect "(integer) 4" dbsize && expect OK flushdb && expect "(integer) 0" dbsize &&
        expect $'1) "save"\n2) ""' config get save &&
        expect $'1) "appendonly"\n2) "no"' config get appendonly &&
        expect_prefix "(integer) " command count && expect OK quit
}

counts_numbers_only()
{
    expect OK set k abc && expect "(error) ERR value is not an integer or out of range" incr k &&
        expect OK set k 9223372036854775807 &&
        expect "(error) ERR increment or decrement would overflow" incr k
}

keeps_databases_apart()
{
    expect OK set k zero && expect OK -n 5 set k five &&
        expect '"zero"' get k && expect '"five"' -n 5 get k && expect '"five"' get 5 k &&
        expect_raw 'select 5\r\nget k\r\nselect 0\r\nget k\r\nquit\r\n' \
            $'+OK\n$4\nfive\n+OK\n$4\nzero\n+OK' &&
        expect "(error) NOTFOUND no bucket '16', CREATE it first" select 16 &&
        expect OK flushall && expect "(nil)" get k && expect "(nil)" get 5 k
}

speaks_as_the_guide_does()
{
    expect "(error) NOTFOUND no bucket 'shopping', CREATE it first" put shopping milk 1 &&
        expect "(error) NOTFOUND no bucket 'shopping', CREATE it first" get shopping milk &&
        expect OK create shopping && expect OK create shopping &&
        expect OK put shopping milk 1 && expect '"1"' get shopping milk &&
        expect OK delete shopping milk && expect "(nil)" get shopping milk &&
        expect "(nil)" get shopping &&
        expect_prefix "(error) ERR invalid bucket name" create "two words" &&
        expect_raw 'select shopping\r\nset eggs 12\r\nquit\r\n' $'+OK\n+OK\n+OK' &&
        expect '"12"' get shopping eggs
}

keeps_any_bytes()
{
    head -c 3000000 /dev/urandom > "$dir/value"
    cli -x set blob < "$dir/value" > /dev/null && cli --raw get blob > "$dir/back" &&
        head -c 3000000 "$dir/back" | cmp - "$dir/value" &&
        expect_raw '*3\r\n$3\r\nset\r\n$3\r\n\0\r\n\r\n$4\r\n\0a\r\n\r\n*2\r\n$4\r\nkeys\r\n$1\r\n?\r\nquit\r\n' \
            $'+OK\n*0\n+OK' &&
        [ "$(raw '*2\r\n$3\r\nget\r\n$3\r\n\0\r\n\r\nquit\r\n' | od -An -c | tr -d ' \n')" = \
            '$4\r\n\0a\r\n\r\n+OK\r\n' ]
}

keeps_large_values()
{
    head -c 60000000 /dev/zero | tr '\0' x > "$dir/value"
    cli -x set large < "$dir/value" > /dev/null &&
        cli --raw get large | head -c 60000000 | cmp - "$dir/value" &&
        expect "(error) ERR the reply would be too large" mget large large large &&
        expect "(integer) 1" del large
}

tells_about_itself()
{
    expect OK set k v && eventually clients_are 1 || return
    cli --raw info | tr -d '\r' > "$dir/info"
    grep -q "^tcp_port:$port$" "$dir/info" && grep -q "^process_id:$daemon$" "$dir/info" &&
        grep -q '^connected_clients:1$' "$dir/info" && grep -q '^# Server$' "$dir/info" &&
        grep -q '^db0:keys=2,restarts=0$' "$dir/info" &&
        ! cli --raw info clients | grep -q tcp_port &&
        cli --raw tree | grep -q '^|   `-- registry  *worker  *running  *restarts 0$'
}

# ---------------------------------------------------------------- clients that do harm

refuses_a_gigabyte_and_closes_that_connection()
{
    expect_raw 'ping\r\n*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1073741824\r\nxxx' \
        $'+PONG\n-ERR Protocol error: invalid bulk length' && still_serves
}

refuses_bad_frames_and_closes_that_connection()
{
    expect_raw '*x\r\n' '-ERR Protocol error: invalid multibulk length' &&
        expect_raw '*1\r\n:1\r\n' "-ERR Protocol error: expected '\$', got ':'" &&
        expect_raw '*1\r\n$1\r\nabc\r\n' \
            '-ERR Protocol error: bulk string without CRLF behind it' &&
        expect_raw 'set a "b\r\n' '-ERR Protocol error: unbalanced quotes in request' &&
        expect_raw '*2000000\r\n' '-ERR Protocol error: invalid multibulk length' &&
        expect_raw "$(head -c 70000 /dev/zero | tr '\0' a)" \
            '-ERR Protocol error: too big inline request' && still_serves
}

refuses_web_browsers()
{
    expect_raw 'POST / HTTP/1.1\r\nHost: x\r\n\r\nflushall\r\n' '-ERR this is not a web server' &&
        still_serves
}

forgets_a_client_that_leaves_half_a_frame()
{
    local client i
    for i in {1..20}; do
        exec {client}<> "/dev/tcp/127.0.0.1/$port"
        printf '*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1000000\r\nxxxxx' >&"$client"
        exec {client}>&-
    done
    still_serves && eventually clients_are 1 && eventually descriptors_are_back
}

forgets_a_client_that_leaves_before_its_answer()
{
    local client i
    head -c 5000000 /dev/zero | cli -x set large > /dev/null
    for i in {1..20}; do
        exec {client}<> "/dev/tcp/127.0.0.1/$port"
        printf 'get large\r\nget large\r\nget large\r\n' >&"$client"
        exec {client}>&-
    done
    still_serves && eventually clients_are 1 && eventually descriptors_are_back
}

is_not_held_up_by_a_client_that_never_reads()
{
    local client i
    head -c 5000000 /dev/zero | cli -x set large > /dev/null
    exec {client}<> "/dev/tcp/127.0.0.1/$port"
    for i in {1..50}; do
        printf 'get large\r\n' >&"$client"
    done
    still_serves && expect OK set k v && [ "$(redis-cli -p "$port" shutdown 2>&1)" = "" ] &&
        ends_with 0
    local status=$?
    exec {client}>&-
    return "$status"
}

goes_on_when_descriptors_run_out()
{
    local clients=() client i
    kill_daemon
    descriptors=48
    start
    descriptors=
    expect OK set witness 1 || return
    for i in {1..100}; do
        exec {client}<> "/dev/tcp/127.0.0.1/$port" || return
        clients+=("$client")
    done
    sleep 0.5 # not for something to happen: for the shortage to last
    for client in "${clients[@]}"; do
        exec {client}>&-
    done
    still_serves && eventually clients_are 1
}

# ---------------------------------------------------------------- many

serves_two_hundred_connections_at_once()
{
    local clients=() client i line
    for i in {1..200}; do
        exec {client}<> "/dev/tcp/127.0.0.1/$port" || return
        clients+=("$client")
    done
    i=0
    for client in "${clients[@]}"; do
        printf 'incr n\r\n' >&"$client"
    done
    for client in "${clients[@]}"; do
        read -r -t "$limit" line <&"$client" && [[ $line == :* ]] && i=$((i + 1))
    done
    [ "$i" -eq 200 ] && expect '"200"' get n && eventually clients_are 201
    local status=$?
    for client in "${clients[@]}"; do
        exec {client}>&-
    done
    eventually clients_are 1 && eventually descriptors_are_back && return "$status"
}

answers_ten_thousand_pipelined_commands_in_order()
{
    local i
    {
        for ((i = 1; i <= 2500; i++)); do
            printf 'incr n\r\necho %d\r\nput other n %d\r\nget other n\r\n' "$i" "$i"
        done
        printf 'quit\r\n'
    } > "$dir/commands"
    for ((i = 1; i <= 2500; i++)); do
        printf ':%d\n$%d\n%d\n+OK\n$%d\n%d\n' "$i" "${#i}" "$i" "${#i}" "$i"
    done > "$dir/wanted"
    echo +OK >> "$dir/wanted"
    expect OK create other || return
    exec {client}<> "/dev/tcp/127.0.0.1/$port"
    cat "$dir/commands" >&"$client" &
    timeout "$limit" cat <&"$client" | tr -d '\r' > "$dir/got"
    exec {client}>&-
    wait $!
    cmp "$dir/got" "$dir/wanted"
}

benchmark() # ARGUMENT...
{
    local results
    timeout 120 redis-benchmark -p "$port" -t set,get,incr,mset -c 50 -q "$@" > "$dir/bench" 2>&1
    results=$(tr '\r' '\n' < "$dir/bench" | grep -c 'requests per second')
    if [ "$results" -ne 4 ] || grep -qiE 'error|warning' "$dir/bench"; then
        tr '\r' '\n' < "$dir/bench"
        return 1
    fi
}

speaks_to_redis_benchmark()
{
    benchmark -P 1 -n $((20000 / scale)) && benchmark -P 16 -n $((100000 / scale)) &&
        benchmark -P 1 -n $((20000 / scale)) -r 10000 -d 1000
}

# ---------------------------------------------------------------- crashes

restarts_a_crashed_bucket_and_no_other()
{
    expect OK create a && expect OK create b && expect OK put a k 1 && expect OK put b k 2 &&
        expect OK crash a && expect "(nil)" get a k && expect '"2"' get b k &&
        expect OK put a k 3 && expect '"3"' get a k &&
        [ "$(restarts_of a)$(restarts_of b)$(restarts_of 0)" = 100 ] &&
        cli --raw info keyspace | grep -q '^bucket_a:keys=1,restarts=1' && still_serves
}

crashes_no_bucket_that_does_not_exist()
{
    expect "(error) NOTFOUND no bucket 'none', CREATE it first" crash none && still_serves
}

tells_each_client_the_truth_about_a_crash()
{
    # A connection that knows the old incarnation finds the new one by itself.
    expect OK create a &&
        expect_raw 'put a k 1\r\ncrash a\r\nget a k\r\nput a k 2\r\nget a k\r\nquit\r\n' \
            $'+OK\n+OK\n$-1\n+OK\n$1\n2\n+OK'
}

serves_others_while_a_bucket_keeps_crashing()
{
    local i
    expect OK create a || return
    for i in {1..50}; do
        expect OK crash a || return
    done &
    benchmark -P 4 -n $((20000 / scale)) && wait $! && [ "$(restarts_of a)" = 50 ] && still_serves
}

starts_over_when_buckets_crash_without_end()
{
    local client
    expect OK create a || return
    for _ in {1..120}; do
        echo "crash 0"
    done | cli > "$dir/crashes"
    grep -q OK "$dir/crashes" && expect PONG ping &&
        eventually expect OK set k v && expect '"v"' get k &&
        expect "(error) NOTFOUND no bucket 'a', CREATE it first" get a k &&
        cli --raw tree | grep -q 'kv_server.supervisor .* restarts 0'
}

# ---------------------------------------------------------------- the end

shutdown_ends_it_in_order()
{
    [ "$(cli shutdown 2>&1)" = "" ] && ends_with 0
}

a_signal_ends_it_in_order()
{
    local signal
    for signal in TERM INT; do
        [ -n "$daemon" ] || start
        kill -"$signal" "$daemon" && ends_with 0 || return
    done
}

ends_while_clients_are_busy()
{
    local client clients=()
    for _ in {1..50}; do
        exec {client}<> "/dev/tcp/127.0.0.1/$port" || return
        printf '*2\r\n$3\r\nget\r\n' >&"$client"
        clients+=("$client")
    done
    timeout 60 redis-benchmark -p "$port" -t set,get -c 20 -n 100000000 -q > /dev/null 2>&1 &
    local benchmark=$!
    eventually test "$(cli --raw dbsize)" -ge 1
    kill -TERM "$daemon" && ends_with 0
    local status=$?
    kill "$benchmark" 2> /dev/null
    wait "$benchmark" 2> /dev/null
    for client in "${clients[@]}"; do
        exec {client}>&-
    done
    return "$status"
}

# ---------------------------------------------------------------- running them

passed=0
failed=0
run()
{
    start || { echo "the daemon did not start"; cat "$dir/log"; }
    expect OK set witness 1
    eventually clients_are 1
    idle_descriptors=$(find "/proc/$daemon/fd" -mindepth 1 | wc -l)
    if "$1" > "$dir/why" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1"
        head -n 20 "$dir/why" | cut -c 1-500 | sed 's/^/    /'
        tail -n 20 "$dir/log" | sed 's/^/    | /'
    fi
    # A sanitizer speaks at the end, and anything may have ended what should still run.
    if [ -n "$daemon" ]; then
        kill -TERM "$daemon" 2> /dev/null
        if ! ends_with 0 > "$dir/why" 2>&1; then
            failed=$((failed + 1))
            echo "FAIL $1: afterwards $(cat "$dir/why")"
            tail -n 60 "$dir/log" | sed 's/^/    | /'
            kill_daemon
        fi
    fi
}

if [ $# -eq 0 ]; then
    # Every function above whose name is a sentence, in this order.
    mapfile -t tests < <(sed -n '/^# -.* starting$/,/^# -.* running them$/s/^\([a-z_]*\)()$/\1/p' "$0" |
        grep -v '^benchmark$')
    set -- "${tests[@]}"
fi
for test; do
    run "$test"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
