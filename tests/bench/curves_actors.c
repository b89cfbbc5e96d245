/* SPDX-License-Identifier: MIT */
/*
 * curves_actors.c -- cost against size: actors, producers.
 *
 *   P2  n actors.  _start: started and stopped, ns for each; _ring: a token
 *       goes round all of them, ns for each hop
 *   P3  n producers of one queue of 1,024, ns for each message.  _mailbox: that
 *       of an actor; _channel: a bounded channel
 */
#include "tests/bench/bench.h"

enum {
    ACTOR_ROOM = 4096, /* bytes that must be free for each */
    PRODUCER_ROOM = 16384,
    QUEUE = 1024,
    HOPS_MIN = 100000,
};

/* --- P2: actors ------------------------------------------------------------
 */

struct ring {
    struct ambit_notify arrived;
    ambit_actor_ref *member;
    uint64_t count;
    int64_t hops;
};

struct member {
    struct ring *ring;
    uint64_t next;
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
        ambit_notify_one(&self->ring->arrived);
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

static int start_all(ambit_cx *cx, ambit_region *region, struct ring *ring)
{
    int rc = 0;
    for (uint64_t i = 0; i < ring->count && rc == 0; i++) {
        struct member member = {ring, (i + 1) % ring->count};
        rc = ambit_actor_start(cx, region, &member_type, &member, sizeof member,
                               &ring->member[i]);
    }
    return rc;
}

static int start_round(ambit_cx *cx, void *arg)
{
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        rc = start_all(cx, all, arg);
        ambit_cancel(all, "all have started");
    }
    return rc;
}

static int token_round(ambit_cx *cx, void *arg)
{
    struct ring *ring = arg;
    int rc = ambit_send(cx, ring->member[0], &ring->hops, sizeof ring->hops);
    return rc < 0 ? rc : ambit_notify_wait(cx, &ring->arrived);
}

static int ring_at(ambit_cx *cx, struct ring *ring)
{
    int rc = bench_ns_at(cx, "P2_start", ring->count, ring->count, start_round,
                         ring);
    ambit_scope (cx, all, &rc) {
        rc = rc < 0 ? rc : start_all(cx, all, ring);
        if (rc == 0) {
            rc = bench_ns_at(cx, "P2_ring", ring->count, (uint64_t)ring->hops,
                             token_round, ring);
        }
        ambit_cancel(all, "measured");
    }
    return rc;
}

static int actor_crowds(ambit_cx *cx, void *arg)
{
    int rc = 0;
    (void)arg;
    for (uint64_t size = 10; size <= 1000000 && rc == 0;
         size = bench_next_size(size)) {
        if (!bench_takes("P2_actors", size, ACTOR_ROOM)) {
            continue;
        }
        struct ring ring = {
            .arrived = AMBIT_NOTIFY_INIT,
            .member = calloc(size, sizeof(ambit_actor_ref)),
            .count = size,
            .hops = (int64_t)(size > HOPS_MIN ? size : HOPS_MIN),
        };
        rc = ring.member != NULL ? ring_at(cx, &ring) : -ENOMEM;
        ambit_notify_fini(&ring.arrived);
        free(ring.member);
    }
    return rc;
}

int bench_actor_crowds(void)
{
    return bench_run(actor_crowds, NULL);
}

/* --- P3: producers ---------------------------------------------------------
 */

struct belt {
    struct ambit_channel channel;
    uint64_t each;
};

static int produce(ambit_cx *cx, void *arg)
{
    struct belt *belt = *(struct belt **)arg;
    int rc = 0;
    for (uint64_t i = 0; i < belt->each && rc == 0; i++) {
        rc = ambit_channel_send(cx, &belt->channel, &i);
    }
    return rc;
}

static int channel_round(ambit_cx *cx, void *arg)
{
    static uint64_t room[QUEUE];
    const struct bench_mpsc *plan = arg;
    struct belt belt = {.each = plan->each};
    struct belt *here = &belt;
    uint64_t sum = 0;
    int rc = ambit_channel_init(&belt.channel, room, QUEUE, sizeof room[0]);
    ambit_scope (cx, all, &rc) {
        for (uint64_t i = 0; i < plan->producers && rc == 0; i++) {
            rc = ambit_spawn(all, produce, &here);
        }
        for (uint64_t i = 0; i < plan->producers * plan->each && rc == 0; i++) {
            uint64_t value = 0;
            rc = ambit_channel_receive(cx, &belt.channel, &value);
            sum += value;
        }
    }
    ambit_channel_fini(&belt.channel);
    BENCH_NEED(rc < 0 ||
               sum == plan->producers * (plan->each * (plan->each - 1) / 2));
    return rc;
}

static int producers(ambit_cx *cx, void *arg)
{
    int rc = 0;
    (void)arg;
    for (uint64_t n = 1; n <= 64 && rc == 0; n *= 2) {
        struct bench_mpsc plan = {n, bench_count(640000) / n + 1};
        uint64_t all = plan.producers * plan.each;
        if (!bench_takes("P3_producers", n, PRODUCER_ROOM)) {
            continue;
        }
        rc = bench_ns_at(cx, "P3_mailbox", n, all, bench_mpsc_round, &plan);
        if (rc == 0) {
            rc = bench_ns_at(cx, "P3_channel", n, all, channel_round, &plan);
        }
    }
    return rc;
}

int bench_producers(void)
{
    return bench_run(producers, NULL);
}
