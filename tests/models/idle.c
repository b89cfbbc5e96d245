/* SPDX-License-Identifier: MIT */
/*
 * idle.c -- src/idle.c, src/steal.c, src/note.h, src/deque.c: no work waits for
 * a sleeper.
 *
 * A worker takes its notes, runs what is queued, looks at the others, and
 * sleeps on a bell instead of in the kernel.  One that pushes tasks computes
 * afterwards and takes none itself.
 *
 * With: src/idle.c src/steal.c src/worker.c src/lane.c src/deque.c
 * Fault: src/idle.c /^static void idle_sleep/,/^}/s/!worker_is_due(worker) && //
 * Fault: src/idle.c /^void idle_alert/,/^}/s/atomic_thread_fence(memory_order_seq_cst);//
 * Fault: src/idle.c /^static void idle_sleep/,/^}/s/ && !could_steal(worker)//
 * Fault: src/note.h s/return top == NULL;/return top != NULL;/
 */
#define KIT_REAL_WORKER
#include "tests/models/kit.h"

#define TASKS 2

static struct bell bells[THREADS];
static struct task tasks[TASKS];
static struct task_owner owner;
static int ran[TASKS];
static struct note notes[THREADS];
static int delivered[THREADS];

/* --- the rooms around it -------------------------------------------------- */

static unsigned wait(struct driver *driver, int64_t until_ns)
{
    (void)driver, (void)until_ns;
    bell_wait_idle(&bells[worker_self->index]);
    return 1;
}

static bool is_due(struct driver *driver)
{
    (void)driver;
    return false;
}

void driver_ring_bell(struct worker *target)
{
    bell_ring(&bells[target->index]);
}

static void wake(struct driver *from, struct worker *target)
{
    (void)from;
    driver_ring_bell(target);
}

static const struct driver_way way = {
    .wait = wait,
    .is_due = is_due,
    .wake = wake,
};
static struct driver driver = {&way};

int64_t worker_cool(struct worker *worker)
{
    (void)worker;
    return INT64_MAX;
}

int64_t timer_next(struct timer_heap *heap)
{
    (void)heap;
    return INT64_MAX;
}

int64_t timer_wake(struct timer_heap *heap)
{
    return timer_next(heap);
}

int64_t clock_now_ns(void)
{
    return 0;
}

void fetch_crowd(const struct link *first)
{
    (void)first;
}

void task_abort(struct worker *worker, struct task *task)
{
    (void)worker, (void)task;
    model_fail("nothing is cancelled here");
}

static void deliver(struct worker *worker, struct note *note)
{
    (void)worker;
    delivered[note - notes]++;
}

/* --- set up --------------------------------------------------------------- */

/* Worker i is thread i + 1. */
static void begin(unsigned count)
{
    kit_begin();
    memset(bells, 0, sizeof bells);
    memset(ran, 0, sizeof ran);
    memset(delivered, 0, sizeof delivered);
    kit_runtime.worker_count = count;
    kit_runtime.options.steal_probes = UINT32_MAX;
    kit_runtime.options.steal_batch = UINT32_MAX;
    kit_runtime.options.steal_budget = UINT32_MAX;
    for (unsigned i = 0; i < TASKS; i++) {
        tasks[i].owner = &owner;
    }
    atomic_init(&kit_runtime.sleeping, 0);
    atomic_init(&kit_runtime.searching, 0);
    atomic_init(&kit_runtime.stopping, false);
    for (unsigned i = 0; i < THREADS - 1; i++) {
        struct worker *worker = &kit_workers[i + 1];
        kit_runtime.workers[i] = worker;
        worker->index = i;
        worker->driver = &driver;
        worker->searching = false;
        worker->random = 1;
        note_queue_init(&worker->inject);
        note_queue_init(&worker->offered);
        MUST(deque_init(&worker->fresh) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        notes[i].deliver = deliver;
    }
}

static void begin_1(void)
{
    begin(1);
}

static void begin_2(void)
{
    begin(2);
}

static void begin_3(void)
{
    begin(3);
}

/* --- threads -------------------------------------------------------------- */

static void take_notes(void)
{
    struct link *marked = note_take(&worker_self->inject);
    while (marked != NULL) {
        struct link *next = note_link(marked)->next;
        worker_deliver(worker_self, marked);
        marked = next;
    }
}

/* The loop; true when it has got a task. */
static bool work(void)
{
    take_notes();
    struct task *task = deque_pop(&worker_self->fresh);
    if (task != NULL) {
        ran[task - tasks]++;
        return true;
    }
    if (!idle_steal(worker_self)) {
        idle_wait(worker_self);
    }
    return false;
}

static void works_on(void)
{
    for (;;) {
        (void)work();
    }
}

/* Computes for ever with the first task it gets. */
static void works_once(void)
{
    while (!work()) {
    }
}

static void posts(void)
{
    worker_post(kit_runtime.workers[0], &notes[explore_self()]);
}

static void pushes(void)
{
    worker_fresh(worker_self, &tasks[0], true);
}

static void pushes_two(void)
{
    worker_fresh(worker_self, &tasks[0], true);
    worker_fresh(worker_self, &tasks[1], true);
}

/* --- what must hold ------------------------------------------------------- */

static void one_note(void)
{
    MUST(delivered[2] == 1);
}

static void two_notes(void)
{
    MUST(delivered[2] == 1 && delivered[3] == 1);
}

static void one_ran(void)
{
    MUST(ran[0] == 1);
}

static void both_ran(void)
{
    MUST(ran[0] == 1 && ran[1] == 1);
}

static const struct scenario scenarios[] = {
    {"a note to one who falls asleep",
     begin_1,
     {works_on, posts},
     one_note,
     4,
     3},
    {"two notes", begin_1, {works_on, posts, posts}, two_notes, 2, 1},
    {"a task for one who falls asleep",
     begin_2,
     {pushes, works_once},
     one_ran,
     4,
     2},
    {"two tasks for two",
     begin_3,
     {pushes_two, works_once, works_once},
     both_ran,
     2,
     1},
};

KIT_MAIN(scenarios)
