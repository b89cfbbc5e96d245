/* SPDX-License-Identifier: MIT */
/*
 * actors.c -- messages, calls, and an actor's life.
 */
#include "tests/bench/counts/counts.h"

#include <string.h>

/* --- one sends, an actor on the same worker takes ------------------------- */

static int sink_handle(ambit_cx *cx, void *state, const void *message,
                       size_t size)
{
    uint64_t left;
    (void)cx;
    (void)state;
    (void)size;
    memcpy(&left, message, sizeof left);
    return left > 0 ? AMBIT_CONTINUE : AMBIT_STOP;
}

static const struct ambit_actor_type sink_type = {
    .size_ = sizeof(struct ambit_actor_type),
    .name = "sink",
    .mailbox_max = 1000,
    .handle = sink_handle,
};

static int mailbox(ambit_cx *cx, unsigned n)
{
    int rc = 0;
    counts_begin();
    ambit_scope (cx, one, &rc) {
        ambit_actor_ref sink;
        rc = ambit_actor_start(cx, one, &sink_type, NULL, 0, &sink);
        for (uint64_t left = n; left > 0 && rc == 0;) {
            left--;
            rc = ambit_send(cx, sink, &left, sizeof left);
        }
    }
    counts_end();
    return rc;
}

/* --- two actors ----------------------------------------------------------- */

struct ball {
    ambit_actor_ref from;
    uint64_t left;
};

static int bat_handle(ambit_cx *cx, void *state, const void *message,
                      size_t size)
{
    struct ball ball = *(const struct ball *)message;
    ambit_actor_ref back = ball.from;
    (void)state;
    (void)size;
    if (ball.left == 0) {
        ambit_cancel(ambit_cx_region(cx), "the last one");
        return AMBIT_CONTINUE;
    }
    ball.from = ambit_self(cx);
    ball.left--;
    return ambit_send(cx, back, &ball, sizeof ball);
}

static const struct ambit_actor_type bat_type = {
    .size_ = sizeof(struct ambit_actor_type),
    .name = "bat",
    .mailbox_max = 16,
    .handle = bat_handle,
};

static int actor_pingpong(ambit_cx *cx, unsigned n)
{
    int rc = 0;
    counts_begin();
    ambit_scope (cx, both, &rc) {
        ambit_actor_ref bats[2];
        rc = ambit_actor_start(cx, both, &bat_type, NULL, 0, &bats[0]);
        if (rc == 0) {
            rc = ambit_actor_start(cx, both, &bat_type, NULL, 0, &bats[1]);
        }
        if (rc == 0) {
            struct ball ball = {bats[1], 2 * (uint64_t)n};
            rc = ambit_send(cx, bats[0], &ball, sizeof ball);
        }
    }
    counts_end();
    return rc == -ECANCELED ? 0 : rc;
}

/* --- a server ------------------------------------------------------------- */

struct counter {
    int64_t n;
};

struct counter_add {
    int64_t by;
};

static int counter_handle_call(ambit_cx *cx, struct counter *state,
                               const struct counter_add *call,
                               struct counter *ret_reply)
{
    (void)cx;
    state->n += call->by;
    ret_reply->n = state->n;
    return 0;
}

static int counter_handle_cast(ambit_cx *cx, struct counter *state,
                               const struct counter_add *cast)
{
    (void)cx;
    state->n += cast->by;
    return 0;
}

AMBIT_SERVER(counter, struct counter, struct counter_add, struct counter,
             .handle_call = counter_handle_call,
             .handle_cast = counter_handle_cast);

static int call(ambit_cx *cx, unsigned n)
{
    int rc = 0;
    counts_begin();
    ambit_scope (cx, one, &rc) {
        struct counter value = {0};
        ambit_actor_ref server;
        rc = counter_start(cx, one, NULL, 0, &server);
        for (unsigned i = 0; i < n && rc == 0; i++) {
            rc = counter_call(cx, server, &value, (struct counter_add){1});
        }
        if (rc == 0) {
            rc = value.n == (int64_t)n ? ambit_actor_stop(server) : -EPROTO;
        }
    }
    counts_end();
    return rc;
}

static int cast(ambit_cx *cx, unsigned n)
{
    int rc = 0;
    counts_begin();
    ambit_scope (cx, one, &rc) {
        ambit_actor_ref server;
        rc = counter_start(cx, one, NULL, 0, &server);
        for (unsigned i = 0; i < n && rc == 0; i++) {
            rc = counter_cast(cx, server, (struct counter_add){1});
        }
        rc = rc < 0 ? rc : ambit_actor_stop(server);
    }
    counts_end();
    return rc;
}

/* --- a life --------------------------------------------------------------- */

static int actor_start_stop(ambit_cx *cx, unsigned n)
{
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i++) {
        ambit_scope (cx, one, &rc) {
            ambit_actor_ref sink;
            rc = ambit_actor_start(cx, one, &sink_type, NULL, 0, &sink);
            rc = rc < 0 ? rc : ambit_actor_stop(sink);
        }
    }
    counts_end();
    return rc;
}

const struct counts_path counts_actors[] = {
    {"mailbox_send_receive", 10000, mailbox},
    {"actor_pingpong", 5000, actor_pingpong},
    {"server_call", 5000, call},
    {"server_cast", 10000, cast},
    {"scope_actor_start_stop", 1000, actor_start_stop},
    {NULL, 0, NULL},
};
