/* SPDX-License-Identifier: MIT */
/*
 * clock.c -- virtual time, and what is to happen in it.
 *
 * Events lie in a list by time, those of one time in order of arming.  The
 * clock is moved by threads.c alone, when no thread can run.
 */
#include "spec/lab/lab.h"

#include <time.h>

#include "spec/lab/os.h"

#undef clock_gettime

int lab_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
    if (lab_self == NULL) {
        return clock_gettime(clock, ret_now);
    }
    ret_now->tv_sec = lab_self->now_ns / 1000000000;
    ret_now->tv_nsec = lab_self->now_ns % 1000000000;
    return 0;
}

uint64_t lab_ticks(void)
{
    if (lab_self == NULL) {
#if defined(__x86_64__)
        uint32_t low, high;
        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
        return (uint64_t)high << 32 | low;
#else
        return 0;
#endif
    }
    return lab_self->ticks += 1000000;
}

void lab_at(struct lab *lab, struct lab_event *event, int64_t when_ns,
            void (*happen)(struct lab *, struct lab_event *))
{
    struct list_node *at = lab->events.prev;
    event->when_ns = when_ns;
    event->happen = happen;
    event->armed = true;
    while (at != &lab->events &&
           CONTAINER_OF(at, struct lab_event, node)->when_ns > when_ns) {
        at = at->prev;
    }
    list_push_back(at->next, &event->node);
}

void lab_not_at(struct lab_event *event)
{
    if (event->armed) {
        event->armed = false;
        list_remove(&event->node);
    }
}

int64_t lab_event_next(const struct lab *lab)
{
    return list_is_empty(&lab->events)
               ? LAB_NEVER
               : CONTAINER_OF(lab->events.next, struct lab_event, node)
                     ->when_ns;
}

bool lab_event_is_due(const struct lab *lab)
{
    return lab_event_next(lab) <= lab->now_ns;
}

bool lab_event_run(struct lab *lab)
{
    struct list_node *at = lab->events.next;
    unsigned due = 0;
    if (!lab_event_is_due(lab)) {
        return false;
    }
    lab->relaxed = 0;
    for (struct list_node *n = at; n != &lab->events && due < 8; n = n->next) {
        if (CONTAINER_OF(n, struct lab_event, node)->when_ns > lab->now_ns) {
            break;
        }
        due++;
    }
    unsigned i = due > 1 ? lab_choose(lab, LAB_KERNEL, due, NULL) : 0;
    while (i-- > 0) {
        at = at->next;
    }
    struct lab_event *event = CONTAINER_OF(at, struct lab_event, node);
    lab_not_at(event);
    event->happen(lab, event);
    return true;
}
