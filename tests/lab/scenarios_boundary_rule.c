/* SPDX-License-Identifier: MIT */
/*
 * scenarios_boundary_rule.c -- a boundary, rule by rule: full, resolved by several
 * at once, too late, left to the end of a scope or of a task.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

static struct ambit_boundary_stats stats_of(ambit_boundary *b)
{
    struct ambit_boundary_stats stats;
    ambit_boundary_stats(b, &stats);
    return stats;
}

/* Of numbers; NULL where there is no memory. */
static ambit_boundary *make(uint32_t capacity)
{
    ambit_boundary *b = NULL;
    int rc = ambit_boundary_create(&b, .capacity = capacity,
                                   .request_max = sizeof(int),
                                   .reply_max = sizeof(int));
    want(rc == 0);
    return b;
}

static int ask(ambit_boundary *b, int value, ambit_time deadline,
               struct ambit_boundary_ticket *ret_ticket)
{
    return ambit_boundary_try_call(b, &value, sizeof value, deadline,
                                   ret_ticket);
}

static int look(ambit_boundary *b, struct ambit_boundary_ticket ticket,
                int *ret_reply)
{
    return ambit_boundary_try(b, ticket, ret_reply, sizeof *ret_reply);
}

static int respond(const struct ambit_boundary_request *request, int value)
{
    return ambit_boundary_respond(request, &value, sizeof value);
}

/* The answer, or why there is none; -EAGAIN when the scope was cancelled. */
static int await_answer(ambit_cx *cx, ambit_boundary *b,
                        struct ambit_boundary_ticket ticket, int *ret_reply)
{
    int rc;
    while ((rc = look(b, ticket, ret_reply)) == -EAGAIN &&
           ambit_yield(cx) == 0) {
    }
    return rc;
}

/* --- full ------------------------------------------------------------------- */

enum { CAPACITY_MAX = 3 };

AMBIT_ASYNC_STATE(doubles, 1, (struct ambit_await, wait),
                  (ambit_boundary *, boundary),
                  (struct ambit_boundary_request, request));

static int doubles(ambit_cx *cx, void *arg)
{
    struct doubles *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(doubles, 1, s);
    for (;;) {
        AMBIT_AWAIT(1, rc, ambit_await_boundary(cx, &s->wait, s->boundary,
                                                &s->request));
        if (rc < 0) {
            AMBIT_ASYNC_RETURN(rc == -EPIPE ? 0 : rc);
        }
        rc = respond(&s->request, 2 * *(const int *)s->request.data);
        always(rc == 0 || rc == -EPIPE);
    }
    AMBIT_ASYNC_END(0);
}

/* None finds a place but for what is collected, whatever the server does: it
 * was refused at once, and has changed nothing. */
static void is_full(ambit_boundary *b)
{
    struct ambit_boundary_ticket ticket = {77, 78};
    uint64_t before = stats_of(b).overloaded;
    always(ask(b, 9, ambit_never(), &ticket) == -EAGAIN);
    always(ticket.slot_ == 77 && ticket.generation_ == 78);
    always(stats_of(b).overloaded == before + 1);
}

static void fill_and_empty(ambit_cx *cx, ambit_boundary *b, uint32_t capacity)
{
    struct ambit_boundary_ticket tickets[CAPACITY_MAX];
    for (uint32_t i = 0; i < capacity; i++) {
        always(ask(b, (int)i, ambit_never(), &tickets[i]) == 0);
    }
    is_full(b);
    for (uint32_t i = 0; i < capacity; i++) {
        int reply = -1;
        int rc = await_answer(cx, b, tickets[i], &reply);
        want(rc == sizeof reply);
        always(rc < 0 || reply == 2 * (int)i);
        if (rc > 0) {
            always(ask(b, 5, ambit_never(), &tickets[i]) == 0);
            is_full(b);
        }
    }
}

static int boundary_full(ambit_cx *cx, void *arg)
{
    uint32_t capacity = 1 + ambit_choose(CAPACITY_MAX);
    ambit_boundary *b = make(capacity);
    int rc = 0;
    (void)arg;
    if (b == NULL) {
        return 0;
    }
    ambit_scope (cx, s, &rc) {
        struct doubles state = {.boundary = b};
        if (ambit_boundary_serve(s, b) < 0 ||
            ambit_spawn_poll(s, doubles, &state) < 0) {
            ambit_cancel(s, "nobody would answer");
        }
        fill_and_empty(cx, b, capacity);
        ambit_boundary_close(b);
    }
    want(rc == 0 && stats_of(b).overloaded == 1 + capacity);
    always(stats_of(b).held == 0 && stats_of(b).queued == 0);
    ambit_boundary_unref(b);
    return rc;
}

/* --- resolved once ----------------------------------------------------------- */

struct race {
    struct ambit_boundary_request request;
    struct tally *won, *answer; /* the sum of those who won */
    int value;                  /* 0: refuses it */
};

static int resolves(ambit_cx *cx, void *arg)
{
    struct race *race = arg;
    (void)cx;
    int rc = race->value != 0 ? respond(&race->request, race->value)
                              : ambit_boundary_refuse(&race->request, -EDOM);
    always(rc == 0 || rc == -EALREADY);
    if (rc == 0) {
        tally_up(race->won);
        tally_add(race->answer, race->value);
    }
    return 0;
}

/* Several tasks, and the close of the scope that received it. */
static void race_for(ambit_cx *cx, ambit_region *region, struct race *race,
                     ambit_boundary *b)
{
    int rc = 0;
    ambit_scope (cx, holder, &rc) {
        int received = ambit_boundary_receive(cx, b, &race->request);
        always(received == 0 || is_called_off(received));
        if (received < 0) {
            break;
        }
        for (race->value = 0; race->value < 3; race->value++) {
            want(ambit_spawn(region, resolves, race) == 0);
        }
        if (ambit_choose(2)) {
            (void)ambit_yield(cx);
        }
    }
}

static int told_as_the_winner(ambit_boundary *b,
                              struct ambit_boundary_ticket ticket,
                              struct tally *won, struct tally *answer)
{
    int reply = 0;
    int rc = look(b, ticket, &reply);
    always(tally_get(won) <= 1);
    if (rc == sizeof reply) {
        always(tally_get(won) == 1 && reply == tally_get(answer));
    } else if (rc == -EDOM) {
        always(tally_get(won) == 1 && tally_get(answer) == 0);
    } else {
        always(tally_get(won) == 0);
        want(rc == -ECANCELED);
    }
    return rc;
}

/* A handle of before is good for nothing, whoever has the place now. */
static void is_stale(ambit_cx *cx, ambit_boundary *b,
                     const struct ambit_boundary_request *old)
{
    struct ambit_boundary_ticket ticket;
    struct ambit_boundary_request request;
    int reply = 0;
    always(ask(b, 8, ambit_never(), &ticket) == 0);
    if (ambit_boundary_receive(cx, b, &request) == 0) {
        always(respond(old, 1) == -EALREADY);
        always(respond(&request, 16) == 0);
        always(respond(&request, 1) == -EALREADY);
        always(look(b, ticket, &reply) == sizeof reply && reply == 16);
        always(look(b, ticket, &reply) == -ESTALE);
    }
}

static int boundary_one_winner(ambit_cx *cx, void *arg)
{
    struct tally won = {0}, answer = {0};
    struct race race = {.won = &won, .answer = &answer};
    struct ambit_boundary_ticket ticket;
    ambit_boundary *b = make(1);
    int rc = 0, inner = 0, told = -EAGAIN;
    (void)arg;
    if (b == NULL) {
        return 0;
    }
    ambit_scope (cx, s, &rc) {
        if (ambit_boundary_serve(s, b) < 0) {
            want(false);
            break;
        }
        always(ask(b, 1, ambit_never(), &ticket) == 0);
        ambit_scope (cx, racers, &inner) {
            race_for(cx, racers, &race, b);
        }
        told = told_as_the_winner(b, ticket, &won, &answer);
        if (told != -EAGAIN) {
            is_stale(cx, b, &race.request);
        }
    }
    ambit_observe(told);
    want(rc == 0 && stats_of(b).answered + stats_of(b).cancelled == 2);
    ambit_boundary_unref(b);
    return 0;
}

/* --- too late ---------------------------------------------------------------- */

struct hurry {
    ambit_boundary *b;
    struct tally answered, late, asked;
};

/* On a thread of the pool. */
static int waits_some_time(ambit_cx *cx, void *arg)
{
    struct hurry *hurry = *(struct hurry **)arg;
    int value = 4, reply = 0;
    (void)cx;
    int rc = ambit_boundary_call(hurry->b, &value, sizeof value,
                                 ambit_after(ambit_us(2)), &reply,
                                 sizeof reply);
    always(rc == sizeof reply || rc == -ETIMEDOUT ||
           (disturbed && (rc == -EPIPE || rc == -ECANCELED)));
    always(rc < 0 || reply == 8);
    tally_add(&hurry->answered, rc > 0);
    tally_add(&hurry->late, rc == -ETIMEDOUT);
    tally_up(&hurry->asked);
    return 0;
}

/* Answers in time, or too late; 0 and -ETIMEDOUT are what the client is told. */
static void answer_some_time(ambit_cx *cx, struct hurry *hurry)
{
    struct ambit_boundary_request request;
    int rc = ambit_boundary_receive(cx, hurry->b, &request);
    if (rc < 0) { /* the deadline came first, and then the close */
        always(rc == -EPIPE || is_called_off(rc));
        return;
    }
    for (unsigned n = ambit_choose(4); n > 0; n--) {
        (void)ambit_sleep(cx, ambit_us(1));
    }
    rc = respond(&request, 8);
    while (tally_get(&hurry->asked) == 0 && ambit_sleep(cx, ambit_us(1)) == 0) {
    }
    want(tally_get(&hurry->asked) == 1);
    always(rc == 0 || rc == -ETIMEDOUT || (disturbed && rc == -EPIPE));
    want((rc == 0) == (tally_get(&hurry->answered) == 1));
    want((rc == -ETIMEDOUT) == (tally_get(&hurry->late) == 1));
}

static int closes_in_time(ambit_cx *cx, void *arg)
{
    struct hurry *hurry = *(struct hurry **)arg;
    int rc = ambit_sleep(cx, ambit_us(20));
    ambit_boundary_close(hurry->b);
    return rc;
}

static int boundary_late(ambit_cx *cx, void *arg)
{
    struct hurry hurry = {.b = make(1)}, *here = &hurry;
    int rc = 0, inner = 0;
    (void)arg;
    if (hurry.b == NULL) {
        return 0;
    }
    ambit_scope (cx, outer, &rc) {
        bool asks = ambit_spawn_with(outer, waits_some_time, &here,
                                     .tier = AMBIT_BLOCKING) == 0;
        want(asks);
        ambit_scope (cx, s, &inner) {
            if (asks && ambit_boundary_serve(s, hurry.b) == 0 &&
                ambit_spawn(s, closes_in_time, &here) == 0) {
                answer_some_time(cx, &hurry);
            }
        }
        ambit_boundary_close(hurry.b);
    }
    want(rc == 0 && inner == 0);
    want(stats_of(hurry.b).answered + stats_of(hurry.b).timed_out == 1);
    want((int64_t)stats_of(hurry.b).timed_out == tally_get(&hurry.late));
    ambit_boundary_unref(hurry.b);
    return 0;
}

/* Those whose time has passed are not received: they are told so, in between. */
static int boundary_passed_over(ambit_cx *cx, void *arg)
{
    struct ambit_boundary_ticket late, good, held;
    struct ambit_boundary_request request;
    ambit_boundary *b = make(3);
    int rc = 0, reply = 0;
    (void)arg;
    if (b == NULL) {
        return 0;
    }
    ambit_scope (cx, s, &rc) {
        ambit_time soon = ambit_after(ambit_us(3));
        if (ambit_boundary_serve(s, b) < 0 ||
            ask(b, 1, soon, &held) < 0 ||
            ambit_boundary_receive(cx, b, &request) < 0) {
            always(disturbed);
            break;
        }
        int asked = ask(b, 2, soon, &late);
        want(asked == 0);
        always(ask(b, 3, ambit_never(), &good) == 0);
        if (asked < 0 || ambit_sleep(cx, ambit_us(4)) < 0) {
            always(disturbed);
            break;
        }
        always(respond(&request, 2) == -ETIMEDOUT);
        always(look(b, held, &reply) == -ETIMEDOUT);
        if (ambit_boundary_receive(cx, b, &request) == 0) {
            always(*(const int *)request.data == 3);
            always(look(b, late, &reply) == -ETIMEDOUT);
            always(respond(&request, 6) == 0);
            always(look(b, good, &reply) == sizeof reply && reply == 6);
        }
        want(stats_of(b).timed_out == 2 && stats_of(b).answered == 1);
    }
    want(rc == 0);
    ambit_boundary_unref(b);
    return rc;
}

/* --- left -------------------------------------------------------------------- */

struct leaver {
    ambit_boundary *b;
    struct tally *received;
    bool panics;
};

/* Its own scope, or its task, ends with what it was given. */
static int leaves_it(ambit_cx *cx, void *arg)
{
    struct leaver *leaver = arg;
    struct ambit_boundary_request request;
    int rc = 0, received = -ECANCELED;
    ambit_scope (cx, s, &rc) {
        received = ambit_boundary_receive(cx, leaver->b, &request);
        if (received == 0) {
            tally_up(leaver->received);
        }
        if (received == 0 && leaver->panics) {
            ambit_panic(cx, "with a request in its hands");
        }
    }
    always(received < 0 || respond(&request, 1) == -EALREADY);
    return rc < 0 ? rc : received;
}

static int boundary_left(ambit_cx *cx, void *arg)
{
    struct tally received = {0};
    struct leaver leaver = {make(1), &received, ambit_choose(2)};
    struct ambit_boundary_ticket ticket;
    int rc = 0, inner = 0, reply = 0;
    (void)arg;
    if (leaver.b == NULL) {
        return 0;
    }
    ambit_scope (cx, s, &rc) {
        if (ambit_boundary_serve(s, leaver.b) < 0) {
            always(disturbed);
            break;
        }
        ambit_scope (cx, away, &inner, .policy = AMBIT_ISOLATE) {
            int spawned = ambit_spawn(away, leaves_it, &leaver);
            want(spawned == 0);
            if (ambit_choose(2)) {
                (void)ambit_yield(cx);
            }
            always(ask(leaver.b, 1, ambit_never(), &ticket) == 0);
        }
        /* By the end of that scope, not only of the boundary's. */
        always(look(leaver.b, ticket, &reply) ==
               (tally_get(&received) == 1 ? -ECANCELED : -EAGAIN));
        always(stats_of(leaver.b).held == 0);
    }
    want(rc == 0 && stats_of(leaver.b).cancelled == 1);
    ambit_boundary_unref(leaver.b);
    return rc;
}

SCENARIOS(boundary_rule,
          {"boundary_full", boundary_full, 2, CORE,
           "BND-BOUND-1 BND-FULL-1"},
          {"boundary_one_winner", boundary_one_winner, 2, CORE | TIMED,
           "BND-ONCE-1"},
          {"boundary_late", boundary_late, 2, STACKS | TIMED,
           "BND-LATE-1"},
          {"boundary_passed_over", boundary_passed_over, 1, CORE | TIMED,
           "BND-LATE-1"},
          {"boundary_left", boundary_left, 2, CORE,
           "BND-DROP-1"});
