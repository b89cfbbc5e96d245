#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tests/bare.sh [FOLDER] -- the first hour of a stranger, repeated: a Debian 12
# root file system with nothing but make added, then the README's two commands,
# in one order and, in a second copy, in the other.
#
# Needs root; installs debootstrap.  FOLDER (default: a temporary one) takes about
# 3 GB; MIRROR and ORDERS ("demo test" "test demo") may be set.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-$(mktemp -d)}
base=$folder/base

[ "$(id -u)" = 0 ] || { echo "bare: needs root"; exit 1; }
tests/deps.sh bare

mounted=
clean()
{
    for m in $mounted; do umount -l "$m" 2>/dev/null || true; done
    [ -n "${1:-}" ] || rm -rf "$folder"
}
trap clean EXIT

if [ ! -d "$base/usr" ]; then
    debootstrap --variant=minbase --include=make bookworm "$base" \
        ${MIRROR:-} >"$folder.log" 2>&1 || { tail "$folder.log"; exit 1; }
fi

try() # try "demo test"
{
    local root=$folder/try status=0 step
    rm -rf "$root"
    cp -a "$base" "$root"
    mkdir -p "$root/ambit" "$root/proc" "$root/dev" "$root/sys"
    git archive HEAD | tar -x -C "$root/ambit"
    cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
    for m in proc dev sys dev/shm; do
        mkdir -p "$root/$m"
        mount --bind "/$m" "$root/$m"
        mounted="$root/$m $mounted"
    done
    for step in $1; do
        echo "== bare: make $step"
        chroot "$root" env -i PATH="$PATH" HOME=/root TERM=dumb \
            ${http_proxy:+http_proxy=$http_proxy} \
            make -C /ambit "$step" || { status=1; break; }
    done
    for m in $mounted; do umount -l "$m"; done
    mounted=
    rm -rf "$root"
    return $status
}

if [ -n "${ORDERS:-}" ]; then
    try "$ORDERS"
else
    try "demo test"
    try "test demo"
fi
echo "bare: fine"
