/* SPDX-License-Identifier: MIT */
/*
 * deque.h -- a work-stealing deque: the owner at the bottom, thieves at the top.
 */
#ifndef AMBIT_SRC_DEQUE_H
#define AMBIT_SRC_DEQUE_H

#include "src/base.h"

struct deque_ring;

struct deque {
    _Alignas(CACHE_LINE) _Atomic int64_t top;       /* any thread */
    _Alignas(CACHE_LINE) _Atomic int64_t bottom;    /* written by the owner */
    _Atomic(struct deque_ring *) ring;
    struct deque_ring *retired;                     /* owner: freed at fini */
};

int deque_init(struct deque *deque);
void deque_fini(struct deque *deque);
/* Owner.  0, or -ENOMEM when it had to grow and could not. */
int deque_push(struct deque *deque, void *item);
/* Owner, newest first.  NULL when empty. */
void *deque_pop(struct deque *deque);
/* Any thread, oldest first.  NULL when empty or when another thief was faster
 * (*ret_again is then true). */
void *deque_steal(struct deque *deque, bool *ret_again);
/* Any thread: a guess. */
size_t deque_len(struct deque *deque);

#endif
