#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bite.sh -- the alarms ring.
#
# Each file of tests/harness/bite holds one defect.  It is built with the flags
# of the tests and run by the runner of the tests; the run must fail, and the
# log must name the defect.  None of them calls the library: of it only what the
# harness needs is built.  CC, BUILD and JOBS as for make.
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}/bite
cc_name=$(basename "${CC:-cc}")
suffix=
case $cc_name in cc | gcc) ;; *) suffix=-$cc_name ;; esac
said=$(mktemp)
trap 'rm -f "$said"' EXIT

# Says nothing when the alarm rang, "fine" aside.
bite() # bite MODE DEFECT WORD-IN-THE-LOG [MAKE-VARIABLES...]
{
    local mode=$1 defect=$2 word=$3 log status where=$build/$1$suffix
    shift 3
    case " $* " in *" LITE=1 "*) [ "$mode" = tsan ] || where=$where-lite ;; esac
    log=$(make run-tests MODE="$mode" ${CC:+CC="$CC"} BUILD="$build" T= \
        TEST_SRC="tests/harness/bite/$defect.c" LIB_SRC=src/base.c KVD_SRC= \
        KVD_TEST_SRC= LAB_TEST_SRC= EXAMPLE_SRC= DEMO_SRC= "$@" 2>&1)
    status=$?
    log+=$(cat "$where/tests/harness/bite/$defect.log" 2>/dev/null)
    if [ $status -eq 0 ]; then
        echo "bite: $mode $*: the run passed in spite of $defect.c"
    elif ! grep -q "$word" <<<"$log"; then
        echo "bite: $mode $*: $defect.c failed without saying \"$word\""
        tail -n 20 <<<"$log"
    else
        echo fine
    fi
}

# A folder of the build is used by one make at a time: these are side by side.
checked()
{
    bite checked failing "2 failed" "$@"
    bite checked silent "before its summary" "$@"
}

asan()
{
    bite asan leak "LeakSanitizer" "$@"
    bite asan leak_guard "memory leaked" "$@"
    bite asan overflow "heap-buffer-overflow" "$@"
    bite asan undefined "signed integer overflow" "$@"
}

ubsan()
{
    bite ubsan undefined "signed integer overflow" "$@"
}

tsan()
{
    bite tsan race "data race"
}

lite()
{
    checked LITE=1
    if command -v valgrind >/dev/null && [ -z "$suffix" ]; then
        bite checked leak "definitely lost" LITE=1 VALGRIND=1
        bite checked overflow "Invalid write" LITE=1 VALGRIND=1
    fi
}

wanted=15
command -v valgrind >/dev/null && [ -z "$suffix" ] && wanted=17
for group in "asan" "asan LITE=1" "lite" "checked" "ubsan" "ubsan LITE=1" tsan; do
    while [ "$(jobs -pr | wc -l)" -ge "${JOBS:-$(nproc)}" ]; do
        wait -n
    done
    $group >>"$said" &
done
wait
grep -vx fine "$said"
count=$(grep -cx fine "$said")
[ "$count" -eq $wanted ] || exit 1
echo "bite: fine ($count seeded defects, each made its run fail)"
