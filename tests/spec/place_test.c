/* SPDX-License-Identifier: MIT */
/*
 * place_test.c -- where a task begins, and how many may wait for that: the
 * placement rules and TASK-SPAWN-5 of spec/task.md.
 */
#include "tests/spec/common.h"

enum {
    WORKERS = 2,
    MANY = 200,
};

struct seen {
    struct count *ran;
    struct count on[WORKERS + 1];
    unsigned order[MANY];
};

struct visit {
    struct seen *seen;
    int i;
};

static int note_worker(ambit_cx *cx, void *arg)
{
    struct visit *v = arg;
    unsigned worker = ambit_cx_worker(cx);
    v->seen->order[v->i] = worker;
    count_up(&v->seen->on[worker < WORKERS ? worker : WORKERS]);
    count_up(v->seen->ran);
    return 0;
}

/* It must stay on its worker after a wait, too. */
static int note_and_wait(ambit_cx *cx, void *arg)
{
    unsigned before = ambit_cx_worker(cx);
    WANT_EQ(ambit_sleep(cx, ambit_us(50)), 0);
    WANT_EQ(ambit_cx_worker(cx), before);
    return note_worker(cx, arg);
}

/* --- TASK-PLACE-1 --------------------------------------------------------- */

static int pin_to_each(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (unsigned w = 0; w < WORKERS; w++) {
        struct count ran = {0};
        struct seen seen = {.ran = &ran};
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            for (int i = 0; i < MANY; i++) {
                struct visit v = {&seen, i};
                WANT_EQ(ambit_spawn_with(all, i % 2 ? note_worker
                                                    : note_and_wait,
                                         &v, .placement = AMBIT_PINNED,
                                         .worker = w),
                        0);
            }
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&seen.on[w]), MANY);
    }
    return 0;
}

/* The worker it is meant for is busy and the other idle: it waits. */
static int pin_to_a_busy_one(ambit_cx *cx, void *arg)
{
    (void)arg;
    unsigned other = 1 - ambit_cx_worker(cx);
    struct hold hold = {0}, *at = &hold;
    struct count ran = {0};
    struct seen seen = {.ran = &ran};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn_with(all, hold_worker, &at,
                                 .placement = AMBIT_PINNED, .worker = other),
                0);
        WANT(until(cx, &hold.here, 1));
        struct visit v = {&seen, 0};
        WANT_EQ(ambit_spawn_with(all, note_worker, &v,
                                 .placement = AMBIT_PINNED, .worker = other),
                0);
        for (int i = 0; i < 200; i++) {
            WANT_EQ(ambit_sleep(cx, ambit_us(20)), 0); /* idle, it searches */
        }
        WANT_EQ(count_get(&ran), 0);
        count_up(&hold.gate);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&seen.on[other]), 1);
    return 0;
}

/* Goal: pinned is pinned.
 * Method: 200 tasks on each worker, half of which wait; one for a worker that
 * is held while the other one looks for work. */
Spec(TASK_PLACE_1, a_pinned_task_runs_on_the_worker_it_names)
{
    spec_on(WORKERS, pin_to_each);
    spec_on(WORKERS, pin_to_a_busy_one);
    spec_end("TASK_PLACE_1");
}

/* --- TASK-PLACE-2 --------------------------------------------------------- */

static int go_round(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count ran = {0};
    struct seen seen = {.ran = &ran};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < MANY; i++) {
            struct visit v = {&seen, i};
            WANT_EQ(ambit_spawn_with(all, note_worker, &v,
                                     .placement = AMBIT_ROUND_ROBIN),
                    0);
        }
    }
    WANT_EQ(rc, 0);
    for (int i = 0; i < MANY; i++) {
        WANT_EQ(seen.order[i], i % WORKERS);
    }
    return 0;
}

/* Fills arg, one worker for each key. */
static int stick(ambit_cx *cx, void *arg)
{
    unsigned *workers = arg;
    struct count ran = {0};
    struct seen seen = {.ran = &ran};
    for (int round = 0; round < 3; round++) {
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            for (int i = 0; i < MANY; i++) {
                struct visit v = {&seen, i};
                WANT_EQ(ambit_spawn_with(all, note_worker, &v,
                                         .placement = AMBIT_STICKY,
                                         .key = (uint64_t)i),
                        0);
            }
        }
        WANT_EQ(rc, 0);
        for (int i = 0; i < MANY; i++) {
            WANT(round == 0 || workers[i] == seen.order[i]);
            workers[i] = seen.order[i];
        }
    }
    /* Keys in a row do not all meet in one place. */
    WANT(count_get(&seen.on[0]) > 0 && count_get(&seen.on[1]) > 0);
    return 0;
}

/* Goal: an order that can be told beforehand.
 * Method: two runs of one runtime, from 0 in each; keys in three rounds of two
 * runtimes. */
Spec(TASK_PLACE_2, round_robin_counts_and_sticky_remembers)
{
    unsigned first[MANY], second[MANY];
    spec_on(WORKERS, go_round);
    spec_on(WORKERS, go_round);
    WANT_EQ(spec_run(stick, first, .workers = WORKERS), 0);
    WANT_EQ(spec_run(stick, second, .workers = WORKERS), 0);
    WANT(memcmp(first, second, sizeof first) == 0);
    spec_end("TASK_PLACE_2");
}

/* --- TASK-PLACE-3 --------------------------------------------------------- */

/* The spawner's own worker is held by the spawner. */
/* Who yields is not idle: its worker would not look for work. */
static bool rest_until(ambit_cx *cx, struct count *count, int64_t wanted)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (count_get(count) < wanted && ambit_now().ns < end.ns) {
        WANT_EQ(ambit_sleep(cx, ambit_us(20)), 0);
    }
    return count_get(count) >= wanted;
}

static int prefer_the_busy_one(ambit_cx *cx, void *arg)
{
    (void)arg;
    unsigned here = ambit_cx_worker(cx), other = 1 - here;
    struct hold hold = {0}, *at = &hold;
    struct count ran = {0};
    struct seen seen = {.ran = &ran};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn_with(all, hold_worker, &at,
                                 .placement = AMBIT_PINNED, .worker = other),
                0);
        WANT(until(cx, &hold.here, 1));
        for (int i = 0; i < MANY; i++) {
            struct visit v = {&seen, i};
            WANT_EQ(ambit_spawn_with(all, note_worker, &v,
                                     .placement = AMBIT_PREFERRED,
                                     .worker = other),
                    0);
            WANT(rest_until(cx, &ran, i + 1));
        }
        WANT_EQ(count_get(&seen.on[here]), MANY);
        count_up(&hold.gate);
    }
    WANT_EQ(rc, 0);
    return 0;
}

struct foreign {
    ambit_region *region;
    struct visit visit;
};

static uint64_t sleeps_of(ambit_cx *cx)
{
    struct ambit_runtime_stats stats;
    ambit_runtime_stats(ambit_cx_runtime(cx), &stats);
    return stats.sleeps;
}

static bool sleeps_once_more(ambit_cx *cx, uint64_t than)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (sleeps_of(cx) <= than) {
        if (ambit_now().ns > end.ns) {
            return false;
        }
        sched_yield();
    }
    return true;
}

/* Each when the worker that is not held sleeps: one that looks around by itself
 * need not be told. */
static int spawn_from_a_pool_thread(ambit_cx *cx, void *arg)
{
    struct foreign *f = arg;
    uint64_t slept = 0;
    for (int i = 0; i < MANY; i++) {
        f->visit.i = i;
        WANT(i == 0 || sleeps_once_more(cx, slept));
        slept = sleeps_of(cx);
        WANT_EQ(ambit_spawn_(f->region, note_worker, &f->visit,
                             sizeof f->visit, NULL),
                0);
        if (!spin_until(f->visit.seen->ran, i + 1)) {
            WANT(!"what came from outside was run");
            break;
        }
    }
    return 0;
}

/* One of the two is held, the other sleeps without a timer; who comes from
 * outside has drawn the first of them every other time. */
static int from_outside(ambit_cx *cx, void *arg)
{
    (void)arg;
    unsigned other = 1 - ambit_cx_worker(cx);
    struct hold hold = {0}, *at = &hold;
    struct count ran = {0};
    struct seen seen = {.ran = &ran};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn_with(all, hold_worker, &at,
                                 .placement = AMBIT_PINNED, .worker = other),
                0);
        WANT(until(cx, &hold.here, 1));
        struct foreign f = {all, {&seen, 0}};
        ambit_task outside = {0};
        int result = 0;
        WANT_EQ(ambit_spawn_with(all, spawn_from_a_pool_thread, &f,
                                 .tier = AMBIT_BLOCKING,
                                 .ret_task = &outside),
                0);
        WANT_EQ(ambit_join(cx, outside, &result), 0);
        WANT_EQ(count_get(&ran), MANY);
        count_up(&hold.gate);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a wish for a busy worker holds nothing up.
 * Method: one worker is held until the other has run all that was meant for
 * it, from a task and from a thread outside. */
Spec(TASK_PLACE_3, an_idle_worker_runs_what_a_busy_one_was_to_run)
{
    spec_on(WORKERS, prefer_the_busy_one);
    spec_on(WORKERS, from_outside);
    spec_end("TASK_PLACE_3");
}

/* --- TASK-PLACE-4 --------------------------------------------------------- */

static int misplace(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count ran = {0};
    struct seen seen = {.ran = &ran};
    struct visit v = {&seen, 0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn_with(all, note_worker, &v, .name = "at the limit",
                                 .placement = AMBIT_PREFERRED,
                                 .worker = WORKERS - 1),
                0);
        WANT_EQ(ambit_spawn_with(all, note_worker, &v, .name = "one above",
                                 .placement = AMBIT_PINNED, .worker = WORKERS),
                -EINVAL);
        WANT(spec_logged("\"one above\" cannot be placed: there is no worker "
                         "2, only 0 to 1"));
        WANT_EQ(ambit_spawn_with(all, note_worker, &v, .name = "tied",
                                 .tier = AMBIT_FIBER,
                                 .placement = AMBIT_ROUND_ROBIN),
                -EINVAL);
        WANT(spec_logged("\"tied\" cannot be placed: only SEND tasks"));
        WANT_EQ(ambit_spawn_with(all, note_worker, &v, .name = "odd",
                                 .placement = (enum ambit_placement)5),
                -EINVAL);
        WANT(spec_logged("\"odd\" cannot be placed: the placement is none"));
        for (unsigned tier = 3; tier < 6; tier++) {
            WANT_EQ(ambit_spawn_with(all, note_worker, &v, .name = "high",
                                     .tier = (enum ambit_tier)tier),
                    -EINVAL);
        }
        WANT(spec_logged("\"high\" cannot be placed: the tier is none"));
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&ran), 1);
    return 0;
}

/* Goal: a mistake is named, and nothing runs by it.
 * Method: the last worker, the one after it, each wrong combination. */
Spec(TASK_PLACE_4, a_placement_that_cannot_be_is_refused_by_name)
{
    spec_on(WORKERS, misplace);
    spec_end("TASK_PLACE_4");
}

/* --- TASK-SPAWN-5 --------------------------------------------------------- */

enum { WAITING = 10 };

static int begin(ambit_cx *cx, void *arg)
{
    (void)cx;
    count_up(*(struct count **)arg);
    return 0;
}

static int one_too_many(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count ran = {0}, *at = &ran;
    struct ambit_runtime_stats stats;
    for (int round = 1; round <= 3; round++) {
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            for (int i = 0; i < WAITING; i++) {
                WANT_EQ(ambit_spawn(all, begin, &at), 0);
            }
            WANT_EQ(ambit_spawn(all, begin, &at), -EAGAIN);
            WANT_EQ(ambit_spawn(all, begin, &at), -EAGAIN);
            ambit_runtime_stats(ambit_cx_runtime(cx), &stats);
            WANT_EQ(stats.spawns_refused, 2 * round);
            WANT(until(cx, &ran, (2 * round - 1) * WAITING));
            for (int i = 0; i < WAITING; i++) {
                WANT_EQ(ambit_spawn(all, begin, &at), 0);
            }
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&ran), 2 * round * WAITING);
    }
    return 0;
}

/* Those that never run make room as well. */
static int cancelled_ones(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count ran = {0}, *at = &ran;
    for (int round = 0; round < 3; round++) {
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            for (int i = 0; i < WAITING; i++) {
                WANT_EQ(ambit_spawn(all, begin, &at), 0);
            }
            WANT_EQ(ambit_spawn(all, begin, &at), -EAGAIN);
            ambit_cancel(all, "not wanted");
        }
        WANT_EQ(rc, 0);
    }
    WANT_EQ(count_get(&ran), 0);
    return 0;
}

/* Goal: an overload is answered, not queued.
 * Method: the limit, one more, and the limit again once all have begun, or have
 * been cancelled before. */
Spec(TASK_SPAWN_5, one_more_than_may_wait_is_refused)
{
    /* Its own task has begun. */
    WANT_EQ(spec_run(one_too_many, NULL, .workers = 1,
                     .unstarted_max = WAITING),
            0);
    WANT_EQ(spec_run(cancelled_ones, NULL, .workers = 1,
                     .unstarted_max = WAITING),
            0);
    spec_end("TASK_SPAWN_5");
}
