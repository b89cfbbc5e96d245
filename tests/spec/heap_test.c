/* SPDX-License-Identifier: MIT */
/*
 * heap_test.c -- memory of a region, and what refers to it: HEAP of
 * spec/heap.md.
 */
#include "tests/spec/common.h"

#ifdef TEST_UNDER_ASAN
#include <sanitizer/asan_interface.h>
#endif

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

/* --- HEAP-ALIGN-1 --------------------------------------------------------- */

enum { BLOCKS = 300 };

struct block {
    unsigned char *memory;
    size_t size;
};

static size_t size_of(unsigned i)
{
    static const size_t odd[] = {0, 1, 15, 16, 17, 127, 128, 129, 160, 161,
                                 4095, 4096, 4097, 70000};
    return i < ARRAY_LEN(odd) ? odd[i] : i * 37 % 5000;
}

static bool is_filled(const struct block *block, unsigned char with)
{
    for (size_t i = 0; i < block->size; i++) {
        if (block->memory[i] != with) {
            return false;
        }
    }
    return true;
}

/* Blocks of all sizes, each filled with its own byte, looked at in the end. */
static int fill_many(ambit_cx *cx, void *arg)
{
    ambit_region *region = ambit_cx_region(cx);
    struct block *blocks = NULL;
    struct count *started = *(struct count **)arg;
    count_up(started);
    void *memory;
    WANT_EQ(ambit_alloc(region, sizeof *blocks * BLOCKS, &memory), 0);
    blocks = memory;
    for (unsigned i = 0; i < BLOCKS; i++) {
        size_t size = size_of(i);
        WANT_EQ((i % 2 ? ambit_alloc : ambit_alloc_zeroed)(region, size,
                                                           &memory), 0);
        blocks[i] = (struct block){memory, size};
        WANT_EQ((uintptr_t)memory % 16, 0);
        WANT(i % 2 || is_filled(&blocks[i], 0));
        memset(memory, (int)(i % 251 + 1), size);
        if (i % 7 == 0) {
            ambit_free(region, memory, size);
            blocks[i].size = 0;
        }
        if (i % 50 == 0) {
            (void)ambit_yield(cx);
        }
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        WANT(is_filled(&blocks[i], (unsigned char)(i % 251 + 1)));
    }
    return 0;
}

static int fill_from_four_tasks(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 1 + 5 / SPEC_SLOWER; round++) {
        struct count started = {0}, *s = &started;
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            for (int i = 0; i < 4; i++) {
                WANT_EQ(ambit_spawn(all, fill_many, &s), 0);
            }
            WANT_EQ(fill_many(cx, &s), 0);
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* Goal: blocks of any size are aligned, distinct, and zeroed on demand.
 * Method: five tasks fill 300 blocks each, some given back meanwhile; every
 * byte is looked at in the end. */
Spec(HEAP_ALIGN_1, blocks_are_aligned_and_distinct_whoever_asks)
{
    spec_on_1_and_2_workers(fill_from_four_tasks);
    spec_end("HEAP_ALIGN_1");
}

/* --- HEAP-CLOSE-1 --------------------------------------------------------- */

struct last_look {
    int *number;
    int seen;
};

static void look_once_more(void *arg)
{
    struct last_look *look = arg;
    look->seen = *look->number;
}

static int allocate_and_leave(ambit_cx *cx, void *arg)
{
    (void)arg;
    long before = 0;
    for (int round = 0; round < 20; round++) {
        struct last_look look = {NULL, 0};
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            WANT_EQ(ambit_new(all, &look.number), 0);
            WANT_EQ(*look.number, 0);
            *look.number = 7;
            WANT_EQ(ambit_defer(all, look_once_more, &look), 0);
            for (int i = 0; i < 32; i++) {
                void *memory;
                size_t size = i % 2 ? 3000 : 100000;
                WANT_EQ(ambit_alloc(all, size, &memory), 0);
                memset(memory, 1, size);
            }
            WANT(ambit_region_bytes(all) >= 16 * 103000);
            if (round % 2) {
                break;
            }
        }
        WANT_EQ(rc, 0);
        WANT_EQ(look.seen, 7);
        before = round == 4 ? resident_pages() : before;
    }
#ifndef TEST_UNDER_ASAN /* where free memory waits in quarantine */
    WANT(resident_pages() - before < (8 << 20) / 4096);
#endif
    return 0;
}

/* Goal: finalizers may use the memory; after the close it is gone.
 * Method: a finalizer reads; 20 scopes of 1.6 MB each leave nothing behind. */
Spec(HEAP_CLOSE_1, memory_goes_with_the_region_after_its_finalizers)
{
    spec_on_1_and_2_workers(allocate_and_leave);
    spec_end("HEAP_CLOSE_1");
}

#ifdef TEST_UNDER_ASAN
static int look_for_poison(ambit_cx *cx, void *arg)
{
    (void)arg;
    char *small = NULL, *after = NULL;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        void *memory;
        WANT_EQ(ambit_alloc(all, 32, &memory), 0);
        small = memory;
        WANT(!__asan_address_is_poisoned(small + 31));
        WANT(__asan_address_is_poisoned(small + 32));
        WANT_EQ(ambit_alloc(all, 32, &memory), 0);
        after = memory;
        ambit_free(all, small, 32);
        WANT(__asan_address_is_poisoned(small));
        WANT(!__asan_address_is_poisoned(after));
    }
    WANT_EQ(rc, 0);
    WANT(__asan_address_is_poisoned(after));
    return 0;
}

/* Goal: ASan sees who uses memory that is free, past its end, or gone. */
Spec(HEAP_CLOSE_1, asan_is_told_what_is_free)
{
    spec_on(1, look_for_poison);
    spec_end("HEAP_CLOSE_1");
}
#endif

/* --- HEAP-LIMIT-1 --------------------------------------------------------- */

static int ask_for_too_much(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        void *memory = &rc;
        WANT_EQ(ambit_alloc(all, AMBIT_ALLOC_MAX + 1, &memory), -E2BIG);
        WANT_EQ(ambit_alloc_zeroed(all, SIZE_MAX, &memory), -E2BIG);
        WANT_EQ(ambit_alloc(all, SIZE_MAX - 15, &memory), -E2BIG);
        WANT(memory == &rc);
        WANT_EQ(ambit_region_bytes(all), 0);
        ambit_ref ref = {0};
        WANT_EQ(ambit_ref_make(all, &rc, AMBIT_ALLOC_MAX + 1, &ref), -E2BIG);
#if SPEC_SLOWER == 1 /* a gigabyte is much for the tools */
        int got = ambit_alloc(all, AMBIT_ALLOC_MAX, &memory);
        WANT(got == 0 || got == -ENOMEM);
        got = ambit_alloc(all, AMBIT_ALLOC_MAX - 1, &memory);
        WANT(got == 0 || got == -ENOMEM);
#endif
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a size that is no size is refused, and nothing has changed.
 * Method: at the limit, one below, one above, and where addition wraps. */
Spec(HEAP_LIMIT_1, a_size_beyond_the_limit_is_refused)
{
    spec_on(1, ask_for_too_much);
    spec_end("HEAP_LIMIT_1");
}

/* --- HEAP-FREE-1 ---------------------------------------------------------- */

static int free_and_allocate(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        void *held[32] = {0}, *again;
        long before = 0;
        for (unsigned i = 0; i < 400000 / SPEC_SLOWER; i++) {
            unsigned at = i * 7 % 32;
            size_t size = at * 150;
            ambit_free(all, held[at], size);
            WANT_EQ(ambit_alloc(all, size, &held[at]), 0);
            before = i == 1000 ? resident_pages() : before;
        }
#ifndef TEST_UNDER_ASAN
        WANT(resident_pages() - before < (1 << 20) / 4096);
#endif
        for (unsigned at = 0; at < 32; at++) {
            ambit_free(all, held[at], at * 150);
        }
        WANT_EQ(ambit_region_bytes(all), 0);
        WANT_EQ(ambit_alloc(all, 100, &held[0]), 0);
        WANT_EQ(ambit_region_bytes(all), 112);
        ambit_free(all, held[0], 100);
        WANT_EQ(ambit_alloc(all, 112, &again), 0);
        WANT(again == held[0]);
        ambit_free(all, NULL, 5);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: memory given back is used again.
 * Method: 400,000 blocks of 32 sizes in one region; it does not grow. */
Spec(HEAP_FREE_1, what_is_given_back_is_used_again)
{
    spec_on(1, free_and_allocate);
    spec_end("HEAP_FREE_1");
}

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
    WANT_EQ(ambit_ref_hold(ref, &held), -ESTALE);
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
            WANT_EQ(ambit_ref_drop(all, old), 0);
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
