/* SPDX-License-Identifier: MIT */
/*
 * memory.c -- what idle tasks and actors keep, by resident memory.
 *
 *   W8_mem_poll_task  poll tasks that have stepped once and wait for a wake
 *   W8_mem_fiber      tasks that are parked, each on its stack
 *   W8_mem_actor      actors between two messages
 *
 * A million of each; a tenth of that, and the row says so, when the machine
 * has not the room.
 */
#include "tests/bench/bench.h"

#include <stdatomic.h>

enum {
    FIBER_ROOM = 12288, /* bytes that must be free for each */
    ACTOR_ROOM = 4096,
    SETTLE_MS = 1500, /* an idle worker gives back after a second: WRK-COOL */
};

/* How many are idle, or about to be.  ORDER(bench-idle) */
static _Atomic uint64_t idle;

static void mark_idle(void)
{
    /* ORDER(bench-idle): relaxed.  A count; what follows waits a while more. */
    atomic_fetch_add_explicit(&idle, 1, memory_order_relaxed);
}

static uint64_t count_idle(void)
{
    /* ORDER(bench-idle): relaxed.  Pairs with mark_idle(). */
    return atomic_load_explicit(&idle, memory_order_relaxed);
}

struct crowd {
    const char *name;
    const char *unit;
    uint64_t count;
    int (*start)(ambit_cx *cx, ambit_region *region, uint64_t count);
};

static uint64_t count_that_fits(size_t each)
{
    uint64_t full = bench_count(1000000);
    bool fits = bench_free_bytes() / each >= full;
    return fits ? full : full / 10;
}

static int measure_crowd(ambit_cx *cx, void *arg)
{
    const struct crowd *crowd = arg;
    char name[48];
    int rc = 0;
    snprintf(name, sizeof name, "%s%s", crowd->name,
             crowd->count < bench_count(1000000) ? "_100k" : "");
    ambit_scope (cx, all, &rc) {
        size_t before = bench_rss_bytes();
        double cpu = bench_cpu_s();
        rc = crowd->start(cx, all, crowd->count);
        while (rc == 0 && count_idle() < crowd->count) {
            rc = ambit_sleep(cx, ambit_ms(1));
        }
        if (rc == 0) {
            rc = ambit_sleep(cx, ambit_ms(SETTLE_MS));
        }
        if (rc == 0) {
            struct bench_row *row = bench_row(name, crowd->unit, false);
            size_t after = bench_rss_bytes();
            bench_add(row, (double)(after - before) / (double)crowd->count);
            row->cpu_s = bench_cpu_s() - cpu;
            bench_print(row);
        }
        ambit_cancel(all, "measured");
    }
    return rc;
}

static int sleeper(ambit_cx *cx, void *arg)
{
    (void)arg;
    mark_idle();
    (void)ambit_sleep_until(cx, ambit_never());
    return 0;
}

static int start_fibers(ambit_cx *cx, ambit_region *region, uint64_t count)
{
    int rc = 0;
    for (uint64_t i = 0; i < count && rc == 0; i++) {
        rc = ambit_spawn(region, sleeper, (char *)NULL);
        if (rc == 0 && i % 1024 == 0) {
            rc = ambit_yield(cx); /* as a program that goes on running would */
        }
    }
    return rc;
}

int bench_memory_fiber(void)
{
    struct crowd crowd = {"W8_mem_fiber", "bytes/task",
                          count_that_fits(FIBER_ROOM), start_fibers};
    return bench_run(measure_crowd, &crowd,
                     .stacks_max = (uint32_t)crowd.count + 64);
}

static int wait_for_wake(ambit_cx *cx, void *state)
{
    (void)state;
    if (ambit_checkpoint(cx) < 0) {
        return -ECANCELED;
    }
    mark_idle();
    return AMBIT_PENDING;
}

static int start_polls(ambit_cx *cx, ambit_region *region, uint64_t count)
{
    int rc = 0;
    for (uint64_t i = 0; i < count && rc == 0; i++) {
        rc = ambit_spawn_poll(region, wait_for_wake, (char *)NULL);
        if (rc == 0 && i % 1024 == 0) {
            rc = ambit_yield(cx);
        }
    }
    return rc;
}

int bench_memory_task(void)
{
    struct crowd crowd = {"W8_mem_poll_task", "bytes/task",
                          count_that_fits(ACTOR_ROOM), start_polls};
    return bench_run(measure_crowd, &crowd);
}

struct adder {
    int64_t sum;
};

static int adder_handle(ambit_cx *cx, void *state, const void *message,
                        size_t size)
{
    struct adder *adder = state;
    int64_t value;
    (void)cx;
    (void)size;
    memcpy(&value, message, sizeof value);
    adder->sum += value;
    return AMBIT_CONTINUE;
}

static const struct ambit_actor_type adder_type = {
    .size_ = sizeof(struct ambit_actor_type),
    .name = "adder",
    .mailbox_max = 16,
    .state_size = sizeof(struct adder),
    .handle = adder_handle,
};

static int start_actors(ambit_cx *cx, ambit_region *region, uint64_t count)
{
    ambit_actor_ref ref;
    int rc = 0;
    for (uint64_t i = 0; i < count && rc == 0; i++) {
        rc = ambit_actor_start(cx, region, &adder_type, NULL, 0, &ref);
        mark_idle();
    }
    return rc;
}

int bench_memory_actor(void)
{
    struct crowd crowd = {"W8_mem_actor", "bytes/actor",
                          count_that_fits(ACTOR_ROOM), start_actors};
    return bench_run(measure_crowd, &crowd);
}
