/* SPDX-License-Identifier: MIT */
/*
 * once.c -- what is done by the first who needs it.
 *
 *   NEW --a caller--> RUNNING --fn gives >= 0--> DONE
 *    ^                  |  ^
 *    '-- nobody waits --+--'  fn failed: the first in the line runs its own
 *
 * fn runs in a scope with one obligation: to say how it went.  A panic closes
 * the scope, and the close says that it failed.  For a poll task the initializer
 * is a step function, stepped where it is awaited; a wait of the task stands for
 * it, which a panic and a drop call off.
 *
 *   ONCE-ONE-1   Done once; who comes meanwhile waits and sees it done.
 *   ONCE-FAIL-1  A failure, a panic or a cancel passes it on to the next.
 */
#include "regions/region.h"

#include "src/await.h"

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

enum turn {
    TURN_OVER,
    TURN_MINE,   /* to run now */
    TURN_OTHERS, /* the caller has to wait; the lock is held */
};

static enum turn once_enter(struct once *once)
{
    line_lock(&once->line);
    uint32_t state = once_state(once);
    if (state == RUNNING) {
        return TURN_OTHERS;
    }
    RULE(ONCE_ONE_1);
    once_set(once, state == NEW ? RUNNING : state);
    spin_unlock(&once->line.lock);
    return state == NEW ? TURN_MINE : TURN_OVER;
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
    enum turn turn = once_enter(once);
    if (turn == TURN_OTHERS) {
        int64_t woken = line_wait(&once->line, &waiter, task, PARK_ONCE);
        return woken == WOKEN_TO_RUN ? once_run(cx, once, fn, arg)
                                     : (int)woken;
    }
    return turn == TURN_MINE ? once_run(cx, once, fn, arg) : 0;
}

/* --- by the steps of a poll task ------------------------------------------- */

/* Over when its step says so. */
static bool running_is_over(struct await *await)
{
    (void)await;
    return false;
}

static enum await_off running_call_off(struct await *await)
{
    RULE(AWAIT_RUN_1);
    once_ended(*AWAIT_KEPT(struct once *, await), false);
    return AWAIT_OFF;
}

static const struct await_kind running = {running_is_over, running_call_off,
                                          NULL};

static enum await_off waiting_call_off(struct await *await)
{
    if (!await_has_said(await) && line_call_off(&await->waiter)) {
        return AWAIT_OFF;
    }
    await_until_said(await);
    if (await->value == WOKEN_DONE) {
        return AWAIT_OVER;
    }
    RULE(AWAIT_RUN_1);
    once_ended(CONTAINER_OF(await->waiter.line, struct once, line), false);
    return AWAIT_OFF;
}

static const struct await_kind in_once = {.call_off = waiting_call_off};

static int once_step(ambit_cx *cx, struct await *await, struct once *once,
                     ambit_step_fn *step, void *state)
{
    int rc = step(cx, state);
    if (rc == AMBIT_PENDING) {
        return rc;
    }
    RULE(AWAIT_RUN_1);
    await_end(await);
    once_ended(once, rc >= 0);
    return rc < 0 ? rc : 0;
}

/* It is the caller's to run. */
static int once_begin(ambit_cx *cx, struct await *await, struct once *once,
                      ambit_step_fn *step, void *state)
{
    int rc = park_check(task_of(cx));
    if (rc < 0) {
        once_ended(once, false);
        return rc;
    }
    await_begin(await, task_of(cx), &running);
    *AWAIT_KEPT(struct once *, await) = once;
    return once_step(cx, await, once, step, state);
}

int ambit_await_once(ambit_cx *cx, struct ambit_await *wait,
                     struct ambit_once *public, ambit_step_fn *step,
                     void *state)
{
    struct once *once = once_of(public);
    struct await *await = await_of(wait);
    struct task *task = task_of(cx);
    int64_t said;
    if (await->kind == &running) {
        return once_step(cx, await, once, step, state);
    }
    enum await_look look = await_look(task, await, &said);
    if (look == AWAIT_SAID && said == WOKEN_TO_RUN) {
        return once_begin(cx, await, once, step, state);
    }
    if (look != AWAIT_IDLE) {
        return (int)said;
    }
    int rc = park_check(task);
    if (rc < 0 || once_state(once) == DONE) {
        return rc;
    }
    await_begin(await, task, &in_once);
    enum turn turn = once_enter(once);
    if (turn == TURN_OTHERS) {
        await->waiter.polled = true;
        return (int)line_wait(&once->line, &await->waiter, task, PARK_ONCE);
    }
    await_end(await);
    return turn == TURN_MINE ? once_begin(cx, await, once, step, state) : 0;
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
