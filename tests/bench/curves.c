/* SPDX-License-Identifier: MIT */
/*
 * curves.c -- cost against size: tasks, depth, leaves, workers.
 *
 *   P1  n tasks in one scope, from the spawn of the first to the join of the
 *       last, ns for each.  _lot: they only return; _fiber, _poll: all n wait
 *       until the last one does, then all are let go on
 *   P4  a scope in a task in a scope ..., n deep, ns for each level.  _join:
 *       the way down and up again; _cancel: the way up after a cancel at the top
 *   P5  the tree of W5 with n leaves, ns for each leaf
 *   P6  n workers: W1, W4 and W5, ns for each task, message and leaf
 */
#include "tests/bench/bench.h"

#include <sched.h>

enum {
    TASK_ROOM = 1024, /* bytes that must be free for each */
    FIBER_ROOM = 12288,
    LEVEL_ROOM = 16384,
};

/* --- P1: tasks -------------------------------------------------------------
 */

struct crowd {
    struct ambit_notify gate;
    uint64_t count;
    int (*start)(ambit_region *region, struct crowd *crowd);
    bool waits;
};

static int lot_task(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return 0;
}

static int start_lot(ambit_region *region, struct crowd *crowd)
{
    return ambit_spawn(region, lot_task, &crowd);
}

static int fiber_task(ambit_cx *cx, void *arg)
{
    struct crowd *crowd = *(struct crowd **)arg;
    return ambit_notify_wait(cx, &crowd->gate);
}

static int start_fiber(ambit_region *region, struct crowd *crowd)
{
    return ambit_spawn(region, fiber_task, &crowd);
}

struct poll_task {
    struct crowd *crowd;
    struct ambit_await wait;
};

static int poll_step(ambit_cx *cx, void *state)
{
    struct poll_task *self = state;
    return ambit_await_notify(cx, &self->wait, &self->crowd->gate);
}

static int start_poll(ambit_region *region, struct crowd *crowd)
{
    return ambit_spawn_poll(region, poll_step,
                            &(struct poll_task){.crowd = crowd});
}

static int crowd_round(ambit_cx *cx, void *arg)
{
    struct crowd *crowd = arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (uint64_t i = 0; i < crowd->count && rc == 0; i++) {
            rc = crowd->start(all, crowd);
        }
        while (rc == 0 && crowd->waits &&
               ambit_notify_waiters(&crowd->gate) < crowd->count) {
            rc = ambit_yield(cx);
        }
        ambit_notify_all(&crowd->gate);
    }
    return rc;
}

static int crowds(ambit_cx *cx, void *arg)
{
    static const struct {
        const char *curve;
        size_t room;
        bool waits;
        int (*start)(ambit_region *region, struct crowd *crowd);
    } plans[] = {
        {"P1_lot", TASK_ROOM, false, start_lot},
        {"P1_poll", TASK_ROOM, true, start_poll},
        {"P1_fiber", FIBER_ROOM, true, start_fiber},
    };
    int rc = 0;
    (void)arg;
    for (unsigned i = 0; i < 3; i++) {
        for (uint64_t size = 10; size <= 1000000 && rc == 0;
             size = bench_next_size(size)) {
            struct crowd crowd = {AMBIT_NOTIFY_INIT, size, plans[i].start,
                                  plans[i].waits};
            if (bench_takes(plans[i].curve, size, plans[i].room)) {
                rc = bench_ns_at(cx, plans[i].curve, size, size, crowd_round,
                                 &crowd);
            }
            ambit_notify_fini(&crowd.gate);
        }
    }
    return rc;
}

int bench_crowds(void)
{
    return bench_run(crowds, NULL, .stacks_max = 1000064);
}

/* --- P4: depth -------------------------------------------------------------
 */

struct chain {
    uint64_t depth;
    bool holds;
    bool is_down; /* there is one worker */
};

struct link {
    struct chain *chain;
    uint64_t below;
};

static int hang(ambit_cx *cx, void *arg)
{
    const struct link *self = arg;
    int rc = 0;
    if (self->below == 0) {
        self->chain->is_down = true;
        if (self->chain->holds) {
            (void)ambit_sleep_until(cx, ambit_never());
        }
        return 0;
    }
    ambit_scope (cx, next, &rc) {
        rc = ambit_spawn(next, hang,
                         &(struct link){self->chain, self->below - 1});
    }
    return rc;
}

static int join_round(ambit_cx *cx, void *arg)
{
    struct chain *chain = arg;
    int rc = 0;
    ambit_scope (cx, top, &rc) {
        rc = ambit_spawn(top, hang, &(struct link){chain, chain->depth - 1});
    }
    return rc;
}

static int cancel_once(ambit_cx *cx, struct chain *chain,
                       uint64_t *ret_spent_ns)
{
    uint64_t begin = 0;
    int rc = 0;
    chain->is_down = false;
    ambit_scope (cx, top, &rc) {
        rc = ambit_spawn(top, hang, &(struct link){chain, chain->depth - 1});
        while (rc == 0 && !chain->is_down) {
            rc = ambit_yield(cx);
        }
        begin = bench_now_ns();
        ambit_cancel(top, "measured");
    }
    *ret_spent_ns = bench_now_ns() - begin;
    return rc;
}

/* Times the cancel and the wait alone. */
static int cancels(ambit_cx *cx, struct chain *chain)
{
    struct bench_row *row =
        bench_row_at("P4_depth_cancel", chain->depth, "ns/op");
    double cpu = bench_cpu_s();
    for (unsigned rep = 0; rep < bench.reps; rep++) {
        uint64_t spent = 0;
        uint64_t done = 0;
        while (spent < bench.min_ns / 4) {
            uint64_t once;
            int rc = cancel_once(cx, chain, &once);
            if (rc < 0) {
                return rc;
            }
            spent += once;
            done += chain->depth;
        }
        bench_add(row, (double)spent / (double)done);
    }
    row->cpu_s = bench_cpu_s() - cpu;
    bench_print(row);
    return 0;
}

static int depths(ambit_cx *cx, void *arg)
{
    int rc = 0;
    (void)arg;
    for (uint64_t size = 1; size <= 10000 && rc == 0;
         size = bench_next_size(size)) {
        struct chain chain = {.depth = size};
        if (!bench_takes("P4_depth", size, LEVEL_ROOM)) {
            continue;
        }
        rc = bench_ns_at(cx, "P4_depth_join", size, size, join_round, &chain);
        if (rc == 0) {
            chain.holds = true;
            rc = cancels(cx, &chain);
        }
    }
    return rc;
}

int bench_depths(void)
{
    return bench_run(depths, NULL);
}

/* --- P5: leaves ------------------------------------------------------------
 */

static int leaves(ambit_cx *cx, void *arg)
{
    int rc = 0;
    (void)arg;
    for (uint64_t size = 10; size <= 1000000 && rc == 0; size *= 10) {
        if (bench_takes("P5_leaves", size, TASK_ROOM)) {
            rc = bench_ns_at(cx, "P5_leaves", size, size, bench_skynet_round,
                             &size);
        }
    }
    return rc;
}

int bench_leaves(void)
{
    return bench_run(leaves, NULL);
}

/* --- P6: workers -----------------------------------------------------------
 */

static int with_workers(ambit_cx *cx, void *arg)
{
    uint64_t workers = bench.workers;
    uint64_t lots = bench_count(100);
    uint64_t tree = 100000;
    struct bench_mpsc mpsc = {4, bench_count(100000)};
    (void)arg;
    int rc = bench_ns_at(cx, "P6_spawn_join", workers, lots * 1000,
                         bench_spawn_join_round, &lots);
    if (rc == 0) {
        rc = bench_ns_at(cx, "P6_skynet", workers, tree, bench_skynet_round,
                         &tree);
    }
    return rc < 0
               ? rc
               : bench_ns_at(cx, "P6_mpsc", workers, mpsc.producers * mpsc.each,
                             bench_mpsc_round, &mpsc);
}

int bench_workers(void)
{
    cpu_set_t ours;
    unsigned most = 4;
    int rc = 0;
    if (sched_getaffinity(0, sizeof ours, &ours) == 0 && CPU_COUNT(&ours) > 2) {
        most = 2 * (unsigned)CPU_COUNT(&ours);
    }
    for (unsigned n = 1; n <= most && n <= 64 && rc == 0; n *= 2) {
        bench.workers = n;
        if (bench_takes("P6_workers", n, TASK_ROOM)) {
            rc = bench_run(with_workers, NULL);
        }
    }
    return rc;
}
