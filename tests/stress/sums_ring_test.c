/* SPDX-License-Identifier: MIT */
/*
 * sums_ring_test.c -- a ring loses nothing, at every capacity from 1.
 */
#include "tests/stress/sums.h"

enum { EACH = 300 / SPEC_SLOWER, PLAIN = 1, HOT = 2, COUNTED = 3, BATCH = 5 };

static const uint16_t hot_tags[] = {HOT};
static const uint16_t counted_tags[] = {COUNTED};

struct flow {
    ambit_ring *ring;
    struct ledger ledger; /* messages */
    struct tally added, taken;
    struct count sources;
};

struct source {
    struct flow *flow;
    int64_t first;
};

/* Up to BATCH at once: those that were not accepted are refused. */
static void send_batch(struct flow *flow, unsigned to, int64_t first)
{
    struct ambit_ring_message batch[BATCH];
    for (int64_t i = 0; i < BATCH; i++) {
        batch[i] = (struct ambit_ring_message){
            .tag = PLAIN, .value = (uint64_t)(first + i)};
    }
    int accepted = ambit_ring_try_send_many(flow->ring, to, batch, BATCH);
    WANT(accepted == -EAGAIN || accepted > 0);
    for (int i = 0; i < BATCH; i++) {
        ledger_offer(&flow->ledger, first + i, i < accepted ? 0 : -EAGAIN);
    }
}

static int send_some_way(ambit_cx *cx, struct flow *flow, unsigned to,
                         int64_t value)
{
    uint16_t tag = value % 4 == 0 ? HOT : PLAIN;
    switch (value % 3) {
    case 0:
        return ambit_ring_try_send(flow->ring, to, tag, (uint64_t)value);
    case 1:
        return ambit_ring_try_send_direct(flow->ring, to, tag,
                                          (uint64_t)value);
    default:
        return ambit_ring_send(cx, flow->ring, to, tag, (uint64_t)value);
    }
}

static void gone(struct flow *flow)
{
    if (count_add(&flow->sources, -1) == 1) {
        WANT_EQ(ambit_ring_close(flow->ring), 0);
    }
}

static int sends(ambit_cx *cx, void *arg)
{
    struct source *s = arg;
    struct flow *flow = s->flow;
    unsigned workers = ambit_ring_workers(flow->ring);
    for (int64_t i = 0; i < EACH; i += BATCH) {
        for (int64_t k = i; k < i + BATCH; k++) {
            unsigned to = (unsigned)k % workers;
            ledger_offer(&flow->ledger, s->first + k,
                         send_some_way(cx, flow, to, s->first + k));
        }
        send_batch(flow, (unsigned)(i / BATCH) % workers, s->first + i);
        WANT_EQ(ambit_ring_send(cx, flow->ring, (unsigned)i % workers, COUNTED,
                                (uint64_t)i + 1), 0);
        tally_up(&flow->added, i + 1);
    }
    gone(flow);
    return 0;
}

/* A thread that is no worker. */
static int sends_from_outside(void *arg)
{
    struct source *s = arg;
    struct flow *flow = s->flow;
    unsigned workers = ambit_ring_workers(flow->ring);
    for (int64_t i = 0; i < EACH; i++) {
        ledger_offer(&flow->ledger, s->first + i,
                     ambit_ring_try_send(flow->ring, (unsigned)i % workers,
                                         PLAIN, (uint64_t)(s->first + i)));
    }
    return 0;
}

static int lets_outside_in(ambit_cx *cx, void *arg)
{
    WANT_EQ(ambit_blocking(cx, sends_from_outside, arg), 0);
    gone(((struct source *)arg)->flow);
    return 0;
}

static int receives(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    struct ambit_ring_message message;
    int rc;
    while ((rc = ambit_ring_next(cx, flow->ring, &message)) == 0) {
        WANT_EQ(message.tag, PLAIN);
        tally_up(&flow->ledger.received, (int64_t)message.value);
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
        tally_up(&flow->ledger.received, (int64_t)message.value);
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

static void spawn_there(ambit_region *region, ambit_task_fn *fn,
                        struct flow *flow, unsigned worker)
{
    WANT_EQ(ambit_spawn_with(region, fn, &flow, .placement = AMBIT_PINNED,
                             .worker = worker), 0);
}

static int through_a_ring(ambit_cx *cx, void *arg)
{
    struct flow flow = {.ring = NULL};
    struct ambit_ring_stats stats = {0};
    int rc = 0;
    int64_t offered = EACH;
    ambit_scope (cx, home, &rc) {
        WANT_EQ(ambit_ring_open(home, &flow.ring, .capacity = *(uint32_t *)arg,
                                .hot = hot_tags, .hot_len = 1,
                                .counted = counted_tags, .counted_len = 1), 0);
        unsigned workers = ambit_ring_workers(flow.ring);
        count_set(&flow.sources, workers + 1);
        int tasks_rc = 0;
        ambit_scope (cx, s, &tasks_rc) {
            for (unsigned w = 0; w < workers; w++) {
                struct source source = {&flow, (w + 1) * 1000};
                spawn_there(s, receives, &flow, w);
                spawn_there(s, receives_hot, &flow, w);
                spawn_there(s, takes_sums, &flow, w);
                WANT_EQ(ambit_spawn_with(s, sends, &source,
                                         .placement = AMBIT_PINNED,
                                         .worker = w), 0);
                offered += 2 * EACH;
            }
            WANT_EQ(ambit_spawn(s, lets_outside_in, &(struct source){&flow, 0}),
                    0);
        }
        WANT_EQ(tasks_rc, 0);
        ambit_ring_stats(flow.ring, &stats);
    }
    WANT_EQ(rc, 0);
    ledger_close(&flow.ledger, offered);
    WANT_EQ(stats.accepted, count_get(&flow.ledger.sent.n));
    WANT_EQ(stats.received, count_get(&flow.ledger.received.n));
    WANT_EQ(count_get(&flow.added.sum), count_get(&flow.taken.sum));
    WANT_EQ(stats.added, count_get(&flow.added.sum));
    WANT_EQ(stats.taken, count_get(&flow.taken.sum));
    return 0;
}

/* Goal: a ring loses nothing, whichever call is used, and what it refuses it
 * says.
 * Method: on each worker a sender to all workers that waits, tries, sends
 * directly and in batches, hot and not, and adds to a counted tag; a thread that
 * is no worker; number and sum, and the ring's own figures, at each capacity. */
Spec(RING_ACCEPT_1, sums_are_equal_at_every_capacity)
{
    sums_at_every_capacity(through_a_ring);
    spec_end("RING_ACCEPT_1");
}

/* Goal, method: the same, for what is added to a counted tag. */
Spec(RING_SUM_1, sums_of_a_counted_tag_are_equal_at_every_capacity)
{
    sums_at_every_capacity(through_a_ring);
    spec_end("RING_SUM_1");
}
