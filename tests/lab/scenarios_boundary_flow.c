/* SPDX-License-Identifier: MIT */
/*
 * scenarios_boundary_flow.c -- threads that ask, in each of the ways there are,
 * tasks with and without a stack that answer, refuse, drop, come late; at a
 * boundary whose capacity is drawn, and that ends when it likes to.
 *
 * Whatever happens: each request that was offered is answered, or was too late,
 * or is cancelled, or met the close, or found no place; the client is told so,
 * and the counts say the same.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

enum { CAPACITY_MAX = 3, CALLS = 3 };

struct ledger {
    ambit_boundary *b;
    uint32_t capacity;
    bool machines_only;
    struct tally offered;
    /* As their clients were told. */
    struct tally answered, overloaded, timed_out, closed, cancelled, given_up;
    struct tally resolved; /* as the server was told */
    struct tally clients;
};

/* --- clients --------------------------------------------------------------- */

static void book(struct ledger *l, int rc, int value, int reply)
{
    always(rc != sizeof reply || reply == 2 * value);
    switch (rc) {
    case sizeof reply:
    case -EDOM: /* refused */
        tally_up(&l->answered);
        return;
    case -EAGAIN:
        tally_up(&l->overloaded);
        return;
    case -ETIMEDOUT:
        tally_up(&l->timed_out);
        return;
    case -EPIPE:
        tally_up(&l->closed);
        return;
    default:
        always(rc == -ECANCELED);
        tally_up(&l->cancelled);
    }
}

static ambit_time draw_deadline(void)
{
    switch (ambit_choose(4)) {
    case 0:
    case 1:
        return ambit_never();
    case 2:
        return ambit_after(ambit_us(2));
    default:
        return ambit_now(); /* passed */
    }
}

static int calls(struct ledger *l, int value)
{
    int reply = 0;
    int rc = ambit_boundary_call(l->b, &value, sizeof value, draw_deadline(),
                                 &reply, sizeof reply);
    book(l, rc, value, reply);
    return rc;
}

/* Asks, and waits later, or does not. */
static int asks(struct ledger *l, int value)
{
    struct ambit_boundary_ticket ticket;
    int reply = 0;
    int rc = ambit_boundary_try_call(l->b, &value, sizeof value,
                                     draw_deadline(), &ticket);
    if (rc == 0 && ambit_choose(4) == 0) {
        always(ambit_boundary_abandon(l->b, ticket) == 0);
        always(ambit_boundary_try(l->b, ticket, &reply, sizeof reply) ==
               -ESTALE);
        tally_up(&l->given_up);
        return 0;
    }
    rc = rc < 0 ? rc : ambit_boundary_wait(l->b, ticket, &reply, sizeof reply);
    book(l, rc, value, reply);
    return rc;
}

/* On a thread of the pool. */
static int is_client(ambit_cx *cx, void *arg)
{
    struct ledger *l = *(struct ledger **)arg;
    int rc = 0;
    (void)cx;
    for (int i = 1; i <= CALLS && rc != -EPIPE; i++) {
        tally_up(&l->offered);
        rc = ambit_choose(2) ? asks(l, i) : calls(l, i);
    }
    tally_down(&l->clients);
    return 0;
}

/* --- servers --------------------------------------------------------------- */

static void was_told(struct ledger *l, int rc)
{
    always(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED || rc == -EPIPE);
    tally_add(&l->resolved, rc == 0);
}

static void check_bound(struct ledger *l)
{
    struct ambit_boundary_stats stats;
    ambit_boundary_stats(l->b, &stats);
    always(stats.queued + stats.held <= l->capacity);
}

static void resolve(struct ledger *l,
                    const struct ambit_boundary_request *request)
{
    int value = 2 * *(const int *)request->data;
    check_bound(l);
    was_told(l, ambit_choose(4) == 0
                    ? ambit_boundary_refuse(request, -EDOM)
                    : ambit_boundary_respond(request, &value, sizeof value));
    always(ambit_boundary_respond(request, &value, sizeof value) == -EALREADY);
}

/* What is received is resolved, some time, or left to the end of the scope. */
static int serve_one(ambit_cx *cx, struct ledger *l)
{
    struct ambit_boundary_request request;
    int rc = 0, received = -ECANCELED;
    ambit_scope (cx, s, &rc) {
        received = ambit_boundary_receive(cx, l->b, &request);
        unsigned how = received == 0 ? ambit_choose(4) : 0;
        if (how == 1) {
            (void)ambit_sleep(cx, ambit_us(3));
        }
        if (received == 0 && how != 2) {
            resolve(l, &request);
        }
    }
    return rc < 0 ? rc : received;
}

static int serves(ambit_cx *cx, void *arg)
{
    int rc;
    while ((rc = serve_one(cx, *(struct ledger **)arg)) == 0) {
    }
    always(rc == -EPIPE || is_called_off(rc) || (rc == -ENOMEM && disturbed));
    return rc == -EPIPE ? 0 : rc;
}

AMBIT_ASYNC_STATE(attends, 2, (struct ambit_await, wait),
                  (struct ambit_await, nap), (struct ledger *, ledger),
                  (struct ambit_boundary_request, request));

static int attends(ambit_cx *cx, void *arg)
{
    struct attends *s = arg;
    int rc, slept;
    AMBIT_ASYNC_BEGIN(attends, 2, s);
    for (;;) {
        AMBIT_AWAIT(1, rc, ambit_await_boundary(cx, &s->wait, s->ledger->b,
                                                &s->request));
        if (rc < 0) {
            always(rc == -EPIPE || is_called_off(rc));
            AMBIT_ASYNC_RETURN(rc == -EPIPE ? 0 : rc);
        }
        if (ambit_choose(4) == 0) {
            AMBIT_AWAIT(2, slept, ambit_await_sleep(cx, &s->nap, ambit_us(3)));
            always(slept <= 0);
        }
        resolve(s->ledger, &s->request);
    }
    AMBIT_ASYNC_END(0);
}

/* --- all of them ------------------------------------------------------------ */

static void start_clients(ambit_region *region, struct ledger *l)
{
    for (int i = 0; i < 2; i++) {
        tally_up(&l->clients);
        if (ambit_spawn_with(region, is_client, &l,
                             .tier = AMBIT_BLOCKING) < 0) {
            want(false);
            tally_down(&l->clients);
        }
    }
}

static int start_servers(ambit_region *region, struct ledger *l)
{
    struct attends state = {.ledger = l};
    int n = ambit_spawn_poll(region, attends, &state) == 0;
    n += l->machines_only ? ambit_spawn_poll(region, attends, &state) == 0
                          : ambit_spawn(region, serves, &l) == 0;
    want(n == 2);
    return n;
}

/* Until nobody asks any more, or until enough is enough. */
static int serve(ambit_cx *cx, struct ledger *l)
{
    unsigned turns = ambit_choose(2) ? ambit_choose(8) : 100;
    int rc = 0;
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        if (ambit_boundary_serve(s, l->b) < 0 || start_servers(s, l) == 0) {
            ambit_cancel(s, "nobody would answer");
        }
        while (turns-- > 0 && tally_get(&l->clients) > 0 &&
               ambit_sleep(cx, ambit_us(1)) == 0) {
        }
        if (ambit_choose(2)) {
            ambit_cancel(s, "enough");
        }
        ambit_boundary_close(l->b);
    }
    return rc;
}

/* Nobody asks or answers any more. */
static void audit(struct ledger *l)
{
    struct ambit_boundary_stats stats;
    ambit_boundary_stats(l->b, &stats);
    int64_t told[] = {tally_get(&l->answered), tally_get(&l->overloaded),
                      tally_get(&l->timed_out), tally_get(&l->closed),
                      tally_get(&l->cancelled)};
    uint64_t counted[] = {stats.answered, stats.overloaded, stats.timed_out,
                          stats.closed, stats.cancelled};
    int64_t all_told = tally_get(&l->given_up), all_counted = 0;
    for (int i = 0; i < 5; i++) {
        always((int64_t)counted[i] >= told[i]);
        all_told += told[i];
        all_counted += (int64_t)counted[i];
    }
    always(all_told == tally_get(&l->offered));
    always(all_counted == tally_get(&l->offered));
    always((int64_t)stats.answered == tally_get(&l->resolved));
    always((int64_t)stats.overloaded == told[1]);
    always(stats.queued == 0 && stats.held == 0 && stats.receivers == 0);
}

static int run_ledger(ambit_cx *cx, bool machines_only)
{
    struct ledger ledger = {.capacity = 1 + ambit_choose(CAPACITY_MAX),
                            .machines_only = machines_only};
    int rc = 0, inner = 0;
    if (ambit_boundary_create(&ledger.b, .capacity = ledger.capacity) < 0) {
        always(disturbed);
        return 0;
    }
    ambit_scope (cx, outer, &rc) {
        start_clients(outer, &ledger);
        inner = serve(cx, &ledger);
        ambit_boundary_close(ledger.b);
    }
    want(rc == 0 && inner == 0);
    audit(&ledger);
    ambit_boundary_unref(ledger.b);
    return rc;
}

static int boundary_ledger(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_ledger(cx, false);
}

static int await_boundary(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_ledger(cx, true);
}

SCENARIOS(boundary_flow,
          {"boundary_ledger", boundary_ledger, 2, CORE | MANY | STACKS,
           "BND-BOUND-1 BND-CALL-1 BND-ONCE-1 BND-FULL-1 BND-DROP-1 "
           "BND-LATE-1 BND-CANCEL-1"},
          {"await_boundary", await_boundary, 2, CORE | MANY | STACKS,
           "AWAIT-BND-1 BND-BOUND-1 BND-CALL-1 BND-ONCE-1 BND-FULL-1"});
