/* SPDX-License-Identifier: MIT */
/*
 * scenarios_yield.c -- who gives way, who goes on, and on whose stack; and that each
 * task is told from all others while it runs.
 */
#include "tests/lab/scenario.h"

/* --- the others have their turns ---------------------------------------------- */

enum { NEW = 6, ROUNDS = 8, OTHERS_MAX = 20, TURNS = 10 };

struct turns {
    int begun; /* new ones that have run */
    int taken; /* turns of those that yield all the time */
    bool over;
    struct tally elsewhere;
};

static int begins(ambit_cx *cx, void *arg)
{
    (void)cx;
    (*(struct turns **)arg)->begun++;
    return 0;
}

static int takes_turns(ambit_cx *cx, void *arg)
{
    struct turns *turns = *(struct turns **)arg;
    int rc = 0;
    while (rc == 0 && !turns->over) {
        turns->taken++;
        rc = ambit_yield(cx);
    }
    return rc;
}

/* The other worker does the same by itself, and its thread falls between. */
static int yields_elsewhere(ambit_cx *cx, void *arg)
{
    struct turns *turns = *(struct turns **)arg;
    int rc = 0;
    for (int i = 0; i < TURNS && rc == 0; i++) {
        tally_up(&turns->elsewhere);
        rc = ambit_yield(cx);
    }
    return rc;
}

/* One yield, and all that was spawned has run; whatever the lab chooses. */
static int yield_to_new(ambit_cx *cx, ambit_region *region, struct turns *turns)
{
    int rc = 0;
    for (int i = 0; i < ROUNDS * NEW && rc == 0; i++) {
        rc = ambit_spawn_with(region, begins, &turns, .tier = AMBIT_FIBER);
        if (rc == 0 && i % NEW == NEW - 1) {
            rc = ambit_yield(cx);
            want(rc < 0 || turns->begun == i + 1);
        }
    }
    return rc;
}

/* One yield, and each of the others had one turn, where the lab leaves it at that;
 * where it does not, it may choose one again and again. */
static int yield_to_ready(ambit_cx *cx, ambit_region *region, struct turns *turns,
                          int others)
{
    int rc = 0;
    for (int i = 0; i < others && rc == 0; i++) {
        rc = ambit_spawn_with(region, takes_turns, &turns, .tier = AMBIT_FIBER);
    }
    for (int i = 1; i <= TURNS && rc == 0; i++) {
        rc = ambit_yield(cx);
        want(rc < 0 || turns->taken >= others);
        want(rc < 0 || !in_order || turns->taken == i * others);
    }
    turns->over = true;
    return rc;
}

static int yields_in_turn(ambit_cx *cx, void *arg)
{
    static const int others[] = {1, 2, 3, OTHERS_MAX};
    struct turns turns = {.begun = 0}, *here = &turns;
    int rc = 0, yielded = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        int spawned = ambit_spawn_with(s, yields_elsewhere, &here,
                                       .placement = AMBIT_PINNED,
                                       .worker = 1 - ambit_cx_worker(cx));
        want(spawned == 0);
        yielded = yield_to_new(cx, s, &turns);
        if (yielded == 0) {
            yielded = yield_to_ready(cx, s, &turns, others[ambit_choose(4)]);
        }
        turns.over = true;
    }
    want(rc == 0 && yielded == 0 && tally_get(&turns.elsewhere) == TURNS);
    return rc;
}

/* --- yields among ends, spawns, cancels and panics ----------------------------- */

enum { PLAYERS = 5, MOVES = 7, MARKS = 24, SPAWNS_MAX = 40 };

struct game {
    ambit_region *region;
    int spawned;  /* what has been admitted */
    int runs;     /* have begun */
    int gone;     /* disposed of, never begun */
    int ended, panics;
};

struct player {
    struct game *game;
    int number;
    enum { PLAYS, ENDS, YIELDS_ONCE, PANICS } way;
};

static int plays(ambit_cx *cx, void *arg);

static void never_played(void *arg)
{
    ((struct player *)arg)->game->gone++;
}

static void spawn_player(ambit_region *region, struct game *game, int way)
{
    struct player player = {game, game->spawned, way};
    if (game->spawned < SPAWNS_MAX &&
        ambit_spawn_with(region, plays, &player, .dispose = never_played) == 0) {
        game->spawned++;
    }
}

/* What ends below leaves its stack in hand, what panics leaves it for good. */
static int plays_below(ambit_cx *cx, struct game *game, bool cancels)
{
    int rc = 0;
    ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
        spawn_player(s, game, YIELDS_ONCE);
        spawn_player(s, game, PANICS);
        if (cancels) {
            (void)ambit_yield(cx);
            ambit_cancel(s, "they need not end");
        }
    }
    return rc;
}

static int moves(ambit_cx *cx, struct game *game)
{
    switch (ambit_choose(7)) {
    case 0:
    case 1:
        return ambit_yield(cx);
    case 2:
        spawn_player(game->region, game, ENDS);
        return ambit_yield(cx);
    case 3:
        spawn_player(game->region, game, YIELDS_ONCE);
        return ambit_yield(cx);
    case 4:
        return plays_below(cx, game, false);
    case 5:
        return plays_below(cx, game, true);
    default:
        return ambit_sleep(cx, ambit_us(1));
    }
}

/* What a task has on its stack is there again whenever it goes on, and so is what
 * tells who it is. */
static int plays_on(ambit_cx *cx, struct player *player)
{
    volatile int marks[MARKS];
    uint64_t self = ambit_running();
    int rc = 0;
    for (int i = 0; i < MARKS; i++) {
        marks[i] = player->number * MARKS + i;
    }
    for (int m = 0; m < (player->way == PLAYS ? MOVES : 1) && rc == 0; m++) {
        rc = player->way == PLAYS ? moves(cx, player->game) : ambit_yield(cx);
        always(ambit_running() == self && self != 0);
        for (int i = 0; i < MARKS; i++) {
            always(marks[i] == player->number * MARKS + i);
        }
    }
    return rc;
}

static int plays(ambit_cx *cx, void *arg)
{
    struct player *player = arg;
    struct game *game = player->game;
    game->runs++;
    int rc = player->way == ENDS ? 0 : plays_on(cx, player);
    if (player->way == PANICS) {
        game->panics++;
        ambit_panic(cx, "as it was meant");
    }
    game->ended++;
    return rc;
}

static int yields_among_ends(ambit_cx *cx, void *arg)
{
    struct game game = {.spawned = 0};
    struct ambit_runtime_stats before, after;
    int rc = 0;
    (void)arg;
    ambit_runtime_stats(ambit_cx_runtime(cx), &before);
    ambit_scope (cx, s, &rc) {
        game.region = s;
        for (int i = 0; i < PLAYERS; i++) {
            spawn_player(s, &game, PLAYS);
        }
    }
    ambit_runtime_stats(ambit_cx_runtime(cx), &after);
    want(rc == 0);
    always(game.runs == game.ended + game.panics);
    always(game.runs + game.gone == game.spawned || disturbed);
    always((int)(after.panicked - before.panicked) == game.panics);
    always((int)(after.spawned - before.spawned) == game.spawned);
    return rc;
}

/* --- who runs ----------------------------------------------------------- */

enum { ALIVE = 9, STEPS = 3 };

struct names {
    struct tally name[ALIVE]; /* of those that are alive */
    struct tally steps, jobs;
    ambit_waker wakers[ALIVE];
};

struct named {
    struct names *names;
    int number;
    int steps;
};

/* Nobody else who is alive has it, and it does not change. */
static void check_name(struct named *self)
{
    int64_t mine = (int64_t)ambit_running();
    int64_t known = tally_get(&self->names->name[self->number]);
    always(mine != 0);
    always(known == 0 || known == mine);
    for (int i = 0; i < ALIVE; i++) {
        always(i == self->number ||
               tally_get(&self->names->name[i]) != mine);
    }
    /* ORDER(lab-tally): release.  Pairs with tally_get(). */
    atomic_store_explicit(&self->names->name[self->number].n, mine,
                          memory_order_release);
}

static void lose_name(struct named *self)
{
    /* ORDER(lab-tally): release.  Before its record is another one's. */
    atomic_store_explicit(&self->names->name[self->number].n, 0,
                          memory_order_release);
}

static int has_no_name(void *arg)
{
    struct names *names = arg;
    always(ambit_running() == 0);
    tally_up(&names->jobs);
    return 0;
}

static int fiber_is_named(ambit_cx *cx, void *arg)
{
    struct named *self = arg;
    int rc = 0;
    check_name(self);
    for (int i = 0; i < STEPS && rc == 0; i++) {
        rc = i == 1 ? ambit_blocking(cx, has_no_name, self->names)
                    : ambit_yield(cx);
        check_name(self);
        tally_up(&self->names->steps);
    }
    lose_name(self);
    return rc;
}

/* Its own name in each step, though it has no stack in between and may move; and
 * the cx that it is given is good for that step. */
static int step_is_named(ambit_cx *cx, void *state)
{
    struct named *self = state;
    check_name(self);
    int rc = ambit_checkpoint(cx);
    if (rc == 0 && ++self->steps < STEPS) {
        (void)ambit_wake(ambit_cx_waker(cx));
        rc = self->steps == 2 ? ambit_yield(cx) : 0; /* with a stack for once */
        check_name(self);
        tally_up(&self->names->steps);
        if (rc == 0) {
            return AMBIT_PENDING;
        }
    }
    lose_name(self);
    return rc;
}

static int job_has_no_name(ambit_cx *cx, void *arg)
{
    (void)cx;
    return has_no_name((*(struct named *)arg).names);
}

static int has_a_stack(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return 0;
}

/* A step cannot be refused: where memory is gone for good, it would wait for a
 * stack for good. */
static int have_stacks(ambit_cx *cx)
{
    int rc = 0, spawned = 0, none = 0;
    ambit_scope (cx, s, &rc) {
        for (unsigned i = 0; i < 2 && spawned == 0; i++) {
            spawned = ambit_spawn_with(s, has_a_stack, &none, .worker = i,
                                       .placement = AMBIT_PINNED);
        }
    }
    return rc < 0 ? rc : spawned;
}

static int who_runs(ambit_cx *cx, void *arg)
{
    struct names names = {.steps = {0}};
    int rc = have_stacks(cx), jobs = 0;
    uint64_t self = ambit_running();
    (void)arg;
    want(rc == 0);
    if (rc < 0) {
        return rc;
    }
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < ALIVE; i++) {
            struct named named = {&names, i, 0};
            int spawned =
                i % 3 == 0   ? ambit_spawn(s, fiber_is_named, &named)
                : i % 3 == 1 ? ambit_spawn_poll(s, step_is_named, &named)
                             : ambit_spawn_with(s, job_has_no_name, &named,
                                                .tier = AMBIT_BLOCKING);
            want(spawned == 0);
            jobs += i % 3 == 2 && spawned == 0;
        }
        always(ambit_running() == self);
    }
    always(ambit_running() == self && self != 0);
    want(rc == 0 && tally_get(&names.steps) == ALIVE / 3 * (2 * STEPS - 1));
    want(tally_get(&names.jobs) == jobs + ALIVE / 3);
    return rc;
}

SCENARIOS(yield, {"yields_in_turn", yields_in_turn, 2, ORDERED, "TASK-YIELD-1"},
          {"yields_among_ends", yields_among_ends, 1, MANY},
          {"who_runs", who_runs, 2, 0, "TASK-SELF-1"});
