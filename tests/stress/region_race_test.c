/* SPDX-License-Identifier: MIT */
/*
 * region_race_test.c -- joins, cancels, clean-ups and closes that meet at every
 * moment, on as many workers as there are.
 */
#include "tests/spec/common.h"

enum { ROUNDS = 3000 / SPEC_SLOWER };

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* --- a join from outside against the close -------------------------------- */

static int ends_at_once(ambit_cx *cx, void *arg)
{
    (void)cx;
    return *(int *)arg;
}

struct post {
    struct count round; /* whose handle is in `handle` */
    struct count joined;
    ambit_task handle;
};

static int join_from_outside(ambit_cx *cx, void *arg)
{
    struct post *post = *(struct post **)arg;
    for (int round = 1; round <= ROUNDS; round++) {
        int result = 0;
        WANT(until(cx, &post->round, round));
        int rc = ambit_join(cx, post->handle, &result);
        WANT(rc == -ESTALE || (rc == 0 && result == round));
        count_up(&post->joined);
    }
    return 0;
}

static int close_under_joins(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct post post = {0};
    struct post *p = &post;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn(all, join_from_outside, &p), 0);
        for (int round = 1; round <= ROUNDS; round++) {
            int inner_rc = 0;
            ambit_scope (cx, inner, &inner_rc, .policy = AMBIT_COLLECT) {
                WANT_EQ(ambit_spawn_with(inner, ends_at_once, &round,
                                         .ret_task = &post.handle), 0);
                count_set(&post.round, round);
            }
            WANT(until(cx, &post.joined, round));
        }
        int result;
        WANT_EQ(ambit_join(cx, post.handle, &result), -ESTALE);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: whoever joins a task while its region closes gets the result or
 * -ESTALE, and never touches the closed region.
 * Method: a joiner elsewhere takes the handle in the moment of the close. */
Test(region_race, a_join_from_outside_meets_the_close)
{
    spec_on(1, close_under_joins);
    spec_on(2, close_under_joins);
    spec_on(4, close_under_joins);
    spec_end("TASK_JOIN_2");
}

/* --- cancels of blocking jobs --------------------------------------------- */

static int short_job(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    sched_yield();
    return 0;
}

static int cancel_jobs(ambit_cx *cx, void *arg)
{
    uint32_t seed = 3;
    (void)arg;
    for (int round = 0; round < ROUNDS / 6; round++) {
        int rc = 0;
        ambit_scope (cx, jobs, &rc) {
            for (int i = 0; i < 8; i++) {
                int made = ambit_spawn_with(jobs, short_job, &seed,
                                            .tier = AMBIT_BLOCKING);
                WANT(made == 0 || made == -EAGAIN);
            }
            for (uint32_t i = next_random(&seed) % 4; i > 0; i--) {
                (void)ambit_yield(cx);
            }
            ambit_cancel(jobs, "at random");
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* Goal: a job that ends on its own thread while its cancel is delivered on
 * another is freed once, after the last use of its record. */
Test(region_race, jobs_are_cancelled_as_they_end)
{
    WANT_EQ(spec_run(cancel_jobs, NULL, .workers = 2,
                     .blocking_threads_max = 3, .blocking_queue_max = 4), 0);
    WANT_EQ(spec_run(cancel_jobs, NULL, .workers = 4,
                     .blocking_threads_max = 2), 0);
    spec_end("TASK_BLOCK_2");
}

/* --- scopes in finalizers ------------------------------------------------- */

static int sleeps_for_ever(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_sleep_until(cx, ambit_never());
}

static int fails_at_once(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    return -EIO;
}

static int nested_scopes(ambit_cx *cx, void *arg)
{
    int *result = arg;
    int rc = 0;
    ambit_scope (cx, outer, &rc) {
        int inner_rc = 0;
        ambit_scope (cx, inner, &inner_rc) {
            WANT_EQ(ambit_spawn(inner, sleeps_for_ever, &rc), 0);
            WANT_EQ(ambit_spawn(outer, fails_at_once, &rc), 0);
        }
        WANT_EQ(inner_rc, -ECANCELED);
    }
    *result = rc;
    return 0;
}

static int fail_in_a_finalizer(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0, result = 0;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_defer_async(s, nested_scopes, &result), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(result, -EIO);
    return 0;
}

/* Goal: a scope that a finalizer opens owns its inner scopes as any other. */
Test(region_race, a_cancel_reaches_down_in_a_finalizer)
{
    spec_on_1_and_2_workers(fail_in_a_finalizer);
    spec_end("CAN_7");
}

struct endless {
    int scope_rc, sleep_rc, open_rc;
};

static int clean_for_ever(ambit_cx *cx, void *arg)
{
    struct endless *e = arg;
    ambit_scope (cx, s, &e->scope_rc) {
        WANT_EQ(ambit_spawn(s, sleeps_for_ever, &e), 0);
    }
    e->sleep_rc = ambit_sleep(cx, ambit_s(3600));
    ambit_scope (cx, late, &e->open_rc) {
        WANT(false);
    }
    return 0;
}

static int inner_clean_up(ambit_cx *cx, void *arg)
{
    int rc = 0;
    ambit_scope (cx, s, &rc, .cleanup = ambit_s(3600)) {
        WANT_EQ(ambit_defer_async(s, clean_for_ever, arg), 0);
    }
    /* The outer time is over, and stays so. */
    WANT_EQ(ambit_sleep(cx, ambit_s(3600)), -ETIMEDOUT);
    return 0;
}

static int spend_the_time(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct endless e = {0};
    int rc = 0;
    ambit_scope (cx, s, &rc, .cleanup = ambit_ms(20)) {
        WANT_EQ(ambit_defer_async(s, inner_clean_up, &e), 0);
    }
    WANT_EQ(e.scope_rc, -ETIMEDOUT);
    WANT_EQ(e.sleep_rc, -ETIMEDOUT);
    WANT_EQ(e.open_rc, -ETIMEDOUT);
    return 0;
}

/* Goal: the end of the clean-up time ends what a finalizer waits for, also
 * its scopes, and an inner clean-up does not make anybody forget it. */
Test(region_race, clean_up_time_ends_scopes_too)
{
    spec_on_1_and_2_workers(spend_the_time);
    spec_end("REG_FIN_5");
}

/* --- a tree under random cancels ------------------------------------------ */

struct node {
    uint32_t seed;
    int depth;
    struct count *finalized, *deferred;
};

static void finalize(void *arg)
{
    count_up(arg);
}

static int finalize_slowly(ambit_cx *cx, void *arg)
{
    (void)ambit_yield(cx);
    (void)ambit_sleep(cx, ambit_us(10));
    count_up(arg);
    return 0;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void do_something(ambit_cx *cx, ambit_region *region, uint32_t what)
{
    switch (what % 8) {
    case 0:
        (void)ambit_sleep(cx, ambit_us(what % 200));
        break;
    case 1:
        (void)ambit_blocking(cx, nothing, NULL);
        break;
    case 2:
        ambit_cancel(region, "at random");
        break;
    case 3:
        (void)ambit_set_deadline(region, ambit_after(ambit_us(what % 300)));
        break;
    case 4:
        if (what % 5 == 0) {
            ambit_panic(cx, "at random");
        }
        break;
    default:
        (void)ambit_yield(cx);
    }
}

static int grow(ambit_cx *cx, void *arg)
{
    struct node n = *(struct node *)arg;
    int rc = 0;
    ambit_scope (cx, s, &rc, .policy = (enum ambit_policy)(n.seed % 3),
                 .deadline = n.seed % 11 == 0 ? ambit_after(ambit_us(200))
                                              : ambit_never()) {
        count_add(n.deferred, ambit_defer(s, finalize, n.finalized) == 0);
        count_add(n.deferred,
                  ambit_defer_async(s, finalize_slowly, n.finalized) == 0);
        ambit_task task = {0};
        for (int i = 0; i < 3 && n.depth > 0; i++) {
            struct node child = {next_random(&n.seed), n.depth - 1,
                                 n.finalized, n.deferred};
            (void)ambit_spawn_with(s, grow, &child, .ret_task = &task,
                                   .tier = child.seed % 4 == 0 ? AMBIT_FIBER
                                                               : AMBIT_SEND);
            do_something(cx, s, next_random(&n.seed));
        }
        int result;
        if (n.seed % 2 == 0) {
            (void)ambit_join(cx, task, &result);
        }
        if (n.seed % 7 == 0) {
            break;
        }
    }
    return rc == -ECANCELED || rc == -ETIMEDOUT ? 0 : rc;
}

static int grow_forest(ambit_cx *cx, void *arg)
{
    uint32_t seed = *(uint32_t *)arg;
    for (int round = 0; round < ROUNDS / 100; round++) {
        struct count finalized = {0}, deferred = {0};
        struct node root = {next_random(&seed), 4, &finalized, &deferred};
        int rc = 0;
        ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
            WANT_EQ(ambit_spawn(s, grow, &root), 0);
        }
        WANT_EQ(count_get(&finalized), count_get(&deferred));
    }
    return 0;
}

/* Goal: whatever is cancelled, panics or times out, every region closes and
 * every finalizer runs once. */
Test(region_race, a_forest_under_random_cancels)
{
    for (uint32_t seed = 1; seed <= 3; seed++) {
        for (unsigned workers = 1; workers <= 8; workers *= 2) {
            uint32_t s = seed * 100 + workers;
            WANT_EQ(spec_run(grow_forest, &s, .workers = workers,
                             .ring_entries = 8), 0);
        }
    }
    spec_end("REG_FIN_1");
}
