/* SPDX-License-Identifier: MIT */
/*
 * sums_close_test.c -- channels and their kin, closed under all of their senders,
 * lose nothing either, at every capacity from 1.
 */
#include "tests/stress/sums_close.h"

enum { SENDERS = 3, RECEIVERS = 2, CAPACITY_MOST = 64 };

struct sender {
    void *of;
    int64_t first;
};

/* --- bounded channel -------------------------------------------------------- */

struct flow {
    struct ends ends;
    struct ambit_channel channel;
    int64_t room[CAPACITY_MOST];
};

static int commit_or_abort(struct ambit_channel_permit *permit, int64_t value)
{
    if (value % 7 == 0) {
        ambit_channel_abort(permit);
        return -EAGAIN;
    }
    return ambit_channel_commit(permit, &value);
}

static int send_some_way(ambit_cx *cx, struct ambit_channel *channel,
                         int64_t value)
{
    struct ambit_channel_permit permit;
    int rc;
    switch (value % 4) {
    case 0:
        return ambit_channel_try_send(channel, &value);
    case 1:
        rc = ambit_channel_reserve(cx, channel, &permit);
        return rc < 0 ? rc : commit_or_abort(&permit, value);
    case 2:
        rc = ambit_channel_try_reserve(channel, &permit);
        return rc < 0 ? rc : commit_or_abort(&permit, value);
    default:
        return ambit_channel_send(cx, channel, &value);
    }
}

static int sends(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    struct flow *flow = s->of;
    int rc = 0;
    for (int64_t i = 0; rc != -EPIPE; i++) {
        int64_t value = s->first + i;
        bool late = count_get(&flow->ends.closed) > 0;
        rc = send_some_way(cx, &flow->channel, value);
        offer(&flow->ends, value, late, rc);
        if (rc == -EAGAIN) {
            WANT_EQ(ambit_yield(cx), 0);
        }
    }
    count_up(&flow->ends.gone);
    return 0;
}

static int receives(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    int64_t value = 0;
    int rc;
    while ((rc = ambit_channel_receive(cx, &flow->channel, &value)) == 0) {
        tally_up(&flow->ends.ledger.received, value);
    }
    WANT_EQ(rc, -EPIPE);
    return 0;
}

static void spawn_senders(ambit_region *s, ambit_task_fn *fn, void *of)
{
    for (int64_t i = 0; i < SENDERS; i++) {
        WANT_EQ(ambit_spawn(s, fn, &(struct sender){of, i << 32}), 0);
    }
}

/* With receivers, and without any: then it is full, and some wait. */
static void one_flow(ambit_cx *cx, uint32_t capacity, int64_t at, int receivers)
{
    struct flow flow = {.ends.at = receivers > 0 ? at : capacity,
                        .ends.senders = SENDERS};
    struct flow *pflow = &flow;
    int64_t value;
    int rc = 0;
    WANT_EQ(ambit_channel_init(&flow.channel, flow.room, capacity,
                               sizeof *flow.room), 0);
    ambit_scope (cx, s, &rc) {
        spawn_senders(s, sends, pflow);
        for (int i = 0; i < receivers; i++) {
            WANT_EQ(ambit_spawn(s, receives, &pflow), 0);
        }
        close_under_way(cx, &flow.ends, ambit_channel_close(&flow.channel),
                        ambit_channel_close(&flow.channel));
    }
    WANT_EQ(rc, 0);
    while ((rc = ambit_channel_try_receive(&flow.channel, &value)) == 0) {
        tally_up(&flow.ends.ledger.left, value);
    }
    WANT_EQ(rc, -EPIPE);
    WANT_EQ(count_get(&flow.ends.ledger.left.n), receivers > 0 ? 0 : capacity);
    all_is_there(&flow.ends);
    ambit_channel_fini(&flow.channel);
}

static int through_a_channel(ambit_cx *cx, void *arg)
{
    uint32_t capacity = *(uint32_t *)arg;
    for (int round = 0; round < 30 / SPEC_SLOWER + 2; round++) {
        one_flow(cx, capacity, 1 + round * 5, RECEIVERS);
        one_flow(cx, capacity, 0, 0);
    }
    return 0;
}

/* Goal: a close meets senders and loses nothing.
 * Method: three senders that try, wait, reserve, commit and abort until they are
 * told; with two receivers, and with none; number and sum, at each capacity, on
 * one worker and two. */
Spec(CHAN_CLOSE_1, sums_are_equal_when_closed_under_senders)
{
    sums_at_every_capacity(through_a_channel);
    spec_end("CHAN_CLOSE_1");
}

/* --- unbounded ---------------------------------------------------------------- */

struct pool {
    struct ends ends;
    struct ambit_unbounded channel;
    int64_t burst;      /* that a sender sends before it gives way */
    int64_t takes;      /* the receiver, at most */
    int64_t due[SENDERS]; /* the receiver's */
};

static int pours(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    struct pool *pool = s->of;
    int rc = 0;
    for (int64_t i = 0; rc != -EPIPE; i++) {
        int64_t value = s->first + i;
        bool late = count_get(&pool->ends.closed) > 0;
        rc = ambit_unbounded_send(&pool->channel, &value);
        WANT(rc != -EAGAIN);
        offer(&pool->ends, value, late, rc);
        if (i % pool->burst == pool->burst - 1) {
            WANT_EQ(ambit_yield(cx), 0);
        }
    }
    count_up(&pool->ends.gone);
    return 0;
}

/* Each sender's in their order, without a hole. */
static void drain_one(int64_t *due, int64_t value, struct tally *tally)
{
    WANT(value >> 32 < SENDERS && (value & UINT32_MAX) == due[value >> 32]);
    due[value >> 32]++;
    tally_up(tally, value);
}

static int drains(ambit_cx *cx, void *arg)
{
    struct pool *pool = *(struct pool **)arg;
    int64_t value = 0;
    int rc = 0;
    for (int64_t i = 0; i < pool->takes && rc == 0; i++) {
        rc = ambit_unbounded_receive(cx, &pool->channel, &value);
        if (rc == 0) {
            drain_one(pool->due, value, &pool->ends.ledger.received);
        }
    }
    WANT(rc == 0 || rc == -EPIPE);
    return 0;
}

static void one_pool(ambit_cx *cx, int64_t burst, int64_t at, int64_t takes)
{
    struct pool pool = {.ends.at = at, .ends.senders = SENDERS,
                        .burst = burst, .takes = takes};
    struct pool *ppool = &pool;
    int64_t value;
    int rc = 0;
    WANT_EQ(ambit_unbounded_init(&pool.channel, sizeof value), 0);
    ambit_scope (cx, s, &rc) {
        spawn_senders(s, pours, ppool);
        WANT_EQ(ambit_spawn(s, drains, &ppool), 0);
        close_under_way(cx, &pool.ends, ambit_unbounded_close(&pool.channel),
                        ambit_unbounded_close(&pool.channel));
    }
    WANT_EQ(rc, 0);
    WANT_EQ(ambit_unbounded_len(&pool.channel),
            count_get(&pool.ends.ledger.sent.n) -
                count_get(&pool.ends.ledger.received.n));
    while ((rc = ambit_unbounded_try_receive(&pool.channel, &value)) == 0) {
        drain_one(pool.due, value, &pool.ends.ledger.left);
    }
    WANT_EQ(rc, -EPIPE);
    all_is_there(&pool.ends);
    ambit_unbounded_fini(&pool.channel);
}

static int through_an_unbounded(ambit_cx *cx, void *arg)
{
    int64_t burst = *(uint32_t *)arg;
    for (int round = 0; round < 30 / SPEC_SLOWER + 2; round++) {
        one_pool(cx, burst, 1 + round * 5, INT64_MAX);
        one_pool(cx, burst, 1 + round * 5, round);
    }
    return 0;
}

/* Goal, method: the same of a channel without a limit, in bursts as large as the
 * capacities above; the receiver goes on to the end, or leaves the rest. */
Spec(UNB_CLOSE_1, sums_are_equal_when_closed_under_senders)
{
    sums_at_every_capacity(through_an_unbounded);
    spec_end("UNB_CLOSE_1");
}

/* --- broadcast ----------------------------------------------------------------- */

struct news {
    struct ends ends;
    struct ambit_broadcast broadcast;
    int64_t room[CAPACITY_MOST];
    struct count subscribed;
    int64_t heard[RECEIVERS]; /* and missed; each by one */
};

static int hears(ambit_cx *cx, void *arg)
{
    struct news *news = *(struct news **)arg;
    struct ambit_broadcast_receiver mine;
    int64_t due[SENDERS] = {0}, value = 0;
    ambit_broadcast_subscribe(&news->broadcast, &mine);
    int64_t slow = count_up(&news->subscribed);
    int64_t *heard = &news->heard[slow];
    int rc;
    while ((rc = ambit_broadcast_receive(cx, &mine, &value)) != -EPIPE) {
        WANT(rc == 0 || rc == -EOVERFLOW);
        if (rc == -EOVERFLOW) {
            *heard += (int64_t)mine.missed;
            continue;
        }
        WANT(value >> 32 < SENDERS);
        WANT((value & UINT32_MAX) >= due[value >> 32]);
        due[value >> 32] = (value & UINT32_MAX) + 1;
        *heard += 1;
        for (int64_t i = 0; i < slow * 2; i++) {
            WANT_EQ(ambit_yield(cx), 0);
        }
    }
    return 0;
}

static int tells(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    struct news *news = s->of;
    int rc = 0;
    for (int64_t i = 0; rc != -EPIPE; i++) {
        int64_t value = s->first + i;
        bool late = count_get(&news->ends.closed) > 0;
        rc = ambit_broadcast_send(&news->broadcast, &value);
        WANT(rc != -EAGAIN);
        offer(&news->ends, value, late, rc);
        if (i % 3 == 2) {
            WANT_EQ(ambit_yield(cx), 0);
        }
    }
    count_up(&news->ends.gone);
    return 0;
}

static void one_broadcast(ambit_cx *cx, uint32_t capacity, int64_t at)
{
    struct news news = {.ends.at = at, .ends.senders = SENDERS};
    struct news *pnews = &news;
    int rc = 0;
    WANT_EQ(ambit_broadcast_init(&news.broadcast, news.room, capacity,
                                 sizeof *news.room), 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < RECEIVERS; i++) {
            WANT_EQ(ambit_spawn(s, hears, &pnews), 0);
        }
        WANT(until(cx, &news.subscribed, RECEIVERS));
        spawn_senders(s, tells, pnews);
        close_under_way(cx, &news.ends, ambit_broadcast_close(&news.broadcast),
                        ambit_broadcast_close(&news.broadcast));
    }
    WANT_EQ(rc, 0);
    for (int i = 0; i < RECEIVERS; i++) {
        WANT_EQ(news.heard[i], count_get(&news.ends.ledger.sent.n));
    }
    WANT_EQ(count_get(&news.ends.ledger.refused.n), SENDERS);
    ambit_broadcast_fini(&news.broadcast);
}

static int through_a_broadcast(ambit_cx *cx, void *arg)
{
    for (int round = 0; round < 30 / SPEC_SLOWER + 2; round++) {
        one_broadcast(cx, *(uint32_t *)arg, 1 + round * 5);
    }
    return 0;
}

/* Goal: what was sent before the close is heard by all, or told as missed.
 * Method: three senders until they are told, a quick receiver and a slow one; at
 * each capacity, on one worker and two. */
Spec(BCAST_CLOSE_1, heard_and_missed_are_what_was_sent_before_a_close)
{
    sums_at_every_capacity(through_a_broadcast);
    spec_end("BCAST_CLOSE_1");
}
