/* SPDX-License-Identifier: MIT */
/*
 * deque.h -- a work-stealing deque: the owner at the bottom, thieves at the
 * top.
 *
 *     deque_push(&deque, item);               owner
 *     item = deque_pop(&deque);               owner: the newest, still warm
 *     item = deque_steal(&deque, &again);     any thread: the oldest
 *
 * Each item pushed is popped or stolen exactly once.  What the owner wrote
 * before a push, the thief that steals the item sees.  NULL is no item.
 */
#ifndef AMBIT_SRC_DEQUE_H
#define AMBIT_SRC_DEQUE_H

#include "src/base.h"

struct deque_ring;

struct deque {
    /* any thread: ORDER(deque-top) */
    _Alignas(CACHE_LINE) _Atomic int64_t top;

    /* written by the owner, read by any thread: ORDER(deque-bottom) */
    _Alignas(CACHE_LINE) _Atomic int64_t bottom;
    _Atomic(struct deque_ring *) ring;

    /* owner */
    struct deque_ring *rings;   /* all there are, by size, the smallest first */
    int64_t top_seen;           /* at or below top; saves reading its line */
};

/* An empty deque.  0, or -ENOMEM. */
int deque_init(struct deque *deque);

/* Frees the rings; the items are the caller's.  No thread may be in a call.
 * NULL and zeroed memory are allowed. */
void deque_fini(struct deque *deque);

/* Owner.  0, or -ENOMEM when it had to grow and could not; then nothing was
 * pushed.  item must not be NULL. */
int deque_push(struct deque *deque, void *item);

/* Owner, newest first.  NULL when empty. */
void *deque_pop(struct deque *deque);

/* The same where no other thread ever takes. */
void *deque_pop_alone(struct deque *deque);

/* The owner: what it will pop after so many others, NULL, or anything else: to
 * be fetched early, never to be used. */
const void *deque_ahead(struct deque *deque, int64_t others);

/* The owner, oldest first, where no other thread ever takes.  NULL when empty. */
void *deque_take_alone(struct deque *deque);

/* The owner: what comes after so many others that are taken from the top, or
 * NULL.  As deque_ahead(), only to be fetched. */
const void *deque_behind(struct deque *deque, int64_t others);

/* Any thread, oldest first.  NULL when empty or when another thread was faster
 * (*ret_again is then true, and false in every other case). */
void *deque_steal(struct deque *deque, bool *ret_again);

/* The owner: it has grown so large that deque_cool() is worth its calls. */
bool deque_is_large(struct deque *deque);

/* The owner: makes it as small as it was at first, and gives back the memory of
 * what it had grown to; nothing where there are items. */
void deque_cool(struct deque *deque);

/* Any thread: a guess, exact for the owner while nobody steals. */
size_t deque_len(struct deque *deque);

/* The owner: where its next item will lie.  What was pushed since another height
 * and not popped lies above that one. */
static inline int64_t deque_height(struct deque *deque)
{
    /* ORDER(deque-bottom): relaxed.  Written by this thread. */
    return atomic_load_explicit(&deque->bottom, memory_order_relaxed);
}

/* The owner: true, there is nothing; false, there may be. */
static inline bool deque_is_empty(struct deque *deque)
{
    /* ORDER(deque-bottom): relaxed.  Written by this thread. */
    int64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed);
    /* ORDER(deque-top): relaxed.  It never goes back: at bottom, it stays. */
    return atomic_load_explicit(&deque->top, memory_order_relaxed) >= bottom;
}

#endif
