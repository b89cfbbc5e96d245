/* SPDX-License-Identifier: MIT */
/*
 * heap_test.c -- memory of a region: HEAP of spec/heap.md, but HEAP-REF.
 */
#include "tests/spec/common.h"

#ifdef TEST_UNDER_ASAN
#include <sanitizer/asan_interface.h>
#endif

/* 0 under Valgrind, which keeps what was freed. */
static long resident_pages(void)
{
    const char *valgrind = getenv("VALGRIND");
    if (valgrind != NULL && valgrind[0] != '\0') {
        return 0;
    }
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
