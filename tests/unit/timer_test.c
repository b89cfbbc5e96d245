/* SPDX-License-Identifier: MIT */
/*
 * timer_test.c -- the heap against a model that cannot be wrong: an array that
 * is searched from end to end.
 */
#include "tests/harness/test.h"

#include "src/timer.h"

#include <stdlib.h>

#define TIMERS 600 /* a crowd, even of those that are armed half of the time \
                    */
#define FIRED_MAX (2 * TIMERS)
#define SLOT_NS (INT64_C(1) << TIMER_SLOT_SHIFT)
#define SLOTS_NS (TIMER_SLOTS * SLOT_NS)
#define FAR (INT64_C(1) << 40) /* in no slot */

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
    int64_t wanted = first != NULL ? first->when_ns : INT64_MAX;
    cr_assert_eq(timer_next(&heap), wanted);
}

/* Goal: any sequence of arming, moving, disarming and firing fires what is due,
 * in order.  Method: random operations on 600 timers with few distinct times,
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

/* Goal: so does a crowd, whose timers lie in slots until their time begins.
 * Method: random times around the slots' second; now small steps, now steps
 * over many slots, or all; no timer is told early or late. */
Test(timer, a_crowd_agrees_with_a_searched_array)
{
    int64_t now = 0;
    size_t filed = 0;
    init_all();
    for (size_t i = 0; i < TIMERS; i++) {
        arm(&alarms[i], FAR + (int64_t)i);
    }
    for (long round = 0; round < test_rounds(40000); round++) {
        uint64_t dice = random_next();
        struct alarm *alarm = &alarms[dice / 16 % TIMERS];
        int64_t far = (int64_t)(dice >> 32) % (SLOTS_NS + SLOTS_NS / 8);
        if (dice % 16 < 12) {
            arm(alarm, now + (dice % 16 < 9 ? far : far % (4 * SLOT_NS)));
        } else if (dice % 16 < 14) {
            disarm(alarm);
        } else {
            now +=
                round % 64 == 0 ? far : far % (dice % 16 == 14 ? 999 : SLOT_NS);
            fire_and_compare(now);
        }
        filed += heap.filed;
        if (round % 16 == 0) {
            compare_books();
        }
    }
    cr_assert(filed > 0);
    fire_and_compare(INT64_MAX);
    cr_assert_eq(heap.armed, 0);
    cr_assert_eq(heap.filed, 0);
    cr_assert_null(heap.root);
}

static bool is_filed(int64_t when_ns)
{
    arm(&alarms[0], when_ns);
    bool filed = alarms[0].timer.filed;
    fire_and_compare(when_ns - 1);
    cr_assert_eq(fired_len, 0);
    fire_and_compare(when_ns);
    cr_assert_eq(fired_len, 1);
    return filed;
}

/* Goal: the limits of what is filed.  Method: one below a crowd, a crowd; the
 * first and the last moment of the slots, and those beside them. */
Test(timer, only_a_crowd_is_filed_and_only_for_the_next_second)
{
    for (int64_t around = -1; around <= 1; around++) {
        for (int end = 0; end < 2; end++) {
            init_all();
            cr_assert_eq(timer_fire(&heap, 5 * SLOT_NS - 1), 0);
            for (size_t i = 1; i < TIMER_CROWD; i++) {
                arm(&alarms[i], FAR + (int64_t)i);
            }
            int64_t when = 5 * SLOT_NS + (end ? SLOTS_NS : 0) + around;
            cr_assert(!is_filed(when));
            init_all();
            cr_assert_eq(timer_fire(&heap, 5 * SLOT_NS - 1), 0);
            for (size_t i = 1; i <= TIMER_CROWD; i++) {
                arm(&alarms[i], FAR + (int64_t)i);
            }
            cr_assert_eq(is_filed(when), end ? around < 0 : around >= 0);
        }
    }
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

/* Goal: a crowd may be waited for longer, but not beyond the end of time.
 * Method: one timer less than a crowd, then a crowd, before and at that end. */
Test(timer, only_a_crowd_has_slack)
{
    init_all();
    cr_assert_eq(timer_wake(&heap), INT64_MAX);
    for (int i = 0; i < TIMER_CROWD - 1; i++) {
        arm(&alarms[i], INT64_MAX - TIMER_SLACK_NS - i);
    }
    cr_assert_eq(timer_wake(&heap), timer_next(&heap));
    arm(&alarms[TIMER_CROWD - 1], INT64_MAX);
    cr_assert_eq(timer_wake(&heap), timer_next(&heap) + TIMER_SLACK_NS);
    for (int i = 0; i < TIMER_CROWD; i++) {
        arm(&alarms[i], INT64_MAX - TIMER_SLACK_NS);
    }
    cr_assert_eq(timer_wake(&heap), INT64_MAX);
    for (int i = 0; i < TIMER_CROWD; i++) {
        arm(&alarms[i], INT64_MAX - TIMER_SLACK_NS + 1);
    }
    cr_assert_eq(timer_wake(&heap), INT64_MAX - TIMER_SLACK_NS + 1);
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
            int64_t when = shape ? -(int64_t)i : FAR + (int64_t)i;
            timer_arm(&heap, &timers[i], when);
        }
        for (size_t i = 0; i < count; i++) {
            cr_assert(timer_disarm(&heap, &timers[shape ? count - 1 - i : i]));
        }
        cr_assert_null(heap.root);
    }
    free(timers);
    test_no_leaks();
}
