/* SPDX-License-Identifier: MIT */
/*
 * region.c -- open, admit, join, close.
 *
 *   REG-ADMIT-1  Admission and closing are decided in one atomic word.
 *   REG-CLOSE-1  When close returns, every child has ended.
 *
 * Owner: the host, but for admit and leave, which any thread may call that has
 * a child's right to the region.
 */
#include "regions/budget.h"

#include "src/io/signal.h"
#include "src/seats.h"

_Static_assert(sizeof(struct region) <=
                   sizeof(((struct ambit_scope_block *)0)->room),
               "a region fits into the block of a scope");

static void region_exited(struct task_owner *owner, struct task_exit *exit)
{
    struct region *region = region_of_owner(owner);
    outcome_child(region, exit);
    if (exit->part != EXIT_BEFORE && !seats_come(region, exit->who)) {
        region_leave(region, REGION_TASK);
    }
}

bool region_is_owner(const struct task_owner *owner)
{
    return owner->task_exited == region_exited;
}

/* The flags ask for a second look. */
static int refuse(uint32_t flags)
{
    if ((flags & OWNER_CANCELLED) != 0) {
        RULE(REG_ADMIT_1);
        return -ESHUTDOWN;
    }
    RULE(CAP_1);
    return -EPERM;
}

static bool has_seat(struct region *region)
{
    struct worker *worker = worker_self;
    return worker != NULL &&
           (seats_spend(worker, &region->owner) || seats_take(region));
}

static int enter(struct region *region, uint64_t unit)
{
    uint32_t bars = OWNER_CANCELLED;
    if (unit == REGION_TASK) {
        bars |= OWNER_WITHOUT(AMBIT_CAP_SPAWN);
    }
    /* ORDER(cancel): acquire.  Pairs with the change in mark(). */
    uint32_t flags =
        atomic_load_explicit(&region->owner.flags, memory_order_acquire);
    if (UNLIKELY((flags & bars) != 0)) {
        return refuse(flags & bars);
    }
    if (unit == REGION_TASK && has_seat(region)) {
        return 0;
    }
    switch (word_enter(&region->word, unit, region->tasks_max)) {
    case WORD_ENTERED:
        break;
    case WORD_FULL:
        RULE(REG_ADMIT_2);
        quota_refused(region->owner.quota, AMBIT_LIMIT_TASKS);
        return -EDQUOT;
    case WORD_SHUT:
        RULE(REG_ADMIT_1);
        return -ESHUTDOWN;
    }
    return 0;
}

static void leave(struct region *region, uint64_t unit)
{
    /* Read first: after the step the record may be gone. */
    struct task *host = region->host;
    switch (word_leave(&region->word, unit)) {
    case WORD_LEFT:
        break;
    case WORD_LEFT_LAST:
        task_wake(host, 0);
        break;
    }
}

int region_admit(struct region *region, uint64_t unit)
{
    int rc = enter(region, unit);
    if (LIKELY(region->owner.quota == NULL) || rc < 0 || unit != REGION_TASK) {
        return rc;
    }
    rc = quota_take(region->owner.quota, AMBIT_LIMIT_TASKS, 1);
    if (rc < 0) {
        leave(region, unit);
    }
    return rc;
}

void region_leave(struct region *region, uint64_t unit)
{
    if (UNLIKELY(region->owner.quota != NULL) && unit == REGION_TASK) {
        quota_give(region->owner.quota, AMBIT_LIMIT_TASKS, 1);
    }
    leave(region, unit);
}

/* Under the parent's lock, so that its cancel either finds us or is found. */
static int link_to_parent(struct region *region, struct region *parent)
{
    int rc = region_admit(parent, REGION_CHILD);
    if (rc < 0) {
        return rc == -ESHUTDOWN ? -ECANCELED : rc;
    }
    spin_lock(&parent->owner.lock);
    bool cancelled = region_is_cancelled(parent);
    if (!cancelled) {
        list_push_back(&parent->children, &region->sibling);
    }
    spin_unlock(&parent->owner.lock);
    if (cancelled) {
        region_leave(parent, REGION_CHILD);
        return -ECANCELED;
    }
    region->linked = true;
    return 0;
}

static void region_init(struct region *region, struct region *parent,
                        struct task *host,
                        const struct ambit_scope_options *options)
{
    memset(region, 0, sizeof *region);
    task_owner_init(&region->owner, region_exited);
    atomic_init(&region->word, 0);
    region->parent = parent;
    capability_open(region, options->without);
    region->host = host;
    region->name = options->name;
    outcome_open(region, options);
    region->tasks_max = REGION_TASKS_MAX;
    if (parent != NULL) {
        RULE(REG_BUDGET_1);
        region->tasks_max = parent->tasks_max;
    }
    region->cleanup_ns = 
        options->cleanup.ns ? options->cleanup.ns : REGION_CLEANUP_NS;
    region->close_warn_ns =
        options->close_warn.ns ? options->close_warn.ns : 5000000000;
    list_init(&region->sibling);
    list_init(&region->children);
    list_init(&region->obligations);
    timer_init(&region->close_timer, report_fired);
}

static bool options_are_sane(const struct ambit_scope_options *o)
{
    return o->cleanup.ns >= 0 && o->close_warn.ns >= 0 && o->deadline.ns >= 0 &&
           (unsigned)o->policy <= AMBIT_ISOLATE && o->until_signal >= 0 &&
           (unsigned)o->priority <= AMBIT_PRIORITY_LOWEST &&
           (o->budget == NULL ||
            (unsigned)o->budget->priority <= AMBIT_PRIORITY_LOWEST) &&
           (o->without & ~(unsigned)AMBIT_CAP_ALL) == 0;
}

static void signal_arrived(void *arg)
{
    region_cancel(arg, AMBIT_CANCEL_SIGNAL, "signal");
}

int region_open_apart(struct region *region, struct region *parent,
                      struct task *host,
                      const struct ambit_scope_options *options)
{
    if (!options_are_sane(options)) {
        return -EINVAL;
    }
    const struct ambit_budget own = budget_asked(options);
    region_init(region, parent, host, options);
    int rc = budget_open(region, options, &own);
    if (rc < 0) {
        return rc;
    }
    lane_open(region, own.priority);
    region->outer = host->scope;
    host->scope = &region->owner;
    TELL(REGION_OPENED, region, parent, 0);
    return 0;
}

static unsigned options_need(const struct ambit_scope_options *o,
                             const struct ambit_budget *own)
{
    return (own->deadline.ns != 0 ? AMBIT_CAP_TIME : 0u) |
           (o->until_signal != 0 ? AMBIT_CAP_SIGNALS : 0u);
}

/* A scope that a finalizer or a mask opens is out of the reach of the region's
 * cancel, which may be closed already; its host will not go on before this
 * scope has been closed. */
static int hang_from(struct region *region, struct region *parent,
                     const struct ambit_scope_options *options,
                     const struct ambit_budget *own)
{
    bool apart = parent == NULL || mask_is_around(region->host, parent);
    if (!apart && region_is_cancelled(parent)) {
        RULE(REG_OPEN_1);
        return -ECANCELED;
    }
    int rc = budget_open(region, options, own);
    if (rc == 0 && !apart) {
        rc = link_to_parent(region, parent);
        if (rc < 0) {
            budget_close(region);
        }
    }
    return rc;
}

int region_open(struct region *region, struct region *parent,
                struct task *host, const struct ambit_scope_options *options)
{
    if (!options_are_sane(options)) {
        return -EINVAL;
    }
    const struct ambit_budget own = budget_asked(options);
    if (parent != NULL &&
        capability_needs(&parent->owner, options_need(options, &own)) < 0) {
        return -EPERM;
    }
    if (host->masked > 0 && host->mask_spent > 0) {
        RULE(REG_FIN_5);
        return -ETIMEDOUT;
    }
    region_init(region, parent, host, options);
    int rc = hang_from(region, parent, options, &own);
    if (rc < 0) {
        return rc;
    }
    lane_open(region, own.priority);
    region->outer = host->scope;
    host->scope = &region->owner;
    TELL(REGION_OPENED, region, parent, 0);
    deadline_open(region, own.deadline.ns);
    if (options->until_signal != 0) {
        rc = signal_watch_begin(host, options->until_signal, signal_arrived,
                                region, &region->signal);
        if (rc < 0) {
            region_close(region, true);
            return rc;
        }
    }
    return 0;
}

void region_open_late(struct region *region, struct region *parent,
                      struct task *host, const char *name,
                      const struct region_cause *own)
{
    const struct ambit_scope_options options = {.name = name};
    const struct ambit_budget none = {0};
    region_init(region, parent, host, &options);
    int rc = budget_open(region, &options, &none);
    ASSERT(rc == 0); /* nothing is limited */
    if (own != NULL) {
        region->own = *own;
        owner_mark(&region->owner);
    }
    deadline_open(region, 0);
    region_take_place(region, host);
    TELL(REGION_OPENED, region, parent, 0);
    lane_open(region, 0);
    region->outer = host->scope;
    region_move_masks(host, host->scope, &region->owner);
    host->scope = &region->owner;
}

/* So that one who hangs is named: see report.c. */
static void watch_the_wait(struct region *region)
{
    if (!region->close_timer.armed) {
        worker_timer_arm(&region->close_timer,
                         clock_after_ns(region->close_warn_ns));
    }
}

static void wait_for_children(struct region *region)
{
    switch (word_wait(&region->word)) {
    case WORD_EMPTY:
        break;
    case WORD_WAITS:
        watch_the_wait(region);
        RULE(REG_CLOSE_4);
        park(region->host, PARK_CLOSE, NULL, NULL);
        break;
    }
}

static void region_join(struct region *region)
{
    seats_go_home(region);
    for (bool closed = false; !closed;) {
        switch (word_close(&region->word)) {
        case WORD_CLOSED:
            closed = true;
            break;
        case WORD_BUSY:
            wait_for_children(region);
            break;
        }
    }
    RULE(REG_CLOSE_1);
    TELL(REGION_JOINED, region, NULL, 0);
    worker_timer_disarm(&region->close_timer);
}

/* Ended tasks that nobody joined. */
static void reap_ended(struct region *region)
{
    struct list_node *ended = &region->owner.ended;
    for (;;) {
        spin_lock(&region->owner.lock);
        struct task *task =
            list_is_empty(ended)
                ? NULL
                : CONTAINER_OF(ended->next, struct task, sibling);
        bool ours = task != NULL && join_reap(task);
        if (ours) {
            list_remove(&task->sibling);
        }
        spin_unlock(&region->owner.lock);
        if (task == NULL) {
            return;
        }
        if (ours) {
            task_free(task);
        } else {
            sched_yield(); /* a joiner is taking it out, under our lock */
        }
    }
}

static void region_detach(struct region *region)
{
    struct region *parent = region->parent;
    TELL(REGION_CLOSED, region, NULL, 0);
    region->host->scope = region->outer;
    budget_close(region);
    if (!region->linked) {
        return;
    }
    spin_lock(&parent->owner.lock);
    while (region->visitors > 0) {
        /* It has no children any more, so they are about to leave. */
        spin_unlock(&parent->owner.lock);
        sched_yield();
        spin_lock(&parent->owner.lock);
    }
    list_remove(&region->sibling);
    spin_unlock(&parent->owner.lock);
    region_leave(parent, REGION_CHILD);
}

int region_close(struct region *region, bool early)
{
    if (early) {
        region_cancel(region, AMBIT_CANCEL_USER, "left early");
    }
    region_join(region);
    deadline_close(region);
    signal_watch_end(region->host, region->signal);
    region->signal = NULL;
    ledger_settle(region);
    finalizers_run(region);
    ledger_settle(region); /* of the finalizers */
    heap_close(region);
    reap_ended(region);
    int result = outcome_result(region);
    chain_of_result(region, result);
    region_detach(region);
    chain_free_all(region);
    return result;
}
