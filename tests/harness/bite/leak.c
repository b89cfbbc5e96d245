/* SPDX-License-Identifier: MIT */
/*
 * leak.c -- a seeded defect (see tests/tidy/bite.sh):
 * a block nobody frees.
 */
#include "tests/harness/test.h"

#include <stdlib.h>

static void *volatile block;

static __attribute__((noinline)) void lose_a_block(void)
{
    block = malloc(100);
    block = NULL;
}

Test(bite, a_lost_block_is_reported)
{
    lose_a_block();
    for (int i = 0; i < 100; i++) { /* no stale copy left in the allocator */
        block = malloc(100);
        free(block);
    }
}
