/* SPDX-License-Identifier: MIT */
/*
 * channel_test.c -- the bounded channel (spec/channel.md).
 */
#include "tests/spec/dies.h"

/* A producer's number and how many it sent before. */
struct item {
    int32_t from, n;
};

static void wait_for(ambit_cx *cx, struct ambit_channel *channel,
                     uint32_t senders, uint32_t receivers)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while ((ambit_channel_senders(channel) != senders ||
            ambit_channel_receivers(channel) != receivers) &&
           ambit_now().ns < end.ns) {
        (void)ambit_yield(cx);
    }
    WANT_EQ(ambit_channel_senders(channel), senders);
    WANT_EQ(ambit_channel_receivers(channel), receivers);
}

/* --- one who sends, one who receives --------------------------------------- */

struct end {
    struct ambit_channel *channel;
    struct count *done;
    int item;
    int *ret_rc;
    int *ret_item;
    struct ambit_channel_permit *permit; /* set: reserves instead */
};

static int send_one(ambit_cx *cx, void *arg)
{
    struct end *e = arg;
    *e->ret_rc = e->permit != NULL
                     ? ambit_channel_reserve(cx, e->channel, e->permit)
                     : ambit_channel_send(cx, e->channel, &e->item);
    count_up(e->done);
    return 0;
}

static int receive_one(ambit_cx *cx, void *arg)
{
    struct end *e = arg;
    *e->ret_rc = ambit_channel_receive(cx, e->channel, e->ret_item);
    count_up(e->done);
    return 0;
}

/* --- CHAN-ORDER-1 ---------------------------------------------------------- */

static int in_order(ambit_cx *cx, void *arg)
{
    int room[2], got = 0, rc = 0, rcs[3] = {1, 1, 1};
    struct ambit_channel channel = AMBIT_CHANNEL_INIT(room);
    struct ambit_channel_permit early;
    struct count done = {0};
    (void)arg;
    WANT_EQ(ambit_channel_reserve(cx, &channel, &early), 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) { /* the first has room, two wait */
            struct end e = {&channel, &done, i, &rcs[i], NULL, NULL};
            WANT_EQ(ambit_spawn_with(s, send_one, &e, .tier = AMBIT_FIBER), 0);
            if (i == 0) {
                WANT(until(cx, &done, 1));
            }
            wait_for(cx, &channel, (uint32_t)i, 0);
        }
        WANT_EQ(ambit_channel_try_send(&channel, &got), -EAGAIN);
        got = 3; /* reserved first, committed before those who wait */
        WANT_EQ(ambit_channel_commit(&early, &got), 0);
        const int wanted[] = {0, 3, 1, 2};
        for (int i = 0; i < 4; i++) {
            WANT_EQ(ambit_channel_receive(cx, &channel, &got), 0);
            WANT_EQ(got, wanted[i]);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(rcs[0] + rcs[1] + rcs[2], 0);
    ambit_channel_fini(&channel);
    return 0;
}

#define PRODUCERS 4
#define CONSUMERS 3

struct flow {
    struct ambit_channel channel;
    int n; /* of each producer */
    bool in_two_steps;
    struct count sent, received, sum, left;
    struct count producers;
};

struct producer {
    struct flow *flow;
    int number;
};

static int produce_one(ambit_cx *cx, struct flow *flow, struct item *item)
{
    struct ambit_channel_permit permit;
    if (!flow->in_two_steps || item->n % 3 == 0) {
        return ambit_channel_send(cx, &flow->channel, item);
    }
    int rc = ambit_channel_reserve(cx, &flow->channel, &permit);
    if (rc == 0) {
        if (item->n % 3 == 1) {
            (void)ambit_yield(cx);
            ambit_channel_abort(&permit);
            return ambit_channel_send(cx, &flow->channel, item);
        }
        rc = ambit_channel_commit(&permit, item);
    }
    return rc;
}

static int produce(ambit_cx *cx, void *arg)
{
    struct producer *p = arg;
    struct flow *flow = p->flow;
    int rc = 0;
    for (int i = 0; i < flow->n && rc == 0; i++) {
        struct item item = {p->number, i};
        rc = produce_one(cx, flow, &item);
        if (rc == 0) {
            count_up(&flow->sent);
            count_add(&flow->sum, i + 1);
        }
    }
    if (count_up(&flow->producers) == PRODUCERS - 1) {
        WANT_EQ(ambit_channel_close(&flow->channel), 0);
    }
    return rc;
}

static int consume(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    int last[PRODUCERS] = {-1, -1, -1, -1};
    struct item item;
    int rc;
    while ((rc = ambit_channel_receive(cx, &flow->channel, &item)) == 0) {
        WANT(item.n > last[item.from]); /* of one sender, in order */
        last[item.from] = item.n;
        count_up(&flow->received);
        count_add(&flow->sum, -(item.n + 1));
    }
    WANT(rc == -EPIPE || rc == -ECANCELED);
    return 0;
}

/* Everything that was sent has come out, or is still in it. */
static void run_flow(ambit_cx *cx, struct flow *flow, int64_t cancel_at)
{
    struct item item;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < CONSUMERS; i++) {
            WANT_EQ(ambit_spawn(s, consume, &flow), 0);
        }
        for (int i = 0; i < PRODUCERS; i++) {
            struct producer p = {flow, i};
            WANT_EQ(ambit_spawn(s, produce, &p), 0);
        }
        if (cancel_at > 0) {
            WANT(until(cx, &flow->received, cancel_at));
            ambit_cancel(s, "in the middle");
        }
    }
    WANT_EQ(rc, 0);
    while (ambit_channel_try_receive(&flow->channel, &item) == 0) {
        count_up(&flow->left);
        count_add(&flow->sum, -(item.n + 1));
    }
    WANT_EQ(count_get(&flow->sent),
            count_get(&flow->received) + count_get(&flow->left));
    WANT_EQ(count_get(&flow->sum), 0);
    ambit_channel_fini(&flow->channel);
}

static const int capacities[] = {1, 2, 5, 64};

static int flows_to_their_end(ambit_cx *cx, void *arg)
{
    static struct item room[64];
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
        struct flow flow = {.n = 5000 / SPEC_SLOWER, .in_two_steps = i % 2 != 0};
        WANT_EQ(ambit_channel_init(&flow.channel, room,
                                   (uint32_t)capacities[i], sizeof room[0]), 0);
        run_flow(cx, &flow, 0);
        WANT_EQ(count_get(&flow.received), PRODUCERS * flow.n);
    }
    return 0;
}

/* Goal: first in, first out.
 * Method: senders that wait and a permit, by hand; then four producers and
 * three consumers, each of whom sees every producer's items in order. */
Spec(CHAN_ORDER_1, items_come_out_as_they_went_in)
{
    spec_on_1_and_2_workers(in_order);
    spec_on_1_and_2_workers(flows_to_their_end);
    spec_end("CHAN_ORDER_1");
}

static int flows_cut_off(ambit_cx *cx, void *arg)
{
    static struct item room[64];
    (void)arg;
    for (int round = 0; round < 300 / SPEC_SLOWER + 8; round++) {
        struct flow flow = {.n = INT32_MAX, .in_two_steps = round % 2 != 0};
        WANT_EQ(ambit_channel_init(&flow.channel, room,
                                   (uint32_t)capacities[round / 2 % 4],
                                   sizeof room[0]), 0);
        run_flow(cx, &flow, 40 + round % 11);
    }
    return 0;
}

/* A receiver that is handed an item, and cancelled before it runs. */
static int cancelled_with_the_item(ambit_cx *cx, void *arg)
{
    int room[1], item = 7, got = 0, rc = 0, received = 1;
    struct ambit_channel channel = AMBIT_CHANNEL_INIT(room);
    struct count done = {0};
    (void)arg;
    ambit_scope (cx, s, &rc) {
        struct end e = {&channel, &done, 0, &received, &got, NULL};
        WANT_EQ(ambit_spawn_with(s, receive_one, &e, .tier = AMBIT_FIBER), 0);
        wait_for(cx, &channel, 0, 1);
        WANT_EQ(ambit_channel_try_send(&channel, &item), 0);
        ambit_cancel(s, "too late");
    }
    WANT_EQ(rc, 0);
    WANT_EQ(received, 0);
    WANT_EQ(got, 7);
    ambit_channel_fini(&channel);
    return 0;
}

/* Goal: nothing lost, nothing twice.
 * Method: counts and sums of producers and consumers that are cancelled in the
 * middle of it, 300 times; an item handed over just before the cancel. */
Spec(CHAN_ONCE_1, what_is_sent_is_received_once_or_left)
{
    spec_on_1_and_2_workers(cancelled_with_the_item);
    spec_on_1_and_2_workers(flows_cut_off);
    spec_end("CHAN_ONCE_1");
}

/* --- CHAN-BOUND-1, CHAN-TRY-1 ---------------------------------------------- */

static int exactly_as_many(ambit_cx *cx, void *arg)
{
    static int room[1024];
    const uint32_t bounds[] = {1, 5, 10, 1024};
    struct ambit_channel channel;
    struct ambit_channel_permit permit = {NULL};
    (void)cx, (void)arg;
    WANT_EQ(ambit_channel_init(&channel, room, 0, 4), -EINVAL);
    WANT_EQ(ambit_channel_init(&channel, room, 1, 0), -EINVAL);
    WANT_EQ(ambit_channel_init(&channel, room, 1, AMBIT_CHANNEL_ITEM_MAX + 1),
            -E2BIG);
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
        int n = (int)bounds[i], got = -1;
        WANT_EQ(ambit_channel_init(&channel, room, bounds[i], sizeof n), 0);
        for (int turn = 0; turn < 2; turn++) { /* the second wraps around */
            for (int k = turn; k < n; k++) {
                WANT_EQ(ambit_channel_try_send(&channel, &k), 0);
            }
            if (turn == 1) {
                WANT_EQ(ambit_channel_try_reserve(&channel, &permit), 0);
            }
            WANT_EQ(ambit_channel_try_send(&channel, &got), -EAGAIN);
            WANT_EQ(ambit_channel_try_reserve(&channel, &permit), -EAGAIN);
            WANT_EQ(ambit_channel_len(&channel), bounds[i] - turn);
            for (int k = turn; k < n; k++) {
                WANT_EQ(ambit_channel_try_receive(&channel, &got), 0);
                WANT_EQ(got, k);
            }
            WANT_EQ(ambit_channel_try_receive(&channel, &got), -EAGAIN);
        }
        ambit_channel_abort(&permit);
        ambit_channel_fini(&channel);
    }
    return 0;
}

/* Goal: as many as it says.  Method: 1, 5, 10 and 1024, twice around the ring,
 * with a permit as one of them. */
Spec(CHAN_BOUND_1, a_channel_holds_exactly_its_capacity)
{
    spec_on_1_and_2_workers(exactly_as_many);
    spec_end("CHAN_BOUND_1");
}

/* Goal: a try does not wait, and takes nothing on failure. */
Spec(CHAN_TRY_1, a_try_on_a_full_channel_leaves_the_item)
{
    spec_on_1_and_2_workers(exactly_as_many);
    spec_end("CHAN_TRY_1");
}

/* --- the end --------------------------------------------------------------- */

static int close_on_senders(ambit_cx *cx, void *arg)
{
    int room[2], one = 1, two = 2, got = 0, rc = 0, rcs[2] = {0, 0};
    struct ambit_channel channel = AMBIT_CHANNEL_INIT(room);
    struct ambit_channel_permit permit, wanted = {NULL};
    struct count done = {0};
    (void)arg;
    WANT_EQ(ambit_channel_send(cx, &channel, &one), 0);
    WANT_EQ(ambit_channel_reserve(cx, &channel, &permit), 0);
    ambit_scope (cx, s, &rc) {
        struct end e = {&channel, &done, 5, &rcs[0], NULL, NULL};
        WANT_EQ(ambit_spawn(s, send_one, &e), 0);
        e.ret_rc = &rcs[1];
        e.permit = &wanted;
        WANT_EQ(ambit_spawn(s, send_one, &e), 0);
        wait_for(cx, &channel, 2, 0);
        WANT_EQ(ambit_channel_close(&channel), 0);
        WANT(until(cx, &done, 2));
    }
    WANT_EQ(rcs[0], -EPIPE);
    WANT_EQ(rcs[1], -EPIPE);
    WANT_EQ(ambit_channel_close(&channel), -EALREADY);
    WANT_EQ(ambit_channel_commit(&permit, &two), -EPIPE);
    WANT_EQ(ambit_channel_send(cx, &channel, &two), -EPIPE);
    WANT_EQ(ambit_channel_try_send(&channel, &two), -EPIPE);
    WANT_EQ(ambit_channel_reserve(cx, &channel, &permit), -EPIPE);
    WANT_EQ(ambit_channel_try_reserve(&channel, &permit), -EPIPE);
    WANT_EQ(ambit_channel_receive(cx, &channel, &got), 0);
    WANT_EQ(got, 1);
    WANT_EQ(ambit_channel_receive(cx, &channel, &got), -EPIPE);
    ambit_channel_fini(&channel);
    return rc;
}

/* Goal: nothing gets in after the close.
 * Method: a sender and a reserver that wait, an open permit, and all calls
 * after it. */
Spec(CHAN_CLOSE_1, a_closed_channel_takes_nothing)
{
    spec_on_1_and_2_workers(close_on_senders);
    spec_end("CHAN_CLOSE_1");
}

static int close_on_receivers(ambit_cx *cx, void *arg)
{
    int room[4], got[2] = {0}, rcs[2] = {0}, rc = 0, item = 0;
    struct ambit_channel channel = AMBIT_CHANNEL_INIT(room);
    struct count done = {0};
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 2; i++) {
            struct end e = {&channel, &done, 0, &rcs[i], &got[i], NULL};
            WANT_EQ(ambit_spawn(s, receive_one, &e), 0);
        }
        wait_for(cx, &channel, 0, 2);
        WANT_EQ(ambit_channel_close(&channel), 0);
        WANT(until(cx, &done, 2));
    }
    WANT_EQ(rcs[0], -EPIPE);
    WANT_EQ(rcs[1], -EPIPE);
    ambit_channel_fini(&channel);
    WANT_EQ(ambit_channel_init(&channel, room, 4, sizeof item), 0);
    for (int i = 0; i < 3; i++) {
        WANT_EQ(ambit_channel_try_send(&channel, &i), 0);
    }
    WANT_EQ(ambit_channel_close(&channel), 0);
    for (int i = 0; i < 3; i++) {
        WANT_EQ(ambit_channel_receive(cx, &channel, &item), 0);
        WANT_EQ(item, i);
    }
    WANT_EQ(ambit_channel_receive(cx, &channel, &item), -EPIPE);
    WANT_EQ(ambit_channel_try_receive(&channel, &item), -EPIPE);
    ambit_channel_fini(&channel);
    return rc;
}

/* Goal: what was sent arrives, and then the end.
 * Method: receivers that wait; items left at the close. */
Spec(CHAN_CLOSE_2, receivers_drain_and_are_told_of_the_end)
{
    spec_on_1_and_2_workers(close_on_receivers);
    spec_end("CHAN_CLOSE_2");
}

/* --- permits --------------------------------------------------------------- */

/* A full channel, a sender that waits; the permit is resolved. */
static void resolve_for(ambit_cx *cx, int how)
{
    int room[1], three = 3, got = 0, rc = 0, sent = 1, received = 1;
    struct ambit_channel channel = AMBIT_CHANNEL_INIT(room);
    struct ambit_channel_permit permit;
    struct count done = {0};
    WANT_EQ(ambit_channel_reserve(cx, &channel, &permit), 0);
    ambit_scope (cx, s, &rc) {
        struct end e = {&channel, &done, 5, &sent, &got, NULL};
        if (how == 1) {
            e.ret_rc = &received;
            WANT_EQ(ambit_spawn(s, receive_one, &e), 0);
            wait_for(cx, &channel, 0, 1);
            e.ret_rc = &sent;
        }
        WANT_EQ(ambit_spawn(s, send_one, &e), 0);
        wait_for(cx, &channel, 1, how == 1);
        if (how == 0) {
            ambit_channel_abort(&permit);
        } else {
            WANT_EQ(ambit_channel_commit(&permit, &three), 0);
        }
        WANT(until(cx, &done, how == 1 ? 2 : 1));
    }
    WANT_EQ(rc + sent, 0);
    WANT(how == 0 || (received == 0 && got == 3));
    WANT_EQ(ambit_channel_try_receive(&channel, &got), 0);
    WANT_EQ(got, 5);
    ambit_channel_fini(&channel);
}

static int places_are_passed_on(ambit_cx *cx, void *arg)
{
    (void)arg;
    resolve_for(cx, 0);
    resolve_for(cx, 1);
    return 0;
}

/* Goal: a place that is free is somebody's.
 * Method: an abort, and a commit that goes straight to a receiver, while a
 * sender waits for room. */
Spec(CHAN_PERMIT_1, a_place_that_comes_back_goes_to_who_waits)
{
    spec_on_1_and_2_workers(places_are_passed_on);
    spec_end("CHAN_PERMIT_1");
}

static int used_twice(ambit_cx *cx, void *arg)
{
    int room[2], item = 1;
    struct ambit_channel channel = AMBIT_CHANNEL_INIT(room);
    struct ambit_channel_permit permit;
    (void)arg;
    WANT_EQ(ambit_channel_reserve(cx, &channel, &permit), 0);
    WANT_EQ(ambit_channel_commit(&permit, &item), 0);
    WANT_EQ(ambit_channel_commit(&permit, &item), -EALREADY);
    ambit_channel_abort(&permit);
    WANT_EQ(ambit_channel_len(&channel), 1);
    WANT_EQ(ambit_channel_try_reserve(&channel, &permit), 0);
    ambit_channel_abort(&permit);
    WANT_EQ(ambit_channel_commit(&permit, &item), -EALREADY);
    WANT_EQ(ambit_channel_len(&channel), 1);
    ambit_channel_fini(&channel);
    return 0;
}

static void end_with_a_permit_out(void)
{
    int room[1];
    struct ambit_channel channel = AMBIT_CHANNEL_INIT(room);
    struct ambit_channel_permit permit;
    (void)ambit_channel_try_reserve(&channel, &permit);
    ambit_channel_fini(&channel);
}

/* Goal: one permit, one item.  Method: each use after a use; an end while one
 * is out says so. */
Spec(CHAN_PERMIT_2, a_permit_is_used_once)
{
    spec_on_1_and_2_workers(used_twice);
    WANT(dies_saying(end_with_a_permit_out,
                     "a channel was ended while a permit of it is out"));
    spec_end("CHAN_PERMIT_2");
}
