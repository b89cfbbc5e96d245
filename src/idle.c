/* SPDX-License-Identifier: MIT */
/*
 * idle.c -- what a worker does that has nothing to do.
 *
 * It looks for unstarted tasks of others (steal.c), spins briefly, and then
 * sleeps in the kernel until its next timer, a completion, or a wake; or what
 * else the option .idle says.
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
 *   WRK-WAKE-1  Work that is posted to a sleeping worker wakes it.
 *   WRK-IDLE-2  A worker waits in the way of the option .idle.
 */
#include "src/cool.h"
#include "src/runtime.h"
#include "src/steal.h"

#include <sched.h>

#define SPIN_LOOK_EVERY 32 /* turns of the pause loop between two looks */
#define SPIN_LEAST 16      /* spinning in vain halves it, down to one in so many */

static uint64_t worker_bit(const struct worker *worker)
{
    return UINT64_C(1) << worker->index;
}

/* Where all are awake nobody would be woken: then a search need not be known,
 * and a line that all write is left alone. */
static bool sleeps_any(struct runtime *runtime)
{
    /* ORDER(sleep): relaxed.  A guess: a search that is not known of costs a
     * wake too many at most. */
    return atomic_load_explicit(&runtime->sleeping, memory_order_relaxed) != 0;
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

bool idle_steal(struct worker *worker)
{
    if (!steal_is_allowed(worker) || steal_pause_end(worker) > 0) {
        return false;
    }
    if (!worker->searching && sleeps_any(worker->runtime)) {
        search_begin(worker);
    }
    if (!steal_search(worker)) {
        return false;
    }
    if (!worker->searching || search_end(worker)) {
        idle_alert(worker->runtime); /* there may be more where it was */
    }
    return true;
}

static bool worker_is_due(struct worker *worker)
{
    /* ORDER(stop): acquire.  Pairs with the release in runtime_finish(). */
    return !note_queue_is_empty(&worker->inject) ||
           !note_queue_is_empty(&worker->offered) ||
           driver_is_due(worker->driver) ||
           atomic_load_explicit(&worker->runtime->stopping,
                                memory_order_acquire);
}

/* Worth getting up for; in a pause of its search nothing is. */
static bool could_steal(struct worker *worker)
{
    return steal_is_allowed(worker) && steal_could(worker) &&
           steal_pause_end(worker) == 0;
}

/* Others' queues are looked at now and then, lest they lose their lines; its
 * own one all the time. */
static bool look(struct worker *worker)
{
    for (unsigned i = 0;
         i < SPIN_LOOK_EVERY && note_queue_seems_empty(&worker->inject); i++) {
        cpu_relax();
    }
    return worker_is_due(worker) || could_steal(worker);
}

/* True when something turned up. */
static bool spin_until(struct worker *worker, int64_t until_ns)
{
    do {
        if (look(worker)) {
            return true;
        }
    } while (clock_now_ns() < until_ns);
    return false;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t idle_until(struct worker *worker)
{
    int64_t until = earlier(timer_wake(&worker->timers), worker_cool(worker));
    int64_t pause = steal_pause_end(worker);
    return pause > 0 && steal_could(worker) ? earlier(until, pause) : until;
}

static void idle_sleep(struct worker *worker, int64_t until_ns)
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
    if (!worker_is_due(worker) && !could_steal(worker)) {
        RULE(WRK_IDLE_1);
        count_own(&worker->stats.sleeps);
        driver_wait(worker->driver, earlier(until_ns, idle_until(worker)));
    }
    /* ORDER(sleep): seq_cst.  Whoever cleared it before has sent a wake. */
    if ((atomic_fetch_and_explicit(&runtime->sleeping, ~bit,
                                   memory_order_seq_cst) &
         bit) == 0) {
        steal_resume(worker);
    }
}

/* As long as that pays: a spin in vain is followed by one half as long, and one
 * that found something, or would have, by one of full length. */
static void wait_adaptive(struct worker *worker)
{
    int64_t most = worker->runtime->options.spin.ns;
    if (most <= 0) {
        idle_sleep(worker, INT64_MAX);
        return;
    }
    int64_t began = clock_now_ns();
    int64_t timer = timer_wake(&worker->timers);
    if (spin_until(worker, earlier(began + worker->spin_ns, timer)) ||
        timer <= clock_now_ns()) {
        worker->spin_ns = most;
        return;
    }
    int64_t least = most / SPIN_LEAST;
    worker->spin_ns =
        worker->spin_ns / 2 > least ? worker->spin_ns / 2 : least;
    idle_sleep(worker, INT64_MAX);
    int64_t now = clock_now_ns();
    if (now - began < most && now < timer) {
        worker->spin_ns = most;
    }
}

/* So many looks; 0: for ever. */
static void wait_spinning(struct worker *worker)
{
    unsigned looks = worker->runtime->options.idle_spins;
    for (unsigned i = 0; i < looks; i++) {
        if (look(worker) || timer_next(&worker->timers) <= clock_now_ns()) {
            return;
        }
    }
    if (looks > 0) {
        idle_sleep(worker, INT64_MAX);
    }
}

void idle_wait(struct worker *worker)
{
    const struct ambit_runtime_options *options = &worker->runtime->options;
    RULE(WRK_IDLE_2);
    switch (options->idle) {
    case AMBIT_IDLE_ADAPTIVE:
        wait_adaptive(worker);
        break;
    case AMBIT_IDLE_SPIN:
        wait_spinning(worker);
        break;
    case AMBIT_IDLE_YIELD:
        sched_yield();
        break;
    case AMBIT_IDLE_SLEEP:
        idle_sleep(worker, clock_now_ns() + options->idle_sleep.ns);
        break;
    }
    /* It may be busy for long with what it found, and whoever pushed a task
     * meanwhile relied on its search. */
    if (worker->searching && search_end(worker) && steal_could(worker)) {
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

bool idle_wake(struct worker *worker)
{
    if (!claim_sleeper(worker->runtime, worker_bit(worker))) {
        return false;
    }
    RULE(WRK_WAKE_1);
    send_wake(worker->runtime, worker);
    return true;
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
