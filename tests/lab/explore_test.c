/* SPDX-License-Identifier: MIT */
/*
 * explore_test.c -- the searches find what is there to be found.
 *
 * Each program below has a bug that shows in some schedules only; the explorer
 * has to find it, make it small, and find it again from the line it printed.
 */
#include <criterion/criterion.h>

#include <ambit/spec.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Two tasks add to a balance that they read before a wait: an update is lost
 * when both read first. */
struct bank {
    int balance;
};

static int add(ambit_cx *cx, void *arg)
{
    struct bank *bank = *(struct bank **)arg;
    int seen = bank->balance;
    int rc = ambit_yield(cx);
    bank->balance = seen + 1;
    return rc;
}

static int lost_update(ambit_cx *cx, void *arg)
{
    struct bank bank = {0};
    struct bank *here = &bank;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, both, &rc) {
        ambit_spawn(both, add, &here);
        ambit_spawn(both, add, &here);
    }
    ambit_observe(bank.balance);
    ambit_expect(bank.balance == 2);
    return rc;
}

static void finds(enum ambit_search search, uint64_t seeds)
{
    struct ambit_exploration e;
    int rc = ambit_explore(lost_update, NULL, &e, .search = search,
                           .seeds = seeds, .plain_kernel = true);
    ambit_exploration_print("lost_update", &e);
    cr_assert(rc == -ENOTRECOVERABLE);
    cr_assert(strstr(e.text, "bank.balance == 2") != NULL, "%s", e.text);
    setenv("AMBIT_REPLAY", e.replay, 1);
    struct ambit_exploration again;
    rc = ambit_explore(lost_update, NULL, &again, .plain_kernel = true);
    unsetenv("AMBIT_REPLAY");
    cr_assert(rc == -ENOTRECOVERABLE);
    cr_assert(strcmp(again.text, e.text) == 0, "%s", again.text);
}

Test(explore, a_random_walk_finds_a_lost_update)
{
    finds(AMBIT_SEARCH_RANDOM, 1000);
}

Test(explore, pct_finds_a_lost_update)
{
    finds(AMBIT_SEARCH_PCT, 1000);
}

Test(explore, an_exhaustive_search_finds_a_lost_update)
{
    finds(AMBIT_SEARCH_EXHAUSTIVE, 0);
}

static int crash(ambit_cx *cx, void *arg)
{
    (void)arg;
    (void)cx;
    if (ambit_choose(50) == 17) {
        abort();
    }
    return 0;
}

Test(explore, a_crash_is_a_failure_with_its_seed)
{
    struct ambit_exploration e;
    int rc = ambit_explore(crash, NULL, &e, .seeds = 1000);
    ambit_exploration_print("crash", &e);
    cr_assert(rc == -ENOTRECOVERABLE);
    cr_assert(strstr(e.text, "signal 6") != NULL, "%s", e.text);
    cr_assert(strstr(e.replay, ":17") != NULL, "%s", e.replay);
}

static int hang(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_sleep_until(cx, ambit_never());
}

Test(explore, a_program_that_hangs_is_told_so)
{
    struct ambit_exploration e;
    int rc = ambit_explore(hang, NULL, &e, .seeds = 1);
    cr_assert(rc == -ENOTRECOVERABLE);
    cr_assert(strstr(e.text, "deadlock") != NULL, "%s", e.text);
}

static int two_yields(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = ambit_yield(cx);
    return rc < 0 ? rc : ambit_yield(cx);
}

static int small(ambit_cx *cx, void *arg)
{
    int rc = 0;
    (void)arg;
    ambit_scope (cx, both, &rc) {
        ambit_spawn_(both, two_yields, NULL, 0, NULL);
        ambit_spawn_(both, two_yields, NULL, 0, NULL);
    }
    return rc;
}

Test(explore, an_exhaustive_search_of_a_small_program_ends)
{
    struct ambit_exploration e;
    int rc = ambit_explore(small, NULL, &e, .workers = 1,
                           .search = AMBIT_SEARCH_EXHAUSTIVE,
                           .plain_kernel = true, .preemptions = 2);
    ambit_exploration_print("small", &e);
    cr_assert(rc == 0, "%s", e.text);
    cr_assert(e.complete);
    cr_assert(e.runs > 1);
}
