/* SPDX-License-Identifier: MIT */
/*
 * await_task_test.c -- poll tasks that await tasks, futures and tokens.
 */
#include "tests/spec/common.h"

struct gate {
    struct count begun, ended, open;
    ambit_token *token;
};

/* What a machine waits for, and what it should get. */
struct want {
    struct ambit_await wait;
    struct gate *gate;
    int (*look)(ambit_cx *cx, struct want *s);
    ambit_task task;
    ambit_future future;
    int wanted, wanted_result, result, step;
    bool hurries; /* it may come at any time: no second look */
    uint64_t value[3];
};

static int look_join(ambit_cx *cx, struct want *s)
{
    return ambit_await_join(cx, &s->wait, s->task, &s->result);
}

static int look_future(ambit_cx *cx, struct want *s)
{
    return ambit_await_future(cx, &s->wait, s->future, &s->value, &s->result);
}

static int look_token(ambit_cx *cx, struct want *s)
{
    return ambit_await_token(cx, &s->wait, s->gate->token);
}

static int want_step(ambit_cx *cx, void *state)
{
    struct want *s = state;
    int rc = s->look(cx, s);
    if (rc == AMBIT_PENDING) {
        if (!s->hurries) {
            WANT_EQ(s->look(cx, s), AMBIT_PENDING); /* again: nothing changes */
        }
        if (s->step++ == 0) {
            count_up(&s->gate->begun);
        }
        return AMBIT_PENDING;
    }
    WANT_EQ(rc, s->wanted);
    if (rc == 0) {
        WANT_EQ(s->result, s->wanted_result);
    }
    if (rc == 0 && s->look == look_future) {
        WANT(s->value[0] == 11 && s->value[1] == 22 && s->value[2] == 33);
    }
    count_up(&s->gate->ended);
    return rc == -ECANCELED ? rc : 0;
}

/* Gives it up, begins it anew; when it is over, gives it up too late. */
static int drop_step(ambit_cx *cx, void *state)
{
    struct want *s = state;
    if (s->step++ == 0) {
        WANT_EQ(s->look(cx, s), AMBIT_PENDING);
        WANT_EQ(ambit_await_drop(&s->wait), 0);
        WANT_EQ(s->look(cx, s), AMBIT_PENDING);
        count_up(&s->gate->begun);
        return AMBIT_PENDING;
    }
    WANT_EQ(ambit_await_drop(&s->wait), -EBUSY);
    WANT_EQ(s->look(cx, s), 0);
    WANT_EQ(s->result, s->wanted_result);
    count_up(&s->gate->ended);
    return 0;
}

static int late(ambit_cx *cx, void *arg)
{
    struct gate *gate = *(struct gate **)arg;
    WANT(until(cx, &gate->open, 1));
    return 42;
}

static int at_once(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    return 7;
}

static int broken(ambit_cx *cx, void *arg)
{
    struct gate *gate = *(struct gate **)arg;
    (void)until(cx, &gate->open, 1);
    ambit_panic(cx, "as it should");
}

/* --- join ------------------------------------------------------------------ */

static int join_each(ambit_cx *cx, void *arg)
{
    struct gate gate = {.token = NULL}, *here = &gate;
    ambit_task task, soon, bad;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, region, &rc, .policy = AMBIT_ISOLATE) {
        struct want want = {.gate = here, .look = look_join};
        WANT_EQ(ambit_spawn_with(region, late, &here, .ret_task = &task), 0);
        WANT_EQ(ambit_spawn_with(region, broken, &here, .ret_task = &bad), 0);
        WANT_EQ(ambit_spawn_with(region, at_once, &here, .ret_task = &soon), 0);
        want.task = task;
        want.wanted_result = 42;
        WANT_EQ(ambit_spawn_poll(region, want_step, &want), 0);
        want.task = bad;
        want.wanted_result = -EOWNERDEAD;
        WANT_EQ(ambit_spawn_poll(region, want_step, &want), 0);
        WANT(until(cx, &gate.begun, 2));
        want.task = task;
        want.wanted = -EBUSY;
        WANT_EQ(ambit_spawn_poll(region, want_step, &want), 0);
        WANT(until(cx, &gate.ended, 1));
        let_others_run(cx);
        want.task = soon;
        want.wanted = 0;
        want.wanted_result = 7;
        want.hurries = true; /* on another worker it may still be running */
        WANT_EQ(ambit_spawn_poll(region, want_step, &want), 0);
        want.hurries = false;
        WANT(until(cx, &gate.ended, 2));
        count_up(&gate.open);
        WANT(until(cx, &gate.ended, 4));
        want.task = task;
        want.wanted = -ESTALE;
        WANT_EQ(ambit_spawn_poll(region, want_step, &want), 0);
    }
    WANT_EQ(count_get(&gate.ended), 5);
    return rc;
}

static int join_after_a_cancel(ambit_cx *cx, void *arg)
{
    struct gate gate = {.token = NULL}, *here = &gate;
    ambit_task task;
    int rc = 0, inner = 0, result = 0;
    (void)arg;
    ambit_scope (cx, region, &rc) {
        WANT_EQ(ambit_spawn_with(region, late, &here, .ret_task = &task), 0);
        struct want want = {.gate = here, .look = look_join, .task = task,
                            .wanted = -ECANCELED};
        ambit_scope (cx, machines, &inner) {
            WANT_EQ(ambit_spawn_poll(machines, want_step, &want), 0);
            WANT(until(cx, &gate.begun, 1));
            ambit_cancel(machines, "enough");
        }
        WANT_EQ(count_get(&gate.ended), 1);
        count_up(&gate.open);
        WANT_EQ(ambit_join(cx, task, &result), 0);
        WANT_EQ(result, 42);
    }
    return rc;
}

static int join_and_drop(ambit_cx *cx, void *arg)
{
    struct gate gate = {.token = NULL}, *here = &gate;
    ambit_task task;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, region, &rc) {
        WANT_EQ(ambit_spawn_with(region, late, &here, .ret_task = &task), 0);
        struct want want = {.gate = here, .look = look_join, .task = task,
                            .wanted_result = 42};
        WANT_EQ(ambit_spawn_poll(region, drop_step, &want), 0);
        WANT(until(cx, &gate.begun, 1));
        count_up(&gate.open);
    }
    WANT_EQ(count_get(&gate.ended), 1);
    return rc;
}

/* Goal: a machine joins a task as a fiber does.  Method: machines for a task
 * that ends late, at once, by a panic; a second one and one too late; one that is
 * cancelled, after which a fiber gets the result; one that drops the wait. */
Spec(AWAIT_JOIN_1, a_machine_joins_a_task)
{
    spec_on_1_and_2_workers(join_each);
    spec_on_1_and_2_workers(join_after_a_cancel);
    spec_on_1_and_2_workers(join_and_drop);
    spec_end("AWAIT_JOIN_1");
}

/* --- futures --------------------------------------------------------------- */

static int fills(ambit_cx *cx, void *arg, void *ret)
{
    struct gate *gate = *(struct gate **)arg;
    const uint64_t value[3] = {11, 22, 33};
    WANT(until(cx, &gate->open, 1));
    memcpy(ret, value, sizeof value);
    return 5;
}

static struct ambit_branch filling(struct gate **gate)
{
    return (struct ambit_branch){.fn = fills, .arg = gate,
                                 .arg_size = sizeof *gate,
                                 .ret_size = 3 * sizeof(uint64_t)};
}

static int fetch_each(ambit_cx *cx, void *arg)
{
    struct gate gate = {.token = NULL}, *here = &gate;
    int rc = 0, inner = 0;
    (void)arg;
    ambit_group (cx, group, &rc) {
        ambit_future future, other;
        uint64_t value[3], small;
        int result = 0;
        WANT_EQ(ambit_group_spawn(group, filling(&here), &future), 0);
        WANT_EQ(ambit_group_spawn(group, filling(&here), &other), 0);
        struct want want = {.gate = here, .look = look_future,
                            .future = future, .wanted_result = 5};
        WANT_EQ(ambit_spawn_poll(group->region, want_step, &want), 0);
        ambit_scope (cx, machines, &inner) {
            want.future = other;
            want.wanted = -ECANCELED;
            WANT_EQ(ambit_spawn_poll(machines, want_step, &want), 0);
            WANT(until(cx, &gate.begun, 2));
            ambit_cancel(machines, "enough");
        }
        count_up(&gate.open);
        WANT_EQ(ambit_future_join(cx, other, &small, &result), -EINVAL);
        WANT_EQ(ambit_future_join(cx, other, &value, &result), 0);
        WANT(value[2] == 33 && result == 5);
        WANT(until(cx, &gate.ended, 2));
        want.future = future;
        want.wanted = -ESTALE;
        WANT_EQ(ambit_spawn_poll(group->region, want_step, &want), 0);
    }
    WANT_EQ(count_get(&gate.ended), 3);
    return rc;
}

/* Goal: a machine fetches a value.  Method: one that gets it, one that is
 * cancelled and leaves it to a fiber, one that comes too late. */
Spec(AWAIT_JOIN_2, a_machine_fetches_a_value)
{
    spec_on_1_and_2_workers(fetch_each);
    spec_end("AWAIT_JOIN_2");
}

/* --- tokens ---------------------------------------------------------------- */

static int wait_for_tokens(ambit_cx *cx, void *arg)
{
    struct gate gate = {.token = NULL}, *here = &gate;
    int rc = 0, inner = 0;
    (void)arg;
    WANT_EQ(ambit_token_create(NULL, &gate.token), 0);
    ambit_scope (cx, region, &rc) {
        struct want want = {.gate = here, .look = look_token};
        for (int i = 0; i < 3; i++) {
            WANT_EQ(ambit_spawn_poll(region, want_step, &want), 0);
        }
        WANT_EQ(ambit_spawn_poll(region, drop_step, &want), 0);
        ambit_scope (cx, machines, &inner) {
            want.wanted = -ECANCELED;
            WANT_EQ(ambit_spawn_poll(machines, want_step, &want), 0);
            WANT(until(cx, &gate.begun, 5));
            WANT_EQ(ambit_token_waiters(gate.token), 5);
            ambit_cancel(machines, "enough");
        }
        WANT_EQ(ambit_token_waiters(gate.token), 4);
        WANT_EQ(count_get(&gate.ended), 1);
        ambit_token_cancel(gate.token, "now");
        WANT(until(cx, &gate.ended, 5));
        want.wanted = 0;
        WANT_EQ(ambit_spawn_poll(region, want_step, &want), 0);
    }
    WANT_EQ(count_get(&gate.ended), 6);
    WANT_EQ(ambit_token_waiters(gate.token), 0);
    ambit_token_unref(gate.token);
    return rc;
}

/* Goal: a token's cancel ends the waits of machines.  Method: some that wait,
 * one that drops its wait and begins anew, one that is cancelled before, one
 * that comes after; the waiters are counted on the way. */
Spec(AWAIT_TOKEN_1, a_machine_hears_of_a_token)
{
    spec_on_1_and_2_workers(wait_for_tokens);
    spec_end("AWAIT_TOKEN_1");
}
