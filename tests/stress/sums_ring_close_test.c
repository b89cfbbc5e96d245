/* SPDX-License-Identifier: MIT */
/*
 * sums_ring_close_test.c -- a ring that is closed under all of its senders loses
 * nothing either, at every capacity from 1.
 */
#include "tests/stress/sums_close.h"

enum { PLAIN = 1, HOT = 2, COUNTED = 3, BATCH = 3 };

static const uint16_t hot_tags[] = {HOT};
static const uint16_t counted_tags[] = {COUNTED};

struct flow {
    struct ends ends;        /* of messages */
    ambit_ring *ring;
    struct tally added, taken;
};

struct source {
    struct flow *flow;
    int64_t first;
};

static int send_batch(struct flow *flow, unsigned to, int64_t first, bool late)
{
    struct ambit_ring_message batch[BATCH];
    for (int64_t i = 0; i < BATCH; i++) {
        batch[i] = (struct ambit_ring_message){
            .tag = i == 1 ? HOT : PLAIN, .value = (uint64_t)(first + i)};
    }
    int rc = ambit_ring_try_send_many(flow->ring, to, batch, BATCH);
    WANT(rc != 0 && rc <= BATCH);
    for (int i = 0; i < BATCH; i++) {
        offer(&flow->ends, first + i, late, i < rc ? 0 : rc < 0 ? rc : -EAGAIN);
    }
    return rc < 0 ? rc : 0;
}

/* One of them adds to a counted tag, which takes no room. */
static int send_some_way(struct flow *flow, unsigned to, int64_t value)
{
    bool late = count_get(&flow->ends.closed) > 0;
    int rc;
    switch (value / BATCH % 4) {
    case 0:
        rc = ambit_ring_try_send(flow->ring, to, PLAIN, (uint64_t)value);
        break;
    case 1:
        rc = ambit_ring_try_send_direct(flow->ring, to, HOT, (uint64_t)value);
        break;
    case 2:
        return send_batch(flow, to, value, late);
    default:
        rc = ambit_ring_try_send(flow->ring, to, COUNTED, (uint64_t)value);
        WANT(rc == 0 || rc == -EPIPE);
        WANT(!late || rc == -EPIPE);
        if (rc == 0) {
            tally_up(&flow->added, value);
        }
        return rc;
    }
    offer(&flow->ends, value, late, rc);
    return rc;
}

/* Waits for room now and then. */
static int sends(ambit_cx *cx, void *arg)
{
    struct source *s = arg;
    struct flow *flow = s->flow;
    unsigned workers = ambit_ring_workers(flow->ring);
    int rc = 0;
    for (int64_t value = s->first; rc != -EPIPE; value += BATCH) {
        unsigned to = (unsigned)(value / BATCH / 5) % workers;
        if (value / BATCH % 5 == 0) {
            bool late = count_get(&flow->ends.closed) > 0;
            rc = ambit_ring_send(cx, flow->ring, to, PLAIN, (uint64_t)value);
            offer(&flow->ends, value, late, rc);
        } else {
            rc = send_some_way(flow, to, value);
        }
        if (rc == -EAGAIN) {
            WANT_EQ(ambit_yield(cx), 0);
        }
    }
    count_up(&flow->ends.gone);
    return 0;
}

/* A thread that is no worker. */
static int sends_from_outside(void *arg)
{
    struct source *s = arg;
    unsigned workers = ambit_ring_workers(s->flow->ring);
    int rc = 0;
    for (int64_t value = s->first; rc != -EPIPE; value += BATCH) {
        rc = send_some_way(s->flow, (unsigned)(value / BATCH / 5) % workers,
                           value);
        sched_yield();
    }
    count_up(&s->flow->ends.gone);
    return 0;
}

static int lets_outside_in(ambit_cx *cx, void *arg)
{
    WANT_EQ(ambit_blocking(cx, sends_from_outside, arg), 0);
    return 0;
}

static int receives(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    struct ambit_ring_message message;
    int rc;
    while ((rc = ambit_ring_next(cx, flow->ring, &message)) == 0) {
        WANT_EQ(message.tag, PLAIN);
        tally_up(&flow->ends.ledger.received, (int64_t)message.value);
    }
    WANT_EQ(rc, -EPIPE);
    return 0;
}

static int receives_hot(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    struct ambit_ring_message message;
    int rc;
    while ((rc = ambit_ring_next_hot(cx, flow->ring, &message)) == 0) {
        WANT_EQ(message.tag, HOT);
        tally_up(&flow->ends.ledger.received, (int64_t)message.value);
    }
    WANT_EQ(rc, -EPIPE);
    return 0;
}

static int takes_sums(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    uint64_t sum = 0;
    int rc;
    while ((rc = ambit_ring_next_count(cx, flow->ring, COUNTED, &sum)) == 0) {
        WANT(sum > 0);
        tally_up(&flow->taken, (int64_t)sum);
    }
    WANT_EQ(rc, -EPIPE);
    return 0;
}

static void spawn_all(ambit_region *s, struct flow *flow, unsigned workers)
{
    ambit_task_fn *const readers[] = {receives, receives_hot, takes_sums};
    for (unsigned w = 0; w < workers; w++) {
        struct source source = {flow, (w + 1) * INT64_C(3000000)};
        for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
            WANT_EQ(ambit_spawn_with(s, readers[i], &flow,
                                     .placement = AMBIT_PINNED, .worker = w),
                    0);
        }
        WANT_EQ(ambit_spawn_with(s, sends, &source, .placement = AMBIT_PINNED,
                                 .worker = w), 0);
    }
    WANT_EQ(ambit_spawn(s, lets_outside_in, &(struct source){flow, 0}), 0);
}

static void figures_agree(struct flow *flow)
{
    struct ambit_ring_stats stats;
    ambit_ring_stats(flow->ring, &stats);
    WANT_EQ(stats.accepted, count_get(&flow->ends.ledger.sent.n));
    WANT_EQ(stats.received, stats.accepted);
    WANT_EQ(stats.added, count_get(&flow->added.sum));
    WANT_EQ(stats.taken, stats.added);
    WANT_EQ(count_get(&flow->taken.sum), count_get(&flow->added.sum));
}

static void one_ring(ambit_cx *cx, uint32_t capacity, int64_t at)
{
    struct flow flow = {.ends.at = at};
    int rc = 0, tasks_rc = 0;
    ambit_scope (cx, home, &rc) {
        WANT_EQ(ambit_ring_open(home, &flow.ring, .capacity = capacity,
                                .hot = hot_tags, .hot_len = 1,
                                .counted = counted_tags, .counted_len = 1), 0);
        unsigned workers = ambit_ring_workers(flow.ring);
        flow.ends.senders = workers + 1;
        ambit_scope (cx, s, &tasks_rc) {
            spawn_all(s, &flow, workers);
            close_under_way(cx, &flow.ends, ambit_ring_close(flow.ring),
                            ambit_ring_close(flow.ring));
        }
        WANT_EQ(tasks_rc, 0);
        figures_agree(&flow);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&flow.ends.gone), flow.ends.senders);
    ledger_close(&flow.ends.ledger, count_get(&flow.ends.ledger.offered.n));
}

static int through_a_ring(ambit_cx *cx, void *arg)
{
    for (int round = 0; round < 20 / SPEC_SLOWER + 2; round++) {
        one_ring(cx, *(uint32_t *)arg, 1 + round * 7);
    }
    return 0;
}

/* Goal: a close meets senders on all workers and outside, and loses nothing.
 * Method: each goes on until it is told, with all calls, hot and not, and counted;
 * receivers to the end; number and sum, and the ring's figures, at each capacity,
 * on one worker and two. */
Spec(RING_CLOSE_2, sums_are_equal_when_a_ring_is_closed_under_senders)
{
    sums_at_every_capacity(through_a_ring);
    spec_end("RING_CLOSE_2");
}

/* Goal, method: the same; who begins after the close, and who waits, is told. */
Spec(RING_CLOSE_1, all_senders_are_told_of_a_close)
{
    sums_at_every_capacity(through_a_ring);
    spec_end("RING_CLOSE_1");
}
