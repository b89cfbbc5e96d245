/* SPDX-License-Identifier: MIT */
/*
 * join.c -- how the result of a task reaches the one who waits for it.
 *
 * The join_word of a joinable task holds its generation and a state:
 *
 *   LIVE --join--> CLAIMED --join--> WAITED --exit--> TAKEN
 *     |   <------- abort of the wait ---'
 *     '--exit--> ENDED --join or region close--> TAKEN
 *
 * Whoever moves it to TAKEN owns the record; the generation then moves on, so
 * every other handle is stale.
 *
 *   TASK-JOIN-1  A result is handed out exactly once.
 */
#include "src/task.h"

#include "src/await.h"
#include "src/runtime.h"
#include "src/worker.h"

enum {
    JOIN_NONE,
    JOIN_LIVE,
    JOIN_CLAIMED,
    JOIN_WAITED,
    JOIN_ENDED,
    JOIN_STATES = 8,
};

static bool join_move(struct task *task, uint64_t generation, unsigned from,
                      unsigned to)
{
    uint64_t expected = generation * JOIN_STATES + from;
    /* ORDER(join): acq_rel.  Pairs with itself at the other end of the
     * hand-over: the result is written before ENDED, the joiner before
     * WAITED. */
    return atomic_compare_exchange_strong_explicit(
        &task->join_word, &expected, generation * JOIN_STATES + to,
        memory_order_acq_rel, memory_order_acquire);
}

static uint64_t join_load(struct task *task)
{
    /* ORDER(join): acquire.  Pairs with the moves above. */
    return atomic_load_explicit(&task->join_word, memory_order_acquire);
}

/* The record is the caller's now; every handle becomes stale. */
static void join_retire(struct task *task, uint64_t generation)
{
    /* ORDER(join): release.  Pairs with join_load() of a stale handle. */
    atomic_store_explicit(&task->join_word,
                          (generation + 1) * JOIN_STATES + JOIN_NONE,
                          memory_order_release);
}

ambit_task join_handle(struct task *task)
{
    uint64_t word = join_load(task);
    ASSERT(word % JOIN_STATES == JOIN_NONE);
    /* ORDER(join): relaxed.  It is nobody else's yet: a handle from before looks
     * at the generation and leaves it alone. */
    atomic_store_explicit(&task->join_word, word + JOIN_LIVE,
                          memory_order_relaxed);
    task->joinable = true;
    return (ambit_task){task, word / JOIN_STATES};
}

static int join_result(const struct task *task)
{
    return task->end == TASK_PANICKED ? -EOWNERDEAD : task->result;
}

void join_void(struct task *task)
{
    if (task->joinable) {
        join_retire(task, join_load(task) / JOIN_STATES);
    }
}

/* While it is in the list a region close can find it. */
static void join_keep(struct task *task)
{
    spin_lock(&task->owner->lock);
    list_push_back(&task->owner->ended, &task->sibling);
    spin_unlock(&task->owner->lock);
}

static void join_unkeep(struct task *task)
{
    spin_lock(&task->owner->lock);
    list_remove(&task->sibling);
    spin_unlock(&task->owner->lock);
}

bool join_ended(struct task *task)
{
    uint64_t generation = join_load(task) / JOIN_STATES;
    for (;;) {
        join_keep(task);
        if (join_move(task, generation, JOIN_LIVE, JOIN_ENDED)) {
            return true;
        }
        join_unkeep(task);
        if (join_move(task, generation, JOIN_WAITED, JOIN_NONE)) {
            RULE(TASK_JOIN_1);
            join_retire(task, generation);
            who_wake(task->joiner, (int64_t)(uint32_t)join_result(task));
            return false;
        }
        sched_yield(); /* CLAIMED: a few instructions of the joiner */
    }
}

bool join_reap(struct task *task)
{
    uint64_t generation = join_load(task) / JOIN_STATES;
    if (!join_move(task, generation, JOIN_ENDED, JOIN_NONE)) {
        return false;
    }
    join_retire(task, generation);
    return true;
}

static enum park_answer join_abort(struct task *joiner, void *arg)
{
    (void)joiner;
    ambit_task *handle = arg;
    RULE(TASK_JOIN_4);
    return join_move(handle->slot, handle->generation, JOIN_WAITED, JOIN_LIVE)
               ? PARK_ABORTED
               : PARK_BUSY;
}

/* Takes an ended task's record. */
ALWAYS_INLINE static int join_take(struct task *task, uint64_t generation,
                                   int *ret_result)
{
    if (!join_move(task, generation, JOIN_ENDED, JOIN_NONE)) {
        return -ESTALE;
    }
    RULE(TASK_JOIN_1);
    *ret_result = join_result(task);
    join_unkeep(task);
    join_retire(task, generation);
    task_free(task);
    return 0;
}

enum { JOIN_WAITS = 1 };

/* JOIN_WAITS: the task's end will wake `who` with the result. */
static int join_wait(struct task *task, uint64_t generation, struct who *who)
{
    task->joiner = who;
    bool moved = join_move(task, generation, JOIN_CLAIMED, JOIN_WAITED);
    ASSERT(moved);
    return JOIN_WAITS;
}

/* 0 and the result; JOIN_WAITS; or what the call answers. */
ALWAYS_INLINE static int join_begin(struct task *self, struct who *who,
                                    ambit_task handle, int *ret_result)
{
    struct task *task = handle.slot;
    int rc = park_check(self);
    if (rc < 0) {
        return rc;
    }
    if (task == NULL) {
        return -ESTALE;
    }
    if (task == self && self->joinable &&
        join_load(self) / JOIN_STATES == handle.generation) {
        RULE(TASK_JOIN_3);
        return -EDEADLK;
    }
    for (;;) {
        uint64_t word = join_load(task);
        if (word / JOIN_STATES != handle.generation) {
            RULE(TASK_JOIN_2);
            return -ESTALE;
        }
        switch (word % JOIN_STATES) {
        case JOIN_LIVE:
            if (join_move(task, handle.generation, JOIN_LIVE, JOIN_CLAIMED)) {
                return join_wait(task, handle.generation, who);
            }
            break;
        case JOIN_ENDED:
            return join_take(task, handle.generation, ret_result);
        case JOIN_NONE:
            return -ESTALE;
        default:
            return -EBUSY;
        }
    }
}

int ambit_join(ambit_cx *cx, ambit_task handle, int *ret_result)
{
    struct task *self = task_of(cx);
    int rc = join_begin(self, who_parks(self), handle, ret_result);
    if (rc != JOIN_WAITS) {
        return rc;
    }
    int64_t got = park(self, PARK_JOIN, join_abort, &handle);
    if (got < 0) {
        return (int)got;
    }
    *ret_result = (int)(uint32_t)got;
    return 0;
}

static enum await_off join_call_off(struct await *await)
{
    ambit_task *handle = AWAIT_KEPT(ambit_task, await);
    RULE(AWAIT_JOIN_1);
    if (join_move(handle->slot, handle->generation, JOIN_WAITED, JOIN_LIVE)) {
        return AWAIT_OFF;
    }
    await_until_said(await);
    return AWAIT_OVER;
}

static const struct await_kind in_join = {.call_off = join_call_off};

int ambit_await_join(ambit_cx *cx, struct ambit_await *wait, ambit_task handle,
                     int *ret_result)
{
    struct task *self = task_of(cx);
    struct await *await = await_of(wait);
    int64_t said;
    switch (await_look(self, await, &said)) {
    case AWAIT_ANSWER:
        return (int)said;
    case AWAIT_SAID:
        *ret_result = (int)(uint32_t)said;
        return 0;
    case AWAIT_IDLE:
        break;
    }
    await_begin(await, self, &in_join);
    *AWAIT_KEPT(ambit_task, await) = handle;
    int rc = join_begin(self, who_awaits(await), handle, ret_result);
    if (rc != JOIN_WAITS) {
        await_end(await);
        return rc;
    }
    return AMBIT_PENDING;
}
