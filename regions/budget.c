/* SPDX-License-Identifier: MIT */
/*
 * budget.c -- what a region may use.
 *
 * A region with limits has a quota of its own, which hangs from that of the
 * region around it; one without shares that one.  So whoever asks, asks along
 * the chain of those regions only that limit something, and where nothing is
 * limited there is no chain.
 *
 *   REG-BUDGET-4  One more than a quota cancels the region.
 *   REG-BUDGET-6  What a child region uses counts for its parent.
 *   REG-BUDGET-7  A refused ceiling has no effect.
 *   REG-BUDGET-8  Clean-up draws on a reserve of its own.
 *
 * Owner: the host opens and closes; the counts are any thread's.
 */
#include "regions/budget.h"

static uint64_t tighter(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

struct ambit_budget ambit_budget_meet(struct ambit_budget a,
                                      struct ambit_budget b)
{
    RULE(REG_BUDGET_9);
    return (struct ambit_budget){
        .deadline = {(int64_t)tighter((uint64_t)a.deadline.ns,
                                      (uint64_t)b.deadline.ns)},
        .polls_max = tighter(a.polls_max, b.polls_max),
        .cost_max = tighter(a.cost_max, b.cost_max),
        .heap_max = tighter(a.heap_max, b.heap_max),
        .tasks_max = (uint32_t)tighter(a.tasks_max, b.tasks_max),
        .children_max = (uint32_t)tighter(a.children_max, b.children_max),
        .ops_max = (uint32_t)tighter(a.ops_max, b.ops_max),
        .fds_max = (uint32_t)tighter(a.fds_max, b.fds_max),
        .priority = a.priority > b.priority ? a.priority : b.priority,
    };
}

struct ambit_budget budget_asked(const struct ambit_scope_options *o)
{
    struct ambit_budget asked = {
        .deadline = o->deadline,
        .polls_max = o->polls_max,
        .cost_max = o->cost_max,
        .heap_max = o->heap_max,
        .tasks_max = o->tasks_max,
        .children_max = o->children_max,
        .ops_max = o->ops_max,
        .fds_max = o->fds_max,
        .priority = o->priority,
    };
    return o->budget != NULL ? ambit_budget_meet(asked, *o->budget) : asked;
}

/* Any but a deadline, which needs no counting. */
static bool limits_anything(const struct ambit_budget *b)
{
    return (b->polls_max | b->cost_max | b->heap_max | b->tasks_max |
            b->children_max | b->ops_max | b->fds_max) != 0;
}

static void quota_set(struct quota *quota, const struct ambit_budget *b)
{
    quota_limit(quota, AMBIT_LIMIT_POLLS, b->polls_max);
    quota_limit(quota, AMBIT_LIMIT_COST, b->cost_max);
    quota_limit(quota, AMBIT_LIMIT_HEAP, b->heap_max);
    quota_limit(quota, AMBIT_LIMIT_TASKS, b->tasks_max);
    quota_limit(quota, AMBIT_LIMIT_CHILDREN, b->children_max);
    quota_limit(quota, AMBIT_LIMIT_OPS, b->ops_max);
    quota_limit(quota, AMBIT_LIMIT_FDS, b->fds_max);
}

/* By one of the region's tasks, so it is there. */
static void budget_spent(struct quota *quota)
{
    RULE(REG_BUDGET_4);
    region_cancel(quota->object, AMBIT_CANCEL_BUDGET, "its budget is spent");
}

static bool is_reserve(const struct quota *quota)
{
    return quota != NULL && quota->soft;
}

static void use_quota(struct region *region, struct quota *quota)
{
    region->owner.quota = quota;
    if (quota != NULL) {
        /* ORDER(cancel): relaxed.  Before the region's tasks are made. */
        atomic_fetch_or_explicit(&region->owner.flags, OWNER_QUOTED,
                                 memory_order_relaxed);
    }
}

/* Under a reserve each region has a quota: one to be cancelled when the reserve
 * is used up, as that belongs to no region. */
static int quota_open(struct region *region, const struct ambit_budget *own)
{
    struct quota *around = region->charged;
    use_quota(region, around);
    if (!limits_anything(own) && !is_reserve(around)) {
        return 0;
    }
    struct quota *quota =
        quota_make(around, task_runtime(region->host), region->name);
    if (quota == NULL) {
        return -ENOMEM;
    }
    quota_set(quota, own);
    quota->object = region;
    quota->spent = budget_spent;
    use_quota(region, quota);
    return 0;
}

static void reserve_set(struct region *region,
                        const struct ambit_scope_options *options,
                        const struct ambit_budget *own)
{
    uint64_t polls = options->cleanup_polls;
    uint64_t cost = options->cleanup_cost;
    region->cleanup_polls = polls != 0 ? polls : own->polls_max;
    region->cleanup_cost = cost != 0 ? cost : own->cost_max;
    if (region->parent != NULL) {
        const struct region *parent = region->parent;
        region->cleanup_polls =
            tighter(region->cleanup_polls, parent->cleanup_polls);
        region->cleanup_cost =
            tighter(region->cleanup_cost, parent->cleanup_cost);
    }
}

/* What a region that the task opens here counts for. */
static struct quota *quota_around(struct region *region)
{
    struct task *host = region->host;
    if (region->parent == NULL) {
        return NULL;
    }
    return mask_is_around(host, region->parent) ? host->wait->stack->mask->reserve
                                                : region->parent->owner.quota;
}

int budget_open(struct region *region,
                const struct ambit_scope_options *options,
                const struct ambit_budget *own)
{
    RULE(REG_BUDGET_6);
    region->charged = quota_around(region);
    reserve_set(region, options, own);
    if (own->tasks_max != 0 && own->tasks_max < region->tasks_max) {
        region->tasks_max = own->tasks_max;
    }
    int rc = quota_take(region->charged, AMBIT_LIMIT_CHILDREN, 1);
    if (rc < 0) {
        return rc;
    }
    rc = quota_open(region, own);
    if (rc < 0) {
        quota_give(region->charged, AMBIT_LIMIT_CHILDREN, 1);
        return rc;
    }
    seats_open(region);
    return 0;
}

void budget_close(struct region *region)
{
    if (LIKELY(region->owner.quota == NULL && region->reserve == NULL)) {
        return;
    }
    quota_unref(region->reserve);
    quota_give(region->charged, AMBIT_LIMIT_CHILDREN, 1);
    if (region->owner.quota != region->charged) {
        quota_unref(region->owner.quota);
    }
}

struct quota *reserve_make(struct region *region, struct quota *around)
{
    struct quota *limits = region->owner.quota;
    struct quota *made =
        quota_make(around, task_runtime(region->host), region->name);
    if (made == NULL) {
        return NULL;
    }
    made->soft = true;
    made->report = limits;
    const enum ambit_limit ceilings[] = {
        AMBIT_LIMIT_HEAP, AMBIT_LIMIT_TASKS, AMBIT_LIMIT_CHILDREN,
        AMBIT_LIMIT_OPS, AMBIT_LIMIT_FDS};
    for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
        quota_limit(made, ceilings[i], quota_tightest(limits, ceilings[i]));
    }
    RULE(REG_BUDGET_8);
    quota_limit(made, AMBIT_LIMIT_POLLS, region->cleanup_polls);
    quota_limit(made, AMBIT_LIMIT_COST, region->cleanup_cost);
    return made;
}

int region_charge_bytes(struct region *region, uint64_t bytes)
{
    return quota_take(region->owner.quota, AMBIT_LIMIT_HEAP, bytes);
}

void region_uncharge_bytes(struct region *region, uint64_t bytes)
{
    quota_give(region->owner.quota, AMBIT_LIMIT_HEAP, bytes);
}

int ambit_charge(ambit_cx *cx, uint64_t n)
{
    struct task *task = task_of(cx);
    int rc = ambit_checkpoint(cx);
    if (rc < 0) {
        return rc;
    }
    rc = quota_take(task_quota(task), AMBIT_LIMIT_COST, n);
    if (rc < 0) {
        RULE(REG_BUDGET_5);
    }
    if (rc < 0 && task->masked > 0) {
        task->wait->stack->mask->overdrawn = true;
    }
    return rc;
}

struct ambit_budget ambit_region_budget(ambit_region *public)
{
    struct region *region = region_of(public);
    struct quota *quota = region->owner.quota;
    return (struct ambit_budget){
        .deadline = deadline_in_force(region),
        .polls_max = quota_tightest(quota, AMBIT_LIMIT_POLLS),
        .cost_max = quota_tightest(quota, AMBIT_LIMIT_COST),
        .heap_max = quota_tightest(quota, AMBIT_LIMIT_HEAP),
        .tasks_max = (uint32_t)quota_tightest(quota, AMBIT_LIMIT_TASKS),
        .children_max = (uint32_t)quota_tightest(quota, AMBIT_LIMIT_CHILDREN),
        .ops_max = (uint32_t)quota_tightest(quota, AMBIT_LIMIT_OPS),
        .fds_max = (uint32_t)quota_tightest(quota, AMBIT_LIMIT_FDS),
        .priority = lane_priority(region),
    };
}

static bool is_limit(enum ambit_limit kind)
{
    return kind > AMBIT_LIMIT_NONE && kind <= AMBIT_LIMIT_FDS;
}

uint64_t ambit_region_used(ambit_region *public, enum ambit_limit kind)
{
    return is_limit(kind) ? quota_used(region_of(public)->owner.quota, kind)
                          : 0;
}

int ambit_limit_error(ambit_region *public, struct ambit_limit_error *ret_error)
{
    struct quota *quota = region_of(public)->owner.quota;
    if (quota == NULL) {
        return -ENOENT;
    }
    spin_lock(&quota->lock);
    struct ambit_limit_error last = quota->last;
    spin_unlock(&quota->lock);
    if (last.kind == AMBIT_LIMIT_NONE) {
        return -ENOENT;
    }
    *ret_error = last;
    return 0;
}
