/* SPDX-License-Identifier: MIT */
/*
 * steal_test.c -- the options for stealing and for idle workers: WRK-STEAL-3,
 * WRK-STEAL-4 and WRK-IDLE-2 of spec/worker.md.
 */
#include "tests/spec/common.h"

enum { MANY = 100 };

static struct ambit_runtime_stats stats_of(ambit_cx *cx)
{
    struct ambit_runtime_stats stats;
    ambit_runtime_stats(ambit_cx_runtime(cx), &stats);
    return stats;
}

static int begin(ambit_cx *cx, void *arg)
{
    (void)cx;
    count_up(*(struct count **)arg);
    return 0;
}

struct wish {
    int64_t taken; /* by others while the spawner does not give way */
    struct ambit_runtime_stats before, after;
};

/* Queues MANY tasks while the other worker is held, then keeps this one until
 * that many have begun over there, and only then lets go.  Before that the other
 * one has counted what it stole: this very task, perhaps. */
static int spawn_and_hold(ambit_cx *cx, void *arg)
{
    struct wish *wish = arg;
    struct count ran = {0}, *at = &ran;
    struct hold hold = {0}, *thief = &hold;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn_with(all, hold_worker, &thief,
                                 .placement = AMBIT_PINNED,
                                 .worker = 1 - ambit_cx_worker(cx)),
                0);
        WANT(until(cx, &hold.here, 1));
        wish->before = stats_of(cx);
        for (int i = 0; i < MANY; i++) {
            WANT_EQ(ambit_spawn(all, begin, &at), 0);
        }
        count_up(&hold.gate);
        WANT(spin_until(&ran, wish->taken));
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&ran), MANY);
    wish->after = stats_of(cx);
    return 0;
}

static uint64_t stolen(const struct wish *wish)
{
    return wish->after.stolen - wish->before.stolen;
}

static uint64_t searches(const struct wish *wish)
{
    return wish->after.steal_searches - wish->before.steal_searches;
}

static int rest(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        WANT_EQ(ambit_sleep(cx, ambit_ms(5)), 0);
    }
    return 0;
}

/* What was counted in a run of rest(), by nobody any more: while others search,
 * one count may be of a search and the other one not yet. */
static struct ambit_runtime_stats
counted_with(const struct ambit_runtime_options *options)
{
    struct ambit_runtime_stats stats = {0};
    ambit_runtime *runtime = NULL;
    int threads = test_threads();
    WANT_EQ(ambit_runtime_create(&runtime, options), 0);
    if (runtime != NULL) {
        WANT_EQ(ambit_runtime_run(runtime, rest, NULL), 0);
        ambit_runtime_stats(runtime, &stats);
    }
    ambit_runtime_destroy(runtime);
    WANT(test_threads_back_to(threads));
    return stats;
}

#define REST(...)                                       \
    counted_with(&(const struct ambit_runtime_options){ \
        .size_ = sizeof(struct ambit_runtime_options),  \
        .log = spec_log_line,                           \
        __VA_ARGS__})

static void steal_nothing(void)
{
    struct wish wish = {.taken = 0};
    WANT_EQ(spec_run(spawn_and_hold, &wish, .workers = 2, .steal_off = true),
            0);
    WANT_EQ(stolen(&wish), 0);
    WANT_EQ(searches(&wish), 0);
}

static void steal_one_by_one(void)
{
    struct wish wish = {.taken = MANY};
    WANT_EQ(spec_run(spawn_and_hold, &wish, .workers = 2, .steal_batch = 1),
            0);
    WANT_EQ(stolen(&wish), MANY);
    WANT(searches(&wish) >= MANY);
}

/* Each time half, so a few times are enough; idle searches come on top, but
 * while there is something, none is in vain. */
static void steal_halves(void)
{
    struct wish wish = {.taken = MANY};
    WANT_EQ(spec_run(spawn_and_hold, &wish, .workers = 2), 0);
    WANT_EQ(stolen(&wish), MANY);
}

static void steal_within_a_budget(void)
{
    struct wish wish = {.taken = MANY};
    WANT_EQ(spec_run(spawn_and_hold, &wish, .workers = 2, .steal_budget = 4),
            0);
    WANT_EQ(stolen(&wish), MANY);
    WANT(searches(&wish) >= MANY / 4);
}

static void leave_a_margin(void)
{
    struct wish wish = {.taken = MANY - 10};
    WANT_EQ(spec_run(spawn_and_hold, &wish, .workers = 2, .steal_margin = 10,
                     .steal_batch = 1),
            0);
    WANT_EQ(stolen(&wish), MANY - 10);
}

/* Nobody has anything, so each search looks at all it may. */
static void look_at_some(void)
{
    struct ambit_runtime_stats stats = REST(.workers = 4, .steal_probes = 2);
    WANT(stats.steal_searches > 0);
    WANT(stats.steal_probes <= 2 * stats.steal_searches);
    stats = REST(.workers = 4);
    WANT(stats.steal_probes > 2 * stats.steal_searches);
}

static void pause_in_vain(void)
{
    struct wish wish = {.taken = MANY};
    struct ambit_runtime_stats stats = REST(.workers = 2);
    WANT_EQ(stats.steal_pauses, 0);
    WANT_EQ(spec_run(spawn_and_hold, &wish, .workers = 2,
                     .steal_backoff = ambit_us(100)),
            0);
    WANT_EQ(stolen(&wish), MANY);
    int64_t began = ambit_now().ns;
    stats = REST(.workers = 2, .steal_backoff = ambit_s(1));
    uint64_t seconds = (uint64_t)(ambit_now().ns - began) / 1000000000;
    WANT(stats.steal_pauses > 0);
    /* Both start with a search, or some; woken by nobody, they begin another
     * one each second at the most. */
    WANT(stats.steal_searches < 10 + 2 * seconds);
}

/* Goal: each knob does what it says.
 * Method: a spawner holds its worker until as many as may be taken have been;
 * the counts of searches, looks, pauses and tasks. */
Spec(WRK_STEAL_3, stealing_keeps_to_its_options)
{
    steal_nothing();
    steal_one_by_one();
    steal_halves();
    steal_within_a_budget();
    leave_a_margin();
    look_at_some();
    pause_in_vain();
    spec_end("WRK_STEAL_3");
}

/* --- WRK-STEAL-4 ---------------------------------------------------------- */

enum { LOOT_MAX = 101 };

/* What is stolen in one search: the first of it holds its worker until all has
 * been looked at. */
struct loot {
    struct count held, begun, gate, ran, armed;
    int64_t n, wanted;
    int64_t first; /* the number of the one that began first elsewhere */
    bool woken;    /* they are between two turns; else new */
    ambit_waker wakers[LOOT_MAX];
};

struct piece {
    struct loot *loot;
    int64_t number;
    bool armed;
};

static int hold_worker_1(ambit_cx *cx, void *arg)
{
    struct loot *loot = *(struct loot **)arg;
    WANT_EQ(ambit_cx_worker(cx), 1);
    count_up(&loot->held);
    WANT(spin_until(&loot->held, 2));
    return 0;
}

static int is_stolen(ambit_cx *cx, void *arg)
{
    struct piece *piece = arg;
    struct loot *loot = piece->loot;
    if (ambit_cx_worker(cx) == 1 && count_get(&loot->gate) == 0) {
        loot->first = piece->number;
        count_up(&loot->begun);
        WANT(spin_until(&loot->gate, 1));
    }
    count_up(&loot->ran);
    return 0;
}

/* The same of a poll task, in its second turn. */
static int is_stolen_later(ambit_cx *cx, void *state)
{
    struct piece *piece = state;
    if (piece->armed) {
        return is_stolen(cx, state);
    }
    piece->armed = true;
    piece->loot->wakers[piece->number] = ambit_cx_waker(cx);
    count_up(&piece->loot->armed);
    return AMBIT_PENDING;
}

static void lay_out(ambit_cx *cx, ambit_region *region, struct loot *loot)
{
    for (int64_t i = 0; i < loot->n; i++) {
        struct piece piece = {loot, i, false};
        WANT_EQ(loot->woken ? ambit_spawn_poll(region, is_stolen_later, &piece)
                            : ambit_spawn(region, is_stolen, &piece),
                0);
    }
    if (loot->woken) {
        WANT(until(cx, &loot->armed, loot->n));
        for (int64_t i = 0; i < loot->n; i++) {
            WANT_EQ(ambit_wake(loot->wakers[i]), 0);
        }
    }
}

/* On worker 0, which it does not let go of. */
static int is_robbed(ambit_cx *cx, void *arg)
{
    struct loot *loot = arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn_with(all, hold_worker_1, &loot,
                                 .placement = AMBIT_PINNED, .worker = 1), 0);
        WANT(spin_until(&loot->held, 1));
        lay_out(cx, all, loot);
        uint64_t before = stats_of(cx).stolen;
        count_up(&loot->held);
        WANT(spin_until(&loot->begun, 1));
        WANT_EQ(stats_of(cx).stolen - before, loot->wanted);
        WANT(loot->first >= 0 && loot->first < loot->wanted); /* an old one */
        count_up(&loot->gate);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&loot->ran), loot->n);
    return 0;
}

static int on_worker_0(ambit_cx *cx, void *arg)
{
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        struct ambit_spawn_options here = {
            .size_ = sizeof here, .placement = AMBIT_PINNED};
        WANT_EQ(ambit_spawn_(s, is_robbed, arg, sizeof(struct loot), &here), 0);
    }
    return rc;
}

static void rob(bool woken)
{
    static const int64_t lengths[] = {1,  2,  3,  4,   5,       8,
                                      13, 14, 15, 100, LOOT_MAX};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        int64_t n = lengths[i], half = (n + 1) / 2;
        struct loot loot = {
            .n = n, .wanted = half, .first = -1, .woken = woken};
        WANT_EQ(spec_run(on_worker_0, &loot, .workers = 2), 0);
        loot.wanted = half < 7 ? half : 7;
        WANT_EQ(spec_run(on_worker_0, &loot, .workers = 2, .steal_batch = 7),
                0);
    }
}

/* Goal: half, and not a task more.
 * Method: a thief that is kept until n tasks lie there, and is held by the first
 * it runs; with the usual batch, and with one of 7. */
Spec(WRK_STEAL_4, a_thief_takes_half)
{
    rob(false);
    spec_end("WRK_STEAL_4");
}

/* Goal: the same of tasks between two turns, where nothing is new.
 * Method: the same with poll tasks that have all had a turn, and were woken. */
Spec(WRK_STEAL_4, a_thief_takes_half_of_those_that_were_woken)
{
    rob(true);
    spec_end("WRK_STEAL_4");
}

/* --- WRK-IDLE-2 ----------------------------------------------------------- */

static int rest_long(ambit_cx *cx, void *arg)
{
    for (int i = 0; i < 20; i++) {
        WANT_EQ(ambit_sleep(cx, ambit_ms(50)), 0);
    }
    *(struct ambit_runtime_stats *)arg = stats_of(cx);
    return 0;
}

static uint64_t sleeps_with(const struct ambit_runtime_options *options)
{
    struct ambit_runtime_stats stats = {.sleeps = 0};
    WANT_EQ(spec_run_(rest_long, &stats, options), 0);
    return stats.sleeps;
}

struct watch {
    ambit_runtime *runtime;
    uint64_t sleeps;
};

/* On no worker, and not for long: until they have slept that often, woken by
 * nothing but their own time. */
static int watch_the_sleepers(void *arg)
{
    struct watch *watch = arg;
    struct ambit_runtime_stats stats = {.sleeps = 0};
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (stats.sleeps < watch->sleeps) {
        if (ambit_now().ns > end.ns) {
            return 1;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        ambit_runtime_stats(watch->runtime, &stats);
    }
    return 0;
}

static int rest_while_watched(ambit_cx *cx, void *arg)
{
    struct watch watch = {ambit_cx_runtime(cx), 200};
    (void)arg;
    WANT_EQ(ambit_blocking(cx, watch_the_sleepers, &watch), 0);
    return 0;
}

#define SLEEPS(...) \
    sleeps_with(&(const struct ambit_runtime_options){ \
        .size_ = sizeof(struct ambit_runtime_options), \
        .workers = 2, \
        .log = spec_log_line, \
        __VA_ARGS__})

/* Under Valgrind a worker that sleeps looks up now and then by itself. */
#ifdef TEST_UNDER_VALGRIND
#define FEW UINT64_MAX
#else
#define FEW 200
#endif

/* Goal: latency or silence, as wanted.
 * Method: a second of rest in 20 pieces on two workers; how often they slept.
 * Who is woken by nothing else sleeps about once for each piece; who sleeps for
 * a millisecond at a time, often, with nothing to wake it. */
Spec(WRK_IDLE_2, a_worker_waits_as_it_is_told)
{
    WANT_EQ(SLEEPS(.idle = AMBIT_IDLE_YIELD), 0);
    WANT_EQ(SLEEPS(.idle = AMBIT_IDLE_SPIN), 0);
    uint64_t few = SLEEPS(.idle = AMBIT_IDLE_SPIN, .idle_spins = 10);
    WANT(few > 0 && few < FEW);
    few = SLEEPS(.idle = AMBIT_IDLE_ADAPTIVE);
    WANT(few > 0 && few < FEW);
    WANT_EQ(spec_run(rest_while_watched, NULL, .workers = 2,
                     .idle = AMBIT_IDLE_SLEEP),
            0);
    few = SLEEPS(.idle = AMBIT_IDLE_SLEEP, .idle_sleep = ambit_s(10));
    WANT(few > 0 && few < FEW);
    spec_end("WRK_IDLE_2");
}
