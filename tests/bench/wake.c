/* SPDX-License-Identifier: MIT */
/*
 * wake.c -- a task on one worker wakes a task on the other, and is woken.
 *
 * Two tasks are held on two workers and meet in a server: each call is kept
 * unanswered until the other task calls, whose call then answers it.  One
 * round trip is two calls, and two wakes across workers.
 *
 *   W15_wake_rtt       workers sleep at once: what a wake from sleep costs
 *   W15_wake_rtt_free  the same, not pinned
 *   W15_wake_rtt_busy  the default: a worker spins a little before it sleeps
 */
#include "tests/bench/bench.h"

#include <stdatomic.h>

#if defined(__x86_64__)
#define relax() __builtin_ia32_pause()
#else
#define relax() __asm__ volatile("yield")
#endif

struct meeting {
    ambit_reply waiting;
    bool someone_waits;
};

struct meet {
    int64_t value;
};

static int meeting_handle_call(ambit_cx *cx, struct meeting *state,
                               const struct meet *call, struct meet *ret_reply);

AMBIT_SERVER(meeting, struct meeting, struct meet, struct meet,
             .handle_call = meeting_handle_call);

static int meeting_handle_call(ambit_cx *cx, struct meeting *state,
                               const struct meet *call, struct meet *ret_reply)
{
    (void)ret_reply;
    if (state->someone_waits) {
        int rc = meeting_reply(state->waiting, 0, call);
        if (rc < 0) {
            return rc;
        }
    }
    state->someone_waits = true;
    state->waiting = ambit_reply_later(cx);
    return AMBIT_NO_REPLY;
}

struct pair {
    _Atomic unsigned arrived; /* ORDER(bench-apart) */
    ambit_actor_ref place;
    uint64_t rounds;
    unsigned worker[2];
    bool pin;
    uint64_t spent_ns;
};

struct half {
    struct pair *pair;
    unsigned index;
};

/* Each keeps its worker busy until the other one runs: on two workers then,
 * and a started task stays where it is. */
static void come_apart(ambit_cx *cx, const struct half *self)
{
    struct pair *pair = self->pair;
    pair->worker[self->index] = ambit_cx_worker(cx);
    /* ORDER(bench-apart): acq_rel.  Publishes the worker's number. */
    atomic_fetch_add_explicit(&pair->arrived, 1, memory_order_acq_rel);
    /* ORDER(bench-apart): acquire.  Pairs with the other half's. */
    while (atomic_load_explicit(&pair->arrived, memory_order_acquire) < 2) {
        relax();
    }
}

static int half(ambit_cx *cx, void *arg)
{
    const struct half *self = arg;
    struct pair *pair = self->pair;
    struct meet got;
    int rc = 0;
    come_apart(cx, self);
    if (pair->pin) {
        bench_pin(self->index == 0 ? 1
                                   : 0); /* this worker's thread, for good */
    }
    BENCH_NEED(pair->worker[0] != pair->worker[1]);
    uint64_t begin = bench_now_ns();
    for (uint64_t i = 0; i < pair->rounds && rc == 0; i++) {
        rc = meeting_call(cx, pair->place, &got, (struct meet){(int64_t)i});
    }
    if (rc == -EOWNERDEAD || rc == -EPIPE) {
        return 0; /* the other half was done first, and left us waiting */
    }
    pair->spent_ns = bench_now_ns() - begin;
    ambit_actor_kill(pair->place, "measured");
    return rc;
}

static int meet_once(ambit_cx *cx, struct pair *pair)
{
    int rc = 0;
    pair->rounds = bench_count(5000);
    pair->spent_ns = 0;
    atomic_init(&pair->arrived, 0);
    ambit_scope (cx, server, &rc, .policy = AMBIT_ISOLATE) {
        rc = meeting_start(cx, server, NULL, 0, &pair->place);
        if (rc == 0) {
            ambit_scope (cx, both, &rc) {
                ambit_spawn(both, half, &(struct half){pair, 0});
                ambit_spawn(both, half, &(struct half){pair, 1});
            }
        }
    }
    return rc;
}

struct plan {
    const char *name;
    bool pin;
    int64_t spin_ns;
};

static int wake(ambit_cx *cx, void *arg)
{
    const struct plan *plan = arg;
    struct bench_row *row = bench_row(plan->name, "ns/rtt", false);
    double cpu = bench_cpu_s();
    struct pair pair = {.pin = plan->pin};
    for (unsigned rep = 0; rep < bench.reps; rep++) {
        uint64_t spent = 0;
        uint64_t done = 0;
        while (spent < bench.min_ns) {
            int rc = meet_once(cx, &pair);
            if (rc < 0) {
                return rc;
            }
            spent += pair.spent_ns;
            done += pair.rounds;
        }
        bench_add(row, (double)spent / (double)done);
    }
    row->cpu_s = bench_cpu_s() - cpu;
    bench_print(row);
    return 0;
}

int bench_wake(void)
{
    struct plan plans[] = {
        {"W15_wake_rtt", true, -1},
        {"W15_wake_rtt_free", false, -1},
        {"W15_wake_rtt_busy", true, 0},
    };
    int rc = 0;
    for (unsigned i = 0; i < 3 && rc == 0; i++) {
        rc = bench_run(wake, &plans[i], .spin = ambit_ns(plans[i].spin_ns));
    }
    return rc;
}
