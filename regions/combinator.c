/* SPDX-License-Identifier: MIT */
/*
 * combinator.c -- many branches as one call: all, the first, enough of them.
 *
 * One engine for all.  The host opens a region, starts a task for each branch
 * and waits until enough of them have ended; then it cancels the region,
 * closes it, and so has waited for every branch; only then it hands out the
 * results.  What "enough" is, is two numbers:
 *
 *               good wanted   bad allowed
 *   join_all    n             n
 *   race_all    1             0
 *   first_ok    1             n
 *   hedge       1             n            and starts them one by one
 *   quorum      k             n - k
 *
 * The host waits on one word, which counts the ends and the good ones among
 * them; a branch that ends and makes it enough takes the WAITED bit, and with
 * it the duty to wake.  So do a cancel and the hedge's timer: one wins.
 *
 *   COMB-DRAIN-1  Every branch has ended when the call returns.
 *   COMB-RACE-2   Of equals the lowest index wins.
 *   COMB-RET-1    Results are written by the host only, after the last end.
 */
#include "regions/combinator.h"

#include <ambit/capability.h>

#include <stdlib.h>

#define WAITED UINT64_C(1)
#define ONE_ENDED UINT64_C(2)
#define ONE_GOOD (UINT64_C(1) << 32)
#define ENDED(word) (((word) & (ONE_GOOD - 1)) >> 1)
#define GOOD(word) ((word) >> 32)
#define BRANCHES_MAX (REGION_CHILD - 1)
#define NOBODY SIZE_MAX

enum run_state {
    RUN_WAITS, /* not started, or in a queue */
    RUN_BEGUN,
    RUN_ENDED,
};

struct run {
    struct combine *of;
    struct ambit_branch *branch;
    void *room;
    int result;
    bool made;             /* the room holds a result */
    _Atomic uint8_t state; /* ORDER(run-state), enum run_state */
};

struct combine {
    /* once */
    ambit_cx *cx;
    struct ambit_branch *branches;
    size_t n;
    uint64_t good_wanted;
    uint64_t bad_allowed;
    bool one_wins;    /* one result is handed out, else all good ones */
    bool every_end;   /* wakes the host */
    int64_t delay_ns; /* between two starts */
    struct run *runs;

    /* host */
    struct region *region;
    size_t started;
    size_t winner;
    int verdict;      /* when it was decided: the worst of those that ended */
    struct timer timer;

    _Atomic uint64_t word; /* any thread: ORDER(combine-word) */
};

/* --- the word ------------------------------------------------------------- */

static uint64_t combine_load(struct combine *c)
{
    /* ORDER(combine-word): acquire.  Pairs with combine_move(). */
    return atomic_load_explicit(&c->word, memory_order_acquire);
}

static bool combine_move(struct combine *c, uint64_t *from, uint64_t to)
{
    /* ORDER(combine-word): acq_rel.  Pairs with itself: what a branch wrote
     * before its end is seen by the host that counts it. */
    return atomic_compare_exchange_weak_explicit(
        &c->word, from, to, memory_order_acq_rel, memory_order_acquire);
}

static bool is_enough(const struct combine *c, uint64_t word)
{
    uint64_t bad = ENDED(word) - GOOD(word);
    return GOOD(word) >= c->good_wanted || bad > c->bad_allowed ||
           ENDED(word) == c->started;
}

/* True for the one that is to wake the host. */
static bool take_wait(struct combine *c)
{
    uint64_t word = combine_load(c);
    do {
        if ((word & WAITED) == 0) {
            return false;
        }
    } while (!combine_move(c, &word, word & ~WAITED));
    return true;
}

static void count_end(struct combine *c, bool good)
{
    struct task *host = task_of(c->cx);
    uint64_t word = combine_load(c);
    uint64_t next;
    bool wakes;
    do {
        next = word + ONE_ENDED + (good ? ONE_GOOD : 0);
        wakes = (word & WAITED) != 0 && (c->every_end || is_enough(c, next));
        next &= wakes ? ~WAITED : ~UINT64_C(0);
    } while (!combine_move(c, &word, next));
    if (wakes) {
        task_wake(host, 0);
    }
}

static enum park_answer wait_abort(struct task *task, void *arg)
{
    (void)task;
    return take_wait(arg) ? PARK_ABORTED : PARK_BUSY;
}

static void wait_over(struct timer *timer)
{
    struct combine *c = CONTAINER_OF(timer, struct combine, timer);
    if (take_wait(c)) {
        task_wake(task_of(c->cx), 0);
    }
}

/* Until enough have ended, or the time is over; 0 or why it was called off. */
static int wait_for_ends(struct combine *c, int64_t until_ns)
{
    int rc = 0;
    timer_init(&c->timer, wait_over);
    for (uint64_t word = combine_load(c); rc == 0 && !is_enough(c, word);
         word = combine_load(c)) {
        if (until_ns != INT64_MAX && clock_now_ns() >= until_ns) {
            break;
        }
        if (!combine_move(c, &word, word | WAITED)) {
            continue;
        }
        if (until_ns != INT64_MAX) {
            worker_timer_arm(&c->timer, until_ns);
        }
        rc = (int)park(task_of(c->cx), PARK_BRANCH, wait_abort, c);
        worker_timer_disarm(&c->timer);
    }
    return rc;
}

/* --- a branch ------------------------------------------------------------- */

static enum run_state run_state(struct run *run)
{
    /* ORDER(run-state): acquire.  Pairs with run_move(). */
    return atomic_load_explicit(&run->state, memory_order_acquire);
}

static void run_move(struct run *run, enum run_state to)
{
    /* ORDER(run-state): release.  Pairs with run_state(): its result is
     * written before it has ended. */
    atomic_store_explicit(&run->state, (uint8_t)to, memory_order_release);
}

static int run_task(ambit_cx *cx, void *arg)
{
    struct run *run = *(struct run **)arg;
    run_move(run, RUN_BEGUN);
    run->result =
        branch_call(cx, run->branch, run->room, INT64_MAX, &run->made);
    return 0;
}

/* However it ended; on the thread of its last step. */
static void run_ended(struct task *task)
{
    struct run *run = *(struct run **)task_arg(task);
    if (task->end == TASK_PANICKED) {
        RULE(COMB_PANIC_1);
        run->result = -EOWNERDEAD;
    } else if (run_state(run) == RUN_WAITS) {
        run->result = task->result; /* cancelled before its first run, or
                                       there was no stack for it */
    }
    run_move(run, RUN_ENDED);
    count_end(run->of, run->result >= 0);
}

static void run_panicked(struct task *task)
{
    task_exit_now(task, TASK_PANICKED, -EOWNERDEAD);
}

static const struct task_hooks run_hooks = {
    .ended = run_ended,
    .panic_ends = run_panicked,
};

static int start_one(struct combine *c)
{
    struct run *run = &c->runs[c->started];
    c->started++;
    int rc = region_spawn_hooked(c->region, run_task, run->branch->name,
                                 &run_hooks, run);
    if (rc < 0) {
        c->started--;
    }
    return rc == -ESHUTDOWN ? -ECANCELED : rc;
}

static int start_all(struct combine *c)
{
    int rc = 0;
    while (rc == 0 && c->started < c->n) {
        rc = start_one(c);
    }
    return rc < 0 ? rc : wait_for_ends(c, INT64_MAX);
}

static int start_in_turn(struct combine *c)
{
    int rc = 0;
    while (rc == 0 && c->started < c->n && GOOD(combine_load(c)) == 0) {
        RULE(COMB_HEDGE_1);
        rc = start_one(c);
        if (rc == 0) {
            rc = wait_for_ends(c, c->started == c->n
                                      ? INT64_MAX
                                      : ambit_after(ambit_ns(c->delay_ns)).ns);
        }
    }
    return rc;
}

/* --- the outcome ---------------------------------------------------------- */

/* The lowest one that has ended, and well if it must. */
static size_t lowest(struct combine *c, bool must_be_good)
{
    for (size_t i = 0; i < c->started; i++) {
        struct run *run = &c->runs[i];
        if (run_state(run) == RUN_ENDED &&
            (!must_be_good || run->result >= 0)) {
            return i;
        }
    }
    return NOBODY;
}

static bool have_begun(struct combine *c, size_t below)
{
    for (size_t i = 0; i < below; i++) {
        if (run_state(&c->runs[i]) == RUN_WAITS) {
            return false;
        }
    }
    return true;
}

static size_t pick_winner(struct combine *c)
{
    bool must_be_good = c->bad_allowed > 0;
    for (;;) {
        size_t first = lowest(c, must_be_good);
        if (first == NOBODY || have_begun(c, first) || ambit_yield(c->cx) < 0) {
            RULE(COMB_RACE_2);
            return lowest(c, must_be_good);
        }
    }
}

static int worst(struct combine *c)
{
    int result = 0;
    for (size_t i = 0; i < c->started; i++) {
        struct run *run = &c->runs[i];
        if (run_state(run) == RUN_ENDED &&
            branch_is_worse(run->result, result)) {
            RULE(COMB_JOIN_2);
            result = run->result;
        }
    }
    return result;
}

/* Enough have ended, and nothing has been cancelled by us yet.  What a cancel of
 * the caller has made of the branches is no verdict on them: not of too few good
 * ones, and not of one that wins a race because it never ran. */
static int decide(struct combine *c)
{
    int rc = 0;
    if (GOOD(combine_load(c)) < c->good_wanted) {
        rc = park_check(task_of(c->cx));
    }
    if (rc == 0) {
        c->verdict = worst(c);
        c->winner = c->one_wins ? pick_winner(c) : NOBODY;
        bool bad = c->winner != NOBODY && c->runs[c->winner].result < 0;
        rc = bad ? park_check(task_of(c->cx)) : 0;
    }
    return rc;
}

/* All have ended.  What nobody gets is disposed of. */
static void deliver(struct combine *c, int rc)
{
    for (size_t i = 0; i < c->n; i++) {
        struct run *run = &c->runs[i];
        struct ambit_branch *branch = run->branch;
        bool good = run_state(run) == RUN_ENDED && run->result >= 0;
        bool wanted = good && (!c->one_wins || i == c->winner);
        branch->result = run_state(run) == RUN_ENDED ? run->result
                         : rc < 0                    ? rc
                                                     : -ECANCELED;
        if (good && !wanted) {
            branch->result = -ECANCELED;
        }
        if (wanted && branch->ret != NULL) {
            RULE(COMB_RET_1);
            memcpy(branch->ret, run->room, branch->ret_size);
        } else if (run->made) {
            branch_dispose(branch, run->room);
        }
    }
}

static int outcome(struct combine *c, int rc)
{
    if (c->one_wins) {
        return c->winner != NOBODY ? c->branches[c->winner].result
               : rc < 0            ? rc
                                   : c->verdict;
    }
    if (GOOD(combine_load(c)) >= c->good_wanted) {
        return 0;
    }
    return rc < 0 ? rc : c->verdict;
}

/* --- the way through ------------------------------------------------------ */

static size_t round_up(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

/* The runs, and behind them the rooms. */
static int make_runs(struct combine *c)
{
    size_t total;
    if (c->n > BRANCHES_MAX) {
        return -E2BIG;
    }
    size_t at = round_up(c->n * sizeof(struct run));
    total = at;
    for (size_t i = 0; i < c->n; i++) {
        if (c->branches[i].ret_size > PTRDIFF_MAX / 2 - total) {
            return -ENOMEM;
        }
        total += round_up(c->branches[i].ret_size);
    }
    char *block = malloc(total);
    if (block == NULL) {
        return -ENOMEM;
    }
    c->runs = (struct run *)(void *)block;
    for (size_t i = 0; i < c->n; i++) {
        c->runs[i] = (struct run){
            .of = c, .branch = &c->branches[i], .room = block + at};
        atomic_init(&c->runs[i].state, RUN_WAITS);
        at += round_up(c->branches[i].ret_size);
    }
    return 0;
}

static int run_all(struct combine *c, const char *name)
{
    struct ambit_scope_block block;
    const struct ambit_scope_options options = {.size_ = sizeof options,
                                                .name = name,
                                                .policy = AMBIT_ISOLATE};
    int rc = ambit_scope_open(c->cx, &block, &options);
    if (rc < 0) {
        return rc;
    }
    c->region = region_of(block.region);
    rc = c->delay_ns >= 0 ? start_in_turn(c) : start_all(c);
    if (rc == 0) {
        rc = decide(c);
    }
    if (rc < 0 || ENDED(combine_load(c)) < c->started) {
        ambit_cancel(block.region, name);
    }
    RULE(COMB_DRAIN_1);
    (void)ambit_scope_close(c->cx, &block, 0);
    return rc;
}

/* No branch was started. */
static int refuse(struct combine *c, int rc)
{
    for (size_t i = 0; i < c->n; i++) {
        RULE(COMB_RET_1);
        c->branches[i].result = rc;
    }
    return rc;
}

static int combine(struct combine *c, const char *name)
{
    atomic_init(&c->word, 0);
    c->winner = NOBODY;
    int rc = make_runs(c);
    if (rc < 0) {
        return refuse(c, rc);
    }
    rc = run_all(c, name);
    if (c->one_wins && (rc == -ECANCELED || rc == -ETIMEDOUT)) {
        RULE(COMB_CANCEL_1);
        c->winner = lowest(c, true);
    }
    TELL(COMBINED, c->region, NULL, c->started);
    deliver(c, rc);
    rc = outcome(c, rc);
    free(c->runs);
    return rc;
}

static int combine_one(struct combine *c, const char *name, size_t *ret_winner)
{
    c->one_wins = true;
    c->good_wanted = 1;
    int rc = combine(c, name);
    if (c->winner != NOBODY && ret_winner != NULL) {
        *ret_winner = c->winner;
    }
    return rc;
}

int ambit_join_all(ambit_cx *cx, struct ambit_branch *branches, size_t n)
{
    struct combine c = {.cx = cx, .branches = branches, .n = n,
                        .good_wanted = n, .bad_allowed = n, .delay_ns = -1};
    RULE(COMB_JOIN_1);
    return n == 0 ? 0 : combine(&c, "join_all");
}

int ambit_race_all(ambit_cx *cx, struct ambit_branch *branches, size_t n,
                   size_t *ret_winner)
{
    struct combine c = {.cx = cx, .branches = branches, .n = n,
                        .delay_ns = -1};
    RULE(COMB_RACE_1);
    return n == 0 ? -EINVAL : combine_one(&c, "race_all", ret_winner);
}

int ambit_first_ok(ambit_cx *cx, struct ambit_branch *branches, size_t n,
                   size_t *ret_winner)
{
    struct combine c = {.cx = cx, .branches = branches, .n = n,
                        .bad_allowed = n, .delay_ns = -1};
    RULE(COMB_OK_1);
    return n == 0 ? -EINVAL : combine_one(&c, "first_ok", ret_winner);
}

int ambit_quorum(ambit_cx *cx, struct ambit_branch *branches, size_t n,
                 size_t k)
{
    struct combine c = {.cx = cx, .branches = branches, .n = n,
                        .good_wanted = k, .bad_allowed = n - k,
                        .delay_ns = -1};
    RULE(COMB_QUORUM_1);
    return k == 0 || k > n ? refuse(&c, -EINVAL) : combine(&c, "quorum");
}

int ambit_hedge(ambit_cx *cx, struct ambit_branch *branches, size_t n,
                ambit_duration delay, size_t *ret_winner)
{
    struct combine c = {.cx = cx, .branches = branches, .n = n,
                        .bad_allowed = n, .every_end = true,
                        .delay_ns = delay.ns};
    if (n == 0 || delay.ns < 0) {
        return refuse(&c, -EINVAL);
    }
    int rc = capability_needs(task_of(cx)->scope, AMBIT_CAP_TIME);
    return rc < 0 ? refuse(&c, rc) : combine_one(&c, "hedge", ret_winner);
}
