/* SPDX-License-Identifier: MIT */
/*
 * tree_test.c -- REG-CLOSE-1 and its neighbours against random trees.
 *
 * A tree is grown by its own tasks: each opens scopes, spawns into them,
 * defers, sleeps, fails, panics, cancels and leaves in random ways.  The first
 * finalizer that each scope registers runs last, and checks from inside that
 * the region is quiet: no task of it is alive, all other finalizers have run,
 * in reverse.  After the tree, the books must balance.
 */
#include "tests/spec/common.h"

enum {
    TREES = 10000,
    NODES_MAX = 128,
    TASKS_MAX = 200,
    DEPTH_MAX = 6,
};

struct node {
    struct tree *tree;
    ambit_region *region;
    struct count live;   /* tasks of this region between their two ends */
    struct count closed; /* 1 once the last finalizer ran */
    struct count planted; /* tasks that this region admitted */
    int deferred;        /* so many registered, so many left: owner's only */
};

struct tree {
    uint64_t seed;
    struct count nodes, closed;              /* scopes opened and closed */
    struct count tasks, ran, panicked, disposed; /* tasks spawned and ended */
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
    WANT_EQ(node->deferred, 1);
    WANT_EQ(count_get(&node->live), 0);
    WANT_EQ(ambit_region_tasks(node->region), 0);
    WANT_EQ(count_up(&node->closed), 0);
    count_up(&node->tree->closed);
}

static void plain_finalizer(void *arg)
{
    struct node *node = arg;
    WANT_EQ(count_get(&node->live), 0);
    WANT_EQ(count_get(&node->closed), 0);
    node->deferred--;
}

static int slow_finalizer(ambit_cx *cx, void *arg)
{
    struct node *node = arg;
    plain_finalizer(arg);
    WANT_EQ(ambit_yield(cx), 0);
    WANT_EQ(ambit_sleep(cx, ambit_us(5)), 0);
    return node->tree->seed % 3 == 0 ? -EIO : 0;
}

/* --- tasks ---------------------------------------------------------------- */

static int seedling_run(ambit_cx *cx, void *arg);

static void seedling_dispose(void *arg)
{
    struct seedling *s = arg;
    WANT_EQ(count_get(&s->parent->closed), 0);
    count_up(&s->parent->tree->disposed);
}

static void plant(struct node *node, uint64_t *state, int depth)
{
    struct tree *tree = node->tree;
    if (count_get(&tree->tasks) >= TASKS_MAX) {
        return;
    }
    struct seedling s = {node, draw(state), depth + 1};
    int rc = ambit_spawn_with(node->region, seedling_run, &s,
                              .dispose = seedling_dispose,
                              .tier = chance(state, 20) ? AMBIT_FIBER
                                                        : AMBIT_SEND);
    WANT(rc == 0 || rc == -ESHUTDOWN || rc == -EDQUOT);
    if (rc == 0) {
        count_up(&tree->tasks);
        count_up(&node->planted);
    }
}

/* The body of one scope.  True: leave early. */
static bool body(ambit_cx *cx, struct node *node, uint64_t *state, int depth,
                 struct node *parent)
{
    WANT_EQ(ambit_defer(node->region, last_finalizer, node), 0);
    node->deferred = 1;
    int works = (int)(draw(state) % 6);
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
        count_up(&node->tree->panicked);
        count_add(&parent->live, -1);
        ambit_panic(cx, "by chance");
    }
    return chance(state, 20);
}

/* Whatever happened to the tasks of a region, each is in its books once. */
static void check_books(struct node *node, const struct ambit_outcome *out)
{
    WANT_EQ(out->ok + out->failed + out->cancelled + out->panicked,
            count_get(&node->planted));
    WANT_EQ(out->root.task == NULL, out->failed + out->panicked == 0);
    WANT_EQ(out->worst.end == AMBIT_ENDED_PANICKED, out->panicked > 0);
    WANT(out->never_ran <= out->cancelled);
}

static int open_scope(ambit_cx *cx, struct tree *tree, struct node *parent,
                      uint64_t *state, int depth)
{
    struct ambit_outcome out;
    int64_t index = count_up(&tree->nodes);
    if (index >= NODES_MAX) {
        count_add(&tree->nodes, -1);
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
        WANT_EQ(rc, -ECANCELED);
        count_up(&node->closed);
        count_up(&tree->closed);
    }
    WANT_EQ(count_get(&node->closed), 1);
    if (opened) {
        check_books(node, &out);
    }
    return rc;
}

static int seedling_run(ambit_cx *cx, void *arg)
{
    struct seedling s = *(struct seedling *)arg;
    struct tree *tree = s.parent->tree;
    WANT_EQ(count_get(&s.parent->closed), 0);
    count_up(&s.parent->live);
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
    WANT_EQ(count_get(&s.parent->closed), 0);
    count_add(&s.parent->live, -1);
    if (chance(&s.seed, 3)) {
        count_up(&tree->panicked);
        ambit_panic(cx, "by chance");
    }
    count_up(&tree->ran);
    return chance(&s.seed, 80) && rc != -EIO ? 0 : rc;
}

static int grow_trees(ambit_cx *cx, void *arg)
{
    (void)arg;
    static struct tree tree;
    for (uint64_t seed = 1; seed <= (uint64_t)test_rounds(TREES); seed++) {
        memset(&tree, 0, sizeof tree);
        tree.seed = seed;
        uint64_t state = seed;
        (void)open_scope(cx, &tree, NULL, &state, 0);
        int64_t failures = count_get(&spec_failures);
        WANT_EQ(count_get(&tree.nodes), count_get(&tree.closed));
        WANT_EQ(count_get(&tree.tasks), count_get(&tree.ran) +
                                            count_get(&tree.panicked) +
                                            count_get(&tree.disposed));
        WANT_EQ(ambit_checkpoint(cx), 0);
        if (failures != 0 || count_get(&spec_failures) != 0) {
            fprintf(stderr, "tree %llu\n", (unsigned long long)seed);
            break;
        }
    }
    return 0;
}

/* Goal: when a close returns, everything below it has ended, in any tree.
 * Method: 10,000 random trees, as the head of this file says; the outcome of
 * each scope is compared with what was spawned into it. */
Spec(REG_CLOSE_1, a_close_waits_for_the_whole_tree)
{
    spec_on_1_and_2_workers(grow_trees);
    spec_end("REG_CLOSE_1");
}
