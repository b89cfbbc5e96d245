/* SPDX-License-Identifier: MIT */
/*
 * failing.c -- a seeded defect (see tests/tidy/bite.sh):
 * an assertion and an expectation that do not hold.
 */
#include "tests/harness/test.h"

Test(bite, a_false_assertion_fails)
{
    cr_assert_eq(1, 2, "one is not %d", 2);
}

Test(bite, a_false_expectation_fails)
{
    cr_expect_eq(1, 2);
}
