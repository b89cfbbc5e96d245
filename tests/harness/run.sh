#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh -- one test program: run.sh PROGRAM RESULT [--filter PATTERN]
#
# Writes "passed failed" to RESULT and always ends with 0, so that one broken
# program does not hide the others; sum.sh decides.  Three things that the test
# framework itself lets pass are failures here: a program that ran no test, a
# program without a synthesis line, and a report of a sanitizer.
program=$1
result=$2
shift 2

log=$program.log
reports=$program.report
rm -f "$result" "$log" "$reports".*

export BUILD_DIR
export ASAN_OPTIONS="detect_stack_use_after_return=0:detect_leaks=1:\
strict_string_checks=1:log_path=$reports:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:log_path=$reports:${UBSAN_OPTIONS:-}"
export TSAN_OPTIONS="second_deadlock_stack=1:log_path=$reports:\
${TSAN_OPTIONS:-}"

limit=${TEST_LIMIT:-300}
wrap=
if [ "${MODE:-}" = tsan ] && setarch -R true 2>/dev/null; then
    wrap="setarch -R" # TSan's shadow wants the classic address space
fi
if [ -n "${VALGRIND:-}" ]; then
    limit=900
    wrap="valgrind -q --trace-children=yes --fair-sched=try --error-exitcode=1 \
--leak-check=full --errors-for-leak-kinds=definite,indirect"
fi

started=$(date +%s)
timeout -k 10 $limit $wrap "$program" --verbose "$@" >"$log" 2>&1 </dev/null
status=$?
took=$(($(date +%s) - started))

counts=$(sed 's/\x1b\[[0-9;]*m//g' "$log" |
    sed -n 's/.*Synthesis: Tested: *\([0-9]*\) *| Passing: *\([0-9]*\).*/\1 \2/p' |
    tail -n 1)
tested=${counts% *}
passed=${counts#* }
why=
if [ -z "$counts" ]; then
    tested=1 passed=0 why="ended with status $status before its summary"
    [ $status -eq 124 ] && why="still running after $limit s"
elif [ "$tested" -eq 0 ] && ! grep -q SKIP "$log"; then
    tested=1 why="ran no test"
elif [ $status -ne 0 ] && [ "$tested" -eq "$passed" ]; then
    tested=$((passed + 1)) why="ended with status $status"
fi
for r in "$reports".*; do
    if [ -e "$r" ]; then
        cat "$r" >>"$log"
        [ "$tested" -gt "$passed" ] || tested=$((passed + 1))
        why="${why:+$why; }a sanitizer reported"
        break
    fi
done

failed=$((tested - passed))
name=${program#"$BUILD_DIR"/}
if [ $failed -eq 0 ]; then
    printf '  ok   %s: %d passed (%d s)\n' "$name" "$passed" "$took"
else
    printf '%s\n  FAIL %s: %d passed, %d failed%s\n' \
        "$(tail -n 200 "$log")" "$name" "$passed" "$failed" "${why:+: $why}"
fi
echo "$passed $failed" >"$result"
