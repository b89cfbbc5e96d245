/* SPDX-License-Identifier: MIT */
/*
 * scenarios_combine.c -- several calls as one: who wins, who is drained, and
 * what becomes of each result.
 */
#include "tests/lab/scenario.h"

#include <limits.h>

enum {
    FOREVER = 100,  /* turns */
    BREAKS = -1000, /* results: a panic, a cancel of what it knows */
    CANCELS = -1001,
    UNSET = INT_MIN,
    PARTS_MAX = 4,
};

struct trial {
    struct tally begun, ended, made, disposed;
    ambit_region *region; /* to be cancelled by who CANCELS */
};

struct part {
    struct trial *trial;
    int turns;
    int result;
    int64_t value;
};

struct box {
    struct trial *trial;
    int64_t value;
};

static int take_turns(ambit_cx *cx, int turns)
{
    if (turns == FOREVER) {
        return ambit_sleep(cx, ambit_s(600));
    }
    int rc = 0;
    while (turns-- > 0 && rc == 0) {
        rc = ambit_yield(cx);
    }
    return rc;
}

static int part(ambit_cx *cx, struct part *part, struct box *ret)
{
    struct trial *trial = part->trial;
    tally_up(&trial->begun);
    int rc = take_turns(cx, part->turns);
    if (rc == 0 && part->result == CANCELS) {
        ambit_cancel(trial->region, "by a branch");
        rc = ambit_yield(cx);
    }
    tally_up(&trial->ended);
    if (rc == 0 && part->result == BREAKS) {
        ambit_panic(cx, "a branch");
    }
    rc = rc == 0 ? part->result : rc;
    if (rc >= 0) {
        *ret = (struct box){trial, part->value};
        tally_up(&trial->made);
    }
    return rc;
}

static void put_away(void *ret)
{
    tally_up(&((struct box *)ret)->trial->disposed);
}

AMBIT_BRANCH(part, struct part, struct box, .dispose = put_away)

/* Up to four branches, and room for what each gives. */
struct row {
    struct trial trial;
    struct part parts[PARTS_MAX];
    struct box boxes[PARTS_MAX];
    struct ambit_branch branches[PARTS_MAX];
    size_t n;
};

static void row_add(struct row *row, int turns, int result)
{
    size_t i = row->n++;
    row->parts[i] = (struct part){&row->trial, turns, result, (int64_t)i + 50};
    row->boxes[i] = (struct box){NULL, -1};
    row->branches[i] = part_branch(&row->parts[i], &row->boxes[i]);
    row->branches[i].result = UNSET;
}

/* All have ended, and each result has one owner: the room of its branch, if its
 * code says so, or dispose. */
static void row_settled(struct row *row)
{
    int64_t delivered = 0;
    always(tally_get(&row->trial.begun) == tally_get(&row->trial.ended));
    for (size_t i = 0; i < row->n; i++) {
        int result = row->branches[i].result;
        always(result != UNSET);
        always(row->boxes[i].value == (result >= 0 ? (int64_t)i + 50 : -1));
        delivered += result >= 0;
    }
    always(tally_get(&row->trial.made) ==
           tally_get(&row->trial.disposed) + delivered);
}

/* One result at most, and that of the winner. */
static void row_won(struct row *row, int rc, size_t winner)
{
    for (size_t i = 0; i < row->n; i++) {
        always(i == winner || row->branches[i].result < 0);
    }
    always(rc < 0 || row->branches[winner].result == rc);
    row_settled(row);
}

static void row_observe(const struct row *row)
{
    for (size_t i = 0; i < row->n; i++) {
        ambit_observe(row->branches[i].result);
    }
}

static int join_all(ambit_cx *cx, void *arg)
{
    struct row row = {0};
    (void)arg;
    row_add(&row, 2, 4);
    row_add(&row, 1, -EIO);
    row_add(&row, 0, 0);
    row_add(&row, 1, BREAKS);
    int rc = ambit_join_all(cx, row.branches, row.n);
    want(rc == -EOWNERDEAD && row.branches[1].result == -EIO);
    want(row.branches[0].result == 4 && row.branches[2].result == 0);
    row_settled(&row);
    row_observe(&row);
    return disturbed ? rc : 0;
}

static int race_all(ambit_cx *cx, void *arg)
{
    struct row row = {0};
    size_t winner = PARTS_MAX;
    (void)arg;
    row_add(&row, 1, 7);
    row_add(&row, 1, 8);
    row_add(&row, FOREVER, 9);
    int rc = ambit_race_all(cx, row.branches, row.n, &winner);
    want(rc == 7 + (int)winner && winner < 2);
    row_won(&row, rc, winner);
    row_observe(&row);
    return disturbed && rc < 0 ? rc : 0;
}

/* A failure ends a race as well; the others are drained. */
static int race_lost(ambit_cx *cx, void *arg)
{
    struct row row = {0};
    size_t winner = PARTS_MAX;
    (void)arg;
    row_add(&row, FOREVER, 7);
    row_add(&row, 2, BREAKS);
    row_add(&row, 2, -EIO);
    int rc = ambit_race_all(cx, row.branches, row.n, &winner);
    want(rc == (winner == 1 ? -EOWNERDEAD : -EIO));
    row_won(&row, rc, winner);
    row_observe(&row);
    return disturbed ? rc : 0;
}

static int first_ok(ambit_cx *cx, void *arg)
{
    struct row row = {0};
    size_t winner = PARTS_MAX;
    (void)arg;
    row_add(&row, 1, -EIO);
    row_add(&row, 1, BREAKS);
    row_add(&row, 2, 3);
    row_add(&row, FOREVER, 5);
    int rc = ambit_first_ok(cx, row.branches, row.n, &winner);
    want(rc == 3 && winner == 2);
    row_won(&row, rc, winner);
    row_observe(&row);
    return disturbed && rc < 0 ? rc : 0;
}

static int none_ok(ambit_cx *cx, void *arg)
{
    struct row row = {0};
    size_t winner = PARTS_MAX;
    (void)arg;
    row_add(&row, 1, -EIO);
    row_add(&row, 0, -EPIPE);
    row_add(&row, 2, BREAKS);
    int rc = ambit_first_ok(cx, row.branches, row.n, &winner);
    want(rc == -EOWNERDEAD && winner == PARTS_MAX);
    row_won(&row, rc, winner);
    row_observe(&row);
    return disturbed ? rc : 0;
}

static int quorum(ambit_cx *cx, void *arg)
{
    struct row row = {0};
    (void)arg;
    row_add(&row, 1, 1);
    row_add(&row, 0, -EIO);
    row_add(&row, 1, 2);
    row_add(&row, FOREVER, 3);
    int rc = ambit_quorum(cx, row.branches, row.n, 2);
    want(rc == 0 && row.branches[0].result == 1 && row.branches[2].result == 2);
    row_settled(&row);
    row_observe(&row);
    return rc;
}

static int no_quorum(ambit_cx *cx, void *arg)
{
    struct row row = {0};
    (void)arg;
    row_add(&row, 1, 1);
    row_add(&row, 1, -EIO);
    row_add(&row, 1, BREAKS);
    row_add(&row, FOREVER, 3);
    int rc = ambit_quorum(cx, row.branches, row.n, 3);
    want(rc == -EOWNERDEAD || rc == -EIO);
    row_settled(&row);
    row_observe(&row);
    return disturbed ? rc : 0;
}

/* --- one after the other --------------------------------------------------- */

/* The second starts as the first has failed, and the third never. */
static int hedge_failure(ambit_cx *cx, void *arg)
{
    struct row row = {0};
    size_t winner = PARTS_MAX;
    (void)arg;
    row_add(&row, 1, -EIO);
    row_add(&row, 1, 6);
    row_add(&row, 0, 7);
    int rc = ambit_hedge(cx, row.branches, row.n, ambit_s(60), &winner);
    want(rc == 6 && winner == 1 && tally_get(&row.trial.begun) == 2);
    row_won(&row, rc, winner);
    row_observe(&row);
    return disturbed && rc < 0 ? rc : 0;
}

/* The second starts as the time has passed. */
static int hedge_delay(ambit_cx *cx, void *arg)
{
    struct row row = {0};
    size_t winner = PARTS_MAX;
    (void)arg;
    row_add(&row, FOREVER, 5);
    row_add(&row, 1, 6);
    int rc = ambit_hedge(cx, row.branches, row.n, ambit_us(100), &winner);
    want(rc == 6 && winner == 1);
    row_won(&row, rc, winner);
    row_observe(&row);
    return disturbed && rc < 0 ? rc : 0;
}

/* --- cancels --------------------------------------------------------------- */

/* A branch cancels the region around the race it is in. */
static int branch_cancels(ambit_cx *cx, void *arg)
{
    struct row row = {0};
    size_t winner = PARTS_MAX;
    int rc = 0, raced = 0;
    (void)arg;
    row_add(&row, 2, 7);
    row_add(&row, 1, CANCELS);
    row_add(&row, FOREVER, 9);
    ambit_scope (cx, s, &rc) {
        row.trial.region = s;
        raced = ambit_race_all(cx, row.branches, row.n, &winner);
        row_won(&row, raced, winner);
    }
    want(raced == 7 || raced == -ECANCELED);
    row_observe(&row);
    return rc;
}

struct outer_part {
    struct row *row;
};

static int races_inside(ambit_cx *cx, struct outer_part *outer, struct box *ret)
{
    struct row *row = outer->row;
    size_t winner = PARTS_MAX;
    int rc = ambit_first_ok(cx, row->branches, row->n, &winner);
    row_won(row, rc, winner);
    if (rc >= 0) {
        *ret = row->boxes[winner];
    }
    return rc;
}

AMBIT_BRANCH(races_inside, struct outer_part, struct box)

/* Two races in a race: a loser is drained with all of its branches. */
static int race_of_races(ambit_cx *cx, void *arg)
{
    struct row one = {0}, two = {0};
    struct box box = {NULL, -1};
    size_t winner = 2;
    (void)arg;
    row_add(&one, 1, -EIO);
    row_add(&one, 2, 7);
    row_add(&two, 2, 7);
    row_add(&two, FOREVER, 7);
    int rc = ambit_race2(cx, races_inside_branch(&(struct outer_part){&one}, &box),
                         races_inside_branch(&(struct outer_part){&two}, &box),
                         &winner);
    want(rc == 7 && winner < 2);
    always(tally_get(&one.trial.begun) == tally_get(&one.trial.ended));
    always(tally_get(&two.trial.begun) == tally_get(&two.trial.ended));
    always(rc < 0 || box.value == (winner == 0 ? 51 : 50));
    ambit_observe((int64_t)winner);
    return disturbed && rc < 0 ? rc : 0;
}

struct stubborn {
    struct tally succeeded;
};

static int succeeds_anyway(ambit_cx *cx, void *arg, void *ret)
{
    struct stubborn *all = arg;
    (void)ret;
    (void)ambit_yield(cx);
    tally_up(&all->succeeded);
    return 1;
}

static int races_stubborn(ambit_cx *cx, void *arg)
{
    struct stubborn *all = *(struct stubborn **)arg;
    struct ambit_branch b[3];
    for (int i = 0; i < 3; i++) {
        b[i] = (struct ambit_branch){.fn = succeeds_anyway, .arg = all};
    }
    int rc = ambit_race_all(cx, b, 3, NULL);
    /* COMB-CANCEL-1: nobody succeeds unseen. */
    always(rc == 1 || tally_get(&all->succeeded) == 0);
    return 0;
}

/* A cancel keeps some branches from running, and others end well all the same. */
static int race_cancelled(ambit_cx *cx, void *arg)
{
    struct stubborn all = {0}, *here = &all;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        want(ambit_spawn(s, races_stubborn, &here) == 0);
        (void)ambit_yield(cx);
        ambit_cancel(s, "at some point");
    }
    return 0;
}

SCENARIOS(combine, {"join_all", join_all, 2, 0},
          {"race_cancelled", race_cancelled, 2, SMALL},
          {"race_all", race_all, 2, CORE}, {"race_lost", race_lost, 2, 0},
          {"first_ok", first_ok, 2, 0}, {"none_ok", none_ok, 1, SMALL},
          {"quorum", quorum, 2, 0}, {"no_quorum", no_quorum, 2, 0},
          {"hedge_failure", hedge_failure, 2, 0},
          {"hedge_delay", hedge_delay, 2, 0},
          {"branch_cancels", branch_cancels, 2, CORE},
          {"race_of_races", race_of_races, 2, 0});
