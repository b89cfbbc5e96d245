/* SPDX-License-Identifier: MIT */
/*
 * retry_test.c -- one branch with a time, again, or between two others:
 * COMB-TIME, COMB-RETRY, COMB-BRACKET of spec/combine.md.
 */
#include "tests/spec/combine.h"

#include "tests/spec/pair.h"

#include "regions/combinator.h"

/* --- COMB-TIME ------------------------------------------------------------ */

static int late_but_good(ambit_cx *cx, void *arg, void *ret)
{
    int rc = ambit_sleep_until(cx, ambit_never());
    WANT_EQ(rc, -ECANCELED); /* the time is over */
    *(int *)ret = 5;
    return *(int *)arg;
}

static int timeout_rows(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct tally t = {0};
    struct piece never = {&t, NEVER, 0, 0}, quick = {&t, 2, 7, 1},
                 bad = {&t, 2, -EIO, 0};
    int answer = -77, code = 3;
    ambit_duration long_time = ambit_s(1000);
    WANT_EQ(ambit_timeout(cx, long_time, piece_branch(&quick, &answer)), 7);
    WANT_EQ(answer, 1);
    WANT_EQ(ambit_timeout(cx, long_time, piece_branch(&bad, &answer)), -EIO);
    int64_t start = ambit_now().ns;
    WANT_EQ(ambit_timeout(cx, ambit_ms(3), piece_branch(&never, &answer)),
            -ETIMEDOUT);
    WANT(ambit_now().ns - start >= 3000000);
    WANT_EQ(ambit_timeout_at(cx, ambit_after(ambit_ms(1)),
                             piece_branch(&never, &answer)), -ETIMEDOUT);
    WANT_EQ(ambit_timeout_at(cx, ambit_never(), piece_branch(&quick, &answer)),
            7);
    struct ambit_branch late = {.fn = late_but_good, .arg = &code,
                                .ret = &answer, .ret_size = sizeof answer};
    WANT_EQ(ambit_timeout(cx, ambit_ms(1), late), 3);
    WANT_EQ(answer, 5);
    code = -EIO;
    WANT_EQ(ambit_timeout(cx, ambit_ms(1), late), -EIO);
    late.ret = NULL;
    WANT_EQ(ambit_timeout(cx, ambit_ms(1), late), -EINVAL);
    WANT_EQ(ambit_checkpoint(cx), 0); /* the time was the branch's, not ours */
    int rc = 0;
    ambit_scope (cx, narrow, &rc, .without = AMBIT_CAP_TIME) {
        WANT_EQ(ambit_timeout(cx, long_time, piece_branch(&quick, &answer)),
                -EPERM);
        WANT_EQ(ambit_hedge(cx, &late, 1, ambit_ms(1), NULL), -EPERM);
    }
    ambit_scope (cx, alone, &rc, .without = AMBIT_CAP_SPAWN) {
        WANT_EQ(ambit_race_all(cx, &late, 1, NULL), -EPERM);
        WANT_EQ(late.result, -EPERM);
    }
    WANT_EQ(rc, 0);
    return 0;
}

static int timeout_cancelled(ambit_cx *cx, void *arg)
{
    struct tally t = {0};
    struct piece never = {&t, NEVER, 0, 0};
    int answer;
    (void)arg;
    WANT_EQ(ambit_timeout(cx, ambit_s(1000), piece_branch(&never, &answer)),
            -ECANCELED);
    WANT_EQ(count_get(&t.cancelled), count_get(&t.begun));
    return 0;
}

static int timeout_from_outside(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int turns = 0; turns < 6; turns++) {
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            WANT_EQ(ambit_spawn(all, timeout_cancelled, &rc), 0);
            for (int i = 0; i < turns; i++) {
                WANT_EQ(ambit_yield(cx), 0);
            }
            ambit_cancel(all, "from outside");
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* The end and the time come as close together as can be: one outcome. */
static int timeout_races(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct tally t = {0};
    for (int round = 0; round < 300 / SPEC_SLOWER + 20; round++) {
        struct piece p = {&t, 1, 7, 1}; /* 200 us */
        int answer = -77;
        int rc = ambit_timeout(cx, ambit_us(190 + round % 40),
                               piece_branch(&p, &answer));
        WANT(rc == 7 || rc == -ETIMEDOUT);
        WANT_EQ(answer == 1, rc == 7);
    }
    WANT_EQ(count_get(&t.begun), count_get(&t.ended));
    return 0;
}

/* Goal: result, time or cancel: one of them, and a result stands.
 * Method: a table; cancels at several moments; ends beside the time. */
Spec(COMB_TIME_1, a_timeout_has_one_outcome)
{
    spec_on_1_and_2_workers(timeout_rows);
    spec_on_1_and_2_workers(timeout_from_outside);
    spec_on_1_and_2_workers(timeout_races);
    spec_end("COMB_TIME_1");
}

static int read_what_is_there(ambit_cx *cx, void *arg, void *ret)
{
    return (int)ambit_tcp_read(cx, arg, ret, 8);
}

static int no_time_at_all(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct tally t = {0};
    struct piece ready = {&t, 0, 7, 1};
    int answer = -77;
    static const int64_t times[] = {0, -1, INT64_MIN};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        WANT_EQ(ambit_timeout(cx, ambit_ns(times[i]),
                              piece_branch(&ready, &answer)), 7);
    }
    WANT_EQ(ambit_timeout_at(cx, (ambit_time){1},
                             piece_branch(&ready, &answer)), 7);
    WANT_EQ(answer, 1);

    struct pair pair;
    pair_open(cx, &pair);
    char text[8] = "";
    struct ambit_branch b = {.fn = read_what_is_there, .arg = pair.here,
                             .ret = text, .ret_size = sizeof text};
    WANT_EQ(ambit_timeout(cx, ambit_ns(0), b), -ETIMEDOUT);
    for (int i = 0; i < 50; i++) {
        WANT_EQ(ambit_tcp_write_all(cx, pair.there, "!ready", 6, NULL), 0);
        /* With the first byte the others have come. */
        WANT_EQ(ambit_tcp_read(cx, pair.here, text, 1), 1);
        WANT_EQ(ambit_timeout(cx, ambit_ns(0), b), 5);
    }
    WANT_EQ(memcmp(text, "ready", 5), 0);
    pair_close(&pair);
    return 0;
}

/* Goal: no time is enough for what needs none.
 * Method: a branch that does not wait; bytes that have arrived already. */
Spec(COMB_TIME_2, what_is_ready_wins_without_any_time)
{
    spec_on_1_and_2_workers(no_time_at_all);
    spec_end("COMB_TIME_2");
}

/* --- COMB-RETRY ----------------------------------------------------------- */

struct script {
    int calls;
    const int *results;
};

static int follow_script(ambit_cx *cx, struct script *script, int *ret_call)
{
    (void)cx;
    *ret_call = script->calls;
    return script->results[script->calls++];
}

AMBIT_BRANCH(follow_script, struct script, int)

static int retry_rows(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const struct {
        uint32_t attempts_max;
        int results[6];
        int wanted, calls;
    } rows[] = {
        {0, {4}, 4, 1},
        {0, {-EAGAIN, -ECONNREFUSED, 4}, 4, 3},
        {0, {-EAGAIN, -EIO, 4}, -EIO, 2},
        {0, {-EAGAIN, -EAGAIN, -EBUSY, -EBUSY, -EINTR, 4}, -EINTR, 5},
        {1, {-EAGAIN, 4}, -EAGAIN, 1},
        {3, {-EAGAIN, -EAGAIN, 4}, 4, 3},
        {2, {-EAGAIN, -EAGAIN, 4}, -EAGAIN, 2},
    };
    int at;
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        struct script s = {0, rows[row].results};
        WANT_EQ(ambit_retry(cx, follow_script_branch(&s, &at),
                            .attempts_max = rows[row].attempts_max,
                            .delay = ambit_us(10)), rows[row].wanted);
        WANT_EQ(s.calls, rows[row].calls);
    }
    struct script s = {0, (const int[]){-EIO, -EPIPE, -EAGAIN, 4}};
    WANT_EQ(ambit_retry(cx, follow_script_branch(&s, &at),
                        .delay = ambit_us(10), .retry_on = {-EPIPE, -EIO}),
            -EAGAIN);
    WANT_EQ(s.calls, 3);
    struct tally t = {0};
    struct piece never = {&t, NEVER, 0, 0};
    WANT_EQ(ambit_retry(cx, piece_branch(&never, &at), .attempts_max = 3,
                        .delay = ambit_us(10), .attempt_timeout = ambit_ms(1)),
            -ETIMEDOUT);
    WANT_EQ(count_get(&t.ended), 3);
    WANT_EQ(ambit_retry(cx, follow_script_branch(&s, &at),
                        .delay = ambit_ms(-1)), -EINVAL);
    WANT_EQ(ambit_retry(cx, follow_script_branch(&s, &at),
                        .jitter_percent = 101), -EINVAL);
    WANT_EQ(s.calls, 3);
    return 0;
}

static int retry_for_ever(ambit_cx *cx, void *arg)
{
    struct count *calls = *(struct count **)arg;
    struct script s = {0, (const int[]){-EAGAIN, -EAGAIN, -EAGAIN, 0}};
    int at;
    count_up(calls);
    WANT_EQ(ambit_retry(cx, follow_script_branch(&s, &at), .attempts_max = 3,
                        .delay = ambit_s(1000), .delay_max = ambit_s(1000)),
            -ECANCELED);
    WANT_EQ(s.calls, 1);
    return 0;
}

static int retry_cancelled(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count calls = {0}, *pcalls = &calls;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn(all, retry_for_ever, &pcalls), 0);
        WANT(until(cx, &calls, 1));
        let_others_run(cx);
        ambit_cancel(all, "during the pause");
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: as often as worth it, and no more.
 * Method: scripts of results; a cancel in the middle of a pause. */
Spec(COMB_RETRY_1, only_what_is_worth_it_is_tried_again)
{
    spec_on_1_and_2_workers(retry_rows);
    spec_on(1, retry_cancelled);
    spec_end("COMB_RETRY_1");
}

static int retry_takes_its_time(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct script s = {0, (const int[]){-EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, 0}};
    int at;
    int64_t start = ambit_now().ns;
    WANT_EQ(ambit_retry(cx, follow_script_branch(&s, &at),
                        .delay = ambit_ms(2), .delay_max = ambit_ms(5),
                        .jitter_percent = -1), 0);
    WANT(ambit_now().ns - start >= (2 + 4 + 5 + 5) * 1000000);
    return 0;
}

/* Goal: the pauses grow, stop growing, and are spread.
 * Method: never shorter than their sum; the formula over its whole range. */
Spec(COMB_RETRY_2, a_pause_is_within_its_bounds)
{
    spec_on_1_and_2_workers(retry_takes_its_time);
    struct ambit_retry_options o = {.delay = ambit_ms(10),
                                    .delay_max = ambit_s(1),
                                    .jitter_percent = 50};
    static const int64_t full[] = {10, 20, 40, 80, 160, 320, 640, 1000, 1000};
    for (uint32_t m = 1; m <= ARRAY_LEN(full); m++) {
        int64_t top = full[m - 1] * 1000000;
        int64_t last = top + 1;
        for (uint64_t random = 0; random <= UINT32_MAX; random += 0xfffffff) {
            int64_t pause = retry_pause_ns(&o, m, (uint32_t)random);
            WANT(pause <= top);
            WANT(pause >= top / 2);
            WANT(pause < last);
            last = pause;
        }
        WANT_EQ(retry_pause_ns(&o, m, 0), top);
    }
    o = (struct ambit_retry_options){.delay = ambit_ns(INT64_MAX / 3),
                                     .delay_max = ambit_ns(INT64_MAX),
                                     .jitter_percent = 100};
    WANT_EQ(retry_pause_ns(&o, UINT32_MAX, 0), INT64_MAX);
    WANT(retry_pause_ns(&o, UINT32_MAX, UINT32_MAX) >= 0);
    o.jitter_percent = -1;
    WANT_EQ(retry_pause_ns(&o, 2, UINT32_MAX), INT64_MAX / 3 * 2);
    spec_end("COMB_RETRY_2");
}

/* --- COMB-BRACKET-1 ------------------------------------------------------- */

struct bracketed {
    int acquire_rc, use_rc, release_rc;
    bool waits, has_child;
    struct count *acquired, *used, *released, *child_live;
};

static int b_acquire(ambit_cx *cx, void *arg)
{
    struct bracketed *b = arg;
    int rc = ambit_yield(cx);
    if (rc < 0) {
        return rc;
    }
    if (b->acquire_rc == BREAKS) {
        ambit_panic(cx, "on purpose");
    }
    if (b->acquire_rc >= 0) {
        count_up(b->acquired);
    }
    return b->acquire_rc;
}

static int b_child(ambit_cx *cx, void *arg)
{
    struct count *live = *(struct count **)arg;
    count_up(live);
    int rc = ambit_sleep(cx, ambit_ms(1));
    count_add(live, -1);
    return rc;
}

static int b_use(ambit_cx *cx, void *arg)
{
    struct bracketed *b = arg;
    count_up(b->used);
    if (b->has_child) {
        (void)ambit_spawn(ambit_cx_region(cx), b_child, &b->child_live);
    }
    int rc = b->waits ? ambit_sleep_until(cx, ambit_never()) : ambit_yield(cx);
    if (b->use_rc == BREAKS) {
        ambit_panic(cx, "on purpose");
    }
    return rc < 0 ? rc : b->use_rc;
}

static int b_release(ambit_cx *cx, void *arg)
{
    struct bracketed *b = arg;
    WANT_EQ(count_get(b->child_live), 0);
    WANT_EQ(ambit_yield(cx), 0); /* masked: whatever came before */
    WANT_EQ(ambit_sleep(cx, ambit_us(10)), 0);
    count_up(b->released);
    return b->release_rc;
}

static const struct ambit_bracket bracket = {b_acquire, b_use, b_release};

static int bracket_task(ambit_cx *cx, void *arg)
{
    return ambit_bracket(cx, &bracket, *(struct bracketed **)arg);
}

static int bracket_rows(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const struct {
        int acquire_rc, use_rc, release_rc, wanted;
        int64_t acquired;
    } rows[] = {
        {0, 4, 0, 4, 1},         {1, -EIO, 0, -EIO, 1},
        {-EIO, 0, -EPIPE, -EIO, 0}, {0, 4, -EPIPE, -EPIPE, 1},
        {0, -EIO, -EPIPE, -EIO, 1}, {0, BREAKS, 0, -EOWNERDEAD, 1},
        {BREAKS, 0, 0, -EOWNERDEAD, 0},
    };
    for (size_t row = 0; row < 2 * ARRAY_LEN(rows); row++) {
        size_t at = row / 2;
        struct count n[4] = {{0}};
        struct bracketed b = {rows[at].acquire_rc, rows[at].use_rc,
                              rows[at].release_rc, false, row % 2 == 1,
                              &n[0], &n[1], &n[2], &n[3]};
        struct bracketed *pb = &b;
        ambit_task task;
        int rc = 0, result = 77;
        ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE) {
            WANT_EQ(ambit_spawn_with(all, bracket_task, &pb,
                                     .ret_task = &task), 0);
            WANT_EQ(ambit_join(cx, task, &result), 0);
        }
        WANT_EQ(result, rows[at].wanted);
        WANT_EQ(count_get(&n[0]), rows[at].acquired);
        WANT_EQ(count_get(&n[1]), rows[at].acquired);
        WANT_EQ(count_get(&n[2]), rows[at].acquired);
    }
    return 0;
}

static int bracket_cancelled(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int turns = 0; turns < 12; turns++) {
        struct count n[4] = {{0}};
        struct bracketed b = {0, 0, 0, true, true, &n[0], &n[1], &n[2], &n[3]};
        struct bracketed *pb = &b;
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            WANT_EQ(ambit_spawn(all, bracket_task, &pb), 0);
            for (int i = 0; i < turns; i++) {
                WANT_EQ(ambit_yield(cx), 0);
            }
            ambit_cancel(all, "at some point");
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&n[0]), count_get(&n[2]));
    }
    return 0;
}

/* Goal: what was acquired is released, and nothing else is.
 * Method: each step succeeds, fails or panics; a cancel at 12 moments. */
Spec(COMB_BRACKET_1, what_was_acquired_is_released_once)
{
    spec_on_1_and_2_workers(bracket_rows);
    spec_on_1_and_2_workers(bracket_cancelled);
    spec_end("COMB_BRACKET_1");
}
