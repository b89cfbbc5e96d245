/* SPDX-License-Identifier: MIT */
/*
 * group_test.c -- tasks whose values are fetched: GROUP of spec/combine.md.
 */
#include "tests/spec/combine.h"

/* --- GROUP-JOIN-1 --------------------------------------------------------- */

#define LARGE 4096

struct page {
    unsigned char bytes[LARGE];
};

struct empty {
};

static unsigned char page_byte(int seed, size_t i)
{
    return (unsigned char)((size_t)seed * 31 + i * 5 + (i >> 8));
}

/* The argument is as large as the result, and a copy. */
static int copy_page(ambit_cx *cx, const struct page *page,
                     struct page *ret_page)
{
    int rc = page->bytes[0] % 2 ? ambit_yield(cx) : 0;
    *ret_page = *page;
    return rc;
}

static int make_empty(ambit_cx *cx, const int *code, struct empty *ret)
{
    WANT(ret == NULL);
    int rc = ambit_sleep(cx, ambit_us(100));
    return rc < 0 ? rc : *code;
}

AMBIT_BRANCH(copy_page, const struct page, struct page)
AMBIT_BRANCH(make_empty, const int, struct empty)

static int join_pages(ambit_cx *cx, void *arg)
{
    (void)arg;
    enum { N = 12 };
    static struct page page, back;
    ambit_future futures[N], nothing;
    int rc = 0, result = 77, code = 6;
    ambit_group (cx, pages, &rc) {
        for (int i = 0; i < N; i++) {
            for (size_t k = 0; k < LARGE; k++) {
                page.bytes[k] = page_byte(i, k);
            }
            WANT_EQ(ambit_group_spawn(pages, copy_page_branch(&page, NULL),
                                      &futures[i]), 0);
        }
        memset(&page, 0, sizeof page); /* theirs are copies */
        WANT_EQ(ambit_group_spawn(pages, make_empty_branch(&code, NULL),
                                  &nothing), 0);
        for (int i = N - 1; i >= 0; i--) {
            WANT_EQ(ambit_future_join(cx, futures[i], &back, &result), 0);
            WANT_EQ(result, 0);
            size_t same = 0;
            while (same < LARGE && back.bytes[same] == page_byte(i, same)) {
                same++;
            }
            WANT_EQ(same, LARGE);
        }
        struct empty empty;
        WANT_EQ(ambit_future_join(cx, nothing, &code, &result), -EINVAL);
        WANT_EQ(ambit_future_join(cx, nothing, &empty, &result), 0);
        WANT_EQ(result, 6);
        WANT_EQ(ambit_future_join(cx, nothing, &empty, &result), -ESTALE);
    }
    WANT_EQ(rc, 0);
    result = 77;
    WANT_EQ(ambit_future_join(cx, futures[0], &back, &result), -ESTALE);
    WANT_EQ(result, 77);
    return 0;
}

static int join_endings(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const int rows[][2] = {
        {4, 4}, {-EIO, -EIO}, {-ECANCELED, -ECANCELED}, {BREAKS, -EOWNERDEAD}};
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        for (int late = 0; late < 2; late++) {
            struct tally t = {0};
            struct piece p = {&t, late ? 0 : 4, rows[row][0], 11};
            ambit_future future;
            int rc = 0, result = 77, answer = -77;
            ambit_group (cx, group, &rc) {
                WANT_EQ(ambit_group_spawn(group, piece_branch(&p, NULL),
                                          &future), 0);
                let_others_run(cx);
                WANT_EQ(ambit_future_join(cx, future, &answer, &result), 0);
                WANT_EQ(result, rows[row][1]);
                WANT_EQ(answer, result >= 0 ? 11 : -77);
            }
            WANT_EQ(rc, 0); /* it was fetched */
        }
    }
    return 0;
}

/* Goal: what is fetched is what was made.
 * Method: pages of 4 KiB in and out, an empty value, each way to end. */
Spec(GROUP_JOIN_1, a_join_fetches_the_value)
{
    spec_on_1_and_2_workers(join_pages);
    spec_on_1_and_2_workers(join_endings);
    spec_end("GROUP_JOIN_1");
}

/* --- GROUP-JOIN-2 --------------------------------------------------------- */

struct taker {
    ambit_future future;
    struct count *got, *busy, *stale, *went;
};

static int take(ambit_cx *cx, void *arg)
{
    struct taker *t = arg;
    int answer = -77, result = 77;
    count_up(t->went);
    int rc = ambit_future_join(cx, t->future, &answer, &result);
    WANT(rc == 0 || rc == -EBUSY || rc == -ESTALE);
    WANT_EQ(answer, rc == 0 ? 11 : -77);
    WANT_EQ(result, rc == 0 ? 5 : 77);
    count_up(rc == 0 ? t->got : rc == -EBUSY ? t->busy : t->stale);
    return 0;
}

static int eight_takers(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 50; round++) {
        struct tally t = {0};
        struct count n[4] = {{0}};
        struct piece p = {&t, round % 6, 5, 11};
        struct taker taker = {{{0}, NULL, 0}, &n[0], &n[1], &n[2], &n[3]};
        int rc = 0;
        ambit_group (cx, group, &rc) {
            WANT_EQ(ambit_group_spawn(group, piece_branch(&p, NULL),
                                      &taker.future), 0);
            for (int i = 0; i < 8; i++) {
                WANT_EQ(ambit_spawn(group->region, take, &taker), 0);
            }
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&n[0]), 1);
        WANT_EQ(count_get(&n[0]) + count_get(&n[1]) + count_get(&n[2]), 8);
    }
    return 0;
}

static int busy_then_stale(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct tally t = {0};
    struct count n[4] = {{0}};
    struct piece p = {&t, 20, 5, 11};
    struct taker taker = {{{0}, NULL, 0}, &n[0], &n[1], &n[2], &n[3]};
    int rc = 0;
    ambit_group (cx, group, &rc) {
        WANT_EQ(ambit_group_spawn(group, piece_branch(&p, NULL),
                                  &taker.future), 0);
        WANT_EQ(ambit_spawn(group->region, take, &taker), 0);
        WANT(until(cx, &n[3], 1));
        WANT_EQ(ambit_spawn(group->region, take, &taker), 0);
        WANT(until(cx, &n[3], 2));
        WANT_EQ(count_get(&n[1]), 1); /* beside the first */
        WANT(until(cx, &n[0], 1));
        WANT_EQ(ambit_spawn(group->region, take, &taker), 0);
        WANT(until(cx, &n[3], 3));
        WANT_EQ(count_get(&n[2]), 1); /* after it */
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: one taker, and an answer for the others.
 * Method: eight at once, at different moments; then one after the other. */
Spec(GROUP_JOIN_2, one_of_several_joiners_gets_it)
{
    spec_on_1_and_2_workers(eight_takers);
    spec_on(1, busy_then_stale);
    spec_end("GROUP_JOIN_2");
}

/* --- GROUP-CLOSE-1 -------------------------------------------------------- */

enum way_out { BY_END, BY_BREAK, BY_CANCEL, BY_PANIC, BY_CALLS, WAYS_OUT };

struct leaver {
    enum way_out way;
    struct tally *tally;
};

static int by_calls(ambit_cx *cx, const struct piece *p)
{
    struct ambit_group group;
    ambit_future future;
    int result = 77;
    WANT_EQ(ambit_group_open(cx, &group, NULL), 0);
    WANT_EQ(ambit_group_spawn(&group, piece_branch(p, NULL), &future), 0);
    let_others_run(cx);
    ambit_group_cancel(&group, "enough");
    /* The opener is not beside the group, but in it. */
    WANT_EQ(ambit_future_join(cx, future, (int *)NULL, &result), -ECANCELED);
    return ambit_group_close(cx, &group, 0);
}

static int leave_group(ambit_cx *cx, void *arg)
{
    struct leaver *l = arg;
    int rc = 0;
    struct piece p = {l->tally, l->way == BY_END ? 5 : NEVER, 0, 0};
    if (l->way == BY_CALLS) {
        return by_calls(cx, &p);
    }
    ambit_group (cx, group, &rc) {
        for (int i = 0; i < 4; i++) {
            WANT_EQ(ambit_group_spawn(group, piece_branch(&p, NULL), NULL), 0);
        }
        let_others_run(cx);
        if (l->way == BY_BREAK) {
            break;
        }
        if (l->way == BY_CANCEL) {
            ambit_group_cancel(group, "enough");
        }
        if (l->way == BY_PANIC) {
            ambit_panic(cx, "on purpose");
        }
    }
    WANT_EQ(count_get(&l->tally->ended), count_get(&l->tally->begun));
    return rc;
}

static int group_ways_out(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int way = 0; way < WAYS_OUT; way++) {
        struct tally t = {0};
        struct leaver l = {(enum way_out)way, &t};
        ambit_task task;
        int rc = 0, result = 77;
        ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE) {
            WANT_EQ(ambit_spawn_with(all, leave_group, &l, .ret_task = &task),
                    0);
            WANT_EQ(ambit_join(cx, task, &result), 0);
            WANT_EQ(result, way == BY_PANIC ? -EOWNERDEAD : 0);
            WANT_EQ(count_get(&t.ended), count_get(&t.begun));
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* A joiner of a task that was cancelled on its own. */
static int group_cancelled_value(ambit_cx *cx, void *arg)
{
    struct tally t = {0};
    struct piece p = {&t, NEVER, 0, 0};
    ambit_future future;
    int rc = 0, answer = -77, result = 77;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        struct ambit_group group;
        WANT_EQ(ambit_group_open(cx, &group, NULL), 0);
        WANT_EQ(ambit_group_spawn(&group, piece_branch(&p, NULL), &future), 0);
        ambit_group_cancel(&group, "enough");
        WANT_EQ(ambit_group_spawn(&group, piece_branch(&p, NULL), NULL),
                -ESHUTDOWN);
        WANT_EQ(ambit_group_close(cx, &group, 0), 0);
    }
    WANT_EQ(ambit_future_join(cx, future, &answer, &result), -ESTALE);
    WANT_EQ(answer, -77);
    return rc;
}

/* Goal: no way out leaves a task behind.
 * Method: end, break, cancel, panic and the plain calls; a census after each. */
Spec(GROUP_CLOSE_1, a_group_waits_for_all_its_tasks)
{
    spec_on_1_and_2_workers(group_ways_out);
    spec_on_1_and_2_workers(group_cancelled_value);
    spec_end("GROUP_CLOSE_1");
}

/* --- GROUP-END-1 ---------------------------------------------------------- */

static struct count made, disposed;

static int make_thing(ambit_cx *cx, const int *code, void **ret_thing)
{
    int rc = ambit_yield(cx);
    if (rc < 0 || *code < 0) {
        return rc < 0 ? rc : *code;
    }
    *ret_thing = malloc(24);
    count_up(&made);
    return 0;
}

static void dispose_thing(void *ret)
{
    free(*(void **)ret);
    count_up(&disposed);
}

AMBIT_BRANCH(make_thing, const int, void *, .dispose = dispose_thing)

static int unfetched(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const int codes[] = {0, -EIO, -EPIPE, 0};
    /* Which are fetched, as bits, and what the group then says. */
    static const int rows[][2] = {{0, -EIO},  {1, -EIO},  {2, -EPIPE},
                                  {4, -EIO},  {6, 0},     {15, 0}, {9, -EIO}};
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        int64_t made_before = count_get(&made), fetched = 0;
        int64_t disposed_before = count_get(&disposed);
        int rc = 0;
        ambit_group (cx, group, &rc) {
            ambit_future futures[4];
            for (int i = 0; i < 4; i++) {
                WANT_EQ(ambit_group_spawn(group,
                                          make_thing_branch(&codes[i], NULL),
                                          &futures[i]), 0);
            }
            for (int i = 0; i < 4; i++) {
                void *thing = NULL;
                int result;
                if ((rows[row][0] >> i) % 2 == 0) {
                    continue;
                }
                WANT_EQ(ambit_future_join(cx, futures[i], &thing, &result), 0);
                WANT_EQ(result, codes[i]);
                fetched += thing != NULL;
                free(thing);
            }
        }
        WANT_EQ(rc, rows[row][1]);
        WANT_EQ(count_get(&made) - made_before, 2);
        WANT_EQ(count_get(&disposed) - disposed_before, 2 - fetched);
    }
    return 0;
}

/* Goal: what nobody asked for is not lost.
 * Method: good and bad tasks, of which some are fetched. */
Spec(GROUP_END_1, what_nobody_fetched_is_the_groups)
{
    spec_on_1_and_2_workers(unfetched);
    spec_end("GROUP_END_1");
}
