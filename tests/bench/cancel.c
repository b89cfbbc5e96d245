/* SPDX-License-Identifier: MIT */
/*
 * cancel.c -- cancel 100,000 parked tasks and wait until all have ended.
 *
 *   W12_cancel_tree  a 10-ary tree of scopes, 111,110 tasks; each parent ends
 *                    after its children
 *   W12_cancel_flat  as many tasks in one scope
 *   W12_cancel_flat_poll  the same with poll tasks
 */
#include "tests/bench/bench.h"

#include <stdatomic.h>

enum {
    TREE_DEPTH = 4,
    TREE_TASKS = 111110,
    SETTLE_MS = 20,
};

struct up {
    _Atomic uint64_t tasks; /* parked or about to; ORDER(bench-up) */
};

struct node {
    struct up *up;
    unsigned depth;
};

static void mark_up(struct up *up)
{
    /* ORDER(bench-up): relaxed.  A count; what follows waits a while longer. */
    atomic_fetch_add_explicit(&up->tasks, 1, memory_order_relaxed);
}

static uint64_t count_up(struct up *up)
{
    /* ORDER(bench-up): relaxed.  Pairs with mark_up(). */
    return atomic_load_explicit(&up->tasks, memory_order_relaxed);
}

static int node(ambit_cx *cx, void *arg)
{
    const struct node *self = arg;
    int rc = 0;
    if (self->depth == 0) {
        mark_up(self->up);
        (void)ambit_sleep_until(cx, ambit_never());
        return 0;
    }
    ambit_scope (cx, children, &rc) {
        struct node child = {self->up, self->depth - 1};
        for (unsigned i = 0; i < 10 && rc == 0; i++) {
            rc = ambit_spawn(children, node, &child);
        }
        mark_up(self->up);
        (void)ambit_sleep_until(cx, ambit_never());
    }
    return 0;
}

/* Steps once, and once more when it is cancelled. */
static int poll_node(ambit_cx *cx, void *state)
{
    const struct node *self = state;
    if (ambit_checkpoint(cx) < 0) {
        return 0;
    }
    mark_up(self->up);
    return AMBIT_PENDING;
}

struct plan {
    const char *name;
    bool poll;
    struct node node; /* each task that the root starts */
    uint64_t starts;
    uint64_t total;
};

/* Times the cancel and the wait alone. */
static int cancel_once(ambit_cx *cx, const struct plan *plan,
                       uint64_t *ret_spent_ns)
{
    struct up up = {0};
    struct node first = {&up, plan->node.depth};
    uint64_t begin = 0;
    int rc = 0;
    ambit_scope (cx, root, &rc) {
        for (uint64_t i = 0; i < plan->starts && rc == 0; i++) {
            rc = plan->poll ? ambit_spawn_poll(root, poll_node, &first)
                            : ambit_spawn(root, node, &first);
        }
        while (rc == 0 && count_up(&up) < plan->total) {
            rc = ambit_sleep(cx, ambit_ms(1));
        }
        if (rc == 0) {
            rc = ambit_sleep(cx, ambit_ms(SETTLE_MS));
        }
        begin = bench_now_ns();
        ambit_cancel(root, "measured");
    }
    *ret_spent_ns = bench_now_ns() - begin;
    return rc;
}

static int cancels(ambit_cx *cx, void *arg)
{
    const struct plan *plan = arg;
    struct bench_row *row = bench_row(plan->name, "ns/task", false);
    double cpu = bench_cpu_s();
    for (unsigned rep = 0; rep < bench.reps; rep++) {
        uint64_t spent = 0;
        uint64_t done = 0;
        /* Building the tree takes longer than what is timed. */
        while (spent < bench.min_ns / 4) {
            uint64_t once;
            int rc = cancel_once(cx, plan, &once);
            if (rc < 0) {
                return rc;
            }
            spent += once;
            done += plan->total;
        }
        bench_add(row, (double)spent / (double)done);
    }
    row->cpu_s = bench_cpu_s() - cpu;
    bench_print(row);
    return 0;
}

int bench_cancel(void)
{
    struct plan plans[] = {
        {"W12_cancel_tree", false, {NULL, TREE_DEPTH}, 10, TREE_TASKS},
        {"W12_cancel_flat", false, {NULL, 0}, TREE_TASKS, TREE_TASKS},
        {"W12_cancel_flat_poll", true, {NULL, 0}, TREE_TASKS, TREE_TASKS},
    };
    if (bench.divisor > 1) {
        plans[0].node.depth = 2;
        plans[0].total = 1110;
        plans[1].starts = plans[1].total = 1110;
        plans[2].starts = plans[2].total = 1110;
    }
    int rc = 0;
    for (unsigned i = 0; i < 3 && rc == 0; i++) {
        rc = bench_run(cancels, &plans[i]);
    }
    return rc;
}
