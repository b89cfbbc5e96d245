/* SPDX-License-Identifier: MIT */
/*
 * await_call_test.c -- poll tasks that await what is done once, or on the pool.
 */
#include "tests/spec/common.h"

/* --- once ------------------------------------------------------------------ */

enum how { WELL, BADLY, PANICS, DROPS, IS_CANCELLED };

struct work {
    struct ambit_once once;
    struct count inside, done, tried, begun, ended, open;
};

struct doer {
    struct ambit_await wait, inner;
    struct work *work;
    enum how how;
    int step;
};

/* The initializer: in two steps at least. */
static int do_it(ambit_cx *cx, void *state)
{
    struct doer *s = state;
    if (s->step == 0) {
        WANT_EQ(count_up(&s->work->inside), 0);
        count_up(&s->work->tried);
    }
    if (s->how == IS_CANCELLED || s->how == DROPS) {
        int rc = ambit_await_sleep(cx, &s->inner, ambit_s(3600));
        s->step += rc == AMBIT_PENDING;
        if (rc != AMBIT_PENDING) {
            count_add(&s->work->inside, -1);
        }
        return rc;
    }
    if (s->step++ < 3) {
        ambit_wake(ambit_cx_waker(cx));
        return AMBIT_PENDING;
    }
    count_add(&s->work->inside, -1);
    if (s->how == PANICS) {
        ambit_panic(cx, "as it should");
    }
    if (s->how == WELL) {
        count_up(&s->work->done);
    }
    return s->how == WELL ? 0 : -EIO;
}

static int doer_step(ambit_cx *cx, void *state)
{
    struct doer *s = state;
    bool first = s->step == 0;
    int rc = ambit_await_once(cx, &s->wait, &s->work->once, do_it, s);
    if (first && s->step > 0) {
        count_up(&s->work->begun);
    }
    if (rc == AMBIT_PENDING && s->how == DROPS && s->step > 0) {
        WANT_EQ(ambit_await_drop(&s->inner), 0);
        count_add(&s->work->inside, -1);
        WANT_EQ(ambit_await_drop(&s->wait), 0);
        rc = -ENOTCONN;
    }
    if (rc == AMBIT_PENDING) {
        return rc;
    }
    WANT(rc == 0 || (s->how == BADLY && rc == -EIO) ||
         (s->how == IS_CANCELLED && rc == -ECANCELED) ||
         (s->how == DROPS && rc == -ENOTCONN));
    if (rc == 0) {
        WANT_EQ(count_get(&s->work->done), 1);
    }
    count_up(&s->work->ended);
    return rc == -ECANCELED ? rc : 0;
}

static int do_as_fiber(ambit_cx *cx, void *arg)
{
    struct work *work = *(struct work **)arg;
    WANT_EQ(count_up(&work->inside), 0);
    count_up(&work->tried);
    (void)ambit_yield(cx);
    count_add(&work->inside, -1);
    count_up(&work->done);
    return 0;
}

static int fiber(ambit_cx *cx, void *arg)
{
    struct work *work = *(struct work **)arg;
    WANT_EQ(ambit_once(cx, &work->once, do_as_fiber, arg), 0);
    WANT_EQ(count_get(&work->done), 1);
    count_up(&work->ended);
    return 0;
}

static void crowd_of(ambit_region *region, struct work *work, enum how how)
{
    struct doer doer = {.work = work, .how = how};
    WANT_EQ(ambit_spawn_poll(region, doer_step, &doer), 0);
}

/* Failures first, as they hold it while the others come. */
static int do_once(ambit_cx *cx, void *arg)
{
    struct work work = {.once = AMBIT_ONCE_INIT}, *here = &work;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, region, &rc, .policy = AMBIT_ISOLATE) {
        crowd_of(region, here, BADLY);
        crowd_of(region, here, PANICS);
        crowd_of(region, here, DROPS);
        for (int i = 0; i < 10; i++) {
            crowd_of(region, here, WELL);
            WANT_EQ(ambit_spawn(region, fiber, &here), 0);
        }
    }
    WANT_EQ(count_get(&work.done), 1);
    WANT_EQ(count_get(&work.inside), 0);
    WANT(ambit_once_is_done(&work.once));
    ambit_once_fini(&work.once);
    return rc;
}

/* Who holds it is stopped; the line behind it goes on. */
static int stop_the_first(ambit_cx *cx, enum how how)
{
    struct work work = {.once = AMBIT_ONCE_INIT}, *here = &work;
    int rc = 0, inner = 0;
    ambit_scope (cx, region, &rc) {
        ambit_scope (cx, first, &inner, .policy = AMBIT_ISOLATE) {
            crowd_of(first, here, how);
            WANT(until(cx, &work.tried, 1));
            crowd_of(region, here, WELL);
            WANT_EQ(ambit_spawn(region, fiber, &here), 0);
            while (how == IS_CANCELLED && ambit_once_waiters(&work.once) < 2) {
                ambit_yield(cx);
            }
            if (how == IS_CANCELLED) { /* who drops it does so by itself */
                ambit_cancel(first, "enough");
            }
        }
        WANT(until(cx, &work.ended, how == PANICS ? 2 : 3));
    }
    WANT_EQ(count_get(&work.tried), 2);
    WANT_EQ(count_get(&work.done), 1);
    ambit_once_fini(&work.once);
    return rc;
}

static int cancel_the_first(ambit_cx *cx, void *arg)
{
    (void)arg;
    return stop_the_first(cx, IS_CANCELLED);
}

static int drop_the_first(ambit_cx *cx, void *arg)
{
    (void)arg;
    return stop_the_first(cx, DROPS);
}

/* Granted to one that is cancelled before it steps: on one worker. */
static int cancel_the_next(ambit_cx *cx, void *arg)
{
    struct work work = {.once = AMBIT_ONCE_INIT}, *here = &work;
    int rc = 0, inner = 0;
    (void)arg;
    ambit_scope (cx, second, &inner) {
        ambit_scope (cx, first, &inner) {
            crowd_of(first, here, IS_CANCELLED);
            WANT(until(cx, &work.tried, 1));
            crowd_of(second, here, IS_CANCELLED);
            while (ambit_once_waiters(&work.once) < 1) {
                ambit_yield(cx);
            }
            ambit_cancel(first, "enough");
        }
        ambit_cancel(second, "enough");
    }
    WANT_EQ(count_get(&work.ended), 2);
    ambit_scope (cx, region, &rc) {
        crowd_of(region, here, WELL);
    }
    WANT_EQ(count_get(&work.done), 1);
    ambit_once_fini(&work.once);
    return rc;
}

/* Goal: one machine at a time does it, and passes it on when it does not end
 * well.  Method: a crowd of machines and fibers, the first of which fail, panic
 * and drop it; one that is cancelled or drops it while others wait; one that is
 * cancelled when its turn has come. */
Spec(AWAIT_RUN_1, machines_do_it_once)
{
    spec_on_1_and_2_workers(do_once);
    spec_on_1_and_2_workers(cancel_the_first);
    spec_on_1_and_2_workers(drop_the_first);
    spec_on_1_and_2_workers(cancel_the_next);
    spec_end("AWAIT_RUN_1");
}

/* --- the pool -------------------------------------------------------------- */

struct pool {
    struct count called, open, begun, dropped, ended;
    ambit_waker drops;
};

struct caller {
    struct ambit_await wait;
    struct pool *pool;
    int wanted, result, step;
    bool drops; /* when it is woken */
    unsigned char written[64]; /* by the call */
};

static int waits_on_thread(void *arg)
{
    struct caller *s = arg;
    count_up(&s->pool->called);
    (void)spin_until(&s->pool->open, 1);
    memset(s->written, 0xab, sizeof s->written);
    return 1; /* what AMBIT_PENDING is, too */
}

static int caller_step(ambit_cx *cx, void *state)
{
    struct caller *s = state;
    int rc = 0;
    if (s->drops && s->step > 0) {
        s->drops = false;
        rc = ambit_await_drop(&s->wait);
        count_up(&s->pool->dropped);
        WANT(rc == 0 || rc == AMBIT_PENDING);
        if (rc == 0) {
            WANT_EQ(count_get(&s->pool->called), 1);
            count_up(&s->pool->ended);
            return 0;
        }
    }
    rc = ambit_await_blocking(cx, &s->wait, waits_on_thread, s, &s->result);
    if (rc == AMBIT_PENDING) {
        if (s->step++ == 0) {
            s->pool->drops = s->drops ? ambit_cx_waker(cx) : s->pool->drops;
            count_up(&s->pool->begun);
        }
        return rc;
    }
    WANT_EQ(rc, s->wanted);
    if (rc == 0) {
        WANT(s->result == 1 && s->written[63] == 0xab);
    }
    count_up(&s->pool->ended);
    return rc == -ECANCELED ? rc : 0;
}

static int call_pool(ambit_cx *cx, void *arg)
{
    struct pool pool = {.called = {0}}, *here = &pool;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, region, &rc) {
        struct caller caller = {.pool = here};
        WANT_EQ(ambit_spawn_poll(region, caller_step, &caller), 0);
        WANT(until(cx, &pool.begun, 1));
        caller.drops = true; /* to no effect */
        WANT_EQ(ambit_spawn_poll(region, caller_step, &caller), 0);
        WANT(until(cx, &pool.begun, 2));
        WANT(until(cx, &pool.called, 2));
        WANT_EQ(ambit_wake(pool.drops), 0);
        WANT(until(cx, &pool.dropped, 1));
        WANT_EQ(count_get(&pool.ended), 0);
        ambit_cancel(region, "they have begun");
        let_others_run(cx);
        WANT_EQ(count_get(&pool.ended), 0);
        count_up(&pool.open);
    }
    WANT_EQ(count_get(&pool.ended), 2);
    WANT_EQ(count_get(&pool.called), 2);
    return rc;
}

/* One thread; those behind the first never begin. */
static int call_off(ambit_cx *cx, void *arg)
{
    struct pool pool = {.called = {0}}, *here = &pool;
    int rc = 0, inner = 0;
    (void)arg;
    ambit_scope (cx, region, &rc) {
        struct caller caller = {.pool = here};
        WANT_EQ(ambit_spawn_poll(region, caller_step, &caller), 0);
        WANT(until(cx, &pool.called, 1));
        ambit_scope (cx, behind, &inner) {
            caller.wanted = -ECANCELED;
            WANT_EQ(ambit_spawn_poll(behind, caller_step, &caller), 0);
            caller.wanted = 0;
            WANT(until(cx, &pool.begun, 2));
            caller.drops = true;
            WANT_EQ(ambit_spawn_poll(behind, caller_step, &caller), 0);
            WANT(until(cx, &pool.begun, 3));
            WANT_EQ(ambit_wake(pool.drops), 0);
            WANT(until(cx, &pool.ended, 1)); /* by the drop */
            ambit_cancel(behind, "they have not begun");
        }
        WANT_EQ(count_get(&pool.ended), 2);
        count_up(&pool.open);
    }
    WANT_EQ(count_get(&pool.ended), 3);
    WANT_EQ(count_get(&pool.called), 1);
    return rc;
}

/* Goal: a call on the pool is made once, or never.  Method: calls that are
 * cancelled and dropped once they have begun answer all the same; with one
 * thread, calls behind it are cancelled and dropped, and never made. */
Spec(AWAIT_POOL_1, a_call_that_began_ends)
{
    spec_on_1_and_2_workers(call_pool);
    WANT_EQ(spec_run(call_off, NULL, .workers = 1, .blocking_threads_max = 1),
            0);
    WANT_EQ(spec_run(call_off, NULL, .workers = 2, .blocking_threads_max = 1),
            0);
    spec_end("AWAIT_POOL_1");
}

/* --- a panic meanwhile ----------------------------------------------------- */

struct panic {
    struct count called, panics, parked, closed, written;
};

struct panicker {
    struct ambit_await wait;
    struct panic *panic;
    int result;
    unsigned char state[256];
};

static int outlasts_it(void *arg)
{
    struct panicker *s = arg;
    struct panic *panic = s->panic;
    count_up(&panic->called);
    (void)spin_until(&panic->parked, 1);
    for (int i = 0; i < 2000 && count_get(&panic->closed) == 0; i++) {
        sched_yield();
    }
    WANT_EQ(count_get(&panic->closed), 0);
    if (count_get(&panic->closed) == 0) {
        memset(s->state, 1, sizeof s->state);
    }
    count_up(&panic->written);
    return 0;
}

static int panic_step(ambit_cx *cx, void *state)
{
    struct panicker *s = state;
    int rc = ambit_await_blocking(cx, &s->wait, outlasts_it, s, &s->result);
    WANT_EQ(rc, AMBIT_PENDING);
    if (count_get(&s->panic->called) == 0) {
        ambit_wake(ambit_cx_waker(cx));
        return rc;
    }
    count_up(&s->panic->panics);
    ambit_panic(cx, "in the middle of a call");
}

/* Of one worker it gets a turn when the machine waits for the call. */
static int sees_it_park(ambit_cx *cx, void *arg)
{
    struct panic *panic = *(struct panic **)arg;
    WANT(until(cx, &panic->panics, 1));
    count_up(&panic->parked);
    return 0;
}

static int panic_meanwhile(ambit_cx *cx, void *arg)
{
    struct panic panic = {.called = {0}}, *here = &panic;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        WANT_EQ(ambit_spawn(outer, sees_it_park, &here), 0);
        ambit_scope (cx, region, &rc, .policy = AMBIT_ISOLATE) {
            struct panicker panicker = {.panic = here};
            WANT_EQ(ambit_spawn_poll(region, panic_step, &panicker), 0);
        }
        count_up(&panic.closed);
    }
    WANT(spin_until(&panic.written, 1));
    return rc;
}

/* Goal: what a call writes to is there until it has returned.  Method: a
 * machine panics while a call on the pool is about to write into its state; the
 * region is still open when the call has written.  On one worker the call goes
 * on only once the machine waits for it. */
Spec(AWAIT_END_2, the_state_of_a_panic_stays_while_others_use_it)
{
    spec_on_1_and_2_workers(panic_meanwhile);
    spec_end("AWAIT_END_2");
}
