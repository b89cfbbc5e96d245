/* SPDX-License-Identifier: MIT */
/*
 * ambit/spec.h -- test a program under thousands of schedules.
 *
 * Link libambit_spec instead of libambit (pkg-config ambit-spec).  A program is
 * then run in a lab: one thread, virtual time, a network in memory, and a seed
 * that decides whose turn it is, how long an operation takes and what fails.
 * The same seed gives the same run.
 *
 *     #include <criterion/criterion.h>
 *     #include <ambit/spec.h>
 *
 *     Spec(BANK_1, no_money_is_lost, .seeds = 1000)
 *     {
 *         ...a task function's body: cx and arg are there...
 *         ambit_expect(total == 100);
 *         return 0;
 *     }
 *
 * After each run the lab checks by itself that nothing is left: tasks, memory,
 * descriptors, operations; that spawned = completed + cancelled + panicked; and
 * while it runs, that the promises of regions, finalizers and mailboxes hold.
 * A failure is a sentence, with the line that replays it:
 *
 *     AMBIT_REPLAY='w2 s17 41:1 97:2' ./my_test --filter 'BANK_1/...'
 *
 * AMBIT_REPLAY=@file takes the line from a file, AMBIT_SAVE=file leaves the
 * failing schedule there, of any length.  With AMBIT_LAB_NOFORK=1 a replay runs
 * in the test's own process and aborts where it fails: for a debugger.
 *
 * Outside of the lab (ambit_run() called as usual) the library works on the
 * real system, slower.
 */
#ifndef AMBIT_SPEC_H
#define AMBIT_SPEC_H

#include <ambit.h>

AMBIT_BEGIN

enum ambit_search {
    AMBIT_SEARCH_RANDOM,     /* a random walk: each seed another schedule */
    AMBIT_SEARCH_PCT,        /* random priorities, with a bound (Burckhardt et
                                al., ASPLOS 2010): finds a bug of depth d with
                                probability >= 1 / (n * k^(d-1)) in each run */
    AMBIT_SEARCH_EXHAUSTIVE, /* every schedule with at most so many
                                preemptions; for two or three tasks */
};

enum ambit_fault {
    AMBIT_FAULT_OPERATIONS = 1, /* an operation fails, with each of its errors */
};

struct ambit_explore_options {
    size_t size_;
    const char *name;
    enum ambit_search search;
    unsigned workers;       /* 0: 2 */
    uint64_t seeds;         /* runs; 0: AMBIT_SEEDS in the environment, or 200 */
    uint64_t first_seed;    /* 0: 1 */
    unsigned depth;         /* PCT: d; 0: 3 */
    unsigned preemptions;   /* EXHAUSTIVE; 0: 2 */
    uint64_t runs_max;      /* EXHAUSTIVE: gives up after; 0: 100,000 */
    unsigned faults;        /* enum ambit_fault, or-ed */
    uint64_t fail_alloc_at; /* the n-th allocation of a run fails; 0: none */
    bool fail_alloc_on;     /* and every one after it */
    bool plain_kernel;      /* operations complete at once, and in full */
    uint64_t points_max;    /* more in one run is a livelock; 0: 2,000,000 */
    /* Yours: called after each task switch of the lab; says what is wrong, or
     * NULL.  Must not call the library. */
    const char *(*invariant)(void *user);
    void *invariant_user;
};

/* What an exploration came to. */
struct ambit_exploration {
    uint64_t runs;
    uint64_t points;        /* where another thread could have gone on */
    uint64_t choices;
    uint64_t schedules;     /* different ones, by fingerprint; up to 65,536 */
    uint64_t outcomes;      /* different ones, see ambit_observe(); likewise */
    uint64_t allocations;   /* in the longest run */
    bool complete;          /* EXHAUSTIVE: nothing was left out */
    uint64_t fingerprint;   /* of all runs; the same again with the same seeds */
    unsigned threads;       /* PCT: n, with the kernel as one of them */
    uint64_t steps;         /* PCT: k, choices in the longest run */
    unsigned depth;         /* PCT: d */
    double miss;            /* PCT: at most so probable is it that one run misses
                               a bug of depth d among the threads' orders */
    double miss_all;        /* PCT: that all of them do */
    bool failed;
    uint64_t failing_seed;
    char text[4096];        /* what went wrong */
    char replay[1024];      /* for AMBIT_REPLAY */
    char story[4096];       /* what happened last, a line each */
};

/*
 * Runs fn(cx, arg) under each seed, in processes of its own, and stops at the
 * first failure, which it makes as small as it can.  0, or -ENOTRECOVERABLE when
 * a run failed; -EINVAL; -ENOMEM; the error of fork(2).  *ret (may be NULL) is
 * set in any case.  Blocks; not from inside of a runtime.
 */
#define ambit_explore(fn, arg, ret, ...) \
    ambit_explore_((fn), (arg), \
                   &(const struct ambit_explore_options){ \
                       .size_ = sizeof(struct ambit_explore_options), \
                       __VA_ARGS__}, \
                   (ret))
AMBIT_API int ambit_explore_(ambit_task_fn *fn, void *arg,
                             const struct ambit_explore_options *options,
                             struct ambit_exploration *ret);

/* True in a run of an exploration. */
AMBIT_API bool ambit_in_lab(void);

/* Fails the run with a sentence.  Outside of the lab: ends the process. */
AMBIT_API void ambit_expect_failed_(const char *file, int line,
                                    const char *what);
#define ambit_expect(cond) \
    ((cond) ? (void)0 : ambit_expect_failed_(__FILE__, __LINE__, #cond))

/* One of n, the lab's choice and part of the schedule; 0 outside. */
AMBIT_API unsigned ambit_choose(unsigned n);

/* Adds to what the run came to; runs that observed the same, in the same order,
 * have the same outcome. */
AMBIT_API void ambit_observe(int64_t value);
/* What was observed so far, as one number; begins anew. */
AMBIT_API uint64_t ambit_observed(void);

/* A signal arrives at the process. */
AMBIT_API void ambit_raise(int signo);

/* Prints what an exploration came to, and how to replay a failure. */
AMBIT_API void ambit_exploration_print(const char *name,
                                       const struct ambit_exploration *e);

/* A Criterion test that explores its body, a task function's. */
#define Spec(rule_, name_, ...) \
    static int rule_##_##name_##_body(ambit_cx *cx, void *arg); \
    Test(rule_, name_) \
    { \
        struct ambit_exploration e_; \
        int rc_ = ambit_explore(rule_##_##name_##_body, NULL, &e_, \
                                .name = #rule_ "/" #name_, __VA_ARGS__); \
        ambit_exploration_print(#rule_ "/" #name_, &e_); \
        cr_assert(rc_ == 0, "%s", e_.text); \
    } \
    static int rule_##_##name_##_body( \
        __attribute__((unused)) ambit_cx *cx, \
        __attribute__((unused)) void *arg)

AMBIT_END

#endif
