/* SPDX-License-Identifier: MIT */
/*
 * drain_test.c -- a run that ends in good order, and in time: RT-STOP-2 of
 * spec/runtime.md.
 */
#include "tests/spec/common.h"

enum { GUESTS = 10, WELL = 7 };

struct drain {
    ambit_duration time;
    bool for_ever; /* one guest has no end of its own */
    ambit_runtime *runtime;
    struct count served, ended, waiting, left;
};

static int be_served(ambit_cx *cx, void *arg)
{
    struct drain *d = *(struct drain **)arg;
    for (int i = 0; i < 10; i++) {
        WANT_EQ(ambit_sleep(cx, ambit_us(50)), 0);
    }
    count_up(&d->served);
    return 0;
}

static int stay_for_ever(ambit_cx *cx, void *arg)
{
    struct drain *d = *(struct drain **)arg;
    count_up(&d->waiting);
    WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
    struct ambit_cancel_reason why = ambit_cancel_reason(ambit_cx_region(cx));
    WANT_EQ(why.kind, d->time.ns > ambit_s(1).ns ? AMBIT_CANCEL_SHUTDOWN
                                                 : AMBIT_CANCEL_DEADLINE);
    WANT_EQ(count_get(&d->served), GUESTS);
    count_up(&d->ended);
    return -ECANCELED;
}

static int open_and_leave(ambit_cx *cx, void *arg)
{
    struct drain *d = arg;
    ambit_region *root = ambit_cx_region(cx);
    for (int i = 0; i < GUESTS; i++) {
        WANT_EQ(ambit_spawn(root, be_served, &d), 0);
    }
    if (d->for_ever) {
        WANT(until(cx, &d->served, GUESTS));
        WANT_EQ(ambit_spawn(root, stay_for_ever, &d), 0);
        WANT(until(cx, &d->waiting, 1));
    }
    WANT_EQ(ambit_set_deadline(root, ambit_after(d->time)), 0);
    count_up(&d->left);
    return WELL;
}

static void *stop_a_drain(void *arg)
{
    struct drain *d = arg;
    WANT(spin_until(&d->left, 1));
    ambit_runtime_stop(d->runtime);
    return NULL;
}

static int drain_and_stop(struct drain *d, bool stops)
{
    pthread_t thread;
    const struct ambit_runtime_options options = {
        .size_ = sizeof options, .workers = 2, .log = spec_log_line};
    WANT_EQ(ambit_runtime_create(&d->runtime, &options), 0);
    if (stops) {
        pthread_create(&thread, NULL, stop_a_drain, d);
    }
    int rc = ambit_runtime_run(d->runtime, open_and_leave, d);
    if (stops) {
        pthread_join(thread, NULL);
    }
    spec_ledger(d->runtime);
    ambit_runtime_destroy(d->runtime);
    WANT_EQ(count_get(&d->served), GUESTS);
    WANT_EQ(count_get(&d->ended), d->for_ever);
    return rc;
}

/* Goal: who is in is served, and the run ends all the same.
 * Method: guests who outlive the function of the run; with time for all of them;
 * with one who never goes; with a stop long before the deadline. */
Spec(RT_STOP_2, a_run_drains_until_its_deadline)
{
    struct drain calm = {.time = ambit_s(1000)};
    struct drain cut = {.time = ambit_ms(5), .for_ever = true};
    struct drain stopped = {.time = ambit_s(1000), .for_ever = true};
    WANT_EQ(drain_and_stop(&calm, false), WELL);
    WANT_EQ(drain_and_stop(&cut, false), -ETIMEDOUT);
    WANT_EQ(drain_and_stop(&stopped, true), -ECANCELED);
    spec_end("RT_STOP_2");
}
