/* SPDX-License-Identifier: MIT */
/*
 * permit_test.c -- credits that wait, go back, get lost, or come too late:
 * MBX-CREDIT-2, MBX-CREDIT-3, MBX-END of spec/mailbox.md.
 */
#include "tests/spec/common.h"

struct sink {
    struct count *handled, *gate; /* gate NULL: open */
};

static struct count disposed;

static int sink_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    memcpy(state, arg, sizeof(struct sink));
    return 0;
}

static int sink_handle(ambit_cx *cx, void *state, const void *message,
                       size_t size)
{
    struct sink *sink = state;
    (void)message;
    (void)size;
    while (sink->gate != NULL && count_get(sink->gate) == 0 &&
           ambit_sleep(cx, ambit_us(20)) == 0) {
    }
    count_up(sink->handled);
    return AMBIT_CONTINUE;
}

static void sink_dispose(void *message, size_t size)
{
    (void)message;
    (void)size;
    count_up(&disposed);
}

#define SINK(mailbox_max_) \
    [mailbox_max_] = { \
        .size_ = sizeof(struct ambit_actor_type), \
        .name = "sink", \
        .state_size = sizeof(struct sink), \
        .mailbox_max = mailbox_max_, \
        .init = sink_init, \
        .handle = sink_handle, \
        .dispose = sink_dispose, \
    }

static const struct ambit_actor_type sink_types[] = {SINK(1), SINK(2), SINK(4)};

static ambit_actor_ref sink_start(ambit_cx *cx, ambit_region *region,
                                  uint32_t mailbox_max, struct count *handled,
                                  struct count *gate)
{
    struct sink sink = {handled, gate};
    ambit_actor_ref ref = {0};
    WANT_EQ(ambit_actor_start(cx, region, &sink_types[mailbox_max], &sink,
                              sizeof sink, &ref), 0);
    return ref;
}

/* --- MBX-CREDIT-2 --------------------------------------------------------- */

struct in_line {
    ambit_actor_ref to;
    struct count *waiting, *turn;
    int64_t place;
};

static int wait_in_line(ambit_cx *cx, void *arg)
{
    struct in_line *w = arg;
    struct ambit_permit permit;
    count_up(w->waiting);
    WANT_EQ(ambit_reserve(cx, w->to, 4, &permit), 0);
    WANT_EQ(count_up(w->turn), w->place);
    ambit_abort(&permit);
    return 0;
}

static int serve_in_order(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count handled = {0}, waiting = {0}, turn = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        ambit_actor_ref to = sink_start(cx, all, 1, &handled, NULL);
        ambit_scope (cx, line, &rc) {
            struct ambit_permit first;
            WANT_EQ(ambit_reserve(cx, to, 4, &first), 0);
            for (int64_t i = 0; i < 100; i++) {
                struct in_line w = {to, &waiting, &turn, i};
                WANT_EQ(ambit_spawn_with(line, wait_in_line, &w,
                                         .tier = AMBIT_FIBER), 0);
                WANT(until(cx, &waiting, i + 1));
                WANT_EQ(ambit_yield(cx), 0);
            }
            WANT_EQ(count_get(&turn), 0);
            ambit_abort(&first);
        }
        WANT_EQ(count_get(&turn), 100);
        WANT_EQ(ambit_actor_stop(to), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&handled), 0);
    return 0;
}

/* Goal: an abort lets in the next, in order of arrival.
 * Method: one credit, 100 waiters who each abort; each knows its place. */
Spec(MBX_CREDIT_2, waiters_are_served_in_order_and_an_abort_lets_in_the_next)
{
    spec_on_1_and_2_workers(serve_in_order);
    spec_end("MBX_CREDIT_2");
}

struct hesitant {
    ambit_actor_ref to;
    struct count *waiting, *got;
};

static int reserve_under_cancel(ambit_cx *cx, void *arg)
{
    struct hesitant *h = arg;
    struct ambit_permit permit;
    count_up(h->waiting);
    int rc = ambit_reserve(cx, h->to, 4, &permit);
    if (rc == 0) {
        count_up(h->got);
        ambit_abort(&permit);
    }
    WANT(rc == 0 || rc == -ECANCELED);
    return rc;
}

static void cancel_a_granted_waiter(ambit_cx *cx, ambit_actor_ref to, int round)
{
    struct count waiting = {0}, got = {0};
    struct ambit_permit first;
    int rc = 0;
    WANT_EQ(ambit_reserve(cx, to, 4, &first), 0);
    ambit_scope (cx, doomed, &rc) {
        struct hesitant h = {to, &waiting, &got};
        for (int i = 0; i < 3; i++) {
            WANT_EQ(ambit_spawn(doomed, reserve_under_cancel, &h), 0);
        }
        WANT(until(cx, &waiting, 3));
        for (int i = 0; i < round % 50; i++) {
            cpu_relax();
        }
        if (round % 2) {
            ambit_abort(&first); /* grants, and at once: */
            ambit_cancel(doomed, "granted and cancelled");
        } else {
            ambit_cancel(doomed, "cancelled and granted");
            ambit_abort(&first);
        }
    }
    WANT_EQ(rc, 0);
}

static int grant_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count handled = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        ambit_actor_ref to = sink_start(cx, all, 1, &handled, NULL);
        for (int round = 0; round < 3000 / SPEC_SLOWER; round++) {
            cancel_a_granted_waiter(cx, to, round);
            uint32_t taken = 77;
            WANT_EQ(ambit_actor_depth(to, &taken), 0);
            WANT_EQ(taken, 0);
        }
        WANT_EQ(ambit_send(cx, to, "ok", 2), 0);
        WANT_EQ(ambit_actor_stop(to), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&handled), 1);
    return 0;
}

/* Goal: a credit granted to one who is being cancelled is not lost.
 * Method: one credit, three waiters; grant and cancel fall together. */
Spec(MBX_CREDIT_2, a_credit_granted_to_a_cancelled_waiter_is_not_lost)
{
    spec_on_1_and_2_workers(grant_against_cancel);
    spec_end("MBX_CREDIT_2");
}

/* --- MBX-CREDIT-3 --------------------------------------------------------- */

struct forgetful {
    ambit_actor_ref to;
    struct ambit_permit *permit;
};

/* Ends between reserve and commit; the permit stays behind. */
static int reserve_and_die(ambit_cx *cx, void *arg)
{
    struct forgetful *f = arg;
    WANT_EQ(ambit_reserve(cx, f->to, 4, f->permit), 0);
    ambit_panic(cx, "between reserve and commit");
}

static int dead_permits(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count handled = {0};
    struct ambit_permit left[3];
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        ambit_actor_ref to = sink_start(cx, all, 4, &handled, NULL);
        ambit_scope (cx, dying, &rc, .policy = AMBIT_ISOLATE) {
            for (int i = 0; i < 3; i++) {
                struct forgetful f = {to, &left[i]};
                WANT_EQ(ambit_spawn(dying, reserve_and_die, &f), 0);
            }
        }
        for (int i = 0; i < 1000; i++) {
            WANT_EQ(ambit_send(cx, to, &i, sizeof i), 0);
        }
        WANT(until(cx, &handled, 1000));
        ambit_abort(&left[0]);
        memset(left[1].message, 0, 4);
        WANT_EQ(ambit_commit(&left[1]), 0);
        WANT(until(cx, &handled, 1001));
        uint32_t taken = 0;
        ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
        while (taken != 1 && ambit_now().ns < end.ns) {
            WANT_EQ(ambit_actor_depth(to, &taken), 0);
            WANT_EQ(ambit_yield(cx), 0);
        }
        WANT_EQ(taken, 1);
        ambit_abort(&left[2]);
        WANT_EQ(ambit_actor_stop(to), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a sender that dies with a permit takes one credit with it, not the
 * mailbox.  Method: three of four credits are held by the dead; 1,000 messages
 * pass through the fourth. */
Spec(MBX_CREDIT_3, a_permit_of_the_dead_holds_up_nobody)
{
    spec_on_1_and_2_workers(dead_permits);
    spec_end("MBX_CREDIT_3");
}

/* --- MBX-END-1, MBX-END-2 ------------------------------------------------- */

static int commit_after_the_end(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count handled = {0}, waiting = {0};
    struct ambit_permit early, other, late;
    ambit_actor_ref to = {0};
    int rc = 0;
    count_set(&disposed, 0);
    ambit_scope (cx, all, &rc) {
        ambit_scope (cx, short_lived, &rc) {
            to = sink_start(cx, short_lived, 4, &handled, NULL);
            WANT_EQ(ambit_reserve(cx, to, 4, &early), 0);
            WANT_EQ(ambit_reserve(cx, to, 4, &other), 0);
            WANT_EQ(ambit_actor_stop(to), 0);
        }
        WANT_EQ(ambit_reserve(cx, to, 4, &late), -EPIPE);
        WANT_EQ(ambit_try_send(to, "no", 2), -EPIPE);
        WANT_EQ(ambit_commit(&early), -EPIPE);
        WANT_EQ(count_get(&disposed), 1);
        ambit_abort(&other);
        int after = ambit_reserve(cx, to, 4, &late);
        WANT(after == -EPIPE || after == -ESTALE);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&handled) + count_get(&waiting), 0);
    return 0;
}

struct committer {
    ambit_actor_ref to;
    struct count *sent;
};

static int send_to_the_end(ambit_cx *cx, void *arg)
{
    struct committer *c = arg;
    for (;;) {
        int rc = ambit_send(cx, c->to, "message", 8);
        if (rc < 0) {
            WANT(rc == -EPIPE || rc == -ESTALE);
            count_add(c->sent, rc == -EPIPE);
            return 0;
        }
        count_up(c->sent);
    }
}

static int end_against_send(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 500 / SPEC_SLOWER; round++) {
        struct count handled = {0}, sent = {0};
        int rc = 0;
        count_set(&disposed, 0);
        ambit_scope (cx, all, &rc) {
            ambit_actor_ref to = sink_start(cx, all, 2, &handled, NULL);
            struct committer c = {to, &sent};
            WANT_EQ(ambit_spawn(all, send_to_the_end, &c), 0);
            WANT_EQ(ambit_spawn(all, send_to_the_end, &c), 0);
            WANT_EQ(ambit_sleep(cx, ambit_us(round % 50)), 0);
            WANT_EQ(ambit_actor_stop(to), 0);
        }
        WANT_EQ(rc, 0);
        int64_t ended = count_get(&handled) + count_get(&disposed);
        /* each sender's last -EPIPE may be of a commit, then it was disposed */
        WANT(ended <= count_get(&sent) && ended >= count_get(&sent) - 2);
    }
    return 0;
}

/* Goal: who sends too late is told, and the message is disposed.
 * Method: permits that outlive their actor; senders against the end. */
Spec(MBX_END_1, a_message_that_comes_after_the_end_is_disposed)
{
    spec_on_1_and_2_workers(commit_after_the_end);
    spec_on_1_and_2_workers(end_against_send);
    spec_end("MBX_END_1");
}

static int use_stale_refs(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count handled = {0};
    ambit_actor_ref old = {0}, none = {0};
    struct ambit_permit permit;
    uint32_t taken = 77;
    int rc = 0;
    ambit_scope (cx, gone, &rc) {
        old = sink_start(cx, gone, 4, &handled, NULL);
        WANT_EQ(ambit_actor_stop(old), 0);
    }
    ambit_scope (cx, others, &rc) {
        for (int i = 0; i < 50; i++) {
            ambit_actor_ref fresh = sink_start(cx, others, 4, &handled, NULL);
            const ambit_actor_ref refs[] = {old, none};
            for (int k = 0; k < 2; k++) {
                WANT_EQ(ambit_reserve(cx, refs[k], 4, &permit), -ESTALE);
                WANT_EQ(ambit_send(cx, refs[k], "x", 1), -ESTALE);
                WANT_EQ(ambit_try_send(refs[k], "x", 1), -ESTALE);
                WANT_EQ(ambit_actor_stop(refs[k]), -ESTALE);
                WANT_EQ(ambit_actor_kill(refs[k], "x"), -ESTALE);
                WANT_EQ(ambit_actor_depth(refs[k], &taken), -ESTALE);
            }
            WANT_EQ(ambit_actor_stop(fresh), 0);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(taken, 77);
    WANT_EQ(count_get(&handled), 0);
    return 0;
}

/* Goal: a ref of the past reaches nobody.
 * Method: an old ref and a zeroed one, while 50 others use the memory. */
Spec(MBX_END_2, a_stale_ref_reaches_nobody)
{
    spec_on_1_and_2_workers(use_stale_refs);
    spec_end("MBX_END_2");
}
