/* SPDX-License-Identifier: MIT */
/*
 * stats.c -- the counters of all workers, added up.
 */
#include "src/runtime.h"

static uint64_t read_counter(_Atomic uint64_t *counter)
{
    /* ORDER(stats): relaxed.  A snapshot; exact when the writers have ended.
     * Pairs with count_own() and count_shared(). */
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void fold(_Atomic uint64_t *into, _Atomic uint64_t *from)
{
    /* ORDER(stats): relaxed.  The writer of `from` has been joined. */
    atomic_fetch_add_explicit(into, read_counter(from), memory_order_relaxed);
}

void stats_fold(struct runtime *runtime, struct worker_stats *from)
{
    struct worker_stats *into = &runtime->foreign;
    RULE(RT_STATS_1);
    fold(&into->spawned, &from->spawned);
    fold(&into->completed, &from->completed);
    fold(&into->cancelled, &from->cancelled);
    fold(&into->panicked, &from->panicked);
    fold(&into->spawns_refused, &from->spawns_refused);
    fold(&into->stolen, &from->stolen);
    fold(&into->steal_searches, &from->steal_searches);
    fold(&into->steal_probes, &from->steal_probes);
    fold(&into->steal_pauses, &from->steal_pauses);
    fold(&into->wakes_sent, &from->wakes_sent);
    fold(&into->sleeps, &from->sleeps);
    fold(&into->ops_submitted, &from->ops_submitted);
    fold(&into->ops_completed, &from->ops_completed);
}

static void add(struct ambit_runtime_stats *sum, struct worker_stats *from)
{
    sum->spawned += read_counter(&from->spawned);
    sum->completed += read_counter(&from->completed);
    sum->cancelled += read_counter(&from->cancelled);
    sum->panicked += read_counter(&from->panicked);
    sum->spawns_refused += read_counter(&from->spawns_refused);
    sum->stolen += read_counter(&from->stolen);
    sum->steal_searches += read_counter(&from->steal_searches);
    sum->steal_probes += read_counter(&from->steal_probes);
    sum->steal_pauses += read_counter(&from->steal_pauses);
    sum->wakes_sent += read_counter(&from->wakes_sent);
    sum->sleeps += read_counter(&from->sleeps);
    sum->ops_submitted += read_counter(&from->ops_submitted);
    sum->ops_completed += read_counter(&from->ops_completed);
}

void ambit_runtime_stats(ambit_runtime *public,
                         struct ambit_runtime_stats *ret_stats)
{
    struct runtime *runtime = runtime_of(public);
    RULE(DRV_TELL_1);
    struct ambit_runtime_stats sum = {
        .workers = runtime->worker_count,
        .driver = runtime->way->name,
        .driver_flags = runtime->probe.names,
        .late_replies = read_counter(&runtime->late_replies),
        .dropped_messages = read_counter(&runtime->dropped_messages),
        .lost_items = read_counter(&runtime->lost_items),
    };
    add(&sum, &runtime->foreign);
    for (unsigned i = 0; i < runtime->inited; i++) {
        add(&sum, &runtime->workers[i]->stats);
        sum.stacks_lent +=
            (uint32_t)stack_lent(&runtime->workers[i]->stacks);
    }
    *ret_stats = sum;
}
