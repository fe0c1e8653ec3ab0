#!/usr/bin/env bash
# tests/bench/recorder.sh - what the flight recorder costs: benches without it and with it.
#
# Both in turn, round by round, so that a drift of the machine hits both alike.
set -u

usage()
{
    cat << 'END'
usage: [BUILD=build] tests/bench/recorder.sh [options] [BENCH...]      from the project's root
  -n ROUNDS   (default 15)
  -s SCALE    of each bench (default 0.5)
  -m          the table in Markdown, with the machine and the command: for RESULTS.md
  BENCH       (default: cast call call_4to1 agent_update task restart)
Exit status: 0 all ran, 1 a bench failed, 2 bad usage.
END
}

bench=${BUILD:-build}/bench
rounds=15
scale=0.5
layout=text
command="make bench-recorder${*:+ ARGS=\"$*\"}"

while getopts n:s:mh option; do
    case $option in
        n) rounds=$OPTARG ;;
        s) scale=$OPTARG ;;
        m) layout=markdown ;;
        h) usage && exit 0 ;;
        *) usage >&2 && exit 2 ;;
    esac
done
[[ $rounds =~ ^[1-9][0-9]*$ ]] || { usage >&2 && exit 2; }
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- cast call call_4to1 agent_update task restart

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
[ -d /dev/shm ] && ring=$(mktemp -d -p /dev/shm) || ring=$work # in memory, as /run is
trap 'rm -rf "$work" "$ring"' EXIT

# Lines `FIGURE UNIT off|on VALUE` to $work/raw.
measure() # BENCH off|on
{
    local path=
    [ "$2" = off ] || path=$ring/recording
    if ! COPPICE_RECORDER=$path "$bench" "$1" "$scale" > "$work/said" 2> "$work/err"; then
        echo "recorder.sh: $1: $(head -c 300 "$work/err")" >&2
        exit 1
    fi
    [ "$2" = off ] || [ -s "$path" ] || { echo "recorder.sh: nothing was recorded" >&2 && exit 1; }
    sed -nE 's|^\{"bench":"([^"]+)",.*"unit":"([^"]+)","value":([0-9.]+).*|\1 \2 '"$2"' \3|p' \
        "$work/said" >> "$work/raw"
}

for name in "$@"; do
    for ((round = 1; round <= rounds; round++)); do
        measure "$name" off
        measure "$name" on
    done
done

if [ "$layout" = markdown ]; then
    cat << END
Made by \`$command\`, $(date -u +%Y-%m-%d). Medians of $rounds rounds, and the smallest; less is better. The last
two columns are what is more with the recorder, of the medians and of the smallest.

END
fi

sort -k 1,1 -k 3,3 -k 4,4n "$work/raw" | awk -v layout="$layout" '
    function median(key) {
        n = count[key]
        return (values[key, int((n + 1) / 2)] + values[key, int(n / 2) + 1]) / 2
    }
    function both(key) { return sprintf("%.1f (%.1f)", median(key), values[key, 1]) }
    function more(with, without) { return sprintf("%+.1f%%", 100 * (with / without - 1)) }
    !($1 in unit) { order[++figures] = $1; unit[$1] = $2 }
    { values[$1 " " $3, ++count[$1 " " $3]] = $4 }
    END {
        line = layout == "markdown" ? "| %s | %s | %s | %s | %s | %s |\n" : "%-14s %-12s %22s %22s %8s %8s\n"
        printf line, "bench", "unit", "without", "with", "more", "least"
        if (layout == "markdown") {
            print "|---|---|---:|---:|---:|---:|"
        }
        for (i = 1; i <= figures; i++) {
            name = order[i]
            off = name " off"
            on = name " on"
            printf line, name, unit[name], both(off), both(on), more(median(on), median(off)),
                more(values[on, 1], values[off, 1])
        }
    }'
