/* SPDX-License-Identifier: MIT */
/*
 * undefined.c -- a seeded defect (see tests/tidy/bite.sh):
 * a signed sum too large for its type.
 */
#include "tests/harness/test.h"

#include <limits.h>

Test(bite, an_overflowing_sum_is_reported)
{
    volatile int large = INT_MAX;
    large = large + 1;
    cr_assert_neq(large, 1);
}
