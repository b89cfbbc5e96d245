/* SPDX-License-Identifier: MIT */
/*
 * scenarios_outside.c -- tasks from a thread that is no worker, at one that is
 * never idle: each has its turn within 61 of others.
 */
#include "tests/lab/inner.h"

enum { WITHIN = 61 };

/* --- a worker that is busy in one of four ways ------------------------------- */

enum { FIBERS = 34, PAIRS = 10, COME = 4 };

struct press {
    ambit_region *region;
    struct tally turns, stop;
    struct tally came;
    int64_t came_at; /* written before that */
    bool polls, spawns;
    ambit_waker wakers[2 * PAIRS];
};

/* What is injected is injected at each wait, so there must not be many. */
static bool is_over(struct press *press)
{
    return tally_get(&press->stop) > 0 ||
           (disturbed && tally_get(&press->turns) > WITHIN);
}

static int is_pressed(ambit_cx *cx, void *arg)
{
    (void)cx;
    tally_up(&(*(struct press **)arg)->turns);
    return 0;
}

static void presses(struct press *press)
{
    tally_up(&press->turns);
    if (press->spawns) {
        int spawned = ambit_spawn(press->region, is_pressed, &press);
        want(spawned == 0);
    }
}

static int never_rests(ambit_cx *cx, void *arg)
{
    struct press *press = *(struct press **)arg;
    int rc = 0;
    while (rc == 0 && !is_over(press)) {
        presses(press);
        rc = ambit_yield(cx);
    }
    return rc;
}

struct one_of_two {
    struct press *press;
    int number;
};

static int wakes_the_other(ambit_cx *cx, void *state)
{
    struct one_of_two *self = state;
    struct press *press = self->press;
    bool stop = is_over(press) || ambit_checkpoint(cx) < 0;
    press->wakers[self->number] = ambit_cx_waker(cx);
    if (!stop) {
        presses(press);
    }
    (void)ambit_wake(press->wakers[self->number ^ 1]);
    return stop ? 0 : AMBIT_PENDING;
}

static int comes(ambit_cx *cx, void *arg)
{
    struct press *press = *(struct press **)arg;
    (void)cx;
    press->came_at = tally_get(&press->turns);
    tally_up(&press->came);
    return 0;
}

static int spawns_from_outside(ambit_cx *cx, void *arg)
{
    struct press *press = *(struct press **)arg;
    int rc = 0;
    (void)cx;
    for (int i = 0; i < COME && rc == 0; i++) {
        rc = ambit_spawn(press->region, comes, &press);
        int64_t spawned_at = tally_get(&press->turns);
        want(rc == 0);
        busy_until(rc < 0 || tally_get(&press->came) > i);
        always(disturbed || press->came_at - spawned_at <= WITHIN);
    }
    tally_up(&press->stop);
    return 0;
}

/* They end when they are told to; where nobody can tell them, at once. */
static int saturate(ambit_region *region, struct press *press)
{
    int rc = 0;
    for (int i = 0; i < (press->polls ? 2 * PAIRS : FIBERS) && rc == 0; i++) {
        rc = press->polls ? ambit_spawn_poll(region, wakes_the_other,
                                             (&(struct one_of_two){press, i}))
                          : ambit_spawn(region, never_rests, &press);
    }
    if (rc == 0) {
        rc = ambit_spawn_with(region, spawns_from_outside, &press,
                              .tier = AMBIT_BLOCKING);
    }
    return rc;
}

static int outside_in_time(ambit_cx *cx, void *arg)
{
    struct press press = {.polls = ambit_choose(2) != 0,
                          .spawns = ambit_choose(2) != 0};
    int rc = 0, made = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        press.region = s;
        made = saturate(s, &press);
        if (made < 0) {
            ambit_cancel(s, "not all of them could begin");
        }
    }
    want(rc == 0 && made == 0);
    return rc;
}

/* --- older ones below it, and newer ones above ------------------------------- */

enum { BEFORE = 3 };

struct burial {
    ambit_region *region;
    struct tally turns, spawned, came;
};

/* Each is newer than all that lies there. */
static int goes_on(ambit_cx *cx, void *arg)
{
    struct burial *burial = *(struct burial **)arg;
    (void)cx;
    if (tally_up(&burial->turns) < 3 * WITHIN &&
        tally_get(&burial->came) == 0) {
        int spawned = ambit_spawn(burial->region, goes_on, &burial);
        want(spawned == 0);
    }
    return 0;
}

static int comes_up(ambit_cx *cx, void *arg)
{
    struct burial *burial = *(struct burial **)arg;
    (void)cx;
    always(tally_get(&burial->turns) <= WITHIN || disturbed);
    tally_up(&burial->came);
    return 0;
}

static int lays_one_down(ambit_cx *cx, void *arg)
{
    struct burial *burial = *(struct burial **)arg;
    (void)cx;
    int spawned = ambit_spawn(burial->region, comes_up, &burial);
    want(spawned == 0);
    tally_up(&burial->spawned);
    return 0;
}

static int does_nothing(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return 0;
}

/* So that it comes at each of 61 turns, in one run or another. */
static void move_on(ambit_cx *cx)
{
    unsigned turns = ambit_choose(WITHIN);
    int rc = 0, none = 0;
    ambit_scope (cx, s, &rc) {
        for (unsigned i = 0; i < turns && rc == 0; i++) {
            rc = ambit_spawn(s, does_nothing, &none);
        }
    }
    want(rc == 0);
}

static int outside_is_not_buried(ambit_cx *cx, void *arg)
{
    struct burial burial = {.region = NULL}, *here = &burial;
    int rc = 0;
    (void)arg;
    move_on(cx);
    ambit_scope (cx, s, &rc) {
        burial.region = s;
        for (int i = 0; i < BEFORE; i++) {
            int spawned = ambit_spawn(s, goes_on, &here);
            want(spawned == 0);
        }
        int laid = ambit_spawn_with(s, lays_one_down, &here,
                                    .tier = AMBIT_BLOCKING);
        want(laid == 0);
        busy_until(tally_get(&burial.spawned) > 0); /* and keeps the worker */
    }
    want(rc == 0 && tally_get(&burial.came) == 1);
    return rc;
}

SCENARIOS(outside, {"outside_in_time", outside_in_time, 1, 0, "WRK-INJECT-1"},
          {"outside_is_not_buried", outside_is_not_buried, 1, MANY,
           "WRK-INJECT-1"});
