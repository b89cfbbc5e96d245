/* SPDX-License-Identifier: MIT */
/*
 * refusal_test.c -- regions/ and src/task.c when asked for what makes no
 * sense, and from threads that are no workers.
 */
#include "tests/spec/common.h"

static int no_task(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return 0;
}

static int no_step(ambit_cx *cx, void *state)
{
    (void)cx;
    (void)state;
    return 0;
}

static void finish(void)
{
    cr_assert(count_get(&spec_failures) == 0, "wishes that did not hold");
    test_no_leaks();
}

/* --- options of scopes ---------------------------------------------------- */

static int open_with_bad_options(ambit_cx *cx, void *arg)
{
    (void)arg;
    const struct ambit_scope_options bad[] = {
        {.cleanup = {-1}},
        {.close_warn = {-1}},
        {.deadline = {-1}},
        {.policy = (enum ambit_policy)99},
        {.until_signal = -1},
        {.until_signal = 9999},
        {.until_signal = SIGKILL},
        {.without = 1u << 31},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ambit_scope_options options = bad[i];
        struct ambit_scope_block block;
        options.size_ = sizeof options;
        WANT_EQ(ambit_scope_open(cx, &block, &options), -EINVAL);
        WANT_EQ(ambit_checkpoint(cx), 0);
    }
    return 0;
}

/* Goal: options that make no sense open nothing, and leave nothing behind. */
Test(refusals, scope_options_out_of_range)
{
    spec_on_1_and_2_workers(open_with_bad_options);
    finish();
}

/* --- poll tasks ----------------------------------------------------------- */

static int spawn_bad_poll_tasks(ambit_cx *cx, void *arg)
{
    (void)arg;
    static char large[5000];
    int rc = 0, state = 0;
    ambit_task task;
    ambit_scope (cx, region, &rc, .tasks_max = 1) {
        WANT_EQ(ambit_spawn_poll_with(region, no_step, &state,
                                      .tier = AMBIT_FIBER), -EINVAL);
        WANT_EQ(ambit_spawn_poll_with(region, no_step, &state,
                                      .ret_task = &task), -EINVAL);
        WANT_EQ(ambit_spawn_poll_(region, no_step, large, sizeof large, NULL),
                -E2BIG);
        WANT_EQ(ambit_region_tasks(region), 0);
        WANT_EQ(ambit_spawn_poll_with(region, no_step, &state, .name = "one"),
                0);
        WANT_EQ(ambit_spawn_poll(region, no_step, &state), -EDQUOT);
        ambit_cancel(region, "enough");
        WANT_EQ(ambit_spawn_poll(region, no_step, &state), -ESHUTDOWN);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a poll task is refused for the reasons an ordinary one is, and for
 * options that are not for it. */
Test(refusals, poll_tasks)
{
    spec_on(1, spawn_bad_poll_tasks); /* the first one must not end too soon */
    finish();
}

/* --- from a pool thread --------------------------------------------------- */

struct outside {
    ambit_region *region;
    struct count *ran;
};

static int count_run(ambit_cx *cx, void *arg)
{
    (void)cx;
    count_up(((struct outside *)arg)->ran);
    return 0;
}

static int count_step(ambit_cx *cx, void *state)
{
    return count_run(cx, state);
}

static int use_all_from_a_pool_thread(ambit_cx *cx, void *arg)
{
    struct outside *o = arg;
    struct ambit_scope_block block;
    ambit_task task;
    WANT_EQ(ambit_scope_open(cx, &block, NULL), -EPERM);
    WANT_EQ(ambit_spawn(o->region, count_run, o), 0);
    WANT_EQ(ambit_spawn_with(o->region, count_run, o, .ret_task = &task), 0);
    WANT_EQ(ambit_spawn_with(o->region, count_run, o,
                             .tier = AMBIT_BLOCKING), 0);
    WANT_EQ(ambit_spawn_poll(o->region, count_step, o), 0);
    WANT_EQ(ambit_set_deadline(o->region, ambit_after(ambit_s(100))), 0);
    WANT_EQ(ambit_checkpoint(cx), 0);
    ambit_cancel(o->region, "from the pool");
    WANT_EQ(ambit_checkpoint(cx), -ECANCELED);
    WANT_EQ(ambit_set_deadline(o->region, ambit_never()), -ESHUTDOWN);
    return -ECANCELED;
}

static int reach_in_from_the_pool(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count ran = {0};
    int rc = 0;
    ambit_scope (cx, region, &rc) {
        struct outside o = {region, &ran};
        WANT_EQ(ambit_spawn_with(region, use_all_from_a_pool_thread, &o,
                                 .tier = AMBIT_BLOCKING), 0);
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
    }
    WANT_EQ(rc, 0);
    WANT(count_get(&ran) <= 4);
    return 0;
}

/* Goal: a thread that is no worker may spawn, move a deadline and cancel, and
 * may open nothing. */
Test(refusals, what_a_pool_thread_may_do)
{
    spec_on_1_and_2_workers(reach_in_from_the_pool);
    finish();
}

/* --- the region of an actor's life ---------------------------------------- */

static int handle_deadline(ambit_cx *cx, void *state, const void *message,
                           size_t size)
{
    (void)state;
    (void)message;
    (void)size;
    ambit_region *life = ambit_cx_region(cx);
    WANT_EQ(ambit_set_deadline(life, ambit_after(ambit_s(1))), -EOPNOTSUPP);
    int rc = 0;
    ambit_scope (cx, own, &rc) {
        WANT_EQ(ambit_set_deadline(own, ambit_after(ambit_s(100))), 0);
    }
    WANT_EQ(rc, 0);
    return AMBIT_STOP;
}

static int deadline_of_a_life(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const struct ambit_actor_type type = {
        .size_ = sizeof type, .handle = handle_deadline};
    ambit_actor_ref ref;
    int rc = 0;
    ambit_scope (cx, region, &rc) {
        WANT_EQ(ambit_actor_start(cx, region, &type, NULL, 0, &ref), 0);
        WANT_EQ(ambit_send(cx, ref, "x", 1), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: an actor has no worker between two messages, so its life takes no
 * deadline; a scope in a handler does. */
Test(refusals, the_life_of_an_actor_takes_no_deadline)
{
    spec_on_1_and_2_workers(deadline_of_a_life);
    finish();
}

/* --- stacks --------------------------------------------------------------- */

static struct count disposed;

static void count_dispose(void *arg)
{
    (void)arg;
    count_up(&disposed);
}

static int more_tasks_than_stacks(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count started = {0}, cancelled = {0};
    int rc = 0;
    ambit_scope (cx, region, &rc) {
        struct waiter w = {&started, &cancelled};
        for (int i = 0; i < 8; i++) {
            WANT_EQ(ambit_spawn_with(region, wait_for_ever, &w,
                                     .dispose = count_dispose), 0);
        }
    }
    WANT_EQ(rc, -ENOMEM);
    WANT_EQ(count_get(&started) + count_get(&disposed), 8);
    WANT(count_get(&started) <= 3);
    return 0;
}

/* Goal: a task for which there is no stack fails its region, and its argument
 * is disposed of. */
Test(refusals, a_task_without_a_stack)
{
    WANT_EQ(spec_run(more_tasks_than_stacks, NULL, .workers = 1,
                     .stacks_max = 4), 0);
    WANT(spec_logged("stacks_max"));
    finish();
}

static int count_a_step(ambit_cx *cx, void *state)
{
    (void)cx;
    count_up(*(struct count **)state);
    return AMBIT_READY;
}

static int poll_without_a_stack(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count started = {0}, cancelled = {0}, stepped = {0};
    struct count *steps = &stepped;
    int rc = 0;
    ambit_scope (cx, region, &rc, .policy = AMBIT_ISOLATE) {
        struct waiter w = {&started, &cancelled};
        ambit_task late;
        int result = 0;
        for (int i = 0; i < 3; i++) {
            WANT_EQ(ambit_spawn(region, wait_for_ever, &w), 0);
        }
        WANT(until(cx, &started, 3));
        WANT_EQ(ambit_spawn_poll(region, count_a_step, &steps), 0);
        WANT(until(cx, &stepped, 1));
        WANT_EQ(ambit_spawn_with(region, wait_for_ever, &w, .ret_task = &late),
                0);
        WANT_EQ(ambit_join(cx, late, &result), 0);
        WANT_EQ(result, -ENOMEM);
        ambit_cancel(region, "enough");
    }
    WANT_EQ(count_get(&started), 3);
    return 0;
}

/* Goal: a turn of a poll task needs no stack of the limit, as those that wait
 * for it may hold them all; and the limit stays what it was. */
Test(refusals, a_poll_task_steps_when_all_stacks_are_lent)
{
    WANT_EQ(spec_run(poll_without_a_stack, NULL, .workers = 1,
                     .stacks_max = 4), 0);
    finish();
}

/* --- results -------------------------------------------------------------- */

static int give_up_alone(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return -ECANCELED;
}

static int echoes(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0, none = 0;
    ambit_scope (cx, quiet, &rc) { /* nobody cancelled it: an error */
        WANT_EQ(ambit_spawn(quiet, give_up_alone, &none), 0);
    }
    WANT_EQ(rc, -ECANCELED);
    rc = 0;
    ambit_scope (cx, ended, &rc) { /* the echo of its own cancel */
        ambit_cancel(ended, "its own");
        rc = ambit_sleep(cx, ambit_s(1));
    }
    WANT_EQ(rc, 0);
    rc = 5;
    ambit_scope (cx, good, &rc) {
        WANT_EQ(ambit_spawn(good, no_task, &none), 0);
    }
    WANT_EQ(rc, 5);
    struct ambit_scope_block block;
    WANT_EQ(ambit_scope_open(cx, &block, NULL), 0);
    ambit_cancel(block.region, "its own");
    WANT_EQ(ambit_scope_close(cx, &block, -ECANCELED), 0);
    return 0;
}

/* Goal: -ECANCELED is an echo where there was a cancel, and an error where
 * there was none. */
Test(refusals, an_echo_is_no_failure)
{
    spec_on_1_and_2_workers(echoes);
    finish();
}
