#!/usr/bin/env bash
# tests/model/run.sh - let spin search every model, and find the fault in each of its broken variants.
#
#   usage: [LONG=1] tests/model/run.sh [MODEL…]
#
# A model says in its head what it models (Models: FILE FUNCTION…), with which numbers it is run (Run:,
# with LONG=1 also Long:), and what its broken variants are (a number and a sentence). A variant is to be
# found with one of these numbers; one that needs more says so (long).
#
# tests/model/held has a checksum of each function as it was when the model was held against it. When one
# has changed, look whether the model still says what it does; then write it anew with HOLD=1.
set -u
cd "$(dirname "$0")/../.." || exit 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
held=tests/model/held
passed=0
failed=0

# verdict STATUS WHAT
verdict()
{
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL: $2"
    fi
}

# lines_of MODEL WORD: what stands behind `WORD:` in its head.
lines_of()
{
    sed -n "s/^ \* $2: *//p" "$1"
}

# text_of FILE FUNCTION: its definition, without what only lays it out.
text_of()
{
    awk -v name="$2" '
        { line[NR] = $0 }
        $0 ~ "^([a-z].*[ *])?" name "\\(" { at = NR }
        at && /^}/ { for (i = at; i <= NR; i++) print line[i]; exit }' "$1" |
        sed 's,/\*.*\*/,,' | tr -d ' \t\n'
}

# sums_of MODEL: a line for each function that it models.
sums_of()
{
    local file functions function text
    lines_of "$1" Models | while read -r file functions; do
        for function in $functions; do
            text=$(text_of "$file" "$function")
            echo "$(basename "$1") $file $function $(printf %s "$text" | cksum | tr ' ' -)"
        done
    done
}

# search MODEL NUMBERS…: prints how many states there are; 0: nothing was found, 1: something was.
search()
{
    local model=$PWD/$1
    shift
    (
        cd "$work" && rm -f pan* && spin "$@" -a "$model" > spin.log 2>&1 &&
            gcc -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c &&
            timeout 900 ./pan -m1000000 -w22 > pan.log 2>&1
    ) || { cat "$work"/*.log >&2 && return 2; }
    grep -q 'max search depth too small\|out of memory' "$work/pan.log" && return 2
    sed -nE 's/^ *([0-9.e+]+) states, stored.*/\1/p' "$work/pan.log" | head -n 1
    grep -q 'errors: 0$' "$work/pan.log"
}

# numbers_of MODEL: a line for each run.
numbers_of()
{
    lines_of "$1" Run
    [ -z "${LONG:-}" ] || lines_of "$1" Long
}

check_model()
{
    local name numbers states variant sentence found
    name=$(basename "$1" .pml)
    while read -r numbers; do
        # shellcheck disable=SC2086 # several words
        states=$(search "$1" $numbers)
        verdict $? "$name $numbers"
        printf '%-8s %-42s %12s states\n' "$name" "$numbers" "$states"
    done < <(numbers_of "$1")
    while read -r variant sentence; do
        [ -n "${LONG:-}" ] || [[ $sentence != *"(long)"* ]] || continue
        found=1
        while [ $found -ne 0 ] && read -r numbers; do
            # shellcheck disable=SC2086 # several words
            search "$1" $numbers "-DBROKEN=$variant" > /dev/null
            [ $? -eq 1 ] && found=0
        done < <(numbers_of "$1")
        verdict $found "$name: not found: $sentence"
        [ $found -ne 0 ] || printf '%-8s found: %s\n' "$name" "$sentence"
    done < <(sed -nE 's/^ \*   ([0-9]+)  (.*)/\1 \2/p' "$1")
}

[ $# -gt 0 ] || set -- tests/model/*.pml
if [ -n "${HOLD:-}" ]; then
    for model in tests/model/*.pml; do sums_of "$model"; done > $held
    exit
fi
for model in "$@"; do
    [ -r "$model" ] || { verdict 1 "no such model: $model" && continue; }
    while read -r line; do
        grep -qxF "$line" $held && [[ $line != *-0 ]]
        verdict $? "changed since the model was held against it, or not there: $line"
    done < <(sums_of "$model")
    check_model "$model"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
