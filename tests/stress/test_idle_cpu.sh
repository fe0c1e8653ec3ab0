#!/bin/sh
# tests/stress/test_idle_cpu.sh - a thousand idle servers use no processor, for two seconds.
#
# Longer: `make build/tests/stress/idle_cpu && build/tests/stress/idle_cpu 1000 60`.
set -u

build=${BUILD:-build}
if ! make -s SAN="${SAN:-}" BUILD="$build" "$build/tests/stress/idle_cpu"; then
    echo "0 passed, 1 failed"
    exit 1
fi
case ${SAN:-} in
    *thread*) exec "$build/tests/stress/idle_cpu" 100 2 ;; # its own thread is never idle
    *) exec "$build/tests/stress/idle_cpu" 1000 2 ;;
esac
