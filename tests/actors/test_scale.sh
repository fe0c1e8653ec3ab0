#!/bin/sh
# tests/actors/test_scale.sh - many idle servers, and one too many, in a size for every day.
#
# The full size is `make build/tests/stress/idle && build/tests/stress/idle`: it fills the machine.
set -u

build=${BUILD:-build}
if ! make -s SAN="${SAN:-}" BUILD="$build" "$build/tests/stress/idle"; then
    echo "0 passed, 1 failed"
    exit 1
fi
exec "$build/tests/stress/idle" 500 1000
