/* SPDX-License-Identifier: MIT */
/*
 * unbounded_test.c -- the channel without a limit (spec/channel.md).
 */
#include "tests/spec/common.h"

#define PRODUCERS 4

/* 100 bytes: 40 of them are in a block, the one after is in the next. */
struct item {
    int32_t from, n;
    char more[92];
};

static void wait_for(ambit_cx *cx, struct ambit_unbounded *u, uint32_t n)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (ambit_unbounded_receivers(u) != n && ambit_now().ns < end.ns) {
        (void)ambit_yield(cx);
    }
    WANT_EQ(ambit_unbounded_receivers(u), n);
}

struct taker {
    struct ambit_unbounded *channel;
    int *ret_rc;
    int *ret_item;
};

static int take_one(ambit_cx *cx, void *arg)
{
    struct taker *t = arg;
    *t->ret_rc = ambit_unbounded_receive(cx, t->channel, t->ret_item);
    return 0;
}

/* --- UNB-ORDER-1, UNB-ONCE-1 ----------------------------------------------- */

struct flow {
    struct ambit_unbounded channel;
    int n; /* of each producer */
    struct count sent, received, left, sum, producers;
};

struct producer {
    struct flow *flow;
    int number;
};

static int produce(ambit_cx *cx, void *arg)
{
    struct producer *p = arg;
    struct flow *flow = p->flow;
    int rc = 0;
    for (int i = 0; i < flow->n && rc == 0; i++) {
        struct item item = {.from = p->number, .n = i};
        WANT_EQ(ambit_unbounded_send(&flow->channel, &item), 0);
        count_up(&flow->sent);
        count_add(&flow->sum, i + 1);
        if (i % 50 == p->number) {
            rc = ambit_yield(cx);
        }
    }
    if (count_up(&flow->producers) == PRODUCERS - 1) {
        WANT_EQ(ambit_unbounded_close(&flow->channel), 0);
    }
    return rc;
}

static int consume(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    int last[PRODUCERS] = {-1, -1, -1, -1};
    struct item item;
    int rc;
    while ((rc = ambit_unbounded_receive(cx, &flow->channel, &item)) == 0) {
        WANT(item.n > last[item.from]); /* of one sender, in order */
        last[item.from] = item.n;
        count_up(&flow->received);
        count_add(&flow->sum, -(item.n + 1));
    }
    WANT(rc == -EPIPE || rc == -ECANCELED);
    return 0;
}

/* Everything that was sent has come out, or is still in it. */
static void run_flow(ambit_cx *cx, struct flow *flow, int consumers,
                     int64_t cancel_at)
{
    struct item item;
    int rc = 0;
    WANT_EQ(ambit_unbounded_init(&flow->channel, sizeof item), 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < consumers; i++) {
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
    int64_t len = (int64_t)ambit_unbounded_len(&flow->channel);
    while (ambit_unbounded_try_receive(&flow->channel, &item) == 0) {
        count_up(&flow->left);
        count_add(&flow->sum, -(item.n + 1));
    }
    WANT_EQ(len, count_get(&flow->left));
    WANT_EQ(count_get(&flow->sent), count_get(&flow->received) + len);
    WANT_EQ(count_get(&flow->sum), 0);
    ambit_unbounded_fini(&flow->channel);
}

/* Across the ends of blocks, with the queue empty at each place in one. */
static int in_order(ambit_cx *cx, void *arg)
{
    struct ambit_unbounded channel = AMBIT_UNBOUNDED_INIT(struct item);
    struct item item = {.from = 0};
    (void)cx, (void)arg;
    int in = 0, out = 0;
    for (int round = 1; round < 130; round++) {
        for (int i = 0; i < round; i++) {
            item.n = in++;
            WANT_EQ(ambit_unbounded_send(&channel, &item), 0);
        }
        for (int i = round % 3; i < round; i++) {
            WANT_EQ(ambit_unbounded_try_receive(&channel, &item), 0);
            WANT_EQ(item.n, out++);
        }
    }
    while (out < in) {
        WANT_EQ(ambit_unbounded_try_receive(&channel, &item), 0);
        WANT_EQ(item.n, out++);
    }
    WANT_EQ(ambit_unbounded_try_receive(&channel, &item), -EAGAIN);
    ambit_unbounded_fini(&channel);
    return 0;
}

static int flows_to_their_end(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int consumers = 1; consumers <= 3; consumers += 2) {
        struct flow flow = {.n = 5000 / SPEC_SLOWER};
        run_flow(cx, &flow, consumers, 0);
        WANT_EQ(count_get(&flow.received), PRODUCERS * flow.n);
    }
    return 0;
}

/* Goal: first in, first out.
 * Method: up to 129 items at a time, by hand; four producers, one consumer and
 * three, each of whom sees every producer's items in order. */
Spec(UNB_ORDER_1, items_come_out_as_they_went_in)
{
    spec_on_1_and_2_workers(in_order);
    spec_on_1_and_2_workers(flows_to_their_end);
    spec_end("UNB_ORDER_1");
}

static int flows_cut_off(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 100 / SPEC_SLOWER + 8; round++) {
        struct flow flow = {.n = INT32_MAX};
        run_flow(cx, &flow, 1 + round % 2, 40 + round % 11);
    }
    return 0;
}

/* A receiver that is handed an item, and cancelled before it runs. */
static int cancelled_with_the_item(ambit_cx *cx, void *arg)
{
    int got = 0, rc = 0, received = 1;
    struct ambit_unbounded channel = AMBIT_UNBOUNDED_INIT(int);
    (void)arg;
    ambit_scope (cx, s, &rc) {
        struct taker t = {&channel, &received, &got};
        WANT_EQ(ambit_spawn_with(s, take_one, &t, .tier = AMBIT_FIBER), 0);
        wait_for(cx, &channel, 1);
        WANT_EQ(ambit_unbounded_send(&channel, &(int){7}), 0);
        WANT_EQ(ambit_unbounded_len(&channel), 0);
        ambit_cancel(s, "too late");
    }
    WANT_EQ(rc, 0);
    WANT_EQ(received, 0);
    WANT_EQ(got, 7);
    ambit_unbounded_fini(&channel);
    return 0;
}

/* Goal: nothing lost, nothing twice.
 * Method: counts and sums of producers and consumers that are cancelled in the
 * middle of it; an item handed over just before the cancel. */
Spec(UNB_ONCE_1, what_is_sent_is_received_once_or_left)
{
    spec_on_1_and_2_workers(cancelled_with_the_item);
    spec_on_1_and_2_workers(flows_cut_off);
    spec_end("UNB_ONCE_1");
}

/* --- UNB-SEND-1, UNB-COUNT-1 ----------------------------------------------- */

#define MANY (100000 / SPEC_SLOWER)

static int send_many(ambit_cx *cx, void *arg)
{
    struct ambit_unbounded *channel = *(struct ambit_unbounded **)arg;
    (void)cx;
    for (int i = 0; i < MANY; i++) {
        WANT_EQ(ambit_unbounded_send(channel, &i), 0);
    }
    return 0;
}

static void *send_many_from_a_thread(void *arg)
{
    (void)send_many(NULL, &arg);
    return NULL;
}

/* Nobody receives, and nobody is held up: a task in a region that is cancelled,
 * the pool, a thread of its own. */
static int nobody_waits(ambit_cx *cx, void *arg)
{
    struct ambit_unbounded channel = AMBIT_UNBOUNDED_INIT(int), *here = &channel;
    int rc = 0, item = 0, n = 0;
    pthread_t thread;
    (void)arg;
    WANT_EQ(pthread_create(&thread, NULL, send_many_from_a_thread, here), 0);
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_spawn_with(s, send_many, &here, .tier = AMBIT_BLOCKING),
                0);
        ambit_scope (cx, gone, &rc) {
            ambit_cancel(gone, "a send does not look");
            WANT_EQ(send_many(cx, &here), 0);
            WANT_EQ(ambit_unbounded_receive(cx, &channel, &item), -ECANCELED);
        }
    }
    pthread_join(thread, NULL);
    WANT_EQ(rc, 0);
    WANT_EQ(ambit_unbounded_len(&channel), 3 * MANY);
    while (ambit_unbounded_try_receive(&channel, &item) == 0) {
        n++;
    }
    WANT_EQ(n, 3 * MANY);
    ambit_unbounded_fini(&channel);
    return 0;
}

/* Goal: who sends is never held up.
 * Method: 100,000 items each from a cancelled scope, the pool and a thread that
 * is not ours, with nobody there to receive.  (Refused memory: tests/fail.) */
Spec(UNB_SEND_1, a_send_goes_through_whoever_sends)
{
    spec_on_1_and_2_workers(nobody_waits);
    spec_end("UNB_SEND_1");
}

/* In and out again, twice. */
static void count_items_of(size_t size)
{
    static char item[AMBIT_CHANNEL_ITEM_MAX];
    struct ambit_unbounded channel;
    size_t one = 0;
    WANT_EQ(ambit_unbounded_init(&channel, size), 0);
    WANT_EQ(ambit_unbounded_bytes(&channel), 0);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 1; i <= 500; i++) {
            WANT_EQ(ambit_unbounded_send(&channel, item), 0);
            WANT_EQ(ambit_unbounded_len(&channel), i);
            size_t bytes = ambit_unbounded_bytes(&channel);
            one = one == 0 ? bytes : one;
            WANT(bytes >= i * size && bytes % one == 0);
            WANT(bytes <= 2 * i * size + one); /* no more than it needs */
        }
        for (uint64_t i = 500; i-- > 0;) {
            WANT_EQ(ambit_unbounded_try_receive(&channel, item), 0);
            WANT_EQ(ambit_unbounded_len(&channel), i);
            WANT(ambit_unbounded_bytes(&channel) <= 2 * i * size + 2 * one);
        }
        WANT_EQ(ambit_unbounded_bytes(&channel), one);
    }
    (void)ambit_unbounded_send(&channel, item);
    ambit_unbounded_fini(&channel);
    WANT_EQ(ambit_unbounded_bytes(&channel), 0);
}

static int counts(ambit_cx *cx, void *arg)
{
    struct ambit_unbounded channel;
    (void)cx, (void)arg;
    count_items_of(1);
    count_items_of(100);
    count_items_of(AMBIT_CHANNEL_ITEM_MAX - 1);
    count_items_of(AMBIT_CHANNEL_ITEM_MAX);
    WANT_EQ(ambit_unbounded_init(&channel, 0), -EINVAL);
    WANT_EQ(ambit_unbounded_init(&channel, AMBIT_CHANNEL_ITEM_MAX + 1), -E2BIG);
    return 0;
}

/* Goal: what is in it, and what it takes, is known at each moment.
 * Method: 500 items of the smallest and the largest sizes, in and out, twice. */
Spec(UNB_COUNT_1, items_and_memory_are_counted_and_given_back)
{
    spec_on_1_and_2_workers(counts);
    spec_end("UNB_COUNT_1");
}

/* --- UNB-CLOSE-1 ----------------------------------------------------------- */

static int close_on_receivers(ambit_cx *cx, void *arg)
{
    int got[2] = {0}, rcs[2] = {0}, rc = 0, item = 0;
    struct ambit_unbounded channel = AMBIT_UNBOUNDED_INIT(int);
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 2; i++) {
            struct taker t = {&channel, &rcs[i], &got[i]};
            WANT_EQ(ambit_spawn(s, take_one, &t), 0);
        }
        wait_for(cx, &channel, 2);
        WANT_EQ(ambit_unbounded_close(&channel), 0);
    }
    WANT_EQ(rcs[0], -EPIPE);
    WANT_EQ(rcs[1], -EPIPE);
    WANT_EQ(ambit_unbounded_close(&channel), -EALREADY);
    ambit_unbounded_fini(&channel);
    WANT_EQ(ambit_unbounded_init(&channel, sizeof item), 0);
    for (int i = 0; i < 3; i++) {
        WANT_EQ(ambit_unbounded_send(&channel, &i), 0);
    }
    WANT_EQ(ambit_unbounded_close(&channel), 0);
    WANT_EQ(ambit_unbounded_send(&channel, &item), -EPIPE);
    for (int i = 0; i < 3; i++) {
        WANT_EQ(ambit_unbounded_receive(cx, &channel, &item), 0);
        WANT_EQ(item, i);
    }
    WANT_EQ(ambit_unbounded_receive(cx, &channel, &item), -EPIPE);
    WANT_EQ(ambit_unbounded_try_receive(&channel, &item), -EPIPE);
    ambit_unbounded_fini(&channel);
    return rc;
}

/* Goal: what was sent arrives, and then the end.
 * Method: receivers that wait; items left at the close; a send too late. */
Spec(UNB_CLOSE_1, receivers_drain_and_are_told_of_the_end)
{
    spec_on_1_and_2_workers(close_on_receivers);
    spec_end("UNB_CLOSE_1");
}
