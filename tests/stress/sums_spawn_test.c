/* SPDX-License-Identifier: MIT */
/*
 * sums_spawn_test.c -- a task that was spawned runs, or its argument is disposed of;
 * one that was refused does neither: at every limit from 1, of those that wait for
 * their first run, and of the queue of the blocking pool.
 */
#include "tests/stress/sums.h"

enum {
    SPAWNERS = 3,
    MACHINES = 3,
    EACH = 200 / SPEC_SLOWER + 20,
};

struct flow {
    ambit_region *region;
    struct ledger ledger;
    struct count begun, overloads;
    struct hold hold;
};

struct job {
    struct flow *flow;
    int64_t value;
};

static void job_is_done(const struct job *job)
{
    tally_up(&job->flow->ledger.received, job->value);
}

static void job_is_left(void *arg)
{
    struct job *job = arg;
    tally_up(&job->flow->ledger.left, job->value);
}

/* A region that is closing refuses, too. */
static void offer(struct flow *flow, int64_t value, int rc)
{
    WANT(rc == 0 || rc == -EAGAIN || rc == -ESHUTDOWN || rc == -ECANCELED);
    count_add(&flow->overloads, rc == -EAGAIN);
    ledger_offer(&flow->ledger, value, rc < 0 ? -EAGAIN : 0);
}

struct spawner {
    struct ambit_await wait;
    struct flow *flow;
    int64_t value, end;
    struct job job;
    int result;
    bool is_begun;
};

/* One at a time, as they count among those that wait. */
static void start(ambit_cx *cx, struct flow *flow, ambit_task_fn *fn,
                  ambit_step_fn *step, int64_t number)
{
    struct spawner s = {.flow = flow, .value = number * EACH,
                        .end = (number + 1) * EACH};
    int64_t begun = count_get(&flow->begun);
    int rc;
    while ((rc = fn != NULL ? ambit_spawn(flow->region, fn, &s)
                            : ambit_spawn_poll(flow->region, step, &s)) ==
           -EAGAIN) {
        WANT_EQ(ambit_yield(cx), 0);
    }
    WANT_EQ(rc, 0);
    WANT(until(cx, &flow->begun, begun + 1));
}

/* --- tasks that wait for their first run ------------------------------------------- */

static int runs(ambit_cx *cx, void *arg)
{
    (void)cx;
    job_is_done(arg);
    return 0;
}

static int spawn_some_way(struct flow *flow, int64_t value)
{
    struct job job = {flow, value};
    switch (value % 3) {
    case 0:
        return ambit_spawn_with(flow->region, runs, &job,
                                .dispose = job_is_left);
    case 1:
        return ambit_spawn_poll_with(flow->region, runs, &job,
                                     .dispose = job_is_left);
    default:
        return ambit_spawn_with(flow->region, runs, &job, .tier = AMBIT_FIBER,
                                .dispose = job_is_left);
    }
}

static int spawns(ambit_cx *cx, void *arg)
{
    struct spawner *s = arg;
    count_up(&s->flow->begun);
    for (; s->value < s->end; s->value++) {
        offer(s->flow, s->value, spawn_some_way(s->flow, s->value));
        if (s->value % 7 == 0) {
            (void)ambit_yield(cx);
        }
    }
    return 0;
}

/* With every worker held, exactly so many find room. */
static void fill_exactly(ambit_cx *cx, uint32_t limit, unsigned workers)
{
    struct flow flow = {.region = NULL};
    struct hold *hold = &flow.hold;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        flow.region = s;
        for (unsigned i = 1; i < workers; i++) {
            spawn_elsewhere(s, hold_worker, &hold, &hold->here);
        }
        for (int64_t i = 0; i < limit + 2; i++) {
            int spawned = spawn_some_way(&flow, i);
            WANT_EQ(spawned, i < limit ? 0 : -EAGAIN);
            ledger_offer(&flow.ledger, i, spawned);
        }
        count_up(&hold->gate);
    }
    WANT_EQ(rc, 0);
    ledger_close(&flow.ledger, limit + 2);
}

/* At every other limit the region is cancelled in the middle. */
static void spawn_all(ambit_cx *cx, uint32_t limit)
{
    struct ambit_runtime_stats before, after;
    struct flow flow = {.region = NULL};
    int rc = 0;
    ambit_runtime_stats(ambit_cx_runtime(cx), &before);
    ambit_scope (cx, outer, &rc) {
        ambit_scope (cx, s, &rc) {
            flow.region = s;
            for (int i = 0; i < SPAWNERS; i++) {
                start(cx, &flow, spawns, NULL, i);
            }
            if (limit % 2 != 0) {
                WANT(until(cx, &flow.ledger.offered.n, SPAWNERS * EACH / 2));
                ambit_cancel(s, "half is enough");
            }
        }
    }
    WANT_EQ(rc, 0);
    ambit_runtime_stats(ambit_cx_runtime(cx), &after);
    WANT(after.spawns_refused - before.spawns_refused >=
         (uint64_t)count_get(&flow.overloads));
    WANT(limit % 2 != 0 || count_get(&flow.ledger.left.n) == 0);
    ledger_close(&flow.ledger, SPAWNERS * EACH);
}

struct limits {
    uint32_t limit;
    unsigned workers;
};

static int through_the_limit(ambit_cx *cx, void *arg)
{
    const struct limits *l = arg;
    fill_exactly(cx, l->limit, l->workers);
    spawn_all(cx, l->limit);
    return 0;
}

/* Goal: a spawn that was accepted is not lost, one that was refused leaves nothing.
 * Method: the limit filled exactly; then three tasks that spawn tasks of each kind
 * as fast as they can, cancelled at half or not; number and sum. */
Spec(TASK_SPAWN_5, sums_are_equal_at_every_limit)
{
    for (size_t i = 0; i < ARRAY_LEN(sums_capacities); i++) {
        for (unsigned workers = 1; workers <= 2; workers++) {
            struct limits l = {sums_capacities[i], workers};
            WANT_EQ(spec_run(through_the_limit, &l, .workers = workers,
                             .unstarted_max = l.limit), 0);
        }
    }
    spec_end("TASK_SPAWN_5");
}

/* --- the queue of the pool ------------------------------------------------------------ */

static int works(void *arg)
{
    job_is_done(arg);
    return 0;
}

static int works_as_task(ambit_cx *cx, void *arg)
{
    (void)cx;
    return works(arg);
}

static int submit_some_way(ambit_cx *cx, struct flow *flow, int64_t value)
{
    struct job job = {flow, value};
    return value % 2 == 0
               ? ambit_blocking(cx, works, &job)
               : ambit_spawn_with(flow->region, works_as_task, &job,
                                  .tier = AMBIT_BLOCKING,
                                  .dispose = job_is_left);
}

static int submits(ambit_cx *cx, void *arg)
{
    struct spawner *s = arg;
    count_up(&s->flow->begun);
    for (; s->value < s->end; s->value++) {
        offer(s->flow, s->value, submit_some_way(cx, s->flow, s->value));
    }
    return 0;
}

static int submits_as_machine(ambit_cx *cx, void *state)
{
    struct spawner *s = state;
    count_add(&s->flow->begun, !s->is_begun);
    s->is_begun = true;
    for (; s->value < s->end; s->value++) {
        s->job = (struct job){s->flow, s->value};
        int rc = ambit_await_blocking(cx, &s->wait, works, &s->job,
                                      &s->result);
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        WANT_EQ(s->result, 0);
        offer(s->flow, s->value, rc);
    }
    return 0;
}

static int holds_the_thread(void *arg)
{
    struct hold *hold = arg;
    count_up(&hold->here);
    WANT(spin_until(&hold->gate, 1));
    return 0;
}

static int waits_for_the_thread(ambit_cx *cx, void *arg)
{
    return ambit_blocking(cx, holds_the_thread, *(struct hold **)arg);
}

static void fill_queue_exactly(ambit_cx *cx, uint32_t limit)
{
    struct flow flow = {.region = NULL};
    struct hold *hold = &flow.hold;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        flow.region = s;
        WANT_EQ(ambit_spawn(s, waits_for_the_thread, &hold), 0);
        WANT(until(cx, &hold->here, 1));
        for (int64_t i = 0; i < limit; i++) {
            ledger_offer(&flow.ledger, 2 * i + 1,
                         submit_some_way(cx, &flow, 2 * i + 1));
        }
        WANT_EQ(count_get(&flow.ledger.sent.n), limit);
        ledger_offer(&flow.ledger, 1001, submit_some_way(cx, &flow, 1001));
        WANT_EQ(count_get(&flow.ledger.refused.n), 1);
        if (count_get(&flow.ledger.refused.n) == 0) {
            count_up(&hold->gate); /* or the call would wait for it */
        }
        ledger_offer(&flow.ledger, 1000, submit_some_way(cx, &flow, 1000));
        WANT_EQ(count_get(&flow.ledger.refused.n), 2);
        count_up(&hold->gate);
    }
    WANT_EQ(rc, 0);
    ledger_close(&flow.ledger, limit + 2);
}

static void submit_all(ambit_cx *cx, uint32_t limit)
{
    struct flow flow = {.region = NULL};
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        flow.region = s;
        for (int i = 0; i < SPAWNERS; i++) {
            start(cx, &flow, submits, NULL, i);
        }
        for (int i = SPAWNERS; i < SPAWNERS + MACHINES; i++) {
            start(cx, &flow, NULL, submits_as_machine, i);
        }
        if (limit % 2 != 0) {
            WANT(until(cx, &flow.ledger.offered.n,
                       (SPAWNERS + MACHINES) * EACH / 2));
            ambit_cancel(s, "half is enough");
        }
    }
    WANT_EQ(rc, 0);
    WANT(limit % 2 != 0 || count_get(&flow.ledger.left.n) == 0);
    ledger_close(&flow.ledger, (SPAWNERS + MACHINES) * EACH);
}

static int through_the_queue(ambit_cx *cx, void *arg)
{
    const struct limits *l = arg;
    fill_queue_exactly(cx, l->limit);
    submit_all(cx, l->limit);
    return 0;
}

/* Goal, method: the same of the queue of a pool with one thread, by tasks of the
 * blocking tier, calls, and calls of machines. */
Spec(TASK_BLOCK_3, sums_are_equal_at_every_limit)
{
    for (size_t i = 0; i < ARRAY_LEN(sums_capacities); i++) {
        for (unsigned workers = 1; workers <= 2; workers++) {
            struct limits l = {sums_capacities[i], workers};
            WANT_EQ(spec_run(through_the_queue, &l, .workers = workers,
                             .blocking_threads_max = 1,
                             .blocking_queue_max = l.limit), 0);
        }
    }
    spec_end("TASK_BLOCK_3");
}
