/* SPDX-License-Identifier: MIT */
/*
 * timer_test.c -- the heap against a model that cannot be wrong: an array that
 * is searched from end to end.
 */
#include "tests/harness/test.h"

#include "src/timer.h"

#include <stdlib.h>

#define TIMERS 300
#define FIRED_MAX (2 * TIMERS)

/* A timer, and beside it what the model knows of it. */
struct alarm {
    struct timer timer;
    bool armed;
    int64_t when_ns;
    uint64_t order;
};

static struct timer_heap heap;
static struct alarm alarms[TIMERS];
static uint64_t arms;
static struct alarm *fired[FIRED_MAX];
static size_t fired_len;

static void note_fired(struct timer *timer)
{
    cr_assert(!timer->armed);
    cr_assert(fired_len < FIRED_MAX);
    fired[fired_len++] = CONTAINER_OF(timer, struct alarm, timer);
}

static uint64_t random_next(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void init_all(void)
{
    timer_heap_init(&heap);
    for (size_t i = 0; i < TIMERS; i++) {
        timer_init(&alarms[i].timer, note_fired);
        alarms[i].armed = false;
    }
}

static void arm(struct alarm *alarm, int64_t when_ns)
{
    timer_arm(&heap, &alarm->timer, when_ns);
    alarm->armed = true;
    alarm->when_ns = when_ns;
    alarm->order = arms++;
}

static void disarm(struct alarm *alarm)
{
    cr_assert_eq(timer_disarm(&heap, &alarm->timer), alarm->armed);
    alarm->armed = false;
}

static struct alarm *model_first(void)
{
    struct alarm *first = NULL;
    for (size_t i = 0; i < TIMERS; i++) {
        struct alarm *a = &alarms[i];
        if (a->armed &&
            (first == NULL || a->when_ns < first->when_ns ||
             (a->when_ns == first->when_ns && a->order < first->order))) {
            first = a;
        }
    }
    return first;
}

/* Fires up to now_ns in the heap and in the model, and compares the order. */
static void fire_and_compare(int64_t now_ns)
{
    fired_len = 0;
    size_t count = timer_fire(&heap, now_ns);
    cr_assert_eq(count, fired_len);
    for (size_t i = 0; i < fired_len; i++) {
        struct alarm *first = model_first();
        cr_assert_eq(fired[i], first);
        cr_assert(first->when_ns <= now_ns);
        first->armed = false;
    }
    struct alarm *first = model_first();
    cr_assert(first == NULL || first->when_ns > now_ns);
}

static void compare_books(void)
{
    size_t armed = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        cr_assert_eq(alarms[i].timer.armed, alarms[i].armed);
        armed += alarms[i].armed;
    }
    cr_assert_eq(heap.armed, armed);
    struct alarm *first = model_first();
    cr_assert_eq(timer_next(&heap), first ? first->when_ns : INT64_MAX);
}

/* Goal: any sequence of arming, moving, disarming and firing fires what is due,
 * in order.  Method: random operations on 300 timers with few distinct times,
 * so that ties are common. */
Test(timer, agrees_with_a_searched_array)
{
    int64_t now = 0;
    init_all();
    for (long round = 0; round < test_rounds(100000); round++) {
        uint64_t dice = random_next();
        struct alarm *alarm = &alarms[dice / 16 % TIMERS];
        if (dice % 16 < 9) {
            arm(alarm, now - 5 + (int64_t)(dice >> 32) % 100);
        } else if (dice % 16 < 15) {
            disarm(alarm);
        } else {
            now += (int64_t)(dice >> 32) % 20;
            fire_and_compare(now);
        }
        if (round % 16 == 0) {
            compare_books();
        }
    }
    fire_and_compare(INT64_MAX);
    cr_assert_eq(timer_next(&heap), INT64_MAX);
    cr_assert_eq(heap.armed, 0);
    cr_assert_null(heap.root);
}

/* Goal: equal times fire in arming order, moved timers last.  Method: all at
 * one time; then one is armed again for the same. */
Test(timer, equal_times_fire_in_arming_order)
{
    init_all();
    for (size_t i = 0; i < TIMERS; i++) {
        arm(&alarms[(i * 7) % TIMERS], 1000);
    }
    arm(&alarms[0], 1000);
    fire_and_compare(999);
    cr_assert_eq(fired_len, 0);
    fire_and_compare(1000);
    cr_assert_eq(fired_len, TIMERS);
    cr_assert_eq(fired[TIMERS - 1], &alarms[0]);
}

/* Goal: the far ends of time are times.  Method: arm them. */
Test(timer, extreme_times_sort)
{
    init_all();
    arm(&alarms[0], INT64_MAX);
    arm(&alarms[1], INT64_MIN);
    arm(&alarms[2], 0);
    cr_assert_eq(timer_next(&heap), INT64_MIN);
    fire_and_compare(0);
    cr_assert_eq(fired_len, 2);
    cr_assert_eq(timer_next(&heap), INT64_MAX);
    cr_assert(timer_disarm(&heap, &alarms[0].timer));
    cr_assert(!timer_disarm(&heap, &alarms[0].timer));
}

static unsigned again_count;

static void fire_again(struct timer *timer)
{
    again_count++;
    timer_arm(&heap, timer, INT64_MIN);
}

/* Goal: a callback that arms for the past neither keeps timer_fire() from
 * ending nor keeps others waiting.  Method: one that always does, among others
 * that are due. */
Test(timer, arming_for_the_past_in_a_callback_starves_nobody)
{
    struct timer greedy;
    init_all();
    timer_init(&greedy, fire_again);
    timer_arm(&heap, &greedy, 0);
    for (unsigned turn = 1; turn <= 5; turn++) {
        for (size_t i = 0; i < 10; i++) {
            arm(&alarms[i], (int64_t)i);
        }
        fired_len = 0;
        cr_assert_eq(timer_fire(&heap, 100), 11);
        cr_assert_eq(fired_len, 10);
        cr_assert_eq(again_count, turn);
        cr_assert_eq(heap.armed, 1);
        cr_assert(timer_next(&heap) <= 100);
    }
    cr_assert(timer_disarm(&heap, &greedy));
}

static void disarm_the_rest(struct timer *timer)
{
    (void)timer;
    for (size_t i = 1; i < TIMERS; i++) {
        timer_disarm(&heap, &alarms[i].timer);
    }
}

/* Goal: a timer that is disarmed does not fire, not even in the call that
 * would have fired it.  Method: the first callback disarms all others. */
Test(timer, a_callback_may_disarm_others_that_are_due)
{
    init_all();
    timer_init(&alarms[0].timer, disarm_the_rest);
    for (size_t i = 0; i < TIMERS; i++) {
        arm(&alarms[i], (int64_t)i);
    }
    fired_len = 0;
    cr_assert_eq(timer_fire(&heap, INT64_MAX), 1);
    cr_assert_eq(fired_len, 0);
    cr_assert_eq(heap.armed, 0);
}

static void free_it(struct timer *timer)
{
    free(timer);
}

/* Goal: a callback may free its timer.  Method: all do; ASan watches. */
Test(timer, a_callback_may_free_its_timer)
{
    init_all();
    for (int64_t i = 0; i < 1000; i++) {
        struct timer *timer = malloc(sizeof *timer);
        timer_init(timer, free_it);
        timer_arm(&heap, timer, i * 37 % 1000);
    }
    cr_assert_eq(timer_fire(&heap, 499), 500);
    cr_assert_eq(timer_fire(&heap, 999), 500);
    test_no_leaks();
}

/* Goal: a timeout that is reset all the time stays one timer.  Method: a
 * million moves of one timer among others that wait. */
Test(timer, resets_do_not_pile_up)
{
    init_all();
    for (size_t i = 1; i < TIMERS; i++) {
        arm(&alarms[i], 1000000000 + (int64_t)i);
    }
    for (int64_t i = 0; i < test_rounds(1000000); i++) {
        timer_arm(&heap, &alarms[0].timer, i);
    }
    cr_assert_eq(heap.armed, TIMERS);
    fired_len = 0;
    cr_assert_eq(timer_fire(&heap, 999999999), 1);
    cr_assert_eq(fired[0], &alarms[0]);
    fired_len = 0;
    cr_assert_eq(timer_fire(&heap, INT64_MAX), TIMERS - 1);
}

/* Goal: no recursion, whatever the shape of the heap.  Method: half a million
 * timers as one row of siblings, then as one path. */
Test(timer, large_heaps_need_no_stack)
{
    size_t count = (size_t)test_rounds(500000);
    struct timer *timers = calloc(count, sizeof *timers);
    timer_heap_init(&heap);
    for (int shape = 0; shape < 2; shape++) {
        for (size_t i = 0; i < count; i++) {
            timer_init(&timers[i], fire_again); /* never called */
            timer_arm(&heap, &timers[i], shape ? -(int64_t)i : (int64_t)i);
        }
        for (size_t i = 0; i < count; i++) {
            cr_assert(timer_disarm(&heap, &timers[shape ? count - 1 - i : i]));
        }
        cr_assert_null(heap.root);
    }
    free(timers);
    test_no_leaks();
}
