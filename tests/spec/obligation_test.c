/* SPDX-License-Identifier: MIT */
/*
 * obligation_test.c -- promises on record: OBL of spec/obligation.md.
 */
#include "tests/spec/common.h"

/* Who was aborted, in which order. */
struct aborts {
    struct count len;
    int number[64];
};

struct promise {
    struct ambit_obligation ob;
    struct aborts *aborts;
    int number;
};

static void note_abort(void *arg)
{
    struct promise *p = arg;
    int64_t at = count_up(&p->aborts->len);
    if (at < (int64_t)ARRAY_LEN(p->aborts->number)) {
        p->aborts->number[at] = p->number;
    }
}

/* --- OBL-ONCE-1 ----------------------------------------------------------- */

static void fulfil_myself(void *arg)
{
    struct promise *p = arg;
    WANT_EQ(ambit_fulfil(&p->ob), -EALREADY);
    note_abort(p);
}

static int resolve_again_and_again(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct aborts aborts = {0};
    struct promise p = {.aborts = &aborts, .number = 1};
    int rc = 0;
    WANT_EQ(ambit_fulfil(&p.ob), -EALREADY);
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_transfer(&p.ob, all), -EALREADY);
        WANT_EQ(ambit_oblige(all, &p.ob, note_abort, &p), 0);
        WANT_EQ(ambit_fulfil(&p.ob), 0);
        WANT_EQ(ambit_fulfil(&p.ob), -EALREADY);
        WANT_EQ(ambit_transfer(&p.ob, all), -EALREADY);
        /* the record may be used again */
        WANT_EQ(ambit_oblige(all, &p.ob, fulfil_myself, &p), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&aborts.len), 1);
    WANT_EQ(ambit_fulfil(&p.ob), -EALREADY);
    return 0;
}

/* Goal: the second who resolves is told so, whoever was first.
 * Method: fulfil before, after, twice, in the hook and after the abort. */
Spec(OBL_ONCE_1, a_second_fulfil_is_refused)
{
    spec_on_1_and_2_workers(resolve_again_and_again);
    spec_end("OBL_ONCE_1");
}

struct race {
    struct promise p;
    struct count ready;
    struct count won;
    struct count lost;
};

static void race_try(struct race *race)
{
    int rc = ambit_fulfil(&race->p.ob);
    WANT(rc == 0 || rc == -EALREADY);
    count_up(rc == 0 ? &race->won : &race->lost);
}

static int fulfil_too(ambit_cx *cx, void *arg)
{
    struct race *race = *(struct race **)arg;
    (void)cx;
    count_up(&race->ready);
    race_try(race);
    return 0;
}

static int resolve_from_three_sides(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 2000 / SPEC_SLOWER; round++) {
        struct aborts aborts = {0};
        struct race race = {.p = {.aborts = &aborts}};
        struct race *r = &race;
        int rc = 0;
        ambit_scope (cx, outer, &rc) {
            int inner_rc = 0;
            ambit_scope (cx, inner, &inner_rc) {
                WANT_EQ(ambit_oblige(inner, &race.p.ob, note_abort, &race.p),
                        0);
                spawn_elsewhere(outer, fulfil_too, &r, &race.ready);
                if (round % 2) {
                    race_try(&race);
                }
            }                             /* and its close */
            WANT_EQ(inner_rc, 0);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&race.won) + count_get(&aborts.len), 1);
        WANT_EQ(count_get(&race.lost), round % 2 + count_get(&aborts.len));
    }
    return 0;
}

/* Goal: of two resolvers and the close, one wins.
 * Method: a task elsewhere, the opener, and the end of the scope, at once. */
Spec(OBL_ONCE_1, of_two_resolvers_and_the_close_one_wins)
{
    spec_on(2, resolve_from_three_sides);
    spec_end("OBL_ONCE_1");
}

/* --- OBL-CLOSE-1, OBL-CLOSE-2 --------------------------------------------- */

static void note_finalizer(void *arg)
{
    struct promise *p = arg;
    p->number = 99;
    note_abort(p);
}

static int promise_in_a_child(ambit_cx *cx, void *arg)
{
    struct promise *p = *(struct promise **)arg;
    for (int i = 0; i < 10; i++) {
        (void)ambit_yield(cx);
    }
    WANT_EQ(ambit_oblige(ambit_cx_region(cx), &p->ob, note_abort, p), 0);
    return 0;
}

static void leave_some(ambit_cx *cx, bool cancelled)
{
    struct aborts aborts = {0};
    struct promise p[8], fin = {.aborts = &aborts};
    struct promise *of_child = &p[7];
    int rc = 0;
    memset(p, 0, sizeof p);
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_defer(all, note_finalizer, &fin), 0);
        for (int i = 0; i < 8; i++) {
            p[i].aborts = &aborts;
            p[i].number = i;
            if (i < 7) {
                WANT_EQ(ambit_oblige(all, &p[i].ob, note_abort, &p[i]), 0);
            }
        }
        WANT_EQ(ambit_fulfil(&p[3].ob), 0);
        WANT_EQ(ambit_region_obligations(all), 6);
        if (cancelled) {
            ambit_cancel(all, "enough");
        } else {
            WANT_EQ(ambit_spawn(all, promise_in_a_child, &of_child), 0);
        }
    }
    WANT_EQ(rc, 0);
    static const int child[] = {7, 6, 5, 4, 2, 1, 0, 99};
    const int *wanted = cancelled ? child + 1 : child;
    WANT_EQ(count_get(&aborts.len), cancelled ? 7 : 8);
    for (int i = 0; i < count_get(&aborts.len); i++) {
        WANT_EQ(aborts.number[i], wanted[i]);
    }
}

static int leave_some_both_ways(ambit_cx *cx, void *arg)
{
    (void)arg;
    leave_some(cx, false);
    leave_some(cx, true);
    return 0;
}

/* Goal: what is left is aborted, newest first, after the last child and before
 * the finalizers; what was fulfilled is not.
 * Method: seven by the opener, one late by a child, one fulfilled. */
Spec(OBL_CLOSE_1, what_is_left_is_aborted_newest_first_before_the_finalizers)
{
    spec_on_1_and_2_workers(leave_some_both_ways);
    spec_end("OBL_CLOSE_1");
}

static int promise_and_panic(ambit_cx *cx, void *arg)
{
    struct promise *p = *(struct promise **)arg;
    int rc = 0;
    ambit_scope (cx, mine, &rc) {
        WANT_EQ(ambit_oblige(mine, &p->ob, note_abort, p), 0);
        ambit_panic(cx, "on purpose");
    }
    return 0;
}

static int panic_with_a_promise(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct aborts aborts = {0};
    struct promise p = {.aborts = &aborts, .number = 5}, *pp = &p;
    int rc = 0;
    ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE) {
        ambit_task task;
        int result = 0;
        WANT_EQ(ambit_spawn_with(all, promise_and_panic, &pp,
                                 .ret_task = &task), 0);
        WANT_EQ(ambit_join(cx, task, &result), 0);
        WANT_EQ(result, -EOWNERDEAD);
        WANT_EQ(count_get(&aborts.len), 1);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a panic leaves no promise open.
 * Method: a task panics in a scope of its own; its joiner looks. */
Spec(OBL_CLOSE_1, a_panic_aborts_the_promises_of_the_scopes_it_leaves)
{
    spec_on_1_and_2_workers(panic_with_a_promise);
    spec_end("OBL_CLOSE_1");
}

static int made_at;

static int leave_eleven(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct aborts aborts = {0};
    struct promise p[11];
    int rc = 0;
    memset(p, 0, sizeof p);
    ambit_scope (cx, forgetful, &rc, .name = "forgetful") {
        for (int i = 0; i < 11; i++) {
            p[i].aborts = &aborts;
            made_at = __LINE__ + 1;
            WANT_EQ(ambit_oblige(forgetful, &p[i].ob, note_abort, &p[i]), 0);
        }
        /* without a hook: the log only */
        WANT_EQ(ambit_fulfil(&p[10].ob), 0);
        WANT_EQ(ambit_oblige(forgetful, &p[10].ob, NULL, NULL), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&aborts.len), 10);
    return 0;
}

/* Goal: the log says where the forgotten promise was made, and stays short.
 * Method: eleven are left; eight lines, and one about three more. */
Spec(OBL_CLOSE_2, the_line_of_a_forgotten_promise_is_logged)
{
    char site[160];
    spec_on(1, leave_eleven);
    snprintf(site, sizeof site,
             "region \"forgetful\": the obligation made at %s:%d was left",
             __FILE__, made_at);
    WANT(spec_logged(site));
    WANT(spec_logged("3 more were left unresolved"));
    int lines = 0;
    for (const char *at = spec_log.text; (at = strstr(at, "made at")); at++) {
        lines++;
    }
    WANT_EQ(lines, 8);
    spec_end("OBL_CLOSE_2");
}

/* --- OBL-OPEN-1 ----------------------------------------------------------- */

struct late {
    struct promise p;
    ambit_region *region;
    int answer;
};

static void promise_late(void *arg)
{
    struct late *late = arg;
    late->answer =
        ambit_oblige(late->region, &late->p.ob, note_abort, &late->p);
}

static int refuse_late_and_double(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct aborts aborts = {0};
    struct late late = {.p = {.aborts = &aborts}, .answer = 1};
    struct promise twice = {.aborts = &aborts};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        late.region = all;
        WANT_EQ(ambit_defer(all, promise_late, &late), 0);
        WANT_EQ(ambit_oblige(all, &twice.ob, note_abort, &twice), 0);
        WANT_EQ(ambit_oblige(all, &twice.ob, note_abort, &twice), -EBUSY);
        WANT_EQ(ambit_region_obligations(all), 1);
        WANT_EQ(ambit_fulfil(&twice.ob), 0);
        WANT_EQ(ambit_region_obligations(all), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(late.answer, -ESHUTDOWN);
    WANT_EQ(count_get(&aborts.len), 0);
    WANT_EQ(ambit_fulfil(&late.p.ob), -EALREADY);
    return 0;
}

/* Goal: a promise nobody could keep is not taken on record.
 * Method: one made by a finalizer; one made twice. */
Spec(OBL_OPEN_1, a_promise_too_late_or_twice_is_refused)
{
    spec_on_1_and_2_workers(refuse_late_and_double);
    spec_end("OBL_OPEN_1");
}

/* --- OBL-MOVE-1, OBL-MOVE-2 ----------------------------------------------- */

static int move_up_and_down(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct aborts aborts = {0};
    struct promise p = {.aborts = &aborts};
    int rc = 0;
    ambit_scope (cx, outer, &rc) {
        int inner_rc = 0;
        ambit_scope (cx, inner, &inner_rc) {
            WANT_EQ(ambit_oblige(inner, &p.ob, note_abort, &p), 0);
            WANT_EQ(ambit_transfer(&p.ob, inner), 0);
            WANT_EQ(ambit_region_obligations(inner), 1);
            WANT_EQ(ambit_transfer(&p.ob, outer), 0);
            WANT_EQ(ambit_region_obligations(inner), 0);
            WANT_EQ(ambit_region_obligations(outer), 1);
        }
        WANT_EQ(inner_rc, 0);
        WANT_EQ(count_get(&aborts.len), 0);
        ambit_scope (cx, second, &inner_rc) {
            WANT_EQ(ambit_transfer(&p.ob, second), 0);
        }
        WANT_EQ(count_get(&aborts.len), 1);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&aborts.len), 1);
    return 0;
}

/* Goal: a promise is aborted by the close of the region it was moved to, and by
 * no other.  Method: moved up, the inner scope closes; moved down again. */
Spec(OBL_MOVE_1, a_moved_promise_is_the_other_regions)
{
    spec_on_1_and_2_workers(move_up_and_down);
    spec_end("OBL_MOVE_1");
}

static int move_to_one_who_leaves(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct aborts aborts = {0};
    struct promise p = {.aborts = &aborts};
    int rc = 0;
    ambit_scope (cx, outer, &rc) {
        int inner_rc = 0;
        WANT_EQ(ambit_oblige(outer, &p.ob, note_abort, &p), 0);
        ambit_scope (cx, inner, &inner_rc) {
            ambit_cancel(inner, "leaving");
            WANT_EQ(ambit_transfer(&p.ob, inner), -ESHUTDOWN);
            WANT_EQ(ambit_region_obligations(inner), 0);
        }
        WANT_EQ(count_get(&aborts.len), 0);
        WANT_EQ(ambit_region_obligations(outer), 1);
        WANT_EQ(ambit_fulfil(&p.ob), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&aborts.len), 0);
    return 0;
}

/* Goal: a region on its way out is given nothing, and nothing is lost.
 * Method: a transfer to a cancelled one; it is still the giver's. */
Spec(OBL_MOVE_2, a_region_on_its_way_out_is_given_none)
{
    spec_on_1_and_2_workers(move_to_one_who_leaves);
    spec_end("OBL_MOVE_2");
}

/* --- OBL-FLAT-1 ----------------------------------------------------------- */

static long resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL) {
        WANT_EQ(fscanf(f, "%ld %ld", &size, &resident), 2);
        fclose(f);
    }
    return resident;
}

static int ten_million(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct aborts aborts = {0};
    struct promise p[16];
    int rc = 0;
    memset(p, 0, sizeof p);
    ambit_scope (cx, all, &rc) {
        long before = resident_pages();
        int bad = 0;
        for (long i = 0; i < 10000000 / SPEC_SLOWER; i++) {
            struct promise *one = &p[i % 16];
            one->aborts = &aborts;
            if (i >= 16) {
                bad += ambit_fulfil(&one->ob) != 0;
            }
            bad += ambit_oblige(all, &one->ob, note_abort, one) != 0;
        }
        WANT_EQ(bad, 0);
        WANT(resident_pages() - before < 1024);
        WANT_EQ(ambit_region_obligations(all), 16);
        for (int i = 0; i < 16; i++) {
            WANT_EQ(ambit_fulfil(&p[i].ob), 0);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&aborts.len), 0);
    return 0;
}

/* Goal: there is no limit over a region's life, and no trace of the past.
 * Method: 10^7, sixteen open at a time; memory before and after. */
Spec(OBL_FLAT_1, ten_million_promises_leave_nothing_behind)
{
    spec_on(1, ten_million);
    spec_end("OBL_FLAT_1");
}
