/* SPDX-License-Identifier: MIT */
/*
 * once.c -- what is done by the first who needs it.
 *
 *   NEW --a caller--> RUNNING --fn gives >= 0--> DONE
 *    ^                  |  ^
 *    '-- nobody waits --+--'  fn failed: the first in the line runs its own
 *
 * fn runs in a scope with one obligation: to say how it went.  A panic closes
 * the scope, and the close says that it failed.
 *
 *   ONCE-ONE-1   Done once; who comes meanwhile waits and sees it done.
 *   ONCE-FAIL-1  A failure, a panic or a cancel passes it on to the next.
 */
#include "regions/region.h"

#include "src/sync/line.h"

#include <ambit/sync.h>

enum { NEW, RUNNING, DONE };
enum { WOKEN_DONE, WOKEN_TO_RUN };

struct once {
    _Atomic uint32_t state; /* written under the lock: ORDER(once) */
    struct line line;
};

_Static_assert(sizeof(struct once) == sizeof(struct ambit_once),
               "what a user makes room for");

static uint32_t once_state(struct once *once)
{
    /* ORDER(once): acquire.  Pairs with once_set(): who sees it done sees what
     * was done. */
    return atomic_load_explicit(&once->state, memory_order_acquire);
}

static void once_set(struct once *once, uint32_t state)
{
    /* ORDER(once): release.  Pairs with once_state(). */
    atomic_store_explicit(&once->state, state, memory_order_release);
}

static struct once *once_of(struct ambit_once *public)
{
    return (struct once *)(void *)public;
}

/* By whoever runs it. */
static void once_ended(struct once *once, bool done)
{
    struct line_woken woken = {0};
    line_lock(&once->line);
    if (done) {
        once_set(once, DONE);
        line_grant_all(&once->line, WOKEN_DONE, &woken);
    } else if (once->line.first != NULL) {
        RULE(ONCE_FAIL_1);
        line_grant(&once->line, once->line.first, WOKEN_TO_RUN, &woken);
    } else {
        once_set(once, NEW);
    }
    line_unlock(&once->line, &woken);
}

static void once_abandon(void *arg)
{
    once_ended(arg, false);
}

static int once_run(ambit_cx *cx, struct once *once, ambit_task_fn *fn,
                    void *arg)
{
    static const struct ambit_site here = {"ambit_once", 0};
    struct ambit_obligation duty = {0};
    struct ambit_scope_block block;
    const struct ambit_scope_options options = {.size_ = sizeof options,
                                                .name = "once"};
    int rc = ambit_scope_open(cx, &block, &options);
    if (rc < 0) {
        once_ended(once, false);
        return rc;
    }
    rc = ambit_oblige_(block.region, &duty, once_abandon, once,
                       cx->at != NULL ? cx->at : &here);
    ASSERT(rc == 0);
    rc = fn(cx, arg);
    int resolved = ambit_fulfil(&duty);
    ASSERT(resolved == 0);
    int closed = ambit_scope_close(cx, &block, rc < 0 ? rc : 0);
    /* A cancel that came meanwhile does not undo what fn has done. */
    rc = rc < 0 ? rc : closed == -ECANCELED ? 0 : closed;
    once_ended(once, rc >= 0);
    return rc < 0 ? rc : 0;
}

int ambit_once(ambit_cx *cx, struct ambit_once *public, ambit_task_fn *fn,
               void *arg)
{
    struct once *once = once_of(public);
    struct task *task = task_of(cx);
    struct line_waiter waiter = {.left = NULL};
    int rc = park_check(task);
    if (rc < 0 || LIKELY(once_state(once) == DONE)) {
        return rc;
    }
    line_lock(&once->line);
    uint32_t state = once_state(once);
    if (state == RUNNING) {
        int64_t woken = line_wait(&once->line, &waiter, task, PARK_ONCE);
        return woken == WOKEN_TO_RUN ? once_run(cx, once, fn, arg)
                                     : (int)woken;
    }
    RULE(ONCE_ONE_1);
    once_set(once, state == NEW ? RUNNING : state);
    spin_unlock(&once->line.lock);
    return state == NEW ? once_run(cx, once, fn, arg) : 0;
}

void ambit_once_fini(struct ambit_once *once)
{
    line_fini(&once_of(once)->line, "a once was ended while tasks wait for it");
    REQUIRE(once_state(once_of(once)) != RUNNING,
            "a once was ended while a task is at it");
}

bool ambit_once_is_done(struct ambit_once *once)
{
    return once_state(once_of(once)) == DONE;
}

uint32_t ambit_once_waiters(struct ambit_once *public)
{
    struct once *once = once_of(public);
    line_lock(&once->line);
    uint32_t waiting = once->line.len;
    spin_unlock(&once->line.lock);
    return waiting;
}
