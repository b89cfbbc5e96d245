/* SPDX-License-Identifier: MIT */
/*
 * own.c -- a region that a task has only when it needs one.
 *
 * An actor's life is a region; but most handlers open no scope, spawn nothing
 * and register nothing.  Such a life is bare: a task of its parent's list, with
 * an owner that holds nothing but the cancel flag in the place of a region.
 *
 *   bare --region_need(), or its end--> region_open_late() --> a child region
 *
 * Only where the parent hands nothing on but its cancel: no limits, no lane, no
 * missing capability.
 *
 * Owner: the task; its parent's lock for the lists.
 */
#include "regions/region.h"

static uint32_t flags_of(struct region *region)
{
    /* ORDER(cancel): acquire.  Pairs with owner_mark(). */
    return atomic_load_explicit(&region->owner.flags, memory_order_acquire);
}

bool region_is_plain(struct region *parent)
{
    uint32_t handed_on =
        OWNER_WITHOUT(AMBIT_CAP_ALL) | OWNER_TIMED | OWNER_PRIORITY;
    return (flags_of(parent) & handed_on) == 0 && parent->owner.quota == NULL &&
           parent->cleanup_polls == 0 && parent->cleanup_cost == 0;
}

int region_join_bare(struct region *parent, struct task *task)
{
    spin_lock(&parent->owner.lock);
    bool cancelled = region_is_cancelled(parent);
    if (!cancelled) {
        list_push_back(&parent->owner.tasks, &task->sibling);
    }
    spin_unlock(&parent->owner.lock);
    return cancelled ? -ECANCELED : 0;
}

/* In one step: a cancel of the parent finds either the task or the region. */
void region_take_place(struct region *region, struct task *host)
{
    struct region *parent = region->parent;
    word_hold(&parent->word);
    spin_lock(&parent->owner.lock);
    list_remove(&host->sibling);
    list_push_back(&parent->children, &region->sibling);
    region->linked = true;
    if (region_is_cancelled(parent)) {
        owner_mark(&region->owner);
        region->outer_cause = parent->own.kind >= parent->outer_cause.kind
                                  ? parent->own
                                  : parent->outer_cause;
    }
    spin_unlock(&parent->owner.lock);
}

/* Masks around the task are around the region, too. */
void region_move_masks(struct task *task, struct task_owner *from,
                       struct task_owner *to)
{
    struct mask *at = task->masked > 0 ? task->wait->stack->mask : NULL;
    for (; at != NULL; at = at->outer) {
        at->base = at->base == from ? to : at->base;
    }
}

void region_must(struct task *task)
{
    RULE(SRV_REGION_2);
    if (task->hooks->own_scope(task) < 0) {
        (ambit_panic)(&task->cx, "there is no memory for its region");
    }
}
