/* SPDX-License-Identifier: MIT */
/*
 * combine_test.c -- several calls as one: COMB of spec/combine.md.
 */
#include "tests/spec/combine.h"

/* --- COMB-JOIN ------------------------------------------------------------ */

static int join_mixed(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const int wanted[] = {7, -EIO, 0, -EPIPE, 3};
    struct tally t = {0};
    struct piece pieces[5];
    struct ambit_branch branches[5];
    int answers[5] = {-77, -77, -77, -77, -77};
    for (int i = 0; i < 5; i++) {
        pieces[i] = (struct piece){&t, 5 - i, wanted[i], 100 + i};
        branches[i] = piece_branch(&pieces[i], &answers[i]);
    }
    WANT_EQ(ambit_join_all(cx, branches, 5), -EIO);
    for (int i = 0; i < 5; i++) {
        WANT_EQ(branches[i].result, wanted[i]);
        WANT_EQ(answers[i], wanted[i] < 0 ? -77 : 100 + i);
    }
    WANT_EQ(count_get(&t.begun), 5);
    WANT_EQ(count_get(&t.ended), 5);
    WANT_EQ(count_get(&t.cancelled), 0);
    WANT_EQ(ambit_join_all(cx, branches, 2), -EIO);
    WANT_EQ(ambit_join2(cx, branches[0], branches[2]), 0);
    WANT_EQ(ambit_join_all(cx, NULL, 0), 0);
    return 0;
}

/* Goal: all are run, and each result stays with its branch.
 * Method: good and bad results that come in reverse order. */
Spec(COMB_JOIN_1, all_results_arrive_in_order)
{
    spec_on_1_and_2_workers(join_mixed);
    spec_end("COMB_JOIN_1");
}

static int join_worst(ambit_cx *cx, void *arg)
{
    (void)arg;
    /* The bad results by rank; of each the first is the one to blame. */
    static const int rows[][4] = {
        {0, -EIO, -EPIPE, -EIO},         {-EIO, -ECANCELED, 0, -ECANCELED},
        {BREAKS, -EIO, 0, -EOWNERDEAD},  {-ECANCELED, -EIO, BREAKS, -EOWNERDEAD},
        {-EPIPE, -EIO, -EIO, -EPIPE},    {1, 2, 3, 0},
    };
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        struct tally t = {0};
        struct piece p[3];
        int answer;
        for (int i = 0; i < 3; i++) {
            p[i] = (struct piece){&t, 3 - i, rows[row][i], i};
        }
        WANT_EQ(ambit_join_all(cx, AMBIT_BRANCHES(
            piece_branch(&p[0], &answer), piece_branch(&p[1], &answer),
            piece_branch(&p[2], &answer))), rows[row][3]);
    }
    /* The cancel of the slow one is our own doing: it is not to blame. */
    struct tally t = {0};
    struct piece slow = {&t, NEVER, 0, 0}, bad = {&t, 1, -EIO, 0};
    int answer;
    WANT_EQ(ambit_quorum(cx, AMBIT_BRANCHES(piece_branch(&slow, &answer),
                                            piece_branch(&bad, &answer)), 2),
            -EIO);
    return 0;
}

/* Goal: the blame does not depend on who is first.
 * Method: a table of triples, the later ones ending earlier. */
Spec(COMB_JOIN_2, the_worst_result_is_returned)
{
    spec_on_1_and_2_workers(join_worst);
    spec_end("COMB_JOIN_2");
}

/* --- COMB-RACE ------------------------------------------------------------ */

static int race_rows(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const struct {
        int turns[3], results[3];
        int wanted, answer;
        size_t winner;
    } rows[] = {
        {{NEVER, 1, NEVER}, {0, 9, 0}, 9, 1, 1},
        {{NEVER, NEVER, 3}, {0, 0, 0}, 0, 2, 2},
        {{NEVER, 1, NEVER}, {0, -EIO, 0}, -EIO, -77, 1},
        {{2, NEVER, NEVER}, {BREAKS, 0, 0}, -EOWNERDEAD, -77, 0},
    };
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        struct tally t = {0};
        struct piece p[3];
        struct ambit_branch b[3];
        int answer = -77;
        size_t winner = 99;
        for (int i = 0; i < 3; i++) {
            p[i] = (struct piece){&t, rows[row].turns[i], rows[row].results[i],
                                  i};
            b[i] = piece_branch(&p[i], &answer);
        }
        WANT_EQ(ambit_race_all(cx, b, 3, &winner), rows[row].wanted);
        WANT_EQ(winner, rows[row].winner);
        WANT_EQ(answer, rows[row].answer);
        WANT_EQ(b[winner].result, rows[row].wanted);
        WANT_EQ(b[(winner + 1) % 3].result, -ECANCELED);
        WANT_EQ(count_get(&t.cancelled), count_get(&t.begun) - 1);
        WANT_EQ(count_get(&t.ended), count_get(&t.begun) -
                                         (rows[row].wanted == -EOWNERDEAD));
    }
    size_t winner = 99;
    WANT_EQ(ambit_race_all(cx, NULL, 0, &winner), -EINVAL);
    WANT_EQ(winner, 99);
    return 0;
}

/* Goal: the first end is the race's, a bad one and a panic, too.
 * Method: one branch ends, the others wait for ever. */
Spec(COMB_RACE_1, the_first_to_end_wins)
{
    spec_on_1_and_2_workers(race_rows);
    spec_end("COMB_RACE_1");
}

static int race_at_once(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (size_t n = 1; n <= 64; n += 9) {
        struct tally t = {0};
        struct piece p[64];
        struct ambit_branch b[64];
        int answer = -77;
        for (size_t i = 0; i < n; i++) {
            p[i] = (struct piece){&t, 0, 1 + (int)i, (int)i};
            b[i] = piece_branch(&p[i], &answer);
        }
        size_t winner = 99;
        WANT_EQ(ambit_race_all(cx, b, n, &winner), 1);
        WANT_EQ(winner, 0);
        WANT_EQ(answer, 0);
        winner = 99;
        p[0].result = -EIO;
        WANT_EQ(ambit_first_ok(cx, b, n, &winner), n == 1 ? -EIO : 2);
        WANT_EQ(winner, n == 1 ? 99 : 1);
    }
    return 0;
}

/* Gives way a few times, so that both end in one pass of the worker. */
static int neighbour(ambit_cx *cx, const struct piece *piece, int *ret_answer)
{
    int rc = 0;
    for (int i = 0; i < piece->turns && rc == 0; i++) {
        rc = ambit_yield(cx);
    }
    *ret_answer = piece->answer;
    return rc < 0 ? rc : piece->result;
}

AMBIT_BRANCH(neighbour, const struct piece, int)

static int race_side_by_side(ambit_cx *cx, void *arg)
{
    const bool alone = arg == NULL;
    for (int round = 0; round < 200; round++) {
        struct piece p[2] = {{NULL, round % 5, 1, 1}, {NULL, round % 5, 2, 2}};
        int answer = -77;
        size_t winner = 99;
        int rc = ambit_race2(cx, neighbour_branch(&p[0], &answer),
                             neighbour_branch(&p[1], &answer), &winner);
        WANT_EQ(rc, answer);
        WANT_EQ(rc, winner + 1);
        WANT(!alone || winner == 0);
    }
    return 0;
}

/* Goal: among equals the index decides, not the scheduler.
 * Method: branches that are all ready at once, or end in the same pass of one
 * worker; on two workers only that the parts of the answer fit together. */
Spec(COMB_RACE_2, ties_go_to_the_lowest_index)
{
    spec_on(1, race_at_once);
    spec_on(1, race_side_by_side);
    WANT_EQ(spec_run(race_side_by_side, "not alone", .workers = 2), 0);
    spec_end("COMB_RACE_2");
}

/* --- COMB-OK, COMB-QUORUM ------------------------------------------------- */

static int first_ok_rows(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const struct {
        int turns[3], results[3];
        int wanted;
        size_t winner;
    } rows[] = {
        {{1, 2, NEVER}, {-EIO, 5, 0}, 5, 1},
        {{1, 2, 9}, {-EIO, BREAKS, 0}, 0, 2},
        {{3, 2, 1}, {-EIO, -EPIPE, -EAGAIN}, -EIO, 99},
        {{3, 2, 1}, {-EIO, BREAKS, -EAGAIN}, -EOWNERDEAD, 99},
    };
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        struct tally t = {0};
        struct piece p[3];
        struct ambit_branch b[3];
        int answer = -77;
        size_t winner = 99;
        for (int i = 0; i < 3; i++) {
            p[i] = (struct piece){&t, rows[row].turns[i], rows[row].results[i],
                                  i};
            b[i] = piece_branch(&p[i], &answer);
        }
        WANT_EQ(ambit_first_ok(cx, b, 3, &winner), rows[row].wanted);
        WANT_EQ(winner, rows[row].winner);
        WANT_EQ(answer, winner < 3 ? (int)winner : -77);
    }
    WANT_EQ(ambit_first_ok(cx, NULL, 0, NULL), -EINVAL);
    return 0;
}

/* Goal: failures are passed over while there is hope.
 * Method: early failures and panics beside later success, and none at all. */
Spec(COMB_OK_1, the_first_success_wins)
{
    spec_on_1_and_2_workers(first_ok_rows);
    spec_end("COMB_OK_1");
}

/* n branches: the first `good` succeed after i turns, then `bad` fail, and the
 * others wait for ever. */
static int quorum_of(ambit_cx *cx, size_t n, size_t k, size_t good, size_t bad)
{
    struct tally t = {0};
    struct piece p[8];
    struct ambit_branch b[8];
    int answers[8];
    size_t delivered = 0;
    for (size_t i = 0; i < n; i++) {
        bool ends = i < good + bad;
        p[i] = (struct piece){&t, ends ? (int)i : NEVER,
                              i < good ? 0 : -EIO, 40 + (int)i};
        b[i] = piece_branch(&p[i], &answers[i]);
        answers[i] = -77;
    }
    int rc = ambit_quorum(cx, b, n, k);
    for (size_t i = 0; i < n && rc != -EINVAL; i++) {
        delivered += b[i].result >= 0;
        WANT_EQ(answers[i], b[i].result >= 0 ? 40 + (int)i : -77);
    }
    WANT(rc != 0 || delivered >= k);
    WANT_EQ(count_get(&t.ended), count_get(&t.begun));
    return rc;
}

static int quorum_rows(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (size_t n = 1; n <= 8; n++) {
        for (size_t k = 1; k <= n; k++) {
            WANT_EQ(quorum_of(cx, n, k, k, 0), 0);
            WANT_EQ(quorum_of(cx, n, k, n, 0), 0);
            WANT_EQ(quorum_of(cx, n, k, k - 1, n - k + 1), -EIO);
            WANT_EQ(quorum_of(cx, n, k, 0, n - k + 1), -EIO);
            WANT_EQ(quorum_of(cx, n, k, k, n - k), 0);
        }
        WANT_EQ(quorum_of(cx, n, 0, n, 0), -EINVAL);
        WANT_EQ(quorum_of(cx, n, n + 1, n, 0), -EINVAL);
    }
    return 0;
}

/* Goal: decided neither too early nor too late.
 * Method: every k of every n up to 8; what is not needed never ends. */
Spec(COMB_QUORUM_1, k_successes_are_enough)
{
    spec_on_1_and_2_workers(quorum_rows);
    spec_end("COMB_QUORUM_1");
}

/* --- COMB-HEDGE ----------------------------------------------------------- */

static int64_t spawned(ambit_cx *cx)
{
    struct ambit_runtime_stats stats;
    ambit_runtime_stats(ambit_cx_runtime(cx), &stats);
    return (int64_t)stats.spawned;
}

static int hedge_rows(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const struct {
        int turns[3], results[3];
        int64_t delay_ms;
        int wanted;
        size_t winner;
        int64_t started;
    } rows[] = {
        /* no need for a second one */
        {{3, 0, 0}, {4, 5, 6}, 1000000, 4, 0, 1},
        /* a failure starts the next at once, whatever the delay */
        {{1, 1, 0}, {-EIO, 5, 6}, 1000000, 5, 1, 2},
        {{1, 1, 1}, {-EIO, BREAKS, 6}, 1000000, 6, 2, 3},
        {{1, 1, 1}, {-EPIPE, -EIO, -EAGAIN}, 1000000, -EPIPE, 99, 3},
        /* the delay starts the next */
        {{NEVER, 2, NEVER}, {0, 5, 0}, 1, 5, 1, 2},
        {{NEVER, NEVER, 2}, {0, 0, 6}, 1, 6, 2, 3},
    };
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        struct tally t = {0};
        struct piece p[3];
        struct ambit_branch b[3];
        int answer = -77;
        size_t winner = 99;
        for (int i = 0; i < 3; i++) {
            p[i] = (struct piece){&t, rows[row].turns[i], rows[row].results[i],
                                  i};
            b[i] = piece_branch(&p[i], &answer);
        }
        int64_t before = spawned(cx);
        WANT_EQ(ambit_hedge(cx, b, 3, ambit_ms(rows[row].delay_ms), &winner),
                rows[row].wanted);
        WANT_EQ(winner, rows[row].winner);
        /* With a short delay a busy machine may start one more. */
        int64_t started = spawned(cx) - before;
        WANT(started == rows[row].started ||
             (rows[row].delay_ms == 1 && started > rows[row].started));
    }
    struct ambit_branch none = {0};
    WANT_EQ(ambit_hedge(cx, &none, 0, ambit_ms(1), NULL), -EINVAL);
    WANT_EQ(ambit_hedge(cx, &none, 1, ambit_ms(-1), NULL), -EINVAL);
    return 0;
}

static int hedge_waits(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct tally t = {0};
    struct piece p[2] = {{&t, NEVER, 0, 0}, {&t, 0, 0, 1}};
    int answer = -77;
    size_t winner = 99;
    int64_t start = ambit_now().ns;
    WANT_EQ(ambit_hedge(cx, AMBIT_BRANCHES(piece_branch(&p[0], &answer),
                                           piece_branch(&p[1], &answer)),
                        ambit_ms(30), &winner), 0);
    WANT_EQ(winner, 1);
    WANT(ambit_now().ns - start >= 30000000);
    return 0;
}

/* Goal: as few as needed, as many as needed.
 * Method: delays that never pass beside failures, short ones beside branches
 * that never end; the second is not started before its time. */
Spec(COMB_HEDGE_1, the_next_starts_when_it_is_needed)
{
    spec_on_1_and_2_workers(hedge_rows);
    spec_on_1_and_2_workers(hedge_waits);
    spec_end("COMB_HEDGE_1");
}
