/* SPDX-License-Identifier: MIT */
/*
 * scenarios_turn.c -- whose turn it is on one worker: those that were woken, new
 * tasks, and what comes from another thread.
 *
 * The lab chooses among the tasks that are parked with their stack (src/queue.h).
 * The order of all others is as it is in production, and so are the bounds.
 */
#include "tests/lab/inner.h"

enum { FAIR = 61 }; /* one in so many turns is of the other kind */

/* --- who was woken, and who is new ------------------------------------------ */

enum { WOKEN = 6, NEW = 12, CROWD = 80, TURNS_MAX = WOKEN + CROWD };

enum way {
    NEW_AFTER,   /* the new ones are spawned after the wakes */
    NEW_BEFORE,
    EACH_SPAWNS, /* each that is woken spawns its share of them */
    ONE_SPAWNS,  /* the first of them a crowd */
    WAYS,
};

/* Who ran, in order: the number of one that was woken, or -1. */
struct turns {
    enum way way;
    int len, meant;
    int armed;
    int who[TURNS_MAX];
    ambit_waker wakers[WOKEN];
    ambit_actor_ref actors[WOKEN];
};

struct turn {
    struct turns *turns;
    int number;
    bool waited;
};

static void write_down(struct turns *turns, int who)
{
    if (turns->len < TURNS_MAX) {
        turns->who[turns->len] = who;
    }
    turns->len++;
}

static int is_new(ambit_cx *cx, void *arg)
{
    (void)cx;
    write_down(((struct turn *)arg)->turns, -1);
    return 0;
}

static void spawn_new(ambit_region *region, struct turns *turns, int n)
{
    for (int i = 0; i < n; i++) {
        int spawned = ambit_spawn(region, is_new, (&(struct turn){turns, -1, 0}));
        want(spawned == 0);
        turns->meant += spawned == 0;
    }
}

static void has_turn(ambit_cx *cx, struct turns *turns, int number)
{
    write_down(turns, number);
    if (turns->way == EACH_SPAWNS) {
        spawn_new(ambit_cx_region(cx), turns, NEW / WOKEN);
    } else if (turns->way == ONE_SPAWNS && number == 0) {
        spawn_new(ambit_cx_region(cx), turns, CROWD);
    }
}

static int waits_once(ambit_cx *cx, void *state)
{
    struct turn *self = state;
    if (!self->waited) {
        self->waited = true;
        self->turns->wakers[self->number] = ambit_cx_waker(cx);
        self->turns->armed++;
        return AMBIT_PENDING;
    }
    has_turn(cx, self->turns, self->number);
    return 0;
}

static int box_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    memcpy(state, arg, sizeof(struct turn));
    ((struct turn *)state)->turns->armed++;
    return 0;
}

static int box_handle(ambit_cx *cx, void *state, const void *message,
                      size_t size)
{
    struct turn *self = state;
    (void)message, (void)size;
    has_turn(cx, self->turns, self->number);
    return 0;
}

static const struct ambit_actor_type box = {
    .init = box_init,
    .handle = box_handle,
    .state_size = sizeof(struct turn),
};

/* By turns a poll task and an actor. */
static int make_ready(ambit_cx *cx, ambit_region *region, struct turns *turns)
{
    int rc = 0;
    for (int i = 0; i < WOKEN && rc == 0; i++) {
        struct turn turn = {turns, i, false};
        rc = i % 2 == 0 ? ambit_spawn_poll(region, waits_once, &turn)
                        : ambit_actor_start(cx, region, &box, &turn, sizeof turn,
                                            &turns->actors[i]);
    }
    while (rc == 0 && turns->armed < WOKEN) {
        rc = ambit_yield(cx);
    }
    return rc;
}

static void wake_all(struct turns *turns)
{
    for (int i = 0; i < WOKEN; i++) {
        int rc = i % 2 == 0 ? ambit_wake(turns->wakers[i])
                            : ambit_try_send(turns->actors[i], &i, sizeof i);
        want(rc == 0);
        turns->meant += rc == 0;
    }
}

/* In the order of their wakes, each as soon as `each` new ones have run for the
 * one before; one turn in 61 may come earlier, and is made good. */
static void check_turns(const struct turns *turns, int each)
{
    int woken = 0, new = 0, row = 0;
    for (int i = 0; i < turns->len && woken < WOKEN; i++) {
        row = turns->who[i] == -1 ? row + 1 : 0;
        always(row < FAIR);
        if (turns->who[i] == -1) {
            new++;
            continue;
        }
        always(turns->who[i] == woken);
        int ahead = new - each * woken;
        always(turns->way == ONE_SPAWNS ||
               (ahead <= each * (i / FAIR + 1) && -ahead <= each * (i / FAIR + 1)));
        woken++;
    }
    always(woken == WOKEN);
}

static int woken_in_order(ambit_cx *cx, void *arg)
{
    struct turns turns = {.way = (enum way)ambit_choose(WAYS)};
    int rc = 0, made = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        made = make_ready(cx, s, &turns);
        if (made == 0) {
            spawn_new(s, &turns, turns.way == NEW_BEFORE ? NEW : 0);
            wake_all(&turns);
            spawn_new(s, &turns, turns.way == NEW_AFTER ? NEW : 0);
        }
        while (made == 0 && turns.len < turns.meant) {
            made = ambit_yield(cx);
        }
        ambit_cancel(s, "they have all had their turns");
    }
    want(rc == 0 && made == 0 && turns.len == turns.meant);
    if (!disturbed) {
        check_turns(&turns, turns.way == EACH_SPAWNS ? NEW / WOKEN : 1);
    }
    return rc;
}

/* --- who spawns faster than that is run ------------------------------------- */

/* So long that what is lost in one turn of 61 would add up. */
enum { STEPS = 40, AT_ONCE = 20, LEFT_MAX = 3 * AT_ONCE };

struct spawners {
    int steps, steps_max, spawned, run, most;
    ambit_waker wakers[2];
};

struct spawner {
    struct spawners *all;
    int number;
};

static int runs_once(ambit_cx *cx, void *arg)
{
    (void)cx;
    (*(struct spawners **)arg)->run++;
    return 0;
}

static void spawn_some(ambit_cx *cx, struct spawners *all)
{
    for (int i = 0; i < AT_ONCE; i++) {
        int spawned = ambit_spawn(ambit_cx_region(cx), runs_once, &all);
        want(spawned == 0);
        all->spawned += spawned == 0;
    }
    int left = all->spawned - all->run;
    all->most = left > all->most ? left : all->most;
    all->steps++;
}

/* Each wakes the other, so that one always waits. */
static int spawns_and_wakes(ambit_cx *cx, void *state)
{
    struct spawner *self = state;
    struct spawners *all = self->all;
    if (ambit_checkpoint(cx) < 0) {
        return -ECANCELED;
    }
    all->wakers[self->number] = ambit_cx_waker(cx);
    spawn_some(cx, all);
    (void)ambit_wake(all->wakers[!self->number]);
    return all->steps < all->steps_max ? AMBIT_PENDING : 0;
}

static int spawners_are_held(ambit_cx *cx, void *arg)
{
    struct spawners all = {.steps_max = disturbed ? 4 : STEPS};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 2; i++) {
            int spawned = ambit_spawn_poll(s, spawns_and_wakes,
                                           (&(struct spawner){&all, i}));
            want(spawned == 0);
            all.steps_max = spawned < 0 ? 0 : all.steps_max; /* no other one */
        }
    }
    want(rc == 0 && all.steps >= STEPS && all.run == all.spawned);
    always(all.most <= LEFT_MAX || disturbed);
    return rc;
}

static int spawner_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    memcpy(state, arg, sizeof(struct spawners *));
    return 0;
}

/* Its turn is not over when the next one's could begin. */
static int spawns_and_yields(ambit_cx *cx, void *state, const void *message,
                             size_t size)
{
    (void)message, (void)size;
    spawn_some(cx, *(struct spawners **)state);
    return ambit_yield(cx);
}

static int spawners_that_wait(ambit_cx *cx, void *arg)
{
    static const struct ambit_actor_type type = {
        .init = spawner_init,
        .handle = spawns_and_yields,
        .state_size = sizeof(struct spawners *),
    };
    enum { ACTORS = 12 };
    struct spawners all = {.steps = 0}, *here = &all;
    ambit_actor_ref actors[ACTORS];
    int rc = 0, made = 0, sent = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < ACTORS && made == 0; i++) {
            made = ambit_actor_start(cx, s, &type, &here, sizeof here, &actors[i]);
        }
        for (; sent < ACTORS && made == 0; sent += made == 0) {
            made = ambit_try_send(actors[sent], &sent, sizeof sent);
        }
        while (made == 0 && (all.steps < sent || all.run < all.spawned)) {
            made = ambit_yield(cx);
        }
        ambit_cancel(s, "they have all had their turns");
    }
    want(rc == 0 && made == 0 && all.steps == ACTORS && all.run == all.spawned);
    always(all.most <= LEFT_MAX || disturbed);
    return rc;
}

/* --- who wakes itself --------------------------------------------------------- */

enum { POLLS = 4, POLL_STEPS = 5, YIELDERS = 3 };

struct givers {
    int steps[POLLS];
    int over;            /* of the poll tasks */
    int turns[YIELDERS]; /* of the tasks that yield beside them */
    int seen[POLLS][YIELDERS];
};

struct giver {
    struct givers *all;
    int number;
};

/* Between two of its steps each of the others had one, and the tasks that were
 * ready each a turn: one of them at least where the lab chooses among them. */
static void look_at_others(struct givers *all, int number, int step)
{
    int moved = 0;
    for (int i = 0; i < POLLS && step > 1; i++) {
        always(all->steps[i] >= (step - 1 < POLL_STEPS ? step - 1 : POLL_STEPS));
        always(all->steps[i] <= step);
    }
    for (int i = 0; i < YIELDERS; i++) {
        moved += all->turns[i] > all->seen[number][i];
        all->seen[number][i] = all->turns[i];
    }
    always(step == 1 || moved > 0);
    always(step == 1 || moved == YIELDERS || !in_order);
}

static int steps_again(ambit_cx *cx, void *state)
{
    struct giver *self = state;
    struct givers *all = self->all;
    int step = ++all->steps[self->number];
    if (!disturbed) {
        look_at_others(all, self->number, step);
    }
    all->over += step == POLL_STEPS;
    (void)ambit_wake(ambit_cx_waker(cx));
    return step < POLL_STEPS ? AMBIT_PENDING : 0;
}

static int yields_beside(ambit_cx *cx, void *arg)
{
    struct giver *self = arg;
    int rc = 0;
    for (int i = 0; rc == 0 && self->all->over < POLLS; i++) {
        self->all->turns[self->number]++;
        rc = disturbed && i > 3 * POLL_STEPS ? -ECANCELED : ambit_yield(cx);
    }
    return rc;
}

static int polls_give_way(ambit_cx *cx, void *arg)
{
    struct givers all = {.over = 0};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < YIELDERS; i++) {
            int spawned = ambit_spawn(s, yields_beside, (&(struct giver){&all, i}));
            want(spawned == 0);
        }
        int yielded = ambit_yield(cx); /* they have begun */
        want(yielded == 0);
        for (int i = 0; i < POLLS; i++) {
            int spawned = ambit_spawn_poll(s, steps_again,
                                           (&(struct giver){&all, i}));
            want(spawned == 0);
        }
    }
    want(rc == 0 && all.over == POLLS);
    return rc;
}

/* --- who is new ------------------------------------------------------------------ */

enum { LINE = 70, OLD = 2 };

struct line {
    int first, last;      /* of those that have not begun */
    int oldest;           /* began before their time */
    int turns, old, meant; /* of a chain above old ones */
};

struct numbered {
    struct line *line;
    int number;
};

/* At one of the two ends. */
static int leaves_the_line(ambit_cx *cx, void *arg)
{
    struct numbered *self = arg;
    struct line *line = self->line;
    bool newest = self->number == line->last;
    (void)cx;
    always(newest || self->number == line->first || disturbed);
    line->last -= newest;
    line->first += !newest;
    line->oldest += !newest;
    return 0;
}

static int is_old(ambit_cx *cx, void *arg)
{
    struct line *line = *(struct line **)arg;
    (void)cx;
    line->old++;
    always(line->turns <= FAIR * line->old || disturbed);
    return 0;
}

/* Each is newer than all that is there. */
static int is_newer(ambit_cx *cx, void *arg)
{
    struct line *line = *(struct line **)arg;
    if (++line->turns < 2 * OLD * FAIR && line->old < line->meant) {
        int spawned = ambit_spawn(ambit_cx_region(cx), is_newer, &line);
        want(spawned == 0);
    }
    return 0;
}

static int newest_first(ambit_cx *cx, void *arg)
{
    struct line line = {.last = LINE - 1}, *here = &line;
    int rc = 0, spawned = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < LINE && spawned == 0; i++) {
            spawned = ambit_spawn(s, leaves_the_line, (&(struct numbered){here, i}));
        }
    }
    want(rc == 0 && spawned == 0 && line.first == line.last + 1);
    want(line.oldest >= LINE / FAIR && line.oldest <= LINE / FAIR + 1);
    ambit_scope (cx, s, &rc) {
        for (; line.meant < OLD && spawned == 0; line.meant += spawned == 0) {
            spawned = ambit_spawn(s, is_old, &here);
        }
        spawned = ambit_spawn(s, is_newer, &here);
    }
    want(rc == 0 && spawned == 0 && line.old == OLD);
    return rc;
}

/* --- the same where there are thieves, though they take nothing ----------------- */

/* A worker that is not alone takes its tasks another way. */
static int on_two(ambit_cx *cx, ambit_task_fn *fn)
{
    struct inner inner = {.fn = fn, .options = {.workers = 2, .steal_off = true}};
    if (!inner_run(cx, &inner)) {
        want(false);
        return inner.made < 0 ? inner.made : -ECANCELED;
    }
    want(inner.rc == 0);
    return inner.rc;
}

static int woken_in_order_of_two(ambit_cx *cx, void *arg)
{
    (void)arg;
    return on_two(cx, woken_in_order);
}

static int newest_first_of_two(ambit_cx *cx, void *arg)
{
    (void)arg;
    return on_two(cx, newest_first);
}

SCENARIOS(turn, {"newest_first", newest_first, 1, 0, "WRK-NEW-1"},
          {"newest_first_of_two", newest_first_of_two, 1, 0, "WRK-NEW-1"},
          {"woken_in_order", woken_in_order, 1, 0, "WRK-TURN-1"},
          {"woken_in_order_of_two", woken_in_order_of_two, 1, 0, "WRK-TURN-1"},
          {"spawners_are_held", spawners_are_held, 1, 0, "WRK-TURN-1"},
          {"spawners_that_wait", spawners_that_wait, 1, 0, "WRK-TURN-1"},
          {"polls_give_way", polls_give_way, 1, ORDERED, "POLL-TURN-1"});
