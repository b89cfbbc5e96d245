/* SPDX-License-Identifier: MIT */
/*
 * seats_test.c -- places of a region that a worker has in hand.
 */
#include "tests/spec/common.h"

/* A region whose tasks look at how many they are. */
struct seated {
    ambit_region *region;
    struct count spawned, seen, started, left;
    struct count wrong;
};

static int look_then_end(ambit_cx *cx, void *arg)
{
    struct seated *s = *(struct seated **)arg;
    (void)cx;
    int64_t live = count_add(&s->left, -1);
    if (ambit_region_tasks(s->region) != live) {
        count_up(&s->wrong);
    }
    return 0;
}

/* On its own worker each end is seen at once, though its place is kept. */
static int ends_are_seen(ambit_cx *cx, void *arg)
{
    struct seated s = {0}, *at = &s;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, crowd, &rc) {
        s.region = crowd;
        for (int i = 0; i < 100; i++) {
            count_up(&s.left);
            WANT_EQ(ambit_spawn(crowd, look_then_end, &at), 0);
            WANT_EQ(ambit_region_tasks(crowd), i + 1);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&s.wrong), 0);
    WANT_EQ(count_get(&s.left), 0);
    return 0;
}

static int hold_until_seen(ambit_cx *cx, void *arg)
{
    struct seated *s = *(struct seated **)arg;
    count_up(&s->started);
    return until(cx, &s->seen, 1) ? 0 : -ETIMEDOUT;
}

/* Spawns, and then lets go of its worker for nobody until others have looked. */
static int spawn_and_hold(ambit_cx *cx, void *arg)
{
    struct seated *s = *(struct seated **)arg;
    (void)cx;
    for (int i = 0; i < 40; i++) {
        WANT_EQ(ambit_spawn_with(s->region, hold_until_seen, &s,
                                 .tier = AMBIT_FIBER),
                0);
    }
    count_set(&s->spawned, 1);
    WANT(spin_until(&s->seen, 1));
    return 0;
}

/* Seen from another worker, too: what lies ready there is no task. */
static int others_see_no_seats(ambit_cx *cx, void *arg)
{
    struct seated s = {0}, *at = &s;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, crowd, &rc) {
        s.region = crowd;
        WANT_EQ(ambit_spawn_with(crowd, spawn_and_hold, &at,
                                 .placement = AMBIT_PINNED,
                                 .worker = 1 - ambit_cx_worker(cx)),
                0);
        WANT(until(cx, &s.spawned, 1));
        WANT_EQ(ambit_region_tasks(crowd), 41);
        count_set(&s.seen, 1);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&s.started), 40);
    return 0;
}

/* Goal: places that lie ready at a worker are never taken for tasks, and hold
 * up no close.
 * Method: a hundred tasks that end one after the other look at how many are
 * left; one that spawned forty and keeps its worker is looked at from another
 * one. */
Spec(REG_ADMIT_3, places_in_hand_are_no_tasks)
{
    WANT_EQ(spec_run(ends_are_seen, NULL, .workers = 1), 0);
    WANT_EQ(spec_run(others_see_no_seats, NULL, .workers = 2), 0);
    spec_end("REG_ADMIT_3");
}
