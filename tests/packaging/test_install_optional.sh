#!/bin/sh
# tests/packaging/test_install_optional.sh - what make install-NAME leaves, for each optional library that
# tests need anyway; the page has a suite of its own.
set -u

# shellcheck source=tests/support/check.sh
. tests/support/check.sh
only_plain

export PKG_CONFIG_PATH="$stage/opt/coppice/lib/pkgconfig"
export PKG_CONFIG_SYSROOT_DIR="$stage"
lib=$stage/opt/coppice/lib

exports_nothing_but_the_api()
{
    ! nm -D --defined-only "$lib/libcoppice-$name.so" | awk '$NF !~ /^cop_/ && $2 != "A" { print; found = 1 } END { exit !found }' &&
        ! nm -g --defined-only "$lib/libcoppice-$name.a" 2> /dev/null |
            awk 'NF == 3 && $3 !~ /^copi?_/ { print; found = 1 } END { exit !found }'
}

stands_on_the_api()
{
    ! nm -u "$lib/libcoppice-$name.so" | awk '$NF ~ /^copi_/ { print; found = 1 } END { exit !found }'
}

builds()
{
    printf '#include <coppice-%s.h>\nint main(void) { return cop_now() <= 0; }\n' "$name" > "$stage/program.c"
    # shellcheck disable=SC2046  # one word per flag
    ${CC:-cc} -Wall -Wextra -Werror "$stage/program.c" -Wl,--no-as-needed -o "$stage/program" \
        $(pkg-config --cflags --libs "coppice-$name")
}

leaves_nothing()
{
    make -s uninstall DESTDIR="$stage" PREFIX=/opt/coppice &&
        [ -z "$(find "$stage/opt" ! -type d | tee /dev/stderr)" ]
}

for header in include/coppice-*.h; do
    name=${header#include/coppice-}
    name=${name%.h}
    [ "$name" = web ] && continue
    check "$name: installs below a prefix" make -s "install-$name" DESTDIR="$stage" PREFIX=/opt/coppice
    check "$name: exports nothing but the API" exports_nothing_but_the_api
    check "$name: uses nothing of the library but the API" stands_on_the_api
    check "$name: builds against the shared library" builds
    check "$name: which runs" env LD_LIBRARY_PATH="$lib" "$stage/program"
    check "$name: uninstalls every file" leaves_nothing
done

summary
