/* SPDX-License-Identifier: MIT */
/*
 * sums_actor_test.c -- mailboxes, servers, rings and boundaries lose nothing, at
 * every capacity from 1.
 */
#include "tests/stress/sums.h"

enum { SENDERS = 3, EACH = 400 / SPEC_SLOWER, LAST = 5 };

/* --- mailbox ---------------------------------------------------------------- */

static struct ledger mail; /* dispose has no argument of its own */

static int handles(ambit_cx *cx, void *state, const void *message, size_t size)
{
    (void)cx, (void)state, (void)size;
    tally_up(&mail.received, *(const int64_t *)message);
    return AMBIT_CONTINUE;
}

static void disposes(void *message, size_t size)
{
    (void)size;
    tally_up(&mail.left, *(int64_t *)message);
}

struct sender {
    ambit_actor_ref to;
    int64_t first;
};

static int commit_or_abort(struct ambit_permit *permit, int rc, int64_t value)
{
    if (rc < 0) {
        return rc;
    }
    if (value % 7 == 0) {
        ambit_abort(permit);
        return -EAGAIN;
    }
    *(int64_t *)permit->message = value;
    return ambit_commit(permit);
}

static int post_some_way(ambit_cx *cx, ambit_actor_ref to, int64_t value)
{
    struct ambit_permit permit;
    switch (value % 5) {
    case 0:
        return ambit_try_send(to, &value, sizeof value);
    case 1:
        return commit_or_abort(
            &permit, ambit_reserve(cx, to, sizeof value, &permit), value);
    case 2:
        return commit_or_abort(
            &permit, ambit_try_reserve(to, sizeof value, &permit), value);
    default:
        return ambit_send(cx, to, &value, sizeof value);
    }
}

static int posts(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    for (int64_t i = 0; i < EACH; i++) {
        ledger_offer(&mail, s->first + i,
                     post_some_way(cx, s->to, s->first + i));
    }
    return 0;
}

static int through_a_mailbox(ambit_cx *cx, void *arg)
{
    const struct ambit_actor_type type = {
        .size_ = sizeof type, .name = "sums", .handle = handles,
        .mailbox_max = *(uint32_t *)arg, .dispose = disposes};
    int rc = 0, senders_rc = 0;
    memset(&mail, 0, sizeof mail);
    ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
        ambit_actor_ref to;
        WANT_EQ(ambit_actor_start(cx, s, &type, NULL, 0, &to), 0);
        ambit_scope (cx, senders, &senders_rc) {
            for (int64_t i = 0; i < SENDERS; i++) {
                WANT_EQ(ambit_spawn(senders, posts,
                                    &(struct sender){to, i * EACH}), 0);
            }
        }
        /* What is queued now is handled, or disposed of. */
        for (int64_t i = SENDERS * EACH; i < SENDERS * EACH + LAST; i++) {
            ledger_offer(&mail, i, ambit_try_send(to, &i, sizeof i));
        }
        WANT_EQ(type.mailbox_max % 2 ? ambit_actor_kill(to, "enough")
                                     : ambit_actor_stop(to), 0);
    }
    WANT_EQ(senders_rc, 0);
    if (type.mailbox_max % 2 == 0) {
        WANT_EQ(count_get(&mail.left.n), 0);
    }
    ledger_close(&mail, SENDERS * EACH + LAST);
    return 0;
}

/* Goal: a mailbox loses nothing, whichever call is used.
 * Method: three senders that send, try, reserve, commit and abort in turn; an
 * actor that is stopped or killed with what is left; number and sum, at each
 * capacity, on one worker and two. */
Spec(MBX_ONCE_1, sums_are_equal_at_every_capacity)
{
    sums_at_every_capacity(through_a_mailbox);
    spec_end("MBX_ONCE_1");
}

/* --- server ------------------------------------------------------------------ */

static struct ledger asked;

static int sums_call_h(ambit_cx *cx, int *state, const int64_t *call,
                       int64_t *ret_reply)
{
    (void)cx, (void)state;
    tally_up(&asked.received, *call);
    *ret_reply = -*call;
    return 0;
}

static int sums_cast_h(ambit_cx *cx, int *state, const int64_t *cast)
{
    (void)cx, (void)state;
    tally_up(&asked.received, *cast);
    return AMBIT_CONTINUE;
}

AMBIT_SERVER(narrow, int, int64_t, int64_t, .handle_call = sums_call_h,
             .handle_cast = sums_cast_h, .limits = {.mailbox_max = 1});
AMBIT_SERVER(small, int, int64_t, int64_t, .handle_call = sums_call_h,
             .handle_cast = sums_cast_h, .limits = {.mailbox_max = 2});
AMBIT_SERVER(odd, int, int64_t, int64_t, .handle_call = sums_call_h,
             .handle_cast = sums_cast_h, .limits = {.mailbox_max = 7});
AMBIT_SERVER(wide, int, int64_t, int64_t, .handle_call = sums_call_h,
             .handle_cast = sums_cast_h, .limits = {.mailbox_max = 64});

static int ask_some_way(ambit_cx *cx, ambit_actor_ref to, int64_t value)
{
    int64_t reply = -value;
    int rc;
    switch (value % 4) {
    case 0:
        rc = ambit_call(cx, to, &value, sizeof value, &reply, sizeof reply);
        break;
    case 1:
        rc = ambit_call_now(cx, to, &value, sizeof value, &reply,
                            sizeof reply);
        break;
    case 2:
        rc = ambit_cast(cx, to, &value, sizeof value);
        break;
    default:
        rc = ambit_cast_now(to, &value, sizeof value);
    }
    WANT_EQ(reply, -value);
    return rc;
}

static int asks(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    for (int64_t i = 0; i < EACH; i++) {
        ledger_offer(&asked, s->first + i,
                     ask_some_way(cx, s->to, s->first + i));
    }
    return 0;
}

static int through_a_server(ambit_cx *cx, void *arg)
{
    const struct ambit_server_type *const types[] = {&narrow_type, &small_type,
                                                     &odd_type, &wide_type};
    (void)arg;
    for (size_t t = 0; t < ARRAY_LEN(types); t++) {
        int rc = 0, clients_rc = 0;
        memset(&asked, 0, sizeof asked);
        ambit_scope (cx, s, &rc) {
            ambit_actor_ref to;
            WANT_EQ(ambit_server_start(cx, s, types[t], NULL, 0, &to), 0);
            ambit_scope (cx, clients, &clients_rc) {
                for (int64_t i = 0; i < SENDERS; i++) {
                    WANT_EQ(ambit_spawn(clients, asks,
                                        &(struct sender){to, i * EACH}), 0);
                }
            }
            WANT_EQ(ambit_actor_stop(to), 0);
        }
        WANT_EQ(rc, 0);
        ledger_close(&asked, SENDERS * EACH);
    }
    return 0;
}

/* Goal, method: the same of calls and casts, that wait or do not, with mailboxes
 * of 1, 2, 7 and 64. */
Spec(SRV_CALL_1, sums_are_equal_at_every_capacity)
{
    spec_on_1_and_2_workers(through_a_server);
    spec_end("SRV_CALL_1");
}

/* --- boundary ------------------------------------------------------------------ */

enum { CALLS = 60 / SPEC_SLOWER };

struct counter {
    ambit_boundary *boundary;
    struct ledger ledger;
    struct count clients;
};

static int64_t call_some_way(ambit_boundary *boundary, int64_t value)
{
    struct ambit_boundary_ticket ticket;
    int64_t reply = 0;
    int rc;
    if (value % 3 == 0) {
        rc = ambit_boundary_call(boundary, &value, sizeof value, ambit_never(),
                                 &reply, sizeof reply);
    } else {
        rc = ambit_boundary_try_call(boundary, &value, sizeof value,
                                     ambit_never(), &ticket);
        if (rc == 0) {
            rc = ambit_boundary_wait(boundary, ticket, &reply, sizeof reply);
        }
    }
    if (rc >= 0) {
        WANT_EQ(rc, sizeof reply);
        WANT_EQ(reply, -value);
        return 0;
    }
    return rc;
}

static void *client_main(void *arg)
{
    struct counter *c = arg;
    int64_t first = count_up(&c->clients) * CALLS;
    for (int64_t i = 0; i < CALLS; i++) {
        ledger_offer(&c->ledger, first + i,
                     (int)call_some_way(c->boundary, first + i));
    }
    ambit_boundary_unref(c->boundary);
    return NULL;
}

static int serves(ambit_cx *cx, void *arg)
{
    struct counter *c = *(struct counter **)arg;
    struct ambit_boundary_request request;
    int rc;
    while ((rc = ambit_boundary_receive(cx, c->boundary, &request)) == 0) {
        int64_t value = *(const int64_t *)request.data, reply = -value;
        tally_up(&c->ledger.received, value);
        if (value % 5 == 0) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        WANT_EQ(ambit_boundary_respond(&request, &reply, sizeof reply), 0);
    }
    WANT_EQ(rc, -EPIPE);
    return 0;
}

static int through_a_boundary(ambit_cx *cx, void *arg)
{
    struct counter c = {.boundary = NULL}, *pc = &c;
    struct ambit_boundary_stats stats = {0};
    pthread_t clients[SENDERS];
    int rc = 0;
    WANT_EQ(ambit_boundary_create(&c.boundary, .capacity = *(uint32_t *)arg),
            0);
    ambit_boundary_ref(c.boundary); /* ours, to look at it in the end */
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_boundary_serve(s, c.boundary), 0);
        for (int i = 0; i < 2; i++) {
            WANT_EQ(ambit_spawn(s, serves, &pc), 0);
        }
        for (int i = 0; i < SENDERS; i++) {
            if (i > 0) {
                ambit_boundary_ref(c.boundary);
            }
            WANT_EQ(pthread_create(&clients[i], NULL, client_main, &c), 0);
        }
        WANT(until(cx, &c.ledger.offered.n, SENDERS * CALLS));
        ambit_boundary_stats(c.boundary, &stats);
        ambit_boundary_close(c.boundary);
    }
    WANT_EQ(rc, 0);
    for (int i = 0; i < SENDERS; i++) {
        WANT_EQ(pthread_join(clients[i], NULL), 0);
    }
    WANT_EQ(stats.answered, count_get(&c.ledger.received.n));
    WANT_EQ(stats.overloaded, count_get(&c.ledger.refused.n));
    ledger_close(&c.ledger, SENDERS * CALLS);
    ambit_boundary_unref(c.boundary);
    return 0;
}

/* Goal, method: the same of requests of three threads, and of what the boundary
 * says of itself. */
Spec(BND_CALL_1, sums_are_equal_at_every_capacity)
{
    sums_at_every_capacity(through_a_boundary);
    spec_end("BND_CALL_1");
}
