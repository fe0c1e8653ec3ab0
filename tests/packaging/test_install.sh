#!/bin/sh
# tests/packaging/test_install.sh - what make install leaves is what a user's build needs.
#
# Installs below a prefix of its own and builds a program there as a stranger would: by pkg-config.
set -u

# shellcheck source=tests/support/check.sh
. tests/support/check.sh
only_plain

export PKG_CONFIG_PATH="$stage/opt/coppice/lib/pkgconfig"
export PKG_CONFIG_SYSROOT_DIR="$stage"
lib=$stage/opt/coppice/lib

installs()
{
    make -s install DESTDIR="$stage" PREFIX=/opt/coppice
}

installs_every_header()
{
    (cd include && find . -name '*.h' ! -name 'coppice-*.h' | sort) > "$stage/ours"
    (cd "$stage/opt/coppice/include" && find . -name '*.h' | sort) | diff "$stage/ours" -
}

leads_from_name_to_file()
{
    [ "$(readlink "$lib/libcoppice.so")" = libcoppice.so.0 ] && [ -f "$lib/libcoppice.so.0" ]
}

# build OUT FLAG…: FLAGs go to pkg-config.
build()
{
    out=$stage/$1
    shift
    cat > "$stage/program.c" << 'END'
#include <coppice.h>
#include <stdio.h>

int
main(void)
{
    return puts(cop_strerror(0)) < 0 || cop_now() <= 0;
}
END
    flags=$(pkg-config --cflags --libs "$@" coppice) || return
    # shellcheck disable=SC2086  # one word per flag
    ${CC:-cc} -o "$out" "$stage/program.c" ${STATIC:-} $flags
}

links_with_the_shared_library()
{
    build shared && LD_LIBRARY_PATH=$lib "$stage/shared"
}

links_with_the_archive()
{
    STATIC=-static build static --static && "$stage/static"
}

has_a_manual_page_for_every_function()
{
    .ci/reference names | while read -r name; do
        [ -s "$stage/opt/coppice/share/man/man3/$name.3" ] || echo "$name"
    done | { ! grep .; }
}

# Each option that a program knows stands in its page.
has_a_manual_page_for_every_program()
{
    for program in "$stage"/opt/coppice/bin/*; do
        page=$stage/opt/coppice/share/man/man1/$(basename "$program").1
        [ -s "$page" ] || echo "$page: none"
        "$program" --help | grep -oE '^  --?[a-z]+' | while read -r option; do
            sed 's/\\//g' "$page" | grep -q -- "^\.BI\? $option" || echo "$page: not a word of $option"
        done
    done | { ! grep .; }
}

gives_what_it_exports_a_version()
{
    version=$(sed -n 's/^\(COPPICE_[0-9.]*\) {$/\1/p' tests/packaging/coppice.map | tail -n 1)
    nm -D --defined-only "$lib/libcoppice.so" | grep -q " cop_run@@$version\$"
}

is_of_the_version_of_its_packages()
{
    [ "$(sed -n '1s/^coppice (\(.*\)) .*/\1/p' tests/packaging/debian/changelog)" = \
        "$(pkg-config --modversion coppice)" ]
}

uninstalls_every_file()
{
    make -s uninstall DESTDIR="$stage" PREFIX=/opt/coppice &&
        [ -z "$(find "$stage/opt" ! -type d)" ]
}

check "installs below a prefix" installs
check "installs every header" installs_every_header
check "leads from the library's name to its file" leads_from_name_to_file
check "links with the shared library" links_with_the_shared_library
check "links with the archive" links_with_the_archive
check "has a manual page for every function" has_a_manual_page_for_every_function
check "has a manual page for every program" has_a_manual_page_for_every_program
check "gives what it exports a version" gives_what_it_exports_a_version
check "is of the version of its packages" is_of_the_version_of_its_packages
check "uninstalls every file" uninstalls_every_file

summary
