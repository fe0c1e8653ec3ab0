#!/usr/bin/env bash
# tests/supervisor/observe/test_top.sh - coppice-top in a real terminal, which tmux is, before a real daemon.
#
# Room: tests/.  Needs BUILD.  The last line is `N passed, N failed`.
set -u

build=${BUILD:-build}
folder=$(mktemp -d)
socket=$folder/observer
log=$folder/log
daemon=
unset COPPICE_OBSERVER NO_COLOR
export LC_ALL=C.UTF-8

passed=0
failed=0

# tm COMMAND…: of a tmux of this test's own.
tm()
{
    tmux -S "$folder/tmux" -f /dev/null "$@" 2>> "$log"
}

clean_up()
{
    tm kill-server
    stop_daemon
    rm -rf "$folder"
}
trap clean_up EXIT

start_daemon()
{
    COPPICE_RECORDER=$folder/recorder "$build/observed" "$socket" "$@" 2>> "$log" &
    daemon=$!
    eventually [ -S "$socket" ]
}

stop_daemon()
{
    [ -n "$daemon" ] || return 0
    kill -KILL "$daemon" 2> /dev/null
    wait "$daemon" 2> /dev/null
    daemon=
}

# eventually COMMAND…: until it holds, for as long as a busy machine may need.
eventually()
{
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}

screen()
{
    tm capture-pane -p -t top
}

shows()
{
    screen | grep -qE -- "$1"
}

hides()
{
    ! shows "$1"
}

is_gone()
{
    ! tm has-session -t top
}

keys()
{
    tm send-keys -t top "$@"
}

# check NAME COMMAND…: one test; COMMAND has to hold within the time.
check()
{
    local name=$1
    shift
    if eventually "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
        screen | sed 's/^/    |/'
        tail -n 3 "$log" | sed 's/^/    /'
    fi
}

# top [ENVIRONMENT…]: it runs in a terminal of 100 columns and 24 lines.
top()
{
    tm new-session -d -s top -x 100 -y 24 env "$@" "$build/coppice-top" --interval 0.2 "$socket"
}

# first_is NAME: in the row below the titles.
first_is()
{
    screen | sed -n 3p | grep -qE "^ *$1 "
}

has_nine_rows()
{
    [ "$(screen | grep -cE '<[0-9]+\.[0-9]+>')" = 9 ]
}

is_wide()
{
    screen | sed -n 2p | grep -q RESTARTS
}

# ---------------------------------------------------------------- as text

once()
{
    "$build/coppice-top" --once "$@" > "$folder/out" 2> "$folder/err"
}

fails_with_one_line()
{
    ! once "$folder/nobody" && [ ! -s "$folder/out" ] && [ "$(wc -l < "$folder/err")" = 1 ] &&
        grep -q 'No such file or directory' "$folder/err"
}

refuses_what_it_does_not_know()
{
    local status
    once --sort colour "$socket"
    status=$?
    [ $status = 2 ] && grep -q ^usage: "$folder/err" && ! once && ! once --interval 0 "$socket" &&
        ! once --frobnicate "$socket" && ! once "$socket" "$socket"
}

prints_a_picture()
{
    once "$socket" && head -n 1 "$folder/out" | grep -qE '^observed [0-9]+, up .* processes' &&
        grep -qE '^  root +<' "$folder/out" && grep -qE '^    hung +<.*handle_info' "$folder/out" &&
        grep -qE '^    waits +<.*call hung' "$folder/out"
}

prints_in_order()
{
    COPPICE_OBSERVER=$socket once --sort mailbox && sed -n 3p "$folder/out" | grep -q '^hung '
}

# A pipe is no terminal.
prints_into_a_pipe()
{
    "$build/coppice-top" "$socket" 2>> "$log" < /dev/null | grep -q '^  root '
}

tells_how_it_is_used()
{
    once --help && grep -q ^usage: "$folder/out" && [ ! -s "$folder/err" ]
}

check "--help says how it is used" tells_how_it_is_used
check "without a daemon it says so in one line" fails_with_one_line
check "options that it does not know are refused" refuses_what_it_does_not_know
start_daemon 3
tm new-session -d -s keeper # so that the server stays when a test's session ends
check "--once prints a picture" prints_a_picture
check "--sort sorts it" prints_in_order
check "a pipe gets a picture, too" prints_into_a_pipe

# ---------------------------------------------------------------- on a terminal

top
check "it opens with the tree" shows '^  root +<.*one_for_one'
check "children stand below it" shows '^      worker-2 +<.*sleep'
check "who is stuck is seen, with its mailbox" shows '^    hung .*handle_info [0-9].* 8 '
check "who waits is seen, and for whom" shows '^    waits .*call hung'
check "who is held is seen" shows '^    held .*suspended'
check "messages in a second are seen" shows '^    quiet .* [1-9][0-9]* +0 '

keys m
check "m sorts by mailbox" first_is hung
keys s
check "s sorts by messages" first_is quiet
keys r
check "r sorts by restarts" first_is brief
keys t
check "t is the tree again" first_is thread

keys a
check "a sorts by age, the youngest first" first_is brief
keys t
check "t is the tree after that, too" first_is thread

keys / h u x BSpace
check "what is searched for is shown, and can be taken back" shows '^/hu_'
keys Escape
check "and given up" hides '^/hu'
keys / w o r k e r Enter n Enter
check "n goes on to the next that is found" shows '^child +worker-1 '
keys q
check "and q goes back from it" shows '^  root '

keys / h u n g Enter
keys Enter
check "a node that was searched for is opened" shows '^child +hung of root <'
check "its details are there" shows '^mailbox +8 messages'
keys q
check "q goes back" shows '^  root '

keys / q u i e t Enter Enter
check "what it did last is there" shows '[0-9]s ago +call hello .*reply'
goes_down()
{
    keys Down
    hides '^kind '
}
check "and is scrolled" goes_down
keys Escape
keys / b r i e f Enter Enter
check "who ends while it is open is seen to" shows ' has ended'
check "and what it did last stays" shows 'ago +.*Input/output error'
keys q
check "q goes back from there, too" shows '^  root '

keys Down Up Home End PPage NPage G g
check "moving about does no harm" shows '^  root '

tm resize-window -t top -x 40 -y 10
check "in a narrow window there is less" hides RESTARTS
check "and the names and states are still there" shows '^    hung +handle_info'
tm resize-window -t top -x 10 -y 2
tm resize-window -t top -x 1 -y 1
tm resize-window -t top -x 120 -y 30
check "a window that grows shows it again" is_wide

# ---------------------------------------------------------------- the daemon leaves

stop_daemon
check "it says that the daemon has gone" shows "trying again"
check "the last picture stays" shows '^  root '
start_daemon 40
check "it finds the next daemon" shows 'worker-9'
check "and forgets that one had gone" hides "trying again"

kill -STOP "$daemon"
check "a daemon that is silent is told of" shows "no answer yet"
kill -CONT "$daemon"
check "until it speaks again" hides "no answer yet"

tm resize-window -t top -x 100 -y 12
keys t Home
check "there are as many rows as there is room for" has_nine_rows
# Pressed again while there is not yet all that there will be, or where a slow machine takes the key apart.
goes_to_the_end()
{
    keys End
    shows 'worker-39'
}
check "the last is reached" goes_to_the_end
keys Home
check "and the first again" first_is thread

keys q
check "q quits" is_gone

# ---------------------------------------------------------------- other terminals

top NO_COLOR=1
check "without colours it is the same" shows '^    hung .*handle_info'
tm capture-pane -p -e -t top > "$folder/out"
no_colour()
{
    ! grep -qE $'\x1b\\[[0-9;]*3[0-7]m' "$folder/out"
}
check "and has none" no_colour
keys q
check "and quits" is_gone

top TERM=no-such-terminal
check "a terminal that nobody knows gets lines" shows '^      worker-39 '
keys C-c
check "until an interrupt" is_gone

top TERM=dumb
check "a terminal that cannot be drawn on gets lines" shows '^      worker-39 '
keys C-c
check "and an interrupt ends it" is_gone

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
