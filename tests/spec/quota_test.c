/* SPDX-License-Identifier: MIT */
/*
 * quota_test.c -- quotas and their reserve: REG-BUDGET-4, 5 and 8 of
 * spec/region.md.  Ceilings are in ceiling_test.c.
 */
#include "tests/spec/common.h"

#include <fcntl.h>

/* --- REG-BUDGET-4 --------------------------------------------------------- */

/* Waits `asked` times, in one of several ways; how often it suspended. */
struct waits {
    struct count *suspended;
    int asked;
    int way;
    ambit_file *file;
    struct count *started; /* of two that begin together */
};

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Kinds that suspend for certain: the time of a short sleep may have come. */
static int wait_once(ambit_cx *cx, int way, ambit_file *file)
{
    char byte;
    ssize_t got;
    switch (way % 3) {
    case 0:
        return ambit_yield(cx);
    case 1:
        got = ambit_file_read(cx, file, &byte, 1, 0);
        return got < 0 ? (int)got : 0;
    default:
        return ambit_blocking(cx, do_nothing, NULL);
    }
}

static int wait_often(ambit_cx *cx, void *arg)
{
    struct waits *w = arg;
    int rc = 0;
    for (int i = 0; i < w->asked && rc == 0; i++) {
        rc = wait_once(cx, w->way + i, w->file);
        count_add(w->suspended, rc == 0);
    }
    WANT(rc == 0 || rc == -ECANCELED);
    return rc;
}

/* k - 1, k and k + 1 waits by one task. */
static void polls_of_one(ambit_cx *cx, int k, int asked, ambit_file *file)
{
    struct count suspended = {0};
    int rc = 0;
    ambit_scope (cx, own, &rc, .polls_max = (uint64_t)k) {
        struct waits w = {&suspended, asked, asked, file, NULL};
        WANT_EQ(ambit_spawn(own, wait_often, &w), 0);
    }
    WANT_EQ(count_get(&suspended), asked < k ? asked : k);
    WANT_EQ(rc, asked <= k ? 0 : -EDQUOT);
}

static void polls_of_many(ambit_cx *cx, int k, int tasks, ambit_file *file)
{
    struct count suspended = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc, .polls_max = (uint64_t)k) {
        struct waits w = {&suspended, k, 0, file, NULL};
        for (int i = 0; i < tasks; i++) {
            w.way = i;
            WANT_EQ(ambit_spawn(all, wait_often, &w), 0);
        }
    }
    /* Those that were called off by the end have suspended, too. */
    WANT(count_get(&suspended) <= k);
    WANT(count_get(&suspended) > k - tasks);
    WANT_EQ(rc, -EDQUOT);
}

static int spend_polls(ambit_cx *cx, void *arg)
{
    (void)arg;
    ambit_file *file = NULL;
    WANT_EQ(ambit_file_open(cx, "/dev/zero", O_RDONLY, 0, &file), 0);
    for (int k = 1; k < 8; k++) {
        for (int asked = k - 1; asked <= k + 1; asked++) {
            polls_of_one(cx, k, asked, file);
        }
    }
    polls_of_many(cx, 200, 4, file);
    ambit_file_discard(file);

    /* The opener's own waits count, and the reason is told. */
    int rc = 0;
    ambit_scope (cx, own, &rc, .polls_max = 2) {
        WANT_EQ(ambit_yield(cx), 0);
        WANT_EQ(ambit_yield(cx), 0);
        WANT_EQ(ambit_cancel_reason(own).kind, AMBIT_CANCEL_NONE);
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        WANT_EQ(ambit_cancel_reason(own).kind, AMBIT_CANCEL_BUDGET);
        WANT(ambit_cancel_reason(own).own);
        WANT_EQ(ambit_yield(cx), -ECANCELED);
    }
    WANT_EQ(rc, -EDQUOT);
    WANT_EQ(ambit_yield(cx), 0);
    return 0;
}

/* Yields of two workers at once: none of them is called off. */
static int yield_often(ambit_cx *cx, void *arg)
{
    struct waits *w = arg;
    count_up(w->started);
    WANT(spin_until(w->started, 2));
    for (int i = 0; i < w->asked && ambit_yield(cx) == 0; i++) {
        count_up(w->suspended);
    }
    return 0;
}

static int yield_on_two_workers(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int k = 999; k <= 1001; k++) {
        struct count suspended = {0}, started = {0};
        struct waits w = {&suspended, 500, 0, NULL, &started};
        int rc = 0;
        ambit_scope (cx, both, &rc, .polls_max = (uint64_t)k) {
            spawn_elsewhere(both, yield_often, &w, &started);
            WANT_EQ(ambit_spawn(both, yield_often, &w), 0);
        }
        WANT_EQ(count_get(&suspended), k < 1000 ? k : 1000);
        WANT_EQ(rc, k < 1000 ? -EDQUOT : 0);
    }
    return 0;
}

/* A poll task: k steps that see no cancel, and one that does. */
struct steps {
    struct count *good, *cancelled;
    int asked;
};

static int step_often(ambit_cx *cx, void *state)
{
    struct steps *s = state;
    if (ambit_checkpoint(cx) < 0) {
        count_up(s->cancelled);
        return -ECANCELED;
    }
    count_up(s->good);
    if (--s->asked == 0) {
        return 0;
    }
    WANT_EQ(ambit_wake(ambit_cx_waker(cx)), 0);
    return AMBIT_PENDING;
}

static int spend_steps(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int asked = 4; asked <= 6; asked++) {
        struct count good = {0}, cancelled = {0};
        struct steps s = {&good, &cancelled, asked};
        int rc = 0;
        ambit_scope (cx, own, &rc, .polls_max = 5) {
            WANT_EQ(ambit_spawn_poll(own, step_often, &s), 0);
        }
        WANT_EQ(count_get(&good), asked < 5 ? asked : 5);
        WANT_EQ(count_get(&cancelled), asked > 5);
        WANT_EQ(rc, asked > 5 ? -EDQUOT : 0);
    }
    return 0;
}

/* Goal: exactly k resumptions, then the end.
 * Method: k - 1, k, k + 1 waits of several kinds, by one task, by many, by two
 * workers at once, and steps of a poll task. */
Spec(REG_BUDGET_4, a_poll_quota_allows_exactly_its_number)
{
    spec_on_1_and_2_workers(spend_polls);
    spec_on(2, yield_on_two_workers);
    spec_on_1_and_2_workers(spend_steps);
    spec_end("REG_BUDGET_4");
}

/* --- REG-BUDGET-5 --------------------------------------------------------- */

struct payer {
    struct count *paid;
    int rounds;
};

static int pay_often(ambit_cx *cx, void *arg)
{
    struct payer *p = arg;
    for (int i = 0; i < p->rounds; i++) {
        int rc = ambit_charge(cx, 1);
        WANT(rc == 0 || rc == -EDQUOT || rc == -ECANCELED);
        if (rc < 0) {
            break;
        }
        count_up(p->paid);
    }
    return 0;
}

static int pay_until_refused(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, exact, &rc, .cost_max = 10) {
        WANT_EQ(ambit_charge(cx, 4), 0);
        WANT_EQ(ambit_charge(cx, 5), 0); /* one below */
        WANT_EQ(ambit_charge(cx, 0), 0);
        WANT_EQ(ambit_charge(cx, 1), 0); /* at the limit */
        WANT_EQ(ambit_charge(cx, 0), 0);
        WANT_EQ(ambit_region_used(exact, AMBIT_LIMIT_COST), 10);
    }
    WANT_EQ(rc, 0);
    ambit_scope (cx, over, &rc, .cost_max = 10) {
        WANT_EQ(ambit_charge(cx, 9), 0);
        WANT_EQ(ambit_checkpoint(cx), 0);
        WANT_EQ(ambit_charge(cx, 2), -EDQUOT); /* one above */
        WANT_EQ(ambit_region_used(over, AMBIT_LIMIT_COST), 9);
        WANT_EQ(ambit_cancel_reason(over).kind, AMBIT_CANCEL_BUDGET);
        WANT_EQ(ambit_charge(cx, 1), -ECANCELED);
        WANT_EQ(ambit_yield(cx), -ECANCELED);
    }
    WANT_EQ(rc, -EDQUOT);
    rc = 0;
    ambit_scope (cx, huge, &rc, .cost_max = UINT64_MAX) {
        WANT_EQ(ambit_charge(cx, UINT64_MAX - 1), 0);
        WANT_EQ(ambit_charge(cx, UINT64_MAX), -EDQUOT);
    }
    WANT_EQ(rc, -EDQUOT);
    WANT_EQ(ambit_charge(cx, UINT64_MAX), 0); /* nothing limits it here */
    return 0;
}

static int pay_together(ambit_cx *cx, void *arg)
{
    (void)arg;
    int each = (int)(20000 / SPEC_SLOWER);
    for (int off = -1; off <= 1; off++) {
        struct count paid = {0};
        int rc = 0;
        int64_t most = 4 * each + off;
        ambit_scope (cx, all, &rc, .cost_max = (uint64_t)most) {
            struct payer p = {&paid, each};
            for (int i = 0; i < 3; i++) {
                WANT_EQ(ambit_spawn(all, pay_often, &p), 0);
            }
            WANT_EQ(ambit_spawn_with(all, pay_often, &p,
                                     .tier = AMBIT_BLOCKING), 0);
        }
        WANT_EQ(count_get(&paid), off < 0 ? most : 4 * each);
        WANT_EQ(rc, off < 0 ? -EDQUOT : 0);
    }
    return 0;
}

/* Goal: what was granted is the quota, to the unit.
 * Method: one below, at, and above it; by four tasks at once, one of them on a
 * thread of the pool. */
Spec(REG_BUDGET_5, a_cost_quota_grants_exactly_its_units)
{
    spec_on_1_and_2_workers(pay_until_refused);
    spec_on_1_and_2_workers(pay_together);
    spec_end("REG_BUDGET_5");
}

/* --- REG-BUDGET-8 --------------------------------------------------------- */

struct cleanup {
    struct count waits, charges, spawns, opens, ran;
};

static int count_one(ambit_cx *cx, void *arg)
{
    (void)cx;
    count_up(*(struct count **)arg);
    return 0;
}

static int clean_up_thoroughly(ambit_cx *cx, void *arg)
{
    struct cleanup *c = arg;
    count_up(&c->ran);
    while (ambit_yield(cx) == 0) {
        count_up(&c->waits);
    }
    WANT_EQ(ambit_yield(cx), -EDQUOT);
    while (ambit_charge(cx, 1) == 0) {
        count_up(&c->charges);
    }
    struct count *spawns = &c->spawns;
    int rc = 0;
    ambit_scope (cx, helpers, &rc) {
        WANT_EQ(ambit_spawn(helpers, count_one, &spawns), 0);
        WANT_EQ(ambit_spawn(helpers, count_one, &spawns), 0);
    }
    WANT_EQ(rc, 0);
    ambit_tcp *socket;
    if (ambit_tcp_listen("127.0.0.1:0", &socket) == 0) {
        count_up(&c->opens);
        ambit_tcp_discard(socket);
    }
    return 0;
}

/* Uses up whatever there is, and cancels its own region thereby. */
static void burn(ambit_cx *cx, ambit_region *own, struct waiter w,
                 ambit_tcp **ret_socket)
{
    WANT_EQ(ambit_tcp_listen("127.0.0.1:0", ret_socket), 0);
    ambit_tcp *none;
    WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &none), -EDQUOT);
    WANT_EQ(ambit_spawn(own, wait_for_ever, &w), 0);
    WANT_EQ(ambit_spawn(own, wait_for_ever, &w), 0);
    WANT_EQ(ambit_spawn(own, wait_for_ever, &w), -EDQUOT);
    while (ambit_charge(cx, 1) == 0) {
    }
    while (ambit_yield(cx) == 0) {
    }
    WANT_EQ(ambit_checkpoint(cx), -ECANCELED);
}

static void burn_and_clean(ambit_cx *cx, uint64_t polls, uint64_t cost)
{
    struct cleanup c[2];
    memset(c, 0, sizeof c);
    struct count started = {0}, cancelled = {0};
    struct waiter w = {&started, &cancelled};
    ambit_tcp *socket = NULL;
    int outer_rc = 0, rc = 0;
    ambit_scope (cx, outer, &outer_rc, .fds_max = 1, .tasks_max = 2) {
        ambit_scope (cx, own, &rc, .name = "own", .polls_max = 7,
                     .cost_max = 5, .cleanup_polls = polls,
                     .cleanup_cost = cost) {
            WANT_EQ(ambit_defer_async(own, clean_up_thoroughly, &c[0]), 0);
            WANT_EQ(ambit_defer_async(own, clean_up_thoroughly, &c[1]), 0);
            burn(cx, own, w, &socket);
        }
    }
    WANT_EQ(rc, -EDQUOT);
    WANT_EQ(outer_rc, 0);
    WANT_EQ(count_get(&c[0].ran) + count_get(&c[1].ran), 2);
    /* the later one ran first, and the reserve is for both */
    WANT_EQ(count_get(&c[1].waits), polls != 0 ? (int64_t)polls : 7);
    WANT_EQ(count_get(&c[0].waits), 0);
    WANT_EQ(count_get(&c[1].charges), cost != 0 ? (int64_t)cost : 5);
    WANT_EQ(count_get(&c[0].charges), 0);
    for (int i = 0; i < 2; i++) {
        WANT_EQ(count_get(&c[i].spawns), 2);
        WANT_EQ(count_get(&c[i].opens), 1);
    }
    ambit_tcp_discard(socket);
}

static int count_waits(ambit_cx *cx, void *arg)
{
    for (int i = 0; i < 4; i++) {
        WANT_EQ(ambit_yield(cx), 0);
    }
    count_up(arg);
    return 0;
}

/* A loop of clean-ups, each within its reserve, is not free. */
static void clean_up_in_a_loop(ambit_cx *cx)
{
    struct count cleaned = {0};
    int outer_rc = 0, opened = 0;
    ambit_scope (cx, outer, &outer_rc, .polls_max = 10) {
        for (; opened < 100; opened++) {
            int rc = 0;
            bool ran = false;
            ambit_scope (cx, inner, &rc) {
                WANT_EQ(ambit_defer_async(inner, count_waits, &cleaned), 0);
                ran = true;
            }
            if (!ran) {
                WANT_EQ(rc, -ECANCELED);
                break;
            }
        }
    }
    WANT_EQ(opened, 3); /* 4, 8, 12 waits */
    WANT_EQ(count_get(&cleaned), 3);
    WANT_EQ(outer_rc, -EDQUOT);
}

static int reserve_is_apart(ambit_cx *cx, void *arg)
{
    (void)arg;
    burn_and_clean(cx, 0, 0);
    burn_and_clean(cx, 3, 9);
    burn_and_clean(cx, 20, 2);
    clean_up_in_a_loop(cx);

    /* Without a quota on the body, and never more than the parent has. */
    struct cleanup c;
    memset(&c, 0, sizeof c);
    int outer_rc = 0, rc = 0;
    ambit_scope (cx, outer, &outer_rc, .cleanup_polls = 4) {
        ambit_scope (cx, inner, &rc, .cleanup_polls = 6, .cleanup_cost = 2) {
            WANT_EQ(ambit_defer_async(inner, clean_up_thoroughly, &c), 0);
        }
    }
    WANT_EQ(rc, -EDQUOT);
    WANT_EQ(outer_rc, 0);
    WANT_EQ(count_get(&c.waits), 4);
    WANT_EQ(count_get(&c.charges), 2);
    return 0;
}

/* Goal: clean-up has what was set aside for it, exactly.
 * Method: a body uses up waits, cost, tasks and descriptors, the places of the
 * region around included; two finalizers then use all they can get. */
Spec(REG_BUDGET_8, clean_up_has_a_reserve_of_its_own)
{
    spec_on_1_and_2_workers(reserve_is_apart);
    spec_end("REG_BUDGET_8");
}
