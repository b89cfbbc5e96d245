/* SPDX-License-Identifier: MIT */
/*
 * poll.c -- src/poll.c: a wake leads to a step that sees what came before it.
 *
 * Wakers write with relaxed stores, as lock-free code of a user may, and wake;
 * the turns run on a thread of their own, or on two in turn.
 *
 * With: src/poll.c src/task.c src/record.c
 * Fault: src/poll.c s/if (poll_move(task, &word, word % POLL_STATES)) {/if (true) {/
 * Fault: src/poll.c /^static void poll_rest/,/^}/s/== POLL_RUNNING \&\&/!= POLL_NONE \&\&/
 * Fault: src/poll.c /^static void poll_rest/,/^}/s/POLL_SCHEDULED);$/POLL_IDLE);/
 */
#include "src/poll.h"

#include "tests/models/kit.h"

static struct task_owner owner;
static struct task *task;
static ambit_waker waker;
static struct bell turns;
static _Atomic int flags[THREADS];
static bool seen[THREADS];
static int stepping;
static int steps, wakes[THREADS];
static bool ends; /* when both flags have been seen */
static int ended;

void worker_fresh(struct worker *worker, struct task *of, bool alert)
{
    (void)worker, (void)alert;
    MUST(of == task);
    bell_ring(&turns);
}

void worker_post_task(struct worker *worker, struct link *link,
                      enum note_kind kind)
{
    (void)worker;
    MUST(link == &task->link && kind == NOTE_STARTS); /* woken in its step */
    bell_ring(&turns);
}

void worker_offer(struct worker *worker, struct task *of)
{
    worker_post_task(worker, &of->link, NOTE_STARTS);
}

/* Nobody here awaits anything. */
void await_require_none(struct task *of)
{
    (void)of;
}

void await_abandon_all(struct task *of)
{
    (void)of;
}

void worker_ready(struct worker *worker, struct task *of)
{
    (void)worker, (void)of;
    model_fail("a poll task does not park");
}

_Noreturn void worker_drop_stack(struct worker *worker)
{
    (void)worker;
    model_fail("no step panics here");
    __builtin_unreachable();
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

int park_check_slow(struct task *of)
{
    (void)of;
    model_fail("nothing is limited here");
    return 0;
}

int task_pay_from(struct task *of, struct quota *quota)
{
    (void)of, (void)quota;
    model_fail("nothing is limited here");
    return 0;
}

void park_abort(struct task *of)
{
    (void)of;
}

bool join_ended(struct task *of)
{
    (void)of;
    return false;
}

static int step(ambit_cx *cx, void *state)
{
    (void)cx, (void)state;
    MUST(stepping == 0);
    stepping++;
    steps++;
    for (int i = 1; i < THREADS; i++) {
        if (atomic_load_explicit(&flags[i], memory_order_relaxed) == 1) {
            seen[i] = true;
        }
    }
    stepping--;
    return ends && seen[2] && seen[3] ? 0 : AMBIT_PENDING;
}

static void exited(struct task_owner *of, struct task_exit *exit)
{
    (void)of, (void)exit;
    ended++;
}

static void setup(void)
{
    kit_begin();
    memset(seen, 0, sizeof seen);
    memset(wakes, 0, sizeof wakes);
    memset(&turns, 0, sizeof turns);
    stepping = steps = ended = 0;
    ends = false;
    for (int i = 0; i < THREADS; i++) {
        atomic_init(&flags[i], 0);
    }
    task_owner_init(&owner, exited);
    MUST(task_make(&kit_runtime, &owner, step, NULL, 0, NULL, true,
                   &task) == 0);
    atomic_init(&task->join_word, 0);
    poll_prepare(task);
    task->listed = false;
    waker = ambit_cx_waker(&task->cx);
    bell_ring(&turns);
}

static void setup_ends(void)
{
    setup();
    ends = true;
}

static void turner(void)
{
    for (;;) {
        bell_wait_idle(&turns);
        task_enter_worker(task, worker_self);
        task_run(worker_self, task);
    }
}

static void wakes_once(void)
{
    unsigned me = explore_self();
    atomic_store_explicit(&flags[me], 1, memory_order_relaxed);
    wakes[me] = ambit_wake(waker);
}

static void wakes_twice(void)
{
    (void)ambit_wake(waker);
    wakes_once();
}

static void all_seen(void)
{
    MUST(seen[2] && seen[3]);
    MUST(steps <= 4);
}

static void one_seen(void)
{
    MUST(seen[2]);
    MUST(steps <= 3);
}

static void ended_or_seen(void)
{
    MUST(seen[2] && seen[3]);
    MUST(ended == 1);
    MUST(ambit_wake(waker) == -ESTALE);
}

static const struct scenario scenarios[] = {
    {"one waker, twice", setup, {turner, wakes_twice}, one_seen, 3, 2},
    {"two wakers", setup, {turner, wakes_once, wakes_once}, all_seen, 2, 1},
    {"two wakers, and the end",
     setup_ends,
     {turner, wakes_once, wakes_once},
     ended_or_seen,
     2,
     1},
    {"turns on two workers",
     setup,
     {turner, wakes_twice, turner},
     one_seen,
     2,
     1},
};

KIT_MAIN(scenarios)
