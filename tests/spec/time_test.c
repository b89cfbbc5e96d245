/* SPDX-License-Identifier: MIT */
/*
 * time_test.c -- sleeps and deadlines: spec/time.md.
 *
 * How late something is depends on the machine and is a benchmark; a test may
 * only say that nothing is early and what comes before what.
 */
#include "tests/spec/common.h"

/* --- TIME-1 --------------------------------------------------------------- */

static int sleep_and_look(ambit_cx *cx, void *arg)
{
    int64_t ns = *(int64_t *)arg;
    for (int i = 0; i < 20; i++) {
        ambit_time before = ambit_now();
        if (i % 2) {
            WANT_EQ(ambit_sleep(cx, ambit_ns(ns)), 0);
        } else {
            WANT_EQ(ambit_sleep_until(cx, (ambit_time){before.ns + ns}), 0);
        }
        WANT(ambit_now().ns - before.ns >= ns);
        ns = ns * 7 % 3000000 + 1;
    }
    return 0;
}

static int many_sleeps(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int64_t i = 0; i < 200; i++) {
            WANT_EQ(ambit_spawn(all, sleep_and_look, &(int64_t){i * 7919}), 0);
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: nobody is back too soon.
 * Method: 4,000 sleeps from nothing to 3 ms, many at once. */
Spec(TIME_1, a_sleep_is_never_early)
{
    spec_on_1_and_2_workers(many_sleeps);
    spec_end("TIME_1");
}

/* --- TIME-2 --------------------------------------------------------------- */

struct alarm_clock {
    ambit_time when;
    struct count *called, *woken;
    struct wake *wakes;
};

struct wake {
    ambit_time when;
    int64_t call;
};

static int wake_in_turn(ambit_cx *cx, void *arg)
{
    struct alarm_clock *a = arg;
    int64_t call = count_up(a->called);
    WANT_EQ(ambit_sleep_until(cx, a->when), 0);
    a->wakes[count_up(a->woken)] = (struct wake){a->when, call};
    return 0;
}

enum { CLOCKS = 300 };

/* False when not all could call before the first one was due: a machine this
 * busy shows nothing about the order. */
static bool set_the_clocks(ambit_cx *cx, struct wake *wakes, int64_t lead_ns)
{
    struct count called = {0}, woken = {0};
    int64_t base = ambit_now().ns + lead_ns;
    bool in_time = false;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int64_t i = 0; i < CLOCKS; i++) {
            struct alarm_clock a = {{base + i * 37 % 20 * 200000}, &called,
                                    &woken, wakes};
            WANT_EQ(ambit_spawn(all, wake_in_turn, &a), 0);
        }
        WANT(until(cx, &called, CLOCKS));
        in_time = ambit_now().ns < base;
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&woken), CLOCKS);
    return in_time;
}

static int wake_in_order(ambit_cx *cx, void *arg)
{
    (void)arg;
    static struct wake wakes[CLOCKS];
    int64_t lead_ns = 30000000;
    while (!set_the_clocks(cx, wakes, lead_ns) && lead_ns < 20000000000) {
        lead_ns *= 2;
    }
    WANT(lead_ns < 20000000000);
    for (int i = 1; i < CLOCKS; i++) {
        bool in_order = wakes[i - 1].when.ns < wakes[i].when.ns ||
                        (wakes[i - 1].when.ns == wakes[i].when.ns &&
                         wakes[i - 1].call < wakes[i].call);
        WANT(in_order);
    }
    return 0;
}

/* Goal: earlier times first, and of equal ones the earlier call.
 * Method: 300 sleepers on 20 points in time, in a mixed order. */
Spec(TIME_2, sleeps_end_in_order)
{
    spec_on(1, wake_in_order);
    spec_end("TIME_2");
}

/* --- TIME-3 --------------------------------------------------------------- */

static int count_run(ambit_cx *cx, void *arg)
{
    (void)cx;
    count_up(*(struct count **)arg);
    return 0;
}

static int sleep_not_at_all(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count ran = {0}, *pran = &ran;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn_with(all, count_run, &pran,
                                 .tier = AMBIT_FIBER), 0);
        WANT_EQ(ambit_sleep(cx, ambit_ns(0)), 0);
        WANT_EQ(ambit_sleep(cx, ambit_s(-5)), 0);
        WANT_EQ(ambit_sleep(cx, ambit_s(INT64_MIN)), 0);
        WANT_EQ(ambit_sleep_until(cx, ambit_now()), 0);
        WANT_EQ(ambit_sleep_until(cx, (ambit_time){1}), 0);
        WANT_EQ(count_get(&ran), 0);
        ambit_cancel(all, "and then");
        WANT_EQ(ambit_sleep(cx, ambit_ns(0)), -ECANCELED);
        WANT_EQ(ambit_sleep(cx, ambit_s(-5)), -ECANCELED);
        WANT_EQ(ambit_sleep_until(cx, (ambit_time){1}), -ECANCELED);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: the rest of a time that has run out is no wait and no error.
 * Method: five such sleeps while another task is ready; it does not run. */
Spec(TIME_3, a_sleep_of_nothing_is_a_checkpoint)
{
    spec_on_1_and_2_workers(sleep_not_at_all);
    spec_end("TIME_3");
}

/* --- TIME-4 --------------------------------------------------------------- */

static int sleep_too_long(ambit_cx *cx, void *arg)
{
    count_up(*(struct count **)arg);
    int rc = ambit_sleep(cx, ambit_s(INT64_MAX));
    WANT_EQ(rc, -ECANCELED);
    rc = ambit_sleep_until(cx, ambit_never());
    WANT_EQ(rc, -ECANCELED);
    return rc;
}

static int extreme_times(ambit_cx *cx, void *arg)
{
    (void)arg;
    WANT_EQ(ambit_s(INT64_MAX).ns, INT64_MAX);
    WANT_EQ(ambit_ms(INT64_MAX / 1000).ns, INT64_MAX);
    WANT_EQ(ambit_us(INT64_MIN).ns, INT64_MIN);
    WANT_EQ(ambit_after(ambit_s(INT64_MAX)).ns, ambit_never().ns);
    WANT_EQ(ambit_after(ambit_ns(INT64_MAX)).ns, ambit_never().ns);
    int64_t now = ambit_now().ns;
    WANT(ambit_after(ambit_s(-1000)).ns >= now);
    struct count started = {0}, *pstarted = &started;
    int rc = 0;
    ambit_scope (cx, all, &rc, .deadline = ambit_never()) {
        WANT_EQ(ambit_spawn(all, sleep_too_long, &pstarted), 0);
        WANT(until(cx, &started, 1));
        WANT_EQ(ambit_sleep(cx, ambit_ms(5)), 0);
        WANT_EQ(ambit_region_tasks(all), 1);
        ambit_cancel(all, "the only way out");
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: the longest wait is the longest wait.
 * Method: the ends of the scale; a sleep beyond them ends by a cancel only. */
Spec(TIME_4, times_do_not_overflow)
{
    spec_on_1_and_2_workers(extreme_times);
    spec_end("TIME_4");
}

/* --- TIME-5 --------------------------------------------------------------- */

static int wait_for_deadline(ambit_cx *cx, void *arg)
{
    int64_t ns = *(int64_t *)arg;
    ambit_time before = ambit_now();
    int rc = 0;
    ambit_scope (cx, own, &rc, .deadline = ambit_after(ambit_ns(ns))) {
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        WANT(ambit_now().ns - before.ns >= ns);
        WANT_EQ(ambit_cancel_reason(own).kind, AMBIT_CANCEL_DEADLINE);
        WANT(ambit_cancel_reason(own).own);
    }
    WANT_EQ(rc, -ETIMEDOUT);
    return 0;
}

static int many_deadlines(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int64_t i = 0; i < 300; i++) {
            WANT_EQ(ambit_spawn(all, wait_for_deadline,
                                &(int64_t){i * 41 % 100 * 100000 + 1}), 0);
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a deadline ends a wait without end, and not before its time.
 * Method: 300 scopes with deadlines up to 10 ms, each with a waiting body. */
Spec(TIME_5, a_deadline_ends_its_region_and_is_never_early)
{
    spec_on_1_and_2_workers(many_deadlines);
    spec_end("TIME_5");
}

/* --- TIME-6 --------------------------------------------------------------- */

/* Both are due in one look at the clock. */
struct meeting {
    ambit_time sleep_ends, deadline;
    struct count called;
    bool late; /* the deadline was over before the worker looked */
    int slept, then;
};

static int sleeps_to_meet(ambit_cx *cx, void *arg)
{
    struct meeting *m = *(struct meeting **)arg;
    count_up(&m->called);
    m->slept = ambit_sleep_until(cx, m->sleep_ends);
    m->then = ambit_checkpoint(cx);
    return 0;
}

/* Sets both, in either order, and keeps the worker until both are due. */
static void meet(ambit_cx *cx, struct meeting *m, bool deadline_first)
{
    int rc = 0;
    m->called = (struct count){0};
    ambit_scope (cx, s, &rc) {
        int set = deadline_first ? ambit_set_deadline(s, m->deadline) : 0;
        WANT_EQ(set, 0);
        int spawned = ambit_spawn(s, sleeps_to_meet, &m);
        while (spawned == 0 && count_get(&m->called) == 0 &&
               ambit_yield(cx) == 0) {
        }
        set = deadline_first ? 0 : ambit_set_deadline(s, m->deadline);
        m->late =
            spawned < 0 || set < 0 || ambit_now().ns >= m->deadline.ns - 1;
        while (ambit_now().ns <= m->deadline.ns + 1) {
        }
    }
    WANT(m->late || rc == -ETIMEDOUT);
}

/* With a longer lead where the machine was too busy to be in time. */
static int meet_in_time(ambit_cx *cx, bool deadline_first, int64_t sleep_later)
{
    struct meeting m = {.late = true};
    for (int64_t lead_ns = 5000000; m.late && lead_ns < 10000000000;
         lead_ns *= 2) {
        m.deadline = (ambit_time){ambit_now().ns + lead_ns};
        m.sleep_ends = (ambit_time){m.deadline.ns + sleep_later};
        meet(cx, &m, deadline_first);
    }
    WANT(!m.late);
    WANT_EQ(m.then, -ECANCELED);
    return m.slept;
}

static int deadlines_meet_sleeps(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int first = 0; first < 2; first++) {
        for (int64_t later = -1; later <= 1; later++) {
            WANT_EQ(meet_in_time(cx, first, later), 0);
        }
    }
    return 0;
}

/* Goal: a sleep that has ended has, and its region's deadline comes after it.
 * Method: a sleep that ends at the deadline, a nanosecond before, and after;
 * either is set first; the worker is kept busy until both are due. */
Spec(TIME_6, a_sleep_that_is_over_beats_the_deadline)
{
    spec_on(1, deadlines_meet_sleeps);
    spec_end("TIME_6");
}
