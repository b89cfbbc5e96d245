/* SPDX-License-Identifier: MIT */
/*
 * sums_boundary_test.c -- every request of a boundary comes to one end, and all
 * ends are counted, at every capacity from 1.
 *
 *     answered + timed out + cancelled + closed + overloaded == offered
 *
 * A thread with an event loop fills all places before anybody serves, then goes on
 * with as many requests under way as there is room for; three more block, with
 * deadlines and without, or give up what they asked.
 */
#include "tests/stress/sums.h"

#include <poll.h>

enum {
    BLOCKING = 3,
    CLIENTS = 1 + BLOCKING,
    CALLS = 90, /* more than the largest capacity */
    TOTAL = CLIENTS * CALLS,
    FIBERS = 2,
    MACHINES = 2,
    CLUMSY = 3,
    WINDOW = 66,
};

/* What the clients were told. */
struct told {
    struct tally answered;
    struct count timed_out, cancelled, closed, overloaded, abandoned, offered;
};

struct desk {
    ambit_boundary *boundary;
    struct told told;
    struct tally served;   /* the server's side: respond and refuse said 0 */
    struct count resolved; /* the same, of all */
    struct count full, started;
};

/* Abandoned once it is sent: whether it was answered is nobody's business.  The
 * loop, whose values are the first, abandons nothing. */
static bool is_abandoned(int64_t value)
{
    return value > CALLS && value % 6 == 3;
}

/* --- clients ------------------------------------------------------------------ */

static void write_down(struct desk *desk, int64_t value, int rc, int64_t reply)
{
    struct told *told = &desk->told;
    if (rc >= 0 || rc == -EIO) {
        WANT_EQ(rc < 0 ? -value : reply, -value);
        WANT(rc < 0 || rc == sizeof reply);
        tally_up(&told->answered, value);
    } else if (rc == -ETIMEDOUT) {
        count_up(&told->timed_out);
    } else if (rc == -ECANCELED) {
        count_up(&told->cancelled);
    } else if (rc == -EPIPE) {
        count_up(&told->closed);
    } else {
        WANT_EQ(rc, -EAGAIN);
        count_up(&told->overloaded);
    }
    count_up(&told->offered);
}

static ambit_time soon_or_never(int64_t value)
{
    return value % 4 < 2 ? ambit_after(ambit_us(value % 7 * 20))
                          : ambit_never();
}

static void ask_and_block(struct desk *desk, int64_t value)
{
    struct ambit_boundary_ticket ticket;
    int64_t reply = 0;
    ambit_time until = soon_or_never(value);
    if (value % 6 == 0) {
        int rc = ambit_boundary_call(desk->boundary, &value, sizeof value,
                                     until, &reply, sizeof reply);
        write_down(desk, value, rc, reply);
        return;
    }
    int rc = ambit_boundary_try_call(desk->boundary, &value, sizeof value,
                                     until, &ticket);
    if (rc == 0 && is_abandoned(value)) {
        WANT_EQ(ambit_boundary_abandon(desk->boundary, ticket), 0);
        count_up(&desk->told.abandoned);
        count_up(&desk->told.offered);
        return;
    }
    if (rc == 0) {
        rc = ambit_boundary_wait(desk->boundary, ticket, &reply, sizeof reply);
    }
    write_down(desk, value, rc, reply);
}

static void *blocks(void *arg)
{
    struct desk *desk = arg;
    WANT(spin_until(&desk->full, 1));
    int64_t first = (count_up(&desk->started) + 1) * CALLS + 1;
    for (int64_t i = 0; i < CALLS; i++) {
        ask_and_block(desk, first + i);
    }
    ambit_boundary_unref(desk->boundary);
    return NULL;
}

/* --- an event loop --------------------------------------------------------------- */

struct loop {
    struct desk *desk;
    struct ambit_boundary_ticket tickets[WINDOW];
    int64_t values[WINDOW]; /* 0: none */
    int under_way;
    int64_t next, end;
};

/* As many as there is room for.  True: it is full. */
static bool ask_all(struct loop *loop)
{
    int rc = 0;
    for (int i = 0; i < WINDOW && loop->next < loop->end && rc == 0; i++) {
        if (loop->values[i] != 0) {
            continue;
        }
        int64_t value = loop->next++;
        rc = ambit_boundary_try_call(loop->desk->boundary, &value,
                                     sizeof value, ambit_never(),
                                     &loop->tickets[i]);
        if (rc == 0) {
            loop->values[i] = value;
            loop->under_way++;
        } else {
            write_down(loop->desk, value, rc, 0);
        }
    }
    return rc == -EAGAIN;
}

/* Those of other threads are told here, too. */
static void collect(struct loop *loop, struct ambit_boundary_ticket ticket)
{
    for (int i = 0; i < WINDOW; i++) {
        int64_t reply = 0;
        if (loop->values[i] == 0 ||
            loop->tickets[i].slot_ != ticket.slot_ ||
            loop->tickets[i].generation_ != ticket.generation_) {
            continue;
        }
        int rc = ambit_boundary_try(loop->desk->boundary, ticket, &reply,
                                    sizeof reply);
        WANT(rc != -EAGAIN);
        write_down(loop->desk, loop->values[i], rc, reply);
        loop->values[i] = 0;
        loop->under_way--;
    }
}

static void collect_all(struct loop *loop)
{
    struct pollfd fd = {.fd = ambit_boundary_fd(loop->desk->boundary),
                        .events = POLLIN};
    struct ambit_boundary_ticket ticket;
    WANT_EQ(poll(&fd, 1, SPEC_PATIENCE_S * 1000), 1);
    ambit_boundary_drain(loop->desk->boundary);
    while (ambit_boundary_next(loop->desk->boundary, &ticket) == 0) {
        collect(loop, ticket);
    }
}

static void *loops(void *arg)
{
    struct desk *desk = arg;
    struct loop loop = {.desk = desk, .next = 1, .end = CALLS + 1};
    WANT(ambit_boundary_fd(desk->boundary) >= 0);
    WANT(ask_all(&loop));
    count_up(&desk->full);
    while (loop.under_way > 0 || loop.next < loop.end) {
        if (loop.under_way > 0) {
            collect_all(&loop);
        }
        (void)ask_all(&loop);
    }
    ambit_boundary_unref(desk->boundary);
    return NULL;
}

/* --- servers -------------------------------------------------------------------- */

static void answer(struct desk *desk,
                   const struct ambit_boundary_request *request)
{
    int64_t value = *(const int64_t *)request->data, reply = -value;
    int rc = value % 10 == 7
                 ? ambit_boundary_refuse(request, -EIO)
                 : ambit_boundary_respond(request, &reply, sizeof reply);
    WANT(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED || rc == -EPIPE);
    if (rc == 0) {
        count_up(&desk->resolved);
        if (!is_abandoned(value)) {
            tally_up(&desk->served, value);
        }
    }
    WANT_EQ(ambit_boundary_refuse(request, -EIO), -EALREADY);
}

/* One is left to the close of its scope; some take their time. */
static int serve_one(ambit_cx *cx, struct desk *desk)
{
    struct ambit_boundary_request request;
    int rc = 0, inner = 0;
    ambit_scope (cx, one, &inner) {
        rc = ambit_boundary_receive(cx, desk->boundary, &request);
        if (rc < 0) {
            break;
        }
        int64_t value = *(const int64_t *)request.data;
        for (int64_t i = 0; i < value % 4; i++) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        if (value % 10 != 9) {
            answer(desk, &request);
        }
    }
    return rc;
}

static int serves(ambit_cx *cx, void *arg)
{
    struct desk *desk = *(struct desk **)arg;
    WANT(until(cx, &desk->full, 1));
    int rc = 0;
    while (rc == 0) {
        rc = serve_one(cx, desk);
    }
    WANT_EQ(rc, -EPIPE);
    return 0;
}

struct machine {
    struct ambit_await wait;
    struct ambit_boundary_request request;
    struct desk *desk;
    bool panics, is_begun;
};

/* Until the first is there: without a look at what it was given, if it panics. */
static int serves_as_machine(ambit_cx *cx, void *state)
{
    struct machine *s = state;
    int rc;
    if (s->panics && s->is_begun) {
        ambit_panic(cx, "clumsy");
    }
    s->is_begun = true;
    while ((rc = ambit_await_boundary(cx, &s->wait, s->desk->boundary,
                                      &s->request)) == 0) {
        answer(s->desk, &s->request);
    }
    WANT(rc == AMBIT_PENDING || rc == -EPIPE);
    return rc == -EPIPE ? 0 : rc;
}

static void start_machines(ambit_cx *cx, ambit_region *region,
                           struct desk *desk)
{
    WANT(until(cx, &desk->full, 1));
    for (int i = 0; i < MACHINES + CLUMSY; i++) {
        struct machine machine = {.desk = desk, .panics = i >= MACHINES};
        WANT_EQ(ambit_spawn_poll(region, serves_as_machine, &machine), 0);
    }
}

/* --- both ------------------------------------------------------------------------ */

static void open_desk(struct desk *desk, uint32_t capacity, pthread_t *clients)
{
    memset(desk, 0, sizeof *desk);
    WANT_EQ(ambit_boundary_create(&desk->boundary, .capacity = capacity), 0);
    for (int i = 0; i < CLIENTS; i++) {
        ambit_boundary_ref(desk->boundary);
        WANT_EQ(pthread_create(&clients[i], NULL, i == 0 ? loops : blocks,
                               desk), 0);
    }
}

static void close_desk(struct desk *desk, pthread_t *clients)
{
    struct told *told = &desk->told;
    struct ambit_boundary_stats is;
    for (int i = 0; i < CLIENTS; i++) {
        WANT_EQ(pthread_join(clients[i], NULL), 0);
    }
    ambit_boundary_stats(desk->boundary, &is);
    WANT_EQ(count_get(&told->offered), TOTAL);
    WANT_EQ(is.answered + is.timed_out + is.cancelled + is.closed +
                is.overloaded, TOTAL);
    WANT_EQ(is.queued + is.held, 0);
    WANT_EQ(is.answered, count_get(&desk->resolved));
    WANT_EQ(is.overloaded, count_get(&told->overloaded));
    WANT(is.overloaded > 0);
    /* An abandoned one came to any of four ends. */
    int64_t unknown = (int64_t)is.answered - count_get(&told->answered.n) +
                      (int64_t)is.timed_out - count_get(&told->timed_out) +
                      (int64_t)is.cancelled - count_get(&told->cancelled) +
                      (int64_t)is.closed - count_get(&told->closed);
    WANT_EQ(unknown, count_get(&told->abandoned));
    WANT(is.timed_out >= (uint64_t)count_get(&told->timed_out));
    WANT(is.cancelled >= (uint64_t)count_get(&told->cancelled));
    WANT(is.closed >= (uint64_t)count_get(&told->closed));
    WANT_EQ(count_get(&told->answered.n), count_get(&desk->served.n));
    WANT_EQ(count_get(&told->answered.sum), count_get(&desk->served.sum));
    ambit_boundary_unref(desk->boundary);
}

/* At every other capacity it is closed while many are under way. */
static int through_a_boundary(ambit_cx *cx, uint32_t capacity, bool machines)
{
    struct desk desk, *here = &desk;
    pthread_t clients[CLIENTS];
    int rc = 0;
    open_desk(here, capacity, clients);
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        WANT_EQ(ambit_boundary_serve(s, desk.boundary), 0);
        for (int i = 0; i < FIBERS && !machines; i++) {
            WANT_EQ(ambit_spawn(s, serves, &here), 0);
        }
        if (machines) {
            start_machines(cx, s, here);
        }
        WANT(until(cx, &desk.told.offered,
                   capacity % 2 != 0 ? TOTAL / 2 : TOTAL));
        ambit_boundary_close(desk.boundary);
    }
    WANT(rc == 0 || (machines && rc == -EOWNERDEAD));
    close_desk(here, clients);
    return 0;
}

static int served_by_fibers(ambit_cx *cx, void *arg)
{
    return through_a_boundary(cx, *(uint32_t *)arg, false);
}

static int served_by_machines(ambit_cx *cx, void *arg)
{
    return through_a_boundary(cx, *(uint32_t *)arg, true);
}

/* Goal: each request comes to one end, which its client and the figures know.
 * Method: threads that block, wait, give up, or watch the descriptor, with
 * deadlines and without; tasks that answer, refuse, drop, late or at once; full at
 * each capacity; closed at the end or in the middle. */
Spec(BND_CALL_1, all_ends_add_up_at_every_capacity)
{
    sums_at_every_capacity(served_by_fibers);
    spec_end("BND_CALL_1");
}

/* Goal, method: the same where machines serve, of which some panic. */
Spec(AWAIT_BND_1, all_ends_add_up_at_every_capacity)
{
    sums_at_every_capacity(served_by_machines);
    spec_end("AWAIT_BND_1");
}
