#!/bin/sh
# SPDX-License-Identifier: MIT
#
# all.sh -- every script beside this one, in turn; fails when one of them does.
cd "$(dirname "$0")/../.." || exit 1
bad=0
for script in tests/tidy/*.sh; do
    case $script in
    */all.sh | */bite.sh) continue ;; # bite.sh builds for minutes: see .ci/run
    esac
    [ -x "$script" ] || continue
    "$script" || bad=1
done
exit $bad
