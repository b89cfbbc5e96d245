/* SPDX-License-Identifier: MIT */
/*
 * elsewhere_test.c -- a worker of one runtime spawns into a region of another.
 */
#include "tests/spec/common.h"

struct pair {
    ambit_region *region; /* of the host's runtime */
    struct count open, ran, done;
    int fiber_rc;
};

static int run_here(ambit_cx *cx, void *arg)
{
    struct pair *pair = *(struct pair **)arg;
    WANT(ambit_cx_region(cx) == pair->region);
    WANT_EQ(ambit_yield(cx), 0);
    count_up(&pair->ran);
    return 0;
}

static int run_on_the_pool(ambit_cx *cx, void *arg)
{
    struct pair *pair = *(struct pair **)arg;
    (void)cx;
    count_up(&pair->ran);
    return 0;
}

static int step_twice(ambit_cx *cx, void *arg)
{
    struct pair *pair = *(struct pair **)arg;
    if (count_up(&pair->ran) % 2 == 0) {
        WANT_EQ(ambit_wake(ambit_cx_waker(cx)), 0);
        return AMBIT_PENDING;
    }
    return AMBIT_READY;
}

static int host_main(ambit_cx *cx, void *arg)
{
    struct pair *pair = arg;
    int rc = 0;
    ambit_scope (cx, host, &rc) {
        pair->region = host;
        count_up(&pair->open);
        WANT(until(cx, &pair->done, 1));
    }
    return rc;
}

static int guest_main(ambit_cx *cx, void *arg)
{
    struct pair *pair = arg;
    WANT(until(cx, &pair->open, 1));
    for (int i = 0; i < 10; i++) {
        count_set(&pair->ran, 0);
        WANT_EQ(ambit_spawn(pair->region, run_here, &pair), 0);
        WANT_EQ(ambit_spawn_with(pair->region, run_on_the_pool, &pair,
                                 .tier = AMBIT_BLOCKING), 0);
        WANT(until(cx, &pair->ran, 2));
        WANT_EQ(ambit_spawn_poll(pair->region, step_twice, &pair), 0);
        WANT(until(cx, &pair->ran, 4));
    }
    pair->fiber_rc = ambit_spawn_with(pair->region, run_here, &pair,
                                      .tier = AMBIT_FIBER);
    count_up(&pair->done);
    return 0;
}

static void *guest_thread(void *arg)
{
    WANT_EQ(ambit_run(guest_main, arg, .workers = 1), 0);
    return NULL;
}

/* Goal: a region's tasks run in the region's runtime, whoever spawns them, and
 * both ledgers add up.  Method: each kind of task, spawned by the worker of
 * another runtime; a FIBER task has no worker to be pinned to. */
Spec(TASK_SPAWN_4, a_worker_of_another_runtime_is_no_worker_here)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct pair pair = {0};
        pthread_t guest;
        cr_assert(pthread_create(&guest, NULL, guest_thread, &pair) == 0);
        int rc =
            ambit_run(host_main, &pair, .workers = workers,
                      .log = spec_log_line);
        WANT_EQ(rc, 0);
        pthread_join(guest, NULL);
        WANT_EQ(pair.fiber_rc, -EPERM);
    }
    spec_end("TASK_SPAWN_4");
}
