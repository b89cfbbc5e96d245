/* SPDX-License-Identifier: MIT */
/*
 * deque_test.c -- each item once, whoever takes it.
 *
 * In checked builds a ring starts with 4 slots, so all of these grow it.
 */
#include "tests/harness/test.h"

#include "src/deque.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THIEVES 3

struct item {
    uint64_t number; /* written before the push, read by who takes it */
    uint64_t twice;
};

struct thief {
    pthread_t thread;
    struct crowd *crowd;
    uint8_t *took; /* by number */
    size_t count;
};

/* An owner, its thieves, and what each of them took. */
struct crowd {
    struct deque deque;
    struct item *items;
    size_t items_len;
    struct thief owner;
    struct thief thieves[THIEVES];
    _Atomic bool over; /* ORDER(deque-test-over) */
};

static void take(struct thief *thief, const struct item *item)
{
    ASSERT(item->number < thief->crowd->items_len);
    ASSERT(item->twice == 2 * item->number);
    ASSERT(thief->took[item->number] == 0);
    thief->took[item->number] = 1;
    thief->count++;
}

static bool is_over(struct crowd *crowd)
{
    /* ORDER(deque-test-over): acquire.  Pairs with crowd_stop(). */
    return atomic_load_explicit(&crowd->over, memory_order_acquire);
}

static void *steal_all(void *arg)
{
    struct thief *thief = arg;
    struct crowd *crowd = thief->crowd;
    for (;;) {
        bool last_look = is_over(crowd);
        bool again;
        struct item *item = deque_steal(&crowd->deque, &again);
        if (item != NULL) {
            cr_assert(!again);
            take(thief, item);
        } else if (last_look && !again) {
            return NULL;
        }
    }
}

static void thief_init(struct thief *thief, struct crowd *crowd)
{
    thief->crowd = crowd;
    thief->count = 0;
    thief->took = calloc(crowd->items_len, 1);
    cr_assert_not_null(thief->took);
}

static void crowd_start(struct crowd *crowd, size_t items)
{
    cr_assert_eq(deque_init(&crowd->deque), 0);
    atomic_init(&crowd->over, false);
    crowd->items_len = items;
    crowd->items = calloc(items, sizeof *crowd->items);
    cr_assert_not_null(crowd->items);
    thief_init(&crowd->owner, crowd);
    for (size_t i = 0; i < THIEVES; i++) {
        thief_init(&crowd->thieves[i], crowd);
        pthread_create(&crowd->thieves[i].thread, NULL, steal_all,
                       &crowd->thieves[i]);
    }
}

/* Joins the thieves, and checks that each item was taken by one of us. */
static void crowd_stop(struct crowd *crowd)
{
    /* ORDER(deque-test-over): release.  Pairs with is_over(): who sees it sees
     * every push. */
    atomic_store_explicit(&crowd->over, true, memory_order_release);
    size_t count = crowd->owner.count;
    for (size_t i = 0; i < THIEVES; i++) {
        pthread_join(crowd->thieves[i].thread, NULL);
        count += crowd->thieves[i].count;
    }
    cr_assert_eq(count, crowd->items_len);
    for (size_t n = 0; n < crowd->items_len; n++) {
        unsigned takers = crowd->owner.took[n];
        for (size_t i = 0; i < THIEVES; i++) {
            takers += crowd->thieves[i].took[n];
        }
        cr_assert_eq(takers, 1, "item %zu: %u takers", n, takers);
    }
    for (size_t i = 0; i < THIEVES; i++) {
        free(crowd->thieves[i].took);
    }
    free(crowd->owner.took);
    free(crowd->items);
    deque_fini(&crowd->deque);
}

static void push(struct crowd *crowd, size_t number)
{
    struct item *item = &crowd->items[number];
    item->number = number;
    item->twice = 2 * number;
    cr_assert_eq(deque_push(&crowd->deque, item), 0);
}

static void pop(struct crowd *crowd)
{
    struct item *item = deque_pop(&crowd->deque);
    if (item != NULL) {
        take(&crowd->owner, item);
    }
}

/* Goal: with everybody taking at once, each item is taken once, and what was
 * written before the push is seen.  Method: the owner pushes in bursts and pops
 * part of each; three thieves never rest. */
Test(deque, gives_each_item_once_under_theft)
{
    struct crowd crowd;
    size_t items = (size_t)test_rounds(10000000);
    size_t pushed = 0;
    unsigned random = 7;
    crowd_start(&crowd, items);
    while (pushed < items) {
        random = random * 1103515245u + 12345;
        for (unsigned i = random >> 20 & 63; i > 0 && pushed < items; i--) {
            push(&crowd, pushed++);
        }
        for (unsigned i = random >> 26; i > 0; i--) {
            pop(&crowd);
        }
    }
    while (deque_len(&crowd.deque) > 0) {
        pop(&crowd);
    }
    cr_assert_null(deque_pop(&crowd.deque));
    crowd_stop(&crowd);
    test_no_leaks();
}

/* Goal: the last item goes to the owner or to one thief.  Method: push one, pop
 * one, with three thieves after it, a million times. */
Test(deque, gives_the_last_item_once)
{
    struct crowd crowd;
    size_t items = (size_t)test_rounds(1000000);
    crowd_start(&crowd, items);
    for (size_t i = 0; i < items; i++) {
        push(&crowd, i);
        pop(&crowd);
    }
    crowd_stop(&crowd);
}

/* Goal: a ring may be outgrown while thieves read it.  Method: push everything
 * without a pop, so it doubles again and again under theft; many small deques,
 * as a ring is outgrown only a few times in its life. */
Test(deque, grows_under_theft)
{
    struct crowd crowd;
    for (long round = 0; round < test_rounds(200); round++) {
        size_t items = round % 100 == 0 ? 100000 : 1000;
        crowd_start(&crowd, items);
        for (size_t i = 0; i < items; i++) {
            push(&crowd, i);
        }
        crowd_stop(&crowd);
    }
    test_no_leaks();
}

/* Goal: it may become small again while thieves read what it was, and grow again.
 * Method: bursts that need four times the first ring; after each it is emptied and
 * cooled, with three thieves after it. */
Test(deque, is_small_again_under_theft)
{
    enum { BURST = 1024 };
    struct crowd crowd;
    size_t items = (size_t)test_rounds(2000000) / BURST * BURST;
    crowd_start(&crowd, items);
    for (size_t i = 0; i < items;) {
        for (unsigned n = 0; n < BURST; n++) {
            push(&crowd, i++);
        }
        deque_cool(&crowd.deque); /* of no effect unless all are stolen */
        while (deque_len(&crowd.deque) > 0) {
            pop(&crowd);
        }
        deque_cool(&crowd.deque);
    }
    crowd_stop(&crowd);
    test_no_leaks();
}

static size_t resident_bytes(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%*d %zu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Goal: a deque that was large gives its memory back, not one with items, and is as
 * good as new.  Method: the pages of the process, at a million items; three laps. */
Test(deque, gives_back_what_it_had_grown_to)
{
    enum { ITEMS = 1 << 20, BYTES = ITEMS * (int)sizeof(void *) };
    static char items[ITEMS];
    struct deque deque;
    cr_assert_eq(deque_init(&deque), 0);
    for (unsigned lap = 0; lap < 3; lap++) {
        cr_assert(!deque_is_large(&deque));
        for (size_t i = 0; i < ITEMS; i++) {
            cr_assert_eq(deque_push(&deque, &items[i]), 0);
        }
        cr_assert(deque_is_large(&deque));
        deque_cool(&deque);
        cr_assert(deque_is_large(&deque));
        for (size_t i = ITEMS; i-- > 0;) {
            cr_assert_eq(deque_pop(&deque), &items[i]);
        }
        size_t full = resident_bytes();
        deque_cool(&deque);
        cr_assert_gt(full, resident_bytes() + BYTES);
    }
    deque_fini(&deque);
    test_no_leaks();
}

/* Goal: alone, it is a stack at one end and a queue at the other.  Method:
 * random operations against an array with two indices; the ring wraps around
 * many times. */
Test(deque, agrees_with_an_array)
{
    enum { ITEMS = 200000 };
    static char items[ITEMS];
    static void *model[ITEMS];
    size_t top = 0;
    size_t bottom = 0;
    size_t next = 0;
    unsigned random = 3;
    struct deque deque;
    cr_assert_eq(deque_init(&deque), 0);
    while (next < ITEMS) {
        bool again;
        random = random * 1103515245u + 12345;
        unsigned dice = random >> 16 & 15;
        if (dice < 8) {
            cr_assert_eq(deque_push(&deque, &items[next]), 0);
            model[bottom++] = &items[next++];
        } else if (dice < 12) {
            void *wanted = top < bottom ? model[--bottom] : NULL;
            cr_assert_eq(deque_pop(&deque), wanted);
        } else {
            void *wanted = top < bottom ? model[top++] : NULL;
            cr_assert_eq(deque_steal(&deque, &again), wanted);
            cr_assert(!again);
        }
        cr_assert_eq(deque_len(&deque), bottom - top);
    }
    deque_fini(&deque);
    deque_fini(&deque);
    deque_fini(NULL);
    test_no_leaks();
}

/* Goal: without thieves the quicker ways give the same, and what is fetched early
 * comes when it was said.  Method: two deques and the same random operations; the
 * owner takes from the far end now and then. */
Test(deque, takes_the_same_alone)
{
    enum { ITEMS = 100000 };
    static char items[ITEMS];
    size_t next = 0;
    unsigned random = 11;
    struct deque one, other;
    cr_assert_eq(deque_init(&one), 0);
    cr_assert_eq(deque_init(&other), 0);
    while (next < ITEMS) {
        bool again;
        random = random * 1103515245u + 12345;
        unsigned dice = random >> 16 & 15;
        if (dice < 8) {
            cr_assert_eq(deque_push(&one, &items[next]), 0);
            cr_assert_eq(deque_push(&other, &items[next++]), 0);
        } else if (dice < 14) {
            cr_assert_eq(deque_pop_alone(&one), deque_pop(&other));
        } else {
            cr_assert_eq(deque_behind(&one, 0),
                         deque_len(&one) > 0 ? deque_behind(&other, 0) : NULL);
            cr_assert(deque_behind(&one, (int64_t)deque_len(&one)) == NULL);
            const void *coming = deque_behind(&one, 0);
            void *taken = deque_take_alone(&one);
            cr_assert_eq(taken, coming);
            cr_assert_eq(taken, deque_steal(&other, &again));
        }
        cr_assert_eq(deque_len(&one), deque_len(&other));
    }
    deque_fini(&one);
    deque_fini(&other);
    test_no_leaks();
}

/* Goal: an empty deque stays one.  Method: take from both ends of it, between
 * single items. */
Test(deque, empty_ones_give_nothing)
{
    struct deque deque;
    bool again = true;
    int item;
    cr_assert_eq(deque_init(&deque), 0);
    for (int i = 0; i < 1000; i++) {
        cr_assert_null(deque_pop(&deque));
        cr_assert_null(deque_steal(&deque, &again));
        cr_assert(!again);
        cr_assert_eq(deque_push(&deque, &item), 0);
        cr_assert_eq(i % 2 ? deque_pop(&deque) : deque_steal(&deque, &again),
                     &item);
        cr_assert_eq(deque_len(&deque), 0);
    }
    deque_fini(&deque);
}
