/* SPDX-License-Identifier: MIT */
/*
 * boundary_test.c -- requests from other threads (spec/boundary.md).
 */
#include "tests/spec/doubles.h"

#define CLIENTS 4

/* --- BND-CALL-1 ------------------------------------------------------------ */

struct caller {
    ambit_boundary *b;
    int from, calls;
    int64_t sum;
    pthread_t thread;
};

static void *call_many(void *arg)
{
    struct caller *c = arg;
    for (int i = 0; i < c->calls; i++) {
        int value = c->from + i;
        int64_t reply = -1;
        WANT_EQ(ambit_boundary_call(c->b, &value, sizeof value, ambit_never(),
                                    &reply, sizeof reply),
                (int)sizeof reply);
        WANT_EQ(reply, 2 * value);
        c->sum += reply;
    }
    ambit_boundary_unref(c->b);
    return NULL;
}

static int threads_call(ambit_cx *cx, void *arg)
{
    struct caller callers[CLIENTS];
    int64_t sum = 0, wanted = 0;
    ambit_boundary *b = make(*(uint32_t *)arg);
    bool few = *(uint32_t *)arg == 1;
    for (int i = 0; i < CLIENTS; i++) {
        callers[i] = (struct caller){.b = b, .from = i * 100000,
                                     .calls = (int)(few ? test_rounds(5000)
                                                        : test_rounds(100000)) /
                                              SPEC_SLOWER};
        ambit_boundary_ref(b);
        pthread_create(&callers[i].thread, NULL, call_many, &callers[i]);
    }
    ambit_boundary_unref(b); /* the threads' ends are left */
    int rc = serve_with(cx, b, 2);
    for (int i = 0; i < CLIENTS; i++) {
        struct caller *c = &callers[i];
        pthread_join(c->thread, NULL);
        sum += c->sum;
        wanted += (int64_t)c->calls * (2 * c->from + c->calls - 1);
    }
    WANT_EQ(sum, wanted);
    return rc;
}

/* Goal: no answer is lost, doubled or mixed up.
 * Method: four threads call at once, with more places than they need and with
 * fewer; each knows its answers. */
Spec(BND_CALL_1, each_call_gets_its_own_answer)
{
    uint32_t one = 1, eight = 8;
    WANT_EQ(spec_run(threads_call, &one, .workers = 1), 0);
    WANT_EQ(spec_run(threads_call, &one, .workers = 2), 0);
    WANT_EQ(spec_run(threads_call, &eight, .workers = 2), 0);
    spec_end("BND_CALL_1");
}

/* --- BND-BOUND-1, BND-FULL-1 ----------------------------------------------- */

static int at_the_limit(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = make(3);
    struct ambit_boundary_ticket tickets[3], more;
    struct ambit_boundary_request request;
    char large[17] = {0};
    int rc = 0, value = 7;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_boundary_serve(s, b), 0);
        for (int i = 0; i < 3; i++) {
            WANT_EQ(stats_of(b).queued, i);
            tickets[i] = ask(b, i, ambit_never());
        }
        WANT_EQ(ambit_boundary_try_call(b, &value, 4, ambit_never(), &more),
                -EAGAIN);
        WANT_EQ(stats_of(b).overloaded, 1);
        WANT_EQ(stats_of(b).queued, 3);
        /* Held, then given up: in use until the server is done with it. */
        WANT_EQ(ambit_boundary_receive(cx, b, &request), 0);
        WANT_EQ(ambit_boundary_abandon(b, tickets[0]), 0);
        WANT_EQ(ambit_boundary_abandon(b, tickets[0]), -ESTALE);
        WANT_EQ(ambit_boundary_try_call(b, &value, 4, ambit_never(), &more),
                -EAGAIN);
        WANT_EQ(ambit_boundary_respond(&request, "", 1), -ECANCELED);
        more = ask(b, 9, ambit_never());
        WANT_EQ(ambit_boundary_try_call(b, &value, 4, ambit_never(),
                                        &tickets[0]),
                -EAGAIN);
        /* Given up in the queue: free at once. */
        WANT_EQ(ambit_boundary_abandon(b, more), 0);
        more = ask(b, 9, ambit_never());
        WANT_EQ(stats_of(b).cancelled, 2);
        WANT_EQ(ambit_boundary_try_call(b, large, 17, ambit_never(), &more),
                -E2BIG);
        WANT_EQ(ambit_boundary_call(b, &value, 4, ambit_never(), large, 17),
                -EDEADLK);
        ambit_boundary_close(b);
    }
    ambit_boundary_unref(b);
    return rc;
}

static void *call_by_deadline(void *arg)
{
    int value = 1;
    int64_t reply;
    int rc = ambit_boundary_call(arg, &value, sizeof value,
                                 ambit_after(ambit_ms(5)), &reply,
                                 sizeof reply);
    WANT_EQ(rc, -ETIMEDOUT);
    return NULL;
}

/* Goal: capacity - 1 and capacity are taken, one more is not.
 * Method: count, held and abandoned ones, too. */
Spec(BND_BOUND_1, as_many_as_it_says_and_no_more)
{
    spec_on_1_and_2_workers(at_the_limit);
    spec_end("BND_BOUND_1");
}

/* Goal: a full boundary says so; who waits for a place hears its deadline.
 * Method: one place, taken, and nobody serves. */
Spec(BND_FULL_1, a_full_boundary_refuses_at_once)
{
    ambit_boundary *b = make(1);
    struct ambit_boundary_ticket ticket = ask(b, 1, ambit_never()), more;
    pthread_t thread;
    for (uint64_t i = 1; i <= 3; i++) {
        WANT_EQ(ambit_boundary_try_call(b, "", 1, ambit_never(), &more),
                -EAGAIN);
        WANT_EQ(stats_of(b).overloaded, i);
        WANT_EQ(stats_of(b).queued, 1);
    }
    pthread_create(&thread, NULL, call_by_deadline, b);
    pthread_join(thread, NULL);
    WANT_EQ(stats_of(b).timed_out, 1);
    WANT_EQ(ambit_boundary_abandon(b, ticket), 0);
    ambit_boundary_unref(b);
    ambit_boundary_unref(NULL);
    WANT_EQ(ambit_boundary_create(&b, .capacity = 65537), -EINVAL);
    WANT_EQ(ambit_boundary_create(&b, .request_max = (1 << 20) + 1), -EINVAL);
    WANT_EQ(ambit_boundary_create(&b, .reply_max = (1 << 20) + 1), -EINVAL);
    WANT_EQ(ambit_boundary_create(&b, .capacity = 65536, .request_max = 1), 0);
    ambit_boundary_unref(b);
    spec_end("BND_FULL_1");
}

/* --- BND-ONCE-1 ------------------------------------------------------------ */

static int answers_twice(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = make(1);
    struct ambit_boundary_request request, next;
    int64_t reply = 5, seen = 0;
    char large[17] = {0};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_boundary_serve(s, b), 0);
        WANT_EQ(ambit_boundary_serve(s, b), -EALREADY);
        struct ambit_boundary_ticket ticket = ask(b, 1, ambit_never());
        WANT_EQ(ambit_boundary_receive(cx, b, &request), 0);
        WANT_EQ(request.size, sizeof(int));
        WANT_EQ(ambit_boundary_respond(&request, large, 17), -E2BIG);
        WANT_EQ(ambit_boundary_refuse(&request, 0), -EINVAL);
        WANT_EQ(ambit_boundary_try(b, ticket, &seen, sizeof seen), -EAGAIN);
        WANT_EQ(ambit_boundary_respond(&request, &reply, sizeof reply), 0);
        WANT_EQ(ambit_boundary_refuse(&request, -EIO), -EALREADY);
        WANT_EQ(ambit_boundary_try(b, ticket, &seen, 7), -E2BIG);
        WANT_EQ(ambit_boundary_try(b, ticket, &seen, 8), 8);
        WANT_EQ(seen, 5);
        WANT_EQ(ambit_boundary_try(b, ticket, &seen, 8), -ESTALE);
        /* The same place, another request: the old handle is no good for it. */
        ticket = ask(b, 2, ambit_never());
        WANT_EQ(ambit_boundary_receive(cx, b, &next), 0);
        WANT_EQ(ambit_boundary_respond(&request, &reply, 8), -EALREADY);
        WANT_EQ(ambit_boundary_refuse(&next, -EIO), 0);
        WANT_EQ(ambit_boundary_try(b, ticket, &seen, 8), -EIO);
        WANT_EQ(stats_of(b).answered, 2);
    }
    ambit_boundary_unref(b);
    return rc;
}

/* Goal: one resolves a request.
 * Method: answer twice, also when the place has been taken anew. */
Spec(BND_ONCE_1, a_request_is_resolved_once)
{
    spec_on_1_and_2_workers(answers_twice);
    spec_end("BND_ONCE_1");
}

/* --- BND-LATE-1 ------------------------------------------------------------ */

static void until_past(ambit_cx *cx, ambit_time when)
{
    WANT_EQ(ambit_sleep_until(cx, when), 0);
}

/* A request that is received before its deadline, which is told.  Where the
 * machine is too slow for that, what is behind it is received. */
static ambit_time receive_in_time(ambit_cx *cx, ambit_boundary *b,
                                  struct ambit_boundary_ticket *ret_ticket,
                                  struct ambit_boundary_request *ret_request)
{
    for (int64_t ms = 20;; ms *= 2) {
        ambit_time soon = ambit_after(ambit_ms(ms));
        int first = 1;
        int rc =
            ambit_boundary_try_call(b, &first, sizeof first, soon, ret_ticket);
        struct ambit_boundary_ticket behind = ask(b, 2, ambit_never());
        WANT_EQ(ambit_boundary_receive(cx, b, ret_request), 0);
        if (*(const int *)ret_request->data == 1) {
            WANT_EQ(ambit_boundary_abandon(b, behind), 0);
            return soon;
        }
        WANT_EQ(ambit_boundary_respond(ret_request, NULL, 0), 0);
        WANT_EQ(ambit_boundary_try(b, behind, NULL, 0), 0);
        if (rc == 0) {
            rc = ambit_boundary_try(b, *ret_ticket, NULL, 0);
        }
        WANT_EQ(rc, -ETIMEDOUT);
    }
}

static int answers_late(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = make(4);
    struct ambit_boundary_request request;
    struct ambit_boundary_ticket ticket;
    int64_t seen = 0;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_boundary_serve(s, b), 0);
        /* The server is the first to see it, then the client is. */
        for (int round = 0; round < 2; round++) {
            ambit_time soon = receive_in_time(cx, b, &ticket, &request);
            uint64_t late_before = stats_of(b).timed_out;
            WANT_EQ(request.deadline.ns, soon.ns);
            until_past(cx, soon);
            if (round == 1) {
                WANT_EQ(ambit_boundary_try(b, ticket, &seen, 8), -ETIMEDOUT);
            }
            WANT_EQ(ambit_boundary_respond(&request, "", 1), -ETIMEDOUT);
            WANT_EQ(ambit_boundary_try(b, ticket, &seen, 8),
                    round == 0 ? -ETIMEDOUT : -ESTALE);
            WANT_EQ(stats_of(b).timed_out, late_before + 1);
        }
        /* Still queued: the one behind it is received. */
        uint64_t late_before = stats_of(b).timed_out;
        ambit_time soon = ambit_after(ambit_ms(20));
        int value = 8;
        struct ambit_boundary_ticket late = {0};
        rc = ambit_boundary_try_call(b, &value, 4, soon, &late);
        bool was_in_time = rc == 0;
        rc = 0;
        struct ambit_boundary_ticket good = ask(b, 9, ambit_never());
        until_past(cx, soon);
        WANT_EQ(ambit_boundary_receive(cx, b, &request), 0);
        WANT_EQ(*(const int *)request.data, 9);
        WANT_EQ(ambit_boundary_respond(&request, NULL, 0), 0);
        WANT_EQ(ambit_boundary_try(b, good, NULL, 0), 0);
        WANT_EQ(ambit_boundary_try(b, late, &seen, 8),
                was_in_time ? -ETIMEDOUT : -ESTALE);
        WANT_EQ(stats_of(b).timed_out, late_before + 1);
        WANT_EQ(ambit_boundary_try_call(b, &value, 4, soon, &late), -ETIMEDOUT);
    }
    ambit_boundary_unref(b);
    return rc;
}

/* Goal: both sides agree that it was too late.
 * Method: a deadline passes while it is held, and while it is queued. */
Spec(BND_LATE_1, late_is_late_for_both)
{
    spec_on(1, answers_late);
    spec_end("BND_LATE_1");
}

/* --- BND-DROP-1 ------------------------------------------------------------ */

static int drops_requests(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = make(2);
    struct ambit_boundary_request request;
    int64_t seen = 0;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_boundary_serve(s, b), 0);
        struct ambit_boundary_ticket ticket = ask(b, 1, ambit_never());
        ambit_scope (cx, inner, &rc) {
            WANT_EQ(ambit_boundary_receive(cx, b, &request), 0);
            WANT_EQ(ambit_region_obligations(inner), 1);
        }
        WANT_EQ(ambit_boundary_try(b, ticket, &seen, 8), -ECANCELED);
        WANT_EQ(ambit_boundary_respond(&request, "", 1), -EALREADY);
        WANT_EQ(stats_of(b).cancelled, 1);
        WANT_EQ(stats_of(b).held, 0);
    }
    WANT(spec_logged("request of a boundary"));
    ambit_boundary_unref(b);
    return rc;
}

/* Goal: a forgotten request is answered.
 * Method: a scope ends without a response. */
Spec(BND_DROP_1, a_dropped_request_is_answered_by_the_close)
{
    spec_on_1_and_2_workers(drops_requests);
    spec_end("BND_DROP_1");
}
