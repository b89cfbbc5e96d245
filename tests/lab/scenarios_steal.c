/* SPDX-License-Identifier: MIT */
/*
 * scenarios_steal.c -- what an idle worker takes over: each task once, the older
 * half, by the policy that was asked for.
 */
#include "tests/lab/inner.h"

/* --- a thief, and a victim that holds still --------------------------------- */

enum { ITEMS_MAX = 11 };

struct theft {
    struct ambit_runtime_options policy;
    bool woken;              /* they are between two turns; else new */
    unsigned items;          /* of the victim */
    uint64_t base;           /* stolen before it began */
    uint64_t seen;           /* stolen at the last look; the thief's */
    struct tally thief_here, still, gone, armed;
    struct tally times[ITEMS_MAX];
    ambit_waker wakers[ITEMS_MAX];
};

struct item {
    struct theft *theft;
    unsigned number;
    bool armed;
};

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t or_any(uint32_t limit)
{
    return limit != 0 ? limit : UINT32_MAX;
}

/* What a search takes from a victim that has n. */
static uint64_t haul_of(const struct theft *theft, uint64_t n)
{
    const struct ambit_runtime_options *o = &theft->policy;
    uint64_t half = min_of((n + 1) / 2, or_any(o->steal_batch));
    return n <= o->steal_margin || o->steal_off
               ? 0 : min_of(half, or_any(o->steal_budget));
}

static uint64_t stolen(ambit_cx *cx)
{
    struct ambit_runtime_stats stats;
    ambit_runtime_stats(ambit_cx_runtime(cx), &stats);
    return stats.stolen;
}

/* On the thief: it runs all of a haul before it looks for the next one. */
static void look_at_haul(ambit_cx *cx, const struct item *item)
{
    struct theft *theft = item->theft;
    uint64_t now = stolen(cx);
    if (tally_get(&theft->still) != 1) {
        return; /* the victim moves again */
    }
    uint64_t left = theft->items - (theft->seen - theft->base);
    always(ambit_cx_worker(cx) == 1);
    always(now == theft->seen || now - theft->seen == haul_of(theft, left));
    always(item->number < now - theft->base); /* the oldest */
    theft->seen = now;
}

static int item_runs(ambit_cx *cx, void *arg)
{
    struct item *item = arg;
    if (!disturbed) {
        look_at_haul(cx, item);
    }
    tally_up(&item->theft->times[item->number]);
    tally_up(&item->theft->gone);
    return 0;
}

/* The same of a poll task, in its second turn. */
static int item_steps(ambit_cx *cx, void *state)
{
    struct item *item = state;
    if (item->armed) {
        return item_runs(cx, state);
    }
    item->armed = true;
    item->theft->wakers[item->number] = ambit_cx_waker(cx);
    tally_up(&item->theft->armed);
    return AMBIT_PENDING;
}

static void item_goes(void *arg)
{
    struct item *item = arg;
    tally_up(&item->theft->times[item->number]);
    tally_up(&item->theft->gone);
}

/* The thief's worker is kept busy until the victim has all its items. */
static int thief_waits(ambit_cx *cx, void *arg)
{
    struct theft *theft = *(struct theft **)arg;
    (void)cx;
    tally_up(&theft->thief_here);
    busy_until(tally_get(&theft->still) != 0);
    return 0;
}

static unsigned to_be_stolen(const struct theft *theft)
{
    uint64_t left = theft->items;
    while (haul_of(theft, left) > 0) {
        left -= haul_of(theft, left);
    }
    return theft->items - (unsigned)left;
}

static int spawn_item(ambit_region *region, struct theft *theft, unsigned number)
{
    struct item item = {theft, number, false};
    return theft->woken ? ambit_spawn_poll_with(region, item_steps, &item,
                                                .dispose = item_goes)
                        : ambit_spawn_with(region, item_runs, &item,
                                           .dispose = item_goes);
}

/* All of them have had a turn, and now wait for the next one here. */
static void wake_items(ambit_cx *cx, struct theft *theft)
{
    int rc = 0;
    for (int i = 0; rc == 0 && tally_get(&theft->armed) < theft->items; i++) {
        rc = disturbed && i > 20 ? -ECANCELED : ambit_yield(cx);
    }
    for (unsigned i = 0; i < theft->items; i++) {
        int woken = ambit_wake(theft->wakers[i]);
        want(woken == 0);
    }
}

static int victim_holds(ambit_cx *cx, void *arg)
{
    struct theft *theft = *(struct theft **)arg;
    unsigned spawned = 0;
    int rc = 0;
    busy_until(tally_get(&theft->thief_here) != 0);
    for (; spawned < theft->items && rc == 0; spawned += rc == 0) {
        rc = spawn_item(ambit_cx_region(cx), theft, spawned);
    }
    want(rc == 0);
    theft->items = spawned;
    if (theft->woken) {
        wake_items(cx, theft);
    }
    theft->base = theft->seen = stolen(cx);
    tally_up(&theft->still);
    unsigned share = to_be_stolen(theft);
    busy_until(tally_get(&theft->gone) >= share);
    for (unsigned i = 0; i < 20; i++) {
        (void)ambit_checkpoint(cx); /* long enough for more */
    }
    always(disturbed || tally_get(&theft->gone) == share);
    tally_up(&theft->still);
    return 0;
}

static int theft_main(ambit_cx *cx, void *arg)
{
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        int thief = ambit_spawn_with(s, thief_waits, (struct theft **)&arg,
                                     .placement = AMBIT_PINNED, .worker = 1);
        int victim = ambit_spawn_with(s, victim_holds, (struct theft **)&arg,
                                      .placement = AMBIT_PINNED, .worker = 0);
        want(thief == 0 && victim == 0);
    }
    return rc;
}

static int steal_from(ambit_cx *cx, struct theft *theft)
{
    struct inner inner = {.fn = theft_main, .arg = theft,
                          .options = theft->policy};
    inner.options.workers = 2;
    if (!inner_run(cx, &inner)) {
        want(false);
        return inner.made < 0 ? inner.made : -ECANCELED;
    }
    for (unsigned i = 0; i < theft->items; i++) {
        always(tally_get(&theft->times[i]) == 1 || disturbed);
        always(tally_get(&theft->times[i]) <= 1);
    }
    want(inner.rc == 0);
    want(inner.stats.stolen >= to_be_stolen(theft));
    always(!theft->policy.steal_off || (inner.stats.stolen == 0 &&
                                        inner.stats.steal_searches == 0));
    return inner.rc;
}

/* Of any number, half; of one, that one. */
static int half_is_stolen(ambit_cx *cx, void *arg)
{
    struct theft theft = {.items = 1 + ambit_choose(ITEMS_MAX)};
    (void)arg;
    return steal_from(cx, &theft);
}

/* The same of those between two turns, where nothing is new; and not more than a
 * batch. */
static int half_of_the_woken(ambit_cx *cx, void *arg)
{
    struct theft theft = {.items = 1 + ambit_choose(ITEMS_MAX), .woken = true,
                          .policy = {.steal_batch = ambit_choose(4)}};
    (void)arg;
    return steal_from(cx, &theft);
}

/* Each knob by itself, and some of them together. */
static int stolen_by_policy(ambit_cx *cx, void *arg)
{
    static const struct ambit_runtime_options policies[] = {
        {.steal_off = true},
        {.steal_batch = 1},
        {.steal_batch = 2},
        {.steal_budget = 1},
        {.steal_budget = 3},
        {.steal_margin = 2},
        {.steal_margin = 5, .steal_batch = 3},
        {.steal_backoff = {50000}},
        {.steal_backoff = {1000}, .steal_batch = 2, .steal_budget = 1},
    };
    enum { POLICIES = sizeof policies / sizeof *policies };
    struct theft theft = {.policy = policies[ambit_choose(POLICIES)],
                          .items = 4 + ambit_choose(ITEMS_MAX - 3)};
    (void)arg;
    return steal_from(cx, &theft);
}

/* --- a crowd of all kinds ---------------------------------------------------- */

enum { CROWD = 31, WORKERS = 3 };

struct crowd {
    struct tally times[CROWD]; /* ran, or disposed of */
    struct tally spawned[CROWD];
    struct tally sticky;       /* 1 + the worker of the first one */
    unsigned probes;
};

struct one {
    struct crowd *crowd;
    unsigned number;
    unsigned worker; /* of who spawned it */
};

static void one_goes(void *arg)
{
    struct one *one = arg;
    always(tally_up(&one->crowd->times[one->number]) == 0);
}

static int one_runs(ambit_cx *cx, void *arg);

/* By its number: stealable, preferred, pinned, in turn, sticky, a fiber. */
static void spawn_one(ambit_cx *cx, ambit_region *region, struct crowd *crowd,
                      unsigned number)
{
    struct one one = {crowd, number, ambit_cx_worker(cx)};
    unsigned way = number % 6;
    if (number < CROWD &&
        ambit_spawn_with(region, one_runs, &one, .dispose = one_goes,
                         .placement = way == 5 ? AMBIT_STEALABLE
                                               : (enum ambit_placement)way,
                         .tier = way == 5 ? AMBIT_FIBER : AMBIT_SEND,
                         .worker = number % WORKERS, .key = 7) == 0) {
        tally_up(&crowd->spawned[number]);
    }
}

static void check_place(ambit_cx *cx, const struct one *one)
{
    enum ambit_placement way = (enum ambit_placement)(one->number % 6);
    unsigned here = ambit_cx_worker(cx);
    int64_t first = 0, mine = 1 + (int64_t)here;
    always(way != AMBIT_PINNED || here == one->number % WORKERS);
    always(one->number % 6 != 5 || here == one->worker);
    if (way == AMBIT_STICKY) {
        /* ORDER(lab-tally): acq_rel.  One is the first. */
        bool set = atomic_compare_exchange_strong_explicit(
            &one->crowd->sticky.n, &first, mine, memory_order_acq_rel,
            memory_order_acquire);
        always(set || first == mine);
    }
}

static int one_runs(ambit_cx *cx, void *arg)
{
    struct one *one = arg;
    always(tally_up(&one->crowd->times[one->number]) == 0);
    check_place(cx, one);
    spawn_one(cx, ambit_cx_region(cx), one->crowd, 2 * one->number + 1);
    spawn_one(cx, ambit_cx_region(cx), one->crowd, 2 * one->number + 2);
    int rc = one->number % 4 == 0 ? ambit_yield(cx) : 0;
    check_place(cx, one);
    return rc;
}

static int crowd_main(ambit_cx *cx, void *arg)
{
    struct crowd *crowd = arg;
    unsigned cancel_after = ambit_choose(8);
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        spawn_one(cx, s, crowd, 0);
        if (cancel_after > 0) {
            for (unsigned i = 1; i < cancel_after; i++) {
                (void)ambit_yield(cx);
            }
            ambit_cancel(s, "enough of them");
        }
    }
    for (unsigned i = 0; i < CROWD; i++) {
        always(tally_get(&crowd->times[i]) == tally_get(&crowd->spawned[i]));
        want(cancel_after > 0 || tally_get(&crowd->times[i]) == 1);
    }
    return rc;
}

static int crowd(ambit_cx *cx, void *arg)
{
    struct crowd crowd = {.probes = 1 + ambit_choose(2)};
    (void)arg;
    struct inner inner = {
        .fn = crowd_main, .arg = &crowd,
        .options = {.workers = WORKERS, .steal_probes = crowd.probes}};
    if (!inner_run(cx, &inner)) {
        want(false);
        return inner.made < 0 ? inner.made : -ECANCELED;
    }
    want(inner.rc == 0);
    always(inner.stats.steal_probes <=
           inner.stats.steal_searches * crowd.probes);
    always(inner.stats.steal_pauses == 0);
    return inner.rc;
}

SCENARIOS(steal, {"half_is_stolen", half_is_stolen, 1, 0,
           "WRK-STEAL-1 WRK-STEAL-4 WRK-WAKE-1"},
          {"half_of_the_woken", half_of_the_woken, 1, 0, "WRK-STEAL-4"},
          {"stolen_by_policy", stolen_by_policy, 1, 0, "WRK-STEAL-3"},
          {"crowd_of_all_kinds", crowd, 1, 0, "TASK-SPAWN-3 RT-STATS-1"});
