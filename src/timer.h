/* SPDX-License-Identifier: MIT */
/*
 * timer.h -- deadlines of one worker, in a pairing heap.
 */
#ifndef AMBIT_SRC_TIMER_H
#define AMBIT_SRC_TIMER_H

#include "src/base.h"

struct timer {
    struct timer *child;
    struct timer *next;     /* sibling */
    struct timer *prev;     /* sibling, or parent when first child */
    int64_t when_ns;
    uint64_t order;         /* arming order, breaks ties */
    void (*fired)(struct timer *timer);
    bool armed;
};

struct timer_heap {
    struct timer *root;
    uint64_t armed_ever;
    size_t armed;
};

void timer_heap_init(struct timer_heap *heap);
void timer_init(struct timer *timer, void (*fired)(struct timer *));
void timer_arm(struct timer_heap *heap, struct timer *timer, int64_t when_ns);
bool timer_disarm(struct timer_heap *heap, struct timer *timer);
/* INT64_MAX when nothing is armed. */
int64_t timer_next(const struct timer_heap *heap);
/* Fires every timer due at or before now, earliest first; returns how many. */
size_t timer_fire(struct timer_heap *heap, int64_t now_ns);

#endif
