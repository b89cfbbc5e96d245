/* SPDX-License-Identifier: MIT */
/*
 * cancel_who_test.c -- who cancels, at which level:
 * CAN-4 and CAN-12 of spec/cancel.md, and what is cancelled before it runs.
 */
#include "tests/spec/common.h"

/* --- CAN-4: three levels, every set, every order, several cancellers ------- */

static const char *const names[] = {"a", "b", "c"};

struct plan {
    int len;
    int level[3]; /* in the order in which they are cancelled */
};

struct nest {
    const struct plan *plan;
    ambit_region *at[3];
    struct count ready, done;
};

static void carry_out(struct nest *n)
{
    for (int i = 0; i < n->plan->len; i++) {
        int level = n->plan->level[i];
        ambit_cancel(n->at[level], names[level]);
    }
    count_up(&n->done);
}

static int carry_out_from_task(ambit_cx *cx, void *arg)
{
    struct nest *n = *(struct nest **)arg;
    if (until(cx, &n->ready, 1)) {
        carry_out(n);
    }
    return 0;
}

static bool is_in(const struct plan *plan, int level)
{
    for (int i = 0; i < plan->len; i++) {
        if (plan->level[i] == level) {
            return true;
        }
    }
    return false;
}

/* Whether something further out than that level is cancelled; and of which. */
static bool is_cut_off(const struct plan *plan, int level, int *ret_by)
{
    for (int i = 0; i < plan->len; i++) {
        if (plan->level[i] < level) {
            *ret_by = plan->level[i];
            return true;
        }
    }
    return false;
}

static void check_level(const struct plan *plan, ambit_region *region,
                        int level)
{
    struct ambit_cancel_reason why = ambit_cancel_reason(region);
    int by = level;
    bool own = is_in(plan, level);
    bool cut = is_cut_off(plan, level, &by);
    WANT_EQ(why.kind, own || cut ? AMBIT_CANCEL_USER : AMBIT_CANCEL_NONE);
    WANT_EQ(why.own, own);
    if (own || cut) {
        WANT_EQ(strcmp(why.region, names[own ? level : by]), 0);
    }
}

enum canceller { BODY, CHILD, BESIDE };

static void try_plan(ambit_cx *cx, const struct plan *plan, enum canceller who)
{
    struct nest n = {.plan = plan}, *pn = &n;
    int rc[3] = {0}, around_rc = 0, by;
    ambit_scope (cx, around, &around_rc) {
        if (who == BESIDE) {
            WANT_EQ(ambit_spawn(around, carry_out_from_task, &pn), 0);
        }
        ambit_scope (cx, a, &rc[0], .name = "a") {
            ambit_scope (cx, b, &rc[1], .name = "b") {
                ambit_scope (cx, c, &rc[2], .name = "c") {
                    n.at[0] = a, n.at[1] = b, n.at[2] = c;
                    if (who == CHILD) {
                        WANT_EQ(ambit_spawn(c, carry_out_from_task, &pn), 0);
                    }
                    count_up(&n.ready);
                    if (who == BODY) {
                        carry_out(&n);
                    }
                    WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
                    WANT(spin_until(&n.done, 1));
                    for (int i = 0; i < 3; i++) {
                        check_level(plan, n.at[i], i);
                    }
                }
                WANT_EQ(ambit_checkpoint(cx),
                        is_cut_off(plan, 2, &by) ? -ECANCELED : 0);
            }
            WANT_EQ(ambit_checkpoint(cx),
                    is_cut_off(plan, 1, &by) ? -ECANCELED : 0);
        }
        WANT_EQ(ambit_checkpoint(cx), 0);
    }
    WANT_EQ(around_rc, 0);
    for (int i = 0; i < 3; i++) {
        WANT_EQ(rc[i], is_cut_off(plan, i, &by) ? -ECANCELED : 0);
    }
}

/* All ordered choices of one to three of the levels: 3 + 6 + 6. */
static int try_all_plans(ambit_cx *cx, void *arg)
{
    int plans = 0;
    (void)arg;
    for (int code = 0; code < 4 * 4 * 4; code++) {
        struct plan plan = {0};
        bool sound = true;
        for (int i = 0, rest = code; i < 3; i++, rest /= 4) {
            int level = rest % 4 - 1;
            sound = sound && (level >= 0 ? plan.len == i : true) &&
                    (level < 0 || !is_in(&plan, level));
            if (level >= 0 && sound) {
                plan.level[plan.len++] = level;
            }
        }
        if (sound && plan.len > 0) {
            plans++;
            for (enum canceller who = BODY; who <= BESIDE; who++) {
                try_plan(cx, &plan, who);
            }
        }
    }
    WANT_EQ(plans, 15);
    return 0;
}

/* Goal: nested scopes never take each other's cancel for their own.
 * Method: three levels, each ordered choice of those that are cancelled, by the
 * body, by a child of the innermost and by a task beside. */
Spec(CAN_4, three_levels_in_every_order)
{
    spec_on_1_and_2_workers(try_all_plans);
    spec_end("CAN_4");
}

/* --- CAN-12 ---------------------------------------------------------------- */

static void cancel_it(void *arg)
{
    ambit_cancel(*(ambit_region **)arg, "by somebody");
}

static int cancel_by_task(ambit_cx *cx, void *arg)
{
    (void)cx;
    cancel_it(arg);
    return 0;
}

static int cancel_by_job(void *arg)
{
    cancel_it(arg);
    return 0;
}

static int job_in_task(ambit_cx *cx, void *arg)
{
    return ambit_blocking(cx, cancel_by_job, arg);
}

static int finalizer_in_task(ambit_cx *cx, void *arg)
{
    int rc = 0;
    ambit_scope (cx, inner, &rc) {
        WANT_EQ(ambit_defer(inner, cancel_it, arg), 0);
    }
    WANT(rc == 0 || rc == -ECANCELED);
    return rc;
}

static int async_finalizer_in_task(ambit_cx *cx, void *arg)
{
    int rc = 0;
    ambit_scope (cx, inner, &rc) {
        WANT_EQ(ambit_defer_async(inner, cancel_by_task, arg), 0);
    }
    WANT(rc == 0 || rc == -ECANCELED);
    return rc;
}

static void *cancel_by_thread(void *arg)
{
    cancel_it(arg);
    return NULL;
}

static int thread_job(void *arg)
{
    pthread_t thread;
    WANT_EQ(pthread_create(&thread, NULL, cancel_by_thread, arg), 0);
    WANT_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

static int thread_in_task(ambit_cx *cx, void *arg)
{
    return ambit_blocking(cx, thread_job, arg);
}

/* A run of its own, on threads of its own. */
static int runtime_job(void *arg)
{
    return ambit_run(cancel_by_task, arg, .workers = 1);
}

static int runtime_in_task(ambit_cx *cx, void *arg)
{
    return ambit_blocking(cx, runtime_job, arg);
}

static int poll_once(ambit_cx *cx, void *state)
{
    return cancel_by_task(cx, state);
}

static const struct {
    const char *name;
    ambit_task_fn *fn;
    enum ambit_tier tier;
    bool polls;
} cancellers[] = {
    {"a child", cancel_by_task, AMBIT_SEND, false},
    {"a child on this worker", cancel_by_task, AMBIT_FIBER, false},
    {"a child on a pool thread", cancel_by_task, AMBIT_BLOCKING, false},
    {"a poll task", poll_once, AMBIT_SEND, true},
    {"a job", job_in_task, AMBIT_SEND, false},
    {"a finalizer", finalizer_in_task, AMBIT_SEND, false},
    {"an async finalizer", async_finalizer_in_task, AMBIT_SEND, false},
    {"a foreign thread", thread_in_task, AMBIT_SEND, false},
    {"another runtime", runtime_in_task, AMBIT_SEND, false},
};

static int start(ambit_region *region, size_t i, ambit_region **target)
{
    if (cancellers[i].polls) {
        return ambit_spawn_poll(region, poll_once, target);
    }
    return ambit_spawn_with(region, cancellers[i].fn, target,
                            .tier = cancellers[i].tier);
}

/* Alone, then all at once. */
static void be_cancelled(ambit_cx *cx, size_t first, size_t last)
{
    struct count started = {0}, cancelled = {0};
    struct waiter w = {&started, &cancelled};
    int rc = 0;
    ambit_scope (cx, target, &rc, .name = "target") {
        ambit_region *region = target;
        WANT_EQ(ambit_spawn(target, wait_for_ever, &w), 0);
        WANT(until(cx, &started, 1));
        for (size_t i = first; i <= last; i++) {
            int spawned = start(target, i, &region);
            WANT(spawned == 0 || (i > first && spawned == -ESHUTDOWN));
        }
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        struct ambit_cancel_reason why = ambit_cancel_reason(target);
        WANT_EQ(why.kind, AMBIT_CANCEL_USER);
        WANT(why.own && why.text != NULL &&
             strcmp(why.text, "by somebody") == 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&cancelled), 1);
    WANT_EQ(ambit_checkpoint(cx), 0);
}

static int be_cancelled_by_all(ambit_cx *cx, void *arg)
{
    const size_t last = ARRAY_LEN(cancellers) - 1;
    (void)arg;
    for (size_t i = 0; i <= last; i++) {
        be_cancelled(cx, i, i);
    }
    for (int round = 0; round < 10; round++) {
        be_cancelled(cx, 0, last);
    }
    return 0;
}

/* Goal: a cancel is the same whoever asks.
 * Method: children of every tier, finalizers, jobs, a thread and a runtime of
 * their own; one by one, and at once. */
Spec(CAN_12, whoever_asks_a_cancel_is_the_same)
{
    spec_on_1_and_2_workers(be_cancelled_by_all);
    spec_end("CAN_12");
}

/* --- TASK-SPAWN-3: cancelled before the first run, in every tier ----------- */

static int must_not_run(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    WANT(!"cancelled before it ran");
    return 0;
}

static int must_not_step(ambit_cx *cx, void *state)
{
    return must_not_run(cx, state);
}

static void count_disposal(void *arg)
{
    count_up(*(struct count **)arg);
}

struct job {
    struct count *begun, *let_go;
};

static int hold_the_pool(ambit_cx *cx, void *arg)
{
    struct job *job = arg;
    (void)cx;
    count_up(job->begun);
    WANT(spin_until(job->let_go, 1));
    return 0;
}

static int cancel_the_unborn(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count begun = {0}, let_go = {0}, disposed = {0}, *pd = &disposed;
    struct job job = {&begun, &let_go};
    ambit_task fiber, sent, pooled;
    int rc = 0, result = 0;
    ambit_scope (cx, around, &rc) {
        WANT_EQ(ambit_spawn_with(around, hold_the_pool, &job,
                                 .tier = AMBIT_BLOCKING), 0);
        WANT(until(cx, &begun, 1));
        struct ambit_scope_block block;
        WANT_EQ(ambit_scope_open(cx, &block, NULL), 0);
        ambit_region *inner = block.region;
        WANT_EQ(ambit_spawn_with(inner, must_not_run, &pd, .ret_task = &fiber,
                                 .tier = AMBIT_FIBER,
                                 .dispose = count_disposal), 0);
        WANT_EQ(ambit_spawn_with(inner, must_not_run, &pd, .ret_task = &pooled,
                                 .tier = AMBIT_BLOCKING,
                                 .dispose = count_disposal), 0);
        ambit_cancel(inner, "before anybody runs");
        WANT_EQ(ambit_spawn_with(inner, must_not_run, &pd, .ret_task = &sent,
                                 .dispose = count_disposal), -ESHUTDOWN);
        WANT_EQ(ambit_scope_close(cx, &block, 0), 0);
        WANT_EQ(count_get(&disposed), 2);
        WANT_EQ(ambit_join(cx, fiber, &result), -ESTALE);
        count_up(&let_go);
    }
    WANT_EQ(rc, 0);
    return 0;
}

struct heir {
    ambit_task unborn;
    struct count *told;
};

static int join_it(ambit_cx *cx, void *arg)
{
    struct heir *h = arg;
    int result = 0;
    WANT_EQ(ambit_join(cx, h->unborn, &result), 0);
    WANT_EQ(result, -ECANCELED);
    count_up(h->told);
    return 0;
}

/* On one worker: the joiner waits before the other's turn would come. */
static int join_the_unborn(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count disposed = {0}, told = {0}, *pd = &disposed;
    struct heir h = {.told = &told};
    int rc = 0;
    ambit_scope (cx, around, &rc) {
        ambit_scope (cx, inner, &rc) {
            WANT_EQ(ambit_spawn_with(inner, must_not_run, &pd,
                                     .ret_task = &h.unborn,
                                     .dispose = count_disposal), 0);
            WANT_EQ(ambit_spawn_poll_with(inner, must_not_step, &pd,
                                          .dispose = count_disposal), 0);
            WANT_EQ(ambit_spawn_with(around, join_it, &h,
                                     .tier = AMBIT_FIBER), 0);
            ambit_cancel(inner, "before anybody runs");
        }
        WANT_EQ(count_get(&disposed), 2);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&told), 1);
    return 0;
}

/* Goal: what was cancelled before it began never begins, in whatever tier.
 * Method: one task of each tier, the pool being busy; their arguments are
 * disposed of once. */
Spec(TASK_SPAWN_3, a_cancel_before_the_first_run_in_every_tier)
{
    WANT_EQ(spec_run(cancel_the_unborn, NULL, .workers = 1,
                     .blocking_threads_max = 1), 0);
    WANT_EQ(spec_run(cancel_the_unborn, NULL, .workers = 2,
                     .blocking_threads_max = 1), 0);
    spec_on(1, join_the_unborn);
    spec_end("TASK_SPAWN_3");
}
