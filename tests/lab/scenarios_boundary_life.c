/* SPDX-License-Identifier: MIT */
/*
 * scenarios_boundary_life.c -- boundaries whose ends come and go: clients that
 * outlive the runtime that served them, servers that outlive their clients, a
 * loop that watches the descriptor.
 *
 * Whatever happens: who is left is told so, and all memory and the descriptor are
 * given back with the last end (the lab looks after each run).
 */
#include "tests/lab/inner.h"

#include "spec/lab/kernel.h"

#include <errno.h>
#include <poll.h>

enum { CAPACITY_MAX = 3 };

static struct ambit_boundary_stats stats_of(ambit_boundary *b)
{
    struct ambit_boundary_stats stats;
    ambit_boundary_stats(b, &stats);
    return stats;
}

/* Doubles what it is asked, until nobody asks. */
AMBIT_ASYNC_STATE(doubles, 1, (struct ambit_await, wait),
                  (ambit_boundary *, boundary),
                  (struct ambit_boundary_request, request), (int *, next));

static int doubles(ambit_cx *cx, void *arg)
{
    struct doubles *s = arg;
    int rc, value;
    AMBIT_ASYNC_BEGIN(doubles, 1, s);
    for (;;) {
        AMBIT_AWAIT(1, rc, ambit_await_boundary(cx, &s->wait, s->boundary,
                                                &s->request));
        if (rc < 0) {
            always(rc == -EPIPE || is_called_off(rc));
            AMBIT_ASYNC_RETURN(rc == -EPIPE ? 0 : rc);
        }
        value = *(const int *)s->request.data;
        if (s->next != NULL) {
            *s->next++ = value; /* in the order of the answers */
        }
        value *= 2;
        rc = ambit_boundary_respond(&s->request, &value, sizeof value);
        always(rc == 0 || rc == -EPIPE);
    }
    AMBIT_ASYNC_END(0);
}

/* --- clients that outlive the runtime ---------------------------------------- */

struct world {
    ambit_boundary *b;
    struct tally answered;
    unsigned enough; /* answers, and the runtime ends */
};

/* Where there was no memory for a thread who would answer, or ask, never comes. */
static ambit_time patience(void)
{
    return disturbed ? ambit_after(ambit_ms(1)) : ambit_never();
}

static int answer_one(ambit_cx *cx, ambit_boundary *b)
{
    struct ambit_boundary_request request;
    int rc = ambit_boundary_receive(cx, b, &request);
    if (rc == 0) {
        int value = 2 * *(const int *)request.data;
        rc = ambit_boundary_respond(&request, &value, sizeof value);
    }
    return rc;
}

/* The body of the runtime within; it ends under the clients' hands. */
static int serves_a_while(ambit_cx *cx, void *arg)
{
    struct world *world = arg;
    int rc = 0, told = 0;
    ambit_scope (cx, s, &rc, .deadline = patience()) {
        if (ambit_boundary_serve(s, world->b) < 0) {
            break;
        }
        for (unsigned n = 0; n < world->enough && told == 0; n++) {
            told = answer_one(cx, world->b);
        }
        always(told == 0 || told == -EPIPE || is_called_off(told));
        want(told == 0);
    }
    return rc;
}

/* On a thread of the pool outside, with an end of its own. */
static int calls_to_the_end(ambit_cx *cx, void *arg)
{
    struct world *world = *(struct world **)arg;
    ambit_boundary *b = world->b;
    struct ambit_boundary_ticket ticket;
    int value = 3, reply = 0, rc;
    (void)cx;
    while ((rc = ambit_boundary_call(b, &value, sizeof value, patience(),
                                     &reply, sizeof reply)) == sizeof reply) {
        always(reply == 6);
        tally_up(&world->answered);
    }
    want(rc == -EPIPE);
    if (rc == -EPIPE) {
        rc = ambit_boundary_call(b, &value, sizeof value, ambit_never(),
                                 &reply, sizeof reply);
        always(rc == -EPIPE);
        rc = ambit_boundary_try_call(b, &value, sizeof value, ambit_never(),
                                     &ticket);
        always(rc == -EPIPE);
        always(stats_of(b).queued == 0 && stats_of(b).held == 0);
    }
    ambit_boundary_unref(b);
    return 0;
}

static void end_of_client(void *arg)
{
    ambit_boundary_unref((*(struct world **)arg)->b);
}

static int start_callers(ambit_region *region, struct world *world)
{
    int n = 0;
    for (int i = 0; i < 2; i++) {
        ambit_boundary_ref(world->b);
        if (ambit_spawn_with(region, calls_to_the_end, &world,
                             .tier = AMBIT_BLOCKING,
                             .dispose = end_of_client) < 0) {
            want(false);
            ambit_boundary_unref(world->b);
            continue;
        }
        n++;
    }
    return n;
}

static int boundary_outlives(ambit_cx *cx, void *arg)
{
    struct world world = {.enough = 1 + ambit_choose(3)};
    struct inner inner = {.fn = serves_a_while, .arg = &world,
                          .options.workers = 1 + ambit_choose(2)};
    int rc = 0;
    (void)arg;
    if (ambit_boundary_create(&world.b, .capacity = 1 + ambit_choose(2)) < 0) {
        always(disturbed);
        return 0;
    }
    want(ambit_boundary_fd(world.b) >= 0);
    ambit_scope (cx, s, &rc) {
        if (start_callers(s, &world) > 0 && inner_run(cx, &inner)) {
            want(inner.rc == 0);
        }
        /* Where it was not served, nobody else says so. */
        ambit_boundary_close(world.b);
        if (ambit_choose(2)) {
            ambit_boundary_unref(world.b); /* they have ends of their own */
            world.b = NULL;
        }
    }
    want(rc == 0 && tally_get(&world.answered) == world.enough);
    ambit_boundary_unref(world.b);
    return rc;
}

/* --- servers that outlive their clients -------------------------------------- */

static int serves_to_the_end(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = *(ambit_boundary **)arg;
    struct ambit_boundary_request request;
    int rc;
    while ((rc = ambit_boundary_receive(cx, b, &request)) == 0) {
        int told = ambit_boundary_respond(&request, "", 1);
        always(told == 0 || told == -EPIPE);
    }
    always(rc == -EPIPE || is_called_off(rc));
    return rc == -EPIPE ? 0 : rc;
}

/* The last client goes, with requests queued, held and answered. */
static int boundary_without_clients(ambit_cx *cx, void *arg)
{
    uint32_t capacity = 1 + ambit_choose(CAPACITY_MAX);
    struct ambit_boundary_request request;
    struct ambit_boundary_ticket ticket;
    ambit_boundary *b = NULL;
    int rc = 0;
    (void)arg;
    if (ambit_boundary_create(&b, .capacity = capacity) < 0) {
        always(disturbed);
        return 0;
    }
    ambit_scope (cx, s, &rc) {
        if (ambit_boundary_serve(s, b) < 0) {
            always(disturbed);
            ambit_boundary_unref(b);
            break;
        }
        for (uint32_t i = 0; i < capacity; i++) {
            always(ambit_boundary_try_call(b, &capacity, sizeof capacity,
                                           ambit_never(), &ticket) == 0);
        }
        int received = ambit_boundary_receive(cx, b, &request);
        struct doubles state = {.boundary = b};
        want(ambit_spawn(s, serves_to_the_end, &b) == 0);
        want(ambit_choose(2) || ambit_spawn_poll(s, doubles, &state) == 0);
        (void)(ambit_choose(2) && ambit_yield(cx));
        ambit_boundary_unref(b);
        if (received == 0) {
            always(ambit_boundary_respond(&request, "", 1) == -EPIPE);
        }
        /* And each of the others is told -EPIPE: else the scope never ends. */
    }
    want(rc == 0);
    return rc;
}

/* --- a loop ------------------------------------------------------------------ */

static bool is_readable(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    return ambit_in_lab() ? lab_fd_find(lab_self, fd)->count > 0
                          : poll(&look, 1, 0) == 1;
}

enum { LOOP_CALLS = 6 };

struct loop {
    ambit_boundary *b;
    int fd, asked, told;
    int order[LOOP_CALLS]; /* of the answers, by the one server */
};

static void ask_more(struct loop *loop)
{
    struct ambit_boundary_ticket ticket;
    int rc = 0;
    while (loop->asked < LOOP_CALLS && rc == 0) {
        rc = ambit_boundary_try_call(loop->b, &loop->asked, sizeof(int),
                                     ambit_never(), &ticket);
        always(rc == 0 || rc == -EAGAIN);
        loop->asked += rc == 0;
    }
}

/* Each once, in the order of the answers. */
static void hear_all(struct loop *loop)
{
    struct ambit_boundary_ticket ticket;
    int reply = -1, again;
    ambit_boundary_drain(loop->b);
    while (ambit_boundary_next(loop->b, &ticket) == 0) {
        int rc = ambit_boundary_try(loop->b, ticket, &reply, sizeof reply);
        always(rc == sizeof reply && loop->told < loop->asked);
        always(reply == 2 * loop->order[loop->told]);
        always(ambit_boundary_try(loop->b, ticket, &again, sizeof again) ==
               -ESTALE);
        loop->told++;
    }
}

static void run_loop(ambit_cx *cx, struct loop *loop)
{
    int rc = 0;
    always(!is_readable(loop->fd));
    while (loop->told < LOOP_CALLS && rc == 0) {
        ask_more(loop);
        for (int i = 0; i < 100 && rc == 0 && !is_readable(loop->fd); i++) {
            rc = ambit_sleep(cx, ambit_us(1));
        }
        want(is_readable(loop->fd));
        rc = is_readable(loop->fd) ? rc : -ECANCELED;
        hear_all(loop);
    }
    want(loop->told == LOOP_CALLS);
}

static int boundary_loop(ambit_cx *cx, void *arg)
{
    struct loop loop = {.asked = 0};
    int rc = 0;
    (void)arg;
    if (ambit_boundary_create(&loop.b,
                              .capacity = 1 + ambit_choose(CAPACITY_MAX)) < 0) {
        always(disturbed);
        return 0;
    }
    loop.fd = ambit_boundary_fd(loop.b);
    always(ambit_boundary_fd(loop.b) == loop.fd);
    ambit_scope (cx, s, &rc) {
        struct doubles state = {.boundary = loop.b, .next = loop.order};
        if (ambit_boundary_serve(s, loop.b) < 0 ||
            ambit_spawn_poll(s, doubles, &state) < 0) {
            want(false);
            break;
        }
        run_loop(cx, &loop);
        ambit_boundary_close(loop.b);
    }
    want(rc == 0 && stats_of(loop.b).answered == LOOP_CALLS);
    ambit_boundary_unref(loop.b);
    return rc;
}

SCENARIOS(boundary_life,
          {"boundary_outlives", boundary_outlives, 1, STACKS | TIMED,
           "BND-LIFE-1 BND-PIPE-1"},
          {"boundary_without_clients", boundary_without_clients, 2, CORE,
           "BND-PIPE-1"},
          {"boundary_loop", boundary_loop, 2, STACKS | TIMED,
           "BND-FD-1"});
