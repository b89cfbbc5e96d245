/* SPDX-License-Identifier: MIT */
/*
 * leak_guard.c -- a seeded defect (see tests/tidy/bite.sh):
 * a block nobody frees, found by the test itself.
 */
#include "tests/harness/test.h"

#include <stdlib.h>

static void *volatile block;

static __attribute__((noinline)) void lose_a_block(void)
{
    block = malloc(100);
    block = NULL;
}

Test(bite, the_guard_finds_a_lost_block)
{
    lose_a_block();
    block = malloc(100);
    free(block);
    test_no_leaks();
}
