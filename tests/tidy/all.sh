#!/bin/sh
# SPDX-License-Identifier: MIT
#
# all.sh -- every script beside this one that reads, side by side; fails when one
# does.  Each says what it has to say as it ends.  Two build first, and are run
# by others: names.sh by `make tidy`, bite.sh by .ci/run.
cd "$(dirname "$0")/../.." || exit 1

run() # run SCRIPT: what it says in one piece
{
    said=$("$1" 2>&1)
    status=$?
    printf '%s\n' "$said"
    [ $status -eq 0 ] || echo "$1: FAILED ($status)"
    return $status
}

set --
for script in tests/tidy/*.sh; do
    case $script in
    */all.sh | */names.sh | */bite.sh) continue ;;
    esac
    [ -x "$script" ] || continue
    run "$script" &
    set -- "$@" $!
done
bad=0
for pid; do
    wait "$pid" || bad=1
done
exit $bad
