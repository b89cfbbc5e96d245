#!/bin/bash
# SPDX-License-Identifier: MIT
#
# headers.sh -- each public header compiles alone, as C11 with the GNU
# extensions and as C++17, without a warning.
cd "$(dirname "$0")/../.." || exit 1

warnings="-Wall -Wextra -Wundef -Werror"
cxx=${CXX:-g++}
command -v "$cxx" >/dev/null || cxx=
bad=0
count=0
for header in include/ambit.h include/ambit/*.h; do
    [ -e "$header" ] || continue
    count=$((count + 1))
    line="#include <${header#include/}>"
    echo "$line" | ${CC:-cc} -std=gnu11 $warnings -Wshadow -Wstrict-prototypes \
        -Iinclude -fsyntax-only -x c - || bad=$((bad + 1))
    if [ -n "$cxx" ]; then
        echo "$line" | $cxx -std=c++17 $warnings -Iinclude -fsyntax-only \
            -x c++ - || bad=$((bad + 1))
    fi
done
if [ $bad -gt 0 ]; then
    echo "headers: $bad do not compile alone"
    exit 1
fi
if [ -n "$cxx" ]; then
    echo "headers: fine ($count, as C11 and as C++17)"
else
    echo "headers: fine ($count, as C11; no C++ compiler here)"
fi
