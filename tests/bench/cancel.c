/* SPDX-License-Identifier: MIT */
/*
 * cancel.c -- cancel 100,000 parked tasks and wait until all have ended.
 *
 *   W12_cancel_tree       a 10-ary tree of scopes, 111,110 tasks; each parent
 *                         ends after its children
 *   W12_cancel_tree_poll  the same tree of poll tasks, in one scope: without
 *                         stacks, as Tokio's are
 *   W12_cancel_flat       as many tasks in one scope
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

/* A node of the tree without a stack: counts its children itself. */
struct tree_node {
    struct up *up;
    ambit_region *region;
    struct tree_node *parent;  /* or NULL; it ends after its children */
    ambit_waker waker;         /* this node's, from its first step on */
    _Atomic unsigned children; /* that have not ended; ORDER(bench-kids) */
    unsigned depth;
    bool grown;
};

static int tree_step(ambit_cx *cx, void *state);

static int tree_grow(ambit_cx *cx, struct tree_node *self)
{
    struct tree_node child = {self->up, self->region, self,
                              .depth = self->depth - 1};
    int rc = 0;
    self->waker = ambit_cx_waker(cx);
    self->grown = true;
    /* ORDER(bench-kids): relaxed.  No child is there yet. */
    atomic_store_explicit(&self->children, self->depth > 0 ? 10 : 0,
                          memory_order_relaxed);
    for (unsigned i = 0; i < 10 && self->depth > 0 && rc == 0; i++) {
        rc = ambit_spawn_poll(self->region, tree_step, &child);
    }
    mark_up(self->up);
    return rc < 0 ? rc : AMBIT_PENDING;
}

/* Steps once, once more when it is cancelled, and when its last child ends. */
static int tree_step(ambit_cx *cx, void *state)
{
    struct tree_node *self = state;
    if (!self->grown) {
        return tree_grow(cx, self);
    }
    /* ORDER(bench-kids): acquire.  Pairs with a child's last step. */
    if (ambit_checkpoint(cx) == 0 ||
        atomic_load_explicit(&self->children, memory_order_acquire) > 0) {
        return AMBIT_PENDING;
    }
    struct tree_node *parent = self->parent;
    ambit_waker waker = parent != NULL ? parent->waker : (ambit_waker){0};
    /* ORDER(bench-kids): acq_rel.  The last look at the parent, which may end
     * now. */
    if (parent != NULL &&
        atomic_fetch_sub_explicit(&parent->children, 1, memory_order_acq_rel) ==
            1) {
        (void)ambit_wake(waker);
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

enum kind { FIBERS, POLL_TASKS, POLL_TREE };

struct plan {
    const char *name;
    enum kind kind;
    struct node node; /* each task that the root starts */
    uint64_t starts;
    uint64_t total;
};

static int start(ambit_region *root, enum kind kind, struct node *first)
{
    struct tree_node tree = {first->up, root, .depth = first->depth};
    switch (kind) {
    case FIBERS:
        return ambit_spawn(root, node, first);
    case POLL_TASKS:
        return ambit_spawn_poll(root, poll_node, first);
    case POLL_TREE:
        break;
    }
    return ambit_spawn_poll(root, tree_step, &tree);
}

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
            rc = start(root, plan->kind, &first);
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
        {"W12_cancel_tree", FIBERS, {NULL, TREE_DEPTH}, 10, TREE_TASKS},
        {"W12_cancel_tree_poll", POLL_TREE, {NULL, TREE_DEPTH}, 10, TREE_TASKS},
        {"W12_cancel_flat", FIBERS, {NULL, 0}, TREE_TASKS, TREE_TASKS},
        {"W12_cancel_flat_poll", POLL_TASKS, {NULL, 0}, TREE_TASKS, TREE_TASKS},
    };
    if (bench.divisor > 1) {
        for (unsigned i = 0; i < 2; i++) {
            plans[i].node.depth = 2;
            plans[i].total = 1110;
            plans[i + 2].starts = plans[i + 2].total = 1110;
        }
    }
    int rc = 0;
    for (unsigned i = 0; i < 4 && rc == 0; i++) {
        rc = bench_run(cancels, &plans[i]);
    }
    return rc;
}
