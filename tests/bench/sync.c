/* SPDX-License-Identifier: MIT */
/*
 * sync.c -- what it costs to hand something on.
 *
 *   W19_semaphore  two tasks and two semaphores: each task waits at its own,
 * and gives a permit to the other's W19_mutex_8    eight tasks want one mutex;
 * who has it gives way once before it lets go, so the others stand in line
 */
#include "tests/bench/bench.h"

enum {
    LOCKERS = 8,
};

struct seesaw {
    struct ambit_semaphore side[2];
    uint64_t each;
};

struct rider {
    struct seesaw *seesaw;
    unsigned side;
};

static int ride(ambit_cx *cx, void *arg)
{
    const struct rider *self = arg;
    struct seesaw *seesaw = self->seesaw;
    int rc = 0;
    for (uint64_t i = 0; i < seesaw->each && rc == 0; i++) {
        rc = ambit_semaphore_acquire(cx, &seesaw->side[self->side], 1);
        if (rc == 0) {
            rc = ambit_semaphore_release(&seesaw->side[!self->side], 1);
        }
    }
    return rc;
}

static int semaphore_round(ambit_cx *cx, void *arg)
{
    struct seesaw seesaw = {
        .side = {AMBIT_SEMAPHORE_INIT(1, 1), AMBIT_SEMAPHORE_INIT(0, 1)},
        .each = *(uint64_t *)arg,
    };
    int rc = 0;
    ambit_scope (cx, both, &rc) {
        for (unsigned i = 0; i < 2 && rc == 0; i++) {
            rc = ambit_spawn(both, ride, &(struct rider){&seesaw, i});
        }
    }
    ambit_semaphore_fini(&seesaw.side[0]);
    ambit_semaphore_fini(&seesaw.side[1]);
    return rc;
}

struct till {
    struct ambit_mutex mutex;
    uint64_t sum; /* the mutex guards it */
    uint64_t each;
};

static int locker(ambit_cx *cx, void *arg)
{
    struct till *till = *(struct till **)arg;
    int rc = 0;
    for (uint64_t i = 0; i < till->each && rc == 0; i++) {
        rc = ambit_mutex_lock(cx, &till->mutex);
        if (rc == 0) {
            till->sum++;
            rc = ambit_yield(cx);
            ambit_mutex_unlock(&till->mutex);
        }
    }
    return rc;
}

static int mutex_round(ambit_cx *cx, void *arg)
{
    struct till till = {.mutex = AMBIT_MUTEX_INIT, .each = *(uint64_t *)arg};
    struct till *here = &till;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (unsigned i = 0; i < LOCKERS && rc == 0; i++) {
            rc = ambit_spawn(all, locker, &here);
        }
    }
    ambit_mutex_fini(&till.mutex);
    BENCH_NEED(rc < 0 || till.sum == LOCKERS * till.each);
    return rc;
}

static int hand_on(ambit_cx *cx, void *arg)
{
    uint64_t permits = bench_count(50000);
    uint64_t locks = bench_count(10000);
    (void)arg;
    int rc = bench_ns(cx, "W19_semaphore", "ns/hand-over", 2 * permits,
                      semaphore_round, &permits);
    return rc < 0 ? rc
                  : bench_ns(cx, "W19_mutex_8", "ns/lock", LOCKERS * locks,
                             mutex_round, &locks);
}

int bench_sync(void)
{
    return bench_run(hand_on, NULL);
}
