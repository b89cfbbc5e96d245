/* SPDX-License-Identifier: MIT */
/*
 * scenarios_tree.c -- random trees of regions, each run another one.
 *
 * The schedule draws the tree's seed, so that a replay grows the same tree.  A
 * tree is grown by its own tasks: each opens scopes, spawns into them, defers,
 * sleeps, fails, panics, cancels and leaves in random ways; at most six deep
 * and 200 tasks.  The first finalizer of each scope runs last and finds the
 * region quiet.
 */
#include "tests/lab/scenario.h"

enum {
    NODES_MAX = 128,
    TASKS_MAX = 200,
    DEPTH_MAX = 6,
};

struct node {
    struct tree *tree;
    ambit_region *region;
    struct tally live;   /* tasks of this region between their two ends */
    struct tally closed; /* 1 once the last finalizer ran */
    int deferred;        /* so many registered, so many left: owner's only */
};

struct tree {
    uint64_t seed;
    struct tally nodes, closed;              /* scopes opened and closed */
    struct tally tasks, ran, panicked, disposed; /* tasks spawned and ended */
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
    always(node->deferred == 1);
    always(tally_get(&node->live) == 0);
    always(ambit_region_tasks(node->region) == 0);
    always(tally_up(&node->closed) == 0);
    tally_up(&node->tree->closed);
}

static void plain_finalizer(void *arg)
{
    struct node *node = arg;
    always(tally_get(&node->live) == 0);
    always(tally_get(&node->closed) == 0);
    node->deferred--;
}

static int slow_finalizer(ambit_cx *cx, void *arg)
{
    struct node *node = arg;
    plain_finalizer(arg);
    always(ambit_yield(cx) == 0);
    always(ambit_sleep(cx, ambit_us(5)) == 0);
    return node->tree->seed % 3 == 0 ? -EIO : 0;
}

/* --- tasks ---------------------------------------------------------------- */

static int seedling_run(ambit_cx *cx, void *arg);

static void seedling_dispose(void *arg)
{
    struct seedling *s = arg;
    always(tally_get(&s->parent->closed) == 0);
    tally_up(&s->parent->tree->disposed);
}

static void plant(struct node *node, uint64_t *state, int depth)
{
    struct tree *tree = node->tree;
    if (tally_get(&tree->tasks) >= TASKS_MAX) {
        return;
    }
    struct seedling s = {node, draw(state), depth + 1};
    int rc = ambit_spawn_with(node->region, seedling_run, &s,
                              .dispose = seedling_dispose,
                              .tier = chance(state, 20) ? AMBIT_FIBER
                                                        : AMBIT_SEND);
    want(rc == 0 || rc == -ESHUTDOWN || rc == -EDQUOT);
    if (rc == 0) {
        tally_up(&tree->tasks);
    }
}

/* The body of one scope.  True: leave early. */
static bool body(ambit_cx *cx, struct node *node, uint64_t *state, int depth,
                 struct node *parent)
{
    int deferred = ambit_defer(node->region, last_finalizer, node);
    want(deferred == 0);
    if (deferred < 0) {
        tally_up(&node->closed);
        tally_up(&node->tree->closed);
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
        tally_up(&node->tree->panicked);
        tally_down(&parent->live);
        ambit_panic(cx, "by chance");
    }
    return chance(state, 20);
}

static int open_scope(ambit_cx *cx, struct tree *tree, struct node *parent,
                      uint64_t *state, int depth)
{
    int64_t index = tally_up(&tree->nodes);
    if (index >= NODES_MAX) {
        tally_down(&tree->nodes);
        return 0;
    }
    struct node *node = &tree->node[index];
    node->tree = tree;
    bool opened = false;
    int rc = 0;
    ambit_scope (cx, region, &rc,
                 .policy = (enum ambit_policy)(draw(state) % 3),
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
        want(rc == -ECANCELED);
        tally_up(&node->closed);
        tally_up(&tree->closed);
    }
    always(tally_get(&node->closed) == 1);
    return rc;
}

static int seedling_run(ambit_cx *cx, void *arg)
{
    struct seedling s = *(struct seedling *)arg;
    struct tree *tree = s.parent->tree;
    always(tally_get(&s.parent->closed) == 0);
    tally_up(&s.parent->live);
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
    always(tally_get(&s.parent->closed) == 0);
    tally_down(&s.parent->live);
    if (chance(&s.seed, 3)) {
        tally_up(&tree->panicked);
        ambit_panic(cx, "by chance");
    }
    tally_up(&tree->ran);
    return chance(&s.seed, 80) && rc != -EIO ? 0 : rc;
}

static int tree(ambit_cx *cx, void *arg)
{
    static struct tree tree;
    (void)arg;
    memset(&tree, 0, sizeof tree);
    tree.seed = 1 + ambit_choose(1u << 30);
    uint64_t state = tree.seed;
    (void)open_scope(cx, &tree, NULL, &state, 0);
    always(tally_get(&tree.nodes) == tally_get(&tree.closed));
    always(tally_get(&tree.tasks) == tally_get(&tree.ran) +
                                         tally_get(&tree.panicked) +
                                         tally_get(&tree.disposed));
    ambit_observe(tally_get(&tree.nodes));
    ambit_observe(tally_get(&tree.tasks));
    return 0;
}

SCENARIOS(tree, {"tree", tree, 2, TIMED | MANY},
          {"tree_on_three", tree, 3, TIMED | MANY});
