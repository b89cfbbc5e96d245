/* SPDX-License-Identifier: MIT */
/*
 * scenarios_sched.c -- where tasks begin, and which goes first.
 */
#include "tests/lab/scenario.h"

enum { TASKS = 4 };

struct visit {
    struct tally *ran;
    unsigned wanted; /* worker; UINT32_MAX: any */
};

/* What is pinned is there before and after a wait. */
static int visits(ambit_cx *cx, void *arg)
{
    struct visit *v = arg;
    for (int i = 0; i < 2; i++) {
        always(v->wanted == UINT32_MAX || ambit_cx_worker(cx) == v->wanted);
        if (ambit_yield(cx) < 0) {
            break;
        }
    }
    tally_up(v->ran);
    return 0;
}

static void never_ran(void *arg)
{
    struct visit *v = arg;
    tally_up(v->ran);
}

/* Each placement, cancelled on its way or not: run, or disposed of, once. */
static int placements(ambit_cx *cx, void *arg)
{
    struct tally ran = {0};
    int rc = 0, spawned = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (unsigned i = 0; i < 2; i++) {
            struct visit pinned = {&ran, i}, any = {&ran, UINT32_MAX};
            spawned += ambit_spawn_with(s, visits, &pinned,
                                        .placement = AMBIT_PINNED, .worker = i,
                                        .dispose = never_ran) == 0;
            spawned += ambit_spawn_with(s, visits, &any,
                                        .placement = AMBIT_PREFERRED,
                                        .worker = i,
                                        .dispose = never_ran) == 0;
            spawned += ambit_spawn_with(s, visits, &pinned,
                                        .placement = AMBIT_ROUND_ROBIN,
                                        .dispose = never_ran) == 0;
        }
    }
    always(tally_get(&ran) == spawned);
    want(spawned == 6 && rc == 0);
    return rc;
}

static int cancel_on_the_way(ambit_cx *cx, void *arg)
{
    struct tally ran = {0};
    int rc = 0, spawned = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (unsigned i = 0; i < TASKS; i++) {
            struct visit v = {&ran, i % 2};
            spawned += ambit_spawn_with(s, visits, &v,
                                        .placement = AMBIT_PINNED,
                                        .worker = i % 2,
                                        .dispose = never_ran) == 0;
        }
        ambit_cancel(s, "on the way");
    }
    always(tally_get(&ran) == spawned);
    want(rc == 0);
    return rc;
}

struct lane {
    struct tally *ran;
    ambit_time deadline;
    enum ambit_priority priority;
    bool cancelled;
};

static int yields(ambit_cx *cx, void *arg)
{
    for (int i = 0; i < 3; i++) {
        if (ambit_yield(cx) < 0) {
            break;
        }
    }
    tally_up(*(struct tally **)arg);
    return 0;
}

static int in_a_lane(ambit_cx *cx, void *arg)
{
    struct lane *lane = arg;
    int rc = 0, spawned = 0;
    ambit_scope (cx, s, &rc, .deadline = lane->deadline,
                 .priority = lane->priority) {
        for (int i = 0; i < 2; i++) {
            spawned += ambit_spawn_with(s, yields, &lane->ran) == 0;
        }
        if (lane->cancelled) {
            ambit_cancel(s, "to the first lane");
        }
    }
    return rc < 0 ? rc : spawned;
}

/* Tasks of all lanes at once: none is lost, none waits for ever. */
static int all_lanes(ambit_cx *cx, void *arg)
{
    struct tally ran = {0};
    int rc = 0;
    (void)arg;
    const struct lane lanes[] = {
        {.ran = &ran, .cancelled = true},
        {.ran = &ran, .deadline = ambit_after(ambit_s(1000))},
        {.ran = &ran, .deadline = ambit_after(ambit_s(2000))},
        {.ran = &ran},
        {.ran = &ran, .priority = AMBIT_PRIORITY_LOW},
        {.ran = &ran, .priority = AMBIT_PRIORITY_LOWEST},
    };
    ambit_scope (cx, s, &rc) {
        for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
            ambit_spawn(s, in_a_lane, &lanes[i]);
        }
    }
    want(rc == 0 && tally_get(&ran) >= 10);
    return rc;
}

/* --- what is local to a worker --------------------------------------------- */

struct shelf {
    struct ambit_local local;
    int books;
    struct tally ran;
};

/* Without a lock: all of them run on one worker, and none waits in between. */
static int shelves(ambit_cx *cx, void *arg)
{
    struct shelf *shelf = *(struct shelf **)arg;
    for (int i = 0; i < 2; i++) {
        ambit_local_check(&shelf->local);
        shelf->books++;
        if (ambit_yield(cx) < 0) {
            break;
        }
    }
    tally_up(&shelf->ran);
    return 0;
}

static void never_shelved(void *arg)
{
    tally_up(&(*(struct shelf **)arg)->ran);
}

struct look {
    struct shelf *shelf;
    unsigned home;
    struct tally *ran;
};

/* Wherever it runs, it is told the truth. */
static int looks(ambit_cx *cx, void *arg)
{
    struct look *look = arg;
    always(ambit_local_is_here(&look->shelf->local) ==
           (ambit_cx_worker(cx) == look->home));
    tally_up(look->ran);
    return ambit_yield(cx);
}

static int local_shelf(ambit_cx *cx, void *arg)
{
    struct shelf shelf = {{NULL}, 0, {0}}, *pshelf = &shelf;
    struct tally seen = {0};
    struct look look = {&shelf, ambit_cx_worker(cx), &seen};
    int rc = 0, spawned = 0;
    (void)arg;
    ambit_local_init(&shelf.local);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < TASKS; i++) {
            spawned += ambit_spawn_fiber(s, shelves, &pshelf,
                                         .dispose = never_shelved) == 0;
            (void)ambit_spawn(s, looks, &look);
        }
    }
    ambit_local_check(&shelf.local);
    always(tally_get(&shelf.ran) == spawned);
    want(rc == 0 && shelf.books == 2 * TASKS && tally_get(&seen) == TASKS);
    return rc;
}

SCENARIOS(sched,
          {"local_shelf", local_shelf, 2, 0},
          {"placements", placements, 2, CORE, "TASK-PLACE-1 TASK-PLACE-2"},
          {"cancel_on_the_way", cancel_on_the_way, 2, 0},
          {"all_lanes", all_lanes, 1, 0},
          {"all_lanes_of_two", all_lanes, 2, 0});
