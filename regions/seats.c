/* SPDX-License-Identifier: MIT */
/*
 * seats.c -- places in a region, taken and given back by the lot.
 *
 * Each task that enters or leaves a region would write the region's word, and
 * workers that spawn and run its tasks would meet there.  So who spawns a second
 * time in one go takes SEATS_LOT places at once, and what ends leaves its place
 * to the next one that is spawned:
 *
 *     word --second spawn: SEATS_LOT--> seats --spawn--> a task
 *      ^                                 |  ^              |
 *      '---------- go home --------------'  '---- end -----'
 *
 * Seats count as tasks in the word, so the region cannot close around them.
 * That costs nobody time: they are of the worker only as long as a task of the
 * region, or its opener, runs there without a wait.
 *
 *   REG-ADMIT-3  Places in hand are home before that task waits or yields,
 *                before a task of another region begins there, and before the
 *                region closes.  Who has a limit of tasks takes none.
 *
 * Owner: the worker's thread.
 */
#include "regions/region.h"

#include "src/seats.h"

#define SEATS_LOT 32

static void give_back(struct worker_seats *seats)
{
    uint32_t left = seats_left(seats);
    RULE(REG_ADMIT_3);
    seats_set_left(seats, 0);
    region_leave(region_of_owner(seats_owner(seats)), left * REGION_TASK);
}

/* From now on they are of this region. */
static void change_to(struct worker_seats *seats, struct region *region)
{
    if (seats_left(seats) > 0) {
        give_back(seats);
    }
    seats->go_home = give_back;
    /* ORDER(seats): relaxed.  As in seats_set_left(); pairs with seats_owner(). */
    atomic_store_explicit(&seats->owner, &region->owner, memory_order_relaxed);
}

/* With a limit each place is counted where the limit is. */
void seats_open(struct region *region)
{
    if (region->owner.quota != NULL ||
        region->tasks_max != REGION_TASKS_MAX) {
        return;
    }
    /* ORDER(cancel): relaxed.  The region is not open yet. */
    uint32_t flags =
        atomic_load_explicit(&region->owner.flags, memory_order_relaxed);
    /* ORDER(cancel): relaxed.  As above. */
    atomic_store_explicit(&region->owner.flags, flags | OWNER_SEATED,
                          memory_order_relaxed);
}

static bool may_have(struct region *region)
{
    /* ORDER(cancel): relaxed.  Written before the region was open. */
    return (atomic_load_explicit(&region->owner.flags, memory_order_relaxed) &
            OWNER_SEATED) != 0;
}

/* The region cannot become empty while this task runs. */
static bool is_of(const struct task *task, const struct region *region)
{
    return task != NULL &&
           (task->owner == &region->owner || task->scope == &region->owner);
}

bool seats_take(struct region *region)
{
    struct worker *worker = worker_self;
    if (worker == NULL || worker->ending != NULL ||
        !is_of(worker->current, region) || !may_have(region)) {
        return false;
    }
    if (seats_owner(&worker->seats) != &region->owner) {
        change_to(&worker->seats, region); /* one by one, the first time */
        return false;
    }
    if (word_enter(&region->word, SEATS_LOT * REGION_TASK,
                   region->tasks_max) != WORD_ENTERED) {
        return false;
    }
    seats_set_left(&worker->seats, SEATS_LOT - 1);
    return true;
}

bool seats_come(struct region *region, const void *who)
{
    struct worker *worker = worker_self;
    if (worker == NULL || worker->current != who || !may_have(region)) {
        return false;
    }
    if (seats_owner(&worker->seats) != &region->owner) {
        change_to(&worker->seats, region);
    }
    return seats_keep(worker, &region->owner);
}

void seats_go_home(struct region *region)
{
    struct worker_seats *seats = &worker_self->seats;
    if (seats_owner(seats) == &region->owner && seats_left(seats) > 0) {
        give_back(seats);
    }
}

bool seats_no_tasks(struct region *region)
{
    seats_go_home(region);
    return REGION_TASKS(word_load(&region->word)) == 0;
}

/* What a worker has in hand of the region. */
static uint32_t in_hand(struct worker *worker, struct region *region)
{
    struct worker_seats *seats = &worker->seats;
    /* ORDER(seats): acquire.  So that the looks before and after the word are
     * where they are written; pairs with seats_set_left(). */
    uint32_t left = atomic_load_explicit(&seats->left, memory_order_acquire);
    return seats_owner(seats) == &region->owner ? left : 0;
}

/* Looked at before the word and after it, the smaller counts: so a place that
 * is being taken or given back is taken for a task, and none for a place. */
uint32_t seats_tasks(struct region *region)
{
    struct runtime *runtime = task_runtime(region->host);
    uint32_t before[WORKERS_MAX];
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        before[i] = in_hand(runtime->workers[i], region);
    }
    /* ORDER(region-word): acquire.  Pairs with word_move(), which comes after
     * the seats it brings home were set to none. */
    uint64_t word = atomic_load_explicit(&region->word, memory_order_acquire);
    uint32_t tasks = (uint32_t)REGION_TASKS(word);
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        uint32_t after = in_hand(runtime->workers[i], region);
        uint32_t left = before[i] < after ? before[i] : after;
        tasks -= left < tasks ? left : tasks;
    }
    return tasks;
}
