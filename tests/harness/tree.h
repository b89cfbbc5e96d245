/* SPDX-License-Identifier: MIT */
/*
 * tree.h -- random trees of regions, for tests on the real system and in the lab.
 *
 * A tree is grown by its own tasks: each opens scopes, spawns into them,
 * defers, sleeps, fails, panics, cancels and leaves in random ways; at most six
 * deep and 200 tasks.  The first finalizer that each scope registers runs last,
 * and checks from inside that the region is quiet: no task of it is alive, all
 * other finalizers have run, in reverse.  After the tree, the books balance.
 *
 * Who includes this says before what a broken promise does:
 *
 *   TREE_HOLDS(cond)  whatever happens
 *   TREE_WANTS(cond)  unless memory is refused, or the whole tree cancelled
 */
#ifndef AMBIT_TESTS_HARNESS_TREE_H
#define AMBIT_TESTS_HARNESS_TREE_H

#include <ambit.h>

#include <stdatomic.h>
#include <string.h>

enum {
    NODES_MAX = 128,
    TASKS_MAX = 200,
    DEPTH_MAX = 6,
};

/* A count that several tasks share. */
struct tree_count {
    _Atomic int64_t n;
};

/* The value before. */
static inline int64_t tree_add(struct tree_count *count, int64_t by)
{
    /* ORDER(tree-count): acq_rel.  Pairs with tree_get(): what a task did
     * before it counted is seen by whoever saw the count. */
    return atomic_fetch_add_explicit(&count->n, by, memory_order_acq_rel);
}

static inline int64_t tree_up(struct tree_count *count)
{
    return tree_add(count, 1);
}

static inline int64_t tree_get(struct tree_count *count)
{
    /* ORDER(tree-count): acquire.  Pairs with tree_add(). */
    return atomic_load_explicit(&count->n, memory_order_acquire);
}

struct node {
    struct tree *tree;
    ambit_region *region;
    struct tree_count live;   /* tasks of this region between their two ends */
    struct tree_count closed; /* 1 once the last finalizer ran */
    struct tree_count planted; /* tasks that this region admitted */
    int deferred;        /* so many registered, so many left: owner's only */
};

struct tree {
    uint64_t seed;
    struct tree_count nodes, closed;              /* scopes opened and closed */
    struct tree_count tasks, ran, panicked, disposed; /* tasks spawned and ended */
    struct node node[NODES_MAX];
};

struct seedling {
    struct node *parent;
    uint64_t seed;
    int depth;
};

static uint64_t draw(uint64_t *state)
{
    *state += 0x9E3779B97F4A7C15u;
    uint64_t x = *state;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static bool chance(uint64_t *state, unsigned percent)
{
    return draw(state) % 100 < percent;
}

/* --- finalizers ----------------------------------------------------------- */

static void last_finalizer(void *arg)
{
    struct node *node = arg;
    TREE_HOLDS(node->deferred == 1);
    TREE_HOLDS(tree_get(&node->live) == 0);
    TREE_HOLDS(ambit_region_tasks(node->region) == 0);
    TREE_HOLDS(tree_up(&node->closed) == 0);
    tree_up(&node->tree->closed);
}

static void plain_finalizer(void *arg)
{
    struct node *node = arg;
    TREE_HOLDS(tree_get(&node->live) == 0);
    TREE_HOLDS(tree_get(&node->closed) == 0);
    node->deferred--;
}

static int slow_finalizer(ambit_cx *cx, void *arg)
{
    struct node *node = arg;
    plain_finalizer(arg);
    TREE_HOLDS(ambit_yield(cx) == 0);
    TREE_HOLDS(ambit_sleep(cx, ambit_us(5)) == 0);
    return node->tree->seed % 3 == 0 ? -EIO : 0;
}

/* --- tasks ---------------------------------------------------------------- */

static int seedling_run(ambit_cx *cx, void *arg);

static void seedling_dispose(void *arg)
{
    struct seedling *s = arg;
    TREE_HOLDS(tree_get(&s->parent->closed) == 0);
    tree_up(&s->parent->tree->disposed);
}

static void plant(struct node *node, uint64_t *state, int depth)
{
    struct tree *tree = node->tree;
    if (tree_get(&tree->tasks) >= TASKS_MAX) {
        return;
    }
    struct seedling s = {node, draw(state), depth + 1};
    int rc = ambit_spawn_with(node->region, seedling_run, &s,
                              .dispose = seedling_dispose,
                              .tier = chance(state, 20) ? AMBIT_FIBER
                                                        : AMBIT_SEND);
    TREE_WANTS(rc == 0 || rc == -ESHUTDOWN || rc == -EDQUOT);
    if (rc == 0) {
        tree_up(&tree->tasks);
        tree_up(&node->planted);
    }
}

/* The body of one scope.  True: leave early. */
static bool body(ambit_cx *cx, struct node *node, uint64_t *state, int depth,
                 struct node *parent)
{
    int deferred = ambit_defer(node->region, last_finalizer, node);
    TREE_WANTS(deferred == 0);
    if (deferred < 0) {
        tree_up(&node->closed);
        tree_up(&node->tree->closed);
        return true;
    }
    node->deferred = 1;
    int works = (int)(draw(state) % 6) + (depth == 0 ? 6 : 0);
    for (int i = 0; i < works; i++) {
        switch (draw(state) % 4) {
        case 0:
            node->deferred +=
                ambit_defer(node->region, plain_finalizer, node) == 0;
            break;
        case 1:
            node->deferred +=
                ambit_defer_async(node->region, slow_finalizer, node) == 0;
            break;
        default:
            plant(node, state, depth);
        }
    }
    if (chance(state, 20)) {
        (void)ambit_sleep(cx, ambit_us((int64_t)(draw(state) % 20)));
    }
    if (chance(state, 10)) {
        ambit_cancel(chance(state, 70) ? node->region : parent->region, "chance");
    }
    if (chance(state, 3) && depth > 0) {
        tree_up(&node->tree->panicked);
        tree_add(&parent->live, -1);
        ambit_panic(cx, "by chance");
    }
    return chance(state, 20);
}

/* Whatever happened to the tasks of a region, each is in its books once. */
static void check_books(struct node *node, const struct ambit_outcome *out)
{
    uint64_t ends = out->ok + out->failed + out->cancelled + out->panicked;
    bool bad = out->failed + out->panicked > 0;
    TREE_HOLDS(ends == (uint64_t)tree_get(&node->planted));
    TREE_HOLDS((out->root.task != NULL) == bad);
    TREE_HOLDS((out->worst.end == AMBIT_ENDED_PANICKED) == (out->panicked > 0));
    TREE_HOLDS(out->never_ran <= out->cancelled);
}

static int open_scope(ambit_cx *cx, struct tree *tree, struct node *parent,
                      uint64_t *state, int depth)
{
    struct ambit_outcome out;
    int64_t index = tree_up(&tree->nodes);
    if (index >= NODES_MAX) {
        tree_add(&tree->nodes, -1);
        return 0;
    }
    struct node *node = &tree->node[index];
    node->tree = tree;
    bool opened = false;
    int rc = 0;
    ambit_scope (cx, region, &rc,
                 .policy = (enum ambit_policy)(draw(state) % 3),
                 .ret_outcome = &out,
                 .tasks_max = chance(state, 20) ? 3 : 0,
                 .deadline = ambit_after(
                     chance(state, 10) ? ambit_us(30) : ambit_s(60))) {
        opened = true;
        node->region = region;
        if (body(cx, node, state, depth, parent ? parent : node)) {
            break;
        }
    }
    if (!opened) {
        TREE_WANTS(rc == -ECANCELED);
        tree_up(&node->closed);
        tree_up(&tree->closed);
    }
    TREE_HOLDS(tree_get(&node->closed) == 1);
    if (opened) {
        check_books(node, &out);
    }
    return rc;
}

static int seedling_run(ambit_cx *cx, void *arg)
{
    struct seedling s = *(struct seedling *)arg;
    struct tree *tree = s.parent->tree;
    TREE_HOLDS(tree_get(&s.parent->closed) == 0);
    tree_up(&s.parent->live);
    int rc = 0;
    if (chance(&s.seed, 30)) {
        (void)ambit_yield(cx);
    }
    if (s.depth < DEPTH_MAX && chance(&s.seed, 60)) {
        rc = open_scope(cx, tree, s.parent, &s.seed, s.depth);
    }
    if (chance(&s.seed, 20)) {
        plant(s.parent, &s.seed, s.depth);
    }
    if (chance(&s.seed, 10)) {
        rc = -EIO;
    }
    TREE_HOLDS(tree_get(&s.parent->closed) == 0);
    tree_add(&s.parent->live, -1);
    if (chance(&s.seed, 3)) {
        tree_up(&tree->panicked);
        ambit_panic(cx, "by chance");
    }
    tree_up(&tree->ran);
    return chance(&s.seed, 80) && rc != -EIO ? 0 : rc;
}

/* Grows the tree of that seed, and has it close. */
static void tree_grow(ambit_cx *cx, struct tree *tree, uint64_t seed)
{
    memset(tree, 0, sizeof *tree);
    tree->seed = seed;
    uint64_t state = seed;
    (void)open_scope(cx, tree, NULL, &state, 0);
    TREE_HOLDS(tree_get(&tree->nodes) == tree_get(&tree->closed));
    TREE_HOLDS(tree_get(&tree->tasks) == tree_get(&tree->ran) +
                                             tree_get(&tree->panicked) +
                                             tree_get(&tree->disposed));
}

#endif
