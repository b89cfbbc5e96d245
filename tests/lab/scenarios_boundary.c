/* SPDX-License-Identifier: MIT */
/*
 * scenarios_boundary.c -- threads that ask, tasks that answer.
 *
 * The clients are tasks of the blocking tier, which run on threads of the pool.
 * Whatever happens: an answer is the one to the question; nothing is left held
 * or queued; nobody waits for ever.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

#define CALLS 2

static int doubles(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = *(ambit_boundary **)arg;
    struct ambit_boundary_request request;
    int rc;
    while ((rc = ambit_boundary_receive(cx, b, &request)) == 0) {
        int value = 2 * *(const int *)request.data;
        int told = ambit_boundary_respond(&request, &value, sizeof value);
        always(told == 0 || told == -EPIPE);
    }
    always(rc == -EPIPE || is_called_off(rc));
    return rc == -EPIPE ? 0 : rc;
}

static int calls(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = *(ambit_boundary **)arg;
    int rc = 0;
    (void)cx;
    for (int i = 1; i <= CALLS && rc >= 0; i++) {
        int reply = 0;
        rc = ambit_boundary_call(b, &i, sizeof i, ambit_never(), &reply,
                                 sizeof reply);
        always(rc < 0 || (rc == sizeof reply && reply == 2 * i));
        always(rc > 0 || rc == -EPIPE || rc == -ECANCELED);
    }
    return 0;
}

/* After the close, which is the region's where one served. */
static void nothing_is_left(ambit_boundary *b)
{
    struct ambit_boundary_stats stats;
    ambit_boundary_close(b);
    ambit_boundary_stats(b, &stats);
    always(stats.queued == 0 && stats.held == 0 && stats.receivers == 0);
    ambit_boundary_unref(b);
}

/* One place, two clients: the second waits for it; then the door is shut. */
static int two_clients(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = NULL;
    int rc = 0;
    (void)arg;
    if (ambit_boundary_create(&b, .capacity = 1) < 0) {
        return 0;
    }
    ambit_scope (cx, outer, &rc) {
        bool started = true;
        for (int i = 0; i < 2; i++) {
            started &= ambit_spawn_with(outer, calls, &b,
                                        .tier = AMBIT_BLOCKING) == 0;
        }
        ambit_scope (cx, s, &rc) {
            if (ambit_boundary_serve(s, b) < 0) {
                ambit_boundary_close(b);
            } else if (ambit_spawn(s, doubles, &b) < 0 || !started) {
                ambit_cancel(s, "nobody would answer");
            }
            (void)ambit_yield(cx);
            (void)ambit_yield(cx);
            ambit_cancel(s, "enough");
        }
        ambit_boundary_close(b);
    }
    nothing_is_left(b);
    return rc;
}

struct once {
    ambit_boundary *b;
    struct tally *taken;
};

static int takes_once(ambit_cx *cx, void *arg)
{
    struct once *once = arg;
    struct ambit_boundary_request request;
    int rc = ambit_boundary_receive(cx, once->b, &request);
    if (rc == 0) {
        tally_up(once->taken);
        always(ambit_boundary_respond(&request, "", 1) == 0);
    }
    return rc;
}

/* The receiver is cancelled as it is handed a request. */
static int request_against_cancel(ambit_cx *cx, void *arg)
{
    struct tally taken = {0};
    struct ambit_boundary_ticket ticket;
    ambit_boundary *b = NULL;
    char reply;
    int rc = 0;
    (void)arg;
    if (ambit_boundary_create(&b, .capacity = 1) < 0) {
        return 0;
    }
    ambit_scope (cx, outer, &rc) {
        bool served = ambit_boundary_serve(outer, b) == 0;
        ambit_scope (cx, s, &rc) {
            struct once once = {b, &taken};
            if (served) {
                want(ambit_spawn(s, takes_once, &once) == 0);
            }
            (void)ambit_yield(cx);
            always(ambit_boundary_try_call(b, "", 1, ambit_never(), &ticket) ==
                   0);
            ambit_cancel(s, "now");
        }
        ambit_observe(tally_get(&taken));
        always(ambit_boundary_try(b, ticket, &reply, 1) ==
               (tally_get(&taken) ? 1 : -EAGAIN));
    }
    nothing_is_left(b);
    return rc;
}

SCENARIOS(boundary,
          {"two_clients", two_clients, 2, CORE,
           "BND-PIPE-1"},
          {"request_against_cancel", request_against_cancel, 2, SMALL | CORE,
           "BND-CANCEL-1"});
