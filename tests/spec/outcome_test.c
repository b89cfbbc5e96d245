/* SPDX-License-Identifier: MIT */
/*
 * outcome_test.c -- how the children ended, added up: REG-OUTCOME of
 * spec/region.md.
 */
#include "tests/spec/common.h"

/* --- REG-OUTCOME-1 --------------------------------------------------------- */

enum kind { GOOD, BAD, PANICS, WAITS, KINDS };

static int end_as(ambit_cx *cx, void *arg)
{
    switch (*(enum kind *)arg) {
    case BAD:
        return -EPIPE;
    case PANICS:
        ambit_panic(cx, "as told");
    case WAITS:
        return ambit_sleep_until(cx, ambit_never());
    default:
        (void)ambit_yield(cx);
        return 7;
    }
}

static int end_at_once(ambit_cx *cx, void *state)
{
    (void)cx;
    return *(enum kind *)state == BAD ? -EPIPE : 0;
}

static uint64_t sum(const struct ambit_outcome *out)
{
    return out->ok + out->failed + out->cancelled + out->panicked;
}

/* So many of each kind, in a mixture of tiers; then a cancel. */
static void count_ends(ambit_cx *cx, int round)
{
    uint64_t spawned[KINDS] = {0}, polled = 0, joined = 0;
    struct ambit_outcome out;
    memset(&out, 0x55, sizeof out);
    int rc = 0;
    ambit_scope (cx, all, &rc, .policy = AMBIT_COLLECT, .ret_outcome = &out) {
        for (int i = 0; i < 60; i++) {
            enum kind kind = (enum kind)((i * 7 + round) % KINDS);
            ambit_task handle;
            WANT_EQ(ambit_spawn_with(all, end_as, &kind,
                                     .tier = i % 5 == 0 ? AMBIT_FIBER
                                                        : AMBIT_SEND,
                                     .ret_task = i % 3 ? NULL : &handle), 0);
            spawned[kind]++;
            if (i % 9 == 0 && kind != WAITS) {
                int result;
                WANT_EQ(ambit_join(cx, handle, &result), 0);
                joined++;
            }
        }
        enum kind kind = round % 2 ? GOOD : BAD;
        WANT_EQ(ambit_spawn_poll(all, end_at_once, &kind), 0);
        polled++;
        while (ambit_region_tasks(all) > spawned[WAITS]) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        ambit_cancel(all, "enough");
    }
    WANT(joined > 0);
    WANT_EQ(rc, -EOWNERDEAD);
    WANT_EQ(out.result, rc);
    WANT_EQ(out.ok, spawned[GOOD] + (round % 2));
    WANT_EQ(out.failed, spawned[BAD] + !(round % 2));
    WANT_EQ(out.panicked, spawned[PANICS]);
    WANT_EQ(out.cancelled, spawned[WAITS]);
    WANT_EQ(sum(&out), 60 + polled);
    WANT_EQ(out.worst.end, AMBIT_ENDED_PANICKED);
    WANT_EQ(out.worst.code, -EOWNERDEAD);
}

static int never(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    WANT(!"it was cancelled before");
    return 0;
}

static int count_rounds(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        count_ends(cx, round);
    }
    struct ambit_outcome out;
    int rc = 0, none = 0;
    ambit_scope (cx, unborn, &rc, .ret_outcome = &out) {
        for (int i = 0; i < 10; i++) {
            WANT_EQ(ambit_spawn_with(unborn, never, &none,
                                     .tier = AMBIT_FIBER), 0);
        }
        ambit_cancel(unborn, "before they run");
    }
    WANT_EQ(rc, 0);
    WANT_EQ(out.never_ran, 10);
    WANT_EQ(out.cancelled, 10);
    WANT_EQ(out.worst.end, AMBIT_ENDED_CANCELLED);
    WANT(out.worst.never_ran && out.root.task == NULL);
    ambit_scope (cx, empty, &rc, .ret_outcome = &out) {
        WANT_EQ(ambit_region_tasks(empty), 0);
    }
    WANT_EQ(sum(&out), 0);
    WANT(out.worst.task == NULL && out.worst.end == AMBIT_ENDED_OK);
    return 0;
}

/* Goal: the books of a region are complete.
 * Method: tasks of all kinds of ends and several tiers, joined or not; the
 * counts are compared with what was spawned. */
Spec(REG_OUTCOME_1, every_end_is_counted_once)
{
    spec_on_1_and_2_workers(count_rounds);
    spec_end("REG_OUTCOME_1");
}

/* --- REG-OUTCOME-2 --------------------------------------------------------- */

struct crowd {
    struct count *started;
    int code;
};

static int give_up_badly(ambit_cx *cx, void *arg)
{
    struct crowd *c = arg;
    count_up(c->started);
    (void)ambit_sleep_until(cx, ambit_never());
    return c->code;
}

static int fail_first(ambit_cx *cx, void *arg)
{
    struct crowd *c = arg;
    WANT(until(cx, c->started, 20));
    return -ENOENT;
}

static void one_culprit(ambit_cx *cx, int code)
{
    struct count started = {0};
    struct crowd c = {&started, code};
    struct ambit_outcome out;
    int rc = 0;
    ambit_scope (cx, all, &rc, .ret_outcome = &out, .name = "all") {
        for (int i = 0; i < 20; i++) {
            WANT_EQ(ambit_spawn_with(all, give_up_badly, &c,
                                     .name = "bystander"), 0);
        }
        WANT_EQ(ambit_spawn_with(all, fail_first, &c, .name = "culprit"), 0);
    }
    WANT_EQ(rc, -ENOENT);
    WANT_EQ(out.result, -ENOENT);
    WANT_EQ(strcmp(out.root.task, "culprit"), 0);
    WANT_EQ(out.root.code, -ENOENT);
    WANT_EQ(out.root.end, AMBIT_ENDED_ERR);
    bool echoes = code == -ECANCELED;
    WANT_EQ(out.cancelled, echoes ? 20 : 0);
    WANT_EQ(out.failed, echoes ? 1 : 21);
    WANT_EQ(out.worst.end,
            echoes ? AMBIT_ENDED_CANCELLED : AMBIT_ENDED_ERR);
    WANT_EQ(out.why.len, 1);
    WANT_EQ(out.why.link[0].kind, AMBIT_CANCEL_FAIL_FAST);
    WANT_EQ(out.why.link[0].code, -ENOENT);
    WANT_EQ(strcmp(out.why.link[0].task, "culprit"), 0);
    WANT_EQ(strcmp(out.why.link[0].region, "all"), 0);
}

static int find_culprits(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        one_culprit(cx, round % 2 ? -ECANCELED : -EPIPE);
    }
    return 0;
}

static int fails_at_once(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    return -EIO;
}

static int fails_of_it(ambit_cx *cx, void *arg)
{
    ambit_task *first = *(ambit_task **)arg;
    int result = 0;
    WANT_EQ(ambit_join(cx, *first, &result), 0);
    WANT_EQ(result, -EIO);
    return -EPIPE;
}

static int join_culprits(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < test_rounds(2000); round++) {
        ambit_task first, *here = &first;
        struct ambit_outcome out;
        int rc = 0;
        ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT, .ret_outcome = &out) {
            WANT_EQ(ambit_spawn_with(s, fails_at_once, &here,
                                     .ret_task = &first,
                                     .placement = AMBIT_PINNED, .worker = 1),
                    0);
            WANT_EQ(ambit_spawn_with(s, fails_of_it, &here,
                                     .placement = AMBIT_PINNED, .worker = 0),
                    0);
        }
        WANT_EQ(rc, -EIO);
        WANT_EQ(out.root.code, -EIO);
    }
    return 0;
}

/* Goal: the one that began it is the one that is named.
 * Method: a failure cancels twenty others, which echo it, or fail of it; and
 * one that joins the task that failed, on another worker, fails of that. */
Spec(REG_OUTCOME_2, the_root_is_the_first_failure)
{
    spec_on_1_and_2_workers(find_culprits);
    spec_on(2, join_culprits);
    spec_end("REG_OUTCOME_2");
}

/* --- REG-OUTCOME-3 --------------------------------------------------------- */

static bool same(struct ambit_child_end a, struct ambit_child_end b)
{
    return a.end == b.end && a.code == b.code && a.task == b.task;
}

static void check_lattice(void)
{
    static const struct ambit_child_end ends[] = {
        {0},
        {AMBIT_ENDED_OK, 0, false, "a"},
        {AMBIT_ENDED_OK, 3, false, "b"},
        {AMBIT_ENDED_ERR, -EIO, false, "c"},
        {AMBIT_ENDED_ERR, -EPIPE, false, "d"},
        {AMBIT_ENDED_CANCELLED, -ECANCELED, false, "e"},
        {AMBIT_ENDED_CANCELLED, -ECANCELED, true, "f"},
        {AMBIT_ENDED_PANICKED, -EOWNERDEAD, false, "g"},
        {AMBIT_ENDED_PANICKED, -EOWNERDEAD, false, "h"},
    };
    enum { N = ARRAY_LEN(ends) };
    for (size_t a = 0; a < N; a++) {
        WANT(same(ambit_worse(ends[a], ends[a]), ends[a]));
        WANT(same(ambit_worse(ends[0], ends[a]), ends[a]));
        WANT(same(ambit_worse(ends[a], ends[0]), ends[a]));
        for (size_t b = 0; b < N; b++) {
            struct ambit_child_end ab = ambit_worse(ends[a], ends[b]);
            WANT(ab.end >= ends[a].end && ab.end >= ends[b].end);
            WANT(same(ab, ends[a]) || same(ab, ends[b]));
            WANT(a == 0 || ends[a].end != ends[b].end || same(ab, ends[a]));
            WANT_EQ(ab.end, ambit_worse(ends[b], ends[a]).end);
            for (size_t c = 0; c < N; c++) {
                WANT(same(ambit_worse(ab, ends[c]),
                          ambit_worse(ends[a],
                                      ambit_worse(ends[b], ends[c]))));
            }
        }
    }
}

/* One after the other, so that the order of the ends is known. */
static void join_in_order(ambit_cx *cx, const enum kind *kinds, int count)
{
    static const char *const names[] = {"0", "1", "2", "3", "4", "5"};
    struct ambit_child_end wanted = {0};
    struct ambit_outcome out;
    int rc = 0;
    ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE, .ret_outcome = &out) {
        for (int i = 0; i < count; i++) {
            ambit_task handle;
            int result = 0;
            enum kind kind = kinds[i];
            WANT_EQ(ambit_spawn_with(all, end_as, &kind, .name = names[i],
                                     .ret_task = &handle), 0);
            WANT_EQ(ambit_join(cx, handle, &result), 0);
            while (ambit_region_tasks(all) > 0) {
                WANT_EQ(ambit_yield(cx), 0);
            }
            wanted = ambit_worse(
                wanted, (struct ambit_child_end){
                            kind == GOOD  ? AMBIT_ENDED_OK
                            : kind == BAD ? AMBIT_ENDED_ERR
                                          : AMBIT_ENDED_PANICKED,
                            result, false, names[i]});
        }
    }
    WANT_EQ(rc, 0);
    WANT(same(out.worst, wanted));
}

static int join_all_orders(ambit_cx *cx, void *arg)
{
    (void)arg;
    check_lattice();
    for (int code = 0; code < 3 * 3 * 3 * 3; code++) {
        enum kind kinds[4];
        for (int i = 0, rest = code; i < 4; i++, rest /= 3) {
            kinds[i] = (enum kind)(rest % 3);
        }
        join_in_order(cx, kinds, 4);
    }
    return 0;
}

/* Goal: outcomes join as a lattice does, the first of equals staying.
 * Method: all triples of ends through ambit_worse; all sequences of four ends
 * through a region. */
Spec(REG_OUTCOME_3, the_worst_is_the_first_of_the_worst)
{
    spec_on_1_and_2_workers(join_all_orders);
    spec_end("REG_OUTCOME_3");
}
