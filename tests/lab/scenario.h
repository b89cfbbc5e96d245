/* SPDX-License-Identifier: MIT */
/*
 * scenario.h -- the programs that the lab runs over and over, and their table.
 *
 * A scenario is a task function that starts a few tasks, lets them meet, and
 * checks what must hold afterwards:
 *
 *   always(cond)   whatever happens: cancelled anywhere, out of memory
 *   want(cond)     unless something was injected into the run
 *
 * The rules it asserts may stand behind its flags, with spaces between them: the
 * campaign "rules" looks whether their lines were passed, tests/tidy/rows.sh
 * whether a row's rules are all named.
 *
 * It observes in its own task only, at the end, and what it returns belongs to
 * the outcome too.  Its state lies in its frame, as all it starts ends before.
 */
#ifndef AMBIT_TESTS_LAB_SCENARIO_H
#define AMBIT_TESTS_LAB_SCENARIO_H

#include <ambit/spec.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum scenario_flags {
    CORE = 1,     /* also with pairs of cancels */
    SMALL = 2,    /* small enough for every schedule, within bounds */
    TIMED = 4,    /* what comes of it depends on the clock by construction: no
                     comparison with the real system */
    MANY = 16,    /* each run another program: five times as many seeds */
    STOPS = 8,    /* ends with the root region cancelled */
    STACKS = 32,  /* tasks with turns on each worker, which wait for the memory of
                     a stack as long as it takes: it is refused once, not for
                     good */
    ORDERED = 64, /* has more to say where in_order is set */
};

struct scenario {
    const char *name;
    ambit_task_fn *fn;
    unsigned workers;
    unsigned flags;
    const char *rules; /* NULL: it does not say */
};

/* Most tables end an entry with the flags. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct scenario_list {
    const struct scenario *first;
    size_t len;
};

/* One for each file of scenarios. */
extern const struct scenario_list region_scenarios, cancel_scenarios,
    task_scenarios, net_scenarios, actor_scenarios, server_scenarios,
    call_scenarios, combine_scenarios, budget_scenarios, duty_scenarios,
    group_scenarios, tree_scenarios, sync_scenarios,
    ring_paths_scenarios, ring_room_scenarios, channel_bound_scenarios,
    stream_close_scenarios, closed_scenarios, line_scenarios, kin_scenarios,
    channel_scenarios, stream_scenarios, sched_scenarios, ring_scenarios,
    boundary_scenarios, boundary_flow_scenarios, await_scenarios,
    boundary_rule_scenarios, boundary_life_scenarios, await_task_scenarios,
    await_actor_scenarios, await_net_scenarios, await_file_scenarios,
    await_flow_scenarios,
    async_scenarios, await_end_scenarios, await_limit_scenarios,
    await_room_scenarios, steal_scenarios, runtime_scenarios, turn_scenarios,
    outside_scenarios, lane_scenarios, place_scenarios, rest_scenarios,
    yield_scenarios, await_back_scenarios;

#define SCENARIOS(name_, ...) \
    static const struct scenario name_##_table[] = {__VA_ARGS__}; \
    const struct scenario_list name_##_scenarios = { \
        name_##_table, sizeof name_##_table / sizeof *name_##_table}

/* All of them, in order; NULL behind the last. */
const struct scenario *scenario_at(size_t index);

/* Something is being injected into the run. */
extern bool disturbed;
/* The lab leaves the ready tasks of a worker in their order: what is promised of
 * that order can be asked for. */
extern bool in_order;

#define always(cond) ambit_expect(cond)
#define want(cond) ambit_expect((cond) || disturbed)

/* A count that several tasks share. */
struct tally {
    _Atomic int64_t n;
};

static inline int64_t tally_up(struct tally *tally)
{
    /* ORDER(lab-tally): acq_rel.  Pairs with tally_get(): what a task did
     * before it counted is seen by whoever saw the count. */
    return atomic_fetch_add_explicit(&tally->n, 1, memory_order_acq_rel);
}

static inline void tally_down(struct tally *tally)
{
    /* ORDER(lab-tally): acq_rel.  As in tally_up(). */
    atomic_fetch_sub_explicit(&tally->n, 1, memory_order_acq_rel);
}

static inline void tally_add(struct tally *tally, int64_t n)
{
    /* ORDER(lab-tally): acq_rel.  As in tally_up(). */
    atomic_fetch_add_explicit(&tally->n, n, memory_order_acq_rel);
}

static inline int64_t tally_get(struct tally *tally)
{
    /* ORDER(lab-tally): acquire.  Pairs with tally_up(). */
    return atomic_load_explicit(&tally->n, memory_order_acquire);
}

/* What a wait that was called off may say. */
static inline bool is_called_off(int64_t rc)
{
    return rc == -ECANCELED || rc == -ETIMEDOUT;
}

#endif
