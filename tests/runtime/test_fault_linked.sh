#!/bin/sh
# tests/runtime/test_fault_linked.sh - what is contained depends on how a program is linked.
#
# The application's code is told from the runtime's and from libc's by where it lies: with the archive,
# with the shared library, and not at all in a static program, where nothing may be contained.
set -u

# shellcheck source=tests/support/check.sh
. tests/support/check.sh
only_plain

build=$(cd "${BUILD:-build}" && pwd)

cat > "$stage/program.c" << 'END'
#include <coppice.h>
#include <stdio.h>
#include <stdlib.h>

static int *volatile nowhere = (int *)16;

static int
fault_here(cop_bytes arg)
{
    (void)arg;
    return *nowhere;
}

static int
fault_in_the_runtime(cop_bytes arg)
{
    (void)arg;
    cop_msg_release((cop_msg *)(void *)nowhere);
    return 0;
}

int
main(int argc, char **argv)
{
    cop_ref ended;
    cop_msg msg;
    cop_contain_faults(true);
    (void)argv;
    if (cop_spawn(NULL, argc > 1 ? fault_in_the_runtime : fault_here, .monitor = &ended) != 0
        || cop_receive(&msg, COP_SEC(20)) != 0) {
        return 1;
    }
    return COP_BODY(msg, struct cop_down)->reason.kind == COP_FAULTED && cop_tainted() == 1 ? 42 : 2;
}
END

# link NAME FLAG…
link_program()
{
    out=$stage/$1
    shift
    # shellcheck disable=SC2086  # CC may carry arguments
    ${CC:-cc} -std=c11 -O1 -g -pthread -Iinclude -o "$out" "$stage/program.c" "$@"
}

# ends STATUS PROGRAM [ARG]
ends()
{
    wanted=$1
    shift
    LD_LIBRARY_PATH=$build "$@"
    status=$?
    [ "$status" -eq "$wanted" ] || { echo "status $status, not $wanted" && false; }
}
contained=42
dead=139 # 128 + SIGSEGV

check "links with the archive" link_program archive "$build/libcoppice.a" -lck
check "links with the shared library" link_program shared -L"$build" -lcoppice
check "links as a static program" link_program static -static "$build/libcoppice.a" -lck
check "with the archive a fault of the program's is contained" ends $contained "$stage/archive"
check "with the archive a fault of the runtime's is not" ends $dead "$stage/archive" runtime
check "with the shared library a fault of the program's is contained" ends $contained "$stage/shared"
check "with the shared library a fault of the runtime's is not" ends $dead "$stage/shared" runtime
check "in a static program nothing is contained" ends $dead "$stage/static"
check "in a static program a fault of the runtime's is not either" ends $dead "$stage/static" runtime

summary
