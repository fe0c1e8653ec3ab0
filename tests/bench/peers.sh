#!/usr/bin/env bash
# tests/bench/peers.sh - our benches and those of the peers, side by side, round by round.
#
# In each round every bench runs once in every program, next to each other, so that a drift of the
# machine hits all of them alike.  A peer that cannot be had is skipped with one line.  What each bench
# measures, and where the peers differ: tests/bench/peers/README.md.
# shellcheck disable=SC2317  # the ready_PEER functions are called by built names
set -u

usage()
{
    cat << 'END'
usage: [BUILD=build] tests/bench/peers.sh [options] [BENCH…]      from the project's root
  -n ROUNDS      each runs every bench once in every program (default 5)
  -p PEER,…      only these: coppice erlang elixir go caf caf_detached
  -s SCALE       multiply all counts (default 1)
  -t SECONDS     time limit for one program (default 120)
  -q PERCENT     throw a run away and try it again, up to -r times, 5 seconds later, if other
                 processes used more than PERCENT of the machine's CPU time meanwhile (default 100:
                 never)
  -r TRIES       tries for -q (default 20); then the quietest one is kept
  -o FILE        append every line of every program to FILE
  -m             the table in Markdown, with the machine and the command: for RESULTS.md
Exit status: 0 all ran, 1 a program failed or found a wrong count, 2 bad usage.
END
}

build=${BUILD:-build}
here=tests/bench
stage=$build/peers
all_peers=(coppice erlang elixir go caf caf_detached)

rounds=5
scale=1
limit=120
quiet=100
tries=20
copy=/dev/null
layout=text
peers=("${all_peers[@]}")
benches=()
command="make bench-peers${*:+ ARGS=\"$*\"}"

die()
{
    printf 'peers: %s\n' "$*" >&2
    exit 2
}

note()
{
    printf 'peers: %s\n' "$*" >&2
}

# known WORD LIST…
known()
{
    local word=$1 other
    shift
    for other; do
        [ "$word" = "$other" ] && return 0
    done
    return 1
}

while getopts n:p:s:t:q:r:o:mh option; do
    case $option in
        n) rounds=$OPTARG ;;
        p) IFS=, read -r -a peers <<< "$OPTARG" ;;
        s) scale=$OPTARG ;;
        t) limit=$OPTARG ;;
        q) quiet=$OPTARG ;;
        r) tries=$OPTARG ;;
        o) copy=$OPTARG ;;
        m) layout=markdown ;;
        h) usage && exit 0 ;;
        *) usage >&2 && exit 2 ;;
    esac
done
shift $((OPTIND - 1))

[ -x "$build/bench" ] || die "no $build/bench: see make bench-peers"
mapfile -t all_benches < <("$build/bench" --list)
benches=("$@")
[ $# -gt 0 ] || benches=("${all_benches[@]}")
for number in "$rounds" "$limit" "$tries"; do
    [[ $number =~ ^[1-9][0-9]*$ ]] || die "not a number: $number"
done
[[ $quiet =~ ^[0-9]+$ ]] || die "not a percentage: $quiet"
[[ $scale =~ ^[0-9]*\.?[0-9]+$ ]] || die "not a scale: $scale"
for bench in "${benches[@]}"; do
    known "$bench" "${all_benches[@]}" || die "no such bench: $bench"
done
for peer in "${peers[@]}"; do
    known "$peer" "${all_peers[@]}" || die "no such peer: $peer"
done

# ---------------------------------------------------------------- building

mkdir -p "$stage" || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

# obtained PEER: what it needs is there, or can be installed.
obtained()
{
    .ci/deps "$1" > "$work/deps.log" 2>&1 && return
    tail -n 1 "$work/deps.log"
    return 1
}

# built OUTPUT SOURCE COMMAND…: unless it is newer.
built()
{
    local output=$1 source=$2
    shift 2
    [ -e "$output" ] && [ ! "$source" -nt "$output" ] && return
    "$@" > "$work/build.log" 2>&1 && return
    echo "does not build: $(grep -m 1 error "$work/build.log")"
    return 1
}

# Each returns 0 if the peer can run, or says why not.
ready_coppice()
{
    true
}

ready_erlang()
{
    obtained erlang &&
        built "$stage/bench.beam" "$here/peers/erlang/bench.erl" \
            erlc -o "$stage" "$here/peers/erlang/bench.erl"
}

ready_elixir()
{
    obtained elixir
}

ready_go()
{
    obtained go &&
        built "$stage/go-bench" "$here/peers/go/main.go" \
            env GO111MODULE=off go build -o "$stage/go-bench" "$here/peers/go/main.go"
}

ready_caf()
{
    obtained caf &&
        built "$stage/caf-bench" "$here/peers/caf/bench.cpp" \
            g++ -O2 -std=c++17 -o "$stage/caf-bench" "$here/peers/caf/bench.cpp" -lcaf_core -pthread
}

ready_caf_detached()
{
    ready_caf
}

usable=()
for peer in "${peers[@]}"; do
    if why=$("ready_$peer"); then
        usable+=("$peer")
    else
        note "$peer is skipped: $why"
    fi
done
[ ${#usable[@]} -gt 0 ] || die "none of them can run here"

# ---------------------------------------------------------------- running

# scale_of PEER BENCH
scale_of()
{
    local factor=1
    case $1:$2 in
        # Where every message is a context switch, a fifth of them is enough.
        caf_detached:call* | caf_detached:ring* | caf_detached:task | caf_detached:agent_update)
            factor=0.2
            ;;
        # So many leaves as there can be threads for; the same for all, as the figure is no rate.
        *:skynet) factor=0.01 ;;
    esac
    awk -v a="$scale" -v b="$factor" 'BEGIN { printf "%.6g", a * b }'
}

# set_words PEER BENCH SCALE: the command.
set_words()
{
    case $1 in
        coppice) words=("$build/bench") ;;
        erlang)
            words=(erl -noshell -noinput -pa "$stage")
            # More processes alive at once than the default limit of 262,144.
            [ "$2" = skynet ] && words+=(+P 2000000)
            words+=(-run bench main)
            ;;
        elixir) words=(elixir "$here/peers/elixir/bench.exs") ;;
        go) words=("$stage/go-bench") ;;
        caf) words=("$stage/caf-bench") ;;
        caf_detached) words=("$stage/caf-bench" --detached) ;;
    esac
    words+=("$2" "$3")
}

hz=$(getconf CLK_TCK)
cores=$(nproc)

# machine_busy: seconds of CPU time of the whole machine that was not idle, and the time of day.
machine_busy()
{
    awk -v hz="$hz" -v now="${EPOCHREALTIME/,/.}" '
        $1 == "cpu" { printf "%.2f %s\n", ($2 + $3 + $4 + $7 + $8 + $9) / hz, now; exit }' /proc/stat
}

# measured: runs the command; sets status and other, the percentage of the machine that others used.
measured()
{
    local busy0 wall0 busy1 wall1
    read -r busy0 wall0 < <(machine_busy)
    TIMEFORMAT='%U %S'
    { time timeout -k 5 "$limit" "${words[@]}" > "$work/out" 2> "$work/err" < /dev/null; } \
        2> "$work/time"
    status=$?
    read -r busy1 wall1 < <(machine_busy)
    other=$(tail -n 1 "$work/time" |
        awk -v b0="$busy0" -v b1="$busy1" -v w0="$wall0" -v w1="$wall1" -v cores="$cores" '{
            x = 100 * (b1 - b0 - $1 - $2) / ((w1 - w0) * cores)
            printf "%.0f", (x < 0 ? 0 : x > 100 ? 100 : x) }')
}

# keep_quietest: sets status; the lines, with the share of the others in each, are in $work/best.
keep_quietest()
{
    local try best=101
    : > "$work/best"
    for ((try = 1; try <= tries; try++)); do
        [ "$try" -eq 1 ] || sleep 5
        measured
        [ "$status" -eq 0 ] || return
        if [ "$other" -lt "$best" ]; then
            best=$other
            sed "s/}\$/,\"other\":$other}/" "$work/out" > "$work/best"
        fi
        [ "$other" -le "$quiet" ] && return
    done
}

: > "$work/raw"
failed=0
declare -A has_none=()
for ((round = 1; round <= rounds; round++)); do
    note "round $round of $rounds"
    for bench in "${benches[@]}"; do
        for peer in "${usable[@]}"; do
            [ -z "${has_none[$peer:$bench]:-}" ] || continue
            set_words "$peer" "$bench" "$(scale_of "$peer" "$bench")"
            keep_quietest
            if [ "$status" -ne 0 ] || [ ! -s "$work/best" ]; then
                note "$peer $bench FAILED (status $status): $(head -c 300 "$work/err" | tr '\n' ' ')"
                failed=1
                continue
            fi
            ! grep -q '"value":null' "$work/best" || has_none[$peer:$bench]=1
            tee -a "$copy" < "$work/best" >> "$work/raw"
        done
    done
done

# ---------------------------------------------------------------- saying

version_of()
{
    case $1 in
        coppice) echo "$("${CC:-cc}" --version | head -n 1), ${CFLAGS:--O2 -g}" ;;
        erlang)
            # shellcheck disable=SC2016  # Erlang's
            erl -noshell -eval 'io:format("Erlang/OTP ~s, erts ~s, default flags",
                [erlang:system_info(otp_release), erlang:system_info(version)]), halt().'
            ;;
        elixir) elixir --version | tail -n 1 ;;
        go) go version ;;
        caf) echo "CAF $(dpkg-query -W -f '${Version}' libcaf-dev 2> /dev/null), g++ -O2, its pool" ;;
        caf_detached) echo "the same, a thread for every actor" ;;
    esac
}

of_file()
{
    sed -n "s/^$2[[:space:]]*[:=][[:space:]]*//p" "$1" | head -n 1 | tr -d '"'
}

machine()
{
    echo "$(of_file /proc/cpuinfo 'model name'), $cores cores," \
        "$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GB of memory;" \
        "Linux $(uname -r | cut -d . -f 1-2), $(of_file /etc/os-release PRETTY_NAME);" \
        "\`pid_max\` $(cat /proc/sys/kernel/pid_max)," \
        "\`max_map_count\` $(cat /proc/sys/vm/max_map_count)"
}

preface()
{
    local peer
    printf '# What it costs, side by side\n\n'
    echo "Made by \`$command\`, $(date -u +%Y-%m-%d)."
    printf 'Medians of %s rounds at scale %s.\n' "$rounds" "$scale"
    if [ "$rounds" -lt 3 ] || [ "$scale" != 1 ]; then
        echo '**A small run, for the layout only: no figure in it means anything.** A full one:'
        echo "\`make -s bench-peers ARGS=\"-q 5 -m\" > tests/bench/RESULTS.md\`"
    fi
    printf '\n- machine: %s\n' "$(machine)"
    for peer in "${usable[@]}"; do
        printf -- '- %s: %s\n' "$peer" "$(version_of "$peer")"
    done
    cat << 'END'

Less is better everywhere. Behind each peer's median is how many times as much coppice needs; the table
begins with the worst of these ratios. `others`: the largest share of the machine that other programs
used during a run. What each bench measures stands in `peers/README.md`.

END
}

[ "$layout" = text ] || preface
awk -v layout="$layout" -f "$here/peers.awk" "$work/raw"
exit "$failed"
