/* SPDX-License-Identifier: MIT */
/*
 * join.c -- src/join.c: a result reaches one joiner, whatever meets.
 *
 * A task ends on one thread while others join it, or a region closes.
 *
 * With: src/join.c src/task.c src/record.c
 * Fault: src/join.c /^bool join_ended/,/^}/s/join_unkeep(task);//
 * Fault: src/join.c /^static int join_wait/,/^}/s/    task->joiner = who;//
 * Fault: src/join.c /^ALWAYS_INLINE static int join_take/,/^}/s/    join_unkeep(task);//
 */
#include "tests/models/kit.h"
#include "tests/models/no_await.h"

#define RESULT 7

static struct task_owner owner;
static struct task *task;
static ambit_task handle;
static struct task joiners[THREADS];
static struct bell bells[THREADS];
static bool cancelled[THREADS]; /* the wait of that thread */
static struct bell told;
static int rcs[THREADS], results[THREADS];

void worker_fresh(struct worker *worker, struct task *of, bool alert)
{
    (void)worker, (void)of, (void)alert;
}

void worker_ready(struct worker *worker, struct task *of)
{
    (void)worker, (void)of;
    model_fail("nobody here wakes a task of its own worker");
}

void worker_post_task(struct worker *worker, struct link *link,
                      enum note_kind kind)
{
    (void)link, (void)kind;
    bell_ring(&bells[worker->index]);
}

struct worker *runtime_pick_worker(struct runtime *runtime)
{
    return &kit_workers[runtime == NULL];
}

bool blocking_cancel(struct blocking_pool *pool, struct blocking_job *job)
{
    (void)pool, (void)job;
    return false;
}

void park_abort(struct task *of)
{
    (void)of;
}

int park_check_slow(struct task *of)
{
    (void)of;
    return 0;
}

/* One whose wait is cancelled asks at once whether it can leave. */
int64_t park(struct task *of, enum park_kind kind, park_abort_fn *abort_fn,
             void *arg)
{
    (void)kind;
    unsigned me = explore_self();
    if (cancelled[me] && abort_fn(of, arg) == PARK_ABORTED) {
        return -ECANCELED;
    }
    bell_wait(&bells[me]);
    return of->wake_value;
}

static void exited(struct task_owner *of, struct task_exit *exit)
{
    (void)of, (void)exit;
    bell_ring(&told);
}

static void setup(void)
{
    kit_begin();
    memset(cancelled, 0, sizeof cancelled);
    memset(bells, 0, sizeof bells);
    memset(&told, 0, sizeof told);
    for (int i = 0; i < THREADS; i++) {
        rcs[i] = -EBUSY;
        results[i] = -1;
    }
    task_owner_init(&owner, exited);
    MUST(task_make(&kit_runtime, &owner, NULL, NULL, 0, NULL, false, &task) == 0);
    atomic_init(&task->join_word, 0);
    handle = join_handle(task);
    for (unsigned i = 1; i < THREADS; i++) {
        task_init(&joiners[i], &kit_runtime, &owner, NULL);
        task_enter_worker(&joiners[i], &kit_workers[i]);
    }
}

static void setup_cancelled(void)
{
    setup();
    cancelled[2] = true;
}

static void ends(void)
{
    task_refuse(task, RESULT); /* the end, without a run */
}

static void joins(void)
{
    unsigned me = explore_self();
    rcs[me] = ambit_join(&joiners[me].cx, handle, &results[me]);
}

/* As a region does when its last child has left. */
static void reaps(void)
{
    bell_wait(&told);
    for (;;) {
        spin_lock(&owner.lock);
        struct task *at = list_is_empty(&owner.ended)
                              ? NULL
                              : CONTAINER_OF(owner.ended.next, struct task,
                                             sibling);
        bool ours = at != NULL && join_reap(at);
        if (ours) {
            list_remove(&at->sibling);
        }
        spin_unlock(&owner.lock);
        if (at == NULL) {
            return;
        }
        if (ours) {
            task_free(at);
        } else {
            explore_yield();
        }
    }
}

static int taken(void)
{
    int n = 0;
    for (int i = 1; i < THREADS; i++) {
        MUST(rcs[i] != 0 || results[i] == RESULT);
        n += rcs[i] == 0;
    }
    return n;
}

static void taken_once(void)
{
    MUST(taken() == 1);
}

static void taken_at_most_once(void)
{
    MUST(taken() <= 1);
    MUST(list_is_empty(&owner.ended) || taken() == 0);
}

static const struct scenario scenarios[] = {
    {"an end and a join", setup, {ends, joins}, taken_once, 4, 3},
    {"a join that is called off",
     setup_cancelled,
     {ends, joins},
     taken_at_most_once,
     4,
     3},
    {"two joins", setup, {ends, joins, joins}, taken_once, 3, 1},
    {"an end, a join and a close",
     setup_cancelled,
     {ends, joins, reaps},
     taken_at_most_once,
     3,
     1},
};

KIT_MAIN(scenarios)
