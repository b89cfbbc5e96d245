/* SPDX-License-Identifier: MIT */
/*
 * park.c -- src/park.c, src/task.c: one wake for a park, one free for a record.
 *
 * Thread 1 is a worker and the task that runs on it: where the task is switched
 * out, it delivers notes until the task is ready.  What the task waits for is
 * one atomic that a waker and the task's abort function fight for.
 *
 * With: src/park.c src/task.c src/record.c
 * Fault: src/record.c /^void task_free/,/^}/s/if (!is_owed_a_note(task)) {/if (true) {/
 * Fault: src/task.c /^static bool abort_request/,/^}/s/BUSY ? ABORT_AGAIN/AGAIN ? state/
 * Fault: src/park.c s/UNLIKELY(!park_is_free(task))/false/
 */
#include "tests/models/kit.h"

enum {
    QUIET,
    WAITED_FOR,
    CAME,
    CALLED_OFF,
};

static struct task_owner owner;
static struct task *task;
static struct bell bells[THREADS], asked_for;
static _Atomic int thing;
static _Atomic int queued; /* a BLOCKING job, in the pool's queue */
static bool ready;
static int exits, result;

/* --- the rooms around it -------------------------------------------------- */

void worker_post_task(struct worker *worker, struct link *link,
                      enum note_kind kind)
{
    (void)note_put(&worker->inject, link, kind);
    bell_ring(&bells[worker->index]);
}

void worker_ready(struct worker *worker, struct task *of)
{
    MUST(of == task && worker == worker_self && !ready);
    ready = true;
}

void worker_fresh(struct worker *worker, struct task *of, bool alert)
{
    (void)worker, (void)of, (void)alert;
    model_fail("nothing starts here");
}

int quota_take_(struct quota *quota, enum ambit_limit kind, uint64_t n)
{
    (void)quota, (void)kind, (void)n;
    model_fail("nothing is limited here");
    return 0;
}

struct worker *runtime_pick_worker(struct runtime *runtime)
{
    (void)runtime;
    return &kit_workers[3];
}

bool join_ended(struct task *of)
{
    (void)of;
    return false;
}

_Noreturn void worker_drop_stack(struct worker *worker)
{
    (void)worker;
    model_fail("nothing panics here");
    __builtin_unreachable();
}

static bool take_job(void)
{
    int expected = 1;
    return atomic_compare_exchange_strong_explicit(&queued, &expected, 0,
                                                   memory_order_acq_rel,
                                                   memory_order_acquire);
}

bool blocking_cancel(struct blocking_pool *pool, struct blocking_job *job)
{
    (void)pool, (void)job;
    return take_job();
}

static void deliver_notes(void)
{
    struct link *marked = note_take(&worker_self->inject);
    while (marked != NULL) {
        struct link *next = note_link(marked)->next;
        if (note_kind(marked) == NOTE_WAKES) {
            worker_ready(worker_self, task);
        } else {
            MUST(note_kind(marked) == NOTE_ABORTS);
            task_abort(worker_self, task);
        }
        marked = next;
    }
}

void worker_switch_out(struct worker *worker)
{
    while (!ready) {
        bell_wait(&bells[worker->index]);
        deliver_notes();
    }
    ready = false;
    task->parked = false;
}

/* --- set up --------------------------------------------------------------- */

static enum park_answer call_off(struct task *of, void *arg)
{
    (void)of, (void)arg;
    int expected = WAITED_FOR;
    return atomic_compare_exchange_strong_explicit(
               &thing, &expected, CALLED_OFF, memory_order_acq_rel,
               memory_order_acquire)
               ? PARK_ABORTED
               : PARK_BUSY;
}

static int waits(ambit_cx *cx, void *arg)
{
    (void)arg;
    /* Relaxed: it has been nobody's business yet, and the bell publishes it. */
    atomic_store_explicit(&thing, WAITED_FOR, memory_order_relaxed);
    bell_ring(&asked_for);
    return (int)park(task_of(cx), PARK_OP, call_off, NULL);
}

static int computes(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    return 1;
}

static void exited(struct task_owner *of, struct task_exit *exit)
{
    (void)of;
    exits++;
    result = exit->result;
}

static void begin(ambit_task_fn *fn, bool moves)
{
    kit_begin();
    for (unsigned i = 0; i < THREADS; i++) {
        note_queue_init(&kit_workers[i].inject);
    }
    memset(bells, 0, sizeof bells);
    memset(&asked_for, 0, sizeof asked_for);
    ready = false;
    exits = 0;
    result = 0;
    atomic_init(&thing, QUIET);
    atomic_init(&queued, 0);
    task_owner_init(&owner, exited);
    MUST(task_make(&kit_runtime, &owner, fn, NULL, 0, NULL, moves, &task) == 0);
}

static void begin_fiber(void)
{
    begin(waits, false);
}

/* Between two turns: in its region's list, on no worker. */
static void begin_dormant(void)
{
    static const struct task_hooks hooks;
    begin(waits, true);
    task->hooks = &hooks;
    task_list(task);
}

static void begin_blocking(void)
{
    begin(computes, false);
    task->tier = AMBIT_BLOCKING;
    list_init(&task->job.node);
    task_list(task);
    atomic_init(&queued, 1);
}

/* --- threads -------------------------------------------------------------- */

static void delivers(void)
{
    for (;;) {
        bell_wait_idle(&bells[worker_self->index]);
        deliver_notes();
    }
}

static void runs(void)
{
    task_enter_worker(task, worker_self);
    task_run(worker_self, task);
    delivers();
}

static void pool_thread(void)
{
    if (take_job()) {
        task_run_blocking(task);
    }
}

static void wakes(void)
{
    int expected = WAITED_FOR;
    bell_wait_idle(&asked_for);
    if (atomic_compare_exchange_strong_explicit(&thing, &expected, CAME,
                                                memory_order_acq_rel,
                                                memory_order_acquire)) {
        task_wake(task, 5);
    }
}

static void ask(bool really)
{
    spin_lock(&owner.lock);
    if (really) {
        atomic_fetch_or_explicit(&owner.flags, OWNER_CANCELLED,
                                 memory_order_seq_cst);
    }
    list_for_each(node, &owner.tasks)
    {
        task_post_abort(CONTAINER_OF(node, struct task, sibling));
    }
    spin_unlock(&owner.lock);
}

static void cancels(void)
{
    ask(true);
}

static void asks_in_vain(void)
{
    ask(false);
}

/* --- what must hold ------------------------------------------------------- */

static void ended(void)
{
    MUST(exits == 1);
    MUST(kit_freed == 1);
    MUST(list_is_empty(&owner.tasks));
}

static void woken(void)
{
    ended();
    MUST(result == 5);
}

static void called_off(void)
{
    ended();
    MUST(result == -ECANCELED);
}

static const struct scenario scenarios[] = {
    {"a wake", begin_fiber, {runs, wakes}, woken, 5, 2},
    {"a cancel", begin_fiber, {runs, cancels}, called_off, 4, 2},
    {"a wake and a cancel", begin_fiber, {runs, wakes, cancels}, ended, 2, 1},
    {"a cancel and one in vain",
     begin_fiber,
     {runs, cancels, asks_in_vain},
     called_off,
     2,
     1},
    {"a dormant one begins, and a cancel",
     begin_dormant,
     {runs, cancels},
     called_off,
     4,
     2},
    {"a job and a cancel",
     begin_blocking,
     {pool_thread, cancels, delivers},
     ended,
     2,
     1},
    {"a job, a cancel and one in vain",
     begin_blocking,
     {pool_thread, cancels, delivers, asks_in_vain},
     ended,
     2,
     0},
};

KIT_MAIN(scenarios)
