#!/bin/bash
# SPDX-License-Identifier: MIT
#
# install.sh -- installs into an empty folder, builds a program with nothing but
# what is there, both ways of linking, and takes everything away again.
set -eu
cd "$(dirname "$0")/../.."

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
make install DESTDIR="$root/dest" PREFIX=/usr >/dev/null

cat >"$root/hello.c" <<'C'
#include <ambit.h>
int main(void)
{
    return 0;
}
C
flags="-I$root/dest/usr/include"
libs="-luring -lxxhash -pthread"
if command -v pkg-config >/dev/null; then
    export PKG_CONFIG_PATH=$root/dest/usr/lib/pkgconfig
    [ "$(pkg-config --variable=includedir ambit)" = /usr/include ]
    libs=$(pkg-config --static --libs ambit | sed 's/-L[^ ]*//; s/-lambit_main//; s/-lambit//')
fi
${CC:-cc} -std=gnu11 $flags "$root/hello.c" -o "$root/hello-a" \
    "$root/dest/usr/lib/libambit.a" $libs
${CC:-cc} -std=gnu11 $flags "$root/hello.c" -o "$root/hello-so" \
    -Wl,--no-as-needed -L"$root/dest/usr/lib" -lambit
"$root/hello-a"
LD_LIBRARY_PATH=$root/dest/usr/lib "$root/hello-so"
rm "$root"/hello*

make uninstall DESTDIR="$root/dest" PREFIX=/usr >/dev/null
left=$(find "$root/dest" -mindepth 1)
if [ -n "$left" ]; then
    echo "$left"
    echo "install: uninstall leaves things behind"
    exit 1
fi
echo "install: fine"
