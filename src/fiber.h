/* SPDX-License-Identifier: MIT */
/*
 * fiber.h -- one stack of execution, and the switch between two.
 */
#ifndef AMBIT_SRC_FIBER_H
#define AMBIT_SRC_FIBER_H

#include "src/base.h"

struct fiber {
    void *sp;           /* valid while switched out */
    void *stack_low;    /* usable range; NULL and 0 for a thread's own stack */
    size_t stack_size;
    void *tsan;         /* sanitizer handles, unused otherwise */
    void *asan_fake;
    unsigned valgrind_id;
};

/* The thread's own stack as a fiber, so that it can be switched away from. */
void fiber_init_thread(struct fiber *fiber);
void fiber_fini_thread(struct fiber *fiber);

/* A fiber that, switched to for the first time, calls entry(arg) on the given
 * stack.  entry must never return: it switches away for good instead. */
void fiber_init(struct fiber *fiber, void *stack_low, size_t stack_size,
                void (*entry)(void *arg), void *arg);
void fiber_fini(struct fiber *fiber);

/* Leaves `from`, continues `to`; returns when somebody switches back. */
void fiber_switch(struct fiber *from, struct fiber *to);

#endif
