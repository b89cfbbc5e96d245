/* SPDX-License-Identifier: MIT */
/*
 * scenarios_lane.c -- the order of the lanes on one worker, and how long one waits.
 *
 * Within a lane the lab chooses who is next, but for the lane of those with a
 * deadline; from lane to lane the order and the bound are as in production.
 */
#include "tests/lab/scenario.h"

enum kind {
    CANCELLED,
    EARLY,
    LATE,
    NORMAL,
    LOW,
    LOWEST,
    KINDS,
};

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

/* --- all become ready at once -------------------------------------------------- */

/* All but the last lane's are less than a lane's patience. */
enum { EACH = 2, ALL = KINDS * EACH };

struct race {
    int waiting, len;
    int order[ALL]; /* the numbers of those who go on */
    ambit_region *doomed;
    struct ambit_notify start[ALL];
    struct ambit_notify end; /* of the hosts, who would take turns as well */
};

struct runner {
    struct race *race;
    int number; /* kind * EACH and more; or -1: it keeps its region open */
};

/* In a mask, so that those of the cancelled region wait as well. */
static int starts_when_told(ambit_cx *cx, void *arg)
{
    struct runner *r = arg;
    struct race *race = r->race;
    int rc = 0;
    ambit_mask (cx, &rc, .time = ambit_s(60)) {
        race->waiting++;
        rc = ambit_notify_wait(cx, r->number < 0 ? &race->end
                                                 : &race->start[r->number]);
        if (r->number >= 0 && race->len < ALL) {
            race->order[race->len++] = r->number;
        }
        if (race->len == ALL) {
            ambit_notify_all(&race->end);
        }
    }
    want(rc == 0);
    return 0;
}

static int holds_a_region(ambit_cx *cx, void *arg)
{
    struct runner *host = arg;
    enum kind kind = (enum kind)host->number;
    int rc = 0;
    ambit_scope (cx, s, &rc, .deadline = deadline_of(kind),
                 .priority = priority_of(kind), .cleanup = ambit_s(60)) {
        if (kind == CANCELLED) {
            host->race->doomed = s;
        }
        for (int i = -1; i < EACH; i++) {
            int number = i < 0 ? -1 : (int)kind * EACH + i;
            int spawned = ambit_spawn(s, starts_when_told,
                                      (&(struct runner){host->race, number}));
            want(spawned == 0);
        }
    }
    return rc;
}

/* By kind, and of one kind by the order in which they were told: where there is a
 * deadline always, as the lab does not choose there. */
static void check_race(const struct race *race)
{
    always(race->len == ALL);
    for (int i = 0; i < ALL; i++) {
        int kind = race->order[i] / EACH;
        always(kind == i / EACH);
        always((kind != EARLY && kind != LATE && !in_order) ||
               race->order[i] % EACH == EACH - 1 - i % EACH);
    }
}

static int run_race(ambit_cx *cx, ambit_region *region, struct race *race)
{
    int rc = 0;
    for (int kind = 0; kind < KINDS && rc == 0; kind++) {
        rc = ambit_spawn(region, holds_a_region, (&(struct runner){race, kind}));
    }
    for (int i = 0; rc == 0 && race->waiting < KINDS * (EACH + 1); i++) {
        rc = disturbed && i > ALL ? -ECANCELED : ambit_yield(cx);
    }
    if (rc == 0) {
        ambit_cancel(race->doomed, "goes on in its masks");
        rc = ambit_yield(cx);
    }
    for (int i = ALL - 1; i >= 0; i--) { /* the most urgent one last */
        ambit_notify_all(&race->start[i]);
    }
    return rc; /* and gives way to all of them */
}

static int lanes_in_order(ambit_cx *cx, void *arg)
{
    struct race race = {.len = 0};
    int rc = 0, ran = 0;
    (void)arg;
    for (int i = 0; i < ALL; i++) {
        ambit_notify_init(&race.start[i]);
    }
    ambit_notify_init(&race.end);
    ambit_scope (cx, s, &rc) {
        ran = run_race(cx, s, &race);
        if (ran < 0) {
            ambit_cancel(s, "not all of them are there");
        }
    }
    want(rc == 0 && ran == 0);
    if (!disturbed) {
        check_race(&race);
    }
    return rc;
}

/* --- there is always somebody ready in each ------------------------------------ */

enum { PAIRS = 2, LANES = KINDS - 1, WAIT_MAX = 16, TURNS = 360 };

struct crowd {
    int begun, all;
    bool is_cancelled;
    int in_lane;  /* of the cancelled region, since the cancel */
    int from, to; /* of these turns; 0: not yet */
    int last[LANES], longest[LANES], turns[LANES];
};

struct member {
    struct crowd *crowd;
    enum kind kind;
    struct ambit_semaphore *mine, *others;
};

/* Two kinds are of one lane. */
static int lane_of(enum kind kind)
{
    return kind < LATE ? (int)kind : (int)kind - 1;
}

static void take_turn(struct crowd *crowd, enum kind kind)
{
    int lane = lane_of(kind);
    int gap = crowd->all - crowd->last[lane];
    bool counts = crowd->from > 0 && crowd->last[lane] >= crowd->from &&
                  crowd->all < crowd->to;
    crowd->all++;
    crowd->last[lane] = crowd->all;
    crowd->turns[lane] += counts;
    if (counts && gap > crowd->longest[lane]) {
        crowd->longest[lane] = gap;
    }
}

/* Nor does anybody end before. */
static bool is_over(const struct crowd *crowd)
{
    return disturbed ? crowd->all > TURNS / 10
                     : crowd->to > 0 && crowd->all >= crowd->to;
}

/* All have begun, and those of the cancelled region have left the lane that they
 * were in. */
static void starts_to_count(struct crowd *crowd)
{
    if (++crowd->in_lane == 2 * PAIRS) {
        crowd->from = crowd->all;
        crowd->to = crowd->from + TURNS;
    }
}

/* One permit goes to and fro between the two of a pair. */
static int plays(ambit_cx *cx, void *arg)
{
    struct member *m = arg;
    int rc = 0;
    ambit_mask (cx, &rc, .time = ambit_s(60)) {
        bool cancelled = false;
        m->crowd->begun++;
        while (!is_over(m->crowd) && rc == 0) {
            rc = ambit_semaphore_acquire(cx, m->mine, 1);
            if (m->crowd->is_cancelled && m->kind == CANCELLED && !cancelled) {
                cancelled = true;
                starts_to_count(m->crowd);
            }
            take_turn(m->crowd, m->kind);
            (void)ambit_semaphore_release(m->others, 1);
        }
    }
    want(rc == 0);
    return 0;
}

/* By the task whose region it is, when all have begun. */
static int cancels_in_time(ambit_cx *cx, ambit_region *region,
                           struct crowd *crowd)
{
    int rc = 0;
    for (int i = 0; rc == 0 && crowd->begun < KINDS * 2 * PAIRS; i++) {
        rc = disturbed && i > TURNS ? -ECANCELED : ambit_yield(cx);
    }
    ambit_cancel(region, "goes on in its masks");
    crowd->is_cancelled = true;
    return rc;
}

static int seats(ambit_cx *cx, void *arg)
{
    struct member *host = arg;
    struct ambit_semaphore permits[2 * PAIRS];
    int rc = 0;
    ambit_scope (cx, s, &rc, .deadline = deadline_of(host->kind),
                 .priority = priority_of(host->kind), .cleanup = ambit_s(60)) {
        for (int i = 0; i < 2 * PAIRS; i++) {
            (void)ambit_semaphore_init(&permits[i], i % 2, 2);
        }
        for (int i = 0; i < 2 * PAIRS; i++) {
            struct member m = {host->crowd, host->kind, &permits[i],
                               &permits[i ^ 1]};
            int spawned = ambit_spawn(s, plays, &m);
            want(spawned == 0);
        }
        if (host->kind == CANCELLED) {
            int cancelled = cancels_in_time(cx, s, host->crowd);
            want(cancelled == 0);
        }
    }
    return rc;
}

static int lanes_wait_for_few(ambit_cx *cx, void *arg)
{
    struct crowd crowd = {.all = 0};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int kind = 0; kind < KINDS; kind++) {
            struct member host = {&crowd, (enum kind)kind, NULL, NULL};
            int spawned = ambit_spawn(s, seats, &host);
            want(spawned == 0);
        }
    }
    want(rc == 0);
    for (int lane = 0; lane < LANES && !disturbed; lane++) {
        always(crowd.longest[lane] <= WAIT_MAX);
        always(crowd.turns[lane] >= TURNS / WAIT_MAX / 2);
    }
    always(disturbed || crowd.turns[0] > crowd.turns[LANES - 1]);
    return rc;
}

/* --- priorities ---------------------------------------------------------- */

enum { NEW = 3 };

struct begins {
    int len;
    int order[2 * NEW];
};

struct beginner {
    struct begins *all;
    int kind;
};

static int begins(ambit_cx *cx, void *arg)
{
    struct beginner *b = arg;
    (void)cx;
    b->all->order[b->all->len++] = b->kind;
    return 0;
}

static void spawn_beginners(ambit_region *region, struct begins *all, int kind)
{
    for (int i = 0; i < NEW; i++) {
        int spawned = ambit_spawn(region, begins,
                                  (&(struct beginner){all, kind}));
        want(spawned == 0);
    }
}

static int lower(int a, int b)
{
    return a > b ? a : b;
}

/* Of two regions, one in the other, the inner one is as low as the outer; what is
 * new in it comes after what is new in a normal one, spawned before it. */
static int priority_is_inherited(ambit_cx *cx, void *arg)
{
    struct begins all = {.len = 0};
    enum ambit_priority a = (enum ambit_priority)(2 - ambit_choose(3));
    enum ambit_priority b = (enum ambit_priority)ambit_choose(3);
    int rc = 0;
    (void)arg;
    ambit_scope (cx, normal, &rc) {
        spawn_beginners(normal, &all, 0);
        ambit_scope (cx, outer, &rc, .priority = a) {
            ambit_scope (cx, inner, &rc, .priority = b) {
                int is = (int)ambit_region_budget(inner).priority;
                always(is == lower((int)a, (int)b));
                spawn_beginners(inner, &all, 1);
            }
        }
    }
    want(rc == 0 && all.len == 2 * NEW);
    for (int i = 0; i < 2 * NEW && lower((int)a, (int)b) > 0; i++) {
        want(all.order[i] == i / NEW);
    }
    return rc;
}

/* --- new and ready ones of a low lane ------------------------------------------- */

enum { READY = 2, NEWCOMERS = 7, LOG_MAX = 3 * NEWCOMERS };

struct queue {
    int ready, begun, len;
    bool all_there;
    bool is_new[LOG_MAX]; /* who had a turn, since all were there */
};

static void note_turn(struct queue *queue, bool is_new)
{
    if (queue->all_there && queue->len < LOG_MAX) {
        queue->is_new[queue->len++] = is_new;
    }
}

static int stays_ready(ambit_cx *cx, void *arg)
{
    struct queue *queue = *(struct queue **)arg;
    int rc = 0;
    queue->ready++;
    for (int i = 0; rc == 0 && queue->begun < NEWCOMERS; i++) {
        note_turn(queue, false);
        rc = disturbed && i > LOG_MAX ? -ECANCELED : ambit_yield(cx);
    }
    return rc;
}

static int joins_in(ambit_cx *cx, void *arg)
{
    struct queue *queue = *(struct queue **)arg;
    (void)cx;
    note_turn(queue, true);
    queue->begun++;
    return 0;
}

static int fill_lane(ambit_cx *cx, ambit_region *region, struct queue *queue)
{
    int rc = 0;
    for (int i = 0; i < READY && rc == 0; i++) {
        rc = ambit_spawn(region, stays_ready, &queue);
    }
    for (int i = 0; rc == 0 && queue->ready < READY; i++) {
        rc = disturbed && i > LOG_MAX ? -ECANCELED : ambit_yield(cx);
    }
    for (int i = 0; i < NEWCOMERS && rc == 0; i++) {
        rc = ambit_spawn(region, joins_in, &queue);
    }
    queue->all_there = true;
    return rc;
}

/* One of each kind by turns, until the last new one has begun. */
static int low_ones_take_turns(ambit_cx *cx, void *arg)
{
    struct queue queue = {.len = 0};
    enum ambit_priority priority = ambit_choose(2) == 0 ? AMBIT_PRIORITY_LOW
                                                        : AMBIT_PRIORITY_LOWEST;
    int rc = 0, filled = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .priority = priority) {
        filled = fill_lane(cx, s, &queue);
        if (filled < 0) {
            ambit_cancel(s, "not all of them are there");
        }
    }
    want(rc == 0 && filled == 0 && queue.begun == NEWCOMERS);
    want(queue.len >= 2 * NEWCOMERS - 1);
    for (int i = 1; i < 2 * NEWCOMERS - 1; i++) {
        want(queue.is_new[i] != queue.is_new[i - 1]);
    }
    return rc;
}

SCENARIOS(lane, {"lanes_in_order", lanes_in_order, 1, ORDERED, "WRK-LANE-1"},
          {"lanes_wait_for_few", lanes_wait_for_few, 1, 0, "WRK-LANE-2"},
          {"priority_is_inherited", priority_is_inherited, 1, 0, "WRK-LANE-3"},
          {"low_ones_take_turns", low_ones_take_turns, 1, 0, "WRK-LANE-4"});
