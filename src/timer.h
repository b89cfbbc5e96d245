/* SPDX-License-Identifier: MIT */
/*
 * timer.h -- deadlines of one worker: a pairing heap, and slots in front of it
 * for a crowd.
 *
 *     timer_init(&task->timer, on_deadline);
 *     timer_arm(&heap, &task->timer, now_ns + 5000000);
 *     ...
 *     int64_t sleep_until = timer_next(&heap);
 *     timer_fire(&heap, now_ns);              calls on_deadline(&task->timer)
 *
 *     idle --timer_arm--> armed --timer_disarm, timer_fire--> idle
 *
 * Timers are intrusive: their memory is the caller's, and nothing allocates or
 * fails.  Times are absolute nanoseconds of a clock that the heap never reads.
 *
 *   - Equal times fire in arming order.
 *   - A disarmed timer does not fire, even one that was due in the same
 *     timer_fire() and is disarmed by an earlier callback.
 *   - A timer armed while timer_fire() runs waits for the next timer_fire(),
 *     whatever its time: so no callback can keep that call from ending.
 *
 * Owner: one thread, for every call.  Nothing suspends.
 */
#ifndef AMBIT_SRC_TIMER_H
#define AMBIT_SRC_TIMER_H

#include "src/base.h"

#define TIMER_SLOT_SHIFT 20 /* a slot is 1.05 ms */
#define TIMER_SLOTS 1024
#ifdef AMBIT_CHECKED
#define TIMER_CROWD 8
#else
#define TIMER_CROWD 256
#endif
#define TIMER_SLACK_NS 100000 /* the kernel gives a thread 50,000 */

struct timer {
    struct timer *child; /* in a slot: the one after the next, or what was; to be
                            fetched, never to be used */
    struct timer *next; /* sibling, or in the slot */
    struct timer *prev; /* sibling, or parent when first child */
    int64_t when_ns;
    uint64_t order; /* arming order, breaks ties */
    void (*fired)(struct timer *timer);
    bool armed;
    bool filed; /* in a slot */
    bool about; /* it is the start of a struct timer_about */
};

/* A timer and what its callback looks at, which is fetched before. */
struct timer_about {
    struct timer timer;
    void *what;
};

struct timer_heap {
    struct timer *root;
    uint64_t armed_ever;
    size_t armed;
    size_t filed;
    int64_t firing_ns; /* now of the timer_fire() that runs, else INT64_MIN */
    int64_t slots_ns; /* where the first slot begins, in whole slots */
    uint64_t filled[TIMER_SLOTS / 64];
    struct timer *slots[TIMER_SLOTS];
};

/* An empty heap.  It needs no fini: forget it when `armed` is 0. */
void timer_heap_init(struct timer_heap *heap);

/* An idle timer.  fired runs inside timer_fire(), with the timer idle again: it
 * may arm it anew, free its memory, and arm or disarm any other of the heap;
 * it must not call timer_fire(). */
void timer_init(struct timer *timer, void (*fired)(struct timer *));
void timer_init_about(struct timer_about *timer,
                      void (*fired)(struct timer *), void *what);

/* Arms a timer for when_ns, past times allowed; one that is armed in this heap
 * already is moved.  O(1), or O(log n) amortised when it moves. */
void timer_arm(struct timer_heap *heap, struct timer *timer, int64_t when_ns);

/* Makes a timer idle; returns whether it was armed.  The timer must be idle or
 * in this heap.  O(1) for one that has nothing below it in the heap, which most
 * deadlines that are met have not; else O(log n) amortised. */
bool timer_disarm(struct timer_heap *heap, struct timer *timer);

/* The earliest time armed; INT64_MAX when nothing is.  O(1), but that it may
 * put the timers of one slot in order. */
int64_t timer_next(struct timer_heap *heap);

/* When who has nothing else to do fires next: of a crowd several together, so up
 * to TIMER_SLACK_NS after the earliest.  INT64_MAX when nothing is armed. */
int64_t timer_wake(struct timer_heap *heap);

/* Fires every timer due at or before now_ns, earliest first; returns how
 * many. */
size_t timer_fire(struct timer_heap *heap, int64_t now_ns);

#endif
