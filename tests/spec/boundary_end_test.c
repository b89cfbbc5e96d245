/* SPDX-License-Identifier: MIT */
/*
 * boundary_end_test.c -- boundaries whose sides come and go, and event loops
 * (spec/boundary.md).
 */
#include "tests/spec/doubles.h"

#include <poll.h>
#include <sys/epoll.h>

/* --- BND-PIPE-1, BND-LIFE-1 ------------------------------------------------ */

struct end {
    ambit_boundary *b;
    struct count *started;
};

static void *call_into_the_end(void *arg)
{
    struct end *end = arg;
    int value = 1;
    int64_t reply;
    count_up(end->started);
    WANT_EQ(ambit_boundary_call(end->b, &value, 4, ambit_never(), &reply, 8),
            -EPIPE);
    ambit_boundary_unref(end->b);
    return NULL;
}

static void yield_until(ambit_cx *cx, ambit_boundary *b, uint32_t queued,
                        uint32_t receivers)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while ((stats_of(b).queued != queued ||
            stats_of(b).receivers != receivers) &&
           ambit_now().ns < end.ns) {
        (void)ambit_yield(cx);
    }
    WANT_EQ(stats_of(b).queued, queued);
    WANT_EQ(stats_of(b).receivers, receivers);
}

static int each_side_goes(ambit_cx *cx, void *arg)
{
    struct count started = {0};
    ambit_boundary *b = make(1);
    pthread_t threads[2];
    struct end end = {b, &started};
    int rc = 0;
    (void)arg;
    /* The server's side: one client is queued, one may wait for a place. */
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_boundary_serve(s, b), 0);
        for (int i = 0; i < 2; i++) {
            ambit_boundary_ref(b);
            pthread_create(&threads[i], NULL, call_into_the_end, &end);
        }
        yield_until(cx, b, 1, 0);
        WANT(until(cx, &started, 2));
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    WANT_EQ(stats_of(b).closed, 2);
    ambit_boundary_unref(b);
    /* The clients': a receiver waits, another request is held. */
    b = make(1);
    ambit_scope (cx, s, &rc) {
        struct ambit_boundary_request request;
        WANT_EQ(ambit_boundary_serve(s, b), 0);
        (void)ask(b, 1, ambit_never());
        WANT_EQ(ambit_boundary_receive(cx, b, &request), 0);
        WANT_EQ(ambit_spawn(s, serve_doubles, &b), 0);
        yield_until(cx, b, 0, 1);
        ambit_boundary_unref(b);
        WANT_EQ(ambit_boundary_respond(&request, "", 1), -EPIPE);
        WANT_EQ(ambit_boundary_receive(cx, b, &request), -EPIPE);
    }
    return rc;
}

/* Goal: nobody waits for somebody that is gone.
 * Method: a region closes on its clients; the last client goes. */
Spec(BND_PIPE_1, who_is_left_is_told)
{
    spec_on_1_and_2_workers(each_side_goes);
    spec_end("BND_PIPE_1");
}

static int serve_a_while(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = arg;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_boundary_serve(s, b), 0);
        WANT_EQ(ambit_spawn(s, serve_doubles, &b), 0);
        while (stats_of(b).answered < 20) {
            (void)ambit_yield(cx);
        }
        ambit_cancel(s, "enough");
    }
    return rc;
}

static void *call_to_the_end(void *arg)
{
    int value = 3, rc;
    int64_t reply = 0;
    while ((rc = ambit_boundary_call(arg, &value, 4, ambit_never(), &reply,
                                     8)) == 8) {
        WANT_EQ(reply, 6);
    }
    WANT_EQ(rc, -EPIPE);
    WANT_EQ(ambit_boundary_call(arg, &value, 4, ambit_never(), &reply, 8),
            -EPIPE);
    ambit_boundary_unref(arg);
    return NULL;
}

/* Goal: a run and its runtime end under the clients' hands.
 * Method: threads call on and on while they do; then all is given back. */
Spec(BND_LIFE_1, clients_outlive_the_runtime)
{
    int fds = test_open_fds();
    for (long round = 0; round < test_rounds(20); round++) {
        ambit_boundary *b = make(2);
        pthread_t threads[3];
        WANT(ambit_boundary_fd(b) >= 0);
        for (int i = 0; i < 3; i++) {
            ambit_boundary_ref(b);
            pthread_create(&threads[i], NULL, call_to_the_end, b);
        }
        ambit_runtime *runtime = NULL;
        struct ambit_runtime_options options = {.size_ = sizeof options,
                                                .workers = 2,
                                                .log = spec_log_line};
        WANT_EQ(ambit_runtime_create(&runtime, &options), 0);
        WANT_EQ(ambit_runtime_run(runtime, serve_a_while, b), 0);
        ambit_runtime_destroy(runtime);
        for (int i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
        }
        ambit_boundary_unref(b);
    }
    WANT_EQ(test_open_fds(), fds);
    spec_end("BND_LIFE_1");
}

/* --- BND-CANCEL-1 ---------------------------------------------------------- */

struct taken {
    ambit_boundary *b;
    int *ret_rc;
};

static int take_one(ambit_cx *cx, void *arg)
{
    struct taken *t = arg;
    struct ambit_boundary_request request;
    *t->ret_rc = ambit_boundary_receive(cx, t->b, &request);
    if (*t->ret_rc == 0) {
        WANT_EQ(ambit_boundary_respond(&request, "x", 1), 0);
    }
    return 0;
}

static int cancels_receiver(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = make(1);
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_boundary_serve(s, b), 0);
        for (int asked = 0; asked < 2; asked++) {
            int got = 1;
            char answer[2];
            struct ambit_boundary_ticket ticket = {0};
            ambit_scope (cx, inner, &rc) {
                struct taken taken = {b, &got};
                WANT_EQ(ambit_spawn(inner, take_one, &taken), 0);
                yield_until(cx, b, 0, 1);
                if (asked) {
                    ticket = ask(b, 1, ambit_never());
                }
                ambit_cancel(inner, "now");
            }
            WANT_EQ(got, asked ? 0 : -ECANCELED);
            WANT_EQ(stats_of(b).receivers, 0);
            if (asked) {
                WANT_EQ(ambit_boundary_try(b, ticket, answer, 2), 1);
            }
        }
        WANT_EQ(stats_of(b).held + stats_of(b).queued, 0);
    }
    ambit_boundary_unref(b);
    return rc;
}

/* Goal: a request is either taken or not.
 * Method: cancel a receiver before and after it is handed one. */
Spec(BND_CANCEL_1, a_cancelled_receiver_takes_nothing)
{
    spec_on_1_and_2_workers(cancels_receiver);
    spec_end("BND_CANCEL_1");
}

/* --- BND-FD-1 -------------------------------------------------------------- */

#define LOOP_CALLS 1000

/* A loop that keeps up to 8 requests under way. */
static void *loop_body(void *arg)
{
    ambit_boundary *b = arg;
    int loop = epoll_create1(EPOLL_CLOEXEC), fd = ambit_boundary_fd(b);
    struct epoll_event event = {.events = EPOLLIN};
    int asked = 0, answered = 0;
    int64_t sum = 0;
    WANT_EQ(ambit_boundary_fd(b), fd);
    WANT_EQ(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event), 0);
    while (answered < LOOP_CALLS) {
        struct ambit_boundary_ticket ticket;
        int64_t reply = 0;
        while (asked < LOOP_CALLS &&
               ambit_boundary_try_call(b, &asked, sizeof asked, ambit_never(),
                                       &ticket) == 0) {
            asked++;
        }
        int n = epoll_wait(loop, &event, 1, SPEC_PATIENCE_S * 1000);
        WANT_EQ(n, 1);
        if (n != 1) {
            break;
        }
        ambit_boundary_drain(b);
        while (ambit_boundary_next(b, &ticket) == 0) {
            WANT_EQ(ambit_boundary_try(b, ticket, &reply, 8), 8);
            sum += reply;
            answered++;
        }
    }
    WANT_EQ(sum, (int64_t)LOOP_CALLS * (LOOP_CALLS - 1));
    close(loop);
    ambit_boundary_unref(b);
    return NULL;
}

static bool readable(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    return poll(&look, 1, 0) == 1;
}

static int rings(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = make(2);
    struct ambit_boundary_ticket first, second, told;
    struct ambit_boundary_request one, two;
    int fd = ambit_boundary_fd(b), rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_boundary_serve(s, b), 0);
        first = ask(b, 1, ambit_never());
        second = ask(b, 2, ambit_never());
        WANT_EQ(ambit_boundary_receive(cx, b, &one), 0);
        WANT_EQ(ambit_boundary_receive(cx, b, &two), 0);
        WANT(!readable(fd));
        WANT_EQ(ambit_boundary_next(b, &told), -EAGAIN);
        WANT_EQ(ambit_boundary_respond(&two, NULL, 0), 0);
        WANT(readable(fd));
        WANT_EQ(ambit_boundary_respond(&one, NULL, 0), 0);
        ambit_boundary_drain(b);
        WANT(!readable(fd));
        WANT_EQ(ambit_boundary_next(b, &told), 0);
        WANT_EQ(ambit_boundary_try(b, told, NULL, 0), 0);
        WANT_EQ(ambit_boundary_try(b, second, NULL, 0), -ESTALE);
        WANT_EQ(ambit_boundary_next(b, &told), 0);
        WANT_EQ(ambit_boundary_next(b, &told), -EAGAIN);
        WANT_EQ(ambit_boundary_try(b, first, NULL, 0), 0);
    }
    ambit_boundary_unref(b);
    return rc;
}

static int serves_a_loop(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = make(8);
    pthread_t thread;
    (void)arg;
    pthread_create(&thread, NULL, loop_body, b);
    int rc = serve_with(cx, b, 1);
    pthread_join(thread, NULL);
    return rc;
}

/* Goal: a loop that sleeps in epoll hears of each answer, in order, once.
 * Method: look at the descriptor step by step; then a loop with many calls. */
Spec(BND_FD_1, an_answer_wakes_an_event_loop)
{
    spec_on(1, rings);
    spec_on_1_and_2_workers(serves_a_loop);
    spec_end("BND_FD_1");
}
