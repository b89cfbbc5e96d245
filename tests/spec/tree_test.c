/* SPDX-License-Identifier: MIT */
/*
 * tree_test.c -- REG-CLOSE-1 and its neighbours against random trees.
 */
#include "tests/spec/common.h"

#define TREE_HOLDS(cond) WANT(cond)
#define TREE_WANTS(cond) WANT(cond)
#include "tests/harness/tree.h"

#define TREES 10000

static int grow_trees(ambit_cx *cx, void *arg)
{
    (void)arg;
    static struct tree tree;
    for (uint64_t seed = 1; seed <= (uint64_t)test_rounds(TREES); seed++) {
        tree_grow(cx, &tree, seed);
        WANT_EQ(ambit_checkpoint(cx), 0);
        if (count_get(&spec_failures) != 0) {
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
