/* SPDX-License-Identifier: MIT */
/*
 * ambit/budget.h -- what a region may use, and what it says when that is spent.
 *
 * A budget is a plain value.  In each field 0 stands for "no limit of its own",
 * so a zeroed budget limits nothing:
 *
 *     ambit_scope (cx, request, &rc, .polls_max = 1000, .heap_max = 1 << 20) {
 *         ...
 *     }                              // -EDQUOT when it waited too often
 *
 * There are limits of two kinds.  A quota (polls, cost) is used up: who asks
 * for more cancels the region with kind AMBIT_CANCEL_BUDGET, and its result is
 * -EDQUOT.  A ceiling (all others) is on what is there at one time: who asks
 * for more gets -EDQUOT, and that is all.
 *
 * A limit holds for the region and everything below it: what a child region
 * uses counts for its own limits and for those of every region around it.
 *
 * Clean-up has a reserve of its own, set aside when it is promised: finalizers
 * and ambit_mask blocks draw on .cleanup_polls and .cleanup_cost, and on empty
 * ceilings, whatever the body used.  What they use counts for the regions
 * around as well, which never refuse it.
 */
#ifndef AMBIT_BUDGET_H
#define AMBIT_BUDGET_H

#include <ambit/time.h>

AMBIT_BEGIN

/* Which of the ready tasks of a worker go first: the others wait, but never for
 * more than 16 of them. */
enum ambit_priority {
    AMBIT_PRIORITY_NORMAL, /* or the parent's, where that is lower */
    AMBIT_PRIORITY_LOW,
    AMBIT_PRIORITY_LOWEST,
};

struct ambit_budget {
    ambit_time deadline;   /* then the region is cancelled */
    /* Quotas. */
    uint64_t polls_max;    /* waits that suspended, and steps of poll tasks */
    uint64_t cost_max;     /* of ambit_charge(), in units of your own */
    /* Ceilings. */
    uint64_t heap_max;     /* bytes of region heaps */
    uint32_t tasks_max;    /* live tasks */
    uint32_t children_max; /* open child regions, and theirs */
    uint32_t ops_max;      /* operations in the kernel */
    uint32_t fds_max;      /* sockets and files that its tasks opened */
    enum ambit_priority priority; /* never above the parent's */
};

enum ambit_limit {
    AMBIT_LIMIT_NONE,
    AMBIT_LIMIT_POLLS,
    AMBIT_LIMIT_COST,
    AMBIT_LIMIT_HEAP,
    AMBIT_LIMIT_TASKS,
    AMBIT_LIMIT_CHILDREN,
    AMBIT_LIMIT_OPS,
    AMBIT_LIMIT_FDS,
};

/* The tighter of the two in each field.  Commutative, associative, idempotent;
 * a zeroed budget is its identity.  Pure; any thread; does not suspend. */
AMBIT_API struct ambit_budget ambit_budget_meet(struct ambit_budget a,
                                                struct ambit_budget b);

/* What the region may use in all: its own limits met with those of every
 * region around it.  The region's opener or one of its tasks.  Does not
 * suspend. */
AMBIT_API struct ambit_budget ambit_region_budget(ambit_region *region);

/* How much of the nearest limit of that kind (the region's own, or that of the
 * nearest region around it that has one) is used; 0 where there is none.  A
 * snapshot.  Same callers. */
AMBIT_API uint64_t ambit_region_used(ambit_region *region,
                                     enum ambit_limit kind);

/* Which limit refused. */
struct ambit_limit_error {
    enum ambit_limit kind;
    uint64_t limit;
    uint64_t live;       /* used at that moment */
    uint64_t asked;      /* more that was asked for */
    const char *region;  /* name of the region whose limit it is; or NULL */
};

/*
 * The latest refusal of something that was asked for in this region, or in one
 * below without limits of its own; the limit may be that of a region around.
 * 0, or -ENOENT when nothing was refused.  Does not suspend.  Same callers.
 * The first refusal by each limit is also logged, at level info.
 */
AMBIT_API int ambit_limit_error(ambit_region *region,
                                struct ambit_limit_error *ret_error);

/*
 * Uses up n units of cost.  0; -EDQUOT when fewer than n are left: then none is
 * taken and the region whose limit it is is cancelled; -ECANCELED or
 * -ETIMEDOUT as ambit_checkpoint().  Never suspends.  Any task, also on a
 * thread of the blocking pool.
 */
AMBIT_API int ambit_charge(ambit_cx *cx, uint64_t n);

#ifndef AMBIT_NO_SITES
#define ambit_charge(cx, ...) ambit_charge(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
