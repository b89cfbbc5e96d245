/* SPDX-License-Identifier: MIT */
/*
 * finalizer.c -- what a region promised to undo.
 *
 * A finalizer is pushed when something is acquired and runs on the host when
 * the region closes: last in, first out, after the last child has left.  It
 * runs masked: cancellation does not reach it.  What does is the end of the
 * region's clean-up time, which makes its suspending calls answer -ETIMEDOUT.
 *
 *   REG-FIN-1  A pushed finalizer runs exactly once.
 *   REG-FIN-2  Finalizers run in reverse order of pushing.
 *   REG-FIN-3  A failing finalizer does not keep the others from running.
 *   REG-FIN-4  Cancellation does not reach a finalizer.
 *   REG-FIN-5  The end of the clean-up time does.
 *   REG-FIN-6  A region without children takes no finalizer.
 *   REG-FIN-7  An overrun is named, and part of the region's result.
 *
 * Each is taken off the list before it is called, so a panic in one goes on
 * with the rest.
 */
#include "regions/budget.h"

#include <stdio.h>

/* Whatever the body will use: what clean-up needs is set aside now. */
static int reserve_need(struct region *region)
{
    bool limited = region->owner.quota != NULL || region->cleanup_polls != 0 ||
                   region->cleanup_cost != 0;
    if (LIKELY(!limited)) {
        return 0;
    }
    struct quota *made = reserve_make(region, region->charged);
    if (made == NULL) {
        return -ENOMEM;
    }
    spin_lock(&region->owner.lock);
    bool wanted = region->reserve == NULL;
    region->reserve = wanted ? made : region->reserve;
    spin_unlock(&region->owner.lock);
    quota_unref(wanted ? NULL : made);
    return 0;
}

/* 0, -ESHUTDOWN. */
static int put(struct region *region, struct finalizer *made)
{
    spin_lock(&region->owner.lock);
    /* ORDER(region-word): acquire.  Pairs with the move to CLOSED. */
    bool closed = (atomic_load_explicit(&region->word, memory_order_acquire) &
                   REGION_CLOSED) != 0;
    if (!closed) {
        made->next = region->finalizers;
        region->finalizers = made;
        TELL(FINALIZER_PUSHED, region, made, 0);
    }
    spin_unlock(&region->owner.lock);
    if (closed) {
        RULE(REG_FIN_6);
        return -ESHUTDOWN;
    }
    return 0;
}

static int finalizer_push(struct region *region, struct finalizer what)
{
    struct runtime *runtime = task_runtime(region->host);
    struct finalizer *made = runtime_alloc(runtime, SLAB_64);
    int rc = made == NULL ? -ENOMEM : reserve_need(region);
    if (rc == 0) {
        *made = what;
        rc = put(region, made);
    }
    if (rc < 0 && made != NULL) {
        runtime_free(runtime, SLAB_64, made);
    }
    return rc;
}

int finalizer_lend(struct region *region, struct finalizer *finalizer)
{
    int rc = reserve_need(region);
    finalizer->lent = true;
    return rc < 0 ? rc : put(region, finalizer);
}

int ambit_defer_(ambit_region *region, void (*run)(void *arg), void *arg,
                 const struct ambit_site *site, const char *name)
{
    return finalizer_push(region_of(region),
                          (struct finalizer){.run = run, .arg = arg,
                                             .site = site, .name = name});
}

int ambit_defer_async_(ambit_region *region,
                       int (*run)(ambit_cx *cx, void *arg), void *arg,
                       const struct ambit_site *site, const char *name)
{
    return finalizer_push(region_of(region),
                          (struct finalizer){.run_async = run, .arg = arg,
                                             .site = site, .name = name});
}

static struct finalizer *finalizer_pop(struct region *region)
{
    spin_lock(&region->owner.lock);
    struct finalizer *top = region->finalizers;
    if (top != NULL) {
        RULE(REG_FIN_1);
        RULE(REG_FIN_2);
        region->finalizers = top->next;
        TELL(FINALIZER_RUNS, region, top, 0);
    }
    spin_unlock(&region->owner.lock);
    return top;
}

/* The finalizers of one region, as they run; in the frame of its close. */
struct finalizing {
    struct mask mask;
    struct region *region;
    struct finalizer now;
};

/* REG-FIN-7: the overrun is a fact of the outcome. */
static void overran(struct finalizing *run, int result, const char *of)
{
    struct region *region = run->region;
    const struct finalizer *now = &run->now;
    RULE(REG_FIN_7);
    region->overruns++;
    if (region->final_failure == 0) {
        region->final_failure = result;
    }
    log_line(task_runtime(region->host), AMBIT_LOG_WARNING,
             "region \"%s\": its clean-up has overrun: the %s is spent in "
             "finalizer %s (%s:%d), whose waits are called off",
             region->name != NULL ? region->name : "scope", of, now->name,
             now->site->file, now->site->line);
}

static void cleanup_spent(struct timer *timer)
{
    struct mask *mask = CONTAINER_OF(timer, struct mask, timer);
    struct finalizing *run = CONTAINER_OF(mask, struct finalizing, mask);
    char of[48];
    snprintf(of, sizeof of, "clean-up time of %.3f s",
             (double)run->region->cleanup_ns / 1e9);
    overran(run, -ETIMEDOUT, of);
    RULE(REG_FIN_5);
    mask_expire(mask);
}

static void finalizer_call(struct finalizing *run)
{
    struct region *region = run->region;
    RULE(REG_CALL_1);
    CHECK_NO_LOCK();
    if (run->now.run != NULL) {
        run->now.run(run->now.arg);
        return;
    }
    run->mask.overdrawn = false;
    int rc = run->now.run_async(&region->host->cx, run->now.arg);
    if (run->mask.overdrawn) {
        overran(run, -EDQUOT, "reserve of waits or cost");
    }
    if (rc < 0 && region->final_failure == 0) {
        RULE(REG_FIN_3);
        region->final_failure = rc;
    }
}

static NOINLINE void run_all(struct region *region, struct finalizer *top)
{
    struct task *host = region->host;
    struct finalizing run = {.region = region};
    mask_begin(&run.mask, host, region->reserve, region->cleanup_ns,
               cleanup_spent);
    for (; top != NULL; top = finalizer_pop(region)) {
        run.now = *top;
        if (!run.now.lent) {
            runtime_free(task_runtime(host), SLAB_64, top);
        }
        finalizer_call(&run);
    }
    mask_end(&run.mask);
}

void finalizers_run(struct region *region)
{
    struct finalizer *top = finalizer_pop(region);
    if (UNLIKELY(top != NULL)) {
        run_all(region, top);
    }
}
