#!/usr/bin/env bash
# tests/bench/redis.sh - the key-value daemon under redis-benchmark: beside redis-server, or with all that
# watches it beside without.
#
# In each round every program is started, asked and stopped in turn, so that a drift of the machine hits all
# of them alike.  Clients, server and benchmark share the machine, as they do on a developer's.
set -u

usage()
{
    cat << 'END'
usage: [BUILD=build] tests/bench/redis.sh [options]      from the project's root
  -w             the daemon watched (recorder, observer, page and metrics) and not, in place of Redis and
                 the daemon; the page is there with WEB=1
  -n ROUNDS      (default 3)
  -r REQUESTS    of each kind and round without pipelining; ten times as many with it (default 50000)
  -m             the table in Markdown, with the machine and the command: for RESULTS.md
Exit status: 0 all ran, 1 a program failed, 2 bad usage.
END
}

kv=${BUILD:-build}/demos/kv
contestants=(redis kv)
tests=set,get,incr
rounds=3
requests=50000
layout=text
command="make bench-redis${WEB:+ WEB=$WEB}${*:+ ARGS=\"$*\"}"

while getopts wn:r:mh option; do
    case $option in
        w) contestants=(unwatched watched) tests=set,get ;;
        n) rounds=$OPTARG ;;
        r) requests=$OPTARG ;;
        m) layout=markdown ;;
        h) usage && exit 0 ;;
        *) usage >&2 && exit 2 ;;
    esac
done
for number in "$rounds" "$requests"; do
    [[ $number =~ ^[1-9][0-9]*$ ]] || { usage >&2 && exit 2; }
done

work=$(mktemp -d) || exit 2
server=
stop()
{
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2> /dev/null
    server=
}
trap 'stop; rm -rf "$work"' EXIT

fail()
{
    echo "redis.sh: $*" >&2
    exit 1
}

# ---------------------------------------------------------------- who takes part

# How each is started, on $port; what is not in this build is left out of the daemon's.
words_of() # NAME
{
    case $1 in
        redis) words=(redis-server --port "$port" --save "" --appendonly no --dir "$work") ;;
        kv | unwatched) words=("$kv" --port "$port") ;;
        watched)
            words=("$kv" --port "$port" --recorder "$work/recorder" --observer "$work/observer")
            ! "$kv" --help | grep -q -- --web || words+=(--web 0)
            ;;
    esac
}

# Those that the system gives to clients are no server's.
start() # NAME
{
    local tries=50
    port=$((10000 + RANDOM % 20000))
    words_of "$1"
    "${words[@]}" > "$work/out" 2> "$work/err" &
    server=$!
    until redis-cli -p "$port" ping > /dev/null 2>&1; do
        if ! kill -0 "$server" 2> /dev/null || [ "$((tries -= 1))" -eq 0 ]; then
            fail "$1 does not answer: $(head -c 300 "$work/err" "$work/out" | tr '\n' ' ')"
        fi
        sleep 0.1
    done
}

# Lines `NAME COMMAND PIPELINE REQUESTS_PER_SECOND` to $work/raw.
measure() # NAME PIPELINE REQUESTS
{
    redis-benchmark -p "$port" -t "$tests" -c 50 -P "$2" -n "$3" --csv 2> "$work/err" |
        tr -d '"' | awk -F , -v name="$1" -v pipeline="$2" \
        '$2 + 0 > 0 { print name, tolower($1), pipeline, $2 }' > "$work/lines"
    [ "$(wc -l < "$work/lines")" -eq "$(tr , '\n' <<< "$tests" | wc -l)" ] ||
        fail "redis-benchmark of $1: $(head -c 300 "$work/err")"
    cat "$work/lines" >> "$work/raw"
}

for ((round = 1; round <= rounds; round++)); do
    for name in "${contestants[@]}"; do
        start "$name"
        measure "$name" 1 "$requests"
        measure "$name" 16 "$((10 * requests))"
        stop
    done
done

# ---------------------------------------------------------------- saying

machine()
{
    echo "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores;" \
        "Linux $(uname -r | cut -d . -f 1-2); $(redis-server --version | cut -d ' ' -f 1-3)"
}

if [ "$layout" = markdown ]; then
    cat << END
Made by \`$command\`, $(date -u +%Y-%m-%d), on $(machine). Requests per second of
\`redis-benchmark -t $tests -c 50\`, medians of $rounds rounds; more is better. The last column is the second
in terms of the first.

END
fi

sort -k 1,1 -k 2,2 -k 3,3n -k 4,4n "$work/raw" | awk -v layout="$layout" \
    -v first="${contestants[0]}" -v second="${contestants[1]}" -v tests="$tests" '
    function median(key) {
        n = count[key]
        return (values[key, int((n + 1) / 2)] + values[key, int(n / 2) + 1]) / 2
    }
    { values[$1 " " $2 " " $3, ++count[$1 " " $2 " " $3]] = $4 }
    END {
        line = layout == "markdown" ? "| %s | %s | %s | %s | %s |\n" : "%-8s %8s %12s %12s %8s\n"
        printf line, "command", "pipeline", first, second, "ratio"
        if (layout == "markdown") {
            print "|---|---:|---:|---:|---:|"
        }
        number = split(tests, names, ",")
        for (p = 1; p <= 16; p += 15) {
            for (i = 1; i <= number; i++) {
                a = median(first " " names[i] " " p)
                b = median(second " " names[i] " " p)
                printf line, names[i], p, sprintf("%.0f", a), sprintf("%.0f", b), sprintf("%.2f", b / a)
            }
        }
    }'
