/* SPDX-License-Identifier: MIT */
/*
 * cancel_tree_test.c -- whom a cancel reaches: CAN-7 of spec/cancel.md.
 */
#include "tests/spec/common.h"

struct branch {
    struct count *started, *cancelled, *release, *finished;
    int depth;
};

static int grow_branch(ambit_cx *cx, void *arg)
{
    struct branch b = *(struct branch *)arg;
    int rc = 0;
    ambit_scope (cx, level, &rc) {
        if (b.depth > 0) {
            struct branch below = b;
            below.depth--;
            WANT_EQ(ambit_spawn(level, grow_branch, &below), 0);
            WANT_EQ(ambit_spawn(level, grow_branch, &below), 0);
        }
        count_up(b.started);
        bool released = until(cx, b.release, 1);
        WANT(released || ambit_checkpoint(cx) == -ECANCELED);
        count_up(released ? b.finished : b.cancelled);
    }
    WANT(rc == 0 || rc == -ECANCELED);
    return rc;
}

static int cancel_one_branch(ambit_cx *cx, void *arg)
{
    (void)arg;
    enum { PER_BRANCH = 1 + 2 + 4 + 8 };
    struct count started = {0}, cancelled = {0}, release = {0}, finished = {0};
    struct count spared = {0};
    int rc = 0;
    ambit_scope (cx, root, &rc) {
        struct branch b = {&started, &spared, &release, &finished, 3};
        WANT_EQ(ambit_spawn(root, grow_branch, &b), 0);
        ambit_scope (cx, middle, &rc) {
            b.cancelled = &cancelled;
            WANT_EQ(ambit_spawn(middle, grow_branch, &b), 0);
            WANT(until(cx, &started, 2 * PER_BRANCH));
            ambit_cancel(middle, "this branch only");
        }
        WANT_EQ(count_get(&cancelled), PER_BRANCH);
        WANT_EQ(count_get(&spared), 0);
        WANT_EQ(ambit_checkpoint(cx), 0);
        count_up(&release);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&finished), PER_BRANCH);
    return 0;
}

/* Goal: a cancel goes down, and nowhere else.
 * Method: two branches of nested scopes and tasks; one is cut. */
Spec(CAN_7, a_cancel_reaches_the_subtree_and_nothing_else)
{
    spec_on_1_and_2_workers(cancel_one_branch);
    spec_end("CAN_7");
}

enum {
    DEPTH = 100000 / (SPEC_SLOWER * SPEC_SLOWER),
    DEPTH_IN_TASK = 8, /* scopes in the frames of one task */
};

struct descent {
    struct count *reached, *cancelled;
    int depth;
};

static int go_down(ambit_cx *cx, void *arg);

/* A scope in a scope ... in a task in a scope in a scope ... */
static NOINLINE int nest(ambit_cx *cx, struct descent *d, int here)
{
    int rc = 0;
    ambit_scope (cx, level, &rc) {
        count_up(d->reached);
        d->depth--;
        if (d->depth > 0 && here > 1) {
            WANT_EQ(nest(cx, d, here - 1), -ECANCELED);
        } else if (d->depth > 0) {
            WANT_EQ(ambit_spawn(level, go_down, d), 0);
        }
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        count_up(d->cancelled);
    }
    WANT_EQ(rc, -ECANCELED);
    return rc;
}

static int go_down(ambit_cx *cx, void *arg)
{
    struct descent d = *(struct descent *)arg;
    return nest(cx, &d, DEPTH_IN_TASK);
}

static int cancel_from_the_top(ambit_cx *cx, void *arg)
{
    (void)cx;
    ambit_cancel(*(ambit_region **)arg, "from the top");
    return 0;
}

static int cancel_a_shaft(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count reached = {0}, cancelled = {0};
    int rc = 0;
    ambit_scope (cx, top, &rc) {
        struct descent d = {&reached, &cancelled, DEPTH};
        ambit_scope (cx, shaft, &rc) {
            WANT_EQ(ambit_spawn(shaft, go_down, &d), 0);
            WANT(until(cx, &reached, DEPTH));
            WANT_EQ(ambit_spawn(top, cancel_from_the_top, &shaft), 0);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(ambit_checkpoint(cx), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&cancelled), DEPTH);
    return 0;
}

/* ASan keeps room between the locals of a frame. */
#ifdef TEST_UNDER_ASAN
#define SMALL_STACK (64 << 10)
#else
#define SMALL_STACK (16 << 10)
#endif

/* Goal: depth is no obstacle.
 * Method: 100,000 regions in one line, eight in the frames of each of 12,500
 * tasks, cancelled by a task with a stack of 16 KiB. */
Spec(CAN_7, a_cancel_reaches_any_depth)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        WANT_EQ(spec_run(cancel_a_shaft, NULL, .workers = workers,
                         .stack_size = SMALL_STACK), 0);
    }
    spec_end("CAN_7");
}
