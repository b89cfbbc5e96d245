/* SPDX-License-Identifier: MIT */
/*
 * timers.c -- a million sleepers, and the cost of a timer that never fires.
 *
 * The public way to arm and cancel a timer is a deadline.  Two rows:
 *
 *   W9_deadline_scope  a scope with a deadline is opened and closed: more than
 *                      the peers' arm + cancel, as it opens a region too
 *   W9_arm_cancel      the deadline of an open scope is moved: one timer
 *                      cancelled and one armed, as the peers do
 *
 * and the latter once more while many other timers are armed.
 */
#include "tests/bench/bench.h"

enum {
    STACK_ROOM = 12288, /* bytes that must be free for each sleeper */
};

struct sleep {
    int64_t duration_ns;
    double *ret_late_ns;
};

static int sleeper(ambit_cx *cx, void *arg)
{
    const struct sleep *self = arg;
    uint64_t begin = bench_now_ns();
    int rc = ambit_sleep(cx, ambit_ns(self->duration_ns));
    *self->ret_late_ns =
        (double)((int64_t)(bench_now_ns() - begin) - self->duration_ns);
    return rc;
}

struct crowd {
    uint64_t count;
    double *late_ns;
};

static int sleep_all(ambit_cx *cx, const struct crowd *crowd, uint64_t seed)
{
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (uint64_t i = 0; i < crowd->count && rc == 0; i++) {
            struct sleep sleep = {
                (int64_t)(bench_random(&seed) % 1000000000u),
                &crowd->late_ns[i],
            };
            rc = ambit_spawn(all, sleeper, &sleep);
            if (rc == 0 && i % 1024 == 0) {
                rc = ambit_yield(cx);
            }
        }
    }
    return rc;
}

static int sleepers(ambit_cx *cx, void *arg)
{
    const struct crowd *crowd = arg;
    bool full = crowd->count == bench_count(1000000);
    struct bench_row *cpu =
        bench_row(full ? "W9_sleep_cpu" : "W9_sleep_cpu_100k", "cpu_s", false);
    struct bench_row *late = bench_row(
        full ? "W9_sleep_late_p99" : "W9_sleep_late_p99_100k", "ms", false);
    for (unsigned rep = 0; rep < bench.reps; rep++) {
        double begin = bench_cpu_s();
        int rc = sleep_all(cx, crowd, 88172645463325252u + rep);
        if (rc < 0) {
            return rc;
        }
        double spent = bench_cpu_s() - begin;
        bench_add(cpu, spent);
        cpu->cpu_s += spent;
        qsort(crowd->late_ns, crowd->count, sizeof(double), bench_compare);
        bench_add(late, crowd->late_ns[crowd->count * 99 / 100] / 1e6);
    }
    bench_print(cpu);
    bench_print(late);
    return 0;
}

int bench_sleepers(void)
{
    uint64_t full = bench_count(1000000);
    bool fits = bench_free_bytes() / STACK_ROOM >= full;
    struct crowd crowd = {.count = fits ? full : full / 10};
    crowd.late_ns = calloc(crowd.count, sizeof(double));
    if (crowd.late_ns == NULL) {
        return -ENOMEM;
    }
    int rc =
        bench_run(sleepers, &crowd, .stacks_max = (uint32_t)crowd.count + 64);
    free(crowd.late_ns);
    return rc;
}

static int move_round(ambit_cx *cx, void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    int rc = 0;
    ambit_scope (cx, limited, &rc, .deadline = ambit_after(ambit_s(3600))) {
        for (uint64_t i = 0; i < n && rc == 0; i++) {
            ambit_duration d = ambit_ms(1000000 + (int64_t)(i & 1023));
            rc = ambit_set_deadline(limited, ambit_after(d));
        }
    }
    return rc;
}

static int scope_round(ambit_cx *cx, void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    int rc = 0;
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        ambit_duration d = ambit_ms(1000 + (int64_t)(i & 1023));
        ambit_scope (cx, limited, &rc, .deadline = ambit_after(d)) {
            /* nothing happens in time */
        }
    }
    return rc;
}

static int long_sleeper(ambit_cx *cx, void *arg)
{
    uint64_t seed = *(uint64_t *)arg * 2654435761u + 1;
    int64_t ms = 100000 + (int64_t)(bench_random(&seed) % 1000000);
    (void)ambit_sleep(cx, ambit_ms(ms));
    return 0;
}

/* The same while others sleep. */
static int move_among_many(ambit_cx *cx, uint64_t n)
{
    uint64_t others = bench_count(100000);
    int rc = 0;
    ambit_scope (cx, crowd, &rc) {
        for (uint64_t i = 0; i < others && rc == 0; i++) {
            rc = ambit_spawn(crowd, long_sleeper, &i);
        }
        if (rc == 0) {
            rc = ambit_sleep(cx, ambit_ms(200));
        }
        if (rc == 0) {
            rc = bench_ns(cx, "W9_arm_cancel_100k_armed", "ns/op", n,
                          move_round, &n);
        }
        ambit_cancel(crowd, "measured");
    }
    return rc;
}

static int arm_cancel(ambit_cx *cx, void *arg)
{
    uint64_t n = bench_count(1000000);
    (void)arg;
    int rc = bench_ns(cx, "W9_arm_cancel", "ns/op", n, move_round, &n);
    if (rc == 0) {
        rc = move_among_many(cx, n);
    }
    return rc < 0
               ? rc
               : bench_ns(cx, "W9_deadline_scope", "ns/op", n, scope_round, &n);
}

int bench_arm_cancel(void)
{
    return bench_run(arm_cancel, NULL);
}
