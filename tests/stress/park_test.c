/* SPDX-License-Identifier: MIT */
/*
 * park_test.c -- workers that go to sleep while they are woken.
 *
 * A worker sleeps without a timer here, and nothing but the wake in question
 * will ever come: one that is lost stops the test for good, and a guard tells.
 * AMBIT_LITMUS=10000000 gives the full number of rounds: a few minutes.
 */
#include "tests/spec/common.h"

#include <time.h>

enum { WORKERS_MOST = 4 };

static int64_t litmus_rounds(void)
{
    const char *given = getenv("AMBIT_LITMUS");
    int64_t rounds = given != NULL ? atoll(given) : 0;
    return rounds > 0 ? rounds : 60000 / SPEC_SLOWER;
}

/* --- the guard ------------------------------------------------------------- */

/* What one task or thread has done, on a line of its own. */
struct progress {
    struct count rounds;
} __attribute__((aligned(64)));

struct guard {
    struct progress of[WORKERS_MOST];
    struct count over;
    pthread_t thread;
};

static int64_t guard_sum(struct guard *guard)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < WORKERS_MOST; i++) {
        sum += count_get(&guard->of[i].rounds);
    }
    return sum;
}

static void *guard_main(void *arg)
{
    struct guard *guard = arg;
    const struct timespec pause = {0, 20 * 1000 * 1000};
    int64_t seen = -1;
    ambit_time patience = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (count_get(&guard->over) == 0) {
        int64_t sum = guard_sum(guard);
        if (sum != seen) {
            seen = sum;
            patience = ambit_after(ambit_s(SPEC_PATIENCE_S));
        } else if (ambit_now().ns > patience.ns) {
            fprintf(stderr, "a wake was lost after %lld rounds\n",
                    (long long)sum);
            abort();
        }
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void guard_start(struct guard *guard)
{
    memset(guard, 0, sizeof *guard);
    cr_assert(pthread_create(&guard->thread, NULL, guard_main, guard) == 0);
}

static void guard_stop(struct guard *guard)
{
    count_set(&guard->over, 1);
    pthread_join(guard->thread, NULL);
}

/* Tells how many rounds there were, and how many of them met a sleeper. */
static void report(const char *what, unsigned threads, struct guard *guard,
                   const struct ambit_runtime_stats *stats)
{
    fprintf(stderr,
            "%s, %u threads: %lld rounds, %llu sleeps, %llu wakes, 0 hangs\n",
            what, threads, (long long)guard_sum(guard),
            (unsigned long long)stats->sleeps,
            (unsigned long long)stats->wakes_sent);
    WANT(stats->sleeps > 0);
    WANT(stats->wakes_sent > 0);
}

/* A while that differs from round to round: from nothing to longer than it
 * takes a worker to fall asleep. */
static void dawdle(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    uint32_t turns = (*seed >> 20) & ((*seed & 0x700) == 0 ? 4095 : 255);
    for (volatile uint32_t i = 0; i < turns; i++) {
    }
}

/* --- from worker to worker -------------------------------------------------- */

/* Tokens go round from worker to worker; each has one task, and sleeps while
 * that has none. */
struct round_trip {
    struct ambit_semaphore go[WORKERS_MOST];
    struct guard guard;
    unsigned workers;
    uint32_t tokens;
    int64_t each;
};

struct station {
    struct round_trip *trip;
    unsigned at;
};

static int passes_on(ambit_cx *cx, void *arg)
{
    struct station *s = arg;
    struct round_trip *trip = s->trip;
    struct ambit_semaphore *mine = &trip->go[s->at];
    struct ambit_semaphore *next = &trip->go[(s->at + 1) % trip->workers];
    uint32_t seed = s->at + 1;
    WANT_EQ(ambit_cx_worker(cx), s->at);
    for (int64_t i = 1; i <= trip->each; i++) {
        WANT_EQ(ambit_semaphore_acquire(cx, mine, 1), 0);
        dawdle(&seed);
        count_set(&trip->guard.of[s->at].rounds, i);
        WANT_EQ(ambit_semaphore_release(next, 1), 0);
    }
    return 0;
}

static int goes_round(ambit_cx *cx, void *arg)
{
    struct round_trip *trip = arg;
    int rc = 0;
    for (unsigned i = 0; i < trip->workers; i++) {
        WANT_EQ(ambit_semaphore_init(&trip->go[i], 0, WORKERS_MOST), 0);
    }
    ambit_scope (cx, s, &rc) {
        for (unsigned i = 0; i < trip->workers; i++) {
            struct station station = {trip, i};
            WANT_EQ(ambit_spawn_with(s, passes_on, &station,
                                     .placement = AMBIT_PINNED, .worker = i),
                    0);
        }
        for (uint32_t i = 0; i < trip->tokens; i++) {
            WANT_EQ(ambit_semaphore_release(&trip->go[i], 1), 0);
        }
    }
    WANT_EQ(rc, 0);
    uint32_t left = 0;
    for (unsigned i = 0; i < trip->workers; i++) {
        left += ambit_semaphore_free(&trip->go[i]);
        ambit_semaphore_fini(&trip->go[i]);
    }
    WANT_EQ(left, trip->tokens);
    return 0;
}

/* A run in which workers sleep as soon as they have nothing to do. */
static void run_sleepily(ambit_task_fn *fn, void *arg, unsigned workers,
                         struct ambit_runtime_stats *ret_stats)
{
    ambit_runtime *runtime = NULL;
    const struct ambit_runtime_options options = {
        .size_ = sizeof options, .workers = workers, .spin = {-1},
        .log = spec_log_line};
    cr_assert(ambit_runtime_create(&runtime, &options) == 0);
    WANT_EQ(ambit_runtime_run(runtime, fn, arg), 0);
    ambit_runtime_stats(runtime, ret_stats);
    spec_ledger(runtime);
    ambit_runtime_destroy(runtime);
}

static void litmus(unsigned workers, uint32_t tokens, int64_t rounds)
{
    static struct round_trip trip;
    struct ambit_runtime_stats stats;
    trip.workers = workers;
    trip.tokens = tokens;
    trip.each = rounds / workers;
    guard_start(&trip.guard);
    run_sleepily(goes_round, &trip, workers, &stats);
    guard_stop(&trip.guard);
    WANT_EQ(guard_sum(&trip.guard), trip.each * workers);
    report(tokens == 1 ? "one at a time" : "all but one", workers,
           &trip.guard, &stats);
}

/* Goal: a worker that falls asleep while it is woken, wakes.
 * Method: two workers, one token, half of the rounds: one sleeps while the
 * other works; two tokens, the other half: both are about to sleep all the
 * time, and each is woken in the middle of it. */
Spec(WRK_WAKE_1, litmus_of_two_threads)
{
    int64_t rounds = litmus_rounds();
    litmus(2, 1, rounds / 2);
    litmus(2, 2, rounds / 2);
    spec_end("WRK_WAKE_1");
}

/* Goal, method: the same of four. */
Spec(WRK_WAKE_1, litmus_of_four_threads)
{
    int64_t rounds = litmus_rounds();
    litmus(4, 1, rounds / 2);
    litmus(4, 3, rounds / 2);
    spec_end("WRK_WAKE_1");
}

/* --- from threads that are no workers ---------------------------------------- */

struct visitors {
    struct ambit_semaphore go[WORKERS_MOST];
    struct progress asked[WORKERS_MOST];
    struct guard guard;
    unsigned threads;
    int64_t each;
};

struct visitor {
    struct visitors *all;
    unsigned at;
};

static void *visitor_main(void *arg)
{
    struct visitor *v = arg;
    uint32_t seed = v->at + 1;
    for (int64_t i = 1; i <= v->all->each; i++) {
        while (count_get(&v->all->asked[v->at].rounds) < i) {
            sched_yield();
        }
        dawdle(&seed);
        count_set(&v->all->guard.of[v->at].rounds, i);
        WANT_EQ(ambit_semaphore_release(&v->all->go[v->at], 1), 0);
    }
    return NULL;
}

static int is_visited(ambit_cx *cx, void *arg)
{
    struct visitor *v = arg;
    for (int64_t i = 1; i <= v->all->each; i++) {
        count_set(&v->all->asked[v->at].rounds, i);
        WANT_EQ(ambit_semaphore_acquire(cx, &v->all->go[v->at], 1), 0);
    }
    return 0;
}

static int lets_visitors_in(ambit_cx *cx, void *arg)
{
    struct visitors *all = arg;
    struct visitor visitors[WORKERS_MOST];
    pthread_t threads[WORKERS_MOST];
    int rc = 0;
    for (unsigned i = 0; i < all->threads; i++) {
        visitors[i] = (struct visitor){all, i};
        WANT_EQ(ambit_semaphore_init(&all->go[i], 0, 1), 0);
        WANT_EQ(pthread_create(&threads[i], NULL, visitor_main, &visitors[i]),
                0);
    }
    ambit_scope (cx, s, &rc) {
        for (unsigned i = 0; i < all->threads; i++) {
            WANT_EQ(ambit_spawn(s, is_visited, &visitors[i]), 0);
        }
    }
    WANT_EQ(rc, 0);
    for (unsigned i = 0; i < all->threads; i++) {
        WANT_EQ(pthread_join(threads[i], NULL), 0);
        ambit_semaphore_fini(&all->go[i]);
    }
    return 0;
}

static void visits(unsigned workers, unsigned threads, int64_t rounds)
{
    static struct visitors all;
    struct ambit_runtime_stats stats;
    memset(&all, 0, sizeof all);
    all.threads = threads;
    all.each = rounds / threads;
    guard_start(&all.guard);
    run_sleepily(lets_visitors_in, &all, workers, &stats);
    guard_stop(&all.guard);
    report("by strangers", threads, &all.guard, &stats);
}

/* Goal: the same of wakes by threads that are no workers.
 * Method: each thread answers one task, over and over; a tenth of the rounds. */
Spec(WRK_WAKE_1, litmus_of_threads_that_are_no_workers)
{
    int64_t rounds = litmus_rounds() / 10;
    visits(1, 2, rounds);
    visits(2, 4, rounds);
    spec_end("WRK_WAKE_1");
}
