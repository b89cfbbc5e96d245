/* SPDX-License-Identifier: MIT */
/*
 * worker.c -- the loop; it asks others for every step.
 *
 * Owner: the worker's thread, but for worker_post().
 */
#include "src/enter.h"

#include "src/overflow.h"
#include "src/runtime.h"
#include "src/steal.h"
#include "src/task.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TICKS_APART 20000 /* 5 to 20 us */

__thread struct worker *worker_self
    __attribute__((tls_model("initial-exec")));

static uint32_t flags_of(struct task_owner *owner)
{
    /* ORDER(cancel): relaxed.  A task that is woken by the cancel is in its
     * lane; the rest is written before the owner's tasks begin, or a hint. */
    return atomic_load_explicit(&owner->flags, memory_order_relaxed);
}

static inline void push_ready(struct worker *worker, struct task *task,
                              uint32_t flags)
{
    CHECK(task_worker(task) == worker);
    if (LIKELY((flags & OWNER_LANED) == 0)) {
        queue_push(&worker->ready, &task->link);
    } else {
        lane_push(worker, task, flags);
    }
}

HOT_PATH void worker_ready(struct worker *worker, struct task *task)
{
    push_ready(worker, task, flags_of(task->scope));
}

HOT_PATH void worker_yields(struct worker *worker, struct task *task)
{
    push_ready(worker, task, flags_of(task->scope) & OWNER_PRIORITY);
}

static inline void alert_thieves(struct worker *worker)
{
    if (steal_is_allowed(worker)) {
        idle_alert(worker->runtime);
    }
}

/* One that no thief may take, or not before others. */
static NOINLINE void fresh_apart(struct worker *worker, struct task *task,
                                 bool alert)
{
    uint32_t flags = flags_of(task->owner);
    bool pinned = task->pinned; /* once queued, a thief may have ended it */
    if ((flags & OWNER_PRIORITY) != 0) {
        lane_push_fresh(worker, task, flags);
    } else {
        RULE(TASK_SPAWN_4);
        queue_push(&worker->pinned, &task->link);
        worker->queued |= QUEUED_NEW;
    }
    if (alert && !pinned) {
        alert_thieves(worker);
    }
}

/* Of those between two turns, it is the last. */
static inline int push_woken(struct worker *worker, struct task *task)
{
    worker->queued |= QUEUED_WOKEN;
    return deque_push(&worker->woken, task);
}

static inline int push_fresh(struct worker *worker, struct task *task)
{
    worker->queued |= QUEUED_NEW;
    return deque_push(&worker->fresh, task);
}

void worker_fresh(struct worker *worker, struct task *task, bool alert)
{
    uint32_t flags = flags_of(task->owner);
    bool apart = task->pinned || (flags & OWNER_PRIORITY) != 0;
    /* A cancel that wakes a crowd has just touched them all: the last one is
     * still in the cache. */
    bool in_order = task->begun && (flags & OWNER_CANCELLED) == 0;
    /* A deque that cannot grow is no reason to lose a task. */
    if (UNLIKELY(apart) || UNLIKELY((in_order ? push_woken(worker, task)
                                              : push_fresh(worker, task)) < 0)) {
        fresh_apart(worker, task, alert);
    } else if (alert) {
        alert_thieves(worker);
    }
}

ALWAYS_INLINE void worker_wakes(struct worker *worker, struct task *task)
{
    uint32_t apart = OWNER_PRIORITY | OWNER_CANCELLED;
    if (UNLIKELY(!task->begun || task->pinned ||
                 (flags_of(task->owner) & apart) != 0 ||
                 push_woken(worker, task) < 0)) {
        worker_fresh(worker, task, false);
    }
}

ALWAYS_INLINE void worker_spawns(struct worker *worker, struct task *task)
{
    if (UNLIKELY(push_fresh(worker, task) < 0)) {
        fresh_apart(worker, task, true);
    } else {
        alert_thieves(worker);
    }
}

void worker_post_task(struct worker *worker, struct link *link,
                      enum note_kind kind)
{
    if (worker == worker_self) {
        link->next = worker->notes_local;
        worker->notes_local = note_mark(link, kind);
        worker->queued |= QUEUED_NOTES;
        return;
    }
    if (note_put(&worker->inject, link, kind)) {
        idle_wake(worker);
    }
}

void worker_post(struct worker *worker, struct note *note)
{
    worker_post_task(worker, &note->link, NOTE_CALLS);
}

void worker_offer(struct worker *worker, struct task *task)
{
    if (note_put(&worker->offered, &task->link, NOTE_STARTS) &&
        !idle_wake(worker)) {
        RULE(TASK_PLACE_3);
        idle_alert(worker->runtime);
    }
}

/* Most notes are about a task: its links are in the first of its lines. */
static inline void fetch_note(struct link *marked)
{
    if (marked != NULL) {
        struct link *link = note_link(marked);
        fetch_lines(link, 2);
        __builtin_prefetch(link->next);
    }
}

void worker_deliver(struct worker *worker, struct link *marked)
{
    struct link *link = note_link(marked);
    switch (note_kind(marked)) {
    case NOTE_CALLS: {
        struct note *note = CONTAINER_OF(link, struct note, link);
        note->deliver(worker, note);
        return;
    }
    case NOTE_WAKES:
        worker_ready(worker, CONTAINER_OF(link, struct task, link));
        return;
    case NOTE_STARTS:
        worker_fresh(worker, CONTAINER_OF(link, struct task, link), false);
        return;
    case NOTE_ABORTS:
        task_abort(worker, CONTAINER_OF(link, struct task, abort_link));
        return;
    }
}

static void deliver_all(struct worker *worker, struct link *marked)
{
    while (marked != NULL) {
        struct link *next = note_link(marked)->next;
        fetch_note(next);
        worker_deliver(worker, marked);
        marked = next;
    }
}

static bool deliver_notes(struct worker *worker)
{
    struct link *local = worker->notes_local;
    struct link *injected = note_take(&worker->inject);
    struct link *offered = note_take(&worker->offered);
    worker->notes_local = NULL;
    deliver_all(worker, injected);
    deliver_all(worker, note_reverse(local));
    int64_t height = deque_height(&worker->fresh);
    deliver_all(worker, offered);
    worker->from_outside = deque_height(&worker->fresh) - height;
    return local != NULL || injected != NULL || offered != NULL;
}

/* As it is. */
static uint32_t what_is_queued(struct worker *worker)
{
    bool new = worker->pinned.first != NULL || !deque_is_empty(&worker->fresh);
    return (new ? QUEUED_NEW : 0) |
           (deque_is_empty(&worker->woken) ? 0 : QUEUED_WOKEN) |
           (worker->notes_local == NULL ? 0 : QUEUED_NOTES) |
           (lanes_are_quiet(&worker->lanes) ? 0 : QUEUED_LANES) |
           (worker->pass_left == 0 ? 0 : QUEUED_PASS);
}

/* Nothing but ready tasks wants the worker just now. */
static bool only_ready(struct worker *worker)
{
    return worker->pinned.first == NULL && worker->notes_local == NULL &&
           note_queue_seems_empty(&worker->inject) &&
           note_queue_seems_empty(&worker->offered) &&
           deque_is_empty(&worker->fresh) && deque_is_empty(&worker->woken);
}

/* The clock costs more than a switch: it is read when the cpu's own counter has
 * moved enough for a timer to be late by some microseconds. */
static bool time_has_passed(struct worker *worker)
{
#if defined(__x86_64__)
    uint64_t ticks = __builtin_ia32_rdtsc();
    if (ticks - worker->ticks_seen < TICKS_APART) {
        return false;
    }
    worker->ticks_seen = ticks;
#else
    (void)worker;
#endif
    return true;
}

static size_t run_timers(struct worker *worker)
{
    return worker->timers.armed == 0 || !time_has_passed(worker)
               ? 0
               : timer_fire(&worker->timers, clock_now_ns());
}

/* As many as wait in lanes, and one of the normal ones; more while nothing else
 * wants the worker. */
static unsigned run_lanes(struct worker *worker)
{
    size_t owed = worker->lanes.waiting + 1;
    unsigned most = worker->turn_left < WORKER_BATCH ? worker->turn_left
                                                     : WORKER_BATCH;
    unsigned ran = 0;
    bool begun;
    struct task *task;
    while (!lanes_are_quiet(&worker->lanes) && ran < most &&
           (ran < owed || only_ready(worker)) &&
           (task = lane_pop(worker, &begun)) != NULL) {
        ran++;
        if (begun) {
            worker_go_on(worker, task);
        } else {
            worker_begin(worker, task);
        }
    }
    return ran;
}

/* Fresh tasks come right after the notes: so a task from outside, delivered
 * last, lies on top of what the ready ones spawn in their turns. */
static bool worker_turn(struct worker *worker)
{
    bool busy = deliver_notes(worker);
    uint32_t queued = what_is_queued(worker);
    CHECK((queued & ~worker->queued) == 0);
    worker->queued = queued;
    worker_run_batches(worker, busy);
    busy |= worker->turn_left < WORKER_TURN;
    if (UNLIKELY(!lanes_are_quiet(&worker->lanes))) {
        busy |= run_lanes(worker) > 0;
    }
    busy |= run_timers(worker) > 0;
    busy |= driver_poll(worker->driver) > 0;
    return busy;
}

static bool worker_is_stopping(struct worker *worker)
{
    /* ORDER(stop): acquire.  Pairs with the release in runtime_finish(). */
    return atomic_load_explicit(&worker->runtime->stopping,
                                memory_order_acquire);
}

void worker_loop(struct worker *worker)
{
    worker->error = &errno;
    while (!worker_is_stopping(worker)) {
        if (!worker_turn(worker) && !idle_steal(worker)) {
            idle_wait(worker);
        }
    }
    while (worker_turn(worker)) {
        /* Notes about tasks that have ended are still owed their delivery. */
    }
}

void worker_timer_arm(struct timer *timer, int64_t when_ns)
{
    timer_arm(&worker_self->timers, timer, when_ns);
}

bool worker_timer_disarm(struct timer *timer)
{
    return timer_disarm(&worker_self->timers, timer);
}

int worker_create(struct worker **ret_worker, struct runtime *runtime,
                  unsigned index)
{
    struct worker *worker = aligned_alloc(CACHE_LINE, sizeof *worker);
    if (worker == NULL) {
        return -ENOMEM;
    }
    memset(worker, 0, sizeof *worker);
    worker->runtime = runtime;
    worker->index = index;
    worker->bell = eventfd(0, EFD_CLOEXEC);
    if (worker->bell < 0) {
        int rc = -errno;
        free(worker);
        return rc;
    }
    *ret_worker = worker;
    return 0;
}

void worker_destroy(struct worker *worker)
{
    close(worker->bell);
    free(worker);
}

int worker_init(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;
    memset(&worker->thread, 0,
           sizeof *worker - offsetof(struct worker, thread));
    worker->random = worker->index * 2654435769u + 1;
    worker->spin_ns = runtime->options.spin.ns;
    worker->alone = runtime->worker_count == 1;
    note_queue_init(&worker->inject);
    note_queue_init(&worker->offered);
    timer_heap_init(&worker->timers);
    slab_cache_init(&worker->slab, runtime->depot);
    int rc = deque_init(&worker->fresh);
    if (rc == 0) {
        rc = deque_init(&worker->woken);
    }
    if (rc == 0) {
        rc = lanes_init(&worker->lanes);
    }
    if (rc == 0) {
        rc = stack_arena_init(&worker->stacks, runtime->options.stack_size,
                              runtime->options.stacks_max);
    }
    if (rc < 0) {
        lanes_fini(&worker->lanes);
        deque_fini(&worker->woken);
        deque_fini(&worker->fresh);
        return rc;
    }
    stack_arena_share(&worker->stacks, runtime->worker_count);
    /* Free stacks stay warm while there is work; worker_cool() gives them back. */
    worker->stacks.hot_max = SIZE_MAX;
    return 0;
}

void worker_fini(struct worker *worker)
{
    ASSERT(worker->ready.first == NULL);
    ASSERT(worker->pinned.first == NULL);
    ASSERT(worker->timers.armed == 0);
    ASSERT(stack_lent(&worker->stacks) == 0);
    stack_arena_fini(&worker->stacks);
    lanes_fini(&worker->lanes);
    deque_fini(&worker->woken);
    deque_fini(&worker->fresh);
    slab_cache_fini(&worker->slab);
}
