/* SPDX-License-Identifier: MIT */
/*
 * scenarios_place.c -- where a task begins and stays, who runs what a busy worker
 * was to run, and what another runtime has to do with it: nothing.
 */
#include "tests/lab/inner.h"

#include <pthread.h>

/* --- at home from the first instruction on ----------------------------------- */

enum { STAYERS = 7, MOVES = 4 };

struct stay {
    struct tally began, ended;
};

/* Stealable, so it may begin anywhere; from then on nobody takes it over. */
static int stays(ambit_cx *cx, void *arg)
{
    struct stay *stay = *(struct stay **)arg;
    unsigned home = ambit_cx_worker(cx);
    uint64_t self = ambit_running();
    int rc = 0;
    tally_up(&stay->began);
    for (int i = 0; i < MOVES && rc == 0; i++) {
        rc = i == 2 ? ambit_sleep(cx, ambit_us(5)) : ambit_yield(cx);
        always(ambit_cx_worker(cx) == home);
        always(ambit_running() == self);
    }
    tally_up(&stay->ended);
    return rc;
}

static int the_started_stay(ambit_cx *cx, void *arg)
{
    struct stay stay = {.began = {0}}, *here = &stay;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < STAYERS; i++) {
            int spawned = ambit_spawn(s, stays, &here);
            want(spawned == 0);
            if (i % 3 == 2) {
                (void)ambit_yield(cx);
            }
        }
    }
    always(tally_get(&stay.began) == tally_get(&stay.ended));
    want(rc == 0 && tally_get(&stay.ended) == STAYERS);
    return rc;
}

/* --- meant for a busy one ----------------------------------------------------- */

enum { VISITS = 3 };

struct busy {
    struct tally held, gate, ran, spawned;
    struct ambit_semaphore done;
    ambit_region *region;
    unsigned home;
};

static int holds_worker(ambit_cx *cx, void *arg)
{
    struct busy *busy = *(struct busy **)arg;
    (void)cx;
    tally_up(&busy->held);
    busy_until(tally_get(&busy->gate) > 0);
    return 0;
}

/* Wherever it was meant to run, it is here. */
static int is_run_here(ambit_cx *cx, void *arg)
{
    struct busy *busy = *(struct busy **)arg;
    always(ambit_cx_worker(cx) == busy->home || disturbed);
    tally_up(&busy->ran);
    (void)ambit_semaphore_release(&busy->done, 1);
    return 0;
}

static int visits_from_outside(ambit_cx *cx, void *arg)
{
    struct busy *busy = *(struct busy **)arg;
    (void)cx;
    for (int i = 0; i < VISITS; i++) {
        if (ambit_spawn(busy->region, is_run_here, &busy) == 0) {
            tally_up(&busy->spawned);
        }
    }
    return 0;
}

/* One worker is held for as long as the other has not run all of them. */
static int idle_ones_help(ambit_cx *cx, void *arg)
{
    struct busy busy = {.home = ambit_cx_worker(cx)}, *here = &busy;
    int rc = 0, got = ambit_semaphore_init(&busy.done, 0, 2 * VISITS);
    (void)arg;
    ambit_scope (cx, s, &rc) {
        unsigned other = 1 - busy.home;
        busy.region = s;
        int held = ambit_spawn_with(s, holds_worker, &here,
                                    .placement = AMBIT_PINNED, .worker = other);
        want(held == 0);
        busy_until(held < 0 || tally_get(&busy.held) > 0);
        for (int i = 0; i < VISITS; i++) {
            if (ambit_spawn_with(s, is_run_here, &here, .worker = other,
                                 .placement = AMBIT_PREFERRED) == 0) {
                tally_up(&busy.spawned);
            }
        }
        int outside = ambit_spawn_with(s, visits_from_outside, &here,
                                       .tier = AMBIT_BLOCKING);
        want(outside == 0);
        if (!disturbed) {
            got = ambit_semaphore_acquire(cx, &busy.done, 2 * VISITS);
        }
        tally_up(&busy.gate);
    }
    want(rc == 0 && got == 0 && tally_get(&busy.spawned) == 2 * VISITS);
    always(tally_get(&busy.ran) == tally_get(&busy.spawned) || disturbed);
    return rc;
}

/* --- nowhere ------------------------------------------------------------------ */

struct refusal {
    struct ambit_spawn_options options;
    const char *why; /* NULL: it is not refused */
};

static const struct refusal refusals[] = {
    {{.placement = AMBIT_PREFERRED, .worker = 1}, NULL},
    {{.placement = AMBIT_PINNED, .worker = 1}, NULL},
    {{.placement = AMBIT_PINNED, .worker = 2}, "there is no worker 2"},
    {{.placement = AMBIT_PREFERRED, .worker = 63}, "there is no worker 63"},
    {{.placement = (enum ambit_placement)5}, "none of the five"},
    {{.tier = (enum ambit_tier)3}, "none of the three"},
    {{.tier = AMBIT_FIBER, .placement = AMBIT_ROUND_ROBIN}, "only SEND"},
    {{.tier = AMBIT_FIBER, .placement = AMBIT_PINNED}, "only SEND"},
    {{.tier = AMBIT_BLOCKING, .placement = AMBIT_STICKY}, "only SEND"},
    {{.tier = AMBIT_BLOCKING, .placement = AMBIT_PREFERRED}, "only SEND"},
};
enum { REFUSALS = sizeof refusals / sizeof *refusals };

struct nowhere {
    struct tally ran, gone;
    int meant, logged;
    const char *why; /* of the refusal that is under way; else NULL */
};

static int was_placed(ambit_cx *cx, void *arg)
{
    struct nowhere *nowhere = *(struct nowhere **)arg;
    (void)cx;
    tally_up(&nowhere->ran);
    return 0;
}

static void was_not(void *arg)
{
    tally_up(&(*(struct nowhere **)arg)->gone);
}

/* By who spawns only; what another worker logs meanwhile is none of these. */
static void log_refusal(void *user, enum ambit_log_level level, const char *line)
{
    struct nowhere *nowhere = user;
    (void)level;
    if (strstr(line, "\"stray\" cannot be placed: ") != NULL) {
        always(nowhere->why != NULL && strstr(line, nowhere->why) != NULL);
        nowhere->logged++;
    }
}

/* Each in turn: with -EINVAL and a line that names it, and else nothing. */
static int asks_for_each(ambit_cx *cx, void *arg)
{
    struct nowhere *nowhere = arg;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        for (unsigned i = 0; i < REFUSALS; i++) {
            struct ambit_spawn_options options = refusals[i].options;
            int logged = nowhere->logged;
            options.size_ = sizeof options;
            options.name = "stray";
            options.dispose = was_not;
            nowhere->why = refusals[i].why;
            int spawned = ambit_spawn_(s, was_placed, &nowhere, sizeof nowhere,
                                       &options);
            nowhere->meant += spawned == 0;
            always(nowhere->why == NULL || spawned == -EINVAL);
            always(nowhere->logged == logged + (nowhere->why != NULL));
            want((spawned == 0) == (nowhere->why == NULL));
            nowhere->why = NULL;
        }
    }
    return rc;
}

static int placed_nowhere(ambit_cx *cx, void *arg)
{
    struct nowhere nowhere = {.meant = 0};
    struct inner inner = {.fn = asks_for_each, .arg = &nowhere,
                          .options = {.workers = 2, .log = log_refusal,
                                      .log_user = &nowhere}};
    (void)arg;
    if (!inner_run(cx, &inner)) {
        want(false);
        return inner.made < 0 ? inner.made : -ECANCELED;
    }
    want(inner.rc == 0);
    always(tally_get(&nowhere.ran) + tally_get(&nowhere.gone) == nowhere.meant);
    always(inner.stats.spawned == 1 + (uint64_t)nowhere.meant);
    return inner.rc;
}

/* --- one stands still, the other goes on -------------------------------- */

/* As in spec/lab/os.h. */
int lab_pthread_mutex_lock(pthread_mutex_t *mutex);
int lab_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int lab_pthread_cond_broadcast(pthread_cond_t *cond);

/* Whoever waits for it holds up its thread, and time goes on. */
struct gate {
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t opened;
    bool open;
};

static void gate_pass(struct gate *gate)
{
    lab_pthread_mutex_lock(&gate->lock);
    while (!gate->open) {
        lab_pthread_cond_wait(&gate->opened, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

static void gate_open(struct gate *gate)
{
    lab_pthread_mutex_lock(&gate->lock);
    gate->open = true;
    lab_pthread_cond_broadcast(&gate->opened);
    pthread_mutex_unlock(&gate->lock);
}

/* The first one's workers are all held until the second one's run is over. */
struct neighbours {
    struct inner first, second;
    ambit_runtime *runtime; /* the first */
    ambit_region *region;   /* of it */
    struct gate open, held, over;
    struct tally is_over, guests, jobs, done;
    int fiber, pool_fiber, guest;
};

static int stands_still(ambit_cx *cx, void *arg)
{
    struct neighbours *n = *(struct neighbours **)arg;
    (void)cx;
    gate_open(&n->held);
    gate_pass(&n->over);
    return 0;
}

static int first_main(ambit_cx *cx, void *arg)
{
    struct neighbours *n = arg;
    int rc = 0;
    n->runtime = ambit_cx_runtime(cx);
    if (disturbed) { /* then the other one may have to wait for this thread */
        return ambit_yield(cx);
    }
    ambit_scope (cx, s, &rc) {
        int held = ambit_spawn_with(s, stands_still, &n, .placement = AMBIT_PINNED,
                                    .worker = 1 - ambit_cx_worker(cx));
        always(held == 0);
        gate_pass(&n->held);
        n->region = s;
        gate_open(&n->open);
        gate_pass(&n->over); /* it is used until then */
    }
    return rc;
}

/* On the first runtime, whoever has spawned it; and when it goes on. */
static int is_guest(ambit_cx *cx, void *arg)
{
    struct neighbours *n = *(struct neighbours **)arg;
    always(ambit_cx_runtime(cx) == n->runtime);
    always(tally_get(&n->is_over) > 0 || disturbed);
    tally_up(&n->guests);
    return 0;
}

static int tries_fiber(void *arg)
{
    struct neighbours *n = arg;
    tally_up(&n->jobs);
    return ambit_spawn_with(n->region, is_guest, &n, .tier = AMBIT_FIBER);
}

static int goes_on(ambit_cx *cx, void *arg)
{
    struct neighbours *n = *(struct neighbours **)arg;
    always(ambit_cx_runtime(cx) != n->runtime || disturbed); /* or it is gone */
    int rc = ambit_yield(cx);
    rc = rc < 0 ? rc : ambit_sleep(cx, ambit_us(5));
    tally_up(&n->done);
    return rc;
}

/* All that a run can do, beside one that does nothing. */
static int second_main(ambit_cx *cx, void *arg)
{
    struct neighbours *n = arg;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            int spawned = ambit_spawn(s, goes_on, &n);
            want(spawned == 0);
        }
        if (n->region != NULL) {
            n->fiber = ambit_spawn_with(n->region, is_guest, &n,
                                        .tier = AMBIT_FIBER);
            n->pool_fiber = ambit_blocking(cx, tries_fiber, n);
            n->guest = ambit_spawn(n->region, is_guest, &n);
        }
    }
    return rc;
}

static int first_body(ambit_cx *cx, void *arg)
{
    struct neighbours *n = *(struct neighbours **)arg;
    (void)cx;
    inner_here(&n->first);
    return 0;
}

static int second_body(ambit_cx *cx, void *arg)
{
    struct neighbours *n = *(struct neighbours **)arg;
    (void)cx;
    if (!disturbed) {
        gate_pass(&n->open);
    }
    inner_here(&n->second);
    tally_up(&n->is_over);
    gate_open(&n->over);
    return 0;
}

static void check_neighbours(struct neighbours *n)
{
    want(n->first.made == 0 && n->first.rc == 0);
    want(n->second.made == 0 && n->second.rc == 0);
    want(n->fiber == -EPERM && n->pool_fiber == -EPERM && n->guest == 0);
    always(n->fiber != 0 && n->pool_fiber != 0); /* whatever else happens */
    want(tally_get(&n->guests) == 1 && tally_get(&n->done) == 3);
    want(tally_get(&n->jobs) == 1);
}

static int one_stands_still(ambit_cx *cx, void *arg)
{
    static const struct gate shut = {PTHREAD_MUTEX_INITIALIZER,
                                     PTHREAD_COND_INITIALIZER, false};
    struct neighbours n = {.open = shut, .held = shut, .over = shut,
                           .fiber = 1, .pool_fiber = 1}, *here = &n;
    int rc = 0;
    (void)arg;
    n.first = (struct inner){.fn = first_main, .arg = &n, .options.workers = 2};
    n.second = (struct inner){.fn = second_main, .arg = &n,
                              .options.workers = 1 + ambit_choose(2)};
    ambit_scope (cx, s, &rc) {
        int first = ambit_spawn_with(s, first_body, &here, .tier = AMBIT_BLOCKING);
        int second = ambit_spawn_with(s, second_body, &here,
                                      .tier = AMBIT_BLOCKING);
        want(first == 0 && second == 0);
    }
    check_neighbours(&n);
    want(rc == 0);
    return rc;
}

SCENARIOS(place, {"the_started_stay", the_started_stay, 2, 0, "WRK-STEAL-2"},
          {"idle_ones_help", idle_ones_help, 2, 0, "TASK-PLACE-3"},
          {"placed_nowhere", placed_nowhere, 1, 0, "TASK-PLACE-4"},
          {"one_stands_still", one_stands_still, 1, 0, "RT-TWO-1 TASK-SPAWN-4"});
