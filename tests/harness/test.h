/* SPDX-License-Identifier: MIT */
/*
 * test.h -- what every test includes: a framework, and the censuses.
 *
 * All tests of a program have the same .timeout, or none: Criterion 2.4.1 leaks
 * in its own runner when they differ, and LeakSanitizer then fails the run.
 *
 * The framework is Criterion; under TSan (where Criterion cannot start), or
 * with AMBIT_LITE, it is criterion_lite.h, which gives the same words the same
 * meaning.  A test that enforces a rule of spec/ is written
 *
 *     // Goal: ... Method: ...
 *     Spec(REG_FIN_2, finalizers_run_in_reverse_order)
 *     {
 *         int fds = test_open_fds();
 *         ...
 *         cr_assert(test_rule_reached("REG_FIN_2"));
 *         cr_assert(test_fds_back_to(fds));
 *         test_no_leaks();
 *     }
 */
#ifndef AMBIT_TESTS_HARNESS_TEST_H
#define AMBIT_TESTS_HARNESS_TEST_H

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define TEST_UNDER_TSAN 1
#endif
#if __has_feature(address_sanitizer)
#define TEST_UNDER_ASAN 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define TEST_UNDER_TSAN 1
#endif
#ifdef __SANITIZE_ADDRESS__
#define TEST_UNDER_ASAN 1
#endif

#if defined(TEST_UNDER_TSAN) && !defined(AMBIT_LITE)
#define AMBIT_LITE 1
#endif

#ifdef AMBIT_LITE
#include "tests/harness/criterion_lite.h"
#else
#include <criterion/criterion.h>
#endif

#include "tests/harness/census.h"

/* A test of one numbered rule.  Both arguments are plain words. */
#define Spec(rule, ...) Test(rule, __VA_ARGS__)

/* Fails the test when memory can no longer be reached.  Criterion counts a
 * test as passing even though LeakSanitizer reports at its end, so a test asks
 * itself.  Says nothing outside ASan. */
#ifdef TEST_UNDER_ASAN
#define test_no_leaks() \
    cr_assert(__lsan_do_recoverable_leak_check() == 0, "memory leaked")
#else
#define test_no_leaks() ((void)0)
#endif

#endif
