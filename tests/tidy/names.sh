#!/bin/bash
# SPDX-License-Identifier: MIT
#
# names.sh -- both libraries let out ambit_* and no other name.
cd "$(dirname "$0")/../.." || exit 1

# Names are the same however it is compiled: where the library is not built yet,
# the quickest way does.
build=${BUILD:-build}
so=$build/release/libambit.so
if [ ! -e "$so" ] || [ -n "$(find Makefile ambit.map include src regions \
    actors -newer "$so" -print -quit)" ]; then
    build=$build/names
fi
if ! log=$(make --no-print-directory all MODE=release BUILD="$build" \
    $([ "$build" = "${BUILD:-build}" ] || echo CFLAGS=-O0) 2>&1); then
    tail -n 20 <<<"$log"
    echo "names: the library does not build"
    exit 1
fi
offences=$(
    nm -g --defined-only "$build/release/libambit.a" 2>/dev/null |
        awk 'NF == 3 && $3 !~ /^ambit_/ { print "libambit.a: " $3 }'
    nm -D --defined-only "$build/release/libambit.so" |
        awk '$2 != "A" && $3 !~ /^ambit_/ { print "libambit.so: " $3 }'
    # What a user links statically is there dynamically, and the other way.
    diff <(nm -g --defined-only "$build/release/libambit.a" 2>/dev/null |
        awk 'NF == 3 { print $3 }' | sort) \
        <(nm -D --defined-only "$build/release/libambit.so" |
            awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort) |
        sed -n 's/^< /only in libambit.a: /p; s/^> /only in libambit.so: /p'
)
if [ -n "$offences" ]; then
    echo "$offences"
    echo "names: $(wc -l <<<"$offences") offences"
    exit 1
fi
echo "names: fine ($(nm -D --defined-only "$build/release/libambit.so" |
    grep -c ' ambit_') exported)"
