/* SPDX-License-Identifier: MIT */
/*
 * semaphore.h -- permits, and under them the mutex, the rwlock and the notify.
 *
 *   63        queued: somebody waits; the word changes under the lock only
 *   31 ... 0  permits that are free
 *
 * While nobody waits, an acquire and a release are one exchange each.  From the
 * moment somebody does, everybody goes by the line, so nobody overtakes.
 */
#ifndef AMBIT_SRC_SYNC_SEMAPHORE_H
#define AMBIT_SRC_SYNC_SEMAPHORE_H

#include "src/sync/line.h"

#include <ambit/sync.h>

#define SEMAPHORE_QUEUED (UINT64_C(1) << 63)
#define SEMAPHORE_FREE(word) ((word) & UINT32_MAX)

struct semaphore {
    _Atomic uint64_t word; /* any thread: ORDER(semaphore) */
    struct line line;
    uint32_t max;          /* once */
};

static inline struct semaphore *semaphore_of(struct ambit_semaphore *public)
{
    return (struct semaphore *)(void *)public;
}

static inline bool semaphore_move(struct semaphore *semaphore, uint64_t *from,
                                  uint64_t to)
{
    /* ORDER(semaphore): acq_rel.  Pairs with itself: what was done before a
     * release is seen after the acquire. */
    return atomic_compare_exchange_weak_explicit(&semaphore->word, from, to,
                                                 memory_order_acq_rel,
                                                 memory_order_relaxed);
}

static inline uint64_t semaphore_load(struct semaphore *semaphore)
{
    /* ORDER(semaphore): relaxed.  A guess for semaphore_move(), or a figure
     * for the user; under the lock, while it is queued, nobody else moves it. */
    return atomic_load_explicit(&semaphore->word, memory_order_relaxed);
}

/* True: has them.  Never while others wait. */
static inline bool semaphore_try(struct semaphore *semaphore, uint32_t wanted)
{
    uint64_t word = semaphore_load(semaphore);
    do {
        if ((word & SEMAPHORE_QUEUED) != 0 || word < wanted) {
            return false;
        }
    } while (!semaphore_move(semaphore, &word, word - wanted));
    return true;
}

void semaphore_init(struct semaphore *semaphore, uint32_t permits,
                    uint32_t max);
/* Waits if it has to, with a waiter of its own when that is NULL.  0, or what
 * park() says to a wait that is called off. */
int semaphore_wait(struct semaphore *semaphore, struct line_waiter *waiter,
                   struct task *task, uint32_t wanted, enum park_kind kind);
/* 0, or -EOVERFLOW: there would be more than max. */
int semaphore_give(struct semaphore *semaphore, uint32_t count);
/* Whoever waits has what it wanted; no permit is made or taken. */
void semaphore_let_all(struct semaphore *semaphore);
/* Of a poll task that waits with semaphore_wait(). */
struct await_kind;
extern const struct await_kind semaphore_await;
/* How many wait now. */
uint32_t semaphore_waiting(struct semaphore *semaphore);

#endif
