#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh -- counts the instructions of the hot paths and compares them.
#
#   run.sh PROGRAM FOLDER       the dumps of callgrind stay in FOLDER
#   UPDATE=1 run.sh ...         writes counts.txt anew
#
# Fails when a path takes over 3 % more than counts.txt says, or when a prefetch has
# got lost.  Counts depend on the compiler and on libc's memcpy(), so the file names
# those it is for; with others, nothing is compared.
set -u
here=$(cd "$(dirname "$0")" && pwd)
file=$here/counts.txt
program=$1
out=$2
rm -rf "$out"
mkdir -p "$out"

compiler=$(${CC:-cc} -dumpversion) || exit 1
# clang speaks as gcc 4.2.1 where it is asked like gcc.
case $(${CC:-cc} --version | head -n 1) in
*clang*) compiler=clang-${compiler%%.*} ;;
*) compiler=gcc-${compiler%%.*} ;;
esac
setup="$compiler $(getconf GNU_LIBC_VERSION | tr ' ' -) $(uname -m)"
wanted=$(sed -n 's/^# for //p' "$file" 2>/dev/null)
if [ -z "${UPDATE:-}" ] && [ "$setup" != "$wanted" ]; then
    echo "counts: skipped: the file is for \"$wanted\", this is \"$setup\""
    exit 0
fi

# What is fetched early is of use to none of the paths here, and gcc may drop it: see
# fetch_lines().
objdump -d "$program" | awk '
    /^[0-9a-f]+ <fetch_crowd/ { inside = 1 }
    /^$/ { inside = 0 }
    inside && /prefetch|prfm/ { n++ }
    !inside && /<fetch_crowd/ { calls++ }
    END {
        if (n < 10 || calls < 1) {
            printf "counts: fetch_crowd() has %d prefetches and %d calls, " \
                "wanted 10 and some\n", n, calls
            exit 1
        }
    }' || exit 1

# Valgrind 3.19 warns of a system call that the runtime can do without.
timeout -k 5 "${COUNTS_LIMIT:-300}" valgrind -q --tool=callgrind \
    --fair-sched=try --callgrind-out-file="$out/dump" "$program" \
    >"$out/log" 2>&1
status=$?
if [ $status -ne 0 ]; then
    cat "$out/log"
    echo "counts: the program ended with $status"
    exit 1
fi

# "path ops instructions" of each run, then "path each" by the difference.
awk '
/^desc: Trigger: Client Request: / { path = $5; n = $6 }
/^totals: / && path != "" {
    if (!(path in less)) {
        less[path] = n
        cost[path] = $2
        names[++len] = path
    } else {
        each[path] = ($2 - cost[path]) / (n - less[path])
    }
    path = ""
}
END {
    for (i = 1; i <= len; i++) {
        printf "%-26s %8.1f\n", names[i], each[names[i]]
    }
}' $(ls "$out"/dump.* | sort -V) >"$out/counts"

if [ -n "${UPDATE:-}" ]; then
    {
        sed '/^# for /,$d' "$file" 2>/dev/null
        echo "# for $setup"
        cat "$out/counts"
    } >"$out/new"
    cat "$out/new" >"$file"
    cat "$out/counts"
    echo "counts: $file is new; commit it and say why it changed"
    exit 0
fi
awk -v file="${file#"$PWD/"}" -f "$here/compare.awk" "$file" "$out/counts"
