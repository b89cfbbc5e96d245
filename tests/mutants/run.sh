#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh -- seeds one bug at a time, and looks whether a test of its rule fails.
#
# tests/mutants/REG_FIN_2.patch, or REG_FIN_2-2.patch, is a bug in what keeps
# REG-FIN-2:
#
#     # what the bug is
#     # mode: tsan                    (optional: only this build can see it)
#     # limit: 10                     (optional: a hang, seconds instead of 60)
#     a unified diff with a/ and b/ before the paths
#
# Of the library only what the bug touches is compiled again.  The programs
# with a Spec(REG_FIN_2, ...) are linked with it and run with that filter until
# one fails; they must pass without it.  A program that runs into its limit has
# failed, and the table says that it hung.  A patch that does not apply, or what
# does not compile or link with it, or a rule whose tests were not run, is
# UNUSABLE, and as bad as a bug that survived.  Last line: "mutants: N caught, M
# survived".
#
# From the environment: MAKE CC JOBS T (words in the names of mutants).
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C AMBIT_SOAK=1000000
: "${MAKE:=make}" "${CC:=cc}" "${JOBS:=2}"
work=${BUILD:-build}/mutants

rule_of() # rule_of NAME: REG_FIN_2-2 -> REG_FIN_2
{
    echo "${1%%-*}"
}

option() # option KEY NAME DEFAULT
{
    local value
    value=$(sed -n "/^[^#]/q; s/^# $1: *//p" "tests/mutants/$2.patch")
    echo "${value:-$3}"
}

mode_of() # mode_of NAME
{
    option mode "$1" checked
}

programs_of() # programs_of RULE: without build folder and .c
{
    grep -lE "(^|[^A-Za-z_])Spec\\($1," tests/*/*_test.c | sed 's/\.c$//'
}

words_fit() # words_fit NAME
{
    local word
    [ -n "${T:-}" ] || return 0
    for word in $T; do
        case $1 in *"$word"*) return 0 ;; esac
    done
    return 1
}

# --- one mutant ---------------------------------------------------------------

# Set by mutants.env of the mode: B CC_FLAGS LINK LIBS.  As in the Makefile, a
# program of tests/lab has a library of its own, compiled for the lab.
compile() # compile FOLDER PROGRAM SOURCE OBJECT
{
    local folder=$1 source=$3 object=$4 as=-DAMBIT_NO_SITES
    [ ! -e "$1/$3" ] || source=$1/$3
    case $2:$3 in
    *:tests/* | *:spec/*) as= ;;
    tests/lab/*) as="$as -DAMBIT_CHECKED -include spec/lab/os.h" ;;
    esac
    mkdir -p "$(dirname "$object")"
    # shellcheck disable=SC2086 # lists of words on purpose
    $CC_FLAGS "-I$folder" "-I$folder/include" -I. -Iinclude $as -w -c \
        -o "$object" "$source"
}

# The sources that a changed file is part of: itself, or who includes it.
touched_by() # touched_by FILE PROGRAM
{
    local rooms=("$B/src" "$B/regions" "$B/actors")
    case $2 in tests/lab/*) rooms=("$B/lab" "$B/spec") ;; esac
    case $1 in
    *.h) find "${rooms[@]}" "$B/$2.d" -name '*.d' \
        -exec grep -lE "[ :]$1( |:|\$)" {} + |
        sed "s|^$B/||; s|^lab/||; s|d\$|c|" ;;
    *) echo "$1" ;;
    esac
}

build() # build FOLDER PROGRAM FILES...
{
    local folder=$1 program=$2 source objects=() test=$B/$2.o
    local archive=$B/internal.a kit=()
    case $program in
    tests/lab/*)
        archive=$B/internal-lab.a
        mapfile -t kit < <(find "$B/tests/lab" -name '*.o' \
            ! -name '*_test.o' ! -name main.o) ;;
    esac
    shift 2
    for source in $(for f in "$@"; do touched_by "$f" "$program"; done |
        sort -u); do
        [ -e "$source" ] || continue # assembly for another machine
        [ "$source" != src/main.c ] || continue # for users' programs
        compile "$folder" "$program" "$source" "$folder/${source%.c}.o" ||
            return 1
        case $source in
        "$program.c") test=$folder/$program.o ;;
        tests/*) ;;
        *) objects+=("$folder/${source%.c}.o") ;;
        esac
    done
    mkdir -p "$(dirname "$folder/$program")"
    # shellcheck disable=SC2086 # lists of words on purpose
    $LINK -o "$folder/$program" "$test" "${objects[@]}" "${kit[@]}" \
        "$archive" $LIBS
}

place() # place FOLDER FILE: the first line that differs
{
    diff "$2" "$1/$2" | sed -n '1s/[acd,].*//p'
}

say() # say VERDICT NAME PLACE BUG [PROGRAM SECONDS [HOW]]
{
    printf '%-8s  %-16s %s: %s%s\n' "$1" "$2" "$3" "$4" \
        "${5:+ [$5, $6 s${7:+, $7}]}" | tee "$work/$2.said"
}

one() # one NAME
{
    local name=$1 patch=tests/mutants/$1.patch folder rule bug files where
    local program passed failed said how ran=0 from=$SECONDS
    local fast=--fail-fast # what failed first is enough
    [ "$(mode_of "$name")" != tsan ] || fast= # the small harness has no such
    rule=$(rule_of "$name")
    bug=$(sed -n '1s/^# *\([A-Z0-9_-]*: *\)\{0,1\}//p' "$patch")
    folder=$work/$(mode_of "$name")/$name
    # shellcheck disable=SC1090 # written by make
    . "$work/$(mode_of "$name").env"
    rm -rf "$folder"
    mapfile -t files < <(sed -n 's|^+++ b/\([^[:space:]]*\).*|\1|p' "$patch")
    for f in "${files[@]}"; do
        mkdir -p "$(dirname "$folder/$f")"
        cp "$f" "$folder/$f" || return
    done
    if [ ${#files[@]} -eq 0 ] || [ -z "$bug" ] ||
        ! patch -s -p1 --fuzz=3 -r - --no-backup-if-mismatch -d "$folder" \
            <"$patch" >"$folder/log" 2>&1; then
        say UNUSABLE "$name" "$patch" "does not apply"
        return
    fi
    where=${files[0]}:$(place "$folder" "${files[0]}")
    for program in $(programs_of "$rule"); do
        if ! build "$folder" "$program" "${files[@]}" >>"$folder/log" 2>&1; then
            say UNUSABLE "$name" "$where" "does not compile, see $folder/log"
            return
        fi
        said=$(TEST_LIMIT=$(option limit "$name" 60) BUILD_DIR=$B \
            MODE=$(mode_of "$name") tests/harness/run.sh \
            "$folder/$program" "$folder/ran" --filter "$rule/*" $fast)
        read -r passed failed <"$folder/ran"
        how=
        case $said in
        *"ran no test"*) ;;
        *"still running after"*) how=hung ;;&
        *)
            if [ "$failed" -gt 0 ]; then
                say caught "$name" "$where" "$bug" "$program" \
                    $((SECONDS - from)) $how
                rm -rf "$folder"
                return
            fi
            ran=$((ran + passed)) ;;
        esac
    done
    if [ $ran -gt 0 ]; then
        say SURVIVED "$name" "$where" "$bug" "$program" $((SECONDS - from))
    else
        say UNUSABLE "$name" "$where" "no test of $rule was run"
    fi
}

if [ "${1:-}" = --one ]; then
    one "$2"
    exit 0
fi

# --- all of them --------------------------------------------------------------

names=()
for patch in tests/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    [ -e "$patch" ] && words_fit "$name" && names+=("$name")
done
[ ${#names[@]} -gt 0 ] || { echo "no mutant matches"; exit 1; }
mkdir -p "$work" && rm -f "$work"/*.said

# What is there without a bug: built once, and it passes.
for mode in $(for n in "${names[@]}"; do mode_of "$n"; done | sort -u); do
    words=$(for n in "${names[@]}"; do
        [ "$(mode_of "$n")" != "$mode" ] || programs_of "$(rule_of "$n")"
    done | sort -u | tr '\n' ' ')
    "$MAKE" --no-print-directory -j"$JOBS" run-tests mutants-env \
        "MODE=$mode" "T=$words" >"$work/$mode.log" 2>&1 ||
        { tail -n 40 "$work/$mode.log"
          echo "mutants: the tests fail without a bug"; exit 1; }
    tail -n 1 "$work/$mode.log" | sed "s/^/without a bug ($mode): /"
done

printf '%s\n' "${names[@]}" | xargs -P "$JOBS" -n 1 "$0" --one

caught=$(cat "$work"/*.said | grep -c '^caught') || true
survived=$(cat "$work"/*.said | grep -c '^SURVIVED') || true
unusable=$((${#names[@]} - caught - survived))
[ $((survived + unusable)) -eq 0 ] ||
    { echo; grep -hv '^caught' "$work"/*.said; }
[ $unusable -eq 0 ] || echo "mutants: $unusable unusable"
echo "mutants: $caught caught, $survived survived"
[ $((survived + unusable)) -eq 0 ]
