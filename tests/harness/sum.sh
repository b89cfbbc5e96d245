#!/bin/sh
# SPDX-License-Identifier: MIT
#
# sum.sh -- adds up what run.sh left in its files.  No test at all is a failure.
if [ $# -eq 0 ]; then
    echo "no test program matches" >&2
    echo "0 passed, 1 failed"
    exit 1
fi
awk '{ passed += $1; failed += $2; lines++ }
     END {
         if (lines < ARGC - 1) { failed += ARGC - 1 - lines }
         printf "%d passed, %d failed\n", passed, failed
         exit failed > 0 || passed == 0
     }' "$@"
