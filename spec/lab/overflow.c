/* SPDX-License-Identifier: MIT */
/*
 * overflow.c -- in the lab nobody names an overflow: the guard page ends the
 * process, and the explorer says at which seed.
 */
#include "src/overflow.h"

int overflow_install(void)
{
    return 0;
}

void overflow_uninstall(void)
{
}

int overflow_thread_init(struct stack_arena *arena,
                         void (*describe)(struct stack *stack, char *buf,
                                          size_t len))
{
    (void)arena;
    (void)describe;
    return 0;
}

void overflow_thread_fini(void)
{
}
