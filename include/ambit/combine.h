/* SPDX-License-Identifier: MIT */
/*
 * ambit/combine.h -- several calls as one: all of them, the first, enough.
 *
 * A branch is a call that is not made yet: a function, its argument, room for
 * its result.  AMBIT_BRANCH gives a function that builds one, with the types
 * of the function it is for:
 *
 *     static int fetch(ambit_cx *cx, const struct url *url, struct page *ret);
 *     AMBIT_BRANCH(fetch, const struct url, struct page)
 *
 *     struct page page;
 *     size_t who;
 *     int rc = ambit_race_all(cx, AMBIT_BRANCHES(
 *         fetch_branch(&(struct url){"alpha"}, &page),
 *         fetch_branch(&(struct url){"beta"}, &page)), &who);
 *
 *   ambit_join_all   every branch runs to its end
 *   ambit_race_all   the first to end, well or not
 *   ambit_first_ok   the first to succeed
 *   ambit_quorum     k that succeed
 *   ambit_hedge      the first to succeed; one starts after the other
 *   ambit_timeout    one branch, and a time
 *   ambit_retry      one branch, several times
 *   ambit_bracket    acquire, use, release
 *
 * The first five start each branch as a task of its own; the last three call
 * it in the task that asks.  Each branch has a region of its own: what it
 * spawns into ambit_cx_region(cx) belongs to it.
 *
 *   - When a call returns, every branch has ended: those no longer wanted have
 *     been cancelled and waited for.  So an argument may be the caller's own.
 *   - `result` of a branch is what its function returned; -EOWNERDEAD when it
 *     panicked; -ECANCELED when it was cancelled, was never started, or came
 *     too late; the refusal when it could not be started.
 *   - *ret is written if and only if `result` is 0 or more, by the task that
 *     asks, just before the call returns: several branches of a race may
 *     share one.  A function works on room of its own, aligned to 16 bytes,
 *     and what it left there is handed to `dispose` when nobody gets it.
 *   - A panic of a branch is a failure of that branch, not of its caller.
 *   - When several results are bad, the worst is returned: a panic, else a
 *     cancel, else an error; of equals that of the lowest index.
 *   - A cancel of the caller reaches the branches.  What succeeded all the
 *     same is still delivered.
 */
#ifndef AMBIT_COMBINE_H
#define AMBIT_COMBINE_H

#include <ambit/task.h>

AMBIT_BEGIN

struct ambit_branch {
    int (*fn)(ambit_cx *cx, void *arg, void *ret);
    void *arg;
    size_t arg_size; /* for those that copy it: groups */
    void *ret;       /* NULL: the result is not wanted */
    size_t ret_size; /* 0: fn gets NULL */
    void (*dispose)(void *ret); /* a result nobody gets; may be NULL */
    const char *name;           /* for reports; static memory */
    int result;                 /* set by the call */
};

/*
 * For a function `static int name(ambit_cx *, arg_type *, ret_type *)`:
 * name_branch(arg, ret).  More members follow, as .dispose = page_free.
 */
#define AMBIT_BRANCH(name_, arg_, ret_, ...) \
    static int name_##_run_(ambit_cx *cx, void *arg, void *ret) \
    { \
        return name_(cx, (arg_ *)arg, (ret_ *)ret); \
    } \
    __attribute__((unused)) static inline struct ambit_branch name_##_branch( \
        arg_ *arg, ret_ *ret) \
    { \
        struct ambit_branch branch_ = {.fn = name_##_run_, \
                                       .arg_size = sizeof(arg_), \
                                       .ret_size = sizeof(ret_), \
                                       .name = #name_, \
                                       __VA_ARGS__}; \
        branch_.arg = (void *)(uintptr_t)arg; \
        branch_.ret = ret; \
        return branch_; \
    }

/* An array of branches, and how many. */
#define AMBIT_BRANCHES(...) \
    ((struct ambit_branch[]){__VA_ARGS__}), \
        sizeof((struct ambit_branch[]){__VA_ARGS__}) / \
            sizeof(struct ambit_branch)

/*
 * All of these suspend until every branch has ended.  Besides what the
 * branches give: -ECANCELED when the caller is cancelled, -ETIMEDOUT when its
 * clean-up time is spent, -EINVAL, -ENOMEM, or the refusal of a spawn, which
 * cancels the branches that had been started.
 */

/* 0 when every result is good; else the worst.  n 0: 0, at once. */
AMBIT_API int ambit_join_all(ambit_cx *cx, struct ambit_branch *branches,
                             size_t n);

/*
 * The result of the branch that ended first, good or bad, and its index, also
 * of a bad one (ret_winner may be NULL).  Of those that have ended when the
 * race is decided the lowest index wins, and it is not decided before every
 * branch below the winner has begun.  n 0: -EINVAL.
 */
AMBIT_API int ambit_race_all(ambit_cx *cx, struct ambit_branch *branches,
                             size_t n, size_t *ret_winner);

/* The result of the first branch that succeeds, and its index; ties as above.
 * When none does, the worst.  n 0: -EINVAL. */
AMBIT_API int ambit_first_ok(ambit_cx *cx, struct ambit_branch *branches,
                             size_t n, size_t *ret_winner);

/*
 * 0 as soon as k branches have succeeded: at least k results are good.  Given
 * up as soon as too many have failed: the worst; what did succeed is delivered.
 * k 0, or more than n: -EINVAL.
 */
AMBIT_API int ambit_quorum(ambit_cx *cx, struct ambit_branch *branches,
                           size_t n, size_t k);

/*
 * Starts the first branch; another each time when `delay` has passed without
 * success, or, at once, when all that were started have failed.  Otherwise as
 * ambit_first_ok().  A delay below 0: -EINVAL.
 */
AMBIT_API int ambit_hedge(ambit_cx *cx, struct ambit_branch *branches,
                          size_t n, ambit_duration delay, size_t *ret_winner);

/*
 * Calls the branch, in this task, and cancels what it waits for when the time
 * is over.  Its result when it has one: also one that came late, and one that
 * needed no time, when the time was over at the start.  Else -ETIMEDOUT, or
 * -ECANCELED when the caller is cancelled.  The branch writes into *ret itself.
 *
 * In a mask or a finalizer the limit cancels what the branch has spawned, but
 * does not reach the branch's own waits, as no cancel does there: they end with
 * the time of the mask or clean-up.  A wait that needs a limit of its own there
 * is spawned, and joined.
 */
AMBIT_API int ambit_timeout(ambit_cx *cx, ambit_duration limit,
                            struct ambit_branch branch);
AMBIT_API int ambit_timeout_at(ambit_cx *cx, ambit_time limit,
                               struct ambit_branch branch);

struct ambit_retry_options {
    size_t size_;
    uint32_t attempts_max;    /* 0: 5 */
    ambit_duration delay;     /* before the second attempt; 0: 10 ms */
    ambit_duration delay_max; /* the wait doubles up to this; 0: 1 s */
    /* Each wait is shortened by up to so much, at random, so that many do not
     * come back at the same moment; 0: 50; below 0: none; at most 100. */
    int jitter_percent;
    ambit_duration attempt_timeout; /* each attempt; 0: none */
    /* Results to try again after.  None given: -EAGAIN, -EBUSY, -EINTR,
     * -ETIMEDOUT, -ECONNREFUSED, -ECONNRESET, -ECONNABORTED, -EHOSTUNREACH. */
    int retry_on[8];
};

/*
 * Calls the branch, in this task, until its result is none to try again after,
 * or the attempts are used up: that result.  -ECANCELED when the caller is
 * cancelled, also between two attempts; -EINVAL for options out of range.
 *
 *     ambit_retry(cx, fetch_branch(&url, &page), .attempts_max = 3)
 */
#define ambit_retry(cx, branch, ...) \
    ambit_retry_(AMBIT_HERE(cx), (branch), \
                 &(const struct ambit_retry_options){ \
                     .size_ = sizeof(struct ambit_retry_options), \
                     __VA_ARGS__})
AMBIT_API int ambit_retry_(ambit_cx *cx, struct ambit_branch branch,
                           const struct ambit_retry_options *options);

struct ambit_bracket {
    int (*acquire)(ambit_cx *cx, void *arg);
    int (*use)(ambit_cx *cx, void *arg);
    int (*release)(ambit_cx *cx, void *arg);
};

/*
 * acquire; when that succeeded use, and then, in any case, release: once, when
 * use and all it spawned have ended or panicked, masked like a finalizer.  The
 * first failure of the three, or what use returned.
 */
AMBIT_API int ambit_bracket(ambit_cx *cx, const struct ambit_bracket *bracket,
                            void *arg);

/* The same of two. */
static inline int ambit_join2(ambit_cx *cx, struct ambit_branch first,
                              struct ambit_branch second)
{
    struct ambit_branch both[2] = {first, second};
    return ambit_join_all(cx, both, 2);
}

static inline int ambit_race2(ambit_cx *cx, struct ambit_branch first,
                              struct ambit_branch second, size_t *ret_winner)
{
    struct ambit_branch both[2] = {first, second};
    return ambit_race_all(cx, both, 2, ret_winner);
}

#ifndef AMBIT_NO_SITES
#define ambit_join_all(cx, ...) ambit_join_all(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_race_all(cx, ...) ambit_race_all(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_first_ok(cx, ...) ambit_first_ok(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_quorum(cx, ...) ambit_quorum(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_hedge(cx, ...) ambit_hedge(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_timeout(cx, ...) ambit_timeout(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_timeout_at(cx, ...) ambit_timeout_at(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_bracket(cx, ...) ambit_bracket(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_join2(cx, ...) ambit_join2(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_race2(cx, ...) ambit_race2(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
