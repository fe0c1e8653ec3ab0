#!/bin/sh
# tests/packaging/test_cxx.sh - the headers in other languages than the library's own: C11 without any
# extension, and C++17; a program in C++ works.
set -u

# shellcheck source=tests/support/check.sh
. tests/support/check.sh
only_plain

build=${BUILD:-build}

# Without _GNU_SOURCE and without an extension: a program may be stricter than we are.
strict_c()
{
    for header in include/coppice.h include/coppice/*.h; do
        echo "#include \"$header\"" | "$1" -std=c11 -pedantic-errors -Wall -Wextra -Werror -I. -Iinclude \
            -fsyntax-only -x c - || return
    done
}

in_cxx()
{
    "$1" -std=c++17 -pedantic-errors -Wall -Wextra -Werror -Iinclude -o "$stage/visitor" tests/packaging/visitor.cc \
        "$build/libcoppice.a" -lck -pthread && timeout 20 "$stage/visitor"
}

for compiler in gcc clang; do
    if command -v "$compiler" > /dev/null; then
        check "with $compiler the headers are C11 and nothing else" strict_c "$compiler"
    fi
done
for compiler in g++ clang++; do
    if command -v "$compiler" > /dev/null; then
        check "a program of $compiler's works" in_cxx "$compiler"
    fi
done
summary
