/* SPDX-License-Identifier: MIT */
/*
 * stack.h -- an arena of stacks with guard pages, lent last in first out.
 *
 *     struct stack_arena arena;
 *     int rc = stack_arena_init(&arena, 64 << 10, 30000);
 *     struct stack *stack = stack_lend(&arena, run_tasks);
 *     stack->task = task;
 *     fiber_switch(&worker, &stack->fiber);   run_tasks(stack) ... parks
 *     stack_return(&arena, stack);
 *     stack_arena_fini(&arena);
 *
 * The life of a slot, and the function of each arrow:
 *
 *     unmade --lend--> lent --return--> hot --lend--> lent
 *                       ^                |
 *                       |              trim, or return when hot_max are hot
 *                       +-----lend----- bare
 *
 *   hot    free, its memory and its parked fiber are kept: the borrower's loop
 *          goes on where it parked.
 *   bare   free, memory given back to the kernel, guard kept; the next lend
 *          makes a new fiber.
 *
 * One stack runs many tasks one after the other: entry() is a loop that runs a
 * task, marks itself free and switches away.  An arena is used with one entry.
 *
 * Owner: one thread, for every call.  stack_find() may also be called by a
 * signal handler on that thread.
 */
#ifndef AMBIT_SRC_STACK_H
#define AMBIT_SRC_STACK_H

#include "src/fiber.h"
#include "src/list.h"
#include "src/park.h"

struct mask;
struct task;
struct stack_chunk;

/* What somebody else looks at of who is parked on a stack.  Apart from that, as a
 * crowd's stacks are far away: to cancel one is not to touch its pages. */
struct stack_wait {
    struct stack *stack; /* once */
    park_abort_fn *abort;
    void *abort_arg;
};

struct stack {
    struct fiber fiber;
    struct stack *next_free;   /* arena.free */
    struct task *task;         /* who borrows it now; for overflow reports */
    struct stack_chunk *chunk; /* where its slot is */
    struct stack_wait *wait;   /* once */
    struct mask *mask; /* the innermost one around its borrower, which has some */
};

struct stack_arena {
    struct stack *free; /* hot ones, the hottest first */
    size_t free_len;
    size_t free_low; /* the least that free_len has been; reset by the owner */
    struct stack_chunk *chunks; /* all */
    struct stack_chunk *open;   /* those with bare or unmade slots */
    size_t stack_size;          /* of a slot, guard included; power of two */
    size_t guard_size;
    _Atomic size_t
        lent;        /* written by the owner, read by any: ORDER(stack-lent) */
    size_t lent_max; /* cap: see stack_arena_init */
    size_t hot_max;  /* keep so many free ones hot; may be changed any time */
    size_t made;     /* slots that were ever lent: the peak of stacks */
    size_t arenas;   /* that share the process: see stack_arena_share */
    bool guard_by_madvise;
    bool ahead; /* the kernel takes advice for many stacks at once */
};

/* Prepares an arena that makes its stacks on demand.  Does not suspend.
 *
 * stack_size is in bytes, a power of two from 16 KiB to 1 GiB; the lowest
 * 16 KiB (4 KiB, if stack_size is below 64 KiB) are the guard.  stacks_max
 * bounds the stacks lent at one time; where the kernel cannot make guards
 * without mappings of their own it may come out lower: see stack_arena_share.
 *
 * 0, or -EINVAL when a bound is broken. */
int stack_arena_init(struct stack_arena *arena, size_t stack_size,
                     size_t stacks_max);

/* Frees every stack.  None may be lent.  NULL and zeroed memory are allowed. */
void stack_arena_fini(struct stack_arena *arena);

/* How many are lent now.  Any thread: a snapshot. */
static inline size_t stack_lent(struct stack_arena *arena)
{
    /* ORDER(stack-lent): relaxed.  A figure; pairs with lent_add(). */
    return atomic_load_explicit(&arena->lent, memory_order_relaxed);
}

/* Tells an arena that `arenas` of its kind share this process.  Matters only
 * where guards are made with mprotect(): each stack then takes two of the
 * mappings that vm.max_map_count allows a process, and all arenas together must
 * stay below 90 % of them.  Call it before the first lend. */
void stack_arena_share(struct stack_arena *arena, size_t arenas);

/* Lends a stack: a hot one, else a bare one, else a new one.
 *
 * When stack->fiber is new, it runs entry(stack) at the first switch to it; a
 * hot one continues after the switch in which it was parked.  The caller owns
 * the stack until stack_return().  NULL when lent_max stacks are lent, or the
 * kernel has no more memory or mappings. */
struct stack *stack_lend(struct stack_arena *arena, void (*entry)(void *));
/* A hot one, or NULL. */
struct stack *stack_lend_free(struct stack_arena *arena);

/* Takes a stack back.  Its fiber must be parked, and nothing on it may be
 * needed but the frames of entry()'s loop; even those are lost when hot_max
 * free stacks are hot already. */
void stack_return(struct stack_arena *arena, struct stack *stack);

/* Makes up to `most` free stacks bare, but leaves the hot_len hottest.  A
 * worker with nothing to do may call it; it costs a system call for each. */
void stack_trim(struct stack_arena *arena, size_t hot_len, size_t most);

/* The stack whose slot contains address, or NULL when no made slot does.
 * *ret_in_guard tells whether it lies in that slot's guard.  Walks the chunks;
 * async-signal-safe on the owner's thread. */
struct stack *stack_find(struct stack_arena *arena, const void *address,
                         bool *ret_in_guard);

/* How many bytes of the stack, counted from its high end, have been touched
 * since it was last made; a multiple of the page size, guard not counted.  It
 * asks the kernel; the owner's thread only. */
size_t stack_touched(const struct stack_arena *arena,
                     const struct stack *stack);

#endif
