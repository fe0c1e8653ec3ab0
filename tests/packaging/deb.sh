#!/bin/sh
# tests/packaging/deb.sh - Debian packages of a tarball: a runtime and a -dev for the core and each optional library.
#
#   usage: deb.sh TARBALL DIR       the packages are left in DIR
#
# Debian wants its files in debian/ at the top, where they would be the only ones that are not the project's; so they
# lie beside this script and are laid over the tree.  A library that stands on somebody else's is found by its header,
# coppice-NAME.h, and what that is called in Debian by .ci/deps.
set -eu

tarball=$1
out=$2
here=tests/packaging/debian

rm -rf "$out"
mkdir -p "$out/coppice"
tar -x -C "$out/coppice" --strip-components=1 -f "$tarball"
out=$(cd "$out" && pwd)
cd "$out/coppice"
cp -r "$here" debian
rm debian/*.in

# package_of NAME: the headers that libcoppice-NAME is built with.
package_of()
{
    sed -n "/^        $1)/,/;;/p" .ci/deps | sed -nE 's/.*want header [^ ]+ ([a-z0-9-]+) .*/\1/p' | head -n 1
}

# what_is NAME: as its pkg-config file has it.
what_is()
{
    sed -n 's/^Name: Coppice, //p' "tests/packaging/coppice-$1.pc.in"
}

wanted=
cp "$here/control.in" debian/control
for header in include/coppice-*.h; do
    [ -e "$header" ] || continue
    name=$(basename "$header" .h)
    name=${name#coppice-}
    package=$(package_of "$name")
    wanted="$wanted, $package"
    sed -e "s/@NAME@/$name/g" -e "s/@PACKAGE@/$package/g" -e "s/@WHAT@/$(what_is "$name")/g" \
        "$here/optional.in" >> debian/control
    echo "usr/lib/*/libcoppice-$name.so.*" > "debian/libcoppice-${name}0.install"
    printf '%s\n' "usr/include/coppice-$name.h" "usr/lib/*/libcoppice-$name.a" "usr/lib/*/libcoppice-$name.so" \
        "usr/lib/*/pkgconfig/coppice-$name.pc" > "debian/libcoppice-$name-dev.install"
done
sed -i "s/@BUILD_DEPENDS@/$wanted/" debian/control

# What a make above this one was told is not for the packages.
env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u BUILD -u SAN -u CC -u CFLAGS \
    dpkg-buildpackage -b -us -uc -j"$(nproc)" > "$out/build.log" 2>&1 || {
    tail -n 40 "$out/build.log"
    exit 1
}
cd ..
rm -r coppice
ls ./*.deb
