/* SPDX-License-Identifier: MIT */
/*
 * word.h -- the state of a region in one word, and each way it can change.
 *
 *     bits  0..27  tasks                 bit 62  WAITED: the host is parked
 *     bits 28..55  other children        bit 63  CLOSED: nobody enters
 *
 *   open --word_enter()-----------> open, one child more
 *   open --word_leave()-----------> open, one less; the last one of a WAITED
 *                                   word clears the mark and wakes the host
 *   open --word_wait()------------> open and WAITED, unless it is empty
 *   open, empty --word_close()----> CLOSED, for good
 *
 * Admission and closing are decided by the same word: of a spawn and a close
 * that meet, one sees the other.  Each transition says what it did, and none
 * may be ignored.  Any thread; wait and close are the host's.
 */
#ifndef AMBIT_REGIONS_WORD_H
#define AMBIT_REGIONS_WORD_H

#include "src/base.h"

#define REGION_TASK UINT64_C(1)
#define REGION_CHILD (UINT64_C(1) << 28)
#define REGION_COUNTS ((UINT64_C(1) << 56) - 1)
#define REGION_TASKS_MAX (REGION_CHILD - 1)
#define REGION_TASKS(word) ((word) & (REGION_CHILD - 1))
#define REGION_WAITED (UINT64_C(1) << 62)
#define REGION_CLOSED (UINT64_C(1) << 63)

enum word_entered {
    WORD_ENTERED,
    WORD_FULL,     /* as many tasks as there may be */
    WORD_SHUT,     /* closed: the last child has left */
};

enum word_left {
    WORD_LEFT,
    WORD_LEFT_LAST, /* the caller wakes the host */
};

enum word_waited {
    WORD_WAITS,    /* the last child to leave will wake the host */
    WORD_EMPTY,    /* there is nobody to wait for */
};

enum word_closed {
    WORD_CLOSED,
    WORD_BUSY,     /* a child is still there */
};

#define WORD_RESULT __attribute__((warn_unused_result))

static inline uint64_t word_load(_Atomic uint64_t *word)
{
    /* ORDER(region-word): relaxed.  A snapshot, or a guess for the CAS that
     * follows. */
    return atomic_load_explicit(word, memory_order_relaxed);
}

static inline bool word_move(_Atomic uint64_t *word, uint64_t *from,
                             uint64_t to)
{
    /* ORDER(region-word): acq_rel.  Pairs with itself: what a child did before
     * it left is seen by the host that finds the region empty. */
    return atomic_compare_exchange_weak_explicit(
        word, from, to, memory_order_acq_rel, memory_order_relaxed);
}

/* `unit`: some tasks, or one child. */
WORD_RESULT static inline enum word_entered
word_enter(_Atomic uint64_t *word, uint64_t unit, uint64_t tasks_max)
{
    uint64_t from = word_load(word);
    do {
        if (UNLIKELY((from & REGION_CLOSED) != 0)) {
            return WORD_SHUT;
        }
        if (UNLIKELY(unit < REGION_CHILD &&
                     REGION_TASKS(from) + unit > tasks_max)) {
            return WORD_FULL;
        }
    } while (!word_move(word, &from, from + unit));
    return WORD_ENTERED;
}

WORD_RESULT static inline enum word_left word_leave(_Atomic uint64_t *word,
                                                    uint64_t unit)
{
    uint64_t from = word_load(word);
    uint64_t to;
    bool last;
    do {
        to = from - unit;
        last = (to & REGION_COUNTS) == 0 && (to & REGION_WAITED) != 0;
        to &= last ? ~REGION_WAITED : ~UINT64_C(0);
    } while (!word_move(word, &from, to));
    return last ? WORD_LEFT_LAST : WORD_LEFT;
}

WORD_RESULT static inline enum word_waited word_wait(_Atomic uint64_t *word)
{
    uint64_t from = word_load(word);
    do {
        if ((from & REGION_COUNTS) == 0) {
            return WORD_EMPTY;
        }
    } while (!word_move(word, &from, from | REGION_WAITED));
    return WORD_WAITS;
}

WORD_RESULT static inline enum word_closed word_close(_Atomic uint64_t *word)
{
    uint64_t from = word_load(word);
    do {
        if ((from & REGION_COUNTS) != 0) {
            return WORD_BUSY;
        }
    } while (!word_move(word, &from, from | REGION_CLOSED));
    return WORD_CLOSED;
}

/* One more child, by one who holds the region open already. */
static inline void word_hold(_Atomic uint64_t *word)
{
    /* ORDER(region-word): relaxed.  Nothing is published by it; pairs with the
     * release of its word_leave(). */
    atomic_fetch_add_explicit(word, REGION_CHILD, memory_order_relaxed);
}

#endif
