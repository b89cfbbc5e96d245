/* SPDX-License-Identifier: MIT */
/*
 * sums_test.c -- channels and their kin lose nothing, at every capacity from 1.
 */
#include "tests/stress/sums.h"

enum { SENDERS = 3, EACH = 600 / SPEC_SLOWER, CAPACITY_MOST = 64 };

/* --- bounded channel -------------------------------------------------------- */

struct flow {
    struct ambit_channel channel;
    struct ambit_unbounded unbounded;
    int64_t room[CAPACITY_MOST];
    struct ledger ledger;
    struct count senders;
};

struct sender {
    struct flow *flow;
    int64_t first;
};

/* In two steps, and now and then not to the end: the value stays here. */
static int commit_or_abort(struct ambit_channel_permit *permit, int rc,
                           int64_t value)
{
    if (rc < 0) {
        return rc;
    }
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
    switch (value % 5) {
    case 0:
        return ambit_channel_try_send(channel, &value);
    case 1:
        return commit_or_abort(
            &permit, ambit_channel_reserve(cx, channel, &permit), value);
    case 2:
        return commit_or_abort(
            &permit, ambit_channel_try_reserve(channel, &permit), value);
    default:
        return ambit_channel_send(cx, channel, &value);
    }
}

static int sends(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    for (int64_t i = 0; i < EACH; i++) {
        int64_t value = s->first + i;
        ledger_offer(&s->flow->ledger, value,
                     send_some_way(cx, &s->flow->channel, value));
    }
    if (count_add(&s->flow->senders, -1) == 1) {
        WANT_EQ(ambit_channel_close(&s->flow->channel), 0);
    }
    return 0;
}

static int receives(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    for (int turn = 0;; turn++) {
        int64_t value = 0;
        int rc = turn % 2 != 0
                     ? ambit_channel_receive(cx, &flow->channel, &value)
                     : ambit_channel_try_receive(&flow->channel, &value);
        if (rc == 0) {
            tally_up(&flow->ledger.received, value);
        } else if (rc == -EPIPE) {
            return 0;
        } else {
            WANT_EQ(rc, -EAGAIN);
        }
    }
}

static int through_a_channel(ambit_cx *cx, void *arg)
{
    struct flow flow = {.senders = {SENDERS}}, *pflow = &flow;
    int rc = 0;
    WANT_EQ(ambit_channel_init(&flow.channel, flow.room, *(uint32_t *)arg,
                               sizeof *flow.room), 0);
    ambit_scope (cx, s, &rc) {
        for (int64_t i = 0; i < SENDERS; i++) {
            WANT_EQ(ambit_spawn(s, sends, &(struct sender){pflow, i * EACH}),
                    0);
        }
        for (int i = 0; i < 2; i++) {
            WANT_EQ(ambit_spawn(s, receives, &pflow), 0);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(ambit_channel_len(&flow.channel), 0);
    ledger_close(&flow.ledger, SENDERS * EACH);
    ambit_channel_fini(&flow.channel);
    return 0;
}

/* Goal: a channel loses nothing, whichever call is used.
 * Method: three senders that send, try, reserve, commit and abort in turn, two
 * receivers; number and sum, at each capacity, on one worker and two. */
Spec(CHAN_ONCE_1, sums_are_equal_at_every_capacity)
{
    sums_at_every_capacity(through_a_channel);
    spec_end("CHAN_ONCE_1");
}

/* --- unbounded ---------------------------------------------------------------- */

static int pours(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    for (int64_t i = 0; i < EACH; i++) {
        int64_t value = s->first + i;
        ledger_offer(&s->flow->ledger, value,
                     ambit_unbounded_send(&s->flow->unbounded, &value));
        if (value % 50 == 0) {
            WANT_EQ(ambit_yield(cx), 0);
        }
    }
    if (count_add(&s->flow->senders, -1) == 1) {
        WANT_EQ(ambit_unbounded_close(&s->flow->unbounded), 0);
    }
    return 0;
}

/* Receives so many, and leaves the rest. */
static int drains(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    for (int64_t i = 0; i < SENDERS * EACH / 2; i++) {
        int64_t value = 0;
        WANT_EQ(ambit_unbounded_receive(cx, &flow->unbounded, &value), 0);
        tally_up(&flow->ledger.received, value);
    }
    return 0;
}

static int through_an_unbounded(ambit_cx *cx, void *arg)
{
    struct flow flow = {.senders = {SENDERS}}, *pflow = &flow;
    int64_t value;
    int rc = 0;
    (void)arg;
    WANT_EQ(ambit_unbounded_init(&flow.unbounded, sizeof value), 0);
    ambit_scope (cx, s, &rc) {
        for (int64_t i = 0; i < SENDERS; i++) {
            WANT_EQ(ambit_spawn(s, pours, &(struct sender){pflow, i * EACH}),
                    0);
        }
        WANT_EQ(ambit_spawn(s, drains, &pflow), 0);
    }
    WANT_EQ(rc, 0);
    while ((rc = ambit_unbounded_try_receive(&flow.unbounded, &value)) == 0) {
        tally_up(&flow.ledger.left, value);
    }
    WANT_EQ(rc, -EPIPE);
    WANT_EQ(count_get(&flow.ledger.refused.n), 0);
    ledger_close(&flow.ledger, SENDERS * EACH);
    ambit_unbounded_fini(&flow.unbounded);
    return 0;
}

/* Goal, method: the same of a channel without a limit, half of whose items are
 * left when the tasks have ended. */
Spec(UNB_ONCE_1, sums_are_equal_without_a_capacity)
{
    spec_on_1_and_2_workers(through_an_unbounded);
    spec_end("UNB_ONCE_1");
}

/* --- broadcast ----------------------------------------------------------------- */

struct news {
    struct ambit_broadcast broadcast;
    int64_t room[CAPACITY_MOST];
    struct count subscribed;
};

/* Items are 0, 1, 2, ...: what is missing between two was told, exactly. */
static int hears(ambit_cx *cx, void *arg)
{
    struct news *news = *(struct news **)arg;
    struct ambit_broadcast_receiver mine;
    ambit_broadcast_subscribe(&news->broadcast, &mine);
    int64_t slow = count_up(&news->subscribed);
    int64_t next = 0, value = 0;
    int rc;
    while ((rc = ambit_broadcast_receive(cx, &mine, &value)) != -EPIPE) {
        if (rc == -EOVERFLOW) {
            WANT(mine.missed > 0);
            next += (int64_t)mine.missed;
            continue;
        }
        WANT_EQ(rc, 0);
        WANT_EQ(value, next);
        next++;
        for (int64_t i = 0; i < slow; i++) {
            WANT_EQ(ambit_yield(cx), 0);
        }
    }
    WANT_EQ(next, EACH);
    return 0;
}

static int through_a_broadcast(ambit_cx *cx, void *arg)
{
    struct news news = {.subscribed = {0}}, *pnews = &news;
    int rc = 0;
    WANT_EQ(ambit_broadcast_init(&news.broadcast, news.room, *(uint32_t *)arg,
                                 sizeof *news.room), 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            WANT_EQ(ambit_spawn(s, hears, &pnews), 0);
        }
        WANT(until(cx, &news.subscribed, 3));
        for (int64_t i = 0; i < EACH; i++) {
            WANT_EQ(ambit_broadcast_send(&news.broadcast, &i), 0);
            if (i % 3 == 0) {
                WANT_EQ(ambit_yield(cx), 0);
            }
        }
        WANT_EQ(ambit_broadcast_close(&news.broadcast), 0);
    }
    WANT_EQ(rc, 0);
    ambit_broadcast_fini(&news.broadcast);
    return 0;
}

/* Goal: each item is received, or told as missed.
 * Method: receivers of three speeds; what they received and missed is what was
 * sent, at each capacity. */
Spec(BCAST_LAG_1, received_and_missed_are_what_was_sent_at_every_capacity)
{
    sums_at_every_capacity(through_a_broadcast);
    spec_end("BCAST_LAG_1");
}

/* --- watch ---------------------------------------------------------------------- */

struct show {
    struct ambit_watch watch;
    int64_t room;
    int64_t changes; /* version v holds v - 1 */
};

static int views(ambit_cx *cx, void *arg)
{
    struct show *show = *(struct show **)arg;
    uint64_t seen = 0, before = 0;
    int64_t value = -1;
    int rc;
    while ((rc = ambit_watch_receive(cx, &show->watch, &seen, &value)) == 0) {
        WANT(seen > before);
        WANT_EQ(value, seen - 1);
        before = seen;
    }
    WANT_EQ(rc, -EPIPE);
    WANT_EQ(value, show->changes);
    return 0;
}

static int through_a_watch(ambit_cx *cx, void *arg)
{
    struct show show = {.changes = EACH}, *pshow = &show;
    int rc = 0;
    (void)arg;
    WANT_EQ(ambit_watch_init(&show.watch, &show.room, sizeof show.room), 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            WANT_EQ(ambit_spawn(s, views, &pshow), 0);
        }
        for (int64_t i = 1; i <= show.changes; i++) {
            WANT_EQ(ambit_watch_send(&show.watch, &i), 0);
            if (i % 5 == 0) {
                WANT_EQ(ambit_yield(cx), 0);
            }
        }
        WANT_EQ(ambit_watch_close(&show.watch), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(ambit_watch_look(&show.watch, NULL), show.changes + 1);
    ambit_watch_fini(&show.watch);
    return 0;
}

/* Goal: values are passed over, never lost: the last one arrives, and versions
 * count all of them. */
Spec(WATCH_NEWEST_1, the_last_value_arrives_and_versions_count_the_rest)
{
    spec_on_1_and_2_workers(through_a_watch);
    spec_end("WATCH_NEWEST_1");
}

/* --- oneshot --------------------------------------------------------------------- */

struct shot {
    struct ambit_oneshot oneshot;
    int64_t room;
    struct ledger ledger;
};

struct shooter {
    struct shot *shot;
    int64_t value;
};

static int shoots(ambit_cx *cx, void *arg)
{
    struct shooter *s = arg;
    (void)cx;
    int rc = ambit_oneshot_send(&s->shot->oneshot, &s->value);
    WANT(rc == 0 || rc == -EALREADY);
    ledger_offer(&s->shot->ledger, s->value, rc == 0 ? 0 : -EAGAIN);
    return 0;
}

static int through_a_oneshot(ambit_cx *cx, void *arg)
{
    int64_t senders = *(uint32_t *)arg;
    for (int round = 0; round < 20 / SPEC_SLOWER + 1; round++) {
        struct shot shot = {.room = 0};
        int64_t value = 0;
        int rc = 0;
        WANT_EQ(ambit_oneshot_init(&shot.oneshot, &shot.room, sizeof value),
                0);
        ambit_scope (cx, s, &rc) {
            for (int64_t i = 0; i < senders; i++) {
                WANT_EQ(ambit_spawn(s, shoots, &(struct shooter){&shot, i + 1}),
                        0);
            }
            WANT_EQ(ambit_oneshot_receive(cx, &shot.oneshot, &value), 0);
            tally_up(&shot.ledger.received, value);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(ambit_oneshot_try_receive(&shot.oneshot, &value), -EALREADY);
        WANT_EQ(count_get(&shot.ledger.sent.n), 1);
        ledger_close(&shot.ledger, senders);
        ambit_oneshot_fini(&shot.oneshot);
    }
    return 0;
}

/* Goal: one value goes through, all others stay with who had them.
 * Method: 1 to 64 senders at once. */
Spec(ONESHOT_ONCE_1, one_is_received_and_the_rest_is_kept)
{
    sums_at_every_capacity(through_a_oneshot);
    spec_end("ONESHOT_ONCE_1");
}
