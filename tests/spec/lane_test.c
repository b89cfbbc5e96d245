/* SPDX-License-Identifier: MIT */
/* lane_test.c -- which ready task is next: the lanes of spec/worker.md. */
#include "tests/spec/common.h"

enum kind {
    CANCELLED,
    EARLY,
    LATE,
    NORMAL,
    LOW,
    LOWEST,
    KINDS,
    EACH = 1, /* they and their hosts are less than a lane's patience */
};

/* In the order in which they went on. */
struct race {
    struct count waiting;
    struct count hosts;
    ambit_region *doomed;
    struct ambit_notify start[KINDS];
    int len;
    int order[KINDS * EACH]; /* or of 2 * NEW */
};

struct runner {
    struct race *race;
    enum kind kind;
};

/* In a mask, so that those of the cancelled region wait for the start, too. */
static int run_when_told(ambit_cx *cx, void *arg)
{
    struct runner *r = arg;
    int rc = 0;
    ambit_mask (cx, &rc, .time = ambit_s(60)) {
        count_up(&r->race->waiting);
        rc = ambit_notify_wait(cx, &r->race->start[r->kind]);
        r->race->order[r->race->len++] = r->kind;
    }
    WANT_EQ(rc, 0);
    return 0;
}

static ambit_time deadline_of(enum kind kind)
{
    return kind == EARLY  ? ambit_after(ambit_s(1000))
           : kind == LATE ? ambit_after(ambit_s(2000))
                          : (ambit_time){0};
}

static enum ambit_priority priority_of(enum kind kind)
{
    return kind == LOW      ? AMBIT_PRIORITY_LOW
           : kind == LOWEST ? AMBIT_PRIORITY_LOWEST
                            : AMBIT_PRIORITY_NORMAL;
}

/* A region of that kind with its runners. */
static int host(ambit_cx *cx, void *arg)
{
    struct runner *r = arg;
    int rc = 0;
    ambit_scope (cx, all, &rc, .deadline = deadline_of(r->kind),
                 .priority = priority_of(r->kind), .cleanup = ambit_s(60)) {
        if (r->kind == CANCELLED) {
            r->race->doomed = all;
        }
        for (int i = 0; i < EACH; i++) {
            WANT_EQ(ambit_spawn(all, run_when_told, r), 0);
        }
    }
    return rc;
}

static int all_kinds(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct race race = {.len = 0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int kind = 0; kind < KINDS; kind++) {
            struct runner r = {&race, (enum kind)kind};
            ambit_notify_init(&race.start[kind]);
            WANT_EQ(ambit_spawn(all, host, &r), 0);
        }
        WANT(until(cx, &race.waiting, KINDS * EACH));
        ambit_cancel(race.doomed, "goes on in its masks");
        let_others_run(cx);
        for (int kind = KINDS - 1; kind >= 0; kind--) {
            ambit_notify_all(&race.start[kind]);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(race.len, KINDS * EACH);
    for (int i = 0; i < KINDS * EACH; i++) {
        WANT_EQ(race.order[i], i / EACH);
    }
    return 0;
}

struct begins {
    struct race *race;
    enum kind kind;
};

static int begin(ambit_cx *cx, void *arg)
{
    struct begins *b = arg;
    (void)cx;
    b->race->order[b->race->len++] = b->kind;
    return 0;
}

enum { NEW = 3 }; /* the first of a region goes another way than the rest */

/* New ones, too, though the newest begins first. */
static int new_ones(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct race race = {.len = 0};
    _Static_assert(2 * NEW <= KINDS * EACH, "so many are noted");
    int rc = 0;
    ambit_scope (cx, normal, &rc) {
        ambit_scope (cx, low, &rc, .priority = AMBIT_PRIORITY_LOW) {
            for (int i = 0; i < 2 * NEW; i++) {
                struct begins b = {&race, i < NEW ? NORMAL : LOW};
                WANT_EQ(ambit_spawn(i < NEW ? normal : low, begin, &b), 0);
            }
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(race.len, 2 * NEW);
    for (int i = 0; i < 2 * NEW; i++) {
        WANT_EQ(race.order[i], i < NEW ? NORMAL : LOW);
    }
    return 0;
}

/* Goal: what ends goes first, what is due before what is not, and what is less
 * urgent later.
 * Method: tasks of six regions become ready in the opposite order at once; new
 * ones of two are spawned, the urgent ones first. */
Spec(WRK_LANE_1, ready_tasks_go_in_the_order_of_their_lanes)
{
    spec_on(1, all_kinds);
    spec_on(1, new_ones);
    spec_end("WRK_LANE_1");
}

/* --- WRK-LANE-2 ----------------------------------------------------------- */

enum {
    PAIRS = 3,
    TURNS = 2000,
    WARM_UP = 1000,
    WAIT_MAX = 16,
};

/* Of each lane there is always somebody ready. */
struct crowd {
    int turns[KINDS];    /* that tasks of a kind had */
    int longest[KINDS];  /* turns of others between two of the kind */
    int all;
    int last[KINDS];     /* at which of all */
    bool over;
};

struct member {
    struct crowd *crowd;
    enum kind kind;
    struct ambit_semaphore *mine, *others;
};

static void take_turn(struct crowd *c, enum kind kind)
{
    int gap = c->all - c->last[kind];
    c->all++;
    c->last[kind] = c->all;
    c->turns[kind]++;
    /* Not before all have begun, and the cancel has come. */
    if (c->all > WARM_UP && gap > c->longest[kind]) {
        c->longest[kind] = gap;
    }
    c->over = c->over || c->all >= KINDS * TURNS;
}

/* One permit goes to and fro between the two of a pair, so each turn begins with
 * a wait, and one of them is ready all the time. */
static int play(ambit_cx *cx, void *arg)
{
    struct member *m = arg;
    int rc = 0;
    ambit_mask (cx, &rc, .time = ambit_s(60)) {
        while (!m->crowd->over && rc == 0) {
            rc = ambit_semaphore_acquire(cx, m->mine, 1);
            take_turn(m->crowd, m->kind);
            WANT_EQ(ambit_semaphore_release(m->others, 1), 0);
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

struct table {
    struct crowd *crowd;
    enum kind kind;
};

static int seat(ambit_cx *cx, void *arg)
{
    struct table *t = arg;
    struct ambit_semaphore permits[2 * PAIRS];
    int rc = 0;
    ambit_scope (cx, all, &rc, .deadline = deadline_of(t->kind),
                 .priority = priority_of(t->kind), .cleanup = ambit_s(60)) {
        for (int i = 0; i < 2 * PAIRS; i++) {
            WANT_EQ(ambit_semaphore_init(&permits[i], i % 2, 2), 0);
        }
        for (int i = 0; i < 2 * PAIRS; i++) {
            struct member m = {t->crowd, t->kind, &permits[i],
                               &permits[i ^ 1]};
            WANT_EQ(ambit_spawn(all, play, &m), 0);
        }
        if (t->kind == CANCELLED) {
            WANT(ambit_yield(cx) == 0); /* they are in their masks */
            ambit_cancel(all, "goes on in its masks");
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

static int crowd_every_lane(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct crowd crowd = {.all = 0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int kind = 0; kind < KINDS; kind++) {
            struct table t = {&crowd, (enum kind)kind};
            WANT_EQ(ambit_spawn(all, seat, &t), 0);
        }
    }
    WANT_EQ(rc, 0);
    /* Two kinds share the lane of those with a deadline, where the earlier one
     * may go first for ever: the lane is what has a bound. */
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind != LATE && kind != EARLY) {
            WANT(crowd.longest[kind] <= WAIT_MAX);
        }
    }
    WANT(crowd.turns[CANCELLED] > crowd.turns[NORMAL]);
    WANT(crowd.turns[LOWEST] > TURNS / WAIT_MAX);
    return 0;
}

/* Goal: no lane starves.
 * Method: in each lane some tasks that wake one another without end; turns of
 * others between two of a lane, counted. */
Spec(WRK_LANE_2, a_lane_waits_for_at_most_16_others)
{
    spec_on(1, crowd_every_lane);
    spec_end("WRK_LANE_2");
}

/* --- WRK-LANE-3 ----------------------------------------------------------- */

static enum ambit_priority lower(enum ambit_priority a, enum ambit_priority b)
{
    return a > b ? a : b;
}

static int nest(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int i = 0; i < 27; i++) {
        enum ambit_priority a = i / 9, b = i / 3 % 3, c = i % 3;
        struct ambit_budget by_value = {.priority = c};
        int rc = 0;
        ambit_scope (cx, outer, &rc, .priority = a) {
            WANT_EQ(ambit_region_budget(outer).priority, a);
            ambit_scope (cx, inner, &rc, .priority = b, .budget = &by_value) {
                WANT_EQ(ambit_region_budget(inner).priority,
                        lower(a, lower(b, c)));
            }
        }
        WANT_EQ(rc, 0);
    }
    int rc = 0;
    ambit_scope (cx, above, &rc, .priority = AMBIT_PRIORITY_LOWEST + 1) {
        WANT(!"a priority that is none was taken");
    }
    WANT_EQ(rc, -EINVAL);
    return 0;
}

/* Goal: nobody gets ahead of who called him.
 * Method: each priority in each, from options and from a budget. */
Spec(WRK_LANE_3, a_priority_is_never_above_the_parents)
{
    spec_on(1, nest);
    spec_end("WRK_LANE_3");
}
