/* SPDX-License-Identifier: MIT */
/*
 * pick.h -- which task of a worker is next.
 *
 *     new    pinned, fresh    have not begun; the newest first
 *     woken  woken            between two turns; the oldest first
 *     ready  ready            parked with their stack; the oldest first
 *
 * The new and the woken come in batches, and so do the ready ones, in passes, as
 * long as there are both.  Where there is one kind only, it is not held up by what
 * decides between them (worker.queued).
 *
 *   WRK-TURN-1   Between two turns: first come, first served.
 *   WRK-NEW-1    New ones: the newest first, but for one turn in 61.
 *
 * In line in src/enter.c.  Owner: the worker's thread.
 */
#ifndef AMBIT_SRC_PICK_H
#define AMBIT_SRC_PICK_H

#include "src/enter.h"

#define FRESH_AHEAD 12 /* tasks that begin before the one that is fetched */

/* NULL: there is none; a thief that was faster is no reason to leave the rest. */
static NOINLINE struct task *take_oldest(struct deque *deque)
{
    bool again;
    struct task *task;
    do {
        task = deque_steal(deque, &again);
    } while (again);
    return task;
}

/* One of a crowd that was queued long ago is in no cache. */
static inline void fetch_task(const struct task *later)
{
    if (later != NULL) {
        fetch_lines(&later->cx, 2);
    }
}

/* One that has had a turn: with what it waits by, and a state with an await. */
static inline void fetch_woken(const struct task *later)
{
    if (later != NULL) {
        fetch_lines(later, 5);
    }
}

/* In the order in which they asked for another turn: newest first, some would
 * wait for as long as others are woken. */
static inline struct task *take_woken(struct worker *worker)
{
    if (LIKELY((worker->queued & QUEUED_WOKEN) == 0)) {
        return NULL;
    }
    RULE(WRK_TURN_1);
    fetch_woken(deque_behind(&worker->woken, FRESH_AHEAD));
    struct task *task = worker->alone ? deque_take_alone(&worker->woken)
                                      : take_oldest(&worker->woken);
    if (UNLIKELY(task == NULL)) {
        worker->queued &= ~QUEUED_WOKEN;
        return NULL;
    }
    worker->woken_at = deque_height(&worker->fresh);
    worker->woken_runs = true;
    return task;
}

/* The turn of one of them is over, or waits: what it has spawned lies on top. */
static inline void woken_has_run(struct worker *worker)
{
    int64_t from = worker->woken_at;
    int64_t more = deque_height(&worker->fresh) - from;
    worker->woken_runs = false;
    worker->new_next = true;
    if (more > 0) {
        /* What an earlier one has spawned may lie below, where this one's turn was
         * overdue. */
        if (worker->woken_owes == 0 || from < worker->owes_above) {
            worker->owes_above = from;
        }
        worker->woken_owes += (uint32_t)more;
    }
}

/* The oldest of each kind now and then, so that none waits for ever under a
 * stream of newer ones. */
static inline struct task *take_overdue(struct worker *worker)
{
    if (UNLIKELY(++worker->tick == WORKER_FAIR_TICK)) {
        worker->tick = 0;
        RULE(WRK_NEW_1);
        return take_oldest(&worker->fresh);
    }
    if (UNLIKELY(worker->tick == WORKER_FAIR_TICK / 2)) {
        return take_woken(worker);
    }
    return NULL;
}

/* What one of them has spawned in its turn goes before the next of them, as they
 * would otherwise spawn faster than that is run; with other new ones they take
 * turns. */
static inline struct task *take_in_turn(struct worker *worker)
{
    if (LIKELY((worker->queued & QUEUED_WOKEN) == 0)) {
        return NULL;
    }
    if (worker->woken_owes > 0 &&
        deque_height(&worker->fresh) > worker->owes_above) {
        worker->woken_owes--;
        return NULL;
    }
    worker->woken_owes = 0;
    if (worker->new_next) {
        worker->new_next = false;
        return NULL;
    }
    return take_woken(worker);
}

/* Where there are new ones. */
ALWAYS_INLINE static struct task *take_new(struct worker *worker)
{
    struct link *link = queue_pop(&worker->pinned);
    if (link != NULL) {
        return CONTAINER_OF(link, struct task, link);
    }
    struct task *task = NULL;
    if (UNLIKELY(worker->from_outside > 0)) {
        RULE(WRK_INJECT_1);
        worker->from_outside--; /* they have waited for others' turns already */
    } else {
        task = take_overdue(worker);
        if (LIKELY(task == NULL)) {
            task = take_in_turn(worker);
        }
    }
    if (task != NULL) {
        return task;
    }
    fetch_task(deque_ahead(&worker->fresh, FRESH_AHEAD));
    task = worker->alone ? deque_pop_alone(&worker->fresh)
                         : deque_pop(&worker->fresh);
    if (task == NULL) { /* whatever the height says: a thief does not lower it */
        worker->queued &= ~QUEUED_NEW;
        worker->woken_owes = 0;
        task = take_woken(worker);
    }
    return task;
}

ALWAYS_INLINE static struct task *take_fresh(struct worker *worker)
{
    if ((worker->queued & QUEUED_NEW) != 0) {
        return take_new(worker);
    }
    worker->woken_owes = 0; /* a thief has it all, or it has run */
    return take_woken(worker);
}

static inline bool has_fresh(struct worker *worker)
{
    return (worker->queued & (QUEUED_NEW | QUEUED_WOKEN)) != 0;
}

static inline bool is_fresh_turn(struct worker *worker)
{
    return worker->pass_left == 0 && worker->fresh_left > 0 &&
           worker->turn_left > 0;
}

/* The next unstarted one, where it is their turn and there is one. */
ALWAYS_INLINE static struct task *next_fresh_task(struct worker *worker)
{
    if (!is_fresh_turn(worker)) {
        return NULL;
    }
    struct task *task = take_fresh(worker);
    if (task != NULL) {
        worker->fresh_left--;
        worker->turn_left--;
    }
    return task;
}

/* Those that are ready now; who yields meanwhile waits for the next pass. */
static inline void pass_begin(struct worker *worker)
{
    worker->pass_left = WORKER_BATCH;
    worker->queued |= QUEUED_PASS;
    worker->pass_last = worker->ready.last;
}

static inline void pass_end(struct worker *worker)
{
    worker->pass_left = 0;
    worker->queued &= ~QUEUED_PASS;
    worker->fresh_left = WORKER_BATCH;
}

static inline struct task *take_ready(struct worker *worker)
{
    queue_pick(&worker->ready);
    struct link *link = queue_pop(&worker->ready);
    worker->turn_left--;
    fetch_ready(worker->ready.first);
    return CONTAINER_OF(link, struct task, link);
}

static inline struct task *next_ready_task(struct worker *worker)
{
    struct task *task = take_ready(worker);
    worker->pass_left--;
    if (worker->pass_left == 0 || &task->link == worker->pass_last) {
        pass_end(worker);
    }
    return task;
}

static inline bool is_asked_from_outside(struct worker *worker)
{
    /* Both are looked at: one jump instead of two. */
    return ((int)note_queue_seems_empty(&worker->inject) &
            (int)note_queue_seems_empty(&worker->offered)) == 0;
}

static inline bool has_notes(struct worker *worker)
{
    return (worker->queued & QUEUED_NOTES) != 0 ||
           is_asked_from_outside(worker);
}

/* The loop would deliver nothing, and choose no lane. */
static inline bool is_quiet(struct worker *worker)
{
    return (worker->queued & (QUEUED_NOTES | QUEUED_LANES)) == 0 &&
           !is_asked_from_outside(worker);
}

/* Notes do not wait for more than the batch that was begun. */
static inline bool turn_is_over(struct worker *worker)
{
    return worker->turn_left < WORKER_TURN && worker->pass_left == 0 &&
           worker->fresh_left == WORKER_BATCH && has_notes(worker);
}

#endif
