/* SPDX-License-Identifier: MIT */
/*
 * soak_test.c -- what shows only after a long time, or when nothing happens.
 *
 * AMBIT_SOAK is the number of spawns; the other counts follow from it.
 */
#include "tests/spec/common.h"

#include <sys/resource.h>

static int64_t soak_spawns(void)
{
    const char *given = getenv("AMBIT_SOAK");
    int64_t spawns = given != NULL ? atoll(given) : 0;
    if (spawns > 0) {
        return spawns;
    }
    return SPEC_SLOWER > 5 ? 300000 : SPEC_SLOWER > 1 ? 1000000 : 10000000;
}

static int64_t resident_kib(void)
{
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL || fscanf(statm, "%*s %ld", &pages) != 1) {
        WANT(!"/proc/self/statm can be read");
    }
    if (statm != NULL) {
        fclose(statm);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* --- RT-FLAT-1 ------------------------------------------------------------ */

struct parcel {
    struct count *done;
    char load[200]; /* larger than a record holds by itself */
};

static int end_at_once(ambit_cx *cx, void *arg)
{
    (void)cx;
    count_up(*(struct count **)arg);
    return 0;
}

static int end_after_a_yield(ambit_cx *cx, void *arg)
{
    int rc = ambit_yield(cx);
    count_up(((struct parcel *)arg)->done);
    return rc;
}

static void spawn_batch(ambit_cx *cx, struct count *done)
{
    enum { BATCH = 1000 };
    struct parcel parcel = {.done = done};
    int rc = 0;
    ambit_scope (cx, batch, &rc) {
        for (int i = 0; i < BATCH; i++) {
            ambit_task task;
            const struct ambit_spawn_options joined = {
                .size_ = sizeof joined, .ret_task = &task};
            WANT_EQ(i % 50 == 0 ? ambit_spawn(batch, end_after_a_yield, &parcel)
                                : ambit_spawn_(batch, end_at_once, &done,
                                               sizeof done,
                                               i % 10 == 0 ? &joined : NULL),
                    0);
        }
    }
    WANT_EQ(rc, 0);
}

static int spawn_on_and_on(ambit_cx *cx, void *arg)
{
    int64_t spawns = *(int64_t *)arg;
    struct count done = {0};
    int64_t warm = 0;
    for (int64_t at = 0; at < spawns; at += 1000) {
        spawn_batch(cx, &done);
        if (at == spawns / 10 / 1000 * 1000) {
            warm = resident_kib();
        }
    }
    WANT_EQ(count_get(&done), (spawns + 999) / 1000 * 1000);
    int64_t grown = resident_kib() - warm;
    fprintf(stderr, "%lld spawns, %lld KiB resident, %+lld KiB since a tenth\n",
            (long long)spawns, (long long)resident_kib(), (long long)grown);
    /* a quarantine of freed memory is a sanitizer's business */
    WANT(SPEC_SLOWER > 1 || grown < 1024);
    return 0;
}

/* Goal: what was spawned and has ended costs nothing.
 * Method: ten million spawns (a hundred with AMBIT_SOAK=100000000), some
 * joinable, some with large arguments; resident memory. */
Spec(RT_FLAT_1, memory_is_flat_over_millions_of_spawns)
{
    int64_t spawns = soak_spawns();
    WANT_EQ(spec_run(spawn_on_and_on, &spawns, .workers = 1), 0);
    WANT_EQ(spec_run(spawn_on_and_on, &spawns, .workers = 2), 0);
    spec_end("RT_FLAT_1");
}

/* --- RT-LEAK-1 ------------------------------------------------------------ */

static int almost_nothing(ambit_cx *cx, void *arg)
{
    struct count done = {0}, *pdone = &done;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn(all, end_at_once, &pdone), 0);
        WANT_EQ(ambit_sleep(cx, ambit_us(20)), 0);
    }
    return *(int *)arg == 0 ? rc : *(int *)arg;
}

/* Goal: a runtime can come and go a thousand times.
 * Method: the census after each cycle; resident memory after all. */
Spec(RT_LEAK_1, a_thousand_runtimes_leave_nothing)
{
    int64_t warm = 0;
    for (int cycle = 0; cycle < 1000 / (SPEC_SLOWER > 5 ? 5 : 1); cycle++) {
        int result = cycle % 3;
        WANT_EQ(spec_run(almost_nothing, &result,
                         .workers = 1 + (unsigned)cycle % 2), result);
        if (cycle == 100) {
            warm = resident_kib();
        }
    }
    WANT(SPEC_SLOWER > 1 || resident_kib() - warm < 1024);
    spec_end("RT_LEAK_1");
}

/* --- WRK-IDLE-1 ----------------------------------------------------------- */

static int64_t cpu_us(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * INT64_C(1000000) +
           used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

/* Five with AMBIT_SOAK=100000000. */
static int idle_for_seconds(ambit_cx *cx, void *arg)
{
    int64_t seconds = soak_spawns() >= 100000000 ? 5 : 2;
    (void)arg;
    struct count started = {0}, cancelled = {0};
    int rc = 0;
    ambit_scope (cx, parked, &rc) {
        struct waiter w = {&started, &cancelled};
        for (int i = 0; i < 100; i++) {
            WANT_EQ(ambit_spawn(parked, wait_for_ever, &w), 0);
        }
        WANT(until(cx, &started, 100));
        int64_t before = cpu_us();
        WANT_EQ(ambit_sleep(cx, ambit_s(seconds)), 0);
        int64_t used = cpu_us() - before;
        fprintf(stderr, "idle: %lld us of cpu in %lld s\n", (long long)used,
                (long long)seconds);
        WANT(SPEC_SLOWER > 1 || used < seconds * 10000);
        ambit_cancel(parked, "enough");
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: idle costs nothing.
 * Method: 100 parked tasks on two workers; the cpu time of two seconds,
 * or five. */
Spec(WRK_IDLE_1, two_idle_workers_use_less_than_a_hundredth_of_a_core)
{
    spec_on(2, idle_for_seconds);
    spec_end("WRK_IDLE_1");
}

/* --- WRK-WAKE-1 ----------------------------------------------------------- */

/* A mailbox of one credit is a semaphore: who aborts the permit wakes who
 * waits for it. */
struct semaphore {
    ambit_actor_ref mailbox;
    struct ambit_permit taken;
};

static int handle_nothing(ambit_cx *cx, void *state, const void *message,
                          size_t size)
{
    (void)cx;
    (void)state;
    (void)message;
    (void)size;
    return 0;
}

static const struct ambit_actor_type one_credit = {
    .size_ = sizeof(struct ambit_actor_type),
    .mailbox_max = 1,
    .handle = handle_nothing,
};

static void semaphore_wait(ambit_cx *cx, struct semaphore *s)
{
    WANT_EQ(ambit_reserve(cx, s->mailbox, 0, &s->taken), 0);
}

static void semaphore_signal(struct semaphore *s)
{
    struct ambit_permit taken = s->taken;
    ambit_abort(&taken);
}

struct litmus {
    struct semaphore *mine, *theirs;
    struct count *started;
    int64_t rounds;
};

static int answer_each(ambit_cx *cx, void *arg)
{
    struct litmus *l = arg;
    count_up(l->started);
    for (int64_t i = 0; i < l->rounds; i++) {
        semaphore_wait(cx, l->mine);
        semaphore_signal(l->theirs);
    }
    return 0;
}

static int park_and_wake(ambit_cx *cx, void *arg)
{
    struct semaphore here, there;
    struct count started = {0};
    struct litmus l = {&there, &here, &started, *(int64_t *)arg};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_actor_start(cx, all, &one_credit, NULL, 0,
                                  &here.mailbox), 0);
        WANT_EQ(ambit_actor_start(cx, all, &one_credit, NULL, 0,
                                  &there.mailbox), 0);
        semaphore_wait(cx, &here);
        semaphore_wait(cx, &there);
        ambit_scope (cx, other, &rc) {
            spawn_elsewhere(other, answer_each, &l, &started);
            for (int64_t i = 0; i < l.rounds; i++) {
                semaphore_signal(&there);
                semaphore_wait(cx, &here);
            }
        }
        semaphore_signal(&here);
        semaphore_signal(&there);
        WANT_EQ(ambit_actor_stop(here.mailbox), 0);
        WANT_EQ(ambit_actor_stop(there.mailbox), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: two workers that wake each other never both sleep.
 * Method: ping-pong of two tasks on two workers, a million rounds with the
 * usual spin before sleep, and a part of that without; a lost wake hangs. */
Spec(WRK_WAKE_1, a_million_rounds_of_park_and_wake)
{
    int64_t rounds = soak_spawns() / 10, fewer = rounds / 10;
    WANT_EQ(spec_run(park_and_wake, &rounds, .workers = 2), 0);
    WANT_EQ(spec_run(park_and_wake, &fewer, .workers = 2, .spin = {-1}), 0);
    spec_end("WRK_WAKE_1");
}
