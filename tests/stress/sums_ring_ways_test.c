/* SPDX-License-Identifier: MIT */
/*
 * sums_ring_ways_test.c -- by whichever call, from whomever, with whichever tag: a
 * ring loses nothing, at every capacity from 1.
 */
#include "tests/stress/sums.h"

enum {
    EACH = 120 / SPEC_SLOWER + 10,
    BATCH = 6,
    PLAIN = 1,
    HOT = 2,
    COUNTED = 3,
    CLUMSY = 6,
};

static const uint16_t hot_tags[] = {HOT};
static const uint16_t counted_tags[] = {COUNTED};
static const uint16_t tags[] = {PLAIN, COUNTED, HOT};

struct flow {
    ambit_ring *ring;
    struct ledger ledger; /* messages */
    struct tally added, taken, sum_left;
    struct count planned, sources;
    unsigned workers;
    bool machines;
};

/* --- what goes in --------------------------------------------------------------- */

/* The tag can be read off the value, and no two sources have the same one. */
static uint64_t value_of(int64_t source, int64_t i, uint16_t tag)
{
    return (uint64_t)((source * 4096 + i) * 4 + tag);
}

static void offer(struct flow *flow, uint16_t tag, uint64_t value, int rc)
{
    if (tag == COUNTED) {
        WANT_EQ(rc, 0); /* takes no room */
        tally_up(&flow->added, (int64_t)value);
        return;
    }
    count_up(&flow->planned);
    ledger_offer(&flow->ledger, (int64_t)value, rc);
}

/* A hot one is among messages and additions. */
static void send_batch(struct flow *flow, unsigned to, int64_t source,
                       int64_t first)
{
    struct ambit_ring_message batch[BATCH];
    for (int64_t i = 0; i < BATCH; i++) {
        uint16_t tag = tags[i % 3];
        batch[i] = (struct ambit_ring_message){
            .tag = tag, .value = value_of(source, first + i, tag)};
    }
    int accepted = ambit_ring_try_send_many(flow->ring, to, batch, BATCH);
    WANT(accepted == -EAGAIN || accepted > 0);
    for (int i = 0; i < BATCH; i++) {
        bool sent = i < accepted;
        if (batch[i].tag != COUNTED || sent) { /* behind what was refused */
            offer(flow, batch[i].tag, batch[i].value, sent ? 0 : -EAGAIN);
        }
    }
}

/* The calls that do not wait, which threads that are no workers have, too. */
static void try_one(struct flow *flow, unsigned to, int64_t source, int64_t i)
{
    uint16_t tag = tags[i % 3];
    uint64_t value = value_of(source, i, tag);
    int rc = i % 2 == 0
                 ? ambit_ring_try_send(flow->ring, to, tag, value)
                 : ambit_ring_try_send_direct(flow->ring, to, tag, value);
    offer(flow, tag, value, rc);
}

static void gone(struct flow *flow)
{
    if (count_add(&flow->sources, -1) == 1) {
        WANT_EQ(ambit_ring_close(flow->ring), 0);
    }
}

struct source {
    struct ambit_await wait;
    struct flow *flow;
    int64_t number, at;
};

static int sends_as_fiber(ambit_cx *cx, void *arg)
{
    struct source *s = arg;
    struct flow *flow = s->flow;
    for (int64_t i = 0; i < EACH; i++) {
        unsigned to = (unsigned)i % flow->workers;
        uint16_t tag = tags[i / 2 % 3];
        uint64_t value = value_of(s->number, i, tag);
        offer(flow, tag, value, ambit_ring_send(cx, flow->ring, to, tag,
                                                value));
        try_one(flow, to, s->number, EACH + i);
        if (i % BATCH == 0) {
            send_batch(flow, to, s->number, 2 * EACH + i);
        }
    }
    gone(flow);
    return 0;
}

static int sends_as_machine(ambit_cx *cx, void *state)
{
    struct source *s = state;
    struct flow *flow = s->flow;
    for (; s->at < EACH; s->at++) {
        unsigned to = (unsigned)s->at % flow->workers;
        uint16_t tag = tags[s->at / 2 % 3];
        uint64_t value = value_of(s->number, s->at, tag);
        int rc = ambit_await_ring_send(cx, &s->wait, flow->ring, to, tag,
                                       value);
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        offer(flow, tag, value, rc);
    }
    gone(flow);
    return 0;
}

static int sends_from_outside(void *arg)
{
    struct source *s = arg;
    struct flow *flow = s->flow;
    for (int64_t i = 0; i < EACH; i++) {
        unsigned to = (unsigned)i / 3 % flow->workers;
        try_one(flow, to, s->number, i);
        if (i % BATCH == 0) {
            send_batch(flow, to, s->number, EACH + i);
        }
    }
    ambit_ring_flush(flow->ring);
    return 0;
}

static int lets_outside_in(ambit_cx *cx, void *arg)
{
    WANT_EQ(ambit_blocking(cx, sends_from_outside, arg), 0);
    gone(((struct source *)arg)->flow);
    return 0;
}

/* --- what comes out ---------------------------------------------------------------- */

struct receiver {
    struct ambit_await wait;
    struct ambit_ring_message message;
    uint64_t sum;
    struct flow *flow;
    uint16_t tag;
    bool panics, is_begun;
};

static void got(struct receiver *s, struct tally *messages,
                struct tally *sums)
{
    if (s->tag == COUNTED) {
        WANT(s->sum > 0);
        tally_up(sums, (int64_t)s->sum);
        return;
    }
    WANT_EQ(s->message.tag, s->tag);
    WANT_EQ(s->message.value % 4, s->tag);
    tally_up(messages, (int64_t)s->message.value);
}

static int next(ambit_cx *cx, struct receiver *s)
{
    ambit_ring *ring = s->flow->ring;
    return s->tag == PLAIN ? ambit_ring_next(cx, ring, &s->message)
           : s->tag == HOT ? ambit_ring_next_hot(cx, ring, &s->message)
                           : ambit_ring_next_count(cx, ring, COUNTED, &s->sum);
}

static int try_next(struct receiver *s)
{
    ambit_ring *ring = s->flow->ring;
    return s->tag == PLAIN ? ambit_ring_try_next(ring, &s->message)
           : s->tag == HOT ? ambit_ring_try_next_hot(ring, &s->message)
                           : ambit_ring_try_next_count(ring, COUNTED, &s->sum);
}

static int await_next(ambit_cx *cx, struct receiver *s)
{
    ambit_ring *ring = s->flow->ring;
    return s->tag == PLAIN
               ? ambit_await_ring_next(cx, &s->wait, ring, &s->message)
           : s->tag == HOT
               ? ambit_await_ring_next_hot(cx, &s->wait, ring, &s->message)
               : ambit_await_ring_next_count(cx, &s->wait, ring, COUNTED,
                                             &s->sum);
}

static int receives_as_fiber(ambit_cx *cx, void *arg)
{
    struct receiver *s = arg;
    int rc;
    while ((rc = next(cx, s)) == 0) {
        got(s, &s->flow->ledger.received, &s->flow->taken);
    }
    WANT_EQ(rc, -EPIPE);
    return 0;
}

static int receives_as_machine(ambit_cx *cx, void *state)
{
    struct receiver *s = state;
    int rc;
    if (s->panics && s->is_begun) {
        ambit_panic(cx, "clumsy"); /* another gets what it was given */
    }
    s->is_begun = true;
    while ((rc = await_next(cx, s)) == 0) {
        got(s, &s->flow->ledger.received, &s->flow->taken);
    }
    WANT(rc == AMBIT_PENDING || rc == -EPIPE);
    return rc == -EPIPE ? 0 : rc;
}

/* What came back after the last receiver was told of the end. */
static int sweeps(ambit_cx *cx, void *arg)
{
    struct receiver *s = arg;
    (void)cx;
    for (int i = 0; i < 3; i++) {
        int rc;
        s->tag = tags[i];
        while ((rc = try_next(s)) == 0) {
            got(s, &s->flow->ledger.left, &s->flow->sum_left);
        }
        WANT_EQ(rc, -EPIPE);
    }
    return 0;
}

/* --- all of it ---------------------------------------------------------------------- */

static void start_on(ambit_region *region, struct flow *flow, unsigned worker)
{
    struct source source = {.flow = flow, .number = worker};
    for (int i = 0; i < 3; i++) {
        struct receiver receiver = {.flow = flow, .tag = tags[i]};
        WANT_EQ(ambit_spawn_with(region, receives_as_fiber, &receiver,
                                 .placement = AMBIT_PINNED, .worker = worker),
                0);
    }
    WANT_EQ(ambit_spawn_with(region, sends_as_fiber, &source,
                             .placement = AMBIT_PINNED, .worker = worker), 0);
}

static void start_machines(ambit_region *region, struct flow *flow)
{
    for (int i = 0; i < 6 + CLUMSY; i++) {
        struct receiver receiver = {.flow = flow, .tag = tags[i % 3],
                                    .panics = i >= 6};
        WANT_EQ(ambit_spawn_poll(region, receives_as_machine, &receiver), 0);
    }
    for (int i = 0; i < 2; i++) {
        struct source source = {.flow = flow, .number = 20 + i};
        WANT_EQ(ambit_spawn_poll(region, sends_as_machine, &source), 0);
    }
}

static void start_all(ambit_region *region, struct flow *flow)
{
    struct source outside = {.flow = flow, .number = 10};
    count_set(&flow->sources, flow->workers + 1 + (flow->machines ? 2 : 0));
    if (flow->machines) {
        start_machines(region, flow);
    }
    for (unsigned worker = 0; worker < flow->workers; worker++) {
        start_on(region, flow, worker);
    }
    WANT_EQ(ambit_spawn(region, lets_outside_in, &outside), 0);
}

static void sweep_all(ambit_cx *cx, struct flow *flow)
{
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        for (unsigned worker = 0; worker < flow->workers; worker++) {
            struct receiver receiver = {.flow = flow};
            WANT_EQ(ambit_spawn_with(s, sweeps, &receiver,
                                     .placement = AMBIT_PINNED,
                                     .worker = worker), 0);
        }
    }
    WANT_EQ(rc, 0);
}

static void look_at_sums(struct flow *flow,
                         const struct ambit_ring_stats *stats)
{
    ledger_close(&flow->ledger, count_get(&flow->planned));
    WANT_EQ(stats->accepted, count_get(&flow->ledger.sent.n));
    WANT_EQ(stats->received, stats->accepted);
    WANT_EQ(stats->refused > 0, count_get(&flow->ledger.refused.n) > 0);
    WANT_EQ(stats->added, count_get(&flow->added.sum));
    WANT_EQ(stats->taken, stats->added);
    WANT_EQ(count_get(&flow->taken.sum) + count_get(&flow->sum_left.sum),
            count_get(&flow->added.sum));
}

static int through_a_ring(ambit_cx *cx, uint32_t capacity, bool machines)
{
    struct flow flow = {.machines = machines};
    struct ambit_ring_stats stats = {0};
    int rc = 0;
    ambit_scope (cx, home, &rc) {
        int tasks_rc = 0;
        WANT_EQ(ambit_ring_open(home, &flow.ring, .capacity = capacity,
                                .hot = hot_tags, .hot_len = 1,
                                .counted = counted_tags, .counted_len = 1), 0);
        flow.workers = ambit_ring_workers(flow.ring);
        ambit_scope (cx, s, &tasks_rc, .policy = AMBIT_COLLECT) {
            start_all(s, &flow);
        }
        WANT(tasks_rc == 0 || (machines && tasks_rc == -EOWNERDEAD));
        sweep_all(cx, &flow);
        ambit_ring_stats(flow.ring, &stats);
    }
    WANT_EQ(rc, 0);
    look_at_sums(&flow, &stats);
    return 0;
}

static int by_fibers(ambit_cx *cx, void *arg)
{
    return through_a_ring(cx, *(uint32_t *)arg, false);
}

static int by_machines_too(ambit_cx *cx, void *arg)
{
    return through_a_ring(cx, *(uint32_t *)arg, true);
}

/* Goal: whatever is added is taken, and whatever is sent received.
 * Method: messages, hot ones and additions by each call and in mixed batches, from
 * tasks of all workers and from a thread outside; number and sum, and the ring's
 * own figures, at each capacity. */
Spec(RING_SUM_1, sums_are_equal_by_every_call_and_from_everybody)
{
    sums_at_every_capacity(by_fibers);
    spec_end("RING_SUM_1");
}

/* Goal, method: the same with machines that send and receive, of which some panic
 * with what they were given. */
Spec(AWAIT_RING_1, sums_are_equal_by_machines_of_which_some_panic)
{
    sums_at_every_capacity(by_machines_too);
    spec_end("AWAIT_RING_1");
}
