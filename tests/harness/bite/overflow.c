/* SPDX-License-Identifier: MIT */
/*
 * overflow.c -- a seeded defect (see tests/tidy/bite.sh):
 * one byte too far on the heap.
 */
#include "tests/harness/test.h"

#include <stdlib.h>

Test(bite, an_overflow_is_reported)
{
    volatile size_t size = 10;
    volatile char *block = malloc(size);
    block[size] = 1;
    free((void *)block);
}
