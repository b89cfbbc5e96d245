#!/bin/bash
# SPDX-License-Identifier: MIT
#
# refused.sh -- what must not compile does not, and the compiler says why.
#
# A file of tests/compile_fail compiles without a warning, and with -DONLY=n it
# does not, for each line
#
#     #if ONLY == 7 /* says: this is local to its worker */      (or #elif)
#
# and one of the errors has that text.  With each of gcc and clang that is here.
cd "$(dirname "$0")/../.." || exit 1

flags="-std=gnu11 -Wall -Wextra -Wundef -Wshadow -Wvla -Iinclude -fsyntax-only"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

one() # one COMPILER FILE CASE TEXT: nothing, when it is as it must be
{
    local said wanted="error: [^"$'\n'"]*$4"
    said=$($1 $flags "-DONLY=$3" "$2" 2>&1)
    if [ $? -eq 0 ]; then
        echo "$2: $1 compiles ONLY == $3"
    elif ! [[ $said =~ $wanted ]]; then
        echo "$2: $1 refuses ONLY == $3 without saying: $4"
        grep "error: " <<<"$said"
    fi
}

whole() # whole COMPILER FILE
{
    $1 $flags -Werror -DONLY=0 "$2" 2>&1 || echo "$2: $1 refuses it as it is"
}

all() # all COMPILER
{
    local file line text
    for file in tests/compile_fail/*.c; do
        whole "$1" "$file"
        while read -r line; do
            text=${line#*says: }
            line=${line#*ONLY == }
            one "$1" "$file" "${line%% *}" "${text% \*/}"
        done < <(grep -E '^#(el)?if ONLY == [0-9]+ ' "$file")
    done
}

compilers=
for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    compilers="$compilers $cc"
    all $cc >"$work/$cc" &
done
wait
cases=$(cat tests/compile_fail/*.c | grep -cE '^#(el)?if ONLY == [0-9]+ ')
if [ "$cases" -eq 0 ] || [ -z "$compilers" ] || [ -s "$work/gcc" ] ||
    [ -s "$work/clang" ]; then
    cat "$work"/*
    echo "refused: there are offences"
    exit 1
fi
echo "refused: fine ($cases cases, with$compilers)"
