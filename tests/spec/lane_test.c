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
    EACH = 2, /* those of five lanes are less than the last one's patience */
    ALL = KINDS * EACH,
};

/* In the order in which they went on. */
struct race {
    struct count waiting;
    ambit_region *doomed;
    struct ambit_notify start[ALL];
    struct ambit_notify end; /* of the hosts, who would take turns as well */
    int len;
    int order[ALL]; /* their numbers; or the kinds of 2 * NEW */
};

struct runner {
    struct race *race;
    enum kind kind;
    int number; /* kind * EACH and more; or -1: it keeps its region open */
};

/* In a mask, so that those of the cancelled region wait for the start, too. */
static int run_when_told(ambit_cx *cx, void *arg)
{
    struct runner *r = arg;
    int rc = 0;
    ambit_mask (cx, &rc, .time = ambit_s(60)) {
        count_up(&r->race->waiting);
        rc = ambit_notify_wait(cx, r->number < 0 ? &r->race->end
                                                 : &r->race->start[r->number]);
        if (r->number >= 0) {
            r->race->order[r->race->len++] = r->number;
        }
        if (r->race->len == ALL) {
            ambit_notify_all(&r->race->end);
        }
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
        for (int i = -1; i < EACH; i++) {
            struct runner one = {r->race, r->kind,
                                 i < 0 ? -1 : (int)r->kind * EACH + i};
            WANT_EQ(ambit_spawn(all, run_when_told, &one), 0);
        }
    }
    return rc;
}

/* The least urgent first, and of each lane the last first; those of one lane go on
 * in the order in which they were told. */
static void start_all(struct race *race)
{
    for (int i = ALL - 1; i >= 0; i--) {
        ambit_notify_all(&race->start[i]);
    }
}

static void check_order(const struct race *race)
{
    WANT_EQ(race->len, ALL);
    for (int i = 0; i < ALL; i++) {
        WANT_EQ(race->order[i] / EACH, i / EACH);
        WANT_EQ(race->order[i] % EACH, EACH - 1 - i % EACH);
    }
}

static int all_kinds(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct race race = {.len = 0};
    int rc = 0;
    for (int i = 0; i < ALL; i++) {
        ambit_notify_init(&race.start[i]);
    }
    ambit_notify_init(&race.end);
    ambit_scope (cx, all, &rc) {
        for (int kind = 0; kind < KINDS; kind++) {
            struct runner r = {&race, (enum kind)kind, 0};
            WANT_EQ(ambit_spawn(all, host, &r), 0);
        }
        WANT(until(cx, &race.waiting, KINDS * (EACH + 1)));
        ambit_cancel(race.doomed, "goes on in its masks");
        let_others_run(cx);
        start_all(&race);
    }
    WANT_EQ(rc, 0);
    check_order(&race);
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
    _Static_assert(2 * NEW <= ALL, "so many are noted");
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
 * Method: two tasks of each of six regions become ready at once, in the opposite
 * order; of those of one region the one that was ready first goes first.  New ones
 * of two are spawned, the urgent ones first. */
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
    int turns[KINDS];    /* that tasks of a lane had */
    int longest[KINDS];  /* turns of others between two of the lane */
    int all;
    int last[KINDS];     /* at which of all */
    bool over;
};

/* Two kinds share the lane of those with a deadline, where the earlier one may go
 * first for ever: the lane is what has a bound. */
static enum kind lane_of(enum kind kind)
{
    return kind == LATE ? EARLY : kind;
}

struct member {
    struct crowd *crowd;
    enum kind kind;
    struct ambit_semaphore *mine, *others;
};

static void take_turn(struct crowd *c, enum kind lane)
{
    int gap = c->all - c->last[lane];
    c->all++;
    c->last[lane] = c->all;
    c->turns[lane]++;
    /* Not before all have begun, and the cancel has come. */
    if (c->all > WARM_UP && gap > c->longest[lane]) {
        c->longest[lane] = gap;
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
            take_turn(m->crowd, lane_of(m->kind));
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
    for (int lane = 0; lane < KINDS; lane++) {
        WANT(crowd.longest[lane] <= WAIT_MAX);
        WANT(lane == LATE || crowd.turns[lane] > TURNS / WAIT_MAX);
    }
    WANT(crowd.turns[CANCELLED] > crowd.turns[NORMAL]);
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

/* --- WRK-LANE-4 ----------------------------------------------------------- */

enum {
    YIELDERS = 3,
    NEWCOMERS = 40,
    OF_OTHERS = 2, /* turns of theirs for each new one, and a few */
};

struct queue {
    struct count turns, begun;
    int64_t most; /* turns before the last new one began */
};

static int stay_ready(ambit_cx *cx, void *arg)
{
    struct queue *q = *(struct queue **)arg;
    while (count_get(&q->begun) < NEWCOMERS &&
           count_get(&q->turns) < 100 * NEWCOMERS) {
        count_up(&q->turns);
        WANT_EQ(ambit_yield(cx), 0);
    }
    return 0;
}

static int join_in(ambit_cx *cx, void *arg)
{
    struct queue *q = *(struct queue **)arg;
    (void)cx;
    count_up(&q->begun);
    q->most = count_get(&q->turns);
    return 0;
}

static int crowd_a_low_lane(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int priority = AMBIT_PRIORITY_LOW; priority <= AMBIT_PRIORITY_LOWEST;
         priority++) {
        struct queue queue = {.most = 0}, *q = &queue;
        int rc = 0;
        ambit_scope (cx, low, &rc, .priority = (enum ambit_priority)priority) {
            for (int i = 0; i < YIELDERS; i++) {
                WANT_EQ(ambit_spawn(low, stay_ready, &q), 0);
            }
            while (count_get(&q->turns) < 10 * YIELDERS) {
                WANT_EQ(ambit_yield(cx), 0);
            }
            count_set(&q->turns, 0);
            for (int i = 0; i < NEWCOMERS; i++) {
                WANT_EQ(ambit_spawn(low, join_in, &q), 0);
            }
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&q->begun), NEWCOMERS);
        WANT(q->most <= OF_OTHERS * NEWCOMERS);
        WANT(q->most >= NEWCOMERS / OF_OTHERS); /* nor do these wait for those */
    }
    return 0;
}

/* Goal: in a lane of low priority nobody keeps the new ones out, nor they the rest.
 * Method: tasks that are ready all the time, then 40 new ones; turns of the former
 * until the last of the latter has begun. */
Spec(WRK_LANE_4, new_and_ready_tasks_of_a_low_lane_take_turns)
{
    spec_on(1, crowd_a_low_lane);
    spec_end("WRK_LANE_4");
}

/* --- WRK-LANE-5 ----------------------------------------------------------- */

static int is_over_at_once(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return 0;
}

/* One that is ready, in the lowest lane, gives way to one new task in the lane
 * above, which the other worker may steal. */
static int gives_way_to_the_stolen(ambit_cx *cx, void *arg)
{
    const int rounds = 200000 / SPEC_SLOWER;
    int rc = 0, inner = 0;
    (void)arg;
    ambit_scope (cx, low, &rc, .priority = AMBIT_PRIORITY_LOW) {
        ambit_scope (cx, lowest, &inner, .priority = AMBIT_PRIORITY_LOWEST) {
            for (int i = 0; i < rounds; i++) {
                WANT_EQ(ambit_spawn(low, is_over_at_once, (char *)NULL), 0);
                WANT_EQ(ambit_yield(cx), 0);
            }
        }
        WANT_EQ(inner, 0);
    }
    return rc;
}

/* Goal: a ready task is not forgotten where a thief was quicker.
 * Method: 200,000 times one ready task and one that is stolen, or nearly, on two
 * workers, which takes two cpus to happen; nothing else would wake a worker that
 * sleeps beside the ready one, so that this would not end. */
Spec(WRK_LANE_5, a_ready_one_goes_on_where_a_thief_was_quicker)
{
    WANT_EQ(spec_run(gives_way_to_the_stolen, NULL, .workers = 2), 0);
    spec_end("WRK_LANE_5");
}
