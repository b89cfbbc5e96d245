#!/bin/bash
# SPDX-License-Identifier: MIT
#
# headers.sh -- each public header compiles alone, as C11 with the GNU
# extensions and as C++17, without a warning; and an initializer takes items up
# to AMBIT_CHANNEL_ITEM_MAX, 1,024 bytes, and no larger ones.
cd "$(dirname "$0")/../.." || exit 1

warnings="-Wall -Wextra -Wundef -Werror"
cxx=${CXX:-g++}
command -v "$cxx" >/dev/null || cxx=
bad=0
count=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
said=$work/said
for header in include/ambit.h include/ambit/*.h; do
    [ -e "$header" ] || continue
    count=$((count + 1))
    echo "#include <${header#include/}>" >"$work/$count-$(basename "$header" .h).c"
done
${CC:-cc} -std=gnu11 $warnings -Wshadow -Wstrict-prototypes -Iinclude \
    -fsyntax-only "$work"/*.c || bad=$((bad + 1))
if [ -n "$cxx" ]; then
    $cxx -std=c++17 $warnings -Iinclude -fsyntax-only -x c++ "$work"/*.c ||
        bad=$((bad + 1))
fi
# What a macro makes of itself in C++, too.
cat >"$work/server.cc" <<'END'
#include <ambit.h>
struct ask { int n; };
struct answer { int n; };
struct state { int n; };
static int answer_it(ambit_cx *, struct state *state, const struct ask *ask,
                     struct answer *ret)
{
    ret->n = state->n += ask->n;
    return 0;
}
AMBIT_SERVER(counter, struct state, struct ask, struct answer,
             .handle_call = answer_it);
END
if [ -n "$cxx" ]; then
    $cxx -std=c++17 $warnings -Wno-missing-field-initializers -Iinclude \
        -fsyntax-only "$work/server.cc" || bad=$((bad + 1))
fi
takes() # takes SIZE INITIALIZER: that compiles
{
    printf '%s\n' "#include <ambit.h>" \
        "static struct { char byte[$1]; } room[2];" \
        "void *use(void); void *use(void) { static $2; return &object; }" |
        ${CC:-cc} -std=gnu11 $warnings -Iinclude -fsyntax-only -x c - 2>"$said"
}
for object in "struct ambit_channel object = AMBIT_CHANNEL_INIT(room)" \
    "struct ambit_oneshot object = AMBIT_ONESHOT_INIT(room[0])" \
    "struct ambit_watch object = AMBIT_WATCH_INIT(room[0])" \
    "struct ambit_broadcast object = AMBIT_BROADCAST_INIT(room)" \
    "struct ambit_unbounded object = AMBIT_UNBOUNDED_INIT(room[0])"; do
    for size in 1023 1024; do
        takes $size "$object" ||
            { cat "$said"; echo "$object: refuses $size"; bad=$((bad + 1)); }
    done
    if takes 1025 "$object" || ! grep -q "negative" "$said"; then
        echo "$object: takes 1025 bytes, or says something else"
        bad=$((bad + 1))
    fi
done

if [ $bad -gt 0 ]; then
    echo "headers: $bad offences: does not compile, or compiles and must not"
    exit 1
fi
if [ -n "$cxx" ]; then
    echo "headers: fine ($count, as C11 and as C++17)"
else
    echo "headers: fine ($count, as C11; no C++ compiler here)"
fi
