#!/bin/sh
# tests/web/test_install.sh - what make install-web leaves is what a user's build needs.
set -u

# shellcheck source=tests/support/check.sh
. tests/support/check.sh
only_plain

export PKG_CONFIG_PATH="$stage/opt/coppice/lib/pkgconfig"
export PKG_CONFIG_SYSROOT_DIR="$stage"
lib=$stage/opt/coppice/lib

# builds OUT FLAG…: FLAGs go to pkg-config.
builds()
{
    out=$stage/$1
    shift
    # shellcheck disable=SC2046  # one word per flag
    ${CC:-cc} -Wall -Wextra -Werror tests/web/daemon.c -o "$out" $(pkg-config --cflags --libs "$@" coppice-web)
}

comes_up()
{
    LD_LIBRARY_PATH=$lib timeout 20 "$1" > "$stage/said" 2> /dev/null &
    daemon=$!
    for _ in $(seq 100); do
        grep -q '^http://' "$stage/said" && break
        sleep 0.1
    done
    url=$(cat "$stage/said")
    curl -sf -m 10 -o /dev/null "$url" && kill -TERM "$daemon" && wait "$daemon"
}

exports_nothing_but_the_api()
{
    ! nm -D --defined-only "$lib/libcoppice-web.so" | awk '$NF !~ /^cop_/ && $2 != "A" { print; found = 1 } END { exit !found }' &&
        ! nm -g --defined-only "$lib/libcoppice-web.a" | awk 'NF == 3 && $3 !~ /^copi?_/ { print; found = 1 } END { exit !found }'
}

stands_on_the_api()
{
    ! nm -u "$lib/libcoppice-web.so" | awk '$NF ~ /^copi_/ { print; found = 1 } END { exit !found }'
}

uninstalls_every_file()
{
    make -s uninstall DESTDIR="$stage" PREFIX=/opt/coppice &&
        [ -z "$(find "$stage/opt" ! -type d | tee /dev/stderr)" ]
}

check "installs below a prefix" make -s install-web DESTDIR="$stage" PREFIX=/opt/coppice
check "exports nothing but the API" exports_nothing_but_the_api
check "uses nothing of the library but the API" stands_on_the_api
check "builds against the shared library" builds shared
check "which runs" comes_up "$stage/shared"
check "uninstalls every file" uninstalls_every_file

summary
