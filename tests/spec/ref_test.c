/* SPDX-License-Identifier: MIT */
/*
 * ref_test.c -- references that outlive their regions: HEAP-REF of
 * spec/heap.md.
 */
#include "tests/spec/common.h"

/* --- HEAP-REF-1 ----------------------------------------------------------- */

struct config {
    uint64_t a, b;
};
typedef AMBIT_REF(struct config) config_ref;

static void want_stale(config_ref ref)
{
    struct config copy = {5, 6}, *held = &copy;
    void *got = &copy;
    WANT_EQ(ambit_ref_load(ref, &copy), -ESTALE);
    int rc = ambit_ref_hold(ref, &held);
    WANT_EQ(rc, -ESTALE);
    if (rc == 0) {
        ambit_ref_release(ref);
    }
    WANT_EQ(ambit_ref_get(ref.ref, &got), -ESTALE);
    WANT(copy.a == 5 && copy.b == 6 && held == &copy && got == &copy);
}

static int use_and_outlive(ambit_cx *cx, void *arg)
{
    (void)arg;
    config_ref ref = {0};
    want_stale(ref);
    for (int round = 0; round < 3; round++) {
        config_ref old = ref;
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            struct config *config = NULL, copy = {0}, *held = NULL;
            struct { struct config c[2]; } more;
            void *got = NULL;
            WANT_EQ(ambit_new(all, &config), 0);
            *config = (struct config){1, 2};
            WANT_EQ(ambit_ref_set(all, &ref, config), 0);
            WANT_EQ(ambit_ref_load(ref, &copy), 0);
            WANT(copy.a == 1 && copy.b == 2);
            WANT_EQ(ambit_ref_hold(ref, &held), 0);
            WANT(held == config);
            ambit_ref_release(ref);
            WANT_EQ(ambit_ref_get(ref.ref, &got), 0);
            WANT(got == config);
            WANT_EQ(ambit_ref_read(ref.ref, &more, sizeof more), -E2BIG);
            WANT_EQ(ambit_ref_read(ref.ref, &more, 0), 0);
            want_stale(old);
        }
        WANT_EQ(rc, 0);
        want_stale(ref);
    }
    return 0;
}

/* Goal: a reference works while its region is open, and is stale afterwards,
 * also when its slot is in use again.
 * Method: three rounds, with the reference of the round before. */
Spec(HEAP_REF_1, a_reference_is_stale_from_the_close_on)
{
    spec_on_1_and_2_workers(use_and_outlive);
    spec_end("HEAP_REF_1");
}

static int a_million(ambit_cx *cx, void *arg)
{
    enum { MANY = 1000000 / SPEC_SLOWER };
    ambit_ref *refs = calloc(MANY, sizeof *refs);
    uint64_t object[4] = {0};
    int rc = 0, bad = 0;
    (void)arg;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < MANY; i++) {
            bad += ambit_ref_make(all, &object[i % 4], 8, &refs[i]) != 0;
        }
        for (int i = 0; i < MANY; i++) {
            void *got = NULL;
            bad += ambit_ref_get(refs[i], &got) != 0 || got != &object[i % 4];
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(bad, 0);
    for (int i = 0; i < MANY; i++) {
        void *got;
        bad += ambit_ref_get(refs[i], &got) == -ESTALE;
    }
    WANT_EQ(bad, MANY);
    free(refs);
    return 0;
}

/* Goal: their number is limited by memory only. */
Spec(HEAP_REF_1, a_million_references_at_a_time)
{
    spec_on(1, a_million);
    spec_end("HEAP_REF_1");
}

/* --- HEAP-REF-2 ----------------------------------------------------------- */

struct holder {
    config_ref ref;
    struct count *pinned;
    struct count *released;
    int turns;
};

static int hold_for_a_while(ambit_cx *cx, void *arg)
{
    struct holder *h = arg;
    struct config *config = NULL;
    WANT_EQ(ambit_ref_hold(h->ref, &config), 0);
    count_up(h->pinned);
    for (int i = 0; i < h->turns; i++) {
        (void)ambit_yield(cx);
        WANT(config->a == 1 && config->b == 2);
    }
    count_up(h->released);
    ambit_ref_release(h->ref);
    return 0;
}

static int close_under_pins(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 200 / SPEC_SLOWER; round++) {
        struct count pinned = {0}, released = {0};
        int rc = 0;
        ambit_scope (cx, outer, &rc) {
            struct holder h = {.pinned = &pinned, .released = &released};
            int inner_rc = 0;
            ambit_scope (cx, inner, &inner_rc) {
                struct config *config[3] = {NULL};
                for (int i = 0; i < 3; i++) {
                    WANT_EQ(ambit_new(inner, &config[i]), 0);
                    *config[i] = (struct config){1, 2};
                    WANT_EQ(ambit_ref_set(inner, &h.ref, config[i]), 0);
                    h.turns = round % 5 * 20 + 20 * i;
                    WANT_EQ(ambit_spawn(outer, hold_for_a_while, &h), 0);
                    WANT_EQ(ambit_spawn(outer, hold_for_a_while, &h), 0);
                }
                WANT(until(cx, &pinned, 6));
            }
            WANT_EQ(inner_rc, 0);
            WANT_EQ(count_get(&released), 6);
            want_stale(h.ref);
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* Goal: what is pinned is there until it is unpinned, and who pins is not kept
 * from running by the close that waits.
 * Method: six tasks of an outer scope pin three objects of an inner one, and
 * yield; the inner scope ends meanwhile, on one worker too. */
Spec(HEAP_REF_2, a_close_waits_for_those_who_pin)
{
    spec_on_1_and_2_workers(close_under_pins);
    spec_end("HEAP_REF_2");
}

/* --- HEAP-REF-3 ----------------------------------------------------------- */

static int drop_some(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct config *config = NULL, *held = NULL, copy;
        config_ref first, second = {0};
        WANT_EQ(ambit_new(all, &config), 0);
        WANT_EQ(ambit_ref_set(all, &first, config), 0);
        WANT_EQ(ambit_ref_hold(first, &held), 0);
        WANT_EQ(ambit_ref_drop(all, first.ref), -EBUSY);
        ambit_ref_release(first);
        WANT_EQ(ambit_ref_drop(all, second.ref), -ESTALE);
        for (int i = 0; i < 100; i++) {
            WANT_EQ(ambit_ref_drop(all, first.ref), 0);
            WANT_EQ(ambit_ref_drop(all, first.ref), -ESTALE);
            WANT_EQ(ambit_ref_set(all, &second, config), 0);
            WANT(second.ref.slot == first.ref.slot); /* used again */
            want_stale(first);
            WANT_EQ(ambit_ref_load(second, &copy), 0);
            first = second;
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a dropped reference reaches nothing, also not its slot's next user.
 * Method: one slot, used a hundred times. */
Spec(HEAP_REF_3, a_dropped_reference_is_stale_at_once)
{
    spec_on(1, drop_some);
    spec_end("HEAP_REF_3");
}

/* --- HEAP-REF-4 ----------------------------------------------------------- */

static const uint64_t last_generation = (UINT64_C(1) << 46) - 1;

/* As if the slot had been used that often. */
static void age(ambit_ref *ref, uint64_t generation)
{
    uint64_t word = generation << 18;
    memcpy(ref->slot, &word, sizeof word);
    ref->generation = generation;
}

static int wear_out(ambit_cx *cx, void *arg)
{
    bool by_close = *(bool *)arg;
    ambit_ref old;
    int rc = 0, object = 3;
    void *got;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_ref_make(all, &object, sizeof object, &old), 0);
        age(&old, last_generation - 1);
        WANT_EQ(ambit_ref_get(old, &got), 0);
        if (!by_close) {
            ambit_ref next = {0};
            WANT_EQ(ambit_ref_drop(all, old), 0);
            WANT_EQ(ambit_ref_make(all, &object, 4, &next), 0);
            WANT(next.slot != old.slot);
        }
    }
    WANT_EQ(ambit_ref_get(old, &got), -ESTALE);
    WANT_EQ(ambit_ref_get((ambit_ref){old.slot, last_generation}, &got),
            -ESTALE);
    WANT_EQ(ambit_ref_get((ambit_ref){old.slot, 0}, &got), -ESTALE);
    for (int round = 0; round < 3; round++) {
        ambit_scope (cx, next, &rc) {
            for (int i = 0; i < 100; i++) {
                ambit_ref ref;
                WANT_EQ(ambit_ref_make(next, &object, 4, &ref), 0);
                WANT(ref.slot != old.slot);
            }
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a slot whose generations are used up is not used again.
 * Method: one that is aged by hand, ended by a drop and by a close. */
Spec(HEAP_REF_4, a_worn_out_slot_is_not_used_again)
{
    bool by_close = false;
    WANT_EQ(spec_run(wear_out, &by_close, .workers = 1), 0);
    by_close = true;
    WANT_EQ(spec_run(wear_out, &by_close, .workers = 1), 0);
    spec_end("HEAP_REF_4");
}
