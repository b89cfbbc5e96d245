/* SPDX-License-Identifier: MIT */
/*
 * steal.c -- an idle worker takes over what others have not begun.
 *
 *   search --victim has more than .steal_margin--> half of it, .steal_batch at
 *      |                                           most, until .steal_budget
 *      '--nobody has--> a pause of .steal_backoff, twice as long each time
 *
 * A victim has tasks in several places, and they are taken in this order: its
 * deque of new ones, that of those between two turns, what was offered to it from
 * other threads, its deques of low priority.
 *
 *   WRK-STEAL-1  Only tasks that have not started are stolen.
 *   WRK-STEAL-3  The policy of the options is kept, and each part is counted.
 *   WRK-STEAL-4  The older half of what a victim has, rounded up.
 *
 * Owner: the thief's thread.
 */
#include "src/steal.h"

#include "src/runtime.h"
#include "src/task.h"

#define BACKOFF_DOUBLINGS 5

static uint32_t next_random(struct worker *worker)
{
    uint32_t x = worker->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    worker->random = x;
    return x;
}

static const struct ambit_runtime_options *policy(const struct worker *worker)
{
    return &worker->runtime->options;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool is_offered_any(struct worker *victim)
{
    return !note_queue_is_empty(&victim->offered);
}

static size_t low_len(struct worker *victim)
{
    size_t len = 0;
    /* ORDER(any-low): seq_cst.  In the last look before a sleep: pairs with the
     * store in lane_push_fresh(), which comes before the look at sleepers. */
    if (LIKELY(!atomic_load_explicit(&victim->lanes.any_low,
                                     memory_order_seq_cst))) {
        return 0;
    }
    for (unsigned i = 0; i < LANES_LOW; i++) {
        len += deque_len(&victim->lanes.low_fresh[i]);
    }
    return len;
}

/* What lies at the victim and may be taken.  Tasks from outside count as one:
 * how many there are is known only to who takes them. */
static bool is_worth(struct worker *worker, struct worker *victim)
{
    size_t len = deque_len(&victim->fresh) + deque_len(&victim->woken) +
                 is_offered_any(victim);
    len += len <= policy(worker)->steal_margin ? low_len(victim) : 0;
    return len > policy(worker)->steal_margin;
}

static void took(struct worker *worker)
{
    RULE(WRK_STEAL_1);
    count_own(&worker->stats.stolen);
}

static size_t take_from_deque(struct worker *worker, struct deque *deque,
                              size_t most)
{
    size_t want = (deque_len(deque) + 1) / 2;
    size_t got = 0;
    bool again = true;
    RULE(WRK_STEAL_4);
    want = smaller(want, most);
    while (got < want && again) {
        void *task = deque_steal(deque, &again);
        if (task != NULL) {
            worker_fresh(worker, task, false);
            took(worker);
            got++;
            again = true;
        }
    }
    return got;
}

/* All of them at once; if that is more than was wanted, others take them from
 * here. */
static size_t take_offered(struct worker *worker, struct worker *victim)
{
    size_t got = 0;
    struct link *marked = note_take(&victim->offered);
    while (marked != NULL) {
        struct link *next = note_link(marked)->next;
        worker_deliver(worker, marked);
        took(worker);
        got++;
        marked = next;
    }
    return got;
}

static size_t take_from(struct worker *worker, struct worker *victim,
                        size_t most)
{
    size_t got = take_from_deque(worker, &victim->fresh, most);
    if (got == 0) {
        got = take_from_deque(worker, &victim->woken, most);
    }
    if (got == 0) {
        got = take_offered(worker, victim);
    }
    for (unsigned i = 0; got == 0 && i < LANES_LOW; i++) {
        got = take_from_deque(worker, &victim->lanes.low_fresh[i], most);
    }
    return got;
}

/* At most .steal_probes victims, starting with any. */
static size_t steal_any(struct worker *worker)
{
    const struct ambit_runtime_options *o = policy(worker);
    struct runtime *runtime = worker->runtime;
    unsigned count = runtime->worker_count;
    unsigned first = next_random(worker) % count;
    unsigned probes = 0;
    size_t got = 0;
    for (unsigned i = 0; i < count && probes < o->steal_probes; i++) {
        struct worker *victim = runtime->workers[(first + i) % count];
        if (victim == worker) {
            continue;
        }
        probes++;
        count_own(&worker->stats.steal_probes);
        if (is_worth(worker, victim)) {
            got += take_from(worker, victim,
                             smaller(o->steal_batch, o->steal_budget - got));
        }
        /* Without a budget, what one victim gives is enough. */
        if (got >= o->steal_budget ||
            (got > 0 && o->steal_budget == UINT32_MAX)) {
            break;
        }
    }
    return got;
}

static void pause_begin(struct worker *worker)
{
    int64_t pause_ns = policy(worker)->steal_backoff.ns;
    if (pause_ns > 0) {
        worker->steal_after_ns =
            clock_now_ns() + (pause_ns << worker->steal_misses);
        worker->steal_misses += worker->steal_misses < BACKOFF_DOUBLINGS;
        count_own(&worker->stats.steal_pauses);
    }
}

void steal_resume(struct worker *worker)
{
    worker->steal_misses = 0;
    worker->steal_after_ns = 0;
}

int64_t steal_pause_end(struct worker *worker)
{
    if (LIKELY(worker->steal_after_ns == 0) ||
        worker->steal_after_ns <= clock_now_ns()) {
        return 0;
    }
    return worker->steal_after_ns;
}

bool steal_search(struct worker *worker)
{
    RULE(WRK_STEAL_3);
    count_own(&worker->stats.steal_searches);
    if (steal_any(worker) > 0) {
        steal_resume(worker);
        return true;
    }
    pause_begin(worker);
    return false;
}

bool steal_could(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        struct worker *victim = runtime->workers[i];
        if (victim != worker && is_worth(worker, victim)) {
            return true;
        }
    }
    return false;
}
