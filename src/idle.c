/* SPDX-License-Identifier: MIT */
/*
 * idle.c -- what a worker does that has nothing to do.
 *
 * It looks for unstarted tasks of others, spins briefly, and then sleeps in
 * the kernel until its next timer, a completion, or a wake.
 *
 *   sleeper                         waker
 *     set my bit in sleeping          put the note (or push the task)
 *     look at the queues again        look at sleeping
 *     wait                            clear the bit; who cleared it, wakes
 *
 * Both sides write before they look, and all four are seq_cst, so at least one
 * sees the other: no wake is lost.  The bit is cleared by one waker only, so
 * there is one wake for each sleep.
 *
 *   WRK-WAKE-1   Work that is posted to a sleeping worker wakes it.
 *   WRK-STEAL-1  Only tasks that have not started are stolen.
 */
#include "src/worker.h"

#include "src/runtime.h"

#define STACKS_HOT 256         /* free ones that an idle worker keeps warm */
#define STACKS_COOL_AT_ONCE 64 /* about 0.1 ms */
#define STACKS_COOL_PAUSE_NS 1000000
#define STACKS_COOL_LOOK_NS 1000000000 /* crowds come again within a second */
#define SPIN_LOOK_EVERY 32 /* turns of the pause loop between two looks */

static uint64_t worker_bit(const struct worker *worker)
{
    return UINT64_C(1) << worker->index;
}

static uint32_t next_random(struct worker *worker)
{
    uint32_t x = worker->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    worker->random = x;
    return x;
}

/* Takes half of what the victim has, runs nothing yet. */
static bool steal_from(struct worker *worker, struct worker *victim)
{
    size_t want = (deque_len(&victim->fresh) + 1) / 2;
    size_t got = 0;
    bool again = true;
    while (got < want && again) {
        void *task = deque_steal(&victim->fresh, &again);
        if (task != NULL) {
            RULE(WRK_STEAL_1);
            worker_fresh(worker, task, false);
            count_own(&worker->stats.stolen);
            got++;
            again = true;
        }
    }
    return got > 0;
}

static void search_begin(struct worker *worker)
{
    worker->searching = true;
    /* ORDER(search): seq_cst.  Pairs with the load in idle_alert(): while
     * somebody searches, nobody else needs to be woken. */
    atomic_fetch_add_explicit(&worker->runtime->searching, 1,
                              memory_order_seq_cst);
}

/* True when this was the last searcher. */
static bool search_end(struct worker *worker)
{
    worker->searching = false;
    /* ORDER(search): seq_cst.  Comes before the last look at the queues, so a
     * push that saw the searcher is seen by it. */
    return atomic_fetch_sub_explicit(&worker->runtime->searching, 1,
                                     memory_order_seq_cst) == 1;
}

static bool steal_any(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;
    unsigned count = runtime->worker_count;
    unsigned first = next_random(worker) % count;
    for (unsigned i = 0; i < count; i++) {
        struct worker *victim = runtime->workers[(first + i) % count];
        if (victim != worker && steal_from(worker, victim)) {
            return true;
        }
    }
    return false;
}

bool idle_steal(struct worker *worker)
{
    if (worker->runtime->worker_count == 1) {
        return false;
    }
    if (!worker->searching) {
        search_begin(worker);
    }
    if (!steal_any(worker)) {
        return false;
    }
    if (search_end(worker)) {
        idle_alert(worker->runtime); /* there may be more where it was */
    }
    return true;
}

static bool worker_is_due(struct worker *worker)
{
    /* ORDER(stop): acquire.  Pairs with the release in runtime_finish(). */
    return !note_queue_is_empty(&worker->inject) ||
           driver_is_due(worker->driver) ||
           atomic_load_explicit(&worker->runtime->stopping,
                                memory_order_acquire);
}

static bool any_fresh(struct runtime *runtime)
{
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        if (deque_len(&runtime->workers[i]->fresh) > 0) {
            return true;
        }
    }
    return false;
}

/* True when something turned up. */
static bool idle_spin(struct worker *worker, int64_t until_ns)
{
    do {
        for (unsigned i = 0; i < SPIN_LOOK_EVERY; i++) {
            cpu_relax();
        }
        if (worker_is_due(worker) || any_fresh(worker->runtime)) {
            return true;
        }
    } while (clock_now_ns() < until_ns);
    return false;
}

/* Stacks that nobody needed for a second are given back, a few at a time, so
 * that a wake never waits for long.  When to go on, INT64_MAX for never. */
static int64_t cool_stacks(struct worker *worker)
{
    struct stack_arena *stacks = &worker->stacks;
    if (stacks->free_len <= STACKS_HOT) {
        return INT64_MAX;
    }
    int64_t now = clock_now_ns();
    if (now < worker->cool_at) {
        return worker->cool_at;
    }
    size_t idle = stacks->free_low;
    if (idle <= STACKS_HOT) {
        stacks->free_low = stacks->free_len;
        worker->cool_at = now + STACKS_COOL_LOOK_NS;
    } else {
        RULE(WRK_COOL_1);
        size_t most = idle - STACKS_HOT;
        stack_trim(stacks, STACKS_HOT,
                   most < STACKS_COOL_AT_ONCE ? most : STACKS_COOL_AT_ONCE);
        worker->cool_at = now + STACKS_COOL_PAUSE_NS;
    }
    return worker->cool_at;
}

static int64_t idle_until(struct worker *worker)
{
    int64_t timer = timer_next(&worker->timers);
    int64_t cool = cool_stacks(worker);
    return cool < timer ? cool : timer;
}

static void idle_sleep(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;
    uint64_t bit = worker_bit(worker);
    /* ORDER(sleep): seq_cst.  The bit is set before the last look below; pairs
     * with the loads in idle_wake() and idle_alert(), which come after the
     * work was put. */
    atomic_fetch_or_explicit(&runtime->sleeping, bit, memory_order_seq_cst);
    if (worker->searching) {
        search_end(worker);
    }
    if (!worker_is_due(worker) && !any_fresh(runtime)) {
        RULE(WRK_IDLE_1);
        count_own(&worker->stats.sleeps);
        driver_wait(worker->driver, idle_until(worker));
    }
    /* ORDER(sleep): seq_cst.  Whoever cleared it before has sent a wake. */
    atomic_fetch_and_explicit(&runtime->sleeping, ~bit, memory_order_seq_cst);
}

void idle_wait(struct worker *worker)
{
    if (worker->runtime->options.spin.ns > 0) {
        int64_t now = clock_now_ns();
        int64_t until = now + worker->runtime->options.spin.ns;
        int64_t timer = timer_next(&worker->timers);
        if (idle_spin(worker, timer < until ? timer : until)) {
            goto found;
        }
    }
    idle_sleep(worker);
found:
    /* It may be busy for long with what it found, and whoever pushed a task
     * meanwhile relied on its search. */
    if (worker->searching && search_end(worker) && any_fresh(worker->runtime)) {
        idle_alert(worker->runtime);
    }
}

static void send_wake(struct runtime *runtime, struct worker *target)
{
    struct worker *self = worker_self;
    bool ours = self != NULL && self->runtime == runtime;
    COUNT(runtime, wakes_sent);
    if (ours) {
        driver_wake(self->driver, target);
    } else {
        driver_ring_bell(target);
    }
}

/* True when the bit was set and this call cleared it. */
static bool claim_sleeper(struct runtime *runtime, uint64_t bit)
{
    /* ORDER(sleep): seq_cst.  After the work was put; pairs with the fetch_or
     * in idle_sleep(). */
    if ((atomic_load_explicit(&runtime->sleeping, memory_order_seq_cst) &
         bit) == 0) {
        return false;
    }
    /* ORDER(sleep): seq_cst.  Only one waker gets the bit. */
    return (atomic_fetch_and_explicit(&runtime->sleeping, ~bit,
                                      memory_order_seq_cst) &
            bit) != 0;
}

void idle_wake(struct worker *worker)
{
    if (claim_sleeper(worker->runtime, worker_bit(worker))) {
        RULE(WRK_WAKE_1);
        send_wake(worker->runtime, worker);
    }
}

void idle_alert(struct runtime *runtime)
{
    /* ORDER(sleep): seq_cst.  The push of the task comes before the looks
     * below; pairs with the last look in idle_sleep(), after the bit was set.
     * Without it a task could be pushed while its thief falls asleep. */
    atomic_thread_fence(memory_order_seq_cst);
    /* ORDER(sleep): seq_cst.  As in claim_sleeper(). */
    uint64_t sleeping =
        atomic_load_explicit(&runtime->sleeping, memory_order_seq_cst);
    /* ORDER(search): seq_cst.  Pairs with search_end(): a searcher seen here
     * has its last look still before it. */
    if (sleeping == 0 ||
        atomic_load_explicit(&runtime->searching, memory_order_seq_cst) > 0) {
        return;
    }
    unsigned index = (unsigned)__builtin_ctzll(sleeping);
    if (claim_sleeper(runtime, UINT64_C(1) << index)) {
        send_wake(runtime, runtime->workers[index]);
    }
}
