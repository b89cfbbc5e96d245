#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bite.sh -- the alarms ring.
#
# Each file of tests/harness/bite holds one defect.  It is built with the flags
# of the tests and run by the runner of the tests; the run must fail, and the
# log must name the defect.  CC, BUILD and JOBS as for make.
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
cc_name=$(basename "${CC:-cc}")
suffix=
case $cc_name in cc | gcc) ;; *) suffix=-$cc_name ;; esac
bad=0
count=0

bite() # bite MODE DEFECT WORD-IN-THE-LOG [MAKE-VARIABLES...]
{
    local mode=$1 defect=$2 word=$3 log status where=$build/$1$suffix
    shift 3
    case " $* " in *" LITE=1 "*) [ "$mode" = tsan ] || where=$where-lite ;; esac
    log=$(make run-tests MODE="$mode" ${CC:+CC="$CC"} BUILD="$build" T= \
        TEST_SRC="tests/harness/bite/$defect.c" KVD_SRC= KVD_TEST_SRC= LAB_TEST_SRC= \
        EXAMPLE_SRC= DEMO_SRC= "$@" 2>&1)
    status=$?
    log+=$(cat "$where/tests/harness/bite/$defect.log" 2>/dev/null)
    count=$((count + 1))
    if [ $status -eq 0 ]; then
        echo "bite: $mode $*: the run passed in spite of $defect.c"
        bad=$((bad + 1))
    elif ! grep -q "$word" <<<"$log"; then
        echo "bite: $mode $*: $defect.c failed without saying \"$word\""
        tail -n 20 <<<"$log"
        bad=$((bad + 1))
    fi
}

for lite in "" LITE=1; do
    bite checked failing "2 failed" $lite
    bite checked silent "before its summary" $lite
    bite asan leak "LeakSanitizer" $lite
    bite asan leak_guard "memory leaked" $lite
    bite asan overflow "heap-buffer-overflow" $lite
    bite asan undefined "signed integer overflow" $lite
    bite ubsan undefined "signed integer overflow" $lite
done
bite tsan race "data race"
if command -v valgrind >/dev/null && [ -z "$suffix" ]; then
    bite checked leak "definitely lost" LITE=1 VALGRIND=1
    bite checked overflow "Invalid write" LITE=1 VALGRIND=1
fi
[ $bad -eq 0 ] || exit 1
echo "bite: fine ($count seeded defects, each made its run fail)"
