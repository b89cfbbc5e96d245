/* SPDX-License-Identifier: MIT */
/*
 * lane.c -- which lane the ready tasks of a region take (src/lane.h).
 *
 * What decides lies beside the cancel flag and is written as the region opens,
 * before it has tasks; only a deadline may be set later.  A region that is
 * open already keeps the lane it has when the deadline of one around it is
 * moved: the lane is an order of service, the cancel is what counts.
 *
 *   WRK-LANE-3  A region's priority is never above its parent's.
 */
#include "regions/region.h"

static uint32_t flags_of(const struct region *region)
{
    /* ORDER(cancel): relaxed.  What is asked for never changes, or is a hint. */
    return atomic_load_explicit(&region->owner.flags, memory_order_relaxed);
}

static void add_flags(struct region *region, uint32_t flags)
{
    /* ORDER(cancel): relaxed.  Beside a cancel from outside; nothing is
     * published by it. */
    atomic_fetch_or_explicit(&region->owner.flags, flags,
                             memory_order_relaxed);
}

static int64_t due_of(const struct region *region)
{
    /* ORDER(due): relaxed.  A hint; pairs with set_due(). */
    return atomic_load_explicit(&region->owner.due_ns, memory_order_relaxed);
}

static void set_due(struct region *region, int64_t due_ns)
{
    /* ORDER(due): relaxed.  A hint; pairs with lane_push() and due_of(). */
    atomic_store_explicit(&region->owner.due_ns, due_ns, memory_order_relaxed);
    if ((flags_of(region) & OWNER_TIMED) == 0) {
        add_flags(region, OWNER_TIMED);
    }
}

void lane_open(struct region *region, enum ambit_priority own)
{
    const struct region *parent = region->parent;
    uint32_t around = parent == NULL ? 0 : flags_of(parent);
    if (LIKELY((around & (OWNER_PRIORITY | OWNER_TIMED)) == 0 && own == 0)) {
        return;
    }
    uint32_t priority = OWNER_PRIORITY_OF(around);
    RULE(WRK_LANE_3);
    priority = priority > own ? priority : own;
    add_flags(region, OWNER_WITH_PRIORITY(priority));
    if (region->linked && (around & OWNER_TIMED) != 0) {
        set_due(region, due_of(parent));
    }
}

void lane_deadline(struct region *region, int64_t deadline_ns)
{
    int64_t around = region->linked ? due_of(region->parent) : INT64_MAX;
    int64_t due_ns = around < deadline_ns ? around : deadline_ns;
    if (due_ns != due_of(region)) {
        set_due(region, due_ns);
    }
}

enum ambit_priority lane_priority(const struct region *region)
{
    return (enum ambit_priority)OWNER_PRIORITY_OF(flags_of(region));
}
