/* SPDX-License-Identifier: MIT */
/*
 * cancel_reason_test.c -- what a cancel says about itself: CAN-10 and CAN-11 of
 * spec/cancel.md.
 */
#include "tests/spec/common.h"

#include "regions/region.h" /* all kinds can be asked for in any order */

/* --- CAN-10 ---------------------------------------------------------------- */

enum { KINDS = AMBIT_CANCEL_SHUTDOWN };

static const char *const texts[] = {"0", "1", "2", "3", "4", "5", "6", "7"};

/* The reasons in that order; the strongest must stand at the end, and at each
 * step what stands is the strongest so far. */
static void ask_in_order(ambit_cx *cx, const int *kinds, int count)
{
    int rc = 0, most = 0, at = -1;
    ambit_scope (cx, outer, &rc) {
        ambit_scope (cx, inner, &rc) {
            for (int i = 0; i < count; i++) {
                region_cancel(region_of(outer),
                              (enum ambit_cancel_kind)kinds[i], texts[i]);
                at = kinds[i] > most ? i : at;
                most = kinds[i] > most ? kinds[i] : most;
                struct ambit_cancel_reason own = ambit_cancel_reason(outer);
                struct ambit_cancel_reason below = ambit_cancel_reason(inner);
                WANT_EQ(own.kind, most);
                WANT_EQ(below.kind, most);
                WANT(own.own && !below.own);
                WANT_EQ(strcmp(own.text, texts[at]), 0);
                WANT_EQ(strcmp(below.text, texts[at]), 0);
            }
        }
    }
}

static int all_orders(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int a = 1; a <= KINDS; a++) {
        for (int b = 1; b <= KINDS; b++) {
            for (int c = 1; c <= KINDS; c++) {
                ask_in_order(cx, (int[]){a, b, c}, 3);
            }
        }
    }
    return 0;
}

struct rival {
    ambit_region *target;
    int kind;
};

static int ask_at_once(ambit_cx *cx, void *arg)
{
    struct rival *r = arg;
    (void)cx;
    region_cancel(region_of(r->target), (enum ambit_cancel_kind)r->kind,
                  texts[r->kind]);
    return 0;
}

struct target {
    struct count *open, *done;
    ambit_region *region;
    int most;
};

/* Hands its scope out, waits until all have asked, and looks. */
static int be_the_target(ambit_cx *cx, void *arg)
{
    struct target *t = *(struct target **)arg;
    int rc = 0;
    ambit_scope (cx, region, &rc) {
        t->region = region;
        count_up(t->open);
        (void)ambit_sleep_until(cx, ambit_never());
        WANT(spin_until(t->done, 1));
        struct ambit_cancel_reason why = ambit_cancel_reason(region);
        WANT_EQ(why.kind, t->most);
        WANT_EQ(strcmp(why.text, texts[t->most]), 0);
    }
    return 0;
}

static int all_at_once(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 1000 / SPEC_SLOWER; round++) {
        struct count open = {0}, done = {0};
        struct target t = {.open = &open, .done = &done}, *pt = &t;
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            spawn_elsewhere(all, be_the_target, &pt, &open);
            ambit_scope (cx, rivals, &rc) {
                for (int i = 0; i < 4; i++) {
                    struct rival r = {t.region,
                                      1 + (round * 7 + i * 5) % KINDS};
                    t.most = r.kind > t.most ? r.kind : t.most;
                    WANT_EQ(ambit_spawn(rivals, ask_at_once, &r), 0);
                }
            }
            count_up(&done);
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* Goal: which reason remains does not depend on the order.
 * Method: all triples of kinds, one after the other. */
Spec(CAN_10, the_strongest_reason_remains_in_any_order)
{
    spec_on_1_and_2_workers(all_orders);
    spec_end("CAN_10");
}

/* Goal: nor on who is faster.
 * Method: four tasks on two workers ask at once for different kinds. */
Spec(CAN_10, the_strongest_of_many_cancellers_remains)
{
    spec_on(2, all_at_once);
    spec_end("CAN_10");
}

/* --- CAN-11 ---------------------------------------------------------------- */

static bool is_link(const struct ambit_cancel_link *link,
                    enum ambit_cancel_kind kind, int code, const char *region,
                    const char *task, const char *text)
{
    bool same = link->kind == kind && link->code == code &&
                strcmp(link->region, region) == 0 &&
                strcmp(link->task, task) == 0 && strcmp(link->text, text) == 0;
    if (!same) {
        fprintf(stderr, "link: kind %d, code %d, \"%s\", \"%s\", \"%s\"\n",
                (int)link->kind, link->code, link->region, link->task,
                link->text);
    }
    return same;
}

static int fetch(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, request, &rc, .name = "request",
                 .deadline = ambit_after(ambit_us(50))) {
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
    }
    return rc;
}

static int page(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0, none = 0;
    ambit_scope (cx, page_region, &rc, .name = "page") {
        WANT_EQ(ambit_spawn_with(page_region, fetch, &none, .name = "fetch"),
                0);
    }
    return rc;
}

struct onlooker {
    struct count *open, *seen;
};

/* Deep inside, cut off by what went wrong elsewhere. */
static int look_on(ambit_cx *cx, void *arg)
{
    struct onlooker *o = arg;
    struct ambit_cancel_chain chain;
    int rc = 0;
    ambit_scope (cx, far, &rc, .name = "far") {
        WANT_EQ(ambit_cancel_chain(far, &chain), 0);
        count_up(o->open);
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        WANT_EQ(ambit_cancel_chain(far, &chain), 3);
        WANT_EQ(chain.len, 3);
        WANT(!chain.cut);
        WANT(is_link(&chain.link[0], AMBIT_CANCEL_FAIL_FAST, -ETIMEDOUT, "site",
                     "page", "page"));
        WANT(is_link(&chain.link[1], AMBIT_CANCEL_FAIL_FAST, -ETIMEDOUT, "page",
                     "fetch", "fetch"));
        WANT(is_link(&chain.link[2], AMBIT_CANCEL_DEADLINE, -ETIMEDOUT,
                     "request", "", "deadline"));
        count_up(o->seen);
    }
    return rc;
}

static int explain(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        struct count open = {0}, seen = {0};
        struct onlooker o = {&open, &seen};
        struct ambit_outcome out;
        int rc = 0, none = 0;
        ambit_scope (cx, site, &rc, .name = "site", .ret_outcome = &out) {
            WANT_EQ(ambit_spawn(site, look_on, &o), 0);
            WANT(until(cx, &open, 1));
            WANT_EQ(ambit_spawn_with(site, page, &none, .name = "page"), 0);
        }
        WANT_EQ(rc, -ETIMEDOUT);
        WANT_EQ(count_get(&seen), 1);
        WANT_EQ(out.why.len, 3);
        WANT(is_link(&out.why.link[2], AMBIT_CANCEL_DEADLINE, -ETIMEDOUT,
                     "request", "", "deadline"));
    }
    return 0;
}

/* Goal: from a cancel one can tell what it came of, far away.
 * Method: a deadline inside a task inside a task fails a site; another task of
 * the site asks why it was cut off. */
Spec(CAN_11, a_chain_leads_from_a_cancel_to_its_root)
{
    spec_on_1_and_2_workers(explain);
    spec_end("CAN_11");
}

static int fall(ambit_cx *cx, void *arg)
{
    int depth = *(int *)arg - 1, rc = 0;
    if (depth < 0) {
        return -EXDEV;
    }
    ambit_scope (cx, level, &rc, .name = "level") {
        WANT_EQ(ambit_spawn_with(level, fall, &depth,
                                 .name = depth == 0 ? "root" : "link"), 0);
    }
    return rc;
}

static void fall_from(ambit_cx *cx, int depth)
{
    struct ambit_outcome out;
    unsigned wanted = depth < AMBIT_CHAIN_MAX ? (unsigned)depth
                                              : AMBIT_CHAIN_MAX;
    int below = depth - 1, rc = 0;
    ambit_scope (cx, top, &rc, .name = "top", .ret_outcome = &out) {
        WANT_EQ(ambit_spawn_with(top, fall, &below,
                                 .name = below == 0 ? "root" : "link"), 0);
    }
    WANT_EQ(rc, -EXDEV);
    WANT_EQ(out.why.len, wanted);
    WANT_EQ(out.why.cut, depth > AMBIT_CHAIN_MAX);
    for (unsigned i = 0; i < out.why.len; i++) {
        bool last = i + 1 == out.why.len;
        WANT(is_link(&out.why.link[i], AMBIT_CANCEL_FAIL_FAST, -EXDEV,
                     i == 0 ? "top" : "level", last ? "root" : "link",
                     last ? "root" : "link"));
    }
}

static int fail_otherwise(ambit_cx *cx, void *arg)
{
    (void)page(cx, arg);
    return -ENOENT; /* not what the scope failed of */
}

static int recover(ambit_cx *cx, void *arg)
{
    (void)page(cx, arg);
    return 0;
}

static int fall_from_all_heights(ambit_cx *cx, void *arg)
{
    struct ambit_outcome out;
    int none = 0, rc = 0;
    for (int depth = 1; depth <= 2 * AMBIT_CHAIN_MAX + 1; depth++) {
        fall_from(cx, depth);
    }
    ambit_scope (cx, other, &rc, .name = "other", .ret_outcome = &out) {
        WANT_EQ(ambit_spawn_with(other, fail_otherwise, &none,
                                 .name = "otherwise"), 0);
    }
    WANT_EQ(rc, -ENOENT);
    WANT_EQ(out.why.len, 1);
    rc = 0;
    ambit_scope (cx, fine, &rc, .ret_outcome = &out) {
        WANT_EQ(ambit_spawn(fine, recover, &none), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(out.why.len, 0);
    (void)arg;
    return 0;
}

static int end_with_epipe(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    return -EPIPE;
}

static int fail_within(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, within, &rc, .name = "within") {
        WANT_EQ(ambit_spawn(within, end_with_epipe, &rc), 0);
    }
    return rc;
}

static enum ambit_verdict second_cancels(void *user,
                                         const struct ambit_child_end *end)
{
    (void)end;
    return count_up(user) == 0 ? AMBIT_KEEP : AMBIT_CANCEL_SIBLINGS;
}

static int cancel_by_the_second(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count ends = {0};
    struct ambit_cancel_chain chain;
    int rc = 0;
    ambit_scope (cx, s, &rc, .decide = second_cancels, .decide_user = &ends) {
        WANT_EQ(ambit_spawn(s, fail_within, &rc), 0);
        WANT(until(cx, &ends, 1));
        WANT_EQ(ambit_spawn(s, end_with_epipe, &rc), 0);
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        WANT_EQ(ambit_cancel_chain(s, &chain), 1);
    }
    WANT_EQ(rc, -EPIPE);
    return 0;
}

/* Goal: a cancel is not put down to what another task has failed of.
 * Method: two tasks of one name and one code; the first, which has failed of a
 * scope, is kept, the second cancels. */
Spec(CAN_11, a_chain_is_of_the_task_that_failed)
{
    spec_on(1, cancel_by_the_second);
    spec_end("CAN_11");
}

/* Goal: a chain of any length keeps its root and a bound.
 * Method: 1 to 17 levels, each failed by the one below; then failures that are
 * not, or no longer, those of the scope inside. */
Spec(CAN_11, a_long_chain_keeps_its_root)
{
    spec_on_1_and_2_workers(fall_from_all_heights);
    spec_end("CAN_11");
}

static int say_who(ambit_cx *cx, void *arg)
{
    ambit_region *region = *(ambit_region **)arg;
    char text[100];
    memset(text, 'x', sizeof text);
    text[99] = '\0';
    ambit_cancel(region, text);
    struct ambit_cancel_chain chain;
    WANT_EQ(ambit_cancel_chain(region, &chain), 1);
    WANT_EQ(strlen(chain.link[0].text), sizeof chain.link[0].text - 1);
    WANT_EQ(strcmp(chain.link[0].task, "asker"), 0);
    WANT_EQ(strcmp(ambit_cancel_reason(region).task, "asker"), 0);
    WANT_EQ(ambit_yield(cx), -ECANCELED);
    return 0;
}

static int ask_by_name(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, target, &rc, .name = "target") {
        WANT_EQ(ambit_spawn_with(target, say_who, &target, .name = "asker"),
                0);
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a cancel names the task that asked for it; long texts are cut.
 * Method: a task of the region cancels it with 99 characters. */
Spec(CAN_11, a_cancel_names_who_asked)
{
    spec_on_1_and_2_workers(ask_by_name);
    spec_end("CAN_11");
}
