/* SPDX-License-Identifier: MIT */
/*
 * lot_test.c -- credits taken in advance: MBX-CREDIT-4 of spec/mailbox.md, and
 * what becomes of them when the actor ends.
 */
#include "tests/spec/common.h"

struct sink {
    struct count *handled, *gate; /* gate NULL: open */
};

static int sink_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    memcpy(state, arg, sizeof(struct sink));
    return 0;
}

static int sink_handle(ambit_cx *cx, void *state, const void *message,
                       size_t size)
{
    struct sink *sink = state;
    (void)message;
    (void)size;
    while (sink->gate != NULL && count_get(sink->gate) == 0 &&
           ambit_sleep(cx, ambit_us(20)) == 0) {
    }
    count_up(sink->handled);
    return AMBIT_CONTINUE;
}

static const struct ambit_actor_type roomy = {
    .size_ = sizeof(struct ambit_actor_type),
    .name = "roomy",
    .state_size = sizeof(struct sink),
    .mailbox_max = 100,
    .init = sink_init,
    .handle = sink_handle,
};

static ambit_actor_ref sink_start(ambit_cx *cx, ambit_region *region,
                                  struct count *handled, struct count *gate)
{
    struct sink sink = {handled, gate};
    ambit_actor_ref ref = {0};
    WANT_EQ(ambit_actor_start(cx, region, &roomy, &sink, sizeof sink, &ref), 0);
    return ref;
}

struct outside {
    ambit_actor_ref to;
    int found;
};

/* A thread that is no worker: how many credits it can get. */
static void *find_credits(void *arg)
{
    struct outside *o = arg;
    struct ambit_permit permits[100];
    o->found = 0;
    while (o->found < 100 &&
           ambit_try_reserve(o->to, 4, &permits[o->found]) == 0) {
        o->found++;
    }
    for (int i = 0; i < o->found; i++) {
        ambit_abort(&permits[i]);
    }
    return NULL;
}

static int credits_found(ambit_actor_ref to)
{
    struct outside o = {to, 0};
    pthread_t thread;
    WANT_EQ(pthread_create(&thread, NULL, find_credits, &o), 0);
    pthread_join(thread, NULL);
    return o.found;
}

static void send_some(ambit_cx *cx, ambit_actor_ref to, int count)
{
    for (int i = 0; i < count; i++) {
        WANT_EQ(ambit_send(cx, to, "abc", 4), 0);
    }
}

/* --- MBX-CREDIT-4 --------------------------------------------------------- */

static int take_in_advance(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count handled = {0}, gate = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        ambit_actor_ref to = sink_start(cx, all, &handled, &gate);
        send_some(cx, to, 1);
        WANT_EQ(credits_found(to), 99);
        send_some(cx, to, 2);
        WANT(credits_found(to) >= 99 * 3 / 4);
        WANT_EQ(ambit_sleep(cx, ambit_ms(20)), 0);
        WANT_EQ(credits_found(to), 97);
        send_some(cx, to, 2);
        WANT_EQ(ambit_yield(cx), 0);
        WANT_EQ(credits_found(to), 95);
        /* what is left is to be had by the one task, to the last */
        send_some(cx, to, 95);
        WANT_EQ(ambit_try_send(to, "abc", 4), -EAGAIN);
        count_up(&gate);
        WANT_EQ(ambit_actor_stop(to), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&handled), 100);
    return 0;
}

/* Goal: what a worker takes in advance keeps nobody else out.
 * Method: a thread outside counts the credits to be had, while the sender's
 * worker has some in hand and after it waited; the handler is held up. */
Spec(MBX_CREDIT_4, credits_taken_in_advance_come_home)
{
    spec_on_1_and_2_workers(take_in_advance);
    spec_end("MBX_CREDIT_4");
}

/* --- MBX-END-1 ------------------------------------------------------------ */

/* Starts the actor, and gives way to it: it runs on this worker. */
struct starter {
    ambit_region *all;
    ambit_actor_ref *ret_to;
    struct count *handled, *started, *ready, *ended;
};

static int start_elsewhere(ambit_cx *cx, void *arg)
{
    struct starter *s = arg;
    count_up(s->started);
    *s->ret_to = sink_start(cx, s->all, s->handled, NULL);
    count_up(s->ready);
    while (count_get(s->ended) == 0 && ambit_sleep(cx, ambit_us(20)) == 0) {
    }
    return 0;
}

/* A thread that is no worker, and so has no credits in hand: until it is
 * refused as one is by the dead. */
static void *await_the_end(void *arg)
{
    struct outside *o = arg;
    struct ambit_permit permit;
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    do {
        o->found = ambit_try_reserve(o->to, 4, &permit);
        if (o->found == 0) {
            ambit_abort(&permit);
        }
    } while ((o->found == 0 || o->found == -EAGAIN) &&
             ambit_now().ns < end.ns);
    return NULL;
}

/* Sends in one go, with credits in hand, while the actor ends elsewhere. */
static int reserve_after_the_end(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        struct count handled = {0}, started = {0}, ready = {0}, ended = {0};
        ambit_actor_ref to = {0};
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            struct starter s = {all, &to, &handled, &started, &ready, &ended};
            struct ambit_permit permit;
            pthread_t thread;
            spawn_elsewhere(all, start_elsewhere, &s, &started);
            WANT(spin_until(&ready, 1));
            send_some(cx, to, 3);
            WANT_EQ(ambit_actor_stop(to), 0);
            struct outside o = {to, 0};
            WANT_EQ(pthread_create(&thread, NULL, await_the_end, &o), 0);
            pthread_join(thread, NULL);
            WANT(o.found == -EPIPE || o.found == -ESTALE);
            int after = ambit_try_reserve(to, 4, &permit);
            WANT(after == -EPIPE || after == -ESTALE);
            if (after == 0) {
                ambit_abort(&permit);
            }
            count_up(&ended);
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* Goal: a credit in hand does not hide that the actor has ended.
 * Method: one task sends without giving way while the actor is stopped on the
 * other worker; a thread outside sees the end first. */
Spec(MBX_END_1, who_has_credits_in_hand_is_told_of_the_end)
{
    spec_on(2, reserve_after_the_end);
    spec_end("MBX_END_1");
}
