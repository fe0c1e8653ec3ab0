#!/bin/bash
# tests/packaging/fresh_root.sh - a program is built against the packages in a Debian that has nothing else.
#
#   usage: fresh_root.sh DIR        where the packages are; needs root and Debian's archive
#
# The last line is `N passed, N failed`.
set -u

debs=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
passed=0
failed=0

# check SENTENCE COMMAND…
check()
{
    local sentence=$1 output
    shift
    if output=$("$@" 2>&1 < /dev/null); then
        passed=$((passed + 1))
        echo "  $sentence"
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n%s\n' "$sentence" "$(tail -n 20 <<< "$output")"
    fi
}

inside()
{
    chroot "$root" env DEBIAN_FRONTEND=noninteractive "$@"
}

makes_a_clean_debian()
{
    debootstrap --variant=minbase "${SUITE:-bookworm}" "$root" && cp "$debs"/*.deb "$root/root"
}

installs_the_development_packages()
{
    inside sh -c 'apt-get install -y --no-install-recommends gcc libc6-dev pkg-config man-db /root/*.deb'
}

# The README's own program, and what it prints.
# shellcheck disable=SC2016  # the inner shell expands it
builds_and_runs_the_program_of_the_readme()
{
    awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md > "$root/root/hello.c"
    inside sh -c 'cd /root && cc -o hello hello.c $(pkg-config --cflags --libs coppice) &&
        timeout 2 ./hello > said; cat said; grep -q "it ended before it answered, 0 hits" said'
}

# shellcheck disable=SC2016  # the inner shell expands it
links_the_archive_too()
{
    inside sh -c 'cd /root && cc -static -o static hello.c $(pkg-config --static --cflags --libs coppice)'
}

builds_with_each_optional_library()
{
    local header name
    for header in include/coppice-*.h; do
        name=$(basename "$header" .h)
        printf '#include <%s.h>\nint main(void) { return cop_strerror(0) == 0; }\n' "$name" > "$root/root/$name.c"
        inside sh -c "cd /root && cc -o $name $name.c -Wl,--no-as-needed \$(pkg-config --cflags --libs $name) && ./$name" || return
    done
}

asks_for_the_version_it_was_built_with()
{
    inside sh -c 'objdump -T /root/hello | grep -q "COPPICE_0.1.*cop_run"'
}

has_manual_pages()
{
    inside sh -c 'man -w cop_call && man -w cop_spawn && man -w 7 coppice'
}

leaves_nothing_behind()
{
    inside sh -c 'apt-get purge -y "*coppice*"' &&
        [ -z "$(find "$root/usr" -name '*coppice*' -o -name 'cop_*.3.gz')" ]
}

check "makes a clean Debian" makes_a_clean_debian
check "installs the development packages" installs_the_development_packages
check "builds and runs the program of the README" builds_and_runs_the_program_of_the_readme
check "links the archive, too" links_the_archive_too
check "builds with each optional library" builds_with_each_optional_library
check "asks for the version it was built with" asks_for_the_version_it_was_built_with
check "has manual pages" has_manual_pages
check "leaves nothing behind" leaves_nothing_behind

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
