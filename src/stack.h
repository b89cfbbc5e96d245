/* SPDX-License-Identifier: MIT */
/*
 * stack.h -- an arena of stacks with guard pages, lent last in first out.
 */
#ifndef AMBIT_SRC_STACK_H
#define AMBIT_SRC_STACK_H

#include "src/fiber.h"
#include "src/list.h"

struct task;

struct stack {
    struct fiber fiber;
    struct stack *next_free;    /* arena.free */
    struct task *task;          /* who borrows it now; for overflow reports */
};

struct stack_arena {
    struct stack *free;
    struct stack_chunk *chunks;
    size_t stack_size;          /* of a slot, guard included; power of two */
    size_t lent;
    size_t lent_max;            /* cap: see stack_arena_init */
    size_t made;
    bool guard_by_madvise;
};

int stack_arena_init(struct stack_arena *arena, size_t stack_size,
                     size_t stacks_max);
void stack_arena_fini(struct stack_arena *arena);
struct stack *stack_lend(struct stack_arena *arena, void (*entry)(void *));
void stack_return(struct stack_arena *arena, struct stack *stack);
struct stack *stack_find(struct stack_arena *arena, const void *address,
                         bool *ret_in_guard);

#endif
