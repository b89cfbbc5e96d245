/* SPDX-License-Identifier: MIT */
/*
 * scenarios_await_task.c -- poll tasks that await tasks, tokens, a thread, what
 * is done once.
 */
#include "tests/lab/scenario.h"

/* --- the end of a task, the cancel of a token, the slower one is given up -- */

struct meet {
    ambit_token *token;
    struct tally heard, joined, waited;
};

struct either {
    struct ambit_await task_wait, token_wait;
    struct meet *meet;
    ambit_task task;
    int result;
};

static int ends_with_9(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = ambit_sleep(cx, ambit_us(3));
    return rc < 0 ? rc : 9;
}

static int cancels_token(ambit_cx *cx, void *arg)
{
    struct meet *meet = *(struct meet **)arg;
    int rc = ambit_sleep(cx, ambit_us(3));
    ambit_token_cancel(meet->token, "now");
    return rc;
}

static int either_step(ambit_cx *cx, void *arg)
{
    struct either *s = arg;
    int joined = ambit_await_join(cx, &s->task_wait, s->task, &s->result);
    int heard = ambit_await_token(cx, &s->token_wait, s->meet->token);
    if (joined == AMBIT_PENDING && heard == AMBIT_PENDING) {
        return AMBIT_PENDING;
    }
    if (joined == AMBIT_PENDING) {
        joined = ambit_await_drop(&s->task_wait) == -EBUSY
                     ? ambit_await_join(cx, &s->task_wait, s->task, &s->result)
                     : -EAGAIN;
        always(joined != AMBIT_PENDING);
    }
    if (heard == AMBIT_PENDING) {
        heard = ambit_await_drop(&s->token_wait) == -EBUSY
                    ? ambit_await_token(cx, &s->token_wait, s->meet->token)
                    : -EAGAIN;
        always(heard != AMBIT_PENDING);
        always(ambit_token_waiters(s->meet->token) <= 1); /* the other */
    }
    if (joined == 0) {
        always(s->result == 9 || is_called_off(s->result));
        tally_up(&s->meet->joined);
    }
    if (heard == 0) {
        always(ambit_token_is_cancelled(s->meet->token));
        tally_up(&s->meet->heard);
    }
    always(joined == 0 || heard == 0 || is_called_off(joined) ||
           is_called_off(heard));
    return joined == 0 || heard == 0 ? 0 : -ECANCELED;
}

/* Stays in the line when the other leaves it. */
static int token_step(ambit_cx *cx, void *arg)
{
    struct either *s = arg;
    int rc = ambit_await_token(cx, &s->token_wait, s->meet->token);
    if (rc == 0) {
        always(ambit_token_is_cancelled(s->meet->token));
        tally_up(&s->meet->waited);
    }
    return rc;
}

static int await_task_or_token(ambit_cx *cx, void *arg)
{
    struct meet meet = {.token = NULL}, *here = &meet;
    int rc = 0;
    (void)arg;
    if (ambit_token_create(NULL, &meet.token) < 0) {
        always(disturbed);
        return -ENOMEM;
    }
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        struct either either = {.meet = here};
        int spawned = ambit_spawn_with(s, ends_with_9, &here,
                                       .ret_task = &either.task);
        want(spawned == 0);
        want(ambit_spawn_poll(s, token_step, &either) == 0);
        if (ambit_spawn(s, cancels_token, &here) < 0) {
            ambit_token_cancel(meet.token, "nobody else would");
        }
        if (spawned == 0) {
            want(ambit_spawn_poll(s, either_step, &either) == 0);
        }
    }
    want(tally_get(&meet.heard) + tally_get(&meet.joined) > 0);
    want(tally_get(&meet.waited) == 1);
    always(ambit_token_waiters(meet.token) == 0);
    ambit_token_unref(meet.token);
    return rc;
}

/* --- once, by machines and fibers ------------------------------------------ */

struct shared {
    struct ambit_once once;
    struct tally inside, done;
};

struct doer {
    struct ambit_await wait, nap;
    struct shared *shared;
    bool begun;
};

static int do_slowly(ambit_cx *cx, void *arg)
{
    struct doer *s = arg;
    if (!s->begun) {
        s->begun = true;
        always(tally_up(&s->shared->inside) == 0);
    }
    int rc = ambit_await_sleep(cx, &s->nap, ambit_us(2));
    if (rc != AMBIT_PENDING) {
        s->begun = false;
        tally_down(&s->shared->inside);
        if (rc == 0) {
            always(tally_up(&s->shared->done) == 0);
        }
    }
    return rc;
}

static int doer_step(ambit_cx *cx, void *arg)
{
    struct doer *s = arg;
    int rc = ambit_await_once(cx, &s->wait, &s->shared->once, do_slowly, s);
    if (rc == 0) {
        always(tally_get(&s->shared->done) == 1);
    }
    return rc;
}

static int do_at_once(ambit_cx *cx, void *arg)
{
    struct shared *shared = *(struct shared **)arg;
    always(tally_up(&shared->inside) == 0);
    int rc = ambit_yield(cx);
    tally_down(&shared->inside);
    if (rc == 0) {
        always(tally_up(&shared->done) == 0);
    }
    return rc;
}

static int does(ambit_cx *cx, void *arg)
{
    struct shared *shared = *(struct shared **)arg;
    return ambit_once(cx, &shared->once, do_at_once, arg);
}

/* Begins, and thinks better of it. */
static int fickle_step(ambit_cx *cx, void *arg)
{
    struct doer *s = arg;
    int rc = ambit_await_once(cx, &s->wait, &s->shared->once, do_slowly, s);
    if (rc == AMBIT_PENDING && s->begun) {
        if (ambit_await_drop(&s->nap) == -EBUSY) {
            (void)ambit_await_sleep(cx, &s->nap, ambit_us(2));
        }
        s->begun = false;
        tally_down(&s->shared->inside);
        always(ambit_await_drop(&s->wait) == 0);
        return 0;
    }
    return rc;
}

static int once_for_all(ambit_cx *cx, bool is_cancelled)
{
    struct shared shared = {.once = AMBIT_ONCE_INIT}, *here = &shared;
    int rc = 0, inner = 0;
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        struct doer doer = {.shared = here};
        ambit_scope (cx, first, &inner, .policy = AMBIT_COLLECT) {
            want(ambit_spawn_poll(first, ambit_choose(2) ? fickle_step
                                                         : doer_step,
                                  &doer) == 0);
            want(ambit_spawn_poll(s, doer_step, &doer) == 0);
            want(ambit_spawn(s, does, &here) == 0);
            if (is_cancelled) {
                (void)ambit_sleep(cx, ambit_us(1));
                ambit_cancel(first, "never mind");
            }
        }
    }
    want(tally_get(&shared.done) == 1);
    always(tally_get(&shared.inside) == 0);
    always(ambit_once_waiters(&shared.once) == 0);
    ambit_once_fini(&shared.once);
    return rc;
}

static int await_once(ambit_cx *cx, void *arg)
{
    (void)arg;
    return once_for_all(cx, false);
}

static int await_once_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    return once_for_all(cx, true);
}

/* --- a call on the pool, and a panic --------------------------------------- */

struct caller {
    struct ambit_await wait;
    struct tally *called, *ended;
    bool panics;
    int result;
    char answer[64];
};

static int answers_there(void *arg)
{
    struct caller *s = arg;
    memset(s->answer, 'x', sizeof s->answer);
    tally_up(s->called);
    return 1;
}

static int caller_step(ambit_cx *cx, void *arg)
{
    struct caller *s = arg;
    int rc = ambit_await_blocking(cx, &s->wait, answers_there, s, &s->result);
    if (rc == AMBIT_PENDING && s->panics) {
        ambit_panic(cx, "in the middle of a call");
    }
    if (rc == 0) {
        always(s->result == 1 && s->answer[63] == 'x');
        tally_up(s->ended);
    }
    return rc;
}

static int call_all(ambit_cx *cx, bool panics)
{
    struct tally called = {0}, ended = {0};
    int rc = 0;
    ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
        struct caller caller = {.called = &called, .ended = &ended};
        want(ambit_spawn_poll(s, caller_step, &caller) == 0);
        caller.panics = panics;
        want(ambit_spawn_poll(s, caller_step, &caller) == 0);
    }
    want(panics || tally_get(&ended) == 2);
    always(tally_get(&called) >= tally_get(&ended));
    return rc;
}

static int await_pool(ambit_cx *cx, void *arg)
{
    (void)arg;
    return call_all(cx, false);
}

static int await_pool_and_panic(ambit_cx *cx, void *arg)
{
    (void)arg;
    return call_all(cx, true);
}

SCENARIOS(await_task,
          {"await_task_or_token", await_task_or_token, 2, TIMED,
           "AWAIT-JOIN-1 AWAIT-TOKEN-1 AWAIT-DROP-1"},
          {"await_once", await_once, 2, CORE,
           "AWAIT-RUN-1"},
          {"await_once_against_cancel", await_once_against_cancel, 2, TIMED,
           "AWAIT-RUN-1"},
          /* One worker: a second one, woken by the pool, would wait for memory
           * for a stack for ever where none is to be had any more. */
          {"await_pool", await_pool, 1, CORE},
          {"await_pool_and_panic", await_pool_and_panic, 1, CORE,
           "AWAIT-POOL-1 AWAIT-END-2"});
