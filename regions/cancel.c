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
 * The walk is iterative and holds one lock at a time, at any depth.  What keeps
 * the path back up in place is a count of visitors in each region on it, which
 * lies under the parent's lock and which a region waits out before it leaves
 * its parent's list.  That wait is short: a region that leaves has no children,
 * so its visitors are not below it.  Any thread that knows the region it starts
 * at to be open.
 */
#include "regions/region.h"

bool owner_is_cancelled(struct task_owner *owner)
{
    /* ORDER(cancel): acquire.  Pairs with the change in owner_mark(). */
    return (atomic_load_explicit(&owner->flags, memory_order_acquire) &
            OWNER_CANCELLED) != 0;
}

void owner_mark(struct task_owner *owner)
{
    /* ORDER(cancel): seq_cst.  Pairs with the loads in park_refusal() and
     * task_is_void(), and comes before the look at where a dormant task is:
     * either that sees its worker, or the task, entering one, sees the mark. */
    atomic_fetch_or_explicit(&owner->flags, OWNER_CANCELLED,
                             memory_order_seq_cst);
}

/* Lock held. */
static void mark(struct region *region)
{
    owner_mark(&region->owner);
}

/* Lock held: everyone who may be waiting in this region. */
static void call_off(struct region *region)
{
    list_for_each(node, &region->owner.tasks)
    {
        /* what list_for_each() comes to next, or its head */
        fetch_lines(CONTAINER_OF(node_next_, struct task, sibling), 2);
        task_post_abort(CONTAINER_OF(node, struct task, sibling));
    }
    task_post_abort(region->host);
}

static void cause_strengthen(struct region_cause *cause,
                             const struct region_cause *new)
{
    if (new->kind > cause->kind) {
        RULE(CAN_5);
        RULE(CAN_10);
        *cause = *new;
    }
}

/* The parent's lock held.  NULL: the end of the list. */
static struct region *visit(struct region *parent, struct list_node *node)
{
    if (node == &parent->children) {
        return NULL;
    }
    struct region *region = CONTAINER_OF(node, struct region, sibling);
    region->visitors++;
    return region;
}

static struct region *visit_first_child(struct region *parent)
{
    spin_lock(&parent->owner.lock);
    struct region *child = visit(parent, parent->children.next);
    spin_unlock(&parent->owner.lock);
    return child;
}

/* Leaves the region, which may be gone afterwards. */
static struct region *visit_next_sibling(struct region *region)
{
    struct region *parent = region->parent;
    spin_lock(&parent->owner.lock);
    struct region *next = visit(parent, region->sibling.next);
    region->visitors--;
    spin_unlock(&parent->owner.lock);
    return next;
}

/* The next region of the walk below top, or NULL. */
static struct region *walk_on(struct region *top, struct region *at)
{
    struct region *next = visit_first_child(at);
    while (next == NULL && at != top) {
        struct region *parent = at->parent;
        next = visit_next_sibling(at);
        at = parent;
    }
    return next;
}

static void cancel_one(struct region *region, struct region_cause *cause,
                       const struct region_cause *new)
{
    spin_lock(&region->owner.lock);
    cause_strengthen(cause, new);
    mark(region);
    TELL(REGION_CANCELLED, region, NULL, new->kind);
    call_off(region);
    spin_unlock(&region->owner.lock);
}

void region_cancel_for(struct region *region, const struct region_cause *cause)
{
    cancel_one(region, &region->own, cause);
    RULE(CAN_7);
    for (struct region *at = region; (at = walk_on(region, at)) != NULL;) {
        cancel_one(at, &at->outer_cause, cause);
    }
}

void region_cancel(struct region *region, enum ambit_cancel_kind kind,
                   const char *text)
{
    const struct region_cause cause = {
        .kind = kind, .text = text, .region = region->name};
    region_cancel_for(region, &cause);
}

/* The task that runs on this thread, or ends; NULL: none, or on no worker. */
static const char *caller_name(void)
{
    struct worker *self = worker_self;
    if (self == NULL || self->current == NULL) {
        return NULL;
    }
    return self->ending != NULL ? self->ending->name : task_name(self->current);
}

void ambit_cancel(ambit_region *public, const char *text)
{
    struct region *region = region_of(public);
    const struct region_cause cause = {
        .kind = AMBIT_CANCEL_USER,
        .text = text,
        .region = region->name,
        .task = caller_name(),
    };
    RULE(CAN_1);
    RULE(CAN_12);
    region_cancel_for(region, &cause);
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
        .task = cause.task,
    };
}
