/* SPDX-License-Identifier: MIT */
/*
 * cancel.c -- from a request at one region to every task under it.
 *
 * A request marks the region and all regions below it, and asks the worker of
 * each task that waits there to call the wait off.  Tasks that run, or have
 * not run yet, meet the mark at their next suspending call.  The mark stays
 * until the region closes: cancellation is a level, not an edge.
 *
 *   CAN-1  A cancel is a request: it waits for nothing.
 *   CAN-5  A reason only strengthens.
 *   CAN-7  A cancel reaches all regions below, whatever the depth.
 *   CAN-9  A reason names the region it started at.
 *
 * The walk is iterative and holds the locks of the path from the region it
 * started at down to where it is.  Any thread.
 */
#include "regions/region.h"

bool region_is_cancelled(struct region *region)
{
    /* ORDER(cancel): acquire.  Pairs with the release in mark(). */
    return atomic_load_explicit(&region->owner.cancelled,
                                memory_order_acquire) != 0;
}

/* Lock held. */
static void mark(struct region *region)
{
    /* ORDER(cancel): seq_cst.  Pairs with the loads in park_refusal() and
     * task_is_void(), and comes before the look at where a dormant task is:
     * either that sees its worker, or the task, entering one, sees the mark. */
    atomic_store_explicit(&region->owner.cancelled, 1, memory_order_seq_cst);
}

/* Lock held: everyone who may be waiting in this region. */
static void call_off(struct region *region)
{
    list_for_each(node, &region->owner.tasks)
    {
        task_post_abort(CONTAINER_OF(node, struct task, sibling));
    }
    task_post_abort(region->host);
}

static void cause_strengthen(struct region_cause *cause,
                             enum ambit_cancel_kind kind, const char *text,
                             const char *region)
{
    if (kind > cause->kind) {
        RULE(CAN_5);
        *cause = (struct region_cause){kind, text, region};
    }
}

static struct region *first_child(struct region *region)
{
    return list_is_empty(&region->children)
               ? NULL
               : CONTAINER_OF(region->children.next, struct region, sibling);
}

static struct region *next_sibling(struct region *region)
{
    struct list_node *next = region->sibling.next;
    return next == &region->parent->children
               ? NULL
               : CONTAINER_OF(next, struct region, sibling);
}

/* Locks and marks one region on the way down. */
static void enter_child(struct region *region, enum ambit_cancel_kind kind,
                        const char *text, const char *origin)
{
    spin_lock(&region->owner.lock);
    cause_strengthen(&region->outer_cause, kind, text, origin);
    mark(region);
    call_off(region);
}

/* The next region in the walk below top, or NULL; unlocks what it leaves. */
static struct region *walk_on(struct region *top, struct region *at)
{
    struct region *next = first_child(at);
    while (next == NULL && at != top) {
        struct region *parent = at->parent;
        next = next_sibling(at);
        spin_unlock(&at->owner.lock);
        at = parent;
    }
    return next;
}

void region_cancel(struct region *region, enum ambit_cancel_kind kind,
                   const char *text)
{
    spin_lock(&region->owner.lock);
    cause_strengthen(&region->own, kind, text, region->name);
    mark(region);
    call_off(region);
    struct region *at = region;
    RULE(CAN_7);
    while ((at = walk_on(region, at)) != NULL) {
        enter_child(at, kind, text, region->name);
    }
    spin_unlock(&region->owner.lock);
}

void ambit_cancel(ambit_region *region, const char *text)
{
    RULE(CAN_1);
    region_cancel(region_of(region), AMBIT_CANCEL_USER, text);
}

struct ambit_cancel_reason ambit_cancel_reason(ambit_region *public)
{
    struct region *region = region_of(public);
    spin_lock(&region->owner.lock);
    bool own = region->own.kind >= region->outer_cause.kind;
    RULE(CAN_9);
    struct region_cause cause = own ? region->own : region->outer_cause;
    spin_unlock(&region->owner.lock);
    return (struct ambit_cancel_reason){
        .kind = cause.kind,
        .own = own && cause.kind != AMBIT_CANCEL_NONE,
        .text = cause.text,
        .region = cause.region,
    };
}
