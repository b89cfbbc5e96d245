/* SPDX-License-Identifier: MIT */
/*
 * scenarios_tree.c -- random trees of regions, each run another one.
 *
 * The schedule draws the tree's seed, so that a replay grows the same tree.
 */
#include "tests/lab/scenario.h"

#define TREE_HOLDS(cond) always(cond)
#define TREE_WANTS(cond) want(cond)
#include "tests/harness/tree.h"

static int tree(ambit_cx *cx, void *arg)
{
    static struct tree tree;
    (void)arg;
    tree_grow(cx, &tree, 1 + ambit_choose(1u << 30));
    ambit_observe(tree_get(&tree.nodes));
    ambit_observe(tree_get(&tree.tasks));
    return 0;
}

SCENARIOS(tree, {"tree", tree, 2, TIMED | MANY},
          {"tree_on_three", tree, 3, TIMED | MANY});
