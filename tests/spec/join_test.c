/* SPDX-License-Identifier: MIT */
/*
 * join_test.c -- the hand-over of a result: TASK-JOIN of spec/task.md.
 */
#include "tests/spec/common.h"

struct gate {
    struct count *open;
    int result;
};

static int answer_when_open(ambit_cx *cx, void *arg)
{
    struct gate *g = arg;
    if (!until(cx, g->open, 1)) {
        return -ECANCELED;
    }
    return g->result;
}

static int panic_now(ambit_cx *cx, void *arg)
{
    (void)arg;
    ambit_panic(cx, "on purpose");
}

/* --- TASK-JOIN-1 ---------------------------------------------------------- */

static int join_before_and_after(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const int results[] = {0, 1, 42, INT32_MAX, -EIO, -1};
    struct count open = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE) {
        for (size_t i = 0; i < ARRAY_LEN(results); i++) {
            for (int late = 0; late < 2; late++) {
                struct gate g = {&open, results[i]};
                ambit_task task;
                int result = 77;
                count_set(&open, late);
                WANT_EQ(ambit_spawn_with(all, answer_when_open, &g,
                                         .ret_task = &task), 0);
                let_others_run(cx);
                count_set(&open, 1);
                WANT_EQ(ambit_join(cx, task, &result), 0);
                WANT_EQ(result, results[i]);
            }
        }
        ambit_task task;
        int result = 77;
        WANT_EQ(ambit_spawn_with(all, panic_now, &rc, .ret_task = &task), 0);
        WANT_EQ(ambit_join(cx, task, &result), 0);
        WANT_EQ(result, -EOWNERDEAD);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: the joiner gets the result, whoever is first.
 * Method: a gate decides whether the task ends before or after the join. */
Spec(TASK_JOIN_1, a_join_hands_out_the_result)
{
    spec_on_1_and_2_workers(join_before_and_after);
    spec_end("TASK_JOIN_1");
}

struct handed_over {
    struct count *started, *ready, *done;
    ambit_task task;
};

static int join_what_never_ran(ambit_cx *cx, void *arg)
{
    struct handed_over *h = *(struct handed_over **)arg;
    count_up(h->started);
    WANT(spin_until(h->ready, 1));
    int result = 77;
    WANT_EQ(ambit_join(cx, h->task, &result), 0);
    WANT_EQ(result, -ECANCELED);
    count_up(h->done);
    return 0;
}

/* The other worker is kept busy until the doomed task's region is cancelled,
 * and this one does not give way before the joiner is done. */
static int never_ran(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count started = {0}, ready = {0}, done = {0};
    struct handed_over h = {&started, &ready, &done, {0}};
    struct handed_over *ph = &h;
    int rc = 0;
    ambit_scope (cx, outer, &rc) {
        spawn_elsewhere(outer, join_what_never_ran, &ph, &started);
        ambit_scope (cx, doomed, &rc) {
            struct gate g = {&ready, 0};
            WANT_EQ(ambit_spawn_with(doomed, answer_when_open, &g,
                                     .ret_task = &h.task), 0);
            ambit_cancel(doomed, "before the first run");
            count_up(&ready);
            WANT(spin_until(&done, 1));
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a task that never ran joins as cancelled.
 * Method: cancelled unstarted, while a joiner of another region waits. */
Spec(TASK_JOIN_1, a_task_that_never_ran_joins_as_cancelled)
{
    spec_on(2, never_ran);
    spec_end("TASK_JOIN_1");
}

/* --- TASK-JOIN-2 ---------------------------------------------------------- */

static int join_stale(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count open = {1};
    ambit_task joined, left;
    int rc = 0, result = 77;
    ambit_scope (cx, all, &rc) {
        struct gate g = {&open, 5};
        WANT_EQ(ambit_spawn_with(all, answer_when_open, &g,
                                 .ret_task = &joined), 0);
        WANT_EQ(ambit_spawn_with(all, answer_when_open, &g,
                                 .ret_task = &left), 0);
        WANT_EQ(ambit_join(cx, joined, &result), 0);
        WANT_EQ(result, 5);
        result = 77;
        WANT_EQ(ambit_join(cx, joined, &result), -ESTALE);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(ambit_join(cx, joined, &result), -ESTALE);
    WANT_EQ(ambit_join(cx, left, &result), -ESTALE);
    WANT_EQ(ambit_join(cx, (ambit_task){0}, &result), -ESTALE);
    /* The records are used again: an old handle must not reach the new one. */
    ambit_scope (cx, again, &rc) {
        for (int i = 0; i < 100; i++) {
            struct gate g = {&open, 6};
            ambit_task fresh;
            WANT_EQ(ambit_spawn_with(again, answer_when_open, &g,
                                     .ret_task = &fresh), 0);
            WANT_EQ(ambit_join(cx, joined, &result), -ESTALE);
            WANT_EQ(ambit_join(cx, left, &result), -ESTALE);
        }
    }
    WANT_EQ(result, 77);
    return 0;
}

/* The old handle may be of the very record that this task has now. */
static int join_my_own_past(ambit_cx *cx, void *arg)
{
    int result;
    WANT_EQ(ambit_join(cx, *(ambit_task *)arg, &result), -ESTALE);
    return 0;
}

static int join_stale_in_the_same_record(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count open = {1};
    struct gate g = {&open, 5};
    int rc = 0, result = 0;
    for (int i = 0; i < 20; i++) {
        ambit_scope (cx, s, &rc) {
            ambit_task old, fresh;
            WANT_EQ(ambit_spawn_with(s, answer_when_open, &g,
                                     .ret_task = &old), 0);
            WANT_EQ(ambit_join(cx, old, &result), 0);
            if (i % 2) {
                WANT_EQ(ambit_spawn(s, join_my_own_past, &old), 0);
            } else {
                WANT_EQ(ambit_spawn_with(s, join_my_own_past, &old,
                                         .ret_task = &fresh), 0);
            }
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* Goal: a handle is good for one join, and not beyond its region.
 * Method: joins twice, after the close, and after the record was used again. */
Spec(TASK_JOIN_2, a_handle_that_is_used_up_is_stale)
{
    spec_on_1_and_2_workers(join_stale);
    spec_end("TASK_JOIN_2");
}

/* Goal: a task whose record once was another's is not taken for that one.
 * Method: the next task, joinable or not, gets the record of the one before. */
Spec(TASK_JOIN_2, a_stale_handle_to_ones_own_record_is_no_deadlock)
{
    spec_on(1, join_stale_in_the_same_record);
    spec_end("TASK_JOIN_2");
}

/* --- TASK-JOIN-3 ---------------------------------------------------------- */

static int join_oneself(ambit_cx *cx, void *arg)
{
    ambit_task *own = *(ambit_task **)arg;
    int result = 77;
    WANT_EQ(ambit_join(cx, *own, &result), -EDEADLK);
    WANT_EQ(result, 77);
    return 3;
}

struct second {
    ambit_task task;
    struct count *waiting;
    int wanted;
};

static int join_one(ambit_cx *cx, void *arg)
{
    struct second *s = arg;
    int result = 77;
    count_up(s->waiting);
    WANT_EQ(ambit_join(cx, s->task, &result), s->wanted);
    WANT(s->wanted == 0 || result == 77);
    return 0;
}

static int join_twice_at_once(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count open = {0}, waiting = {0};
    ambit_task task, *ptask = &task;
    int rc = 0, result = 77;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn_with(all, join_oneself, &ptask,
                                 .tier = AMBIT_FIBER, .ret_task = &task), 0);
        WANT_EQ(ambit_join(cx, task, &result), 0);
        WANT_EQ(result, 3);

        struct gate g = {&open, 5};
        WANT_EQ(ambit_spawn_with(all, answer_when_open, &g,
                                 .tier = AMBIT_FIBER, .ret_task = &task), 0);
        struct second first = {task, &waiting, 0};
        WANT_EQ(ambit_spawn_with(all, join_one, &first,
                                 .tier = AMBIT_FIBER), 0);
        WANT(until(cx, &waiting, 1));
        let_others_run(cx);
        WANT_EQ(ambit_join(cx, task, &result), -EBUSY);
        count_set(&open, 1);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a wait that cannot end, and a second taker, are refused.
 * Method: a task joins itself; a task joins one that is being joined. */
Spec(TASK_JOIN_3, joining_oneself_and_joining_second_are_refused)
{
    spec_on_1_and_2_workers(join_twice_at_once);
    spec_end("TASK_JOIN_3");
}

/* --- TASK-JOIN-4 ---------------------------------------------------------- */

static int cancelled_join(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count open = {0}, waiting = {0};
    ambit_task task;
    int rc = 0, result = 77;
    ambit_scope (cx, outer, &rc) {
        struct gate g = {&open, 5};
        WANT_EQ(ambit_spawn_with(outer, answer_when_open, &g,
                                 .ret_task = &task), 0);
        for (int i = 0; i < 50; i++) {
            ambit_scope (cx, inner, &rc) {
                struct second s = {task, &waiting, -ECANCELED};
                WANT_EQ(ambit_spawn(inner, join_one, &s), 0);
                WANT(until(cx, &waiting, i + 1));
                if (i % 2) {
                    let_others_run(cx);
                }
                ambit_cancel(inner, "joining no more");
                WANT_EQ(ambit_join(cx, task, &result), -ECANCELED);
                WANT_EQ(result, 77);
            }
        }
        count_set(&open, 1);
        WANT_EQ(ambit_join(cx, task, &result), 0);
        WANT_EQ(result, 5);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a joiner that gives up takes nothing with it.
 * Method: 50 cancelled joins, before and while waiting; then a real one. */
Spec(TASK_JOIN_4, a_cancelled_join_leaves_the_handle_valid)
{
    spec_on_1_and_2_workers(cancelled_join);
    spec_end("TASK_JOIN_4");
}
