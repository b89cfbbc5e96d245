/* SPDX-License-Identifier: MIT */
/*
 * capability.c -- what the tasks of a region may do.
 *
 * What a region is without lies beside its cancel flag, in the one word that a
 * suspending call looks at anyway.  It is written when the region opens, from
 * the parent's and the options, and never changes.
 *
 *   CAP-1  A call that needs what its region is without has no effect.
 *   CAP-2  A region has no capability that its parent is without.
 */
#include "regions/region.h"

#include <ambit/capability.h>

_Static_assert(OWNER_WITHOUT(AMBIT_CAP_ALL) / AMBIT_CAP_ALL ==
                   OWNER_WITHOUT(1),
               "the set fits above the cancel flag");

void capability_open(struct region *region, unsigned without)
{
    uint32_t flags = OWNER_WITHOUT(without);
    if (region->parent != NULL) {
        RULE(CAP_2);
        /* ORDER(cancel): relaxed.  Written before the parent's tasks began;
         * only its cancel flag changes, in mark(). */
        flags |= atomic_load_explicit(&region->parent->owner.flags,
                                      memory_order_relaxed) &
                 OWNER_WITHOUT(AMBIT_CAP_ALL);
    }
    atomic_init(&region->owner.flags, flags);
}

int capability_needs(struct task_owner *owner, unsigned needs)
{
    /* ORDER(cancel): relaxed.  As above. */
    if ((atomic_load_explicit(&owner->flags, memory_order_relaxed) &
         OWNER_WITHOUT(needs)) != 0) {
        RULE(CAP_1);
        return -EPERM;
    }
    return 0;
}

unsigned ambit_cx_caps(ambit_cx *cx)
{
    /* ORDER(cancel): relaxed.  As above. */
    uint32_t flags = atomic_load_explicit(&task_of(cx)->scope->flags,
                                          memory_order_relaxed);
    RULE(CAP_3);
    return ~(flags / OWNER_WITHOUT(1)) & AMBIT_CAP_ALL;
}

int ambit_cx_now(ambit_cx *cx, ambit_time *ret_now)
{
    int rc = capability_needs(task_of(cx)->scope, AMBIT_CAP_TIME);
    if (rc == 0) {
        *ret_now = ambit_now();
    }
    return rc;
}

int ambit_random(ambit_cx *cx, uint64_t *ret_value)
{
    struct task *task = task_of(cx);
    int rc = capability_needs(task->scope, AMBIT_CAP_RANDOM);
    if (rc == 0) {
        *ret_value = runtime_random(task_runtime(task));
    }
    return rc;
}
