/* SPDX-License-Identifier: MIT */
/*
 * worker_test.c -- wakes, stealing, fairness: spec/worker.md.
 *
 * WRK-IDLE-1 is measured in tests/stress/soak_test.c.
 */
#include "tests/spec/common.h"

/* --- WRK-WAKE-1 ----------------------------------------------------------- */

static int handle_count(ambit_cx *cx, void *state, const void *message,
                        size_t size)
{
    (void)cx;
    (void)state;
    WANT_EQ(size, sizeof(struct count *));
    count_up(*(struct count *const *)message);
    return AMBIT_CONTINUE;
}

static const struct ambit_actor_type counting = {
    .size_ = sizeof(struct ambit_actor_type),
    .name = "counting",
    .handle = handle_count,
};

struct outsider {
    ambit_actor_ref actor;
    struct count *handled;
    struct count *done;
    int rounds;
};

/* A thread that is no worker: each message finds the workers falling asleep. */
static void *send_one_by_one(void *arg)
{
    struct outsider *o = arg;
    for (int i = 0; i < o->rounds; i++) {
        int rc = ambit_try_send(o->actor, &o->handled, sizeof o->handled);
        if (rc != 0 || !spin_until(o->handled, i + 1)) {
            WANT_EQ(rc, 0);
            WANT(!"a message from outside was handled");
            break;
        }
        for (int k = 0; k < i % 3000; k++) {
            cpu_relax();
        }
    }
    count_up(o->done);
    return NULL;
}

static int wake_from_outside(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count handled = {0}, done = {0};
    struct outsider o = {{0}, &handled, &done, 20000 / SPEC_SLOWER};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        pthread_t thread;
        WANT_EQ(ambit_actor_start(cx, all, &counting, NULL, 0, &o.actor), 0);
        WANT_EQ(pthread_create(&thread, NULL, send_one_by_one, &o), 0);
        while (count_get(&done) == 0 && ambit_sleep(cx, ambit_ms(5)) == 0) {
        }
        pthread_join(thread, NULL);
        WANT_EQ(ambit_actor_stop(o.actor), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&handled), o.rounds);
    return 0;
}

static int end_soon(ambit_cx *cx, void *arg)
{
    (void)cx;
    for (int i = 0; i < *(int *)arg; i++) {
        cpu_relax();
    }
    return 0;
}

/* Joins and closes against ends on the other worker. */
static int wake_from_a_worker(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 20000 / SPEC_SLOWER; round++) {
        int rc = 0, result = 77, turns = round % 400;
        ambit_scope (cx, all, &rc) {
            ambit_task task;
            WANT_EQ(ambit_spawn_with(all, end_soon, &turns, .ret_task = &task),
                    0);
            WANT_EQ(ambit_spawn(all, end_soon, &turns), 0);
            for (int i = 0; i < round % 300; i++) {
                cpu_relax();
            }
            if (round % 2) {
                WANT_EQ(ambit_join(cx, task, &result), 0);
            }
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* Goal: nobody sleeps through his wake.
 * Method: a thread outside wakes workers in the moment they fall asleep; tasks
 * end in the moment they are joined.  A lost wake is a hang. */
Spec(WRK_WAKE_1, no_wake_is_lost)
{
    spec_on_1_and_2_workers(wake_from_outside);
    spec_on_1_and_2_workers(wake_from_a_worker);
    spec_end("WRK_WAKE_1");
}

/* --- WRK-STEAL-1 ---------------------------------------------------------- */

struct where {
    struct count *started;
    struct count *worker; /* 1 + its number */
};

static int say_where(ambit_cx *cx, void *arg)
{
    struct where *w = arg;
    count_set(w->worker, 1 + (int64_t)ambit_cx_worker(cx));
    count_up(w->started);
    return 0;
}

static int busy_spawner(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count started = {0}, worker = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct where w = {&started, &worker};
        for (int i = 0; i < 1000 / SPEC_SLOWER; i++) {
            spawn_elsewhere(all, say_where, &w, &started);
            WANT(count_get(&worker) != 1 + (int64_t)ambit_cx_worker(cx));
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: work does not queue behind a busy worker while another is idle.
 * Method: the spawner does not give way until its task has run. */
Spec(WRK_STEAL_1, an_idle_worker_takes_over_what_a_busy_one_cannot_run)
{
    spec_on(2, busy_spawner);
    spec_end("WRK_STEAL_1");
}

/* --- WRK-STEAL-2 ---------------------------------------------------------- */

static int stay_where_started(ambit_cx *cx, void *arg)
{
    (void)arg;
    unsigned worker = ambit_cx_worker(cx);
    pid_t thread = gettid();
    for (int i = 0; i < 100; i++) {
        WANT_EQ(i % 10 == 0 ? ambit_sleep(cx, ambit_us(20)) : ambit_yield(cx),
                0);
        WANT_EQ(ambit_cx_worker(cx), worker);
        WANT_EQ(gettid(), thread);
    }
    return 0;
}

static int uneven_load(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < 200 / SPEC_SLOWER + 10; i++) {
            WANT_EQ(ambit_spawn(all, stay_where_started, &i), 0);
            WANT_EQ(ambit_spawn(all, end_soon, &(int){2000}), 0);
            if (i % 50 == 0) {
                WANT_EQ(ambit_yield(cx), 0);
            }
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: from its first instruction on a task is at home.
 * Method: 200 tasks that wait 100 times among work to steal; thread ids. */
Spec(WRK_STEAL_2, a_started_task_stays_on_its_worker)
{
    spec_on(2, uneven_load);
    spec_end("WRK_STEAL_2");
}

/* --- WRK-INJECT-1 --------------------------------------------------------- */

struct busy {
    ambit_region *region;
    struct count *turns, *stop;
    bool spawns;
};

static int take_a_turn(ambit_cx *cx, void *arg)
{
    (void)cx;
    struct busy *b = arg;
    count_up(b->turns);
    return 0;
}

static int keep_turning(ambit_cx *cx, void *arg)
{
    struct busy *b = arg;
    while (count_get(b->stop) == 0) {
        count_up(b->turns);
        if (b->spawns) {
            WANT_EQ(ambit_spawn(b->region, take_a_turn, b), 0);
        }
        WANT_EQ(ambit_yield(cx), 0);
    }
    return 0;
}

struct injector {
    ambit_region *region;
    struct count *turns, *stop, *ran_at; /* 1 + the turn */
    int rounds;
};

static int say_when(ambit_cx *cx, void *arg)
{
    (void)cx;
    struct injector *i = arg;
    count_set(i->ran_at, 1 + count_get(i->turns));
    return 0;
}

static int inject(ambit_cx *cx, void *arg)
{
    (void)cx;
    struct injector *i = arg;
    for (int round = 0; round < i->rounds; round++) {
        count_set(i->ran_at, 0);
        WANT_EQ(ambit_spawn_(i->region, say_when, i, sizeof *i, NULL), 0);
        int64_t spawned_at = count_get(i->turns);
        WANT(spin_until(i->ran_at, 1));
        WANT(count_get(i->ran_at) - 1 - spawned_at <= 61);
    }
    count_up(i->stop);
    return 0;
}

static void saturate(ambit_cx *cx, bool spawns)
{
    struct count turns = {0}, stop = {0}, ran_at = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct busy b = {all, &turns, &stop, spawns};
        for (int i = 0; i < 300; i++) {
            WANT_EQ(ambit_spawn(all, keep_turning, &b), 0);
        }
        struct injector i = {all, &turns, &stop, &ran_at, 500 / SPEC_SLOWER};
        WANT_EQ(ambit_spawn_with(all, inject, &i, .tier = AMBIT_BLOCKING), 0);
    }
    WANT_EQ(rc, 0);
}

enum { PAIRS = 40 };

static ambit_waker waker_of[2 * PAIRS];

struct one_of_two {
    struct busy busy;
    int number;
};

/* Each wakes the other one of its pair. */
static int wake_each_other(ambit_cx *cx, void *state)
{
    struct one_of_two *self = state;
    struct busy *b = &self->busy;
    waker_of[self->number] = ambit_cx_waker(cx);
    count_up(b->turns);
    bool stop = count_get(b->stop) > 0;
    if (b->spawns && !stop) {
        WANT_EQ(ambit_spawn(b->region, take_a_turn, b), 0);
    }
    (void)ambit_wake(waker_of[self->number ^ 1]);
    return stop ? 0 : AMBIT_PENDING;
}

static void saturate_with_wakes(ambit_cx *cx, bool spawns)
{
    struct count turns = {0}, stop = {0}, ran_at = {0};
    int rc = 0;
    memset(waker_of, 0, sizeof waker_of);
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < 2 * PAIRS; i++) {
            struct one_of_two one = {{all, &turns, &stop, spawns}, i};
            WANT_EQ(ambit_spawn_poll(all, wake_each_other, &one), 0);
        }
        struct injector i = {all, &turns, &stop, &ran_at, 500 / SPEC_SLOWER};
        WANT_EQ(ambit_spawn_with(all, inject, &i, .tier = AMBIT_BLOCKING), 0);
    }
    WANT_EQ(rc, 0);
}

/* --- nothing makes it old ------------------------------------------------- */

enum { BEFORE = 3, ROUNDS = 61 }; /* each 61st turn is the oldest new one's */

struct buried {
    ambit_region *region;
    struct count turns, spawned, came;
};

/* The newest goes first: a chain of tasks, each spawned by the one before, until the
 * one from outside has come. */
static int go_on_until_it_came(ambit_cx *cx, void *arg)
{
    struct buried *b = *(struct buried **)arg;
    (void)cx;
    count_up(&b->turns);
    if (count_get(&b->came) == 0) {
        WANT_EQ(ambit_spawn(b->region, go_on_until_it_came, &b), 0);
    }
    return 0;
}

static int come(ambit_cx *cx, void *arg)
{
    struct buried *b = *(struct buried **)arg;
    (void)cx;
    WANT(count_get(&b->turns) <= 61);
    count_set(&b->came, 1);
    return 0;
}

static int spawn_from_outside(ambit_cx *cx, void *arg)
{
    struct buried *b = *(struct buried **)arg;
    (void)cx;
    WANT_EQ(ambit_spawn(b->region, come, &b), 0);
    count_up(&b->spawned);
    return 0;
}

/* It is offered to a worker that has older new tasks; the first turn of one of
 * them begins a chain that lies on top of all that is there. */
static void bury(ambit_cx *cx, struct buried *b)
{
    int rc = 0;
    count_set(&b->turns, 0);
    count_set(&b->spawned, 0);
    count_set(&b->came, 0);
    ambit_scope (cx, round, &rc) {
        b->region = round;
        for (int i = 0; i < BEFORE; i++) {
            WANT_EQ(ambit_spawn(round, go_on_until_it_came, &b), 0);
        }
        WANT_EQ(ambit_spawn_with(round, spawn_from_outside, &b,
                                 .tier = AMBIT_BLOCKING), 0);
        WANT(spin_until(&b->spawned, 1)); /* and keeps the worker */
    }
    WANT_EQ(rc, 0);
}

static int from_outside_before_the_oldest(ambit_cx *cx, void *arg)
{
    struct buried b = {0};
    (void)arg;
    for (int round = 0; round < ROUNDS; round++) {
        bury(cx, &b);
        let_others_run(cx);
    }
    return 0;
}

static int saturated_worker(ambit_cx *cx, void *arg)
{
    (void)arg;
    saturate(cx, false);
    saturate(cx, true);
    saturate_with_wakes(cx, false);
    saturate_with_wakes(cx, true);
    return 0;
}

/* Goal: what comes from outside does not wait for a pause.
 * Method: 300 tasks that never rest, then with a spawn in each turn; 40 pairs of
 * poll tasks that wake each other, the same; turns are counted from spawn to
 * run.  And below it older new tasks, at each of 61 turns. */
Spec(WRK_INJECT_1, work_from_outside_runs_within_61_turns)
{
    spec_on(1, saturated_worker);
    spec_on(1, from_outside_before_the_oldest);
    spec_end("WRK_INJECT_1");
}
