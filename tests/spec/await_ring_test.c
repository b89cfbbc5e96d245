/* SPDX-License-Identifier: MIT */
/*
 * await_ring_test.c -- poll tasks at a ring, and at a boundary.
 */
#include "tests/spec/doubles.h"

/* --- a ring ---------------------------------------------------------------- */

enum { HOT = 7, COUNTED = 9, ROUNDS = 300 };

struct talk {
    ambit_ring *ring;
    struct count sent, received, count, senders;
};

struct speaker {
    struct ambit_await wait;
    struct talk *talk;
    unsigned to, workers;
    uint16_t tag;
    int left;
};

static int speaker_step(ambit_cx *cx, void *state)
{
    struct speaker *s = state;
    int rc = 0;
    while (s->left > 0 &&
           (rc = ambit_await_ring_send(cx, &s->wait, s->talk->ring, s->to,
                                       s->tag, (uint64_t)s->left)) == 0) {
        count_add(&s->talk->sent, s->left--);
        s->to = (s->to + 1) % s->workers;
    }
    if (rc == AMBIT_PENDING) {
        return rc;
    }
    WANT_EQ(rc, 0);
    count_up(&s->talk->senders);
    return 0;
}

struct listener {
    struct ambit_await wait;
    struct talk *talk;
    struct ambit_ring_message message;
    uint64_t sum;
    uint16_t tag;
};

static int listen(ambit_cx *cx, struct listener *s)
{
    ambit_ring *ring = s->talk->ring;
    int rc = s->tag == HOT ? ambit_await_ring_next_hot(cx, &s->wait, ring,
                                                       &s->message)
             : s->tag == COUNTED
                 ? ambit_await_ring_next_count(cx, &s->wait, ring, COUNTED,
                                               &s->sum)
                 : ambit_await_ring_next(cx, &s->wait, ring, &s->message);
    if (rc == 0 && s->tag != COUNTED) {
        WANT_EQ(s->message.tag, s->tag);
        s->sum = s->message.value;
    }
    return rc;
}

static int listener_step(ambit_cx *cx, void *state)
{
    struct listener *s = state;
    int rc;
    while ((rc = listen(cx, s)) == 0) {
        WANT(s->sum > 0);
        count_add(&s->talk->received, (int64_t)s->sum);
    }
    WANT(rc == AMBIT_PENDING || rc == -EPIPE);
    return rc == -EPIPE ? 0 : rc;
}

/* So that each worker has somebody who takes what comes there. */
static int listens_as_fiber(ambit_cx *cx, void *arg)
{
    struct talk *talk = *(struct talk **)arg;
    struct ambit_ring_message message;
    int rc;
    while ((rc = ambit_ring_next(cx, talk->ring, &message)) == 0) {
        count_add(&talk->received, (int64_t)message.value);
    }
    WANT_EQ(rc, -EPIPE);
    return 0;
}

static void spawn_speakers(ambit_region *region, struct talk *talk,
                           unsigned workers, uint16_t tag, int how_many)
{
    struct speaker speaker = {.talk = talk, .workers = workers, .tag = tag,
                              .left = ROUNDS};
    for (int i = 0; i < how_many; i++) {
        WANT_EQ(ambit_spawn_poll(region, speaker_step, &speaker), 0);
    }
}

static int talk_on_one(ambit_cx *cx, void *arg)
{
    const uint16_t hot = HOT, counted = COUNTED;
    struct talk talk = {.ring = NULL};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, region, &rc) {
        WANT_EQ(ambit_ring_open(region, &talk.ring, .capacity = 1, .hot = &hot,
                                .hot_len = 1, .counted = &counted,
                                .counted_len = 1), 0);
        for (int i = 0; i < 9; i++) {
            struct listener listener = {
                .talk = &talk, .tag = i < 3 ? 1 : i < 6 ? HOT : COUNTED};
            WANT_EQ(ambit_spawn_poll(region, listener_step, &listener), 0);
        }
        spawn_speakers(region, &talk, 1, 1, 3);
        spawn_speakers(region, &talk, 1, HOT, 3);
        spawn_speakers(region, &talk, 1, COUNTED, 3);
        WANT(until(cx, &talk.senders, 9));
        WANT_EQ(ambit_ring_close(talk.ring), 0);
    }
    WANT_EQ(count_get(&talk.sent), 9 * ROUNDS * (ROUNDS + 1) / 2);
    WANT_EQ(count_get(&talk.received), count_get(&talk.sent));
    return rc;
}

static int talk_on_two(ambit_cx *cx, void *arg)
{
    struct talk talk = {.ring = NULL}, *here = &talk;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, region, &rc) {
        WANT_EQ(ambit_ring_open(region, &talk.ring, .capacity = 2), 0);
        for (unsigned i = 0; i < 2; i++) {
            WANT_EQ(ambit_spawn_with(region, listens_as_fiber, &here,
                                     .placement = AMBIT_PINNED, .worker = i),
                    0);
        }
        for (int i = 0; i < 4; i++) {
            struct listener listener = {.talk = here, .tag = 1};
            WANT_EQ(ambit_spawn_poll(region, listener_step, &listener), 0);
        }
        spawn_speakers(region, here, 2, 1, 6);
        WANT(until(cx, &talk.senders, 6));
        WANT_EQ(ambit_ring_close(talk.ring), 0);
    }
    WANT_EQ(count_get(&talk.sent), 6 * ROUNDS * (ROUNDS + 1) / 2);
    WANT_EQ(count_get(&talk.received), count_get(&talk.sent));
    return rc;
}

/* Goal: nothing is lost or doubled.  Method: machines that send and machines
 * that receive, for messages, hot ones and a count, through room for one; on two
 * workers with fibers among them; the sums are equal. */
Spec(AWAIT_RING_1, machines_talk_over_a_ring)
{
    spec_on(1, talk_on_one);
    spec_on(2, talk_on_two);
    spec_end("AWAIT_RING_1");
}

/* --- called off from another worker ---------------------------------------- */

enum end { CANCELLED, DROPPED, GRANTED };

struct far {
    ambit_ring *ring;
    struct count begun, coming, ended, started, open;
    ambit_waker waker;
    enum end end;
    bool sends;
    unsigned at, to;
};

struct machine {
    struct ambit_await wait;
    struct far *far;
    struct ambit_ring_message message;
    uint64_t sent;
    int step;
};

static int far_look(ambit_cx *cx, struct machine *s)
{
    struct far *far = s->far;
    int rc;
    if (!far->sends) {
        return ambit_await_ring_next(cx, &s->wait, far->ring, &s->message);
    }
    do {
        rc = ambit_await_ring_send(cx, &s->wait, far->ring, far->to, 1,
                                   s->sent);
    } while (rc == 0 && ++s->sent < 2);
    return rc;
}

static int far_step(ambit_cx *cx, void *state)
{
    struct machine *s = state;
    struct far *far = s->far;
    bool drops = far->end == DROPPED && s->step > 0;
    int rc = drops ? ambit_await_drop(&s->wait) : far_look(cx, s);
    if (rc == AMBIT_PENDING) {
        if (s->step++ > 0) {
            count_up(&far->coming);
            return rc;
        }
        far->at = ambit_ring_here(far->ring);
        far->waker = ambit_cx_waker(cx);
        count_up(&far->begun);
        return rc;
    }
    WANT_EQ(rc, far->end == CANCELLED ? -ECANCELED : 0);
    if (far->end == GRANTED && !far->sends) {
        WANT_EQ(s->message.value, 5);
    }
    count_up(&far->ended);
    return rc;
}

static int keeps_busy(ambit_cx *cx, void *arg)
{
    struct far *far = *(struct far **)arg;
    (void)cx;
    count_up(&far->started);
    WANT(spin_until(&far->open, 1));
    return 0;
}

/* Here: the step that calls it off is here, too. */
static int lets_go(ambit_cx *cx, void *arg)
{
    struct far *far = *(struct far **)arg;
    WANT(until(cx, &far->coming, 1));
    WANT_EQ(count_get(&far->ended), 0);
    count_up(&far->open);
    return 0;
}

/* What the wait waits for comes just before the cancel. */
static void grant(ambit_cx *cx, struct far *far)
{
    struct ambit_ring_message message;
    if (!far->sends) {
        WANT_EQ(ambit_ring_try_send_direct(far->ring, far->at, 1, 5), 0);
        return;
    }
    let_others_run(cx); /* room has been asked for */
    WANT_EQ(ambit_ring_try_next(far->ring, &message), 0);
    WANT_EQ(message.value, 0);
}

static void look_after_it(ambit_cx *cx, struct far *far)
{
    struct ambit_ring_message message;
    let_others_run(cx);
    if (!far->sends) {
        return;
    }
    if (far->end == GRANTED) {
        WANT_EQ(ambit_ring_next(cx, far->ring, &message), 0);
        WANT_EQ(message.value, 1);
    } else {
        WANT_EQ(ambit_ring_try_next(far->ring, &message), 0);
        WANT_EQ(message.value, 0);
        let_others_run(cx);
    }
    WANT_EQ(ambit_ring_try_next(far->ring, &message), -EAGAIN);
}

static int call_off_from_afar(ambit_cx *cx, void *arg)
{
    struct far far = *(struct far *)arg, *here = &far;
    int rc = 0, inner = 0;
    ambit_scope (cx, region, &rc) {
        WANT_EQ(ambit_ring_open(region, &far.ring, .capacity = 1), 0);
        far.to = ambit_ring_here(far.ring);
        ambit_scope (cx, machines, &inner) {
            struct machine machine = {.far = here};
            WANT_EQ(ambit_spawn_poll(machines, far_step, &machine), 0);
            WANT(spin_until(&far.begun, 1)); /* we are busy: elsewhere */
            WANT(far.at != far.to);
            spawn_elsewhere(region, keeps_busy, &here, &far.started);
            WANT_EQ(ambit_spawn_with(region, lets_go, &here,
                                     .tier = AMBIT_FIBER), 0);
            if (far.end == GRANTED) {
                grant(cx, here);
            }
            if (far.end == DROPPED) {
                WANT_EQ(ambit_wake(far.waker), 0);
            } else {
                ambit_cancel(machines, "enough");
            }
        }
        WANT_EQ(count_get(&far.ended), 1);
        look_after_it(cx, here);
    }
    return rc;
}

/* Goal: a wait is called off by the worker it stands on.  Method: a machine that
 * began to receive, or to send, on the other worker is cancelled, or drops it,
 * here, while the other one is busy: it is still pending; then it has had no
 * effect, or has what had been given to it before. */
Spec(AWAIT_RING_2, a_wait_is_called_off_where_it_stands)
{
    for (int i = 0; i < 6; i++) {
        struct far far = {.end = (enum end)(i / 2), .sends = i % 2 == 1};
        WANT_EQ(spec_run(call_off_from_afar, &far, .workers = 2), 0);
    }
    spec_end("AWAIT_RING_2");
}

/* --- a boundary ------------------------------------------------------------ */

struct server {
    struct ambit_await wait;
    ambit_boundary *boundary;
    struct ambit_boundary_request request;
    struct count *begun, *ended;
    int step;
    bool panics;
};

static int server_step(ambit_cx *cx, void *state)
{
    struct server *s = state;
    int rc;
    if (s->panics && s->step > 0) {
        ambit_panic(cx, "without a look");
    }
    while ((rc = ambit_await_boundary(cx, &s->wait, s->boundary,
                                      &s->request)) == 0) {
        int64_t value = 0;
        memcpy(&value, s->request.data, sizeof(int));
        value *= 2;
        WANT_EQ(ambit_boundary_respond(&s->request, &value, sizeof value), 0);
    }
    if (rc == AMBIT_PENDING) {
        if (s->step++ == 0) {
            count_up(s->begun);
        }
        return rc;
    }
    count_up(s->ended);
    return rc == -EPIPE ? 0 : rc;
}

static int answers(ambit_boundary *b, struct ambit_boundary_ticket ticket,
                   ambit_cx *cx, int64_t *ret_reply)
{
    int rc;
    while ((rc = ambit_boundary_try(b, ticket, ret_reply,
                                    sizeof *ret_reply)) == -EAGAIN) {
        (void)ambit_yield(cx);
    }
    return rc;
}

static int serve_as_machines(ambit_cx *cx, void *arg)
{
    struct count begun = {0}, ended = {0};
    struct ambit_boundary_ticket tickets[8];
    ambit_boundary *b = make(8);
    int rc = 0, inner = 0;
    int64_t reply = 0;
    (void)arg;
    ambit_scope (cx, region, &rc) {
        struct server server = {.boundary = b, .begun = &begun,
                                .ended = &ended};
        WANT_EQ(ambit_boundary_serve(region, b), 0);
        ambit_scope (cx, called_off, &inner) {
            WANT_EQ(ambit_spawn_poll(called_off, server_step, &server), 0);
            WANT(until(cx, &begun, 1));
            WANT_EQ(stats_of(b).receivers, 1);
            ambit_cancel(called_off, "enough");
        }
        WANT_EQ(stats_of(b).receivers, 0);
        for (int i = 0; i < 3; i++) {
            WANT_EQ(ambit_spawn_poll(region, server_step, &server), 0);
        }
        WANT_EQ(ambit_spawn(region, serve_doubles, &b), 0);
        for (int round = 0; round < 50; round++) {
            for (int i = 0; i < 8; i++) {
                tickets[i] = ask(b, 10 * round + i, ambit_never());
            }
            for (int i = 0; i < 8; i++) {
                WANT_EQ(answers(b, tickets[i], cx, &reply), sizeof reply);
                WANT_EQ(reply, 20 * round + 2 * i);
            }
        }
        ambit_boundary_unref(b); /* nobody will ask */
        WANT(until(cx, &ended, 4));
    }
    return rc;
}

/* Goal: machines serve a boundary.  Method: one that is cancelled as it waits,
 * then some of them and a fiber, asked many times, until nobody asks. */
Spec(AWAIT_BND_1, machines_serve_a_boundary)
{
    spec_on_1_and_2_workers(serve_as_machines);
    spec_end("AWAIT_BND_1");
}

static int panic_with_a_request(ambit_cx *cx, void *arg)
{
    struct count begun = {0}, ended = {0};
    ambit_boundary *b = make(1);
    int rc = 0;
    int64_t reply = 0;
    (void)arg;
    ambit_scope (cx, region, &rc, .policy = AMBIT_ISOLATE) {
        struct server server = {.boundary = b, .begun = &begun,
                                .ended = &ended, .panics = true};
        WANT_EQ(ambit_boundary_serve(region, b), 0);
        WANT_EQ(ambit_spawn_poll(region, server_step, &server), 0);
        WANT(until(cx, &begun, 1));
        struct ambit_boundary_ticket ticket = ask(b, 1, ambit_never());
        WANT_EQ(answers(b, ticket, cx, &reply), -ECANCELED);
        WANT_EQ(stats_of(b).held, 0);
    }
    ambit_boundary_unref(b);
    return rc;
}

/* Goal: no client waits for a machine that is gone.  Method: a machine panics in
 * the step that the request brought about. */
Spec(AWAIT_BND_2, a_request_does_not_vanish_with_a_panic)
{
    spec_on_1_and_2_workers(panic_with_a_request);
    spec_end("AWAIT_BND_2");
}
