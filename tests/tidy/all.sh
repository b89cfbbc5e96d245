#!/bin/sh
# SPDX-License-Identifier: MIT
#
# all.sh -- every script beside this one, side by side; fails when one does.
cd "$(dirname "$0")/../.." || exit 1
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT
set --
for script in tests/tidy/*.sh; do
    case $script in
    */all.sh | */bite.sh) continue ;; # builds: see .ci/run
    esac
    [ -x "$script" ] || continue
    "$script" >"$said/$#" 2>&1 &
    set -- "$@" $!
done
bad=0
i=0
for pid; do
    wait "$pid" || bad=1
    cat "$said/$i"
    i=$((i + 1))
done
exit $bad
