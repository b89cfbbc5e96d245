/* SPDX-License-Identifier: MIT */
/*
 * server_test.c -- calls and what can become of them: spec/server.md.
 */
#include "tests/spec/common.h"

/* --- a server that can be asked to misbehave ------------------------------ */

enum wish {
    ADD,        /* answers the sum */
    FAIL,       /* answers -EIO */
    CRASH,      /* panics */
    STALL,      /* waits until it is let go, then answers */
    KEEP,       /* keeps the reply, never answers */
    KEEP_SEND,  /* keeps it and answers at once, twice */
    DELEGATE,   /* a task of the server answers */
    CALL_SELF,
    STOP,       /* answers, then stops */
};

struct odd_call {
    enum wish wish;
    int64_t value;
};

struct odd_reply {
    int64_t sum;
};

struct record {
    struct count inits, terminated, disposed, handled, idle;
    struct count stalled, let_go;
    struct count reason; /* of the last terminate, negated */
    int init_result;
};

struct odd {
    struct record *record;
    int64_t sum;
};

static int odd_handle_init(ambit_cx *cx, struct odd *state, const void *arg)
{
    (void)cx;
    state->record = *(struct record *const *)arg;
    count_up(&state->record->inits);
    return state->record->init_result;
}

static int odd_handle_call(ambit_cx *cx, struct odd *state,
                           const struct odd_call *call,
                           struct odd_reply *ret_reply);

static int odd_handle_cast(ambit_cx *cx, struct odd *state,
                           const struct odd_call *cast)
{
    (void)cx;
    state->sum += cast->value;
    count_up(&state->record->handled);
    return cast->wish == FAIL ? -EIO : 0;
}

static int odd_handle_idle(ambit_cx *cx, struct odd *state)
{
    (void)cx;
    count_up(&state->record->idle);
    return 0;
}

static void odd_handle_terminate(ambit_cx *cx, struct odd *state, int reason)
{
    WANT_EQ(ambit_yield(cx), 0); /* a clean-up is not cancelled */
    count_set(&state->record->reason, -reason);
    count_up(&state->record->terminated);
}

static struct count *disposed;

static void odd_handle_dispose(struct odd_call *call)
{
    (void)call;
    count_up(disposed);
}

AMBIT_SERVER(odd, struct odd, struct odd_call, struct odd_reply,
             .limits = {.mailbox_max = 64, .batch_max = 8},
             .init = odd_handle_init, .handle_call = odd_handle_call,
             .handle_cast = odd_handle_cast, .handle_idle = odd_handle_idle,
             .terminate = odd_handle_terminate,
             .dispose = odd_handle_dispose);

static int odd_stall(ambit_cx *cx, struct record *record)
{
    int rc = 0;
    count_up(&record->stalled);
    while (count_get(&record->let_go) == 0 && rc == 0) {
        rc = ambit_sleep(cx, ambit_us(20));
    }
    return rc;
}

struct errand {
    ambit_reply reply;
    struct odd_reply value;
};

static int run_errand(ambit_cx *cx, void *arg)
{
    struct errand *e = arg;
    WANT_EQ(ambit_sleep(cx, ambit_us(100)), 0);
    WANT_EQ(odd_reply(e->reply, 0, &e->value), 0);
    return 0;
}

static int odd_handle_call(ambit_cx *cx, struct odd *state,
                           const struct odd_call *call,
                           struct odd_reply *ret_reply)
{
    struct record *record = state->record;
    count_up(&record->handled);
    ret_reply->sum = state->sum += call->value;
    switch (call->wish) {
    case ADD:
        return 0;
    case FAIL:
        return -EIO;
    case CRASH:
        ambit_panic(cx, "as it was asked to");
    case STALL:
        return odd_stall(cx, record);
    case KEEP:
        (void)ambit_reply_later(cx);
        return AMBIT_NO_REPLY;
    case KEEP_SEND: {
        ambit_reply reply = ambit_reply_later(cx);
        WANT_EQ(odd_reply(reply, 0, ret_reply), 0);
        WANT_EQ(odd_reply(reply, 0, ret_reply), -ESTALE);
        WANT_EQ(odd_reply((ambit_reply){0}, 0, ret_reply), -ESTALE);
        return AMBIT_NO_REPLY;
    }
    case DELEGATE: {
        struct errand errand = {ambit_reply_later(cx), *ret_reply};
        WANT_EQ(ambit_spawn(ambit_cx_region(cx), run_errand, &errand), 0);
        return AMBIT_NO_REPLY;
    }
    case CALL_SELF: {
        struct odd_reply mine;
        return odd_call(cx, ambit_self(cx), &mine, (struct odd_call){ADD, 0});
    }
    case STOP:
        return AMBIT_STOP;
    }
    return -EINVAL;
}

static ambit_actor_ref odd_open(ambit_cx *cx, ambit_region *region,
                                struct record *record)
{
    ambit_actor_ref ref = {0};
    disposed = &record->disposed;
    WANT_EQ(odd_start(cx, region, &record, sizeof record, &ref), 0);
    return ref;
}

/* --- SRV-CALL-1 ----------------------------------------------------------- */

struct caller {
    ambit_actor_ref to;
    int calls;
};

static int echo_handle_call(ambit_cx *cx, int *state, const int64_t *call,
                            int64_t *ret_reply)
{
    (void)state;
    *ret_reply = *call * 3;
    return *call % 17 == 0 ? ambit_yield(cx) : 0;
}

AMBIT_SERVER(echo, int, int64_t, int64_t, .limits = {.mailbox_max = 16},
             .handle_call = echo_handle_call);

static int call_many(ambit_cx *cx, void *arg)
{
    struct caller *c = arg;
    int64_t mine = (int64_t)(uintptr_t)arg;
    for (int i = 0; i < c->calls; i++) {
        int64_t got = 0;
        WANT_EQ(echo_call(cx, c->to, &got, mine + i), 0);
        WANT_EQ(got, (mine + i) * 3);
    }
    return 0;
}

static int sixty_four_callers(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct caller c = {{0}, 1000 / SPEC_SLOWER};
        WANT_EQ(echo_start(cx, all, NULL, 0, &c.to), 0);
        ambit_scope (cx, callers, &rc) {
            for (int i = 0; i < 64; i++) {
                WANT_EQ(ambit_spawn(callers, call_many, &c), 0);
            }
        }
        WANT_EQ(ambit_actor_stop(c.to), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: each caller gets its own answer.
 * Method: 64 callers with numbers of their own, through 16 places. */
Spec(SRV_CALL_1, each_caller_gets_its_own_reply)
{
    spec_on_1_and_2_workers(sixty_four_callers);
    spec_end("SRV_CALL_1");
}

/* --- SRV-CALL-2, SRV-CALL-3 ----------------------------------------------- */

struct one_call {
    ambit_actor_ref to;
    enum wish wish;
    int wanted;
    struct count *calling, *answered;
};

static int make_one_call(ambit_cx *cx, void *arg)
{
    struct one_call *c = arg;
    struct odd_reply reply = {77};
    count_up(c->calling);
    int rc = odd_call(cx, c->to, &reply, (struct odd_call){c->wish, 1});
    WANT_EQ(rc, c->wanted);
    WANT(rc == 0 || reply.sum == 77);
    count_up(c->answered);
    return 0;
}

static void crash_with_queue(ambit_cx *cx, int queued)
{
    struct record record = {0};
    struct count calling = {0}, answered = {0};
    int rc = 0, later = 0;
    ambit_scope (cx, all, &rc) {
        ambit_scope (cx, fragile, &rc, .policy = AMBIT_ISOLATE) {
            ambit_actor_ref to = odd_open(cx, fragile, &record);
            struct one_call stall = {to, STALL, 0, &calling, &answered};
            WANT_EQ(ambit_spawn(all, make_one_call, &stall), 0);
            WANT(until(cx, &record.stalled, 1));
            struct one_call c = {to, CRASH, -EOWNERDEAD, &calling, &answered};
            WANT_EQ(ambit_spawn_with(all, make_one_call, &c,
                                     .tier = AMBIT_FIBER), 0);
            WANT(until(cx, &calling, 2));
            c.wish = ADD;
            c.wanted = -EPIPE;
            for (int i = 0; i < queued; i++) {
                WANT_EQ(ambit_spawn_with(all, make_one_call, &c,
                                         .tier = AMBIT_FIBER), 0);
            }
            WANT(until(cx, &calling, 2 + queued));
            let_others_run(cx);
            count_up(&record.let_go);
            WANT(until(cx, &answered, 2 + queued));
            struct odd_reply reply;
            later = odd_call(cx, to, &reply, (struct odd_call){ADD, 1});
            WANT(later == -EPIPE || later == -ESTALE);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&record.terminated), 1);
    WANT_EQ(count_get(&record.reason), EOWNERDEAD);
    /* the message at the crash, the queued ones, and the last one when it was
     * consumed; none twice */
    WANT_EQ(count_get(&record.disposed), 1 + queued + (later == -EPIPE));
}

static int crash_servers(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 100 / SPEC_SLOWER; round++) {
        crash_with_queue(cx, round % 20);
    }
    return 0;
}

/* Goal: who was being served at a crash knows at once.
 * Method: a server that stalls, then crashes over the next call. */
Spec(SRV_CALL_2, a_crash_tells_the_caller_who_was_being_served)
{
    spec_on_1_and_2_workers(crash_servers);
    spec_end("SRV_CALL_2");
}

/* Goal: who was queued at the end, or comes later, knows that too.
 * Method: the same, with up to 19 calls behind the one that crashes. */
Spec(SRV_CALL_3, an_end_tells_the_callers_in_the_queue)
{
    spec_on_1_and_2_workers(crash_servers);
    spec_end("SRV_CALL_3");
}

/* --- SRV-CALL-5, SRV-CALL-6 ----------------------------------------------- */

static int mute_unused(ambit_cx *cx, int *state)
{
    (void)cx;
    (void)state;
    return 0;
}

AMBIT_SERVER(mute, int, int64_t, int64_t, .handle_idle = mute_unused);

static int answers_that_are_errors(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct record record = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct odd_reply reply = {77};
        int64_t nothing = 77;
        ambit_actor_ref mute, to = odd_open(cx, all, &record);
        for (int i = 0; i < 10; i++) {
            WANT_EQ(odd_call(cx, to, &reply, (struct odd_call){FAIL, 1}),
                    -EIO);
            WANT_EQ(odd_call(cx, to, &reply, (struct odd_call){CALL_SELF, 1}),
                    -EDEADLK);
        }
        WANT_EQ(reply.sum, 77);
        WANT_EQ(odd_call(cx, to, &reply, (struct odd_call){ADD, 1}), 0);
        WANT_EQ(reply.sum, 21);
        WANT_EQ(mute_start(cx, all, NULL, 0, &mute), 0);
        WANT_EQ(mute_call(cx, mute, &nothing, 5), -EOPNOTSUPP);
        WANT_EQ(mute_cast(cx, mute, 5), 0);
        WANT_EQ(nothing, 77);
        WANT_EQ(ambit_actor_stop(mute), 0);
        WANT_EQ(ambit_actor_stop(to), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&record.inits), 1);
    return 0;
}

/* Goal: a server that would wait for itself is told.
 * Method: a handler calls its own server. */
Spec(SRV_CALL_5, a_server_cannot_call_itself)
{
    spec_on_1_and_2_workers(answers_that_are_errors);
    spec_end("SRV_CALL_5");
}

/* Goal: a refusal is an answer, not an end.
 * Method: twenty failing calls, then a good one; a server without handlers. */
Spec(SRV_CALL_6, a_negative_answer_leaves_the_server_alive)
{
    spec_on_1_and_2_workers(answers_that_are_errors);
    spec_end("SRV_CALL_6");
}

/* --- SRV-REPLY-1 ---------------------------------------------------------- */

static int keep_replies(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct record record = {0};
    struct count calling = {0}, answered = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        ambit_actor_ref to = odd_open(cx, all, &record);
        for (int i = 0; i < 10; i++) {
            struct odd_reply reply = {77};
            WANT_EQ(odd_call(cx, to, &reply, (struct odd_call){KEEP_SEND, 1}),
                    0);
            WANT_EQ(reply.sum, 2 * i + 1);
            WANT_EQ(odd_call(cx, to, &reply, (struct odd_call){DELEGATE, 1}),
                    0);
            WANT_EQ(reply.sum, 2 * i + 2);
        }
        struct one_call c = {to, KEEP, -EOWNERDEAD, &calling, &answered};
        for (int i = 0; i < 40; i++) {
            WANT_EQ(ambit_spawn(all, make_one_call, &c), 0);
        }
        WANT(until(cx, &record.handled, 60));
        WANT_EQ(count_get(&answered), 0);
        WANT_EQ(ambit_actor_stop(to), 0);
        WANT(until(cx, &answered, 40));
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a reply is sent once, or its caller learns that it never will be.
 * Method: replies sent twice, replies sent by a task of the server, forty
 * replies kept until the server stops. */
Spec(SRV_REPLY_1, a_kept_reply_is_sent_once_or_resolved_by_the_end)
{
    spec_on_1_and_2_workers(keep_replies);
    spec_end("SRV_REPLY_1");
}
