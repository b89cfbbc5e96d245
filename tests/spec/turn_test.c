/* SPDX-License-Identifier: MIT */
/*
 * turn_test.c -- who has the next turn: those that were woken, and new tasks.
 *
 * On one worker.  Nobody runs while the root wakes and spawns, so all that
 * matters lies there when it waits.
 */
#include "tests/spec/common.h"

enum {
    WOKEN = 40,
    NEW = 200,
    ALL = WOKEN + NEW,
    IN_A_ROW = 60,
};

/* Who ran, in order: the number of one that was woken, or -1. */
struct log {
    int len;
    int waiting;
    bool spawns_before;
    int spawners; /* so many of those that were woken spawn all that is new */
    int who[ALL];
    ambit_waker wakers[WOKEN];
};

struct one {
    struct log *log;
    int number;
    bool waited;
};

static void write_down(struct log *log, int who)
{
    if (log->len < ALL) {
        log->who[log->len] = who;
    }
    log->len++;
}

static int new_task(ambit_cx *cx, void *arg)
{
    (void)cx;
    write_down(((struct one *)arg)->log, -1);
    return 0;
}

static void spawn_new(ambit_region *all, struct log *log, int count)
{
    for (int i = 0; i < count; i++) {
        WANT_EQ(ambit_spawn(all, new_task, &(struct one){.log = log}), 0);
    }
}

static int waiting_step(ambit_cx *cx, void *state)
{
    struct one *self = state;
    if (!self->waited) {
        self->waited = true;
        self->log->waiting++;
        self->log->wakers[self->number] = ambit_cx_waker(cx);
        return AMBIT_PENDING;
    }
    write_down(self->log, self->number);
    if (self->number < self->log->spawners) {
        spawn_new(ambit_cx_region(cx), self->log, NEW / self->log->spawners);
    }
    return 0;
}

static int wake_and_spawn(ambit_cx *cx, void *arg)
{
    struct log *log = arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < WOKEN; i++) {
            WANT_EQ(ambit_spawn_poll(all, waiting_step,
                                     &(struct one){.log = log, .number = i}),
                    0);
        }
        while (log->waiting < WOKEN) {
            ambit_yield(cx);
        }
        if (log->spawns_before) {
            spawn_new(all, log, NEW);
        }
        for (int i = 0; i < WOKEN; i++) {
            WANT_EQ(ambit_wake(log->wakers[i]), 0);
        }
        if (!log->spawns_before && log->spawners == 0) {
            spawn_new(all, log, NEW);
        }
    }
    return rc;
}

/* Those that were woken, in their order, and as soon as so many new ones for each
 * have run; one in 61 turns may be of the other kind, and is made good later. */
static void check_order(const struct log *log, int new_each)
{
    int woken = 0;
    int new = 0;
    WANT_EQ(log->len, ALL);
    for (int i = 0; i < ALL && woken < WOKEN; i++) {
        if (log->who[i] == -1) {
            new++;
            continue;
        }
        WANT_EQ(log->who[i], woken);
        WANT(abs(new - new_each * woken) <= new_each * (i / 61 + 1));
        woken++;
    }
    WANT_EQ(woken, WOKEN);
}

struct letterbox {
    struct log *log;
    int number;
};

static int letterbox_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    *(struct letterbox *)state = *(const struct letterbox *)arg;
    return 0;
}

static int letterbox_handle(ambit_cx *cx, void *state, const void *message,
                            size_t size)
{
    struct letterbox *self = state;
    (void)cx;
    (void)message;
    (void)size;
    write_down(self->log, self->number);
    return 0;
}

static int send_and_spawn(ambit_cx *cx, void *arg)
{
    static const struct ambit_actor_type type = {
        .init = letterbox_init,
        .handle = letterbox_handle,
        .state_size = sizeof(struct letterbox),
    };
    struct log *log = arg;
    ambit_actor_ref actors[WOKEN];
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < WOKEN; i++) {
            struct letterbox box = {log, i};
            WANT_EQ(
                ambit_actor_start(cx, all, &type, &box, sizeof box, &actors[i]),
                0);
        }
        if (log->spawns_before) {
            spawn_new(all, log, NEW);
        }
        for (int i = 0; i < WOKEN; i++) {
            WANT_EQ(ambit_try_send(actors[i], &i, sizeof i), 0);
        }
        if (!log->spawns_before && log->spawners == 0) {
            spawn_new(all, log, NEW);
        }
        while (log->len < ALL) {
            ambit_yield(cx);
        }
        ambit_cancel(all, "done");
    }
    return 0;
}

/* Goal: nobody who was woken is overtaken by one that was woken later; new tasks
 * take turns with them, whenever they came, but for one turn in 61.
 * Method: 40 poll tasks are woken, and 200 tasks spawned after, then before that,
 * while nobody runs; the same with 40 actors that get a message. */
Spec(WRK_TURN_1, who_was_woken_first_runs_first)
{
    for (int before = 0; before <= 1; before++) {
        struct log polls = {.spawns_before = before};
        struct log actors = {.spawns_before = before};
        WANT_EQ(spec_run(wake_and_spawn, &polls, .workers = 1), 0);
        check_order(&polls, 1);
        WANT_EQ(spec_run(send_and_spawn, &actors, .workers = 1), 0);
        check_order(&actors, 1);
    }
    spec_end("WRK_TURN_1");
}

/* Goal: who is woken does not spawn faster than what it spawns is run.
 * Method: each of 40 woken poll tasks spawns five. */
Spec(WRK_TURN_1, what_a_turn_has_spawned_goes_before_the_next)
{
    struct log polls = {.spawners = WOKEN};
    WANT_EQ(spec_run(wake_and_spawn, &polls, .workers = 1), 0);
    check_order(&polls, NEW / WOKEN);
    spec_end("WRK_TURN_1");
}

/* Goal: who spawns a crowd does not keep the others waiting for all of it.
 * Method: the first of 40 woken poll tasks spawns 200; of new ones in a row
 * there are 60 at most while somebody waits. */
Spec(WRK_TURN_1, a_crowd_is_not_waited_for)
{
    struct log polls = {.spawners = 1};
    WANT_EQ(spec_run(wake_and_spawn, &polls, .workers = 1), 0);
    int row = 0;
    int woken = 0;
    WANT_EQ(polls.len, ALL);
    for (int i = 0; i < ALL && woken < WOKEN; i++) {
        row = polls.who[i] == -1 ? row + 1 : 0;
        woken += row == 0;
        WANT(row <= IN_A_ROW);
    }
    spec_end("WRK_TURN_1");
}

/* --- whatever happens in between ------------------------------------------- */

enum { STEPS = 600, AT_ONCE = 30 };

struct pair {
    int steps, spawned, run, most;
    ambit_waker wakers[2];
};

struct one_of_two {
    struct pair *pair;
    int number;
};

static int run_one(ambit_cx *cx, void *arg)
{
    (void)cx;
    (*(struct pair **)arg)->run++;
    return 0;
}

static void spawn_at_once(ambit_cx *cx, struct pair *pair)
{
    for (int i = 0; i < AT_ONCE; i++) {
        WANT_EQ(ambit_spawn(ambit_cx_region(cx), run_one, &pair), 0);
    }
    pair->spawned += AT_ONCE;
    int left = pair->spawned - pair->run;
    pair->most = left > pair->most ? left : pair->most;
}

/* Each wakes the other, so that one always waits. */
static int spawn_and_wake(ambit_cx *cx, void *state)
{
    struct one_of_two *self = state;
    struct pair *pair = self->pair;
    pair->wakers[self->number] = ambit_cx_waker(cx);
    spawn_at_once(cx, pair);
    pair->steps++;
    (void)ambit_wake(pair->wakers[!self->number]);
    return pair->steps < STEPS ? AMBIT_PENDING : 0;
}

static int a_pair(ambit_cx *cx, void *arg)
{
    int rc = 0;
    ambit_scope (cx, both, &rc) {
        for (int i = 0; i < 2; i++) {
            struct one_of_two one = {arg, i};
            WANT_EQ(ambit_spawn_poll(both, spawn_and_wake, &one), 0);
        }
    }
    return rc;
}

/* Goal: nor do they where a turn comes before its time, as one in 61 does.
 * Method: two that wake each other, and spawn 30 in each of 600 steps: what has not
 * run is never more than of a few steps. */
Spec(WRK_TURN_1, a_turn_before_its_time_is_made_good)
{
    struct pair pair = {0};
    WANT_EQ(spec_run(a_pair, &pair, .workers = 1), 0);
    WANT(pair.steps >= STEPS);
    WANT_EQ(pair.run, pair.spawned);
    WANT(pair.most <= 5 * AT_ONCE);
    spec_end("WRK_TURN_1");
}

static int spawner_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    *(struct pair **)state = *(struct pair *const *)arg;
    return 0;
}

static int spawn_and_yield(ambit_cx *cx, void *state, const void *message,
                           size_t size)
{
    struct pair *pair = *(struct pair **)state;
    (void)message;
    (void)size;
    spawn_at_once(cx, pair);
    pair->steps++;
    return ambit_yield(cx);
}

static int a_crowd_of_actors(ambit_cx *cx, void *arg)
{
    static const struct ambit_actor_type type = {
        .init = spawner_init,
        .handle = spawn_and_yield,
        .state_size = sizeof(struct pair *),
    };
    struct pair *pair = arg;
    ambit_actor_ref actors[WOKEN];
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < WOKEN; i++) {
            WANT_EQ(ambit_actor_start(cx, all, &type, &pair, sizeof pair,
                                      &actors[i]),
                    0);
        }
        for (int i = 0; i < WOKEN; i++) {
            WANT_EQ(ambit_try_send(actors[i], &i, sizeof i), 0);
        }
        while (pair->steps < WOKEN || pair->run < pair->spawned) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        ambit_cancel(all, "done");
    }
    return 0;
}

/* Goal: nor where a turn is not over when the next one could come.
 * Method: 40 actors with a message each, whose handlers spawn 30 and yield. */
Spec(WRK_TURN_1, what_a_turn_that_waits_has_spawned_goes_first)
{
    struct pair pair = {0};
    WANT_EQ(spec_run(a_crowd_of_actors, &pair, .workers = 1), 0);
    WANT_EQ(pair.steps, WOKEN);
    WANT(pair.most <= 5 * AT_ONCE);
    spec_end("WRK_TURN_1");
}

/* --- WRK-NEW-1 -------------------------------------------------------------- */

enum { OLD = 3, IN_61 = 61 };

/* At both ends of what is left. */
struct ends {
    int first, last;
    int oldest; /* so many went before their time */
    int wrong;
};

struct numbered {
    struct ends *ends;
    int number;
};

static int leave_at_an_end(ambit_cx *cx, void *arg)
{
    struct numbered *self = arg;
    struct ends *ends = self->ends;
    (void)cx;
    if (self->number == ends->last) {
        ends->last--;
    } else if (self->number == ends->first) {
        ends->first++;
        ends->oldest++;
    } else {
        ends->wrong++;
    }
    return 0;
}

static int spawn_in_order(ambit_cx *cx, void *arg)
{
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < NEW; i++) {
            WANT_EQ(ambit_spawn(all, leave_at_an_end,
                                (&(struct numbered){arg, i})),
                    0);
        }
    }
    return rc;
}

/* The old ones lie below a chain of tasks, each spawned by the one before. */
struct chain {
    int turns, old;
};

static int is_old(ambit_cx *cx, void *arg)
{
    struct chain *chain = *(struct chain **)arg;
    (void)cx;
    chain->old++;
    WANT(chain->turns <= IN_61 * chain->old);
    return 0;
}

static int is_newer(ambit_cx *cx, void *arg)
{
    struct chain *chain = *(struct chain **)arg;
    if (++chain->turns < 2 * OLD * IN_61 && chain->old < OLD) {
        WANT_EQ(ambit_spawn(ambit_cx_region(cx), is_newer, &chain), 0);
    }
    return 0;
}

static int bury_the_old(ambit_cx *cx, void *arg)
{
    struct chain *chain = arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < OLD; i++) {
            WANT_EQ(ambit_spawn(all, is_old, &chain), 0);
        }
        WANT_EQ(ambit_spawn(all, is_newer, &chain), 0);
    }
    return rc;
}

/* Goal: the newest first, and the oldest not for ever last.
 * Method: 200 new ones, which leave at the end where the newest is, but for three or
 * four; three old ones below a chain of newer ones that does not end before. */
Spec(WRK_NEW_1, the_newest_begins_first_but_for_one_turn_in_61)
{
    struct ends ends = {.last = NEW - 1};
    struct chain chain = {0};
    WANT_EQ(spec_run(spawn_in_order, &ends, .workers = 1), 0);
    WANT_EQ(ends.wrong, 0);
    WANT(ends.oldest >= NEW / IN_61 && ends.oldest <= NEW / IN_61 + 1);
    WANT_EQ(spec_run(bury_the_old, &chain, .workers = 1), 0);
    WANT_EQ(chain.old, OLD);
    spec_end("WRK_NEW_1");
}
