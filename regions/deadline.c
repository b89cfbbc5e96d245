/* SPDX-License-Identifier: MIT */
/*
 * deadline.c -- the time budget of a region.
 *
 * A region with a deadline has a timer on its host's worker that cancels it.
 * The parent's deadline needs none here: its cancel reaches down by itself, so
 * whichever of the two comes first, counts.
 *
 *   REG-BUDGET-1   A deadline is never later than the parent's.
 *   REG-BUDGET-10  A region whose last child has ended takes none.
 */
#include "regions/region.h"

#include <stdlib.h>

static void deadline_fired(struct timer *timer)
{
    struct region *region =
        CONTAINER_OF(timer, struct region, deadline_timer);
    RULE(REG_BUDGET_3);
    RULE(TIME_5);
    region_cancel(region, AMBIT_CANCEL_DEADLINE, "deadline");
}

/* On the host's worker. */
static void deadline_set(struct region *region, int64_t deadline_ns)
{
    /* ORDER(deadline): relaxed.  A figure for deadline_in_force(). */
    atomic_store_explicit(&region->deadline_ns, deadline_ns,
                          memory_order_relaxed);
    lane_deadline(region, deadline_ns);
    if (deadline_ns == INT64_MAX) {
        worker_timer_disarm(&region->deadline_timer);
    } else if (clock_has_passed(deadline_ns)) {
        worker_timer_disarm(&region->deadline_timer);
        deadline_fired(&region->deadline_timer);
    } else {
        worker_timer_arm(&region->deadline_timer, deadline_ns);
    }
}

void deadline_open(struct region *region, int64_t deadline_ns)
{
    timer_init(&region->deadline_timer, deadline_fired);
    if (deadline_ns != 0) {
        deadline_set(region, deadline_ns);
    }
}

void deadline_close(struct region *region)
{
    worker_timer_disarm(&region->deadline_timer);
}

/* Where a mask or a finalizer is around, no deadline from outside reaches. */
ambit_time deadline_in_force(struct region *region)
{
    int64_t first = INT64_MAX;
    for (bool linked = true; linked; region = region->parent) {
        /* ORDER(deadline): relaxed.  A snapshot; pairs with deadline_set(). */
        int64_t ns = atomic_load_explicit(&region->deadline_ns,
                                          memory_order_relaxed);
        first = ns != 0 && ns < first ? ns : first;
        linked = region->linked;
    }
    return (ambit_time){first == INT64_MAX ? 0 : first};
}

/* From another worker: carried over by a note that counts as a child. */
struct deadline_note {
    struct note note;
    struct region *region;
    int64_t deadline_ns;
};

static void deadline_deliver(struct worker *worker, struct note *note)
{
    struct deadline_note *ask = CONTAINER_OF(note, struct deadline_note, note);
    (void)worker;
    deadline_set(ask->region, ask->deadline_ns);
    region_leave(ask->region, REGION_CHILD);
    free(ask);
}

static int deadline_post(struct region *region, int64_t deadline_ns)
{
    struct deadline_note *ask = malloc(sizeof *ask);
    if (ask == NULL) {
        return -ENOMEM;
    }
    int rc = region_admit(region, REGION_CHILD);
    if (rc < 0) {
        free(ask);
        return rc;
    }
    *ask = (struct deadline_note){
        {.deliver = deadline_deliver}, region, deadline_ns};
    worker_post(task_worker(region->host), &ask->note);
    return 0;
}

/* The region of an actor's life: between messages it has no worker. */
static bool host_may_move(const struct region *region)
{
    const struct task *host = region->host;
    return host->hooks != NULL && host->hooks->nudge != NULL &&
           region->outer == host->owner;
}

/* For the host's thread, the only one to close it. */
static bool is_closed(struct region *region)
{
    return (word_load(&region->word) & REGION_CLOSED) != 0;
}

int ambit_set_deadline(ambit_region *public, ambit_time deadline)
{
    struct region *region = region_of(public);
    if (host_may_move(region)) {
        return -EOPNOTSUPP;
    }
    int rc = capability_needs(&region->owner, AMBIT_CAP_TIME);
    if (rc < 0) {
        return rc;
    }
    if (region_is_cancelled(region)) {
        return -ESHUTDOWN;
    }
    if (!task_is_at(region->host, worker_self)) {
        return deadline_post(region, deadline.ns);
    }
    if (is_closed(region)) {
        /* A finalizer's: the timer would outlive the region. */
        RULE(REG_BUDGET_10);
        return -ESHUTDOWN;
    }
    deadline_set(region, deadline.ns);
    return 0;
}
