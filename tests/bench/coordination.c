/* SPDX-License-Identifier: MIT */
/*
 * coordination.c -- two workers that have to agree, as spargio measures it.
 *
 *   S1_ping_pong      256 requests to the other worker, each acknowledged before
 *                     the next is sent
 *   S2_send_drain     2,048 messages in one batch, one that asks for their sum,
 *                     and the sum
 *   S3_cold_start     a runtime made, 64 round trips, and the runtime gone
 *   S4_fanout         64 requests, one after the other, of 16 tasks that compute
 *                     a while
 *   S5_fanout_skewed  the same; one of the 16 computes 40 times as long as each
 *                     of the others
 *
 * There they are steady_ping_pong_rtt, steady_one_way_send_drain,
 * cold_start_ping_pong, fanout_fanin_balanced and fanout_fanin_skewed.
 *
 * Messages are ring messages.  The last two ran on four workers there, and run
 * on two here, as all else does.  Most of their time is their computing: the
 * raw peer does nothing else.
 */
#include "tests/bench/bench.h"

enum {
    ROUND_TRIPS = 256,
    COLD_TRIPS = 64,
    BATCH = 2048,
    CAPACITY = 4096,
    CLIENT = 0, /* the workers */
    SERVER = 1,
    TAG_VALUE = 1,
    TAG_ASK = 2,
    TAG_STOP = 3,
    REQUESTS = 64,
    BRANCHES = 16,
    BALANCED = 2000, /* steps of a branch */
    LIGHT = 500,
    HEAVY = 20000,
};

/* --- messages --------------------------------------------------------------
 */

struct lane {
    ambit_ring *ring;
    ambit_task_fn *client;
};

/* Adds up; who asks gets the sum, and it starts anew. */
static int serve(ambit_cx *cx, void *arg)
{
    struct lane *lane = *(struct lane **)arg;
    struct ambit_ring_message message = {.tag = TAG_VALUE};
    uint64_t sum = 0;
    int rc = 0;
    while (rc == 0 && message.tag != TAG_STOP) {
        rc = ambit_ring_next(cx, lane->ring, &message);
        sum += rc == 0 ? message.value : 0;
        if (rc == 0 && message.tag == TAG_ASK) {
            rc = ambit_ring_send(cx, lane->ring, CLIENT, TAG_VALUE, sum);
            sum = 0;
        }
    }
    return rc;
}

static int ask(ambit_cx *cx, struct lane *lane, uint64_t value,
               uint64_t *ret_sum)
{
    struct ambit_ring_message answer = {0};
    int rc = ambit_ring_send(cx, lane->ring, SERVER, TAG_ASK, value);
    if (rc == 0) {
        rc = ambit_ring_next(cx, lane->ring, &answer);
    }
    *ret_sum = answer.value;
    return rc;
}

static int trips(ambit_cx *cx, struct lane *lane, uint64_t count)
{
    int rc = 0;
    for (uint64_t i = 0; i < count && rc == 0; i++) {
        uint64_t sum = 0;
        rc = ask(cx, lane, i, &sum);
        BENCH_NEED(rc < 0 || sum == i);
    }
    return rc;
}

static int trips_round(ambit_cx *cx, void *arg)
{
    return trips(cx, arg, ROUND_TRIPS);
}

static int drain_round(ambit_cx *cx, void *arg)
{
    static struct ambit_ring_message batch[BATCH]; /* one client */
    struct lane *lane = arg;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < BATCH; i++) {
        batch[i] = (struct ambit_ring_message){.tag = TAG_VALUE, .value = i};
    }
    int rc = ambit_ring_try_send_many(lane->ring, SERVER, batch, BATCH);
    BENCH_NEED(rc == BATCH);
    rc = ask(cx, lane, 0, &sum);
    BENCH_NEED(rc < 0 || sum == (uint64_t)BATCH * (BATCH - 1) / 2);
    return rc;
}

static int stop(ambit_cx *cx, struct lane *lane)
{
    return ambit_ring_send(cx, lane->ring, SERVER, TAG_STOP, 0);
}

/* After a few trips that nobody times. */
static int steady(ambit_cx *cx, struct lane *lane, const char *name,
                  const char *unit, uint64_t ops, bench_round *round)
{
    int rc = trips(cx, lane, 16);
    if (rc == 0) {
        rc = bench_ns(cx, name, unit, ops, round, lane);
    }
    return rc < 0 ? rc : stop(cx, lane);
}

static int trips_client(ambit_cx *cx, void *arg)
{
    return steady(cx, *(struct lane **)arg, "S1_ping_pong", "ns/rtt",
                  ROUND_TRIPS, trips_round);
}

static int drain_client(ambit_cx *cx, void *arg)
{
    return steady(cx, *(struct lane **)arg, "S2_send_drain", "ns/message",
                  BATCH, drain_round);
}

static int cold_client(ambit_cx *cx, void *arg)
{
    struct lane *lane = *(struct lane **)arg;
    int rc = trips(cx, lane, COLD_TRIPS);
    return rc < 0 ? rc : stop(cx, lane);
}

/* A client on the one worker, a server on the other. */
static int lanes(ambit_cx *cx, void *arg)
{
    struct lane lane = {.client = *(ambit_task_fn **)arg};
    struct lane *here = &lane;
    int rc = 0;
    ambit_scope (cx, both, &rc) {
        rc = ambit_ring_open(both, &lane.ring, .capacity = CAPACITY);
        if (rc == 0) {
            rc = ambit_spawn_with(both, serve, &here, .placement = AMBIT_PINNED,
                                  .worker = SERVER);
        }
        if (rc == 0) {
            rc = ambit_spawn_with(both, lane.client, &here,
                                  .placement = AMBIT_PINNED, .worker = CLIENT);
        }
    }
    return rc;
}

static int cold_round(ambit_cx *cx, void *arg)
{
    (void)cx;
    return bench_run(lanes, arg);
}

/* --- fan-out ---------------------------------------------------------------
 */

struct branch {
    uint64_t seed;
    uint64_t steps;
    uint64_t *ret;
};

static uint64_t compute(uint64_t seed, uint64_t steps)
{
    uint64_t x = seed ^ UINT64_C(0x9E3779B97F4A7C15);
    for (uint64_t i = 0; i < steps; i++) {
        x = x * UINT64_C(6364136223846793005) +
            (UINT64_C(1442695040888963407) ^ i);
        x ^= x >> 29;
    }
    return x;
}

static int branch(ambit_cx *cx, void *arg)
{
    const struct branch *self = arg;
    (void)cx;
    *self->ret = compute(self->seed, self->steps);
    return 0;
}

struct fan {
    bool skewed;
    uint64_t wanted;
};

static struct branch branch_of(const struct fan *fan, uint64_t request,
                               uint64_t index, uint64_t *ret)
{
    uint64_t steps = !fan->skewed                  ? BALANCED
                     : index == request % BRANCHES ? HEAVY
                                                   : LIGHT;
    return (struct branch){request << 32 ^ index, steps, ret};
}

static int fan_request(ambit_cx *cx, const struct fan *fan, uint64_t request,
                       uint64_t *sum)
{
    uint64_t results[BRANCHES];
    int rc = 0;
    ambit_scope (cx, branches, &rc) {
        for (uint64_t i = 0; i < BRANCHES && rc == 0; i++) {
            struct branch arg = branch_of(fan, request, i, &results[i]);
            rc = ambit_spawn(branches, branch, &arg);
        }
    }
    for (uint64_t i = 0; i < BRANCHES && rc == 0; i++) {
        *sum += results[i];
    }
    return rc;
}

static int fan_round(ambit_cx *cx, void *arg)
{
    const struct fan *fan = arg;
    uint64_t sum = 0;
    int rc = 0;
    for (uint64_t i = 0; i < REQUESTS && rc == 0; i++) {
        rc = fan_request(cx, fan, i, &sum);
    }
    BENCH_NEED(rc < 0 || sum == fan->wanted);
    return rc;
}

/* A nanosecond for each of 1,000 is a microsecond for all. */
static int fan_out(ambit_cx *cx, void *arg)
{
    struct fan *fan = arg;
    for (uint64_t i = 0; i < REQUESTS * BRANCHES; i++) {
        struct branch b = branch_of(fan, i / BRANCHES, i % BRANCHES, NULL);
        fan->wanted += compute(b.seed, b.steps);
    }
    return bench_ns(cx, fan->skewed ? "S5_fanout_skewed" : "S4_fanout", "us",
                    1000, fan_round, fan);
}

int bench_ping_pong(void)
{
    ambit_task_fn *client = trips_client;
    return bench_run(lanes, &client);
}

int bench_send_drain(void)
{
    ambit_task_fn *client = drain_client;
    return bench_run(lanes, &client);
}

int bench_cold_start(void)
{
    ambit_task_fn *client = cold_client;
    return bench_ns(NULL, "S3_cold_start", "us", 1000, cold_round, &client);
}

int bench_fanout(void)
{
    struct fan fan = {.skewed = false};
    return bench_run(fan_out, &fan);
}

int bench_fanout_skewed(void)
{
    struct fan fan = {.skewed = true};
    return bench_run(fan_out, &fan);
}
