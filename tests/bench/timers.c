/* SPDX-License-Identifier: MIT */
/*
 * timers.c -- a million sleepers, and the cost of a timer that never fires.
 *
 *   W9_sleep       fibers that sleep
 *   W9_sleep_poll  poll tasks that do: without a stack, as Tokio's tasks
 *
 * and of each the CPU seconds (_cpu), by how much all but one in a hundred get up
 * late at most (_late_p99), and how much of that is left where start-up is deducted:
 * counted from when the last of them lay down (_beyond_p99).
 *
 * The public way to arm and cancel a timer is a deadline.  Two rows:
 *
 *   W9_deadline_scope  a scope with a deadline is opened and closed: more than
 *                      the peers' arm + cancel, as it opens a region too
 *   W9_arm_cancel      the deadline of an open scope is moved: one timer
 *                      cancelled and one armed
 *   W9_arm_cancel_now  the same by ambit_after(), which reads the clock, as
 *                      Tokio and Go do in theirs; libuv does not
 *
 * and W9_arm_cancel once more while many other timers are armed: those of poll
 * tasks that sleep.
 */
#include "tests/bench/bench.h"

enum {
    STACK_ROOM = 12288, /* bytes that must be free for each sleeper */
    TIMER_ROOM = 2048,  /* for one that is a poll task */
};

/* When a sleeper lay down, and when it got up. */
struct nap {
    uint64_t begin_ns, woke_ns;
};

struct sleep {
    int64_t duration_ns;
    struct nap *ret_nap;
};

static int sleeper(ambit_cx *cx, void *arg)
{
    const struct sleep *self = arg;
    uint64_t begin = bench_now_ns();
    int rc = ambit_sleep(cx, ambit_ns(self->duration_ns));
    *self->ret_nap = (struct nap){begin, bench_now_ns()};
    return rc;
}

struct poll_sleep {
    struct ambit_await wait;
    struct sleep sleep;
    uint64_t begin;
};

static int poll_sleeper(ambit_cx *cx, void *state)
{
    struct poll_sleep *self = state;
    if (self->begin == 0) {
        self->begin = bench_now_ns();
    }
    int rc =
        ambit_await_sleep(cx, &self->wait, ambit_ns(self->sleep.duration_ns));
    if (rc != AMBIT_PENDING) {
        *self->sleep.ret_nap = (struct nap){self->begin, bench_now_ns()};
    }
    return rc;
}

struct crowd {
    uint64_t count;
    struct nap *naps;
    double *late_ns; /* room for as many */
    bool poll;
    const char *cpu_name, *late_name, *beyond_name;
};

static int64_t next_duration(uint64_t *seed)
{
    return (int64_t)(bench_random(seed) % 1000000000u);
}

static int sleep_all(ambit_cx *cx, const struct crowd *crowd, uint64_t seed)
{
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (uint64_t i = 0; i < crowd->count && rc == 0; i++) {
            struct poll_sleep poll = {
                .sleep = {next_duration(&seed), &crowd->naps[i]},
            };
            rc = crowd->poll ? ambit_spawn_poll(all, poll_sleeper, &poll)
                             : ambit_spawn(all, sleeper, &poll.sleep);
            if (rc == 0 && i % 1024 == 0) {
                rc = ambit_yield(cx);
            }
        }
    }
    return rc;
}

/* The 99th of a hundred, in ms: how long after both its time and `from`. */
static double late_p99(const struct crowd *crowd, uint64_t seed, uint64_t from)
{
    for (uint64_t i = 0; i < crowd->count; i++) {
        const struct nap *nap = &crowd->naps[i];
        uint64_t due = nap->begin_ns + (uint64_t)next_duration(&seed);
        crowd->late_ns[i] = (double)(int64_t)(nap->woke_ns -
                                              (due > from ? due : from));
    }
    qsort(crowd->late_ns, crowd->count, sizeof(double), bench_compare);
    return crowd->late_ns[crowd->count * 99 / 100] / 1e6;
}

/* When the last of them lay down. */
static uint64_t all_asleep(const struct crowd *crowd)
{
    uint64_t last = 0;
    for (uint64_t i = 0; i < crowd->count; i++) {
        uint64_t begin = crowd->naps[i].begin_ns;
        last = begin > last ? begin : last;
    }
    return last;
}

static int sleepers(ambit_cx *cx, void *arg)
{
    const struct crowd *crowd = arg;
    struct bench_row *cpu = bench_row(crowd->cpu_name, "cpu_s", false);
    struct bench_row *late = bench_row(crowd->late_name, "ms", false);
    struct bench_row *beyond = bench_row(crowd->beyond_name, "ms", false);
    for (unsigned rep = 0; rep < bench.reps; rep++) {
        uint64_t seed = 88172645463325252u + rep;
        double begin = bench_cpu_s();
        int rc = sleep_all(cx, crowd, seed);
        if (rc < 0) {
            return rc;
        }
        double spent = bench_cpu_s() - begin;
        bench_add(cpu, spent);
        cpu->cpu_s += spent;
        bench_add(late, late_p99(crowd, seed, 0));
        bench_add(beyond, late_p99(crowd, seed, all_asleep(crowd)));
    }
    bench_print(cpu);
    bench_print(late);
    bench_print(beyond);
    return 0;
}

int bench_sleepers(void)
{
    uint64_t full = bench_count(1000000);
    bool fits = bench_free_bytes() / STACK_ROOM >= full;
    double *late_ns = calloc(full, sizeof(double));
    struct nap *naps = calloc(full, sizeof *naps);
    if (late_ns == NULL || naps == NULL) {
        free(late_ns);
        free(naps);
        return -ENOMEM;
    }
    struct crowd fibers = {full, naps, late_ns, false, "W9_sleep_cpu",
                           "W9_sleep_late_p99", "W9_sleep_beyond_p99"};
    struct crowd fewer = {full / 10, naps, late_ns, false, "W9_sleep_cpu_100k",
                          "W9_sleep_late_p99_100k",
                          "W9_sleep_beyond_p99_100k"};
    struct crowd polls = {full, naps, late_ns, true, "W9_sleep_poll_cpu",
                          "W9_sleep_poll_late_p99",
                          "W9_sleep_poll_beyond_p99"};
    int rc = bench_run(sleepers, fits ? &fibers : &fewer,
                       .stacks_max = (uint32_t)full + 64);
    if (rc == 0) {
        rc = bench_run(sleepers, &polls);
    }
    free(late_ns);
    free(naps);
    return rc;
}

static int move_round(ambit_cx *cx, void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    ambit_time far = ambit_after(ambit_s(3600));
    int rc = 0;
    ambit_scope (cx, limited, &rc, .deadline = far) {
        for (uint64_t i = 0; i < n && rc == 0; i++) {
            ambit_time when = {far.ns - ambit_ms((int64_t)(i & 1023)).ns};
            rc = ambit_set_deadline(limited, when);
        }
    }
    return rc;
}

static int move_now_round(ambit_cx *cx, void *arg)
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

struct long_sleep {
    uint64_t *armed; /* there is one worker */
    int64_t ms;
    bool begun;
    struct ambit_await wait;
};

static int long_sleeper(ambit_cx *cx, void *state)
{
    struct long_sleep *self = state;
    if (!self->begun) {
        self->begun = true;
        ++*self->armed;
    }
    int rc = ambit_await_sleep(cx, &self->wait, ambit_ms(self->ms));
    return rc == AMBIT_PENDING ? rc : 0;
}

struct among {
    const char *name; /* of a row, or of a curve when there is no name */
    const char *curve;
    uint64_t others;
    uint64_t moves;
};

/* The same while others sleep. */
static int move_among(ambit_cx *cx, struct among *among)
{
    uint64_t armed = 0;
    uint64_t seed = 88172645463325252u;
    int rc = 0;
    ambit_scope (cx, crowd, &rc) {
        for (uint64_t i = 0; i < among->others && rc == 0; i++) {
            struct long_sleep sleep = {
                .armed = &armed,
                .ms = 1000000 + (int64_t)(bench_random(&seed) % 1000000),
            };
            rc = ambit_spawn_poll(crowd, long_sleeper, &sleep);
        }
        while (rc == 0 && armed < among->others) {
            rc = ambit_yield(cx);
        }
        if (rc == 0) {
            rc = among->name != NULL
                     ? bench_ns(cx, among->name, "ns/op", among->moves,
                                move_round, &among->moves)
                     : bench_ns_at(cx, among->curve, among->others,
                                   among->moves, move_round, &among->moves);
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
        rc = bench_ns(cx, "W9_arm_cancel_now", "ns/op", n, move_now_round, &n);
    }
    if (rc == 0) {
        rc = move_among(cx, &(struct among){"W9_arm_cancel_100k_armed", NULL,
                                            bench_count(100000), n});
    }
    if (rc == 0) {
        rc = move_among(cx, &(struct among){"W9_arm_cancel_1m_armed", NULL,
                                            bench_count(1000000), n});
    }
    return rc < 0
               ? rc
               : bench_ns(cx, "W9_deadline_scope", "ns/op", n, scope_round, &n);
}

int bench_arm_cancel(void)
{
    return bench_run(arm_cancel, NULL);
}

static int armed(ambit_cx *cx, void *arg)
{
    const char *curve = "P7_armed";
    int rc = 0;
    (void)arg;
    for (uint64_t size = 10; size <= 1000000 && rc == 0;
         size = bench_next_size(size)) {
        if (bench_takes(curve, size, TIMER_ROOM)) {
            rc = move_among(
                cx, &(struct among){NULL, curve, size, bench_count(100000)});
        }
    }
    return rc;
}

int bench_armed(void)
{
    return bench_run(armed, NULL);
}
