/* SPDX-License-Identifier: MIT */
/*
 * capability_test.c -- what is taken away stays away: spec/capability.md, and
 * the numbers of ambit_random: RT-SEED-1.
 */
#include "tests/spec/common.h"

/* --- CAP-2, CAP-3 ---------------------------------------------------------- */

struct hull {
    unsigned caps; /* what must be left */
    struct count *seen;
};

static void check_hull(ambit_cx *cx, const struct hull *h)
{
    uint64_t number;
    ambit_time now;
    WANT_EQ(ambit_cx_caps(cx), h->caps);
    WANT_EQ(ambit_random(cx, &number),
            h->caps & AMBIT_CAP_RANDOM ? 0 : -EPERM);
    WANT_EQ(ambit_cx_now(cx, &now), h->caps & AMBIT_CAP_TIME ? 0 : -EPERM);
    count_up(h->seen);
}

static int look_from_task(ambit_cx *cx, void *arg)
{
    check_hull(cx, arg);
    return 0;
}

/* Every set inside every set: nothing comes back. */
static int narrow_twice(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (unsigned outer_set = 0; outer_set <= AMBIT_CAP_ALL; outer_set++) {
        for (unsigned set = 0; set <= AMBIT_CAP_ALL; set += 1 + set % 5) {
            struct count seen = {0};
            int rc = 0, tasks = 0;
            struct hull h = {AMBIT_CAP_ALL & ~(outer_set | set), &seen};
            ambit_scope (cx, outer, &rc, .without = outer_set) {
                ambit_scope (cx, inner, &rc, .without = set) {
                    check_hull(cx, &h);
                    WANT_EQ(ambit_defer_async(inner, look_from_task, &h), 0);
                    tasks += ambit_spawn(inner, look_from_task, &h) == 0;
                    tasks += ambit_spawn_with(inner, look_from_task, &h,
                                              .tier = AMBIT_BLOCKING) == 0;
                }
                WANT_EQ(ambit_cx_caps(cx), AMBIT_CAP_ALL & ~outer_set);
            }
            WANT_EQ(ambit_cx_caps(cx), AMBIT_CAP_ALL);
            WANT_EQ(rc, 0);
            WANT_EQ(count_get(&seen), 2 + tasks);
            WANT_EQ(tasks, !(h.caps & AMBIT_CAP_SPAWN)      ? 0
                           : !(h.caps & AMBIT_CAP_BLOCKING) ? 1
                                                            : 2);
        }
    }
    return 0;
}

/* Goal: nothing inside gets back what was taken away.
 * Method: all sets around many sets, asked from the body, from tasks, from a
 * pool thread and from a finalizer. */
Spec(CAP_2, a_capability_is_never_given_back)
{
    spec_on_1_and_2_workers(narrow_twice);
    spec_end("CAP_2");
}

/* Goal: the set that is told is the set that is enforced.
 * Method: as above; each place compares what it is told with what is refused. */
Spec(CAP_3, the_set_told_is_the_set_enforced)
{
    spec_on_1_and_2_workers(narrow_twice);
    spec_end("CAP_3");
}

/* --- RT-SEED-1 -------------------------------------------------------------- */

enum { NUMBERS = 64 };

static int draw_numbers(ambit_cx *cx, void *arg)
{
    uint64_t *ret_numbers = arg;
    for (int i = 0; i < NUMBERS; i++) {
        WANT_EQ(ambit_random(cx, &ret_numbers[i]), 0);
    }
    return 0;
}

struct lot {
    uint64_t *numbers;
    struct count *started;
};

static int draw_elsewhere(ambit_cx *cx, void *arg)
{
    struct lot *lot = arg;
    WANT_EQ(ambit_random(cx, lot->numbers), 0);
    count_up(lot->started);
    return 0;
}

/* On two workers at once, and on a pool thread. */
static int draw_beside(ambit_cx *cx, void *arg)
{
    uint64_t *numbers = arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct count started = {0};
        struct lot lot = {&numbers[1], &started};
        spawn_elsewhere(all, draw_elsewhere, &lot, &started);
        lot.numbers = &numbers[2];
        WANT_EQ(ambit_spawn_with(all, draw_elsewhere, &lot,
                                 .tier = AMBIT_BLOCKING), 0);
        WANT(until(cx, &started, 2));
        WANT_EQ(ambit_random(cx, &numbers[0]), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: who wants the same numbers again gets them, and nobody else.
 * Method: runs with seed 42 twice, 43, and none twice; on one worker, then one
 * number from each of two workers and a pool thread. */
Spec(RT_SEED_1, a_seed_gives_the_same_numbers_again)
{
    static uint64_t drawn[5][NUMBERS];
    static const uint64_t seeds[5] = {42, 42, 43, 0, 0};
    for (int run = 0; run < 5; run++) {
        WANT_EQ(spec_run(draw_numbers, drawn[run], .workers = 1,
                         .seed = seeds[run]), 0);
    }
    for (int a = 0; a < 5; a++) {
        for (int b = 0; b < a; b++) {
            bool same = memcmp(drawn[a], drawn[b], sizeof drawn[a]) == 0;
            WANT_EQ(same, a == 1 && b == 0);
        }
    }
    for (int i = 1; i < NUMBERS; i++) {
        WANT(drawn[0][i] != drawn[0][i - 1]);
    }
    uint64_t beside[3] = {0};
    WANT_EQ(spec_run(draw_beside, beside, .workers = 2, .seed = 42), 0);
    WANT(beside[0] != beside[1] && beside[1] != beside[2] &&
         beside[2] != beside[0]);
    spec_end("RT_SEED_1");
}
