/* SPDX-License-Identifier: MIT */
/*
 * tasks.c -- what a task costs: spawn and join, yield, a tree, a checkpoint.
 */
#include "tests/bench/bench.h"

enum {
    LOT = 1000, /* tasks of one scope */
};

static int trivial(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return 0;
}

static int spawn_lot(ambit_region *region, ambit_task *ret_tasks)
{
    for (unsigned i = 0; i < LOT; i++) {
        int rc = ret_tasks == NULL
                     ? ambit_spawn(region, trivial, (char *)NULL)
                     : ambit_spawn_with(region, trivial, (char *)NULL,
                                        .ret_task = &ret_tasks[i]);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* The scope joins them. */
int bench_spawn_join_round(ambit_cx *cx, void *arg)
{
    uint64_t lots = *(uint64_t *)arg;
    int rc = 0;
    for (uint64_t i = 0; i < lots && rc == 0; i++) {
        ambit_scope (cx, lot, &rc) {
            rc = spawn_lot(lot, NULL);
        }
    }
    return rc;
}

/* Each is joined, and its result looked at, by hand. */
static int spawn_join_each_round(ambit_cx *cx, void *arg)
{
    static ambit_task tasks[LOT];
    uint64_t lots = *(uint64_t *)arg;
    int rc = 0;
    for (uint64_t i = 0; i < lots && rc == 0; i++) {
        ambit_scope (cx, lot, &rc) {
            rc = spawn_lot(lot, tasks);
            for (unsigned k = 0; k < LOT && rc == 0; k++) {
                int result = -1;
                rc = ambit_join(cx, tasks[k], &result);
                rc = rc < 0 ? rc : result;
            }
        }
    }
    return rc;
}

/* Tasks without a stack, as Tokio's are. */
static int spawn_join_poll_round(ambit_cx *cx, void *arg)
{
    uint64_t lots = *(uint64_t *)arg;
    int rc = 0;
    for (uint64_t i = 0; i < lots && rc == 0; i++) {
        ambit_scope (cx, lot, &rc) {
            for (unsigned k = 0; k < LOT && rc == 0; k++) {
                rc = ambit_spawn_poll(lot, trivial, (char *)NULL);
            }
        }
    }
    return rc;
}

static int spawn_join(ambit_cx *cx, void *arg)
{
    uint64_t lots = bench_count(1000);
    (void)arg;
    int rc = bench_ns(cx, "W1_spawn_join", "ns/task", lots * LOT,
                      bench_spawn_join_round, &lots);
    if (rc == 0) {
        rc = bench_ns(cx, "W1_spawn_join_poll", "ns/task", lots * LOT,
                      spawn_join_poll_round, &lots);
    }
    return rc < 0 ? rc
                  : bench_ns(cx, "W1_spawn_join_each", "ns/task", lots * LOT,
                             spawn_join_each_round, &lots);
}

int bench_spawn_join(void)
{
    return bench_run(spawn_join, NULL);
}

static int yielder(ambit_cx *cx, void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    for (uint64_t i = 0; i < n; i++) {
        int rc = ambit_yield(cx);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int yield_round(ambit_cx *cx, void *arg)
{
    int rc = 0;
    ambit_scope (cx, both, &rc) {
        ambit_spawn(both, yielder, (uint64_t *)arg);
        ambit_spawn(both, yielder, (uint64_t *)arg);
    }
    return rc;
}

static int yields(ambit_cx *cx, void *arg)
{
    uint64_t each = bench_count(5000000);
    (void)arg;
    return bench_ns(cx, "W2_yield", "ns/switch", 2 * each, yield_round, &each);
}

int bench_yield(void)
{
    return bench_run(yields, NULL);
}

/* A 10-ary tree, sums handed upwards. */
struct node {
    uint64_t first;
    uint64_t size;
    uint64_t *ret;
};

static int node(ambit_cx *cx, void *arg)
{
    const struct node *self = arg;
    uint64_t sums[10];
    uint64_t sum = 0;
    int rc = 0;
    if (self->size == 1) {
        *self->ret = self->first;
        return 0;
    }
    uint64_t part = self->size / 10;
    ambit_scope (cx, children, &rc) {
        for (unsigned i = 0; i < 10 && rc == 0; i++) {
            rc = ambit_spawn(
                children, node,
                &(struct node){self->first + i * part, part, &sums[i]});
        }
    }
    for (unsigned i = 0; i < 10 && rc == 0; i++) {
        sum += sums[i];
    }
    *self->ret = sum;
    return rc;
}

int bench_skynet_round(ambit_cx *cx, void *arg)
{
    uint64_t leaves = *(uint64_t *)arg;
    uint64_t sum = 0;
    int rc = 0;
    ambit_scope (cx, root, &rc) {
        rc = ambit_spawn(root, node, &(struct node){0, leaves, &sum});
    }
    BENCH_NEED(rc < 0 || sum == leaves * (leaves - 1) / 2);
    return rc;
}

/* A nanosecond a leaf is a millisecond for a million of them. */
static int skynet(ambit_cx *cx, void *arg)
{
    uint64_t leaves = 1000000;
    (void)arg;
    while (leaves > 10 && leaves > bench_count(1000000)) {
        leaves /= 10;
    }
    return bench_ns(cx, "W5_skynet", "ms", leaves, bench_skynet_round, &leaves);
}

int bench_skynet(void)
{
    return bench_run(skynet, NULL);
}

static int checkpoint_round(ambit_cx *cx, void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    int rc = 0;
    for (uint64_t i = 0; i < n; i++) {
        rc |= ambit_checkpoint(cx);
    }
    return rc;
}

static int checkpoints(ambit_cx *cx, void *arg)
{
    uint64_t n = bench_count(50000000);
    (void)arg;
    return bench_ns(cx, "checkpoint", "ns/op", n, checkpoint_round, &n);
}

int bench_checkpoint(void)
{
    return bench_run(checkpoints, NULL);
}
