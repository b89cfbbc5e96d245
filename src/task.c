/* SPDX-License-Identifier: MIT */
/*
 * task.c -- run, wake, end.
 *
 *   TASK-SPAWN-3  A task cancelled before its first run never runs.
 *
 * Owner: a task is its maker's until task_start(), and its worker's while it runs.
 */
#include "src/task.h"

#include "src/runtime.h"
#include "src/seats.h"

#include <setjmp.h>

static struct worker *task_keeper(struct task *task);
static void task_never_run(struct task *task);

/* A task that waits for a pool thread need not. */
static void abort_queued_job(struct task *task)
{
    if (blocking_cancel(task_runtime(task)->pool, &task->job)) {
        RULE(TASK_BLOCK_2);
        task_never_run(task);
    }
}

static bool abort_move(struct task *task, uint8_t from, uint8_t to)
{
    /* ORDER(abort-post): acq_rel.  Pairs with the exchange in task_free() and
     * the moves of other threads: the record stays while one is at work on
     * it, and what was asked for before a move is seen after it.  A failed
     * one may have found DEAD, and frees. */
    return atomic_compare_exchange_strong_explicit(
        &task->abort_state, &from, to, memory_order_acq_rel,
        memory_order_acquire);
}

/* With the state BUSY.  The worker the note has to go on to, or NULL. */
static struct worker *abort_handle(struct worker *worker, struct task *task)
{
    if (task->tier == AMBIT_BLOCKING) {
        abort_queued_job(task);
        return NULL;
    }
    struct worker *now = task_keeper(task);
    if (now == worker) {
        park_abort(task);
        return NULL;
    }
    return now; /* a dormant task has moved meanwhile, or rests */
}

void task_abort(struct worker *worker, struct task *task)
{
    if (!abort_move(task, ABORT_POSTED, ABORT_BUSY)) {
        task_let_go(task);
        return;
    }
    for (;;) {
        struct worker *next = abort_handle(worker, task);
        uint8_t to = next != NULL ? ABORT_POSTED : ABORT_NONE;
        if (abort_move(task, ABORT_BUSY, to) ||
            (next != NULL && abort_move(task, ABORT_AGAIN, to))) {
            if (next != NULL) {
                worker_post_task(next, &task->abort_link, NOTE_ABORTS);
            }
            return;
        }
        if (!abort_move(task, ABORT_AGAIN, ABORT_BUSY)) {
            task_let_go(task); /* DEAD: it has ended */
            return;
        }
    }
}

HOT_PATH void task_start(struct task *task, bool alert)
{
    struct worker *self = worker_self;
    if (LIKELY(self != NULL && self->runtime == task_runtime(task))) {
        worker_fresh(self, task, alert);
        return;
    }
    task_start_on(task, runtime_pick_worker(task_runtime(task)));
}

void task_start_on(struct task *task, struct worker *worker)
{
    if (worker == worker_self) {
        worker_fresh(worker, task, true);
        return;
    }
    if (task->pinned) {
        worker_post_task(worker, &task->link, NOTE_STARTS);
    } else {
        worker_offer(worker, task);
    }
}

HOT_PATH void task_wake(struct task *task, int64_t value)
{
    struct worker *worker = task_worker(task);
    task->wake_value = value;
    if (worker == worker_self) {
        worker_ready(worker, task);
        return;
    }
    worker_post_task(worker, &task->link, NOTE_WAKES);
}

/* Whose thread looks after the task just now; NULL: nobody has to. */
static struct worker *task_keeper(struct task *task)
{
    if (task->tier == AMBIT_BLOCKING) {
        return runtime_pick_worker(task_runtime(task)); /* any one will do */
    }
    /* ORDER(task-worker): seq_cst.  After the cancel flag was set; pairs with
     * the store in park().  None: it will look at the flag. */
    uintptr_t home = atomic_load_explicit(&task->home, memory_order_seq_cst);
    return (home & TASK_AT_LARGE) == 0 ? (struct worker *)home : NULL;
}

/* One request is enough until its delivery begins.  True: post the note. */
static bool abort_request(struct task *task)
{
    /* ORDER(abort-post): relaxed.  A guess for the exchange below. */
    uint8_t state =
        atomic_load_explicit(&task->abort_state, memory_order_relaxed);
    uint8_t to;
    do {
        to = state == ABORT_NONE   ? ABORT_POSTED
             : state == ABORT_BUSY ? ABORT_AGAIN
                                   : state;
        /* ORDER(abort-post): acq_rel.  Also where nothing changes: what was
         * asked for is seen by the delivery.  Pairs with abort_move(). */
    } while (!atomic_compare_exchange_weak_explicit(
        &task->abort_state, &state, to, memory_order_acq_rel,
        memory_order_relaxed));
    return state == ABORT_NONE;
}

void task_post_abort(struct task *task)
{
    if (task->hooks != NULL && task->hooks->nudge != NULL) {
        task->hooks->nudge(task);
    }
    struct worker *worker = task_keeper(task);
    if (worker != NULL && abort_request(task)) {
        worker_post_task(worker, &task->abort_link, NOTE_ABORTS);
    }
}

static void task_count_end(struct task *task)
{
    switch ((enum task_end)task->end) {
    case TASK_RETURNED:
        COUNT(task_runtime(task), completed);
        break;
    case TASK_NEVER_RAN:
        COUNT(task_runtime(task), cancelled);
        break;
    case TASK_PANICKED:
        COUNT(task_runtime(task), panicked);
        break;
    }
}

static NOINLINE void tell_of_failure(struct task_owner *owner,
                                     struct task_exit *exit)
{
    exit->part = EXIT_BEFORE;
    owner->task_exited(owner, exit);
    exit->part = EXIT_AFTER;
}

/* The end of every task, on whatever thread it ran. */
static void task_exit(struct task *task, enum task_end end, int result)
{
    struct task_owner *owner = task->owner;
    task->end = (uint8_t)end & 15;
    task->result = result;
    if (task->listed) {
        task_unlist(task);
    }
    task_count_end(task);
    if (task->hooks != NULL && task->hooks->ended != NULL) {
        task->hooks->ended(task);
    }
    TELL(TASK_ENDED, task, NULL, end);
    struct task_exit exit; /* in part */
    exit.who = task;
    exit.name = task_name(task);
    exit.end = end;
    exit.result = result;
    exit.part = EXIT_WHOLE;
    struct worker *worker = worker_self;
    if (LIKELY(worker != NULL)) {
        worker->ending = &exit;
    }
    /* Told last: after that the owner may be gone, and with a joiner so may
     * the record. */
    if (task->joinable && (result < 0 || end != TASK_RETURNED)) {
        tell_of_failure(owner, &exit);
    }
    if (!task->joinable || !join_ended(task)) {
        task_free(task);
    }
    owner->task_exited(owner, &exit);
    if (LIKELY(worker != NULL)) {
        worker->ending = NULL;
    }
}

/* True when the task is not to run at all. */
static bool task_is_void(struct task *task)
{
    /* ORDER(cancel): acquire.  Pairs with the release in region_cancel(). */
    return (atomic_load_explicit(&task->owner->flags, memory_order_acquire) &
            OWNER_CANCELLED) != 0;
}

/* It makes room for another one. */
static inline void task_begins(struct task *task)
{
    if (UNLIKELY(task->counted)) {
        task->counted = false;
        /* ORDER(unstarted): relaxed.  A count; pairs with task_count(). */
        atomic_fetch_sub_explicit(&task_runtime(task)->unstarted, 1,
                                  memory_order_relaxed);
    }
}

int task_count(struct task *task)
{
    struct runtime *runtime = task_runtime(task);
    uint32_t max = runtime->options.unstarted_max;
    /* ORDER(unstarted): relaxed.  A count; pairs with task_begins(). */
    if (atomic_fetch_add_explicit(&runtime->unstarted, 1,
                                  memory_order_relaxed) < max) {
        task->counted = true;
        return 0;
    }
    RULE(TASK_SPAWN_5);
    /* ORDER(unstarted): relaxed.  As above. */
    atomic_fetch_sub_explicit(&runtime->unstarted, 1, memory_order_relaxed);
    COUNT(runtime, spawns_refused);
    return -EAGAIN;
}

static void dispose_of_arg(struct task *task)
{
    if (task->has_extras && task_extras(task)->dispose != NULL) {
        CHECK_NO_LOCK();
        task_extras(task)->dispose(task_arg(task));
    }
}

static void task_never_run(struct task *task)
{
    RULE(TASK_SPAWN_3);
    dispose_of_arg(task);
    task_exit(task, TASK_NEVER_RAN, -ECANCELED);
}

void task_refuse(struct task *task, int result)
{
    task_begins(task);
    dispose_of_arg(task);
    task_exit(task, TASK_RETURNED, result);
}

/* Nobody has heard of it, and nobody wants to hear of its end; its place stays
 * with the worker. */
static inline bool ends_quietly(struct worker *worker, struct task *task,
                                int result)
{
    if (UNLIKELY(result < 0 || task->joinable || task->embedded ||
                 task->listed)) {
        return false;
    }
    struct task_owner *owner = task->owner;
    /* ORDER(cancel): relaxed.  These were set before the first task, or by the
     * one that now ends. */
    uint32_t flags = atomic_load_explicit(&owner->flags, memory_order_relaxed);
    return (flags & (OWNER_SEATED | OWNER_WATCHED)) == OWNER_SEATED &&
           seats_keep(worker, owner);
}

ALWAYS_INLINE void task_run(struct worker *worker, struct task *task)
{
    task_begins(task);
    if (UNLIKELY(!task->begun && !task->embedded && task_is_void(task))) {
        task_never_run(task);
        return;
    }
    task->begun = true;
    RULE(TASK_SPAWN_3);
    CHECK_NO_LOCK();
    TELL(TASK_RUNS, task, NULL, 0);
    const struct task_hooks *hooks = task->hooks;
    int result = UNLIKELY(hooks != NULL && hooks->turn != NULL)
                     ? hooks->turn(task)
                     : task->fn(&task->cx, task_arg(task));
    if (UNLIKELY(hooks != NULL)) {
        if (result != TASK_DORMANT) {
            task_exit(task, TASK_RETURNED, result);
        } /* else it may be running elsewhere already, or gone: hands off */
    } else if (LIKELY(ends_quietly(worker, task, result))) {
        count_own(&worker->stats.completed);
        TELL(TASK_ENDED, task, NULL, TASK_RETURNED);
        task_free_here(worker, task);
    } else {
        task_exit(task, TASK_RETURNED, result);
    }
}

/* On a pool thread: where a panic of its task goes on. */
static __thread jmp_buf *way_out;

void task_run_blocking(struct task *task)
{
    if (task_is_void(task)) {
        task_never_run(task);
        return;
    }
    jmp_buf out;
    TELL(TASK_RUNS, task, NULL, 0);
    way_out = &out;
    if (setjmp(out) != 0) {
        task_exit(task, TASK_PANICKED, -EOWNERDEAD);
        return;
    }
    task_exit(task, TASK_RETURNED, task->fn(&task->cx, task_arg(task)));
}

_Noreturn void task_jump_out(struct task *task)
{
    (void)task;
    longjmp(*way_out, 1);
}

void task_leave_worker(struct task *task)
{
    TELL(TASK_RESTS, task, NULL, 0);
    /* ORDER(task-worker): relaxed.  Who still finds this worker posts a note in
     * vain; its delivery is on this thread, which knows better.  Pairs with
     * task_keeper(). */
    atomic_store_explicit(&task->home,
                          task_at_large(task_worker(task)->runtime),
                          memory_order_relaxed);
}

void task_start_later(struct task *task)
{
    worker_post_task(worker_self, &task->link, NOTE_STARTS);
}

_Noreturn void task_exit_now(struct task *task, enum task_end end, int result)
{
    struct worker *worker = task_worker(task);
    ASSERT(worker == worker_self);
    task_exit(task, end, result);
    worker_drop_stack(worker);
}
