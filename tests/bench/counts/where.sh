#!/bin/bash
# SPDX-License-Identifier: MIT
#
# where.sh -- where the instructions of paths go, by file of the source.
#
#   where.sh FOLDER [PATH ...]    FOLDER has the dumps of `make counts`
#
# where.awk has the same by function.
cd "$(dirname "$0")/../../.." || exit 1
folder=$1
shift
dumps=$(ls -v "$folder"/dump* 2>/dev/null)
[ -n "$dumps" ] || { echo "no dumps in $folder: make counts"; exit 1; }
for path in "${@:-spawn_join}"; do
    # shellcheck disable=SC2086 # one word for each dump
    awk -v path="$path" -f tests/bench/counts/where.awk $dumps |
        awk -v path="$path" '
            $2 == "all" { all = $1; next }
            { sum[$NF] += $1 }
            END {
                printf "%s: %.0f instructions\n", path, all
                for (file in sum) {
                    printf "%7.0f  %s\n", sum[file], file | "sort -rn | head -n 12"
                }
            }'
done
