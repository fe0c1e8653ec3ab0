# shellcheck shell=sh
# tests/support/check.sh - what tests that are scripts share; they read it with `.` and end with `summary`.
#
#   only_plain                 skips under a sanitizer: what is built as by a stranger has none to match ours
#   check SENTENCE COMMAND…    counts, and shows what a command said that failed
#   $stage                     a folder that goes with the test

only_plain()
{
    [ -n "${SAN:-}" ] || return 0
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
passed=0
failed=0

check()
{
    sentence=$1
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n%s\n' "$sentence" "$output"
    fi
}

summary()
{
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
