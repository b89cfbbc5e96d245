/* SPDX-License-Identifier: MIT */
/*
 * blocking.c -- a call that does nothing, on the pool for calls that block.
 *
 *   W13_blocking       1,000 BLOCKING tasks at once, joined by their scope; four
 *                      threads, as libuv has and the Tokio peer is given
 *   W13_blocking_call  ambit_blocking() again and again: one round trip
 */
#include "tests/bench/bench.h"

enum {
    BATCH = 1000,
    THREADS = 4,
};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int nothing_task(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return 0;
}

static int batch_round(ambit_cx *cx, void *arg)
{
    uint64_t batches = *(uint64_t *)arg;
    int rc = 0;
    for (uint64_t i = 0; i < batches && rc == 0; i++) {
        ambit_scope (cx, batch, &rc) {
            for (unsigned k = 0; k < BATCH && rc == 0; k++) {
                rc = ambit_spawn_with(batch, nothing_task, (char *)NULL,
                                      .tier = AMBIT_BLOCKING);
            }
        }
    }
    return rc;
}

static int call_round(ambit_cx *cx, void *arg)
{
    uint64_t calls = *(uint64_t *)arg;
    int rc = 0;
    for (uint64_t i = 0; i < calls && rc == 0; i++) {
        rc = ambit_blocking(cx, nothing, NULL);
    }
    return rc;
}

static int blocking(ambit_cx *cx, void *arg)
{
    uint64_t batches = bench_count(50);
    uint64_t calls = bench_count(2000);
    (void)arg;
    int rc = bench_ns(cx, "W13_blocking", "ns/op", batches * BATCH, batch_round,
                      &batches);
    return rc < 0 ? rc
                  : bench_ns(cx, "W13_blocking_call", "ns/op", calls,
                             call_round, &calls);
}

int bench_blocking(void)
{
    return bench_run(blocking, NULL, .blocking_threads_max = THREADS);
}
