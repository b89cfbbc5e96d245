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
 *
 * Each is taken off the list before it is called, so a panic in one goes on
 * with the rest.
 */
#include "regions/region.h"

struct finalizer {
    struct finalizer *next; /* region.finalizers */
    void (*run)(void *arg);
    int (*run_async)(ambit_cx *cx, void *arg);
    void *arg;
};

static int finalizer_push(struct region *region, struct finalizer what)
{
    struct runtime *runtime = region->host->runtime;
    struct finalizer *made = runtime_alloc(runtime, SLAB_64);
    if (made == NULL) {
        return -ENOMEM;
    }
    *made = what;
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
        runtime_free(runtime, SLAB_64, made);
        return -ESHUTDOWN;
    }
    return 0;
}

int ambit_defer(ambit_region *region, void (*run)(void *arg), void *arg)
{
    return finalizer_push(region_of(region),
                          (struct finalizer){.run = run, .arg = arg});
}

int ambit_defer_async(ambit_region *region,
                      int (*run)(ambit_cx *cx, void *arg), void *arg)
{
    return finalizer_push(region_of(region),
                          (struct finalizer){.run_async = run, .arg = arg});
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

static void cleanup_spent(struct timer *timer)
{
    struct region *region = CONTAINER_OF(timer, struct region, close_timer);
    struct task *host = region->host;
    log_line(host->runtime, AMBIT_LOG_WARNING,
             "region \"%s\": the clean-up time of %.3f s is spent; what its "
             "finalizers still wait for is called off",
             region->name != NULL ? region->name : "scope",
             (double)region->cleanup_ns / 1e9);
    RULE(REG_FIN_5);
    ASSERT(host->mask_spent < UINT8_MAX);
    region->spent = true;
    host->mask_spent++;
    /* What the finalizer opened is not masked: it is cancelled. */
    struct task_owner *at = host->scope;
    while (at != &region->owner) {
        struct region *inner = region_of_owner(at);
        at = inner->outer;
        region_cancel(inner, AMBIT_CANCEL_DEADLINE, "clean-up time is spent");
    }
    park_abort(host);
}

static void finalizer_call(struct region *region, struct finalizer what)
{
    RULE(REG_CALL_1);
    CHECK_NO_LOCK();
    if (what.run != NULL) {
        what.run(what.arg);
        return;
    }
    int rc = what.run_async(&region->host->cx, what.arg);
    if (rc < 0 && region->final_failure == 0) {
        RULE(REG_FIN_3);
        region->final_failure = rc;
    }
}

void finalizers_run(struct region *region)
{
    struct task *host = region->host;
    struct finalizer *top = finalizer_pop(region);
    if (top == NULL) {
        return;
    }
    region->spent = false;
    host->masked++;
    worker_timer_disarm(&region->close_timer); /* after a panic in one */
    timer_init(&region->close_timer, cleanup_spent);
    worker_timer_arm(&region->close_timer,
                     ambit_after(ambit_ns(region->cleanup_ns)).ns);
    for (; top != NULL; top = finalizer_pop(region)) {
        struct finalizer what = *top;
        runtime_free(host->runtime, SLAB_64, top);
        finalizer_call(region, what);
    }
    worker_timer_disarm(&region->close_timer);
    host->mask_spent -= region->spent;
    host->masked--;
}
