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

others=$(nm -g --defined-only "$root/dest/usr/lib/libambit_spec.a" |
    awk 'NF == 3 && $3 !~ /^ambit_/ { print $3 }')
[ -z "$others" ] || { echo "libambit_spec.a lets out: $others"; exit 1; }

# A project of its own: it passes; with a bug in it, it fails with a line that
# leads to the same sentence again.
spec_project()
{
    cp -r docs/examples/spec-project "$root/project"
    export PKG_CONFIG_SYSROOT_DIR=$root/dest
    make -s -C "$root/project" check >"$root/log" 2>&1 || {
        cat "$root/log"
        return 1
    }
    make -s -C "$root/project" clean
    ! make -s -C "$root/project" BUG=1 check >"$root/log" 2>&1 || return 1
    local line sentence
    line=$(sed -n "s/.*replay with AMBIT_REPLAY='\(.*\)'/\1/p" "$root/log" |
        head -n 1)
    sentence=$(grep -o 'FAILED at seed.*' "$root/log" | head -n 1)
    ! AMBIT_REPLAY=$line "$root/project/bank_spec" \
        --filter BANK_1/no_money_is_lost >"$root/again" 2>&1 || return 1
    grep -qF "$sentence" "$root/again" || {
        cat "$root/log" "$root/again"
        return 1
    }
}
if command -v pkg-config >/dev/null && printf '#include <criterion/criterion.h>\n' |
    ${CC:-cc} -E -xc - >/dev/null 2>&1; then
    spec_project || { echo "install: the spec project fails"; exit 1; }
fi

make uninstall DESTDIR="$root/dest" PREFIX=/usr >/dev/null
left=$(find "$root/dest" -mindepth 1)
if [ -n "$left" ]; then
    echo "$left"
    echo "install: uninstall leaves things behind"
    exit 1
fi
echo "install: fine"
