/* SPDX-License-Identifier: MIT */
/*
 * poll.c -- the turns of a poll task, and what wakes it.
 *
 * join_word holds its generation and where it is:
 *
 *   IDLE --wake--> SCHEDULED --turn--> RUNNING --step pending--> IDLE
 *                      ^                  | wake
 *                      '--step pending-- AGAIN
 *
 *   POLL-WAKE-1    A wake that comes during a step leads to one more step.
 *   POLL-TURN-1    One more step is behind the other ready tasks.
 *   POLL-WAKE-2    Two steps never run at once; steps <= wakes + 1.
 *   POLL-WAKE-3    A waker of a task that has ended is stale.
 *   POLL-CANCEL-1  A cancel of the region makes an idle task step.
 *   POLL-SUSPEND-1 A step may suspend, and the next one is of the same function.
 *
 * Owner: the worker of the turn; ambit_wake() any thread.
 */
#include "src/poll.h"

#include "src/await.h"
#include "src/runtime.h"
#include "src/seam.h"
#include "src/worker.h"

enum {
    POLL_NONE,
    POLL_IDLE,
    POLL_SCHEDULED,
    POLL_RUNNING,
    POLL_AGAIN,
    POLL_STATES = 8,
};

static uint64_t poll_load(struct task *task)
{
    /* ORDER(poll): acquire.  Pairs with the moves below. */
    return atomic_load_explicit(&task->join_word, memory_order_acquire);
}

static bool poll_move(struct task *task, uint64_t *word, unsigned to)
{
    uint64_t next = *word / POLL_STATES * POLL_STATES + to;
    /* ORDER(poll): acq_rel.  Pairs with itself: what was done before a wake is
     * seen by the step it leads to. */
    return atomic_compare_exchange_strong_explicit(
        &task->join_word, word, next, memory_order_acq_rel,
        memory_order_acquire);
}

static int poll_wake(struct task *task, uint64_t generation)
{
    uint64_t word = poll_load(task);
    for (;;) {
        if (word / POLL_STATES != generation) {
            RULE(POLL_WAKE_3);
            return -ESTALE;
        }
        switch (word % POLL_STATES) {
        case POLL_IDLE:
            if (poll_move(task, &word, POLL_SCHEDULED)) {
                task_start(task, true);
                return 0;
            }
            break;
        case POLL_RUNNING:
            if (poll_move(task, &word, POLL_AGAIN)) {
                return 0;
            }
            break;
        case POLL_NONE:
            return -ESTALE;
        default:
            /* A step is coming.  Moved all the same, from itself to itself: a
             * mere look could be done before the caller's own writes are
             * seen, and the step would miss them. */
            if (poll_move(task, &word, word % POLL_STATES)) {
                return 0;
            }
            break;
        }
    }
}

/* Between two steps: idle, or, when it was woken meanwhile, queued behind the
 * others.  May be running elsewhere by the time this returns. */
static void poll_rest(struct task *task)
{
    seam_suspends(task);
    uint64_t word = poll_load(task);
    task_leave_worker(task);
    if (word % POLL_STATES == POLL_RUNNING &&
        poll_move(task, &word, POLL_IDLE)) {
        return;
    }
    RULE(POLL_WAKE_1);
    RULE(POLL_TURN_1);
    bool moved = poll_move(task, &word, POLL_SCHEDULED);
    ASSERT(moved);
    task_start_later(task);
}

/* One step over the quota cancels the task's region; the step that sees this
 * is free. */
static void step_pay(struct task *task)
{
    if (UNLIKELY(task->scope->quota != NULL) && park_check(task) == 0) {
        RULE(REG_BUDGET_4);
        (void)task_pay(task);
    }
}

static int poll_turn(struct task *task)
{
    uint64_t word = poll_load(task);
    RULE(POLL_WAKE_2);
    bool moved = poll_move(task, &word, POLL_RUNNING);
    ASSERT(moved);
    step_pay(task);
    ambit_step_fn *step = task->fn;
    int result = step(&task->cx, task_arg(task));
    if (result == AMBIT_PENDING) {
        RULE(POLL_SUSPEND_1);
        task->fn = step; /* where a wait of this step has left its result */
        poll_rest(task);
        return TASK_DORMANT;
    }
    await_require_none(task);
    /* The machine's own word for a turn is nobody's result. */
    return result == TASK_DORMANT ? TASK_DORMANT - 1 : result;
}

static void poll_nudge(struct task *task)
{
    RULE(POLL_CANCEL_1);
    poll_wake(task, poll_load(task) / POLL_STATES);
}

static void poll_ended(struct task *task)
{
    uint64_t generation = poll_load(task) / POLL_STATES;
    /* ORDER(poll): release.  Pairs with poll_load() of a stale waker. */
    atomic_store_explicit(&task->join_word,
                          (generation + 1) * POLL_STATES + POLL_NONE,
                          memory_order_release);
}

static void poll_panicked(struct task *task)
{
    await_abandon_all(task);
    task_exit_now(task, TASK_PANICKED, -EOWNERDEAD);
}

static const struct task_hooks poll_hooks = {
    .turn = poll_turn,
    .nudge = poll_nudge,
    .panic_ends = poll_panicked,
    .ended = poll_ended,
};

void poll_prepare(struct task *task)
{
    uint64_t generation = poll_load(task) / POLL_STATES;
    task->hooks = &poll_hooks;
    task->awaits = NULL;
    /* ORDER(poll): relaxed.  It is nobody else's yet: a waker from before looks
     * at the generation and leaves it alone. */
    atomic_store_explicit(&task->join_word,
                          generation * POLL_STATES + POLL_SCHEDULED,
                          memory_order_relaxed);
}

ambit_waker ambit_cx_waker(ambit_cx *cx)
{
    struct task *task = task_of(cx);
    REQUIRE(task->hooks == &poll_hooks, "ambit_cx_waker is for poll tasks");
    return (ambit_waker){task, poll_load(task) / POLL_STATES};
}

int ambit_wake(ambit_waker waker)
{
    return waker.slot == NULL ? -ESTALE
                              : poll_wake(waker.slot, waker.generation);
}
