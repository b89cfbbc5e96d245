/* SPDX-License-Identifier: MIT */
/*
 * scenarios_await_actor.c -- poll tasks that await servers, mailboxes, rings.
 */
#include "tests/lab/scenario.h"

enum { CAPACITY_MAX = 3 };

/* After some turns of the others, how many is drawn. */
static void cancel_some_time(ambit_cx *cx, ambit_region *region)
{
    unsigned turns = ambit_choose(8);
    while (turns-- > 0 && ambit_yield(cx) == 0) {
    }
    ambit_cancel(region, "enough");
}

/* --- a server that answers twice the number -------------------------------- */

struct twice {
    struct tally *handled; /* calls and letters, a bit for each */
};

static void was_handled(struct twice *state, int number)
{
    always((tally_get(state->handled) & 1 << number) == 0);
    tally_add(state->handled, 1 << number);
}

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
    was_handled(state, *call);
    *ret_reply = 2 * *call;
    if (*call % 2 == 0) { /* answered by hand, with a result that is no 0 */
        int sent = ambit_reply_send(ambit_reply_later(cx), 1, ret_reply,
                                    sizeof *ret_reply);
        always(sent == 0 || sent == -ESTALE);
        return AMBIT_NO_REPLY;
    }
    return rc;
}

static int twice_info(ambit_cx *cx, struct twice *state, const void *info,
                      size_t size)
{
    (void)cx;
    always(size == sizeof(int));
    was_handled(state, *(const int *)info);
    return 0;
}

AMBIT_SERVER(twice, struct twice, int, int, .init = twice_init,
             .handle_call = handle_twice, .handle_info = twice_info);

struct asker {
    struct ambit_await wait;
    ambit_actor_ref server;
    struct tally *answered; /* as handled */
    int times, number, reply;
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
                 ? twice_await_call(cx, &s->wait, s->server, &s->reply, s->number)
                 : ambit_await_actor_send(cx, &s->wait, s->server, &s->number,
                                          sizeof s->number);
        if (rc != 0) {
            always(rc == AMBIT_PENDING || is_the_end(rc));
            return rc;
        }
        always(s->times % 2 != 0 || s->reply == 2 * s->number);
        s->times--;
        tally_add(s->answered, 1 << s->number++);
    }
    return 0;
}

static int ask_all(ambit_cx *cx, bool is_cancelled)
{
    struct tally handled = {0}, answered = {0};
    struct twice state = {&handled};
    const struct ambit_server_limits limits = {
        .mailbox_max = 1 + ambit_choose(CAPACITY_MAX)};
    struct ambit_server_type type = twice_type;
    int rc = 0;
    type.limits = &limits;
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        struct asker asker = {.answered = &answered, .times = 3};
        int inner = ambit_server_start(cx, s, &type, &state, sizeof state,
                                       &asker.server);
        if (inner < 0) {
            always(disturbed);
            break;
        }
        ambit_scope (cx, askers, &inner, .policy = AMBIT_COLLECT) {
            for (int i = 0; i < 3; i++, asker.number += asker.times) {
                want(ambit_spawn_poll(askers, asker_step, &asker) == 0);
            }
            if (is_cancelled) {
                cancel_some_time(cx, askers);
            }
        }
        (void)ambit_actor_stop(asker.server);
    }
    want((tally_get(&answered) & ~tally_get(&handled)) == 0);
    want(is_cancelled || tally_get(&answered) == (1 << 9) - 1);
    want(is_cancelled || tally_get(&handled) == (1 << 9) - 1);
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

/* --- a ring ---------------------------------------------------------- */

struct talk {
    ambit_ring *ring;
    unsigned to; /* where the scenario runs: a stack is to be had there */
    struct tally sent, received;
};

struct end {
    struct ambit_await wait;
    struct talk *talk;
    struct ambit_ring_message message;
    int left, number;
};

static int speaks(ambit_cx *cx, void *arg)
{
    struct end *s = arg;
    int rc = 0;
    while (s->left > 0 &&
           (rc = ambit_await_ring_send(cx, &s->wait, s->talk->ring,
                                       s->talk->to, 1,
                                       1ull << s->number)) == 0) {
        s->left--;
        tally_add(&s->talk->sent, 1 << s->number++);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int hears(ambit_cx *cx, void *arg)
{
    struct end *s = arg;
    int rc;
    while ((rc = ambit_await_ring_next(cx, &s->wait, s->talk->ring,
                                       &s->message)) == 0) {
        tally_add(&s->talk->received, (int64_t)s->message.value);
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
        tally_add(&talk->received, (int64_t)message.value);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int talk_all(ambit_cx *cx, bool is_cancelled)
{
    struct talk talk = {.ring = NULL}, *here = &talk;
    uint32_t capacity = 1 + ambit_choose(CAPACITY_MAX);
    int rc = 0, inner = 0;
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        if (ambit_ring_open(s, &talk.ring, .capacity = capacity) < 0) {
            always(disturbed);
            break;
        }
        talk.to = ambit_ring_here(talk.ring);
        if (ambit_spawn_with(s, hears_there, &here, .tier = AMBIT_FIBER) < 0) {
            always(disturbed); /* somebody would wait for ever */
            break;
        }
        ambit_scope (cx, machines, &inner, .policy = AMBIT_COLLECT) {
            struct end end = {.talk = here, .left = 3};
            for (int i = 0; i < 2; i++, end.number += end.left) {
                want(ambit_spawn_poll(machines, speaks, &end) == 0);
                want(ambit_spawn_poll(s, hears, &end) == 0);
            }
            if (is_cancelled) {
                cancel_some_time(cx, machines);
            }
        }
        (void)ambit_ring_close(talk.ring);
    }
    want(tally_get(&talk.received) == tally_get(&talk.sent));
    always((tally_get(&talk.received) & ~tally_get(&talk.sent)) == 0);
    want(is_cancelled || tally_get(&talk.sent) == (1 << 6) - 1);
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

SCENARIOS(await_actor,
          {"await_server", await_server, 2, CORE,
           "AWAIT-CALL-1"},
          {"await_server_against_cancel", await_server_against_cancel, 2, TIMED,
           "AWAIT-CALL-1 AWAIT-CALL-2"},
          {"await_ring", await_ring, 2, TIMED,
           "AWAIT-RING-1"},
          {"await_ring_against_cancel", await_ring_against_cancel, 2, TIMED,
           "AWAIT-RING-1 AWAIT-RING-2"});
