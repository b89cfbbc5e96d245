#!/bin/bash
# SPDX-License-Identifier: MIT
#
# c11.sh -- the lock-free parts under the checker of memory orders.
#
#   c11.sh FOLDER [PROGRAM ...]       FOLDER takes what is generated
#
# A program is a file here with "With:" in its first comment: the production
# sources it runs, which are compiled as they are, but for c11.h in front.
# Every run of every scenario must hold.  Each "Fault:", a sed command on one
# of these sources, must be found.  And each memory order that the threads of a
# scenario reach is weakened by one step: some scenario of some program must
# then fail, or kept.txt says why the order stays.
cd "$(dirname "$0")/../.." || exit 1
out=$1
shift
programs=${*:-$(basename -s .c $(grep -l '^ \* With:' tests/models/*.c))}
cc=${CC:-gcc}
flags="-std=gnu11 -D_GNU_SOURCE -g -I. -Iinclude -Wall -Wextra -DAMBIT_CHECKED"
modelled="-O1 -ffunction-sections -fdata-sections -fsanitize=thread -Wno-tsan
    -include tests/models/c11.h"
passed=0
failed=0
mkdir -p "$out"

say_bad() # say_bad WHAT WHY
{
    echo "  $1: $2"
    failed=$((failed + 1))
}

compile() # compile SOURCE OBJECT FLAGS...
{
    local source=$1 object=$2
    shift 2
    $cc "$@" $flags -c -o "$object" "$source" || exit 1
}

for part in memory explore main hooks; do
    compile tests/models/$part.c "$out/$part.o" -O2
done
compile src/fiber.c "$out/fiber.o" -O2
compile "src/fiber_$(uname -m).S" "$out/fiber_s.o"

with_of()
{
    sed -n 's/^ \* With://p' "tests/models/$1.c"
}

# build PROGRAM NAME [SHADOW]: a file in the folder SHADOW stands in for the
# tree's own.
build()
{
    local shadow=${3:-} engine="memory explore main hooks" objects= source o
    for source in "tests/models/$1.c" src/spin.c $(with_of "$1"); do
        o=$out/$2-${source//\//-}.o
        [ -n "$shadow" ] && [ -e "$shadow/$source" ] && source=$shadow/$source
        compile "$source" "$o" ${shadow:+"-I$shadow"} $modelled
        objects="$objects $o"
    done
    for o in $engine; do
        if [ -n "$shadow" ] && [ -e "$shadow/tests/models/$o.c" ]; then
            compile "$shadow/tests/models/$o.c" "$out/$2-$o.o" -O2
            objects="$objects $out/$2-$o.o"
        else
            objects="$objects $out/$o.o"
        fi
    done
    # What the sources could reach and no scenario does is left out, and with
    # it the need for what it calls.
    $cc -Wl,--gc-sections -o "$out/$2" $objects "$out/fiber.o" \
        "$out/fiber_s.o" || exit 1
}

# The faults of a program: prints how many of how many were found.
faults()
{
    local program=$1 n=0 found=0 file command shadow
    while read -r file command; do
        n=$((n + 1))
        shadow=$out/$program-fault$n.d
        mkdir -p "$(dirname "$shadow/$file")"
        sed -e "$command" "$file" >"$shadow/$file"
        if cmp -s "$file" "$shadow/$file"; then
            echo "the fault changes nothing: $command" >>"$out/$program.bad"
            continue
        fi
        build "$program" "$program-fault$n" "$shadow"
        if "$out/$program-fault$n" --faulty >"$out/$program-fault$n.log" 2>&1
        then
            found=$((found + 1))
        else
            echo "not found: $command" >>"$out/$program.bad"
        fi
    done < <(sed -n 's/^ \* Fault: //p' "tests/models/$program.c")
    [ $n -ge 2 ] || echo "fewer than two faults" >>"$out/$program.bad"
    echo "$found of $n"
}

# Everything about one program: a line for the table, and what is bad.
run_program()
{
    local program=$1 from=$EPOCHREALTIME found
    : >"$out/$program.bad"
    build "$program" "$program"
    "$out/$program" --weaken >"$out/$program.log" 2>"$out/$program.trace" ||
        echo "see $out/$program.trace" >>"$out/$program.bad"
    grep '^FAILED' "$out/$program.log" >>"$out/$program.bad"
    found=$(faults "$program")
    sed -n 's/^scenario //p' "$out/$program.log" |
        awk -F'|' -v p="$program" -v a="$from" -v b="$EPOCHREALTIME" \
            -v found="$found" '
            { n++; runs += $2; if ($3 > steps) { steps = $3 } }
            END { sub(/,/, ".", a); sub(/,/, ".", b)
                printf "%-10s %9d %10d %7d %8.1f  %s\n", p, n, runs, steps,
                    b - a, found }' >"$out/$program.line"
}

for program in $programs; do
    while [ "$(jobs -pr | wc -l)" -ge "${JOBS:-$(nproc)}" ]; do
        wait -n
    done
    rm -f "$out/$program.line" "$out/$program.log"
    run_program "$program" &
done
wait

printf '%-10s %9s %10s %7s %8s  %s\n' program scenarios runs steps seconds \
    'faults caught'
: >"$out/orders"
for program in $programs; do
    if ! cat "$out/$program.line"; then
        say_bad "$program" "it did not build"
    elif [ -s "$out/$program.bad" ]; then
        say_bad "$program" "$(cat "$out/$program.bad")"
    else
        passed=$((passed + 1))
    fi
    # The orders of a scenario itself are no promise, but for the checker's.
    sed -n 's/^order //p' "$out/$program.log" |
        sed 's/|\.\//|/' | grep -v '|tests/models/[a-km-z]' >>"$out/orders"
done

# One place may be reached by several programs: caught once is caught.
sort -u "$out/orders" | awk -F'|' '{
        key = $2 "|" $3 "|" $4 "|" $5 "|" $6
        if ($1 == "caught") { caught[key] = 1 }
        all[key] = 1
    } END { for (key in all) { print (key in caught ? "caught" : "missed") "|" key } }' |
    sort >"$out/weakened"
kept=tests/models/kept.txt
missed=$(sed -n 's/^missed|//p' "$out/weakened" | while read -r key; do
    grep -qF "$key|" $kept || echo "    $key"
done)
idle=$([ $# -gt 0 ] || grep '|' $kept | while IFS='|' read -r a b c d e why; do
    grep -qxF "missed|$a|$b|$c|$d|$e" "$out/weakened" || echo "    $a|$b|$c|$d|$e"
done)
echo "orders weakened: $(wc -l <"$out/weakened"), caught" \
    "$(grep -c '^caught' "$out/weakened"), kept for a reason in kept.txt" \
    "$(grep -c '^missed' "$out/weakened")"
if [ -n "$missed" ]; then
    say_bad "weaker orders that nobody sees, with no reason in kept.txt" "
$missed"
elif [ -n "$idle" ]; then
    say_bad "reasons in kept.txt that are not needed" "
$idle"
else
    passed=$((passed + 1))
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
