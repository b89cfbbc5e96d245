/* SPDX-License-Identifier: MIT */
/*
 * region_test.c -- opening, admitting, leaving and closing: spec/region.md.
 *
 * Finalizers, policies and budgets have files of their own, and tree_test.c
 * holds REG-CLOSE-1 against random trees.
 */
#include "tests/spec/common.h"

/* A task that gives way a few times and says how it ended. */
struct runner {
    struct count *started, *finished, *cancelled;
    int turns;
};

static int run_some_turns(ambit_cx *cx, void *arg)
{
    struct runner *r = arg;
    count_up(r->started);
    for (int i = 0; i < r->turns; i++) {
        if (ambit_yield(cx) < 0) {
            count_up(r->cancelled);
            return -ECANCELED;
        }
    }
    count_up(r->finished);
    return 0;
}

struct tally {
    struct count started, finished, cancelled;
};

static struct runner runner_for(struct tally *tally, int turns)
{
    return (struct runner){&tally->started, &tally->finished,
                           &tally->cancelled, turns};
}

static struct waiter waiter_for(struct tally *tally)
{
    return (struct waiter){&tally->started, &tally->cancelled};
}

/* --- REG-OPEN-1 ----------------------------------------------------------- */

static int open_under_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    int outer_rc = 0, rc = 0, failed_rc = -EIO, bodies = 0;
    ambit_scope (cx, outer, &outer_rc) {
        ambit_cancel(outer, "nothing starts any more");
        ambit_scope (cx, refused, &rc) {
            bodies++;
            WANT_EQ(ambit_region_tasks(refused), 0);
        }
        ambit_scope (cx, refused_too, &failed_rc) {
            bodies++;
            WANT_EQ(ambit_region_tasks(refused_too), 0);
        }
        struct ambit_scope_block block;
        WANT_EQ(ambit_scope_open(cx, &block, NULL), -ECANCELED);
    }
    WANT_EQ(bodies, 0);
    WANT_EQ(rc, -ECANCELED);
    WANT_EQ(failed_rc, -EIO);
    WANT_EQ(outer_rc, 0);
    return 0;
}

/* Goal: nothing is begun under a cancel.
 * Method: both forms, inside a cancelled scope; bodies are counted. */
Spec(REG_OPEN_1, a_scope_under_a_cancel_does_not_open)
{
    spec_on_1_and_2_workers(open_under_cancel);
    spec_end("REG_OPEN_1");
}

/* --- REG-ADMIT-1, REG-ADMIT-2 --------------------------------------------- */

struct heir {
    ambit_region *region;
    struct count *ran, *refused;
    int generations; /* still to come */
};

/* Spawns its successor as its last act. */
static int spawn_heir(ambit_cx *cx, void *arg)
{
    struct heir *h = arg;
    count_up(h->ran);
    if (h->generations % 3 == 0) {
        (void)ambit_yield(cx);
    }
    struct heir next = *h;
    if (next.generations-- > 0) {
        enum ambit_tier tier =
            next.generations % 7 == 1 ? AMBIT_BLOCKING : AMBIT_SEND;
        int rc = ambit_spawn_with(h->region, spawn_heir, &next, .tier = tier);
        WANT(rc == 0 || rc == -ESHUTDOWN);
        count_add(h->refused, rc < 0);
    }
    return 0;
}

static void spawn_too_late(void *arg)
{
    struct heir *h = arg;
    WANT_EQ(ambit_spawn(h->region, spawn_heir, h), -ESHUTDOWN);
}

static int spawn_against_close(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 400 / SPEC_SLOWER; round++) {
        struct count ran = {0}, refused = {0};
        struct heir h = {NULL, &ran, &refused, 50};
        bool cancelled = round % 2;
        int rc = 0;
        ambit_scope (cx, dynasty, &rc) {
            h.region = dynasty;
            WANT_EQ(ambit_defer(dynasty, spawn_too_late, &h), 0);
            for (int i = 0; i < 4; i++) {
                WANT_EQ(ambit_spawn(dynasty, spawn_heir, &h), 0);
            }
            WANT_EQ(ambit_sleep(cx, ambit_us(round % 60)), 0);
            if (cancelled) {
                ambit_cancel(dynasty, "the end of the line");
                WANT_EQ(ambit_spawn(dynasty, spawn_heir, &h), -ESHUTDOWN);
            }
        }
        WANT_EQ(rc, 0);
        WANT(cancelled || count_get(&refused) == 0);
        WANT(cancelled || count_get(&ran) == 4 * 51);
    }
    return 0;
}

/* Also where the worker has places of the region in hand. */
static int spawn_after_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count ran = {0}, refused = {0};
    struct heir h = {NULL, &ran, &refused, 0};
    int rc = 0;
    ambit_scope (cx, dynasty, &rc) {
        h.region = dynasty;
        for (int i = 0; i < 4; i++) {
            WANT_EQ(ambit_spawn(dynasty, spawn_heir, &h), 0);
        }
        ambit_cancel(dynasty, "before the first of them");
        for (int i = 0; i < 4; i++) {
            WANT_EQ(ambit_spawn(dynasty, spawn_heir, &h), -ESHUTDOWN);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&ran), 0);
    return 0;
}

/* Goal: a close that waits still admits what it waits for brings, and nothing
 * after that; a cancel ends it at once.
 * Method: four lines of 50 heirs; the opener waits, or cancels. */
Spec(REG_ADMIT_1, a_region_admits_until_its_last_task_has_ended)
{
    spec_on_1_and_2_workers(spawn_against_close);
    spec_on(1, spawn_after_cancel);
    spec_end("REG_ADMIT_1");
}

struct guest {
    struct count *inside, *most, *may_leave;
};

static int visit(ambit_cx *cx, void *arg)
{
    struct guest *g = arg;
    int64_t now = count_up(g->inside) + 1;
    if (now > count_get(g->most)) {
        count_set(g->most, now);
    }
    WANT(until(cx, g->may_leave, 1));
    int rc = ambit_yield(cx);
    count_add(g->inside, -1);
    return rc;
}

static int fill_to_the_ceiling(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count inside = {0}, most = {0}, may_leave = {0};
    int admitted = 0, refused = 0, rc = 0;
    ambit_scope (cx, hotel, &rc, .tasks_max = 4) {
        struct guest g = {&inside, &most, &may_leave};
        while (admitted < 2000) {
            int spawn_rc = ambit_spawn(hotel, visit, &g);
            WANT(ambit_region_tasks(hotel) <= 4);
            if (spawn_rc == 0) {
                admitted++;
                continue;
            }
            WANT_EQ(spawn_rc, -EDQUOT);
            if (refused++ == 0) { /* nobody has left yet */
                WANT_EQ(admitted, 4);
                count_up(&may_leave);
            }
            WANT_EQ(ambit_yield(cx), 0);
        }
        WANT(refused > 0);
    }
    WANT_EQ(rc, 0);
    WANT(count_get(&most) <= 4);
    return 0;
}

/* Goal: never more tasks than the ceiling; each that ends makes room.
 * Method: 2,000 guests through a region of 4; the first four stay until one
 * more was refused. */
Spec(REG_ADMIT_2, a_region_holds_no_more_than_its_ceiling)
{
    spec_on_1_and_2_workers(fill_to_the_ceiling);
    spec_end("REG_ADMIT_2");
}

/* --- REG-CLOSE-2, REG-CLOSE-3: leaving ------------------------------------ */

enum leaving { FALL_OFF, CONTINUE, BREAK, RETURN, GOTO };

static int leave(ambit_cx *cx, enum leaving how, struct tally *tally,
                 int *rc)
{
    ambit_scope (cx, left, rc) {
        struct runner r = runner_for(tally, 50);
        struct waiter w = waiter_for(tally);
        WANT_EQ(ambit_spawn(left, run_some_turns, &r), 0);
        WANT(until(cx, &tally->started, 1));
        if (how >= BREAK) {
            WANT_EQ(ambit_spawn(left, wait_for_ever, &w), 0);
            WANT(until(cx, &tally->started, 2));
        }
        switch (how) {
        case CONTINUE:
            continue;
        case RETURN:
            return 5;
        case GOTO:
            goto out;
        case FALL_OFF:
        case BREAK:
            break;
        }
        if (how == BREAK) {
            break;
        }
    }
    return 6;
out:
    return 7;
}

static int leave_gently(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (enum leaving how = FALL_OFF; how <= CONTINUE; how++) {
        struct tally tally = {0};
        int rc = 0;
        WANT_EQ(leave(cx, how, &tally, &rc), 6);
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&tally.finished), 1);
        WANT_EQ(count_get(&tally.cancelled), 0);
    }
    return 0;
}

/* Goal: the ordinary ways out let the children finish.
 * Method: one child of 50 turns; it must have finished. */
Spec(REG_CLOSE_2, falling_off_the_end_and_continue_join)
{
    spec_on_1_and_2_workers(leave_gently);
    spec_end("REG_CLOSE_2");
}

static int leave_early(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const int results[] = {[BREAK] = 6, [RETURN] = 5, [GOTO] = 7};
    for (enum leaving how = BREAK; how <= GOTO; how++) {
        struct tally tally = {0};
        int rc = 0;
        WANT_EQ(leave(cx, how, &tally, &rc), results[how]);
        WANT_EQ(rc, 0);
        WANT(count_get(&tally.cancelled) >= 1);
        WANT_EQ(count_get(&tally.cancelled) + count_get(&tally.finished), 2);
        WANT_EQ(ambit_checkpoint(cx), 0);
    }
    return 0;
}

/* Goal: the early ways out cancel, then join.
 * Method: a child that would wait for ever; it has ended after the leave. */
Spec(REG_CLOSE_3, break_return_and_goto_cancel_then_join)
{
    spec_on_1_and_2_workers(leave_early);
    spec_end("REG_CLOSE_3");
}

/* --- REG-CLOSE-1, REG-CLOSE-4 --------------------------------------------- */

static int stubborn(ambit_cx *cx, void *arg)
{
    struct runner *r = arg;
    count_up(r->started);
    while (ambit_yield(cx) == 0) {
    }
    for (int i = 0; i < r->turns; i++) {
        WANT_EQ(ambit_sleep(cx, ambit_us(1)), -ECANCELED);
    }
    count_up(r->finished);
    return 0;
}

static int close_around_stubborn(ambit_cx *cx, void *arg)
{
    struct tally *tally = *(struct tally **)arg;
    int rc = 0;
    ambit_scope (cx, inner, &rc) {
        struct runner r = runner_for(tally, 2000);
        WANT_EQ(ambit_spawn(inner, stubborn, &r), 0);
        WANT(until(cx, &tally->started, 1));
    }
    WANT_EQ(count_get(&tally->finished), 1);
    WANT_EQ(rc, -ECANCELED);
    return rc;
}

static int cancel_a_closing_region(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        struct tally tally = {0}, *ptally = &tally;
        int rc = 0;
        ambit_scope (cx, outer, &rc) {
            WANT_EQ(ambit_spawn(outer, close_around_stubborn, &ptally), 0);
            WANT(until(cx, &tally.started, 1));
            ambit_cancel(outer, "hurry");
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&tally.finished), 1);
    }
    return 0;
}

/* Goal: no cancel makes a close leave a child behind.
 * Method: the closer is cancelled while its child ignores 2,000 cancels. */
Spec(REG_CLOSE_4, a_cancel_does_not_cut_a_close_short)
{
    spec_on_1_and_2_workers(cancel_a_closing_region);
    spec_end("REG_CLOSE_4");
}

/* --- REG-CLOSE-5 ---------------------------------------------------------- */

static struct count slow_line;

static int sleep_until_reported(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int i = 0; i < 4000 && !spec_logged("slowpoke"); i++) {
        count_set(&slow_line, __LINE__ + 1);
        WANT_EQ(ambit_sleep(cx, ambit_ms(5)), 0);
    }
    return 0;
}

static int close_slowly(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, molasses, &rc, .name = "molasses",
                 .close_warn = ambit_ms(10)) {
        WANT_EQ(ambit_spawn_with(molasses, sleep_until_reported, &rc,
                                 .name = "slowpoke"), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a close that takes long says for whom and where.
 * Method: a child that ends once it has been named in the log. */
Spec(REG_CLOSE_5, a_slow_close_says_whom_it_waits_for)
{
    spec_on(1, close_slowly);
    char place[64];
    snprintf(place, sizeof place, "region_test.c:%d",
             (int)count_get(&slow_line));
    WANT(spec_logged("slowpoke"));
    WANT(spec_logged("molasses"));
    WANT(spec_logged(place));
    spec_end("REG_CLOSE_5");
}

/* --- REG-CLOSE-6, REG-CLOSE-7 --------------------------------------------- */

static int fail_with(ambit_cx *cx, void *arg)
{
    (void)cx;
    return *(int *)arg;
}

static int keep_the_first_failure(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0, error = 0;
    ambit_scope (cx, fine, &rc) {
        WANT_EQ(ambit_spawn(fine, fail_with, &error), 0);
    }
    WANT_EQ(rc, 0);
    for (int round = 0; round < 3; round++) {
        ambit_scope (cx, failing, &rc) {
            error = round == 0 ? -EIO : -EPIPE;
            WANT_EQ(ambit_spawn(failing, fail_with, &error), 0);
        }
        WANT_EQ(rc, -EIO);
        ambit_scope (cx, good, &rc) {
            error = 0;
            WANT_EQ(ambit_spawn(good, fail_with, &error), 0);
        }
        WANT_EQ(rc, -EIO);
    }
    return 0;
}

/* Goal: rc keeps what failed first.
 * Method: failing and good scopes in turn over one rc. */
Spec(REG_CLOSE_6, a_scope_keeps_an_earlier_failure)
{
    spec_on_1_and_2_workers(keep_the_first_failure);
    spec_end("REG_CLOSE_6");
}

static int fail_in_the_body(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct tally tally = {0};
    struct ambit_scope_block block;
    struct ambit_scope_options options = {.size_ = sizeof options,
                                          .tasks_max = 2};
    struct waiter w = waiter_for(&tally);
    WANT_EQ(ambit_scope_open(cx, &block, &options), 0);
    WANT(ambit_cx_region(cx) == block.region);
    WANT_EQ(ambit_spawn(block.region, wait_for_ever, &w), 0);
    WANT_EQ(ambit_spawn(block.region, wait_for_ever, &w), 0);
    WANT_EQ(ambit_spawn(block.region, wait_for_ever, &w), -EDQUOT);
    WANT(until(cx, &tally.started, 2));
    WANT_EQ(ambit_scope_close(cx, &block, -EINVAL), -EINVAL);
    WANT_EQ(count_get(&tally.cancelled), 2);

    struct runner r = runner_for(&tally, 50);
    WANT_EQ(ambit_scope_open(cx, &block, NULL), 0);
    WANT_EQ(ambit_spawn(block.region, run_some_turns, &r), 0);
    WANT_EQ(ambit_scope_close(cx, &block, 0), 0);
    WANT_EQ(count_get(&tally.finished), 1);
    return 0;
}

/* Goal: a body that failed cancels; one that did not joins.
 * Method: open and close as functions, with and without a body_rc. */
Spec(REG_CLOSE_7, a_failed_body_cancels_its_children)
{
    spec_on_1_and_2_workers(fail_in_the_body);
    spec_end("REG_CLOSE_7");
}
