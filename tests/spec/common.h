/* SPDX-License-Identifier: MIT */
/*
 * common.h -- a scenario: one run of a runtime, and what must be left of it.
 *
 *     static int two_children(ambit_cx *cx, void *arg) { ... WANT(...); ... }
 *
 *     // Goal: ...
 *     // Method: ...
 *     Spec(REG_CLOSE_1, a_close_waits_for_all)
 *     {
 *         spec_on_1_and_2_workers(two_children);
 *         spec_end("REG_CLOSE_1");
 *     }
 *
 * A scenario is a task function.  It keeps its state in its own frame, as all
 * it starts ends before it does.  WANT notes a failure and goes on, from any
 * thread or stack; the framework's own assertions leave by longjmp, which a
 * fiber must not.  After each run fds and threads are as before, and the
 * runtime's ledger adds up (RT-LEAK-1, RT-STATS-1).
 */
#ifndef AMBIT_TESTS_SPEC_COMMON_H
#define AMBIT_TESTS_SPEC_COMMON_H

/* First: base.h, which the harness includes, turns the sites off. */
#include <ambit.h>

#include "tests/harness/test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Rounds of a test that gains by many, and how far tools slow it down. */
#if defined(TEST_UNDER_TSAN)
#define SPEC_SLOWER 20
#elif defined(TEST_UNDER_ASAN) || defined(TEST_UNDER_VALGRIND)
#define SPEC_SLOWER 5
#else
#define SPEC_SLOWER 1
#endif

/* --- counts that several threads share ------------------------------------ */

struct count {
    _Atomic int64_t n;
};

/* The value before. */
static inline int64_t count_add(struct count *count, int64_t by)
{
    /* ORDER(test-count): acq_rel.  Pairs with count_get(): what a task did
     * before it counted is visible to whoever saw the count. */
    return atomic_fetch_add_explicit(&count->n, by, memory_order_acq_rel);
}

static inline int64_t count_up(struct count *count)
{
    return count_add(count, 1);
}

static inline int64_t count_get(struct count *count)
{
    /* ORDER(test-count): acquire.  Pairs with count_add(). */
    return atomic_load_explicit(&count->n, memory_order_acquire);
}

static inline void count_set(struct count *count, int64_t n)
{
    /* ORDER(test-count): release.  Pairs with count_get(). */
    atomic_store_explicit(&count->n, n, memory_order_release);
}

/* --- wishes --------------------------------------------------------------- */

static struct count spec_failures;

static inline void spec_want(bool good, const char *file, int line,
                             const char *what)
{
    if (!good && count_up(&spec_failures) < 20) {
        fprintf(stderr, "%s:%d: wanted %s\n", file, line, what);
    }
}

static inline void spec_want_eq(long long is, long long wanted,
                                const char *file, int line, const char *what)
{
    if (is != wanted && count_up(&spec_failures) < 20) {
        fprintf(stderr, "%s:%d: %s is %lld, wanted %lld\n", file, line, what,
                is, wanted);
    }
}

#define WANT(cond) spec_want((cond), __FILE__, __LINE__, #cond)
#define WANT_EQ(is, wanted) \
    spec_want_eq((long long)(is), (long long)(wanted), __FILE__, __LINE__, #is)

/* --- waiting without sleeping --------------------------------------------- */

#define SPEC_PATIENCE_S 20

/* Gives way until the count has arrived; false after long patience.  For
 * tasks that are not cancelled. */
static inline bool until(ambit_cx *cx, struct count *count, int64_t wanted)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (count_get(count) < wanted) {
        if (ambit_yield(cx) < 0 || ambit_now().ns > end.ns) {
            return count_get(count) >= wanted;
        }
    }
    return true;
}

/* The same for a thread that must not, or cannot, let go of its worker. */
static inline bool spin_until(struct count *count, int64_t wanted)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (count_get(count) < wanted) {
        if (ambit_now().ns > end.ns) {
            return false;
        }
        sched_yield();
    }
    return true;
}

/* A task that keeps its worker until the gate is opened. */
struct hold {
    struct count here, gate;
};

static inline int hold_worker(ambit_cx *cx, void *arg)
{
    struct hold *h = *(struct hold **)arg;
    (void)cx;
    count_up(&h->here);
    WANT(spin_until(&h->gate, 1));
    return 0;
}

/* Gives others several chances; the assertions do not depend on it. */
static inline void let_others_run(ambit_cx *cx)
{
    for (int i = 0; i < 4; i++) {
        (void)ambit_yield(cx);
    }
}

/* --- what the runtime logs ------------------------------------------------ */

/* Panics and refusals are the subject of many tests: what is logged is kept,
 * and shown when a test fails. */
struct spec_log {
    pthread_mutex_t lock; /* guards the rest */
    size_t len;
    char text[1 << 16];
};

static struct spec_log spec_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline void spec_log_line(void *user, enum ambit_log_level level,
                                 const char *line)
{
    (void)user;
    (void)level;
    pthread_mutex_lock(&spec_log.lock);
    size_t room = sizeof spec_log.text - spec_log.len;
    int n = snprintf(spec_log.text + spec_log.len, room, "%s\n", line);
    if (n > 0 && (size_t)n < room) {
        spec_log.len += (size_t)n;
    }
    pthread_mutex_unlock(&spec_log.lock);
}

/* Whether a line that was logged since the start holds the word. */
static inline bool spec_logged(const char *word)
{
    pthread_mutex_lock(&spec_log.lock);
    bool found = strstr(spec_log.text, word) != NULL;
    pthread_mutex_unlock(&spec_log.lock);
    return found;
}

/* --- runs ----------------------------------------------------------------- */

/* Nobody tests one driver and means the other. */
static inline void spec_driver(const struct ambit_runtime_stats *s)
{
    const char *wanted = getenv("AMBIT_DRIVER");
    if (wanted != NULL && strcmp(wanted, "auto") != 0 && *wanted != '\0') {
        WANT(strcmp(s->driver, wanted) == 0);
    }
}

static inline void spec_ledger(ambit_runtime *runtime)
{
    struct ambit_runtime_stats s;
    ambit_runtime_stats(runtime, &s);
    spec_driver(&s);
    WANT_EQ(s.spawned, s.completed + s.cancelled + s.panicked);
    WANT_EQ(s.ops_submitted, s.ops_completed);
    WANT_EQ(s.stacks_lent, 0);
}

/* Create, run, look at the ledger, destroy, look at the process.  Returns the
 * run's result. */
static inline int spec_run_(ambit_task_fn *fn, void *arg,
                            const struct ambit_runtime_options *options)
{
    int fds = test_open_fds();
    int threads = test_threads();
    ambit_runtime *runtime = NULL;
    int rc = ambit_runtime_create(&runtime, options);
    WANT_EQ(rc, 0);
    if (rc < 0) {
        return rc;
    }
    rc = ambit_runtime_run(runtime, fn, arg);
    spec_ledger(runtime);
    ambit_runtime_destroy(runtime);
    WANT(test_fds_back_to(fds));
    WANT(test_threads_back_to(threads));
    return rc;
}

#define spec_run(fn, arg, ...) \
    spec_run_((fn), (arg), \
              &(const struct ambit_runtime_options){ \
                  .size_ = sizeof(struct ambit_runtime_options), \
                  .log = spec_log_line, \
                  __VA_ARGS__})

/* The usual case: the scenario needs no argument and returns 0. */
static inline void spec_on(unsigned workers, ambit_task_fn *fn)
{
    WANT_EQ(spec_run(fn, NULL, .workers = workers), 0);
}

static inline void spec_on_1_and_2_workers(ambit_task_fn *fn)
{
    spec_on(1, fn);
    spec_on(2, fn);
}

/* The last line of a test: nothing went wrong, and the code that enforces the
 * rule was passed on the way. */
static inline void spec_end(const char *rule)
{
    if (count_get(&spec_failures) > 0) {
        fprintf(stderr, "logged:\n%.2000s", spec_log.text);
    }
    cr_assert(count_get(&spec_failures) == 0, "wishes that did not hold");
    cr_assert(test_rule_reached(rule), "no code marked with the rule was run");
    test_no_leaks();
}

/* The same, of a rule that the compiler enforces. */
static inline void spec_end_compiled(void)
{
    cr_assert(count_get(&spec_failures) == 0, "wishes that did not hold");
    test_no_leaks();
}

/* --- tasks that many scenarios use ---------------------------------------- */

/* A task that waits until it is cancelled, and counts what it saw. */
struct waiter {
    struct count *started;
    struct count *cancelled;
};

__attribute__((unused)) static int wait_for_ever(ambit_cx *cx, void *arg)
{
    struct waiter *w = arg;
    count_up(w->started);
    int rc = ambit_sleep_until(cx, ambit_never());
    if (rc == -ECANCELED) {
        count_up(w->cancelled);
    }
    return rc;
}

/* Starts fn on another worker: a busy spawner's task is taken over by an idle
 * one.  fn counts `started` up as its first act. */
__attribute__((unused)) static void
spawn_elsewhere_(ambit_region *region, ambit_task_fn *fn, const void *arg,
                 size_t size, struct count *started)
{
    int64_t before = count_get(started);
    WANT_EQ(ambit_spawn_(region, fn, arg, size, NULL), 0);
    WANT(spin_until(started, before + 1));
}

#define spawn_elsewhere(region, fn, arg, started) \
    spawn_elsewhere_((region), (fn), (arg), sizeof(*(arg)), (started))

#endif
