/* SPDX-License-Identifier: MIT */
/*
 * actors.c -- what a message costs: to and fro, many to one, round a ring, and
 * as a call.
 *
 * W3 with two tasks and two channels is in channels.c.
 */
#include "tests/bench/bench.h"

static ambit_actor_ref ref_of(const void *state)
{
    ambit_actor_ref ref;
    memcpy(&ref, state, sizeof ref);
    return ref;
}

static int init_ref(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    memcpy(state, arg, sizeof(ambit_actor_ref));
    return 0;
}

/* --- W3: two actors ------------------------------------------------------- */

struct ball {
    ambit_actor_ref from;
    int64_t left;
};

static int pong_handle(ambit_cx *cx, void *state, const void *message,
                       size_t size)
{
    const struct ball *ball = message;
    (void)state;
    (void)size;
    if (ball->left < 0) {
        return AMBIT_STOP;
    }
    return ambit_send(cx, ball->from, ball, sizeof *ball);
}

static int ping_handle(ambit_cx *cx, void *state, const void *message,
                       size_t size)
{
    struct ball ball = *(const struct ball *)message;
    (void)size;
    ball.from = ambit_self(cx);
    ball.left--;
    int rc = ambit_send(cx, ref_of(state), &ball, sizeof ball);
    return rc < 0 ? rc : ball.left < 0 ? AMBIT_STOP : AMBIT_CONTINUE;
}

static const struct ambit_actor_type pong_type = {
    .size_ = sizeof(struct ambit_actor_type),
    .name = "pong",
    .mailbox_max = 16,
    .handle = pong_handle,
};

static const struct ambit_actor_type ping_type = {
    .size_ = sizeof(struct ambit_actor_type),
    .name = "ping",
    .mailbox_max = 16,
    .state_size = sizeof(ambit_actor_ref),
    .init = init_ref,
    .handle = ping_handle,
};

static int pingpong_round(ambit_cx *cx, void *arg)
{
    struct ball ball = {.left = *(int64_t *)arg};
    int rc = 0;
    ambit_scope (cx, both, &rc) {
        ambit_actor_ref ping;
        ambit_actor_ref pong;
        rc = ambit_actor_start(cx, both, &pong_type, NULL, 0, &pong);
        if (rc == 0) {
            rc = ambit_actor_start(cx, both, &ping_type, &pong, sizeof pong,
                                   &ping);
        }
        if (rc == 0) {
            rc = ambit_send(cx, ping, &ball, sizeof ball);
        }
    }
    return rc;
}

static int pingpong(ambit_cx *cx, void *arg)
{
    int64_t rounds = (int64_t)bench_count(1000000);
    (void)arg;
    return bench_ns(cx, "W3_pingpong_actors", "ns/rtt", (uint64_t)rounds,
                    pingpong_round, &rounds);
}

int bench_pingpong(void)
{
    return bench_run(pingpong, NULL);
}

/* --- W4: four producers, one actor ---------------------------------------- */

struct sink {
    uint64_t sum;
    uint64_t left;
    uint64_t *ret_sum;
};

struct producer {
    ambit_actor_ref to;
    uint64_t count;
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
    uint64_t value;
    (void)cx;
    (void)size;
    memcpy(&value, message, sizeof value);
    sink->sum += value;
    if (--sink->left > 0) {
        return AMBIT_CONTINUE;
    }
    *sink->ret_sum = sink->sum;
    return AMBIT_STOP;
}

static const struct ambit_actor_type sink_type = {
    .size_ = sizeof(struct ambit_actor_type),
    .name = "sink",
    .mailbox_max = 1024,
    .state_size = sizeof(struct sink),
    .init = sink_init,
    .handle = sink_handle,
};

static int produce(ambit_cx *cx, void *arg)
{
    const struct producer *self = arg;
    int rc = 0;
    for (uint64_t i = 0; i < self->count && rc == 0; i++) {
        rc = ambit_send(cx, self->to, &i, sizeof i);
    }
    return rc;
}

int bench_mpsc_round(ambit_cx *cx, void *arg)
{
    const struct bench_mpsc *plan = arg;
    uint64_t each = plan->each;
    uint64_t sum = 0;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        ambit_actor_ref to;
        struct sink sink = {.left = plan->producers * each, .ret_sum = &sum};
        rc = ambit_actor_start(cx, all, &sink_type, &sink, sizeof sink, &to);
        for (uint64_t i = 0; i < plan->producers && rc == 0; i++) {
            rc = ambit_spawn(all, produce, &(struct producer){to, each});
        }
    }
    BENCH_NEED(rc < 0 || sum == plan->producers * (each * (each - 1) / 2));
    return rc;
}

static int mpsc(ambit_cx *cx, void *arg)
{
    struct bench_mpsc plan = {4, bench_count(2500000)};
    (void)arg;
    return bench_rate(cx, "W4_mpsc", "Mmsg/s", plan.producers * plan.each,
                      bench_mpsc_round, &plan);
}

int bench_mpsc(void)
{
    return bench_run(mpsc, NULL);
}

/* --- W6: a ring of actors, one token -------------------------------------- */

enum {
    RING = 1000,
};

struct ring {
    ambit_region *region;
    ambit_actor_ref member[RING];
};

struct member {
    const struct ring *ring;
    unsigned next;
};

static int member_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    memcpy(state, arg, sizeof(struct member));
    return 0;
}

static int member_handle(ambit_cx *cx, void *state, const void *message,
                         size_t size)
{
    const struct member *self = state;
    int64_t left;
    (void)size;
    memcpy(&left, message, sizeof left);
    if (left == 0) {
        ambit_cancel(self->ring->region, "the token has arrived");
        return AMBIT_CONTINUE;
    }
    left--;
    return ambit_send(cx, self->ring->member[self->next], &left, sizeof left);
}

static const struct ambit_actor_type member_type = {
    .size_ = sizeof(struct ambit_actor_type),
    .name = "member",
    .mailbox_max = 16,
    .state_size = sizeof(struct member),
    .init = member_init,
    .handle = member_handle,
};

static int ring_round(ambit_cx *cx, void *arg)
{
    static struct ring ring;
    int64_t hops = *(int64_t *)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        ring.region = all;
        for (unsigned i = 0; i < RING && rc == 0; i++) {
            struct member member = {&ring, (i + 1) % RING};
            rc = ambit_actor_start(cx, all, &member_type, &member,
                                   sizeof member, &ring.member[i]);
        }
        if (rc == 0) {
            rc = ambit_send(cx, ring.member[0], &hops, sizeof hops);
        }
    }
    return rc;
}

static int threadring(ambit_cx *cx, void *arg)
{
    int64_t hops = (int64_t)bench_count(5000000);
    (void)arg;
    return bench_ns(cx, "W6_threadring", "ns/hop", (uint64_t)hops, ring_round,
                    &hops);
}

int bench_threadring(void)
{
    return bench_run(threadring, NULL);
}

/* --- W7: calls ------------------------------------------------------------ */

struct counter {
    int64_t n;
};

struct counter_add {
    int64_t by;
};

struct counter_value {
    int64_t n;
};

static int counter_handle_call(ambit_cx *cx, struct counter *state,
                               const struct counter_add *call,
                               struct counter_value *ret_reply)
{
    (void)cx;
    state->n += call->by;
    ret_reply->n = state->n;
    return 0;
}

AMBIT_SERVER(counter, struct counter, struct counter_add, struct counter_value,
             .limits = {.mailbox_max = 16}, .handle_call = counter_handle_call);

static int caller(ambit_cx *cx, void *arg)
{
    const struct producer *self = arg;
    struct counter_value value = {0};
    int rc = 0;
    for (uint64_t i = 0; i < self->count && rc == 0; i++) {
        rc = counter_call(cx, self->to, &value, (struct counter_add){1});
    }
    BENCH_NEED(rc < 0 || value.n == (int64_t)self->count);
    return rc < 0 ? rc : ambit_actor_stop(self->to);
}

static int call_round(ambit_cx *cx, void *arg)
{
    uint64_t calls = *(uint64_t *)arg;
    int rc = 0;
    ambit_scope (cx, both, &rc) {
        ambit_actor_ref server;
        rc = counter_start(cx, both, NULL, 0, &server);
        if (rc == 0) {
            rc = ambit_spawn(both, caller, &(struct producer){server, calls});
        }
    }
    return rc;
}

static int calls(ambit_cx *cx, void *arg)
{
    uint64_t count = bench_count(1000000);
    (void)arg;
    return bench_ns(cx, "W7_call", "ns/call", count, call_round, &count);
}

int bench_call(void)
{
    return bench_run(calls, NULL);
}
