/* SPDX-License-Identifier: MIT */
/*
 * yield_test.c -- who gives way lets the others go first: TASK-YIELD-1.
 */
#include "tests/spec/common.h"

static struct count ran;

static int run_once(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    count_up(&ran);
    return 0;
}

static int spawn_one(ambit_region *region, enum ambit_tier tier)
{
    int none = 0;
    return ambit_spawn_with(region, run_once, &none, .tier = tier);
}

static int yield_once(ambit_cx *cx, void *arg)
{
    (void)arg;
    count_set(&ran, 0);
    int rc = 0;
    ambit_scope (cx, ready, &rc) {
        for (int turn = 1; turn <= 10; turn++) {
            for (int i = 0; i < 10; i++) {
                WANT_EQ(spawn_one(ready, i % 2 ? AMBIT_FIBER : AMBIT_SEND), 0);
            }
            WANT_EQ(ambit_yield(cx), 0);
            WANT_EQ(count_get(&ran), turn * 10);
        }
        for (int i = 0; i < 1000; i++) {
            WANT_EQ(spawn_one(ready, AMBIT_SEND), 0);
        }
        for (int i = 0; i < 1000 / 30 + 1; i++) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        WANT_EQ(count_get(&ran), 1100);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: giving way lets all who are ready run.
 * Method: one worker; ten ready tasks, one yield, all have run; then a
 * thousand and 34 yields. */
Spec(TASK_YIELD_1, a_yield_lets_all_ready_tasks_run)
{
    spec_on(1, yield_once);
    spec_end("TASK_YIELD_1");
}

static int take_turns(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    while (rc == 0) {
        count_up(&ran);
        rc = ambit_yield(cx);
    }
    return rc == -ECANCELED ? 0 : rc;
}

static int yield_among(ambit_cx *cx, void *arg)
{
    int others = *(int *)arg, none = 0;
    count_set(&ran, 0);
    int rc = 0;
    ambit_scope (cx, turns, &rc) {
        for (int i = 0; i < others; i++) {
            WANT_EQ(ambit_spawn(turns, take_turns, &none), 0);
        }
        for (int turn = 1; turn <= 200; turn++) {
            WANT_EQ(ambit_yield(cx), 0);
            WANT_EQ(count_get(&ran), turn * others);
        }
        ambit_cancel(turns, "enough");
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: where all have begun already, and give way in turn, each goes once.
 * Method: one worker; 1, 2, 3 and 29 others that count their turns; 29 and the one
 * that looks are a batch. */
Spec(TASK_YIELD_1, those_who_yield_take_turns)
{
    for (int others = 1; others <= 3; others++) {
        WANT_EQ(spec_run(yield_among, &others, .workers = 1), 0);
    }
    int others = 29;
    WANT_EQ(spec_run(yield_among, &others, .workers = 1), 0);
    spec_end("TASK_YIELD_1");
}
