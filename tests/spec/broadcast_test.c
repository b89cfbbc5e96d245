/* SPDX-License-Identifier: MIT */
/*
 * broadcast_test.c -- each item to each receiver (spec/channel.md).
 */
#include "tests/spec/common.h"

#define SENDERS 2
#define READERS 3

static void wait_for(ambit_cx *cx, struct ambit_broadcast *b, uint32_t n)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (ambit_broadcast_waiters(b) != n && ambit_now().ns < end.ns) {
        (void)ambit_yield(cx);
    }
    WANT_EQ(ambit_broadcast_waiters(b), n);
}

struct reader {
    struct ambit_broadcast_receiver *receiver;
    int *ret_rc;
    int *ret_item;
};

static int read_one(ambit_cx *cx, void *arg)
{
    struct reader *r = arg;
    *r->ret_rc = ambit_broadcast_receive(cx, r->receiver, r->ret_item);
    return 0;
}

/* --- BCAST-ALL-1 ----------------------------------------------------------- */

struct news {
    struct ambit_broadcast broadcast;
    int n;             /* of each sender */
    int64_t pace;      /* how far ahead of the readers; 0: not looked at */
    struct count sent, senders, read[READERS];
    struct count received, missed;
};

struct news_item {
    int32_t from, n;
};

struct news_end {
    struct news *news;
    int number;
    struct ambit_broadcast_receiver receiver;
};

/* Not further ahead of anybody than the capacity. */
static void keep_pace(ambit_cx *cx, struct news *news)
{
    for (int i = 0; i < READERS && news->pace > 0; i++) {
        while (count_get(&news->sent) - count_get(&news->read[i]) >=
               news->pace) {
            if (ambit_yield(cx) < 0) {
                return;
            }
        }
    }
}

static int report(ambit_cx *cx, void *arg)
{
    struct news_end *e = arg;
    struct news *news = e->news;
    for (int i = 0; i < news->n; i++) {
        struct news_item item = {e->number, i};
        keep_pace(cx, news);
        WANT_EQ(ambit_broadcast_send(&news->broadcast, &item), 0);
        count_up(&news->sent);
        if (i % 7 == 0) {
            (void)ambit_yield(cx);
        }
    }
    if (count_up(&news->senders) == SENDERS - 1) {
        WANT_EQ(ambit_broadcast_close(&news->broadcast), 0);
    }
    return 0;
}

/* Of each sender in order; without a hole while nothing was missed. */
static int listen_to_all(ambit_cx *cx, void *arg)
{
    struct news_end *e = arg;
    struct news *news = e->news;
    int next[SENDERS] = {0};
    bool holes = false;
    struct news_item item;
    int rc;
    do {
        rc = ambit_broadcast_receive(cx, &e->receiver, &item);
        if (rc == -EOVERFLOW) {
            WANT(e->receiver.missed > 0);
            count_add(&news->missed, (int64_t)e->receiver.missed);
            holes = true;
        } else if (rc == 0) {
            WANT(item.n == next[item.from] ||
                 (holes && item.n > next[item.from]));
            next[item.from] = item.n + 1;
            count_up(&news->received);
            count_up(&news->read[e->number]);
        }
    } while (rc == 0 || rc == -EOVERFLOW);
    WANT_EQ(rc, -EPIPE);
    return 0;
}

static void run_news(ambit_cx *cx, struct news *news)
{
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < READERS; i++) {
            struct news_end e = {.news = news, .number = i};
            ambit_broadcast_subscribe(&news->broadcast, &e.receiver);
            WANT_EQ(ambit_spawn(s, listen_to_all, &e), 0);
        }
        for (int i = 0; i < SENDERS; i++) {
            struct news_end e = {.news = news, .number = i};
            WANT_EQ(ambit_spawn(s, report, &e), 0);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&news->sent), SENDERS * news->n);
    WANT_EQ(count_get(&news->received) + count_get(&news->missed),
            READERS * SENDERS * news->n);
    ambit_broadcast_fini(&news->broadcast);
}

static const uint32_t capacities[] = {1, 2, 5, 64};

static int everybody_hears_all(ambit_cx *cx, void *arg)
{
    static struct news_item room[64];
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
        struct news fast = {.n = 4000 / SPEC_SLOWER};
        WANT_EQ(ambit_broadcast_init(&fast.broadcast, room, capacities[i],
                                     sizeof room[0]), 0);
        run_news(cx, &fast);
    }
    struct news paced = {.n = 2000 / SPEC_SLOWER, .pace = 62};
    WANT_EQ(ambit_broadcast_init(&paced.broadcast, room, 64, sizeof room[0]),
            0);
    run_news(cx, &paced); /* two senders may be one further each */
    WANT_EQ(count_get(&paced.missed), 0);
    return 0;
}

/* Called off while it waits, and after the item came. */
static int cancelled_at_the_next_item(ambit_cx *cx, void *arg)
{
    int room[4], got = 0, rc = 0, read = 1;
    struct ambit_broadcast b = AMBIT_BROADCAST_INIT(room);
    struct ambit_broadcast_receiver mine;
    (void)arg;
    ambit_broadcast_subscribe(&b, &mine);
    struct reader r = {&mine, &read, &got};
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_spawn_with(s, read_one, &r, .tier = AMBIT_FIBER), 0);
        wait_for(cx, &b, 1);
        ambit_cancel(s, "before");
    }
    WANT_EQ(read, -ECANCELED);
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_spawn_with(s, read_one, &r, .tier = AMBIT_FIBER), 0);
        wait_for(cx, &b, 1);
        WANT_EQ(ambit_broadcast_send(&b, &(int){1}), 0);
        WANT_EQ(ambit_broadcast_send(&b, &(int){2}), 0);
        ambit_cancel(s, "after");
    }
    WANT_EQ(read, 0);
    WANT_EQ(got, 1);
    WANT_EQ(ambit_broadcast_try_receive(&mine, &got), 0);
    WANT_EQ(got, 2);
    WANT_EQ(ambit_broadcast_try_receive(&mine, &got), -EAGAIN);
    ambit_broadcast_fini(&b);
    return rc;
}

static int send_on_the_pool(ambit_cx *cx, void *arg)
{
    struct ambit_broadcast *b = *(struct ambit_broadcast **)arg;
    struct ambit_broadcast_receiver mine;
    int got = 0;
    ambit_broadcast_subscribe(b, &mine);
    WANT_EQ(ambit_broadcast_receive(cx, &mine, &got), -EPERM);
    WANT_EQ(ambit_broadcast_send(b, &(int){5}), 0);
    WANT_EQ(ambit_broadcast_try_receive(&mine, &got), 0);
    WANT_EQ(got, 5);
    return 0;
}

static int heard_from_the_pool(ambit_cx *cx, void *arg)
{
    int room[2], got = 0, rc = 0;
    struct ambit_broadcast b = AMBIT_BROADCAST_INIT(room), *here = &b;
    struct ambit_broadcast_receiver mine;
    (void)arg;
    ambit_broadcast_subscribe(&b, &mine);
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_spawn_with(s, send_on_the_pool, &here,
                                 .tier = AMBIT_BLOCKING), 0);
        WANT_EQ(ambit_broadcast_receive(cx, &mine, &got), 0);
    }
    WANT_EQ(got, 5);
    ambit_broadcast_fini(&b);
    return rc;
}

/* Goal: all of it to all, and what is missing is told.
 * Method: received + missed = sent, for three readers of two senders, at
 * capacities from 1; readers that keep up miss nothing; cancels around an item. */
Spec(BCAST_ALL_1, each_receiver_gets_each_item_once)
{
    spec_on_1_and_2_workers(everybody_hears_all);
    spec_on_1_and_2_workers(cancelled_at_the_next_item);
    spec_on_1_and_2_workers(heard_from_the_pool);
    spec_end("BCAST_ALL_1");
}

/* --- BCAST-LAG-1 ----------------------------------------------------------- */

/* Ahead of the receiver by less than the capacity, as much, more. */
static void lag_by(uint32_t capacity, int ahead)
{
    static int room[8];
    struct ambit_broadcast b;
    struct ambit_broadcast_receiver mine, late;
    int lost = ahead > (int)capacity ? ahead - (int)capacity : 0, got = -1;
    WANT_EQ(ambit_broadcast_init(&b, room, capacity, sizeof room[0]), 0);
    ambit_broadcast_subscribe(&b, &mine);
    for (int i = 0; i < ahead; i++) {
        WANT_EQ(ambit_broadcast_send(&b, &i), 0);
    }
    ambit_broadcast_subscribe(&b, &late);
    WANT_EQ(mine.missed, 0);
    if (lost > 0) {
        WANT_EQ(ambit_broadcast_try_receive(&mine, &got), -EOVERFLOW);
        WANT_EQ(mine.missed, lost);
        WANT_EQ(got, -1);
    }
    for (int i = lost; i < ahead; i++) {
        WANT_EQ(ambit_broadcast_try_receive(&mine, &got), 0);
        WANT_EQ(got, i);
    }
    WANT_EQ(ambit_broadcast_try_receive(&mine, &got), -EAGAIN);
    WANT_EQ(ambit_broadcast_try_receive(&late, &got), -EAGAIN);
    ambit_broadcast_fini(&b);
}

static int lags(ambit_cx *cx, void *arg)
{
    int room[2], got = 0, rc = 0, read = 1;
    struct ambit_broadcast b = AMBIT_BROADCAST_INIT(room);
    struct ambit_broadcast_receiver mine;
    (void)arg;
    for (uint32_t capacity = 1; capacity <= 8; capacity++) {
        for (int ahead = 0; ahead <= 20; ahead++) {
            lag_by(capacity, ahead);
        }
    }
    ambit_broadcast_subscribe(&b, &mine);
    ambit_scope (cx, s, &rc) { /* overtaken between the wake and its turn */
        struct reader r = {&mine, &read, &got};
        WANT_EQ(ambit_spawn_with(s, read_one, &r, .tier = AMBIT_FIBER), 0);
        wait_for(cx, &b, 1);
        for (int i = 1; i <= 5; i++) {
            WANT_EQ(ambit_broadcast_send(&b, &i), 0);
        }
    }
    WANT_EQ(read, -EOVERFLOW);
    WANT_EQ(mine.missed, 3);
    WANT_EQ(ambit_broadcast_receive(cx, &mine, &got), 0);
    WANT_EQ(got, 4);
    WANT_EQ(ambit_broadcast_receive(cx, &mine, &got), 0);
    WANT_EQ(got, 5);
    ambit_broadcast_fini(&b);
    WANT_EQ(ambit_broadcast_init(&b, room, 0, 4), -EINVAL);
    WANT_EQ(ambit_broadcast_init(&b, room, 1, 0), -EINVAL);
    WANT_EQ(ambit_broadcast_init(&b, room, 1, AMBIT_CHANNEL_ITEM_MAX + 1),
            -E2BIG);
    return rc;
}

/* Goal: the exact number, and then the oldest that is left.
 * Method: capacities 1 to 8, up to 20 items ahead; one overtaken while it is
 * being woken. */
Spec(BCAST_LAG_1, who_is_too_slow_is_told_how_many_it_missed)
{
    spec_on_1_and_2_workers(lags);
    spec_end("BCAST_LAG_1");
}

/* --- BCAST-CLOSE-1 --------------------------------------------------------- */

static int close_on_readers(ambit_cx *cx, void *arg)
{
    int room[4], got = 0, rc = 0, rcs[2] = {0, 0}, items[2], item = 9;
    struct ambit_broadcast b = AMBIT_BROADCAST_INIT(room);
    struct ambit_broadcast_receiver slow, quick[2];
    (void)arg;
    ambit_broadcast_subscribe(&b, &slow);
    WANT_EQ(ambit_broadcast_send(&b, &(int){1}), 0);
    WANT_EQ(ambit_broadcast_send(&b, &(int){2}), 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 2; i++) {
            ambit_broadcast_subscribe(&b, &quick[i]);
            struct reader r = {&quick[i], &rcs[i], &items[i]};
            WANT_EQ(ambit_spawn(s, read_one, &r), 0);
        }
        wait_for(cx, &b, 2);
        WANT_EQ(ambit_broadcast_close(&b), 0);
    }
    WANT_EQ(rcs[0], -EPIPE);
    WANT_EQ(rcs[1], -EPIPE);
    WANT_EQ(ambit_broadcast_close(&b), -EALREADY);
    WANT_EQ(ambit_broadcast_send(&b, &item), -EPIPE);
    for (int i = 1; i <= 2; i++) {
        WANT_EQ(ambit_broadcast_receive(cx, &slow, &got), 0);
        WANT_EQ(got, i);
    }
    WANT_EQ(ambit_broadcast_receive(cx, &slow, &got), -EPIPE);
    WANT_EQ(ambit_broadcast_try_receive(&slow, &got), -EPIPE);
    ambit_broadcast_fini(&b);
    return rc;
}

/* Goal: what was sent, and then the end.
 * Method: two who wait, one with two items to go, a send too late. */
Spec(BCAST_CLOSE_1, receivers_read_on_and_are_told_of_the_end)
{
    spec_on_1_and_2_workers(close_on_readers);
    spec_end("BCAST_CLOSE_1");
}
