/* SPDX-License-Identifier: MIT */
/*
 * silent.c -- a seeded defect (see tests/tidy/bite.sh):
 * a program that dies before its summary.
 */
#include "tests/harness/test.h"

#include <unistd.h>

__attribute__((constructor)) static void die_early(void)
{
    _exit(0);
}

Test(bite, is_never_reached)
{
}
