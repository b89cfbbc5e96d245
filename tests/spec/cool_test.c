/* SPDX-License-Identifier: MIT */
/*
 * cool_test.c -- an idle worker gives memory back: WRK-COOL of spec/worker.md.
 */
#include "tests/spec/common.h"

/* --- WRK-COOL-1 ----------------------------------------------------------- */

enum {
    CROWD = 1000,
    FRAME = 24 << 10,
};

struct crowd {
    struct count here, gate;
};

static int use_a_deep_frame(ambit_cx *cx, void *arg)
{
    struct crowd *c = *(struct crowd **)arg;
    volatile char frame[FRAME];
    for (size_t i = 0; i < sizeof frame; i += 512) {
        frame[i] = 1;
    }
    /* Else a compiler keeps only the bytes that are named. */
    __asm__ volatile("" : : "r"(frame) : "memory");
    count_up(&c->here);
    while (count_get(&c->gate) == 0) {
        WANT_EQ(ambit_yield(cx), 0);
    }
    return frame[0] - 1;
}

static int64_t resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    WANT(file != NULL && fscanf(file, "%*d %ld", &pages) == 1);
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

/* Of the stacks that an idle worker may keep warm, 256, none counts.  Half of
 * the rest is well above what else the process may take meanwhile; the time is
 * long for a loaded machine. */
static int leave_memory(ambit_cx *cx, void *arg)
{
    (void)arg;
    const int64_t half = (int64_t)(CROWD - 256) * FRAME / 2;
    struct crowd all = {0}, *at = &all;
    int64_t before = resident_bytes();
    int rc = 0;
    ambit_scope (cx, crowd, &rc) {
        for (int i = 0; i < CROWD; i++) {
            WANT_EQ(ambit_spawn(crowd, use_a_deep_frame, &at), 0);
        }
        while (count_get(&all.here) < CROWD) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        count_up(&all.gate);
    }
    WANT_EQ(rc, 0);
    int64_t crowded = resident_bytes();
    WANT(crowded - before > half);
    int64_t gone_by = ambit_now().ns + ambit_s(60).ns;
    bool in_time = true;
    while (in_time && crowded - resident_bytes() < half) {
        in_time = ambit_now().ns < gone_by;
        WANT_EQ(ambit_sleep(cx, ambit_ms(20)), 0);
    }
    WANT(in_time);
    return 0;
}

/* Goal: a crowd does not leave its memory behind.  Method: 1,000 deep stacks at
 * once, then idle; the pages of the process. */
Spec(WRK_COOL_1, an_idle_worker_gives_memory_back)
{
    spec_on(1, leave_memory);
    spec_end("WRK_COOL_1");
}

/* --- WRK-COOL-2 ----------------------------------------------------------- */

static int nothing_to_do(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return 0;
}

/* A quarter of a million wait at once for their first turn, in queues of 2 MiB, or of
 * 4 with those that they had outgrown; their records stay.  In the last lap as in the
 * first: what was given back can be had again. */
static int leave_a_queue(ambit_cx *cx, void *arg)
{
    enum { MANY = 1 << 18, QUEUE = MANY * (int)sizeof(void *) };
    int rc = 0;
    (void)arg;
    for (unsigned lap = 0; lap < 3; lap++) {
        ambit_scope (cx, crowd, &rc) {
            for (int i = 0; i < MANY; i++) {
                WANT_EQ(ambit_spawn(crowd, nothing_to_do, (char *)NULL), 0);
            }
        }
        WANT_EQ(rc, 0);
        int64_t full = resident_bytes();
        int64_t gone_by = ambit_now().ns + ambit_s(60).ns;
        bool in_time = true;
        while (in_time && full - resident_bytes() < QUEUE) {
            in_time = ambit_now().ns < gone_by;
            WANT_EQ(ambit_sleep(cx, ambit_ms(20)), 0);
        }
        WANT(in_time);
    }
    return 0;
}

/* Goal: a crowd does not leave its queue behind.  Method: a quarter of a million
 * tasks at once, then idle, three times; the pages of the process. */
Spec(WRK_COOL_2, an_idle_worker_gives_large_queues_back)
{
    spec_on(1, leave_a_queue);
    spec_end("WRK_COOL_2");
}
