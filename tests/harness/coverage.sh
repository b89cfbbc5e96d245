#!/bin/sh
# SPDX-License-Identifier: MIT
#
# coverage.sh FOLDER -- which branches of the core the tests have taken, by
# file and in sum, and the lines with one that was missed.
#
# The core is regions/ and what in src/ makes, parks, wakes, queues and ends a
# task.  Not counted: the ways out of ASSERT, CHECK and REQUIRE, which end the
# process; and the runs in the lab, where the atomics have branches of their
# own, which gcovr would take for the line's.  Counted though nothing can take them: the way past a switch that
# names every value of its enum, and some in the macros of printf's arguments.
# Which of the turns of a compare-and-swap loop are taken differs from run to
# run, by some 0.5 %.  Below the floor here something has lost its tests.
cd "$(dirname "$0")/../.." || exit 1
floor=95

gcovr --root . --object-directory "$1" --exclude 'tests/' \
    --filter 'regions/' \
    --filter 'src/(task|park|worker|idle|join|poll|deque|note|timer)[.]' \
    --exclude-unreachable-branches --exclude-throw-branches \
    --exclude-branches-by-pattern '^ *(ASSERT|CHECK|CHECK_NO_LOCK|REQUIRE)[(].*' \
    --json "$1/coverage.json" --txt - --branches \
    --fail-under-branch $floor "$1/src" "$1/regions" "$1/actors"
