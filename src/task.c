/* SPDX-License-Identifier: MIT */
/*
 * task.c -- make, run, wake, end.
 *
 *   TASK-SPAWN-1  A task runs its own copy of the argument.
 *   TASK-SPAWN-3  A task cancelled before its first run never runs.
 *
 * Owner: a record is its maker's until task_start(), its worker's while it
 * runs, and the machine's to free once the owner has been told of its end.
 */
#include "src/task.h"

#include "src/runtime.h"
#include "src/worker.h"

#include <setjmp.h>
#include <stdlib.h>

_Static_assert(sizeof(struct task) == 192 &&
                   sizeof(struct task) + TASK_ARG_SMALL == 256 &&
                   sizeof(struct task) + TASK_ARG_BEHIND == 384,
               "slab classes");

static void wake_deliver(struct worker *worker, struct note *note)
{
    worker_ready(worker, CONTAINER_OF(note, struct task, wake_note));
}

static void start_deliver(struct worker *worker, struct note *note)
{
    worker_fresh(worker, CONTAINER_OF(note, struct task, wake_note), false);
}

/* The last use of a record. */
static void task_let_go(struct task *task)
{
    if (!task->embedded) {
        task_unmake(task);
        return;
    }
    TELL(TASK_GONE, task, NULL, 0);
    if (task->hooks != NULL && task->hooks->gone != NULL) {
        task->hooks->gone(task);
    }
}

void task_free(struct task *task)
{
    /* ORDER(abort-post): acquire.  Nobody posts any more: posting needs the
     * owner's list or an open scope.  Pairs with abort_move(). */
    uint8_t state =
        atomic_load_explicit(&task->abort_state, memory_order_acquire);
    if (state != ABORT_NONE) {
        /* ORDER(abort-post): acq_rel.  A note on its way, or being delivered
         * on another thread, frees the record instead; pairs with
         * abort_move(). */
        state = atomic_exchange_explicit(&task->abort_state, ABORT_DEAD,
                                         memory_order_acq_rel);
    }
    if (state == ABORT_NONE) {
        task_let_go(task);
    }
}

static struct worker *task_keeper(struct task *task);
static void task_never_run(struct task *task);

/* A task that waits for a pool thread need not. */
static void abort_queued_job(struct task *task)
{
    if (blocking_cancel(task->runtime->pool, &task->job)) {
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

static void abort_deliver(struct worker *worker, struct note *note)
{
    struct task *task = CONTAINER_OF(note, struct task, abort_note);
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
                worker_post(next, note);
            }
            return;
        }
        if (!abort_move(task, ABORT_AGAIN, ABORT_BUSY)) {
            task_let_go(task); /* DEAD: it has ended */
            return;
        }
    }
}

ALWAYS_INLINE static void init(struct task *task, struct runtime *runtime,
                               struct task_owner *owner, ambit_task_fn *fn,
                               void *arg)
{
    /* The first word outlives the record: see slab.h. */
    task->cx.at = NULL;
    task->dispose = NULL;
    /* The flags.  The rest is written before it is read: a long memset would
     * cost more than all other stores of a spawn. */
    memset(&task->tier, 0,
           offsetof(struct task, scope) - offsetof(struct task, tier));
    task->abort = NULL;
    task->hooks = NULL;
    task->joiner = NULL;
    task->fn = fn;
    task->arg = arg;
    task->name = "task";
    task->runtime = runtime;
    task->owner = owner;
    task->scope = owner;
    task->embedded = true;
    atomic_init(&task->abort_state, ABORT_NONE);
    TELL(TASK_MADE, task, owner, 0);
}

void task_init(struct task *task, struct runtime *runtime,
               struct task_owner *owner, ambit_task_fn *fn, void *arg)
{
    init(task, runtime, owner, fn, arg);
}

/* Behind the record, which is then of a larger class. */
static inline void *arg_room(struct task *task)
{
    return task + 1;
}

/* A record of the class that has the room. */
static inline struct task *record_alloc(struct runtime *runtime,
                                        const void *arg, size_t arg_size)
{
    if (arg == NULL || UNLIKELY(arg_size > TASK_ARG_BEHIND)) {
        return runtime_alloc(runtime, SLAB_HANDLE_192);
    }
    return LIKELY(arg_size <= TASK_ARG_SMALL)
               ? runtime_alloc(runtime, SLAB_HANDLE_256)
               : runtime_alloc(runtime, SLAB_HANDLE_384);
}

/* False: there is no memory. */
static inline bool copy(struct task *task, const void *arg, size_t arg_size)
{
    RULE(TASK_SPAWN_1);
    task->arg_apart = arg_size > TASK_ARG_BEHIND;
    task->arg_wide = arg_size > TASK_ARG_SMALL && !task->arg_apart;
    task->arg = UNLIKELY(task->arg_apart) ? malloc(arg_size) : arg_room(task);
    if (UNLIKELY(task->arg == NULL)) {
        return false;
    }
    memcpy(task->arg, arg, arg_size);
    return true;
}

HOT_PATH int task_make(struct runtime *runtime, struct task_owner *owner,
                       ambit_task_fn *fn, const void *arg, size_t arg_size,
                       struct task **ret_task)
{
    if (arg_size > TASK_ARG_MAX) {
        return -E2BIG;
    }
    struct task *task = record_alloc(runtime, arg, arg_size);
    if (task == NULL) {
        return -ENOMEM;
    }
    init(task, runtime, owner, fn, NULL);
    task->embedded = false;
    if (arg != NULL && !copy(task, arg, arg_size)) {
        task_unmake(task);
        return -ENOMEM;
    }
    *ret_task = task;
    return 0;
}

static NOINLINE void unmake_large(struct task *task)
{
    if (task->arg_wide) {
        runtime_free(task->runtime, SLAB_HANDLE_384, task);
        return;
    }
    free(task->arg);
    runtime_free(task->runtime, SLAB_HANDLE_192, task);
}

HOT_PATH void task_unmake(struct task *task)
{
    TELL(TASK_GONE, task, NULL, 0);
    if (UNLIKELY(task->arg_wide || task->arg_apart)) {
        unmake_large(task);
    } else if (task->arg == arg_room(task)) {
        runtime_free(task->runtime, SLAB_HANDLE_256, task);
    } else {
        runtime_free(task->runtime, SLAB_HANDLE_192, task);
    }
}

HOT_PATH void task_start(struct task *task, bool alert)
{
    struct worker *self = worker_self;
    if (LIKELY(self != NULL && self->runtime == task->runtime)) {
        worker_fresh(self, task, alert);
        return;
    }
    task_start_on(task, runtime_pick_worker(task->runtime));
}

void task_start_on(struct task *task, struct worker *worker)
{
    if (worker == worker_self) {
        worker_fresh(worker, task, true);
        return;
    }
    task->wake_note.deliver = start_deliver;
    if (task->pinned) {
        worker_post(worker, &task->wake_note);
    } else {
        worker_offer(worker, &task->wake_note);
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
    task->wake_note.deliver = wake_deliver;
    worker_post(worker, &task->wake_note);
}

/* Whose thread looks after the task just now; NULL: nobody has to. */
static struct worker *task_keeper(struct task *task)
{
    if (task->tier == AMBIT_BLOCKING) {
        return runtime_pick_worker(task->runtime); /* any one will do */
    }
    /* ORDER(task-worker): seq_cst.  After the cancel flag was set; pairs with
     * the store in park().  None: it will look at the flag. */
    return atomic_load_explicit(&task->worker, memory_order_seq_cst);
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
        task->abort_note.deliver = abort_deliver;
        worker_post(worker, &task->abort_note);
    }
}

static void task_count_end(struct task *task)
{
    switch ((enum task_end)task->end) {
    case TASK_RETURNED:
        COUNT(task->runtime, completed);
        break;
    case TASK_NEVER_RAN:
        COUNT(task->runtime, cancelled);
        break;
    case TASK_PANICKED:
        COUNT(task->runtime, panicked);
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
    task->end = (uint8_t)end;
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
    exit.name = task->name;
    exit.end = end;
    exit.result = result;
    exit.part = EXIT_WHOLE;
    struct worker *worker = worker_self;
    if (LIKELY(worker != NULL)) {
        worker->ending = true;
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
        worker->ending = false;
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
        atomic_fetch_sub_explicit(&task->runtime->unstarted, 1,
                                  memory_order_relaxed);
    }
}

int task_count(struct task *task)
{
    struct runtime *runtime = task->runtime;
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
    if (task->dispose != NULL) {
        CHECK_NO_LOCK();
        task->dispose(task->arg);
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

HOT_PATH void task_run(struct task *task)
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
    int result = task->fn(&task->cx, task->arg);
    if (result == TASK_DORMANT) {
        return; /* may be running elsewhere already: hands off */
    }
    task_exit(task, TASK_RETURNED, result);
}

void task_run_blocking(struct task *task)
{
    if (task_is_void(task)) {
        task_never_run(task);
        return;
    }
    jmp_buf out;
    TELL(TASK_RUNS, task, NULL, 0);
    task->abort_arg = &out;
    if (setjmp(out) != 0) {
        task_exit(task, TASK_PANICKED, -EOWNERDEAD);
        return;
    }
    task_exit(task, TASK_RETURNED, task->fn(&task->cx, task->arg));
}

_Noreturn void task_jump_out(struct task *task)
{
    longjmp(*(jmp_buf *)task->abort_arg, 1);
}

void task_leave_worker(struct task *task)
{
    TELL(TASK_RESTS, task, NULL, 0);
    /* ORDER(task-worker): relaxed.  Who still finds this worker posts a note in
     * vain; its delivery is on this thread, which knows better.  Pairs with
     * task_keeper(). */
    atomic_store_explicit(&task->worker, NULL, memory_order_relaxed);
}

void task_start_later(struct task *task)
{
    task->wake_note.deliver = start_deliver;
    worker_post(worker_self, &task->wake_note);
}

_Noreturn void task_exit_now(struct task *task, enum task_end end, int result)
{
    struct worker *worker = task_worker(task);
    ASSERT(worker == worker_self);
    task_exit(task, end, result);
    worker_drop_stack(worker);
}
