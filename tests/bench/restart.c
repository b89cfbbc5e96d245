/* SPDX-License-Identifier: MIT */
/*
 * restart.c -- from the crash of a supervised server until it answers again.
 *
 * The crash is a cast, the question is a call that is sent right behind it:
 * the mailbox outlives the crash, and the new incarnation answers.
 */
#include "tests/bench/bench.h"

enum {
    CRASHES = 10000,
};

struct counter {
    int64_t n;
};

struct question {
    bool crash;
};

struct answer {
    int64_t n;
};

static int counter_handle_call(ambit_cx *cx, struct counter *state,
                               const struct question *call,
                               struct answer *ret_reply)
{
    (void)cx;
    (void)call;
    ret_reply->n = ++state->n;
    return 0;
}

static int counter_handle_cast(ambit_cx *cx, struct counter *state,
                               const struct question *cast)
{
    (void)state;
    if (cast->crash) {
        ambit_panic(cx, "on purpose");
    }
    return AMBIT_CONTINUE;
}

AMBIT_SERVER(counter, struct counter, struct question, struct answer,
             .handle_call = counter_handle_call,
             .handle_cast = counter_handle_cast);

static int crash_once(ambit_cx *cx, ambit_actor_ref server,
                      double *ret_spent_us)
{
    struct answer answer = {0};
    uint64_t begin = bench_now_ns();
    int rc = counter_cast(cx, server, (struct question){true});
    if (rc == 0) {
        rc = counter_call(cx, server, &answer, (struct question){false});
    }
    *ret_spent_us = (double)(bench_now_ns() - begin) / 1e3;
    BENCH_NEED(rc < 0 || answer.n == 1); /* a new incarnation */
    return rc;
}

static int crash_all(ambit_cx *cx, ambit_actor_ref server, double *spent_us,
                     unsigned count)
{
    int rc = 0;
    for (unsigned i = 0; i < count && rc == 0; i++) {
        rc = crash_once(cx, server, &spent_us[i]);
    }
    return rc;
}

static int restarts(ambit_cx *cx, void *arg)
{
    static double spent_us[CRASHES];
    unsigned count = (unsigned)bench_count(CRASHES);
    struct bench_row *median = bench_row("W17_restart_median", "us", false);
    struct bench_row *p99 = bench_row("W17_restart_p99", "us", false);
    int rc = 0;
    (void)arg;
    for (unsigned rep = 0; rep < bench.reps && rc == 0; rep++) {
        ambit_scope (cx, supervised, &rc) {
            ambit_actor_ref server;
            struct ambit_child child = {
                .name = "counter", .server = &counter_type, .ret_ref = &server};
            rc = ambit_supervise(cx, supervised, &child, 1,
                                 .intensity = 1000000, .period = ambit_s(1));
            if (rc == 0) {
                rc = crash_all(cx, server, spent_us, count);
            }
            ambit_cancel(supervised, "measured");
        }
        qsort(spent_us, count, sizeof *spent_us, bench_compare);
        bench_add(median, spent_us[count / 2]);
        bench_add(p99, spent_us[count * 99 / 100]);
    }
    median->observations = p99->observations = count * bench.reps;
    bench_print(median);
    bench_print(p99);
    return rc;
}

int bench_restart(void)
{
    return bench_run(restarts, NULL);
}
