/* SPDX-License-Identifier: MIT */
/*
 * lane.c -- which of the ready tasks goes first.
 *
 *   WRK-LANE-1  Cancelled, by deadline, normal, low, lowest.
 *   WRK-LANE-2  No lane waits for more than LANE_WAIT_MAX tasks of others.
 *   WRK-LANE-4  Of low priority: new ones and ready ones take turns.
 *   WRK-LANE-5  NULL means that no lane has a task.
 *
 * Owner: the worker's thread.
 */
#include "src/lane.h"

#include "src/enter.h"

#include <stdlib.h>

#define TIMED_ROOM_FIRST 64

int lanes_init(struct lanes *lanes)
{
    for (unsigned i = 0; i < LANES_LOW; i++) {
        int rc = deque_init(&lanes->low_fresh[i]);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

void lanes_fini(struct lanes *lanes)
{
    ASSERT(lanes->waiting == 0);
    for (unsigned i = 0; i < LANES_LOW; i++) {
        deque_fini(&lanes->low_fresh[i]);
    }
    free(lanes->timed);
    lanes->timed = NULL;
}

static bool comes_before(const struct lane_entry *a, const struct lane_entry *b)
{
    return a->due_ns < b->due_ns ||
           (a->due_ns == b->due_ns && a->turn < b->turn);
}

static bool timed_grow(struct lanes *lanes)
{
    size_t room = lanes->timed_room ? lanes->timed_room * 2 : TIMED_ROOM_FIRST;
    struct lane_entry *timed =
        realloc(lanes->timed, room * sizeof *lanes->timed);
    if (timed == NULL) {
        return false;
    }
    lanes->timed = timed;
    lanes->timed_room = room;
    return true;
}

static bool timed_push(struct lanes *lanes, struct task *task, int64_t due_ns)
{
    if (lanes->timed_len == lanes->timed_room && !timed_grow(lanes)) {
        return false;
    }
    struct lane_entry entry = {due_ns, lanes->turn++, task};
    size_t at = lanes->timed_len++;
    while (at > 0 && comes_before(&entry, &lanes->timed[(at - 1) / 2])) {
        lanes->timed[at] = lanes->timed[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    lanes->timed[at] = entry;
    return true;
}

static struct task *timed_pop(struct lanes *lanes)
{
    struct lane_entry *timed = lanes->timed;
    struct task *first = timed[0].task;
    struct lane_entry last = timed[--lanes->timed_len];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < lanes->timed_len &&
            comes_before(&timed[child + 1], &timed[child])) {
            child++;
        }
        if (child >= lanes->timed_len || comes_before(&last, &timed[child])) {
            break;
        }
        timed[at] = timed[child];
        at = child;
    }
    timed[at] = last;
    return first;
}

static unsigned low_index(uint32_t flags)
{
    return OWNER_PRIORITY_OF(flags) - AMBIT_PRIORITY_LOW;
}

void lane_push(struct worker *worker, struct task *task, uint32_t flags)
{
    struct lanes *lanes = &worker->lanes;
    if ((flags & OWNER_CANCELLED) != 0) {
        queue_push(&lanes->cancelled, &task->link);
    } else if ((flags & OWNER_TIMED) != 0) {
        /* ORDER(due): relaxed.  A hint; pairs with owner_is_due(). */
        int64_t due_ns = atomic_load_explicit(&task->scope->due_ns,
                                              memory_order_relaxed);
        if (!timed_push(lanes, task, due_ns)) {
            /* No memory for its place: one of the normal ones. */
            queue_push(&worker->ready, &task->link);
            return;
        }
    } else {
        queue_push(&lanes->low[low_index(flags)], &task->link);
    }
    lanes->waiting++;
    worker->queued |= QUEUED_LANES;
}

void lane_push_fresh(struct worker *worker, struct task *task, uint32_t flags)
{
    struct lanes *lanes = &worker->lanes;
    unsigned i = low_index(flags);
    worker->queued |= QUEUED_LANES;
    /* ORDER(any-low): relaxed.  The fence in idle_alert() follows; pairs with
     * the load in low_len(). */
    atomic_store_explicit(&lanes->any_low, true, memory_order_relaxed);
    if (task->pinned || deque_push(&lanes->low_fresh[i], task) < 0) {
        queue_push(&lanes->low[i], &task->link);
        lanes->waiting++;
    }
}

static bool lane_has_any(struct worker *worker, unsigned lane)
{
    struct lanes *lanes = &worker->lanes;
    switch (lane) {
    case LANE_CANCELLED:
        return lanes->cancelled.first != NULL;
    case LANE_TIMED:
        return lanes->timed_len > 0;
    case LANE_NORMAL:
        return worker->ready.first != NULL;
    default:
        return lanes->low[lane - LANE_LOW].first != NULL ||
               deque_len(&lanes->low_fresh[lane - LANE_LOW]) > 0;
    }
}

/* The lane that was passed over most often, if that was often enough; else the
 * first that has a task.  LANES: none has. */
static unsigned choose(struct worker *worker)
{
    uint8_t *passed = worker->lanes.passed;
    unsigned chosen = LANES;
    unsigned most = LANE_PATIENCE - 1;
    for (unsigned lane = 0; lane < LANES; lane++) {
        if (!lane_has_any(worker, lane)) {
            passed[lane] = 0;
        } else if (passed[lane] > most) {
            RULE(WRK_LANE_2);
            most = passed[lane];
            chosen = lane;
        } else {
            chosen = chosen == LANES ? lane : chosen;
            passed[lane]++;
        }
    }
    return chosen;
}

static struct task *pop_queue(struct task_queue *queue)
{
    queue_pick(queue);
    struct link *link = queue_pop(queue);
    return CONTAINER_OF(link, struct task, link);
}

/* The oldest unstarted one, if it is their turn or there is nobody else; NULL as
 * well where a thief was quicker. */
static struct task *pop_low_fresh(struct lanes *lanes, unsigned i, bool alone)
{
    bool again;
    struct task *task = NULL;
    if (alone || lanes->new_next[i]) {
        RULE(WRK_LANE_4);
        task = deque_steal(&lanes->low_fresh[i], &again);
    }
    lanes->new_next[i] = task == NULL;
    return task;
}

/* Ready ones and unstarted ones by turns.  NULL: a thief was quicker. */
static struct task *pop_low(struct lanes *lanes, unsigned i, bool *ret_begun)
{
    bool alone = lanes->low[i].first == NULL;
    struct task *task = pop_low_fresh(lanes, i, alone);
    *ret_begun = false;
    if (task == NULL && !alone) {
        lanes->waiting--;
        task = pop_queue(&lanes->low[i]);
        *ret_begun = !task_is_at_large(task); /* else without a stack */
    }
    return task;
}

static struct task *pop(struct worker *worker, unsigned lane, bool *ret_begun)
{
    struct lanes *lanes = &worker->lanes;
    RULE(WRK_LANE_1);
    lanes->passed[lane] = 0;
    *ret_begun = true;
    switch (lane) {
    case LANE_CANCELLED: {
        lanes->waiting--;
        struct task *task = pop_queue(&lanes->cancelled);
        fetch_ready(lanes->cancelled.first);
        return task;
    }
    case LANE_TIMED:
        lanes->waiting--;
        return timed_pop(lanes);
    case LANE_NORMAL:
        return pop_queue(&worker->ready);
    default:
        return pop_low(lanes, lane - LANE_LOW, ret_begun);
    }
}

/* A round in which a thief was quicker counts as a turn of that lane, whose task has
 * begun elsewhere.  There are no more such rounds than tasks. */
struct task *lane_pop(struct worker *worker, bool *ret_begun)
{
    struct task *task = NULL;
    unsigned lane;
    while (task == NULL && (lane = choose(worker)) != LANES) {
        task = pop(worker, lane, ret_begun);
        RULE(WRK_LANE_5); /* NULL: a thief was quicker */
    }
    return task;
}
