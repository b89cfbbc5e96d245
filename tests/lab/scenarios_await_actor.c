/* SPDX-License-Identifier: MIT */
/*
 * scenarios_await_actor.c -- poll tasks that await servers, mailboxes, rings and
 * boundaries.
 */
#include "tests/lab/scenario.h"

/* --- a server with one place, which answers twice the number --------------- */

struct twice {
    struct tally *handled;
};

static int twice_init(ambit_cx *cx, struct twice *state, const void *arg)
{
    (void)cx;
    *state = *(const struct twice *)arg;
    return 0;
}

static int handle_twice(ambit_cx *cx, struct twice *state, const int *call,
                       int *ret_reply)
{
    int rc = ambit_yield(cx);
    tally_up(state->handled);
    *ret_reply = 2 * *call;
    return rc;
}

static int handle_cast(ambit_cx *cx, struct twice *state, const int *cast)
{
    (void)cx, (void)cast;
    tally_up(state->handled);
    return 0;
}

static int twice_info(ambit_cx *cx, struct twice *state, const void *info,
                      size_t size)
{
    (void)cx, (void)info, (void)size;
    tally_up(state->handled);
    return 0;
}

AMBIT_SERVER(twice, struct twice, int, int, .limits = {.mailbox_max = 1},
             .init = twice_init, .handle_call = handle_twice,
             .handle_cast = handle_cast, .handle_info = twice_info);

struct asker {
    struct ambit_await wait;
    ambit_actor_ref server;
    struct tally *answered;
    int times, reply, letter;
};

static bool is_the_end(int rc)
{
    return is_called_off(rc) || rc == -EPIPE || rc == -EOWNERDEAD ||
           rc == -ESTALE || (rc == -ENOMEM && disturbed);
}

static int asker_step(ambit_cx *cx, void *arg)
{
    struct asker *s = arg;
    int rc = 0;
    while (s->times > 0) {
        rc = s->times % 2 == 0
                 ? twice_await_call(cx, &s->wait, s->server, &s->reply, s->times)
                 : ambit_await_actor_send(cx, &s->wait, s->server, &s->letter,
                                          sizeof s->letter);
        if (rc != 0) {
            always(rc == AMBIT_PENDING || is_the_end(rc));
            return rc;
        }
        always(s->times % 2 != 0 || s->reply == 2 * s->times);
        s->times--;
        tally_up(s->answered);
    }
    return 0;
}

static int ask_all(ambit_cx *cx, bool is_cancelled)
{
    struct tally handled = {0}, answered = {0};
    struct twice state = {&handled};
    int rc = 0;
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        struct asker asker = {.answered = &answered, .times = 2};
        int inner = twice_start(cx, s, &state, sizeof state, &asker.server);
        if (inner < 0) {
            always(disturbed);
            break;
        }
        ambit_scope (cx, askers, &inner, .policy = AMBIT_COLLECT) {
            for (int i = 0; i < 3; i++) {
                want(ambit_spawn_poll(askers, asker_step, &asker) == 0);
            }
            if (is_cancelled) {
                (void)ambit_sleep(cx, ambit_us(1));
                ambit_cancel(askers, "enough");
            }
        }
        (void)ambit_actor_stop(asker.server);
    }
    want(is_cancelled || tally_get(&answered) == 6);
    always(disturbed || tally_get(&handled) >= tally_get(&answered));
    return rc;
}

static int await_server(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ask_all(cx, false);
}

static int await_server_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ask_all(cx, true);
}

/* --- a ring with room for one ---------------------------------------------- */

struct talk {
    ambit_ring *ring;
    uint16_t to; /* where the opener runs: there a stack is to be had */
    struct tally sent, received;
};

struct end {
    struct ambit_await wait;
    struct talk *talk;
    struct ambit_ring_message message;
    int left;
};

static int speaks(ambit_cx *cx, void *arg)
{
    struct end *s = arg;
    int rc = 0;
    while (s->left > 0 &&
           (rc = ambit_await_ring_send(cx, &s->wait, s->talk->ring,
                                       s->talk->to, 1, 1)) == 0) {
        s->left--;
        tally_up(&s->talk->sent);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int hears(ambit_cx *cx, void *arg)
{
    struct end *s = arg;
    int rc;
    while ((rc = ambit_await_ring_next(cx, &s->wait, s->talk->ring,
                                       &s->message)) == 0) {
        tally_up(&s->talk->received);
    }
    return rc == -EPIPE ? 0 : rc;
}

/* Where the machines of the other worker wait nothing comes. */
static int hears_there(ambit_cx *cx, void *arg)
{
    struct talk *talk = *(struct talk **)arg;
    struct ambit_ring_message message;
    int rc;
    while ((rc = ambit_ring_next(cx, talk->ring, &message)) == 0) {
        tally_up(&talk->received);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int talk_all(ambit_cx *cx, bool is_cancelled)
{
    struct talk talk = {.ring = NULL}, *here = &talk;
    int rc = 0, inner = 0;
    /* Where nobody hears for want of memory, nobody waits to speak. */
    ambit_scope (cx, s, &rc) {
        if (ambit_ring_open(s, &talk.ring, .capacity = 1) < 0) {
            always(disturbed);
            break;
        }
        talk.to = ambit_ring_here(talk.ring);
        if (ambit_spawn_with(s, hears_there, &here, .placement = AMBIT_PINNED,
                             .worker = talk.to) < 0) {
            always(disturbed);
            break;
        }
        ambit_scope (cx, machines, &inner, .policy = AMBIT_COLLECT) {
            struct end end = {.talk = here, .left = 2};
            for (int i = 0; i < 2; i++) {
                want(ambit_spawn_poll(machines, speaks, &end) == 0);
                want(ambit_spawn_poll(s, hears, &end) == 0);
            }
            if (is_cancelled) {
                (void)ambit_sleep(cx, ambit_us(1));
                ambit_cancel(machines, "enough");
            }
        }
        (void)ambit_ring_close(talk.ring);
    }
    want(tally_get(&talk.received) == tally_get(&talk.sent));
    always(tally_get(&talk.received) <= tally_get(&talk.sent));
    want(is_cancelled || tally_get(&talk.sent) == 4);
    return rc;
}

static int await_ring(ambit_cx *cx, void *arg)
{
    (void)arg;
    return talk_all(cx, false);
}

static int await_ring_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    return talk_all(cx, true);
}

/* --- a boundary, asked from within ----------------------------------------- */

struct server {
    struct ambit_await wait;
    ambit_boundary *boundary;
    struct ambit_boundary_request request;
};

static int serves(ambit_cx *cx, void *arg)
{
    struct server *s = arg;
    int rc;
    while ((rc = ambit_await_boundary(cx, &s->wait, s->boundary,
                                      &s->request)) == 0) {
        rc = ambit_boundary_respond(&s->request, s->request.data, 1);
        always(rc == 0 || rc == -EPIPE || rc == -ECANCELED);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int await_boundary(ambit_cx *cx, void *arg)
{
    struct ambit_boundary_ticket tickets[3];
    ambit_boundary *b;
    int asked = 0, answered = 0, rc = 0;
    char reply;
    (void)arg;
    if (ambit_boundary_create(&b, .capacity = 4, .request_max = 1,
                              .reply_max = 1) < 0) {
        always(disturbed);
        return -ENOMEM;
    }
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        struct server server = {.boundary = b};
        if (ambit_boundary_serve(s, b) < 0) {
            always(disturbed);
            break;
        }
        for (int i = 0; i < 2; i++) {
            want(ambit_spawn_poll(s, serves, &server) == 0);
        }
        for (; asked < 3; asked++) {
            (void)ambit_yield(cx);
            if (ambit_boundary_try_call(b, "x", 1, ambit_never(),
                                        &tickets[asked]) < 0) {
                break;
            }
        }
        (void)ambit_sleep(cx, ambit_us(2));
        ambit_boundary_close(b);
    }
    for (int i = 0; i < asked; i++) {
        int got = ambit_boundary_try(b, tickets[i], &reply, 1);
        always(got == 1 || got == -ECANCELED || got == -EPIPE);
        answered += got == 1;
    }
    always(answered <= asked);
    ambit_boundary_unref(b);
    return rc;
}

SCENARIOS(await_actor, {"await_server", await_server, 2, CORE},
          {"await_server_against_cancel", await_server_against_cancel, 2,
           TIMED},
          {"await_ring", await_ring, 2, TIMED},
          {"await_ring_against_cancel", await_ring_against_cancel, 2, TIMED},
          {"await_boundary", await_boundary, 2, TIMED});
