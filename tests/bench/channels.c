/* SPDX-License-Identifier: MIT */
/*
 * channels.c -- W3: two tasks and two bounded channels, one for each way.
 *
 *   W3_pingpong         wherever the runtime puts the two
 *   W3_pingpong_forced  on two workers, each held on a cpu of its own
 *
 * tests/bench/peers/c/raw_threads.c does the latter with two threads and
 * nothing in between.
 */
#include "tests/bench/bench.h"

enum {
    CAPACITY = 16,
    CACHE_LINE = 64,
};

struct table {
    _Alignas(CACHE_LINE) struct ambit_channel there;
    _Alignas(CACHE_LINE) struct ambit_channel back;
    int64_t there_room[CAPACITY];
    int64_t back_room[CAPACITY];
    int64_t rounds;
};

static int pong(ambit_cx *cx, void *arg)
{
    struct table *table = *(struct table **)arg;
    int64_t ball;
    int rc = 0;
    while (rc == 0) {
        rc = ambit_channel_receive(cx, &table->there, &ball);
        if (rc == 0) {
            rc = ambit_channel_send(cx, &table->back, &ball);
        }
    }
    return rc == -EPIPE ? 0 : rc;
}

static int ping(ambit_cx *cx, void *arg)
{
    struct table *table = *(struct table **)arg;
    int64_t ball = -1;
    int rc = 0;
    for (int64_t i = 0; i < table->rounds && rc == 0; i++) {
        rc = ambit_channel_send(cx, &table->there, &i);
        if (rc == 0) {
            rc = ambit_channel_receive(cx, &table->back, &ball);
        }
        BENCH_NEED(rc < 0 || ball == i);
    }
    ambit_channel_close(&table->there);
    return rc;
}

static int channels_init(struct table *table)
{
    int rc = ambit_channel_init(&table->there, table->there_room, CAPACITY,
                                sizeof table->there_room[0]);
    return rc < 0 ? rc
                  : ambit_channel_init(&table->back, table->back_room, CAPACITY,
                                       sizeof table->back_room[0]);
}

static int play(ambit_cx *cx, int64_t rounds, enum ambit_placement placement)
{
    struct table table = {.rounds = rounds};
    struct table *here = &table;
    int rc = channels_init(&table);
    ambit_scope (cx, both, &rc) {
        rc = ambit_spawn_with(both, pong, &here, .placement = placement,
                              .worker = 1);
        if (rc == 0) {
            rc = ambit_spawn_with(both, ping, &here, .placement = placement,
                                  .worker = 0);
        }
    }
    ambit_channel_fini(&table.there);
    ambit_channel_fini(&table.back);
    return rc;
}

static int free_round(ambit_cx *cx, void *arg)
{
    return play(cx, *(int64_t *)arg, AMBIT_STEALABLE);
}

static int forced_round(ambit_cx *cx, void *arg)
{
    return play(cx, *(int64_t *)arg, AMBIT_PINNED);
}

static int play_free(ambit_cx *cx, void *arg)
{
    int64_t rounds = (int64_t)bench_count(1000000);
    (void)arg;
    return bench_ns(cx, "W3_pingpong", "ns/rtt", (uint64_t)rounds, free_round,
                    &rounds);
}

static int play_forced(ambit_cx *cx, void *arg)
{
    int64_t rounds = (int64_t)bench_count(20000);
    (void)arg;
    return bench_ns(cx, "W3_pingpong_forced", "ns/rtt", (uint64_t)rounds,
                    forced_round, &rounds);
}

int bench_channels(void)
{
    int rc = bench_run(play_free, NULL);
    return rc < 0 || bench.workers < 2
               ? rc
               : bench_run(play_forced, NULL, .keep_cpus = true);
}
